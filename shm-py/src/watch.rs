//! `Watch`, `wait_changed`, and the one place where a helper thread sleeps for all coroutines.
//!
//! A `Watch` remembers what it has seen last. `_Waiters` is for `shm_py/_aio.py` alone: its thread
//! calls `wait` with the GIL given away and is told which numbers have news.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use shm_core::{Changes, Value, Waiter};

use crate::array::SharedArray;
use crate::bytearray::SharedByteArray;
use crate::convert;
use crate::dict::SharedDict;
use crate::error::OrRaise;
use crate::home::{Home, Proxy};
use crate::kinds::SharedObject;
use crate::list::SharedList;
use crate::queue::Queue;
use crate::record::SharedStruct;
use crate::set::SharedSet;
use crate::topic::Subscription;
use crate::wait;

/// What is watched: a shared object, or what lies at a path from the root.
#[pyclass(name = "Watch", module = "shm_py", frozen, weakref)]
pub(crate) struct Watch {
    core: Mutex<Changes>,
    home: Arc<Home>,
}

impl Watch {
    /// Never waits for another thread, which may wait for the GIL that this one has.
    fn core(&self) -> PyResult<MutexGuard<'_, Changes>> {
        match self.core.try_lock() {
            Ok(core) => Ok(core),
            Err(TryLockError::Poisoned(core)) => Ok(core.into_inner()),
            Err(TryLockError::WouldBlock) => Err(PyRuntimeError::new_err(
                "another thread waits on this watch: make one for each thread",
            )),
        }
    }

    /// What `segment.watch(target)` watches.
    pub(crate) fn of(home: &Arc<Home>, target: &Bound<'_, PyAny>) -> PyResult<Self> {
        let core = if let Ok(path) = target.cast::<PyString>() {
            let path = path.to_cow()?;
            let names = path.split('/').filter(|name| !name.is_empty());
            home.segment.watch_path(names.map(Value::from))
        } else if let Ok(path) = target.cast::<PyTuple>() {
            home.segment.watch_path(convert::to_values(home, path.as_any(), "path")?)
        } else {
            let (owner, object) = object_of(target, "watch")?;
            if owner.uuid != home.uuid {
                return Err(PyTypeError::new_err("the object is of another segment"));
            }
            home.segment.watch(&object)
        };
        Ok(Self { core: Mutex::new(core.or_raise()?), home: Arc::clone(home) })
    }
}

/// The shared object behind a proxy.
pub(crate) fn object_of(target: &Bound<'_, PyAny>, what: &str) -> PyResult<(Arc<Home>, Value)> {
    macro_rules! find {
        ($($class:ty),*) => {$(
            if let Ok(proxy) = target.cast::<$class>() {
                let handle = proxy.get().handle();
                return Ok((Arc::clone(&handle.home), handle.core.clone().into()));
            }
        )*};
    }
    find!(
        SharedDict,
        SharedList,
        SharedSet,
        SharedByteArray,
        SharedStruct,
        SharedArray,
        SharedObject
    );
    let given = target.get_type().name()?;
    let text = match what {
        "watch" => {
            format!("watch a shared object, a path 'a/b' or a tuple of keys, not {given}")
        }
        _ => format!("{what} a shared object, not {given}"),
    };
    Err(PyTypeError::new_err(text))
}

#[pymethods]
impl Watch {
    /// Wait until it changes; whether it has within `timeout` seconds.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, timeout: Option<f64>) -> PyResult<bool> {
        let timeout = wait::duration(timeout)?;
        self.core()?.wait(timeout).or_raise()
    }

    /// Whether it has changed since the last look.
    fn poll(&self) -> PyResult<bool> {
        self.core()?.poll().or_raise()
    }

    /// What is there, as of the last look; `None` where the path leads nowhere.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let value = self.core()?.value().cloned();
        value.map_or_else(
            || Ok(py.None().into_bound(py)),
            |value| convert::to_python(py, &self.home, value),
        )
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// The value after the next change.
    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.core()?.wait(None).or_raise()?;
        self.value(py)
    }

    fn __aiter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("shm_py._aio")?.getattr("next_change")?.call1((slf,))
    }

    fn __repr__(&self) -> String {
        match self.core() {
            Ok(core) => format!("<Watch of {}>", core.value().map_or("nothing", Value::type_name)),
            Err(_) => "<Watch, waiting>".to_owned(),
        }
    }
}

/// Wait until a shared object changes; whether it has within `timeout` seconds.
#[pyfunction]
#[pyo3(name = "_wait_changed")]
pub(crate) fn wait_changed(object: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<bool> {
    let timeout = wait::duration(timeout)?;
    let (home, value) = object_of(object, "watch")?;
    home.segment.watch(&value).or_raise()?.wait(timeout).or_raise()
}

/// A watch of a shared object, whichever segment it is of.
#[pyfunction]
#[pyo3(name = "_watch")]
pub(crate) fn watch(object: &Bound<'_, PyAny>) -> PyResult<Watch> {
    let (home, value) = object_of(object, "watch")?;
    let core = home.segment.watch(&value).or_raise()?;
    Ok(Watch { core: Mutex::new(core), home })
}

/// What the coroutines of this process wait for, by number.
#[pyclass(name = "_Waiters", module = "shm_py", frozen)]
pub(crate) struct Waiters(shm_core::Waiters);

#[pymethods]
impl Waiters {
    #[new]
    fn new() -> Self {
        Self(shm_core::Waiters::new())
    }

    /// Add a queue or subscription as it was at `version`, or a watch since its last look.
    #[pyo3(signature = (number, target, version=0, /))]
    fn add(&self, number: u64, target: &Bound<'_, PyAny>, version: u64) -> PyResult<()> {
        let waiter = if let Ok(queue) = target.cast::<Queue>() {
            Waiter::of_queue(&queue.get().core, version)
        } else if let Ok(subscription) = target.cast::<Subscription>() {
            Waiter::of_subscription(&subscription.get().copy(), version)
        } else {
            target.cast::<Watch>()?.get().core()?.waiter()
        };
        self.0.add(number, waiter);
        Ok(())
    }

    /// Whether it was still there.
    #[pyo3(signature = (number, /))]
    fn remove(&self, number: u64) -> bool {
        self.0.remove(number)
    }

    /// How many there are.
    fn __len__(&self) -> usize {
        self.0.count()
    }

    /// Sleep until some have news, at most `seconds`; which, and they are gone from here.
    #[pyo3(signature = (seconds, /))]
    fn wait(&self, py: Python<'_>, seconds: f64) -> Vec<u64> {
        py.detach(|| self.0.wait(Duration::from_secs_f64(seconds.clamp(0.0, 3600.0))))
    }
}
