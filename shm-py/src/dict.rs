//! `Dict`: a shared dict with every method and operator of the built-in.
//!
//! Insertion-ordered; keys obey Python's equality in every process, because the core hashes values
//! and not objects. `|` and `copy` give built-in dicts whose shared values stay shared. The views
//! are Python classes in `shm_py/_views.py` on top of the iterators here. Lookups by int or str
//! bypass this file where they can: see `slots::dict`.

use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::types::{PyDict, PyTuple, PyType};
use shm_core::{Dict, Value};

use crate::common::{self, Delta};
use crate::convert::{self, Plain};
use crate::draft;
use crate::error::OrRaise;
use crate::home::{Handle, Home, Proxy};
use crate::message::Body;
use crate::slots::ahead::Part;
use crate::slots::flat;
use crate::slots::shell::{Shelled, Shells};

mod iter;

pub(crate) use iter::DictIterator;

/// A dict in shared memory; made by `seg.dict(...)` or by storing a built-in dict.
#[pyclass(name = "Dict", module = "shm_py", frozen, weakref, mapping, subclass)]
pub(crate) struct SharedDict {
    body: Body,
}

impl From<Body> for SharedDict {
    fn from(body: Body) -> Self {
        Self { body }
    }
}

impl Proxy for SharedDict {
    type Core = Dict;

    fn create(py: Python<'_>, handle: Handle<Dict>) -> PyResult<Bound<'_, Self>> {
        crate::kinds::dict_proxy(py, handle)
    }

    #[inline]
    fn handle(&self) -> &Handle<Dict> {
        self.body.handle()
    }
}

impl Shelled for SharedDict {
    fn shells() -> &'static Shells {
        static SHELLS: Shells = Shells::new();
        &SHELLS
    }

    fn is_plain(&self) -> bool {
        self.body.is_shared()
    }
}

/// The entries of a built-in dict as values.
pub(crate) fn to_entries(
    home: &Arc<Home>,
    dict: &Bound<'_, PyDict>,
    site: &str,
) -> PyResult<Vec<(Value, Value)>> {
    let mut entries = Vec::with_capacity(dict.len());
    for entry in dict.items() {
        let (key, item) = entry.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
        let stored =
            convert::to_key(home, &key, || format!("{site} key {}", convert::bounded(&key)))?;
        let at = || format!("{site}[{}]", convert::bounded(&key));
        entries.push((stored, convert::to_value(home, &item, at)?));
    }
    Ok(entries)
}

/// What `dict(*args, **kwargs)` makes of the arguments.
pub(crate) fn built_in<'py>(
    arguments: &Bound<'py, PyTuple>,
    named: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = arguments.py().get_type::<PyDict>().call(arguments, named)?;
    Ok(dict.cast_into::<PyDict>()?)
}

impl SharedDict {
    /// The content of a proxy.
    pub(crate) fn new(handle: Handle<Dict>) -> Self {
        Self { body: handle.into() }
    }

    #[inline]
    fn core(&self) -> &Dict {
        &self.body.handle().core
    }

    fn home(&self) -> &Arc<Home> {
        &self.body.handle().home
    }

    /// The handle, or the message that it will be made of.
    #[inline]
    pub(crate) fn body(&self) -> &Body {
        &self.body
    }

    /// What error paths call this dict.
    fn site(&self) -> &'static str {
        if self.core().id() == self.home().root_id { "root" } else { "dict" }
    }

    pub(crate) fn key(&self, key: &Bound<'_, PyAny>) -> PyResult<Value> {
        let site = || format!("{} key {}", self.site(), convert::bounded(key));
        convert::to_key(self.home(), key, site)
    }

    fn item(&self, key: &Bound<'_, PyAny>, item: &Bound<'_, PyAny>) -> PyResult<Value> {
        let site = || format!("{}[{}]", self.site(), convert::bounded(key));
        convert::to_value(self.home(), item, site)
    }

    pub(crate) fn find<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(stored) = convert::to_lookup(self.home(), key)? else { return Ok(None) };
        let value = self.core().get(&stored).or_raise()?;
        value.map(|value| convert::to_python(key.py(), self.home(), value)).transpose()
    }

    /// The entries as a built-in dict; shared values stay shared.
    pub(crate) fn shallow<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let copy = PyDict::new(py);
        if let Some(mut entries) = flat::entries(py, self.core())? {
            entries.try_for_each(|(key, item)| copy.set_item(key, item))?;
            return Ok(copy);
        }
        for (key, item) in self.core().to_vec().or_raise()? {
            let key = convert::to_python(py, self.home(), key)?;
            copy.set_item(key, convert::to_python(py, self.home(), item)?)?;
        }
        Ok(copy)
    }

    /// The operand of a dict operator: a built-in dict, or the snapshot of a shared one.
    fn operand<'py>(other: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
        if let Ok(dict) = other.cast::<PyDict>() {
            return Ok(Some(dict.clone()));
        }
        match other.cast::<SharedDict>() {
            Ok(dict) => Ok(Some(dict.get().shallow(other.py())?)),
            Err(_) => Ok(None),
        }
    }

    fn view<'py>(slf: &Bound<'py, Self>, class: &str) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("shm_py._views")?.getattr(class)?.call1((slf,))
    }
}

