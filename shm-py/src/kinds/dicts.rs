//! `DefaultDict`, `OrderedDict` and `Counter`: shared dicts with the methods of `collections`.
//!
//! Here is what must be one operation of the core. What only reads, or makes something new, works on
//! a copy of the original type: `shm_py/_kinds.py`.

use std::sync::Arc;

use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use shm_core::{Dict, DictFlavour, Factory, Value};

use crate::common;
use crate::convert;
use crate::dict::{SharedDict, missing, to_entries};
use crate::error::OrRaise;
use crate::home::{Home, Proxy};

/// A defaultdict in shared memory; made by storing a `collections.defaultdict`, or by
/// `seg.defaultdict(...)`.
#[pyclass(name = "DefaultDict", module = "shm_py", extends = SharedDict, frozen, mapping)]
pub(crate) struct SharedDefaultDict;

/// An ordered dict in shared memory; made by storing a `collections.OrderedDict`, or by
/// `seg.ordereddict(...)`.
#[pyclass(name = "OrderedDict", module = "shm_py", extends = SharedDict, frozen, mapping)]
pub(crate) struct SharedOrderedDict;

/// A counter in shared memory; made by storing a `collections.Counter`, or by `seg.counter(...)`.
#[pyclass(name = "Counter", module = "shm_py", extends = SharedDict, frozen, mapping)]
pub(crate) struct SharedCounter;

/// Whether an argument counts as true, whatever it is.
struct Truth(bool);

impl FromPyObject<'_, '_> for Truth {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        object.is_truthy().map(Truth)
    }
}

fn home<'a>(dict: &'a Bound<'_, SharedDict>) -> &'a Arc<Home> {
    &dict.get().handle().home
}

fn core<'a>(dict: &'a Bound<'_, SharedDict>) -> &'a Dict {
    &dict.get().handle().core
}

fn inside(dict: &Bound<'_, SharedDict>) -> PyResult<String> {
    let handle = dict.get().handle();
    common::text(dict.py(), &handle.home, &Value::Dict(handle.core.clone()))
}

/// The repr of one whose class takes nothing else.
fn named(dict: &Bound<'_, SharedDict>, name: &str) -> PyResult<String> {
    let shown = inside(dict).map(|inside| format!("{name}({inside})"));
    common::unless_closed(dict.py(), name, shown)
}

/// The value of a key that is there.
fn find<'py>(
    dict: &Bound<'py, SharedDict>,
    key: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match crate::slots::dict::probe(dict.get(), key) {
        Some(found) => Ok(Some(found)),
        None => dict.get().find(key),
    }
}

fn factory(slf: &Bound<'_, SharedDefaultDict>) -> PyResult<Factory> {
    match core(slf.as_super()).flavour().or_raise()? {
        DictFlavour::DefaultDict(factory) => Ok(factory),
        _ => Ok(Factory::None),
    }
}

#[pymethods]
impl SharedDefaultDict {
    /// What makes the value of a missing key.
    #[getter]
    fn get_default_factory<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        super::factory_type(slf.py(), factory(slf)?)
    }

    #[setter]
    fn set_default_factory(slf: &Bound<'_, Self>, new: &Bound<'_, PyAny>) -> PyResult<()> {
        match super::factory_of(new)? {
            Some(factory) => core(slf.as_super()).set_factory(factory).or_raise(),
            None => Err(PyTypeError::new_err(super::refused_factory(new))),
        }
    }

    fn __getitem__<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match find(slf.as_super(), key)? {
            Some(found) => Ok(found),
            None => Self::__missing__(slf, key),
        }
    }

    /// Insert and return a new value, or what another process has inserted meanwhile.
    #[pyo3(signature = (key, /))]
    fn __missing__<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let dict = slf.as_super();
        let Some(value) = factory(slf)?.make(&home(dict).segment).or_raise()? else {
            return Err(missing(key));
        };
        let stored = dict.get().key(key)?;
        let value = core(dict).get_or_insert(stored, value).or_raise()?;
        convert::to_python(slf.py(), home(dict), value)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let shown = factory(slf).and_then(|factory| {
            Ok(format!("DefaultDict({}, {})", factory.name(), inside(slf.as_super())?))
        });
        common::unless_closed(slf.py(), "DefaultDict", shown)
    }

    /// A `collections.defaultdict` of the entries; shared values stay shared.
    fn copy<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        super::shallow_dict(slf.py(), home(slf.as_super()), core(slf.as_super()))
    }
}

