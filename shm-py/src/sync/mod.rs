//! The named primitives as Python knows them from `threading`: the same names and signatures.
//!
//! Thin: waiting, deaths and deadlocks are the core's business, which gives the GIL away while it
//! sleeps. What is added here is how Python learns of a dead holder (a warning, or an exception where
//! the lock was asked for with `on_owner_died="raise"`), and `with`. The async twins live in
//! `shm_py/_sync.py`; they try again on the loop's own thread when a probe from here says so.

#![allow(clippy::needless_pass_by_value, reason = "pyo3 hands receivers over by value")]

mod again;
mod barrier;
mod condition;
mod event;
mod locks;
mod rwlock;
mod semaphore;
mod turn;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) use barrier::Barrier;
pub(crate) use condition::Condition;
pub(crate) use event::Event;
pub(crate) use locks::{Lock, RLock, lock_of_object};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
pub(crate) use rwlock::{RwLock, RwLockSide};
pub(crate) use semaphore::Semaphore;
use shm_core::{ConditionLock, Error};
pub(crate) use turn::Turn;

use crate::error::OrRaise;
use crate::wait;

/// As in `threading`: what is longer is refused.
const TIMEOUT_MAX: f64 = 9_223_372_036.0;

/// The timeout of `acquire(blocking=True, timeout=-1)`.
fn patience(blocking: bool, timeout: f64) -> PyResult<Option<Duration>> {
    // The default is this very number.
    let endless = timeout.to_bits() == (-1.0_f64).to_bits();
    if !blocking && !endless {
        return Err(PyValueError::new_err("can't specify a timeout for a non-blocking call"));
    }
    if timeout < 0.0 && !endless {
        return Err(PyValueError::new_err("timeout value must be a non-negative number"));
    }
    if timeout > TIMEOUT_MAX {
        return Err(PyOverflowError::new_err("timeout value is too large"));
    }
    if !blocking {
        return Ok(Some(Duration::ZERO));
    }
    wait::duration((!endless).then_some(timeout))
}

/// The timeout of `acquire(blocking=True, timeout=None)`, as semaphores have it.
fn semaphore_patience(blocking: bool, timeout: Option<f64>) -> PyResult<Option<Duration>> {
    if blocking {
        return wait::duration(timeout);
    }
    if timeout.is_some() {
        return Err(PyValueError::new_err("can't specify timeout for non-blocking acquire"));
    }
    Ok(Some(Duration::ZERO))
}

/// What the death of a holder is to the next one, besides `owner_died`.
#[derive(Clone, Copy, PartialEq)]
enum Telling {
    Nothing,
    Warning,
    Exception,
}

impl Telling {
    /// The word for it in `on_owner_died`.
    fn word(self) -> &'static str {
        match self {
            Telling::Nothing => "ignore",
            Telling::Warning => "warn",
            Telling::Exception => "raise",
        }
    }
}

/// What a handle of a lock does besides: how long `with` waits, and what a dead holder means.
pub(crate) struct Manners {
    timeout: Option<Duration>,
    on_owner_died: Telling,
    owner_died: AtomicBool,
}

impl Manners {
    /// From the arguments of `seg.lock(...)` and its like.
    pub(crate) fn new(timeout: Option<f64>, on_owner_died: &str) -> PyResult<Self> {
        let on_owner_died = match on_owner_died {
            "ignore" => Telling::Nothing,
            "warn" => Telling::Warning,
            "raise" => Telling::Exception,
            other => {
                return Err(PyValueError::new_err(format!(
                    "on_owner_died is 'warn', 'raise' or 'ignore', not {other:?}"
                )));
            }
        };
        let timeout = wait::duration(timeout)?;
        Ok(Manners { timeout, on_owner_died, owner_died: AtomicBool::new(false) })
    }

    /// The result of an `acquire` in Python: whether it was taken. If the holder died, this process
    /// is told; what that raises gives the lock back first.
    fn taken(
        &self,
        py: Python<'_>,
        result: shm_core::Result<bool>,
        what: impl FnOnce() -> String,
        give_back: impl FnOnce() -> shm_core::Result<()>,
    ) -> PyResult<bool> {
        match result {
            Err(Error::LockTimeout { .. }) => Ok(false),
            result => self.entered(py, result, what, give_back).map(|()| true),
        }
    }

    /// The same for `with`, where a timeout is an exception.
    fn entered(
        &self,
        py: Python<'_>,
        result: shm_core::Result<bool>,
        what: impl FnOnce() -> String,
        give_back: impl FnOnce() -> shm_core::Result<()>,
    ) -> PyResult<()> {
        let died = result.or_raise()?;
        self.owner_died.store(died, Ordering::Relaxed);
        if !died || self.on_owner_died == Telling::Nothing {
            return Ok(());
        }
        let told = self.tell(py, &what());
        if told.is_err() {
            give_back().or_raise()?;
        }
        told
    }

    #[cold]
    fn tell(&self, py: Python<'_>, what: &str) -> PyResult<()> {
        let errors = py.import("shm_py.errors")?;
        let text = format!("the holder of {what} died inside: what it guards may be half done");
        if self.on_owner_died == Telling::Exception {
            return Err(PyErr::from_value(errors.getattr("OwnerDied")?.call1((text,))?));
        }
        let warn = py.import("warnings")?.getattr("warn")?;
        warn.call1((text, errors.getattr("OwnerDiedWarning")?, 2)).map(drop)
    }

    /// How long `with` waits, as Python counts.
    fn seconds(&self) -> Option<f64> {
        self.timeout.map(|timeout| timeout.as_secs_f64())
    }

    fn owner_died(&self) -> bool {
        self.owner_died.load(Ordering::Relaxed)
    }
}

/// The core's lock behind a `Lock` or `RLock`.
pub(crate) fn lock_of(lock: &Bound<'_, PyAny>) -> PyResult<ConditionLock> {
    if let Ok(lock) = lock.cast::<Lock>() {
        return Ok(lock.get().core.clone().into());
    }
    if let Ok(lock) = lock.cast::<RLock>() {
        return Ok(lock.get().core.clone().into());
    }
    let given = lock.get_type().name()?;
    Err(PyTypeError::new_err(format!("lock is a shm_py.Lock or shm_py.RLock, not {given}")))
}

/// What a coroutine waits for.
type Awaitable<'py> = PyResult<Bound<'py, PyAny>>;

/// Calls the async twin that `shm_py._sync` keeps under this name.
fn twin<'py>(
    py: Python<'py>,
    name: &str,
    arguments: impl pyo3::call::PyCallArgs<'py>,
) -> Awaitable<'py> {
    py.import("shm_py._sync")?.getattr(name)?.call1(arguments)
}

/// `*args` of `__aexit__`, which do not matter.
type Exception<'a, 'py> = &'a Bound<'py, PyTuple>;
/// One of the three arguments of `__exit__`, which do not matter. Taken one by one: a tuple of them would be a
/// fifth of a `with`.
type Part = Option<Anything>;

/// Any object, not looked at.
struct Anything;

impl FromPyObject<'_, '_> for Anything {
    type Error = std::convert::Infallible;

    #[inline]
    fn extract(_object: Borrowed<'_, '_, PyAny>) -> Result<Self, Self::Error> {
        Ok(Anything)
    }
}
