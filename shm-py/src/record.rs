//! `Struct`: a typed struct in shared memory, whose fields are attributes.
//!
//! The schema is stored in the segment, so a struct that Rust made needs no code here. A field
//! read is one validated read, a field write one operation; a wrong type is a `TypeError` and an
//! unknown field an `AttributeError`, and both name the fields. A field hides a method of the same
//! name: then use the class, as in `Struct.to_py(value)`.

use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::types::{PyDict, PyString, PyTuple};
use shm_core::{Field, FieldType, Record, Value};

use crate::common::{self, Delta};
use crate::convert::{self, Plain};
use crate::error::OrRaise;
use crate::home::{Handle, Home, Proxy};
use crate::slots::fields::{Fields, Starts};
use crate::slots::shell::{self, Shelled, Shells};
use crate::vector::SharedVec;

mod present;

pub(crate) use present::{has_names, presented};

/// A typed struct in shared memory; made in Rust, found like any other value.
#[pyclass(name = "Struct", module = "shm_py", frozen, weakref)]
pub(crate) struct SharedStruct {
    handle: Handle<Record>,
    fields: Fields,
}

impl Proxy for SharedStruct {
    type Core = Record;

    fn create(py: Python<'_>, handle: Handle<Record>) -> PyResult<Bound<'_, Self>> {
        let schema = handle.core.schema();
        let fields = schema
            .companion(|_| Starts::default())
            .and_then(|starts| starts.at(py, schema, handle.core.word_shift()))
            .ok_or_else(|| PyTypeError::new_err("the schema has a companion of another kind"))?;
        shell::instance(py, Self { handle, fields })
    }

    #[inline]
    fn handle(&self) -> &Handle<Record> {
        &self.handle
    }
}

impl Shelled for SharedStruct {
    fn shells() -> &'static Shells {
        static SHELLS: Shells = Shells::new();
        &SHELLS
    }
}

/// Names and values of all fields, of one moment.
pub(crate) fn fields(core: &Record) -> PyResult<Vec<(String, Value)>> {
    let values = core.values().or_raise()?;
    let names = core.schema().fields().iter().map(|field| field.name().to_owned());
    Ok(names.zip(values).collect())
}

/// Copies of a struct that are begun while others change it, before they are kept from it.
const TRIES: usize = 4;

/// Runs a copy of a struct that reads it in several steps (a nested struct is one) until nothing has
/// changed meanwhile; in the end with the writers kept out, or, where that is not allowed, patiently.
fn of_one_moment<T>(
    py: Python<'_>,
    core: &Record,
    home: &Home,
    mut copy: impl FnMut() -> PyResult<T>,
) -> PyResult<T> {
    let mut tries = 0;
    loop {
        let before = core.version().or_raise()?;
        let copied = copy()?;
        if before & 1 == 0 && core.version().or_raise()? == before {
            return Ok(copied);
        }
        py.check_signals()?;
        tries += 1;
        if tries >= TRIES && !home.segment.is_readonly() {
            let mut result = None;
            home.segment
                .transaction(|_| {
                    result = Some(copy());
                    Ok(())
                })
                .or_raise()?;
            return result.unwrap_or_else(copy);
        }
    }
}

impl SharedStruct {
    #[inline]
    fn core(&self) -> &Record {
        &self.handle.core
    }

    /// Its number fields.
    #[inline]
    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    fn assign(&self, index: usize, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = self.accept(index, name, value)?;
        self.core().set_at(index, value).or_raise()
    }

    /// What a field is to be set to, as a value.
    fn accept(&self, index: usize, name: &str, value: &Bound<'_, PyAny>) -> PyResult<Value> {
        let site = || format!("{}.{name}", self.core().schema().name());
        let composed =
            self.core().schema().fields().get(index).is_some_and(|field| field.ty().is_composed());
        if composed {
            // Members of enums, arrays of numpy, vectors, structs declared in Python.
            let plain = value.py().import("shm_py._vectors")?.call_method1("plain", (value,))?;
            return convert::to_value(&self.handle.home, &plain, site);
        }
        convert::to_value(&self.handle.home, value, site)
    }

