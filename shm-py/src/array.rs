//! `Array`: a shared array of numbers.
//!
//! Here is what needs no numpy: the buffer of the elements, single elements as Python numbers (`number`),
//! and how it is made (`make`). Views, operators and the methods of numpy's arrays are added in `shm_py/_array.py`.
//!
//! Other code of this process may be storing into the elements through a view at any time. Each view that
//! is known is counted, and while there is any, the array is not freed and the segment not closed. Some
//! consumers keep an address and a reference to the array instead: as long as it may have such, memory that
//! was freed goes with the array's last reference.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::exceptions::{PyBufferError, PyIndexError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyEllipsis, PyInt, PySlice, PyTuple};
use shm_core::{Array, Error, Value};

use crate::common;
use crate::error::OrRaise;
use crate::home::{Handle, Home, Proxy};
use crate::slots::array as slot;
use crate::slots::buffer::ArrayBytes;

mod make;
mod number;

pub(crate) use make::{copied_in, is_of_numpy, new_array};

/// An array of numbers in shared memory; made by `seg.array(...)` or by storing one of numpy's.
#[pyclass(name = "Array", module = "shm_py", frozen, weakref)]
pub(crate) struct SharedArray {
    handle: Handle<Array>,
    /// Views that are alive.
    views: AtomicUsize,
    /// There was a view: somebody may have kept its address.
    was_viewed: AtomicBool,
}

impl Proxy for SharedArray {
    type Core = Array;

    fn create(py: Python<'_>, handle: Handle<Array>) -> PyResult<Bound<'_, Self>> {
        let views = AtomicUsize::new(0);
        Bound::new(py, Self { handle, views, was_viewed: AtomicBool::new(false) })
    }

    fn handle(&self) -> &Handle<Array> {
        &self.handle
    }
}

impl SharedArray {
    fn core(&self) -> &Array {
        &self.handle.core
    }

    /// Where the elements are, and how many bytes.
    pub(crate) fn elements(&self) -> PyResult<(*const u8, usize)> {
        match self.core().address() {
            Ok(address) => Ok((address, self.core().nbytes())),
            Err(Error::InvalidArgument { what }) => Err(PyBufferError::new_err(what)),
            Err(error) => Err(error).or_raise(),
        }
    }

    /// Its shape as buffers have it.
    pub(crate) fn extents(&self) -> PyResult<Vec<ffi::Py_ssize_t>> {
        let extents = self.core().shape().iter().map(|extent| ffi::Py_ssize_t::try_from(*extent));
        Ok(extents.collect::<Result<_, _>>()?)
    }

    /// Bytes of an element.
    pub(crate) fn width(&self) -> u64 {
        self.core().dtype().size()
    }

    pub(crate) fn is_readonly(&self) -> bool {
        self.handle.home.segment.is_readonly()
    }

    /// How many views of it are alive.
    pub(crate) fn views(&self) -> usize {
        self.views.load(Ordering::Relaxed)
    }

    /// Its shape and type, in a repr without the elements.
    pub(crate) fn described(&self, py: Python<'_>) -> PyResult<String> {
        let shape = PyTuple::new(py, self.core().shape())?;
        Ok(format!("Array({}, {:.40})", shape.repr()?, self.core().dtype().name()))
    }

    pub(crate) fn view_taken(&self) {
        self.was_viewed.store(true, Ordering::Relaxed);
        self.views.fetch_add(1, Ordering::Relaxed);
        self.handle.home.view_taken();
    }

    pub(crate) fn view_returned(&self) {
        self.views.fetch_sub(1, Ordering::Relaxed);
        self.handle.home.view_returned();
    }

    /// `seg.free(array)`. Keeps the GIL, so that no other thread of Python is in the middle of a store.
    pub(crate) fn free(&self, home: &Home, value: &Value) -> PyResult<()> {
        let unviewed = || match self.views.load(Ordering::Relaxed) {
            0 => Ok(()),
            views => Err(PyBufferError::new_err(format!(
                "the array has {views} living views (numpy arrays, memoryviews): delete them before \
                 freeing it"
            ))),
        };
        unviewed()?;
        home.segment.free(value).or_raise()?;
        // Waiting for the writer lock lets other threads run: one of them may have taken a view before
        // the array was marked. None can since.
        if self.was_viewed.load(Ordering::Relaxed) || unviewed().is_err() {
            return Ok(());
        }
        // The proxy's handle and the value's.
        self.core().give_back(2).or_raise().map(drop)
    }

    /// The place that a key names, if it is that of one element.
    fn place(&self, key: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        let shape = self.core().shape();
        if let Ok(keys) = key.cast_exact::<PyTuple>() {
            if keys.len() != shape.len() {
                return Ok(None);
            }
            let mut place = 0;
            for (axis, (key, extent)) in keys.iter().zip(shape).enumerate() {
                match self.position(&key, axis, *extent)? {
                    Some(index) => place = place * *extent as usize + index,
                    None => return Ok(None),
                }
            }
            return Ok(Some(place));
        }
        match shape {
            [extent] => self.position(key, 0, *extent),
            _ => Ok(None),
        }
    }

