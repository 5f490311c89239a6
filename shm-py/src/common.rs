//! What the shared types have in common: indices, slices, bounded repr, pickling.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PySlice, PyString, PyTuple, PyType};
use shm_core::{Dict, DictFlavour, Error, ListFlavour, Value};

use crate::convert;
use crate::error::OrRaise;
use crate::home::{Core, Home, Proxy};
use crate::values;

/// Most elements of one container that a repr shows.
const SHOWN: usize = 20;
/// Looks that a repr takes at a few of them while others change the container.
const LOOKS: usize = 8;
/// Deepest nesting that a repr shows.
const SHOWN_DEPTH: usize = 4;
/// Longest repr of one str or bytes, and of the whole, in characters.
const SHOWN_TEXT: usize = 80;
const SHOWN_TOTAL: usize = 2000;

/// An index from anything with `__index__`; beyond 64 bits is out of every range.
pub(crate) fn index(key: &Bound<'_, PyAny>, what: &str) -> PyResult<i64> {
    integer(key, |given| format!("{what} indices must be integers or slices, not {given}"))
}

/// An integer from anything with `__index__`, the nearest of 64 bits; what is said of an object of
/// another type.
fn integer(key: &Bound<'_, PyAny>, refuse: impl FnOnce(&str) -> String) -> PyResult<i64> {
    match key.extract::<i64>() {
        Ok(index) => Ok(index),
        Err(error) if error.is_instance_of::<PyOverflowError>(key.py()) => {
            let negative = key.call_method0("__index__")?.lt(0)?;
            Ok(if negative { i64::MIN } else { i64::MAX })
        }
        // What its own `__index__` raised.
        Err(error) if key.hasattr("__index__")? => Err(error),
        Err(_) => Err(PyTypeError::new_err(refuse(&key.get_type().name()?.to_cow()?))),
    }
}

/// How often `*=` repeats a sequence.
pub(crate) fn times(count: &Bound<'_, PyAny>) -> PyResult<usize> {
    let count =
        integer(count, |given| format!("can't multiply sequence by non-int of type '{given}'"))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// An index that a method takes and that has to fit into 64 bits: `OverflowError`, as in the built-ins.
pub(crate) fn narrow_index(key: &Bound<'_, PyAny>) -> PyResult<i64> {
    match key.extract::<i64>() {
        Err(error) if error.is_instance_of::<PyOverflowError>(key.py()) => Err(error),
        Ok(index) => Ok(index),
        Err(_) => {
            integer(key, |given| format!("'{given}' object cannot be interpreted as an integer"))
        }
    }
}

/// An index that a method takes; beyond 64 bits it is beyond either end.
#[derive(Clone, Copy)]
pub(crate) struct Index(pub(crate) i64);

impl FromPyObject<'_, '_> for Index {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        integer(&object, |_| {
            "slice indices must be integers or have an __index__ method".to_owned()
        })
        .map(Index)
    }
}

/// An index into a list that a method takes and that has to fit; see [`narrow_index`].
#[derive(Clone, Copy)]
pub(crate) struct Narrow(pub(crate) i64);

impl FromPyObject<'_, '_> for Narrow {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        narrow_index(&object).map(Narrow)
    }
}

/// An argument that may be left out, and is not when it is `None`.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a, 'py>(pub(crate) Option<Borrowed<'a, 'py, PyAny>>);

impl<'a, 'py> FromPyObject<'a, 'py> for Given<'a, 'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Ok(Given(Some(object)))
    }
}

/// Where an index points in a sequence that others change: one from the end is resolved by the operation
/// itself, as of its own moment.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Front(usize),
    /// 1 is the last element.
    Back(usize),
}

impl Place {
    pub(crate) fn of(index: i64) -> Self {
        let distance = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
        if index < 0 { Place::Back(distance) } else { Place::Front(distance) }
    }
}

/// The element that a possibly negative index means, if it is one.
pub(crate) fn within(index: i64, length: usize) -> Option<usize> {
    let from_start = if index < 0 { index.checked_add(length as i64)? } else { index };
    usize::try_from(from_start).ok().filter(|at| *at < length)
}

/// A slice whose parts fit into 64 bits.
#[derive(Clone, Copy)]
pub(crate) struct Slice {
    pub(crate) start: Option<i64>,
    pub(crate) stop: Option<i64>,
    pub(crate) step: Option<i64>,
}

