//! Free blocks of small classes that a thread slot keeps at hand, so that most blocks come and go by
//! one logged word.
//!
//! ```text
//! cache of a class   {count}{offset 0}{offset 1} ... {offset 126}
//! ```
//!
//! A cached block is taken as far as its page is concerned, and belongs to the cache: it is in exactly
//! one of pages, caches and content at every moment that a kill can leave. Taking a block lowers the
//! count, giving one back stores its offset behind the others and raises the count; what lies behind
//! the count means nothing. The count is logged once for each operation or task that changes it. An
//! offset that an undo of the count would bring back is logged too before another takes its place,
//! which happens only where a cache ran empty or full on the way; then blocks move between cache and
//! pages in batches, of which a page's words change once.
//!
//! A cache belongs to the slot, not to the thread: who takes a slot over has its blocks, so neither a
//! thread's end nor its death needs a step here. Caches of slots that nobody has, or a dead process,
//! are emptied when convenient, and all of them before a segment is called full. The caller holds the
//! writer lock. Logs of the dead are finished without a cache (`Journal::of_the_dead`).

use crate::cell::Offset;
use crate::error::{Error, Result};
use crate::journal::{CachedClass, Journal};
use crate::layout::{CACHE_BLOCKS, CACHE_CLASSES, page_kind};
use crate::memory::Memory;
use crate::primitive::{AtomicU64, Ordering};

use super::class::Cut;
use super::page;

/// Most blocks that move between a cache and the pages at once.
const BATCH: usize = 32;
/// Bytes of blocks that come from the pages at once, if these are four at least.
const BATCH_BYTES: u64 = 4096;
/// With fewer entries left, blocks are taken singly.
const ROOM_FOR_A_BATCH: u64 = 64;
/// Entries that giving blocks of one page back takes at most, beside a word for each block.
const PER_PAGE: u64 = 7;

/// How many there are; more than fit are damage, and none.
#[inline]
fn count_of(words: &CachedClass) -> usize {
    let count = words[0].load(Ordering::Relaxed) as usize;
    if count <= CACHE_BLOCKS { count } else { 0 }
}

/// Takes a block of a small class; `None`: there is none at hand, see [`refill`].
#[inline]
pub(super) fn take(journal: &mut Journal<'_>, class: u8) -> Option<Offset> {
    let words = journal.cached(class)?;
    let count = count_of(words);
    // Whether it lies in the data pages is found by whoever fills it.
    let block = words[count].load(Ordering::Relaxed);
    if count == 0 || !block.is_multiple_of(16) {
        return None;
    }
    journal.set_cached(class, words, count, count - 1).ok()?;
    Some(block)
}

#[cold]
fn no_block(memory: &Memory, class: u8, at: Offset) -> Error {
    memory.corrupt(format!("{at:#x} in a cache of class {class} is no block"))
}

/// Takes blocks from a page: one for the caller, others for the cache.
#[cold]
pub(super) fn refill(journal: &mut Journal<'_>, class: u8) -> Result<Offset> {
    let Some(words) = journal.cached(class).filter(|_| journal.room() >= ROOM_FOR_A_BATCH) else {
        return page::take_block(journal, class);
    };
    let count = count_of(words);
    if count > 0 {
        let block = words[count].load(Ordering::Relaxed);
        if !block.is_multiple_of(16) {
            return Err(no_block(journal.memory(), class, block));
        }
        // Taking it was refused for want of room in the log.
        journal.set_cached(class, words, count, count - 1)?;
        return Ok(block);
    }
    let mut taken = [0; BATCH];
    let most = (BATCH_BYTES / Cut::of(class).size).clamp(4, BATCH as u64) as usize;
    let places = taken.get_mut(..most).unwrap_or_default();
    let count = page::take_blocks(journal, class, places, page::kept_of(class))?;
    let Some((first, others)) = taken.get(..count).and_then(<[Offset]>::split_first) else {
        return Err(journal.memory().corrupt(format!("no block of class {class} was taken")));
    };
    // In reverse, so that they are taken in the order in which they lie.
    for (index, block) in others.iter().rev().enumerate() {
        journal.put_cached(class, words, index, *block)?;
    }
    journal.set_cached(class, words, 0, others.len())?;
    Ok(*first)
}

/// Gives a block of a small class back; `false` if it must go to its page.
#[inline]
pub(super) fn give(journal: &mut Journal<'_>, class: u8, block: Offset) -> Result<bool> {
    let Some(words) = journal.cached(class) else { return Ok(false) };
    let mut count = count_of(words);
    if count == CACHE_BLOCKS {
        count = make_room(journal, class, words)?;
        if count == CACHE_BLOCKS {
            return Ok(false);
        }
    }
    journal.put_cached(class, words, count, block)?;
    journal.set_cached(class, words, count, count + 1)?;
    Ok(true)
}

