//! `ByteArray`: a shared bytearray.
//!
//! What changes it is one operation of the core each. What only reads goes through a built-in
//! copy: the many methods of that sort (`find`, `split`, ...) are added in `shm_py/_bytes.py`.

use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::{PyBufferError, PyIndexError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PySlice, PyTuple};
use shm_core::{ByteArray, Error, Value};

use crate::common::{self, Place, Slice};
use crate::error::{self, OrRaise};
use crate::home::{Handle, Proxy};
use crate::slots::buffer;

/// A bytearray in shared memory; made by `seg.bytearray(...)` or by storing a built-in one.
#[pyclass(name = "ByteArray", module = "shm_py", frozen, weakref, sequence)]
pub(crate) struct SharedByteArray {
    handle: Handle<ByteArray>,
}

impl Proxy for SharedByteArray {
    type Core = ByteArray;

    fn create(py: Python<'_>, handle: Handle<ByteArray>) -> PyResult<Bound<'_, Self>> {
        Bound::new(py, Self { handle })
    }

    fn handle(&self) -> &Handle<ByteArray> {
        &self.handle
    }
}

/// The bytes of anything that `bytearray` takes.
pub(crate) fn content(source: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(bytes) = source.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().to_vec());
    }
    if let Ok(shared) = source.cast_exact::<SharedByteArray>() {
        return shared.get().core().to_vec().or_raise();
    }
    let built_in = source.py().get_type::<PyByteArray>().call1((source,))?;
    Ok(built_in.cast_into::<PyByteArray>()?.to_vec())
}

/// The bytes of a bytes-like object or an iterable of ints; an int is no size here.
fn elements(source: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let is_index = source.hasattr("__index__")? && PyMemoryView::from(source).is_err();
    if is_index && source.try_iter().is_err() {
        let given = source.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "a bytes-like object or an iterable of ints is needed, not {given}"
        )));
    }
    content(source)
}

fn byte(value: &Bound<'_, PyAny>) -> PyResult<u8> {
    let Ok(number) = value.extract::<i64>() else {
        if value.hasattr("__index__")? {
            return Err(PyValueError::new_err("byte must be in range(0, 256)"));
        }
        let given = value.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "a byte is an int in range(0, 256), not {given}"
        )));
    };
    u8::try_from(number).map_err(|_| PyValueError::new_err("byte must be in range(0, 256)"))
}

impl SharedByteArray {
    fn core(&self) -> &ByteArray {
        &self.handle.core
    }

    fn length(&self) -> PyResult<usize> {
        self.core().len().or_raise()
    }

    fn take(&self, index: i64) -> shm_core::Result<u8> {
        match Place::of(index) {
            Place::Front(at) => self.core().remove(at),
            Place::Back(back) => self.core().remove_from_end(back),
        }
    }

    fn plain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyByteArray>> {
        Ok(PyByteArray::new(py, &self.core().to_vec().or_raise()?))
    }

    /// A built-in operand: a shared bytearray is copied, anything else is as it is.
    fn operand<'py>(other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match other.cast_exact::<SharedByteArray>() {
            Ok(shared) => Ok(shared.get().plain(other.py())?.into_any()),
            Err(_) => Ok(other.clone()),
        }
    }
}

#[pymethods]
impl SharedByteArray {
    fn __len__(&self) -> PyResult<usize> {
        self.length()
    }

