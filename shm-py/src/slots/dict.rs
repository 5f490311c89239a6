//! Slots of `Dict`.

use std::ffi::c_int;
use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;
use shm_core::{AtHand, Error, Key, Seen, TEXT_LIMIT};

use crate::convert;
use crate::dict::SharedDict;
use crate::home::{Handle, Home, Proxy};
use crate::kinds::SharedOrderedDict;
use crate::slots::{content, failed, hand, scalar, text, type_of};

static GET: OnceLock<ffi::binaryfunc> = OnceLock::new();
static SET: OnceLock<ffi::objobjargproc> = OnceLock::new();
static CONTAINS: OnceLock<ffi::objobjproc> = OnceLock::new();

/// Puts the quick functions in front of the slots.
pub(super) fn install(py: Python<'_>) {
    let class = type_of::<SharedDict>(py);
    // SAFETY: a heap type has its own mapping table, which lives as long as the type.
    let mapping = unsafe { (*class).tp_as_mapping };
    // SAFETY: as above; nothing else uses the class yet.
    let mapping = unsafe { &mut *mapping };
    if let (Some(get), Some(set)) = (mapping.mp_subscript, mapping.mp_ass_subscript)
        && GET.set(get).is_ok()
        && SET.set(set).is_ok()
    {
        mapping.mp_subscript = Some(subscript);
        mapping.mp_ass_subscript = Some(assign);
    }
    // An ordered dict has them from the class above, as they were.
    let class = type_of::<SharedOrderedDict>(py);
    // SAFETY: a heap type has its own mapping table, which lives as long as the type.
    let ordered = unsafe { (*class).tp_as_mapping };
    // SAFETY: as above; nothing else uses the class yet.
    let ordered = unsafe { &mut *ordered };
    ordered.mp_subscript = mapping.mp_subscript;
    ordered.mp_ass_subscript = mapping.mp_ass_subscript;
    let class = type_of::<SharedDict>(py);
    // SAFETY: a heap type has its own sequence table, which lives as long as the type.
    let sequence = unsafe { (*class).tp_as_sequence };
    // SAFETY: as above; nothing else uses the class yet.
    let sequence = unsafe { &mut *sequence };
    if let Some(found) = sequence.sq_contains
        && CONTAINS.set(found).is_ok()
    {
        sequence.sq_contains = Some(contains);
    }
}

/// The key for a look-up: an exact `int` of 64 bits or an exact `str` without lone surrogates.
///
/// # Safety
/// 1. `object` is a live object for as long as the result is used, and the GIL is held.
#[inline]
pub(super) unsafe fn key<'a>(object: *mut ffi::PyObject, home: &Home) -> Option<Key<'a>> {
    // SAFETY: (1) of this function.
    if let Some(utf8) = unsafe { scalar::utf8(object) } {
        // SAFETY: (1) of this function.
        let py = unsafe { Python::assume_attached() };
        // SAFETY: (1) of this function; not kept beyond the call.
        let object = unsafe { Borrowed::from_ptr(py, object) };
        return Some(Key::hashed_text(utf8, text::hash(&object, utf8, home)));
    }
    // SAFETY: (1) of this function.
    unsafe { scalar::small_int(object) }.map(Key::from)
}

/// The value of a simple key, if it can be had quickly.
#[inline]
pub(crate) fn probe<'py>(
    dict: &SharedDict,
    key_object: &Bound<'py, PyAny>,
) -> Option<Bound<'py, PyAny>> {
    if let Some(found) = dict.body().item(key_object) {
        return Some(found);
    }
    probe_in(dict.handle(), key_object)
}

/// The same of what has a dict.
#[inline]
pub(crate) fn probe_in<'py>(
    dict: &Handle<shm_core::Dict>,
    key_object: &Bound<'py, PyAny>,
) -> Option<Bound<'py, PyAny>> {
    // SAFETY: the caller's reference keeps the object alive, and `Bound` proves the GIL.
    let key = unsafe { key(key_object.as_ptr(), &dict.home) }?;
    let py = key_object.py();
    match dict.core.look(&key, |cell| dict.home.identity.find(py, cell.0)) {
        Some(Seen::Cell(cell)) => scalar::immediate(py, cell),
        Some(Seen::Known(living)) => Some(living),
        Some(Seen::New(new)) => convert::met(py, &dict.home, new).ok(),
        Some(Seen::Text) => text_of(py, dict, &key),
        None => fetched(py, dict, &key),
    }
}

