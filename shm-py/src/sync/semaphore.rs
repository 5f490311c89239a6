//! `Semaphore`, bounded or not: as in `threading`, between all threads of all processes.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use shm_core::Error;

use super::again::{Reduced, ask};
use super::{Awaitable, Exception, Manners, Part, semaphore_patience, twin};
use crate::error::OrRaise;
use crate::home::Home;

/// A named semaphore of a segment, with the methods of `threading.Semaphore`.
#[pyclass(name = "Semaphore", module = "shm_py", frozen, weakref)]
pub(crate) struct Semaphore {
    core: shm_core::Semaphore,
    /// How many permits a bounded one has.
    bound: Option<u64>,
    manners: Manners,
    /// Keeps the attachment listed while the semaphore is in use.
    home: Arc<Home>,
}

impl Semaphore {
    pub(crate) fn new(
        core: shm_core::Semaphore,
        bound: Option<u64>,
        manners: Manners,
        home: Arc<Home>,
    ) -> Self {
        Self { core, bound, manners, home }
    }

    fn what(&self) -> String {
        format!("semaphore {:?}", self.core.name())
    }
}

#[pymethods]
impl Semaphore {
    /// Take a permit, waiting for one if `blocking`; whether there was one within `timeout` seconds.
    #[pyo3(signature = (blocking=true, timeout=None))]
    fn acquire(&self, py: Python<'_>, blocking: bool, timeout: Option<f64>) -> PyResult<bool> {
        let result = self.core.acquire_raw(semaphore_patience(blocking, timeout)?);
        self.manners.taken(py, result, || self.what(), || self.core.release(1))
    }

    /// Give `n` permits back.
    #[pyo3(signature = (n=1))]
    fn release(&self, n: i64) -> PyResult<()> {
        if n < 1 {
            return Err(PyValueError::new_err("n must be one or more"));
        }
        match self.core.release(n as u64) {
            Err(Error::NotHeld { .. }) => {
                Err(PyValueError::new_err("Semaphore released too many times"))
            }
            result => result.or_raise(),
        }
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<bool> {
        let result = self.core.acquire_raw(self.manners.timeout);
        self.manners.entered(py, result, || self.what(), || self.core.release(1))?;
        Ok(true)
    }

    #[pyo3(signature = (_type=None, _value=None, _traceback=None, /))]
    fn __exit__(&self, _type: Part, _value: Part, _traceback: Part) -> PyResult<()> {
        self.release(1)
    }

    /// As `acquire`, for a coroutine; no thread waits.
    #[pyo3(signature = (timeout=None))]
    fn acquire_async<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> Awaitable<'py> {
        twin(slf.py(), "acquire", (slf, timeout))
    }

    fn __aenter__<'py>(slf: &Bound<'py, Self>) -> Awaitable<'py> {
        twin(slf.py(), "enter", (slf, slf.get().manners.seconds()))
    }

    #[pyo3(signature = (*_exception))]
    fn __aexit__<'py>(slf: &Bound<'py, Self>, _exception: Exception<'_, 'py>) -> Awaitable<'py> {
        twin(slf.py(), "leave", (slf,))
    }

    /// Whether a try may succeed by now.
    fn _ready(&self) -> PyResult<bool> {
        Ok(self.core.value().or_raise()? > 0)
    }

    /// What all handles of this semaphore in this process have in common.
    #[getter]
    fn _key(&self) -> (&'static str, usize, String) {
        ("semaphore", Arc::as_ptr(&self.home) as usize, self.core.name().to_owned())
    }

    /// How many permits there are to take.
    #[getter]
    fn value(&self) -> PyResult<u64> {
        self.core.value().or_raise()
    }

    /// Whether the last permit was a dead process's.
    #[getter]
    fn owner_died(&self) -> bool {
        self.manners.owner_died()
    }

    /// The name that it was asked for by.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        let kind = if self.bound.is_some() { "bounded_semaphore" } else { "semaphore" };
        let arguments = (self.core.name(), self.core.permits().or_raise()?).into_pyobject(py)?;
        ask(py, &self.home, kind, Some(&self.manners), arguments)
    }

    fn __repr__(&self) -> String {
        let name = self.core.name();
        match (self.value(), self.bound) {
            (Err(_), _) => format!("<shm_py.Semaphore at {name:?}: closed>"),
            (Ok(value), Some(bound)) => {
                format!("<shm_py.BoundedSemaphore at {name:?}: value={value}/{bound}>")
            }
            (Ok(value), None) => format!("<shm_py.Semaphore at {name:?}: value={value}>"),
        }
    }
}
