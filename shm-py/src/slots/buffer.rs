//! Buffers of bytes: a vector's elements and an array's where they are, a bytearray's copied.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use shm_core::ByteArray;

use crate::array::SharedArray;
use crate::error::OrRaise;
use crate::home::Home;

/// The elements of a vector as they are stored, until it grows.
///
/// Invariant 1: `storage` is a vector's storage, whose bytes never move and are not given to anyone
/// else while this handle pins it; addresses of a segment stay mapped for as long as the process
/// lives (see `sys::mapping`). So the pointer is good for as long as the object.
#[pyclass(name = "_VecBytes", module = "shm_py._native", frozen)]
pub(crate) struct VecBytes {
    storage: ByteArray,
    home: Arc<Home>,
}

impl VecBytes {
    pub(crate) fn new(storage: ByteArray, home: Arc<Home>) -> Self {
        Self { storage, home }
    }
}

#[pymethods]
impl VecBytes {
    /// # Safety
    /// 1. `view` is a buffer that the interpreter asks to be filled.
    #[allow(clippy::needless_pass_by_value, reason = "the signature of the slot")]
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let this = slf.get();
        let (pointer, bytes) = this.storage.address().or_raise()?;
        // An empty buffer needs an address too.
        let pointer = if bytes == 0 { std::ptr::from_ref(this).cast() } else { pointer };
        let readonly = c_int::from(this.home.segment.is_readonly());
        let length = ffi::Py_ssize_t::try_from(bytes)
            .map_err(|_| PyBufferError::new_err("the vector is too long for a buffer"))?;
        // SAFETY: (1) of this function, and invariant 1: the bytes live as long as `slf`, to which
        // the call takes a reference that the view holds.
        let done = unsafe {
            ffi::PyBuffer_FillInfo(
                view,
                slf.as_ptr(),
                pointer.cast_mut().cast(),
                length,
                readonly,
                flags,
            )
        };
        if done == 0 {
            this.home.view_taken();
            return Ok(());
        }
        Err(PyErr::take(slf.py()).unwrap_or_else(|| PyBufferError::new_err("no buffer")))
    }

    /// # Safety
    /// 1. The buffer was filled by `__getbuffer__` of this object.
    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        self.home.view_returned();
    }
}

/// Fills a buffer with a private copy, which is freed with it.
///
/// # Safety
/// 1. `view` is a buffer that the interpreter asks to be filled.
pub(crate) unsafe fn fill_copy(
    owner: &Bound<'_, PyAny>,
    content: Vec<u8>,
    view: *mut ffi::Py_buffer,
    flags: c_int,
) -> PyResult<()> {
    let mut content = Box::new(content);
    let length = ffi::Py_ssize_t::try_from(content.len())?;
    let pointer = content.as_mut_ptr().cast();
    // SAFETY: (1) of this function; the bytes are freed by `release_copy`, no sooner.
    let done = unsafe { ffi::PyBuffer_FillInfo(view, owner.as_ptr(), pointer, length, 1, flags) };
    if done != 0 {
        return Err(PyErr::take(owner.py()).unwrap_or_else(|| PyBufferError::new_err("no buffer")));
    }
    // SAFETY: (1) of this function.
    unsafe { (*view).internal = Box::into_raw(content).cast::<c_void>() };
    Ok(())
}

/// Frees the copy.
///
/// # Safety
/// 1. The buffer was filled by [`fill_copy`], and is released once.
pub(crate) unsafe fn release_copy(view: *mut ffi::Py_buffer) {
    // SAFETY: (1) of this function.
    let view = unsafe { &mut *view };
    let internal = std::mem::replace(&mut view.internal, std::ptr::null_mut());
    if !internal.is_null() {
        // SAFETY: (1) of this function: `fill_copy` put a box there, and nobody else takes it.
        drop(unsafe { Box::from_raw(internal.cast::<Vec<u8>>()) });
    }
}

/// Copies a part of a buffer's bytes out; whether they are there, and in a row.
pub(crate) fn copy_part(
    _py: Python<'_>,
    buffer: &PyBuffer<u8>,
    start: usize,
    out: &mut [u8],
) -> bool {
    let inside = start.checked_add(out.len()).is_some_and(|end| end <= buffer.len_bytes());
    if !buffer.is_c_contiguous() || !inside {
        return false;
    }
    let from = buffer.buf_ptr().cast::<u8>().wrapping_add(start);
    // SAFETY: the buffer's bytes lie in a row and are its owner's for as long as it is not released; so
    // many of them are inside. `out` is the caller's alone.
    unsafe { std::ptr::copy_nonoverlapping(from, out.as_mut_ptr(), out.len()) };
    true
}

/// All bytes of an array, whatever its elements are: for consumers that know these by other ways. Counts
/// as a view of the array for as long as it lives, since some consumers keep it and not its buffer.
#[pyclass(name = "_ArrayBytes", module = "shm_py._native", frozen)]
pub(crate) struct ArrayBytes {
    array: Py<SharedArray>,
}

impl ArrayBytes {
    pub(crate) fn new(array: &Bound<'_, SharedArray>) -> PyResult<Self> {
        array.get().elements()?;
        array.get().view_taken();
        Ok(Self { array: array.clone().unbind() })
    }
}

impl Drop for ArrayBytes {
    fn drop(&mut self) {
        self.array.get().view_returned();
    }
}

#[pymethods]
impl ArrayBytes {
    /// # Safety
    /// 1. `view` is a buffer that the interpreter asks to be filled.
    #[allow(clippy::needless_pass_by_value, reason = "the signature of the slot")]
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let array = slf.get().array.get();
        let (pointer, bytes) = array.elements()?;
        let length = ffi::Py_ssize_t::try_from(bytes)?;
        let readonly = c_int::from(array.is_readonly());
        // SAFETY: (1) of this function; the elements stay where they are for as long as `slf`, to which
        // the call takes a reference that the view holds, keeps the array.
        let done = unsafe {
            ffi::PyBuffer_FillInfo(
                view,
                slf.as_ptr(),
                pointer.cast_mut().cast(),
                length,
                readonly,
                flags,
            )
        };
        if done == 0 {
            return Ok(());
        }
        Err(PyErr::take(slf.py()).unwrap_or_else(|| PyBufferError::new_err("no buffer")))
    }
}
