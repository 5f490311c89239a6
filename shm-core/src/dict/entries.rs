//! What dict and set share: looking up, appending, deleting, taking ends, walking in order.
//!
//! Functions over the object at an offset; `WORDS` tells dict from set. Appending an entry of two
//! cells that need no block commits with the one store of the counts word: the entry and its slot
//! are written before, where nobody looks (an entry beyond the count, a slot that leads there).

use crate::cell::{Cell, Offset};
use crate::dict::fresh::{self, Entry, Fresh};
use crate::dict::keys::{DICT, Found, KEY, Table, VALUE};
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::layout::{self, object};
use crate::tx::Tx;
use crate::value::Probe;

/// How many entries there are.
#[inline]
pub(crate) fn len<const WORDS: u64>(heap: &Heap, at: Offset) -> Result<usize> {
    heap.read(at, |heap| {
        Ok(match heap.block(at)? {
            0 => 0,
            block => (heap.load(block.wrapping_add(layout::keys::COUNTS))? >> 32) as usize,
        })
    })
}

/// Number of operations that changed the size.
pub(crate) fn version<const WORDS: u64>(heap: &Heap, at: Offset) -> Result<u64> {
    let base = heap.load(at + object::W1)?;
    Ok(Table::<WORDS>::of(heap, at)?.map_or(base, |table| table.version(base)))
}

/// Finds a key.
#[inline]
pub(crate) fn find<const WORDS: u64>(
    heap: &Heap,
    at: Offset,
    probe: &Probe<'_>,
) -> Result<Option<Found>> {
    match Table::<WORDS>::of(heap, at)? {
        Some(table) => table.find(heap, probe),
        None => Ok(None),
    }
}

/// Appends an entry whose key is not there; its cells own their counts.
#[inline]
pub(crate) fn append<const WORDS: u64>(tx: &mut Tx<'_>, at: Offset, entry: Entry) -> Result<()> {
    let heap = tx.heap();
    let table = Table::<WORDS>::of(heap, at)?;
    let Some(table) = table.filter(|table| table.room() > 0) else {
        return grow(tx, at, table, entry);
    };
    let place = table.entry(table.count);
    tx.fill_unseen(place, entry.hash)?;
    tx.fill_unseen(place + KEY, entry.key.0)?;
    if WORDS == DICT {
        tx.fill_unseen(place + VALUE, entry.value.0)?;
    }
    let Some((slot_at, slot)) = table.occupy(heap, entry.hash, table.count)? else {
        return grow(tx, at, Some(table), entry);
    };
    let counts = Table::<WORDS>::counts(table.count + 1, table.used + 1);
    if entry.key.is_immediate() && entry.value.is_immediate() && tx.journal.is_idle() {
        tx.fill(slot_at, slot)?;
        return tx.set_only(at, table.at + layout::keys::COUNTS, counts);
    }
    tx.open(at)?;
    tx.set(slot_at, slot)?;
    tx.set(table.at + layout::keys::COUNTS, counts)
}

/// Moves the entries to a block with room for twice as many as there are.
#[cold]
fn grow<const WORDS: u64>(
    tx: &mut Tx<'_>,
    at: Offset,
    old: Option<Table<WORDS>>,
    entry: Entry,
) -> Result<()> {
    let used = old.map_or(0, |table| table.used);
    let mut block = match Fresh::<WORDS>::new(tx, used * 2 + 1) {
        // Short of memory, the least that holds one more will do.
        Err(Error::SegmentFull { .. }) if used > 2 => Fresh::new(tx, used + 1)?,
        other => other?,
    };
    refill(tx, old, &mut block)?;
    block.push(tx.heap(), entry)?;
    block.publish(tx, at, old)?;
    old.map_or(Ok(()), |table| tx.free_after(table.at))
}

/// Makes room for so many more entries.
pub(crate) fn reserve<const WORDS: u64>(tx: &mut Tx<'_>, at: Offset, more: u64) -> Result<()> {
    let old = Table::<WORDS>::of(tx.heap(), at)?;
    if old.map_or(0, |table| table.room()) >= more {
        return Ok(());
    }
    let used = old.map_or(0, |table| table.used);
    let mut block = Fresh::<WORDS>::new(tx, used.saturating_add(more))?;
    refill(tx, old, &mut block)?;
    block.publish(tx, at, old)?;
    old.map_or(Ok(()), |table| tx.free_after(table.at))
}

/// Copies the live entries of a table into a fresh block.
pub(crate) fn refill<const WORDS: u64>(
    tx: &Tx<'_>,
    old: Option<Table<WORDS>>,
    block: &mut Fresh<WORDS>,
) -> Result<()> {
    let Some(table) = old else { return Ok(()) };
    for (_, entry) in fresh::live(tx.heap(), table, 0, table.count)? {
        block.push(tx.heap(), entry)?;
    }
    Ok(())
}

/// Deletes an entry; the counts of its cells are now the caller's.
pub(crate) fn delete<const WORDS: u64>(
    tx: &mut Tx<'_>,
    at: Offset,
    table: Table<WORDS>,
    found: Found,
) -> Result<()> {
    let heap = tx.heap();
    tx.open(at)?;
    let (slot_at, slot, _) = table.vacate(heap, found.slot)?;
    tx.set(slot_at, slot)?;
    tx.set(found.entry + KEY, Cell::TOMBSTONE.0)?;
    if WORDS == DICT {
        tx.set(found.entry + VALUE, Cell::UNSET.0)?;
    }
    let used = table.used.saturating_sub(1);
    tx.set(table.at + layout::keys::COUNTS, Table::<WORDS>::counts(table.count, used))
}

