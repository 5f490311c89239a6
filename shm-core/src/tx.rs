//! One writer operation: what a container may do between lock and unlock.
//!
//! A [`Tx`] exists only inside of [`Heap::write`](crate::heap::Heap::write), which holds the writer
//! lock, commits when the closure returns `Ok` and undoes everything when it returns `Err`. Nothing
//! that another process or a user's code decides runs in between. The log is bounded, so an
//! operation changes a bounded number of existing words: bulk changes fill a fresh block with plain
//! stores and publish it by one word.

use crate::alloc;
use crate::cell::{Cell, Kind, Offset};
use crate::confined;
use crate::error::{Error, Result};
use crate::gate;
use crate::heap::Heap;
use crate::journal::{Journal, Task};
use crate::layout::object;
use crate::memory::Memory;
use crate::object::{self as objects, removal};
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};
use crate::watch;

/// Handle. The operation that is running.
pub(crate) struct Tx<'h> {
    pub(crate) heap: &'h Heap,
    pub(crate) journal: Journal<'h>,
    /// The object that somebody else holds, if the operation failed for that.
    pub(crate) held: Option<Offset>,
    /// It is done, by one store that nothing undoes (see [`Tx::set_only`]): it must not run again.
    pub(crate) stored: bool,
}

impl<'h> Tx<'h> {
    #[inline]
    pub(crate) fn new(heap: &'h Heap, journal: Journal<'h>) -> Self {
        Tx { heap, journal, held: None, stored: false }
    }

    /// The segment.
    #[inline]
    pub(crate) fn heap(&self) -> &'h Heap {
        self.heap
    }

    #[inline]
    fn memory(&self) -> &'h Memory {
        self.journal.memory()
    }

    /// Whether other operations belong to the same whole: then places that hold nothing now may hold
    /// something again when all of it is undone.
    #[inline]
    pub(crate) fn in_transaction(&self) -> bool {
        self.journal.is_shared()
    }

    /// The value of a data word.
    #[inline]
    pub(crate) fn load(&self, at: Offset) -> Result<u64> {
        self.memory().load(at)
    }

    /// Makes an object's sequence odd until the end: before the first change that its readers see.
    #[inline]
    pub(crate) fn open(&mut self, object_at: Offset) -> Result<()> {
        self.check_gate(object_at)?;
        let sequence = self.memory().word(object_at + object::SEQ)?;
        self.journal.open(object_at, sequence)
    }

    /// Fails if somebody else holds the object; the operation runs again once that has ended.
    #[inline]
    pub(crate) fn check_gate(&mut self, object_at: Offset) -> Result<()> {
        self.journal.ask_for(object_at)?;
        let lock = self.memory().load(object_at + object::LOCK)?;
        if lock == 0 { Ok(()) } else { self.check_lock(object_at, lock) }
    }

    #[cold]
    fn check_lock(&mut self, object_at: Offset, lock: u64) -> Result<()> {
        let result = gate::check(self.heap, object_at, lock);
        if matches!(result, Err(Error::LockTimeout { .. })) {
            self.held = Some(object_at);
        }
        result
    }

    /// The first of an object's words, as [`Heap::block`].
    #[inline]
    pub(crate) fn block(&self, object_at: Offset) -> Result<Offset> {
        self.heap.block(object_at)
    }

    /// Changes a word of existing data.
    #[inline]
    pub(crate) fn set(&mut self, at: Offset, new: u64) -> Result<()> {
        let word = self.memory().word(at)?;
        self.journal.set(at, word, new)
    }

    /// Changes a word of the header, such as the cell of the root.
    pub(crate) fn set_header(&mut self, at: Offset, new: u64) -> Result<()> {
        self.journal.put(at, new)
    }

    /// The log-free form, for an operation whose only change is this word of `object` and that
    /// touches no count: a kill leaves the old or the new word, readers notice by the sequence.
    #[inline]
    pub(crate) fn set_only(&mut self, object_at: Offset, at: Offset, new: u64) -> Result<()> {
        if !self.journal.is_idle() {
            self.open(object_at)?;
            return self.set(at, new);
        }
        self.check_gate(object_at)?;
        if self.journal.will_run_again() {
            // It will run again, so it must not be done before.
            return Err(Journal::want_more());
        }
        let word = self.memory().word(at)?;
        let sequence = self.memory().word(object_at + object::SEQ)?;
        self.stored = true;
        self.journal.changed |= watch::bit_of(object_at);
        word.store(new, Ordering::Release);
        // Release: pairs with the Acquire load in `Heap::read`. After the store, so that a reader of
        // two words sees either this change or the new sequence.
        sequence.store(sequence.load(Ordering::Relaxed).wrapping_add(2), Ordering::Release);
        Ok(())
    }

    /// A fresh block of at least `bytes`, 16-aligned, of arbitrary content.
    #[inline]
    pub(crate) fn alloc(&mut self, bytes: u64) -> Result<Offset> {
        alloc::allocate(&mut self.journal, bytes).map_err(|error| wanting(error, bytes))
    }

    /// Usable bytes of a block.
    pub(crate) fn block_size(&self, at: Offset) -> Result<u64> {
        alloc::size_of_block(self.memory(), at)
    }

    /// A fresh object header: count 0, type words 0. See [`Object::create`](crate::handle::Object).
    pub(crate) fn alloc_object(&mut self, kind: Kind) -> Result<Offset> {
        objects::create(&mut self.journal, kind)
    }

    /// The same for an object that dies with this operation, so that memory becomes free.
    pub(crate) fn alloc_kept_object(&mut self, kind: Kind) -> Result<Offset> {
        objects::create_kept(&mut self.journal, kind)
    }

    /// Stores into memory that this operation allocated and nobody sees yet.
    #[inline]
    pub(crate) fn fill(&self, at: Offset, value: u64) -> Result<()> {
        self.memory().word(at)?.store(value, Ordering::Relaxed);
        Ok(())
    }

    /// Stores into a place of existing memory that nobody sees, such as one behind a list's last cell.
    /// In a transaction that place may come to be seen again, by undoing what hid it.
    #[inline]
    pub(crate) fn fill_unseen(&mut self, at: Offset, value: u64) -> Result<()> {
        if self.in_transaction() { self.set(at, value) } else { self.fill(at, value) }
    }

    /// Frees a block after the commit, without looking at what it holds.
    pub(crate) fn free_after(&mut self, block: Offset) -> Result<()> {
        if self.journal.is_confined() {
            let kept = confined::free_later(&mut self.journal, block);
            return if kept { Ok(()) } else { self.journal.ask_for_all() };
        }
        self.journal.later(Task::Free(block))
    }

    /// One more cell refers to what this cell refers to.
    #[inline]
    pub(crate) fn inc(&mut self, cell: Cell) -> Result<()> {
        if cell.is_immediate() { Ok(()) } else { objects::increment(&mut self.journal, cell) }
    }

    /// One cell less refers to it, after the commit.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as `drop_later`")]
    pub(crate) fn dec(&mut self, cell: Cell) -> Result<()> {
        if cell.is_immediate() {
            return Ok(());
        }
        if self.journal.is_confined() {
            let kept = confined::drop_later(&mut self.journal, cell);
            return if kept { Ok(()) } else { self.journal.ask_for_all() };
        }
        self.journal.later(Task::Drop(cell.0))
    }
}

