//! The usual case of a look-up: a table of narrow slots, a key that is exactly the stored one.
//!
//! `None` means "go the general way": a wide table, a stored key of another type that may be
//! equal, a value that needs a block.

#![allow(clippy::option_option, reason = "no answer is not the answer that there is none")]

use crate::cell::{Cell, Kind};
use crate::dict::Dict;
use crate::dict::keys::{DICT, KEY, SET, VALUE};
use crate::flavour::is_typed;
use crate::layout::{LEAF_DATA, keys, leaf, object};
use crate::memory::Memory;
use crate::primitive::{AtomicU64, Ordering};
use crate::quick::{Caller, Header, Poke, word};
use crate::seeded::{self, Bug};
use crate::set::Set;
use crate::value::{QuickKey, Value};

impl QuickKey<'_> {
    /// Whether a stored key with the same hash is this one, if that is easily told.
    #[inline]
    fn is(&self, memory: &Memory, stored: Cell) -> Option<bool> {
        if stored == self.cell && stored != Cell::UNSET {
            return Some(true);
        }
        same_text(memory, stored, self.text?)
    }
}

/// Whether a stored key is this text; `None` if it is no text.
#[inline(never)]
fn same_text(memory: &Memory, stored: Cell, text: &[u8]) -> Option<bool> {
    let reference = stored.as_ref()?;
    if reference.kind != Kind::Str {
        return None;
    }
    let words = 3 + (text.len() as u64).div_ceil(8);
    let words = memory.peek_words(reference.at, words)?;
    let (header, content) = words.split_at_checked((LEAF_DATA / 8) as usize)?;
    if word(header, leaf::LEN) != text.len() as u64 {
        return Some(false);
    }
    let mut chunks = text.chunks_exact(8);
    for (chunk, word) in chunks.by_ref().zip(content) {
        if chunk != word.load(Ordering::Relaxed).to_le_bytes() {
            return Some(false);
        }
    }
    let rest = chunks.remainder();
    let last = content.last().map_or(0, |word| word.load(Ordering::Relaxed));
    Some(rest.is_empty() || last.to_le_bytes().starts_with(rest))
}

/// A table of narrow slots.
struct Quick<'m, const WORDS: u64> {
    memory: &'m Memory,
    counts: &'m AtomicU64,
    count: u64,
    used: u64,
    shape: u64,
    index: &'m [AtomicU64],
    entries: &'m [AtomicU64],
}

impl<'m, const WORDS: u64> Quick<'m, WORDS> {
    /// The table of an object; `Some(None)` while it has no block.
    #[inline]
    fn of(memory: &'m Memory, header: &Header) -> Option<Option<Self>> {
        let block = word(header, object::W0);
        if block == 0 {
            return Some(None);
        }
        let [counts, shape] = memory.peek_words(block, keys::INDEX / 8)? else { return None };
        // Acquire: as in `published`.
        let (now, shape) = (counts.load(Ordering::Acquire), shape.load(Ordering::Relaxed));
        let log2 = shape & 0xFF;
        if (shape >> 8) & 0xFF != 4 || !(3..24).contains(&log2) {
            return None;
        }
        let slots = 1_u64 << log2;
        let (count, used) = (now & 0xFFFF_FFFF, now >> 32);
        // One check for all: the index and the entries up to the count and the one behind it.
        let words = slots / 2 + (count + 1).min(slots) * WORDS;
        let words = memory.peek_words(block.wrapping_add(keys::INDEX), words)?;
        let (index, entries) = words.split_at_checked((slots / 2) as usize)?;
        Some(Some(Quick { memory, counts, count, used, shape, index, entries }))
    }

