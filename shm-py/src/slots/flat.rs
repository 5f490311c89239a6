//! Built-in copies of containers that hold nothing but numbers, short text and the like.
//!
//! The cells are copied in one validated read, and texts are looked up while the container is as it was then. `None` means "go the
//! general way": something else is in it, it has changed meanwhile, or an open transaction has changed it.

use pyo3::prelude::*;
use pyo3::types::PyList;
use shm_core::cell::{Cell, Kind};
use shm_core::{AsOf, Dict, List, Set, TEXT_LIMIT};

use super::scalar;

/// A list of up to `limit` elements from `start` on.
pub(crate) fn list<'py>(
    py: Python<'py>,
    list: &List,
    start: usize,
    limit: Option<usize>,
) -> Option<Bound<'py, PyList>> {
    let length = list.len().ok()?.saturating_sub(start);
    // One more than there are: if that is filled too, the list grew meanwhile.
    let mut cells = room(limit.map_or(length + 1, |limit| limit.min(length + 1)));
    let (count, sequence) = list.copy_cells(start, &mut cells).ok()?;
    if count > length {
        return None;
    }
    cells.truncate(count);
    PyList::new(py, objects(py, list.as_of(sequence), &cells)?).ok()
}

/// The members of a set.
pub(crate) fn members<'py>(py: Python<'py>, set: &Set) -> Option<Vec<Bound<'py, PyAny>>> {
    let length = set.len().ok()?;
    let mut cells = room(length + 1);
    let batch = set.copy_members(set.first_cursor().ok()?, &mut cells).ok()?;
    if batch.count > length {
        return None;
    }
    cells.truncate(batch.count);
    objects(py, set.as_of(batch.sequence), &cells)
}

/// The keys of a dict with their values.
pub(crate) fn entries<'py>(
    py: Python<'py>,
    dict: &Dict,
) -> Option<impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)> + use<'py>> {
    let length = dict.len().ok()?;
    let (mut keys, mut values) = (room(length + 1), room(length + 1));
    let start = dict.first_cursor().ok()?;
    let batch = dict.copy_entries(start, false, &mut keys, &mut values).ok()?;
    if batch.count > length {
        return None;
    }
    keys.truncate(batch.count);
    values.truncate(batch.count);
    let as_of = dict.as_of(batch.sequence);
    if !values.iter().copied().all(is_flat) {
        return None;
    }
    Some(objects(py, as_of, &keys)?.into_iter().zip(objects(py, as_of, &values)?))
}

fn room(cells: usize) -> Vec<Cell> {
    vec![Cell::UNSET; cells]
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
