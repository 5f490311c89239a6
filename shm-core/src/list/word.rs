//! One word of an object that holds a value: compared, replaced, added to.
//!
//! Call under the writer lock; [`holds`] inside of a validated read too. The items of lists and the values of
//! dicts are such words.

use crate::cell::{Cell, Kind, Offset};
use crate::error::Result;
use crate::flavour::check_sum;
use crate::heap::Heap;
use crate::tx::Tx;
use crate::value::{Staged, Value, cell_is_key};

/// Whether a cell holds something equal to a value.
pub(crate) fn holds(heap: &Heap, cell: Cell, value: &Value) -> Result<bool> {
    if cell_is_key(heap, cell, value)? {
        return Ok(true);
    }
    // Mutable containers compare by content.
    match cell.as_ref() {
        Some(found) if found.kind.is_object() => Ok(Value::decode(heap, cell)? == *value),
        _ => Ok(false),
    }
}

/// Puts a value into a word of an object, in place of what is there.
#[inline]
pub(crate) fn replace(tx: &mut Tx<'_>, object: Offset, word: Offset, new: &Staged) -> Result<()> {
    let old = Cell(tx.load(word)?);
    if let Some(cell) = new.immediate()
        && old.is_immediate()
    {
        return tx.set_only(object, word, cell.0);
    }
    let cell = new.take(tx)?;
    tx.open(object)?;
    tx.set(word, cell.0)?;
    tx.dec(old)
}

/// Adds to the value in a word of an object.
#[inline]
pub(crate) fn add_at(
    tx: &mut Tx<'_>,
    (object, kind): (Offset, Kind),
    word: Offset,
    delta: &Value,
) -> Result<Value> {
    let old = Cell(tx.load(word)?);
    let sum = Value::decode(tx.heap(), old)?.add(delta)?;
    check_sum(tx, object, kind, &sum)?;
    if let (Some(cell), true) = (sum.immediate(), old.is_immediate()) {
        tx.set_only(object, word, cell.0)?;
        return Ok(sum);
    }
    let cell = sum.store(tx)?;
    tx.open(object)?;
    tx.set(word, cell.0)?;
    tx.dec(old)?;
    Ok(sum)
}
