//! The undo log of a thread: all of an operation or nothing, killed at whichever instruction.
//!
//! A kill leaves exactly a prefix of the thread's stores in program order, so every protocol store
//! is `Release` (a chain of them is not reordered) and nothing is flushed. Phase and counts are
//! ONE word, so that begin, log, commit and progress are each one store:
//!
//! ```text
//! state word   bits 0-7    phase: 0 idle, 1 active, 2 committed; + 16: the entries are in the block
//!                         that the slot names
//!              bits 8-31   n: entries of the operation
//!              bits 32-55  k: entries whose tasks are done (committed only)
//!              bits 56-63  m: entries of the running task, behind the n
//! entry        {kind 8 | offset 48}{old value, or the task's cell}
//! log          256 entries of the thread's slot; a transaction's moves to larger blocks of the heap,
//!              each of which names the one before: {previous, 0}, entries
//! ```
//!
//! * active(n): undo entries n-1..0, make opened sequences even. Absolute values, so it can itself
//!   be killed and repeated.
//! * committed(n, k, m): undo the m entries of the unfinished task, make opened sequences even,
//!   then run the tasks k.. again. Each task ends with one store of (k+1, m=0), except that those which
//!   only fill the thread's cache of blocks are counted with what comes next ([`Journal::drop_while`]).
//!
//! The operations of a transaction share one log (`transaction`): one that fails is undone up to where
//! it began, and the rest goes on. When all of it is undone while its thread lives, object headers that
//! it took stay taken (kept entries), because handles may name them; each is then buried like any
//! other that nothing refers to. After a kill there are no such handles, and they are given back.
//!
//! Tasks (drop a count, free a block) run after the commit, because what they free must not be
//! reused while an undo may still need it. All of this is under the segment's writer lock, so a log
//! that is not idle belongs to the lock's holder or to a dead one: recovery is exact, and there is
//! no window that leaks. What a task *does* is the business of the floors above.

use crate::cell::Offset;
use crate::error::{Error, Result};
use crate::layout::{CACHE_CLASSES, LOG_BYTES, LOG_ENTRIES, thread};
use crate::memory::Memory;
use crate::primitive::{AtomicU64, Ordering};
use crate::seeded::{self, Bug};
use crate::watch;

mod cached;
mod confined;
mod own;
mod shared;
mod tasks;
mod undo;

pub(crate) use cached::CachedClass;
use cached::{CacheWords, NOTHING};
use confined::Confined;
pub(crate) use own::{Change, OwnWords};
use shared::block_of;
pub(crate) use shared::release_blocks;

const IDLE: u64 = 0;
const ACTIVE: u64 = 1;
const COMMITTED: u64 = 2;
/// The entries lie in the block that the log moved to.
const MOVED: u64 = 16;

/// Entries that an operation may log; the rest is for the steps of its tasks.
pub(crate) const OPERATION_ENTRIES: u64 = LOG_ENTRIES - STEP_ENTRIES;
/// Entries that one task may log.
pub(crate) const STEP_ENTRIES: u64 = 64;
/// Entries that most operations and tasks log after a block was given back.
const RESERVE: u64 = 16;
/// Most entries of a log: what the state word counts.
const MOST_ENTRIES: u64 = (1 << 24) - 1;
/// Where the entries start in a block of a transaction's log.
const BLOCK_HEAD: u64 = 16;

/// What an entry asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum Kind {
    /// Undo: store the old value.
    Word = 1,
    /// Undo and commit: make the object's sequence even.
    Object = 2,
    /// After commit: drop one count of the cell.
    Drop = 3,
    /// After commit: free the block.
    Free = 4,
    /// Undo after a kill: store the old value. Left alone when a live thread undoes.
    Kept = 5,
    /// After commit: bury the object, if nothing refers to it.
    Bury = 6,
}

/// Something to do after the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Drop one count of what this cell word refers to.
    Drop(u64),
    /// Free the block at this offset.
    Free(Offset),
    /// Bury the object at this offset, if nothing refers to it.
    Bury(Offset),
}

/// Handle. The log of a transaction between its operations.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    entries: u64,
    tasks: bool,
    changed: u64,
    /// Headers that the transaction took.
    created: Vec<Offset>,
    /// The block that the log moved to; 0 for the thread's own.
    block: Offset,
}

impl Parked {
    /// Whether the transaction took the header at this offset.
    pub(crate) fn has_made(&self, at: Offset) -> bool {
        self.created.contains(&at)
    }

    /// Where an operation, or a transaction inside of this one, begins.
    pub(crate) fn savepoint(&self) -> Savepoint {
        Savepoint { entries: self.entries, created: self.created.len() }
    }
}

