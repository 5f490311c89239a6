//! Read-write locks: many readers or one writer, in phases, so that neither side starves.
//!
//! Handle. A reader has a word of its own in the table, by its thread slot, and so does not get in
//! the way of other readers; a writer takes the owner word (as a `Lock`, with its line) and waits
//! until no reader's word is held. A reader that finds a writer waits; a writer that leaves grants
//! all readers that wait at that moment before the next writer comes in.
//!
//! ```text
//! reader's word   incarnation 32 | depth 30 | state 2: 0 none, 1 waits, 2 reads
//! ```
//!
//! A dead reader's word is cleared by the writer that waits for it, a dead writer's by whoever is
//! next, who learns of it. A reader may read again inside; to become a writer it must stop reading.

use std::time::Duration;

use super::lock::Owned;
use super::wait::{Wait, spin};
use super::{EVENT, Form, OWNER, Primitive};
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::event;
use crate::heap::Heap;
use crate::peers::ThreadClaim;
use crate::primitive::{AtomicU64, Ordering};

const STATE: u64 = 3;
const WAITS: u64 = 1;
const READS: u64 = 2;
const ONE_DEEPER: u64 = 4;

/// Handle. A named read-write lock.
///
/// ```
/// use shm_core::{Segment, SegmentOptions};
/// let seg = Segment::create_anonymous(SegmentOptions::new())?;
/// let lock = seg.rwlock("book")?;
/// let reader = lock.read(None)?;
/// drop(reader);
/// let writer = lock.write(None)?;
/// assert!(!writer.owner_died());
/// # Ok::<(), shm_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RwLock {
    core: Owned,
}

/// Reads until it is dropped.
#[derive(Debug)]
#[must_use = "reading ends when the guard is dropped"]
pub struct ReadGuard<'l> {
    lock: &'l RwLock,
    owner_died: bool,
}

/// Writes until it is dropped.
#[derive(Debug)]
#[must_use = "writing ends when the guard is dropped"]
pub struct WriteGuard<'l> {
    lock: &'l RwLock,
    owner_died: bool,
}

impl ReadGuard<'_> {
    /// Whether a writer died that nobody has noticed before.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl WriteGuard<'_> {
    /// Whether the writer before died while it wrote.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl Drop for ReadGuard<'_> {
    fn drop(&mut self) {
        // A drop cannot fail: if the segment was closed meanwhile, the word goes with the slot.
        let _ = self.lock.release_read();
    }
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        // As above.
        let _ = self.lock.release_write();
    }
}

fn reads(me: ThreadClaim, depth: u64) -> u64 {
    (me.incarnation << 32) | (depth * ONE_DEEPER) | READS
}

fn waits(me: ThreadClaim) -> u64 {
    (me.incarnation << 32) | WAITS
}

/// How often the reader reads that a word of the table is of, if it does.
pub(super) fn reading(word: u64) -> Option<u64> {
    (word & STATE == READS).then_some((word & 0xFFFF_FFFF) / ONE_DEEPER)
}

impl RwLock {
    pub(crate) fn new(heap: &Heap, names: &Dict, name: &str) -> Result<Self> {
        let threads = heap.0.memory.geometry.threads;
        let primitive = Primitive::named(heap, names, Form::RwLock, name, threads, threads)?;
        Ok(RwLock { core: Owned::new(primitive) })
    }

    #[inline]
    fn own_word(&self, me: ThreadClaim) -> Result<&AtomicU64> {
        let table = self.core.primitive.table()?;
        table.get(me.slot as usize).ok_or_else(|| self.core.primitive.not_held("this thread"))
    }

    fn is_reading(word: u64, me: ThreadClaim) -> bool {
        word >> 32 == me.incarnation & 0xFFFF_FFFF && word & STATE == READS
    }

