//! Which Python object stands for which shared object: so that `d["x"] is d["x"]`.
//!
//! One map per attachment, from the reference cell of a shared object to the one living proxy of
//! it. The map does not keep proxies alive: a proxy takes its entry away when it is dropped. While
//! a proxy lives, its handle pins the shared object, so a cell that is equal to the key refers to
//! that very object and a hit needs no pin of its own.
//!
//! An open-addressing hash table, at most half full, whose entries move up when one goes: as with
//! what the process pins, nearly each proxy that is made or dropped costs a look at one place.
//!
//! Guarded by the GIL, with which proxies are made and dropped. It does not create proxies; that is `Home::adopt`.

use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;

/// No cell refers to anything by it: the entry is empty.
const EMPTY: u64 = 0;
const FEWEST: usize = 32;

/// A living proxy.
#[derive(Clone, Copy)]
struct Entry {
    /// The cell that refers to its shared object.
    cell: u64,
    /// Not owned. Valid while the entry is in the map: the proxy removes it when it is dropped.
    object: *mut ffi::PyObject,
    /// The address of the handle inside the proxy, by which it recognises its own entry.
    owner: usize,
}

const NOBODY: Entry = Entry { cell: EMPTY, object: std::ptr::null_mut(), owner: 0 };

#[derive(Default)]
struct Table {
    /// None or a power of two, at least twice as many as there are proxies.
    entries: Vec<Entry>,
    count: usize,
}

impl Table {
    fn mask(&self) -> usize {
        self.entries.len().wrapping_sub(1)
    }

    /// Where the probe for a cell starts.
    #[inline]
    fn start(&self, cell: u64) -> usize {
        // Fibonacci hashing; the low bits of a cell are zero.
        ((cell >> 4).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & self.mask()
    }

    /// Where a cell's entry is, or the empty one where it would be.
    #[inline]
    fn place(&self, cell: u64) -> usize {
        let mut index = self.start(cell);
        loop {
            match self.entries.get(index) {
                Some(entry) if entry.cell != cell && entry.cell != EMPTY => {
                    index = (index + 1) & self.mask();
                }
                _ => return index,
            }
        }
    }

    /// The entry of a cell, if there is one.
    #[inline]
    fn find(&self, cell: u64) -> Option<&Entry> {
        self.entries.get(self.place(cell)).filter(|entry| entry.cell == cell)
    }

    /// Adds an entry, if there is none of its cell; else that one is returned, to be read or replaced.
    #[inline]
    fn add(&mut self, new: Entry) -> Option<&mut Entry> {
        if self.count * 2 >= self.entries.len() {
            self.grow();
        }
        let place = self.place(new.cell);
        let entry = self.entries.get_mut(place)?;
        if entry.cell == new.cell {
            return Some(entry);
        }
        *entry = new;
        self.count += 1;
        None
    }

    /// Takes away what is at a place. Those behind it that would rather be there move up, so that each
    /// probe ends at the first empty entry.
    #[inline]
    fn remove(&mut self, place: usize) {
        let mask = self.mask();
        let (mut hole, mut index) = (place, place);
        loop {
            index = (index + 1) & mask;
            let Some(entry) = self.entries.get(index).copied() else { return };
            if entry.cell == EMPTY {
                break;
            }
            // Its probe comes by the hole, unless it starts behind it.
            let distance = index.wrapping_sub(self.start(entry.cell)) & mask;
            if distance >= index.wrapping_sub(hole) & mask {
                if let Some(empty) = self.entries.get_mut(hole) {
                    *empty = entry;
                }
                hole = index;
            }
        }
        if let Some(entry) = self.entries.get_mut(hole) {
            *entry = NOBODY;
            self.count -= 1;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let room = (self.count * 4).next_power_of_two().max(FEWEST);
        let former = std::mem::replace(&mut self.entries, vec![NOBODY; room]);
        for entry in former.into_iter().filter(|entry| entry.cell != EMPTY) {
            let place = self.place(entry.cell);
            if let Some(empty) = self.entries.get_mut(place) {
                *empty = entry;
            }
        }
    }
}

/// The proxies of one attachment.
#[derive(Default)]
pub(crate) struct Identity {
    /// Invariant: (1) used with the GIL held only, for as long as no other code runs.
    table: UnsafeCell<Table>,
}

// SAFETY: (1) of `table`.
unsafe impl Send for Identity {}
// SAFETY: (1) of `table`.
unsafe impl Sync for Identity {}

impl Identity {
    /// # Safety
    /// 1. The GIL is held.
    /// 2. The result is not used any more when any other code runs that may have one.
    #[allow(clippy::mut_from_ref, reason = "the GIL is what makes it the only one")]
    #[inline]
    unsafe fn table(&self) -> &mut Table {
        // SAFETY: (1) of the field, by (1) and (2) of this function.
        unsafe { &mut *self.table.get() }
    }

    /// The living proxy of the object that `cell` refers to.
    #[inline]
    pub(crate) fn find<'py>(&self, py: Python<'py>, cell: u64) -> Option<Bound<'py, PyAny>> {
        // SAFETY: (1) `py` proves it; (2) a look.
        let object = unsafe { self.table() }.find(cell)?.object;
        alive(py, object)
    }

    /// Makes `proxy`, whose handle lives at `owner`, the one that `find` returns, unless another
    /// one lives: then that is returned.
    #[inline]
    pub(crate) fn remember<'py>(
        &self,
        cell: u64,
        proxy: Bound<'py, PyAny>,
        owner: usize,
    ) -> Bound<'py, PyAny> {
        let new = Entry { cell, object: proxy.as_ptr(), owner };
        // SAFETY: (1) `proxy` proves it; (2) until `proxy` is dropped, which looks at the table.
        let Some(former) = unsafe { self.table() }.add(new) else { return proxy };
        if let Some(living) = alive(proxy.py(), former.object) {
            return living;
        }
        *former = new;
        proxy
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
        // SAFETY: (1) `py` proves it; (2) counting references runs no other code.
        let entries = &unsafe { self.table() }.entries;
        let taken = entries.iter().filter(|entry| entry.cell != EMPTY);
        taken.filter_map(|entry| alive(py, entry.object)).collect()
    }

    /// Takes the entry away if it is that of the proxy whose handle lives at `owner`: part of dropping
    /// that, for which the GIL is held.
    #[inline]
    pub(crate) fn forget(&self, cell: u64, owner: usize) {
        // SAFETY: (1) the caller is a handle that goes, which is part of a proxy that goes, or was to be;
        // (2) until the end of the function.
        let table = unsafe { self.table() };
        let place = table.place(cell);
        if table.entries.get(place).is_some_and(|entry| entry.cell == cell && entry.owner == owner)
        {
            table.remove(place);
        }
    }
}

/// The proxy of an entry, unless it is on its way out: its weakref callbacks run, and with count 0 it must
/// stay dead.
#[inline]
fn alive(py: Python<'_>, object: *mut ffi::PyObject) -> Option<Bound<'_, PyAny>> {
    // SAFETY: the entry is in the map, so its proxy is not freed yet, and the GIL is held.
    if unsafe { ffi::Py_REFCNT(object) } <= 0 {
        return None;
    }
    // SAFETY: as above, and the count is positive.
    Some(unsafe { Bound::from_borrowed_ptr(py, object) })
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
