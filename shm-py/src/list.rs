//! `List`: a shared list with every method and operator of the built-in.
//!
//! Each method is one operation of the core, so it happens wholly or not at all. Operators that
//! make something new (`+`, `*`, slices, `copy`) give built-in lists whose shared members stay
//! shared; the in-place forms change the shared list. Indexing and iteration by int bypass this
//! file where they can: see `slots::list`.
//!
//! Methods that compare with arbitrary Python objects work on a snapshot, because no Python code
//! may run inside an operation of the core.

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::types::{PyDict, PyList, PySlice, PyTuple, PyType};
use shm_core::{List, Value};

use crate::common::{self, Delta, Index, Narrow, Place, Slice};
use crate::convert::{self, Plain};
use crate::draft;
use crate::error::OrRaise;
use crate::home::{Handle, Proxy};
use crate::slots;
use crate::slots::shell::{Shelled, Shells};

mod iter;
pub(crate) mod place;

pub(crate) use iter::{ListIterator, ListReverseIterator};

/// A list in shared memory; made by `seg.list(...)` or by storing a built-in list.
#[pyclass(name = "List", module = "shm_py", frozen, weakref, sequence, subclass)]
pub(crate) struct SharedList {
    handle: Handle<List>,
}

impl Proxy for SharedList {
    type Core = List;

    fn create(py: Python<'_>, handle: Handle<List>) -> PyResult<Bound<'_, Self>> {
        crate::kinds::list_proxy(py, handle)
    }

    #[inline]
    fn handle(&self) -> &Handle<List> {
        &self.handle
    }
}

impl Shelled for SharedList {
    fn shells() -> &'static Shells {
        static SHELLS: Shells = Shells::new();
        &SHELLS
    }
}

impl SharedList {
    /// The content of a proxy.
    pub(crate) fn new(handle: Handle<List>) -> Self {
        Self { handle }
    }

    #[inline]
    fn core(&self) -> &List {
        &self.handle.core
    }

    fn length(&self) -> PyResult<usize> {
        self.core().len().or_raise()
    }

    /// The elements as a built-in list; shared ones stay shared.
    pub(crate) fn shallow<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        if let Some(copy) = slots::flat::list(py, self.core(), 0, None)? {
            return Ok(copy);
        }
        convert::to_list(py, &self.handle.home, self.core().to_vec().or_raise()?)
    }

    fn import(&self, value: &Bound<'_, PyAny>, index: impl std::fmt::Display) -> PyResult<Value> {
        convert::to_value(&self.handle.home, value, || format!("list[{index}]"))
    }

    /// The elements of any iterable, a shared list included.
    fn import_all(&self, items: &Bound<'_, PyAny>) -> PyResult<Vec<Value>> {
        if let Ok(other) = items.cast_exact::<SharedList>()
            && std::sync::Arc::ptr_eq(&other.get().handle.home, &self.handle.home)
        {
            return other.get().core().to_vec().or_raise();
        }
        convert::to_values(&self.handle.home, items, "list")
    }

    /// The operand of a list operator: a built-in list, or the snapshot of a shared one.
    fn operand<'py>(other: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyList>>> {
        if let Ok(list) = other.cast::<PyList>() {
            return Ok(Some(list.clone()));
        }
        match other.cast_exact::<SharedList>() {
            Ok(list) => Ok(Some(list.get().shallow(other.py())?)),
            Err(_) => Ok(None),
        }
    }

    /// A built-in list of both; a deque, which is a `List` too, is no operand.
    fn sum(left: &Bound<'_, PyAny>, right: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let (Some(left), Some(right)) = (Self::operand(left)?, Self::operand(right)?) else {
            return Ok(left.py().NotImplemented());
        };
        Ok(left.as_sequence().concat(right.as_sequence())?.into_any().unbind())
    }
}

/// The start of a slice, if it is not counted from the end.
fn from_front(start: Option<i64>) -> Option<usize> {
    start.map_or(Some(0), |start| usize::try_from(start).ok())
}

#[pymethods]
impl SharedList {
    fn __len__(&self) -> PyResult<usize> {
        self.length()
    }

