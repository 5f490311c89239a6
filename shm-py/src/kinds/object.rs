//! `Object`: the attributes of an instance of a plain class, in a shared dict.
//!
//! The dict has the name of the class under the key `None`. A process that has the class already sees
//! the instance as one: `_objects.py` makes a subclass of `Object` with the special methods of the
//! class, and everything else is looked up in the class each time, as in an instance: properties first,
//! then attributes, then methods. In a process without it, attributes still work. Nothing is imported
//! and nothing is run for a name that a segment holds.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple, PyType};
use shm_core::{Dict, Error, Value};

use crate::common::{self, Delta};
use crate::convert::{self, Plain};
use crate::draft;
use crate::error::OrRaise;
use crate::home::{Core, Handle, Home, Proxy};
use crate::slots::class;

mod instance;
mod lookup;

pub(crate) use instance::Attributes;
pub(super) use instance::{attributes, blank, described, fill, import};
use lookup::{in_class, is_own};

/// An instance of a plain class in shared memory; made by storing one.
#[pyclass(name = "Object", module = "shm_py", frozen, weakref, subclass)]
pub(crate) struct SharedObject {
    handle: Handle<Dict>,
    /// Its class, once that is there.
    class: PyOnceLock<Py<PyType>>,
}

/// What a new proxy is made of: on its way through the interpreter.
#[pyclass(name = "Ticket", module = "shm_py._native", frozen)]
pub(crate) struct Ticket(Mutex<Option<Handle<Dict>>>);

impl Proxy for SharedObject {
    type Core = Dict;

    fn create(py: Python<'_>, handle: Handle<Dict>) -> PyResult<Bound<'_, Self>> {
        let name = handle.core.class().ok().flatten();
        let (proxy_class, class) = resolve(py, name)?;
        let ticket = Bound::new(py, Ticket(Mutex::new(Some(handle))))?;
        let proxy = proxy_class.call1((ticket,))?.cast_into::<Self>()?;
        if let Some(class) = class {
            let _ = proxy.get().class.set(py, class.unbind());
        }
        Ok(proxy)
    }

    #[inline]
    fn handle(&self) -> &Handle<Dict> {
        &self.handle
    }
}

type Attribute<'py> = (Bound<'py, PyString>, Bound<'py, PyAny>);
type Resolved<'py> = (Bound<'py, PyType>, Option<Bound<'py, PyType>>);

fn helpers(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import(intern!(py, "shm_py._objects"))
}

/// The class of the proxies of a class, and that class if it is there.
fn resolve(py: Python<'_>, name: Option<String>) -> PyResult<Resolved<'_>> {
    helpers(py)?.call_method1(intern!(py, "resolve"), (name,))?.extract()
}

impl SharedObject {
    fn core(&self) -> &Dict {
        &self.handle.core
    }

    fn home(&self) -> &Arc<Home> {
        &self.handle.home
    }

    fn class<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyType>> {
        self.class.get(py).map(|class| class.bind(py))
    }

    /// Names and values of what is stored; shared values stay shared.
    fn shallow<'py>(&self, py: Python<'py>) -> PyResult<Vec<Attribute<'py>>> {
        let stored = attributes(self.core())?.into_iter();
        stored
            .map(|(name, value)| {
                Ok((PyString::new(py, &name), convert::to_python(py, self.home(), value)?))
            })
            .collect()
    }

    /// Where error paths say that a value goes.
    fn site(&self, name: &str) -> String {
        let class = self.core().class().ok().flatten().unwrap_or_default();
        let short = class.rsplit([':', '.']).next().unwrap_or_default();
        format!("{short}.{name}")
    }

    fn import(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<Value> {
        convert::to_value(self.home(), value, || self.site(name))
    }
}

#[pymethods]
impl SharedObject {
    #[new]
    #[pyo3(signature = (ticket, /))]
    fn new(ticket: &Bound<'_, PyAny>) -> PyResult<Self> {
        let made = ticket.cast::<Ticket>().ok().and_then(|ticket| {
            ticket.get().0.lock().unwrap_or_else(PoisonError::into_inner).take()
        });
        let words = "Object is made by storing an instance, as in root['x'] = Point(1, 2)";
        let handle = made.ok_or_else(|| PyTypeError::new_err(words))?;
        Ok(Self { handle, class: PyOnceLock::new() })
    }

    fn __getattribute__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let text = name.to_str()?;
        if text.starts_with("__") && text.ends_with("__") {
            if text == "__class__" {
                let class = Self::class_by_now(slf)?;
                return Ok(class.unwrap_or_else(|| slf.get_type()).into_any());
            }
            if text == "__dict__" {
                return helpers(py)?.call_method1("Attributes", (slf,));
            }
            if is_own(text) {
                return crate::slots::record::generic_attribute(slf.as_any(), name);
            }
        }
        Self::look(slf, slf.get().class(py), name)
    }

