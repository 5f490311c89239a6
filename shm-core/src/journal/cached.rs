//! Words of the slot's cache of free blocks, logged no more often than undoing needs.
//!
//! The count of a class is logged once for an operation, and once for a task: undoing restores what it
//! was at the beginning, whatever happened in between. Offsets behind that count mean nothing then, so
//! they are stored without the log. In a transaction operations are undone one by one *and* as a whole,
//! so there each operation logs the count, and every offset that it stores. What a block is, and when
//! blocks move, is `alloc::cache`'s business. The caller holds the writer lock.

use super::{ACTIVE, COMMITTED, Journal, Kind, STEP_ENTRIES, Task};
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
        if let Some(restores) = self.restores.get_mut(usize::from(class))
            && *restores == 0
            && !seeded::is(Bug::CacheNotLogged)
        {
            *restores = old as u8 + 1;
            self.push(Kind::Word, self.cached_at(class, 0), old as u64)?;
        }
        words[0].store(new as u64, Ordering::Release);
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

/// One word of an object, that refers to another block afterwards.
pub(crate) struct Exchange<'m> {
    pub(crate) object_at: Offset,
    pub(crate) sequence: &'m AtomicU64,
    pub(crate) word: &'m AtomicU64,
    pub(crate) new: u64,
}

impl<'m> Journal<'m> {
    /// The block that is taken next, of a class.
    #[inline]
    pub(crate) fn top_cached(&self, class: u8) -> Option<Offset> {
        let words = self.cached(class)?;
        let count = words[0].load(Ordering::Relaxed) as usize;
        if count == 0 {
            return None;
        }
        words.get(count).map(|word| word.load(Ordering::Relaxed))
    }

    /// A whole operation: a word changes, the block on top of its class leaves the cache, another one
    /// enters it. `None`: there is no room for that one, and nothing was done.
    #[inline]
    pub(crate) fn exchange(
        &mut self,
        change: &Exchange<'m>,
        (class, block): (u8, Offset),
        (freed_class, freed): (u8, Offset),
    ) -> Option<()> {
        let Exchange { object_at, sequence, word, new } = *change;
        let words = self.cached(class)?;
        let count = words[0].load(Ordering::Relaxed);
        let at = self.memory.offset_of(word);
        let old = word.load(Ordering::Relaxed);
        let was = sequence.load(Ordering::Relaxed);
        self.note(0, Kind::Object, object_at, 0)?;
        self.note(1, Kind::Word, at, old)?;
        if class == freed_class {
            // The other one takes its place.
            let place = words.get(count as usize)?;
            self.note(2, Kind::Word, self.cached_at(class, count as usize), block)?;
            self.begin(3);
            sequence.store(was.wrapping_add(1), Ordering::Release);
            word.store(new, Ordering::Release);
            place.store(freed, Ordering::Release);
        } else {
            let freed_words = self.cached(freed_class)?;
            let freed_count = freed_words[0].load(Ordering::Relaxed);
            let place = freed_words.get((freed_count as usize).checked_add(1)?)?;
            self.note(2, Kind::Word, self.cached_at(class, 0), count)?;
            self.note(3, Kind::Word, self.cached_at(freed_class, 0), freed_count)?;
            self.begin(4);
            sequence.store(was.wrapping_add(1), Ordering::Release);
            word.store(new, Ordering::Release);
            words[0].store(count.wrapping_sub(1), Ordering::Release);
            place.store(freed, Ordering::Release);
            freed_words[0].store(freed_count.wrapping_add(1), Ordering::Release);
        }
        self.phase = COMMITTED;
        self.publish();
        // Release: pairs with the Acquire load of the sequence in `Heap::read`.
        sequence.store(was.wrapping_add(2), Ordering::Release);
        self.finish();
        Some(())
    }

    /// Adds a block to the cache, as all that a task does: then it needs no log, because who recovers a
    /// task that was not counted as done finds the block on top ([`Journal::was_run`]).
    #[inline]
    pub(crate) fn add_cached(&self, class: u8, block: Offset) -> Option<()> {
        let words = self.cached(class)?;
        let count = words[0].load(Ordering::Relaxed);
        words.get((count as usize).checked_add(1)?)?.store(block, Ordering::Release);
        words[0].store(count.wrapping_add(1), Ordering::Release);
        Some(())
    }

    /// Whether the task of a dead thread that was not counted as done was one that only added a block
    /// to the thread's cache, and did so.
    pub(super) fn was_run(&self, task: Task) -> bool {
        let Task::Drop(cell) = task else { return false };
        let Some(reference) = Cell(cell).as_ref() else { return false };
        let words = self.memory.meta_words(self.cache_at, CACHE_BYTES / 8);
        let classes: &[CachedClass] = words.map_or(&[], |words| words.as_chunks().0);
        classes.iter().any(|words| {
            let count = words[0].load(Ordering::Relaxed) as usize;
            let top = words.get(count).filter(|_| count > 0);
            top.is_some_and(|top| top.load(Ordering::Relaxed) == reference.at)
        })
    }

    /// Writes an entry that [`Journal::begin`] counts.
    #[inline]
    fn note(&self, index: usize, kind: Kind, at: Offset, value: u64) -> Option<()> {
        let [what, old] = self.log.get(index * 2..index * 2 + 2)? else { return None };
        old.store(value, Ordering::Release);
        what.store(((kind as u64) << 56) | at, Ordering::Release);
        Some(())
    }

    /// Counts the first entries, all at once.
    #[inline]
    fn begin(&mut self, entries: u64) {
        self.phase = ACTIVE;
        self.entries = entries;
        self.publish();
    }
}

const _: () = assert!(size_of::<CachedClass>() == size_of::<CachedBlocks>());
