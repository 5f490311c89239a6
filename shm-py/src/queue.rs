//! `Queue` and `Lease`: objects handed from process to process.
//!
//! Thin: what an operation means is the core's business. Waiting gives the GIL away and looks for
//! signals (`slots::hook`). The names are those of Python's `queue.Queue`; the async twins are in
//! `shm_py/_aio.py`, which waits through `watch`.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use shm_core::{Error, Taken, Value};

use crate::convert;
use crate::draft;
use crate::elsewhere;
use crate::error::OrRaise;
use crate::home::Home;
use crate::message;
use crate::segment::SharedSegment;
use crate::slots::bytes;
use crate::wait;

/// The timeout of the core for the arguments of `queue.Queue`.
pub(crate) fn timeout_of(block: bool, timeout: Option<f64>) -> PyResult<Option<Duration>> {
    if !block {
        return Ok(Some(Duration::ZERO));
    }
    if timeout.is_some_and(|seconds| seconds < 0.0) {
        return Err(PyValueError::new_err("'timeout' must be a non-negative number"));
    }
    wait::duration(timeout)
}

/// What `_aio.py` calls this as.
pub(crate) fn twin<'py>(
    slf: &Bound<'py, PyAny>,
    name: &str,
    arguments: impl pyo3::call::PyCallArgs<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    slf.py().import("shm_py._aio")?.getattr(name)?.call1(arguments)
}

/// A named queue of a segment; any number of processes puts and takes.
#[pyclass(name = "Queue", module = "shm_py", frozen, weakref)]
pub(crate) struct Queue {
    pub(crate) core: shm_core::Queue,
    pub(crate) home: Arc<Home>,
}

impl Queue {
    /// Takes the oldest object, waiting for one.
    pub(crate) fn take<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<Duration>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut failed = None;
        let received = self.core.get_with(timeout, |incoming| {
            let made = bytes::filled(py, incoming.len(), |room| incoming.copy_to(room));
            match made {
                Ok(Some(made)) => return Ok(made.into_any()),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
            Err(Error::InvalidArgument { what: "no room for the bytes taken".to_owned() })
        });
        match (received, failed) {
            (Err(_), Some(error)) => Err(error),
            (received, _) => match received.or_raise()? {
                Taken::Value(value) => convert::to_python(py, &self.home, value),
                Taken::Message(message) => message::received(py, &self.home, message),
                Taken::Bytes(made) => Ok(made),
            },
        }
    }
}

#[pymethods]
impl Queue {
    /// Put an object into the queue, waiting for room; `Full` when `timeout` seconds have passed.
    #[pyo3(signature = (item, block=true, timeout=None))]
    fn put(&self, item: &Bound<'_, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<()> {
        let timeout = timeout_of(block, timeout)?;
        if let Ok(bytes) = item.cast_exact::<PyBytes>() {
            return self.core.put_bytes(bytes.as_bytes(), timeout).or_raise();
        }
        let value = draft::to_stored(&self.home, item, || "item".to_owned())?;
        self.core.put(value, timeout).or_raise()
    }

    /// Put an object into the queue if there is room, else raise `Full`.
    fn put_nowait(&self, item: &Bound<'_, PyAny>) -> PyResult<()> {
        self.put(item, false, None)
    }

