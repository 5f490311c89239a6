//! Proxies that are made and dropped by the million: their memory is kept for the next ones.
//!
//! `x["a"]["b"]` makes a proxy and drops it. The interpreter's general way to an instance (argument
//! tuple, allocator, collector, and all of it backwards) costs more than what is read, so an instance of
//! just the class gives its content back when it goes, and what is left of it, a *shell*, waits for
//! another content, as it is with the interpreter's own lists and dicts. What nothing refers to is given back at once: a shell
//! holds no handle. Nor does the collector look at such an instance: it refers to no Python object.
//! Instances of subclasses, and contents that own Python objects, go the general way.
//!
//! Guarded by the GIL: the functions want proof of attachment. The atomics are for Rust's sake.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use pyo3::PyClass;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;

use super::{content, type_of};

/// Most shells of a class.
const MOST: usize = 64;

/// A class whose instances leave a shell.
pub(crate) trait Shelled: PyClass<Frozen = True> + Sync {
    /// The class's shells.
    fn shells() -> &'static Shells;

    /// Whether the content owns no Python object.
    fn is_plain(&self) -> bool {
        true
    }
}

/// The shells of a class.
pub(crate) struct Shells {
    /// Invariants: (1) the first `count` are instances of just the class whose count is 0, that no weak
    /// reference is of, that the collector does not know and whose content is moved out or dropped.
    spare: [AtomicPtr<ffi::PyObject>; MOST],
    count: AtomicUsize,
    /// (2) How far from an instance's start its content lies, once there was an instance.
    offset: AtomicUsize,
    class: AtomicPtr<ffi::PyTypeObject>,
    /// What was there before.
    dealloc: OnceLock<ffi::destructor>,
}

impl Shells {
    pub(crate) const fn new() -> Self {
        Shells {
            spare: [const { AtomicPtr::new(std::ptr::null_mut()) }; MOST],
            count: AtomicUsize::new(0),
            offset: AtomicUsize::new(0),
            class: AtomicPtr::new(std::ptr::null_mut()),
            dealloc: OnceLock::new(),
        }
    }

    /// Takes a shell out.
    #[inline]
    fn take(&self) -> Option<*mut ffi::PyObject> {
        let count = self.count.load(Ordering::Relaxed).checked_sub(1)?;
        let object = self.spare.get(count)?.load(Ordering::Relaxed);
        self.count.store(count, Ordering::Relaxed);
        Some(object)
    }

    /// Puts a shell in; whether there was room.
    #[inline]
    fn put(&self, object: *mut ffi::PyObject) -> bool {
        let count = self.count.load(Ordering::Relaxed);
        let Some(place) = self.spare.get(count) else { return false };
        place.store(object, Ordering::Relaxed);
        self.count.store(count + 1, Ordering::Relaxed);
        true
    }
}

/// Puts the quick function in place. Runs once, before any instance exists.
pub(super) fn install<T: Shelled>(py: Python<'_>) {
    let (class, shells) = (type_of::<T>(py), T::shells());
    // SAFETY: the class is alive and nothing else uses it yet.
    let slot = unsafe { &mut (*class).tp_dealloc };
    if let Some(dealloc) = *slot
        && shells.dealloc.set(dealloc).is_ok()
    {
        shells.class.store(class, Ordering::Relaxed);
        *slot = Some(drop_instance::<T>);
    }
}

/// A new instance of just the class.
#[inline]
pub(crate) fn instance<T>(py: Python<'_>, content: T) -> PyResult<Bound<'_, T>>
where
    T: Shelled + Into<PyClassInitializer<T>>,
{
    instance_with(py, || content)
}

/// As [`instance`], of a content that is made where it is to lie.
#[inline]
pub(crate) fn instance_with<T>(
    py: Python<'_>,
    content: impl FnOnce() -> T,
) -> PyResult<Bound<'_, T>>
where
    T: Shelled + Into<PyClassInitializer<T>>,
{
    let shells = T::shells();
    let Some(object) = shells.take() else { return first(py, content()) };
    // SAFETY: (2) of `Shells`: inside of the instance.
    let place = unsafe { object.byte_add(shells.offset.load(Ordering::Relaxed)) }.cast::<T>();
    // SAFETY: (1) of `Shells`: nobody has the instance, and it has no content.
    unsafe { place.write(content()) };
    // SAFETY: (1) of `Shells`: from no reference to one, with the GIL held.
    unsafe { ffi::Py_INCREF(object) };
    // SAFETY: the one reference, to an instance that is whole now.
    let object = unsafe { Bound::from_owned_ptr(py, object) };
    // SAFETY: (1) of `Shells`.
    Ok(unsafe { object.cast_into_unchecked() })
}

/// As [`instance`], in fresh memory.
#[cold]
fn first<T>(py: Python<'_>, content: T) -> PyResult<Bound<'_, T>>
where
    T: Shelled + Into<PyClassInitializer<T>>,
{
    let made = Bound::new(py, content)?;
    let offset = std::ptr::from_ref(made.get()).addr() - made.as_ptr().addr();
    T::shells().offset.store(offset, Ordering::Relaxed);
    // SAFETY: a live instance of a class that the collector knows, with the GIL held.
    unsafe { ffi::PyObject_GC_UnTrack(made.as_ptr().cast()) };
    Ok(made)
}

/// The class's `tp_dealloc`.
unsafe extern "C" fn drop_instance<T: Shelled>(object: *mut ffi::PyObject) {
    let shells = T::shells();
    let class = shells.class.load(Ordering::Relaxed);
    // SAFETY: invariant 1 of `slots`: it is an object to the end of this function.
    let is_just_that = unsafe { ffi::Py_TYPE(object) } == class;
    // SAFETY: invariants 1 and 2 of `slots`.
    if !is_just_that || !unsafe { content::<T>(object) }.is_plain() {
        if let Some(general) = shells.dealloc.get() {
            // SAFETY: the slot's own argument, passed on.
            unsafe { general(object) };
        }
        return;
    }
    // SAFETY: an instance of a class that the collector knows; it need not be tracked.
    unsafe { ffi::PyObject_GC_UnTrack(object.cast()) };
    // SAFETY: the class lives as long as the instance.
    let weak = unsafe { (*class).tp_weaklistoffset };
    if weak > 0 {
        // SAFETY: where the class says that the instance keeps its weak references.
        let weak = unsafe { object.byte_offset(weak) }.cast::<*mut ffi::PyObject>();
        // SAFETY: as above.
        if !unsafe { weak.read() }.is_null() {
            // SAFETY: called by what deallocates the instance.
            unsafe { ffi::PyObject_ClearWeakRefs(object) };
        }
    }
    // SAFETY: (2) of `Shells`: inside of the instance, which there is.
    let place = unsafe { object.byte_add(shells.offset.load(Ordering::Relaxed)) }.cast::<T>();
    // SAFETY: nothing refers to the instance any more; its content is whole, and goes here only.
    unsafe { place.drop_in_place() };
    // Only now: what a drop waits for may have let other threads run.
    if !shells.put(object) {
        // SAFETY: memory of the collector's allocator, not tracked, of which nothing is used any more.
        unsafe { ffi::PyObject_GC_Del(object.cast()) };
        // SAFETY: each instance has a reference to its class.
        unsafe { ffi::Py_DECREF(class.cast()) };
    }
}
