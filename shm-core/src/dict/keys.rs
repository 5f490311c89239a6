//! The block of keys of a dict or set: an index of slots, and the entries in insertion order.
//!
//! ```text
//! 0    counts   entries appended (low 32), entries in use (high 32): the word that commits
//! 8    shape    log2 of the slots 8 | bytes of a slot 8 (4 or 8) | capacity in entries 32
//! 16   index    2^log2 slots, two or one per word: 0 empty, all ones deleted,
//!               else tag (8 or 24 bits of the hash) above entry index + 1 (24 or 40 bits)
//! ..   entries  dict {hash, key, value}, set {hash, key}; a deleted one has key TOMBSTONE
//! ```
//!
//! Lookup is linear probing; the tag filters nearly all slots of other keys, the full hash the
//! rest. At most 2/3 of the slots are ever taken, so a probe ends; it is bounded by the number of
//! slots even if the content is hostile. A slot may name an entry that does not exist or no longer
//! does (an operation was killed between its plain stores): such a slot matches nothing.
//!
//! The header's words besides the block: W1 makes the version (see [`Table::version`]), W2 is an
//! index below which no entry is live (so that taking first entries is O(1)).
//!
//! Readers call this inside of a validated read; writers hold the writer lock.

use crate::cell::{Cell, Offset};
use crate::error::Result;
use crate::heap::Heap;
use crate::layout::keys;
use crate::primitive::{AtomicU64, Ordering};
use crate::value::Probe;

/// Words of an entry of a dict.
pub(crate) const DICT: u64 = 3;
/// Words of an entry of a set.
pub(crate) const SET: u64 = 2;

/// Offset of the key in an entry.
pub(crate) const KEY: Offset = 8;
/// Offset of the value in an entry of a dict.
pub(crate) const VALUE: Offset = 16;

/// log2 of the slots of the smallest index.
const SMALLEST: u32 = 3;
/// log2 of the slots from which on a slot takes 8 bytes.
const WIDE_FROM: u32 = 24;
/// log2 of the slots of the largest index: entries are counted in 32 bits.
const LARGEST: u32 = 32;

/// Most slots of an index that is made in private memory first.
const SMALL_INDEX: usize = 64;

/// A deleted slot of 4 bytes; its index part is beyond every narrow table.
const DELETED: u64 = 0xFFFF_FFFF;
/// A deleted slot of 8 bytes.
const DELETED_WIDE: u64 = u64::MAX;

/// Entries that fit into an index of 2^log2 slots.
pub(crate) fn capacity(log2: u32) -> u64 {
    (((1_u64 << log2) / 3) * 2).max(5).min(u64::from(u32::MAX))
}

/// The smallest index for so many entries.
pub(crate) fn log2_for(entries: u64) -> u32 {
    let mut log2 = SMALLEST;
    while capacity(log2) < entries && log2 < LARGEST {
        log2 += 1;
    }
    log2
}

/// The shape word of an empty block.
pub(crate) fn shape(log2: u32) -> u64 {
    let width = if log2 >= WIDE_FROM { 8 } else { 4 };
    u64::from(log2) | (width << 8) | (capacity(log2) << 16)
}

/// Bytes of a block of this shape.
pub(crate) fn block_bytes<const WORDS: u64>(log2: u32) -> u64 {
    keys::entries_at(shape(log2)) + capacity(log2) * WORDS * 8
}

/// The keys block of one dict (`WORDS` = [`DICT`]) or set ([`SET`]), its header words checked.
#[derive(Clone, Copy)]
pub(crate) struct Table<const WORDS: u64> {
    /// Where the block is.
    pub(crate) at: Offset,
    shape: u64,
    /// Entries appended, deleted ones included.
    pub(crate) count: u64,
    /// Entries in use.
    pub(crate) used: u64,
}

/// Where a key was found.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    /// The slot that leads to it.
    pub(crate) slot: u64,
    /// Its index among the entries.
    pub(crate) index: u64,
    /// Where the entry is.
    pub(crate) entry: Offset,
}

impl<const WORDS: u64> Table<WORDS> {
    /// The table of the object at an offset; `None` while it has no block.
    #[inline]
    pub(crate) fn of(heap: &Heap, object_at: Offset) -> Result<Option<Self>> {
        match heap.block(object_at)? {
            0 => Ok(None),
            at => Self::at(heap, at).map(Some),
        }
    }

