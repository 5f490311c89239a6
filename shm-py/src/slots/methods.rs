//! Methods that are called by the million: `append`, `pop`, `add`, `get`.
//!
//! A method of a `#[pyclass]` is called with a list of arguments that may have names, which the interpreter
//! does not specialise. Here each has a function of fixed arguments in front, as a method descriptor of the same
//! name and documentation. It does the usual case (numbers, exact types, no negative index) and hands
//! everything else to the function that was there before, with the same arguments.

use std::ffi::CStr;
use std::sync::OnceLock;

use pyo3::PyClass;
use pyo3::ffi;
use pyo3::prelude::*;
use shm_core::AtHand;
use shm_core::cell::Cell;

use super::class::{self, Function};
use super::{content, dict, hand, scalar, type_of};
use crate::dict::SharedDict;
use crate::home::Proxy;
use crate::list::SharedList;
use crate::set::SharedSet;

/// The function that a quick one is in front of.
struct Behind(OnceLock<ffi::PyCFunctionFastWithKeywords>);

impl Behind {
    const fn new() -> Self {
        Behind(OnceLock::new())
    }

    /// Calls it.
    ///
    /// # Safety
    /// 1. Invariants 1 and 2 of `slots` hold for `this`, and there are `count` arguments.
    #[inline(never)]
    unsafe fn call(
        &self,
        this: *mut ffi::PyObject,
        arguments: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
    ) -> *mut ffi::PyObject {
        match self.0.get() {
            // SAFETY: (1) of this function, and no argument has a name.
            Some(function) => unsafe { function(this, arguments, count, std::ptr::null_mut()) },
            None => std::ptr::null_mut(),
        }
    }

    /// Calls it after a store at hand that was not done.
    ///
    /// # Safety
    /// 1. As for `call`.
    #[inline(never)]
    unsafe fn call_after(
        &self,
        this: *mut ffi::PyObject,
        arguments: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
    ) -> *mut ffi::PyObject {
        // SAFETY: (1) of this function.
        let called = unsafe { self.call(this, arguments, count) };
        // SAFETY: (1) of this function: the GIL is held.
        hand::take(unsafe { Python::assume_attached() });
        called
    }
}

static APPEND: Behind = Behind::new();
static POP: Behind = Behind::new();
static ADD_TO_ITEM: Behind = Behind::new();
static ADD_TO_VALUE: Behind = Behind::new();
static ADD_MEMBER: Behind = Behind::new();
static GET: Behind = Behind::new();

/// Puts the quick functions in front. Runs once, before any instance exists.
pub(super) fn install(py: Python<'_>) -> PyResult<()> {
    front::<SharedList>(py, c"append", one(append), ffi::METH_O, &APPEND)?;
    front::<SharedList>(py, c"pop", several(pop), ffi::METH_FASTCALL, &POP)?;
    front::<SharedList>(py, c"add", several(add_to_item), ffi::METH_FASTCALL, &ADD_TO_ITEM)?;
    front::<SharedDict>(py, c"add", several(add_to_value), ffi::METH_FASTCALL, &ADD_TO_VALUE)?;
    front::<SharedDict>(py, c"get", several(get), ffi::METH_FASTCALL, &GET)?;
    front::<SharedSet>(py, c"add", one(add_member), ffi::METH_O, &ADD_MEMBER)
}

/// A function of one argument.
const fn one(function: ffi::PyCFunction) -> ffi::PyMethodDefPointer {
    ffi::PyMethodDefPointer { PyCFunction: function }
}

/// A function of several arguments.
const fn several(function: ffi::PyCFunctionFast) -> ffi::PyMethodDefPointer {
    ffi::PyMethodDefPointer { PyCFunctionFast: function }
}

