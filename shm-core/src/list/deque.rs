//! What a deque does besides a list: both ends, a bound, rotation.
//!
//! A deque is a list with a bound in its flavour. An item more and one less at the other end are one
//! operation; where both live in their cells, one store of the span. A full deque gets a block of twice
//! as many cells once, and needs no other one however much is appended. Rotation moves the few cells of
//! the shorter side to the other end, where nobody sees them before the span's one store; if there is
//! no room, all cells go to a fresh block with room at both ends.

use crate::cell::{Cell, Kind, Offset};
use crate::error::{Error, Result};
use crate::flavour::{ListFlavour, is_typed};
use crate::layout::object;
use crate::list::bulk::rearrange;
use crate::list::edit::{SHIFT, insert_cell};
use crate::list::items::{self, Items, span};
use crate::list::slice::cut;
use crate::list::{List, Place, push_cell_at_end};
use crate::primitive::Ordering;
use crate::quick::{Poke, word};
use crate::seeded::{self, Bug};
use crate::tx::Tx;
use crate::value::{Batch, Value};

/// Most cells that are moved to the other end where they are.
const MOVED: u64 = 32;

/// How many items a list of this flavour holds at most.
fn most_of(word: u64) -> u64 {
    match ListFlavour::of_word(word) {
        Some(ListFlavour::Deque { maxlen: Some(most) }) => most,
        _ => u64::MAX,
    }
}

fn bound(tx: &Tx<'_>, at: Offset) -> Result<u64> {
    Ok(most_of(tx.load(at + object::W3)?))
}

impl List {
    /// How many items it holds at most; `None`: any number.
    pub fn maxlen(&self) -> Result<Option<u64>> {
        match self.flavour()? {
            ListFlavour::Deque { maxlen } => Ok(maxlen),
            ListFlavour::Plain | ListFlavour::Typed(_) => Ok(None),
        }
    }

    /// Appends an item; a full deque lets go of its first one.
    pub fn push_bounded(&self, value: impl Into<Value>) -> Result<()> {
        let value = value.into();
        if let Some(cell) = value.immediate()
            && self.quick_push_bounded(cell)
        {
            return Ok(());
        }
        let at = self.at();
        let staged = self.accepted(value)?.prepare(self.heap())?;
        self.heap().write_in(at, |tx| {
            let most = bound(tx, at)?;
            if most == 0 {
                return tx.check_gate(at);
            }
            let cell = staged.take(tx)?;
            make_room(tx, at, most)?;
            push_cell_at_end(tx, at, cell)?;
            trim_front(tx, at, most)
        })
    }

    /// As [`List::push_bounded`], where one store does it.
    fn quick_push_bounded(&self, cell: Cell) -> bool {
        let done = self.heap().poke(self.at(), |memory, header| {
            let word_of_span = header.get((object::W1 / 8) as usize)?;
            let now = word_of_span.load(Ordering::Relaxed);
            let (start, len) = (now & 0xFFFF_FFFF, now >> 32);
            let (most, cap) = (most_of(word(header, object::W3)), word(header, object::W2));
            let block = word(header, object::W0);
            if start + len >= cap || len > most || most == 0 || is_typed(header, Kind::List) {
                return None;
            }
            let at = |index: u64| memory.peek(block.wrapping_add((start + index) * 8));
            let value = if len < most {
                span(start, len + 1)
            } else {
                // The first one must have no count that would fall.
                let first = Cell(at(0)?.load(Ordering::Relaxed));
                if !first.is_immediate() {
                    return None;
                }
                span(start + 1, len)
            };
            if seeded::is(Bug::SpanBeforeCells) {
                word_of_span.store(value, Ordering::Release);
            }
            at(len)?.store(cell.0, Ordering::Relaxed);
            Some(Poke::store(word_of_span, value, ()))
        });
        done.is_some()
    }

