//! Raw slots for the hot paths: indexing, membership, iteration and the shortest methods without argument
//! tuples, borrow flags or intermediate values.
//!
//! The classes are ordinary `#[pyclass]`es; [`install`] puts a quicker function in front of some of
//! their slots and methods. A quick function handles the common case (an exact `int` or `str` index, a value
//! that lives in its cell, a shared object that has a proxy) and leaves everything else, errors
//! included, to the function that was there before. So a slot can be taken out again without a
//! change of meaning. None of them runs Python code between a read and its use.
//!
//! Invariants on which the `unsafe` blocks here rely:
//! 1. The interpreter calls a slot with the GIL held, and with valid, live objects as arguments.
//! 2. The first argument of a slot is an instance of the class in which the slot is installed, or
//!    of a subclass; the classes are `frozen`, so a shared reference to their content is sound.
//! 3. A slot returns a new reference, or null with an exception set.

pub(crate) mod ahead;
pub(crate) mod array;
mod blocks;
pub(crate) mod buffer;
pub(crate) mod bytes;
pub(crate) mod class;
pub(crate) mod dict;
pub(crate) mod fields;
pub(crate) mod flat;
mod hand;
pub(crate) mod hook;
pub(crate) mod identity;
pub(crate) mod list;
mod methods;
mod recent;
pub(crate) mod record;
pub(crate) mod scalar;
pub(crate) mod shell;
mod text;

use pyo3::PyClass;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;

use crate::dict::SharedDict;
use crate::list::SharedList;
use crate::record::SharedStruct;
use crate::set::SharedSet;
use crate::sync::{Lock, RLock, RwLockSide, Semaphore, Turn};

/// Puts the quick functions in place. Runs once, before any instance exists.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    shm_core::set_wait_hook(hook::without_gil);
    scalar::install(py)?;
    list::install(py);
    dict::install(py);
    record::install(py);
    methods::install(py)?;
    ahead::install(py);
    shell::install::<SharedList>(py);
    shell::install::<SharedDict>(py);
    shell::install::<SharedSet>(py);
    shell::install::<SharedStruct>(py);
    blocks::install::<Lock>(py)?;
    blocks::install::<RLock>(py)?;
    blocks::install::<Semaphore>(py)?;
    blocks::install::<RwLockSide>(py)?;
    blocks::install::<Turn>(py)
}

/// The Rust content of an instance.
///
/// # Safety
/// 1. `object` is a live instance of `T` (or of a subclass) for as long as the result is used.
/// 2. The GIL is held.
#[inline]
unsafe fn content<'a, T: PyClass<Frozen = True> + Sync>(object: *mut ffi::PyObject) -> &'a T {
    // SAFETY: (2) of this function.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: (1) of this function: an object has an address.
    unsafe { std::hint::assert_unchecked(!object.is_null()) };
    // SAFETY: (1) of this function; the reference is not counted and not kept beyond the call.
    let any = unsafe { Borrowed::<'a, '_, PyAny>::from_ptr(py, object) };
    // SAFETY: (1) of this function.
    let instance = unsafe { any.cast_unchecked::<T>() };
    let content: *const T = instance.get();
    // SAFETY: (1) of this function: the content lives in the object.
    unsafe { &*content }
}

/// The type object of a class, to change its slots.
fn type_of<T: PyClass>(py: Python<'_>) -> *mut ffi::PyTypeObject {
    py.get_type::<T>().as_type_ptr()
}

/// Reports a failed operation as a slot does that returns an int.
#[cold]
fn failed(error: shm_core::Error) -> std::ffi::c_int {
    Python::attach(|py| crate::error::raise(error).restore(py));
    -1
}