/// Puts a function in front of a method.
fn front<T: PyClass>(
    py: Python<'_>,
    name: &CStr,
    quick: ffi::PyMethodDefPointer,
    flags: std::ffi::c_int,
    behind: &'static Behind,
) -> PyResult<()> {
    let class = py.get_type::<T>();
    let name = name.to_string_lossy();
    let former = class.getattr(&*name)?;
    let (Some(definition), Some(Function::Fast(function))) =
        (class::definition(&former), class::function_of(&former))
    else {
        return Ok(());
    };
    if behind.0.set(function).is_err() {
        return Ok(());
    }
    let definition = ffi::PyMethodDef { ml_meth: quick, ml_flags: flags, ..definition };
    let definition: &'static mut ffi::PyMethodDef = Box::leak(Box::new(definition));
    // SAFETY: the class and the definition live for ever, and the GIL is held.
    let made = unsafe { ffi::PyDescr_NewMethod(type_of::<T>(py), definition) };
    // SAFETY: a new reference, or null with an exception set.
    class.setattr(&*name, unsafe { Bound::from_owned_ptr_or_err(py, made) }?)
}

/// The arguments of a call.
///
/// # Safety
/// 1. There are `count` of them, alive as long as the result is used.
#[inline]
unsafe fn slice<'a>(
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> &'a [*mut ffi::PyObject] {
    // SAFETY: (1) of this function.
    if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(arguments, count as usize) } }
}

/// The object of an integer that was stored.
#[inline]
fn integer(py: Python<'_>, number: i64) -> Option<*mut ffi::PyObject> {
    scalar::immediate(py, Cell::int(number)?).map(Bound::into_ptr)
}

/// The number that an `add` adds, which may be left out.
///
/// # Safety
/// 1. The argument, if there is one, is a live object, and the GIL is held.
#[inline]
unsafe fn delta(argument: Option<&*mut ffi::PyObject>) -> Option<i64> {
    match argument {
        None => Some(1),
        // SAFETY: (1) of this function.
        Some(number) => unsafe { scalar::small_int(*number) },
    }
}

/// `list.append(object)`
unsafe extern "C" fn append(
    list: *mut ffi::PyObject,
    object: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: invariant 1 of `slots`.
    if let Some(cell) = unsafe { scalar::cell(object) } {
        // SAFETY: invariants 1 and 2 of `slots`.
        let core = &unsafe { content::<SharedList>(list) }.handle().core;
        // SAFETY: invariant 1 of `slots`: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let at_hand = |hand: &AtHand| core.push_at_hand(hand, cell);
        if hand::store(py, at_hand, || core.wake()).is_some() {
            return py.None().into_ptr();
        }
        // SAFETY: invariants 1 and 2 of `slots`, and it is one argument.
        return unsafe { APPEND.call_after(list, &raw const object, 1) };
    }
    // SAFETY: invariants 1 and 2 of `slots`, and it is one argument.
    unsafe { APPEND.call(list, &raw const object, 1) }
}

/// `list.pop(index=-1)`
unsafe extern "C" fn pop(
    list: *mut ffi::PyObject,
    arguments: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    if count == 0 {
        // SAFETY: invariants 1 and 2 of `slots`.
        let core = &unsafe { content::<SharedList>(list) }.handle().core;
        // SAFETY: invariant 1 of `slots`: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        if let Some(cell) = hand::store(py, |hand| core.pop_at_hand(hand), || core.wake()) {
            return scalar::immediate(py, cell).map_or(std::ptr::null_mut(), Bound::into_ptr);
        }
        // SAFETY: invariants 1 and 2 of `slots`.
        return unsafe { POP.call_after(list, arguments.cast_const(), count) };
    }
    // SAFETY: invariants 1 and 2 of `slots`.
    unsafe { POP.call(list, arguments.cast_const(), count) }
}