    // Asked when `__getattribute__` found nothing.
    fn __getattr__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let class = slf.get().class(py);
        if class.is_none() && Self::recognise(slf)? {
            return slf.getattr(name);
        }
        if let Some(hook) = in_class(class, intern!(py, "__getattr__"))?
            && let Some(class) = class
        {
            return class::bind(&hook, slf.as_any(), class)?.call1((name,));
        }
        if in_class(class, name)?.is_some_and(|found| !class::is_member(&found)) {
            // It was a property that raised the error, and says why.
            return Self::look(slf, class, name);
        }
        Err(slf.get().no_attribute(name.to_str()?, class.is_some()))
    }

    fn __setattr__(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        if matches!(name.to_str()?, "__class__" | "__dict__") {
            let text = format!("{name} of a shared object cannot be set");
            return Err(PyAttributeError::new_err(text));
        }
        if let Some(class) = Self::class_by_now(slf)? {
            if class::attribute(&class, intern!(py, "__setattr__"))?.is_some() {
                return helpers(py)?.call_method1("assign", (slf, class, name, value)).map(drop);
            }
            match class::attribute(&class, name)? {
                Some(found) if class::is_data_descriptor(&found) => {
                    return class::assign(&found, slf.as_any(), Some(value));
                }
                Some(found) if class::is_member(&found) => {}
                _ if class::has_dict(&class) => {}
                _ => return Err(slf.get().no_attribute(name.to_str()?, true)),
            }
        }
        Self::_set(slf, name.to_str()?, value)
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<()> {
        let py = slf.py();
        if let Some(class) = Self::class_by_now(slf)? {
            if class::attribute(&class, intern!(py, "__delattr__"))?.is_some() {
                return helpers(py)?.call_method1("assign", (slf, class, name)).map(drop);
            }
            match class::attribute(&class, name)? {
                Some(found) if class::is_data_descriptor(&found) => {
                    return class::assign(&found, slf.as_any(), None);
                }
                _ => {}
            }
        }
        Self::_delete(slf, name.to_str()?)
    }

    fn __dir__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        helpers(slf.py())?.call_method1("names", (slf,))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = common::text(py, self.home(), &Value::Dict(self.core().clone()));
        common::unless_closed(py, "Object", shown)
    }

    fn __richcmp__(
        slf: &Bound<'_, Self>,
        other: &Bound<'_, PyAny>,
        operator: CompareOp,
    ) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let Ok(other) = other.cast::<Self>() else { return Ok(py.NotImplemented()) };
        let (one, other) = (slf.get(), other.get());
        let same = one.home().uuid == other.home().uuid
            && one.core().object_id()? == other.core().object_id()?;
        match operator {
            CompareOp::Eq => same.into_py_any(py),
            CompareOp::Ne => (!same).into_py_any(py),
            _ => Ok(py.NotImplemented()),
        }
    }

    fn __hash__(&self) -> PyResult<u64> {
        Ok(self.core().object_id()? >> 16)
    }

    /// Add `delta` to a number attribute in one step; returns the new value.
    #[pyo3(signature = (attribute, delta=Delta::ONE, /), text_signature = "($self, attribute, delta=1, /)")]
    fn add<'py>(
        slf: &Bound<'py, Self>,
        attribute: &str,
        delta: Delta,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::check_frozen(slf, attribute)?;
        let this = slf.get();
        let sum = match this.core().add_existing(attribute, delta.0) {
            Err(Error::KeyNotFound { .. }) => return Err(this.no_attribute(attribute, true)),
            sum => sum.or_raise()?,
        };
        convert::to_python(slf.py(), this.home(), sum)
    }

    /// Store `new` in an attribute if its value is equal to `old`, in one step.
    #[pyo3(signature = (attribute, /, old, new))]
    fn compare_exchange(
        slf: &Bound<'_, Self>,
        attribute: &str,
        old: &Bound<'_, PyAny>,
        new: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        Self::check_frozen(slf, attribute)?;
        let this = slf.get();
        let (old, new) = (this.import(attribute, old)?, this.import(attribute, new)?);
        this.core().compare_exchange(attribute, Some(&old), new).or_raise()
    }

    /// An instance with all attributes, copied at any depth.
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Plain::copy(py, self.home(), Value::Dict(self.core().clone()))
    }

    /// Names and values of what is stored; shared values stay shared.
    fn _attributes<'py>(&self, py: Python<'py>) -> PyResult<Vec<Attribute<'py>>> {
        self.shallow(py)
    }

    /// The value of an attribute that is stored; `KeyError` if there is none.
    fn _get<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.get().stored(name)?.ok_or_else(|| crate::dict::missing(name.as_any()))
    }

    /// Store an attribute, whatever the class says.
    fn _set(slf: &Bound<'_, Self>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let this = slf.get();
        let value = draft::to_stored(this.home(), value, || this.site(name))?;
        this.core().set(name, value).or_raise()
    }

    /// Delete an attribute that is stored; `AttributeError` if there is none.
    fn _delete(slf: &Bound<'_, Self>, name: &str) -> PyResult<()> {
        let this = slf.get();
        match this.core().remove(name).or_raise()? {
            Some(_) => Ok(()),
            None => Err(this.no_attribute(name, true)),
        }
    }

    /// How many attributes are stored.
    fn _count(&self) -> PyResult<usize> {
        Ok(attributes(self.core())?.len())
    }

    fn __copy__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let copy = blank(py, self.core())?;
        fill(&copy, self.shallow(py)?)?;
        Ok(copy)
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
