//! `Event`: as in `threading`, between all threads of all processes.

use std::sync::Arc;

use pyo3::prelude::*;

use super::again::{Reduced, ask};
use super::{Awaitable, twin};
use crate::error::OrRaise;
use crate::home::Home;
use crate::wait;

/// A named event of a segment, with the methods of `threading.Event`.
#[pyclass(name = "Event", module = "shm_py", frozen, weakref)]
pub(crate) struct Event {
    core: shm_core::Event,
    /// Keeps the attachment listed while the event is in use.
    home: Arc<Home>,
}

impl Event {
    pub(crate) fn new(core: shm_core::Event, home: Arc<Home>) -> Self {
        Self { core, home }
    }
}

#[pymethods]
impl Event {
    /// Set the flag and wake everybody who waits for it.
    fn set(&self) -> PyResult<()> {
        self.core.set().or_raise()
    }

    /// Clear the flag.
    fn clear(&self) -> PyResult<()> {
        self.core.clear().or_raise()
    }

    /// Whether the flag is set.
    fn is_set(&self) -> PyResult<bool> {
        self.core.is_set().or_raise()
    }

    /// Wait until the flag is set; whether it was within `timeout` seconds.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, timeout: Option<f64>) -> PyResult<bool> {
        self.core.wait(wait::duration(timeout)?).or_raise()
    }

    /// As `wait`, for a coroutine; no thread waits.
    #[pyo3(signature = (timeout=None))]
    fn wait_async<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> Awaitable<'py> {
        twin(slf.py(), "wait_event", (slf, timeout))
    }

    /// How often the flag was set so far.
    #[getter]
    fn _times_set(&self) -> PyResult<u64> {
        self.core.times_set().or_raise()
    }

    /// What all handles of this event in this process have in common.
    #[getter]
    fn _key(&self) -> (&'static str, usize, String) {
        ("event", Arc::as_ptr(&self.home) as usize, self.core.name().to_owned())
    }

    /// The name that it was asked for by.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        ask(py, &self.home, "event", None, (self.core.name(),).into_pyobject(py)?)
    }

    fn __repr__(&self) -> String {
        let state = match self.is_set() {
            Ok(true) => "set",
            Ok(false) => "unset",
            Err(_) => "closed",
        };
        format!("<shm_py.Event at {:?}: {state}>", self.core.name())
    }
}