    fn __getitem__<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        if let Ok(slice) = key.cast::<PySlice>() {
            let Slice { start, stop, step } = common::slice(slice)?;
            if let (None | Some(1), Some(start), Some(stop)) = (step, from_front(start), stop)
                && let Ok(stop) = usize::try_from(stop)
                && let limit = stop.saturating_sub(start)
                && let Some(copy) = slots::flat::list(py, self.core(), start, Some(limit))?
            {
                return Ok(copy.into_any());
            }
            let items = self.core().slice(start, stop, step).or_raise()?;
            return Ok(convert::to_list(py, &self.handle.home, items)?.into_any());
        }
        let value = place::get(self.core(), common::index(key, "list")?).or_raise()?;
        convert::to_python(py, &self.handle.home, value)
    }

    fn __setitem__(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(slice) = key.cast::<PySlice>() {
            let Slice { start, stop, step } = common::slice(slice)?;
            let items = self.import_all(value)?;
            return self.core().set_slice(start, stop, step, items).or_raise();
        }
        let index = common::index(key, "list")?;
        place::check(self.core(), index).or_raise()?;
        let value = self.import(value, index)?;
        place::set(self.core(), index, value).or_raise()
    }

    fn __delitem__(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(slice) = key.cast::<PySlice>() {
            let Slice { start, stop, step } = common::slice(slice)?;
            return self.core().del_slice(start, stop, step).or_raise();
        }
        place::remove(self.core(), common::index(key, "list")?).or_raise().map(drop)
    }

    fn __contains__(&self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        if let Some(plain) = common::comparable(value) {
            return self.core().contains(&plain).or_raise();
        }
        self.shallow(value.py())?.contains(value)
    }

    fn __iter__(slf: Bound<'_, Self>) -> ListIterator {
        ListIterator::new(slf.unbind())
    }

    fn __reversed__(slf: Bound<'_, Self>) -> PyResult<ListReverseIterator> {
        ListReverseIterator::new(slf)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        common::repr(py, &self.handle.home, "List", &Value::List(self.core().clone()))
    }

    fn __richcmp__(
        slf: &Bound<'_, Self>,
        other: &Bound<'_, PyAny>,
        operator: CompareOp,
    ) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        if slf.is(other) && matches!(operator, CompareOp::Eq | CompareOp::Ne) {
            return matches!(operator, CompareOp::Eq).into_py_any(py);
        }
        let own = slf.get().shallow(py)?;
        // The same elements: two copies of NaN would be none.
        let other = if slf.is(other) { Some(own.clone()) } else { Self::operand(other)? };
        let Some(other) = other else { return Ok(py.NotImplemented()) };
        Ok(own.rich_compare(other, operator)?.unbind())
    }

    fn __add__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::sum(slf, other)
    }

    fn __radd__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::sum(other, slf)
    }

    fn __iadd__(&self, other: &Bound<'_, PyAny>) -> PyResult<()> {
        self.extend(other)
    }

    fn __mul__(&self, count: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = count.py();
        if count.cast::<pyo3::types::PyInt>().is_err() && !count.hasattr("__index__")? {
            return Ok(py.NotImplemented());
        }
        Ok(self.shallow(py)?.as_any().mul(count)?.unbind())
    }

    fn __rmul__(&self, count: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.__mul__(count)
    }

    fn __imul__(&self, count: &Bound<'_, PyAny>) -> PyResult<()> {
        self.core().repeat(common::times(count)?).or_raise()
    }

    /// Append an object to the end.
    #[pyo3(signature = (object, /))]
    fn append(&self, object: &Bound<'_, PyAny>) -> PyResult<()> {
        let home = &self.handle.home;
        let value = draft::to_stored(home, object, || "list[-1]".to_owned())?;
        self.core().push(value).or_raise()
    }

    /// Append all elements of an iterable, in one step.
    #[pyo3(signature = (iterable, /))]
    fn extend(&self, iterable: &Bound<'_, PyAny>) -> PyResult<()> {
        let items = self.import_all(iterable)?;
        self.core().extend(items).or_raise()
    }

    /// Insert an object before `index`.
    #[pyo3(signature = (index, object, /))]
    fn insert(&self, index: &Bound<'_, PyAny>, object: &Bound<'_, PyAny>) -> PyResult<()> {
        let index = common::narrow_index(index)?;
        let value = self.import(object, index)?;
        place::insert(self.core(), index, value).or_raise()
    }

    /// Remove and return the element at `index` (by default the last).
    #[pyo3(signature = (index=Narrow(-1), /), text_signature = "($self, index=-1, /)")]
    fn pop<'py>(&self, py: Python<'py>, index: Narrow) -> PyResult<Bound<'py, PyAny>> {
        let value = match index.0 {
            -1 => self.core().pop().or_raise()?,
            index => Some(place::remove(self.core(), index).map_err(place::pop_error)?),
        };
        let value = value.ok_or_else(|| PyIndexError::new_err("pop from empty list"))?;
        convert::to_python(py, &self.handle.home, value)
    }

    /// Remove the first element that is equal to `value`; `ValueError` if there is none.
    #[pyo3(signature = (value, /))]
    pub(crate) fn remove(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = value.py();
        if let Some(plain) = common::comparable(value) {
            if self.core().remove_value(&plain).or_raise()? {
                return Ok(());
            }
            return Err(PyValueError::new_err("list.remove(x): x not in list"));
        }
        loop {
            let (version, mut items) = self.core().snapshot_with_version().or_raise()?;
            let list = convert::to_list(py, &self.handle.home, items.clone())?;
            let at = match list.index(value) {
                Ok(at) => at,
                Err(error) if error.is_instance_of::<PyValueError>(py) => {
                    return Err(PyValueError::new_err("list.remove(x): x not in list"));
                }
                Err(error) => return Err(error),
            };
            items.remove(at);
            if self.core().store_if_unchanged(version, items).or_raise()? {
                return Ok(());
            }
            py.check_signals()?;
        }
    }

    /// Remove all elements.
    fn clear(&self) -> PyResult<()> {
        self.core().clear().or_raise()
    }

    /// The index of the first element equal to `value` between `start` and `stop`.
    #[pyo3(signature = (value, start=Index(0), stop=Index(i64::MAX), /), text_signature = "($self, value, start=0, stop=9223372036854775807, /)")]
    pub(crate) fn index(
        &self,
        value: &Bound<'_, PyAny>,
        start: Index,
        stop: Index,
    ) -> PyResult<usize> {
        let plain = common::comparable(value);
        let (Some(plain), Place::Front(first), Place::Front(end)) =
            (plain, Place::of(start.0), Place::of(stop.0))
        else {
            // As of one moment, also where the ends are counted from the back.
            let list = self.shallow(value.py())?;
            return list.call_method1("index", (value, start.0, stop.0))?.extract();
        };
        self.core().index_of(&plain, first, end.max(first)).or_raise()?.ok_or_else(|| {
            let shown = value.repr().map_or_else(|_| "x".to_owned(), |repr| repr.to_string());
            PyValueError::new_err(format!("{shown} is not in list"))
        })
    }

    /// How many elements are equal to `value`.
    #[pyo3(signature = (value, /))]
    fn count(&self, value: &Bound<'_, PyAny>) -> PyResult<usize> {
        if let Some(plain) = common::comparable(value) {
            return self.core().count(&plain).or_raise();
        }
        self.shallow(value.py())?.call_method1("count", (value,))?.extract()
    }

    /// Reverse in place.
    fn reverse(&self) -> PyResult<()> {
        self.core().reverse().or_raise()
    }

    /// Sort in place, stable; the key function runs outside of any lock.
    ///
    /// Raises `ValueError` if the list was changed meanwhile, by whomever.
    #[pyo3(signature = (*, key=None, reverse=None), text_signature = "($self, *, key=None, reverse=False)")]
    fn sort(
        &self,
        py: Python<'_>,
        key: Option<&Bound<'_, PyAny>>,
        reverse: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let (version, items) = self.core().snapshot_with_version().or_raise()?;
        let length = items.len();
        let mut keys = convert::to_list(py, &self.handle.home, items)?;
        if let Some(key) = key.filter(|key| !key.is_none()) {
            let made: Vec<_> =
                keys.iter().map(|item| key.call1((item,))).collect::<PyResult<_>>()?;
            keys = PyList::new(py, made)?;
        }
        // Only the order is sorted and stored: the elements stay what they are.
        let order = PyList::new(py, 0..length)?;
        let options = PyDict::new(py);
        options.set_item("key", keys.getattr("__getitem__")?)?;
        if let Some(reverse) = reverse {
            options.set_item("reverse", reverse)?;
        }
        order.call_method("sort", (), Some(&options))?;
        let order: Vec<usize> = order.extract()?;
        if self.core().permute_if_unchanged(version, &order).or_raise()? {
            return Ok(());
        }
        Err(PyValueError::new_err("list modified during sort"))
    }

    /// A built-in list of the elements; shared ones stay shared.
    fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.shallow(py)
    }

    /// Add `delta` to the number at `index` in one step; returns the new value.
    #[pyo3(signature = (index, delta=Delta::ONE, /), text_signature = "($self, index, delta=1, /)")]
    fn add<'py>(&self, index: &Bound<'py, PyAny>, delta: Delta) -> PyResult<Bound<'py, PyAny>> {
        let py = index.py();
        let sum = place::add(self.core(), common::index(index, "list")?, delta.0).or_raise()?;
        convert::to_python(py, &self.handle.home, sum)
    }

    /// Store `new` at `index` if the element there is equal to `old`, in one step.
    #[pyo3(signature = (index, /, old, new))]
    fn compare_exchange(
        &self,
        index: &Bound<'_, PyAny>,
        old: &Bound<'_, PyAny>,
        new: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let index = common::index(index, "list")?;
        place::check(self.core(), index).or_raise()?;
        let (old, new) = (self.import(old, index)?, self.import(new, index)?);
        place::compare_exchange(self.core(), index, &old, new).or_raise()
    }

    /// A built-in copy of the list and of everything in it.
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Plain::copy(py, &self.handle.home, Value::List(self.core().clone()))
    }

    fn __copy__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
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
