//! Locks of attachments that are gone, for attachments that come.
//!
//! Process-local. A fork holds the guards of an attachment's locks across the call, so the locks
//! live for ever; a process that attaches and closes again and again uses the same ones. Whoever
//! gives a lock back is its last user: a fork keeps what the locks belong to. Nobody waits here,
//! since a forked child may find the list taken by a thread that is not there any more: then a lock
//! is leaked.

use std::sync::Mutex;

/// Locks that nobody uses.
pub(crate) struct Spares<T: 'static>(Mutex<Vec<&'static T>>);

impl<T: Default> Spares<T> {
    pub(crate) const fn new() -> Self {
        Spares(Mutex::new(Vec::new()))
    }

    /// One that was used before, or a new one.
    pub(crate) fn take(&self) -> &'static T {
        let spare = self.0.try_lock().ok().and_then(|mut spares| spares.pop());
        spare.unwrap_or_else(|| Box::leak(Box::default()))
    }

    /// Keeps one for the next; the caller has emptied it and does not use it any more.
    pub(crate) fn give(&self, spare: &'static T) {
        if let Ok(mut spares) = self.0.try_lock() {
            spares.push(spare);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_back_is_taken_again() {
        static SPARES: Spares<Mutex<u8>> = Spares::new();
        let (one, other) = (SPARES.take(), SPARES.take());
        assert!(!std::ptr::eq(one, other));
        SPARES.give(one);
        assert!(std::ptr::eq(SPARES.take(), one));
        let _taken = SPARES.0.lock().unwrap();
        assert!(!std::ptr::eq(SPARES.take(), other));
        SPARES.give(other);
    }
}