/// Takes a slice apart as the built-in sequences do.
pub(crate) fn slice(slice: &Bound<'_, PySlice>) -> PyResult<Slice> {
    let part = |name: &str| -> PyResult<Option<i64>> {
        let part = slice.getattr(name)?;
        if part.is_none() {
            return Ok(None);
        }
        let words = "slice indices must be integers or None or have an __index__ method";
        integer(&part, |_| words.to_owned()).map(Some)
    };
    let parts = Slice { start: part("start")?, stop: part("stop")?, step: part("step")? };
    if parts.step == Some(0) {
        return Err(PyValueError::new_err("slice step cannot be zero"));
    }
    Ok(parts)
}

/// The value of an object whose equality with stored values needs no Python code.
pub(crate) fn comparable(object: &Bound<'_, PyAny>) -> Option<Value> {
    if object.is_none() {
        return Some(Value::None);
    }
    if let Ok(flag) = object.cast_exact::<PyBool>() {
        return Some(Value::Bool(flag.is_true()));
    }
    if let Ok(number) = object.cast_exact::<PyInt>() {
        return number.extract().ok().map(Value::Int);
    }
    if let Ok(number) = object.cast_exact::<PyFloat>() {
        return Some(Value::Float(number.value()));
    }
    if let Ok(text) = object.cast_exact::<PyString>() {
        return text.to_str().ok().map(|text| Value::Str(text.to_owned()));
    }
    let bytes = object.cast_exact::<PyBytes>().ok()?;
    Some(Value::Bytes(bytes.as_bytes().to_vec()))
}

/// The number that `add` is given: an int or a float, one of numpy's too.
pub(crate) fn number(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if let Ok(number) = object.cast::<PyFloat>() {
        return Ok(Value::Float(number.value()));
    }
    if let Ok(number) = object.cast::<PyInt>() {
        return Ok(match number.extract::<i64>() {
            Ok(small) => Value::Int(small),
            Err(_) => Value::BigInt(number.extract()?),
        });
    }
    if object.hasattr("__index__")? {
        return number(&object.call_method0("__index__")?);
    }
    let class = object.get_type();
    if class.module()? == "numpy" && class.name()?.to_string().starts_with("float") {
        return object.extract().map(Value::Float);
    }
    let given = object.get_type().name()?;
    Err(PyTypeError::new_err(format!("add() takes an int or a float, not {given}")))
}

/// What `add` is given, 1 if it is given nothing.
pub(crate) struct Delta(pub(crate) Value);

impl Delta {
    pub(crate) const ONE: Delta = Delta(Value::Int(1));
}

impl FromPyObject<'_, '_> for Delta {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        number(&object).map(Delta)
    }
}

/// A short repr, such as `List([1, 2, ...])`.
pub(crate) fn repr(
    py: Python<'_>,
    home: &Arc<Home>,
    name: &str,
    value: &Value,
) -> PyResult<String> {
    if let Value::Set(set) = value
        && set.is_empty().unwrap_or(false)
    {
        return Ok(format!("{name}()"));
    }
    unless_closed(py, name, text(py, home, value).map(|text| format!("{name}({text})")))
}

/// A repr that says so where the segment is closed or the object freed: a debugger asks for it too.
pub(crate) fn unless_closed(
    py: Python<'_>,
    name: &str,
    shown: PyResult<String>,
) -> PyResult<String> {
    match shown {
        Err(error) if is_closed(py, &error) => Ok(format!("<{name} closed>")),
        shown => shown,
    }
}

/// A short repr without a name, such as `[1, 2, ...]`.
pub(crate) fn text(py: Python<'_>, home: &Arc<Home>, value: &Value) -> PyResult<String> {
    let mut text = Text { py, home, out: String::new() };
    text.value(value, 0)?;
    Ok(text.out)
}

struct Text<'a, 'py> {
    py: Python<'py>,
    home: &'a Arc<Home>,
    out: String,
}

impl Text<'_, '_> {
    fn value(&mut self, value: &Value, depth: usize) -> PyResult<()> {
        match self.content(value, depth) {
            // Freed by hand while something still refers to it.
            Err(error) if depth > 0 && is_closed(self.py, &error) => {
                self.out.push_str("<freed>");
                Ok(())
            }
            result => result,
        }
    }

