//! The buffer of a vector's elements: numpy's way to them, without a copy.

use std::ffi::c_int;
use std::sync::Arc;

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use shm_core::ByteArray;

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
