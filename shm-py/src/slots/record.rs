//! Slots of `Struct`: attributes that are fields.

use std::ffi::c_int;
use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyString};
use shm_core::Record;
use shm_core::cell::Cell;

use crate::convert;
use crate::home::Proxy;
use crate::record::SharedStruct;
use crate::slots::fields::{Known, Number};
use crate::slots::{content, scalar, type_of};

static GET: OnceLock<ffi::getattrofunc> = OnceLock::new();
static SET: OnceLock<ffi::setattrofunc> = OnceLock::new();

/// Puts the quick functions in front of the slots.
pub(super) fn install(py: Python<'_>) {
    let class = type_of::<SharedStruct>(py);
    // SAFETY: the class is alive and nothing else uses it yet.
    let slot = unsafe { &mut (*class).tp_getattro };
    if let Some(get) = *slot
        && GET.set(get).is_ok()
    {
        *slot = Some(attribute);
    }
    // SAFETY: as above.
    let slot = unsafe { &mut (*class).tp_setattro };
    if let Some(set) = *slot
        && SET.set(set).is_ok()
    {
        *slot = Some(assign);
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
    let this = unsafe { content::<SharedStruct>(object) };
    if let Some(field) = this.fields().find(name) {
        // SAFETY: invariant 1 of `slots`: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let core = &this.handle().core;
        // A constant size makes the shortest way.
        let found = match (field.number, field.size) {
            (Number::F64, _) => core.bits_at(field.plain, 8).map(|bits| float(py, bits)),
            (Number::Signed, 8) => {
                core.bits_at(field.plain, 8).and_then(|bits| integer(py, bits.cast_signed()))
            }
            (Number::Unsigned, 8) => match core.bits_at(field.plain, 8).map(i64::try_from) {
                Some(Ok(number)) => integer(py, number),
                _ => other(py, field, core),
            },
            _ => other(py, field, core),
        };
        if let Some(found) = found {
            return found.into_ptr();
        }
    }
    // SAFETY: invariants 1 and 2 of `slots`.
    unsafe { attribute_slowly(object, name) }
}

/// As [`attribute`], for what is no number field or not as usual.
///
/// # Safety
/// 1. Invariants 1 and 2 of `slots` hold for the arguments.
#[cold]
#[inline(never)]
unsafe fn attribute_slowly(
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

/// A float, the same object again if this one was read lately.
#[inline]
fn float(py: Python<'_>, bits: u64) -> Bound<'_, PyAny> {
    let number = f64::from_bits(bits);
    if let Some(cell) = Cell::float(number)
        && let Some(found) = scalar::immediate(py, cell)
    {
        return found;
    }
    PyFloat::new(py, number).into_any()
}

/// An int, the same object again if this one was read lately.
#[inline]
fn integer(py: Python<'_>, number: i64) -> Option<Bound<'_, PyAny>> {
    match Cell::int(number) {
        Some(cell) => scalar::immediate(py, cell),
        None => Some(number.into_pyobject(py).ok()?.into_any()),
    }
}

/// A field of any type of number.
#[inline(never)]
fn other<'py>(py: Python<'py>, field: &Known, core: &Record) -> Option<Bound<'py, PyAny>> {
    let bits = core.bits_at(field.plain, field.size)?;
    match field.number {
        Number::F64 => Some(float(py, bits)),
        Number::F32 => Some(float(py, f64::from(f32::from_bits(bits as u32)).to_bits())),
        Number::Bool => Some(PyBool::new(py, bits != 0).to_owned().into_any()),
        Number::Signed => {
            let unused = 64 - 8 * field.size as u32;
            integer(py, bits.cast_signed() << unused >> unused)
        }
        Number::Unsigned => match i64::try_from(bits) {
            Ok(number) => integer(py, number),
            Err(_) => Some(bits.into_pyobject(py).ok()?.into_any()),
        },
    }
}

/// `struct.name = value`, `del struct.name`
unsafe extern "C" fn assign(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> c_int {
    // SAFETY: invariants 1 and 2 of `slots`.
    let this = unsafe { content::<SharedStruct>(object) };
    if !value.is_null()
        && let Some(field) = this.fields().find(name)
        && !field.readonly
        // SAFETY: invariant 1 of `slots`, and the value is none but null.
        && let Some(bits) = unsafe { bits_of(field, value) }
    {
        let core = &this.handle().core;
        // A constant size makes the shortest way.
        let done = match field.size {
            8 => core.store_at(field.plain, 8, bits),
            size => core.store_at(field.plain, size, bits),
        };
        if done.is_some() {
            return 0;
        }
    }
    match SET.get() {
        // SAFETY: the slot's own arguments, passed on.
        Some(slow) => unsafe { slow(object, name, value) },
        None => -1,
    }
}

/// The bits of a simple object that fits a field; `None` leaves it to the long way.
///
/// # Safety
/// 1. `value` is a live object and the GIL is held.
#[inline]
unsafe fn bits_of(field: &Known, value: *mut ffi::PyObject) -> Option<u64> {
    match field.number {
        Number::F64 | Number::F32 => {
            // SAFETY: (1) of this function.
            let is_float = unsafe { ffi::PyFloat_CheckExact(value) } != 0;
            if !is_float {
                return None;
            }
            // SAFETY: (1) of this function, and the object is a float.
            let number = unsafe { ffi::PyFloat_AS_DOUBLE(value) };
            if matches!(field.number, Number::F64) {
                return Some(number.to_bits());
            }
            #[allow(clippy::cast_possible_truncation, reason = "a field of f32 rounds")]
            let small = number as f32;
            Some(u64::from(small.to_bits()))
        }
        Number::Bool => {
            // SAFETY: (1) of this function: the interpreter runs, so its singletons exist.
            let yes = unsafe { ffi::Py_True() };
            // SAFETY: as above.
            let no = unsafe { ffi::Py_False() };
            if value == yes { Some(1) } else { (value == no).then_some(0) }
        }
        Number::Signed => {
            // SAFETY: (1) of this function.
            let number = unsafe { scalar::small_int(value) }?;
            let unused = 64 - 8 * field.size as u32;
            (number << unused >> unused == number).then_some(number.cast_unsigned())
        }
        Number::Unsigned => {
            // SAFETY: (1) of this function.
            let number = u64::try_from(unsafe { scalar::small_int(value) }?).ok()?;
            let unused = 64 - 8 * field.size as u32;
            (number << unused >> unused == number).then_some(number)
        }
    }
}