    /// Waits to read, together with other readers.
    ///
    /// # Errors
    /// `LockTimeout` naming the writer if it does not come to it in time.
    pub fn read(&self, timeout: Option<Duration>) -> Result<ReadGuard<'_>> {
        let owner_died = self.acquire_read(timeout)?;
        Ok(ReadGuard { lock: self, owner_died })
    }

    /// As [`RwLock::read`], without a guard: [`RwLock::release_read`] ends it.
    #[inline]
    pub fn acquire_read(&self, timeout: Option<Duration>) -> Result<bool> {
        let me = self.core.primitive.me()?;
        let own = self.own_word(me)?;
        let word = own.load(Ordering::Relaxed);
        if Self::is_reading(word, me) {
            own.store(word + ONE_DEEPER, Ordering::Relaxed);
            return Ok(false);
        }
        let owner = self.core.primitive.word(OWNER)?;
        if Self::try_read(own, owner, me) {
            return Ok(false);
        }
        self.read_contended(own, owner, me, timeout)
    }

    /// Says that it reads, unless there is a writer.
    #[inline]
    fn try_read(own: &AtomicU64, owner: &AtomicU64, me: ThreadClaim) -> bool {
        // SeqCst: pairs with the exchange and the loads of a writer. Either it sees this word, or its
        // own word is seen here.
        own.swap(reads(me, 1), Ordering::SeqCst);
        if owner.load(Ordering::SeqCst) == 0 {
            return true;
        }
        own.store(waits(me), Ordering::SeqCst);
        false
    }

    #[cold]
    fn read_contended(
        &self,
        own: &AtomicU64,
        owner: &AtomicU64,
        me: ThreadClaim,
        timeout: Option<Duration>,
    ) -> Result<bool> {
        let primitive = &self.core.primitive;
        let news = primitive.word(EVENT)?;
        // The writer may have seen the word while it said that this one reads.
        event::notify(news);
        let granted = || Self::is_reading(own.load(Ordering::Acquire), me);
        if owner.load(Ordering::Relaxed) == me.token() {
            own.store(0, Ordering::Release);
            return Err(Error::Deadlock {
                chain: format!("this thread writes under {primitive} and wants to read"),
            });
        }
        let wait = Wait::new(primitive, me, timeout);
        let free = || (granted() || owner.load(Ordering::Relaxed) == 0).then_some(());
        if !wait.is_over() {
            spin(free);
        }
        let result = loop {
            let seen = event::observe(news);
            if granted() {
                return Ok(false);
            }
            let held_by = owner.load(Ordering::Acquire);
            if held_by == 0 {
                if Self::try_read(own, owner, me) {
                    return Ok(false);
                }
                event::notify(news);
                continue;
            }
            match self.take_from_the_dead(owner, held_by, own, me, wait.is_thorough()) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => break error,
            }
            if wait.is_over() {
                break wait.timed_out(ThreadClaim::of_token(held_by));
            }
            if let Err(error) = wait.nap_until_news(news, seen) {
                break error;
            }
        };
        if own.compare_exchange(waits(me), 0, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // It was granted in the last moment, and the caller wants it no more.
            self.release_read()?;
        }
        Err(result)
    }

    /// Takes the owner word from a dead writer, reads, and lets the others in. Whether it did.
    fn take_from_the_dead(
        &self,
        owner: &AtomicU64,
        held_by: u64,
        own: &AtomicU64,
        me: ThreadClaim,
        thorough: bool,
    ) -> Result<bool> {
        let memory = &self.core.primitive.heap().0.memory;
        let dead = match ThreadClaim::of_token(held_by) {
            Some(claim) => memory.thread_is_dead(claim, thorough)?,
            None => true,
        };
        if !dead
            || owner
                .compare_exchange(held_by, me.token(), Ordering::AcqRel, Ordering::Relaxed)
                .is_err()
        {
            return Ok(false);
        }
        own.store(reads(me, 1), Ordering::SeqCst);
        self.release_write()?;
        Ok(true)
    }

    /// Reads no more, once.
    ///
    /// # Errors
    /// `NotHeld` if the calling thread does not read.
    #[inline]
    pub fn release_read(&self) -> Result<()> {
        let me = self.core.primitive.me()?;
        let own = self.own_word(me)?;
        let word = own.load(Ordering::Relaxed);
        if !Self::is_reading(word, me) {
            return Err(self.core.primitive.not_held("this thread for reading"));
        }
        if word & 0xFFFF_FFFF >= 2 * ONE_DEEPER {
            own.store(word - ONE_DEEPER, Ordering::Relaxed);
            return Ok(());
        }
        // SeqCst: either the writer sees that nobody reads, or it is seen here and woken.
        own.swap(0, Ordering::SeqCst);
        if self.core.primitive.word(OWNER)?.load(Ordering::SeqCst) != 0 {
            event::notify(self.core.primitive.word(EVENT)?);
        }
        Ok(())
    }

    /// Waits to write, alone.
    ///
    /// # Errors
    /// `LockTimeout` naming the writer or one of the readers; `Deadlock` if the calling thread
    /// reads.
    pub fn write(&self, timeout: Option<Duration>) -> Result<WriteGuard<'_>> {
        let owner_died = self.acquire_write(timeout)?;
        Ok(WriteGuard { lock: self, owner_died })
    }

    /// As [`RwLock::write`], without a guard: [`RwLock::release_write`] ends it.
    pub fn acquire_write(&self, timeout: Option<Duration>) -> Result<bool> {
        let primitive = &self.core.primitive;
        let me = primitive.me()?;
        if Self::is_reading(self.own_word(me)?.load(Ordering::Relaxed), me) {
            return Err(Error::Deadlock {
                chain: format!("this thread reads under {primitive} and wants to write"),
            });
        }
        let wait = Wait::new(primitive, me, timeout);
        let died = self.core.take(me, timeout)?;
        wait.goes_inside();
        match self.drain(&wait) {
            Ok(()) => Ok(died),
            Err(error) => {
                self.release_write()?;
                Err(error)
            }
        }
    }

    /// Waits until nobody reads.
    fn drain(&self, wait: &Wait<'_>) -> Result<()> {
        let primitive = &self.core.primitive;
        let news = primitive.word(EVENT)?;
        // SeqCst: see `try_read`.
        let busy = |word: &AtomicU64| word.load(Ordering::SeqCst) & STATE == READS;
        let slots = primitive.heap().0.memory.thread_slots()?.end as usize;
        let table = primitive.table()?;
        let table = table.get(..slots).unwrap_or(table);
        if spin(|| (!table.iter().any(busy)).then_some(())).is_some() {
            return Ok(());
        }
        loop {
            let seen = event::observe(news);
            let mut reads = None;
            for (slot, word) in table.iter().enumerate() {
                let reader = word.load(Ordering::SeqCst);
                if reader & STATE != READS {
                    continue;
                }
                let claim = ThreadClaim { slot: slot as u64, incarnation: reader >> 32 };
                let memory = &primitive.heap().0.memory;
                let gone = memory.thread_is_dead(claim, wait.is_thorough())?
                    && word
                        .compare_exchange(reader, 0, Ordering::AcqRel, Ordering::Relaxed)
                        .is_ok();
                if !gone {
                    reads = Some(claim);
                }
            }
            if reads.is_none() {
                return Ok(());
            }
            if wait.is_over() {
                return Err(wait.timed_out(reads));
            }
            wait.nap_until_news(news, seen)?;
        }
    }

    /// Writes no more: readers that wait go first, then the next writer.
    ///
    /// # Errors
    /// `NotHeld` if the calling thread does not write.
    pub fn release_write(&self) -> Result<()> {
        let primitive = &self.core.primitive;
        let me = primitive.me()?;
        if self.core.holder()? != Some(me) {
            return Err(primitive.not_held("this thread for writing"));
        }
        let slots = primitive.heap().0.memory.thread_slots()?.end as usize;
        for word in primitive.table()?.iter().take(slots) {
            let reader = word.load(Ordering::SeqCst);
            if reader & STATE == WAITS {
                let granted = (reader & !0xFFFF_FFFF) | ONE_DEEPER | READS;
                // AcqRel: what was written is published to the reader.
                let _ = word.compare_exchange(reader, granted, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
        self.core.give(me.token())?;
        event::notify(primitive.word(EVENT)?);
        Ok(())
    }

    /// Whether somebody writes.
    pub fn is_written(&self) -> Result<bool> {
        self.core.is_held()
    }

    /// How many threads read.
    pub fn readers(&self) -> Result<usize> {
        let table = self.core.primitive.table()?;
        Ok(table.iter().filter(|word| word.load(Ordering::Relaxed) & STATE == READS).count())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.primitive.name
    }
}