    fn __getitem__<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        if let Ok(slice) = key.cast::<PySlice>() {
            let Slice { start, stop, step } = common::slice(slice)?;
            let bytes = self.core().slice(start, stop, step).or_raise()?;
            return Ok(PyByteArray::new(py, &bytes).into_any());
        }
        let index = common::index(key, "bytearray")?;
        let byte = match Place::of(index) {
            Place::Front(at) => self.core().get(at),
            Place::Back(back) => self.core().get_from_end(back),
        };
        let Some(byte) = byte.or_raise()? else {
            let len = self.length()? as u64;
            return Err(error::raise(Error::IndexOutOfRange { what: "bytearray", index, len }));
        };
        Ok(byte.into_pyobject(py)?.into_any())
    }

    fn __setitem__(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(slice) = key.cast::<PySlice>() {
            let Slice { start, stop, step } = common::slice(slice)?;
            let bytes = elements(value)?;
            // As in the built-in, nothing removes what an extended slice selects too.
            if bytes.is_empty() {
                return self.core().del_slice(start, stop, step).or_raise();
            }
            return self.core().set_slice(start, stop, step, &bytes).or_raise();
        }
        let (index, byte) = (common::index(key, "bytearray")?, byte(value)?);
        let done = match Place::of(index) {
            Place::Front(at) => self.core().set(at, byte),
            Place::Back(back) => self.core().set_from_end(back, byte),
        };
        done.or_raise()
    }

    fn __delitem__(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(slice) = key.cast::<PySlice>() {
            let Slice { start, stop, step } = common::slice(slice)?;
            return self.core().del_slice(start, stop, step).or_raise();
        }
        self.take(common::index(key, "bytearray")?).or_raise().map(drop)
    }

    fn __contains__(&self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.plain(value.py())?.contains(Self::operand(value)?)
    }

    fn __iter__(slf: Bound<'_, Self>) -> ByteArrayIterator {
        ByteArrayIterator { bytes: slf.unbind(), next: AtomicUsize::new(0) }
    }

    /// A private copy, as of this moment.
    ///
    /// # Safety
    /// 1. `view` is a buffer that the interpreter asks to be filled.
    #[allow(clippy::needless_pass_by_value, reason = "the signature of the slot")]
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        // SAFETY: (1) of this function. Of a buffer that is refused nobody is to release anything.
        unsafe { (*view).obj = std::ptr::null_mut() };
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE {
            return Err(PyBufferError::new_err(
                "a ByteArray, which other processes resize, has no writable buffer: assign to a slice \
                 of it, or use seg.array(size, 'u1')",
            ));
        }
        let content = slf.get().core().to_vec().or_raise()?;
        // SAFETY: (1) of this function.
        unsafe { buffer::fill_copy(slf.as_any(), content, view, flags) }
    }

    /// # Safety
    /// 1. The buffer was filled by `__getbuffer__` of this object.
    #[allow(clippy::unused_self, reason = "the signature of the slot")]
    unsafe fn __releasebuffer__(&self, view: *mut ffi::Py_buffer) {
        // SAFETY: (1) of this function; the interpreter releases a buffer once.
        unsafe { buffer::release_copy(view) }
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.core().to_vec().or_raise()?))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        common::repr(py, &self.handle.home, "ByteArray", &Value::ByteArray(self.core().clone()))
    }

    fn __richcmp__(&self, other: &Bound<'_, PyAny>, operator: CompareOp) -> PyResult<Py<PyAny>> {
        let py = other.py();
        // The built-in says itself what it compares with.
        let method = match operator {
            CompareOp::Lt => "__lt__",
            CompareOp::Le => "__le__",
            CompareOp::Eq => "__eq__",
            CompareOp::Ne => "__ne__",
            CompareOp::Gt => "__gt__",
            CompareOp::Ge => "__ge__",
        };
        Ok(self.plain(py)?.call_method1(method, (Self::operand(other)?,))?.unbind())
    }

    fn __add__<'py>(&self, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.plain(other.py())?.call_method1("__add__", (Self::operand(other)?,))
    }

    fn __radd__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = other.py();
        // `[1] += data` is the list's business.
        if PyMemoryView::from(other).is_err() {
            return Ok(py.NotImplemented());
        }
        Ok(other.add(self.plain(py)?)?.unbind())
    }

    fn __iadd__(&self, other: &Bound<'_, PyAny>) -> PyResult<()> {
        if PyMemoryView::from(other).is_err() {
            let given = other.get_type().name()?;
            return Err(PyTypeError::new_err(format!("can't concat {given} to ByteArray")));
        }
        self.extend(other)
    }

    fn __mul__<'py>(&self, count: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.plain(count.py())?.call_method1("__mul__", (count,))
    }

    fn __rmul__<'py>(&self, count: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.__mul__(count)
    }

    fn __imul__(&self, count: &Bound<'_, PyAny>) -> PyResult<()> {
        self.core().repeat(common::times(count)?).or_raise()
    }

    fn __mod__<'py>(&self, values: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.plain(values.py())?.call_method1("__mod__", (values,))
    }

    fn __rmod__<'py>(&self, values: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        values.rem(self.plain(values.py())?)
    }

    /// Append one byte.
    #[pyo3(signature = (item, /))]
    fn append(&self, item: &Bound<'_, PyAny>) -> PyResult<()> {
        self.core().push(byte(item)?).or_raise()
    }

    /// Append all bytes of a bytes-like object or an iterable of ints.
    #[pyo3(signature = (iterable_of_ints, /))]
    fn extend(&self, iterable_of_ints: &Bound<'_, PyAny>) -> PyResult<()> {
        self.core().extend(&elements(iterable_of_ints)?).or_raise()
    }

    /// Insert one byte before `index`.
    #[pyo3(signature = (index, item, /))]
    fn insert(&self, index: &Bound<'_, PyAny>, item: &Bound<'_, PyAny>) -> PyResult<()> {
        let (index, byte) = (common::narrow_index(index)?, byte(item)?);
        let done = match Place::of(index) {
            Place::Front(at) => self.core().insert(at, byte),
            Place::Back(back) => self.core().insert_from_end(back, byte),
        };
        done.or_raise()
    }

    /// Remove and return the byte at `index` (by default the last).
    #[pyo3(signature = (index=-1, /), text_signature = "($self, index=-1, /)")]
    fn pop(&self, index: i64) -> PyResult<u8> {
        self.take(index).map_err(|error| match error {
            Error::IndexOutOfRange { len: 0, .. } => {
                PyIndexError::new_err("pop from empty bytearray")
            }
            Error::IndexOutOfRange { .. } => PyIndexError::new_err("pop index out of range"),
            other => error::raise(other),
        })
    }

    /// Remove the first byte that is equal to `value`; `ValueError` if there is none.
    #[pyo3(signature = (value, /))]
    fn remove(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let wanted = byte(value)?;
        let mut found = false;
        let without = |mut bytes: Vec<u8>| {
            if let Some(at) = bytes.iter().position(|byte| *byte == wanted) {
                found = true;
                bytes.remove(at);
            }
            bytes
        };
        self.core().update(without).or_raise()?;
        if found {
            return Ok(());
        }
        Err(PyValueError::new_err("value not found in bytearray"))
    }

    /// Reverse in place.
    fn reverse(&self) -> PyResult<()> {
        self.core().reverse().or_raise()
    }

    /// Remove all bytes.
    fn clear(&self) -> PyResult<()> {
        self.core().clear().or_raise()
    }

    /// A built-in bytearray with the same content.
    fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyByteArray>> {
        self.plain(py)
    }

    /// A built-in bytearray with the same content.
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyByteArray>> {
        self.plain(py)
    }

    fn __copy__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyByteArray>> {
        self.plain(py)
    }

    fn __deepcopy__<'py>(&self, memo: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyByteArray>> {
        self.plain(memo.py())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        common::reduce(slf)
    }
}

/// Iterates over a `ByteArray`.
#[pyclass(name = "ByteArrayIterator", module = "shm_py._native", frozen)]
pub(crate) struct ByteArrayIterator {
    bytes: Py<SharedByteArray>,
    /// The next index; `usize::MAX` after the end.
    next: AtomicUsize,
}

#[pymethods]
impl ByteArrayIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<u8>> {
        let index = self.next.load(Ordering::Relaxed);
        if index == usize::MAX {
            return Ok(None);
        }
        let byte = self.bytes.bind(py).get().core().get(index).or_raise()?;
        let next = if byte.is_some() { index + 1 } else { usize::MAX };
        self.next.store(next, Ordering::Relaxed);
        Ok(byte)
    }

    fn __length_hint__(&self, py: Python<'_>) -> PyResult<usize> {
        let length = self.bytes.bind(py).get().length()?;
        Ok(length.saturating_sub(self.next.load(Ordering::Relaxed)))
    }
}