    /// A field as Python sees it: enums as members and named tuples, dense vectors as `Vec`.
    pub(crate) fn present<'py>(
        &self,
        py: Python<'py>,
        index: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let home = &self.handle.home;
        let schema = self.core().schema();
        let ty = schema.fields().get(index).map(Field::ty);
        if !ty.is_some_and(FieldType::is_composed) {
            let value = self.core().get_at(index).or_raise()?;
            return convert::to_python(py, home, value);
        }
        if let Some(vector) = self.core().vector_at(index).or_raise()? {
            let storage = SharedVec::new(vector, Arc::clone(home));
            return py.import("shm_py._vectors")?.call_method1("Vec", (storage,));
        }
        let value = convert::to_python(py, home, self.core().get_at(index).or_raise()?)?;
        self.as_field(index, value)
    }

    /// A field's value with members of enums in the place of names and tuples.
    fn as_field<'py>(&self, index: usize, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match self.core().schema().fields().get(index).map(Field::ty) {
            Some(ty) => presented(ty, value),
            None => Ok(value),
        }
    }

    fn shown(&self, py: Python<'_>) -> PyResult<String> {
        let mut parts = Vec::new();
        for (name, value) in fields(self.core())? {
            let shown = common::repr(py, &self.handle.home, "", &value)?;
            let shown = shown.strip_prefix('(').and_then(|shown| shown.strip_suffix(')'));
            parts.push(format!("{name}={}", shown.unwrap_or("...")));
        }
        Ok(format!("Struct {}({})", self.core().schema().name(), parts.join(", ")))
    }

    /// Whether it has the values of an instance of a class that declares its schema. `None`: it is none.
    fn equals_declared(&self, other: &Bound<'_, PyAny>) -> PyResult<Option<bool>> {
        let py = other.py();
        let Some(text) = other.get_type().getattr_opt("__shm_schema__")? else { return Ok(None) };
        if !text.eq(self.core().schema().text())? {
            return Ok(None);
        }
        let proxy = self.handle.home.adopt::<Self>(py, self.core().clone())?;
        let own = py.import("shm_py._structs")?.call_method1("load", (proxy,))?;
        own.eq(other).map(Some)
    }

    fn index_of(&self, name: &str) -> PyResult<usize> {
        let schema = self.core().schema();
        schema
            .index_of(name)
            .ok_or_else(|| PyAttributeError::new_err(schema.unknown_field(name).to_string()))
    }
}

