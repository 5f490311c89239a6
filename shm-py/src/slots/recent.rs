//! The objects that were made lately for immutable values.
//!
//! An int, float, short str or short bytes is immutable, so one object can stand for all that are equal and
//! of one type, as the interpreter's own small ints do. Reading a value again then costs a look here
//! instead of an allocation. [`Recent`] keeps one object; the table keeps one for each of some 16,000 cells,
//! direct-mapped. A value gets its place when it is read for the second time in a row there, so
//! that a scan pushes nothing out. The places keep their objects alive, at most 60 bytes each: 1 MiB in all.
//!
//! Guarded by the GIL: the functions want proof of attachment. The atomics are for Rust's sake.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use shm_core::cell::Cell;

/// log2 of the table's places.
const BITS: u32 = 14;

/// A value's bits and its object.
pub(super) struct Recent {
    bits: AtomicU64,
    /// Invariant: null, or an int, float, str or bytes that the place owns a reference of.
    object: AtomicPtr<ffi::PyObject>,
    /// The bits that were read here last and are not the place's.
    candidate: AtomicU64,
}

impl Recent {
    /// Of no value yet.
    pub(super) const fn new() -> Self {
        Recent {
            bits: AtomicU64::new(0),
            object: AtomicPtr::new(std::ptr::null_mut()),
            candidate: AtomicU64::new(0),
        }
    }

    /// The object that was made for these bits, if it is still here.
    #[inline]
    pub(super) fn find<'py>(&self, py: Python<'py>, bits: u64) -> Option<Bound<'py, PyAny>> {
        if self.bits.load(Ordering::Relaxed) != bits {
            return None;
        }
        let object = self.object.load(Ordering::Relaxed);
        // SAFETY: the place owns a reference, and changes only with the GIL held, as it is now.
        unsafe { Bound::from_borrowed_ptr_or_opt(py, object) }
    }

    /// Keeps an immutable object for the next read of the same bits, if this is not the first.
    #[inline]
    pub(super) fn remember(&self, bits: u64, object: &Bound<'_, PyAny>) {
        if self.candidate.load(Ordering::Relaxed) != bits {
            self.candidate.store(bits, Ordering::Relaxed);
            return;
        }
        self.bits.store(bits, Ordering::Relaxed);
        self.replace(object.py(), object.clone().into_ptr());
    }

    /// Owns another object, or none.
    fn replace(&self, py: Python<'_>, object: *mut ffi::PyObject) {
        let former = self.object.swap(object, Ordering::Relaxed);
        // SAFETY: the reference was the place's. The object is an int, float, str or bytes, so freeing
        // it runs no Python code.
        drop(unsafe { Bound::from_owned_ptr_or_opt(py, former) });
    }
}

impl Drop for Recent {
    fn drop(&mut self) {
        if !self.object.get_mut().is_null() {
            // Where the interpreter is going down, there is nothing to give back to.
            Python::try_attach(|py| self.replace(py, std::ptr::null_mut()));
        }
    }
}

static TABLE: [Recent; 1 << BITS] = [const { Recent::new() }; 1 << BITS];

#[inline]
fn place(cell: Cell) -> Option<&'static Recent> {
    // Neighbouring integers, as counters and indices are, get neighbouring places.
    let place = match cell.as_int() {
        Some(number) => number.cast_unsigned(),
        None => cell.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - BITS),
    };
    TABLE.get((place & ((1 << BITS) - 1)) as usize)
}

/// The object that was made for this cell, if it is still here.
#[inline]
pub(super) fn find(py: Python<'_>, cell: Cell) -> Option<Bound<'_, PyAny>> {
    place(cell)?.find(py, cell.0)
}

/// Keeps an object for the next read of the same cell, if this is not the first.
#[inline]
pub(super) fn remember(cell: Cell, object: &Bound<'_, PyAny>) {
    if let Some(place) = place(cell) {
        place.remember(cell.0, object);
    }
}
