//! What lies in a block: its kind, how many cells refer to it, and how it dies.
//!
//! The first word of every leaf and object is its meta word:
//!
//! ```text
//! references from cells 32 | kind 8 | flags 8 | generation 16
//! ```
//!
//! Counts are of cells in the heap only; what a process holds is a pin (`pins`). At count 0 a leaf
//! without children is freed; an object that no process pins, and any tuple, goes to the graveyard,
//! a list through the dead themselves, from which [`reap`] takes it apart a few children at a time,
//! each step one undo-logged operation. So freeing is bounded in log and in recursion, exact under
//! SIGKILL, and continued by whoever writes next. The caller holds the writer lock throughout.
//!
//! Cyclic garbage comes to the graveyard with counts above 0 ([`bury_all`]), all of it in one step,
//! so only the dead refer to the dead. Such an object is taken apart like any other; if some of the
//! dead still refer to it then, its empty header waits outside of the list ([`EMPTIED`]) and is
//! freed with the last of these references, so no reference ever meets a header that was reused.

use crate::alloc;
use crate::cell::{Cell, FIRST_OBJECT, Kind, Offset, Ref};
use crate::error::Result;
use crate::journal::Journal;
use crate::layout::{LEAF_DATA, OBJECT_BYTES, header, keys, leaf, object};
use crate::memory::Memory;
use crate::pins;
use crate::primitive::{Ordering, fence};
use crate::quick;

/// Flag: lies in the graveyard.
const BURIED: u64 = 1 << 40;
/// Flag, with [`BURIED`]: taken apart and out of the graveyard, but others of the dead still refer
/// to it. Freed with the last of these references.
const EMPTIED: u64 = 1 << 41;
/// The bits of a word that can name a block.
const BLOCK: u64 = 0x0000_FFFF_FFFF_FFF0;
/// Children released per step; each costs at most a dozen log entries.
const CHILDREN_PER_STEP: u64 = 12;
/// Children released in a step that goes on with their block and the header.
const CHILDREN_OF_A_WHOLE: u64 = 6;
/// Cells that a step looks at: those that refer to nothing cost no log entry.
const CELLS_PER_STEP: u64 = 4096;
/// Fewer loosened objects than this are no reason to collect.
const LOOSE_ENOUGH: u64 = 100_000;

/// A meta word taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta(pub(crate) u64);

impl Meta {
    pub(crate) fn new(kind: Kind, generation: u16) -> Self {
        Meta(((kind as u64) << 32) | (u64::from(generation) << 48))
    }

    #[inline]
    pub(crate) fn count(self) -> u64 {
        self.0 & 0xFFFF_FFFF
    }

    #[inline]
    pub(crate) fn kind_code(self) -> u8 {
        (self.0 >> 32) as u8
    }

    #[inline]
    pub(crate) fn generation(self) -> u16 {
        (self.0 >> 48) as u16
    }

    pub(crate) fn is_buried(self) -> bool {
        self.0 & BURIED != 0
    }

    fn is_emptied(self) -> bool {
        self.0 & EMPTIED != 0
    }
}

/// The meta word behind a reference, if it is of the kind and generation that the reference says.
#[inline]
pub(crate) fn meta_of(memory: &Memory, reference: Ref) -> Result<Meta> {
    let meta = Meta(memory.load(reference.at + object::META)?);
    let stale = reference.kind.is_object() && meta.generation() as u8 != reference.generation;
    if meta.kind_code() != reference.kind as u8 || stale {
        return Err(memory.corrupt(format!(
            "a reference to a {} at {:#x} finds meta word {:#x}",
            reference.kind.name(),
            reference.at,
            meta.0
        )));
    }
    Ok(meta)
}

/// A fresh object: count 0, type words 0, sequence even and beyond any earlier one.
pub(crate) fn create(journal: &mut Journal<'_>, kind: Kind) -> Result<Offset> {
    let at = journal.keeping(alloc::allocate_header)?;
    journal.note_created(at);
    let words = journal.memory().words(at, 8)?;
    for (index, word) in words.iter().enumerate() {
        let old = word.load(Ordering::Relaxed);
        let new = match index as u64 * 8 {
            object::META => Meta::new(kind, Meta(old).generation()).0,
            object::SEQ => (old | 1).wrapping_add(1),
            _ => 0,
        };
        word.store(new, Ordering::Relaxed);
    }
    Ok(at)
}

