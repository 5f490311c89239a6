//! Whole operations: a closure runs under the writer lock, logged, all of it or nothing.
//!
//! What a dead owner left is recovered first; where there is no room, garbage is collected and the closure
//! runs a second time. What is left over once the lock was given back (the dead to take apart, handles to
//! end, a collection that is due) is caught up with here too.

use std::cell::Cell;

use super::Heap;
use super::growth::Lacks;
use crate::cell::Offset;
use crate::confined;
use crate::error::{Error, Result};
use crate::gate;
use crate::journal::{Journal, Parked, Savepoint, Wanted};
use crate::lock::Acquired;
use crate::memory::Memory;
use crate::object as objects;
use crate::peers::ThreadClaim;
use crate::primitive::{Ordering, fence};
use crate::recovery;
use crate::seeded::{self, Bug};
use crate::session::Session;
use crate::transaction;
use crate::tx::{self, Tx};

/// Reap steps under one hold of the lock.
const REAP_STEPS: u32 = 64;
/// So often an operation waits for pages outside of the lock.
const MOST_GROWTHS: u32 = 3;

thread_local! {
    /// The calling thread is in [`Heap::catch_up`].
    static CATCHES_UP: Cell<bool> = const { Cell::new(false) };
}

impl Heap {
    /// Runs `f` as one operation: all of it is done and visible, or none of it. If there is no room
    /// for it, garbage is collected and `f` is run once more, after its first run was undone.
    #[inline]
    pub(crate) fn write<T>(&self, mut f: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let mut lacks = Lacks::patient();
        let result = self.attempt(&mut f, &mut lacks);
        if result.is_ok() { result } else { self.try_again(result, lacks, true, &mut f) }
    }

