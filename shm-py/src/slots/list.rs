//! Slots of `List` and of its iterator.

use std::ffi::c_int;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use shm_core::cell::{Cell, Kind};
use shm_core::{AtHand, Error, Seen, TEXT_LIMIT};

use crate::convert;
use crate::home::{Handle, Proxy};
use crate::list::{ListIterator, SharedList};
use crate::slots::{content, failed, hand, scalar, type_of};

/// Elements that the iterator fetches in one validated read.
const BATCH: usize = 64;

static GET: OnceLock<ffi::binaryfunc> = OnceLock::new();
static SET: OnceLock<ffi::objobjargproc> = OnceLock::new();
static NEXT: OnceLock<ffi::iternextfunc> = OnceLock::new();

/// Puts the quick functions in front of the slots.
pub(super) fn install(py: Python<'_>) {
    let class = type_of::<SharedList>(py);
    // SAFETY: a heap type has its own mapping table, which lives as long as the type.
    let mapping = unsafe { (*class).tp_as_mapping };
    // SAFETY: as above; nothing else uses the class yet.
    let mapping = unsafe { &mut *mapping };
    if let (Some(get), Some(set)) = (mapping.mp_subscript, mapping.mp_ass_subscript)
        && GET.set(get).is_ok()
        && SET.set(set).is_ok()
    {
        mapping.mp_subscript = Some(subscript);
        mapping.mp_ass_subscript = Some(assign);
    }
    let class = type_of::<ListIterator>(py);
    // SAFETY: the class is alive and nothing else uses it yet.
    let next_slot = unsafe { &mut (*class).tp_iternext };
    if let Some(next) = *next_slot
        && NEXT.set(next).is_ok()
    {
        *next_slot = Some(advance);
    }
}

/// `list[key]`
unsafe extern "C" fn subscript(
    list: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: invariants 1 and 2 of `slots`.
    if let Some(found) = unsafe { get(list, key) } {
        return found.into_ptr();
    }
    match GET.get() {
        // SAFETY: the slot's own arguments, passed on.
        Some(slow) => unsafe { slow(list, key) },
        None => std::ptr::null_mut(),
    }
}

/// # Safety
/// 1. Invariants 1 and 2 of `slots` hold for the arguments.
#[inline]
unsafe fn get<'py>(list: *mut ffi::PyObject, key: *mut ffi::PyObject) -> Option<Bound<'py, PyAny>> {
    // SAFETY: (1) of this function.
    let index = unsafe { scalar::small_int(key) }?;
    // SAFETY: (1) of this function.
    let list = unsafe { content::<SharedList>(list) }.handle();
    // SAFETY: (1) of this function: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    match usize::try_from(index) {
        Ok(index) => item(py, list, index),
        Err(_) => from_end(py, list, index),
    }
}

/// The element at a negative index, if nobody changed the list meanwhile.
#[inline]
fn from_end<'py>(
    py: Python<'py>,
    list: &Handle<shm_core::List>,
    index: i64,
) -> Option<Bound<'py, PyAny>> {
    let sequence = list.core.sequence().ok()?;
    let found = item(py, list, usize::try_from(index + list.core.len().ok()? as i64).ok()?)?;
    (list.core.sequence().ok()? == sequence).then_some(found)
}

/// The element at a simple index, if it can be had quickly.
#[inline]
pub(crate) fn probe<'py>(
    list: &SharedList,
    index: &Bound<'py, PyAny>,
) -> Option<Bound<'py, PyAny>> {
    // SAFETY: the caller's reference keeps the object alive, and `Bound` proves the GIL.
    let index = unsafe { scalar::small_int(index.as_ptr()) }.zip(Some(index.py()));
    let (index, py) = index?;
    let list = list.handle();
    match usize::try_from(index) {
        Ok(index) => item(py, list, index),
        Err(_) => from_end(py, list, index),
    }
}

/// The element at an index, if it can be had quickly.
#[inline]
pub(crate) fn quick<'py>(
    py: Python<'py>,
    list: &Handle<shm_core::List>,
    index: usize,
) -> Option<Bound<'py, PyAny>> {
    item(py, list, index)
}