/// One more cell refers to it.
#[inline]
pub(crate) fn increment(journal: &mut Journal<'_>, cell: Cell) -> Result<()> {
    let Some(reference) = reference_in(journal.memory(), cell)? else { return Ok(()) };
    let meta = meta_of(journal.memory(), reference)?;
    if meta.count() == u64::from(u32::MAX) || meta.is_buried() {
        return Err(journal.memory().corrupt(format!("count at {:#x} overflows", reference.at)));
    }
    journal.put(reference.at + object::META, meta.0 + 1)
}

/// One cell less refers to it; dies at 0. Only inside of a task or a reap step.
pub(crate) fn decrement(journal: &mut Journal<'_>, cell: Cell) -> Result<()> {
    let Some(reference) = reference_in(journal.memory(), cell)? else { return Ok(()) };
    let meta = meta_of(journal.memory(), reference)?;
    if meta.count() == 0 {
        return Err(journal.memory().corrupt(format!("count at {:#x} below 0", reference.at)));
    }
    let has_children =
        reference.kind.is_object() || matches!(reference.kind, Kind::Tuple | Kind::FrozenSet);
    if meta.count() == 1 && !has_children {
        // The whole block goes. A reference that was forgotten finds no leaf, whoever has the block next.
        journal.put(reference.at + object::META, 0)?;
        return free(journal, reference.at);
    }
    journal.put(reference.at + object::META, meta.0 - 1)?;
    if meta.is_buried() {
        // Garbage among garbage: if it still lies in the graveyard, it is freed from there.
        let last = meta.count() == 1 && meta.is_emptied();
        return if last { free_header(journal, reference.at) } else { Ok(()) };
    }
    if meta.count() > 1 {
        if reference.kind.is_object() {
            note_loosened(journal.memory());
        }
        return Ok(());
    }
    if reference.kind.is_object() {
        bury_unless_pinned(journal, reference)
    } else {
        bury(journal, reference)
    }
}

/// As [`decrement`] as a whole task, without the log, for the usual case: a leaf that nothing else
/// refers to goes to the cache. The block's bytes; `None`: nothing was done.
#[inline]
pub(crate) fn drop_sole_leaf(journal: &Journal<'_>, cell: Cell) -> Option<u64> {
    let memory = journal.memory();
    let (at, meta) = quick::sole_leaf(memory, cell)?;
    let (class, bytes) = alloc::class_of_block(memory, at)?;
    journal.add_cached(class, at)?;
    // As in `decrement`.
    meta.store(0, Ordering::Relaxed);
    Some(bytes)
}

/// Counts what the dead have given back: a statistic.
pub(crate) fn note_reclaimed(memory: &Memory, bytes: u64) {
    if let Ok(reclaimed) = memory.meta(header::RECLAIMED) {
        reclaimed.store(reclaimed.load(Ordering::Relaxed).wrapping_add(bytes), Ordering::Relaxed);
    }
}

/// An object lost a reference and lives on: it may be part of a cycle that nothing refers to now.
#[inline]
fn note_loosened(memory: &Memory) {
    let (Ok(loosened), Ok(survivors)) =
        (memory.meta(header::LOOSENED), memory.meta(header::SURVIVORS))
    else {
        return;
    };
    // A statistic: nobody else stores it under the lock, and an undone step may count twice.
    let count = loosened.load(Ordering::Relaxed).saturating_add(1);
    loosened.store(count, Ordering::Relaxed);
    if count > LOOSE_ENOUGH.max(survivors.load(Ordering::Relaxed) / 4) {
        memory.collect_due.store(true, Ordering::Relaxed);
    }
}

/// Frees a block of the dead.
fn free(journal: &mut Journal<'_>, at: Offset) -> Result<()> {
    let size = alloc::free(journal, at)?;
    note_reclaimed(journal.memory(), size);
    Ok(())
}

/// Frees an object's header; references to the former object are recognised as such.
fn free_header(journal: &mut Journal<'_>, at: Offset) -> Result<()> {
    let generation = Meta(journal.memory().load(at + object::META)?).generation().wrapping_add(1);
    journal.put(at + object::META, u64::from(generation) << 48)?;
    free(journal, at)
}

/// Buries objects that nothing but they themselves and the dead refers to: all of them or, if this
/// is killed before its one committing store or one of them is an error, none. The last one will lie
/// on top. How many there were. The caller has made sure that nobody pins any.
pub(crate) fn bury_all(memory: &Memory, garbage: impl Iterator<Item = Result<Ref>>) -> Result<u64> {
    let mut next = Cell(memory.meta(header::GRAVEYARD)?.load(Ordering::Relaxed));
    let mut count = 0;
    for reference in garbage {
        let reference = reference?;
        // The word means nothing in an object that is not buried, so it needs no log.
        memory.word(link_at(reference))?.store(next.0, Ordering::Release);
        next = Cell::reference(reference.kind, reference.at, reference.generation);
        count += 1;
    }
    if count > 0 {
        // Release: the commit, after the chain that it leads to.
        memory.meta(header::BURYING)?.store(next.0, Ordering::Release);
    }
    finish_burial(memory)?;
    Ok(count)
}

