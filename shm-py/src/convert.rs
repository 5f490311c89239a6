//! Values of the core as Python objects; back again: `inward`.
//!
//! Immutable values are copied out, shared objects become their one proxy. [`Plain`] copies everything, at
//! any depth, into built-in objects.

mod deep;
mod inward;
mod trouble;

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyList, PySet, PyString, PyTuple,
};
use shm_core::{Copied, Error, List, New, Value};

use crate::array::SharedArray;
use crate::bytearray::SharedByteArray;
use crate::dict::SharedDict;
use crate::error::OrRaise;
use crate::home::{Core, Home, Proxy};
use crate::list::SharedList;
use crate::record::{SharedStruct, presented};
use crate::set::SharedSet;
use crate::slots::shell;
use crate::values;

pub(crate) use inward::{Import, to_key, to_lookup, to_value, to_values};
pub(crate) use trouble::{Trouble, bounded, type_name};

/// Deepest nesting of what never changes, such as tuples.
const DEPTH: usize = 200;
/// From this depth on containers are made empty, and filled once those around them are done.
const DEEP: usize = 100;

/// The Python object for a value: a copy, or the proxy of a shared object.
pub(crate) fn to_python<'py>(
    py: Python<'py>,
    home: &Arc<Home>,
    value: Value,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::None => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, flag).to_owned().into_any(),
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::BigInt(number) => number.into_pyobject(py)?.into_any(),
        Value::Float(number) => PyFloat::new(py, number).into_any(),
        Value::Str(text) => PyString::new(py, &text).into_any(),
        Value::Wtf8(bytes) => {
            PyBytes::new(py, &bytes).call_method1("decode", ("utf-8", "surrogatepass"))?
        }
        Value::Bytes(bytes) => PyBytes::new(py, &bytes).into_any(),
        Value::Tuple(items) => PyTuple::new(py, each(py, home, items)?)?.into_any(),
        Value::FrozenSet(items) => PyFrozenSet::new(py, each(py, home, items)?)?.into_any(),
        Value::Extended(value) => values::make(py, home, &value, |part| to_python(py, home, part))?,
        Value::List(core) => home.adopt::<SharedList>(py, core)?,
        Value::Dict(core) => crate::kinds::adopt(py, home, core)?,
        Value::Set(core) => home.adopt::<SharedSet>(py, core)?,
        Value::ByteArray(core) => match core.elements().or_raise()? {
            // A vector inside of a vector has no field by which it could change.
            Some((element, items)) => {
                let items = each(py, home, items)?.into_iter();
                let items = items.map(|item| presented(&element, item));
                PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any()
            }
            None => home.adopt::<SharedByteArray>(py, core)?,
        },
        Value::Record(core) => home.adopt::<SharedStruct>(py, core)?,
        Value::Array(core) => home.adopt::<SharedArray>(py, core)?,
        other => return Err(PyTypeError::new_err(format!("no Python type for {other:?}"))),
    })
}

/// The proxy of an object that a look has pinned, which had none then.
#[inline(always)]
#[allow(clippy::inline_always, reason = "an object that is handed on costs as much as its pin")]
pub(crate) fn met<'py>(py: Python<'py>, home: &Arc<Home>, new: New) -> PyResult<Bound<'py, PyAny>> {
    let new = match new.into_dict() {
        Ok(core) if core.is_plain() => {
            let make = |handle| shell::instance(py, SharedDict::new(handle));
            return home.adopt_new(core, make);
        }
        Ok(core) => return crate::kinds::adopt(py, home, core),
        Err(new) => new,
    };
    match new.into_list() {
        Ok(core) if core.is_plain() => {
            let make = |handle| shell::instance(py, SharedList::new(handle));
            home.adopt_new(core, make)
        }
        Ok(core) => home.adopt::<SharedList>(py, core),
        Err(new) => met_another(py, home, new),
    }
}

/// As [`met`], for what is more seldom read just once.
#[inline(never)]
fn met_another<'py>(py: Python<'py>, home: &Arc<Home>, new: New) -> PyResult<Bound<'py, PyAny>> {
    match new.into_record() {
        Ok(core) => home.adopt_new(core.or_raise()?, |handle| SharedStruct::create(py, handle)),
        Err(new) => to_python(py, home, new.into_value().or_raise()?),
    }
}

/// The Python objects for several values.
pub(crate) fn each<'py>(
    py: Python<'py>,
    home: &Arc<Home>,
    values: Vec<Value>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    values.into_iter().map(|value| to_python(py, home, value)).collect()
}

/// A built-in list of the Python objects for several values.
pub(crate) fn to_list<'py>(
    py: Python<'py>,
    home: &Arc<Home>,
    values: Vec<Value>,
) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, each(py, home, values)?)
}

