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
use crate::cell::{self, Offset};
use crate::error::Result;
use crate::heap::{Heap, Running};
use crate::journal::{Journal, Task};
use crate::lock::brief;
use crate::memory::Memory;
use crate::primitive::{Ordering, fence};
use crate::quick::sole_leaf;
use crate::session::{Armed, Session};
use crate::tx::{self, Tx};

/// Operations on an object that go the general way at once, after one that had to.
const BURST: u8 = 15;

thread_local! {
    /// The attachment and the stripe that the calling thread's confined operation holds; 0 none.
    static INSIDE: Cell<(u64, usize)> = const { Cell::new((0, 0)) };
    /// The object whose last operation needed more, and how many more of its operations will not try.
    static WIDE: Cell<(Offset, u8)> = const { Cell::new((0, 0)) };
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
        INSIDE.set((heap.0.id, stripe));
        Some(Held { armed, stripe })
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        INSIDE.set((0, 0));
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
        match self.write_confined(object_at, &mut f) {
            Some(value) => Ok(value),
            None => self.write(f),
        }
    }

    /// One try; `None`: nothing was done, and the general way finds out why.
    fn write_confined<T>(
        &self,
        object_at: Offset,
        f: &mut impl FnMut(&mut Tx<'_>) -> Result<T>,
    ) -> Option<T> {
        let (wide, left) = WIDE.get();
        if wide == object_at && left > 0 {
            WIDE.set((wide, left - 1));
            return None;
        }
        let memory: &Memory = &self.0.memory;
        if memory.readonly {
            return None;
        }
        let armed = Session::armed(self.0.id)?;
        let held = Held::take(self, &armed, object_at)?;
        if memory.is_closed() {
            return None;
        }
        // Release: as in `Heap::write`.
        fence(Ordering::Release);
        let mut journal = Journal::idle(memory, armed.claim.slot).ok()?;
        journal.confine(object_at);
        // Undoes what is not committed, before the stripe is given back.
        let mut operation = Running(Tx::new(self, journal));
        let result = f(&mut operation.0);
        let journal = &mut operation.0.journal;
        if journal.needs_more() || self.pins_wait() {
            WIDE.set((object_at, BURST));
            return None;
        }
        let value = result.ok()?;
        if !journal.is_idle() {
            journal.commit();
            if journal.has_tasks() {
                tx::run_tasks(journal);
            } else {
                journal.finish();
            }
        }
        let changed = journal.changed;
        drop(operation);
        drop(held);
        self.after_write(changed);
        Some(value)
    }
}

/// Whether a task of a confined operation only fills the thread's cache; it will find room there.
pub(crate) fn may_run(journal: &mut Journal<'_>, task: Task) -> bool {
    let memory = journal.memory();
    let block = match task {
        Task::Drop(word) => sole_leaf(memory, cell::Cell(word)).map(|(at, _)| at),
        Task::Free(block) => Some(block),
        Task::Bury(_) => None,
    };
    let class = block.and_then(|block| alloc::class_of_block(memory, block));
    class.is_some_and(|(class, _)| journal.expects_in_cache(class))
}
