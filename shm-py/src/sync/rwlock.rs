//! `RwLock`: many readers or one writer; `with lock.read():` and `with lock.write():`.

use std::sync::Arc;

use pyo3::prelude::*;

use super::again::Reduced;
use super::{Awaitable, Exception, Manners, Part, patience, twin};
use crate::error::OrRaise;
use crate::home::Home;
use crate::wait;

/// A named read-write lock of a segment.
#[pyclass(name = "RWLock", module = "shm_py", frozen, weakref)]
pub(crate) struct RwLock {
    pub(super) core: shm_core::RwLock,
    pub(super) on_owner_died: String,
    pub(super) home: Arc<Home>,
}

/// One side of a read-write lock, with the methods of a lock.
#[pyclass(name = "RWLockSide", module = "shm_py", frozen, weakref)]
pub(crate) struct RwLockSide {
    pub(super) core: shm_core::RwLock,
    pub(super) writes: bool,
    pub(super) manners: Manners,
    /// Keeps the attachment listed while the lock is in use.
    pub(super) home: Arc<Home>,
}

impl RwLock {
    pub(crate) fn new(
        core: shm_core::RwLock,
        on_owner_died: &str,
        home: Arc<Home>,
    ) -> PyResult<Self> {
        Manners::new(None, on_owner_died)?;
        Ok(Self { core, on_owner_died: on_owner_died.to_owned(), home })
    }

    fn side(&self, writes: bool, timeout: Option<f64>) -> PyResult<RwLockSide> {
        let manners = Manners::new(timeout, &self.on_owner_died)?;
        Ok(RwLockSide { core: self.core.clone(), writes, manners, home: Arc::clone(&self.home) })
    }
}

#[pymethods]
impl RwLock {
    /// The reader's side: `with lock.read(): ...`; `LockTimeout` after `timeout` seconds.
    #[pyo3(signature = (timeout=None))]
    fn read(&self, timeout: Option<f64>) -> PyResult<RwLockSide> {
        self.side(false, timeout)
    }

    /// The writer's side: `with lock.write(): ...`; `LockTimeout` after `timeout` seconds.
    #[pyo3(signature = (timeout=None))]
    fn write(&self, timeout: Option<f64>) -> PyResult<RwLockSide> {
        self.side(true, timeout)
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
        format!("<RWLock {:?}>", self.core.name())
    }
}

impl RwLockSide {
    fn what(&self) -> String {
        format!("rwlock {:?}", self.core.name())
    }

    fn take(&self, timeout: Option<std::time::Duration>) -> shm_core::Result<bool> {
        if self.writes { self.core.acquire_write(timeout) } else { self.core.acquire_read(timeout) }
    }

    fn give(&self) -> shm_core::Result<()> {
        if self.writes { self.core.release_write() } else { self.core.release_read() }
    }
}

#[pymethods]
impl RwLockSide {
    /// Take this side, waiting for it if `blocking`; whether it was taken within `timeout` seconds.
    #[pyo3(signature = (blocking=true, timeout=-1.0), text_signature = "($self, blocking=True, timeout=-1.0)")]
    fn acquire(&self, py: Python<'_>, blocking: bool, timeout: f64) -> PyResult<bool> {
        let result = self.take(patience(blocking, timeout)?);
        self.manners.taken(py, result, || self.what(), || self.give())
    }

    /// Give this side back.
    fn release(&self) -> PyResult<()> {
        self.give().or_raise()
    }

    /// Whether somebody writes, or, of the reader's side, reads.
    fn locked(&self) -> PyResult<bool> {
        if self.writes {
            return self.core.is_written().or_raise();
        }
        Ok(self.core.readers().or_raise()? > 0)
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<bool> {
        let result = self.take(self.manners.timeout);
        self.manners.entered(py, result, || self.what(), || self.give())?;
        Ok(true)
    }

    #[pyo3(signature = (_type=None, _value=None, _traceback=None, /))]
    fn __exit__(&self, _type: Part, _value: Part, _traceback: Part) -> PyResult<()> {
        self.release()
    }

    /// As `acquire`, for a coroutine; no thread waits.
    #[pyo3(signature = (timeout=None))]
    fn acquire_async<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> Awaitable<'py> {
        wait::duration(timeout)?;
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
        let written = self.core.is_written().or_raise()?;
        Ok(!written && (!self.writes || self.core.readers().or_raise()? == 0))
    }

    /// What all handles of this side in this process have in common.
    #[getter]
    fn _key(&self) -> (&'static str, usize, String) {
        let kind = if self.writes { "write" } else { "read" };
        (kind, Arc::as_ptr(&self.home) as usize, self.core.name().to_owned())
    }

    /// Whether a writer died inside, as the last `acquire` of this handle found.
    #[getter]
    fn owner_died(&self) -> bool {
        self.manners.owner_died()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        self.reduce(py)
    }

    fn __repr__(&self) -> String {
        let side = if self.writes { "write" } else { "read" };
        format!("<RWLock {:?} {side} side>", self.core.name())
    }
}