#[pymethods]
impl SharedStruct {
    fn __getattribute__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let text = name.to_str()?;
        if let Some(index) = this.core().schema().index_of(text) {
            return this.present(slf.py(), index);
        }
        crate::slots::record::generic_attribute(slf.as_any(), name)
    }

    // Asked when `__getattribute__` found nothing.
    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.present(py, self.index_of(name)?)
    }

    fn __setattr__(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.assign(self.index_of(name)?, name, value)
    }

    fn __delattr__(&self, name: &str) -> PyResult<()> {
        self.index_of(name)?;
        let text = format!("field {name:?} of {:?} cannot be deleted", self.core().schema().name());
        Err(PyTypeError::new_err(text))
    }

    fn __dir__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let names = py.get_type::<Self>().dir()?;
        for field in slf.get().core().schema().fields() {
            names.append(field.name())?;
        }
        let unique = py.get_type::<pyo3::types::PySet>().call1((names,))?;
        py.import("builtins")?.getattr("sorted")?.call1((unique,))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        common::unless_closed(py, "Struct", self.shown(py))
    }

    fn __richcmp__(&self, other: &Bound<'_, PyAny>, operator: CompareOp) -> PyResult<Py<PyAny>> {
        let py = other.py();
        let equal = match other.cast_exact::<Self>() {
            Ok(other) => self.core() == other.get().core(),
            // An instance of the class that declares this schema is what `load()` gives.
            Err(_) => match self.equals_declared(other)? {
                Some(equal) => equal,
                None => return Ok(py.NotImplemented()),
            },
        };
        match operator {
            CompareOp::Eq => equal.into_py_any(py),
            CompareOp::Ne => (!equal).into_py_any(py),
            _ => Ok(py.NotImplemented()),
        }
    }
    /// Add `delta` to a number field in one step; returns the new value.
    #[pyo3(signature = (field, delta=Delta::ONE, /), text_signature = "($self, field, delta=1, /)")]
    fn add<'py>(&self, py: Python<'py>, field: &str, delta: Delta) -> PyResult<Bound<'py, PyAny>> {
        let index = self.index_of(field)?;
        let sum = self.core().add_at(index, delta.0).or_raise()?;
        convert::to_python(py, &self.handle.home, sum)
    }

    /// Store `new` in a field if its value is equal to `old`, in one step.
    #[pyo3(signature = (field, /, old, new))]
    fn compare_exchange(
        &self,
        field: &str,
        old: &Bound<'_, PyAny>,
        new: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let index = self.index_of(field)?;
        let old = self.accept(index, field, old)?;
        let new = self.accept(index, field, new)?;
        self.core().compare_exchange_at(index, &old, new).or_raise()
    }

    /// Set several fields at once: all of them, or none.
    fn _set_many(&self, changes: &Bound<'_, PyDict>) -> PyResult<()> {
        let mut all = Vec::with_capacity(changes.len());
        for (name, value) in changes {
            let name = name.extract::<String>()?;
            let index = self.index_of(&name)?;
            all.push((index, self.accept(index, &name, &value)?));
        }
        self.core().set_many(&all).or_raise()
    }

    /// Whether it is a part of another struct.
    fn _is_nested(&self) -> bool {
        self.core().is_nested()
    }

    /// The canonical text of its schema.
    fn _text(&self) -> String {
        self.core().schema().text().to_owned()
    }

    /// All fields, as of one moment.
    fn _values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let values = self.core().values().or_raise()?;
        let shown = values.into_iter().enumerate().map(|(index, value)| {
            let plain = convert::to_python(py, &self.handle.home, value)?;
            self.as_field(index, plain)
        });
        PyTuple::new(py, shown.collect::<PyResult<Vec<_>>>()?)
    }

    /// A dataclass with all fields, copied at one moment, at any depth.
    fn load<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let shared = slf.get();
        of_one_moment(slf.py(), shared.core(), &shared.handle.home, || {
            slf.py().import("shm_py._structs")?.call_method1("load", (slf,))
        })
    }

    /// A context manager: what is assigned in its block is set at once when it ends, or not at all.
    fn update<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("shm_py._structs")?.call_method1("Update", (slf,))
    }

    /// A dict of all fields, copied at one moment, at any depth.
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        of_one_moment(py, self.core(), &self.handle.home, || {
            Plain::copy(py, &self.handle.home, Value::Record(self.core().clone()))
        })
    }

    /// The schema's name, and the type of each field in the notation of Rust.
    fn schema<'py>(&self, py: Python<'py>) -> PyResult<(String, Bound<'py, PyDict>)> {
        let schema = self.core().schema();
        let types = PyDict::new(py);
        for field in schema.fields() {
            types.set_item(field.name(), field.ty().to_string())?;
        }
        Ok((schema.name().to_owned(), types))
    }

    fn __copy__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let copy = PyDict::new(py);
        for (name, value) in fields(self.core())? {
            copy.set_item(name, convert::to_python(py, &self.handle.home, value)?)?;
        }
        Ok(copy.into_any())
    }

    fn __deepcopy__<'py>(&self, memo: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.to_py(memo.py())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        common::reduce(slf)
    }

    fn __reduce_ex__<'py>(slf: &Bound<'py, Self>, _protocol: i32) -> PyResult<Bound<'py, PyTuple>> {
        common::reduce(slf)
    }
}
