//! One item more or less: push, pop, insert, remove, swap.
//!
//! At either end the span word commits. In the middle up to 64 cells are moved in place, each
//! logged; more than that are copied into a fresh block. What removes moves them in place too where
//! there is no such block.

use crate::cell::{Cell, Offset};
use crate::error::{Error, Result};
use crate::layout::object;
use crate::list::items::{self, Items, span};
use crate::list::{List, Place, holds, locate, out_of_range};
use crate::object::removal::{self, Positions};
use crate::quick::Anyone;
use crate::tx::Tx;
use crate::value::Value;

/// Most cells that are moved in place.
pub(crate) const SHIFT: u64 = 64;
/// Most cells that a transaction appends in place, each of them logged.
const FEW: usize = 32;
/// Most cells that close up in place where several are taken out.
const CLOSED_UP: u64 = 96;
/// Lists with less room than this do not shrink.
pub(super) const SHRINK_FROM: u64 = 64;

impl List {
    /// Appends an item.
    #[inline]
    pub fn push(&self, value: impl Into<Value>) -> Result<()> {
        match value.into().into_cell() {
            Ok(cell) if self.quick_push(Anyone, cell).is_some() => Ok(()),
            Ok(cell) => self.push_cell(cell),
            Err(value) => self.push_value(value),
        }
    }