    /// The table in the block at an offset.
    #[inline]
    pub(crate) fn at(heap: &Heap, at: Offset) -> Result<Self> {
        let counts = heap.load_published(at.wrapping_add(keys::COUNTS))?;
        let shape = heap.load(at.wrapping_add(keys::SHAPE))?;
        let table = Table { at, shape, count: counts & 0xFFFF_FFFF, used: counts >> 32 };
        let (log2, width) = (shape & 0xFF, (shape >> 8) & 0xFF);
        let narrow = width == 4 && log2 < u64::from(WIDE_FROM);
        let wide = width == 8 && log2 <= u64::from(LARGEST);
        let shaped = log2 >= u64::from(SMALLEST) && (narrow || wide);
        if !shaped || table.count >> log2 != 0 || table.used > table.count || at >> 48 != 0 {
            return Err(heap
                .corrupt(format!("keys at {at:#x} have counts {counts:#x} and shape {shape:#x}")));
        }
        Ok(table)
    }

    /// Entries that may still be appended.
    #[inline]
    pub(crate) fn room(&self) -> u64 {
        keys::capacity(self.shape).saturating_sub(self.count)
    }

    /// The shape word with the capacity lowered by a number of entries.
    pub(crate) fn narrowed_shape(&self, by: u64) -> u64 {
        self.shape.wrapping_sub(by.min(keys::capacity(self.shape)) << 16)
    }

    /// The counts word of other counts.
    #[inline]
    pub(crate) fn counts(count: u64, used: u64) -> u64 {
        count | (used << 32)
    }

    #[inline]
    fn is_wide(&self) -> bool {
        (self.shape >> 8) & 0xFF == 8
    }

    #[inline]
    fn mask(&self) -> u64 {
        (1 << (self.shape & 0x3F)) - 1
    }

    /// Where an entry is.
    #[inline]
    pub(crate) fn entry(&self, index: u64) -> Offset {
        self.at + keys::entries_at(self.shape) + index * (WORDS * 8)
    }

    /// The word of a slot, and how far the slot is shifted in it.
    #[inline]
    fn slot_place(&self, slot: u64) -> (Offset, u32) {
        if self.is_wide() {
            (self.at + keys::INDEX + slot * 8, 0)
        } else {
            (self.at + keys::INDEX + (slot >> 1) * 8, ((slot & 1) * 32) as u32)
        }
    }

    /// Finds the entry whose hash is this and whose key `is` says to be the right one.
    #[inline]
    pub(crate) fn find_with(
        &self,
        heap: &Heap,
        hash: u64,
        mut is: impl FnMut(Cell) -> Result<bool>,
    ) -> Result<Option<Found>> {
        let slots = self.mask() + 1;
        let first = keys::INDEX.wrapping_add(self.at);
        if self.is_wide() {
            let index = heap.words(first, slots as usize)?;
            return self.probe::<true>(heap, index, hash, &mut is);
        }
        let index = heap.words(first, (slots / 2) as usize)?;
        self.probe::<false>(heap, index, hash, &mut is)
    }

    #[inline]
    fn probe<const WIDE: bool>(
        &self,
        heap: &Heap,
        index: &[AtomicU64],
        hash: u64,
        is: &mut impl FnMut(Cell) -> Result<bool>,
    ) -> Result<Option<Found>> {
        let mask = self.mask();
        let tag = if WIDE { hash >> 40 } else { hash >> 56 };
        let mut slot = hash & mask;
        for _ in 0..=mask {
            let Some(value) = slot_value::<WIDE>(index, slot) else { break };
            if value == 0 {
                return Ok(None);
            }
            let (found_tag, position) = if WIDE {
                (value >> 40, (value & 0xFF_FFFF_FFFF) - 1)
            } else {
                (value >> 24, (value & 0xFF_FFFF).wrapping_sub(1))
            };
            if found_tag == tag && position < self.count {
                let entry = self.entry(position);
                if heap.load(entry)? == hash && is(Cell(heap.load(entry + KEY)?))? {
                    return Ok(Some(Found { slot, index: position, entry }));
                }
            }
            slot = (slot + 1) & mask;
        }
        Ok(None)
    }

    /// Finds a key.
    #[inline]
    pub(crate) fn find(&self, heap: &Heap, probe: &Probe<'_>) -> Result<Option<Found>> {
        self.find_with(heap, probe.hash, |stored| probe.is(heap, stored))
    }

    /// The word to change, and its new value, so that a slot leads to an entry of this hash. The
    /// key is not in the table. `None` if no slot is free: killed operations left too many behind.
    #[inline]
    pub(crate) fn occupy(
        &self,
        heap: &Heap,
        hash: u64,
        index: u64,
    ) -> Result<Option<(Offset, u64)>> {
        let mask = self.mask();
        let mut slot = hash & mask;
        for _ in 0..=mask {
            let (at, shift) = self.slot_place(slot);
            let word = heap.load(at)?;
            let (value, deleted, new) = if self.is_wide() {
                (word, DELETED_WIDE, (hash >> 40 << 40) | (index + 1))
            } else {
                ((word >> shift) & 0xFFFF_FFFF, DELETED, (hash >> 56 << 24) | (index + 1))
            };
            if value == 0 || value == deleted {
                return Ok(Some((at, self.with_slot(word, shift, new))));
            }
            slot = (slot + 1) & mask;
        }
        Ok(None)
    }