/// The element at an index.
#[inline(always)]
#[allow(clippy::inline_always, reason = "the hot path of indexing: a call costs a tenth of it")]
fn item<'py>(
    py: Python<'py>,
    list: &Handle<shm_core::List>,
    index: usize,
) -> Option<Bound<'py, PyAny>> {
    match list.core.cell_at(index) {
        Some(cell) if cell.is_immediate() => scalar::immediate(py, cell),
        Some(cell) if is_text(cell) => text(py, list, index).or_else(|| referred(py, list, index)),
        _ => referred(py, list, index),
    }
}

/// Whether a cell refers to a text.
#[inline]
fn is_text(cell: Cell) -> bool {
    cell.as_ref().is_some_and(|reference| reference.kind == Kind::Str)
}

/// The element at an index that is a text of no great length, in a block.
#[inline(never)]
fn text<'py>(
    py: Python<'py>,
    list: &Handle<shm_core::List>,
    index: usize,
) -> Option<Bound<'py, PyAny>> {
    let mut buffer = [0; TEXT_LIMIT];
    let length = list.core.text_at(index, &mut buffer)?;
    scalar::text(py, &buffer, length)
}

/// The element at an index that holds a reference: its living proxy, a new one, or a copy.
#[inline(never)]
fn referred<'py>(
    py: Python<'py>,
    list: &Handle<shm_core::List>,
    index: usize,
) -> Option<Bound<'py, PyAny>> {
    match list.core.look(index, |cell| list.home.identity.find(py, cell.0)) {
        Some(Seen::Known(living)) => return Some(living),
        Some(Seen::New(new)) => return convert::met(py, &list.home, new).ok(),
        Some(Seen::Cell(cell)) => return scalar::immediate(py, cell),
        // One that came just now, or a long one.
        Some(Seen::Text) | None => {}
    }
    convert::to_python(py, &list.home, list.core.fetch(index)?).ok()
}