/// The allocator's error in its caller's terms: it knows pages, he asked for bytes.
#[cold]
fn wanting(error: Error, bytes: u64) -> Error {
    match error {
        Error::SegmentFull { name, used, size, advice, .. } => {
            Error::SegmentFull { name, wanted: bytes, used, size, advice }
        }
        other => other,
    }
}

/// Runs one task of a committed journal: wholly, or not at all.
fn run(journal: &mut Journal<'_>, task: Task) -> Result<()> {
    match task {
        Task::Drop(cell) => objects::drop_one(journal, Cell(cell)),
        Task::Free(block) => alloc::free_part(journal, block).map(drop),
        Task::Bury(at) if removal::is_one(journal.memory(), at)? => removal::run(journal, at),
        Task::Bury(at) => objects::bury_if_garbage(journal, at),
    }
}

/// Runs what a committed journal still has to do and makes it idle. A task that meets corrupt
/// content is undone and passed over, so that one broken reference cannot stop the segment.
pub(crate) fn run_tasks(journal: &mut Journal<'_>) {
    let mut freed = 0;
    loop {
        if !seeded::is(Bug::TaskDoneFirst) {
            journal.drop_while(|journal, cell| {
                let bytes = objects::drop_sole_leaf(journal, Cell(cell));
                freed += bytes.unwrap_or(0);
                bytes.is_some()
            });
        }
        let Some(task) = journal.next_task() else { break };
        if seeded::is(Bug::TaskDoneFirst) {
            journal.task_done();
            let _ = run(journal, task);
            journal.forget_step();
            continue;
        }
        if run(journal, task).is_err() {
            journal.undo_task();
            note_damage(journal.memory());
        }
        journal.task_done();
    }
    if freed > 0 {
        objects::note_reclaimed(journal.memory(), freed);
    }
    journal.finish();
}

/// Takes the dead apart, at most `steps` steps; whether any are left.
pub(crate) fn reap(journal: &mut Journal<'_>, steps: u32) -> bool {
    for _ in 0..steps {
        if !objects::has_dead(journal.memory()) {
            return false;
        }
        if objects::reap(journal).is_err() {
            journal.undo();
            note_damage(journal.memory());
            // Whatever lies on top cannot be taken apart: let go of the whole list rather than stop.
            if let Ok(head) = journal.memory().meta(crate::layout::header::GRAVEYARD) {
                head.store(0, Ordering::Release);
            }
            return false;
        }
        journal.commit();
        journal.finish();
    }
    objects::has_dead(journal.memory())
}

/// Remembers that counts or bitmaps may be off.
#[cold]
pub(crate) fn note_damage(memory: &Memory) {
    if let Ok(word) = memory.meta(crate::layout::header::AUDIT_NEEDED) {
        word.store(1, Ordering::Relaxed);
    }
}
