//! `Array`: a shared array of numbers.
//!
//! Here is what needs no numpy: the buffer of the elements, single elements as Python numbers, and how
//! it is made. Views, operators and the methods of numpy's arrays are added in `shm_py/_array.py`.
//!
//! Other code of this process may be storing into the elements through a view at any time. Each view that
//! is known is counted, and while there is any, the array is not freed and the segment not closed. Some
//! consumers keep an address and a reference to the array instead: as long as it may have such, memory that
//! was freed goes with the array's last reference.

use std::ffi::{CStr, c_int};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyIndexError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyComplex, PyEllipsis, PyFloat, PyInt, PySlice, PyString, PyTuple};
use shm_core::{Array, DType, Error, Value};

use crate::common;
use crate::error::OrRaise;
use crate::home::{Handle, Home, Proxy};
use crate::segment::SharedSegment;
use crate::slots::array as slot;
use crate::slots::buffer::{ArrayBytes, copy_part};

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

    /// The format of the elements in the words of `struct`, if they have one.
    fn format(&self) -> Option<&'static CStr> {
        Some(match self.core().dtype() {
            DType::Bool => c"?",
            DType::I8 => c"b",
            DType::U8 => c"B",
            DType::I16 => c"h",
            DType::U16 => c"H",
            DType::I32 => c"i",
            DType::U32 => c"I",
            DType::I64 => c"q",
            DType::U64 => c"Q",
            DType::F16 => c"e",
            DType::F32 => c"f",
            DType::F64 => c"d",
            DType::C64 => c"Zf",
            DType::C128 => c"Zd",
            _ => return None,
        })
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

    /// The bits of a Python number, if it is one that every array of the type takes.
    fn bits(&self, value: &Bound<'_, PyAny>) -> PyResult<Option<[u64; 2]>> {
        let dtype = self.core().dtype();
        let is_int = value.is_exact_instance_of::<PyInt>();
        let is_real = is_int || value.is_instance_of::<PyFloat>();
        Ok(match dtype {
            DType::Bool if is_int || value.is_exact_instance_of::<PyBool>() => {
                Some([u64::from(value.is_truthy()?), 0])
            }
            DType::I8 | DType::I16 | DType::I32 | DType::I64 if is_int => {
                let shift = 64 - dtype.size() as u32 * 8;
                let number = value.extract::<i64>().ok();
                let number = number.filter(|number| (number << shift) >> shift == *number);
                Some([number.ok_or_else(|| out_of_bounds(value, dtype))? as u64, 0])
            }
            DType::U8 | DType::U16 | DType::U32 | DType::U64 if is_int => {
                let most = u64::MAX >> (64 - dtype.size() * 8);
                let number = value.extract::<u64>().ok().filter(|number| *number <= most);
                Some([number.ok_or_else(|| out_of_bounds(value, dtype))?, 0])
            }
            #[allow(clippy::cast_possible_truncation, reason = "as numpy stores it")]
            DType::F32 if is_real => {
                Some([u64::from((value.extract::<f64>()? as f32).to_bits()), 0])
            }
            DType::F64 if is_real => Some([value.extract::<f64>()?.to_bits(), 0]),
            DType::C64 | DType::C128 if is_real || value.is_exact_instance_of::<PyComplex>() => {
                let real: f64 = value.getattr("real")?.extract()?;
                let imaginary: f64 = value.getattr("imag")?.extract()?;
                Some(if *dtype == DType::C128 {
                    [real.to_bits(), imaginary.to_bits()]
                } else {
                    #[allow(clippy::cast_possible_truncation, reason = "as numpy stores it")]
                    let parts = [real as f32, imaginary as f32].map(f32::to_bits).map(u64::from);
                    [parts[0] | (parts[1] << 32), 0]
                })
            }
            _ => None,
        })
    }

    /// The Python number of an element, if it is one.
    fn number<'py>(&self, py: Python<'py>, place: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let dtype = self.core().dtype();
        if matches!(dtype, DType::Described { .. }) {
            return Ok(None);
        }
        let bits = self.core().bits(place).or_raise()?;
        let low = bits[0];
        let float = |number: f64| PyFloat::new(py, number).into_any();
        let half = |word: u64| f64::from(f32::from_bits(word as u32));
        Ok(Some(match dtype {
            DType::Bool => PyBool::new(py, low != 0).to_owned().into_any(),
            DType::I8 => (low as i8).into_pyobject(py)?.into_any(),
            DType::I16 => (low as i16).into_pyobject(py)?.into_any(),
            DType::I32 => (low as i32).into_pyobject(py)?.into_any(),
            DType::I64 => (low as i64).into_pyobject(py)?.into_any(),
            DType::F16 => float(from_half(low as u16)),
            DType::F32 => float(half(low)),
            DType::F64 => float(f64::from_bits(low)),
            DType::C64 => PyComplex::from_doubles(py, half(low), half(low >> 32)).into_any(),
            DType::C128 => {
                PyComplex::from_doubles(py, f64::from_bits(low), f64::from_bits(bits[1])).into_any()
            }
            _ => low.into_pyobject(py)?.into_any(),
        }))
    }
}

