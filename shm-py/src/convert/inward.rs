//! Python objects as values of the core.
//!
//! Built-in containers are copied in bottom-up. A container that is not stored anywhere yet belongs to
//! its handle alone, so a failure half-way frees what was built and leaves the segment as it was. Only
//! exact types are taken: a subclass would come back as another type. Values that `values` packs run Python
//! code during the copy, so what is looked at is held until its end. Success pays nothing for the words
//! of an error (`trouble`). However deep containers lie in each other, the stack is not: see `deep`.

use std::collections::HashMap;
use std::sync::Arc;

use num_bigint::BigInt;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString,
    PyTuple,
};
use shm_core::{Error, Extended, Record, Schema, Value};

use super::trouble::{Cause, Trouble, bounded, refused, type_name};
use super::{DEEP, DEPTH, deep};
use crate::array::{self, SharedArray};
use crate::bytearray::SharedByteArray;
use crate::dict::SharedDict;
use crate::home::{Core, Home, Proxy};
use crate::kinds::SharedObject;
use crate::list::SharedList;
use crate::record::SharedStruct;
use crate::set::SharedSet;
use crate::values::{self, Packed};

/// Copies a Python object in; `site` names where it goes, as in `root['book']`, if that fails.
pub(crate) fn to_value(
    home: &Arc<Home>,
    object: &Bound<'_, PyAny>,
    site: impl FnOnce() -> String,
) -> PyResult<Value> {
    if let Some(value) = scalar(object)? {
        return Ok(value);
    }
    Import::new(home, 0).whole(object).map_err(|trouble| trouble.raise(&site()))
}

/// A key or member for a lookup. `None`: hashable, but equal to nothing that can be stored.
pub(crate) fn to_lookup(home: &Arc<Home>, object: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    if let Some(value) = scalar(object)? {
        return Ok(Some(value));
    }
    // Raises TypeError for what is mutable, with the interpreter's own text.
    object.hash()?;
    // A member of a subclass (an IntEnum, a str subclass) finds the equal plain value.
    if let Ok(number) = object.cast::<PyInt>() {
        return integer(number).map(Some);
    }
    if let Ok(text) = object.cast::<PyString>() {
        return string(text).map(Some);
    }
    if let Ok(number) = object.cast::<PyFloat>() {
        return Ok(Some(Value::Float(number.value())));
    }
    // An instance is one of its own, or compares as its class says: equal to nothing that is a key.
    if object.is_instance_of::<SharedObject>() {
        return Ok(None);
    }
    match Import::new(home, 1).value(object, 0) {
        Ok(value) => Ok(Some(value)),
        Err(Trouble { cause: Cause::Unsupported(_), .. }) => Ok(None),
        Err(trouble) => Err(trouble.raise("key")),
    }
}

/// A key or member that is going to be stored.
pub(crate) fn to_key(
    home: &Arc<Home>,
    object: &Bound<'_, PyAny>,
    site: impl FnOnce() -> String,
) -> PyResult<Value> {
    if let Some(value) = scalar(object)? {
        return Ok(value);
    }
    object.hash()?;
    Import::new(home, 1).value(object, 0).map_err(|trouble| trouble.raise(&site()))
}

/// Values of an iterable, converted one after another.
pub(crate) fn to_values(
    home: &Arc<Home>,
    iterable: &Bound<'_, PyAny>,
    site: &str,
) -> PyResult<Vec<Value>> {
    let mut values = Vec::with_capacity(iterable.len().unwrap_or(0).min(1 << 20));
    for (index, item) in iterable.try_iter()?.enumerate() {
        values.push(to_value(home, &item?, || format!("{site}[{index}]"))?);
    }
    Ok(values)
}

/// Values that hold no other objects.
#[inline]
fn scalar(object: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    Ok(Some(if let Ok(number) = object.cast_exact::<PyInt>() {
        integer(number)?
    } else if let Ok(text) = object.cast_exact::<PyString>() {
        string(text)?
    } else if let Ok(number) = object.cast_exact::<PyFloat>() {
        Value::Float(number.value())
    } else if object.is_none() {
        Value::None
    } else if let Ok(flag) = object.cast_exact::<PyBool>() {
        Value::Bool(flag.is_true())
    } else if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        Value::Bytes(bytes.as_bytes().to_vec())
    } else {
        return Ok(None);
    }))
}

fn integer(number: &Bound<'_, PyInt>) -> PyResult<Value> {
    Ok(match number.extract::<i64>() {
        Ok(small) => Value::Int(small),
        Err(_) => Value::BigInt(number.extract::<BigInt>()?),
    })
}

fn string(text: &Bound<'_, PyString>) -> PyResult<Value> {
    if let Ok(utf8) = text.to_str() {
        return Ok(Value::Str(utf8.to_owned()));
    }
    let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
    Ok(Value::Wtf8(bytes.cast::<PyBytes>()?.as_bytes().to_vec()))
}

