//! The words of a thread's slot that an operation changes, at hand; and whole operations of few words,
//! known beforehand: a word of an object and two cached blocks, or several words of one block.
//!
//! Those use the same log and the same states as an operation that finds out as it goes (`journal`), but all
//! entries are written first and counted by one store. There is no task, so killed after the commit it
//! has only a sequence left to make even. Which block is what is the business of `quick::leaf`, what the
//! words mean that of `plain`. The caller holds the writer lock, and its log is idle.

use super::{ACTIVE, COMMITTED, CachedClass, Entry, IDLE, Kind, OPERATION_ENTRIES, write_entry};
use crate::cell::Offset;
use crate::layout::{CACHE_BLOCKS, CACHE_BYTES, CACHE_CLASSES, LOG_BYTES, LOG_ENTRIES, thread};
use crate::memory::Memory;
use crate::primitive::{AtomicU64, Ordering};
use crate::seeded::{self, Bug};

/// Handle. State, log and cache of a thread's slot. They stay where they are until the process exits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnWords {
    pub(super) state: &'static AtomicU64,
    pub(super) log: &'static [Entry; LOG_ENTRIES as usize],
    pub(super) cache: &'static [CachedClass; CACHE_CLASSES],
    /// Where the slot lies.
    pub(super) slot_at: Offset,
    /// Where its cache lies.
    pub(super) cache_at: Offset,
}

static NO_STATE: AtomicU64 = AtomicU64::new(0);
static NO_LOG: [Entry; LOG_ENTRIES as usize] =
    [const { [const { AtomicU64::new(0) }; 2] }; LOG_ENTRIES as usize];
static NO_CACHE: [CachedClass; CACHE_CLASSES] =
    [const { [const { AtomicU64::new(0) }; CACHE_BLOCKS + 1] }; CACHE_CLASSES];

/// What changes besides the cache: a word of an object, under its sequence.
pub(crate) struct Change<'m> {
    pub(crate) object_at: Offset,
    pub(crate) sequence: &'m AtomicU64,
    pub(crate) word_at: Offset,
    pub(crate) word: &'m AtomicU64,
    pub(crate) new: u64,
}

impl OwnWords {
    /// Of no slot.
    pub(crate) const NONE: OwnWords =
        OwnWords { state: &NO_STATE, log: &NO_LOG, cache: &NO_CACHE, slot_at: 0, cache_at: 0 };

    /// Those of a slot.
    pub(crate) fn of(memory: &Memory, slot: u64) -> Option<Self> {
        let (slot_at, log_at) = (memory.geometry.thread_at(slot), memory.geometry.log_at(slot));
        let cache_at = log_at + LOG_BYTES;
        let state = memory.lasting_meta(slot_at + thread::STATE, 1)?.first()?;
        let log = memory.lasting_meta(log_at, LOG_BYTES / 8)?.as_chunks().0.first_chunk()?;
        let cache = memory.lasting_meta(cache_at, CACHE_BYTES / 8)?.as_chunks().0.first_chunk()?;
        Some(OwnWords { state, log, cache, slot_at, cache_at })
    }

    #[inline]
    fn cached_at(&self, class: u8, index: usize) -> Offset {
        self.cache_at + u64::from(class) * size_of::<CachedClass>() as u64 + index as u64 * 8
    }

    /// The block that is taken next, of a class.
    #[inline]
    pub(crate) fn top(&self, class: u8) -> Option<Offset> {
        let words = self.cache.get(usize::from(class))?;
        let count = words[0].load(Ordering::Relaxed) as usize;
        if count == 0 {
            return None;
        }
        words.get(count).map(|word| word.load(Ordering::Relaxed))
    }

