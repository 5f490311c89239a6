//! The steps of the writer lock, each one change of one word: taking, asking to be next, giving.
//!
//! What is here is what `tests/loom_lock.rs` and `tests/loom_stripe.rs` go through in every order. Sleeping, and who is dead,
//! are the business of the floor above.

use crate::primitive::{AtomicU64, Ordering, after_claim};

/// Handle. The owner word and the next word.
#[derive(Clone, Copy)]
pub(crate) struct Words<'m> {
    pub(crate) owner: &'m AtomicU64,
    pub(crate) next: &'m AtomicU64,
}

impl Words<'_> {
    /// Takes it: free (0), or from a dead owner.
    #[inline]
    pub(crate) fn take(&self, from: u64, token: u64) -> bool {
        // SeqCst: before the look at the stripes. Acquire is part of it, and pairs with the Release store
        // in `give`.
        let taken =
            self.owner.compare_exchange(from, token, Ordering::SeqCst, Ordering::Relaxed).is_ok();
        after_claim();
        taken
    }

    /// Puts a token into the next word, in the place of what is there.
    pub(crate) fn ask(&self, there: u64, token: u64) -> bool {
        // SeqCst: before the next look at the owner.
        self.next.compare_exchange(there, token, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// Takes it out again. If it is gone, the lock is on its way, or its giver died.
    pub(crate) fn stand_down(&self, token: u64) -> bool {
        self.next.compare_exchange(token, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Gives the lock back, to the one who is next if somebody is; whether it was.
    #[inline]
    pub(crate) fn give(&self) -> bool {
        if self.next.load(Ordering::Relaxed) != 0 && self.hand_over() {
            return true;
        }
        // Release: pairs with the Acquire exchange in `take`.
        self.owner.store(0, Ordering::Release);
        false
    }

    #[cold]
    fn hand_over(&self) -> bool {
        // Taken out first: whoever finds its token gone knows that the lock comes or its giver died.
        let token = self.next.swap(0, Ordering::SeqCst);
        if token == 0 {
            return false;
        }
        // Release: pairs with the SeqCst load of a waiter.
        self.owner.store(token, Ordering::Release);
        true
    }
}
