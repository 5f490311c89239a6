//! Keeping the file as long as it is: a lock of this process beside the one of the file.
//!
//! Memory is given back by a process that is alone in a segment (`give_back`). Whoever must not meet that
//! in its own process, because it forks or has taken memory that is not published yet, holds this.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held while a process is alone, while it takes memory, and across forks: a child would inherit that, and
/// keep others away. Taken before the writer lock, or not waited for.
static ALONE: Mutex<()> = Mutex::new(());

/// Keeps this process from being alone in any segment, for as long as it is held.
pub(crate) fn not_now() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same, if nobody holds it.
pub(crate) fn try_now() -> Option<MutexGuard<'static, ()>> {
    ALONE.try_lock().ok()
}
