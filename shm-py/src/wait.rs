//! Timeouts and deadlines. That waiting gives the GIL away is the business of `slots::hook`.

use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Longest sleep between two looks at signals.
const NAP: Duration = Duration::from_millis(2);

/// A timeout in seconds: `None` waits for ever, less than nothing is nothing.
pub(crate) fn duration(timeout: Option<f64>) -> PyResult<Option<Duration>> {
    let Some(seconds) = timeout else { return Ok(None) };
    if seconds.is_nan() {
        return Err(PyValueError::new_err("timeout is not a number"));
    }
    // What is too long for a Duration is for ever.
    Ok(Duration::try_from_secs_f64(seconds.max(0.0)).ok())
}

/// A moment after which waiting ends.
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// `timeout` seconds from now.
    pub(crate) fn new(timeout: Option<f64>) -> PyResult<Self> {
        Ok(Self(duration(timeout)?.and_then(|left| Instant::now().checked_add(left))))
    }

    /// Whether it is over.
    pub(crate) fn passed(&self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }

    /// Sleeps a little, but not beyond the end.
    pub(crate) fn nap(&self) {
        let left = self.0.map_or(NAP, |end| end.saturating_duration_since(Instant::now()));
        std::thread::sleep(left.min(NAP));
    }
}
