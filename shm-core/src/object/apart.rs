//! Taking the dead apart: what they hold goes, then their blocks and headers.
//!
//! The usual dead one is small, with a few small children: it is freed in one operation
//! ([`dispose`], [`drop_one`]). Any other goes to the graveyard and comes apart in steps ([`reap`]).

use super::{
    EMPTIED, Meta, bury, decrement, free, free_header, garbage_at, has_children, is_pinned_now,
    link_at, meta_of,
};
use crate::alloc;
use crate::cell::{Cell, FIRST_OBJECT, Kind, Offset, Ref};
use crate::error::Result;
use crate::journal::Journal;
use crate::layout::{LEAF_DATA, header, keys, leaf, object};
use crate::memory::Memory;
use crate::primitive::Ordering;

/// The bits of a word that can name a block.
const BLOCK: u64 = 0x0000_FFFF_FFFF_FFF0;
/// Children released per step; each costs at most a dozen log entries.
const CHILDREN_PER_STEP: u64 = 12;
/// Children released in a step that goes on with their block and the header.
const CHILDREN_OF_A_WHOLE: u64 = 6;
/// Cells that a step looks at: those that refer to nothing cost no log entry.
const CELLS_PER_STEP: u64 = 4096;
/// Entries that one step, or one [`dispose`], logs at most beside those of batches from caches to pages:
/// nine for each of a dozen blocks that go to their pages singly, as many for the dead one's own two,
/// and some words.
const WITHOUT_BATCHES: u64 = 144;
/// Cells of one that is freed at once.
const FEW_CELLS: u64 = 64;

/// The cells that an object, tuple or frozenset holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// The block that they are in: the leaf itself, or one of the object's own. 0: the object has
    /// none, nor any cells.
    pub(crate) block: Offset,
    /// The first cell.
    pub(crate) first: Offset,
    /// How many groups of cells there are, how far apart (in words), and the cells of a group.
    pub(crate) count: u64,
    pub(crate) stride: u64,
    pub(crate) cells: u64,
    /// The word with the count, and how far the count is shifted in it.
    count_at: Offset,
    shift: u32,
}

impl Held {
    /// Where the cells are.
    fn each(&self) -> impl Iterator<Item = Offset> + use<> {
        let Held { first, count, stride, cells, .. } = *self;
        (0..count)
            .flat_map(move |group| (0..cells).map(move |cell| first + (group * stride + cell) * 8))
    }
}

/// What something holds, once its counts are within its block. Dict entries that were deleted are
/// among it, and hold no references.
pub(crate) fn held(memory: &Memory, reference: Ref) -> Result<Held> {
    let at = reference.at;
    let none = Held { block: 0, first: 0, count: 0, stride: 1, cells: 1, count_at: 0, shift: 0 };
    if reference.kind.is_cells() {
        let (count, count_at) = (memory.load(at + leaf::LEN)?, at + leaf::LEN);
        let held = Held { block: at, first: at + LEAF_DATA, count, count_at, ..none };
        return fits(memory, reference, held);
    }
    if !reference.kind.is_object() {
        return Ok(Held { block: at, ..none });
    }
    let block = memory.load(at + object::W0)? & BLOCK;
    if block == 0 {
        return Ok(none);
    }
    let held = Held { block, ..none };
    let held = match reference.kind {
        Kind::List => {
            let (span, count_at) = (memory.load(at + object::W1)?, at + object::W1);
            let first = block + (span & 0xFFFF_FFFF) * 8;
            Held { first, count: span >> 32, count_at, shift: 32, ..held }
        }
        Kind::Dict | Kind::Set => {
            let count = memory.load(block + keys::COUNTS)? & 0xFFFF_FFFF;
            let shape = memory.load(block + keys::SHAPE)?;
            let first = block.wrapping_add(keys::entries_at(shape)).wrapping_add(8);
            let stride = if reference.kind == Kind::Dict { 3 } else { 2 };
            let count_at = block + keys::COUNTS;
            Held { first, count, stride, cells: stride - 1, count_at, ..held }
        }
        Kind::Record => {
            Held { first: block + 8, count: memory.load(block)?, count_at: block, ..held }
        }
        _ => return Ok(held),
    };
    fits(memory, reference, held)
}

fn fits(memory: &Memory, reference: Ref, held: Held) -> Result<Held> {
    let size = alloc::size_of_block(memory, held.block)?;
    let start = held.first.wrapping_sub(held.block) / 8;
    // All but the first group's distance from the block's start; entries start a word earlier.
    let words = held.count.saturating_mul(held.stride);
    let slack = held.stride - held.cells;
    if held.count > 0 && (start > size / 8 || words > (size / 8 - start).saturating_add(slack)) {
        return Err(memory.corrupt(format!(
            "{} {:#x} has {} entries, its block of {size} bytes holds fewer",
            reference.kind.name(),
            reference.at,
            held.count
        )));
    }
    Ok(held)
}

/// What a dead one still holds.
pub(crate) fn remains(memory: &Memory, dead: Ref) -> Result<Option<Held>> {
    held(memory, dead).map(|held| (held.block != 0).then_some(held))
}

