//! `Deque`: a shared list with the methods of `collections.deque`.
//!
//! Appending to a full one lets go of the item at the other end, in the same operation. What makes
//! something new (`+`, `*`, `copy`) gives a `collections.deque` whose shared members stay shared. The
//! methods of `List` that a deque does not have work too.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::{PyIndexError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::types::{PyInt, PyList};
use shm_core::{Error, List, Value};

use super::{DEQUE, class_of};
use crate::common::{self, Index, Place};
use crate::convert;
use crate::draft;
use crate::error::{self, OrRaise};
use crate::home::{Handle, Proxy};
use crate::list::{SharedList, place};
use crate::slots;

/// A deque in shared memory; made by storing a `collections.deque`, or by `seg.deque(...)`.
#[pyclass(name = "Deque", module = "shm_py", extends = SharedList, frozen, sequence)]
pub(crate) struct SharedDeque;

fn core<'a>(slf: &'a Bound<'_, SharedDeque>) -> &'a List {
    &slf.as_super().get().handle().core
}

/// A `collections.deque` of the items; shared ones stay shared.
fn original<'py>(slf: &Bound<'py, SharedDeque>) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    let maxlen = core(slf).maxlen().or_raise()?;
    class_of(py, &DEQUE, "deque")?.call1((slf.as_super().get().shallow(py)?, maxlen))
}

/// The operand of a deque's operator: a deque, or the copy of a shared one.
fn operand<'py>(other: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    if let Ok(deque) = other.cast::<SharedDeque>() {
        return original(deque).map(Some);
    }
    let is_deque = other.is_instance(class_of(other.py(), &DEQUE, "deque")?)?;
    Ok(is_deque.then(|| other.clone()))
}

fn shown(slf: &Bound<'_, SharedDeque>) -> PyResult<String> {
    let list = slf.as_super().get().handle();
    let items = common::text(slf.py(), &list.home, &Value::List(list.core.clone()))?;
    Ok(match list.core.maxlen().or_raise()? {
        Some(maxlen) => format!("Deque({items}, maxlen={maxlen})"),
        None => format!("Deque({items})"),
    })
}

fn value(slf: &Bound<'_, SharedDeque>, object: &Bound<'_, PyAny>) -> PyResult<Value> {
    let home = &slf.as_super().get().handle().home;
    draft::to_stored(home, object, || "deque[-1]".to_owned())
}

fn out(slf: &Bound<'_, SharedDeque>, value: Option<Value>) -> PyResult<Py<PyAny>> {
    let value = value.ok_or_else(|| PyIndexError::new_err("pop from an empty deque"))?;
    let home = &slf.as_super().get().handle().home;
    Ok(convert::to_python(slf.py(), home, value)?.unbind())
}

/// An index into a deque.
fn index_of(key: &Bound<'_, PyAny>) -> PyResult<i64> {
    if key.cast::<PyInt>().is_err() && !key.hasattr("__index__")? {
        let given = key.get_type().name()?;
        let text = format!("sequence index must be integer, not '{given}'");
        return Err(PyTypeError::new_err(text));
    }
    common::index(key, "deque")
}

/// An error of the core in the words of a deque.
fn raised(error: Error) -> PyErr {
    match error {
        Error::IndexOutOfRange { .. } => PyIndexError::new_err("deque index out of range"),
        other => error::raise(other),
    }
}

/// The same error in the words of a deque.
fn reworded(py: Python<'_>, error: PyErr, words: &str) -> PyErr {
    if error.is_instance_of::<PyValueError>(py) {
        return PyValueError::new_err(words.to_owned());
    }
    error
}

#[pymethods]
impl SharedDeque {
    /// How many items it holds at most; `None`: any number.
    #[getter]
    fn maxlen(slf: &Bound<'_, Self>) -> PyResult<Option<u64>> {
        core(slf).maxlen().or_raise()
    }