/// Which end to take from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The oldest entry.
    First,
    /// The newest entry.
    Last,
}

/// Takes the entry at one end; the counts of its cells are now the caller's.
pub(crate) fn take_end<const WORDS: u64>(
    tx: &mut Tx<'_>,
    at: Offset,
    end: End,
) -> Result<Option<Entry>> {
    let heap = tx.heap();
    let table = Table::<WORDS>::of(heap, at)?;
    let Some(table) = table.filter(|table| table.used > 0) else { return Ok(None) };
    let hint = heap.load(at + object::W2)?.min(table.count);
    let position = match end {
        End::First => (hint..table.count).find_map(|index| at_index(heap, table, index)),
        End::Last => (hint..table.count).rev().find_map(|index| at_index(heap, table, index)),
    };
    let Some(position) = position.transpose()? else { return Ok(None) };
    let (index, entry) = position;
    let Some(slot) = table.slot_of(heap, entry.hash, index)? else {
        return Err(heap.corrupt(format!("entry {index} of keys at {:#x} has no slot", table.at)));
    };
    if end == End::First {
        let found = Found { slot, index, entry: table.entry(index) };
        delete(tx, at, table, found)?;
        tx.set(at + object::W2, index + 1)?;
        return Ok(Some(entry));
    }
    // The entries from `index` on are gone: their places are used again. Each slot that stays
    // marked as deleted takes one from the capacity, so that a probe always ends.
    let (slot_at, new_slot, emptied) = table.vacate(heap, slot)?;
    let version = table.version(heap.load(at + object::W1)?).wrapping_add(1);
    let used = table.used.saturating_sub(1);
    tx.open(at)?;
    tx.set(slot_at, new_slot)?;
    tx.set(table.at + layout::keys::COUNTS, Table::<WORDS>::counts(index, used))?;
    let lost = table.count - index - u64::from(emptied);
    if lost > 0 {
        tx.set(table.at + layout::keys::SHAPE, table.narrowed_shape(lost))?;
    }
    tx.set(at + object::W1, Table::<WORDS>::base_for(version, index, used))?;
    if hint > index {
        tx.set(at + object::W2, index)?;
    }
    Ok(Some(entry))
}

/// The entry of an index, unless it is deleted.
fn at_index<const WORDS: u64>(
    heap: &Heap,
    table: Table<WORDS>,
    index: u64,
) -> Option<Result<(u64, Entry)>> {
    let load = || -> Result<Entry> {
        let at = table.entry(index);
        let value = if WORDS == DICT { heap.load(at + VALUE)? } else { 0 };
        let (hash, key) = (heap.load(at)?, heap.load(at + KEY)?);
        Ok(Entry { hash, key: Cell(key), value: Cell(value) })
    };
    match load() {
        Ok(entry) if entry.key == Cell::TOMBSTONE => None,
        Ok(entry) => Some(Ok((index, entry))),
        Err(error) => Some(Err(error)),
    }
}

/// Removes all entries.
pub(crate) fn clear<const WORDS: u64>(tx: &mut Tx<'_>, at: Offset) -> Result<()> {
    let Some(old) = Table::<WORDS>::of(tx.heap(), at)? else { return Ok(()) };
    fresh::swap_in(tx, at, Some(old), 0, 0, 0)?;
    fresh::discard(tx, old)
}

/// All live entries, in order.
pub(crate) fn all<const WORDS: u64>(heap: &Heap, at: Offset) -> Result<Vec<Entry>> {
    let Some(table) = Table::<WORDS>::of(heap, at)? else { return Ok(Vec::new()) };
    let live = fresh::live(heap, table, 0, table.count)?;
    Ok(live.map(|(_, entry)| entry).collect())
}

/// Handle. A place between two entries of a dict or set, of one version of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) version: u64,
    pub(crate) index: u64,
}

/// Hands up to `limit` entries behind (or, backwards, before) a cursor to `take`; the cursor behind them.
/// Fails if the size changed since the cursor was made.
pub(crate) fn walk<const WORDS: u64>(
    heap: &Heap,
    at: Offset,
    cursor: Cursor,
    limit: usize,
    backwards: bool,
    mut take: impl FnMut(Entry) -> Result<()>,
) -> Result<Cursor> {
    if version::<WORDS>(heap, at)? != cursor.version {
        let what = if WORDS == DICT { "dictionary" } else { "set" };
        return Err(Error::Changed { what, during: "iteration" });
    }
    let Some(table) = Table::<WORDS>::of(heap, at)? else { return Ok(cursor) };
    let mut index = cursor.index.min(table.count);
    let mut left = limit as u64;
    while left > 0 {
        // A stretch at a time; deleted entries make it yield fewer than asked for.
        let (from, to) = if backwards {
            (index.saturating_sub(left), index)
        } else {
            (index, (index + left).min(table.count))
        };
        if from == to {
            break;
        }
        let mut hand = |(_, entry)| {
            left -= 1;
            take(entry)
        };
        let mut live = fresh::live(heap, table, from, to)?;
        if backwards { live.rev().try_for_each(hand) } else { live.try_for_each(&mut hand) }?;
        index = if backwards { from } else { to };
    }
    Ok(Cursor { version: cursor.version, index })
}

/// A cursor before the first entry, or behind the last.
pub(crate) fn cursor<const WORDS: u64>(heap: &Heap, at: Offset, behind: bool) -> Result<Cursor> {
    let version = version::<WORDS>(heap, at)?;
    let index = match Table::<WORDS>::of(heap, at)? {
        Some(table) if behind => table.count,
        Some(_) => heap.load(at + object::W2)?,
        None => 0,
    };
    Ok(Cursor { version, index })
}
