//! Looking a name up in a class, as the interpreter does for an instance: along its bases, and by the
//! rules of descriptors. Nothing of the class is run but the descriptor that is asked for.

use std::ffi::c_int;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};

/// What a class or one of its bases other than `object` has under a name.
pub(crate) fn attribute<'py>(
    class: &Bound<'py, PyType>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = class.py();
    let mro = class.mro();
    for base in mro.iter_borrowed() {
        let base = base.as_ptr().cast::<ffi::PyTypeObject>();
        if std::ptr::eq(base, &raw const ffi::PyBaseObject_Type) {
            break;
        }
        // SAFETY: what is in a type's mro is a type, which `mro` keeps alive.
        let dict = unsafe { (*base).tp_dict };
        // SAFETY: a type's own dict, or null; the GIL is held.
        let Some(dict) = (unsafe { Bound::from_borrowed_ptr_or_opt(py, dict) }) else { continue };
        // SAFETY: a type's own dict is an exact dict.
        let dict = unsafe { dict.cast_unchecked::<PyDict>() };
        if let Some(found) = dict.get_item(name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Whether it is where a class keeps one of its `__slots__`.
pub(crate) fn is_member(found: &Bound<'_, PyAny>) -> bool {
    std::ptr::eq(found.get_type_ptr(), &raw const ffi::PyMemberDescr_Type)
}

/// Whether it goes before what an instance has: a property and the like.
pub(crate) fn is_data_descriptor(found: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the type of a living object.
    let slot = unsafe { (*found.get_type_ptr()).tp_descr_set };
    slot.is_some() && !is_member(found)
}

/// What it is as an attribute of an instance.
pub(crate) fn bind<'py>(
    found: &Bound<'py, PyAny>,
    instance: &Bound<'py, PyAny>,
    class: &Bound<'py, PyType>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the type of a living object.
    let Some(get) = (unsafe { (*found.get_type_ptr()).tp_descr_get }) else {
        return Ok(found.clone());
    };
    // SAFETY: the slot of the object's type, with living objects; the GIL is held.
    let bound = unsafe { get(found.as_ptr(), instance.as_ptr(), class.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(found.py(), bound) }
}

/// Sets (or, with nothing, deletes) the attribute that a data descriptor stands for.
pub(crate) fn assign(
    found: &Bound<'_, PyAny>,
    instance: &Bound<'_, PyAny>,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    // SAFETY: the type of a living object.
    let Some(set) = (unsafe { (*found.get_type_ptr()).tp_descr_set }) else { return Ok(()) };
    let value = value.map_or(std::ptr::null_mut(), Bound::as_ptr);
    // SAFETY: the slot of the object's type, with living objects or null; the GIL is held.
    match unsafe { set(found.as_ptr(), instance.as_ptr(), value) } {
        0 => Ok(()),
        _ => Err(PyErr::fetch(found.py())),
    }
}

/// Whether its instances may have any attribute.
pub(crate) fn has_dict(class: &Bound<'_, PyType>) -> bool {
    /// Of types whose instances keep their dict before themselves.
    const MANAGED_DICT: std::ffi::c_ulong = 1 << 4;
    // SAFETY: the type is alive.
    let offset = unsafe { (*class.as_type_ptr()).tp_dictoffset };
    // SAFETY: the type is alive.
    let flags = unsafe { ffi::PyType_GetFlags(class.as_type_ptr()) };
    offset != 0 || flags & MANAGED_DICT != 0
}

/// A function, by how it is called.
#[derive(Clone, Copy)]
pub(super) enum Function {
    NoArguments(ffi::PyCFunction),
    Fast(ffi::PyCFunctionFastWithKeywords),
}

/// The definition of a method; `None` if it is of another kind than the interpreter makes of functions.
pub(super) fn definition(descriptor: &Bound<'_, PyAny>) -> Option<ffi::PyMethodDef> {
    if !std::ptr::eq(descriptor.get_type_ptr(), &raw const ffi::PyMethodDescr_Type) {
        return None;
    }
    // SAFETY: what has that type is one of these.
    let method = unsafe { (*descriptor.as_ptr().cast::<ffi::PyMethodDescrObject>()).d_method };
    // SAFETY: a method's definition is constant and lives as long as its class.
    Some(unsafe { *method })
}

/// What a descriptor of a method calls; `None` if it is another way than those that are known here.
pub(super) fn function_of(descriptor: &Bound<'_, PyAny>) -> Option<Function> {
    const FAST: c_int = ffi::METH_FASTCALL | ffi::METH_KEYWORDS;
    let ffi::PyMethodDef { ml_meth, ml_flags, .. } = definition(descriptor)?;
    match ml_flags {
        // SAFETY: the flags say that it is one of those.
        ffi::METH_NOARGS => Some(Function::NoArguments(unsafe { ml_meth.PyCFunction })),
        // SAFETY: as above.
        FAST => Some(Function::Fast(unsafe { ml_meth.PyCFunctionFastWithKeywords })),
        _ => None,
    }
}
