//! One attachment of this process: the segment, the proxies of its objects, and how to find it.
//!
//! Every proxy keeps its `Home` alive. Attachments are also listed by the segment's identity, so
//! that a handle that was pickled in another process meets the attachment that is already there.
//! A segment that only a pickle asked for is attached once and kept until the process ends or
//! closes it; the list holds no other attachment alive.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use pyo3::PyClass;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use shm_core::{Error, Segment, SegmentOptions};

use crate::error::OrRaise;
use crate::slots::identity::Identity;

/// How many pickled handles are kept alive for the process that will unpickle them.
const IN_FLIGHT: usize = 256;

/// One attachment of this process.
pub(crate) struct Home {
    pub(crate) segment: Segment,
    pub(crate) identity: Identity,
    /// The identity of the segment among all that had or have its name.
    pub(crate) uuid: u64,
    /// The object that error paths call `root`.
    pub(crate) root_id: u64,
    /// The file, where the segment was opened by path.
    pub(crate) path: Option<PathBuf>,
    /// Handles that were pickled lately: the other side may not have unpickled them yet.
    in_flight: Mutex<VecDeque<Py<PyAny>>>,
    /// How many views of its memory are alive (numpy arrays on vectors and arrays).
    views: AtomicUsize,
    /// The `Dict` of the message that was taken last, while it is not built; see `message`.
    pub(crate) in_hand: AtomicPtr<ffi::PyObject>,
    /// The classes of `allow_pickle`, by which their instances are stored; their names.
    allowed: OnceLock<Py<PyDict>>,
}

/// The attachments of this process, by identity of the segment.
struct Directory {
    known: HashMap<u64, Vec<Weak<Home>>>,
    /// Attached on behalf of a pickle; nobody else may hold them.
    kept: Vec<Arc<Home>>,
}

static DIRECTORY: Mutex<Option<Directory>> = Mutex::new(None);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Another attachment of a name, or of a path.
fn attach(name: &str, path: Option<&PathBuf>, readonly: bool) -> shm_core::Result<Segment> {
    let mut options = SegmentOptions::new().readonly(readonly);
    if let Some(path) = path {
        options = options.path(path);
    }
    Segment::attach(name, options)
}

impl Home {
    /// Lists a fresh attachment.
    pub(crate) fn new(segment: Segment, path: Option<PathBuf>) -> shm_core::Result<Arc<Self>> {
        let uuid = segment.uuid()?;
        let root_id = segment.try_root()?.id();
        let home = Arc::new(Self {
            segment,
            identity: Identity::default(),
            uuid,
            root_id,
            path,
            in_flight: Mutex::default(),
            views: AtomicUsize::new(0),
            in_hand: AtomicPtr::default(),
            allowed: OnceLock::new(),
        });
        let mut directory = locked(&DIRECTORY);
        let directory =
            directory.get_or_insert_with(|| Directory { known: HashMap::new(), kept: Vec::new() });
        directory.known.retain(|_, homes| {
            homes.retain(|home| home.strong_count() > 0);
            !homes.is_empty()
        });
        directory.known.entry(uuid).or_default().push(Arc::downgrade(&home));
        Ok(home)
    }

    /// The attachment of the segment with this identity, attaching if there is none yet.
    pub(crate) fn find_or_attach(
        name: &str,
        path: Option<PathBuf>,
        uuid: u64,
        readonly: bool,
    ) -> PyResult<Arc<Self>> {
        if let Some(home) = Self::find(uuid, readonly) {
            return Ok(home);
        }
        let segment = attach(name, path.as_ref(), readonly).or_raise()?;
        if segment.uuid().or_raise()? != uuid {
            return Err(Error::SegmentNotFound { name: format!("{name} (the one pickled)") })
                .or_raise();
        }
        let home = Self::new(segment, path).or_raise()?;
        if let Some(directory) = locked(&DIRECTORY).as_mut() {
            directory.kept.retain(|home| !home.segment.is_closed());
            directory.kept.push(Arc::clone(&home));
        }
        Ok(home)
    }

    /// Removes the name, if it still is this segment's; after this attachment was closed too, as in
    /// `multiprocessing.shared_memory`.
    pub(crate) fn unlink(&self) -> shm_core::Result<()> {
        let (name, readonly) = (self.segment.name(), self.segment.is_readonly());
        match self.segment.unlink() {
            Err(Error::Closed { .. }) => {}
            done => return done.map(drop),
        }
        let again = match attach(name, self.path.as_ref(), readonly) {
            Err(Error::SegmentNotFound { .. }) => return Ok(()),
            again => again?,
        };
        if again.uuid()? == self.uuid {
            again.unlink()?;
        }
        again.close()
    }

    /// All attachments of this process.
    pub(crate) fn all() -> Vec<Arc<Self>> {
        let directory = locked(&DIRECTORY);
        let homes = directory.iter().flat_map(|directory| directory.known.values().flatten());
        homes.filter_map(Weak::upgrade).collect()
    }

    /// The oldest open attachment of the segment with this identity, best one that may do as much.
    fn find(uuid: u64, readonly: bool) -> Option<Arc<Self>> {
        // Upgraded ones are dropped after the list is free again: the last of a home closes it.
        let homes: Vec<Arc<Self>> = {
            let directory = locked(&DIRECTORY);
            let homes = directory.as_ref()?.known.get(&uuid)?;
            homes.iter().filter_map(Weak::upgrade).collect()
        };
        let mut open = homes.iter().filter(|home| !home.segment.is_closed());
        let first = open.next()?;
        let same = |home: &&Arc<Self>| home.segment.is_readonly() == readonly;
        Some(Arc::clone(if same(&first) { first } else { open.find(same).unwrap_or(first) }))
    }

