//! The log of an operation that holds the stripe of its object only (see `crate::confined`).
//!
//! All its tasks are of one kind: a block that nothing else refers to goes to the thread's cache. The
//! block's size class is found out before the commit and lies beside the task.

use std::cell;

use super::{Journal, Kind};
use crate::cell::{Cell, Offset};
use crate::error::{Error, Result};
use crate::layout::{CACHE_BLOCKS, CACHE_CLASSES, leaf};
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};

thread_local! {
    /// The calling thread's confined operation wanted to do more; until it is asked at its end.
    static NEEDS_MORE: cell::Cell<bool> = const { cell::Cell::new(false) };
}

/// Handle. What an operation is confined to.
#[derive(Debug)]
pub(super) struct Confined {
    /// The object; 0 if the operation may do anything.
    object_at: Offset,
    /// By size class: cached blocks that its tasks will add.
    expected: [u8; CACHE_CLASSES],
}

impl Confined {
    /// Not at all.
    pub(super) const NOT: Confined = Confined { object_at: 0, expected: [0; CACHE_CLASSES] };
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

    /// Whether a confined operation wanted to do more; asked once, at its end.
    #[inline]
    pub(crate) fn needs_more(&self) -> bool {
        let needs = self.will_run_again();
        if needs {
            NEEDS_MORE.with(|flag| flag.set(false));
        }
        needs
    }

    /// Whether it has wanted to by now: then it must not do what cannot be undone.
    #[inline]
    pub(crate) fn will_run_again(&self) -> bool {
        self.is_confined() && NEEDS_MORE.with(cell::Cell::get)
    }

    /// Fails if the operation is confined: before a step that needs the whole lock.
    ///
    /// # Errors
    /// One that is not for users: the operation runs again.
    #[inline]
    pub(crate) fn ask_for_all(&mut self) -> Result<()> {
        if self.is_confined() { Err(Journal::want_more()) } else { Ok(()) }
    }

    /// The same before a step that changes an object, unless that is the one.
    ///
    /// # Errors
    /// As [`Journal::ask_for_all`].
    #[inline]
    pub(crate) fn ask_for(&mut self, object_at: Offset) -> Result<()> {
        if self.is_confined() && self.confined.object_at != object_at {
            return Err(Journal::want_more());
        }
        Ok(())
    }

    /// The calling thread's confined operation cannot go on as one; for what it reads, which has no log at
    /// hand. Whoever gets the error may take it for an answer (what cannot be read is equal to nothing):
    /// that the operation runs again does not depend on it.
    #[cold]
    pub(crate) fn want_more() -> Error {
        NEEDS_MORE.with(|flag| flag.set(true));
        Error::Changed { what: "segment", during: "an operation on one object" }
    }

    /// Whether the cache will have room for one more block of a class when the tasks are run.
    #[inline]
    fn expects(&mut self, class: u8) -> bool {
        let class = usize::from(class);
        let (Some([cached, ..]), Some(expected)) =
            (self.cache.get(class), self.confined.expected.get_mut(class))
        else {
            return false;
        };
        let all = cached.load(Ordering::Relaxed).wrapping_add(u64::from(*expected));
        *expected = expected.wrapping_add(1);
        all < CACHE_BLOCKS as u64 || seeded::is(Bug::RoomNotExpected)
    }

    /// Remembers a leaf that loses its only cell, whose block of a class goes to the cache after the
    /// commit. `false`: the cache, or the log, will have no room for it.
    #[inline]
    pub(crate) fn drop_into_cache(&mut self, cell: Cell, class: u8) -> bool {
        self.expects(class) && self.note_task(Kind::Drop, u64::from(class), cell.0)
    }

    /// The same of a block that is freed as it is.
    pub(crate) fn free_into_cache(&mut self, block: Offset, class: u8) -> bool {
        self.expects(class) && self.note_task(Kind::Free, block, u64::from(class))
    }

    /// Runs the tasks of a confined operation after its commit. Whether one was run can be seen in the cache,
    /// so none is counted as done ([`Journal::was_run`]). Whether all went well.
    pub(crate) fn fill_cache(&mut self) -> bool {
        let mut all = true;
        for [what, value] in self.log.iter().take(self.entries as usize) {
            let (what, value) = (what.load(Ordering::Relaxed), value.load(Ordering::Relaxed));
            let done = match what >> 56 {
                kind if kind == Kind::Drop as u64 => self.cache_leaf(what as u8, Cell(value)),
                kind if kind == Kind::Free as u64 => {
                    self.add_cached(value as u8, what & ((1 << 56) - 1))
                }
                _ => continue,
            };
            all &= done.is_some();
        }
        all
    }

    #[inline]
    fn cache_leaf(&self, class: u8, cell: Cell) -> Option<()> {
        let at = cell.target();
        self.add_cached(class, at)?;
        // A reference that was forgotten finds no leaf, whoever has the block next. Release: a reader that still
        // follows what referred to it and sees this sees the new sequence too.
        self.memory.peek(at + leaf::META)?.store(0, Ordering::Release);
        Some(())
    }
}
