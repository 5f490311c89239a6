//! The log of a transaction: shared by operations, moved to blocks of the heap, undone in part.
//!
//! It is the thread's log (`journal`) with three more moves, each of which a kill may interrupt: it
//! moves to a larger block by a copy and one store; it is undone back to where an operation began,
//! while the entries stay and a full undo after a kill does the same again; and it is undone as a whole
//! by a live thread, which keeps the headers that handles may name. The blocks are given back one
//! operation each, once the log is idle. The caller holds the writer lock.

use super::{
    ACTIVE, BLOCK_HEAD, COMMITTED, Entry, IDLE, Journal, Kind, MOST_ENTRIES, OPERATION_ENTRIES,
    Parked, STEP_ENTRIES, Savepoint, Task, write_entry,
};
use crate::alloc;
use crate::cell::Offset;
use crate::error::{Error, Result};
use crate::layout::{LOG_BYTES, object, thread};
use crate::memory::Memory;
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};

/// Entries that an operation may log at least where there is no memory for a larger log.
const CRAMPED_ENTRIES: u64 = 128;

/// The entries in a block of a transaction's log.
pub(super) fn block_of(memory: &Memory, block: Offset) -> Result<&[Entry]> {
    let bytes = alloc::size_of_block(memory, block)?.min(MOST_ENTRIES * 16);
    if bytes < BLOCK_HEAD + LOG_BYTES {
        return Err(memory.corrupt(format!("a log of {bytes} bytes at {block:#x}")));
    }
    Ok(memory.words(block + BLOCK_HEAD, (bytes - BLOCK_HEAD) / 16 * 2)?.as_chunks().0)
}

