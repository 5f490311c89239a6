//! The steps of a stripe, each one change of one word: taking it, giving it back, looking at it.
//!
//! A short operation holds the stripe of its object; who has the writer lock waits until no stripe is
//! held. Each side makes its claim and then looks for the other's, so at least one of two sees the
//! other (Dekker's way), and the short one steps back. What is here is what `tests/loom_stripe.rs` goes
//! through in every order.

use crate::primitive::{AtomicU64, Ordering, after_claim};

/// Handle. The owner word of the writer lock, and a stripe's holder word.
#[derive(Clone, Copy)]
pub(crate) struct Stripe<'m> {
    pub(crate) whole: &'m AtomicU64,
    pub(crate) holder: &'m AtomicU64,
}

/// How taking a stripe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is the caller's.
    Yes,
    /// It, or the writer lock, is somebody's.
    No,
    /// The same; it was the caller's for a moment, in which somebody may have begun to wait for it.
    Briefly,
}

impl Stripe<'_> {
    /// Takes it, if nobody has it or the writer lock.
    #[inline]
    pub(crate) fn take(&self, token: u64) -> Taken {
        if self.whole.load(Ordering::Relaxed) != 0 {
            return Taken::No;
        }
        // SeqCst: the claim comes before the look at the writer lock. Acquire is part of it, and pairs
        // with the Release store in `give`.
        if self.holder.compare_exchange(0, token, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            return Taken::No;
        }
        after_claim();
        // SeqCst: as above. Acquire is part of it, and pairs with the Release store that gave the writer
        // lock back.
        if self.whole.load(Ordering::SeqCst) == 0 {
            return Taken::Yes;
        }
        self.give();
        Taken::Briefly
    }

    /// Gives it back.
    #[inline]
    pub(crate) fn give(&self) {
        // Release: pairs with the exchange in `take` and the load in `held`.
        self.holder.store(0, Ordering::Release);
    }

    /// Who holds it, as the owner of the writer lock sees it after it has taken that: 0 means that
    /// nobody does or will, until the writer lock is given back.
    #[inline]
    pub(crate) fn held(holder: &AtomicU64) -> u64 {
        // SeqCst: the writer lock was taken before. Acquire is part of it, and pairs with `give`.
        holder.load(Ordering::SeqCst)
    }
}