    fn __getitem__<'py>(
        slf: &Bound<'py, Self>,
        index: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(found) = slots::list::probe(slf.as_super().get(), index) {
            return Ok(found);
        }
        let item = place::get(core(slf), index_of(index)?).map_err(raised)?;
        convert::to_python(slf.py(), &slf.as_super().get().handle().home, item)
    }

    fn __setitem__(
        slf: &Bound<'_, Self>,
        index: &Bound<'_, PyAny>,
        item: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let index = index_of(index)?;
        place::check(core(slf), index).map_err(raised)?;
        place::set(core(slf), index, value(slf, item)?).map_err(raised)
    }

    fn __delitem__(slf: &Bound<'_, Self>, index: &Bound<'_, PyAny>) -> PyResult<()> {
        place::remove(core(slf), index_of(index)?).map_err(raised).map(drop)
    }

    fn __iter__(slf: &Bound<'_, Self>) -> PyResult<DequeIterator> {
        DequeIterator::new(slf.as_super().clone().unbind(), core(slf))
    }

    fn __reversed__(slf: &Bound<'_, Self>) -> PyResult<DequeReverseIterator> {
        DequeReverseIterator::new(slf.as_super().clone().unbind(), core(slf))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        common::unless_closed(slf.py(), "Deque", shown(slf))
    }

    fn __richcmp__(
        slf: &Bound<'_, Self>,
        other: &Bound<'_, PyAny>,
        operator: CompareOp,
    ) -> PyResult<Py<PyAny>> {
        let own = original(slf)?;
        // The same items: two copies of NaN would be none.
        match if slf.is(other) { Some(own.clone()) } else { operand(other)? } {
            Some(other) => Ok(own.rich_compare(other, operator)?.unbind()),
            None => Ok(slf.py().NotImplemented()),
        }
    }

    fn __add__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        match operand(other)? {
            Some(other) => Ok(original(slf)?.add(other)?.unbind()),
            None => Ok(slf.py().NotImplemented()),
        }
    }

    fn __radd__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        match operand(other)? {
            Some(other) => Ok(other.add(original(slf)?)?.unbind()),
            None => Ok(slf.py().NotImplemented()),
        }
    }

    fn __iadd__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::extend(slf, other)
    }

    fn __mul__(slf: &Bound<'_, Self>, count: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        if count.cast::<PyInt>().is_err() && !count.hasattr("__index__")? {
            return Ok(slf.py().NotImplemented());
        }
        Ok(original(slf)?.mul(count)?.unbind())
    }

    fn __rmul__(slf: &Bound<'_, Self>, count: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::__mul__(slf, count)
    }

    fn __imul__(slf: &Bound<'_, Self>, count: &Bound<'_, PyAny>) -> PyResult<()> {
        core(slf).repeat(common::times(count)?).or_raise()
    }

    /// Append an object to the end; a full deque lets go of its first item.
    #[pyo3(signature = (object, /))]
    fn append(slf: &Bound<'_, Self>, object: &Bound<'_, PyAny>) -> PyResult<()> {
        core(slf).push_bounded(value(slf, object)?).or_raise()
    }

    /// Put an object in front; a full deque lets go of its last item.
    #[pyo3(signature = (object, /))]
    fn appendleft(slf: &Bound<'_, Self>, object: &Bound<'_, PyAny>) -> PyResult<()> {
        core(slf).push_front_bounded(value(slf, object)?).or_raise()
    }

    /// Append all elements of an iterable, in one step.
    #[pyo3(signature = (iterable, /))]
    fn extend(slf: &Bound<'_, Self>, iterable: &Bound<'_, PyAny>) -> PyResult<()> {
        let home = &slf.as_super().get().handle().home;
        let items = convert::to_values(home, iterable, "deque")?;
        core(slf).extend_bounded(items).or_raise()
    }

    /// Put all elements of an iterable in front, one after the other, in one step.
    #[pyo3(signature = (iterable, /))]
    fn extendleft(slf: &Bound<'_, Self>, iterable: &Bound<'_, PyAny>) -> PyResult<()> {
        let home = &slf.as_super().get().handle().home;
        let items = convert::to_values(home, iterable, "deque")?;
        core(slf).extend_front_bounded(items).or_raise()
    }

    /// Insert an object before `index`; `IndexError` if the deque is full.
    #[pyo3(signature = (index, object, /))]
    fn insert(
        slf: &Bound<'_, Self>,
        index: &Bound<'_, PyAny>,
        object: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let place = Place::of(common::narrow_index(index)?);
        let object = value(slf, object)?;
        let done = match place {
            Place::Front(at) => core(slf).insert_bounded(at, object),
            Place::Back(back) => core(slf).insert_bounded_from_end(back, object),
        };
        if done.or_raise()? {
            return Ok(());
        }
        Err(PyIndexError::new_err("deque already at its maximum size"))
    }

    /// Remove and return the last item; `IndexError` if there is none.
    #[pyo3(signature = ())]
    fn pop(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        out(slf, core(slf).pop().or_raise()?)
    }

    /// Remove and return the first item; `IndexError` if there is none.
    fn popleft(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        out(slf, core(slf).pop_front().or_raise()?)
    }

    /// Move the last `n` items to the front; the first ones to the end, where `n` is negative.
    #[pyo3(signature = (n=1, /))]
    fn rotate(slf: &Bound<'_, Self>, n: i64) -> PyResult<()> {
        core(slf).rotate(n).or_raise()
    }

    /// Remove the first item that is equal to `value`; `ValueError` if there is none.
    #[pyo3(signature = (value, /))]
    fn remove(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let words = "deque.remove(x): x not in deque";
        let removed = slf.as_super().get().remove(value);
        removed.map_err(|error| reworded(slf.py(), error, words))
    }

    /// The index of the first item equal to `value` between `start` and `stop`.
    #[pyo3(signature = (value, start=Index(0), stop=Index(i64::MAX), /), text_signature = "($self, value, start=0, stop=9223372036854775807, /)")]
    fn index(
        slf: &Bound<'_, Self>,
        value: &Bound<'_, PyAny>,
        start: Index,
        stop: Index,
    ) -> PyResult<usize> {
        let found = slf.as_super().get().index(value, start, stop);
        found.map_err(|error| {
            reworded(slf.py(), error, &format!("{} is not in deque", convert::bounded(value)))
        })
    }

    /// A `collections.deque` of the items; shared ones stay shared.
    fn copy<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        original(slf)
    }

    fn __copy__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        original(slf)
    }
}

