//! The iterator over a `Set`.

use pyo3::prelude::*;

use super::SharedSet;
use crate::error::OrRaise;
use crate::slots::ahead::{Part, Progress, Source};

/// Iterates over a `Set`.
#[pyclass(name = "SetIterator", module = "shm_py._native", frozen)]
pub(crate) struct SetIterator {
    set: Py<SharedSet>,
    progress: Progress,
}

impl SetIterator {
    /// From the first member on.
    pub(super) fn new(set: Bound<'_, SharedSet>) -> PyResult<Self> {
        let left = set.get().__len__()?;
        let start = set.get().core().first_cursor().or_raise()?;
        Ok(SetIterator { set: set.unbind(), progress: Progress::new(start, left, false) })
    }

    /// The next member.
    #[inline]
    pub(crate) fn step<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let set = self.set.bind(py).get();
        self.progress.step(py, &set.handle.home, Source::Set(set.core()), Part::Key)
    }
}

#[pymethods]
impl SetIterator {
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