/// Handle. A moment of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Savepoint {
    entries: u64,
    created: usize,
}

/// Resident. What to do and where, and the old value or the task's cell.
type Entry = [AtomicU64; 2];

/// Handle. The log of one thread slot, driven by its owner or by the one who recovers it.
pub(crate) struct Journal<'m> {
    memory: &'m Memory,
    state: &'m AtomicU64,
    log: &'m [Entry],
    phase: u64,
    entries: u64,
    done: u64,
    step: u64,
    tasks: bool,
    /// Change events of the objects that were opened (see `watch`).
    pub(crate) changed: u64,
    /// Most entries of objects that there may be, whose sequences are odd.
    opened: u64,
    /// Several operations share this log (see `transaction`).
    shared: bool,
    /// What is logged now is kept (see [`Kind::Kept`]).
    keep: bool,
    /// Entries that the running operation may reach, or that the steps of its tasks may.
    limit: u64,
    /// Headers that the transaction took.
    created: Vec<Offset>,
    /// The block that the log moved to; 0 for the thread's own.
    block: Offset,
    /// Free blocks that belong to the slot, and where they lie.
    cache: &'m CacheWords,
    cache_at: Offset,
    /// Where the slot names the block that the log moved to.
    moved_at: Offset,
    /// By size class: how many cached blocks an undo brings back, plus 1; 0 for as many as there are.
    restores: [u8; CACHE_CLASSES],
    /// Entries that a batch of blocks going from a cache to the pages leaves for what else is logged.
    pub(crate) reserve: u64,
    /// Pages that the operation needs, if it can be run again once they are there; none: no more than there are.
    pub(crate) wants_pages: Option<Wanted>,
    /// What the operation is confined to, and what it has found out.
    confined: Confined,
}

/// Pages that an operation needs: so many in a row, or so many more behind the last one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) count: u64,
    pub(crate) more: u64,
}

/// Fills an entry that is not counted yet.
#[inline]
fn write_entry([what, old]: &Entry, kind: Kind, at: Offset, value: u64) {
    old.store(value, Ordering::Release);
    what.store(((kind as u64) << 56) | at, Ordering::Release);
}

impl<'m> Journal<'m> {
    /// The log of a slot whose state is idle.
    pub(crate) fn idle(memory: &'m Memory, slot: u64) -> Result<Self> {
        match OwnWords::of(memory, slot) {
            Some(own) => Ok(Self::over(memory, &own)),
            None => Err(memory.corrupt(format!("no log of thread slot {slot}"))),
        }
    }

    /// The same, of the calling thread's.
    #[inline]
    pub(crate) fn over(memory: &'m Memory, own: &OwnWords) -> Self {
        if seeded::is(Bug::StaleLog) {
            let old = own.state.load(Ordering::Relaxed);
            own.state.store(old | (u64::from(old != IDLE) * ACTIVE), Ordering::Release);
        }
        Journal {
            memory,
            state: own.state,
            log: own.log,
            phase: IDLE,
            entries: 0,
            done: 0,
            step: 0,
            tasks: false,
            changed: 0,
            opened: 0,
            shared: false,
            keep: false,
            limit: OPERATION_ENTRIES,
            created: Vec::new(),
            block: 0,
            cache: own.cache,
            cache_at: own.cache_at,
            moved_at: own.slot_at + thread::LOG,
            restores: NOTHING,
            reserve: RESERVE,
            wants_pages: None,
            confined: Confined::NOT,
        }
    }

