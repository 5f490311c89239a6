//! A pinned object: what every public handle (list, dict, ...) wraps.
//!
//! Handle. The object lives at least as long as any `Object` of it in any process. Cloning counts
//! handles of this process; the last one to go unpins, and if no cell refers to the object either,
//! it dies. Equality is identity.

pub(crate) mod borrowed;

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::alloc;
use crate::cell::{Cell, Kind, Offset, Ref};
use crate::confined;
use crate::error::{Error, Result};
use crate::gc;
use crate::heap::Heap;
use crate::journal::Journal;
use crate::layout::{FREED, object, thread};
use crate::memory::Memory;
use crate::object::{Meta, dispose, drop_kept, meta_of};
use crate::peers::ThreadClaim;
use crate::pins::Pinned;
use crate::primitive::Ordering;
use crate::session::{Armed, Session};
use crate::tx::Tx;

/// What every handle of a container has: which object it is, of which segment. For a type with a field
/// `object` and the noun of its kind.
macro_rules! identity {
    ($handle:ident, $noun:literal) => {
        impl $handle {
            pub(crate) fn object(&self) -> &$crate::handle::Object {
                &self.object
            }

            /// The segment's heap.
            #[must_use]
            pub fn heap(&self) -> &$crate::heap::Heap {
                self.object.heap()
            }

            /// Its stable identity inside of the segment, for pickling.
            #[must_use]
            pub fn id(&self) -> u64 {
                self.object.id()
            }

            /// The cell that refers to it.
            #[must_use]
            pub fn cell(&self) -> $crate::cell::Cell {
                self.object.cell()
            }

            #[doc = concat!("Whether both handles refer to one ", $noun, ".")]
            #[must_use]
            pub fn same(&self, other: &$handle) -> bool {
                self.object == other.object
            }

            #[inline]
            pub(crate) fn at(&self) -> $crate::cell::Offset {
                self.object.at()
            }
        }
    };
}
pub(crate) use identity;

/// Handle. One pinned object.
pub(crate) struct Object {
    heap: Heap,
    at: Offset,
    stamp: Stamp,
}

/// Kind and generation, in one word: handles are moved about, and what was stored in parts and is loaded
/// as a whole waits for its way to memory.
#[derive(Clone, Copy)]
struct Stamp(u64);

/// Bit of a stamp: the handle has no pin (see [`borrowed`]).
const UNPINNED: u64 = 1 << 32;

impl Stamp {
    #[inline]
    fn new(kind: Kind, generation: u16) -> Self {
        Stamp((u64::from(generation) << 8) | kind as u64)
    }

    #[inline]
    fn kind(self) -> Kind {
        // There is no other way to a stamp than from a kind.
        Kind::from_code(self.0 as u8).unwrap_or(Kind::List)
    }

    #[inline]
    fn generation(self) -> u16 {
        (self.0 >> 8) as u16
    }

    fn unpinned(self) -> Self {
        Stamp(self.0 | UNPINNED)
    }

    #[inline]
    fn is_pinned(self) -> bool {
        self.0 & UNPINNED == 0
    }
}

impl PartialEq for Stamp {
    fn eq(&self, other: &Self) -> bool {
        (self.0 ^ other.0) & !UNPINNED == 0
    }
}