    /// Puts an item in front; a full deque lets go of its last one.
    pub fn push_front_bounded(&self, value: impl Into<Value>) -> Result<()> {
        let at = self.at();
        let staged = self.accepted(value.into())?.prepare(self.heap())?;
        self.heap().write_in(at, |tx| {
            let most = bound(tx, at)?;
            if most == 0 {
                return tx.check_gate(at);
            }
            let cell = staged.take(tx)?;
            insert_cell(tx, at, 0, cell)?;
            trim_back(tx, at, most)
        })
    }

    /// Inserts an item before an index, unless it is a full deque; tells whether it did.
    pub fn insert_bounded(&self, index: usize, value: impl Into<Value>) -> Result<bool> {
        self.insert_within(Place::Front(index), value.into())
    }

    /// The same before an item that is counted from the end; see [`List::insert_from_end`].
    pub fn insert_bounded_from_end(&self, back: usize, value: impl Into<Value>) -> Result<bool> {
        self.insert_within(Place::Back(back), value.into())
    }

    fn insert_within(&self, place: Place, value: Value) -> Result<bool> {
        let at = self.at();
        let staged = self.accepted(value)?.prepare(self.heap())?;
        self.heap().write_in(at, |tx| {
            let len = Items::load(tx.heap(), at)?.len;
            if len >= bound(tx, at)? {
                return Ok(false);
            }
            let cell = staged.take(tx)?;
            insert_cell(tx, at, place.clamped(len), cell)?;
            Ok(true)
        })
    }

    /// Appends items in one operation; a full deque lets go of as many of its first ones.
    pub fn extend_bounded(&self, mut values: Vec<Value>) -> Result<()> {
        self.keep_last(&mut values)?;
        if values.is_empty() {
            return Ok(());
        }
        let at = self.at();
        self.accept_all(&mut values)?;
        let batch = Batch::new(self.heap(), values)?;
        self.heap().write_in(at, |tx| {
            let most = bound(tx, at)?;
            let cells = batch.take(tx)?;
            List::append_cells(tx, at, &cells)?;
            trim_front(tx, at, most)
        })
    }

    /// Puts items in front in one operation, one after the other, so that the last one is the first; a
    /// full deque lets go of as many of its last ones.
    pub fn extend_front_bounded(&self, mut values: Vec<Value>) -> Result<()> {
        self.keep_last(&mut values)?;
        if values.is_empty() {
            return Ok(());
        }
        values.reverse();
        let at = self.at();
        self.accept_all(&mut values)?;
        let batch = Batch::new(self.heap(), values)?;
        self.heap().write_in(at, |tx| {
            let most = bound(tx, at)?;
            let cells = batch.take(tx)?;
            prepend_cells(tx, at, &cells)?;
            trim_back(tx, at, most)
        })
    }

    /// Of more values than it holds, the others never come to be in it.
    fn keep_last(&self, values: &mut Vec<Value>) -> Result<()> {
        let most = self.maxlen()?.and_then(|most| usize::try_from(most).ok());
        values.drain(..values.len().saturating_sub(most.unwrap_or(usize::MAX)));
        Ok(())
    }

    /// Moves the last `steps` items to the front; the first ones to the end, where it is negative.
    pub fn rotate(&self, steps: i64) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let items = Items::load(tx.heap(), at)?;
            if items.len < 2 {
                return tx.check_gate(at);
            }
            match steps.rem_euclid(items.len as i64) as u64 {
                0 => tx.check_gate(at),
                right => turn(tx, at, items, right),
            }
        })
    }

    /// The block and the span of one moment: they differ once an item more or less was in the list, or all
    /// of them were moved.
    pub fn shape(&self) -> Result<(u64, u64)> {
        let at = self.at();
        self.heap().read(at, |heap| Ok((heap.load(at + object::W0)?, heap.load(at + object::W1)?)))
    }
}

/// Lets go of the first cells of more than the bound.
pub(super) fn trim(tx: &mut Tx<'_>, at: Offset) -> Result<()> {
    let most = bound(tx, at)?;
    trim_front(tx, at, most)
}

