//! Iterators over a `List`, forwards and backwards.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::prelude::*;

use super::SharedList;
use crate::convert;
use crate::error::OrRaise;

/// Iterates over a `List`; `slots::list` fetches up to 64 elements in one validated read.
#[pyclass(name = "ListIterator", module = "shm_py._native", frozen)]
pub(crate) struct ListIterator {
    pub(crate) list: Py<SharedList>,
    /// The next index.
    pub(crate) next: AtomicUsize,
    pub(crate) ended: AtomicBool,
    pub(crate) batch: crate::slots::list::Batch,
}

impl ListIterator {
    pub(super) fn new(list: Py<SharedList>) -> Self {
        Self {
            list,
            next: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            batch: crate::slots::list::Batch::default(),
        }
    }
}

#[pymethods]
impl ListIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if self.ended.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let list = self.list.bind(py).get();
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(value) = list.core().get(index).or_raise()? {
            return convert::to_python(py, &list.handle.home, value).map(Some);
        }
        self.ended.store(true, Ordering::Relaxed);
        Ok(None)
    }

    fn __length_hint__(&self, py: Python<'_>) -> PyResult<usize> {
        if self.ended.load(Ordering::Relaxed) {
            return Ok(0);
        }
        let length = self.list.bind(py).get().length()?;
        Ok(length.saturating_sub(self.next.load(Ordering::Relaxed)))
    }
}

/// Iterates over a `List` from its end.
#[pyclass(name = "ListReverseIterator", module = "shm_py._native", frozen)]
pub(crate) struct ListReverseIterator {
    list: Py<SharedList>,
    /// How many elements are left.
    left: AtomicUsize,
}

impl ListReverseIterator {
    pub(super) fn new(list: Bound<'_, SharedList>) -> PyResult<Self> {
        let left = AtomicUsize::new(list.get().length()?);
        Ok(Self { list: list.unbind(), left })
    }
}

#[pymethods]
impl ListReverseIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Ok(None);
        }
        let list = self.list.bind(py).get();
        let value = list.core().get(left - 1).or_raise()?;
        self.left.store(if value.is_some() { left - 1 } else { 0 }, Ordering::Relaxed);
        value.map(|value| convert::to_python(py, &list.handle.home, value)).transpose()
    }

    fn __length_hint__(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }
}
