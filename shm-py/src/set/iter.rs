//! The iterator over a `Set`.

use std::sync::Mutex;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use shm_core::{Cursor, Value};

use super::SharedSet;
use crate::common;
use crate::convert;
use crate::error::OrRaise;

/// Members that are fetched in one validated read while iterating.
const BATCH: usize = 64;

/// Iterates over a `Set`.
#[pyclass(name = "SetIterator", module = "shm_py._native", frozen)]
pub(crate) struct SetIterator {
    set: Py<SharedSet>,
    progress: Mutex<Progress>,
}

struct Progress {
    cursor: Cursor,
    expected: usize,
    given: usize,
    ended: bool,
    batch: std::vec::IntoIter<Value>,
}

impl SetIterator {
    /// From the first member on.
    pub(super) fn new(slf: Bound<'_, SharedSet>) -> PyResult<Self> {
        let expected = slf.get().__len__()?;
        let cursor = slf.get().core().first_cursor().or_raise()?;
        let state =
            Progress { cursor, expected, given: 0, ended: false, batch: Vec::new().into_iter() };
        Ok(SetIterator { set: slf.unbind(), progress: Mutex::new(state) })
    }
}

#[pymethods]
impl SetIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let set = self.set.bind(py).get();
        let next = {
            let mut progress = common::exclusive(&self.progress)?;
            if progress.ended {
                return Ok(None);
            }
            if set.__len__()? != progress.expected {
                return Err(PyRuntimeError::new_err("Set changed size during iteration"));
            }
            if progress.batch.len() == 0 {
                let (batch, cursor) = set.core().next_entries(progress.cursor, BATCH).or_raise()?;
                progress.cursor = cursor;
                progress.batch = batch.into_iter();
            }
            let next = progress.batch.next();
            progress.ended = next.is_none();
            progress.given += usize::from(next.is_some());
            next
        };
        next.map(|value| convert::to_python(py, &set.handle.home, value)).transpose()
    }

    fn __length_hint__(&self) -> PyResult<usize> {
        let progress = common::exclusive(&self.progress)?;
        Ok(if progress.ended { 0 } else { progress.expected.saturating_sub(progress.given) })
    }
}