impl Object {
    /// A fresh object that only this handle knows, set up by `init` in the same operation.
    pub(crate) fn create(
        heap: &Heap,
        kind: Kind,
        mut init: impl FnMut(&mut Tx<'_>, Offset) -> Result<()>,
    ) -> Result<Object> {
        heap.write(|tx| {
            let at = tx.alloc_object(kind)?;
            // Pinned at once: whatever fails from here on, dropping the handle is the clean-up.
            let generation = Meta(tx.load(at + object::META)?).generation();
            let object = Object::pinned(heap, Ref { kind, at, generation: generation as u8 })?;
            init(tx, at)?;
            Ok(object)
        })
    }

    /// A handle of what a reference in a container names. Called inside of `Heap::read` of that
    /// container (or of an operation): the validation that follows proves that the pin came in time.
    pub(crate) fn pin(heap: &Heap, reference: Ref) -> Result<Object> {
        heap.check_reference(reference)?;
        Object::pinned(heap, reference)
    }

    /// The same for fast paths, inside of [`Heap::glance`] of the container. `None`: it is not as
    /// usual, and [`Object::pin`] says how.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "an object that is handed on costs as much as its pin")]
    pub(crate) fn pin_quickly(heap: &Heap, reference: Ref) -> Option<Object> {
        let memory: &Memory = &heap.0.memory;
        if !alloc::is_header(memory, reference.at) {
            return None;
        }
        let meta = Meta(memory.peek(reference.at + object::META)?.load(Ordering::Relaxed));
        let (kind, generation) = (reference.kind, meta.generation());
        if meta.kind_code() != kind as u8 || generation as u8 != reference.generation {
            return None;
        }
        crate::fork::notice();
        // Not within the `match`, which would keep the guard.
        let pinned = heap.own().pin(memory, reference.at).ok()?;
        match pinned {
            Pinned::Done => Some(Object {
                heap: heap.clone(),
                at: reference.at,
                stamp: Stamp::new(kind, generation),
            }),
            Pinned::NeedsRoom => Object::with_room(heap, reference, generation).ok(),
        }
    }

    fn pinned(heap: &Heap, reference: Ref) -> Result<Object> {
        let generation = meta_of(&heap.0.memory, reference)?.generation();
        crate::fork::notice();
        // Not within the `match`, which would keep the guard.
        let pinned = heap.own().pin(&heap.0.memory, reference.at)?;
        match pinned {
            Pinned::Done => {
                let Ref { kind, at, .. } = reference;
                Ok(Object { heap: heap.clone(), at, stamp: Stamp::new(kind, generation) })
            }
            Pinned::NeedsRoom => Object::with_room(heap, reference, generation),
        }
    }

    /// A handle of what was pinned just now, for which the table had no room.
    #[cold]
    fn with_room(heap: &Heap, reference: Ref, generation: u16) -> Result<Object> {
        let Ref { kind, at, .. } = reference;
        let stamp = Stamp::new(kind, generation);
        if borrowed::is_borrowing() {
            // It waits for a place, which others do not see.
            heap.own().unpin(&heap.0.memory, at, None)?;
            return Ok(Object { heap: heap.clone(), at, stamp: stamp.unpinned() });
        }
        let object = Object { heap: heap.clone(), at, stamp };
        heap.0.pins_wait.store(true, Ordering::Relaxed);
        if confined::is_inside() {
            return Err(Journal::want_more());
        }
        if !heap.holds_lock() {
            heap.write(|_| Ok(()))?;
        }
        Ok(object)
    }

    /// The object that [`Object::id`] named, if it is still that one.
    pub(crate) fn by_id(heap: &Heap, id: u64) -> Result<Object> {
        let at = (id >> 16) << 4;
        let gone = || Error::Closed { what: format!("object {id:#x} of {:?}", heap.name()) };
        let look = || {
            if !alloc::is_header(&heap.0.memory, at) || !alloc::is_allocated(&heap.0.memory, at)? {
                return Err(gone());
            }
            let meta = Meta(heap.load(at + object::META)?);
            match Kind::from_code(meta.kind_code()) {
                Some(kind)
                    if kind.is_object() && meta.generation() == id as u16 && !meta.is_buried() =>
                {
                    Ok(Ref { kind, at, generation: meta.generation() as u8 })
                }
                _ => Err(gone()),
            }
        };
        if heap.0.memory.readonly {
            return Object::pinned(heap, look()?);
        }
        // Under the writer lock nothing dies, so what is found can be pinned.
        heap.write(|_| Object::pinned(heap, look()?))
    }

    /// Names this very object among all that were and will be in the segment.
    pub(crate) fn id(&self) -> u64 {
        ((self.at >> 4) << 16) | u64::from(self.stamp.generation())
    }

    /// The segment.
    #[inline]
    pub(crate) fn heap(&self) -> &Heap {
        &self.heap
    }

    /// Where its header lies.
    #[inline]
    pub(crate) fn at(&self) -> Offset {
        self.at
    }

    /// What it is.
    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        self.stamp.kind()
    }

