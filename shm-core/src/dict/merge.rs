//! Changing many entries of a dict or set at once: all of it, or nothing.
//!
//! What comes in was stored into a scratch dict or set of this process before, with its counts;
//! one operation then moves its entries over. New entries go behind the visible ones with plain
//! stores and are published by the counts word; where there is no room, or too many values are
//! replaced, everything moves to a fresh block.

use crate::cell::{Cell, Kind, Offset};
use crate::dict::entries;
use crate::dict::fresh::{self, Entry, Fresh};
use crate::dict::keys::{DICT, Found, KEY, Table, VALUE};
use crate::error::Result;
use crate::heap::Heap;
use crate::layout::keys;
use crate::leaf::bytes;
use crate::trash;
use crate::tx::Tx;
use crate::value::{Value, cell_is_key};

/// Most values that are replaced in place.
const IN_PLACE: usize = 48;

/// Whether two stored cells are equal as keys.
pub(crate) fn same_key(heap: &Heap, one: Cell, other: Cell) -> Result<bool> {
    if one == other {
        return Ok(true);
    }
    match (one.as_ref(), other.as_ref()) {
        (Some(a), Some(b)) if a.kind == b.kind && matches!(a.kind, Kind::Str | Kind::Bytes) => {
            bytes::same(heap, a, b)
        }
        _ => cell_is_key(heap, one, &Value::decode(heap, other)?),
    }
}

/// Finds the key of a stored entry.
pub(crate) fn find<const WORDS: u64>(
    heap: &Heap,
    table: Option<Table<WORDS>>,
    entry: &Entry,
) -> Result<Option<Found>> {
    match table {
        Some(table) => {
            table.find_with(heap, entry.hash, |stored| same_key(heap, stored, entry.key))
        }
        None => Ok(None),
    }
}

/// Moves all entries of the scratch object into another: new keys are appended, values of known
/// ones replaced. The scratch object is empty afterwards.
pub(crate) fn absorb<const WORDS: u64>(
    tx: &mut Tx<'_>,
    at: Offset,
    scratch_at: Offset,
) -> Result<()> {
    let heap = tx.heap();
    let table = Table::<WORDS>::of(heap, at)?;
    let incoming = entries::all::<WORDS>(heap, scratch_at)?;
    let mut fresh_entries = Vec::new();
    let mut known = Vec::new();
    for entry in incoming {
        match find(heap, table, &entry)? {
            Some(found) => known.push((found, entry)),
            None => fresh_entries.push(entry),
        }
    }
    let roomy =
        table.filter(|table| table.room() >= fresh_entries.len() as u64 && known.len() <= IN_PLACE);
    let replaced = match roomy {
        Some(table) => in_place(tx, at, table, &fresh_entries, &known)?,
        None => None,
    };
    let mut gone = match replaced {
        Some(gone) => gone,
        None => rebuilt(tx, at, table, &fresh_entries, &known)?,
    };
    // The keys that are there stay; those that came in for them go.
    gone.extend(known.iter().map(|(_, entry)| entry.key));
    empty::<WORDS>(tx, scratch_at)?;
    trash::cells(tx, &gone)
}

/// The object has no entries from now on; their counts are somebody else's.
pub(crate) fn empty<const WORDS: u64>(tx: &mut Tx<'_>, at: Offset) -> Result<()> {
    let old = Table::<WORDS>::of(tx.heap(), at)?;
    fresh::swap_in(tx, at, old, 0, 0, 0)?;
    old.map_or(Ok(()), |table| tx.free_after(table.at))
}

/// Most entries that a transaction appends in place.
const LOGGED: usize = 12;

/// Appends and replaces in the block that there is; the values that go. `None` if slots ran out.
fn in_place<const WORDS: u64>(
    tx: &mut Tx<'_>,
    at: Offset,
    table: Table<WORDS>,
    fresh_entries: &[Entry],
    known: &[(Found, Entry)],
) -> Result<Option<Vec<Cell>>> {
    let heap = tx.heap();
    // In a transaction each place is logged.
    if tx.in_transaction() && fresh_entries.len() > LOGGED {
        return Ok(None);
    }
    // Beyond the count, so not seen and not logged.
    for (index, entry) in (table.count..).zip(fresh_entries) {
        let place = table.entry(index);
        tx.fill_unseen(place, entry.hash)?;
        tx.fill_unseen(place + KEY, entry.key.0)?;
        if WORDS == DICT {
            tx.fill_unseen(place + VALUE, entry.value.0)?;
        }
        let Some((slot_at, slot)) = table.occupy(heap, entry.hash, index)? else {
            return Ok(None);
        };
        tx.fill_unseen(slot_at, slot)?;
    }
    tx.open(at)?;
    let mut gone = Vec::new();
    if WORDS == DICT {
        for (found, entry) in known {
            gone.push(Cell(tx.load(found.entry + VALUE)?));
            tx.set(found.entry + VALUE, entry.value.0)?;
        }
    }
    let more = fresh_entries.len() as u64;
    let counts = Table::<WORDS>::counts(table.count + more, table.used + more);
    tx.set(table.at + keys::COUNTS, counts)?;
    Ok(Some(gone))
}

/// Appends and replaces in a fresh block; the values that go.
fn rebuilt<const WORDS: u64>(
    tx: &mut Tx<'_>,
    at: Offset,
    old: Option<Table<WORDS>>,
    fresh_entries: &[Entry],
    known: &[(Found, Entry)],
) -> Result<Vec<Cell>> {
    let heap = tx.heap();
    let used = old.map_or(0, |table| table.used);
    let mut block = Fresh::<WORDS>::new(tx, used + fresh_entries.len() as u64)?;
    entries::refill(tx, old, &mut block)?;
    let mut gone = Vec::new();
    if WORDS == DICT {
        for (_, entry) in known {
            let place = block
                .value_of(heap, entry.hash, |stored| same_key(heap, stored, entry.key))?
                .ok_or_else(|| heap.corrupt("a key vanished while its dict was copied"))?;
            gone.push(Cell(tx.load(place)?));
            tx.fill(place, entry.value.0)?;
        }
    }
    for entry in fresh_entries {
        block.push(heap, *entry)?;
    }
    block.publish(tx, at, old)?;
    if let Some(table) = old {
        tx.free_after(table.at)?;
    }
    Ok(gone)
}