/// Lets go of the first cells of more than `most`.
fn trim_front(tx: &mut Tx<'_>, at: Offset, most: u64) -> Result<()> {
    let items = Items::load(tx.heap(), at)?;
    match items.len.checked_sub(most) {
        None | Some(0) => Ok(()),
        Some(more) => cut(tx, at, items, 0, more),
    }
}

/// Lets go of the last cells of more than `most`.
fn trim_back(tx: &mut Tx<'_>, at: Offset, most: u64) -> Result<()> {
    let items = Items::load(tx.heap(), at)?;
    match items.len.checked_sub(most) {
        None | Some(0) => Ok(()),
        Some(more) => cut(tx, at, items, most, more),
    }
}

/// Gives a full deque whose block ends with its last cell a block of twice as many cells: from then on there is
/// always room before the first one, to which all of them move when the end is reached again.
fn make_room(tx: &mut Tx<'_>, at: Offset, most: u64) -> Result<()> {
    let items = Items::load(tx.heap(), at)?;
    let Items { start, len, cap, .. } = items;
    if len < most || start + len < cap || start > len {
        return Ok(());
    }
    let (block, cap) = match items::fresh(tx, len * 2 + 1, true) {
        // Appending finds out whether there is room for less.
        Err(Error::SegmentFull { .. } | Error::InvalidArgument { .. }) => return Ok(()),
        other => other?,
    };
    items::copy(tx.heap(), items.at(0), block, len)?;
    items::swap_in(tx, at, Items { block, start: 0, len, cap })?;
    items::release(tx, items)
}

/// Puts cells that own their counts before the first one.
fn prepend_cells(tx: &mut Tx<'_>, at: Offset, cells: &[Cell]) -> Result<()> {
    let items = Items::load(tx.heap(), at)?;
    let more = cells.len() as u64;
    let len = items.len + more;
    if items.start >= more && (!tx.in_transaction() || more <= MOVED) {
        let start = items.start - more;
        for (index, cell) in (start..).zip(cells) {
            tx.fill_unseen(items.block.wrapping_add(index * 8), cell.0)?;
        }
        tx.open(at)?;
        return tx.set(at + object::W1, span(start, len));
    }
    let (block, cap) = items::fresh(tx, len, false)?;
    // Who puts in front once will do it again: the room goes there.
    let start = (cap - len) / 2;
    let first = block + start * 8;
    items::fill(tx.heap(), first, cells)?;
    items::copy(tx.heap(), items.at(0), first + more * 8, items.len)?;
    items::swap_in(tx, at, Items { block, start, len, cap })?;
    items::release(tx, items)
}

/// Moves the last `right` cells to the front; not all, and not none.
fn turn(tx: &mut Tx<'_>, at: Offset, items: Items, right: u64) -> Result<()> {
    let Items { start, len, cap, .. } = items;
    let left = len - right;
    if right <= MOVED && right <= start {
        let start = start - right;
        if seeded::is(Bug::SpanBeforeCells) {
            tx.fill(at + object::W1, span(start, len))?;
        }
        for index in 0..right {
            let word = tx.load(items.at(left + index))?;
            tx.fill_unseen(items.block.wrapping_add((start + index) * 8), word)?;
        }
        return tx.set_only(at, at + object::W1, span(start, len));
    }
    if left <= MOVED && start + len + left <= cap {
        for index in 0..left {
            let word = tx.load(items.at(index))?;
            tx.fill_unseen(items.at(len + index), word)?;
        }
        return tx.set_only(at, at + object::W1, span(start + left, len));
    }
    let mut cells = items.cells(tx.heap())?;
    cells.rotate_right(right as usize);
    let (block, cap) = match items::fresh(tx, len, false) {
        Err(Error::SegmentFull { .. }) if len <= SHIFT => return rearrange(tx, at, items, &cells),
        other => other?,
    };
    let start = (cap - len) / 2;
    items::fill(tx.heap(), block + start * 8, &cells)?;
    items::swap_in(tx, at, Items { block, start, len, cap })?;
    items::release(tx, items)
}