    #[inline]
    fn entry(&self, position: u64) -> Option<&'m [AtomicU64]> {
        let first = position.checked_mul(WORDS)? as usize;
        self.entries.get(first..first + WORDS as usize)
    }

    /// The entry of a key; `Some(None)` if the key is not there.
    #[inline]
    fn find(&self, key: &QuickKey<'_>) -> Option<Option<&'m [AtomicU64]>> {
        let slots = self.index.len() as u64 * 2;
        let mask = slots.wrapping_sub(1);
        let tag = key.hash >> 56;
        let mut slot = key.hash & mask;
        for _ in 0..slots {
            let pair = self.index.get((slot >> 1) as usize)?.load(Ordering::Relaxed);
            let value = (pair >> ((slot & 1) * 32)) & 0xFFFF_FFFF;
            if value == 0 {
                return Some(None);
            }
            let position = (value & 0xFF_FFFF).wrapping_sub(1);
            if value >> 24 == tag && position < self.count {
                let entry = self.entry(position)?;
                if word(entry, 0) == key.hash {
                    let stored = Cell(word(entry, KEY));
                    if stored != Cell::TOMBSTONE && key.is(self.memory, stored)? {
                        return Some(Some(entry));
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
        Some(None)
    }

    /// Writes an entry where there is room, unseen; the store that makes it seen.
    #[inline]
    fn append<T>(&self, key: &QuickKey<'_>, value: Cell, result: T) -> Option<Poke<'m, T>> {
        if key.cell == Cell::UNSET || self.count >= keys::capacity(self.shape) {
            return None;
        }
        let slots = self.index.len() as u64 * 2;
        let mask = slots.wrapping_sub(1);
        let mut slot = key.hash & mask;
        for _ in 0..slots {
            let word = self.index.get((slot >> 1) as usize)?;
            let shift = (slot & 1) * 32;
            let pair = word.load(Ordering::Relaxed);
            let there = (pair >> shift) & 0xFFFF_FFFF;
            if there == 0 || there == 0xFFFF_FFFF {
                let entry = self.entry(self.count)?;
                if seeded::is(Bug::CountBeforeKey) {
                    let counts = (self.count + 1) | ((self.used + 1) << 32);
                    self.counts.store(counts, Ordering::Release);
                }
                for (word, part) in entry.iter().zip([key.hash, key.cell.0, value.0]) {
                    word.store(part, Ordering::Relaxed);
                }
                let new = (key.hash >> 56 << 24) | (self.count + 1);
                // A slot that leads beyond the count leads nowhere until the count is stored.
                word.store((pair & !(0xFFFF_FFFF << shift)) | (new << shift), Ordering::Release);
                let value = (self.count + 1) | ((self.used + 1) << 32);
                return Some(Poke::store(self.counts, value, result));
            }
            slot = (slot + 1) & mask;
        }
        None
    }
}

impl Dict {
    /// The cell of a key's value; `Some(None)` if the key is not there.
    #[inline]
    pub(crate) fn quick_get(&self, key: &QuickKey<'_>) -> Option<Option<Cell>> {
        self.quick_look(key, Some)
    }

    /// As [`Dict::quick_get`]; `f` sees the cell before the look is validated, so that it may pin.
    #[inline]
    pub(crate) fn quick_look<T>(
        &self,
        key: &QuickKey<'_>,
        f: impl FnOnce(Cell) -> Option<T>,
    ) -> Option<Option<T>> {
        self.heap().glance(self.at(), |memory, header| {
            let Some(table) = Quick::<DICT>::of(memory, header)? else { return Some(None) };
            let Some(entry) = table.find(key)? else { return Some(None) };
            f(Cell(word(entry, VALUE))).map(Some)
        })
    }

    /// The value of a key, if it is a small one or text; `Some(None)` if the key is not there.
    #[inline]
    pub(crate) fn quick_value(&self, key: &QuickKey<'_>) -> Option<Option<Value>> {
        self.heap().glance(self.at(), |memory, header| {
            let Some(table) = Quick::<DICT>::of(memory, header)? else { return Some(None) };
            let Some(entry) = table.find(key)? else { return Some(None) };
            Value::glimpse(memory, Cell(word(entry, VALUE))).map(Some)
        })
    }

    /// Replaces a value that needs no block by another, or appends an entry of two such cells.
    #[inline]
    pub(crate) fn quick_set(&self, by: impl Caller, key: &QuickKey<'_>, cell: Cell) -> Option<()> {
        by.poke(self.heap(), self.at(), |memory, header| {
            if is_typed(header, Kind::Dict) {
                return None;
            }
            let table = Quick::<DICT>::of(memory, header)??;
            let Some(entry) = table.find(key)? else { return table.append(key, cell, ()) };
            let word = entry.get((VALUE / 8) as usize)?;
            let old = Cell(word.load(Ordering::Relaxed));
            old.is_immediate().then_some(Poke::store(word, cell.0, ()))
        })
    }

    /// Replaces text, bytes or a number in a block by text or bytes in a block.
    #[inline]
    pub(crate) fn quick_set_leaf(&self, key: &QuickKey<'_>, value: &Value) -> bool {
        let Some((kind, content)) = value.as_plain_leaf() else { return false };
        self.heap().poke_leaf(self.at(), kind, content, |memory, header| {
            if is_typed(header, Kind::Dict) {
                return None;
            }
            let table = Quick::<DICT>::of(memory, header)??;
            table.find(key)??.get((VALUE / 8) as usize)
        })
    }

    /// Adds to an integer; the sum.
    #[inline]
    pub(crate) fn quick_add(&self, by: impl Caller, key: &QuickKey<'_>, delta: i64) -> Option<i64> {
        by.poke(self.heap(), self.at(), |memory, header| {
            if is_typed(header, Kind::Dict) {
                return None;
            }
            let table = Quick::<DICT>::of(memory, header)??;
            let word = table.find(key)??.get((VALUE / 8) as usize)?;
            let sum = Cell(word.load(Ordering::Relaxed)).as_int()?.checked_add(delta)?;
            Some(Poke::store(word, Cell::int(sum)?.0, sum))
        })
    }
}

impl Set {
    /// Whether something is a member.
    #[inline]
    pub(crate) fn quick_contains(&self, key: &QuickKey<'_>) -> Option<bool> {
        self.heap().glance(self.object().at(), |memory, header| {
            let Some(table) = Quick::<SET>::of(memory, header)? else { return Some(false) };
            Some(table.find(key)?.is_some())
        })
    }

    /// Adds a member that lives in its cell, where there is room; whether it is new.
    #[inline]
    pub(crate) fn quick_add(&self, by: impl Caller, key: &QuickKey<'_>) -> Option<bool> {
        by.poke(self.heap(), self.object().at(), |memory, header| {
            let table = Quick::<SET>::of(memory, header)??;
            match table.find(key)? {
                None => table.append(key, Cell::UNSET, true),
                Some(_) => Some(Poke::nothing(false)),
            }
        })
    }
}
