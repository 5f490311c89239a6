//! `Lock` and `RLock`: as in `threading`, between all threads of all processes.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use shm_core::Value;

use super::again::{Reduced, ask};
use super::{Awaitable, Exception, Manners, Part, patience, twin};
use crate::error::OrRaise;
use crate::home::Home;

/// A named lock of a segment, with the methods of `threading.Lock`.
#[pyclass(name = "Lock", module = "shm_py", frozen, weakref)]
pub(crate) struct Lock {
    pub(super) core: shm_core::Lock,
    manners: Manners,
    /// Keeps the attachment listed while the lock is in use.
    home: Arc<Home>,
}

impl Lock {
    pub(crate) fn new(core: shm_core::Lock, manners: Manners, home: Arc<Home>) -> Self {
        Self { core, manners, home }
    }

    fn what(&self) -> String {
        format!("lock {:?}", self.core.name())
    }
}

#[pymethods]
impl Lock {
    /// Take the lock, waiting for it if `blocking`; whether it was taken within `timeout` seconds.
    #[pyo3(signature = (blocking=true, timeout=-1.0), text_signature = "($self, blocking=True, timeout=-1.0)")]
    fn acquire(&self, py: Python<'_>, blocking: bool, timeout: f64) -> PyResult<bool> {
        let result = self.core.acquire_raw(patience(blocking, timeout)?);
        self.manners.taken(py, result, || self.what(), || self.core.release())
    }

    /// Give the lock back; any thread of the process that holds it may.
    fn release(&self) -> PyResult<()> {
        self.core.release().or_raise()
    }

    /// Whether somebody holds it.
    fn locked(&self) -> PyResult<bool> {
        self.core.is_held().or_raise()
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<bool> {
        let result = self.core.acquire_raw(self.manners.timeout);
        self.manners.entered(py, result, || self.what(), || self.core.release())?;
        Ok(true)
    }

    #[pyo3(signature = (_type=None, _value=None, _traceback=None, /))]
    fn __exit__(&self, _type: Part, _value: Part, _traceback: Part) -> PyResult<()> {
        self.release()
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
        Ok(!self.core.is_held().or_raise()?)
    }

    /// What all handles of this lock in this process have in common.
    #[getter]
    fn _key(&self) -> (&'static str, usize, String) {
        ("lock", Arc::as_ptr(&self.home) as usize, self.core.name().to_owned())
    }

    /// Whether the holder before died inside, as the last `acquire` of this handle found.
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
        ask(py, &self.home, "lock", Some(&self.manners), (self.core.name(),).into_pyobject(py)?)
    }

    fn __repr__(&self) -> String {
        let state = match self.locked() {
            Ok(true) => "locked",
            Ok(false) => "unlocked",
            Err(_) => "closed",
        };
        format!("<{state} shm_py.Lock object at {:?}>", self.core.name())
    }
}

/// A reentrant lock, one with a name or a container's, with the methods of `threading.RLock`.
#[pyclass(name = "RLock", module = "shm_py", frozen, weakref)]
pub(crate) struct RLock {
    pub(super) core: shm_core::RLock,
    pub(super) manners: Manners,
    /// Keeps the attachment listed while the lock is in use.
    pub(super) home: Arc<Home>,
}

impl RLock {
    pub(crate) fn new(core: shm_core::RLock, manners: Manners, home: Arc<Home>) -> Self {
        Self { core, manners, home }
    }

    fn what(&self) -> String {
        self.core.to_string()
    }
}

#[pymethods]
impl RLock {
    /// Take the lock, once more if this thread holds it; whether it was taken in time.
    #[pyo3(signature = (blocking=true, timeout=-1.0), text_signature = "($self, blocking=True, timeout=-1.0)")]
    fn acquire(&self, py: Python<'_>, blocking: bool, timeout: f64) -> PyResult<bool> {
        let result = self.core.acquire_raw(patience(blocking, timeout)?);
        self.manners.taken(py, result, || self.what(), || self.core.release())
    }

    /// Give the lock back once.
    fn release(&self) -> PyResult<()> {
        self.core.release().or_raise()
    }

    /// Whether somebody holds it.
    fn locked(&self) -> PyResult<bool> {
        self.core.is_held().or_raise()
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<bool> {
        let result = self.core.acquire_raw(self.manners.timeout);
        self.manners.entered(py, result, || self.what(), || self.core.release())?;
        Ok(true)
    }

    #[pyo3(signature = (_type=None, _value=None, _traceback=None, /))]
    fn __exit__(&self, _type: Part, _value: Part, _traceback: Part) -> PyResult<()> {
        self.release()
    }

    /// As `acquire`, for a coroutine: the running task holds it, and may take it again.
    #[pyo3(signature = (timeout=None))]
    fn acquire_async<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> Awaitable<'py> {
        twin(slf.py(), "acquire_reentrant", (slf, timeout))
    }

    fn __aenter__<'py>(slf: &Bound<'py, Self>) -> Awaitable<'py> {
        twin(slf.py(), "enter_reentrant", (slf, slf.get().manners.seconds()))
    }

    #[pyo3(signature = (*_exception))]
    fn __aexit__<'py>(slf: &Bound<'py, Self>, _exception: Exception<'_, 'py>) -> Awaitable<'py> {
        twin(slf.py(), "leave", (slf,))
    }

    /// Whether a try may succeed by now.
    fn _ready(&self) -> PyResult<bool> {
        Ok(!self.core.is_held().or_raise()?)
    }

    /// What all handles of this lock in this process have in common.
    #[getter]
    fn _key(&self) -> (&'static str, usize, String) {
        ("rlock", Arc::as_ptr(&self.home) as usize, self.core.to_string())
    }

    /// Whether this thread holds it; `threading.Condition` asks.
    fn _is_owned(&self) -> PyResult<bool> {
        self.core.is_mine().or_raise()
    }

    /// How often this thread holds it.
    fn _recursion_count(&self) -> PyResult<u64> {
        self.core.depth().or_raise()
    }

    /// Give it back wholly; `threading.Condition` does.
    fn _release_save(&self) -> PyResult<u64> {
        self.core.release_all().or_raise()
    }

    /// Take it back as it was.
    #[pyo3(signature = (state, /))]
    fn _acquire_restore(&self, state: u64) -> PyResult<()> {
        self.core.restore(state, None).or_raise().map(drop)
    }

    /// Whether the holder before died inside, as the last `acquire` of this handle found.
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
        self.reduce(py)
    }

    fn __repr__(&self) -> String {
        let state = match self.locked() {
            Ok(true) => "locked",
            Ok(false) => "unlocked",
            Err(_) => "closed",
        };
        format!("<{state} shm_py.RLock object at {:?}>", self.core.name())
    }
}

/// The lock of a shared object, which keeps other writers out of it.
#[pyfunction]
#[pyo3(name = "_lock", signature = (object, timeout, on_owner_died, /))]
pub(crate) fn lock_of_object(
    object: &Bound<'_, PyAny>,
    timeout: Option<f64>,
    on_owner_died: &str,
) -> PyResult<RLock> {
    let manners = Manners::new(timeout, on_owner_died)?;
    let (home, value) = crate::watch::object_of(object, "lock")?;
    let core = match &value {
        Value::List(core) => core.lock(),
        Value::Dict(core) => core.lock(),
        Value::Set(core) => core.lock(),
        Value::ByteArray(core) => core.lock(),
        Value::Record(core) => core.lock(),
        Value::Array(core) => core.lock(),
        other => return Err(PyTypeError::new_err(format!("a {} has no lock", other.type_name()))),
    };
    Ok(RLock::new(core.or_raise()?, manners, home))
}
