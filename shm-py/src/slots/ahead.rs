//! Iterating over a `Dict` or `Set`: batches of cells, each read at one moment and used while nothing has changed.
//!
//! What an iterator gives is what the container holds then: after a change of values it reads its batch again, and a
//! change of size ends it. Inside of a transaction that has changed the container a batch serves once.
//!
//! Guarded by the GIL: the functions want proof of attachment. The atomics are for Rust's sake.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use shm_core::cell::{Cell, Kind};
use shm_core::{AsOf, Batch, Cursor, Dict, Error, Seen, Set, TEXT_LIMIT, Value};

use super::{content, scalar, type_of};
use crate::convert;
use crate::dict::DictIterator;
use crate::error::OrRaise;
use crate::home::Home;
use crate::set::SetIterator;

/// Entries that are read in one validated read.
const BATCH: usize = 64;
/// Looks at what a cell of a batch refers to that others may spoil by changes, before an entry is read for itself.
const LOOKS: u32 = 8;

/// What of an entry an iterator gives.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Key,
    Item,
    Both,
}

/// What becomes of a cell: an object or an error; `None` if the container has changed since.
type Found<'py> = Option<PyResult<Bound<'py, PyAny>>>;

impl Part {
    /// What an iterator gives of an entry, of what makes its key and its item.
    #[inline]
    fn of<'py>(
        self,
        py: Python<'py>,
        key: impl FnOnce() -> PyResult<Found<'py>>,
        item: impl FnOnce() -> PyResult<Found<'py>>,
    ) -> PyResult<Found<'py>> {
        match self {
            Part::Key => key(),
            Part::Item => item(),
            Part::Both => Ok(key()?.zip(item()?).map(|(key, item)| pair(py, key, item))),
        }
    }
}

/// What is iterated over.
#[derive(Clone, Copy)]
pub(crate) enum Source<'c> {
    Dict(&'c Dict),
    Set(&'c Set),
}

impl<'c> Source<'c> {
    #[inline]
    fn sequence(self) -> shm_core::Result<u64> {
        match self {
            Source::Dict(dict) => dict.sequence(),
            Source::Set(set) => set.sequence(),
        }
    }

    #[inline]
    fn as_of(self, sequence: u64) -> AsOf<'c> {
        match self {
            Source::Dict(dict) => dict.as_of(sequence),
            Source::Set(set) => set.as_of(sequence),
        }
    }

    fn copy(
        self,
        cursor: Cursor,
        backwards: bool,
        keys: &mut [Cell],
        values: &mut [Cell],
    ) -> PyResult<Batch> {
        let (batch, what) = match self {
            Source::Dict(dict) => {
                (dict.copy_entries(cursor, backwards, keys, values), "dictionary")
            }
            Source::Set(set) => (set.copy_members(cursor, keys), "Set"),
        };
        or_changed(batch, what)
    }

    /// The key and the item of one entry, in one validated read; what is not asked for is not made a handle of.
    fn entry(
        self,
        cursor: Cursor,
        backwards: bool,
        part: Part,
    ) -> PyResult<Option<(Value, Value)>> {
        let key =
            |(keys, _): (Vec<Value>, Cursor)| keys.into_iter().map(|key| (key, Value::None)).next();
        let item = |(items, _): (Vec<Value>, Cursor)| {
            items.into_iter().map(|item| (Value::None, item)).next()
        };
        let both = |(entries, _): (Vec<(Value, Value)>, Cursor)| entries.into_iter().next();
        let dict = match self {
            Source::Set(set) => return or_changed(set.next_entries(cursor, 1).map(key), "Set"),
            Source::Dict(dict) => dict,
        };
        let entry = match (part, backwards) {
            (Part::Key, false) => dict.next_keys(cursor, 1).map(key),
            (Part::Key, true) => dict.previous_keys(cursor, 1).map(key),
            (Part::Item, false) => dict.next_values(cursor, 1).map(item),
            (Part::Item, true) => dict.previous_values(cursor, 1).map(item),
            (Part::Both, false) => dict.next_entries(cursor, 1).map(both),
            (Part::Both, true) => dict.previous_entries(cursor, 1).map(both),
        };
        or_changed(entry, "dictionary")
    }
}

/// What was read, or what a change of size is to an iterator.
fn or_changed<T>(read: shm_core::Result<T>, what: &str) -> PyResult<T> {
    match read {
        Err(Error::Changed { .. }) => {
            Err(PyRuntimeError::new_err(format!("{what} changed size during iteration")))
        }
        other => other.or_raise(),
    }
}

