//! What a name of an attribute means: the class is asked as it is for an instance of its own.

use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::{SharedObject, helpers, resolve};
use crate::convert;
use crate::error::OrRaise;
use crate::slots::class;

/// What a class knows under a name.
pub(super) fn in_class<'py>(
    class: Option<&Bound<'py, PyType>>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    class.map_or(Ok(None), |class| class::attribute(class, name))
}

/// Whether a special name is that of the proxy itself.
pub(super) fn is_own(name: &str) -> bool {
    matches!(
        name,
        "__reduce__"
            | "__reduce_ex__"
            | "__getstate__"
            | "__copy__"
            | "__deepcopy__"
            | "__new__"
            | "__weakref__"
            | "__getattribute__"
            | "__setattr__"
            | "__delattr__"
    )
}

impl SharedObject {
    /// Looks for the class once more: whether it is there now.
    #[cold]
    pub(super) fn recognise(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let py = slf.py();
        let (proxy_class, class) = resolve(py, slf.get().core().class().or_raise()?)?;
        let Some(class) = class else { return Ok(false) };
        crate::slots::record::generic_assign(slf.as_any(), intern!(py, "__class__"), &proxy_class)?;
        let _ = slf.get().class.set(py, class.unbind());
        Ok(true)
    }

    /// The class, also if it came only lately.
    pub(super) fn class_by_now<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<Option<Bound<'py, PyType>>> {
        if slf.get().class(slf.py()).is_none() && !Self::recognise(slf)? {
            return Ok(None);
        }
        Ok(slf.get().class(slf.py()).cloned())
    }

    /// The value of an attribute that is stored.
    pub(super) fn stored<'py>(
        &self,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(found) = crate::slots::dict::probe_in(&self.handle, name.as_any()) {
            return Ok(Some(found));
        }
        let Some(key) = convert::to_lookup(self.home(), name.as_any())? else { return Ok(None) };
        let value = self.core().get(&key).or_raise()?;
        value.map(|value| convert::to_python(name.py(), self.home(), value)).transpose()
    }

    /// Attribute look-up without `__getattr__`.
    pub(super) fn look<'py>(
        slf: &Bound<'py, Self>,
        class: Option<&Bound<'py, PyType>>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let found = in_class(class, name)?;
        if let (Some(found), Some(class)) = (&found, class)
            && class::is_data_descriptor(found)
        {
            return class::bind(found, slf.as_any(), class);
        }
        if let Some(value) = slf.get().stored(name)? {
            return Ok(value);
        }
        if let (Some(found), Some(class)) = (&found, class)
            && !class::is_member(found)
        {
            return class::bind(found, slf.as_any(), class);
        }
        crate::slots::record::generic_attribute(slf.as_any(), name)
    }

    /// The error for an attribute that is not there.
    #[cold]
    pub(super) fn no_attribute(&self, name: &str, known: bool) -> PyErr {
        let class = self.core().class().ok().flatten();
        PyAttributeError::new_err(match class {
            Some(class) if known => {
                let short = class.rsplit([':', '.']).next().unwrap_or_default();
                format!("'{short}' object has no attribute '{name}'")
            }
            Some(class) => {
                let module = class.split(':').next().unwrap_or_default();
                format!(
                    "no attribute '{name}' is stored in this object of class '{class}', which is not \
                     loaded here: import {module} to have its methods"
                )
            }
            None => format!("this object has no attribute '{name}' and names no class"),
        })
    }

    /// What the class refuses to set by itself is not set here either.
    pub(super) fn check_frozen(slf: &Bound<'_, Self>, name: &str) -> PyResult<()> {
        match Self::class_by_now(slf)? {
            // A frozen dataclass has one.
            Some(class)
                if class::attribute(&class, intern!(slf.py(), "__setattr__"))?.is_some() =>
            {
                helpers(slf.py())?.call_method1("check_frozen", (class, name)).map(drop)
            }
            _ => Ok(()),
        }
    }
}
