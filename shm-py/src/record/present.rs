//! Values of fields as Python sees them: enums as members and named tuples, structs inside of vectors as named
//! tuples, also inside of tuples, arrays and vectors.
//!
//! What the core reads of an enum is the name of its variant, or a tuple that starts with it. The class of the members is
//! the one that a struct was declared with here, or is made for the schema (`shm_py/_structs.py`).

use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use shm_core::{Field, FieldType, Schema, Variants};

/// A value of a type with members of enums in the place of names and tuples, and names for the fields of structs that are
/// copies, also inside of it; what was read of a vector is a list.
pub(crate) fn presented<'py>(
    ty: &FieldType,
    value: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    match ty {
        FieldType::Option(inner) if !value.is_none() => presented(inner, value),
        FieldType::Enum(variants) => class_of_enum(py, variants)?.call1((value,)),
        // The elements of a dense vector are read as a tuple.
        FieldType::Vec(element) => match value.cast_exact::<PyTuple>() {
            Ok(items) if has_names(element) => {
                let items = items.iter().map(|item| presented(element, item));
                Ok(PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any())
            }
            Ok(items) => Ok(items.to_list().into_any()),
            Err(_) => Ok(value),
        },
        FieldType::Array(element, _) if has_names(element) => {
            let items = value.cast_into::<PyTuple>()?;
            let items = items.iter().map(|item| presented(element, item));
            Ok(PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any())
        }
        FieldType::Tuple(parts) if parts.iter().any(has_names) => {
            let items = value.cast_into::<PyTuple>()?;
            let items = parts.iter().zip(items.iter()).map(|(part, item)| presented(part, item));
            Ok(PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any())
        }
        // Outside of vectors a struct has a handle, which knows its fields.
        FieldType::Struct(schema) => match value.cast_exact::<PyTuple>() {
            Ok(items) => {
                let fields = schema.fields().iter().zip(items.iter());
                let items = fields.map(|(field, item)| presented(field.ty(), item));
                let items = PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?)?;
                class_of_struct(py, schema)?.call1((items,))
            }
            Err(_) => Ok(value),
        },
        _ => Ok(value),
    }
}

/// Whether values of a type are or hold enums or structs that are read with them.
pub(crate) fn has_names(ty: &FieldType) -> bool {
    match ty {
        FieldType::Enum(_) | FieldType::Struct(_) => true,
        FieldType::Option(inner) | FieldType::Array(inner, _) | FieldType::Vec(inner) => {
            has_names(inner)
        }
        FieldType::Tuple(parts) => parts.iter().any(has_names),
        _ => false,
    }
}

/// What makes copies of a struct that lies in a vector.
fn class_of_struct<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyAny>> {
    let module = py.import("shm_py._elements")?;
    let known = module.call_method1("known", (schema.text(),))?;
    if !known.is_none() {
        return Ok(known);
    }
    let names: Vec<&str> = schema.fields().iter().map(Field::name).collect();
    module.call_method1("make", (schema.text(), schema.name(), names))
}

/// What makes members of an enum.
fn class_of_enum<'py>(py: Python<'py>, variants: &Variants) -> PyResult<Bound<'py, PyAny>> {
    let module = py.import("shm_py._structs")?;
    let text = variants.to_string();
    let known = module.call_method1("known_enum", (&text,))?;
    if !known.is_none() {
        return Ok(known);
    }
    let described = variants.variants().iter().map(|variant| {
        let fields = variant.fields().iter().map(Field::name);
        (variant.name(), variant.value(), fields.collect())
    });
    let described: Vec<(&str, i128, Vec<&str>)> = described.collect();
    module.call_method1("make_enum", (&text, variants.name(), described))
}
