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

use crate::alloc;
use crate::cell::{Cell, FIRST_OBJECT, Kind, Offset, Ref};
use crate::error::Result;
use crate::journal::Journal;
use crate::layout::{LEAF_DATA, header, keys, leaf, object};
use crate::memory::Memory;
use crate::pins;
use crate::primitive::{Ordering, fence};

/// Flag: lies in the graveyard.
const BURIED: u64 = 1 << 40;
/// The bits of a word that can name a block.
const BLOCK: u64 = 0x0000_FFFF_FFFF_FFF0;
/// Children released per step; each costs at most a dozen log entries.
const CHILDREN_PER_STEP: u64 = 12;

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
            object::SEQ => old.wrapping_add(1) & !1,
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
    journal.put(reference.at + object::META, meta.0 - 1)?;
    if meta.count() > 1 {
        return Ok(());
    }
    match reference.kind {
        Kind::Tuple | Kind::FrozenSet => bury(journal, reference),
        kind if kind.is_object() => bury_unless_pinned(journal, reference),
        _ => alloc::free(journal, reference.at),
    }
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

fn link_at(reference: Ref) -> Offset {
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

/// Takes the topmost dead one apart a little further. One step of one operation: the caller commits
/// or undoes the journal.
pub(crate) fn reap(journal: &mut Journal<'_>) -> Result<()> {
    let memory = journal.memory();
    let head = Cell(memory.meta(header::GRAVEYARD)?.load(Ordering::Relaxed));
    let Some(dead) = reference_in(memory, head)? else { return Ok(()) };
    let at = dead.at;
    match dead.kind {
        Kind::Tuple | Kind::FrozenSet => {
            let len = memory.load(at + leaf::LEN)?;
            if len > 0 {
                return shrink(journal, at + leaf::LEN, len, 0, at + LEAF_DATA, 1, 1);
            }
        }
        Kind::List => {
            let items = memory.load(at + object::W0)? & BLOCK;
            let span = memory.load(at + object::W1)?;
            let (start, len) = (span & 0xFFFF_FFFF, span >> 32);
            if items != 0 && len > 0 {
                return shrink(journal, at + object::W1, len, 32, items + start * 8, 1, 1);
            }
            if items != 0 {
                return drop_part(journal, at + object::W0, items);
            }
        }
        Kind::Dict | Kind::Set => {
            let block = memory.load(at + object::W0)? & BLOCK;
            if block != 0 {
                let count = memory.load(block + keys::COUNTS)? & 0xFFFF_FFFF;
                if count > 0 {
                    let shape = memory.load(block + keys::SHAPE)?;
                    let stride = if dead.kind == Kind::Dict { 3 } else { 2 };
                    let first = block + keys::entries_at(shape) + 8;
                    let cells = stride - 1;
                    return shrink(journal, block + keys::COUNTS, count, 0, first, stride, cells);
                }
                return drop_part(journal, at + object::W0, block);
            }
        }
        Kind::ByteArray => {
            let block = memory.load(at + object::W0)? & BLOCK;
            if block != 0 {
                return drop_part(journal, at + object::W0, block);
            }
        }
        Kind::Record => {
            let payload = memory.load(at + object::W0)? & BLOCK;
            if payload != 0 {
                let cells = memory.load(payload)?;
                if cells > 0 {
                    return shrink(journal, payload, cells, 0, payload + 8, 1, 1);
                }
                return drop_part(journal, at + object::W0, payload);
            }
        }
        _ => {}
    }
    let next = memory.load(link_at(dead))?;
    journal.put(header::GRAVEYARD, next)?;
    if dead.kind as u8 >= FIRST_OBJECT {
        let generation = Meta(memory.load(at + object::META)?).generation().wrapping_add(1);
        journal.put(at + object::META, u64::from(generation) << 48)?;
    }
    alloc::free(journal, at)
}

/// Releases the last few children of an array of entries and lowers its count by as many.
fn shrink(
    journal: &mut Journal<'_>,
    count_at: Offset,
    count: u64,
    shift: u32,
    first: Offset,
    stride: u64,
    cells: u64,
) -> Result<()> {
    let memory = journal.memory();
    let steps = count.min(CHILDREN_PER_STEP / cells);
    for index in count - steps..count {
        for cell in 0..cells {
            let at =
                first.wrapping_add(index.wrapping_mul(stride).wrapping_add(cell).wrapping_mul(8));
            let child = Cell(memory.load(at)?);
            decrement(journal, child)?;
        }
    }
    let word = memory.load(count_at)?;
    journal.put(count_at, word.wrapping_sub(steps << shift))
}

fn drop_part(journal: &mut Journal<'_>, word_at: Offset, block: Offset) -> Result<()> {
    journal.put(word_at, 0)?;
    alloc::free(journal, block)
}
