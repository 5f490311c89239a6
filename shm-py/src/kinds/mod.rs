//! What lists and dicts are besides: deques, ordered dicts and the like, and instances of classes.
//!
//! The classes here are those of `collections`, on top of `List` and `Dict`, and `Object` for the
//! attributes of an instance. What a shared container is says its flavour in the core. This file is
//! the way in and out: it makes the proxy for a flavour, stores the originals, and copies them out.

mod deque;
mod dicts;
mod object;

use std::sync::Arc;

pub(crate) use deque::{DequeIterator, DequeReverseIterator, SharedDeque};
pub(crate) use dicts::{SharedCounter, SharedDefaultDict, SharedOrderedDict};
pub(crate) use object::{Attributes, SharedObject};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use shm_core::{Dict, DictFlavour, Error, Factory, List, ListFlavour, Value};

use crate::convert::{self, Import, Plain, Trouble};
use crate::dict::SharedDict;
use crate::error::OrRaise;
use crate::home::{Handle, Home};
use crate::list::SharedList;
use crate::slots::{flat, shell};

/// A class of Python's library.
fn class_of<'py>(
    py: Python<'py>,
    cache: &'static PyOnceLock<Py<PyType>>,
    name: &str,
) -> PyResult<&'py Bound<'py, PyType>> {
    cache.import(py, "collections", name)
}

static DEQUE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static DEFAULT_DICT: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static ORDERED_DICT: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static COUNTER: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// A new proxy of a list.
pub(crate) fn list_proxy(py: Python<'_>, handle: Handle<List>) -> PyResult<Bound<'_, SharedList>> {
    match handle.core.flavour().or_raise()? {
        ListFlavour::Deque { .. } => {
            let base = PyClassInitializer::from(SharedList::new(handle));
            Ok(Bound::new(py, base.add_subclass(SharedDeque))?.into_super())
        }
        _ => shell::instance(py, SharedList::new(handle)),
    }
}

/// A new proxy of a dict.
pub(crate) fn dict_proxy(py: Python<'_>, handle: Handle<Dict>) -> PyResult<Bound<'_, SharedDict>> {
    let flavour = handle.core.flavour().or_raise()?;
    let base = |handle| PyClassInitializer::from(SharedDict::new(handle));
    Ok(match flavour {
        DictFlavour::DefaultDict(_) => {
            Bound::new(py, base(handle).add_subclass(SharedDefaultDict))?.into_super()
        }
        DictFlavour::OrderedDict => {
            Bound::new(py, base(handle).add_subclass(SharedOrderedDict))?.into_super()
        }
        DictFlavour::Counter => {
            Bound::new(py, base(handle).add_subclass(SharedCounter))?.into_super()
        }
        _ => shell::instance(py, SharedDict::new(handle))?,
    })
}

/// The proxy of a dict, which may be that of an instance.
pub(crate) fn adopt<'py>(
    py: Python<'py>,
    home: &Arc<Home>,
    core: Dict,
) -> PyResult<Bound<'py, PyAny>> {
    match core.flavour().or_raise()? {
        DictFlavour::Object => home.adopt::<SharedObject>(py, core),
        _ => home.adopt::<SharedDict>(py, core),
    }
}

/// The type that makes the values of a defaultdict's missing keys.
fn factory_type(py: Python<'_>, factory: Factory) -> PyResult<Bound<'_, PyAny>> {
    match factory {
        Factory::None => Ok(py.None().into_bound(py)),
        factory => py.import("builtins")?.getattr(factory.name()),
    }
}

/// The factory for a type; `None` for any other object.
fn factory_of(object: &Bound<'_, PyAny>) -> PyResult<Option<Factory>> {
    for factory in Factory::ALL {
        if factory_type(object.py(), *factory)?.is(object) {
            return Ok(Some(*factory));
        }
    }
    Ok(None)
}

/// Why a factory is refused.
fn refused_factory(object: &Bound<'_, PyAny>) -> String {
    let known: Vec<&str> = Factory::ALL.iter().map(|factory| factory.name()).collect();
    let factory = convert::bounded(object);
    format!("default_factory {factory}: every process must have it, so use {}", known.join(", "))
}

/// A deque, an ordered dict or the like, or an instance of a plain class, stored. `None`: none of these.
pub(crate) fn import(
    import: &mut Import<'_>,
    object: &Bound<'_, PyAny>,
    depth: usize,
) -> Result<Option<Value>, Trouble> {
    let segment = &import.home.segment;
    if is_deque(object)? {
        let maxlen = bound_of(object)?;
        let items: Vec<_> = object.try_iter()?.collect::<PyResult<_>>()?;
        let items = import.items(items.into_iter(), depth)?;
        return Ok(Some(segment.deque(items, maxlen)?.into()));
    }
    let Some(flavour) = flavour_of(object)? else { return object::import(import, object, depth) };
    // In the order of an OrderedDict, which the dict in it need not have.
    let items = object.call_method0("items")?;
    let items: Vec<_> = items.try_iter()?.collect::<PyResult<_>>()?;
    let entries = import.entries(items, depth)?;
    Ok(Some(segment.dict_as(flavour, entries)?.into()))
}

/// As [`import`], but empty.
pub(crate) fn begin(
    import: &mut Import<'_>,
    object: &Bound<'_, PyAny>,
) -> Result<Option<Value>, Trouble> {
    let segment = &import.home.segment;
    if is_deque(object)? {
        return Ok(Some(segment.deque(Vec::<Value>::new(), bound_of(object)?)?.into()));
    }
    if let Some(flavour) = flavour_of(object)? {
        return Ok(Some(segment.dict_as(flavour, Vec::<(Value, Value)>::new())?.into()));
    }
    match object::described(import, object)? {
        Some((class, _)) => {
            Ok(Some(segment.instance(&class, Vec::<(Value, Value)>::new())?.into()))
        }
        None => Ok(None),
    }
}

/// The attributes of an instance of a plain class. `None`: it is none.
pub(crate) fn attributes_of<'py>(
    import: &Import<'_>,
    object: &Bound<'py, PyAny>,
) -> Result<Option<Attributes<'py>>, Trouble> {
    if object.is_instance_of::<PyDict>() {
        return Ok(None);
    }
    Ok(object::described(import, object)?.map(|(_, attributes)| attributes))
}

