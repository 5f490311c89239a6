//! What cannot be stored: the path to it and why, put together while the error travels up.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use shm_core::Error;

use super::DEPTH;
use crate::array;

/// Longest repr of a key in an error path, in characters.
const PATH_KEY: usize = 40;

/// Why a nested value was refused, and where.
pub(crate) struct Trouble {
    /// From the offending value outwards: `[3]`, `['x']`, ...
    pub(super) trail: Vec<String>,
    pub(super) cause: Cause,
}

pub(super) enum Cause {
    Unsupported(String),
    TooDeep,
    Python(PyErr),
}

impl Trouble {
    pub(crate) fn unsupported(what: String) -> Self {
        Self { trail: Vec::new(), cause: Cause::Unsupported(what) }
    }

    pub(crate) fn within(mut self, step: String) -> Self {
        if self.trail.len() <= DEPTH {
            self.trail.push(step);
        }
        self
    }

    #[cold]
    pub(super) fn raise(self, site: &str) -> PyErr {
        let error = match self.cause {
            Cause::Python(error) => return error,
            Cause::TooDeep => Error::TooDeep { limit: DEPTH },
            Cause::Unsupported(type_name) => {
                let path = self.trail.iter().rev().fold(site.to_owned(), |path, step| path + step);
                Error::UnsupportedType { path, type_name }
            }
        };
        crate::error::raise(error)
    }
}

impl From<PyErr> for Trouble {
    fn from(error: PyErr) -> Self {
        Self { trail: Vec::new(), cause: Cause::Python(error) }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        crate::error::raise(error).into()
    }
}

/// A type as users know it.
pub(crate) fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().repr().map_or_else(|_| "an object".to_owned(), |repr| repr.to_string())
}

/// A type that is refused, with a hint where a plain one would do.
pub(super) fn refused(object: &Bound<'_, PyAny>) -> String {
    let name = type_name(object);
    let plain = if object.is_instance_of::<PyDict>() {
        "dict"
    } else if object.is_instance_of::<PyList>() {
        "list"
    } else if object.is_instance_of::<PyTuple>() {
        "tuple"
    } else if object.is_instance_of::<PyString>() {
        "str"
    } else if object.is_instance_of::<PyInt>() {
        "int"
    } else if object.is_instance_of::<PyFloat>() {
        "float"
    } else if array::is_of_numpy(object) {
        return format!("{name}: it would come back as Array, so convert it with numpy.array(...)");
    } else {
        return name;
    };
    format!("{name}: it would come back as {plain}, so convert it with {plain}(...)")
}

/// A bounded repr of a key for an error path.
pub(crate) fn bounded(object: &Bound<'_, PyAny>) -> String {
    let Ok(repr) = object.repr() else { return "?".to_owned() };
    let text = repr.to_string();
    if text.chars().count() <= PATH_KEY {
        return text;
    }
    text.chars().take(PATH_KEY).chain("...".chars()).collect()
}