/// Copies shared objects into built-in ones; one that is met twice is copied once.
pub(crate) struct Plain<'a, 'py> {
    pub(crate) py: Python<'py>,
    home: &'a Arc<Home>,
    pub(crate) done: HashMap<u64, Bound<'py, PyAny>>,
    /// Copies that lie so deep that they are filled after those around them.
    pub(crate) deep: Vec<(Value, Bound<'py, PyAny>)>,
}

impl<'a, 'py> Plain<'a, 'py> {
    /// The plain copy of `value` and of all that it contains.
    pub(crate) fn copy(
        py: Python<'py>,
        home: &'a Arc<Home>,
        value: Value,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(copied) = Copied::of(&value) {
            return crate::draft::to_plain(py, home, copied.parts());
        }
        let mut plain = Plain { py, home, done: HashMap::new(), deep: Vec::new() };
        let copy = plain.value(value, 0)?;
        while let Some((value, copy)) = plain.deep.pop() {
            plain.fill(&value, &copy, 0)?;
        }
        Ok(copy)
    }

    pub(crate) fn value(&mut self, value: Value, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        if depth > DEPTH {
            return Err(Error::TooDeep { limit: DEPTH }).or_raise();
        }
        Ok(match value {
            Value::Tuple(items) => PyTuple::new(py, self.values(items, depth)?)?.into_any(),
            Value::FrozenSet(items) => PyFrozenSet::new(py, self.values(items, depth)?)?.into_any(),
            Value::Extended(value) => {
                let home = self.home;
                values::make(py, home, &value, |part| self.value(part, depth + 1))?
            }
            Value::List(core) => {
                let key = core.cell().0;
                if let Some(done) = self.done.get(&key) {
                    return Ok(done.clone());
                }
                let copy = match crate::kinds::blank_list(py, &core)? {
                    Some(copy) => copy,
                    None => match crate::slots::flat::list(py, &core, 0, None)? {
                        Some(copy) => {
                            self.done.insert(key, copy.clone().into_any());
                            return Ok(copy.into_any());
                        }
                        None => PyList::empty(py).into_any(),
                    },
                };
                self.begun(key, Value::List(core), copy, depth)?
            }
            Value::Dict(core) => {
                let key = core.cell().0;
                if let Some(done) = self.done.get(&key) {
                    return Ok(done.clone());
                }
                let copy = crate::kinds::blank_dict(py, &core)?;
                self.begun(key, Value::Dict(core), copy, depth)?
            }
            Value::Set(core) => {
                let members = match crate::slots::flat::members(py, &core)? {
                    Some(members) => members,
                    None => self.values(core.to_vec().or_raise()?, depth)?,
                };
                PySet::new(py, members)?.into_any()
            }
            Value::ByteArray(core) => match core.elements().or_raise()? {
                Some((element, items)) => {
                    let items = self.values(items, depth)?.into_iter();
                    let items = items.map(|item| presented(&element, item));
                    PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any()
                }
                None => PyByteArray::new(py, &core.to_vec().or_raise()?).into_any(),
            },
            Value::Record(core) => {
                let cell = core.cell_word();
                if let Some(done) = self.done.get(&cell) {
                    return Ok(done.clone());
                }
                self.begun(cell, Value::Record(core), PyDict::new(py).into_any(), depth)?
            }
            Value::Array(core) => {
                self.home.adopt::<SharedArray>(py, core)?.call_method0("to_py")?
            }
            scalar => to_python(py, self.home, scalar)?,
        })
    }

    /// An empty copy is there: it is filled now or, if it lies deep, later.
    fn begun(
        &mut self,
        cell: u64,
        value: Value,
        copy: Bound<'py, PyAny>,
        depth: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        // A part of another struct has no cell: nothing else refers to it.
        if cell != 0 {
            self.done.insert(cell, copy.clone());
        }
        if depth > DEEP {
            self.deep.push((value, copy.clone()));
        } else {
            self.fill(&value, &copy, depth)?;
        }
        Ok(copy)
    }

    fn fill(&mut self, value: &Value, copy: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        match value {
            Value::List(core) => {
                let items = match core.to_vec() {
                    Err(Error::SegmentFull { .. }) => self.one_by_one(core, depth)?,
                    items => self.values(items.or_raise()?, depth)?,
                };
                copy.call_method1("extend", (items,)).map(drop)
            }
            Value::Dict(core) => crate::kinds::fill_plain(self, core, copy, depth),
            Value::Record(core) => {
                for (name, item) in crate::record::fields(core)? {
                    copy.set_item(name, self.value(item, depth + 1)?)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The items of a list that has more containers than a full segment has room for handles of at once.
    fn one_by_one(&mut self, core: &List, depth: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut items = Vec::new();
        while let Some(item) = core.get(items.len()).or_raise()? {
            items.push(self.value(item, depth + 1)?);
        }
        Ok(items)
    }

    fn values(&mut self, values: Vec<Value>, depth: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        values.into_iter().map(|value| self.value(value, depth + 1)).collect()
    }
}