    /// How another process finds the segment: name, path, identity, whether read-only.
    pub(crate) fn place<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let (name, path) = (self.segment.name(), self.path.as_deref());
        (name, path, self.uuid, self.segment.is_readonly()).into_pyobject(py)
    }

    /// Keeps `proxy` alive for a while: it was pickled and the receiver has no pin yet.
    pub(crate) fn keep_in_flight(&self, proxy: Py<PyAny>) {
        let oldest = {
            let mut in_flight = locked(&self.in_flight);
            in_flight.push_back(proxy);
            if in_flight.len() > IN_FLIGHT { in_flight.pop_front() } else { None }
        };
        drop(oldest);
    }

    /// Instances of these classes may be pickled; said once.
    pub(crate) fn allow(&self, classes: Py<PyDict>) {
        // A fresh attachment: nothing was said before.
        let _ = self.allowed.set(classes);
    }

    /// The classes whose instances may be pickled.
    #[inline]
    pub(crate) fn allowed<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyDict>> {
        self.allowed.get().map(|classes| classes.bind(py))
    }

    /// A view of its memory is made.
    pub(crate) fn view_taken(&self) {
        self.views.fetch_add(1, Ordering::Relaxed);
    }

    /// A view of its memory is gone.
    pub(crate) fn view_returned(&self) {
        self.views.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many views of its memory are alive.
    pub(crate) fn views(&self) -> usize {
        self.views.load(Ordering::Relaxed)
    }

    /// Lets go of what was pickled lately, as part of closing.
    pub(crate) fn drop_in_flight(&self) {
        let kept = std::mem::take(&mut *locked(&self.in_flight));
        drop(kept);
    }

    /// The one proxy of this shared object: the living one, or a new one.
    pub(crate) fn adopt<'py, P: Proxy>(
        self: &Arc<Self>,
        py: Python<'py>,
        core: P::Core,
    ) -> PyResult<Bound<'py, PyAny>> {
        let cell = core.cell_word();
        if cell == 0 {
            return Ok(P::create(py, Handle { core, home: Arc::clone(self) })?.into_any());
        }
        if let Some(living) = self.identity.find(py, cell) {
            return Ok(living);
        }
        let proxy = P::create(py, Handle { core, home: Arc::clone(self) })?;
        Ok(self.introduce(cell, proxy))
    }

    /// The one proxy of a shared object that had none when it was pinned, just now: that of `make`.
    #[inline]
    pub(crate) fn adopt_new<'py, P: Proxy>(
        self: &Arc<Self>,
        core: P::Core,
        make: impl FnOnce(Handle<P::Core>) -> PyResult<Bound<'py, P>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let cell = core.cell_word();
        let proxy = make(Handle { core, home: Arc::clone(self) })?;
        Ok(self.introduce(cell, proxy))
    }

    /// Creating a proxy may have run the collector and, in it, other code: then the older one stays.
    #[inline]
    fn introduce<'py, P: Proxy>(&self, cell: u64, proxy: Bound<'py, P>) -> Bound<'py, PyAny> {
        let owner = std::ptr::from_ref(proxy.get().handle()).addr();
        self.identity.remember(cell, proxy.into_any(), owner)
    }
}

/// A handle of the core that a proxy wraps.
pub(crate) trait Core: Send + Sync {
    /// The cell that refers to the object, as a word: its key among the proxies. 0: it has none.
    fn cell_word(&self) -> u64;
    /// Its identity for other processes.
    fn object_id(&self) -> PyResult<u64>;
}

macro_rules! core_handles {
    ($($core:ty),*) => {$(
        impl Core for $core {
            #[inline]
            fn cell_word(&self) -> u64 {
                self.cell().0
            }

            fn object_id(&self) -> PyResult<u64> {
                Ok(self.id())
            }
        }
    )*};
}

core_handles!(shm_core::List, shm_core::Dict, shm_core::Set, shm_core::ByteArray, shm_core::Array);

impl Core for shm_core::Record {
    fn cell_word(&self) -> u64 {
        // A nested struct shares the object of the outer one, so it has no cell of its own.
        self.cell().map_or(0, |cell| cell.0)
    }

    fn object_id(&self) -> PyResult<u64> {
        self.id().or_raise()
    }
}

/// What a proxy holds: the core's handle and the attachment.
pub(crate) struct Handle<C: Core> {
    pub(crate) core: C,
    pub(crate) home: Arc<Home>,
}

impl<C: Core> Drop for Handle<C> {
    fn drop(&mut self) {
        self.home.identity.forget(self.core.cell_word(), std::ptr::from_ref(self).addr());
    }
}

/// A Python class that stands for one kind of shared object.
pub(crate) trait Proxy:
    PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync
{
    /// The core's handle.
    type Core: Core;
    /// A new instance around a handle.
    fn create(py: Python<'_>, handle: Handle<Self::Core>) -> PyResult<Bound<'_, Self>>;
    /// The wrapped handle.
    fn handle(&self) -> &Handle<Self::Core>;
}
