//! Operations of the core on a list at a Python index: one that is negative counts from the end, as of the
//! operation's own moment, however many others insert and remove meanwhile.

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use shm_core::{Error, List, Result, Value};

use crate::common::Place;
use crate::error;

/// The element at an index.
pub(crate) fn get(list: &List, index: i64) -> Result<Value> {
    let found = match Place::of(index) {
        Place::Front(at) => list.get(at)?,
        Place::Back(back) => list.get_from_end(back)?,
    };
    found
        .ok_or(())
        .or_else(|()| Err(Error::IndexOutOfRange { what: "list", index, len: list.len()? as u64 }))
}

/// Replaces the element at an index.
pub(crate) fn set(list: &List, index: i64, value: Value) -> Result<()> {
    match Place::of(index) {
        Place::Front(at) => list.set(at, value),
        Place::Back(back) => list.set_from_end(back, value),
    }
}

/// Takes the element at an index.
pub(crate) fn remove(list: &List, index: i64) -> Result<Value> {
    match Place::of(index) {
        Place::Front(at) => list.remove(at),
        Place::Back(back) => list.remove_from_end(back),
    }
}

/// Inserts before an index; beyond an end, at that end.
pub(crate) fn insert(list: &List, index: i64, value: Value) -> Result<()> {
    match Place::of(index) {
        Place::Front(at) => list.insert(at, value),
        Place::Back(back) => list.insert_from_end(back, value),
    }
}

/// Adds to the element at an index.
pub(crate) fn add(list: &List, index: i64, delta: Value) -> Result<Value> {
    match Place::of(index) {
        Place::Front(at) => list.add(at, delta),
        Place::Back(back) => list.add_from_end(back, delta),
    }
}

/// Replaces the element at an index if it is equal to `old`.
pub(crate) fn compare_exchange(list: &List, index: i64, old: &Value, new: Value) -> Result<bool> {
    match Place::of(index) {
        Place::Front(at) => list.compare_exchange(at, old, new),
        Place::Back(back) => list.compare_exchange_from_end(back, old, new),
    }
}

/// Fails if there is no such index now, before what is to be stored there is looked at.
pub(crate) fn check(list: &List, index: i64) -> Result<()> {
    let len = list.len()?;
    match crate::common::within(index, len) {
        Some(_) => Ok(()),
        None => Err(Error::IndexOutOfRange { what: "list", index, len: len as u64 }),
    }
}

/// The error of `pop` in the words of the built-in.
pub(crate) fn pop_error(error: Error) -> PyErr {
    match error {
        Error::IndexOutOfRange { len: 0, .. } => PyIndexError::new_err("pop from empty list"),
        Error::IndexOutOfRange { index, len, .. } => {
            PyIndexError::new_err(format!("pop index {index} out of range for length {len}"))
        }
        other => error::raise(other),
    }
}