    /// Whether several operations share this log.
    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Whether nothing has been logged, and nothing need be.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.phase == IDLE && !self.shared
    }

    #[inline]
    fn publish(&self) {
        let moved = if self.block == 0 || self.phase == IDLE { 0 } else { MOVED };
        let word = self.phase | moved | (self.entries << 8) | (self.done << 32) | (self.step << 56);
        // Release: after the entry that it counts, before the store that the entry covers.
        self.state.store(word, Ordering::Release);
    }

    #[inline]
    fn push(&mut self, kind: Kind, at: Offset, value: u64) -> Result<()> {
        let index = self.entries + self.step;
        let Some(entry) = self.log.get(index as usize).filter(|_| index < self.limit) else {
            return Err(self.overflow());
        };
        if !seeded::is(Bug::CountBeforeEntry) {
            write_entry(entry, kind, at, value);
        }
        if self.phase == COMMITTED {
            self.step += 1;
        } else {
            self.phase = ACTIVE;
            self.entries += 1;
        }
        self.publish();
        if seeded::is(Bug::CountBeforeEntry) {
            write_entry(entry, kind, at, value);
        }
        Ok(())
    }

    #[cold]
    fn overflow(&self) -> Error {
        if self.is_shared() {
            // Of a transaction whose log had no memory to become larger.
            return Error::SegmentFull {
                name: self.memory.name.clone(),
                wanted: LOG_BYTES,
                used: self.memory.used().unwrap_or_default(),
                size: self.memory.size(),
                advice: "a transaction keeps what it changes until it ends: make it smaller, or free objects before it"
                    .to_owned(),
            };
        }
        debug_assert!(false, "an operation logs more than {OPERATION_ENTRIES} entries");
        Error::InvalidArgument {
            what: format!(
                "the operation changes more than {OPERATION_ENTRIES} words of {:?} at once: split it",
                self.memory.name
            ),
        }
    }

    /// Stores `new` into a word, undone unless the operation commits.
    #[inline]
    pub(crate) fn set(&mut self, at: Offset, word: &AtomicU64, new: u64) -> Result<()> {
        let old = word.load(Ordering::Relaxed);
        if seeded::is(Bug::StoreBeforeLog) || seeded::skips_log(self.memory, at) {
            word.store(new, Ordering::Release);
        }
        if !seeded::skips_log(self.memory, at) {
            self.push(if self.keep { Kind::Kept } else { Kind::Word }, at, old)?;
        }
        word.store(new, Ordering::Release);
        Ok(())
    }

    /// Makes an object's sequence odd, until commit or undo.
    #[inline]
    pub(crate) fn open(&mut self, object_at: Offset, sequence: &AtomicU64) -> Result<()> {
        self.changed |= watch::bit_of(object_at);
        let value = sequence.load(Ordering::Relaxed);
        if value & 1 == 1 {
            return Ok(());
        }
        if seeded::is(Bug::SequenceBeforeLog) {
            sequence.store(value.wrapping_add(1), Ordering::Release);
        }
        self.opened += 1;
        self.push(Kind::Object, object_at, 0)?;
        // Release is not needed before the data stores (they are Release themselves, and a reader
        // that sees one of them sees this), but keeps program order after the log entry.
        sequence.store(value.wrapping_add(1), Ordering::Release);
        Ok(())
    }

    /// The commit point; then the opened sequences become even. Tasks remain to be run.
    #[inline]
    pub(crate) fn commit(&mut self) {
        if self.phase != ACTIVE {
            return;
        }
        self.phase = COMMITTED;
        self.restores = NOTHING;
        self.limit = self.log.len() as u64;
        if seeded::is(Bug::CommitForgetsTasks) {
            self.state.store(IDLE, Ordering::Release);
        } else {
            self.publish();
        }
        self.close_sequences(0);
    }

    /// Ends an operation: the log is empty again.
    #[inline]
    pub(crate) fn finish(&mut self) {
        self.phase = IDLE;
        if seeded::is(Bug::StaleLog) {
            self.state.store(self.entries << 8, Ordering::Release);
            return;
        }
        self.entries = 0;
        self.done = 0;
        self.step = 0;
        self.tasks = false;
        self.restores = NOTHING;
        self.limit = OPERATION_ENTRIES;
        self.publish();
    }

    #[inline]
    fn entry(&self, index: u64) -> Option<(Option<Kind>, Offset, u64)> {
        let [what, value] = self.log.get(index as usize)?;
        let (what, value) = (what.load(Ordering::Relaxed), value.load(Ordering::Relaxed));
        let kind = match what >> 56 {
            1 => Some(Kind::Word),
            2 => Some(Kind::Object),
            3 => Some(Kind::Drop),
            4 => Some(Kind::Free),
            5 => Some(Kind::Kept),
            6 => Some(Kind::Bury),
            _ => None,
        };
        Some((kind, what & ((1 << 56) - 1), value))
    }
}

impl<'m> Journal<'m> {
    /// The segment that the log belongs to.
    #[inline]
    pub(crate) fn memory(&self) -> &'m Memory {
        self.memory
    }

    /// As [`Journal::put`], into a word of the header or of the entry of a page that is known to be
    /// there.
    #[inline]
    pub(crate) fn put_meta(&mut self, at: Offset, new: u64) -> Result<()> {
        self.ask_for_all()?;
        let word = self.memory.meta(at)?;
        self.set(at, word, new)
    }

    /// Stores `new` into the word at an offset, undone unless the operation commits.
    #[inline]
    pub(crate) fn put(&mut self, at: Offset, new: u64) -> Result<()> {
        self.ask_for_all()?;
        let word = self.memory.any_word(at)?;
        self.set(at, word, new)
    }
}