    fn content(&mut self, value: &Value, depth: usize) -> PyResult<()> {
        match value {
            Value::List(core) => {
                let items = core.slice(None, Some(SHOWN as i64), None).or_raise()?;
                let length = core.len().or_raise()?;
                let (open, close) = match core.flavour().or_raise()? {
                    ListFlavour::Deque { maxlen: Some(maxlen) } if depth > 0 => {
                        ("deque([", &*format!("], maxlen={maxlen})"))
                    }
                    ListFlavour::Deque { .. } if depth > 0 => ("deque([", "])"),
                    _ => ("[", "]"),
                };
                self.sequence(open, &items, length, close, depth)
            }
            Value::Set(core) => {
                let first = || core.next_entries(core.first_cursor()?, SHOWN);
                let members = steady(first, || core.to_vec()).or_raise()?;
                if members.is_empty() {
                    self.out.push_str("set()");
                    return Ok(());
                }
                self.sequence("{", &members, core.len().or_raise()?, "}", depth)
            }
            Value::Tuple(items) => {
                let close = if items.len() == 1 { ",)" } else { ")" };
                self.sequence("(", items, items.len(), close, depth)
            }
            Value::FrozenSet(members) if members.is_empty() => {
                self.out.push_str("frozenset()");
                Ok(())
            }
            Value::FrozenSet(members) => {
                self.sequence("frozenset({", members, members.len(), "})", depth)
            }
            Value::Dict(core) => {
                let first = || core.next_entries(core.first_cursor()?, SHOWN);
                let entries = steady(first, || core.to_vec()).or_raise()?;
                let length = core.len().or_raise()?;
                let name = match core.flavour().or_raise()? {
                    DictFlavour::Object => return self.attributes(core, &entries, length, depth),
                    DictFlavour::DefaultDict(_) => "defaultdict",
                    DictFlavour::OrderedDict => "OrderedDict",
                    DictFlavour::Counter => "Counter",
                    _ => return self.entries(&entries, length, depth),
                };
                if depth == 0 {
                    return self.entries(&entries, length, depth);
                }
                let _ = write!(self.out, "{name}(");
                self.entries(&entries, length, depth)?;
                self.out.push(')');
                Ok(())
            }
            Value::ByteArray(core) => {
                if depth > 0
                    && let Some((_, items)) = core.elements().or_raise()?
                {
                    let close = if items.len() == 1 { ",)" } else { ")" };
                    return self.sequence("(", &items, items.len(), close, depth);
                }
                let shown = core.slice(None, Some(SHOWN_TEXT as i64), None).or_raise()?;
                let rest = core.len().or_raise()?.saturating_sub(shown.len());
                // At the top the name of the class is around it.
                self.out.push_str(if depth > 0 { "bytearray(" } else { "" });
                self.scalar(Value::Bytes(shown))?;
                if rest > 0 {
                    let _ = write!(self.out, "... {rest} more");
                }
                self.out.push_str(if depth > 0 { ")" } else { "" });
                Ok(())
            }
            Value::Record(core) => {
                self.out.push_str(core.schema().name());
                self.out.push_str("(...)");
                Ok(())
            }
            Value::Array(core) => {
                core.check().or_raise()?;
                let shape = PyTuple::new(self.py, core.shape())?;
                let _ = write!(self.out, "Array({}, {:.40})", shape.repr()?, core.dtype().name());
                Ok(())
            }
            scalar => self.scalar(scalar.clone()),
        }
    }

    fn sequence(
        &mut self,
        open: &str,
        items: &[Value],
        length: usize,
        close: &str,
        depth: usize,
    ) -> PyResult<()> {
        self.out.push_str(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            if self.full(index, length, depth) {
                break;
            }
            self.value(item, depth + 1)?;
        }
        if items.len() < length && items.len() < SHOWN {
            self.out.push_str("...");
        } else if items.len() == SHOWN && length > SHOWN {
            let _ = write!(self.out, ", ... {} more", length - SHOWN);
        }
        self.out.push_str(close);
        Ok(())
    }