fn copy_entry(to: &Entry, from: &Entry) {
    for (to, from) in to.iter().zip(from) {
        to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// The log of a transaction.
impl<'m> Journal<'m> {
    /// Counts what is left to undo, if undoing this entry leads back to the former log: that one has no
    /// more entries, and what lies behind them there is of other operations.
    pub(super) fn count_before_moving_back(&mut self, index: u64) {
        if self.block == 0 || seeded::is(Bug::MovedBackUncounted) {
            return;
        }
        if let Some((Some(Kind::Word | Kind::Kept), at, _)) = self.entry(index)
            && at == self.moved_at
        {
            // All that was changed of objects that were opened since is undone.
            self.close_sequences(index);
            self.entries = index + 1;
            self.publish();
        }
    }

    /// The log of a transaction of the slot's thread as it was left.
    pub(crate) fn resume(memory: &'m Memory, slot: u64, parked: Parked) -> Result<Self> {
        let mut journal = Self::idle(memory, slot)?;
        if parked.block != 0 {
            journal.log = block_of(memory, parked.block)?;
        }
        journal.phase = if parked.entries > 0 { ACTIVE } else { IDLE };
        journal.entries = parked.entries;
        journal.tasks = parked.tasks;
        journal.changed = parked.changed;
        journal.opened = MOST_ENTRIES;
        journal.created = parked.created;
        journal.block = parked.block;
        journal.shared = true;
        journal.limit = 0;
        Ok(journal)
    }

    /// The log that is resumed next is the thread's own again, after [`release_blocks`].
    pub(crate) fn forget_block(&mut self) {
        self.block = 0;
        self.changed = 0;
    }

    /// Leaves the log until the next operation of the transaction.
    pub(crate) fn park(&mut self) -> Parked {
        Parked {
            entries: self.entries,
            tasks: self.tasks,
            changed: self.changed,
            created: std::mem::take(&mut self.created),
            block: self.block,
        }
    }

    /// Where the operation that begins now begins.
    pub(crate) fn savepoint(&self) -> Savepoint {
        Savepoint { entries: self.entries, created: self.created.len() }
    }

    /// Makes room for one more operation, before it begins: moves the log to a larger block.
    pub(crate) fn make_room(&mut self, slot: u64) -> Result<()> {
        // What taking the block itself logs, one task for each header, and the steps of a task.
        const SPARE: u64 = 32;
        let room = self.log.len() as u64;
        let reserve = SPARE + STEP_ENTRIES + self.created.len() as u64;
        let needed = self.entries + OPERATION_ENTRIES + reserve;
        // An operation takes far fewer headers than it logs entries.
        if needed + OPERATION_ENTRIES / 4 > room {
            if needed * 2 > MOST_ENTRIES {
                return Err(self.overflow());
            }
            self.limit = self.entries + SPARE;
            let memory = self.memory;
            self.keep = true;
            let moved = alloc::allocate(self, BLOCK_HEAD + needed * 2 * 16).and_then(|block| {
                let head = memory.word(block)?;
                head.store(self.block, Ordering::Release);
                let log = block_of(memory, block)?;
                // The entry that names the former block is the first one of the new one alone.
                for (to, from) in log.iter().zip(self.log).take(self.entries as usize) {
                    copy_entry(to, from);
                }
                let at = memory.geometry.thread_at(slot) + thread::LOG;
                let word = memory.meta(at)?;
                self.push(Kind::Kept, at, self.block)?;
                let last = self.entries as usize - 1;
                if let (Some(to), Some(from)) = (log.get(last), self.log.get(last)) {
                    copy_entry(to, from);
                }
                word.store(block, Ordering::Release);
                self.block = block;
                self.log = log;
                Ok(())
            });
            self.keep = false;
            match moved {
                // What makes memory free logs few words: the log is long enough for some of that.
                Err(Error::SegmentFull { .. })
                    if self.block == 0 && room - STEP_ENTRIES >= self.entries + CRAMPED_ENTRIES =>
                {
                    self.limit = (room - STEP_ENTRIES).min(self.entries + OPERATION_ENTRIES);
                    return Ok(());
                }
                moved => moved?,
            }
        }
        self.limit = self.entries + OPERATION_ENTRIES;
        Ok(())
    }

    /// What is logged in `f` stays when a live thread undoes.
    pub(crate) fn keeping<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.keep = self.shared;
        let result = f(self);
        self.keep = false;
        result
    }

    /// Remembers a header that was taken.
    #[inline]
    pub(crate) fn note_created(&mut self, at: Offset) {
        if self.shared {
            self.created.push(at);
        }
    }

    /// Undoes what was done since a moment of the transaction; the log goes on.
    pub(crate) fn undo_since(&mut self, moment: Savepoint) {
        self.restore(moment);
        for index in moment.entries..self.entries {
            if let Some((Some(Kind::Drop | Kind::Free | Kind::Bury), ..)) = self.entry(index)
                && let Some([what, _]) = self.log.get(index as usize)
            {
                // One store: a task that is none any more.
                what.store(0, Ordering::Release);
            }
        }
        let created = self.created.get(moment.created..).unwrap_or_default().to_vec();
        let most = self.log.len() as u64 - STEP_ENTRIES;
        self.limit = (self.entries + created.len() as u64).min(most);
        for at in created {
            // There is room for one task of each header.
            let _ = self.later(Task::Bury(at));
        }
        self.created.truncate(moment.created);
    }

    /// Undoes the transaction; the headers that `is_held` says nobody holds are left to be buried by
    /// the tasks that remain to be run.
    pub(crate) fn undo_all(&mut self, is_held: impl Fn(Offset) -> bool) {
        if self.phase != ACTIVE {
            return;
        }
        self.restore(Savepoint { entries: 0, created: 0 });
        let mut buried: Vec<Offset> = std::mem::take(&mut self.created);
        for index in 0..self.entries {
            // Of operations that failed before.
            if let Some((Some(Kind::Bury), at, _)) = self.entry(index) {
                buried.push(at);
            }
        }
        self.done = self.entries;
        let mut count = self.entries;
        for at in buried.into_iter().filter(|at| !is_held(*at)) {
            let Some(entry) = self.log.get(count as usize) else { break };
            if count + STEP_ENTRIES >= self.log.len() as u64 {
                // Where the log could not move; a collection finds them.
                break;
            }
            write_entry(entry, Kind::Bury, at, 0);
            count += 1;
        }
        // One store: from "undo all of it" to "all of it is undone, the headers remain".
        self.entries = count;
        self.phase = COMMITTED;
        self.limit = self.log.len() as u64;
        self.tasks = true;
        self.publish();
        self.close_sequences(0);
    }

    /// Puts the old values back, kept ones excepted, and makes the headers that were taken since empty
    /// objects that nothing refers to.
    fn restore(&self, moment: Savepoint) {
        for index in (moment.entries..self.entries).rev() {
            if let Some((Some(Kind::Word), at, old)) = self.entry(index)
                && let Ok(word) = self.memory.any_word(at)
            {
                word.store(old, Ordering::Release);
            }
        }
        for at in self.created.get(moment.created..).unwrap_or_default() {
            let Ok(words) = self.memory.words(*at, 8) else { continue };
            for (index, word) in words.iter().enumerate() {
                match index as u64 * 8 {
                    object::SEQ => {}
                    object::META => {
                        let old = word.load(Ordering::Relaxed);
                        word.store(old & !(u64::from(u32::MAX)), Ordering::Release);
                    }
                    _ => word.store(0, Ordering::Release),
                }
            }
        }
    }
}

/// Gives the blocks back that a transaction's log had moved to. Its log is idle, the caller holds the
/// writer lock; each block is one operation.
pub(crate) fn release_blocks(memory: &Memory, slot: u64) -> Result<()> {
    let at = memory.geometry.thread_at(slot) + thread::LOG;
    loop {
        let block = memory.meta(at)?.load(Ordering::Acquire);
        if block == 0 {
            return Ok(());
        }
        let previous = memory.load(block).unwrap_or(0);
        let mut journal = Journal::idle(memory, slot)?;
        let freed = journal.put(at, previous).and_then(|()| alloc::free(&mut journal, block));
        if freed.is_err() {
            journal.undo();
            // No block of ours: let go of it rather than stop.
            memory.meta(at)?.store(0, Ordering::Release);
            return freed.map(drop);
        }
        journal.commit();
        journal.finish();
    }
}
