//! `Turn`: one process at a time, first come first served; dead ones are passed over.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::error::OrRaise;
use crate::home::Home;
use crate::wait;

/// A turn of a segment; `with seg.turn(): ...` runs the block alone among all processes.
#[pyclass(name = "Turn", module = "shm_py", frozen, weakref)]
pub(crate) struct Turn {
    core: shm_core::Turn,
    /// Keeps the attachment listed while the turn is in use.
    _home: Arc<Home>,
}

impl Turn {
    pub(crate) fn new(core: shm_core::Turn, home: Arc<Home>) -> Self {
        Self { core, _home: home }
    }
}

#[pymethods]
impl Turn {
    /// Wait for the turn; `LockTimeout` when `timeout` seconds have passed.
    #[pyo3(signature = (timeout=None))]
    fn acquire(&self, timeout: Option<f64>) -> PyResult<()> {
        self.core.acquire_raw(wait::duration(timeout)?).or_raise().map(drop)
    }

    /// Hand the turn on to the one who waits longest.
    fn release(&self) -> PyResult<()> {
        self.core.release().or_raise()
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        slf.acquire(None)?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.release()
    }

    /// The name that it was asked for by.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    /// Whether somebody holds it.
    fn locked(&self) -> PyResult<bool> {
        self.core.is_held().or_raise()
    }

    fn __repr__(&self) -> String {
        format!("<Turn {:?}>", self.core.name())
    }
}
