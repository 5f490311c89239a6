//! Schemas as text, and structs that are made of one: what `shm_py/_structs.py` asks for.

use pyo3::prelude::*;
use shm_core::{Language, Record, Schema};

use super::SharedSegment;
use crate::convert;
use crate::error::OrRaise;
use crate::record::SharedStruct;

/// The structs of a segment as source in a language.
#[pyfunction]
#[pyo3(name = "_schema_source", signature = (segment, language, /))]
pub(crate) fn schema_source(
    segment: &Bound<'_, SharedSegment>,
    language: &str,
) -> PyResult<String> {
    let schemas = segment.get().home.segment.schemas().or_raise()?;
    Ok(shm_core::schema_source(&schemas, language.parse::<Language>().or_raise()?))
}

/// The canonical text of a schema, and its fingerprint; an error if there is none like it.
#[pyfunction]
#[pyo3(name = "_canonical", signature = (text, /))]
pub(crate) fn canonical(text: &str) -> PyResult<(String, u64)> {
    let schema = Schema::parse(text).or_raise()?;
    Ok((schema.text().to_owned(), schema.fingerprint()))
}

/// A new struct of a schema given as text.
#[pyfunction]
#[pyo3(name = "_make_struct", signature = (segment, schema, values, /))]
pub(crate) fn make_struct<'py>(
    segment: &Bound<'py, SharedSegment>,
    schema: &str,
    values: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let home = &segment.get().home;
    let values = convert::to_values(home, values, "struct")?;
    let schema = Schema::parse(schema).or_raise()?;
    let record = Record::create(home.segment.heap(), &schema, &values).or_raise()?;
    home.adopt::<SharedStruct>(segment.py(), record)
}
