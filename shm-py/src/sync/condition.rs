//! `Condition`, with the lock that it is made with or one of its own: as in `threading`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use shm_core::{ConditionLock, Value};

use super::again::Reduced;
use super::{Awaitable, Exception, Manners, Part, patience, twin};
use crate::error::OrRaise;
use crate::home::Home;
use crate::wait;

/// A named condition of a segment, with the methods of `threading.Condition`.
#[pyclass(name = "Condition", module = "shm_py", frozen, weakref)]
pub(crate) struct Condition {
    pub(super) core: shm_core::Condition,
    pub(super) manners: Manners,
    pub(super) home: Arc<Home>,
}

impl Condition {
    pub(crate) fn new(core: shm_core::Condition, manners: Manners, home: Arc<Home>) -> Self {
        Self { core, manners, home }
    }

    fn what(&self) -> String {
        format!("the lock of condition {:?}", self.core.name())
    }

    fn sleep(&self, timeout: Option<Duration>) -> PyResult<bool> {
        self.core.wait(timeout).or_raise()
    }
}

#[pymethods]
impl Condition {
    /// Take the lock of the condition.
    #[pyo3(signature = (blocking=true, timeout=-1.0), text_signature = "($self, blocking=True, timeout=-1.0)")]
    fn acquire(&self, py: Python<'_>, blocking: bool, timeout: f64) -> PyResult<bool> {
        let result = self.core.lock().acquire_raw(patience(blocking, timeout)?);
        self.manners.taken(py, result, || self.what(), || self.core.lock().release())
    }

    /// Give the lock of the condition back.
    fn release(&self) -> PyResult<()> {
        self.core.lock().release().or_raise()
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<bool> {
        let result = self.core.lock().acquire_raw(self.manners.timeout);
        self.manners.entered(py, result, || self.what(), || self.core.lock().release())?;
        Ok(true)
    }

    #[pyo3(signature = (_type=None, _value=None, _traceback=None, /))]
    fn __exit__(&self, _type: Part, _value: Part, _traceback: Part) -> PyResult<()> {
        self.release()
    }

    /// Give the lock back, wait to be notified, take the lock; whether it was within `timeout`.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, timeout: Option<f64>) -> PyResult<bool> {
        self.sleep(wait::duration(timeout)?)
    }

    /// Wait until `predicate()` is true; its last value.
    #[pyo3(signature = (predicate, timeout=None))]
    fn wait_for<'py>(
        &self,
        predicate: &Bound<'py, PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let timeout = wait::duration(timeout)?;
        let started = Instant::now();
        let mut result = predicate.call0()?;
        while !result.is_truthy()? {
            let left = timeout.map(|timeout| timeout.saturating_sub(started.elapsed()));
            if left == Some(Duration::ZERO) {
                break;
            }
            self.sleep(left)?;
            result = predicate.call0()?;
        }
        Ok(result)
    }

    /// Wake the `n` who wait longest; the lock is held.
    #[pyo3(signature = (n=1))]
    fn notify(&self, n: isize) -> PyResult<()> {
        self.core.notify(usize::try_from(n).unwrap_or(0)).or_raise()
    }

    /// Wake everybody who waits; the lock is held.
    fn notify_all(&self) -> PyResult<()> {
        self.core.notify_all().or_raise()
    }

    /// As `wait`, for a coroutine; no thread waits.
    #[pyo3(signature = (timeout=None))]
    fn wait_async<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> Awaitable<'py> {
        twin(slf.py(), "wait_condition", (slf, timeout))
    }

    /// Take the lock of the condition, for a coroutine; only of one that was made with a `Lock`.
    #[pyo3(signature = (timeout=None))]
    fn acquire_async<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> Awaitable<'py> {
        slf.get().require_plain()?;
        twin(slf.py(), "acquire", (slf, timeout))
    }

    fn __aenter__<'py>(slf: &Bound<'py, Self>) -> Awaitable<'py> {
        slf.get().require_plain()?;
        twin(slf.py(), "enter", (slf, slf.get().manners.seconds()))
    }

    #[pyo3(signature = (*_exception))]
    fn __aexit__<'py>(slf: &Bound<'py, Self>, _exception: Exception<'_, 'py>) -> Awaitable<'py> {
        twin(slf.py(), "leave", (slf,))
    }

    /// Raises where coroutines cannot use the lock.
    fn _require_plain(&self) -> PyResult<()> {
        self.require_plain()
    }

    /// Become a waiter without waiting: the ticket.
    fn _join(&self) -> PyResult<i64> {
        Ok(self.core.join().or_raise()?.as_int().unwrap_or(0))
    }

    /// Whether a ticket was notified.
    #[pyo3(signature = (ticket, /))]
    fn _notified(&self, ticket: i64) -> PyResult<bool> {
        self.core.was_notified(&Value::Int(ticket)).or_raise()
    }

    /// Give a ticket up; whether it still waited.
    #[pyo3(signature = (ticket, /))]
    fn _leave(&self, ticket: i64) -> PyResult<bool> {
        self.core.leave(&Value::Int(ticket)).or_raise()
    }

    /// Whether a try to take the lock may succeed by now.
    fn _ready(&self) -> PyResult<bool> {
        Ok(!self.core.lock().is_held().or_raise()?)
    }

    /// What all handles of the lock in this process have in common.
    #[getter]
    fn _key(&self) -> (&'static str, usize, String) {
        ("condition", Arc::as_ptr(&self.home) as usize, self.core.name().to_owned())
    }

    /// The name that it was asked for by.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        self.reduce(py)
    }

    fn __repr__(&self) -> String {
        format!("<Condition {:?}>", self.core.name())
    }
}

impl Condition {
    /// Coroutines of one thread would all have a reentrant lock at once.
    fn require_plain(&self) -> PyResult<()> {
        match self.core.lock() {
            ConditionLock::Plain(_) => Ok(()),
            ConditionLock::Reentrant(_) => Err(PyRuntimeError::new_err(
                "a reentrant lock belongs to a thread, not to a coroutine: make the condition with \
                 lock=seg.lock(name)",
            )),
        }
    }
}