/// How far an iterator has come.
pub(crate) struct Progress {
    keys: [AtomicU64; BATCH],
    values: [AtomicU64; BATCH],
    /// Entries of the batch, and those of them that were given out.
    count: AtomicUsize,
    taken: AtomicUsize,
    /// The container's when the batch was read.
    sequence: AtomicU64,
    /// How many batches were read.
    batches: AtomicUsize,
    /// Entries that are left in all.
    left: AtomicUsize,
    ended: AtomicBool,
    /// Locked for as long as they are copied: what reads a batch may let other threads run.
    edges: Mutex<Edges>,
    reverse: bool,
}

/// Where the batch starts, and where the next one does.
#[derive(Clone, Copy)]
struct Edges {
    start: Cursor,
    next: Cursor,
}

impl Progress {
    /// Of an iterator that begins at a cursor and has so many entries before it.
    pub(crate) fn new(start: Cursor, left: usize, reverse: bool) -> Self {
        Progress {
            keys: [const { AtomicU64::new(0) }; BATCH],
            values: [const { AtomicU64::new(0) }; BATCH],
            count: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            sequence: AtomicU64::new(0),
            batches: AtomicUsize::new(0),
            left: AtomicUsize::new(left),
            ended: AtomicBool::new(false),
            edges: Mutex::new(Edges { start, next: start }),
            reverse,
        }
    }

    /// How many entries are left.
    pub(crate) fn left(&self) -> usize {
        if self.ended.load(Ordering::Relaxed) { 0 } else { self.left.load(Ordering::Relaxed) }
    }

    /// The next entry. Each entry is given once, also where several threads take what one iterator gives.
    #[inline]
    pub(crate) fn step<'py>(
        &self,
        py: Python<'py>,
        home: &Arc<Home>,
        source: Source<'_>,
        part: Part,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut looks = 0;
        loop {
            if self.ended.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let taken = self.taken.load(Ordering::Relaxed);
            let sequence = self.sequence.load(Ordering::Relaxed);
            let now = source.sequence().or_raise()?;
            if taken >= self.count.load(Ordering::Relaxed) || now != sequence || now & 1 == 1 {
                self.fetch(source, taken, now)?;
                if self.ended.load(Ordering::Relaxed) {
                    return Ok(None);
                }
            }
            let place = self.place();
            if place.1 >= self.count.load(Ordering::Relaxed) {
                continue;
            }
            let found = if looks < LOOKS {
                self.look(py, home, source, part, place.1)?
            } else {
                self.read(py, home, source, part, place.1)?
            };
            looks += 1;
            // Making the object may have let other threads run: whoever is first gives it.
            if let Some(found) = found
                && self.place() == place
            {
                self.taken.store(place.1 + 1, Ordering::Relaxed);
                let left = self.left.load(Ordering::Relaxed);
                self.left.store(left.saturating_sub(1), Ordering::Relaxed);
                return found.map(Some);
            }
        }
    }

    /// Which batch, and how many of its entries were given out.
    #[inline]
    fn place(&self) -> (usize, usize) {
        (self.batches.load(Ordering::Relaxed), self.taken.load(Ordering::Relaxed))
    }

    /// What an entry of the batch is to Python, an error included; `None` if the container has changed since.
    #[inline]
    fn look<'py>(
        &self,
        py: Python<'py>,
        home: &Arc<Home>,
        source: Source<'_>,
        part: Part,
        taken: usize,
    ) -> PyResult<Found<'py>> {
        let as_of = source.as_of(self.sequence.load(Ordering::Relaxed));
        let cell = |cells: &[AtomicU64; BATCH]| {
            cells.get(taken).map_or(Cell::UNSET, |cell| Cell(cell.load(Ordering::Relaxed)))
        };
        // Both are read before an object is made, which may let other threads run.
        let (key, item) = (cell(&self.keys), cell(&self.values));
        let object = |cell| object(py, home, as_of, cell);
        part.of(py, || object(key), || object(item))
    }

    /// As [`Progress::look`], under others' steady changes: these are waited for.
    #[cold]
    fn read<'py>(
        &self,
        py: Python<'py>,
        home: &Arc<Home>,
        source: Source<'_>,
        part: Part,
        taken: usize,
    ) -> PyResult<Found<'py>> {
        let (mut keys, mut values) = ([Cell::UNSET; BATCH], [Cell::UNSET; BATCH]);
        let before = keys.get_mut(..taken).unwrap_or_default();
        let cursor = source.copy(self.edges().start, self.reverse, before, &mut values)?.next;
        let Some((key, item)) = source.entry(cursor, self.reverse, part)? else { return Ok(None) };
        let object = |value| Ok(Some(convert::to_python(py, home, value)));
        part.of(py, || object(key), || object(item))
    }

    fn edges(&self) -> Edges {
        *self.edges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the next batch, or, where something of this one is left, this one again.
    #[cold]
    fn fetch(&self, source: Source<'_>, taken: usize, now: u64) -> PyResult<()> {
        let batches = self.batches.load(Ordering::Relaxed);
        let again = taken < self.count.load(Ordering::Relaxed);
        let start = if again { self.edges().start } else { self.edges().next };
        let limit = if again || now & 1 == 0 { BATCH } else { 1 };
        let (mut keys, mut values) = ([Cell::UNSET; BATCH], [Cell::UNSET; BATCH]);
        let keys_read = keys.get_mut(..limit).unwrap_or_default();
        let batch = source.copy(start, self.reverse, keys_read, &mut values)?;
        if self.batches.load(Ordering::Relaxed) != batches {
            // Another thread, or the handler of a signal, ran meanwhile and has read it.
            return Ok(());
        }
        for (places, cells) in [(&self.keys, keys), (&self.values, values)] {
            for (place, cell) in places.iter().zip(cells).take(batch.count) {
                place.store(cell.0, Ordering::Relaxed);
            }
        }
        *self.edges.lock().unwrap_or_else(PoisonError::into_inner) =
            Edges { start, next: batch.next };
        self.batches.store(batches.wrapping_add(1), Ordering::Relaxed);
        self.count.store(batch.count, Ordering::Relaxed);
        // The keys of a batch that is read again are the same, in the same order.
        self.taken.store(if again { taken } else { 0 }, Ordering::Relaxed);
        self.sequence.store(batch.sequence, Ordering::Relaxed);
        self.ended.store(batch.count == 0, Ordering::Relaxed);
        Ok(())
    }
}

