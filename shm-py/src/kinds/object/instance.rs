//! Instances of plain classes, on their way into a segment and out of it as copies.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use shm_core::{Dict, Value};

use super::{Attribute, helpers};
use crate::convert::{self, Import, Trouble};
use crate::error::OrRaise;

/// The attributes of an instance of a plain class in its process.
pub(crate) type Attributes<'py> = Vec<(String, Bound<'py, PyAny>)>;

/// An instance of a plain class, stored. `None`: it is none.
pub(in crate::kinds) fn import(
    import: &mut Import<'_>,
    object: &Bound<'_, PyAny>,
    depth: usize,
) -> Result<Option<Value>, Trouble> {
    let Some((class, attributes)) = described(import, object)? else { return Ok(None) };
    let attributes = import.attributes(attributes, depth)?;
    Ok(Some(import.home.segment.instance(&class, attributes)?.into()))
}

/// The name of the class of an instance of a plain class, and its attributes. `None`: it is none.
pub(in crate::kinds) fn described<'py>(
    import: &Import<'_>,
    object: &Bound<'py, PyAny>,
) -> Result<Option<(String, Attributes<'py>)>, Trouble> {
    let py = object.py();
    if import.is_key() {
        return Ok(None);
    }
    let described = helpers(py)?.call_method1(intern!(py, "describe"), (object,))?;
    if described.is_none() {
        return Ok(None);
    }
    if let Ok(reason) = described.cast::<PyString>() {
        let name = convert::type_name(object);
        return Err(Trouble::unsupported(format!("{name}: {reason}")));
    }
    let (class, names, values): (String, Vec<String>, Bound<'_, PyList>) = described.extract()?;
    Ok(Some((class, names.into_iter().zip(values).collect())))
}

/// Names and values of all attributes, as of one moment.
pub(crate) fn attributes(core: &Dict) -> PyResult<Vec<(String, Value)>> {
    let entries = core.to_vec().or_raise()?;
    Ok(entries
        .into_iter()
        .filter_map(|(name, value)| match name {
            Value::Str(name) => Some((name, value)),
            _ => None,
        })
        .collect())
}

/// An instance of the class without attributes.
pub(in crate::kinds) fn blank<'py>(py: Python<'py>, core: &Dict) -> PyResult<Bound<'py, PyAny>> {
    helpers(py)?.call_method1("blank", (core.class().or_raise()?,))
}

/// Gives an instance its attributes.
pub(in crate::kinds) fn fill<'py>(
    copy: &Bound<'py, PyAny>,
    values: Vec<Attribute<'py>>,
) -> PyResult<()> {
    helpers(copy.py())?.call_method1("fill", (copy, values)).map(drop)
}
