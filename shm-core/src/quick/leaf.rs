//! Fast path: text or bytes in the place of another immutable block, taken from and given to the cache.
//!
//! The usual case of the most frequent operation that needs a block: a cell of an object refers to a
//! leaf that nothing else refers to, and is to hold another one. Both blocks are small, the thread's
//! cache has a block for the new one and room for the old one. Then the operation is a handful of
//! words, logged with one count and without a task: the new block leaves the cache and the old one
//! enters it in the same step in which the cell changes. If both are of one size, the old one takes
//! the new one's place in the cache and the count stays. Killed at any instruction, the log undoes it,
//! or it is done. Whatever is not as usual is left to [`Heap::write`].

use crate::alloc;
use crate::cell::{Cell, Kind, Offset};
use crate::heap::Heap;
use crate::journal::Change;
use crate::layout::{LEAF_DATA, leaf, object};
use crate::lock::brief;
use crate::memory::Memory;
use crate::object::Meta;
use crate::primitive::{AtomicU64, Ordering, fence};
use crate::session::{Armed, Session};
use crate::sys::copy;
use crate::watch;

use super::Header;

impl Heap {
    /// Stores text or bytes that do not fit into a cell into a word of an object, in the place of what
    /// that refers to. `find` runs under the object's stripe of the writer lock. `false`: nothing was done.
    #[inline]
    pub(crate) fn poke_leaf(
        &self,
        object_at: Offset,
        kind: Kind,
        content: &[u8],
        find: impl for<'m> FnOnce(&'m Memory, &'m Header) -> Option<&'m AtomicU64>,
    ) -> bool {
        let memory: &Memory = &self.0.memory;
        let Some(class) = alloc::cached_class(LEAF_DATA + content.len() as u64) else {
            return false;
        };
        if memory.readonly {
            return false;
        }
        let Some(armed) = Session::armed(self.0.id) else { return false };
        let Armed { claim, lock: [owner, ..], stripes, closed, .. } = &armed;
        let stripe = &stripes[brief::of_object(object_at)];
        if !brief::take(owner, stripe, *claim) {
            return false;
        }
        // Release: makes each plain store into the new block a release for the readers' fences.
        fence(Ordering::Release);
        let new = New { kind, content, class };
        let done = !closed.load(Ordering::Relaxed)
            && exchange(memory, &armed, object_at, &new, find).is_some();
        brief::give(stripe);
        if done {
            self.after_write(watch::bit_of(object_at));
        }
        done
    }
}

/// What is stored.
struct New<'c> {
    kind: Kind,
    content: &'c [u8],
    class: u8,
}

#[inline]
fn exchange<'m>(
    memory: &'m Memory,
    armed: &Armed,
    object_at: Offset,
    new: &New<'_>,
    find: impl FnOnce(&'m Memory, &'m Header) -> Option<&'m AtomicU64>,
) -> Option<()> {
    let header = memory.peek_words(object_at, 8)?;
    let sequence = header.get((object::SEQ / 8) as usize)?;
    if sequence.load(Ordering::Relaxed) & 1 == 1
        || !memory.is_open_to(super::word(header, object::LOCK), armed.claim)
    {
        return None;
    }
    let word = find(memory, header)?;
    let old = Cell(word.load(Ordering::Relaxed));
    let old = sole_leaf(memory, old)?;
    let block = armed.own.top(new.class).filter(|block| block.is_multiple_of(16))?;
    let words = memory.peek_words(block, alloc::size_of_class(new.class) / 8)?;
    write(words, new)?;
    let cell = Cell::reference(new.kind, block, 0);
    let change = Change { object_at, sequence, word_at: memory.offset_of(word), word, new: cell.0 };
    armed.own.exchange(&change, (new.class, block), (old.class, old.at))?;
    // A reference that was forgotten finds no leaf, whoever has the block next. Release: a reader that still
    // follows the cell's former word and sees this sees the new sequence too.
    old.meta.store(0, Ordering::Release);
    Some(())
}

/// A leaf without cells that nothing else refers to, in a block such as caches have.
pub(crate) struct SoleLeaf<'m> {
    pub(crate) at: Offset,
    /// Its first word.
    pub(crate) meta: &'m AtomicU64,
    /// The size class of its block.
    pub(crate) class: u8,
}

/// What a cell refers to, if that is such a leaf.
#[inline]
pub(crate) fn sole_leaf(memory: &Memory, cell: Cell) -> Option<SoleLeaf<'_>> {
    let (code, at) = cell.as_leaf()?;
    let meta = memory.peek(at)?;
    let word = Meta(meta.load(Ordering::Relaxed));
    // One reference, and no flag.
    let is_sole = word.0 & (u64::MAX >> 16) == (code << 32) + 1;
    let class = word.leaf_class().filter(|_| is_sole)?;
    Some(SoleLeaf { at, meta, class })
}

/// Fills a block that nobody sees.
#[inline]
fn write(words: &[AtomicU64], new: &New<'_>) -> Option<()> {
    let (head, data) = words.split_at_checked((LEAF_DATA / 8) as usize)?;
    let values = [Meta::of_leaf(new.kind, Some(new.class)).0 + 1, new.content.len() as u64, 0];
    for (word, value) in head.iter().zip(values) {
        word.store(value, Ordering::Relaxed);
    }
    copy::into(data, new.content);
    Some(())
}

const _: () = assert!(leaf::META == 0 && leaf::LEN == 8 && leaf::HASH == 16 && LEAF_DATA == 24);
