//! Removing many members of a set at once: all of them, or nothing.
//!
//! A few are deleted one by one. For more those that stay go to a fresh block; where there is no memory
//! for it, as many as the log has room for are deleted after all, and more where they are (`object::removal`).

use crate::cell::{Cell, Offset};
use crate::dict::entries;
use crate::dict::fresh::{self, Entry, Fresh};
use crate::dict::keys::{Found, SET, Table};
use crate::error::{Error, Result};
use crate::object::removal::{self, Marks};
use crate::trash;
use crate::tx::Tx;

/// Most members that are deleted one by one.
const FEW: usize = 16;
/// Entries that deleting one logs at most, with the tasks that drop its count.
const ENTRIES_OF_ONE: u64 = 6;
/// Entries that are left for the rest.
const SPARE: u64 = 8;

/// Deletes the entries with these indices (ascending).
pub(super) fn remove_all(tx: &mut Tx<'_>, at: Offset, indices: &[u64]) -> Result<()> {
    let heap = tx.heap();
    let Some(table) = Table::<SET>::of(heap, at)? else { return Ok(()) };
    if indices.is_empty() {
        return Ok(());
    }
    if indices.len() as u64 == table.used {
        return entries::clear::<SET>(tx, at);
    }
    let mut gone = Vec::new();
    let mut kept = Vec::new();
    let mut wanted = indices.iter().peekable();
    for (index, entry) in fresh::live(heap, table, 0, table.count)? {
        if wanted.next_if_eq(&&index).is_some() {
            gone.push((index, entry));
        } else {
            kept.push(entry);
        }
    }
    if gone.len() <= FEW {
        return remove_singly(tx, at, &gone);
    }
    let mut block = match Fresh::<SET>::new(tx, kept.len() as u64) {
        Err(full @ Error::SegmentFull { .. }) => {
            return where_they_are(tx, full, at, indices, &gone);
        }
        other => other?,
    };
    for entry in kept {
        block.push(heap, entry)?;
    }
    match trash::cells(tx, &keys_of(&gone)) {
        Err(full @ Error::SegmentFull { .. }) => {
            block.discard(tx)?;
            return where_they_are(tx, full, at, indices, &gone);
        }
        other => other?,
    }
    block.publish(tx, at, Some(table))?;
    tx.free_after(table.at)
}

fn keys_of(gone: &[(u64, Entry)]) -> Vec<Cell> {
    gone.iter().map(|(_, entry)| entry.key).collect()
}

/// Without a block for those that stay.
fn where_they_are(
    tx: &mut Tx<'_>,
    full: Error,
    at: Offset,
    indices: &[u64],
    gone: &[(u64, Entry)],
) -> Result<()> {
    if gone.len() as u64 * ENTRIES_OF_ONE + SPARE <= tx.journal.room() {
        return remove_singly(tx, at, gone);
    }
    removal::instead_of_members(tx, full, at, &Marks(indices))
}

/// Deletes entries one by one.
fn remove_singly(tx: &mut Tx<'_>, at: Offset, gone: &[(u64, Entry)]) -> Result<()> {
    let heap = tx.heap();
    for (index, entry) in gone {
        // The counts change with each deletion.
        let Some(table) = Table::<SET>::of(heap, at)? else { continue };
        let slot = table.slot_of(heap, entry.hash, *index)?;
        let slot = slot.ok_or_else(|| heap.corrupt(format!("entry {index} has no slot")))?;
        let found = Found { slot, index: *index, entry: table.entry(*index) };
        entries::delete(tx, at, table, found)?;
    }
    trash::cells(tx, &keys_of(gone))
}