/// One copy inwards. Keeps what it met, so that an object that occurs twice is shared once.
pub(crate) struct Import<'a> {
    pub(crate) home: &'a Arc<Home>,
    /// By address: the shared copy, or `None` while it is being built.
    done: HashMap<usize, Option<Value>>,
    /// What these are the addresses of: nobody else gets one of them meanwhile.
    held: Vec<Py<PyAny>>,
    /// Inside of how many keys and members it is.
    keys: usize,
    /// Containers that lie so deep that they are filled after those around them: originals and copies.
    deep: Vec<(Py<PyAny>, Value)>,
}

impl<'a> Import<'a> {
    fn new(home: &'a Arc<Home>, keys: usize) -> Self {
        Self { home, done: HashMap::new(), held: Vec::new(), keys, deep: Vec::new() }
    }

    /// All of an object, however deep it is nested.
    fn whole(&mut self, object: &Bound<'_, PyAny>) -> Result<Value, Trouble> {
        let value = self.value(object, 0)?;
        while let Some((original, copy)) = self.deep.pop() {
            let filled = deep::fill(self, original.bind(object.py()), &copy);
            filled.map_err(|trouble| trouble.within("[...]".to_owned()))?;
        }
        Ok(value)
    }
    /// Whether it is a key or member, or in one.
    pub(crate) fn is_key(&self) -> bool {
        self.keys > 0
    }

    pub(crate) fn value(
        &mut self,
        object: &Bound<'_, PyAny>,
        depth: usize,
    ) -> Result<Value, Trouble> {
        if let Some(value) = scalar(object)? {
            return Ok(value);
        }
        if depth > DEPTH {
            return Err(Trouble { trail: Vec::new(), cause: Cause::TooDeep });
        }
        if let Ok(tuple) = object.cast_exact::<PyTuple>() {
            return Ok(Value::Tuple(self.items(tuple.iter(), depth)?));
        }
        if let Ok(members) = object.cast_exact::<PyFrozenSet>() {
            return Ok(Value::FrozenSet(self.members(members, depth)?));
        }
        if let Some(value) = self.proxy(object)? {
            return Ok(value);
        }
        if let Some(value) = self.extended(object, depth)? {
            return Ok(value);
        }
        let address = object.as_ptr().addr();
        match self.done.get(&address) {
            Some(Some(value)) => return Ok(value.clone()),
            Some(None) => {
                return Err(Trouble::unsupported(format!(
                    "{} that contains itself",
                    type_name(object)
                )));
            }
            None => {}
        }
        self.held.push(object.clone().unbind());
        if depth > DEEP
            && !self.is_key()
            && let Some(value) = deep::begin(self, object)?
        {
            self.done.insert(address, Some(value.clone()));
            self.deep.push((object.clone().unbind(), value.clone()));
            return Ok(value);
        }
        self.done.insert(address, None);
        let value = self.container(object, depth)?;
        self.done.insert(address, Some(value.clone()));
        Ok(value)
    }