fn pair<'py>(
    py: Python<'py>,
    key: PyResult<Bound<'py, PyAny>>,
    item: PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(PyTuple::new(py, [key?, item?])?.into_any())
}

/// What a cell of a batch is to Python, an error included; `None` if the container has changed since.
#[inline]
fn object<'py>(
    py: Python<'py>,
    home: &Arc<Home>,
    as_of: AsOf<'_>,
    cell: Cell,
) -> PyResult<Found<'py>> {
    // A scan would only push out what is read again and again.
    if cell.is_immediate()
        && let Some(found) = scalar::fresh(py, cell)
    {
        return Ok(Some(Ok(found)));
    }
    referred(py, home, as_of, cell)
}

#[inline(never)]
fn referred<'py>(
    py: Python<'py>,
    home: &Arc<Home>,
    as_of: AsOf<'_>,
    cell: Cell,
) -> PyResult<Found<'py>> {
    if cell.as_ref().is_some_and(|reference| reference.kind == Kind::Str) {
        let mut buffer = [0; TEXT_LIMIT];
        let length = as_of.text(cell, &mut buffer);
        if let Some(found) = length.and_then(|length| scalar::text(py, &buffer, length)) {
            return Ok(Some(Ok(found)));
        }
    } else {
        match as_of.look(cell, |cell| home.identity.find(py, cell.0)) {
            Some(Seen::Known(living)) => return Ok(Some(Ok(living))),
            Some(Seen::New(new)) => return Ok(Some(convert::met(py, home, new))),
            Some(Seen::Cell(_) | Seen::Text) | None => {}
        }
    }
    let value = as_of.value(cell).or_raise()?;
    Ok(value.map(|value| convert::to_python(py, home, value)))
}

/// Puts the quick functions in place of the slots.
pub(super) fn install(py: Python<'_>) {
    // SAFETY: the class is alive and nothing else uses it yet.
    unsafe { (*type_of::<DictIterator>(py)).tp_iternext = Some(next_of_dict) };
    // SAFETY: as above.
    unsafe { (*type_of::<SetIterator>(py)).tp_iternext = Some(next_of_set) };
}

/// `next(iterator)` of a dict, its keys, values or items.
unsafe extern "C" fn next_of_dict(iterator: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: invariant 1 of `slots`: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: invariants 1 and 2 of `slots`.
    pointer(py, unsafe { content::<DictIterator>(iterator) }.step(py))
}

/// `next(iterator)` of a set.
unsafe extern "C" fn next_of_set(iterator: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: invariant 1 of `slots`: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: invariants 1 and 2 of `slots`.
    pointer(py, unsafe { content::<SetIterator>(iterator) }.step(py))
}

/// What `tp_iternext` returns.
#[inline]
fn pointer(py: Python<'_>, next: PyResult<Option<Bound<'_, PyAny>>>) -> *mut ffi::PyObject {
    match next {
        Ok(Some(object)) => object.into_ptr(),
        Ok(None) => std::ptr::null_mut(),
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}
