//! A `bytes` that is filled where it lies, instead of from a copy.

use std::mem::MaybeUninit;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A new `bytes` of this length whose content `fill` has written; `None` if it says that it has not.
/// Runs no Python code.
pub(crate) fn filled(
    py: Python<'_>,
    length: usize,
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> bool,
) -> PyResult<Option<Bound<'_, PyBytes>>> {
    let size = ffi::Py_ssize_t::try_from(length)?;
    // SAFETY: the GIL is held; null asks for content that is not initialised.
    let raw = unsafe { ffi::PyBytes_FromStringAndSize(std::ptr::null(), size) };
    // SAFETY: `raw` is a new reference, or null with an exception set.
    let made = unsafe { Bound::from_owned_ptr_or_err(py, raw) }?.cast_into::<PyBytes>()?;
    if length == 0 {
        return Ok(Some(made));
    }
    // SAFETY: `made` is a bytes object.
    let start = unsafe { ffi::PyBytes_AsString(made.as_ptr()) };
    // SAFETY: a new bytes of a length above 0 is shared with nobody and has room for that many.
    let room = unsafe { std::slice::from_raw_parts_mut(start.cast::<MaybeUninit<u8>>(), length) };
    Ok(fill(room).then_some(made))
}
