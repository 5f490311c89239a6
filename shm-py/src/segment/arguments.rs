//! Arguments of what a segment makes, as the built-ins and `threading` have them.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict, PyTuple};
use shm_core::Value;

use crate::bytearray;
use crate::convert;
use crate::home::Home;

/// The members that `set(iterable)` has.
pub(super) fn members(
    home: &Arc<Home>,
    iterable: Option<&Bound<'_, PyAny>>,
) -> PyResult<Vec<Value>> {
    let mut members = Vec::new();
    if let Some(iterable) = iterable {
        for member in iterable.try_iter()? {
            let member = member?;
            let site = || format!("set member {}", convert::bounded(&member));
            members.push(convert::to_key(home, &member, site)?);
        }
    }
    Ok(members)
}

/// The bytes that `bytearray(source, encoding, errors)` has.
pub(super) fn bytes<'py>(
    py: Python<'py>,
    source: Option<&Bound<'py, PyAny>>,
    encoding: Option<&str>,
    errors: Option<&str>,
) -> PyResult<Vec<u8>> {
    let encoded = if encoding.is_some() || errors.is_some() {
        let how = PyDict::new(py);
        for (name, value) in [("encoding", encoding), ("errors", errors)] {
            value.map_or(Ok(()), |value| how.set_item(name, value))?;
        }
        let text = PyTuple::new(py, source)?;
        Some(py.get_type::<PyByteArray>().call(text, Some(&how))?)
    } else {
        None
    };
    let source = encoded.as_ref().or(source);
    source.map_or_else(|| Ok(Vec::new()), bytearray::content)
}

/// What errors call the value of a semaphore.
pub(super) const INITIAL: &str = "the initial value of a semaphore";

/// A count that Python gives as any int.
pub(super) fn not_negative(value: i64, what: &str) -> PyResult<u64> {
    u64::try_from(value)
        .map_err(|_| PyValueError::new_err(format!("{what} must be >= 0, not {value}")))
}
