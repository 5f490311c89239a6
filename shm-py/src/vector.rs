//! Vectors of plain elements, as `shm_py/_vectors.py` makes a `Vec` of them.
//!
//! Each method is one operation of the core. Elements that are structs are named tuples here.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use shm_core::{FieldType, Vector};

use crate::convert;
use crate::error::OrRaise;
use crate::home::Home;
use crate::record::{has_names, presented};
use crate::slots::buffer::VecBytes;

/// The storage of a `Vec`.
#[pyclass(name = "_VecCore", module = "shm_py._native", frozen)]
pub(crate) struct SharedVec {
    core: Vector,
    home: Arc<Home>,
}

impl SharedVec {
    pub(crate) fn new(core: Vector, home: Arc<Home>) -> Self {
        Self { core, home }
    }
}

#[pymethods]
impl SharedVec {
    fn __len__(&self) -> PyResult<usize> {
        self.core.len().or_raise()
    }

    /// Elements from an index on, as of one moment.
    fn chunk<'py>(
        &self,
        py: Python<'py>,
        start: usize,
        limit: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let items = convert::to_list(py, &self.home, self.core.chunk(start, limit).or_raise()?)?;
        let element = self.core.element();
        if !has_names(element) {
            return Ok(items);
        }
        let members = items.iter().map(|item| presented(element, item));
        PyList::new(py, members.collect::<PyResult<Vec<_>>>()?)
    }

    /// Replace the element at an index.
    fn set(&self, index: usize, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = convert::to_value(&self.home, value, || "vector".to_owned())?;
        self.core.set(index, &value).or_raise()
    }

    /// Replace elements `start..stop`.
    fn splice(&self, start: usize, stop: usize, values: &Bound<'_, PyAny>) -> PyResult<()> {
        let values = convert::to_values(&self.home, values, "vector")?;
        self.core.splice(start, stop, &values).or_raise()
    }

    /// Replace elements `start..stop` by elements as they are stored.
    fn splice_bytes(&self, start: usize, stop: usize, content: &[u8]) -> PyResult<()> {
        self.core.splice_bytes(start, stop, content).or_raise()
    }

    /// The elements' memory, until the vector grows.
    fn bytes(&self) -> PyResult<VecBytes> {
        Ok(VecBytes::new(self.core.storage().or_raise()?, Arc::clone(&self.home)))
    }

    /// What `numpy.dtype` takes for an element.
    fn dtype<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        dtype(py, self.core.element(), self.core.element_size())
    }
}

/// What `numpy.dtype` takes for a type of this size.
fn dtype<'py>(py: Python<'py>, ty: &FieldType, size: usize) -> PyResult<Bound<'py, PyAny>> {
    let text = |text: &str| text.into_pyobject(py).map(Bound::into_any).map_err(PyErr::from);
    let simple = match ty {
        FieldType::Bool => "?",
        FieldType::I8 => "i1",
        FieldType::U8 => "u1",
        FieldType::I16 => "<i2",
        FieldType::U16 => "<u2",
        FieldType::I32 => "<i4",
        FieldType::U32 | FieldType::Char => "<u4",
        FieldType::I64 => "<i8",
        FieldType::U64 => "<u8",
        FieldType::F32 => "<f4",
        FieldType::F64 => "<f8",
        FieldType::Array(inner, len) => {
            let inner = dtype(py, inner, size / usize::try_from(*len)?.max(1))?;
            return Ok(PyTuple::new(py, [inner, (*len,).into_pyobject(py)?.into_any()])?.into_any());
        }
        FieldType::Struct(schema) => {
            let fields = schema.fields().iter().filter(|field| field.layout().size > 0);
            let names = PyList::empty(py);
            let formats = PyList::empty(py);
            let offsets = PyList::empty(py);
            for field in fields {
                names.append(field.name())?;
                formats.append(dtype(py, field.ty(), field.layout().size)?)?;
                offsets.append(field.place().plain)?;
            }
            let all = PyDict::new(py);
            all.set_item("names", names)?;
            all.set_item("formats", formats)?;
            all.set_item("offsets", offsets)?;
            all.set_item("itemsize", size)?;
            return Ok(all.into_any());
        }
        FieldType::Enum(variants) if variants.is_plain() => {
            return text(&format!(
                "<{}",
                match variants.tag().name() {
                    name if name.starts_with('i') => format!("i{size}"),
                    _ => format!("u{size}"),
                }
            ));
        }
        _ => return text(&format!("V{size}")),
    };
    text(simple)
}
