//! Reads: a closure looks at an object, and what it saw is believed once the sequence is still the same.
//!
//! Nothing is locked, unless writers never leave the object alone or one of them is dead.

use std::time::{Duration, Instant};

use super::Heap;
use crate::cell::Offset;
use crate::confined;
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::layout::{FREED, object};
use crate::primitive::{Ordering, fence};

/// Tries of an optimistic read before it takes the lock.
const TRIES: u32 = 64;
/// Pause between the looks of a read-only attachment.
const READ_PAUSE: Duration = Duration::from_micros(50);

impl Heap {
    /// Runs `f` until it saw one consistent moment of the object. `f` may see torn data on the way:
    /// what it returns then, errors included, is thrown away.
    #[inline]
    pub(crate) fn read<T>(
        &self,
        object_at: Offset,
        mut f: impl FnMut(&Heap) -> Result<T>,
    ) -> Result<T> {
        let sequence = self.word(object_at + object::SEQ)?;
        for _ in 0..TRIES {
            // Acquire: pairs with the Release store that ended the last change.
            let before = sequence.load(Ordering::Acquire);
            if before & 1 == 0 {
                let result = f(self);
                // Acquire: orders the loads of `f` before the second look at the sequence.
                fence(Ordering::Acquire);
                if sequence.load(Ordering::Relaxed) == before {
                    return result;
                }
            } else if self.holds_lock() || confined::may_look_at(self, object_at) {
                // Of this thread's own transaction: there is nobody to wait for.
                return f(self);
            }
            std::hint::spin_loop();
        }
        self.read_locked(object_at, f)
    }

    /// The way of a reader that writers never leave alone, and of one that meets an odd sequence: of
    /// a dead writer (taking the lock recovers it) or of this thread's own operation.
    #[cold]
    fn read_locked<T>(
        &self,
        object_at: Offset,
        mut f: impl FnMut(&Heap) -> Result<T>,
    ) -> Result<T> {
        if self.0.memory.readonly {
            return self.read_patiently(object_at, f);
        }
        let mut look = || self.block(object_at).and_then(|_| f(self));
        if self.holds_lock() || confined::may_look_at(self, object_at) {
            return look();
        }
        if confined::is_inside() {
            return Err(Journal::want_more());
        }
        self.write(|_| look())
    }

    /// The first of an object's words, which most kinds keep their block in.
    ///
    /// # Errors
    /// `Closed` if the object was freed by hand.
    #[inline]
    pub(crate) fn block(&self, object_at: Offset) -> Result<Offset> {
        match self.load(object_at + object::W0)? {
            word if word & FREED != 0 => Err(self.freed(object_at)),
            block => Ok(block),
        }
    }

    #[cold]
    fn freed(&self, object_at: Offset) -> Error {
        Error::Closed { what: format!("freed object {object_at:#x} of {:?}", self.name()) }
    }

    /// The way of a read-only attachment, which can take no lock: it waits for a quiet moment. An
    /// operation whose writer was killed stays half-done until another writer comes.
    fn read_patiently<T>(
        &self,
        object_at: Offset,
        mut f: impl FnMut(&Heap) -> Result<T>,
    ) -> Result<T> {
        let sequence = self.word(object_at + object::SEQ)?;
        let started = Instant::now();
        while started.elapsed() < self.0.lock_timeout {
            // Acquire: as in `read`.
            let before = sequence.load(Ordering::Acquire);
            if before & 1 == 0 {
                let result = f(self);
                fence(Ordering::Acquire);
                if sequence.load(Ordering::Relaxed) == before {
                    return result;
                }
            } else {
                self.block(object_at)?;
            }
            crate::lock::pause(READ_PAUSE)?;
        }
        Err(self.0.memory.lock_timeout(started.elapsed()))
    }

    /// As [`Heap::read`], for a look that takes long and looks at other objects, be they of other segments:
    /// it takes no lock to run `f`, but waits for a quiet moment.
    ///
    /// # Errors
    /// `LockTimeout` if there was none in time.
    #[cold]
    pub(crate) fn read_long<T>(
        &self,
        object_at: Offset,
        mut f: impl FnMut(&Heap) -> Result<T>,
    ) -> Result<T> {
        let sequence = self.word(object_at + object::SEQ)?;
        let started = Instant::now();
        loop {
            // Acquire: as in `read`.
            let before = sequence.load(Ordering::Acquire);
            if before & 1 == 0 {
                let result = f(self);
                fence(Ordering::Acquire);
                if sequence.load(Ordering::Relaxed) == before {
                    return result;
                }
            } else if self.holds_lock() || confined::may_look_at(self, object_at) {
                return f(self);
            } else {
                self.block(object_at)?;
                if !self.0.memory.readonly && !confined::is_inside() {
                    // Whoever holds it lets go, or is found dead.
                    let _ = self.write(|_| Ok(()));
                }
            }
            if started.elapsed() >= self.0.lock_timeout {
                return Err(self.0.memory.lock_timeout(started.elapsed()));
            }
            crate::lock::pause(READ_PAUSE)?;
        }
    }

    /// Whether the calling thread is inside of [`Heap::write`], and so alone in the segment.
    pub(crate) fn holds_lock(&self) -> bool {
        !self.0.memory.readonly
            && self.session().is_ok_and(|session| self.0.memory.is_locked_by(session.claim))
    }
}
