//! Built-in containers on their way into a segment, built there in one operation, and out of it, in one look.
//!
//! What is everyday goes into a draft (`shm_core::Draft`): exact dicts, lists and sets, nested, of
//! numbers, text and the like. Anything else, such as an object that occurs twice, a class, a shared object
//! or too many parts for one operation, goes the general way through `convert`, which also finds the
//! words for what cannot be shared. No Python code runs here, so nothing changes meanwhile.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PySet, PyString, PyTuple};
use shm_core::cell::{Cell, View};
use shm_core::{Draft, Part, Value};

use crate::convert;
use crate::home::Home;
use crate::slots::scalar;

/// Most containers of a draft.
const CONTAINERS: usize = 32;

/// Copies a Python object in that is stored at once, as [`convert::to_value`]. What comes of it is
/// only to be stored: it may be a draft.
pub(crate) fn to_stored(
    home: &Arc<Home>,
    object: &Bound<'_, PyAny>,
    site: impl FnOnce() -> String,
) -> PyResult<Value> {
    if object.is_exact_instance_of::<PyDict>() || object.is_exact_instance_of::<PyList>() {
        let mut import =
            Import { draft: Draft::new(home.segment.heap()), seen: [0; CONTAINERS], count: 0 };
        if import.part(object).is_some() {
            return Ok(import.draft.into());
        }
    }
    convert::to_value(home, object, site)
}

/// The object for a cell that the quick way leaves alone.
#[cold]
fn unusual<'py>(py: Python<'py>, home: &Arc<Home>, cell: Cell) -> PyResult<Bound<'py, PyAny>> {
    match cell.view() {
        Some(View::Str(text)) => {
            convert::to_python(py, home, Value::Wtf8(text.as_slice().to_vec()))
        }
        Some(View::EmptyTuple) => Ok(PyTuple::empty(py).into_any()),
        _ => Ok(py.None().into_bound(py)),
    }
}

/// The built-in objects for the parts of a copy.
pub(crate) fn to_plain<'a, 'py>(
    py: Python<'py>,
    home: &Arc<Home>,
    parts: impl Iterator<Item = Part<'a>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut done: Vec<Bound<'py, PyAny>> = Vec::with_capacity(32);
    for part in parts {
        let object = match part {
            Part::Cell(cell) => match scalar::immediate(py, cell) {
                Some(object) => object,
                None => unusual(py, home, cell)?,
            },
            Part::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => PyString::new(py, text).into_any(),
                Err(_) => convert::to_python(py, home, Value::Wtf8(text.to_vec()))?,
            },
            Part::Bytes(content) => PyBytes::new(py, content).into_any(),
            Part::Value(value) => convert::to_python(py, home, value.clone())?,
            Part::List(items) => {
                let items = done.drain(done.len().saturating_sub(items)..);
                PyList::new(py, items)?.into_any()
            }
            Part::Set(members) => {
                let members = done.drain(done.len().saturating_sub(members)..);
                PySet::new(py, members)?.into_any()
            }
            Part::Dict(entries) => {
                let dict = PyDict::new(py);
                let mut parts = done.drain(done.len().saturating_sub(entries * 2)..);
                while let (Some(key), Some(item)) = (parts.next(), parts.next()) {
                    dict.set_item(key, item)?;
                }
                drop(parts);
                dict.into_any()
            }
        };
        done.push(object);
    }
    Ok(done.pop().unwrap_or_else(|| py.None().into_bound(py)))
}

/// `None` anywhere: not in a draft.
struct Import {
    draft: Draft,
    /// The containers by address: one that comes twice is one shared object.
    seen: [usize; CONTAINERS],
    count: usize,
}

impl Import {
    fn part(&mut self, object: &Bound<'_, PyAny>) -> Option<()> {
        if let Ok(text) = object.cast_exact::<PyString>() {
            self.draft.text(text.to_str().ok()?);
        } else if let Ok(number) = object.cast_exact::<PyInt>() {
            self.draft.int(number.extract().ok()?);
        } else if let Ok(number) = object.cast_exact::<PyFloat>() {
            self.draft.float(number.value());
        } else if object.is_none() {
            self.draft.value(Value::None).ok()?;
        } else if let Ok(flag) = object.cast_exact::<PyBool>() {
            self.draft.value(Value::Bool(flag.is_true())).ok()?;
        } else if let Ok(bytes) = object.cast_exact::<PyBytes>() {
            self.draft.bytes(bytes.as_bytes());
        } else {
            return self.container(object);
        }
        Some(())
    }

    fn container(&mut self, object: &Bound<'_, PyAny>) -> Option<()> {
        let address = object.as_ptr().addr();
        if self.seen.get(..self.count)?.contains(&address) {
            return None;
        }
        *self.seen.get_mut(self.count)? = address;
        self.count += 1;
        let is_draft = if let Ok(dict) = object.cast_exact::<PyDict>() {
            for (key, item) in dict.iter() {
                self.key(&key)?;
                self.part(&item)?;
            }
            self.draft.dict(dict.len())
        } else if let Ok(list) = object.cast_exact::<PyList>() {
            for item in list.iter() {
                self.part(&item)?;
            }
            self.draft.list(list.len())
        } else if let Ok(set) = object.cast_exact::<PySet>() {
            for member in set.iter() {
                self.key(&member)?;
            }
            self.draft.set(set.len())
        } else {
            false
        };
        is_draft.then_some(())
    }

    fn key(&mut self, key: &Bound<'_, PyAny>) -> Option<()> {
        if let Ok(text) = key.cast_exact::<PyString>() {
            self.draft.key(text.to_str().ok()?);
            return Some(());
        }
        let number = key.cast_exact::<PyInt>().ok()?;
        self.draft.key_value(Value::Int(number.extract().ok()?)).ok()
    }
}
