//! Values of the standard library's other types, of numpy and of enums; and pickles that were allowed.
//!
//! `shm_py/_values.py` knows the types: what packs one into parts, and what makes it of them. Here it is
//! found by the exact type, and parts become values of the core and back. That runs Python code, so
//! drafts take only what [`quick`] knows.

pub(crate) mod quick;

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyInt, PyList, PySet, PyString, PyTuple};
use shm_core::{Extended, Value};

use crate::home::Home;

/// What `shm_py/_values.py` offers.
struct Known {
    /// Packers by type.
    packers: Py<PyDict>,
    /// What finds the packer of a new type.
    find: Py<PyAny>,
    /// Makers by code.
    makers: Py<PyDict>,
}

static KNOWN: PyOnceLock<Known> = PyOnceLock::new();

fn known(py: Python<'_>) -> PyResult<&Known> {
    KNOWN.get_or_try_init(py, || {
        let module = py.import("shm_py._values")?;
        Ok(Known {
            packers: module.getattr("PACKERS")?.cast_into::<PyDict>()?.unbind(),
            find: module.getattr("find")?.unbind(),
            makers: module.getattr("MAKERS")?.cast_into::<PyDict>()?.unbind(),
        })
    })
}

/// What a Python object is to be stored as.
pub(crate) enum Packed<'py> {
    /// No value of these types.
    Other,
    /// A whole value.
    Whole(Value),
    /// A value's code and parts.
    Parts(Bound<'py, PyTuple>),
    /// One that cannot be stored: why, and what to do.
    Refused(String),
}

/// Takes an object apart, if it is of one of these types.
pub(crate) fn pack<'py>(home: &Arc<Home>, object: &Bound<'py, PyAny>) -> PyResult<Packed<'py>> {
    let py = object.py();
    if is_container(object) {
        return Ok(Packed::Other);
    }
    if let Some(value) = quick::pack(object) {
        return Ok(Packed::Whole(value));
    }
    let class = object.get_type();
    let packed = if let Some(classes) = home.allowed(py)
        && classes.contains(&class)?
    {
        py.import("shm_py._pickles")?.call_method1("pack", (object, classes))?
    } else {
        let known = known(py)?;
        let packer = match known.packers.bind(py).get_item(&class)? {
            Some(packer) => packer,
            None => known.find.bind(py).call1((&class,))?,
        };
        if packer.is_none() {
            return Ok(Packed::Other);
        }
        packer.call1((object,))?
    };
    if let Ok(why) = packed.cast::<PyString>() {
        return Ok(Packed::Refused(why.to_string()));
    }
    Ok(Packed::Parts(packed.cast_into::<PyTuple>()?))
}

/// Whether it is a built-in that is stored as a shared object.
fn is_container(object: &Bound<'_, PyAny>) -> bool {
    object.is_exact_instance_of::<PyDict>()
        || object.is_exact_instance_of::<PyList>()
        || object.is_exact_instance_of::<PySet>()
        || object.is_exact_instance_of::<PyByteArray>()
}

/// How a repr shows a value that cannot be made here, if there are reasons why not.
pub(crate) fn shown(value: &Value) -> Option<String> {
    let of = |class: &str| class.replace(':', ".");
    Some(match value.as_extended()? {
        Extended::Enum(member) => match &member.name {
            Some(name) => format!("<{}.{name}>", of(&member.class)),
            None => format!("<{} of flags>", of(&member.class)),
        },
        Extended::Pickled(pickled) => format!("<pickled {}>", of(&pickled.class)),
        other => format!("<{}>", other.type_name()),
    })
}

/// Makes the Python object of a value; `convert` makes those of its parts.
pub(crate) fn make<'py>(
    py: Python<'py>,
    home: &Arc<Home>,
    value: &Extended,
    mut convert: impl FnMut(Value) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(made) = quick::make(py, value) {
        return made;
    }
    if let Extended::Pickled(pickled) = value {
        let classes = home.allowed(py);
        let data = PyBytes::new(py, &pickled.data);
        let module = py.import("shm_py._pickles")?;
        return module.call_method1("make", (classes, &pickled.class, data));
    }
    let parts: Vec<_> =
        value.to_parts().into_iter().skip(1).map(&mut convert).collect::<PyResult<_>>()?;
    let code = PyInt::new(py, value.code());
    let maker = known(py)?.makers.bind(py).as_any().get_item(code)?;
    maker.call1(PyTuple::new(py, parts)?)
}
