//! `Transaction`: `with seg.transaction():` everything in the block, or nothing of it.
//!
//! It begins with the block, holds the segment's writer lock until the block ends, and belongs to the
//! thread that runs it. Python code runs in between: others who write, or read what was changed, wait
//! meanwhile, and are told who makes them wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use shm_core::RawTransaction;

use crate::error::OrRaise;
use crate::home::Home;

/// A transaction of a segment; see `Segment.transaction`.
#[pyclass(name = "Transaction", module = "shm_py", frozen, weakref)]
pub(crate) struct Transaction {
    home: Arc<Home>,
    timeout: Option<Duration>,
    /// Taken out while it is worked with: nothing is locked when Python code may run.
    running: Mutex<Option<RawTransaction>>,
}

impl Transaction {
    pub(crate) fn new(home: &Arc<Home>, timeout: Option<Duration>) -> Self {
        Self { home: Arc::clone(home), timeout, running: Mutex::new(None) }
    }

    fn running(&self) -> MutexGuard<'_, Option<RawTransaction>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Transaction {
    fn __enter__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        if slf.running().is_some() {
            return Err(PyRuntimeError::new_err("this transaction runs already: make another one"));
        }
        let begun = slf.home.segment.begin_raw(slf.timeout).or_raise()?;
        *slf.running() = Some(begun);
        Ok(slf)
    }

    fn __exit__(
        &self,
        kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let running = self.running().take();
        match running {
            Some(mut running) => running.end(kind.is_none()).or_raise(),
            None => Err(PyRuntimeError::new_err("this transaction does not run")),
        }
    }

    /// Undo everything so far. What is changed afterwards in the block is part of it again.
    fn rollback(&self) -> PyResult<()> {
        let running = self.running().take();
        let Some(running) = running else {
            return Err(PyRuntimeError::new_err("this transaction does not run"));
        };
        let result = running.rollback();
        *self.running() = Some(running);
        result.or_raise()
    }

    fn __repr__(&self) -> String {
        let state = if self.running().is_some() { "running" } else { "not running" };
        format!("<Transaction of {:?}, {state}>", self.home.segment.name())
    }
}
