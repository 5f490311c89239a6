//! Slots of `Struct`: attributes that are fields.

use std::ffi::c_int;
use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyString};
use shm_core::cell::Cell;
use shm_core::{AtHand, Record};

use crate::convert;
use crate::home::Proxy;
use crate::record::SharedStruct;
use crate::slots::fields::{Known, Number};
use crate::slots::hand;
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

/// What `object.__setattr__` does.
pub(crate) fn generic_assign(
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    // SAFETY: all are live objects, and `Bound` proves the GIL.
    let done =
        unsafe { ffi::PyObject_GenericSetAttr(object.as_ptr(), name.as_ptr(), value.as_ptr()) };
    if done == 0 { Ok(()) } else { Err(PyErr::fetch(object.py())) }
}

/// `struct.name`
unsafe extern "C" fn attribute(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: invariants 1 and 2 of `slots`.
    let this = unsafe { content::<SharedStruct>(object) };
    if let Some(field) = this.fields().glance(name)
        && let Some(word) = this.handle().core.word_at(field.word)
    {
        // SAFETY: invariant 1 of `slots`: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let bits = word & field.mask;
        return match field.recent.find(py, bits) {
            Some(found) => found.into_ptr(),
            // SAFETY: invariant 1 of `slots`: the GIL is held.
            None => unsafe { number(field, bits) },
        };
    }
    // SAFETY: invariants 1 and 2 of `slots`.
    unsafe { attribute_slowly(object, name) }
}

/// The object for a number field's bits, null with an exception set if there is no memory for it.
///
/// # Safety
/// 1. The GIL is held.
#[inline(never)]
unsafe extern "C" fn number(field: &Known, bits: u64) -> *mut ffi::PyObject {
    // SAFETY: (1) of this function.
    let py = unsafe { Python::assume_attached() };
    let found = object_of(py, field, bits);
    if let Some(found) = &found {
        field.recent.remember(bits, found);
    }
    found.map_or(std::ptr::null_mut(), Bound::into_ptr)
}

/// As [`attribute`], for what is not as usual.
///
/// # Safety
/// 1. Invariants 1 and 2 of `slots` hold for the arguments.
#[cold]
#[inline(never)]
unsafe extern "C" fn attribute_slowly(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: (1) of this function.
    let this = unsafe { content::<SharedStruct>(object) };
    if let Some(field) = this.fields().find(name)
        && let Some(word) = this.handle().core.word_at(field.word)
    {
        // SAFETY: (1) of this function: the GIL is held.
        return unsafe { number(field, word & field.mask) };
    }
    // SAFETY: (1) of this function.
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

/// A number field's object.
#[inline]
fn object_of<'py>(py: Python<'py>, field: &Known, bits: u64) -> Option<Bound<'py, PyAny>> {
    let bits = bits >> field.shift;
    match field.number {
        Number::F64 => Some(float(py, bits)),
        Number::F32 => Some(float(py, f64::from(f32::from_bits(bits as u32)).to_bits())),
        Number::Bool => Some(PyBool::new(py, bits != 0).to_owned().into_any()),
        Number::Signed => integer(py, bits.cast_signed() << field.unused >> field.unused),
        Number::Unsigned => match i64::try_from(bits) {
            Ok(number) => integer(py, number),
            Err(_) => Some(bits.into_pyobject(py).ok()?.into_any()),
        },
    }
}