/// `list.add(index, delta=1)`
unsafe extern "C" fn add_to_item(
    list: *mut ffi::PyObject,
    arguments: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter says how many there are.
    if let [index, rest @ ..] = unsafe { slice(arguments, count) }
        && rest.len() < 2
        // SAFETY: invariant 1 of `slots`.
        && let Some(index) = unsafe { scalar::index(*index) }
        // SAFETY: invariant 1 of `slots`.
        && let Some(delta) = unsafe { delta(rest.first()) }
    {
        // SAFETY: invariants 1 and 2 of `slots`.
        let core = &unsafe { content::<SharedList>(list) }.handle().core;
        // SAFETY: invariant 1 of `slots`: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let at_hand = |hand: &AtHand| core.add_at_hand(hand, index, delta);
        if let Some(sum) = hand::store(py, at_hand, || core.wake()) {
            return integer(py, sum).unwrap_or(std::ptr::null_mut());
        }
        // SAFETY: invariants 1 and 2 of `slots`.
        return unsafe { ADD_TO_ITEM.call_after(list, arguments.cast_const(), count) };
    }
    // SAFETY: invariants 1 and 2 of `slots`.
    unsafe { ADD_TO_ITEM.call(list, arguments.cast_const(), count) }
}

/// `dict.add(key, delta=1)`
unsafe extern "C" fn add_to_value(
    this: *mut ffi::PyObject,
    arguments: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: invariants 1 and 2 of `slots`.
    let shared = unsafe { content::<SharedDict>(this) }.handle();
    // SAFETY: the interpreter says how many there are.
    if let [key, rest @ ..] = unsafe { slice(arguments, count) }
        && rest.len() < 2
        // SAFETY: invariant 1 of `slots`.
        && let Some(key) = unsafe { dict::key(*key, &shared.home) }
        // SAFETY: invariant 1 of `slots`.
        && let Some(delta) = unsafe { delta(rest.first()) }
    {
        // SAFETY: invariant 1 of `slots`: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let at_hand = |hand: &AtHand| shared.core.add_at_hand(hand, &key, delta);
        if let Some(sum) = hand::store(py, at_hand, || shared.core.wake()) {
            return integer(py, sum).unwrap_or(std::ptr::null_mut());
        }
        // SAFETY: invariants 1 and 2 of `slots`.
        return unsafe { ADD_TO_VALUE.call_after(this, arguments.cast_const(), count) };
    }
    // SAFETY: invariants 1 and 2 of `slots`.
    unsafe { ADD_TO_VALUE.call(this, arguments.cast_const(), count) }
}

/// `dict.get(key, default=None)`
unsafe extern "C" fn get(
    this: *mut ffi::PyObject,
    arguments: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter says how many there are.
    if let [key, rest @ ..] = unsafe { slice(arguments, count) }
        && rest.len() < 2
    {
        // SAFETY: invariant 1 of `slots`: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        // SAFETY: invariant 1 of `slots`; not kept beyond the call.
        let key = unsafe { Bound::from_borrowed_ptr(py, *key) };
        // SAFETY: invariants 1 and 2 of `slots`.
        if let Some(found) = dict::probe(unsafe { content::<SharedDict>(this) }, &key) {
            return found.into_ptr();
        }
    }
    // SAFETY: invariants 1 and 2 of `slots`.
    unsafe { GET.call(this, arguments.cast_const(), count) }
}

/// `set.add(member)`
unsafe extern "C" fn add_member(
    set: *mut ffi::PyObject,
    member: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: invariants 1 and 2 of `slots`.
    let shared = unsafe { content::<SharedSet>(set) }.handle();
    // SAFETY: invariant 1 of `slots`.
    if let Some(key) = unsafe { dict::key(member, &shared.home) } {
        // SAFETY: invariant 1 of `slots`: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let at_hand = |hand: &AtHand| shared.core.add_at_hand(hand, &key);
        if hand::store(py, at_hand, || shared.core.wake()).is_some() {
            return py.None().into_ptr();
        }
        // SAFETY: invariants 1 and 2 of `slots`, and it is one argument.
        return unsafe { ADD_MEMBER.call_after(set, &raw const member, 1) };
    }
    // SAFETY: invariants 1 and 2 of `slots`, and it is one argument.
    unsafe { ADD_MEMBER.call(set, &raw const member, 1) }
}
