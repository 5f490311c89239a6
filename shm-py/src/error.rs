//! Errors of the core as Python exceptions.
//!
//! The classes live in `shm_py/errors.py`, because each has two bases; here they are looked up by
//! name, filled with the error's text and given its numbers as attributes. What Python has its
//! own exception for (`KeyError`, `IndexError`, `AttributeError`) is raised as that.

use pyo3::exceptions::{
    PyAttributeError, PyIndexError, PyKeyError, PyKeyboardInterrupt, PyOSError, PyOverflowError,
    PyRuntimeError, PyTypeError, PyValueError,
};
use pyo3::prelude::*;
use shm_core::Error;

use crate::slots::hook;

/// Turns the core's results into Python's.
pub(crate) trait OrRaise<T> {
    /// The value, or the matching Python exception.
    fn or_raise(self) -> PyResult<T>;
}

impl<T> OrRaise<T> for Result<T, Error> {
    #[inline]
    fn or_raise(self) -> PyResult<T> {
        self.map_err(raise)
    }
}

/// The Python exception for an error of the core.
#[cold]
#[allow(clippy::needless_pass_by_value, reason = "it is the error's end: map_err hands it over")]
pub(crate) fn raise(error: Error) -> PyErr {
    Python::attach(|py| translate(py, &error).unwrap_or_else(|failure| failure))
}

fn translate(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let text = error.to_string();
    let class = |name| Exception::new(py, name, &text);
    Ok(match error {
        Error::SegmentExists { name } => class("SegmentExists")?.with("name", name)?.err(),
        Error::SegmentNotFound { name } | Error::SnapshotNotFound { path: name } => {
            class("SegmentNotFound")?.with("name", name)?.err()
        }
        Error::SegmentFull { name, wanted, used, size, .. } => class("SegmentFull")?
            .with("name", name)?
            .with("wanted", wanted)?
            .with("used", used)?
            .with("size", size)?
            .err(),
        Error::SegmentCorrupt { name, .. } => class("SegmentCorrupt")?.with("name", name)?.err(),
        Error::FormatMismatch { name, .. } => class("FormatMismatch")?.with("name", name)?.err(),
        Error::SchemaMismatch { name, differences } => {
            class("SchemaMismatch")?.with("name", name)?.with("differences", differences)?.err()
        }
        Error::UnsupportedType { path, type_name } => {
            // What follows the class in the message is advice.
            let name = type_name.split_inclusive('>').next().unwrap_or(type_name);
            class("UnsupportedType")?.with("path", path)?.with("type_name", name)?.err()
        }
        Error::Closed { .. } => class("Closed")?.err(),
        Error::ReadOnly { name } => class("ReadOnly")?.with("name", name)?.err(),
        Error::LockTimeout { holder_pid, holder_name, held_for, .. } => class("LockTimeout")?
            .with("holder_pid", holder_pid)?
            .with("holder_name", holder_name)?
            .with("held_for", held_for.as_secs_f64())?
            .err(),
        Error::Deadlock { .. } => class("DeadlockError")?.err(),
        Error::BrokenBarrier { .. } => class("BrokenBarrierError")?.err(),
        Error::NoMessages { name, .. } => class("NoMessages")?.with("name", name)?.err(),
        Error::QueueFull { name, .. } => class("Full")?.with("name", name)?.err(),
        Error::QueueEmpty { name, .. } => class("Empty")?.with("name", name)?.err(),
        Error::QueueClosed { name } => class("QueueClosed")?.with("name", name)?.err(),
        Error::TooDeep { limit } => class("TooDeep")?.with("limit", limit)?.err(),
        Error::TooManyParticipants { name, slots, .. } => {
            class("TooManyParticipants")?.with("name", name)?.with("slots", slots)?.err()
        }
        Error::Unhashable { type_name } => {
            PyTypeError::new_err(format!("unhashable type: '{type_name}'"))
        }
        Error::WrongType { .. } => PyTypeError::new_err(text),
        Error::UnknownField { .. } => PyAttributeError::new_err(text),
        Error::IndexOutOfRange { .. } => PyIndexError::new_err(text),
        Error::KeyNotFound { .. } => PyKeyError::new_err(text),
        // Said by the sum of an int and a float, as Python does.
        Error::InvalidArgument { what } if what.starts_with("int too large") => {
            PyOverflowError::new_err(text)
        }
        Error::Changed { during: "sort", .. } | Error::InvalidArgument { .. } => {
            PyValueError::new_err(text)
        }
        Error::Io { source, .. } => match source.raw_os_error() {
            Some(number) => PyOSError::new_err((number, text)),
            None => PyOSError::new_err(text),
        },
        Error::Interrupted { .. } => {
            hook::take_raised().unwrap_or_else(|| PyKeyboardInterrupt::new_err(text))
        }
        _ => PyRuntimeError::new_err(text),
    })
}

/// That a segment did not come to be while somebody waited for it.
#[cold]
pub(crate) fn not_in_time(py: Python<'_>, name: &str, seconds: f64) -> PyErr {
    let text = format!(
        "no segment {name:?} within {seconds} s: look whether its creator runs, and whether both say \
         the same name"
    );
    let made =
        Exception::new(py, "SegmentNotFound", &text).and_then(|made| made.with("name", name));
    made.map_or_else(|failure| failure, Exception::err)
}

/// An exception of `shm_py.errors` in the making.
struct Exception<'py>(Bound<'py, PyAny>);

impl<'py> Exception<'py> {
    fn new(py: Python<'py>, class: &str, text: &str) -> PyResult<Self> {
        Ok(Self(py.import("shm_py.errors")?.getattr(class)?.call1((text,))?))
    }

    fn with(self, attribute: &str, value: impl IntoPyObject<'py>) -> PyResult<Self> {
        self.0.setattr(attribute, value)?;
        Ok(self)
    }

    fn err(self) -> PyErr {
        PyErr::from_value(self.0)
    }
}