    /// The word changes, the block on top of its class leaves the cache, another one enters it. `None`:
    /// there is no room for that one, and nothing was done.
    #[inline]
    pub(crate) fn exchange(
        self,
        change: &Change<'_>,
        (class, block): (u8, Offset),
        (freed_class, freed): (u8, Offset),
    ) -> Option<()> {
        let Change { object_at, sequence, word_at, word, new } = *change;
        let words = self.cache.get(usize::from(class))?;
        let count = words[0].load(Ordering::Relaxed);
        let old = word.load(Ordering::Relaxed);
        let was = sequence.load(Ordering::Relaxed);
        let freed_words = self.cache.get(usize::from(freed_class))?;
        let freed_count = freed_words[0].load(Ordering::Relaxed);
        self.note(0, Kind::Object, object_at, 0);
        self.note(1, Kind::Word, word_at, old);
        let entries = if class == freed_class {
            // The other one takes its place.
            let place = words.get(count as usize)?;
            self.note(2, Kind::Word, self.cached_at(class, count as usize), block);
            self.begin(if seeded::is(Bug::ExchangeHalfLogged) { 2 } else { 3 });
            sequence.store(was.wrapping_add(1), Ordering::Release);
            word.store(new, Ordering::Release);
            place.store(freed, Ordering::Release);
            3
        } else {
            let place = freed_words.get((freed_count as usize).checked_add(1)?)?;
            self.note(2, Kind::Word, self.cached_at(class, 0), count);
            self.note(3, Kind::Word, self.cached_at(freed_class, 0), freed_count);
            self.begin(4);
            sequence.store(was.wrapping_add(1), Ordering::Release);
            word.store(new, Ordering::Release);
            words[0].store(count.wrapping_sub(1), Ordering::Release);
            place.store(freed, Ordering::Release);
            freed_words[0].store(freed_count.wrapping_add(1), Ordering::Release);
            4
        };
        self.end(entries, sequence, was);
        Some(())
    }

    /// Words of an object's block, which lie one behind the other from an offset on, become others.
    /// `None`: there is no room to log them, and nothing was done.
    #[inline(never)]
    pub(crate) fn overwrite(
        self,
        object_at: Offset,
        sequence: &AtomicU64,
        (words_at, words): (Offset, &[AtomicU64]),
        new: &[u64],
    ) -> Option<()> {
        let mut log = self.log.iter().take(OPERATION_ENTRIES as usize);
        write_entry(log.next()?, Kind::Object, object_at, 0);
        let mut entries = 1;
        for ((word, new), at) in words.iter().zip(new).zip((words_at..).step_by(8)) {
            let old = word.load(Ordering::Relaxed);
            if old != *new {
                write_entry(log.next()?, Kind::Word, at, old);
                entries += 1;
            }
        }
        self.begin(if seeded::is(Bug::OverwriteHalfLogged) { entries - 1 } else { entries });
        let was = sequence.load(Ordering::Relaxed);
        sequence.store(was.wrapping_add(1), Ordering::Release);
        // What is the same is stored too: there is nothing to undo.
        for (word, new) in words.iter().zip(new) {
            word.store(*new, Ordering::Release);
        }
        self.end(entries, sequence, was);
        Some(())
    }

    /// Writes an entry that [`OwnWords::begin`] counts.
    #[inline]
    fn note(&self, index: usize, kind: Kind, at: Offset, value: u64) {
        if let Some(entry) = self.log.get(index) {
            write_entry(entry, kind, at, value);
        }
    }

    /// Counts the first entries, all at once.
    #[inline]
    fn begin(&self, entries: u64) {
        // Release: after the entries, before the stores that they cover.
        self.state.store(ACTIVE | (entries << 8), Ordering::Release);
    }

    /// The commit, and what follows it.
    #[inline]
    fn end(&self, entries: u64, sequence: &AtomicU64, was: u64) {
        // Release: after all that is committed.
        self.state.store(COMMITTED | (entries << 8), Ordering::Release);
        // Release: pairs with the Acquire load of the sequence in `Heap::read`.
        sequence.store(was.wrapping_add(2), Ordering::Release);
        self.state.store(IDLE, Ordering::Release);
    }
}
