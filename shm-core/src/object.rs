//! What lies in a block: its kind, how many cells refer to it, and how it dies.
//!
//! The first word of every leaf and object is its meta word:
//!
//! ```text
//! references from cells 32 | kind 8 | flags 8 | generation 16; of a leaf: size class + 1, or 0
//! ```
//!
//! A leaf without cells says the size class of its block, if caches have blocks of that: so where the
//! block goes is known without a look at its page.
//! Counts are of cells in the heap only; what a process holds is a pin (`pins`). At count 0 a leaf
//! without children is freed; an object that no process pins, and any tuple, goes to the graveyard,
//! a list through the dead themselves, from which [`reap`] takes it apart a few children at a time,
//! each step one undo-logged operation. So freeing is bounded in log and in recursion, exact under
//! SIGKILL, and continued by whoever writes next. What is small and has few children does not go that way, but
//! at once ([`dispose`], [`drop_one`]). The caller holds the writer lock throughout.
//!
//! Cyclic garbage comes to the graveyard with counts above 0 ([`bury_all`]), all of it in one step,
//! so only the dead refer to the dead. Such an object is taken apart like any other; if some of the
//! dead still refer to it then, its empty header waits outside of the list ([`EMPTIED`]) and is
//! freed with the last of these references, so no reference ever meets a header that was reused.

mod apart;
pub(crate) mod removal;

pub(crate) use apart::{dispose, drop_one, held, reap, remains};

use crate::alloc;
use crate::cell::{Cell, Kind, Offset, Ref};
use crate::error::{Error, Result};
use crate::journal::{Journal, Task};
use crate::layout::{FREED, OBJECT_BYTES, header, leaf, object};
use crate::memory::Memory;
use crate::pins;
use crate::primitive::{Ordering, fence};
use crate::quick;

/// Flag: lies in the graveyard.
const BURIED: u64 = 1 << 40;
/// Flag, with [`BURIED`]: taken apart and out of the graveyard, but others of the dead still refer
/// to it. Freed with the last of these references.
const EMPTIED: u64 = 1 << 41;
/// Fewer loosened objects than this are no reason to collect.
const LOOSE_ENOUGH: u64 = 100_000;

/// A meta word taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta(pub(crate) u64);

impl Meta {
    #[inline]
    pub(crate) fn new(kind: Kind, generation: u16) -> Self {
        Meta(((kind as u64) << 32) | (u64::from(generation) << 48))
    }

    /// Of a leaf in a block of a class, if caches have blocks of that.
    #[inline]
    pub(crate) fn of_leaf(kind: Kind, class: Option<u8>) -> Self {
        let class = class.filter(|_| !kind.is_cells());
        Self::new(kind, class.map_or(0, |class| u16::from(class) + 1))
    }

    #[inline]
    pub(crate) fn count(self) -> u64 {
        self.0 & 0xFFFF_FFFF
    }

    #[inline]
    pub(crate) fn kind_code(self) -> u8 {
        (self.0 >> 32) as u8
    }

    /// The size class that a leaf says.
    #[inline]
    pub(crate) fn leaf_class(self) -> Option<u8> {
        (self.generation() as u8).checked_sub(1)
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
    begin(journal, kind, at)
}

/// The same for what dies with the operation and makes memory free by that: with a header that is kept back
/// for it, if there is no other one.
pub(crate) fn create_kept(journal: &mut Journal<'_>, kind: Kind) -> Result<Offset> {
    let at = match journal.keeping(alloc::allocate_header) {
        Err(Error::SegmentFull { .. }) => journal.keeping(alloc::allocate_kept_header)?,
        at => at?,
    };
    begin(journal, kind, at)
}

fn begin(journal: &mut Journal<'_>, kind: Kind, at: Offset) -> Result<Offset> {
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

/// Whether cells may be part of it.
fn has_children(kind: Kind) -> bool {
    kind.is_object() || kind.is_cells()
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
    if meta.count() == 1 && !has_children(reference.kind) {
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
    let leaf = quick::sole_leaf(journal.memory(), cell)?;
    journal.add_cached(leaf.class, leaf.at)?;
    // As in `decrement`. Release: a reader that still follows what referred to it and sees this sees the new
    // sequence too.
    leaf.meta.store(0, Ordering::Release);
    Some(alloc::size_of_class(leaf.class))
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
    let most = memory.span()? / OBJECT_BYTES;
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
    match garbage_at(journal.memory(), at)? {
        Some(reference) => bury_unless_pinned(journal, reference),
        None => Ok(()),
    }
}

/// The object at an offset, if there is one and no cell refers to it.
fn garbage_at(memory: &Memory, at: Offset) -> Result<Option<Ref>> {
    if !alloc::is_header(memory, at) || !alloc::is_allocated(memory, at)? {
        return Ok(None);
    }
    let meta = Meta(memory.load(at + object::META)?);
    let kind = Kind::from_code(meta.kind_code()).filter(|kind| kind.is_object());
    let is_garbage = meta.count() == 0 && !meta.is_buried();
    Ok(kind.filter(|_| is_garbage).map(|kind| Ref {
        kind,
        at,
        generation: meta.generation() as u8,
    }))
}

/// Frees the block that an array which was freed by hand still has, unless somebody pins it. Part of the
/// caller's operation; does nothing for any other offset.
pub(crate) fn drop_kept(journal: &mut Journal<'_>, at: Offset) -> Result<()> {
    match kept_block(journal.memory(), at)? {
        Some(block) if !is_pinned_now(journal.memory(), at)? => free_kept(journal, at, block),
        _ => Ok(()),
    }
}

/// The same, for a caller that knows that nobody looks at it any more.
pub(crate) fn free_kept(journal: &mut Journal<'_>, at: Offset, block: Offset) -> Result<()> {
    journal.put(at + object::W0, FREED)?;
    journal.later(Task::Free(block))
}

/// The block that an array which was freed by hand still has.
pub(crate) fn kept_block(memory: &Memory, at: Offset) -> Result<Option<Offset>> {
    if !alloc::is_header(memory, at) || !alloc::is_allocated(memory, at)? {
        return Ok(None);
    }
    let meta = Meta(memory.load(at + object::META)?);
    let first = memory.load(at + object::W0)?;
    let freed = meta.kind_code() == Kind::Array as u8 && !meta.is_buried() && first & FREED != 0;
    Ok((freed && first != FREED).then_some(first & !0xF))
}

fn bury_unless_pinned(journal: &mut Journal<'_>, reference: Ref) -> Result<()> {
    if is_pinned_now(journal.memory(), reference.at)? {
        return Ok(());
    }
    bury(journal, reference)
}

/// Whether a handle of any process names an object to which no cell refers any more.
fn is_pinned_now(memory: &Memory, at: Offset) -> Result<bool> {
    // SeqCst: pairs with the fence in `Own::pin`. Either the pinner's validation of the container
    // sees that the reference is gone, or its pin is seen here.
    fence(Ordering::SeqCst);
    pins::is_pinned(memory, at)
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

#[cfg(test)]
mod tests;