/// The error for a key that is not there.
pub(crate) fn missing(key: &Bound<'_, PyAny>) -> PyErr {
    // A tuple key must not be taken for the exception's arguments.
    match PyTuple::new(key.py(), [key]) {
        Ok(arguments) => PyKeyError::new_err(arguments.unbind()),
        Err(error) => error,
    }
}

#[pymethods]
impl SharedDict {
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.body.len(py).map_or_else(|| self.core().len().or_raise(), Ok)
    }

    fn __getitem__<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.find(key)?.ok_or_else(|| missing(key))
    }

    pub(crate) fn __setitem__(
        &self,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let site = || format!("{}[{}]", self.site(), convert::bounded(key));
        let (stored, value) = (self.key(key)?, draft::to_stored(self.home(), value, site)?);
        self.core().set(stored, value).or_raise()
    }

    fn __delitem__(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Some(stored) = convert::to_lookup(self.home(), key)?
            && self.core().remove(&stored).or_raise()?.is_some()
        {
            return Ok(());
        }
        Err(missing(key))
    }

    fn __contains__(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        match convert::to_lookup(self.home(), key)? {
            Some(stored) => self.core().contains_key(&stored).or_raise(),
            None => Ok(false),
        }
    }

    fn __iter__(slf: Bound<'_, Self>) -> PyResult<DictIterator> {
        DictIterator::new(slf, Part::Key, false)
    }

    fn __reversed__(slf: Bound<'_, Self>) -> PyResult<DictIterator> {
        DictIterator::new(slf, Part::Key, true)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        common::repr(py, self.home(), "Dict", &Value::Dict(self.core().clone()))
    }

    fn __richcmp__(
        slf: &Bound<'_, Self>,
        other: &Bound<'_, PyAny>,
        operator: CompareOp,
    ) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        if !matches!(operator, CompareOp::Eq | CompareOp::Ne) {
            return Ok(py.NotImplemented());
        }
        if slf.is(other) {
            return matches!(operator, CompareOp::Eq).into_py_any(py);
        }
        let Some(other) = Self::operand(other)? else { return Ok(py.NotImplemented()) };
        Ok(slf.get().shallow(py)?.rich_compare(other, operator)?.unbind())
    }

    fn __or__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = other.py();
        let Some(other) = Self::operand(other)? else { return Ok(py.NotImplemented()) };
        Ok(self.shallow(py)?.bitor(other)?.unbind())
    }

    fn __ror__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = other.py();
        let Some(other) = Self::operand(other)? else { return Ok(py.NotImplemented()) };
        Ok(other.bitor(self.shallow(py)?)?.unbind())
    }

    fn __ior__(&self, other: &Bound<'_, PyAny>) -> PyResult<()> {
        self.update(&PyTuple::new(other.py(), [other])?, None)
    }

    /// The value for `key`, or `default`.
    #[pyo3(signature = (key, default=None, /))]
    fn get<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(crate::slots::dict::probe(self, key)
            .map_or_else(|| self.find(key), |hit| Ok(Some(hit)))?
            .or(default))
    }

    /// A live view of the keys, with set operations.
    fn keys<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::view(slf, "KeysView")
    }

    /// A live view of the values.
    fn values<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::view(slf, "ValuesView")
    }

    /// A live view of the entries, with set operations.
    fn items<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::view(slf, "ItemsView")
    }

    /// Remove `key` and return its value, or `default`; `KeyError` without one.
    #[pyo3(signature = (key, *default), text_signature = "($self, key, default=..., /)")]
    fn pop<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        default: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        if default.len() > 1 {
            let text = format!("pop expected at most 2 arguments, got {}", default.len() + 1);
            return Err(pyo3::exceptions::PyTypeError::new_err(text));
        }
        if let Some(stored) = convert::to_lookup(self.home(), key)?
            && let Some(value) = self.core().remove(&stored).or_raise()?
        {
            return convert::to_python(py, self.home(), value);
        }
        default.get_item(0).map_err(|_| missing(key))
    }

    /// Remove and return the entry that was inserted last; `KeyError` if there is none.
    fn popitem<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let Some((key, item)) = self.core().pop_item().or_raise()? else {
            return Err(PyKeyError::new_err("popitem(): dictionary is empty"));
        };
        PyTuple::new(py, convert::each(py, self.home(), vec![key, item])?)
    }

    /// The value for `key`; if there is none, `default` is inserted and returned, in one step.
    #[pyo3(signature = (key, default=None, /))]
    fn setdefault<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(found) = self.find(key)? {
            return Ok(found);
        }
        let stored = self.key(key)?;
        let default = default.map_or(Ok(Value::None), |default| self.item(key, &default))?;
        let value = self.core().get_or_insert(stored, default).or_raise()?;
        convert::to_python(key.py(), self.home(), value)
    }

    /// Insert or replace entries, with the arguments of `dict`.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, /, *args, **kwargs)")]
    fn update(
        &self,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let entries = to_entries(self.home(), &built_in(args, kwargs)?, self.site())?;
        self.core().update(entries).or_raise()
    }

    /// Remove all entries.
    fn clear(&self) -> PyResult<()> {
        self.core().clear().or_raise()
    }

    /// A built-in dict of the entries; shared values stay shared.
    fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.shallow(py)
    }

    /// A built-in dict with these keys and one value; `seg.dict(...)` shares it.
    #[staticmethod]
    #[pyo3(signature = (iterable, value=None, /))]
    fn fromkeys<'py>(
        iterable: &Bound<'py, PyAny>,
        value: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        iterable.py().get_type::<PyDict>().call_method1("fromkeys", (iterable, value))
    }

    /// Add `delta` to the number under `key` in one step; returns the new value.
    #[pyo3(signature = (key, delta=Delta::ONE, /), text_signature = "($self, key, delta=1, /)")]
    fn add<'py>(&self, key: &Bound<'py, PyAny>, delta: Delta) -> PyResult<Bound<'py, PyAny>> {
        let stored = self.key(key)?;
        let sum = self.core().add(stored, delta.0).or_raise()?;
        convert::to_python(key.py(), self.home(), sum)
    }

    /// Store `new` under `key` if the value there is equal to `old`, in one step.
    #[pyo3(signature = (key, /, old, new))]
    fn compare_exchange(
        &self,
        key: &Bound<'_, PyAny>,
        old: &Bound<'_, PyAny>,
        new: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let stored = self.key(key)?;
        let (old, new) = (self.item(key, old)?, self.item(key, new)?);
        self.core().compare_exchange(stored, Some(&old), new).or_raise()
    }

    /// A built-in copy of the dict and of everything in it.
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(copy) = self.body.to_plain(py) {
            return copy;
        }
        Plain::copy(py, self.home(), Value::Dict(self.core().clone()))
    }

    /// Iterates over `keys`, `values` or `items`, for the views.
    #[pyo3(signature = (part, reverse=false, /))]
    fn _iterate(slf: Bound<'_, Self>, part: &str, reverse: bool) -> PyResult<DictIterator> {
        let part = match part {
            "values" => Part::Item,
            "items" => Part::Both,
            _ => Part::Key,
        };
        DictIterator::new(slf, part, reverse)
    }

    fn __copy__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.shallow(py)
    }

    fn __deepcopy__<'py>(&self, memo: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.to_py(memo.py())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        common::reduce(slf)
    }

    #[classmethod]
    #[pyo3(signature = (item, /))]
    fn __class_getitem__<'py>(
        cls: &Bound<'py, PyType>,
        item: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        common::generic_alias(cls, item)
    }
}
