//! Transactions: many operations on many objects, all of them or none.
//!
//! Handle. A transaction is the writer lock, held for a while, and one undo log that all operations of
//! the thread share meanwhile (`journal`): the operations find it in a thread-local place, take no
//! lock of their own, and leave the sequences of what they changed odd. So nobody sees the middle:
//! writers wait for the lock, readers of changed objects too, at most for their timeout, which names
//! this thread. The thread itself reads what it wrote. One store of the log's state commits; then
//! what was dropped is freed and whoever watches is told. An error, a panic and [`Transaction::rollback`]
//! undo it; so does whoever comes after a kill.
//!
//! An operation that fails inside is undone alone and the rest stays, as outside. A transaction inside
//! of another is a part of it that can be undone alone.
//!
//! Objects that a transaction made and handles still name when it is undone are empty afterwards, and
//! go with their handles. Not here: waiting. What would wait for others inside of a transaction, for
//! which they wait, is refused. A forked child is in no transaction.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::time::Duration;

use crate::cell::Offset;
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::journal::{self, Journal, Parked, Savepoint};
use crate::lock::Acquired;
use crate::peers::ThreadClaim;
use crate::tx;

/// The transaction of a thread between its operations.
struct Open {
    /// Which attachment.
    heap: u64,
    claim: ThreadClaim,
    log: Parked,
    /// How many transactions are inside of each other.
    depth: u32,
}

thread_local! {
    static OPEN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
}

/// Takes the log of the thread's transaction in a segment, for one operation.
pub(crate) fn take_log(heap: u64, claim: ThreadClaim) -> Option<Parked> {
    OPEN.with_borrow_mut(|all| {
        let open = all.iter_mut().find(|open| open.heap == heap && open.claim == claim)?;
        Some(std::mem::take(&mut open.log))
    })
}

/// Puts it back.
pub(crate) fn put_log(heap: u64, log: Parked) {
    OPEN.with_borrow_mut(|all| {
        if let Some(open) = all.iter_mut().find(|open| open.heap == heap) {
            open.log = log;
        }
    });
}

/// Whether the thread's transaction in a segment made the object at an offset. Not inside of an operation.
pub(crate) fn has_made(heap: u64, at: Offset) -> bool {
    let made = |all: &RefCell<Vec<Open>>| {
        all.borrow().iter().any(|open| open.heap == heap && open.log.has_made(at))
    };
    OPEN.try_with(made).unwrap_or(false)
}

impl Heap {
    /// Whether the calling thread is inside of a transaction of this segment.
    pub(crate) fn in_transaction(&self) -> bool {
        let open =
            |all: &RefCell<Vec<Open>>| all.borrow().iter().any(|open| open.heap == self.0.id);
        OPEN.try_with(open).unwrap_or(false) && self.holds_lock()
    }

    /// Refuses what cannot be part of a transaction.
    pub(crate) fn outside_of_transactions(&self, what: &str) -> Result<()> {
        if !self.in_transaction() {
            return Ok(());
        }
        Err(Error::InvalidArgument {
            what: format!("{what} inside of a transaction of {:?}: end it before", self.name()),
        })
    }
}

/// Handle. A transaction that runs until it is committed or dropped.
///
/// It belongs to the thread that began it.
#[derive(Debug)]
#[must_use = "a transaction that is dropped is undone"]
pub struct Transaction {
    raw: RawTransaction,
    /// Transactions belong to threads.
    _thread: PhantomData<*const ()>,
}

impl Transaction {
    pub(crate) fn begin(heap: &Heap, timeout: Option<Duration>) -> Result<Self> {
        Ok(Transaction { raw: RawTransaction::begin(heap, timeout)?, _thread: PhantomData })
    }

    /// Undoes everything so far. The transaction goes on: what is changed from here on is part of it.
    pub fn rollback(&self) -> Result<()> {
        self.raw.rollback()
    }

    /// Makes everything happen at once. Inside of another one: when that one is committed.
    ///
    /// # Errors
    /// `SegmentFull` if there is no room for what the process pins; then it is undone.
    pub fn commit(mut self) -> Result<()> {
        self.raw.end(true)
    }
}

/// Handle. The same for bindings of languages whose types know no threads: in another thread than the
/// one that began it, every call is an error, and dropping it does nothing.
#[must_use = "a transaction that is dropped is undone"]
pub struct RawTransaction {
    heap: Heap,
    claim: ThreadClaim,
    /// Where it begins in the one that it is inside of.
    inside: Option<Savepoint>,
    ended: bool,
}

