//! `Semaphore`, `Event`, `Condition` and `Barrier`, as in `threading`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use shm_core::{ConditionLock, Error, Value};

use super::again::{Reduced, ask};
use super::{Exception, Manners, Part, patience, semaphore_patience, twin};
use crate::error::OrRaise;
use crate::home::Home;
use crate::wait;

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
        self.manners.taken(py, result, &self.what(), || self.core.release(1))
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
        self.manners.entered(py, result, &self.what(), || self.core.release(1))?;
        Ok(true)
    }

    #[pyo3(signature = (_type=None, _value=None, _traceback=None, /))]
    fn __exit__(
        &self,
        _type: Part<'_, '_>,
        _value: Part<'_, '_>,
        _traceback: Part<'_, '_>,
    ) -> PyResult<()> {
        self.release(1)
    }

    /// As `acquire`, for a coroutine; no thread waits.
    #[pyo3(signature = (timeout=None))]
    fn acquire_async<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        twin(slf.py(), "acquire", (slf, timeout))
    }

    fn __aenter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let timeout = slf.get().manners.timeout.map(|timeout| timeout.as_secs_f64());
        twin(slf.py(), "enter", (slf, timeout))
    }

    #[pyo3(signature = (*_exception))]
    fn __aexit__<'py>(
        slf: &Bound<'py, Self>,
        _exception: Exception<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
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

    fn __repr__(&self) -> PyResult<String> {
        let (name, value) = (self.core.name(), self.value()?);
        Ok(match self.bound {
            Some(bound) => format!("<shm_py.BoundedSemaphore at {name:?}: value={value}/{bound}>"),
            None => format!("<shm_py.Semaphore at {name:?}: value={value}>"),
        })
    }
}

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
    fn wait_async<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
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

    fn __repr__(&self) -> PyResult<String> {
        let state = if self.is_set()? { "set" } else { "unset" };
        Ok(format!("<shm_py.Event at {:?}: {state}>", self.core.name()))
    }
}

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
        self.manners.taken(py, result, &self.what(), || self.core.lock().release())
    }

    /// Give the lock of the condition back.
    fn release(&self) -> PyResult<()> {
        self.core.lock().release().or_raise()
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<bool> {
        let result = self.core.lock().acquire_raw(self.manners.timeout);
        self.manners.entered(py, result, &self.what(), || self.core.lock().release())?;
        Ok(true)
    }

    #[pyo3(signature = (_type=None, _value=None, _traceback=None, /))]
    fn __exit__(
        &self,
        _type: Part<'_, '_>,
        _value: Part<'_, '_>,
        _traceback: Part<'_, '_>,
    ) -> PyResult<()> {
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
    fn wait_async<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        twin(slf.py(), "wait_condition", (slf, timeout))
    }

    /// Take the lock of the condition, for a coroutine; only of one that was made with a `Lock`.
    #[pyo3(signature = (timeout=None))]
    fn acquire_async<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.get().require_plain()?;
        twin(slf.py(), "acquire", (slf, timeout))
    }

    fn __aenter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().require_plain()?;
        let timeout = slf.get().manners.timeout.map(|timeout| timeout.as_secs_f64());
        twin(slf.py(), "enter", (slf, timeout))
    }

    #[pyo3(signature = (*_exception))]
    fn __aexit__<'py>(
        slf: &Bound<'py, Self>,
        _exception: Exception<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
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
    fn wait_async<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
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

    fn __repr__(&self) -> PyResult<String> {
        let name = self.core.name();
        if self.broken()? {
            return Ok(format!("<shm_py.Barrier at {name:?}: broken>"));
        }
        let (waiting, parties) = (self.n_waiting()?, self.parties());
        Ok(format!("<shm_py.Barrier at {name:?}: waiters={waiting}/{parties}>"))
    }
}
