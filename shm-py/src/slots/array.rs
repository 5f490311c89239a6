//! The buffer of an array: its elements where they are, with their shape and format.

use std::ffi::{CStr, c_int, c_void};

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::array::SharedArray;

/// What a buffer points to besides the elements, for as long as it is not released.
struct Shape {
    extents: Vec<ffi::Py_ssize_t>,
    strides: Vec<ffi::Py_ssize_t>,
}

/// Fills a buffer with an array's elements. Invariant 1: they stay where they are for as long as the
/// array's handle pins them; addresses of a segment stay mapped for as long as the process lives (see
/// `sys::mapping`). So the pointer is good for as long as `array`.
///
/// # Safety
/// 1. `view` is a buffer that the interpreter asks to be filled.
pub(crate) unsafe fn fill(
    array: &Bound<'_, SharedArray>,
    view: *mut ffi::Py_buffer,
    flags: c_int,
    format: &'static CStr,
) -> PyResult<()> {
    // SAFETY: (1) of this function. Of a buffer that is refused nobody is to release anything.
    unsafe { (*view).obj = std::ptr::null_mut() };
    let this = array.get();
    let (pointer, bytes) = this.elements()?;
    let readonly = this.is_readonly();
    if readonly && flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE {
        return Err(PyBufferError::new_err("the segment is attached read-only"));
    }
    let extents = this.extents()?;
    let wants_fortran = flags & ffi::PyBUF_F_CONTIGUOUS == ffi::PyBUF_F_CONTIGUOUS
        && flags & ffi::PyBUF_C_CONTIGUOUS != ffi::PyBUF_C_CONTIGUOUS;
    if wants_fortran && extents.iter().filter(|extent| **extent > 1).count() > 1 {
        return Err(PyBufferError::new_err("the array is in C order, not in Fortran's"));
    }
    let length = ffi::Py_ssize_t::try_from(bytes)?;
    let itemsize = ffi::Py_ssize_t::try_from(this.width())?;
    let mut strides = vec![itemsize; extents.len()];
    for index in (1..extents.len()).rev() {
        strides[index - 1] = strides[index] * extents[index];
    }
    let dimensions = c_int::try_from(extents.len())?;
    let mut shape = Box::new(Shape { extents, strides });
    // One element has no shape.
    let with = |flag: c_int| flags & flag == flag;
    let has = |flag: c_int| with(flag) && dimensions > 0;
    let filled = ffi::Py_buffer {
        buf: pointer.cast_mut().cast::<c_void>(),
        obj: array.clone().into_any().into_ptr(),
        len: length,
        itemsize,
        readonly: c_int::from(readonly),
        ndim: dimensions,
        format: if with(ffi::PyBUF_FORMAT) {
            format.as_ptr().cast_mut()
        } else {
            std::ptr::null_mut()
        },
        shape: if has(ffi::PyBUF_ND) { shape.extents.as_mut_ptr() } else { std::ptr::null_mut() },
        strides: if has(ffi::PyBUF_STRIDES) {
            shape.strides.as_mut_ptr()
        } else {
            std::ptr::null_mut()
        },
        suboffsets: std::ptr::null_mut(),
        internal: Box::into_raw(shape).cast::<c_void>(),
    };
    // SAFETY: (1) of this function. What the fields point to lives until the buffer is released: the
    // elements by invariant 1, because `obj` is a reference to the array; the shape by `internal`.
    unsafe { view.write(filled) };
    Ok(())
}

/// Frees what a buffer has besides the elements.
///
/// # Safety
/// 1. The buffer was filled by [`fill`], and is released once.
pub(crate) unsafe fn release(view: *mut ffi::Py_buffer) {
    // SAFETY: (1) of this function.
    let view = unsafe { &mut *view };
    let internal = std::mem::replace(&mut view.internal, std::ptr::null_mut());
    if !internal.is_null() {
        // SAFETY: (1) of this function: `fill` put a box there, and nobody else takes it.
        drop(unsafe { Box::from_raw(internal.cast::<Shape>()) });
    }
}
