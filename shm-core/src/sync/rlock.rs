//! Reentrant locks: the holder may take it again, and gives it back as often.
//!
//! Handle. The same owner word, line and hand-over as a `Lock`; the depth is a word that only the
//! holder writes. It is set after the lock is taken and so says nothing about a dead holder's.

use std::time::Duration;

use super::lock::Owned;
use super::{Form, Primitive, container};
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::primitive::Ordering;

/// Handle. A reentrant lock: one with a name, or that of a container.
///
/// ```
/// use shm_core::{Segment, SegmentOptions};
/// let seg = Segment::create_anonymous(SegmentOptions::new())?;
/// let lock = seg.rlock("tree")?;
/// let outer = lock.acquire(None)?;
/// let inner = lock.acquire(None)?;
/// drop((inner, outer));
/// assert!(!lock.is_held()?);
/// # Ok::<(), shm_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RLock {
    core: Owned,
}

/// Holds a reentrant lock until it is dropped.
#[derive(Debug)]
#[must_use = "the lock is given back when the guard is dropped"]
pub struct RLockGuard<'l> {
    lock: &'l RLock,
    owner_died: bool,
}

impl RLockGuard<'_> {
    /// Whether the holder before died while it held the lock.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl Drop for RLockGuard<'_> {
    fn drop(&mut self) {
        // A drop cannot fail: if the segment was closed meanwhile, the lock passes on with the slot.
        let _ = self.lock.release();
    }
}

/// Which lock it is, as errors call it.
impl std::fmt::Display for RLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.core.primitive.fmt(f)
    }
}

impl RLock {
    /// Of words that lie somewhere else than under a name.
    pub(super) fn over(primitive: Primitive) -> Self {
        RLock { core: Owned::new(primitive) }
    }

    /// Whether the segment knows it by a name; else it is the lock of an object.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.core.primitive.form == Form::RLock
    }

    pub(super) fn heap(&self) -> &Heap {
        self.core.primitive.heap()
    }

    /// Gives it back as its holder's death would: the next one takes it from a dead one.
    pub(super) fn release_as_dead(&self) -> Result<()> {
        self.core.leave_to_the_next(self.core.primitive.me()?.token())
    }

    pub(crate) fn new(heap: &Heap, names: &Dict, name: &str) -> Result<Self> {
        let primitive = Primitive::named(heap, names, Form::RLock, name, 0, 0)?;
        Ok(RLock { core: Owned::new(primitive) })
    }

    /// Waits for the lock; at once if the calling thread holds it.
    ///
    /// # Errors
    /// As [`Lock::acquire`](crate::Lock::acquire).
    pub fn acquire(&self, timeout: Option<Duration>) -> Result<RLockGuard<'_>> {
        let owner_died = self.acquire_raw(timeout)?;
        Ok(RLockGuard { lock: self, owner_died })
    }

    /// As [`RLock::acquire`], without a guard. Whether the holder before died.
    #[inline]
    pub fn acquire_raw(&self, timeout: Option<Duration>) -> Result<bool> {
        let me = self.core.primitive.me()?;
        let depth = self.core.depth()?;
        if self.is_mine()? {
            let deeper = depth.load(Ordering::Relaxed).checked_add(1);
            let Some(deeper) = deeper.filter(|deeper| u32::try_from(*deeper).is_ok()) else {
                return Err(Error::InvalidArgument {
                    what: format!("{} is taken too often", self.core.primitive),
                });
            };
            depth.store(deeper, Ordering::Relaxed);
            return Ok(false);
        }
        let of_container = self.core.primitive.form == Form::Object;
        if of_container {
            self.heap().outside_of_transactions("taking a container's lock")?;
        }
        let died = self.core.take(me, timeout)?;
        depth.store(1, Ordering::Relaxed);
        if of_container { container::settle(self, died) } else { Ok(died) }
    }

    /// Gives it back once.
    ///
    /// # Errors
    /// `NotHeld` if the calling thread does not hold it.
    #[inline]
    pub fn release(&self) -> Result<()> {
        if !self.is_mine()? {
            return Err(self.core.primitive.not_held("this thread"));
        }
        let depth = self.core.depth()?;
        let left = depth.load(Ordering::Relaxed).saturating_sub(1);
        depth.store(left, Ordering::Relaxed);
        if left > 0 {
            return Ok(());
        }
        self.core.give(self.core.primitive.me()?.token())
    }

    /// Gives it back wholly; how often it was held, for [`RLock::restore`].
    pub fn release_all(&self) -> Result<u64> {
        if !self.is_mine()? {
            return Err(self.core.primitive.not_held("this thread"));
        }
        let depth = self.core.depth()?.load(Ordering::Relaxed);
        self.core.give(self.core.primitive.me()?.token())?;
        Ok(depth)
    }

    /// Takes it back as often as it was held. Whether the holder in between died.
    pub fn restore(&self, depth: u64, timeout: Option<Duration>) -> Result<bool> {
        let died = self.acquire_raw(timeout)?;
        self.core.depth()?.store(depth.max(1), Ordering::Relaxed);
        Ok(died)
    }

    /// Whether the calling thread holds it.
    #[inline]
    pub fn is_mine(&self) -> Result<bool> {
        let me = self.core.primitive.me()?;
        Ok(self.core.holder()? == Some(me))
    }

    /// How often the calling thread holds it.
    pub fn depth(&self) -> Result<u64> {
        if self.is_mine()? { Ok(self.core.depth()?.load(Ordering::Relaxed)) } else { Ok(0) }
    }

    /// Whether somebody holds it.
    pub fn is_held(&self) -> Result<bool> {
        self.core.is_held()
    }

    /// The name; of a container's lock, the container's kind and offset.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.primitive.name
    }
}
