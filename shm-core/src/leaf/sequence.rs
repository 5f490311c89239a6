//! Tuples and frozensets: a length and that many cells.
//!
//! The cells own one count each. A frozenset's members are distinct and sorted by hash; that order
//! is not seen by users, it only makes equal sets lie alike.

use crate::cell::{Cell, Kind, Ref};
use crate::error::Result;
use crate::hash::{self, HashKey};
use crate::heap::Heap;
use crate::leaf;
use crate::primitive::Ordering;
use crate::tx::Tx;
use crate::value::Value;

/// Stores a tuple or frozenset of cells that own their counts, and returns a cell that owns one.
pub(crate) fn store(tx: &mut Tx<'_>, kind: Kind, cells: &[Cell]) -> Result<Cell> {
    if kind == Kind::Tuple && cells.is_empty() {
        return Ok(Cell::EMPTY_TUPLE);
    }
    let count = cells.len() as u64;
    let cell = leaf::create(tx, kind, count, 0, count * 8)?;
    if let Some(reference) = cell.as_ref() {
        let words = tx.heap().words(leaf::data(reference.at), cells.len())?;
        for (word, item) in words.iter().zip(cells) {
            word.store(item.0, Ordering::Relaxed);
        }
    }
    Ok(cell)
}

/// The cells of a tuple or frozenset.
pub(crate) fn load(heap: &Heap, reference: Ref) -> Result<Vec<Cell>> {
    let count = leaf::length(heap, reference)?;
    let words = heap.words(leaf::data(reference.at), count as usize)?;
    Ok(words.iter().map(|word| Cell(word.load(Ordering::Relaxed))).collect())
}

/// Members of a set in stored order: distinct, sorted by hash.
pub(crate) fn members(key: HashKey, items: &[Value]) -> Result<Vec<&Value>> {
    let mut hashed = Vec::with_capacity(items.len());
    for item in items {
        hashed.push((hash::value(key, item)?, item));
    }
    hashed.sort_by_key(|(hash, _)| *hash);
    let mut distinct: Vec<(u64, &Value)> = Vec::with_capacity(hashed.len());
    for (hash, item) in hashed {
        let known = distinct.iter().rev().take_while(|(other, _)| *other == hash);
        if !known.into_iter().any(|(_, other)| other.same_key(item)) {
            distinct.push((hash, item));
        }
    }
    Ok(distinct.into_iter().map(|(_, item)| item).collect())
}