#[pymethods]
impl SharedOrderedDict {
    /// Move an entry behind all others or, with `last=False`, before them; `KeyError` if it is not there.
    #[pyo3(signature = (key, last=Truth(true)), text_signature = "($self, key, last=True)")]
    fn move_to_end(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>, last: Truth) -> PyResult<()> {
        let (dict, Truth(last)) = (slf.as_super(), last);
        if let Some(stored) = convert::to_lookup(home(dict), key)?
            && core(dict).move_to_end(&stored, last).or_raise()?
        {
            return Ok(());
        }
        Err(missing(key))
    }

    /// Remove and return the last entry or, with `last=False`, the first; `KeyError` if there is none.
    #[pyo3(signature = (last=Truth(true)), text_signature = "($self, last=True)")]
    fn popitem<'py>(slf: &Bound<'py, Self>, last: Truth) -> PyResult<Bound<'py, PyTuple>> {
        let (dict, Truth(last)) = (slf.as_super(), last);
        let entry = if last { core(dict).pop_item() } else { core(dict).pop_first() };
        let Some((key, item)) = entry.or_raise()? else {
            return Err(PyKeyError::new_err("dictionary is empty"));
        };
        PyTuple::new(slf.py(), convert::each(slf.py(), home(dict), vec![key, item])?)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        named(slf.as_super(), "OrderedDict")
    }

    /// A `collections.OrderedDict` of the entries; shared values stay shared.
    fn copy<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        super::shallow_dict(slf.py(), home(slf.as_super()), core(slf.as_super()))
    }
}

#[pymethods]
impl SharedCounter {
    fn __getitem__<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match find(slf.as_super(), key)? {
            Some(found) => Ok(found),
            None => Ok(0_i64.into_pyobject(slf.py())?.into_any()),
        }
    }

    fn __setitem__(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        slf.as_super().get().__setitem__(key, value)
    }

    // What is not there is counted 0 times already.
    fn __delitem__(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let dict = slf.as_super();
        if let Some(stored) = convert::to_lookup(home(dict), key)? {
            core(dict).remove(&stored).or_raise()?;
        }
        Ok(())
    }

    /// The count of a key that is not there.
    #[pyo3(signature = (key, /))]
    fn __missing__(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> i64 {
        let _ = (slf, key);
        0
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        named(slf.as_super(), "Counter")
    }

    /// A `collections.Counter` of the counts.
    fn copy<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        super::shallow_dict(slf.py(), home(slf.as_super()), core(slf.as_super()))
    }

    /// Add to the counts of several keys: all of them, or none.
    #[pyo3(signature = (counts, /))]
    fn _add_all(slf: &Bound<'_, Self>, counts: &Bound<'_, PyDict>) -> PyResult<()> {
        let dict = slf.as_super();
        let mut entries = to_entries(home(dict), counts, "counter")?;
        for (_, count) in &mut entries {
            // Added to 0, True is 1, and text is an error.
            *count = Value::Int(0).add(count).or_raise()?;
        }
        while !core(dict).try_add_all(&entries).or_raise()? {
            slf.py().check_signals()?;
        }
        Ok(())
    }

    /// Replace all counts if nothing has changed since `version`; whether that was so.
    #[pyo3(signature = (counts, version, /))]
    fn _replace_all(
        slf: &Bound<'_, Self>,
        counts: &Bound<'_, PyDict>,
        version: u64,
    ) -> PyResult<bool> {
        let dict = slf.as_super();
        let entries = to_entries(home(dict), counts, "counter")?;
        core(dict).replace_all_if_unchanged(version, entries).or_raise()
    }

    /// Changes with every change.
    fn _version(slf: &Bound<'_, Self>) -> PyResult<u64> {
        core(slf.as_super()).sequence().or_raise()
    }
}
