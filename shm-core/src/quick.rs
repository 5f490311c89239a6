//! Fast paths: one optimistic look at an object, and an operation that is one store.
//!
//! The store holds a stripe of the writer lock, not the lock (see `lock::brief`); who stores is a [`Caller`].
//! Both give up with `None` whenever anything is not as usual (an odd sequence, a lock that stays taken, a
//! growing segment, a thread's first operation): then the caller goes the general way, through
//! [`Heap::read`] and [`Heap::write`], which also finds the words for what is wrong. They promise
//! the same: a look is of one moment; a store happens wholly or not at all.

use crate::cell::Offset;
use crate::heap::Heap;
use crate::layout::object;
use crate::memory::Memory;
use crate::primitive::{AtomicU64, Ordering, fence};

mod caller;
mod leaf;

pub use caller::Stored;
pub(crate) use caller::{Anyone, Caller, Handy};
pub(crate) use leaf::sole_leaf;

/// The words of an object's header.
pub(crate) type Header = [AtomicU64];

/// The word of a header at a byte offset.
#[inline]
pub(crate) fn word(header: &Header, offset: Offset) -> u64 {
    header.get((offset / 8) as usize).map_or(0, |word| word.load(Ordering::Relaxed))
}

/// The same of a word whose one store makes what lies elsewhere seen; see [`Heap::load_published`].
#[inline]
pub(crate) fn published(header: &Header, offset: Offset) -> u64 {
    // Acquire: pairs with the Release store in `Heap::poke` and `Tx::set_only`.
    header.get((offset / 8) as usize).map_or(0, |word| word.load(Ordering::Acquire))
}

/// What a short operation is to store, if anything, and what it gives.
pub(crate) struct Poke<'m, T> {
    pub(crate) store: Option<(&'m AtomicU64, u64)>,
    pub(crate) result: T,
}

impl<'m, T> Poke<'m, T> {
    #[inline]
    pub(crate) fn store(word: &'m AtomicU64, value: u64, result: T) -> Self {
        Poke { store: Some((word, value)), result }
    }

    /// Everything stays as it is.
    #[inline]
    pub(crate) fn nothing(result: T) -> Self {
        Poke { store: None, result }
    }
}

impl Heap {
    /// One try of [`Heap::read`]: what `f` saw, if it saw one moment of the object.
    #[inline]
    pub(crate) fn glance<T>(
        &self,
        object_at: Offset,
        f: impl FnOnce(&Memory, &Header) -> Option<T>,
    ) -> Option<T> {
        let memory: &Memory = &self.0.memory;
        let header = memory.peek_words(object_at, 8)?;
        let sequence = header.get((object::SEQ / 8) as usize)?;
        // Acquire: pairs with the Release store that ended the last change.
        let before = sequence.load(Ordering::Acquire);
        if before & 1 == 1 {
            return None;
        }
        let result = f(memory, header)?;
        // Acquire: orders the loads of `f` before the second look at the sequence.
        fence(Ordering::Acquire);
        (sequence.load(Ordering::Relaxed) == before).then_some(result)
    }

    /// One try of an operation that stores at most one word of an object, without a reference before or
    /// after. `f` runs under the object's stripe of the writer lock; what it stores besides must be invisible until then.
    #[inline]
    pub(crate) fn poke<T>(
        &self,
        object_at: Offset,
        f: impl for<'m> FnOnce(&'m Memory, &'m Header) -> Option<Poke<'m, T>>,
    ) -> Option<T> {
        Anyone.poke(self, object_at, f)
    }
}
