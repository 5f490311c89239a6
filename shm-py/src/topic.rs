//! `Topic` and `Subscription`: messages that every subscriber sees.
//!
//! Thin, as `queue` is.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::convert;
use crate::draft;
use crate::error::OrRaise;
use crate::home::Home;
use crate::queue::{timeout_of, twin};
use crate::segment::SharedSegment;

/// A named topic of a segment: every subscriber sees every message.
#[pyclass(name = "Topic", module = "shm_py", frozen, weakref)]
pub(crate) struct Topic {
    pub(crate) core: shm_core::Topic,
    pub(crate) home: Arc<Home>,
}

impl Topic {
    fn subscription(&self, core: shm_core::Subscription) -> Subscription {
        Subscription { core: Mutex::new(core), home: Arc::clone(&self.home) }
    }
}

#[pymethods]
impl Topic {
    /// Publish an object to everybody who subscribed; it never waits.
    fn publish(&self, item: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = draft::to_stored(&self.home, item, || "message".to_owned())?;
        self.core.publish(value).or_raise()
    }

    /// See what is published from now on; with `replay`, also what the topic still keeps.
    #[pyo3(signature = (replay=false))]
    fn subscribe(&self, replay: bool) -> PyResult<Subscription> {
        let core = if replay { self.core.replay() } else { self.core.subscribe() };
        Ok(self.subscription(core.or_raise()?))
    }

    /// The name that it was asked for by.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    /// How many messages it keeps for slow subscribers.
    #[getter]
    fn keep(&self) -> PyResult<u64> {
        self.core.keep().or_raise()
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let segment = Bound::new(py, SharedSegment { home: Arc::clone(&self.home) })?;
        Ok((segment.getattr("topic")?, (self.core.name(), self.keep()?).into_pyobject(py)?))
    }

    fn __repr__(&self) -> String {
        format!("<Topic {:?}>", self.core.name())
    }
}

/// A place in a topic.
#[pyclass(name = "Subscription", module = "shm_py", frozen, weakref)]
pub(crate) struct Subscription {
    core: Mutex<shm_core::Subscription>,
    pub(crate) home: Arc<Home>,
}

impl Subscription {
    /// A copy, so that nothing is locked while somebody waits.
    pub(crate) fn copy(&self) -> shm_core::Subscription {
        self.core.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[pymethods]
impl Subscription {
    /// The next message, waiting for one; `Empty` when `timeout` seconds have passed.
    #[pyo3(signature = (block=true, timeout=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        block: bool,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut place = self.copy();
        let value = place.get(timeout_of(block, timeout)?).or_raise()?;
        *self.core.lock().unwrap_or_else(PoisonError::into_inner) = place;
        convert::to_python(py, &self.home, value)
    }

    /// `get` for coroutines.
    #[pyo3(signature = (timeout=None))]
    fn get_async<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        twin(slf, "next_message", (slf, timeout))
    }

    /// How many messages went before this subscriber saw them.
    #[getter]
    fn lost(&self) -> u64 {
        self.copy().lost()
    }

    /// How many messages wait for it.
    fn pending(&self) -> PyResult<u64> {
        self.copy().pending().or_raise()
    }

    /// Changes whenever something is published.
    fn _version(&self) -> PyResult<u64> {
        self.copy().version().or_raise()
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, true, None)
    }

    fn __aiter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        twin(slf, "next_message", (slf,))
    }

    fn __repr__(&self) -> String {
        format!("<Subscription of {:?}>", self.copy().topic().name())
    }
}
