//! Words of the slot's cache of free blocks, logged no more often than undoing needs.
//!
//! The count of a class is logged once for an operation, and once for a task: undoing restores what it
//! was at the beginning, whatever happened in between. Offsets behind that count mean nothing then, so
//! they are stored without the log. In a transaction operations are undone one by one *and* as a whole,
//! so there each operation logs the count, and every offset that it stores. What a block is, and when
//! blocks move, is `alloc::cache`'s business. The caller holds the writer lock.

use super::{COMMITTED, Journal, Kind, STEP_ENTRIES, Task};
use crate::cell::{Cell, Offset};
use crate::error::Result;
use crate::layout::{CACHE_BLOCKS, CACHE_BYTES, CACHE_CLASSES, CachedBlocks};
use crate::primitive::{AtomicU64, Ordering};
use crate::seeded::{self, Bug};

/// The words of a class's cache: the count, then the offsets.
pub(crate) type CachedClass = [AtomicU64; CACHE_BLOCKS + 1];

/// The classes of a cache; none for a log that is driven without one.
pub(super) type CacheWords = [CachedClass];

/// No count has changed.
pub(super) const NOTHING: [u8; CACHE_CLASSES] = [0; CACHE_CLASSES];

impl<'m> Journal<'m> {
    /// The cached blocks of a class, if the class has any.
    #[inline]
    pub(crate) fn cached(&self, class: u8) -> Option<&'m CachedClass> {
        self.cache.get(usize::from(class))
    }

    /// Entries that the operation or the task may still log.
    pub(crate) fn room(&self) -> u64 {
        if self.phase == COMMITTED {
            STEP_ENTRIES.saturating_sub(self.step)
        } else {
            self.limit.saturating_sub(self.entries)
        }
    }

    /// What the running task has done so far is done, whatever becomes of the rest of it: one store, as at
    /// a task's end. The task itself says what is left.
    pub(crate) fn part_done(&mut self) {
        self.step = 0;
        self.restores = NOTHING;
        self.publish();
    }

    /// Whether this is the log of a slot.
    pub(crate) fn is_of(&self, slot: u64) -> bool {
        self.cache_at == self.memory.geometry.cache_at(slot)
    }

    #[inline]
    fn cached_at(&self, class: u8, index: usize) -> Offset {
        self.cache_at + u64::from(class) * size_of::<CachedClass>() as u64 + index as u64 * 8
    }

    /// Changes how many blocks of a class are cached, from `old`.
    #[inline]
    pub(crate) fn set_cached(
        &mut self,
        class: u8,
        words: &CachedClass,
        old: usize,
        new: usize,
    ) -> Result<()> {
        if self.restores.get(usize::from(class)) == Some(&0) && !seeded::is(Bug::CacheNotLogged) {
            self.log_count(class, old)?;
        }
        words[0].store(new as u64, Ordering::Release);
        Ok(())
    }

    #[inline(never)]
    fn log_count(&mut self, class: u8, old: usize) -> Result<()> {
        self.push(Kind::Word, self.cached_at(class, 0), old as u64)?;
        if let Some(restores) = self.restores.get_mut(usize::from(class)) {
            *restores = old as u8 + 1;
        }
        Ok(())
    }

    /// Stores the offset of a cached block, at a place behind the count.
    #[inline]
    pub(crate) fn put_cached(
        &mut self,
        class: u8,
        words: &CachedClass,
        place: usize,
        block: Offset,
    ) -> Result<()> {
        let Some(word) = words.get(place + 1) else { return Ok(()) };
        let restores = self.restores.get(usize::from(class)).copied().unwrap_or(0);
        let comes_back = place + 1 < usize::from(restores);
        let in_transaction = self.shared && self.phase != COMMITTED;
        if (comes_back || in_transaction) && !seeded::is(Bug::CachedOffsetNotLogged) {
            return self.set(self.cached_at(class, place + 1), word, block);
        }
        word.store(block, Ordering::Release);
        Ok(())
    }
}

impl Journal<'_> {
    /// Adds a block to the cache, as all that a task does: then it needs no log and need not be counted,
    /// because who recovers finds the block in the cache ([`Journal::was_run`]).
    #[inline]
    pub(crate) fn add_cached(&self, class: u8, block: Offset) -> Option<()> {
        let words = self.cached(class)?;
        let count = words[0].load(Ordering::Relaxed);
        words.get((count as usize).checked_add(1)?)?.store(block, Ordering::Release);
        words[0].store(count.wrapping_add(1), Ordering::Release);
        Some(())
    }

    /// Whether the task of a dead thread that was not counted as done was one that only added a block
    /// to the thread's cache, and did so. Nobody takes blocks from there before all that is recovered,
    /// and the thread itself did so only in tasks that log, which count those before them.
    pub(super) fn was_run(&self, task: Task) -> bool {
        let at = match task {
            Task::Drop(cell) => Cell(cell).as_ref().map(|reference| reference.at),
            Task::Free(at) => Some(at),
            Task::Bury(_) => None,
        };
        let Some(at) = at else { return false };
        let words = self.memory.meta_words(self.cache_at, CACHE_BYTES / 8);
        let classes: &[CachedClass] = words.map_or(&[], |words| words.as_chunks().0);
        classes.iter().any(|[count, blocks @ ..]| {
            let count = count.load(Ordering::Relaxed) as usize;
            let mut cached = blocks.get(..count).unwrap_or_default().iter();
            cached.any(|block| block.load(Ordering::Relaxed) == at)
        })
    }
}

const _: () = assert!(size_of::<CachedClass>() == size_of::<CachedBlocks>());
