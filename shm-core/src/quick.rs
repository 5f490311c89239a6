//! Fast paths: one optimistic look at an object, and an operation that is one store.
//!
//! The store holds a stripe of the writer lock, not the lock (see `lock::brief`). Both give up with `None` whenever anything is not as usual (an odd sequence, a lock that stays taken, a
//! growing segment, a thread's first operation): then the caller goes the general way, through
//! [`Heap::read`] and [`Heap::write`], which also finds the words for what is wrong. They promise
//! the same: a look is of one moment; a store happens wholly or not at all.

use crate::cell::Offset;
use crate::heap::Heap;
use crate::layout::object;
use crate::lock::brief;
use crate::memory::Memory;
use crate::peers::ThreadClaim;
use crate::primitive::{AtomicU64, Ordering, fence};
use crate::session::{Armed, Session};
use crate::watch;

mod leaf;

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

/// What a [`Heap::poke`] is to store, and what it returns.
pub(crate) struct Store<'m, T> {
    pub(crate) word: &'m AtomicU64,
    pub(crate) value: u64,
    pub(crate) result: T,
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

    /// One try of an operation that stores one word of an object, without a reference before or
    /// after. `f` runs under the object's stripe of the writer lock; what it stores besides must be invisible until then.
    #[inline]
    pub(crate) fn poke<T>(
        &self,
        object_at: Offset,
        f: impl for<'m> FnOnce(&'m Memory, &'m Header) -> Option<Store<'m, T>>,
    ) -> Option<T> {
        let memory: &Memory = &self.0.memory;
        if memory.readonly {
            return None;
        }
        let Armed { claim, lock: [owner, .., watched], stripes, closed, .. } =
            Session::armed(self.0.id)?;
        let stripe = &stripes[brief::of_object(object_at)];
        if !brief::take(owner, stripe, claim) {
            return None;
        }
        // Release: makes each plain store into unseen memory a release for the readers' fences.
        fence(Ordering::Release);
        let done = if closed.load(Ordering::Relaxed) {
            None
        } else {
            Self::poke_locked(memory, claim, object_at, f)
        };
        brief::give(stripe);
        if watched.load(Ordering::Relaxed) & watch::bit_of(object_at) != 0 {
            memory.announce(watch::bit_of(object_at));
        }
        done
    }

    #[inline]
    fn poke_locked<T>(
        memory: &Memory,
        claim: ThreadClaim,
        object_at: Offset,
        f: impl for<'m> FnOnce(&'m Memory, &'m Header) -> Option<Store<'m, T>>,
    ) -> Option<T> {
        let header = memory.peek_words(object_at, 8)?;
        let sequence = header.get((object::SEQ / 8) as usize)?;
        let before = sequence.load(Ordering::Relaxed);
        if before & 1 == 1 || !memory.is_open_to(word(header, object::LOCK), claim) {
            return None;
        }
        let store = f(memory, header)?;
        store.word.store(store.value, Ordering::Release);
        // Release: pairs with the Acquire load in `Heap::read`. After the store, so that a reader of
        // two words sees either this change or the new sequence.
        sequence.store(before.wrapping_add(2), Ordering::Release);
        Some(store.result)
    }
}