    /// A value of one of the types that `values` knows. Its parts may live no longer than this.
    fn extended(
        &mut self,
        object: &Bound<'_, PyAny>,
        depth: usize,
    ) -> Result<Option<Value>, Trouble> {
        let parts = match values::pack(self.home, object)? {
            Packed::Other => return Ok(None),
            Packed::Whole(value) => return Ok(Some(value)),
            Packed::Refused(why) => {
                return Err(Trouble::unsupported(format!("{}: {why}", type_name(object))));
            }
            Packed::Parts(parts) => parts,
        };
        let mut stored = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let value = self.value(&part, depth + 1);
            stored.push(value.map_err(|trouble| trouble.within(format!(" part {index}")))?);
        }
        match Extended::from_parts(stored) {
            Some(value) => Ok(Some(value.into())),
            None => Err(Trouble::unsupported(format!(
                "{}: its numbers have more than 65536 bits or digits",
                type_name(object)
            ))),
        }
    }

    fn container(&mut self, object: &Bound<'_, PyAny>, depth: usize) -> Result<Value, Trouble> {
        let segment = &self.home.segment;
        if let Ok(list) = object.cast_exact::<PyList>() {
            let items = self.items(list.iter(), depth)?;
            return Ok(Value::List(segment.list(items)?));
        }
        if let Ok(dict) = object.cast_exact::<PyDict>() {
            // A list of the items: waiting for a lock may let another thread change the dict.
            let entries = self.entries(dict.items(), depth)?;
            return Ok(Value::Dict(segment.dict(entries)?));
        }
        if let Ok(set) = object.cast_exact::<PySet>() {
            let members = self.members(set, depth)?;
            return Ok(Value::Set(segment.set(members)?));
        }
        if let Ok(bytes) = object.cast_exact::<PyByteArray>() {
            return Ok(Value::ByteArray(segment.bytearray(&bytes.to_vec())?));
        }
        if let Some(copied) = array::copied_in(self.home, object)? {
            return copied.map(Value::Array).map_err(Trouble::unsupported);
        }
        if let Ok(schema) = object.get_type().getattr("__shm_schema__")
            && schema.is_instance_of::<PyString>()
        {
            return self.declared(object, &schema.extract::<String>()?, depth);
        }
        if let Some(value) = crate::kinds::import(self, object, depth)? {
            return Ok(value);
        }
        Err(Trouble::unsupported(refused(object)))
    }

    /// A new struct of an instance of a class with `@shm_py.struct`, by its schema.
    fn declared(
        &mut self,
        object: &Bound<'_, PyAny>,
        text: &str,
        depth: usize,
    ) -> Result<Value, Trouble> {
        let schema = Schema::parse(text)?;
        let composed: Vec<_> =
            schema.fields().iter().map(|field| field.ty().is_composed()).collect();
        let module = object.py().import("shm_py._structs")?;
        let values = module.call_method1("whole", (object, composed))?;
        let values = values.cast_into::<PyTuple>().map_err(PyErr::from)?;
        let values = self.items(values.iter(), depth)?;
        Ok(Value::Record(Record::create(self.home.segment.heap(), &schema, &values)?))
    }

    /// Keys and values of a dict, given as pairs.
    pub(crate) fn entries<'py>(
        &mut self,
        pairs: impl IntoIterator<Item = Bound<'py, PyAny>>,
        depth: usize,
    ) -> Result<Vec<(Value, Value)>, Trouble> {
        let mut entries = Vec::new();
        for pair in pairs {
            let pair = pair.cast_into::<PyTuple>().map_err(PyErr::from)?;
            let (key, item) = (pair.get_item(0)?, pair.get_item(1)?);
            self.keys += 1;
            let stored = self.value(&key, depth + 1);
            self.keys -= 1;
            let stored =
                stored.map_err(|trouble| trouble.within(format!(" key {}", bounded(&key))))?;
            let value = self
                .value(&item, depth + 1)
                .map_err(|trouble| trouble.within(format!("[{}]", bounded(&key))))?;
            entries.push((stored, value));
        }
        Ok(entries)
    }

    /// Names and values of the attributes of an instance.
    pub(crate) fn attributes<'py>(
        &mut self,
        attributes: impl IntoIterator<Item = (String, Bound<'py, PyAny>)>,
        depth: usize,
    ) -> Result<Vec<(Value, Value)>, Trouble> {
        let mut entries = Vec::new();
        for (name, value) in attributes {
            let value = self.value(&value, depth + 1);
            let value = value.map_err(|trouble| trouble.within(format!(".{name}")))?;
            entries.push((Value::from(name), value));
        }
        Ok(entries)
    }

    pub(crate) fn items<'py>(
        &mut self,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        depth: usize,
    ) -> Result<Vec<Value>, Trouble> {
        items
            .enumerate()
            .map(|(index, item)| {
                self.value(&item, depth + 1).map_err(|trouble| trouble.within(format!("[{index}]")))
            })
            .collect()
    }

    fn members(&mut self, set: &Bound<'_, PyAny>, depth: usize) -> Result<Vec<Value>, Trouble> {
        let members: Vec<_> = set.try_iter()?.collect::<PyResult<_>>()?;
        self.keys += 1;
        let stored = members
            .iter()
            .map(|member| {
                self.value(member, depth + 1)
                    .map_err(|trouble| trouble.within(format!(" member {}", bounded(member))))
            })
            .collect();
        self.keys -= 1;
        stored
    }

    /// The handle of an object that is shared already.
    fn proxy(&self, object: &Bound<'_, PyAny>) -> Result<Option<Value>, Trouble> {
        Ok(if let Ok(proxy) = object.cast_exact::<SharedList>() {
            Some(self.own(proxy.get())?)
        } else if let Ok(proxy) = object.cast_exact::<SharedDict>() {
            Some(self.own(proxy.get())?)
        } else if let Ok(proxy) = object.cast_exact::<SharedSet>() {
            Some(self.own(proxy.get())?)
        } else if let Ok(proxy) = object.cast_exact::<SharedByteArray>() {
            Some(self.own(proxy.get())?)
        } else if let Ok(proxy) = object.cast_exact::<SharedStruct>() {
            Some(self.own(proxy.get())?)
        } else if let Ok(proxy) = object.cast_exact::<SharedArray>() {
            Some(self.own(proxy.get())?)
        } else if let Ok(proxy) = object.cast::<SharedList>() {
            Some(self.own(proxy.get())?)
        } else if let Ok(proxy) = object.cast::<SharedDict>() {
            Some(self.own(proxy.get())?)
        } else if let Ok(proxy) = object.cast::<SharedObject>() {
            Some(self.own(proxy.get())?)
        } else {
            None
        })
    }

    fn own<P: Proxy>(&self, proxy: &P) -> Result<Value, Trouble>
    where
        P::Core: Clone + Into<Value>,
    {
        let handle = proxy.handle();
        if Arc::ptr_eq(&handle.home, self.home) {
            return Ok(handle.core.clone().into());
        }
        if handle.home.uuid == self.home.uuid && !handle.home.segment.is_closed() {
            // Another attachment of the same segment.
            return Ok(self.home.segment.object(handle.core.object_id()?)?);
        }
        let what = format!(
            "an object of segment {:?} in {:?}: copy it with to_py()",
            handle.home.segment.name(),
            self.home.segment.name()
        );
        Err(Error::InvalidArgument { what }.into())
    }
}