    /// The slots of a small, empty index that lead to entries of these hashes, in order, two in a word;
    /// `None` if the index is not that small.
    pub(crate) fn small_index(
        &self,
        hashes: impl Iterator<Item = u64>,
    ) -> Option<impl Iterator<Item = u64>> {
        let mask = self.mask();
        let mut slots = [0_u32; SMALL_INDEX];
        if self.is_wide() || mask as usize >= slots.len() {
            return None;
        }
        for (index, hash) in hashes.enumerate() {
            let mut slot = hash & mask;
            // At most 2/3 of the slots are taken, so this ends; bounded all the same.
            for _ in 0..=mask {
                if slots.get(slot as usize).is_none_or(|slot| *slot == 0) {
                    break;
                }
                slot = (slot + 1) & mask;
            }
            *slots.get_mut(slot as usize)? = ((hash >> 56 << 24) | (index as u64 + 1)) as u32;
        }
        let words = (mask as usize).div_ceil(2);
        let word = move |at: usize| {
            let half = |at: usize| u64::from(slots.get(at).copied().unwrap_or_default());
            half(at * 2) | (half(at * 2 + 1) << 32)
        };
        Some((0..words).map(word))
    }

    /// The word to change, and its new value, so that a slot leads nowhere; and whether it can be
    /// empty, because no probe passes through it.
    pub(crate) fn vacate(&self, heap: &Heap, slot: u64) -> Result<(Offset, u64, bool)> {
        let (next_at, next_shift) = self.slot_place((slot + 1) & self.mask());
        let next = heap.load(next_at)? >> next_shift;
        let last = (if self.is_wide() { next } else { next & 0xFFFF_FFFF }) == 0;
        let (at, shift) = self.slot_place(slot);
        let new = if last {
            0
        } else if self.is_wide() {
            DELETED_WIDE
        } else {
            DELETED
        };
        Ok((at, self.with_slot(heap.load(at)?, shift, new), last))
    }

    #[inline]
    fn with_slot(&self, word: u64, shift: u32, value: u64) -> u64 {
        if self.is_wide() { value } else { (word & !(0xFFFF_FFFF << shift)) | (value << shift) }
    }

    /// The slot that leads to an entry of this hash.
    pub(crate) fn slot_of(&self, heap: &Heap, hash: u64, index: u64) -> Result<Option<u64>> {
        let mask = self.mask();
        let mut slot = hash & mask;
        for _ in 0..=mask {
            let (at, shift) = self.slot_place(slot);
            let word = heap.load(at)?;
            let (value, position) = if self.is_wide() {
                (word, word & 0xFF_FFFF_FFFF)
            } else {
                let value = (word >> shift) & 0xFFFF_FFFF;
                (value, value & 0xFF_FFFF)
            };
            if value == 0 {
                return Ok(None);
            }
            if position == index + 1 {
                return Ok(Some(slot));
            }
            slot = (slot + 1) & mask;
        }
        Ok(None)
    }

    /// The words of the entries from one index up to another.
    pub(crate) fn entries<'h>(
        &self,
        heap: &'h Heap,
        from: u64,
        to: u64,
    ) -> Result<&'h [AtomicU64]> {
        let to = to.min(self.count);
        let count = to.saturating_sub(from);
        if count == 0 {
            return Ok(&[]);
        }
        heap.words(self.entry(from), (count * WORDS) as usize)
    }

    /// Number of size-changing operations, given W1: each appended or deleted entry counts one.
    #[inline]
    pub(crate) fn version(&self, base: u64) -> u64 {
        base.wrapping_add(2 * self.count).wrapping_sub(self.used)
    }

    /// The W1 that makes the version so.
    pub(crate) fn base_for(version: u64, count: u64, used: u64) -> u64 {
        version.wrapping_sub(2 * count).wrapping_add(used)
    }
}

#[inline]
fn slot_value<const WIDE: bool>(index: &[AtomicU64], slot: u64) -> Option<u64> {
    if WIDE {
        return index.get(slot as usize).map(|word| word.load(Ordering::Relaxed));
    }
    let word = index.get((slot >> 1) as usize)?.load(Ordering::Relaxed);
    Some((word >> ((slot & 1) * 32)) & 0xFFFF_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_leaves_a_third_of_the_slots_empty() {
        for log2 in SMALLEST..=LARGEST {
            assert!(capacity(log2) * 3 <= 2 << log2);
        }
        assert_eq!(log2_for(0), 3);
        assert_eq!(log2_for(5), 3);
        assert_eq!(log2_for(6), 4);
    }

    #[test]
    fn narrow_entries_never_look_deleted() {
        let most = capacity(WIDE_FROM - 1);
        assert!(most < DELETED & 0xFF_FFFF);
    }
}