/// The value of a key that is a text in a block.
#[inline(never)]
fn text_of<'py>(
    py: Python<'py>,
    dict: &Handle<shm_core::Dict>,
    key: &Key<'_>,
) -> Option<Bound<'py, PyAny>> {
    let mut buffer = [0; TEXT_LIMIT];
    let length = dict.core.text_at(key, &mut buffer);
    let text = length.and_then(|length| scalar::text(py, &buffer, length));
    text.or_else(|| fetched(py, dict, key))
}

/// The value of a key that has no object yet.
#[inline(never)]
fn fetched<'py>(
    py: Python<'py>,
    dict: &Handle<shm_core::Dict>,
    key: &Key<'_>,
) -> Option<Bound<'py, PyAny>> {
    convert::to_python(py, &dict.home, dict.core.fetch(key)?).ok()
}

/// `dict[key]`
unsafe extern "C" fn subscript(
    dict: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: invariant 1 of `slots`.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: invariants 1 and 2 of `slots`.
    let this = unsafe { content::<SharedDict>(dict) };
    // SAFETY: invariant 1 of `slots`; the reference is given back when `key_object` is dropped.
    let key_object = unsafe { Bound::from_borrowed_ptr(py, key) };
    if let Some(found) = probe(this, &key_object) {
        return found.into_ptr();
    }
    match GET.get() {
        // SAFETY: the slot's own arguments, passed on.
        Some(slow) => unsafe { slow(dict, key) },
        None => std::ptr::null_mut(),
    }
}

/// `dict[key] = value` and, with a null value, `del dict[key]`
unsafe extern "C" fn assign(
    dict: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> c_int {
    if !value.is_null() {
        // SAFETY: invariants 1 and 2 of `slots`.
        match unsafe { set(dict, key, value) } {
            Some(Ok(())) => return 0,
            // The slow way says more about it.
            None | Some(Err(Error::IndexOutOfRange { .. })) => {}
            Some(Err(error)) => return failed(error),
        }
    }
    match SET.get() {
        // SAFETY: the slot's own arguments, passed on.
        Some(slow) => unsafe { slow(dict, key, value) },
        None => -1,
    }
}

/// # Safety
/// 1. Invariants 1 and 2 of `slots` hold for the arguments.
#[inline]
unsafe fn set(
    dict: *mut ffi::PyObject,
    object: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> Option<shm_core::Result<()>> {
    // SAFETY: (1) of this function.
    let dict = unsafe { content::<SharedDict>(dict) }.handle();
    // SAFETY: (1) of this function.
    let key = unsafe { key(object, &dict.home) }?;
    // SAFETY: (1) of this function: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: (1) of this function.
    if let Some(cell) = unsafe { scalar::cell(value) } {
        let at_hand = |hand: &AtHand| dict.core.set_at_hand(hand, &key, cell);
        if hand::store(py, at_hand, || dict.core.wake()).is_some() {
            return Some(Ok(()));
        }
    }
    // SAFETY: (1) of this function.
    let value = unsafe { scalar::simple(value) }?;
    let done = dict.core.set(key, value);
    hand::take(py);
    Some(done)
}

/// `key in dict`
unsafe extern "C" fn contains(dict: *mut ffi::PyObject, object: *mut ffi::PyObject) -> c_int {
    // SAFETY: invariants 1 and 2 of `slots`.
    let this = unsafe { content::<SharedDict>(dict) };
    // SAFETY: invariant 1 of `slots`.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: invariant 1 of `slots`; not kept beyond the call.
    let key_object = unsafe { Borrowed::from_ptr(py, object) };
    if let Some(found) = this.body().contains(&key_object) {
        return c_int::from(found);
    }
    let this = this.handle();
    // SAFETY: invariant 1 of `slots`.
    if let Some(key) = unsafe { key(object, &this.home) }
        && let Ok(found) = this.core.contains_key(key)
    {
        return c_int::from(found);
    }
    match CONTAINS.get() {
        // SAFETY: the slot's own arguments, passed on.
        Some(slow) => unsafe { slow(dict, object) },
        None => -1,
    }
}