    /// What an operation that failed still does: it takes memory or collects if there was no room, waits if
    /// somebody holds what it wants to change, and runs once more.
    #[cold]
    fn try_again<T>(
        &self,
        mut result: Result<T>,
        mut lacks: Lacks,
        mut may_collect: bool,
        f: &mut impl FnMut(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        // Others may take the pages that were meant for this one: then it takes some under the lock.
        let mut growths = 0;
        loop {
            if result.is_err()
                && let Some(wanted @ Wanted { count: 1.., .. }) = lacks.pages
            {
                growths += 1;
                // Where there is no memory, what the operation does about that is done under the lock.
                let taken = self.take_pages(wanted).unwrap_or(false);
                lacks.pages = (taken && growths < MOST_GROWTHS).then(Wanted::default);
                result = self.attempt(f, &mut lacks);
                continue;
            }
            match (&result, lacks.object.take(), gate::way()) {
                (Err(Error::SegmentFull { .. }), ..) if may_collect && self.make_room() => {
                    may_collect = false;
                    result = self.attempt(f, &mut lacks);
                }
                (Err(_), Some(at), Some(pass)) => {
                    pass(self, at, self.0.lock_timeout, &mut || {
                        result = self.attempt(f, &mut lacks);
                    })?;
                }
                _ => return result,
            }
        }
    }

    /// As [`Heap::write`], but what does not fit is an error at once: for who has another place for it.
    pub(crate) fn write_if_room<T>(
        &self,
        mut f: impl FnMut(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut lacks = Lacks::patient();
        let result = self.attempt(&mut f, &mut lacks);
        if result.is_ok() { result } else { self.try_again(result, lacks, false, &mut f) }
    }

    /// As [`Heap::write`], for what changes one object and can be run only once: what does not fit is
    /// an error at once.
    pub(crate) fn write_once<T>(
        &self,
        object_at: Offset,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut f = Some(f);
        let once = &mut |tx: &mut Tx<'_>| {
            tx.check_gate(object_at)?;
            match f.take() {
                Some(f) => f(tx),
                None => Err(self.corrupt("an operation was started twice")),
            }
        };
        let mut lacks = Lacks::default();
        let mut result = self.attempt(once, &mut lacks);
        if lacks.object.is_some() {
            result = self.try_again(result, lacks, false, once);
        }
        if matches!(result, Err(Error::SegmentFull { .. })) {
            // For the caller's next try.
            self.make_room();
        }
        result
    }

    /// Empties all caches and collects because the segment is full; whether that gave anything back.
    #[cold]
    fn make_room(&self) -> bool {
        // Not for an operation of the collection itself.
        if self.0.makes_room.swap(true, Ordering::Relaxed) {
            return false;
        }
        let emptied = !self.in_transaction() && recovery::empty_caches(self).is_ok_and(|any| any);
        let collected = crate::gc::collect(self).is_ok_and(|collected| collected.bytes > 0);
        // What was collected went to the caches.
        let emptied = emptied | (collected && recovery::empty_caches(self).is_ok_and(|any| any));
        self.0.makes_room.store(false, Ordering::Relaxed);
        emptied || collected
    }

    #[inline]
    pub(super) fn attempt<T>(
        &self,
        f: &mut impl FnMut(&mut Tx<'_>) -> Result<T>,
        lacks: &mut Lacks,
    ) -> Result<T> {
        let memory: &Memory = &self.0.memory;
        if memory.readonly {
            return Err(Error::ReadOnly { name: memory.name.clone() });
        }
        memory.check_open()?;
        let session = self.session()?;
        if memory.is_locked_by(session.claim)
            && let Some(log) = transaction::take_log(self.0.id, session.claim)
        {
            return self.write_in_transaction(session.claim, log, f);
        }
        debug_assert!(!memory.is_locked_by(session.claim), "operations do not nest");
        debug_assert!(!confined::is_inside(), "operations do not nest");
        if memory.lock(session.claim, self.0.lock_timeout)? == Acquired::FromTheDead {
            self.recover(session.claim)?;
        }
        let mut changed = 0;
        let result = self.under_lock(&session, &mut changed, lacks, f);
        self.after_write(changed);
        result
    }

    /// Runs `f` under the lock, which the caller has taken, and gives that back.
    #[inline]
    fn under_lock<T>(
        &self,
        session: &Session,
        changed: &mut u64,
        lacks: &mut Lacks,
        f: &mut impl FnMut(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        let memory: &Memory = &self.0.memory;
        let _held = Held { heap: self, claim: session.claim };
        memory.check_open()?;
        // Release: makes each plain store into fresh memory a release for the readers' fences.
        fence(Ordering::Release);
        // Undoes on error and on panic, before the lock is given back.
        let mut operation = Running(Tx::new(self, Journal::over(memory, session.own())));
        operation.0.journal.wants_pages = lacks.pages.map(|_| Wanted::default());
        let mut result = f(&mut operation.0);
        if result.is_ok() {
            let Tx { journal, stored, .. } = &mut operation.0;
            if *stored {
                // It is not run again: memory for the pins of others is taken now or not at all.
                journal.wants_pages = None;
            }
            if let Err(error) = self.settle_pins(journal) {
                if *stored {
                    // Done is done, and took none of the pins that wait: they go on waiting.
                    journal.undo();
                } else {
                    result = Err(error);
                }
            }
        }
        if result.is_ok() {
            let journal = &mut operation.0.journal;
            if !journal.is_idle() {
                journal.commit();
                if seeded::is(Bug::EarlyUnlock) {
                    memory.unlock(session.claim);
                }
                if journal.has_tasks() {
                    tx::run_tasks(journal);
                } else {
                    journal.finish();
                }
            }
        }
        *changed = operation.0.journal.changed;
        *lacks = Lacks { object: operation.0.held, pages: operation.0.journal.wants_pages };
        result
    }

    /// What follows once the lock was given back: news for those who watch, and what is left over.
    #[inline]
    pub(crate) fn after_write(&self, changed: u64) {
        self.0.memory.announce(changed);
        if objects::has_dead(&self.0.memory) {
            // The operation is done whatever comes of this; the next writer goes on with it.
            let _ = self.reap();
        }
        if self.0.has_deferred.load(Ordering::Relaxed)
            || self.0.memory.reap_due.load(Ordering::Relaxed)
            || self.0.memory.collect_due.load(Ordering::Relaxed)
        {
            self.catch_up();
        }
    }

    /// Runs `f` as one operation of the calling thread's transaction: undone alone if it fails.
    #[cold]
    fn write_in_transaction<T>(
        &self,
        claim: ThreadClaim,
        log: Parked,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        let memory: &Memory = &self.0.memory;
        let journal = Journal::resume(memory, claim.slot, log)?;
        let moment = journal.savepoint();
        let mut part = Part { tx: Tx::new(self, journal), moment, done: false };
        part.tx.journal.make_room(claim.slot)?;
        part.moment = part.tx.journal.savepoint();
        // Release: as in `write`.
        fence(Ordering::Release);
        let result = f(&mut part.tx);
        part.done = result.is_ok();
        result
    }

    /// As [`Heap::settle_pins`], in an operation of its own; the caller holds the lock and its log is
    /// idle.
    pub(crate) fn settle_under_lock(&self, claim: ThreadClaim) -> Result<()> {
        if !self.pins_wait() {
            return Ok(());
        }
        let mut journal = Journal::idle(&self.0.memory, claim.slot)?;
        let settled = self.settle_pins(&mut journal);
        if settled.is_ok() {
            journal.commit();
            tx::run_tasks(&mut journal);
        } else {
            journal.undo();
        }
        settled
    }

    #[cold]
    pub(crate) fn recover(&self, me: ThreadClaim) -> Result<()> {
        // If this is killed or fails, the lock's next owner finds it held by the dead and starts over.
        let result = recovery::recover_logs(&self.0.memory);
        self.0.memory.reap_due.store(true, Ordering::Relaxed);
        if result.is_err() {
            self.0.memory.leave_to_the_next(me);
        }
        result
    }

    /// Takes the dead apart, giving the lock back now and then.
    #[cold]
    fn reap(&self) -> Result<()> {
        let memory: &Memory = &self.0.memory;
        // Each step lets go of a cell at least: a list of more is a circle that somebody made.
        let mut left = memory.span()? / 8 / u64::from(REAP_STEPS) + 1;
        loop {
            let session = self.session()?;
            if memory.lock(session.claim, self.0.lock_timeout)? == Acquired::FromTheDead {
                self.recover(session.claim)?;
            }
            let _held = Held { heap: self, claim: session.claim };
            memory.check_open()?;
            let mut journal = Journal::over(memory, session.own());
            if !tx::reap(&mut journal, REAP_STEPS) {
                return Ok(());
            }
            left -= 1;
            if left == 0 {
                memory.meta(crate::layout::header::AUDIT_NEEDED)?.store(1, Ordering::Relaxed);
                memory.meta(crate::layout::header::GRAVEYARD)?.store(0, Ordering::Release);
                return Ok(());
            }
        }
    }

    /// What could not be done under the lock, or waits for a convenient moment.
    #[cold]
    fn catch_up(&self) {
        // Not within itself: what comes up meanwhile waits for the next operation.
        if CATCHES_UP.replace(true) {
            return;
        }
        self.unpin_deferred();
        if self.0.memory.collect_due.swap(false, Ordering::Relaxed) {
            // What cannot be collected now is no worse than it was.
            let _ = crate::gc::collect(self);
        }
        if self.0.memory.reap_due.swap(false, Ordering::Relaxed) {
            let _ = recovery::reap_processes(self);
        }
        CATCHES_UP.set(false);
    }

    /// Ends the handles whose end was put off.
    #[inline]
    pub(crate) fn unpin_deferred(&self) {
        if self.0.has_deferred.load(Ordering::Relaxed) {
            self.unpin_all_deferred();
        }
    }

    #[cold]
    fn unpin_all_deferred(&self) {
        if self.0.has_deferred.swap(false, Ordering::Relaxed) {
            let offsets = std::mem::take(&mut self.own().deferred);
            for at in offsets {
                // What cannot be unpinned now goes with the process.
                let _ = crate::handle::unpin(self, at);
            }
        }
    }

    /// Puts the end of a handle off until the writer lock is free.
    pub(crate) fn defer_unpin(&self, at: Offset) {
        self.own().deferred.push(at);
        self.0.has_deferred.store(true, Ordering::Relaxed);
    }

    /// Whether pins that were taken under the lock have no place yet, or too much. Not for confined operations: one
    /// that takes such a pin asks for the whole lock by itself, and what others wait for is no reason
    /// to run again, when it may be done.
    #[inline]
    pub(crate) fn pins_wait(&self) -> bool {
        self.0.pins_wait.load(Ordering::Relaxed)
    }

    /// Gives pins that were taken during the operation their place before anything can be freed, or those
    /// that are left of many a smaller table.
    #[inline]
    pub(crate) fn settle_pins(&self, journal: &mut Journal<'_>) -> Result<()> {
        if !self.pins_wait() {
            return Ok(());
        }
        let mut own = self.own();
        if own.is_waiting() {
            match own.grow(journal) {
                // Reading goes on in a full segment for as long as the table has any room.
                Err(Error::SegmentFull { .. }) if own.squeeze(journal.memory())? => {}
                grown => grown?,
            }
        } else {
            match own.shrink(journal) {
                // Nobody needs it.
                Err(Error::SegmentFull { .. }) => {}
                shrunk => shrunk?,
            }
        }
        self.0.pins_wait.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// Puts the log of a transaction back at the end of one operation; undoes the operation unless it is
/// done.
struct Part<'h> {
    tx: Tx<'h>,
    moment: Savepoint,
    done: bool,
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        let journal = &mut self.tx.journal;
        if !self.done {
            journal.undo_since(self.moment);
        }
        transaction::put_log(self.tx.heap.0.id, journal.park());
    }
}

/// Gives the lock back at the end of the scope.
struct Held<'h> {
    heap: &'h Heap,
    claim: ThreadClaim,
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.heap.0.memory.unlock(self.claim);
    }
}

/// Undoes what has not been committed at the end of the scope.
pub(crate) struct Running<'h>(pub(crate) Tx<'h>);

impl Drop for Running<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.journal.undo();
    }
}
