//! The objects that were made lately for values that live in their cells.
//!
//! An int, float, short str or short bytes is immutable, and equal cells mean the same type and
//! value, so one object can stand for all of them, as the interpreter's own small ints do. Reading a value
//! again then costs a look here instead of an allocation. Direct-mapped; a value gets its entry when
//! it is read for the second time in a row there, so that a scan pushes nothing out. The entries
//! keep their objects alive, at most 60 bytes each: 1 MiB in all.
//!
//! Guarded by the GIL: the functions want proof of attachment. The atomics are for Rust's sake.

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use shm_core::cell::Cell;

/// log2 of the entries.
const BITS: u32 = 14;

/// A cell and its object, which the entry owns a reference of; 0 and null at first.
struct Entry {
    cell: AtomicUsize,
    object: AtomicPtr<ffi::PyObject>,
    /// The cell that was read here last and is not the entry's.
    candidate: AtomicUsize,
}

static ENTRIES: [Entry; 1 << BITS] = [const {
    Entry {
        cell: AtomicUsize::new(0),
        object: AtomicPtr::new(std::ptr::null_mut()),
        candidate: AtomicUsize::new(0),
    }
}; 1 << BITS];

#[inline]
fn entry(cell: Cell) -> Option<&'static Entry> {
    // Neighbouring integers, as counters and indices are, get neighbouring entries.
    let place = match cell.as_int() {
        Some(number) => number.cast_unsigned(),
        None => cell.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - BITS),
    };
    ENTRIES.get((place & ((1 << BITS) - 1)) as usize)
}

/// The object that was made for this cell, if it is still here.
#[inline]
pub(super) fn find(py: Python<'_>, cell: Cell) -> Option<Bound<'_, PyAny>> {
    let entry = entry(cell)?;
    if entry.cell.load(Ordering::Relaxed) != cell.0 as usize {
        return None;
    }
    let object = entry.object.load(Ordering::Relaxed);
    // SAFETY: the entry owns a reference, and changes only with the GIL held, as it is now. It is
    // null only where the cell is 0, which no value is.
    unsafe { Bound::from_borrowed_ptr_or_opt(py, object) }
}

/// Keeps an object for the next read of the same cell, if this is not the first.
#[inline]
pub(super) fn remember(cell: Cell, object: &Bound<'_, PyAny>) {
    let Some(entry) = entry(cell) else { return };
    if entry.candidate.load(Ordering::Relaxed) != cell.0 as usize {
        entry.candidate.store(cell.0 as usize, Ordering::Relaxed);
        return;
    }
    let kept = object.clone().into_ptr();
    entry.cell.store(cell.0 as usize, Ordering::Relaxed);
    let former = entry.object.swap(kept, Ordering::Relaxed);
    // SAFETY: the reference was the entry's. The object is an int, float, str or bytes, so freeing
    // it runs no Python code.
    drop(unsafe { Bound::from_owned_ptr_or_opt(object.py(), former) });
}