/// Whether a block lies in the caller's cache.
pub(super) fn holds(journal: &Journal<'_>, class: u8, block: Offset) -> bool {
    journal.cached(class).is_some_and(|words| {
        let of_this = |word: &AtomicU64| word.load(Ordering::Relaxed) == block;
        words[1..=count_of(words)].iter().any(of_this)
    })
}

/// Moves blocks of a full cache to their pages, as many as the log has room for; how many are left.
#[cold]
fn make_room(journal: &mut Journal<'_>, class: u8, words: &CachedClass) -> Result<usize> {
    let room = journal.room().saturating_sub(journal.reserve);
    let count = count_of(words);
    let Some((blocks, most)) = top(words, count, room) else { return Ok(count) };
    let left = count - most;
    journal.set_cached(class, words, count, left)?;
    page::give_blocks(journal, class, blocks.get(..most).unwrap_or_default())?;
    Ok(left)
}

/// The topmost blocks, in the order of their offsets, and how many of them so many entries are enough
/// for; `None` for none.
fn top(words: &CachedClass, count: usize, room: u64) -> Option<([Offset; BATCH], usize)> {
    let mut most = count.min(BATCH);
    while most > 0 {
        let mut blocks = [0; BATCH];
        for (to, from) in blocks.iter_mut().zip(words[1..=count].iter().rev()).take(most) {
            *to = from.load(Ordering::Relaxed);
        }
        let taken = blocks.get_mut(..most)?;
        taken.sort_unstable();
        let page_of = |block: &Offset| block / crate::layout::PAGE_BYTES;
        let pages = taken.chunk_by(|one, two| page_of(one) == page_of(two)).count() as u64;
        if most as u64 + pages * PER_PAGE < room {
            return Some((blocks, most));
        }
        most /= 2;
    }
    None
}

/// Moves some blocks of a slot's cache to their pages, as an operation of the caller; whether there
/// were any.
pub(super) fn empty_some(journal: &mut Journal<'_>, slot: u64) -> Result<bool> {
    let memory = journal.memory();
    for class in 0..CACHE_CLASSES as u8 {
        let class_at = memory.geometry.cached_at(slot, class);
        let words = memory.meta_words(class_at, CACHE_BLOCKS as u64 + 1)?.first_chunk();
        let Some(words) = words else { continue };
        let count = count_of(words);
        let Some((blocks, most)) = top(words, count, journal.room()) else { continue };
        if journal.is_of(slot) {
            journal.set_cached(class, words, count, count - most)?;
        } else {
            journal.put(class_at, (count - most) as u64)?;
        }
        page::give_blocks(journal, class, blocks.get(..most).unwrap_or_default())?;
        return Ok(true);
    }
    Ok(false)
}

/// A block in a cache, as somebody who looks at all of them finds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cached {
    /// Whose cache it is.
    pub(crate) slot: u64,
    /// Of what class.
    pub(crate) class: u8,
    /// Where the block lies.
    pub(crate) at: Offset,
}

impl Cached {
    /// Bytes of the block, if the cache is right.
    pub(crate) fn bytes(&self) -> u64 {
        Cut::of(self.class).size
    }
}

/// Calls `visit` with each cached block, and `wrong` with each class of a slot that has more than fit.
/// What is wrong may be anything: nothing is followed. Needs no lock.
pub(super) fn for_each(
    memory: &Memory,
    mut visit: impl FnMut(Cached),
    mut wrong: impl FnMut(u64, u8, u64),
) -> Result<()> {
    for slot in memory.thread_slots()? {
        let words = memory.read_cache(slot)?;
        for (class, words) in words.chunks_exact(CACHE_BLOCKS + 1).enumerate() {
            let Some((count, blocks)) = words.split_first() else { continue };
            let class = class as u8;
            if *count > CACHE_BLOCKS as u64 {
                wrong(slot, class, *count);
                continue;
            }
            for at in blocks.iter().take(*count as usize) {
                visit(Cached { slot, class, at: *at });
            }
        }
    }
    Ok(())
}

/// Whether a cached block is what a cache may hold: of its class, and taken as far as its page knows.
pub(super) fn is_right(memory: &Memory, cached: Cached) -> bool {
    let Ok((number, entry)) = super::entry_of(memory, cached.at) else { return false };
    let of_class = entry.kind() == page_kind::SMALL && entry.class() == cached.class;
    let free = |index| entry.is_free(memory, number, index);
    of_class && entry.index_of(memory, number, cached.at).and_then(free).is_ok_and(|free| !free)
}