/// Takes the topmost dead one apart a little further. One step of one operation: the caller commits
/// or undoes the journal.
pub(crate) fn reap(journal: &mut Journal<'_>) -> Result<()> {
    journal.reserve = WITHOUT_BATCHES;
    let memory = journal.memory();
    let head = Cell(memory.meta(header::GRAVEYARD)?.load(Ordering::Relaxed));
    if head == Cell::UNSET {
        return Ok(());
    }
    let Some(dead) = head.as_ref() else {
        return Err(memory.corrupt(format!("the graveyard's top is {:#x}", head.0)));
    };
    let at = dead.at;
    let flags = meta_of(memory, dead)?;
    if !flags.is_buried() || flags.is_emptied() {
        // Links that lead in a circle would be followed for ever.
        return Err(memory.corrupt(format!("the graveyard leads to {:#x}", flags.0)));
    }
    let held = held(memory, dead)?;
    if held.count > 0 {
        let (left, released) = shrink(journal, &held)?;
        // A child that died lies on top now and comes first.
        let is_top = memory.meta(header::GRAVEYARD)?.load(Ordering::Relaxed) == head.0;
        if left > 0 || released > CHILDREN_OF_A_WHOLE || !is_top {
            return Ok(());
        }
    }
    if held.block != 0 && held.block != at {
        drop_part(journal, at + object::W0, held.block)?;
    }
    if dead.kind.is_object() {
        let lock = Cell(memory.load(at + object::LOCK)?);
        if lock != Cell::UNSET {
            journal.put(at + object::LOCK, Cell::UNSET.0)?;
            return decrement(journal, lock);
        }
    }
    let next = memory.load(link_at(dead))?;
    journal.put(header::GRAVEYARD, next)?;
    if dead.kind as u8 >= FIRST_OBJECT {
        let meta = Meta(memory.load(at + object::META)?);
        if meta.count() > 0 {
            return journal.put(at + object::META, meta.0 | EMPTIED);
        }
        return free_header(journal, at);
    }
    free(journal, at)
}

/// Releases the last children, many that refer to nothing and a few that do, and lowers the count by
/// as many; what is left of it, and how many of the second sort there were.
fn shrink(journal: &mut Journal<'_>, held: &Held) -> Result<(u64, u64)> {
    let memory = journal.memory();
    let (mut left, mut released) = (held.count, 0);
    let least = held.count.saturating_sub(CELLS_PER_STEP / held.cells);
    while left > least && released + held.cells <= CHILDREN_PER_STEP {
        left -= 1;
        for cell in 0..held.cells {
            let at = held.first + (left * held.stride + cell) * 8;
            let child = Cell(memory.load(at)?);
            if !child.is_immediate() {
                decrement(journal, child)?;
                released += 1;
            }
        }
    }
    let word = memory.load(held.count_at)?;
    journal.put(held.count_at, word.wrapping_sub((held.count - left) << held.shift))?;
    Ok((left, released))
}

fn drop_part(journal: &mut Journal<'_>, word_at: Offset, block: Offset) -> Result<()> {
    journal.put(word_at, 0)?;
    free(journal, block)
}

/// Frees an object that nothing refers to and nobody pins, at once if it is small, else by way of the
/// graveyard; does nothing for any other offset. An operation of its own, because it takes the log's room.
pub(crate) fn dispose(journal: &mut Journal<'_>, at: Offset) -> Result<()> {
    journal.reserve = WITHOUT_BATCHES;
    let memory = journal.memory();
    let Some(dead) = garbage_at(memory, at)? else { return Ok(()) };
    if is_pinned_now(memory, at)? {
        return Ok(());
    }
    let Some(held) = little(memory, dead, CHILDREN_OF_A_WHOLE)? else {
        return bury(journal, dead);
    };
    for at in held.each() {
        let child = Cell(memory.load(at)?);
        if !child.is_immediate() {
            drop_one(journal, child)?;
        }
    }
    free_whole(journal, dead, &held)
}

/// As [`decrement`]; what dies and holds nothing but values that live in their cells is freed at once.
pub(crate) fn drop_one(journal: &mut Journal<'_>, cell: Cell) -> Result<()> {
    let memory = journal.memory();
    if let Some(reference) = cell.as_ref()
        && has_children(reference.kind)
        && let meta = meta_of(memory, reference)?
        && meta.count() == 1
        && !meta.is_buried()
        && let Some(held) = little(memory, reference, 0)?
        && !(reference.kind.is_object() && is_pinned_now(memory, reference.at)?)
    {
        return free_whole(journal, reference, &held);
    }
    decrement(journal, cell)
}

/// What something holds, if these are few cells, of which at most `most` refer to something, and it
/// has no lock.
fn little(memory: &Memory, reference: Ref, most: u64) -> Result<Option<Held>> {
    if reference.kind.is_object() && memory.load(reference.at + object::LOCK)? != Cell::UNSET.0 {
        return Ok(None);
    }
    let held = held(memory, reference)?;
    if held.count * held.cells > FEW_CELLS {
        return Ok(None);
    }
    let mut children = 0;
    for at in held.each() {
        children += u64::from(!Cell(memory.load(at)?).is_immediate());
    }
    Ok((children <= most).then_some(held))
}

/// Frees the block and the header of one that nothing refers to any more and whose children are gone.
fn free_whole(journal: &mut Journal<'_>, dead: Ref, held: &Held) -> Result<()> {
    if !dead.kind.is_object() {
        // As in `decrement`.
        journal.put(dead.at + object::META, 0)?;
        return free(journal, dead.at);
    }
    if held.block != 0 {
        free(journal, held.block)?;
    }
    free_header(journal, dead.at)
}