    fn entries(&mut self, entries: &[(Value, Value)], length: usize, depth: usize) -> PyResult<()> {
        self.out.push('{');
        for (index, (key, item)) in entries.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            if self.full(index, length, depth) {
                break;
            }
            self.value(key, depth + 1)?;
            self.out.push_str(": ");
            self.value(item, depth + 1)?;
        }
        if entries.len() == SHOWN && length > SHOWN {
            let _ = write!(self.out, ", ... {} more", length - SHOWN);
        }
        self.out.push('}');
        Ok(())
    }

    /// As a dataclass is shown. No code of the class runs.
    fn attributes(
        &mut self,
        core: &Dict,
        entries: &[(Value, Value)],
        length: usize,
        depth: usize,
    ) -> PyResult<()> {
        let class = core.class().or_raise()?.unwrap_or_else(|| "object".to_owned());
        let short = class.rsplit([':', '.']).next().unwrap_or_default();
        self.out.extend(short.chars().take(SHOWN_TEXT));
        self.out.push('(');
        let named = entries.iter().filter_map(|(name, value)| Some((name.as_str()?, value)));
        for (index, (name, value)) in named.enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            if self.full(index, length, depth) {
                break;
            }
            self.out.extend(name.chars().take(SHOWN_TEXT));
            self.out.push('=');
            self.value(value, depth + 1)?;
        }
        if entries.len() == SHOWN && length > SHOWN {
            let _ = write!(self.out, ", ... {} more", length - SHOWN);
        }
        self.out.push(')');
        Ok(())
    }

    /// Whether nothing more may be shown; says so in the text.
    fn full(&mut self, index: usize, length: usize, depth: usize) -> bool {
        if index < SHOWN && depth < SHOWN_DEPTH && self.out.len() < SHOWN_TOTAL {
            return false;
        }
        let _ = write!(self.out, "... {} more", length.saturating_sub(index));
        true
    }

    fn scalar(&mut self, value: Value) -> PyResult<()> {
        let unreadable = values::shown(&value);
        let text = match convert::to_python(self.py, self.home, value) {
            Ok(object) => object.repr()?.to_string(),
            // Its class is not there: a repr is to show all else.
            Err(error) => unreadable.ok_or(error)?,
        };
        if text.chars().count() <= SHOWN_TEXT {
            self.out.push_str(&text);
        } else {
            self.out.extend(text.chars().take(SHOWN_TEXT));
            self.out.push_str("...");
        }
        Ok(())
    }
}

/// The first items of a container that others may be changing: a look at a few is repeated, and gives way to
/// one at all of them.
fn steady<T, C>(
    first: impl Fn() -> shm_core::Result<(Vec<T>, C)>,
    all: impl FnOnce() -> shm_core::Result<Vec<T>>,
) -> shm_core::Result<Vec<T>> {
    for _ in 0..LOOKS {
        match first() {
            Err(Error::Changed { .. }) => {}
            found => return found.map(|(items, _)| items),
        }
    }
    let mut items = all()?;
    items.truncate(SHOWN);
    Ok(items)
}

fn is_closed(py: Python<'_>, error: &PyErr) -> bool {
    let closed = py.import("shm_py.errors").and_then(|errors| errors.getattr("Closed"));
    closed.is_ok_and(|closed| error.matches(py, closed).unwrap_or(false))
}

/// How a proxy travels to another process: as the segment and the object's identity.
pub(crate) fn reduce<'py, P: Proxy>(proxy: &Bound<'py, P>) -> PyResult<Bound<'py, PyTuple>> {
    let py = proxy.py();
    let handle = proxy.get().handle();
    handle.home.keep_in_flight(proxy.clone().into_any().unbind());
    let rebuild = py.import("shm_py._native")?.getattr("_rebuild")?;
    let place = handle.home.place(py)?;
    let id = handle.core.object_id()?.into_pyobject(py)?;
    PyTuple::new(py, [rebuild, PyTuple::new(py, [place.into_any(), id.into_any()])?.into_any()])
}

/// The state of an iterator; waiting for it could block the thread that holds the GIL.
pub(crate) fn exclusive<T>(state: &Mutex<T>) -> PyResult<MutexGuard<'_, T>> {
    state.try_lock().map_err(|_| PyValueError::new_err("iterator already executing"))
}

/// `List[int]` and the like, for annotations.
pub(crate) fn generic_alias<'py>(
    class: &Bound<'py, PyType>,
    item: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    class.py().import("types")?.getattr("GenericAlias")?.call1((class, item))
}