    fn push_cell(&self, cell: Cell) -> Result<()> {
        if self.typed().is_some() {
            return self.push_value(Value::of_immediate(cell).unwrap_or_default());
        }
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let items = Items::load(tx.heap(), at)?;
            if items.start + items.len < items.cap {
                // Beyond the span: nobody sees it before the span's one store.
                tx.fill_unseen(items.at(items.len), cell.0)?;
                return tx.set_only(at, at + object::W1, span(items.start, items.len + 1));
            }
            List::append_cells(tx, at, &[cell])
        })
    }

    fn push_value(&self, value: Value) -> Result<()> {
        let at = self.at();
        let staged = self.accepted(value)?.prepare(self.heap())?;
        self.heap().write_in(at, |tx| {
            let cell = staged.take(tx)?;
            List::append_cells(tx, at, &[cell])
        })
    }

    /// Puts an item in front.
    pub fn push_front(&self, value: impl Into<Value>) -> Result<()> {
        self.insert(0, value)
    }

    /// Inserts an item before an index; beyond the end it is appended.
    pub fn insert(&self, index: usize, value: impl Into<Value>) -> Result<()> {
        self.insert_value(Place::Front(index), value.into())
    }

    pub(super) fn insert_value(&self, place: Place, value: Value) -> Result<()> {
        let at = self.at();
        let staged = self.accepted(value)?.prepare(self.heap())?;
        self.heap().write_in(at, |tx| {
            let index = place.clamped(Items::load(tx.heap(), at)?.len);
            let cell = staged.take(tx)?;
            insert_cell(tx, at, index, cell)
        })
    }

    /// Takes the last item.
    #[inline]
    pub fn pop(&self) -> Result<Option<Value>> {
        match self.quick_pop(Anyone, false) {
            Some(cell) => Ok(number(cell)),
            None => self.pop_back(),
        }
    }

    fn pop_back(&self) -> Result<Option<Value>> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let items = Items::load(tx.heap(), at)?;
            let Some(last) = items.len.checked_sub(1) else { return Ok(None) };
            take_end(tx, at, items, last, Items { len: last, ..items }).map(Some)
        })
    }

    /// Takes the first item.
    #[inline]
    pub fn pop_front(&self) -> Result<Option<Value>> {
        match self.quick_pop(Anyone, true) {
            Some(cell) => Ok(number(cell)),
            None => self.pop_first(),
        }
    }

    fn pop_first(&self) -> Result<Option<Value>> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let items = Items::load(tx.heap(), at)?;
            let Some(len) = items.len.checked_sub(1) else { return Ok(None) };
            take_end(tx, at, items, 0, Items { start: items.start + 1, len, ..items }).map(Some)
        })
    }

    /// Takes the item at an index.
    ///
    /// # Errors
    /// `IndexOutOfRange` at and beyond the end.
    pub fn remove(&self, index: usize) -> Result<Value> {
        self.take_at(Place::Front(index))
    }

    pub(super) fn take_at(&self, place: Place) -> Result<Value> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let items = Items::load(tx.heap(), at)?;
            let index = place.within(items.len).ok_or_else(|| out_of_range(place, items.len))?;
            let cell = Cell(tx.load(items.at(index))?);
            let value = Value::decode(tx.heap(), cell)?;
            remove_cell(tx, at, items, index)?;
            tx.dec(cell)?;
            Ok(value)
        })
    }

    /// Removes the first item that equals a value; tells whether there was one.
    pub fn remove_value(&self, value: &Value) -> Result<bool> {
        let at = self.at();
        // Comparing may read other containers: done before the lock is taken, where nobody interferes.
        let version = self.version()?;
        let Some(index) = self.index_of(value, 0, usize::MAX)? else { return Ok(false) };
        let done = self.heap().write_in(at, |tx| {
            let items = Items::load(tx.heap(), at)?;
            if tx.load(at + object::SEQ)? != version || index as u64 >= items.len {
                return Ok(false);
            }
            let cell = Cell(tx.load(items.at(index as u64))?);
            remove_cell(tx, at, items, index as u64)?;
            tx.dec(cell)?;
            Ok(true)
        })?;
        if done {
            return Ok(true);
        }
        // Somebody did: nobody does while it is looked through under the lock.
        self.heap().write(|tx| {
            let items = Items::load(tx.heap(), at)?;
            for (index, cell) in (0..).zip(items.cells(tx.heap())?) {
                if holds(tx.heap(), cell, value)? {
                    remove_cell(tx, at, items, index)?;
                    tx.dec(cell)?;
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// Exchanges two items.
    ///
    /// # Errors
    /// `IndexOutOfRange` at and beyond the end.
    pub fn swap(&self, one: usize, other: usize) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let (one, other) = (Place::Front(one), Place::Front(other));
            let (one, other) = (locate(tx, at, one)?, locate(tx, at, other)?);
            let (a, b) = (tx.load(one)?, tx.load(other)?);
            tx.open(at)?;
            tx.set(one, b)?;
            tx.set(other, a)
        })
    }

    /// Appends cells that own their counts.
    pub(crate) fn append_cells(tx: &mut Tx<'_>, at: Offset, cells: &[Cell]) -> Result<()> {
        let items = Items::load(tx.heap(), at)?;
        let len = items.len + cells.len() as u64;
        if items.start + len <= items.cap && (!tx.in_transaction() || cells.len() <= FEW) {
            if tx.in_transaction() {
                for (position, cell) in (items.len..).zip(cells) {
                    tx.fill_unseen(items.at(position), cell.0)?;
                }
            } else {
                items::fill(tx.heap(), items.at(items.len), cells)?;
            }
            tx.open(at)?;
            return tx.set(at + object::W1, span(items.start, len));
        }
        let (block, cap) = items::fresh(tx, len, false)?;
        items::copy(tx.heap(), items.at(0), block, items.len)?;
        items::fill(tx.heap(), block + items.len * 8, cells)?;
        items::swap_in(tx, at, Items { block, start: 0, len, cap })?;
        items::release(tx, items)
    }

    /// Takes all cells with their counts; the list is empty afterwards.
    pub(crate) fn take_cells(&self, tx: &mut Tx<'_>) -> Result<Vec<Cell>> {
        let at = self.at();
        let cells = Items::load(tx.heap(), at)?.cells(tx.heap())?;
        tx.open(at)?;
        tx.set(at + object::W1, span(0, 0))?;
        Ok(cells)
    }

    /// Replaces the last `count` cells by one that takes their counts over.
    pub(crate) fn collapse(
        tx: &mut Tx<'_>,
        at: Offset,
        count: usize,
        build: impl FnOnce(&mut Tx<'_>, &[Cell]) -> Result<Cell>,
    ) -> Result<()> {
        let items = Items::load(tx.heap(), at)?;
        let Some(left) = items.len.checked_sub(count as u64).filter(|_| count > 0) else {
            return Err(tx.heap().corrupt("a scratch list was changed"));
        };
        let cells = items.range(tx.heap(), left, items.len)?;
        let cell = build(tx, &cells)?;
        tx.open(at)?;
        tx.set(items.at(left), cell.0)?;
        tx.set(at + object::W1, span(items.start, left + 1))
    }
}

/// Appends a cell that owns its count; the room that taking from the front has left is used again.
pub(crate) fn push_cell_at_end(tx: &mut Tx<'_>, at: Offset, cell: Cell) -> Result<()> {
    let items = Items::load(tx.heap(), at)?;
    let full = items.start + items.len == items.cap;
    if !full || items.len >= items.start || tx.in_transaction() {
        return List::append_cells(tx, at, &[cell]);
    }
    // The places before the first cell are unseen, and the seen ones stay as they are: one store of
    // the span moves all of them.
    let front = Items { start: 0, ..items };
    items::copy(tx.heap(), items.at(0), front.at(0), items.len)?;
    items::fill(tx.heap(), front.at(items.len), &[cell])?;
    tx.open(at)?;
    tx.set(at + object::W1, span(0, items.len + 1))
}

/// Puts a cell that owns its count before the first one.
pub(crate) fn push_cell_in_front(tx: &mut Tx<'_>, at: Offset, cell: Cell) -> Result<()> {
    insert_cell(tx, at, 0, cell)
}

/// Takes the first cell; its count is now the caller's.
pub(crate) fn pop_first_cell(tx: &mut Tx<'_>, at: Offset) -> Result<Option<Cell>> {
    let items = Items::load(tx.heap(), at)?;
    let Some(len) = items.len.checked_sub(1) else { return Ok(None) };
    let cell = Cell(tx.load(items.at(0))?);
    tx.open(at)?;
    tx.set(at + object::W1, span(if len == 0 { 0 } else { items.start + 1 }, len))?;
    shrink(tx, at)?;
    Ok(Some(cell))
}

/// Takes `count` cells from an index on; their counts are now the caller's.
pub(crate) fn drop_cells_at(tx: &mut Tx<'_>, at: Offset, index: u64, count: u64) -> Result<()> {
    let items = Items::load(tx.heap(), at)?;
    let Some(len) = items.len.checked_sub(count).filter(|len| index <= *len) else {
        return Err(out_of_range(Place::Front(index as usize), items.len));
    };
    if len - index <= CLOSED_UP {
        tx.open(at)?;
        for position in index..len {
            let word = tx.load(items.at(position + count))?;
            tx.set(items.at(position), word)?;
        }
        return tx.set(at + object::W1, span(if len == 0 { 0 } else { items.start }, len));
    }
    let (block, cap) = match items::fresh(tx, len, false) {
        Err(full @ Error::SegmentFull { .. }) => {
            return removal::instead(tx, full, at, Positions::row(index, count), false);
        }
        other => other?,
    };
    items::copy(tx.heap(), items.at(0), block, index)?;
    items::copy(tx.heap(), items.at(index + count), block + index * 8, len - index)?;
    items::swap_in(tx, at, Items { block, start: 0, len, cap })?;
    items::release(tx, items)
}

/// The number in a cell.
#[inline]
fn number(cell: Cell) -> Option<Value> {
    match cell.as_int() {
        Some(number) => Some(Value::Int(number)),
        None => cell.as_float().map(Value::Float),
    }
}

/// Takes the cell at one end; `left` is what remains.
#[inline]
fn take_end(tx: &mut Tx<'_>, at: Offset, items: Items, index: u64, left: Items) -> Result<Value> {
    let cell = Cell(tx.load(items.at(index))?);
    let value = Value::decode(tx.heap(), cell)?;
    let word = span(if left.len == 0 { 0 } else { left.start }, left.len);
    let roomy = items.cap > SHRINK_FROM && left.len < items.cap / 4;
    if cell.is_immediate() && !roomy {
        tx.set_only(at, at + object::W1, word)?;
        return Ok(value);
    }
    tx.open(at)?;
    tx.set(at + object::W1, word)?;
    tx.dec(cell)?;
    if roomy {
        shrink(tx, at)?;
    }
    Ok(value)
}

/// Moves the cells into a smaller block, if there is one.
pub(crate) fn shrink(tx: &mut Tx<'_>, at: Offset) -> Result<()> {
    let items = Items::load(tx.heap(), at)?;
    if items.cap <= SHRINK_FROM || items.len >= items.cap / 4 {
        return Ok(());
    }
    let (block, cap) = match items::fresh(tx, items.len, false) {
        // Taking items must work in a full segment: then the block stays as it is.
        Err(Error::SegmentFull { .. }) => return Ok(()),
        other => other?,
    };
    items::copy(tx.heap(), items.at(0), block, items.len)?;
    items::swap_in(tx, at, Items { block, start: 0, len: items.len, cap })?;
    items::release(tx, items)
}

/// Puts a cell that owns its count before an index; beyond the end, behind the last one.
pub(super) fn insert_cell(tx: &mut Tx<'_>, at: Offset, index: u64, cell: Cell) -> Result<()> {
    let items = Items::load(tx.heap(), at)?;
    let index = index.min(items.len);
    if index == items.len {
        return List::append_cells(tx, at, &[cell]);
    }
    let (head, tail) = (index, items.len - index);
    if items.start > 0 && head <= SHIFT.min(tail) {
        tx.open(at)?;
        for position in 0..head {
            let word = tx.load(items.at(position))?;
            put(tx, items.at(position) - 8, word, position == 0)?;
        }
        put(tx, items.at(index) - 8, cell.0, head == 0)?;
        return tx.set(at + object::W1, span(items.start - 1, items.len + 1));
    }
    if items.start + items.len < items.cap && tail <= SHIFT {
        tx.open(at)?;
        for position in (index..items.len).rev() {
            let word = tx.load(items.at(position))?;
            put(tx, items.at(position + 1), word, position + 1 == items.len)?;
        }
        tx.set(items.at(index), cell.0)?;
        return tx.set(at + object::W1, span(items.start, items.len + 1));
    }
    let len = items.len + 1;
    let (block, cap) = items::fresh(tx, len, false)?;
    // Who inserts in front once will do it again: the room goes there.
    let start = if index == 0 { (cap - len) / 2 } else { 0 };
    let first = block + start * 8;
    items::copy(tx.heap(), items.at(0), first, head)?;
    items::fill(tx.heap(), first + head * 8, &[cell])?;
    items::copy(tx.heap(), items.at(index), first + (head + 1) * 8, tail)?;
    items::swap_in(tx, at, Items { block, start, len, cap })?;
    items::release(tx, items)
}

/// Stores a cell; one outside of the span needs no log.
fn put(tx: &mut Tx<'_>, at: Offset, word: u64, unseen: bool) -> Result<()> {
    if unseen { tx.fill_unseen(at, word) } else { tx.set(at, word) }
}

/// Takes the cell at an index out of the list; its count is now the caller's.
fn remove_cell(tx: &mut Tx<'_>, at: Offset, items: Items, index: u64) -> Result<()> {
    let (head, tail, len) = (index, items.len - 1 - index, items.len - 1);
    if head.min(tail) <= SHIFT {
        tx.open(at)?;
        let start = if tail <= head {
            for position in index..len {
                let word = tx.load(items.at(position + 1))?;
                tx.set(items.at(position), word)?;
            }
            items.start
        } else {
            for position in (0..index).rev() {
                let word = tx.load(items.at(position))?;
                tx.set(items.at(position + 1), word)?;
            }
            items.start + 1
        };
        tx.set(at + object::W1, span(start, len))?;
        return shrink(tx, at);
    }
    let (block, cap) = match items::fresh(tx, len, false) {
        Err(full @ Error::SegmentFull { .. }) => {
            return removal::instead(tx, full, at, Positions::row(index, 1), false);
        }
        other => other?,
    };
    items::copy(tx.heap(), items.at(0), block, head)?;
    items::copy(tx.heap(), items.at(index + 1), block + head * 8, tail)?;
    items::swap_in(tx, at, Items { block, start: 0, len, cap })?;
    items::release(tx, items)
}