/// `list[key] = value` and, with a null value, `del list[key]`
unsafe extern "C" fn assign(
    list: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> c_int {
    if !value.is_null()
        // SAFETY: invariant 1 of `slots`.
        && let Some(index) = unsafe { scalar::index(key) }
        // SAFETY: invariant 1 of `slots`, and the value is none but null.
        && let Some(cell) = unsafe { scalar::cell(value) }
    {
        // SAFETY: invariants 1 and 2 of `slots`.
        let core = &unsafe { content::<SharedList>(list) }.handle().core;
        // SAFETY: invariant 1 of `slots`: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let at_hand = |hand: &AtHand| core.set_at_hand(hand, index, cell);
        if hand::store(py, at_hand, || core.wake()).is_some() {
            return 0;
        }
    }
    // SAFETY: the slot's own arguments, passed on.
    unsafe { assign_slowly(list, key, value) }
}

/// As [`assign`], for what is not as usual.
///
/// # Safety
/// 1. Invariants 1 and 2 of `slots` hold for the arguments.
#[inline(never)]
unsafe extern "C" fn assign_slowly(
    list: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> c_int {
    if !value.is_null() {
        // SAFETY: (1) of this function.
        match unsafe { set(list, key, value) } {
            Some(Ok(())) => return 0,
            // The slow way says more about it.
            None | Some(Err(Error::IndexOutOfRange { .. })) => {}
            Some(Err(error)) => return failed(error),
        }
    }
    match SET.get() {
        // SAFETY: the slot's own arguments, passed on.
        Some(slow) => unsafe { slow(list, key, value) },
        None => -1,
    }
}

/// # Safety
/// 1. Invariants 1 and 2 of `slots` hold for the arguments.
#[inline]
unsafe fn set(
    list: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> Option<shm_core::Result<()>> {
    // SAFETY: (1) of this function.
    let index = unsafe { scalar::small_int(key) }?;
    // SAFETY: (1) of this function.
    let value = unsafe { scalar::simple(value) }?;
    // SAFETY: (1) of this function.
    let list = unsafe { content::<SharedList>(list) }.handle();
    let index = usize::try_from(index).ok()?;
    let done = list.core.set(index, value);
    // SAFETY: (1) of this function: the GIL is held.
    hand::take(unsafe { Python::assume_attached() });
    Some(done)
}

/// The cells that an iterator has read ahead, valid as long as the list's sequence is the same.
/// Atomic only because Rust wants it so: the GIL is held by whoever touches it.
pub(crate) struct Batch {
    cells: [AtomicI64; BATCH],
    /// Index in the list of the first cell.
    start: AtomicUsize,
    length: AtomicUsize,
    sequence: AtomicUsize,
    filled: AtomicBool,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            cells: [const { AtomicI64::new(0) }; BATCH],
            start: AtomicUsize::new(0),
            length: AtomicUsize::new(0),
            sequence: AtomicUsize::new(0),
            filled: AtomicBool::new(false),
        }
    }
}

impl Batch {
    /// The cell at an index of the list, read ahead or read now.
    #[inline]
    fn cell(&self, list: &shm_core::List, index: usize) -> Option<Cell> {
        let sequence = list.sequence().ok()? as usize;
        // Inside of a transaction that has changed the list it says nothing of the next change.
        if sequence & 1 == 1 {
            return None;
        }
        let offset = index.wrapping_sub(self.start.load(Ordering::Relaxed));
        if offset >= self.length.load(Ordering::Relaxed)
            || sequence != self.sequence.load(Ordering::Relaxed)
            || !self.filled.load(Ordering::Relaxed)
        {
            self.fetch(list, index)?;
            return self
                .cells
                .first()
                .map(|cell| Cell(cell.load(Ordering::Relaxed).cast_unsigned()));
        }
        let cell = self.cells.get(offset)?.load(Ordering::Relaxed);
        Some(Cell(cell.cast_unsigned()))
    }

    #[cold]
    fn fetch(&self, list: &shm_core::List, index: usize) -> Option<()> {
        let mut cells = [Cell::UNSET; BATCH];
        let (length, sequence) = list.copy_cells(index, &mut cells).ok()?;
        if length == 0 {
            return None;
        }
        for (target, cell) in self.cells.iter().zip(cells) {
            target.store(cell.0.cast_signed(), Ordering::Relaxed);
        }
        self.start.store(index, Ordering::Relaxed);
        self.length.store(length, Ordering::Relaxed);
        self.sequence.store(sequence as usize, Ordering::Relaxed);
        self.filled.store(true, Ordering::Relaxed);
        Some(())
    }
}

/// `next(iterator)`
unsafe extern "C" fn advance(iterator: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: invariants 1 and 2 of `slots`.
    if let Some(found) = unsafe { step(iterator) } {
        return found.into_ptr();
    }
    match NEXT.get() {
        // SAFETY: the slot's own argument, passed on.
        Some(slow) => unsafe { slow(iterator) },
        None => std::ptr::null_mut(),
    }
}

/// # Safety
/// 1. Invariants 1 and 2 of `slots` hold for the argument.
#[inline]
unsafe fn step<'py>(iterator: *mut ffi::PyObject) -> Option<Bound<'py, PyAny>> {
    // SAFETY: (1) of this function.
    let iterator = unsafe { content::<ListIterator>(iterator) };
    // SAFETY: (1) of this function: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let list = iterator.list.bind(py).get().handle();
    loop {
        if iterator.ended.load(Ordering::Relaxed) {
            return None;
        }
        let index = iterator.next.load(Ordering::Relaxed);
        let cell = iterator.batch.cell(&list.core, index)?;
        let found = if cell.is_immediate() {
            // A scan would only push out what is read again and again.
            scalar::fresh(py, cell)?
        } else {
            item(py, list, index)?
        };
        // Making the object may have let another thread run, which was given this one then.
        if iterator.next.load(Ordering::Relaxed) == index {
            iterator.next.store(index + 1, Ordering::Relaxed);
            return Some(found);
        }
    }
}
