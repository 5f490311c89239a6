//! The shortest way to one object: its header and its block, looked up once for many operations.
//!
//! Handle. What a typed struct's handle keeps. A header never moves while it is pinned, a mapping
//! stays for ever, and a block is still the object's as long as the header says so: that one
//! comparison, beside the sequence's, is all that a look checks. It also finds a closed segment, whose
//! words read as zeros; who stores looks whether it is being closed too. Whatever is not as usual (an odd sequence, another block, a lock that stays taken, a
//! thread's first operation) ends in `None`, and the caller goes the way of [`crate::quick`] or the
//! general one. The promises are those of `quick`: a look is of one moment, a store happens wholly
//! or not at all. One word is one store; several go through the log, all at once.

use crate::cell::Offset;
use crate::heap::Heap;
use crate::journal::OwnWords;
use crate::layout::object;
use crate::lock::brief::{self, Line};
use crate::lock::stripe;
use crate::memory::Memory;
use crate::primitive::{AtomicU64, Ordering, fence};
use crate::quick::{Poke, Stored};
use crate::session::{Armed, AtHand, Session};
use crate::watch;
use std::ops::Range;

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

static NO_STRIPE: Line = [const { AtomicU64::new(0) }; 8];

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
    /// The object's stripe of the writer lock.
    stripe: &'static Line,
}

impl Near {
    /// Of no object: every operation ends in `None`.
    pub(crate) fn nowhere() -> Self {
        Near { header: &NOBODY, block: 0, words: &[], segment: 0, group: 0, stripe: &NO_STRIPE }
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
        let stripe = memory.stripes()?.get(brief::of_object(at))?;
        let group = watch::bit_of(at);
        Some(Near { header, block, words, segment, group, stripe })
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
    /// after. `f` gets the words and the sequence, and runs under the object's stripe of the writer lock.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "the hot path of each setter")]
    pub(crate) fn poke<T>(
        &self,
        heap: &Heap,
        f: impl FnOnce(&'static [AtomicU64], u64) -> Option<Poke<'static, T>>,
    ) -> Option<T> {
        self.locked(heap, |_| {
            let before = self.settled()?;
            let Poke { store, result } = f(self.words, before)?;
            if let Some((word, value)) = store {
                self.store(before, word, value);
            }
            Some(result)
        })
    }

    /// One try of replacing the bits of one word that are in a mask, by who has the thread's session at hand: the
    /// shortest of all. It calls nothing: who is second does not wait, and who is to be woken afterwards is
    /// left to the caller ([`wake`](Self::wake)).
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "the hot path of each setter")]
    pub(crate) fn set(&self, hand: &AtHand, index: usize, mask: u64, bits: u64) -> Stored {
        let [owner, .., watched] = hand.lock;
        let [holder, waiters, ..] = self.stripe;
        if !hand.arm(self.segment) || !stripe::claim(holder, hand.token) {
            return Stored::NOT;
        }
        let may = stripe::may_stay(owner) && !hand.closed.load(Ordering::Relaxed);
        let done = if may { self.set_locked(index, mask, bits) } else { None };
        stripe::give(holder);
        let watched = watched.load(Ordering::Relaxed) & self.group;
        Stored { done, awaited: (waiters.load(Ordering::Relaxed) | watched) != 0 }
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "the hot path of each setter")]
    fn set_locked(&self, index: usize, mask: u64, bits: u64) -> Option<()> {
        let before = self.settled()?;
        let word = self.words.get(index)?;
        let rest = if mask == u64::MAX { 0 } else { word.load(Ordering::Relaxed) & !mask };
        self.store(before, word, rest | (bits & mask));
        Some(())
    }

    /// Wakes those who wait for the stripe or for a change of the object.
    #[cold]
    pub(crate) fn wake(&self, heap: &Heap) {
        brief::wake_awaiting(self.stripe);
        self.announce(heap);
    }

    /// One try of an operation that changes words of the block, without a reference before or after.
    /// `f` gets them and the sequence, says what they are to be, and runs under the object's stripe of the writer lock.
    #[inline]
    pub(crate) fn overwrite<const N: usize>(
        &self,
        heap: &Heap,
        range: Range<usize>,
        f: impl FnOnce(&[AtomicU64], u64) -> Option<[u64; N]>,
    ) -> Option<()> {
        self.locked(heap, |own| {
            let before = self.settled()?;
            let words = self.words.get(range)?;
            let all = f(words, before)?;
            let mut pairs = words.iter().zip(&all);
            let mut next = || pairs.find(|(word, new)| word.load(Ordering::Relaxed) != **new);
            let Some((word, new)) = next() else { return Some(()) };
            if next().is_some() {
                return self.overwrite_logged(&heap.0.memory, own, words, &all);
            }
            self.store(before, word, *new);
            Some(())
        })
    }

    #[inline]
    fn overwrite_logged(
        &self,
        memory: &Memory,
        own: &OwnWords,
        words: &[AtomicU64],
        new: &[u64],
    ) -> Option<()> {
        let object_at = memory.offset_of(self.header.first()?);
        let words_at = memory.offset_of(words.first()?);
        own.overwrite(object_at, &self.header[SEQ], (words_at, words), new)
    }

    /// Runs `f` under the object's stripe of the writer lock, if that is free or soon will be.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "the hot path of each setter")]
    fn locked<T>(&self, heap: &Heap, f: impl FnOnce(&OwnWords) -> Option<T>) -> Option<T> {
        let Armed { claim, lock: [owner, .., watched], own, closed, .. } =
            Session::armed(self.segment)?;
        if !brief::take(owner, self.stripe, claim) {
            return None;
        }
        let done = if closed.load(Ordering::Relaxed) { None } else { f(&own) };
        brief::give(self.stripe);
        if watched.load(Ordering::Relaxed) & self.group != 0 {
            self.announce(heap);
        }
        done
    }

    /// The object's sequence, if nothing is unusual. The caller holds the object's stripe.
    #[inline]
    fn settled(&self) -> Option<u64> {
        let header = self.header;
        let before = header[SEQ].load(Ordering::Relaxed);
        // An object whose lock was ever asked for may be somebody's: the general way looks (see `gate`).
        let usual = before & 1 == 0
            && header[W0].load(Ordering::Relaxed) == self.block
            && header[LOCK].load(Ordering::Relaxed) == 0;
        usual.then_some(before)
    }

    /// Changes one word, and the sequence from `before`.
    #[inline]
    fn store(&self, before: u64, word: &AtomicU64, value: u64) {
        word.store(value, Ordering::Release);
        // Release: pairs with the Acquire load of the readers. After the store, so that a reader
        // of two words sees either this change or the new sequence.
        self.header[SEQ].store(before.wrapping_add(2), Ordering::Release);
    }

    #[cold]
    fn announce(&self, heap: &Heap) {
        heap.0.memory.announce(self.group);
    }
}
