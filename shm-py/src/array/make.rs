//! How arrays are made: of zeros, of bytes, of those of other modules.

use std::sync::Arc;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use shm_core::{Array, DType, Error};

use super::{SharedArray, helper};
use crate::error::OrRaise;
use crate::home::Home;
use crate::segment::SharedSegment;
use crate::slots::buffer::copy_part;

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
