//! The steps of a stripe, each one change of or look at one word: claiming it, staying, giving it back.
//!
//! A short operation claims the stripe of its object and stays if nobody has the writer lock; who has
//! that waits until no stripe is held. Each side makes its claim and then looks for the other's, so
//! at least one of two sees the other (Dekker's way), and the short one steps back. What is here is what
//! `tests/loom_stripe.rs` goes through in every order.

use crate::primitive::{AtomicU64, Ordering, after_claim};

/// Takes a stripe if it is nobody's. Whoever may not stay then gives it back.
#[inline]
pub(crate) fn claim(holder: &AtomicU64, token: u64) -> bool {
    // SeqCst: before the look at the writer lock. Acquire is part of it, and pairs with the Release
    // store in `give`.
    let claimed = holder.compare_exchange(0, token, Ordering::SeqCst, Ordering::Relaxed).is_ok();
    after_claim();
    claimed
}

/// Whether nobody has the writer lock, after a stripe was claimed.
#[inline]
pub(crate) fn may_stay(whole: &AtomicU64) -> bool {
    // SeqCst: the stripe was claimed before. Acquire is part of it, and pairs with the Release store that
    // gave the writer lock back.
    whole.load(Ordering::SeqCst) == 0
}

/// Gives it back.
#[inline]
pub(crate) fn give(holder: &AtomicU64) {
    // Release: pairs with the exchange in `claim` and the load in `held`.
    holder.store(0, Ordering::Release);
}

/// Who holds it, as the owner of the writer lock sees it after it has taken that: 0 means that
/// nobody does or will, until the writer lock is given back.
#[inline]
pub(crate) fn held(holder: &AtomicU64) -> u64 {
    // SeqCst: the writer lock was taken before. Acquire is part of it, and pairs with `give`.
    holder.load(Ordering::SeqCst)
}
