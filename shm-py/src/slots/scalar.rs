//! Python objects for cells that hold their value themselves, and values for simple objects.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU8, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyString};
use shm_core::Value;
use shm_core::cell::{Cell, View};

use crate::slots::recent;

/// The object for a value that lives in its cell: the recent or a new one.
#[inline]
pub(super) fn immediate(py: Python<'_>, cell: Cell) -> Option<Bound<'_, PyAny>> {
    if let Some(found) = recent::find(py, cell) {
        return Some(found);
    }
    let made = fresh(py, cell)?;
    recent::remember(cell, &made);
    Some(made)
}

/// A new object for a value that lives in its cell.
#[inline]
pub(super) fn fresh(py: Python<'_>, cell: Cell) -> Option<Bound<'_, PyAny>> {
    if let Some(number) = cell.as_int() {
        return number.into_pyobject(py).ok().map(Bound::into_any);
    }
    if let Some(number) = cell.as_float() {
        return Some(PyFloat::new(py, number).into_any());
    }
    match cell.view()? {
        View::None => Some(py.None().into_bound(py)),
        View::Bool(flag) => Some(pyo3::types::PyBool::new(py, flag).to_owned().into_any()),
        View::Str(text) => {
            let text = std::str::from_utf8(text.as_slice()).ok()?;
            Some(PyString::new(py, text).into_any())
        }
        View::Bytes(bytes) => Some(PyBytes::new(py, bytes.as_slice()).into_any()),
        _ => None,
    }
}

/// How this interpreter stores an `int` of one digit.
const UNKNOWN: u8 = 0;
/// Up to 3.11: the size of the object is 1, 0 or -1, and has the number's sign.
const SIZED: u8 = 1;
/// From 3.12 on: a tag, number of digits above bit 3, sign (0, zero 1, negative 2) below.
const TAGGED: u8 = 2;

static LAYOUT: AtomicU8 = AtomicU8::new(UNKNOWN);

/// An `int` of one digit.
#[repr(C)]
struct OneDigit {
    base: ffi::PyObject,
    size_or_tag: isize,
    digit: u32,
}

/// Finds out how this interpreter stores an `int`.
pub(super) fn install(py: Python<'_>) -> PyResult<()> {
    let info = py.import("sys")?.getattr("int_info")?;
    let version = py.version_info();
    let layout = match (version.major, version.minor) {
        _ if info.getattr("sizeof_digit")?.extract::<u8>()? != 4 => UNKNOWN,
        (3, 9..=11) => SIZED,
        (3, 12..=14) => TAGGED,
        _ => UNKNOWN,
    };
    LAYOUT.store(layout, Ordering::Relaxed);
    Ok(())
}

/// The number of an exact `int` of at most 64 bits.
///
/// # Safety
/// 1. `object` is a live object and the GIL is held.
#[inline]
pub(super) unsafe fn small_int(object: *mut ffi::PyObject) -> Option<i64> {
    // SAFETY: (1) of this function.
    if unsafe { ffi::PyLong_CheckExact(object) } == 0 {
        return None;
    }
    let layout = LAYOUT.load(Ordering::Relaxed);
    if layout != UNKNOWN {
        let number = object.cast::<OneDigit>().cast_const();
        // SAFETY: (1) of this function, and every int has this field.
        let head = unsafe { (*number).size_or_tag };
        let sign = match (layout, head) {
            (SIZED, 1) | (TAGGED, 8) => 1,
            (SIZED, -1) | (TAGGED, 10) => -1,
            _ => 0,
        };
        if sign != 0 {
            // SAFETY: as above; the head says that there is one digit.
            let digit = unsafe { (*number).digit };
            return Some(sign * i64::from(digit));
        }
    }
    let mut overflow: c_int = 0;
    // SAFETY: (1) of this function, and the object is an int: no exception is ever set.
    let number = unsafe { ffi::PyLong_AsLongLongAndOverflow(object, &raw mut overflow) };
    (overflow == 0).then_some(number)
}

/// The value of an object that needs no memory in the segment and no look at other types.
///
/// # Safety
/// 1. `object` is a live object and the GIL is held.
#[inline]
pub(super) unsafe fn simple(object: *mut ffi::PyObject) -> Option<Value> {
    // SAFETY: (1) of this function.
    if let Some(number) = unsafe { small_int(object) } {
        return Some(Value::Int(number));
    }
    // SAFETY: (1) of this function.
    if unsafe { ffi::PyFloat_CheckExact(object) } != 0 {
        // SAFETY: (1) of this function, and the object is a float.
        return Some(Value::Float(unsafe { ffi::PyFloat_AS_DOUBLE(object) }));
    }
    // SAFETY: (1) of this function: the interpreter runs, so its singletons exist.
    if object == unsafe { ffi::Py_None() } {
        return Some(Value::None);
    }
    // SAFETY: as above.
    if object == unsafe { ffi::Py_True() } {
        return Some(Value::Bool(true));
    }
    // SAFETY: as above.
    if object == unsafe { ffi::Py_False() } {
        return Some(Value::Bool(false));
    }
    None
}

/// The UTF-8 of an exact `str` that has no lone surrogates; the object keeps it alive.
///
/// # Safety
/// 1. `object` is a live object for as long as the result is used, and the GIL is held.
#[inline]
pub(super) unsafe fn utf8<'a>(object: *mut ffi::PyObject) -> Option<&'a [u8]> {
    // SAFETY: (1) of this function.
    if unsafe { ffi::PyUnicode_CheckExact(object) } == 0 {
        return None;
    }
    let mut length: ffi::Py_ssize_t = 0;
    // SAFETY: (1) of this function, and the object is a str.
    let text = unsafe { ffi::PyUnicode_AsUTF8AndSize(object, &raw mut length) };
    if text.is_null() {
        // SAFETY: the GIL is held. Lone surrogates: the slow way stores them as WTF-8.
        unsafe { ffi::PyErr_Clear() };
        return None;
    }
    // SAFETY: CPython caches `length` bytes in the object, which lives as (1) says and never
    // changes its text.
    Some(unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length.cast_unsigned()) })
}

/// The object for a number or a bool; `None` for any other value.
#[inline]
pub(super) fn plain<'py>(py: Python<'py>, value: &Value) -> Option<Bound<'py, PyAny>> {
    Some(match *value {
        Value::Int(number) => number.into_pyobject(py).ok()?.into_any(),
        Value::Float(number) => PyFloat::new(py, number).into_any(),
        Value::Bool(flag) => pyo3::types::PyBool::new(py, flag).to_owned().into_any(),
        _ => return None,
    })
}
