//! Operations on one object that run beside those on others.
//!
//! Most of what is done to a container touches the container, its own block, leaves that nothing else
//! refers to, and the thread's log and cache. Such an operation needs no more than the object's stripe of
//! the writer lock (see `lock::brief`), however many words it changes. What an operation will touch is
//! only seen as it goes, so it is begun under the stripe, *confined* to its object; where it needs more
//! (a block from the pages, the count of something that others may refer to, another object) the step
//! that would take it there fails, everything so far is undone, and it runs again under the whole lock.
//! Each of those steps asks: they are the allocator's ways to the pages, counts, sequences of objects,
//! and tasks, which must be of the kind that only fills the thread's cache.

use std::cell::Cell;

use crate::alloc;
use crate::cell::{self as value, Offset};
use crate::error::Result;
use crate::heap::{Heap, Running};
use crate::journal::Journal;
use crate::lock::brief;
use crate::memory::Memory;
use crate::primitive::{Ordering, fence};
use crate::quick::sole_leaf;
use crate::session::{Armed, Session};
use crate::tx::{self, Tx};

/// Most operations on an object in a row that go the general way without a try.
const MOST_WIDE: u8 = 15;

thread_local! {
    /// The attachment and the stripe that the calling thread's confined operation holds; 0 none.
    static INSIDE: Cell<(u64, usize)> = const { Cell::new((0, 0)) };
    static WIDE: Cell<Wide> = const { Cell::new(Wide { object_at: 0, left: 0, next: 0 }) };
}

/// The object whose last try was in vain.
#[derive(Clone, Copy)]
struct Wide {
    object_at: Offset,
    /// How many more of its operations will not try.
    left: u8,
    /// How many will not after another try in vain: one may be chance.
    next: u8,
}

impl Wide {
    /// Whether the next operation on an object is to try.
    #[inline]
    fn tries(object_at: Offset) -> bool {
        let wide = WIDE.get();
        if wide.object_at != object_at || wide.left == 0 {
            return true;
        }
        WIDE.set(Wide { left: wide.left - 1, ..wide });
        false
    }

    /// A try was in vain.
    #[cold]
    fn note(object_at: Offset) {
        let wide = WIDE.get();
        let left = if wide.object_at == object_at { wide.next } else { 0 };
        WIDE.set(Wide { object_at, left, next: (left * 2 + 1).min(MOST_WIDE) });
    }

    /// A try was not.
    #[inline]
    fn forget(object_at: Offset) {
        if WIDE.get().object_at == object_at {
            WIDE.with(|wide| wide.set(Wide { object_at: 0, left: 0, next: 0 }));
        }
    }
}

/// Whether the calling thread is inside of a confined operation.
#[inline]
pub(crate) fn is_inside() -> bool {
    INSIDE.get().0 != 0
}

/// The same, and may look at an object as it is: nobody else writes it.
#[inline]
pub(crate) fn may_look_at(heap: &Heap, object_at: Offset) -> bool {
    INSIDE.get() == (heap.0.id, brief::of_object(object_at))
}

/// A stripe, given back at the end of the scope.
struct Held<'s> {
    armed: &'s Armed,
    stripe: usize,
}

impl<'s> Held<'s> {
    #[inline]
    fn take(heap: &Heap, armed: &'s Armed, object_at: Offset) -> Option<Self> {
        let stripe = brief::of_object(object_at);
        let [owner, ..] = armed.lock;
        if !brief::take(owner, armed.stripes.get(stripe)?, armed.claim) {
            return None;
        }
        INSIDE.with(|inside| inside.set((heap.0.id, stripe)));
        Some(Held { armed, stripe })
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        INSIDE.with(|inside| inside.set((0, 0)));
        if let Some(line) = self.armed.stripes.get(self.stripe) {
            brief::give(line);
        }
    }
}

impl Heap {
    /// As [`Heap::write`], for an operation on one object: beside those on other objects, if it can be.
    #[inline]
    pub(crate) fn write_in<T>(
        &self,
        object_at: Offset,
        mut f: impl FnMut(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut changed = 0;
        match self.write_confined(object_at, &mut changed, &mut f) {
            Some(value) => {
                self.after_write(changed);
                Ok(value)
            }
            None => self.write(f),
        }
    }

    /// One try, and whom it has news for; `None`: nothing was done, and the general way finds out why.
    fn write_confined<T>(
        &self,
        object_at: Offset,
        changed: &mut u64,
        f: &mut impl FnMut(&mut Tx<'_>) -> Result<T>,
    ) -> Option<T> {
        if !Wide::tries(object_at) {
            return None;
        }
        let memory: &Memory = &self.0.memory;
        if memory.readonly {
            return None;
        }
        let armed = Session::armed(self.0.id)?;
        let _held = Held::take(self, &armed, object_at)?;
        if memory.is_closed() {
            return None;
        }
        // Release: as in `Heap::write`.
        fence(Ordering::Release);
        // Undoes what is not committed, before the stripe is given back.
        let mut operation = Running(Tx::new(self, Journal::over(memory, &armed.own)));
        operation.0.journal.confine(object_at);
        let result = f(&mut operation.0);
        let journal = &mut operation.0.journal;
        if journal.needs_more() {
            Wide::note(object_at);
            return None;
        }
        let value = result.ok()?;
        if !journal.is_idle() {
            journal.commit();
            if journal.has_tasks() && !journal.fill_cache() {
                tx::note_damage(memory);
            }
            journal.finish();
        }
        *changed = journal.changed;
        Wide::forget(object_at);
        Some(value)
    }
}

/// Remembers that a cell of a confined operation's object does not refer to a leaf any more; `false` if
/// that takes more than to put the leaf's block into the thread's cache.
#[inline(always)]
#[allow(clippy::inline_always, reason = "a call would be a tenth of replacing a block")]
pub(crate) fn drop_later(journal: &mut Journal<'_>, cell: value::Cell) -> bool {
    let leaf = sole_leaf(journal.memory(), cell);
    leaf.is_some_and(|leaf| journal.drop_into_cache(cell, leaf.class))
}

/// The same of a block of a confined operation's object that is to be freed.
pub(crate) fn free_later(journal: &mut Journal<'_>, block: Offset) -> bool {
    let class = alloc::class_of_block(journal.memory(), block);
    // What a block that is freed holds does not say whether it is free already.
    let class = class.filter(|class| !alloc::is_cached(journal, *class, block));
    class.is_some_and(|class| journal.free_into_cache(block, class))
}
