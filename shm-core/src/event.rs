//! A word that says "something happened": sleepers wait for it, the one who did it wakes them.
//!
//! ```text
//! word   count << 1 | somebody sleeps
//! ```
//!
//! It carries no meaning of its own: a sleeper looks at the real state before and after, in slices
//! of at most some milliseconds, so a killed waker only costs one slice; no wake is lost
//! (`tests/loom_queue.rs`). Nobody is
//! woken by a system call when nobody sleeps, and a killed sleeper leaves at most one needless wake.

use std::time::Duration;

use crate::error::Result;
use crate::lock::sleep_on;
use crate::primitive::{AtomicU64, Ordering};
use crate::sys::futex;

/// Tells everybody who waits.
pub(crate) fn notify(word: &AtomicU64) {
    let mut old = word.load(Ordering::Relaxed);
    // Every notifier changes the count by itself: one that found another's count there would be no
    // news to whoever observed that and looked in between.
    while let Err(now) = word.compare_exchange_weak(
        old,
        (old & !1).wrapping_add(2),
        Ordering::SeqCst,
        Ordering::Relaxed,
    ) {
        old = now;
    }
    if old & 1 == 1 {
        futex::wake(word, i32::MAX);
    }
}

/// What to hand to [`wait`], taken before the last look at the real state.
pub(crate) fn observe(word: &AtomicU64) -> u64 {
    word.load(Ordering::SeqCst)
}

/// Sleeps until somebody notifies after `seen` was observed, at most for `slice`.
pub(crate) fn wait(word: &AtomicU64, seen: u64, slice: Duration) -> Result<()> {
    let sleeping = seen | 1;
    if seen != sleeping
        && word.compare_exchange(seen, sleeping, Ordering::SeqCst, Ordering::SeqCst).is_err()
    {
        return Ok(());
    }
    sleep_on(word, sleeping as u32, slice)
}
