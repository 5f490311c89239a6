//! How the primitives pickle: as what the segment is asked for in the process that unpickles them.
//!
//! A handle holds nothing that travels: the other process gets a handle of its own to the same
//! words, with the same manners. Who holds the lock is another matter.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use shm_core::ConditionLock;

use super::{Condition, Lock, Manners, RLock, RwLock, RwLockSide};
use crate::home::Home;
use crate::segment::SharedSegment;

/// What `__reduce__` returns: a callable and its arguments.
pub(super) type Reduced<'py> = (Bound<'py, PyAny>, Bound<'py, PyTuple>);

/// `segment.kind(*arguments)`, with the manners as options.
pub(super) fn ask<'py>(
    py: Python<'py>,
    home: &Arc<Home>,
    kind: &str,
    manners: Option<&Manners>,
    arguments: Bound<'py, PyTuple>,
) -> PyResult<Reduced<'py>> {
    let options = PyDict::new(py);
    if let Some(manners) = manners {
        options.set_item("timeout", manners.timeout.map(|timeout| timeout.as_secs_f64()))?;
        options.set_item("on_owner_died", manners.on_owner_died.word())?;
    }
    ask_with(py, home, kind, &options, arguments)
}

fn ask_with<'py>(
    py: Python<'py>,
    home: &Arc<Home>,
    kind: &str,
    options: &Bound<'py, PyDict>,
    arguments: Bound<'py, PyTuple>,
) -> PyResult<Reduced<'py>> {
    let segment = Bound::new(py, SharedSegment { home: Arc::clone(home) })?;
    let method = segment.getattr(kind)?;
    let partial = py.import("functools")?.getattr("partial")?;
    Ok((partial.call((method,), Some(options))?, arguments))
}

impl RLock {
    pub(super) fn reduce<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        if !self.core.is_named() {
            return Err(PyTypeError::new_err(format!(
                "cannot pickle the {}: pickle the object and take its lock() there",
                self.core
            )));
        }
        ask(py, &self.home, "rlock", Some(&self.manners), (self.core.name(),).into_pyobject(py)?)
    }
}

impl RwLock {
    pub(super) fn reduce<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        let options = PyDict::new(py);
        options.set_item("on_owner_died", &self.on_owner_died)?;
        let arguments = (self.core.name(),).into_pyobject(py)?;
        ask_with(py, &self.home, "rwlock", &options, arguments)
    }
}

impl RwLockSide {
    pub(super) fn reduce<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        let word = self.manners.on_owner_died.word();
        let whole = RwLock::new(self.core.clone(), word, Arc::clone(&self.home))?;
        let side = if self.writes { "write" } else { "read" };
        let timeout = self.manners.timeout.map(|timeout| timeout.as_secs_f64());
        Ok((Bound::new(py, whole)?.getattr(side)?, (timeout,).into_pyobject(py)?))
    }
}

impl Condition {
    pub(super) fn reduce<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        let (home, plain) = (|| Arc::clone(&self.home), || Manners::new(None, "warn"));
        let lock = match self.core.lock() {
            ConditionLock::Plain(lock) => {
                Bound::new(py, Lock::new(lock.clone(), plain()?, home()))?.into_any()
            }
            ConditionLock::Reentrant(lock) => {
                Bound::new(py, RLock::new(lock.clone(), plain()?, home()))?.into_any()
            }
        };
        let arguments = (self.core.name(), lock).into_pyobject(py)?;
        ask(py, &self.home, "condition", Some(&self.manners), arguments)
    }
}
