//! The usual case of the common operations: small values, room in the block, nobody in the way.
//!
//! Each gives `None` (or `false`) for "go the general way".

#![allow(clippy::option_option, reason = "no answer is not the answer that there is none")]

use crate::cell::{Cell, Kind};
use crate::flavour::is_typed;
use crate::layout::object;
use crate::list::items::span;
use crate::list::{List, Place};
use crate::memory::Memory;
use crate::primitive::{AtomicU64, Ordering};
use crate::quick::{Caller, Header, Poke, published, word};
use crate::seeded::{self, Bug};
use crate::value::Value;

/// The word of an item.
#[inline]
fn item<'m>(memory: &'m Memory, header: &Header, place: Place) -> Option<Option<&'m AtomicU64>> {
    let (start, len) = split(published(header, object::W1));
    let Some(index) = place.within(len) else { return Some(None) };
    let block = word(header, object::W0);
    memory.peek(block.wrapping_add((start + index) * 8)).map(Some)
}

/// The word of an item that is to be replaced. `None` too for a list that does not take any value.
#[inline]
fn place<'m>(memory: &'m Memory, header: &Header, place: Place) -> Option<Option<&'m AtomicU64>> {
    if is_typed(header, Kind::List) { None } else { item(memory, header, place) }
}

#[inline]
fn split(span: u64) -> (u64, u64) {
    (span & 0xFFFF_FFFF, span >> 32)
}

impl List {
    /// The cell of an item; `Some(None)` beyond the end.
    #[inline]
    pub(crate) fn quick_cell(&self, index: usize) -> Option<Option<Cell>> {
        self.quick_look(index, Some)
    }

    /// As [`List::quick_cell`]; `f` sees the cell before the look is validated, so that it may pin.
    #[inline]
    pub(crate) fn quick_look<T>(
        &self,
        index: usize,
        f: impl FnOnce(Cell) -> Option<T>,
    ) -> Option<Option<T>> {
        self.heap().glance(self.at(), |memory, header| {
            let Some(word) = item(memory, header, Place::Front(index))? else { return Some(None) };
            f(Cell(word.load(Ordering::Relaxed))).map(Some)
        })
    }

    /// The value of an item, if it is a small one or text; `Some(None)` beyond the end.
    #[inline]
    pub(crate) fn quick_value(&self, index: usize) -> Option<Option<Value>> {
        self.heap().glance(self.at(), |memory, header| {
            let Some(word) = item(memory, header, Place::Front(index))? else { return Some(None) };
            Value::glimpse(memory, Cell(word.load(Ordering::Relaxed))).map(Some)
        })
    }

    /// Replaces an item that needs no block by another.
    #[inline]
    pub(crate) fn quick_set(&self, by: impl Caller, at: Place, cell: Cell) -> Option<()> {
        by.poke(self.heap(), self.at(), |memory, header| {
            let word = place(memory, header, at)??;
            let old = Cell(word.load(Ordering::Relaxed));
            old.is_immediate().then_some(Poke::store(word, cell.0, ()))
        })
    }

    /// Replaces text, bytes or a number in a block by text or bytes in a block.
    #[inline]
    pub(crate) fn quick_set_leaf(&self, index: usize, value: &Value) -> bool {
        let Some((kind, content)) = value.as_plain_leaf() else { return false };
        self.heap().poke_leaf(self.at(), kind, content, |memory, header| {
            place(memory, header, Place::Front(index))?
        })
    }

    /// Adds to an integer; the sum.
    #[inline]
    pub(crate) fn quick_add(&self, by: impl Caller, at: Place, delta: i64) -> Option<i64> {
        by.poke(self.heap(), self.at(), |memory, header| {
            let word = item(memory, header, at)??;
            let sum = Cell(word.load(Ordering::Relaxed)).as_int()?.checked_add(delta)?;
            if is_typed(header, Kind::List) {
                return None;
            }
            Some(Poke::store(word, Cell::int(sum)?.0, sum))
        })
    }

    /// Appends where there is room.
    #[inline]
    pub(crate) fn quick_push(&self, by: impl Caller, cell: Cell) -> Option<()> {
        by.poke(self.heap(), self.at(), |memory, header| {
            let word_of_span = header.get((object::W1 / 8) as usize)?;
            let (start, len) = split(word_of_span.load(Ordering::Relaxed));
            if start + len >= word(header, object::W2) || is_typed(header, Kind::List) {
                return None;
            }
            let block = word(header, object::W0);
            // Beyond the span: nobody sees it before the span's one store.
            let item = memory.peek(block.wrapping_add((start + len) * 8))?;
            if seeded::is(Bug::SpanBeforeItem) {
                word_of_span.store(span(start, len + 1), Ordering::Release);
            }
            item.store(cell.0, Ordering::Relaxed);
            Some(Poke::store(word_of_span, span(start, len + 1), ()))
        })
    }

    /// Takes an integer or a float from one end.
    #[inline]
    pub(crate) fn quick_pop(&self, by: impl Caller, front: bool) -> Option<Cell> {
        by.poke(self.heap(), self.at(), |memory, header| {
            let word_of_span = header.get((object::W1 / 8) as usize)?;
            let (start, len) = split(word_of_span.load(Ordering::Relaxed));
            let left = len.checked_sub(1)?;
            let cap = word(header, object::W2);
            // A list that became much too roomy shrinks: not here.
            if cap > super::edit::SHRINK_FROM && left < cap / 4 {
                return None;
            }
            let block = word(header, object::W0);
            let index = if front { start } else { start + left };
            let item = memory.peek(block.wrapping_add(index * 8))?;
            let cell = Cell(item.load(Ordering::Relaxed));
            if cell.as_int().is_none() && cell.as_float().is_none() {
                return None;
            }
            let value = if left == 0 { 0 } else { span(start + u64::from(front), left) };
            Some(Poke::store(word_of_span, value, cell))
        })
    }
}