impl RawTransaction {
    /// Begins one, waiting for the writer lock at most for `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// `LockTimeout` that names who holds it; `ReadOnly`; `Closed`.
    pub(crate) fn begin(heap: &Heap, timeout: Option<Duration>) -> Result<Self> {
        let memory = &heap.0.memory;
        if memory.readonly {
            return Err(Error::ReadOnly { name: memory.name.clone() });
        }
        memory.check_open()?;
        let claim = heap.session()?.claim;
        let mut transaction =
            RawTransaction { heap: heap.clone(), claim, inside: None, ended: false };
        let outer = OPEN.with_borrow_mut(|all| {
            // What a parent had open when it was forked is not this process's.
            all.retain(|open| open.heap != heap.0.id || open.claim == claim);
            all.iter_mut().find(|open| open.heap == heap.0.id).map(|open| {
                open.depth += 1;
                open.log.savepoint()
            })
        });
        if outer.is_some() {
            transaction.inside = outer;
            return Ok(transaction);
        }
        if memory.lock(claim, timeout.unwrap_or(Duration::MAX))? == Acquired::FromTheDead {
            heap.recover(claim)?;
        }
        if let Err(error) = memory.check_open() {
            memory.unlock(claim);
            transaction.ended = true;
            return Err(error);
        }
        OPEN.with_borrow_mut(|all| {
            all.push(Open { heap: heap.0.id, claim, log: Parked::default(), depth: 1 });
        });
        Ok(transaction)
    }

    /// Undoes everything so far. The transaction goes on: what is changed from here on is part of it.
    ///
    /// # Errors
    /// `InvalidArgument` if it has ended.
    pub fn rollback(&self) -> Result<()> {
        let mut journal = self.log()?;
        match self.inside {
            Some(moment) => journal.undo_since(moment),
            None => self.undo(&mut journal),
        }
        put_log(self.heap.0.id, journal.park());
        Ok(())
    }

    /// Ends it; only the first time counts.
    ///
    /// # Errors
    /// As [`Transaction::commit`]; `InvalidArgument` in another thread.
    pub fn end(&mut self, commit: bool) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        let mut journal = self.log()?;
        let depth = OPEN.with_borrow_mut(|all| {
            let open = all.iter_mut().find(|open| open.heap == self.heap.0.id)?;
            open.depth -= 1;
            Some(open.depth)
        });
        if let Some(moment) = self.inside {
            debug_assert!(depth.is_some_and(|depth| depth > 0), "transactions end inside out");
            if !commit {
                journal.undo_since(moment);
            }
            put_log(self.heap.0.id, journal.park());
            return Ok(());
        }
        debug_assert_eq!(depth, Some(0), "transactions end inside out");
        let result = if commit { self.settle(&mut journal) } else { Ok(()) };
        let changed = journal.changed;
        if commit && result.is_ok() {
            journal.commit();
            tx::run_tasks(&mut journal);
            let _ = journal::release_blocks(&self.heap.0.memory, self.claim.slot);
        } else {
            self.undo(&mut journal);
        }
        drop(journal);
        OPEN.with_borrow_mut(|all| all.retain(|open| open.heap != self.heap.0.id));
        // Pins of what was only read wait for their place in the table: the last chance under this
        // hold of the lock, in an operation of its own.
        let result = result.and(self.heap.settle_under_lock(self.claim));
        self.heap.0.memory.unlock(self.claim);
        self.heap.after_write(changed);
        result
    }

    fn settle(&self, journal: &mut Journal<'_>) -> Result<()> {
        if self.heap.pins_wait() {
            journal.make_room(self.claim.slot)?;
        }
        self.heap.settle_pins(journal)
    }

    /// Undoes all of it while the thread lives; the log is empty again.
    fn undo(&self, journal: &mut Journal<'_>) {
        let own = self.heap.own();
        journal.undo_all(|at| own.holds(at));
        drop(own);
        if journal.has_tasks() {
            tx::run_tasks(journal);
        }
        let _ = journal::release_blocks(&self.heap.0.memory, self.claim.slot);
        journal.forget_block();
    }

    /// The log, which must be put back.
    fn log(&self) -> Result<Journal<'_>> {
        let gone = || Error::InvalidArgument {
            what: format!("the transaction of {:?} has ended in this thread", self.heap.name()),
        };
        if self.heap.session()?.claim != self.claim {
            return Err(gone());
        }
        let log = take_log(self.heap.0.id, self.claim).ok_or_else(gone)?;
        Journal::resume(&self.heap.0.memory, self.claim.slot, log)
    }
}

impl Drop for RawTransaction {
    fn drop(&mut self) {
        // A drop cannot fail; what cannot be undone here is undone by the lock's next owner.
        let _ = self.end(false);
    }
}

impl std::fmt::Debug for RawTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = if self.ended { " ended" } else { "" };
        write!(f, "<Transaction of {:?}{state}>", self.heap.name())
    }
}
