//! What the collector remembers of objects while it walks, in private memory: a killed one leaves
//! nothing to clean.
//!
//! A mark is a bit per 16 bytes of data pages: what was reached. A sequence is remembered for each
//! object whose cells were all followed at a moment when nobody wrote it.

use super::graph::Graph;
use crate::cell::Offset;
use crate::error::Result;
use crate::layout::{OBJECT_BYTES, PAGE_BYTES};
use crate::memory::Memory;

/// Bytes that one bit stands for: what all blocks are aligned to.
const GRAIN: u64 = 16;
/// Places for object headers in a page.
const PER_PAGE: u64 = PAGE_BYTES / OBJECT_BYTES;
/// The index of a page that has none.
const NOT_OF_HEADERS: u64 = u64::MAX;

/// Handle. What was reached.
pub(super) struct Marks {
    bits: Vec<u64>,
    base: Offset,
}

impl Marks {
    pub(super) fn new(memory: &Memory) -> Result<Self> {
        let mut marks = Marks { bits: Vec::new(), base: memory.geometry.data_at };
        marks.grow(memory)?;
        Ok(marks)
    }

    /// Makes room for what the segment has taken since.
    pub(super) fn grow(&mut self, memory: &Memory) -> Result<()> {
        let words = memory.span()?.div_ceil(GRAIN * 64) as usize;
        if words > self.bits.len() {
            self.bits.resize(words, 0);
        }
        Ok(())
    }

    #[inline]
    fn place(&self, at: Offset) -> (usize, u64) {
        let grain = at.wrapping_sub(self.base) / GRAIN;
        ((grain / 64) as usize, 1 << (grain % 64))
    }

    /// Whether the mark at an offset is set.
    #[inline]
    pub(super) fn is_set(&self, at: Offset) -> bool {
        let (word, bit) = self.place(at);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Sets a mark; whether it was not set before. `None` outside of the data pages.
    #[inline]
    pub(super) fn set(&mut self, at: Offset) -> Option<bool> {
        let (word, bit) = self.place(at);
        let bits = self.bits.get_mut(word)?;
        let fresh = *bits & bit == 0;
        *bits |= bit;
        Some(fresh)
    }

    /// Takes a mark away.
    pub(super) fn clear(&mut self, at: Offset) {
        let (word, bit) = self.place(at);
        if let Some(bits) = self.bits.get_mut(word) {
            *bits &= !bit;
        }
    }
}

/// Handle. The sequences of objects when their cells were followed.
pub(super) struct Sequences {
    /// By place in the pages of headers; with the lowest bit set, 0 for none.
    values: Vec<u64>,
    /// By page: the index of its first place.
    pages: Vec<u64>,
    base: Offset,
}

impl Sequences {
    pub(super) fn new(graph: &Graph<'_>) -> Self {
        let mut places = 0;
        let pages = graph.header_pages().map(|headers| {
            let first = if headers { places } else { NOT_OF_HEADERS };
            places += if headers { PER_PAGE } else { 0 };
            first
        });
        let pages = pages.collect();
        let base = graph.memory.geometry.data_at;
        Sequences { values: vec![0; places as usize], pages, base }
    }

    #[inline]
    fn place(&self, at: Offset) -> Option<usize> {
        let inside = at.wrapping_sub(self.base);
        let first = *self.pages.get((inside / PAGE_BYTES) as usize)?;
        (first != NOT_OF_HEADERS).then(|| (first + inside % PAGE_BYTES / OBJECT_BYTES) as usize)
    }

    /// Remembers an object's sequence, which is even.
    #[inline]
    pub(super) fn remember(&mut self, at: Offset, sequence: u64) {
        if let Some(value) = self.place(at).and_then(|place| self.values.get_mut(place)) {
            *value = sequence | 1;
        }
    }

    /// Whether this sequence was remembered for the object.
    #[inline]
    pub(super) fn has(&self, at: Offset, sequence: u64) -> bool {
        let value = self.place(at).and_then(|place| self.values.get(place));
        sequence & 1 == 0 && value == Some(&(sequence | 1))
    }
}
