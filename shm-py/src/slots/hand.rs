//! The session of the thread that stored last, in a static place (see `AtHand` of the core).
//!
//! Guarded by the GIL: the functions want proof of attachment. Whose session it is the core looks at each time.

use std::cell::Cell;

use pyo3::prelude::*;
use shm_core::{AtHand, Stored};

struct Hand(Cell<AtHand>);

// SAFETY: the functions below use it with the GIL held only; and the core uses the session only in the
// thread that it is of.
unsafe impl Sync for Hand {}

static HAND: Hand = Hand(Cell::new(AtHand::NONE));

/// What is there: for one operation, which lets no other thread run.
#[inline]
pub(super) fn with<T>(_: Python<'_>, f: impl FnOnce(&AtHand) -> T) -> T {
    // SAFETY: the GIL is held, and `f` does not give it away.
    f(unsafe { &*HAND.0.as_ptr() })
}

/// What comes of a store, if it is done; `wake` is called if somebody waits.
#[inline(always)]
#[allow(clippy::inline_always, reason = "the hot path of each store")]
pub(super) fn store<T>(
    py: Python<'_>,
    f: impl FnOnce(&AtHand) -> Stored<T>,
    wake: impl FnOnce(),
) -> Option<T> {
    let Stored { done, awaited } = with(py, f);
    if awaited {
        wake();
    }
    done
}

/// Puts the calling thread's there: after an operation that what was there was not of use for, which may have been
/// another thread's, or in another segment.
pub(super) fn take(_: Python<'_>) {
    HAND.0.set(AtHand::of_this_thread());
}