fn out_of_bounds(value: &Bound<'_, PyAny>, dtype: &DType) -> PyErr {
    PyOverflowError::new_err(format!("Python integer {value} out of bounds for {}", dtype.name()))
}

/// A float of 16 bits.
fn from_half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from((bits >> 10) & 0x1F), f64::from(bits & 0x3FF));
    sign * match exponent {
        0 => fraction * 2.0_f64.powi(-24),
        0x1F if fraction == 0.0 => f64::INFINITY,
        0x1F => f64::NAN,
        _ => (1024.0 + fraction) * 2.0_f64.powi(exponent - 25),
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

/// A new array: of zeros, or of the bytes of `content`.
#[pyfunction]
#[pyo3(name = "_new_array", signature = (segment, shape, code, itemsize, text, content=None, /))]
#[allow(clippy::needless_pass_by_value, reason = "Python hands a list over")]
pub(crate) fn new_array<'py>(
    segment: &Bound<'py, SharedSegment>,
    shape: Vec<u64>,
    code: u8,
    itemsize: u32,
    text: &str,
    content: Option<PyBuffer<u8>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, home) = (segment.py(), &segment.get().home);
    let dtype = match DType::from_code(code) {
        Some(dtype) => dtype,
        None => DType::described(text, itemsize).or_raise()?,
    };
    let core = match content {
        None => py.detach(|| home.segment.array_of(dtype, &shape)).or_raise()?,
        Some(content) => {
            let wanted =
                (shape.iter()).try_fold(dtype.size(), |all, extent| all.checked_mul(*extent));
            if wanted != Some(content.len_bytes() as u64) {
                return Err(PyValueError::new_err("not as many bytes as the shape says"));
            }
            let filled = home.segment.array_filled(dtype, &shape, |start, bytes| {
                if copy_part(py, &content, start, bytes) {
                    return Ok(());
                }
                Err(Error::InvalidArgument { what: "the bytes are not in a row".to_owned() })
            });
            filled.or_raise()?
        }
    };
    home.adopt::<SharedArray>(py, core)
}

/// A copy of an array of numpy, or of `array.array`, or in words why there is none. `None`: the object is
/// no such array. Both are known by their exact type; a module that is not there yet has made none.
pub(crate) fn copied_in(
    home: &Arc<Home>,
    object: &Bound<'_, PyAny>,
) -> PyResult<Option<Result<Array, String>>> {
    let class = object.get_type();
    let module = match class.name()?.to_cow()?.as_ref() {
        "ndarray" => "numpy",
        "array" => "array",
        _ => return Ok(None),
    };
    if !module_class(object.py(), module, &class.name()?).is_some_and(|known| known.is(&class)) {
        return Ok(None);
    }
    let segment = Bound::new(object.py(), SharedSegment { home: Arc::clone(home) })?;
    let made = helper(object.py(), "_copied_in")?.call1((segment, object))?;
    if let Ok(why) = made.cast::<PyString>() {
        return Ok(Some(Err(why.to_cow()?.into_owned())));
    }
    let made = made.cast_into::<SharedArray>()?;
    Ok(Some(Ok(made.get().core().clone())))
}

/// Whether it is of a subclass of numpy's arrays.
pub(crate) fn is_of_numpy(object: &Bound<'_, PyAny>) -> bool {
    let class = module_class(object.py(), "numpy", &PyString::new(object.py(), "ndarray"));
    class.is_some_and(|class| object.is_instance(&class).unwrap_or(false))
}

/// A class of a module that has been imported by somebody.
fn module_class<'py>(
    py: Python<'py>,
    module: &str,
    name: &Bound<'py, PyString>,
) -> Option<Bound<'py, PyAny>> {
    let modules = py.import("sys").ok()?.getattr("modules").ok()?;
    modules.get_item(module).ok()?.getattr(name).ok()
}
