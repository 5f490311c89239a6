//! `Turn`: one process at a time, first come first served; dead ones are passed over.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use shm_core::Standing;

use super::again::{Reduced, ask};
use super::{Awaitable, Exception, Manners, Part, twin};
use crate::error::OrRaise;
use crate::home::Home;
use crate::wait;

/// A turn of a segment; `with seg.turn(): ...` runs the block alone among all processes.
#[pyclass(name = "Turn", module = "shm_py", frozen, weakref)]
pub(crate) struct Turn {
    core: shm_core::Turn,
    manners: Manners,
    /// Places of coroutines that stand in line, by number.
    standing: Mutex<Vec<Option<Standing>>>,
    /// Keeps the attachment listed while the turn is in use.
    home: Arc<Home>,
}

impl Turn {
    pub(crate) fn new(core: shm_core::Turn, manners: Manners, home: Arc<Home>) -> Self {
        Self { core, manners, standing: Mutex::default(), home }
    }

    fn what(&self) -> String {
        format!("turn {:?}", self.core.name())
    }

    fn places(&self) -> std::sync::MutexGuard<'_, Vec<Option<Standing>>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Turn {
    /// Wait for the turn; `LockTimeout` when `timeout` seconds have passed.
    #[pyo3(signature = (timeout=None))]
    fn acquire(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        let result = self.core.acquire_raw(wait::duration(timeout)?);
        self.manners.entered(py, result, || self.what(), || self.core.release())
    }

    /// Hand the turn on to the one who waits longest.
    fn release(&self) -> PyResult<()> {
        self.core.release().or_raise()
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        let result = slf.core.acquire_raw(slf.manners.timeout);
        slf.manners.entered(slf.py(), result, || slf.what(), || slf.core.release())?;
        Ok(slf)
    }

    #[pyo3(signature = (_type=None, _value=None, _traceback=None, /))]
    fn __exit__(&self, _type: Part, _value: Part, _traceback: Part) -> PyResult<()> {
        self.release()
    }

    /// As `acquire`, for a coroutine; it stands in the same line, and no thread waits.
    #[pyo3(signature = (timeout=None))]
    fn acquire_async<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> Awaitable<'py> {
        twin(slf.py(), "take_turn", (slf, timeout))
    }

    fn __aenter__<'py>(slf: &Bound<'py, Self>) -> Awaitable<'py> {
        twin(slf.py(), "take_turn", (slf, slf.get().manners.seconds()))
    }

    #[pyo3(signature = (*_exception))]
    fn __aexit__<'py>(slf: &Bound<'py, Self>, _exception: Exception<'_, 'py>) -> Awaitable<'py> {
        twin(slf.py(), "leave", (slf,))
    }

    /// Stand in line for a coroutine; the number of the place.
    fn _stand(&self) -> PyResult<usize> {
        let standing = self.core.stand().or_raise()?;
        let mut places = self.places();
        let free = places.iter().position(Option::is_none).unwrap_or(places.len());
        if free == places.len() {
            places.push(None);
        }
        if let Some(place) = places.get_mut(free) {
            *place = Some(standing);
        }
        Ok(free)
    }

    /// Whether the turn has come to a place; then the place is given back.
    #[pyo3(signature = (place, thorough, /))]
    fn _poll(&self, py: Python<'_>, place: usize, thorough: bool) -> PyResult<bool> {
        let died = {
            let mut places = self.places();
            let Some(slot) = places.get_mut(place) else { return Ok(false) };
            let Some(standing) = slot else { return Ok(false) };
            let Some(died) = self.core.poll(standing, thorough).or_raise()? else {
                return Ok(false);
            };
            *slot = None;
            died
        };
        self.manners.entered(py, Ok(died), || self.what(), || self.core.release())?;
        Ok(true)
    }

    /// Leave the line.
    #[pyo3(signature = (place, /))]
    fn _give_up(&self, place: usize) -> PyResult<()> {
        let standing = self.places().get_mut(place).and_then(Option::take);
        standing.map_or(Ok(()), |standing| self.core.give_up(&standing)).or_raise()
    }

    /// What all handles of this turn in this process have in common.
    #[getter]
    fn _key(&self) -> (&'static str, usize, String) {
        ("turn", Arc::as_ptr(&self.home) as usize, self.core.name().to_owned())
    }

    /// Whether the one before died while it had the turn, as the last `acquire` of this handle found.
    #[getter]
    fn owner_died(&self) -> bool {
        self.manners.owner_died()
    }

    /// The name that it was asked for by.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    /// Whether somebody holds it.
    fn locked(&self) -> PyResult<bool> {
        self.core.is_held().or_raise()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        ask(py, &self.home, "turn", Some(&self.manners), (self.core.name(),).into_pyobject(py)?)
    }

    fn __repr__(&self) -> String {
        format!("<Turn {:?}>", self.core.name())
    }
}