/// Elements that the iterator fetches in one validated read.
const BATCH: usize = 64;

/// Iterates over a `Deque`; whatever comes or goes meanwhile, at either end, ends it.
#[pyclass(name = "DequeIterator", module = "shm_py._native", frozen)]
pub(crate) struct DequeIterator {
    list: Py<SharedList>,
    /// The deque's at the start.
    shape: (u64, u64),
    progress: Mutex<Progress>,
}

struct Progress {
    /// The next index.
    next: usize,
    ended: bool,
    /// What was read lately: from which index on, and at which sequence.
    batch: Option<Py<PyList>>,
    /// Whether its items do not live in their cells, so that they are read one by one.
    singly: bool,
    first: usize,
    sequence: u64,
}

impl DequeIterator {
    fn new(list: Py<SharedList>, core: &List) -> PyResult<Self> {
        let shape = core.shape().or_raise()?;
        let progress =
            Progress { next: 0, ended: false, batch: None, singly: false, first: 0, sequence: 0 };
        Ok(Self { list, shape, progress: Mutex::new(progress) })
    }

    /// One item.
    fn single<'py>(
        py: Python<'py>,
        list: &Handle<List>,
        index: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(item) = slots::list::quick(py, list, index) {
            return Ok(Some(item));
        }
        let item = list.core.get(index).or_raise()?;
        item.map(|item| convert::to_python(py, &list.home, item)).transpose()
    }

    /// The item of the batch that is next, if nothing has changed since it was read.
    fn ready<'py>(
        py: Python<'py>,
        progress: &mut Progress,
        sequence: u64,
    ) -> Option<Bound<'py, PyAny>> {
        let same = progress.sequence == sequence && sequence & 1 == 0;
        let batch = progress.batch.as_ref().filter(|_| same)?;
        let item = batch.bind(py).get_item(progress.next - progress.first).ok()?;
        progress.next += 1;
        Some(item)
    }
}

#[pymethods]
impl DequeIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let list = self.list.bind(py).get().handle();
        loop {
            // Before the batch: a change after it is met the next time.
            let sequence = list.core.sequence().or_raise()?;
            let (next, singly) = {
                let mut progress = common::exclusive(&self.progress)?;
                if progress.ended {
                    return Ok(None);
                }
                if let Some(item) = Self::ready(py, &mut progress, sequence) {
                    return Ok(Some(item));
                }
                // Inside of a transaction that has changed the list it says nothing of the next change.
                (progress.next, progress.singly || sequence & 1 == 1)
            };
            let batch =
                if singly { None } else { slots::flat::list(py, &list.core, next, Some(BATCH))? };
            let single = if batch.is_some() { None } else { Self::single(py, list, next)? };
            let changed = list.core.shape().or_raise()? != self.shape;
            let mut progress = common::exclusive(&self.progress)?;
            if changed {
                progress.ended = true;
                return Err(PyRuntimeError::new_err("deque mutated during iteration"));
            }
            if progress.next != next {
                // Another thread ran meanwhile and was given this one.
                continue;
            }
            let item = if let Some(batch) = batch {
                (progress.first, progress.sequence) = (next, sequence);
                progress.batch = Some(batch.unbind());
                Self::ready(py, &mut progress, sequence)
            } else {
                progress.singly = true;
                progress.next += 1;
                single
            };
            progress.ended = item.is_none();
            return Ok(item);
        }
    }

    fn __length_hint__(&self) -> PyResult<usize> {
        let progress = common::exclusive(&self.progress)?;
        let length = (self.shape.1 >> 32) as usize;
        Ok(if progress.ended { 0 } else { length.saturating_sub(progress.next) })
    }
}

/// Iterates over a `Deque` from its end; whatever comes or goes meanwhile, at either end, ends it.
#[pyclass(name = "DequeReverseIterator", module = "shm_py._native", frozen)]
pub(crate) struct DequeReverseIterator {
    list: Py<SharedList>,
    /// The deque's at the start.
    shape: (u64, u64),
    /// How many items are left.
    left: AtomicUsize,
}

impl DequeReverseIterator {
    fn new(list: Py<SharedList>, core: &List) -> PyResult<Self> {
        let shape = core.shape().or_raise()?;
        Ok(Self { list, shape, left: AtomicUsize::new((shape.1 >> 32) as usize) })
    }
}

#[pymethods]
impl DequeReverseIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let list = self.list.bind(py).get().handle();
        loop {
            let left = self.left.load(Ordering::Relaxed);
            let Some(index) = left.checked_sub(1) else { return Ok(None) };
            let item = DequeIterator::single(py, list, index)?;
            if list.core.shape().or_raise()? != self.shape {
                self.left.store(0, Ordering::Relaxed);
                return Err(PyRuntimeError::new_err("deque mutated during iteration"));
            }
            // Unless another thread ran meanwhile and was given this one.
            if self.left.load(Ordering::Relaxed) == left {
                self.left.store(index, Ordering::Relaxed);
                return Ok(item);
            }
        }
    }

    fn __length_hint__(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }
}