    /// The index that a key means on an axis; `None` for what is no integer.
    fn position(
        &self,
        key: &Bound<'_, PyAny>,
        axis: usize,
        extent: u64,
    ) -> PyResult<Option<usize>> {
        if key.is_exact_instance_of::<PySlice>() || key.is_exact_instance_of::<PyEllipsis>() {
            return Ok(None);
        }
        if !key.is_exact_instance_of::<PyInt>() {
            // numpy's integers are no int; its arrays of one have `__index__` too, and bools mean a mask.
            let is_index = key.hasattr("__index__")?
                && !key.is_instance_of::<PyBool>()
                && !key.hasattr("__len__")?;
            if !is_index {
                return Ok(None);
            }
        }
        let index = common::index(key, "array")?;
        if let Some(place) = common::within(index, extent as usize) {
            return Ok(Some(place));
        }
        self.core().check().or_raise()?;
        Err(PyIndexError::new_err(format!(
            "index {index} is out of bounds for axis {axis} with size {extent}"
        )))
    }
}

/// What `shm_py/_array.py` does.
fn helper<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("shm_py._array")?.getattr(name)
}

#[pymethods]
impl SharedArray {
    /// How many elements there are in each dimension.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.core().check().or_raise()?;
        PyTuple::new(py, self.core().shape())
    }

    /// How many dimensions there are.
    #[getter]
    fn ndim(&self) -> PyResult<usize> {
        self.core().check().or_raise()?;
        Ok(self.core().shape().len())
    }

    /// How many elements there are in all.
    #[getter]
    fn size(&self) -> PyResult<usize> {
        self.core().check().or_raise()?;
        Ok(self.core().len())
    }

    /// Bytes of an element.
    #[getter]
    fn itemsize(&self) -> PyResult<u64> {
        self.core().check().or_raise()?;
        Ok(self.core().dtype().size())
    }

    /// Bytes of all elements.
    #[getter]
    fn nbytes(&self) -> PyResult<usize> {
        self.core().check().or_raise()?;
        Ok(self.core().nbytes())
    }

    /// The number of the type, 0 if it is described, and its name or description.
    #[getter]
    fn _type(&self) -> PyResult<(u8, &str)> {
        self.core().check().or_raise()?;
        Ok((self.core().dtype().code(), self.core().dtype().name()))
    }

    /// All elements as bytes.
    fn _bytes(slf: &Bound<'_, Self>) -> PyResult<ArrayBytes> {
        ArrayBytes::new(slf)
    }

    /// The first elements, at most so many, as Python numbers.
    fn _first<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let numbers = (0..self.core().len().min(most)).map(|place| self.number(py, place));
        Ok(numbers.collect::<PyResult<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// Stores an element by its place and bits.
    fn _store(&self, place: usize, bits: u64) -> PyResult<()> {
        self.core().set_bits(place, [bits, 0]).or_raise()
    }

    /// The place of the one element that a key names.
    fn _place(&self, key: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        self.place(key)
    }

    fn __len__(&self) -> PyResult<usize> {
        self.core().check().or_raise()?;
        let length = self.core().shape().first().copied();
        let length = length.ok_or_else(|| PyTypeError::new_err("len() of unsized object"))?;
        Ok(length as usize)
    }

    fn __getitem__<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let (py, this) = (slf.py(), slf.get());
        if let Some(place) = this.place(key)?
            && let Some(number) = this.number(py, place)?
        {
            return Ok(number);
        }
        GET.get_or_try_init(py, || helper(py, "_get").map(Bound::unbind))?
            .bind(py)
            .call1((slf, key))
    }

    fn __setitem__(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let this = slf.get();
        if let Some(place) = this.place(key)?
            && let Some(bits) = this.bits(value)?
        {
            return this.core().set_bits(place, bits).or_raise();
        }
        helper(slf.py(), "_set")?.call1((slf, key, value)).map(drop)
    }

    /// Tell everybody who waits for a change of this array that it has changed: stores do not.
    fn notify(&self) -> PyResult<()> {
        self.core().notify().or_raise()
    }

    /// # Safety
    /// 1. `view` is a buffer that the interpreter asks to be filled.
    #[allow(clippy::needless_pass_by_value, reason = "the signature of the slot")]
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let Some(format) = slf.get().format() else {
            // SAFETY: (1) of this function. Nobody is to release anything.
            unsafe { (*view).obj = std::ptr::null_mut() };
            let name = slf.get().core().dtype().name();
            return Err(PyBufferError::new_err(format!(
                "elements of {name:.60} have no format of a buffer: use array[...], which is numpy's"
            )));
        };
        // SAFETY: (1) of this function.
        unsafe { slot::fill(&slf, view, flags, format) }?;
        slf.get().view_taken();
        Ok(())
    }

    /// # Safety
    /// 1. The buffer was filled by `__getbuffer__` of this object.
    unsafe fn __releasebuffer__(&self, view: *mut ffi::Py_buffer) {
        // SAFETY: (1) of this function; the interpreter releases a buffer once.
        unsafe { slot::release(view) };
        self.view_returned();
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        common::reduce(slf)
    }
}