fn is_deque(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(object.get_type().is(class_of(object.py(), &DEQUE, "deque")?))
}

/// How many items a deque of Python's holds at most.
fn bound_of(deque: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
    deque.getattr("maxlen")?.extract()
}

/// What kind of dict of `collections` it is, if it is one.
fn flavour_of(object: &Bound<'_, PyAny>) -> Result<Option<DictFlavour>, Trouble> {
    let (py, class) = (object.py(), object.get_type());
    Ok(Some(if class.is(class_of(py, &ORDERED_DICT, "OrderedDict")?) {
        DictFlavour::OrderedDict
    } else if class.is(class_of(py, &COUNTER, "Counter")?) {
        DictFlavour::Counter
    } else if class.is(class_of(py, &DEFAULT_DICT, "defaultdict")?) {
        let factory = object.getattr("default_factory")?;
        let Some(known) = factory_of(&factory)? else {
            let name = convert::type_name(object);
            let why = refused_factory(&factory);
            return Err(Trouble::unsupported(format!("{name} with {why}")));
        };
        DictFlavour::DefaultDict(known)
    } else {
        return Ok(None);
    }))
}

/// An empty original for a list: a list, or a deque.
pub(crate) fn blank_list<'py>(py: Python<'py>, core: &List) -> PyResult<Option<Bound<'py, PyAny>>> {
    match core.flavour().or_raise()? {
        ListFlavour::Deque { maxlen } => {
            class_of(py, &DEQUE, "deque")?.call1((PyTuple::empty(py), maxlen)).map(Some)
        }
        _ => Ok(None),
    }
}

/// An empty original for a dict, or an instance without attributes.
pub(crate) fn blank_dict<'py>(py: Python<'py>, core: &Dict) -> PyResult<Bound<'py, PyAny>> {
    match core.flavour().or_raise()? {
        DictFlavour::Object => object::blank(py, core),
        DictFlavour::DefaultDict(factory) => {
            class_of(py, &DEFAULT_DICT, "defaultdict")?.call1((factory_type(py, factory)?,))
        }
        DictFlavour::OrderedDict => class_of(py, &ORDERED_DICT, "OrderedDict")?.call0(),
        DictFlavour::Counter => class_of(py, &COUNTER, "Counter")?.call0(),
        _ => Ok(PyDict::new(py).into_any()),
    }
}

/// Fills the empty original of a dict.
pub(crate) fn fill_plain<'py>(
    plain: &mut Plain<'_, 'py>,
    core: &Dict,
    copy: &Bound<'py, PyAny>,
    depth: usize,
) -> PyResult<()> {
    if core.flavour().or_raise()? == DictFlavour::Object {
        let mut values = Vec::new();
        for (name, value) in object::attributes(core)? {
            values.push((PyString::new(plain.py, &name), plain.value(value, depth + 1)?));
        }
        return object::fill(copy, values);
    }
    if let Some(entries) = flat::entries(plain.py, core)? {
        return put_all(copy, entries);
    }
    let mut copy_in = |(key, item): (Value, Value)| {
        copy.set_item(plain.value(key, depth + 1)?, plain.value(item, depth + 1)?)
    };
    match core.to_vec() {
        // It has more containers than a full segment has room for handles of at once.
        Err(Error::SegmentFull { .. }) => {
            core.iter().try_for_each(|entry| copy_in(entry.or_raise()?))
        }
        entries => entries.or_raise()?.into_iter().try_for_each(copy_in),
    }
}

/// The original for a dict; shared values stay shared.
pub(crate) fn shallow_dict<'py>(
    py: Python<'py>,
    home: &Arc<Home>,
    core: &Dict,
) -> PyResult<Bound<'py, PyAny>> {
    let copy = blank_dict(py, core)?;
    if let Some(entries) = flat::entries(py, core)? {
        put_all(&copy, entries)?;
        return Ok(copy);
    }
    for (key, item) in core.to_vec().or_raise()? {
        let key = convert::to_python(py, home, key)?;
        copy.set_item(key, convert::to_python(py, home, item)?)?;
    }
    Ok(copy)
}

/// Stores entries in a built-in dict of any kind.
fn put_all<'py>(
    dict: &Bound<'py, PyAny>,
    mut entries: impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)>,
) -> PyResult<()> {
    match dict.cast_exact::<PyDict>() {
        Ok(dict) => entries.try_for_each(|(key, item)| dict.set_item(key, item)),
        Err(_) => entries.try_for_each(|(key, item)| dict.set_item(key, item)),
    }
}
