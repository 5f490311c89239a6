//! Containers that lie deep in others, on their way in.
//!
//! One is stored empty where it lies, and filled once all around it is there: so the depth of what is
//! copied is not that of the stack. Nobody sees it before, for what holds it is not stored yet.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use shm_core::Value;

use super::inward::Import;
use super::trouble::Trouble;
use crate::kinds;

/// An empty copy of a container that can be filled later. `None`: it is of another type.
pub(super) fn begin(
    import: &mut Import<'_>,
    object: &Bound<'_, PyAny>,
) -> Result<Option<Value>, Trouble> {
    let segment = &import.home.segment;
    if object.is_exact_instance_of::<PyList>() {
        return Ok(Some(Value::List(segment.list(Vec::<Value>::new())?)));
    }
    if object.is_exact_instance_of::<PyDict>() {
        return Ok(Some(Value::Dict(segment.dict(Vec::<(Value, Value)>::new())?)));
    }
    kinds::begin(import, object)
}

/// Fills what [`begin`] made.
pub(super) fn fill(
    import: &mut Import<'_>,
    object: &Bound<'_, PyAny>,
    copy: &Value,
) -> Result<(), Trouble> {
    match copy {
        Value::List(list) => {
            let items: Vec<_> = object.try_iter()?.collect::<PyResult<_>>()?;
            list.extend(import.items(items.into_iter(), 0)?)?;
        }
        Value::Dict(dict) => {
            let entries = if let Some(attributes) = kinds::attributes_of(import, object)? {
                import.attributes(attributes, 0)?
            } else {
                let items = object.call_method0("items")?;
                let items: Vec<_> = items.try_iter()?.collect::<PyResult<_>>()?;
                import.entries(items, 0)?
            };
            dict.update(entries)?;
        }
        _ => {}
    }
    Ok(())
}
