//! The hashes of the str objects that were used as keys lately.
//!
//! A program looks the same few str objects up again and again: literals, names, the elements of
//! its own lists. Their hash under a segment's key is kept by the object's address, and the entry
//! keeps the object alive, so that the address stays its own. Direct-mapped; long texts, whose hash
//! would be worth most and their memory too, are left out.
//!
//! Guarded by the GIL: the functions want proof of attachment. The atomics are for Rust's sake.

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;

use crate::home::Home;

/// log2 of the entries.
const BITS: u32 = 10;
/// Longest text that is kept, in bytes.
const LONGEST: usize = 128;

/// A str, which the entry owns a reference of, the segment, and the hash there.
struct Entry {
    text: AtomicPtr<ffi::PyObject>,
    segment: AtomicUsize,
    hash: AtomicUsize,
}

static ENTRIES: [Entry; 1 << BITS] = [const {
    Entry {
        text: AtomicPtr::new(std::ptr::null_mut()),
        segment: AtomicUsize::new(0),
        hash: AtomicUsize::new(0),
    }
}; 1 << BITS];

/// The hash of a str object, whose UTF-8 the caller has, under the segment's key.
#[inline]
pub(super) fn hash(object: &Bound<'_, PyAny>, utf8: &[u8], home: &Home) -> u64 {
    let address = object.as_ptr();
    let place = (address.addr() >> 4).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (usize::BITS - BITS);
    let Some(entry) = ENTRIES.get(place) else { return home.segment.heap().hash_text(utf8) };
    if entry.text.load(Ordering::Relaxed) == address
        && entry.segment.load(Ordering::Relaxed) == home.uuid as usize
    {
        return entry.hash.load(Ordering::Relaxed) as u64;
    }
    fresh(object, utf8, home, entry)
}

#[cold]
fn fresh(object: &Bound<'_, PyAny>, utf8: &[u8], home: &Home, entry: &'static Entry) -> u64 {
    let hash = home.segment.heap().hash_text(utf8);
    if utf8.len() <= LONGEST {
        let kept = object.clone().into_ptr();
        entry.segment.store(home.uuid as usize, Ordering::Relaxed);
        entry.hash.store(hash as usize, Ordering::Relaxed);
        let former = entry.text.swap(kept, Ordering::Relaxed);
        // SAFETY: the reference was the entry's; the object is a str, so freeing it runs no Python
        // code.
        drop(unsafe { Bound::from_owned_ptr_or_opt(object.py(), former) });
    }
    hash
}
