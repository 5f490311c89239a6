//! Built-in copies of containers that hold nothing but numbers, short text and the like.
//!
//! The cells are copied in one validated read, and texts are looked up while the container is as it was then. `None` means "go the
//! general way": something else is in it, it has changed meanwhile, or an open transaction has changed it. What the read
//! itself meets is an error here too, as it may be what the handler of a signal has raised.

use pyo3::prelude::*;
use pyo3::types::PyList;
use shm_core::cell::{Cell, Kind};
use shm_core::{AsOf, Batch, Dict, Error, List, Set, TEXT_LIMIT};

use super::scalar;
use crate::error::OrRaise;

/// A list of up to `limit` elements from `start` on.
pub(crate) fn list<'py>(
    py: Python<'py>,
    list: &List,
    start: usize,
    limit: Option<usize>,
) -> PyResult<Option<Bound<'py, PyList>>> {
    let length = list.len().or_raise()?.saturating_sub(start);
    // One more than there are: if that is filled too, the list grew meanwhile.
    let count = limit.map_or(length + 1, |limit| limit.min(length + 1));
    let Some(mut cells) = room(count, list.most_items().or_raise()?) else { return Ok(None) };
    let (count, sequence) = list.copy_cells(start, &mut cells).or_raise()?;
    if count > length {
        return Ok(None);
    }
    cells.truncate(count);
    let objects = objects(py, list.as_of(sequence), &cells);
    objects.map(|objects| PyList::new(py, objects)).transpose()
}

/// The members of a set.
pub(crate) fn members<'py>(py: Python<'py>, set: &Set) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
    let length = set.len().or_raise()?;
    let Some(mut cells) = room(length + 1, set.most_items().or_raise()?) else { return Ok(None) };
    let start = set.first_cursor().or_raise()?;
    let Some(batch) = unless_changed(set.copy_members(start, &mut cells))? else {
        return Ok(None);
    };
    if batch.count > length {
        return Ok(None);
    }
    cells.truncate(batch.count);
    Ok(objects(py, set.as_of(batch.sequence), &cells))
}

/// The keys of a dict with their values.
pub(crate) fn entries<'py>(
    py: Python<'py>,
    dict: &Dict,
) -> PyResult<Option<impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)> + use<'py>>> {
    let length = dict.len().or_raise()?;
    let Some(mut keys) = room(length + 1, dict.most_items().or_raise()?) else { return Ok(None) };
    let mut values = keys.clone();
    let start = dict.first_cursor().or_raise()?;
    let Some(batch) = unless_changed(dict.copy_entries(start, false, &mut keys, &mut values))?
    else {
        return Ok(None);
    };
    if batch.count > length {
        return Ok(None);
    }
    keys.truncate(batch.count);
    values.truncate(batch.count);
    let as_of = dict.as_of(batch.sequence);
    if !values.iter().copied().all(is_flat) {
        return Ok(None);
    }
    let both = objects(py, as_of, &keys).zip(objects(py, as_of, &values));
    Ok(both.map(|(keys, values)| keys.into_iter().zip(values)))
}

/// A batch, unless the size has changed since its cursor was made.
fn unless_changed(batch: shm_core::Result<Batch>) -> PyResult<Option<Batch>> {
    match batch {
        Err(Error::Changed { .. }) => Ok(None),
        other => other.or_raise().map(Some),
    }
}

/// Room for so many cells; `None` if no container of the segment can have as many.
fn room(cells: usize, most: usize) -> Option<Vec<Cell>> {
    (cells <= most).then(|| vec![Cell::UNSET; cells])
}

/// Whether a cell holds a value, or refers to a text.
fn is_flat(cell: Cell) -> bool {
    cell.is_immediate() || cell.as_ref().is_some_and(|reference| reference.kind == Kind::Str)
}

fn objects<'py>(
    py: Python<'py>,
    as_of: AsOf<'_>,
    cells: &[Cell],
) -> Option<Vec<Bound<'py, PyAny>>> {
    if !cells.iter().copied().all(is_flat) {
        return None;
    }
    cells.iter().map(|cell| object(py, as_of, *cell)).collect()
}

fn object<'py>(py: Python<'py>, as_of: AsOf<'_>, cell: Cell) -> Option<Bound<'py, PyAny>> {
    if cell.is_immediate() {
        return scalar::fresh(py, cell);
    }
    let mut buffer = [0; TEXT_LIMIT];
    let length = as_of.text(cell, &mut buffer)?;
    scalar::text(py, &buffer, length)
}