/// `struct.name = value`, `del struct.name`
///
/// What is not as usual is the last step of this function, and goes by C's calling convention: so this one
/// keeps nothing on the stack.
unsafe extern "C" fn assign(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> c_int {
    // SAFETY: invariants 1 and 2 of `slots`.
    let this = unsafe { content::<SharedStruct>(object) };
    if !value.is_null()
        && let Some(field) = this.fields().glance(name)
        // SAFETY: invariant 1 of `slots`, and the value is none but null.
        && let Some(bits) = unsafe { word_of(field, value) }
    {
        // SAFETY: invariant 1 of `slots`: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let core = &this.handle().core;
        let stored = hand::with(py, |hand| core.set_at_hand(hand, field.word, u64::MAX, bits));
        if stored.awaited {
            // SAFETY: the slot's own arguments, passed on.
            return unsafe { assign_awaited(object, name, value, stored.done.is_some()) };
        }
        if stored.done.is_some() {
            return 0;
        }
    }
    // SAFETY: the slot's own arguments, passed on.
    unsafe { assign_slowly(object, name, value) }
}

/// The rest of [`assign`] where somebody waits.
///
/// # Safety
/// 1. Invariants 1 and 2 of `slots` hold for the first three arguments.
#[cold]
#[inline(never)]
unsafe extern "C" fn assign_awaited(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    done: bool,
) -> c_int {
    // SAFETY: (1) of this function.
    unsafe { content::<SharedStruct>(object) }.handle().core.wake();
    if done {
        return 0;
    }
    // SAFETY: (1) of this function.
    unsafe { assign_slowly(object, name, value) }
}

/// As [`assign`], for numbers of less than a word and what is not as usual.
///
/// # Safety
/// 1. Invariants 1 and 2 of `slots` hold for the arguments.
#[inline(never)]
unsafe extern "C" fn assign_slowly(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> c_int {
    // SAFETY: (1) of this function.
    let this = unsafe { content::<SharedStruct>(object) };
    if !value.is_null()
        && let Some(field) = this.fields().find(name)
        && !field.readonly
        // SAFETY: (1) of this function, and the value is none but null.
        && let Some(bits) = unsafe { bits_of(field, value) }
    {
        // SAFETY: (1) of this function: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        if store(py, &this.handle().core, field, bits << field.shift) {
            return 0;
        }
    }
    match SET.get() {
        // SAFETY: (1) of this function.
        Some(slow) => unsafe { slow(object, name, value) },
        None => -1,
    }
}

/// Sets a field that may be set; whether it is done.
fn store(py: Python<'_>, core: &Record, field: &Known, bits: u64) -> bool {
    let at_hand = |hand: &AtHand| core.set_at_hand(hand, field.word, field.mask, bits);
    if hand::store(py, at_hand, || core.wake()).is_some() {
        return true;
    }
    let done = core.store_at(field.word, field.mask, bits).is_some();
    hand::take(py);
    done
}

/// The bits of a simple object for a field that is a whole word.
///
/// # Safety
/// 1. `value` is a live object and the GIL is held.
#[inline]
unsafe fn word_of(field: &Known, value: *mut ffi::PyObject) -> Option<u64> {
    // SAFETY: (1) of this function.
    if unsafe { ffi::Py_TYPE(value) }.addr() != field.class {
        return None;
    }
    if field.is_float {
        // SAFETY: (1) of this function, and the object is a float.
        return Some(unsafe { ffi::PyFloat_AS_DOUBLE(value) }.to_bits());
    }
    // SAFETY: (1) of this function, and the object is an int.
    unsafe { scalar::one_digit(value) }
}

/// The bits of a simple object that fits a field; `None` leaves it to the long way.
///
/// # Safety
/// 1. `value` is a live object and the GIL is held.
unsafe fn bits_of(field: &Known, value: *mut ffi::PyObject) -> Option<u64> {
    match field.number {
        // SAFETY: (1) of this function.
        Number::F64 => unsafe { float_of(value) }.map(f64::to_bits),
        Number::F32 => {
            // SAFETY: (1) of this function.
            let number = unsafe { float_of(value) }?;
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
            (number << field.unused >> field.unused == number).then_some(number.cast_unsigned())
        }
        Number::Unsigned => {
            // SAFETY: (1) of this function.
            let number = u64::try_from(unsafe { scalar::small_int(value) }?).ok()?;
            (number << field.unused >> field.unused == number).then_some(number)
        }
    }
}

/// The number of an exact `float`.
///
/// # Safety
/// 1. `object` is a live object and the GIL is held.
#[inline]
unsafe fn float_of(object: *mut ffi::PyObject) -> Option<f64> {
    // SAFETY: (1) of this function.
    if unsafe { ffi::PyFloat_CheckExact(object) } == 0 {
        return None;
    }
    // SAFETY: (1) of this function, and the object is a float.
    Some(unsafe { ffi::PyFloat_AS_DOUBLE(object) })
}
