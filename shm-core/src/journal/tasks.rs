//! Tasks: what an operation leaves to be done after its commit, counted one by one.

use super::{ACTIVE, COMMITTED, Journal, Kind, NOTHING, Task, write_entry};
use crate::cell::Offset;
use crate::error::Result;
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};

impl Journal<'_> {
    /// Remembers something to do after the commit. Before it a task means nothing, so it is counted with
    /// what comes next, be that the commit.
    #[inline]
    pub(crate) fn later(&mut self, task: Task) -> Result<()> {
        debug_assert_ne!(self.phase, COMMITTED);
        let noted = match task {
            Task::Drop(cell) => self.note_task(Kind::Drop, 0, cell),
            Task::Free(at) => self.note_task(Kind::Free, at, 0),
            Task::Bury(at) => self.note_task(Kind::Bury, at, 0),
        };
        if noted { Ok(()) } else { Err(self.overflow()) }
    }

    /// Adds an entry that is a task; `false` if the log is full.
    #[inline]
    pub(super) fn note_task(&mut self, kind: Kind, at: Offset, value: u64) -> bool {
        let Some(entry) = self.log.get(self.entries as usize) else { return false };
        if self.entries >= self.limit {
            return false;
        }
        write_entry(entry, kind, at, value);
        self.phase = ACTIVE;
        self.entries += 1;
        self.tasks = true;
        true
    }

    /// Whether there may be tasks to run; if not, [`Journal::finish`] ends the operation.
    #[inline]
    pub(crate) fn has_tasks(&self) -> bool {
        self.phase == COMMITTED && self.tasks
    }

    /// The next task, after which the caller says [`Journal::task_done`].
    #[inline]
    pub(crate) fn next_task(&mut self) -> Option<Task> {
        while self.done < self.entries {
            let (kind, at, value) = self.entry(self.done)?;
            match kind {
                Some(Kind::Drop) => return Some(Task::Drop(value)),
                Some(Kind::Free) => return Some(Task::Free(at)),
                Some(Kind::Bury) => return Some(Task::Bury(at)),
                _ => self.done += 1,
            }
        }
        None
    }

    /// The task took effect as a whole: one store.
    #[inline]
    pub(crate) fn task_done(&mut self) {
        self.done += 1;
        self.step = 0;
        if !seeded::is(Bug::CacheNotRestored) {
            self.restores = NOTHING;
        }
        self.publish();
    }

    /// Hands the cells of the tasks that come next to `drop`, as long as they are drops and it takes them
    /// by [`Journal::add_cached`]. Whether such a task was run can be seen, so it is counted with what
    /// comes next.
    #[inline]
    pub(crate) fn drop_while(&mut self, mut drop: impl FnMut(&Self, u64) -> bool) {
        let mut index = self.done;
        while index < self.entries
            && let Some([what, value]) = self.log.get(index as usize)
        {
            let kind = what.load(Ordering::Relaxed) >> 56;
            let is_done = match kind {
                _ if kind == Kind::Drop as u64 => drop(self, value.load(Ordering::Relaxed)),
                _ => kind != Kind::Free as u64 && kind != Kind::Bury as u64,
            };
            if !is_done {
                break;
            }
            index += 1;
        }
        self.done = index;
    }
}