/// Finishes what [`bury_all`] has committed; does nothing if there is nothing. May itself be killed
/// and repeated. For the lock's holder before anything else, when it comes from a dead one.
pub(crate) fn finish_burial(memory: &Memory) -> Result<()> {
    let burying = memory.meta(header::BURYING)?;
    let first = burying.load(Ordering::Acquire);
    if first == 0 {
        return Ok(());
    }
    let result = flag_chain(memory, first);
    if result.is_ok() {
        memory.meta(header::GRAVEYARD)?.store(first, Ordering::Release);
    }
    // A chain that leads astray is let go of; the words come from the error.
    burying.store(0, Ordering::Release);
    result
}

fn flag_chain(memory: &Memory, first: u64) -> Result<()> {
    let end = memory.meta(header::GRAVEYARD)?.load(Ordering::Relaxed);
    let most = memory.used()? / OBJECT_BYTES;
    let mut next = first;
    for _ in 0..most {
        // Killed between the last two stores, the chain is the graveyard already, with all flags.
        if next == end {
            return Ok(());
        }
        let dead = Cell(next).as_ref().filter(|dead| dead.kind.is_object());
        let Some(dead) = dead.filter(|dead| alloc::is_header(memory, dead.at)) else { break };
        let meta = meta_of(memory, dead)?;
        memory.word(dead.at + object::META)?.store(meta.0 | BURIED, Ordering::Release);
        next = memory.load(link_at(dead))?;
    }
    Err(memory.corrupt(format!("the chain of garbage at {first:#x} leads to {next:#x}")))
}

/// Buries an object that nothing refers to and nobody pins; does nothing for any other offset.
pub(crate) fn bury_if_garbage(journal: &mut Journal<'_>, at: Offset) -> Result<()> {
    let memory = journal.memory();
    if !alloc::is_header(memory, at) || !alloc::is_allocated(memory, at)? {
        return Ok(());
    }
    let meta = Meta(memory.load(at + object::META)?);
    match Kind::from_code(meta.kind_code()) {
        Some(kind) if kind.is_object() && meta.count() == 0 && !meta.is_buried() => {
            bury_unless_pinned(journal, Ref { kind, at, generation: meta.generation() as u8 })
        }
        _ => Ok(()),
    }
}

fn bury_unless_pinned(journal: &mut Journal<'_>, reference: Ref) -> Result<()> {
    // SeqCst: pairs with the fence in `Own::pin`. Either the pinner's validation of the container
    // sees that the reference is gone, or its pin is seen here.
    fence(Ordering::SeqCst);
    if pins::is_pinned(journal.memory(), reference.at)? {
        return Ok(());
    }
    bury(journal, reference)
}

fn bury(journal: &mut Journal<'_>, reference: Ref) -> Result<()> {
    let memory = journal.memory();
    let head = memory.meta(header::GRAVEYARD)?.load(Ordering::Relaxed);
    let meta = memory.load(reference.at + object::META)?;
    journal.put(reference.at + object::META, meta | BURIED)?;
    journal.put(link_at(reference), head)?;
    let cell = Cell::reference(reference.kind, reference.at, reference.generation);
    journal.put(header::GRAVEYARD, cell.0)
}

/// Where the cell of the next dead one is.
pub(crate) fn link_at(reference: Ref) -> Offset {
    if reference.kind.is_object() { reference.at + object::LINK } else { reference.at + leaf::HASH }
}

fn reference_in(memory: &Memory, cell: Cell) -> Result<Option<Ref>> {
    if cell.is_immediate() {
        return Ok(None);
    }
    match cell.as_ref() {
        Some(reference) => Ok(Some(reference)),
        None => Err(memory.corrupt(format!("{:#x} is no cell", cell.0))),
    }
}

/// Whether something waits to be taken apart.
#[inline]
pub(crate) fn has_dead(memory: &Memory) -> bool {
    memory.meta(header::GRAVEYARD).is_ok_and(|head| head.load(Ordering::Relaxed) != 0)
}

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

/// What something holds, once its counts are within its block. Dict entries that were deleted are
/// among it, and hold no references.
pub(crate) fn held(memory: &Memory, reference: Ref) -> Result<Held> {
    let at = reference.at;
    let none = Held { block: 0, first: 0, count: 0, stride: 1, cells: 1, count_at: 0, shift: 0 };
    if matches!(reference.kind, Kind::Tuple | Kind::FrozenSet) {
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
