//! Who does a short operation: where the thread's session comes from, and what is done if somebody is in the way.

use super::{Header, Poke, word};
use crate::cell::Offset;
use crate::heap::Heap;
use crate::layout::object;
use crate::lock::{brief, stripe};
use crate::memory::Memory;
use crate::primitive::{Ordering, fence};
use crate::session::{Armed, AtHand, Session};
use crate::watch;

/// Who does an operation that is at most one store.
pub(crate) trait Caller {
    /// See [`Heap::poke`].
    fn poke<T>(
        self,
        heap: &Heap,
        object_at: Offset,
        f: impl for<'m> FnOnce(&'m Memory, &'m Header) -> Option<Poke<'m, T>>,
    ) -> Option<T>;
}

/// Whoever calls: the session is looked up, who is second waits for a moment, who waits is woken.
pub(crate) struct Anyone;

impl Caller for Anyone {
    #[inline]
    fn poke<T>(
        self,
        heap: &Heap,
        object_at: Offset,
        f: impl for<'m> FnOnce(&'m Memory, &'m Header) -> Option<Poke<'m, T>>,
    ) -> Option<T> {
        let memory: &Memory = &heap.0.memory;
        if memory.readonly {
            return None;
        }
        let Armed { claim, lock: [owner, .., watched], stripes, closed, .. } =
            Session::armed(heap.0.id)?;
        let stripe = &stripes[brief::of_object(object_at)];
        if !brief::take(owner, stripe, claim) {
            return None;
        }
        // Release: makes each plain store into unseen memory a release for the readers' fences.
        fence(Ordering::Release);
        let done = if closed.load(Ordering::Relaxed) {
            None
        } else {
            poke_locked(memory, object_at, |lock| memory.is_open_to(lock, claim), f)
        };
        brief::give(stripe);
        if watched.load(Ordering::Relaxed) & watch::bit_of(object_at) != 0 {
            memory.announce(watch::bit_of(object_at));
        }
        done
    }
}

/// What came of an operation by a caller that has the thread's session at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<T = ()> {
    /// What the operation gives, if it is done.
    pub done: Option<T>,
    /// Whether somebody waits, and is to be woken.
    pub awaited: bool,
}

impl<T> Stored<T> {
    /// Not done, and nobody waits for it.
    pub(crate) const NOT: Stored<T> = Stored { done: None, awaited: false };
}

/// Who has the thread's session at hand: nothing is called, who is second does not wait, and who is to be woken
/// is left to the caller ([`Heap::wake`]).
pub(crate) struct Handy<'h> {
    hand: &'h AtHand,
    awaited: bool,
}

impl Handy<'_> {
    /// What comes of one operation.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "the hot path of what a binding stores")]
    pub(crate) fn with<T>(hand: &AtHand, f: impl FnOnce(&mut Handy<'_>) -> Option<T>) -> Stored<T> {
        let mut caller = Handy { hand, awaited: false };
        let done = f(&mut caller);
        Stored { done, awaited: caller.awaited }
    }
}

impl Caller for &mut Handy<'_> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "the hot path of what a binding stores")]
    fn poke<T>(
        self,
        heap: &Heap,
        object_at: Offset,
        f: impl for<'m> FnOnce(&'m Memory, &'m Header) -> Option<Poke<'m, T>>,
    ) -> Option<T> {
        let memory: &Memory = &heap.0.memory;
        let AtHand { lock: [owner, .., watched], stripes, token, closed, .. } = self.hand;
        let [holder, waiters, ..] = &stripes[brief::of_object(object_at)];
        if memory.readonly || !self.hand.arm(heap.0.id) || !stripe::claim(holder, *token) {
            return None;
        }
        // Release: as above.
        fence(Ordering::Release);
        let done = if stripe::may_stay(owner) && !closed.load(Ordering::Relaxed) {
            // An object whose lock was ever asked for may be somebody's: the general way looks (see `gate`).
            poke_locked(memory, object_at, |lock| lock == 0, f)
        } else {
            None
        };
        stripe::give(holder);
        let watched = watched.load(Ordering::Relaxed) & watch::bit_of(object_at);
        self.awaited = (waiters.load(Ordering::Relaxed) | watched) != 0;
        done
    }
}

#[inline]
fn poke_locked<T>(
    memory: &Memory,
    object_at: Offset,
    is_open: impl FnOnce(u64) -> bool,
    f: impl for<'m> FnOnce(&'m Memory, &'m Header) -> Option<Poke<'m, T>>,
) -> Option<T> {
    let header = memory.peek_words(object_at, 8)?;
    let sequence = header.get((object::SEQ / 8) as usize)?;
    let before = sequence.load(Ordering::Relaxed);
    if before & 1 == 1 || !is_open(word(header, object::LOCK)) {
        return None;
    }
    let Poke { store, result } = f(memory, header)?;
    if let Some((word, value)) = store {
        word.store(value, Ordering::Release);
        // Release: pairs with the Acquire load in `Heap::read`. After the store, so that a reader of
        // two words sees either this change or the new sequence.
        sequence.store(before.wrapping_add(2), Ordering::Release);
    }
    Some(result)
}

impl Heap {
    /// Wakes those who wait for an object's stripe or for a change of the object.
    #[cold]
    pub(crate) fn wake(&self, object_at: Offset) {
        let memory: &Memory = &self.0.memory;
        if let Some(stripes) = memory.stripes() {
            brief::wake_awaiting(&stripes[brief::of_object(object_at)]);
        }
        memory.announce(watch::bit_of(object_at));
    }
}