    /// The cell that refers to it.
    #[inline]
    pub(crate) fn cell(&self) -> Cell {
        Cell::reference(self.kind(), self.at, self.stamp.generation() as u8)
    }
}

/// One handle of an object less. Under the writer lock, and while a collector looks at the pins, that
/// is put off until later.
#[inline]
pub(crate) fn unpin(heap: &Heap, at: Offset) -> Result<()> {
    let memory: &Memory = &heap.0.memory;
    match Session::armed(heap.0.id) {
        Some(Armed { claim, .. })
            if !memory.readonly
                && !memory.is_closed()
                && !heap.0.has_deferred.load(Ordering::Relaxed) =>
        {
            unpin_as(heap, at, claim)
        }
        _ => unpin_anyhow(heap, at),
    }
}

/// Where something is not as usual, if only that the thread's last operation was in another segment.
#[cold]
fn unpin_anyhow(heap: &Heap, at: Offset) -> Result<()> {
    let memory: &Memory = &heap.0.memory;
    if memory.is_closed() {
        return Ok(());
    }
    if memory.readonly {
        return heap.own().unpin(memory, at, None).map(|_| ());
    }
    // A thread that is ending has no slot, nor has a child that found none free: another one does it.
    let Ok(session) = heap.session() else {
        heap.defer_unpin(at);
        return Ok(());
    };
    if has_to_wait(memory, session.claim)? {
        heap.defer_unpin(at);
        return Ok(());
    }
    heap.unpin_deferred();
    unpin_as(heap, at, session.claim)
}

/// Whether handles may not end now.
#[inline]
fn has_to_wait(memory: &Memory, me: ThreadClaim) -> Result<bool> {
    Ok(memory.is_locked_by(me) || confined::is_inside() || gc::is_marking(memory)?)
}

#[inline]
fn unpin_as(heap: &Heap, at: Offset, me: ThreadClaim) -> Result<()> {
    let memory: &Memory = &heap.0.memory;
    if has_to_wait(memory, me)? {
        heap.defer_unpin(at);
        return Ok(());
    }
    let intent = memory.meta(memory.geometry.thread_at(me.slot) + thread::UNPINNING)?;
    let mut own = heap.own();
    let was_last = own.unpin(memory, at, Some(intent))?;
    let is_sparse = own.is_sparse();
    drop(own);
    if is_sparse {
        // For the next operation that holds the lock.
        heap.0.pins_wait.store(true, Ordering::Relaxed);
    }
    if !was_last {
        return Ok(());
    }
    if Meta(heap.load(at + object::META)?).count() == 0 {
        heap.write(|tx| dispose(&mut tx.journal, at))?;
    } else if heap.load(at + object::W0)? & FREED != 0 {
        heap.write(|tx| drop_kept(&mut tx.journal, at))?;
    }
    intent.store(0, Ordering::Release);
    Ok(())
}

impl Clone for Object {
    fn clone(&self) -> Self {
        if self.stamp.is_pinned() {
            self.heap.own().pin_again(self.at());
        }
        let Object { ref heap, at, stamp } = *self;
        Object { heap: heap.clone(), at, stamp }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        if self.stamp.is_pinned() {
            // A drop cannot fail; an object that could not be looked at goes with the process.
            let _ = unpin(&self.heap, self.at());
        }
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at && self.stamp == other.stamp && self.heap.is_same(&other.heap)
    }
}

impl Eq for Object {}

impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.at.hash(state);
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} {:#x} in {:?}>", self.kind().name(), self.at(), self.heap.name())
    }
}
