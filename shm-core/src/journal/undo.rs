//! Going back: an operation that does not commit, a task that was not whole, and the log of a dead thread.

use super::{
    ACTIVE, COMMITTED, IDLE, Journal, Kind, MOST_ENTRIES, MOVED, NOTHING, STEP_ENTRIES, block_of,
};
use crate::error::Result;
use crate::layout::{object, thread};
use crate::memory::Memory;
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};

impl<'m> Journal<'m> {
    /// The log of a dead thread's slot, if it is not idle. The caller holds the writer lock.
    pub(crate) fn of_the_dead(memory: &'m Memory, slot: u64) -> Result<Option<Self>> {
        let mut journal = Self::idle(memory, slot)?;
        let state = journal.state.load(Ordering::Acquire);
        if state & 0xFF == IDLE {
            return Ok(None);
        }
        // A hostile state word must not lead beyond the log; the log itself may be a hole, and so may
        // caches that it names.
        let (start, end) = (memory.geometry.logs_at, memory.thread_slots()?.end);
        memory.with_file("take a log in", |file| {
            file.reserve(start, memory.geometry.log_at(end) - start)
        })?;
        // What the dead free goes to the pages.
        journal.cache = &[];
        let block = memory.meta(memory.geometry.thread_at(slot) + thread::LOG)?;
        journal.block = if state & MOVED == 0 { 0 } else { block.load(Ordering::Acquire) };
        if journal.block != 0 {
            // A hostile block leads to the thread's own log, not to a lock that nobody can take.
            match block_of(memory, journal.block) {
                Ok(log) => journal.log = log,
                Err(_) => journal.block = 0,
            }
        }
        // What lies beyond a log that was moved back to its former block is undone already.
        let room = journal.log.len() as u64;
        journal.phase = state & 0xF;
        journal.entries = ((state >> 8) & MOST_ENTRIES).min(room - STEP_ENTRIES);
        journal.done = ((state >> 32) & MOST_ENTRIES).min(journal.entries);
        journal.step = (state >> 56).min(room - journal.entries);
        journal.tasks = true;
        journal.opened = MOST_ENTRIES;
        if journal.phase == COMMITTED {
            journal.limit = room;
        }
        Ok(Some(journal))
    }

    /// Undoes the running task.
    pub(crate) fn undo_task(&mut self) {
        for index in (self.entries..self.entries + self.step).rev() {
            self.undo_word(index);
        }
        self.step = 0;
        self.restores = NOTHING;
        self.publish();
    }

    /// Leaves what the running task has logged behind: what a wrong order of steps would do.
    pub(crate) fn forget_step(&mut self) {
        self.step = 0;
        self.publish();
    }

    /// Undoes an operation that has not committed.
    pub(crate) fn undo(&mut self) {
        if self.phase != ACTIVE {
            return;
        }
        if seeded::is(Bug::UndoEndsFirst) {
            self.state.store(IDLE, Ordering::Release);
        }
        let all = self.entries;
        for index in (0..all).rev() {
            self.count_before_moving_back(index);
            let last = all - 1;
            self.undo_word(if seeded::is(Bug::UndoForwards) { last - index } else { index });
        }
        self.entries = all;
        self.close_sequences(0);
        self.finish();
    }

    /// Brings a dead thread's log to idle, or to committed with only whole tasks left to run.
    pub(crate) fn recover(&mut self) {
        if self.phase == COMMITTED {
            if !seeded::is(Bug::TaskNotUndone) {
                self.undo_task();
            }
            self.close_sequences(0);
            while let Some(task) = self.next_task()
                && self.was_run(task)
                && !seeded::is(Bug::FreedTwice)
            {
                self.task_done();
            }
        } else {
            self.undo();
        }
    }

    fn undo_word(&self, index: u64) {
        if let Some((Some(Kind::Word | Kind::Kept), at, old)) = self.entry(index)
            && let Ok(word) = self.memory.any_word(at)
        {
            word.store(old, Ordering::Release);
        }
    }

    /// Makes the sequences of objects even whose entries are not before the first one.
    pub(super) fn close_sequences(&self, first: u64) {
        if seeded::is(Bug::SequenceLeftOdd) || self.opened == 0 {
            return;
        }
        for index in first..self.entries {
            if let Some((Some(Kind::Object), at, _)) = self.entry(index)
                && let Ok(word) = self.memory.word(at + object::SEQ)
            {
                let value = word.load(Ordering::Relaxed);
                if value & 1 == 1 {
                    // Release: pairs with the Acquire load of the sequence in `Heap::read`.
                    word.store(value.wrapping_add(1), Ordering::Release);
                }
            }
        }
    }
}
