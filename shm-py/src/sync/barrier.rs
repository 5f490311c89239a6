//! `Barrier`: as in `threading`, between all threads of all processes.

use std::sync::Arc;

use pyo3::prelude::*;
use shm_core::Error;

use super::again::{Reduced, ask};
use super::{Awaitable, twin};
use crate::error::OrRaise;
use crate::home::Home;
use crate::wait;

/// A named barrier of a segment, with the methods of `threading.Barrier`.
#[pyclass(name = "Barrier", module = "shm_py", frozen, weakref)]
pub(crate) struct Barrier {
    core: shm_core::Barrier,
    action: Option<Py<PyAny>>,
    timeout: Option<f64>,
    /// Keeps the attachment listed while the barrier is in use.
    home: Arc<Home>,
}

impl Barrier {
    pub(crate) fn new(
        core: shm_core::Barrier,
        action: Option<Py<PyAny>>,
        timeout: Option<f64>,
        home: Arc<Home>,
    ) -> Self {
        Self { core, action, timeout, home }
    }
}

#[pymethods]
impl Barrier {
    /// Wait until all parties do; a number from 0 to parties - 1, another one for each.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<u64> {
        let timeout = wait::duration(timeout.or(self.timeout))?;
        let mut failure = None;
        let result = self.core.wait_with(timeout, || {
            let Some(action) = &self.action else { return Ok(()) };
            action.call0(py).map(drop).map_err(|error| {
                failure = Some(error);
                Error::Interrupted { what: "the action of a barrier" }
            })
        });
        match failure {
            Some(error) => Err(error),
            None => result.or_raise(),
        }
    }

    /// As `wait`, for a coroutine; no thread waits.
    #[pyo3(signature = (timeout=None))]
    fn wait_async<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> Awaitable<'py> {
        let timeout = timeout.or(slf.get().timeout);
        twin(slf.py(), "wait_barrier", (slf, timeout))
    }

    /// Arrive: number and round; nothing while an older round goes through.
    fn _arrive(&self) -> PyResult<Option<(u64, u64)>> {
        self.core.arrive().or_raise()
    }

    /// What the last to arrive does: the action, and let all go on.
    fn _pass(&self, py: Python<'_>, round: u64) -> PyResult<()> {
        if let Some(action) = &self.action {
            action.call0(py)?;
        }
        self.core.trip(round).or_raise()
    }

    /// Whether a round has gone on.
    fn _poll(&self, round: u64) -> PyResult<bool> {
        self.core.is_over(round).or_raise()
    }

    /// What all handles of this barrier in this process have in common.
    #[getter]
    fn _key(&self) -> (&'static str, usize, String) {
        ("barrier", Arc::as_ptr(&self.home) as usize, self.core.name().to_owned())
    }

    /// Make the barrier as new; who waits gets `BrokenBarrierError`.
    fn reset(&self) -> PyResult<()> {
        self.core.reset().or_raise()
    }

    /// Break the barrier: who waits or comes gets `BrokenBarrierError`, until it is reset.
    fn abort(&self) -> PyResult<()> {
        self.core.abort().or_raise()
    }

    /// How many it waits for.
    #[getter]
    fn parties(&self) -> u64 {
        self.core.parties()
    }

    /// How many wait at this moment.
    #[getter]
    fn n_waiting(&self) -> PyResult<u64> {
        self.core.waiting().or_raise()
    }

    /// Whether it is broken.
    #[getter]
    fn broken(&self) -> PyResult<bool> {
        self.core.is_broken().or_raise()
    }

    /// The name that it was asked for by.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        let action = self.action.as_ref().map(|action| action.clone_ref(py));
        let arguments = (self.core.name(), self.core.parties(), action, self.timeout);
        ask(py, &self.home, "barrier", None, arguments.into_pyobject(py)?)
    }

    fn __repr__(&self) -> String {
        let (name, parties) = (self.core.name(), self.parties());
        match (self.broken(), self.n_waiting()) {
            (Ok(true), _) => format!("<shm_py.Barrier at {name:?}: broken>"),
            (Ok(false), Ok(waiting)) => {
                format!("<shm_py.Barrier at {name:?}: waiters={waiting}/{parties}>")
            }
            _ => format!("<shm_py.Barrier at {name:?}: closed>"),
        }
    }
}
