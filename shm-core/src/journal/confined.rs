//! The log of an operation that holds the stripe of its object only (see `crate::confined`).

use super::Journal;
use crate::cell::Offset;
use crate::error::{Error, Result};
use crate::layout::{CACHE_BLOCKS, CACHE_CLASSES};
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};

/// Handle. What an operation is confined to.
#[derive(Debug)]
pub(super) struct Confined {
    /// The object; 0 if the operation may do anything.
    object_at: Offset,
    /// It wanted to do more.
    needs_more: bool,
    /// By size class: cached blocks that its tasks will add.
    expected: [u8; CACHE_CLASSES],
}

impl Confined {
    /// Not at all.
    pub(super) const NOT: Confined =
        Confined { object_at: 0, needs_more: false, expected: [0; CACHE_CLASSES] };
}

impl Journal<'_> {
    /// Confines the operation to an object.
    #[inline]
    pub(crate) fn confine(&mut self, object_at: Offset) {
        self.confined.object_at = object_at;
    }

    #[inline]
    pub(crate) fn is_confined(&self) -> bool {
        self.confined.object_at != 0
    }

    /// Whether a confined operation wanted to do more.
    #[inline]
    pub(crate) fn needs_more(&self) -> bool {
        self.confined.needs_more
    }

    /// Fails if the operation is confined: before a step that needs the whole lock.
    ///
    /// # Errors
    /// One that is not for users: the operation runs again.
    #[inline]
    pub(crate) fn ask_for_all(&mut self) -> Result<()> {
        if self.is_confined() { Err(self.more()) } else { Ok(()) }
    }

    /// The same before a step that changes an object, unless that is the one.
    ///
    /// # Errors
    /// As [`Journal::ask_for_all`].
    #[inline]
    pub(crate) fn ask_for(&mut self, object_at: Offset) -> Result<()> {
        if self.is_confined() && self.confined.object_at != object_at {
            return Err(self.more());
        }
        Ok(())
    }

    #[cold]
    fn more(&mut self) -> Error {
        self.confined.needs_more = true;
        Error::Changed { what: "segment", during: "an operation on one object" }
    }

    /// Whether the cache will have room for one more block of a class when the tasks are run.
    pub(crate) fn expects_in_cache(&mut self, class: u8) -> bool {
        let Some(words) = self.cached(class) else { return false };
        let cached = words[0].load(Ordering::Relaxed);
        let Some(expected) = self.confined.expected.get_mut(usize::from(class)) else {
            return false;
        };
        *expected += 1;
        if seeded::is(Bug::RoomNotExpected) {
            return true;
        }
        cached <= CACHE_BLOCKS as u64 && cached as usize + usize::from(*expected) <= CACHE_BLOCKS
    }
}
