//! Which Python object stands for which shared object: so that `d["x"] is d["x"]`.
//!
//! One map per attachment, from the reference cell of a shared object to the one living proxy of
//! it. The map does not keep proxies alive: a proxy takes its entry away when it is dropped. While
//! a proxy lives, its handle pins the shared object, so a cell that is equal to the key refers to
//! that very object and a hit needs no pin of its own.
//!
//! Guarded by a mutex, and by the GIL for what the entries point to: every function wants proof of
//! attachment. It does not create proxies; that is `Home::adopt`.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::ffi;
use pyo3::prelude::*;

/// Hashes a cell, whose low bits are always zero, by one multiplication.
#[derive(Default)]
pub(crate) struct CellHasher(u64);

impl Hasher for CellHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, cell: u64) {
        let mixed = u128::from(cell) * 0x9E37_79B9_7F4A_7C15;
        self.0 = (mixed as u64) ^ ((mixed >> 64) as u64);
    }
}

/// A living proxy.
struct Entry {
    /// Not owned. Valid while the entry is in the map: the proxy removes it when it is dropped.
    object: NonNull<ffi::PyObject>,
    /// The address of the handle inside the proxy, by which it recognises its own entry.
    owner: usize,
}

// SAFETY: the pointer is only followed with the GIL held (the functions below ask for `Python`).
unsafe impl Send for Entry {}

/// The proxies of one attachment.
#[derive(Default)]
pub(crate) struct Identity {
    entries: Mutex<HashMap<u64, Entry, BuildHasherDefault<CellHasher>>>,
}

impl Identity {
    fn entries(&self) -> MutexGuard<'_, HashMap<u64, Entry, BuildHasherDefault<CellHasher>>> {
        // Poisoning cannot leave the map half-changed: no code of ours runs while it is borrowed.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The living proxy of the object that `cell` refers to.
    #[inline]
    pub(crate) fn find<'py>(&self, py: Python<'py>, cell: u64) -> Option<Bound<'py, PyAny>> {
        let entries = self.entries();
        let object = entries.get(&cell)?.object.as_ptr();
        // SAFETY: the entry is in the map, so its proxy is not freed yet, and the GIL is held.
        // A proxy on its way out (its weakref callbacks run) has count 0 and must stay dead.
        if unsafe { ffi::Py_REFCNT(object) } <= 0 {
            return None;
        }
        // SAFETY: as above, and the count is positive.
        Some(unsafe { Bound::from_borrowed_ptr(py, object) })
    }

    /// Makes `proxy`, whose handle lives at `owner`, the one that `find` returns, unless another
    /// one lives: then that is returned.
    pub(crate) fn remember<'py>(
        &self,
        cell: u64,
        proxy: Bound<'py, PyAny>,
        owner: usize,
    ) -> Bound<'py, PyAny> {
        let Some(object) = NonNull::new(proxy.as_ptr()) else { return proxy };
        let mut entries = self.entries();
        let Some(former) = entries.insert(cell, Entry { object, owner }) else { return proxy };
        // SAFETY: the entry was in the map, so its proxy is not freed yet, and the GIL is held.
        if unsafe { ffi::Py_REFCNT(former.object.as_ptr()) } <= 0 {
            return proxy;
        }
        // SAFETY: as above, and the count is positive.
        let living = unsafe { Bound::from_borrowed_ptr(proxy.py(), former.object.as_ptr()) };
        entries.insert(cell, former);
        // Dropping `proxy` looks at the map.
        drop(entries);
        living
    }

    /// As [`remember`](Self::remember), for a proxy that had no shared object before: `proxy` points to it.
    pub(crate) fn remember_owner(
        &self,
        py: Python<'_>,
        cell: u64,
        proxy: &AtomicPtr<ffi::PyObject>,
        owner: usize,
    ) {
        if let Some(proxy) = living(py, proxy) {
            self.remember(cell, proxy, owner);
        }
    }

    /// All proxies that live.
    pub(crate) fn all<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyAny>> {
        let entries = self.entries();
        let objects = entries.values().map(|entry| entry.object.as_ptr());
        // SAFETY: the entries are in the map, so their proxies are not freed yet, and the GIL is held.
        let living = objects.filter(|object| unsafe { ffi::Py_REFCNT(*object) } > 0);
        // SAFETY: as above, and the count is positive.
        living.map(|object| unsafe { Bound::from_borrowed_ptr(py, object) }).collect()
    }

    /// Takes the entry away if it is that of the proxy whose handle lives at `owner`.
    pub(crate) fn forget(&self, cell: u64, owner: usize) {
        let mut entries = self.entries();
        if entries.get(&cell).is_some_and(|entry| entry.owner == owner) {
            entries.remove(&cell);
        }
    }
}

/// The object that a word points to, unless it is on its way out. Whoever has such a word sets it to
/// null before the object is freed, with the GIL held.
pub(crate) fn living<'py>(
    py: Python<'py>,
    word: &AtomicPtr<ffi::PyObject>,
) -> Option<Bound<'py, PyAny>> {
    let object = NonNull::new(word.load(Ordering::Relaxed))?.as_ptr();
    // SAFETY: not freed, since the word is not null, and the GIL is held.
    if unsafe { ffi::Py_REFCNT(object) } <= 0 {
        return None;
    }
    // SAFETY: as above, and the count is positive.
    Some(unsafe { Bound::from_borrowed_ptr(py, object) })
}
