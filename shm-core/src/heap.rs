//! An attached segment in this process: validated reads, atomic writes, handles.
//!
//! Handle. `Heap` is what every container holds (a reference count to clone). [`Heap::read`] never
//! locks: it runs a closure and validates the object's sequence afterwards. [`Heap::write`] takes
//! the writer lock, recovers what a dead owner left, runs a closure and commits; where there is no
//! room, garbage is collected and the closure runs a second time. What a handle
//! pins and what a dead process held is in `handle` and `recovery`.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use crate::cell::{Cell, Offset, Ref};
use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::object as objects;
use crate::peers::ProcessClaim;
use crate::pins::Own;
use crate::primitive::{AtomicBool, AtomicU64, Ordering};
use crate::session::Session;
use crate::spares::Spares;

mod growth;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use write::Running;

/// Handle. One attached segment.
#[derive(Clone)]
pub struct Heap(pub(crate) Arc<Inner>);

/// What one attachment consists of, in this process.
pub(crate) struct Inner {
    pub(crate) memory: Arc<Memory>,
    /// Unique in this process, never reused.
    pub(crate) id: u64,
    /// Pins and the process slot; never freed, because a fork holds its guard across the call.
    pub(crate) own: &'static Mutex<Own>,
    pub(crate) lock_timeout: Duration,
    /// `Own::deferred` is not empty.
    pub(crate) has_deferred: AtomicBool,
    /// A thread collects because the segment is full. Not one of the parent of a child that was forked then.
    pub(crate) makes_room: AtomicBool,
    /// Pins wait for a larger table.
    pub(crate) pins_wait: AtomicBool,
    /// What a floor above keeps per attachment (the parsed schemas).
    extension: OnceLock<Box<dyn Any + Send + Sync>>,
}

static SPARE_OWN: Spares<Mutex<Own>> = Spares::new();

impl Inner {
    pub(crate) fn new(memory: Memory, lock_timeout: Duration) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Inner {
            memory: Arc::new(memory),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            own: SPARE_OWN.take(),
            lock_timeout,
            has_deferred: AtomicBool::new(false),
            makes_room: AtomicBool::new(false),
            pins_wait: AtomicBool::new(false),
            extension: OnceLock::new(),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.memory.has_closer() {
            // Leaving takes operations, which take a `Heap`: a twin of this attachment does it.
            let twin = Inner {
                memory: Arc::clone(&self.memory),
                id: self.id,
                own: self.own,
                lock_timeout: self.lock_timeout,
                has_deferred: AtomicBool::new(false),
                makes_room: AtomicBool::new(false),
                pins_wait: AtomicBool::new(false),
                extension: OnceLock::new(),
            };
            // A drop cannot fail; what could not be given back goes with the process.
            let _ = crate::leave::close(&Heap(Arc::new(twin)));
        } else if let Ok(mut own) = self.own.try_lock() {
            *own = Own::default();
            drop(own);
            SPARE_OWN.give(self.own);
        }
    }
}

impl Heap {
    /// The segment's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.memory.name
    }

    /// The word at a data offset.
    #[inline]
    pub(crate) fn word(&self, at: Offset) -> Result<&AtomicU64> {
        self.0.memory.word(at)
    }

    /// A run of words in the data pages.
    #[inline]
    pub(crate) fn words(&self, at: Offset, count: usize) -> Result<&[AtomicU64]> {
        self.0.memory.words(at, count as u64)
    }

    /// The value of a data word.
    #[inline]
    pub(crate) fn load(&self, at: Offset) -> Result<u64> {
        self.0.memory.load(at)
    }

    /// The value of a data word whose one store makes what lies elsewhere seen, such as a length. That store
    /// comes before the new sequence, so a reader may meet it under the old one.
    #[inline]
    pub(crate) fn load_published(&self, at: Offset) -> Result<u64> {
        // Acquire: pairs with the Release store in `Tx::set_only` and `Heap::poke`; what is read after this is
        // what was stored before.
        Ok(self.word(at)?.load(Ordering::Acquire))
    }

    /// Key of the hash of text and bytes.
    #[inline]
    pub(crate) fn hash_key(&self) -> [u64; 2] {
        self.0.memory.hash_key
    }

    /// An error that says what is wrong with the content.
    pub(crate) fn corrupt(&self, what: impl Into<String>) -> Error {
        self.0.memory.corrupt(what)
    }

    /// Whether two handles are of the same attachment.
    #[inline]
    pub(crate) fn is_same(&self, other: &Heap) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn own(&self) -> MutexGuard<'static, Own> {
        self.0.own.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The calling thread's slot, made on its first operation.
    #[inline]
    pub(crate) fn session(&self) -> Result<Session> {
        let inner = &self.0;
        Session::enter(inner.id, &inner.memory, || inner.process())
    }

    /// Whether an object that a reference names is one, of that kind.
    #[inline]
    pub(crate) fn check_reference(&self, reference: Ref) -> Result<()> {
        if !crate::alloc::is_header(&self.0.memory, reference.at) {
            return Err(self.corrupt(format!("{:#x} is no object header", reference.at)));
        }
        objects::meta_of(&self.0.memory, reference).map(|_| ())
    }

    /// The cell at a header offset, such as the root's.
    pub(crate) fn header_cell(&self, at: Offset) -> Result<Cell> {
        // Acquire: pairs with the Release store that published what the cell refers to.
        Ok(Cell(self.0.memory.meta(at)?.load(Ordering::Acquire)))
    }

    /// The process-local companion of this attachment that the floor above keeps here; there is one
    /// such type. `None` if it was made with another type.
    pub(crate) fn extension<T: Default + Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.extension.get_or_init(|| Box::new(T::default())).downcast_ref()
    }

    pub(crate) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.0)
    }
}

impl Inner {
    /// This process's slot; in a forked child whose parent could not prepare one, a new one.
    pub(crate) fn process(&self) -> Result<ProcessClaim> {
        crate::fork::process_of(self)
    }
}
