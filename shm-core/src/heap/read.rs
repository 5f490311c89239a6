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
use crate::primitive::{AtomicU64, Ordering, fence};

/// Tries of an optimistic read before it takes the lock.
const TRIES: u32 = 64;
/// Pause between the looks of a reader that waits for a quiet moment.
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
        self.look_until(object_at, sequence, &mut f, 0..TRIES, |_| {
            std::hint::spin_loop();
            Ok(())
        })
        .unwrap_or_else(|| self.read_locked(object_at, f))
    }

    /// The loop of all reads: looks as often as `tries` says, and between two looks does what `wait` does, which is
    /// told whether a change is under way. None if there was no quiet moment.
    #[inline]
    fn look_until<T>(
        &self,
        object_at: Offset,
        sequence: &AtomicU64,
        f: &mut impl FnMut(&Heap) -> Result<T>,
        tries: impl Iterator,
        mut wait: impl FnMut(bool) -> Result<()>,
    ) -> Option<Result<T>> {
        for _ in tries {
            // Acquire: pairs with the Release store that ended the last change.
            let before = sequence.load(Ordering::Acquire);
            let changing = before & 1 == 1;
            if !changing {
                let result = f(self);
                // Acquire: orders the loads of `f` before the second look at the sequence.
                fence(Ordering::Acquire);
                if sequence.load(Ordering::Relaxed) == before {
                    return Some(result);
                }
            } else if self.holds_lock() || confined::may_look_at(self, object_at) {
                // Of this thread's own transaction: there is nobody to wait for.
                return Some(f(self));
            }
            if let Err(error) = wait(changing) {
                return Some(Err(error));
            }
        }
        None
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
            return self.read_long(object_at, f);
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

    /// As [`Heap::read`], for a look that takes long and looks at other objects, be they of other segments,
    /// and for a read-only attachment, which can take no lock: none is held while `f` runs, so it waits for a quiet
    /// moment. What a killed writer left half-done stays so for the read-only one until a writer comes.
    ///
    /// # Errors
    /// `LockTimeout` if there was none in time.
    #[cold]
    pub(crate) fn read_long<T>(
        &self,
        object_at: Offset,
        mut f: impl FnMut(&Heap) -> Result<T>,
    ) -> Result<T> {
        let memory = &self.0.memory;
        let started = Instant::now();
        let pause = |changing| {
            if changing {
                self.block(object_at)?;
                if !memory.readonly && !confined::is_inside() {
                    // Whoever holds it lets go, or is found dead.
                    let _ = self.write(|_| Ok(()));
                }
            }
            if started.elapsed() >= self.0.lock_timeout {
                return Err(memory.lock_timeout(started.elapsed()));
            }
            crate::lock::pause(READ_PAUSE)
        };
        let sequence = self.word(object_at + object::SEQ)?;
        self.look_until(object_at, sequence, &mut f, std::iter::repeat(()), pause)
            .unwrap_or_else(|| Err(memory.lock_timeout(started.elapsed())))
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

    /// Whether the calling thread is inside of [`Heap::write`], and so alone in the segment.
    pub(crate) fn holds_lock(&self) -> bool {
        !self.0.memory.readonly
            && self.session().is_ok_and(|session| self.0.memory.is_locked_by(session.claim))
    }
}
