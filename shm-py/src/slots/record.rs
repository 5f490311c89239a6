//! Slots of `Struct`: attributes that are fields.

use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert;
use crate::home::Proxy;
use crate::record::SharedStruct;
use crate::slots::{content, scalar, type_of};

static GET: OnceLock<ffi::getattrofunc> = OnceLock::new();

/// Puts the quick function in front of the slot.
pub(super) fn install(py: Python<'_>) {
    let class = type_of::<SharedStruct>(py);
    // SAFETY: the class is alive and nothing else uses it yet.
    let slot = unsafe { &mut (*class).tp_getattro };
    if let Some(get) = *slot
        && GET.set(get).is_ok()
    {
        *slot = Some(attribute);
    }
}

/// What `object.__getattribute__` finds.
pub(crate) fn generic_attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: both are live objects, and `Bound` proves the GIL.
    let found = unsafe { ffi::PyObject_GenericGetAttr(object.as_ptr(), name.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(object.py(), found) }
}

/// `struct.name`
unsafe extern "C" fn attribute(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: invariants 1 and 2 of `slots`.
    if let Some(found) = unsafe { get(object, name) } {
        return found.into_ptr();
    }
    match GET.get() {
        // SAFETY: the slot's own arguments, passed on.
        Some(slow) => unsafe { slow(object, name) },
        None => std::ptr::null_mut(),
    }
}

/// # Safety
/// 1. Invariants 1 and 2 of `slots` hold for the arguments.
#[inline]
unsafe fn get<'py>(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> Option<Bound<'py, PyAny>> {
    // SAFETY: (1) of this function.
    let text = unsafe { scalar::utf8(name) }?;
    // SAFETY: (1) of this function.
    let record = unsafe { content::<SharedStruct>(object) }.handle();
    let index = record.core.schema().index_of(std::str::from_utf8(text).ok()?)?;
    if record.core.schema().fields().get(index)?.ty().is_composed() {
        return None;
    }
    let value = record.core.get_at(index).ok()?;
    // SAFETY: (1) of this function: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    scalar::plain(py, &value).or_else(|| convert::to_python(py, &record.home, value).ok())
}
