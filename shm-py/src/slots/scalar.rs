//! Python objects for cells that hold their value themselves, and values for simple objects.

use std::ffi::c_int;
use std::sync::atomic::{AtomicIsize, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyString};
use shm_core::Value;
use shm_core::cell::{Cell, View};

use crate::slots::recent;

/// The object for a value that lives in its cell: the recent or a new one.
#[inline]
pub(crate) fn immediate(py: Python<'_>, cell: Cell) -> Option<Bound<'_, PyAny>> {
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

/// The str of the first bytes of a buffer, if they are UTF-8.
#[inline]
pub(super) fn text<'py>(
    py: Python<'py>,
    buffer: &[u8],
    length: usize,
) -> Option<Bound<'py, PyAny>> {
    let text = std::str::from_utf8(buffer.get(..length)?).ok()?;
    Some(PyString::new(py, text).into_any())
}

/// What an `int` with one digit has in front of it if it is positive, and what 0 has: up to 3.11 the
/// number of digits, from 3.12 on that above bit 3 and the sign (0, zero 1, negative 2) below.
/// Matches nothing in an interpreter of unknown layout.
static POSITIVE: AtomicIsize = AtomicIsize::new(isize::MIN);
static ZERO: AtomicIsize = AtomicIsize::new(isize::MIN);

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
    let (positive, zero) = match (version.major, version.minor) {
        _ if info.getattr("sizeof_digit")?.extract::<u8>()? != 4 => return Ok(()),
        (3, 9..=11) => (1, 0),
        (3, 12..=14) => (8, 1),
        _ => return Ok(()),
    };
    POSITIVE.store(positive, Ordering::Relaxed);
    ZERO.store(zero, Ordering::Relaxed);
    Ok(())
}

/// The number of an `int` that is positive and has one digit, or is 0.
///
/// # Safety
/// 1. `object` is a live int and the GIL is held.
#[inline]
pub(super) unsafe fn one_digit(object: *mut ffi::PyObject) -> Option<u64> {
    let number = object.cast::<OneDigit>().cast_const();
    // SAFETY: (1) of this function, and every int has this field.
    let head = unsafe { (*number).size_or_tag };
    if head == POSITIVE.load(Ordering::Relaxed) {
        // SAFETY: as above; the head says that there is one digit.
        return Some(u64::from(unsafe { (*number).digit }));
    }
    (head == ZERO.load(Ordering::Relaxed)).then_some(0)
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
    let number = object.cast::<OneDigit>().cast_const();
    // SAFETY: (1) of this function, and every int has this field.
    let head = unsafe { (*number).size_or_tag };
    if head == POSITIVE.load(Ordering::Relaxed) {
        // SAFETY: as above; the head says that there is one digit.
        return Some(i64::from(unsafe { (*number).digit }));
    }
    if head == ZERO.load(Ordering::Relaxed) {
        return Some(0);
    }
    // SAFETY: (1) of this function, and the object is an int.
    unsafe { wide_int(object) }
}

/// The number of an `int` of at most 64 bits, asked of the interpreter.
///
/// # Safety
/// 1. `object` is a live int and the GIL is held.
#[inline(never)]
unsafe fn wide_int(object: *mut ffi::PyObject) -> Option<i64> {
    let mut overflow: c_int = 0;
    // SAFETY: (1) of this function; for an int no exception is ever set.
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

/// A simple index that does not count from the end.
///
/// # Safety
/// 1. `object` is a live object and the GIL is held.
#[inline]
pub(super) unsafe fn index(object: *mut ffi::PyObject) -> Option<usize> {
    // SAFETY: (1) of this function.
    if unsafe { ffi::PyLong_CheckExact(object) } == 0 {
        return None;
    }
    // SAFETY: (1) of this function, and the object is an int.
    unsafe { one_digit(object) }.map(|index| index as usize)
}

/// The cell of an object that needs no more than a cell and no look at other types.
///
/// # Safety
/// 1. `object` is a live object and the GIL is held.
#[inline]
pub(super) unsafe fn cell(object: *mut ffi::PyObject) -> Option<Cell> {
    // SAFETY: (1) of this function.
    if unsafe { ffi::PyLong_CheckExact(object) } != 0 {
        // SAFETY: (1) of this function, and the object is an int.
        return Cell::int(unsafe { one_digit(object) }?.cast_signed());
    }
    // SAFETY: (1) of this function.
    if unsafe { ffi::PyFloat_CheckExact(object) } != 0 {
        // SAFETY: (1) of this function, and the object is a float.
        return Cell::float(unsafe { ffi::PyFloat_AS_DOUBLE(object) });
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
