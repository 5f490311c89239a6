//! The shortest way to one object: its header and its block, looked up once for many operations.
//!
//! Handle. What a typed struct's handle keeps. A header never moves while it is pinned, a mapping
//! stays for ever, and a block is still the object's as long as the header says so: that one
//! comparison, beside the sequence's, is all that an operation checks. It also finds a closed segment, whose
//! words read as zeros. Whatever is not as usual (an odd sequence, another block, a taken lock, a
//! thread's first operation) ends in `None`, and the caller goes the way of [`crate::quick`] or the
//! general one. The promises are those of `quick`: a look is of one moment, a store happens wholly
//! or not at all.

use crate::cell::Offset;
use crate::heap::Heap;
use crate::layout::object;
use crate::memory::Memory;
use crate::primitive::{AtomicU64, Ordering, fence};
use crate::session::{Armed, Session};
use crate::watch;

/// Most words of a block that are near.
const MOST: u64 = 512;
const SEQ: usize = (object::SEQ / 8) as usize;
const LOCK: usize = (object::LOCK / 8) as usize;
const W0: usize = (object::W0 / 8) as usize;

/// The header of no object: its sequence is odd.
static NOBODY: [AtomicU64; 8] = [
    AtomicU64::new(0),
    AtomicU64::new(1),
    AtomicU64::new(0),
    AtomicU64::new(0),
    AtomicU64::new(0),
    AtomicU64::new(0),
    AtomicU64::new(0),
    AtomicU64::new(0),
];

/// Handle. Where an object's header and block are in this process. Kept beside what pins the object.
#[derive(Clone, Copy)]
pub(crate) struct Near {
    header: &'static [AtomicU64; 8],
    /// What the header's first word is while the block is this one.
    block: Offset,
    /// The block's words, from some word on.
    words: &'static [AtomicU64],
    /// The attachment, 0 if it cannot write.
    segment: u64,
    /// The object's group of those who watch.
    group: u64,
}

/// What a [`Near::poke`] is to store, if anything, and what it returns.
pub(crate) struct Poke<T> {
    pub(crate) store: Option<(&'static AtomicU64, u64)>,
    pub(crate) result: T,
}

impl Near {
    /// Of no object: every operation ends in `None`.
    pub(crate) fn nowhere() -> Self {
        Near { header: &NOBODY, block: 0, words: &[], segment: 0, group: 0 }
    }

    /// Of a pinned object, as its header is now, from this word of its block on. What is wrong or half-done now
    /// is only slow later.
    pub(crate) fn of(heap: &Heap, at: Offset, first: usize) -> Self {
        Self::find(heap, at, first).unwrap_or_else(Self::nowhere)
    }

    fn find(heap: &Heap, at: Offset, first: usize) -> Option<Self> {
        let memory: &Memory = &heap.0.memory;
        let header: &'static [AtomicU64; 8] = memory.lasting_words(at, 8)?.first_chunk()?;
        let block = header[W0].load(Ordering::Relaxed);
        let words = memory.lasting_words(block, MOST)?.get(first..)?;
        let segment = if memory.readonly { 0 } else { heap.0.id };
        Some(Near { header, block, words, segment, group: watch::bit_of(at) })
    }

    /// The same object, so many words further on.
    pub(crate) fn from(self, words: usize) -> Self {
        Near { words: self.words.get(words..).unwrap_or_default(), ..self }
    }

    /// One look: what `f` makes of the words and of the sequence, if it saw one moment.
    #[inline]
    pub(crate) fn glance<T>(
        &self,
        f: impl FnOnce(&'static [AtomicU64], u64) -> Option<T>,
    ) -> Option<T> {
        let header = self.header;
        // Acquire: pairs with the Release store that ended the last change.
        let before = header[SEQ].load(Ordering::Acquire);
        if before & 1 == 1 || header[W0].load(Ordering::Relaxed) != self.block {
            return None;
        }
        let result = f(self.words, before)?;
        // Acquire: orders the loads of `f` before the second look at the sequence.
        fence(Ordering::Acquire);
        (header[SEQ].load(Ordering::Relaxed) == before).then_some(result)
    }

    /// One try of an operation that stores one word of the block, without a reference before or
    /// after. `f` gets the words and the sequence, and runs under the writer lock.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "the hot path of each setter")]
    pub(crate) fn poke<T>(
        &self,
        heap: &Heap,
        f: impl FnOnce(&'static [AtomicU64], u64) -> Option<Poke<T>>,
    ) -> Option<T> {
        let Armed { claim, lock } = Session::armed(self.segment)?;
        let [owner, .., watched] = lock;
        // Acquire: pairs with the Release store in `Memory::unlock_words`.
        owner.compare_exchange(0, claim.token(), Ordering::Acquire, Ordering::Relaxed).ok()?;
        let done = self.poke_locked(f);
        Memory::unlock_words(lock, claim);
        if watched.load(Ordering::Relaxed) & self.group != 0 {
            self.announce(heap);
        }
        done
    }

    #[inline]
    fn poke_locked<T>(
        &self,
        f: impl FnOnce(&'static [AtomicU64], u64) -> Option<Poke<T>>,
    ) -> Option<T> {
        let header = self.header;
        let before = header[SEQ].load(Ordering::Relaxed);
        // An object whose lock was ever asked for may be somebody's: the general way looks (see `gate`).
        if before & 1 == 1
            || header[W0].load(Ordering::Relaxed) != self.block
            || header[LOCK].load(Ordering::Relaxed) != 0
        {
            return None;
        }
        let Poke { store, result } = f(self.words, before)?;
        if let Some((word, value)) = store {
            word.store(value, Ordering::Release);
            // Release: pairs with the Acquire load of the readers. After the store, so that a reader
            // of two words sees either this change or the new sequence.
            header[SEQ].store(before.wrapping_add(2), Ordering::Release);
        }
        Some(result)
    }

    #[cold]
    fn announce(&self, heap: &Heap) {
        heap.0.memory.announce(self.group);
    }
}
