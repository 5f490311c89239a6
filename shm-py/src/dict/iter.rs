//! The iterator over a `Dict`: its keys, values or items, from either end.

use pyo3::prelude::*;

use super::SharedDict;
use crate::error::OrRaise;
use crate::slots::ahead::{Part, Progress, Source};

/// Iterates over a `Dict`.
#[pyclass(name = "DictIterator", module = "shm_py._native", frozen)]
pub(crate) struct DictIterator {
    dict: Py<SharedDict>,
    part: Part,
    progress: Progress,
}

impl DictIterator {
    pub(super) fn new(dict: Bound<'_, SharedDict>, part: Part, reverse: bool) -> PyResult<Self> {
        let core = dict.get().core();
        let left = core.len().or_raise()?;
        let start = if reverse { core.last_cursor() } else { core.first_cursor() }.or_raise()?;
        let progress = Progress::new(start, left, reverse);
        Ok(Self { dict: dict.unbind(), part, progress })
    }

    /// The next entry.
    #[inline]
    pub(crate) fn step<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let dict = self.dict.bind(py).get();
        self.progress.step(py, dict.home(), Source::Dict(dict.core()), self.part)
    }
}

#[pymethods]
impl DictIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.step(py)
    }

    fn __length_hint__(&self) -> usize {
        self.progress.left()
    }
}