    /// Take the oldest object, waiting for one; `Empty` when `timeout` seconds have passed.
    #[pyo3(signature = (block=true, timeout=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        block: bool,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.take(py, timeout_of(block, timeout)?)
    }

    /// Take the oldest object if there is one, else raise `Empty`.
    fn get_nowait<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, false, None)
    }

    /// Take the oldest object on probation: it comes back unless the lease is acknowledged.
    #[pyo3(signature = (block=true, timeout=None))]
    fn get_lease(&self, block: bool, timeout: Option<f64>) -> PyResult<Lease> {
        let core = self.core.get_lease_unbuilt(timeout_of(block, timeout)?).or_raise()?;
        // What cannot be built goes back.
        let (value, home) = match core.message() {
            Some(message) => elsewhere::build(message, &self.home).or_raise()?,
            None => (core.value().clone(), Arc::clone(&self.home)),
        };
        Ok(Lease { core: Mutex::new(core), value, home })
    }

    /// Give back what dead processes had taken on probation; returns how many objects.
    fn reclaim(&self) -> PyResult<u64> {
        self.core.reclaim().or_raise()
    }

    /// How many objects are taken and not acknowledged.
    fn leased(&self) -> PyResult<usize> {
        self.core.leased().or_raise()
    }

    /// `put` for coroutines.
    #[pyo3(signature = (item, timeout=None))]
    fn put_async<'py>(
        slf: &Bound<'py, Self>,
        item: &Bound<'py, PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        twin(slf, "put", (slf, item, timeout))
    }

    /// `get` for coroutines.
    #[pyo3(signature = (timeout=None))]
    pub(crate) fn get_async<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        twin(slf, "get", (slf, timeout))
    }

    /// `get_lease` for coroutines.
    #[pyo3(signature = (timeout=None))]
    fn get_lease_async<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        twin(slf, "get_lease", (slf, timeout))
    }

    /// How many objects wait.
    fn qsize(&self) -> PyResult<usize> {
        self.core.len().or_raise()
    }

    /// Whether no object waits.
    fn empty(&self) -> PyResult<bool> {
        self.core.is_empty().or_raise()
    }

    /// Whether there is no room.
    fn full(&self) -> PyResult<bool> {
        self.core.is_full().or_raise()
    }

    /// Let nothing more be put. What is there can still be taken, unless `immediate` empties it.
    #[pyo3(signature = (immediate=false))]
    fn close(&self, immediate: bool) -> PyResult<()> {
        self.core.close(immediate).or_raise()
    }

    /// The name that it was asked for by.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    /// How many objects it takes; 0 for any number.
    #[getter]
    fn maxsize(&self) -> PyResult<u64> {
        self.core.maxsize().or_raise()
    }

    /// Whether nothing more can be put.
    #[getter]
    fn closed(&self) -> PyResult<bool> {
        self.core.is_closed().or_raise()
    }

    /// Names the queue among all of this process: its waiters share one place in line.
    #[getter]
    fn _key(&self) -> (u64, String) {
        (self.home.uuid, self.core.name().to_owned())
    }

    /// The object as it can be put without copying anything in.
    #[pyo3(signature = (item, /))]
    fn _share<'py>(&self, item: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let value = convert::to_value(&self.home, item, || "item".to_owned())?;
        convert::to_python(item.py(), &self.home, value)
    }

    /// Changes whenever something is put or taken.
    fn _version(&self) -> PyResult<u64> {
        self.core.version().or_raise()
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let segment = Bound::new(py, SharedSegment { home: Arc::clone(&self.home) })?;
        Ok((segment.getattr("queue")?, (self.core.name(),).into_pyobject(py)?))
    }

    fn __repr__(&self) -> String {
        match (self.core.len(), self.core.is_closed()) {
            (Ok(len), Ok(closed)) => {
                let state = if closed { " closed" } else { "" };
                format!("<Queue {:?} of {len}{state}>", self.core.name())
            }
            _ => format!("<Queue {:?} closed>", self.core.name()),
        }
    }
}

/// An object taken on probation: `with queue.get_lease() as item:` acknowledges it at the end of
/// the block, and gives it back if the block raises or the process dies.
#[pyclass(name = "Lease", module = "shm_py", frozen, weakref)]
pub(crate) struct Lease {
    core: Mutex<shm_core::Lease>,
    value: Value,
    /// Where the value is: in another segment, if this one had no room for it.
    home: Arc<Home>,
}

impl Lease {
    /// Never waits for another thread, which may wait for the GIL that this one has.
    fn core(&self) -> PyResult<MutexGuard<'_, shm_core::Lease>> {
        match self.core.try_lock() {
            Ok(core) => Ok(core),
            Err(TryLockError::Poisoned(core)) => Ok(core.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(PyRuntimeError::new_err("another thread settles this lease"))
            }
        }
    }

    fn settle(&self, back: bool) -> PyResult<()> {
        self.core()?.settle(back).or_raise()
    }
}

#[pymethods]
impl Lease {
    /// The object.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::to_python(py, &self.home, self.value.clone())
    }

    /// Whether it was acknowledged or given back here.
    #[getter]
    fn settled(&self) -> PyResult<bool> {
        Ok(self.core()?.is_settled())
    }

    /// The work is done: the object does not come back.
    fn ack(&self) -> PyResult<()> {
        self.settle(false)
    }

    /// Give the object back to the front of the queue.
    fn give_back(&self) -> PyResult<()> {
        self.settle(true)
    }

    fn __enter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.value(py)
    }

    fn __exit__(
        &self,
        kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if self.settled()? { Ok(()) } else { self.settle(!kind.is_none()) }
    }

    fn __repr__(&self) -> &'static str {
        if self.settled().unwrap_or(false) { "<Lease settled>" } else { "<Lease>" }
    }
}
