//! The shared list: Python's list, changed in place by every process.
//!
//! A handle is cheap to clone, is `Send + Sync`, and keeps the list alive. Readers never lock:
//! they validate what they read against the list's sequence. Every changing operation happens
//! under the segment's writer lock, wholly or not at all, also under SIGKILL. Indices are
//! positions, as in `Vec`; those counted from the end, as of the operation's moment, are in `ends`.
//! Operations that call back (sorting) do so without any lock.

mod bulk;
mod deque;
mod edit;
mod ends;
mod items;
mod iter;
mod quick;
mod slice;
mod sort;
#[cfg(test)]
mod tests;
mod word;

pub(crate) use edit::{
    drop_cells_at, pop_first_cell, push_cell_at_end, push_cell_in_front, shrink,
};
pub(crate) use ends::Place;
pub(crate) use items::{Items, cell as cell_at, fill as fill_cells, fresh as fresh_block, span};
pub use iter::Iter;
pub(crate) use slice::Slice;
pub(crate) use word::{add_at, holds, replace};

use crate::cell::{Cell, Kind, Offset};
use crate::error::{Error, Result};
use crate::handle::{Object, borrowed};
use crate::heap::Heap;
use crate::layout::object;
use crate::quick::{Anyone, word};
use crate::tx::Tx;
use crate::value::{self, Value};

/// Handle. A list in shared memory.
///
/// ```
/// # fn main() -> Result<(), shm_core::Error> {
/// # let seg = shm_core::Segment::create_anonymous(shm_core::SegmentOptions::new().size(1 << 20))?;
/// let list = seg.list_of([1, 2, 3])?;
/// list.push("four")?;
/// assert_eq!(list.get(3)?, Some("four".into()));
/// assert_eq!(list.len()?, 4);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct List {
    object: Object,
}

crate::handle::identity!(List, "list");

impl List {
    pub(crate) fn from_object(object: Object) -> Self {
        List { object }
    }

    /// A new, empty list that nothing but this handle refers to.
    pub(crate) fn empty(heap: &Heap) -> Result<Self> {
        Ok(List { object: Object::create(heap, Kind::List, |_, _| Ok(()))? })
    }

    /// A new list of these values.
    pub(crate) fn new<T: Into<Value>>(
        heap: &Heap,
        values: impl IntoIterator<Item = T>,
    ) -> Result<Self> {
        let list = List::empty(heap)?;
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        list.fill(&values)?;
        Ok(list)
    }

    /// Fills an empty list that nobody else sees, so it need not be one operation.
    pub(crate) fn fill(&self, values: &[Value]) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        self.reserve(values.len())?;
        value::fill(self, values)
    }

    /// How many items it has.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "is_empty is below, fallible like everything")]
    pub fn len(&self) -> Result<usize> {
        let at = self.at();
        let span = self.heap().glance(at, |_, header| Some(word(header, object::W1)));
        match span {
            Some(span) => Ok((span >> 32) as usize),
            None => self.heap().read(at, |heap| Ok((heap.load(at + object::W1)? >> 32) as usize)),
        }
    }

    /// Whether it has no items.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The item at an index, or `None` beyond the end.
    #[inline]
    pub fn get(&self, index: usize) -> Result<Option<Value>> {
        // A number is made where it is returned; a value that is handed on costs more than a look.
        match self.quick_cell(index) {
            Some(None) => return Ok(None),
            Some(Some(cell)) => {
                if let Some(number) = cell.as_int() {
                    return Ok(Some(Value::Int(number)));
                }
                if let Some(number) = cell.as_float() {
                    return Ok(Some(Value::Float(number)));
                }
            }
            None => {}
        }
        self.get_value(index)
    }

    fn get_value(&self, index: usize) -> Result<Option<Value>> {
        if let Some(value) = self.quick_value(index) {
            return Ok(value);
        }
        let at = self.at();
        self.heap().read(at, |heap| match items::cell(heap, at, index as u64)? {
            Some(cell) => Value::decode(heap, cell).map(Some),
            None => Ok(None),
        })
    }

    /// The integer at an index; `None` beyond the end.
    ///
    /// # Errors
    /// `WrongType` if something else is there.
    #[inline]
    pub fn get_int(&self, index: usize) -> Result<Option<i64>> {
        if let Some(Some(cell)) = self.quick_cell(index)
            && let Some(number) = cell.as_int()
        {
            return Ok(Some(number));
        }
        self.get_any_int(index)
    }

    #[cold]
    fn get_any_int(&self, index: usize) -> Result<Option<i64>> {
        self.get_value(index)?.map(i64::try_from).transpose()
    }

    /// The raw cell at an index: whole values where [`Cell::is_immediate`], else only the fact
    /// that something else is there.
    #[inline]
    pub fn get_cell(&self, index: usize) -> Result<Option<Cell>> {
        if let Some(cell) = self.quick_cell(index) {
            return Ok(cell);
        }
        self.read_cell(index)
    }

    #[cold]
    fn read_cell(&self, index: usize) -> Result<Option<Cell>> {
        let at = self.at();
        self.heap().read(at, |heap| items::cell(heap, at, index as u64))
    }

    /// Replaces the item at an index.
    ///
    /// # Errors
    /// `IndexOutOfRange` at and beyond the end.
    #[inline]
    pub fn set(&self, index: usize, value: impl Into<Value>) -> Result<()> {
        match value.into().into_cell() {
            Ok(cell) => self.set_cell(Place::Front(index), cell),
            Err(value) if self.quick_set_leaf(index, &value) => Ok(()),
            Err(value) => self.set_value(Place::Front(index), value),
        }
    }

    /// Replaces the item at an index by an integer.
    #[inline]
    pub fn set_int(&self, index: usize, value: i64) -> Result<()> {
        match Cell::int(value) {
            Some(cell) => self.set_cell(Place::Front(index), cell),
            None => self.set_value(Place::Front(index), value.into()),
        }
    }

    /// Replaces the item at an index by a cell that holds a whole value.
    #[inline]
    fn set_cell(&self, place: Place, cell: Cell) -> Result<()> {
        match self.quick_set(Anyone, place, cell) {
            Some(()) => Ok(()),
            None => self.write_cell(place, cell),
        }
    }

    fn write_cell(&self, place: Place, cell: Cell) -> Result<()> {
        if self.typed().is_some() {
            return self.set_value(place, Value::of_immediate(cell).unwrap_or_default());
        }
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let slot = locate(tx, at, place)?;
            let old = Cell(tx.load(slot)?);
            if old.is_immediate() {
                return tx.set_only(at, slot, cell.0);
            }
            tx.open(at)?;
            tx.set(slot, cell.0)?;
            tx.dec(old)
        })
    }

    fn set_value(&self, place: Place, value: Value) -> Result<()> {
        self.set_as_is(place, self.accepted(value)?)
    }

    /// As [`List::set`], with a value that the list takes.
    pub(crate) fn set_as_is(&self, place: Place, value: Value) -> Result<()> {
        let at = self.at();
        let staged = value.prepare(self.heap())?;
        self.heap().write_in(at, |tx| {
            let slot = locate(tx, at, place)?;
            replace(tx, at, slot, &staged)
        })
    }

    /// Adds to the item at an index, as `+=` does, and returns the sum: one atomic operation.
    ///
    /// # Errors
    /// `IndexOutOfRange`; `WrongType` for types that Python does not add.
    #[inline]
    pub fn add(&self, index: usize, delta: impl Into<Value>) -> Result<Value> {
        self.add_to(Place::Front(index), &delta.into())
    }

    #[inline]
    fn add_to(&self, place: Place, delta: &Value) -> Result<Value> {
        if let Value::Int(number) = *delta
            && let Some(sum) = self.quick_add(Anyone, place, number)
        {
            return Ok(Value::Int(sum));
        }
        self.add_value(place, delta)
    }

    fn add_value(&self, place: Place, delta: &Value) -> Result<Value> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let slot = locate(tx, at, place)?;
            add_at(tx, (at, Kind::List), slot, delta)
        })
    }

    /// Replaces the item at an index if it equals `old`; tells whether it did.
    pub fn compare_exchange(
        &self,
        index: usize,
        old: &Value,
        new: impl Into<Value>,
    ) -> Result<bool> {
        self.exchange(Place::Front(index), old, new.into())
    }

    fn exchange(&self, place: Place, old: &Value, new: Value) -> Result<bool> {
        let at = self.at();
        let staged = self.accepted(new)?.prepare(self.heap())?;
        self.heap().write_in(at, |tx| {
            let slot = locate(tx, at, place)?;
            let there = Cell(tx.load(slot)?);
            if !holds(tx.heap(), there, old)? {
                return Ok(false);
            }
            replace(tx, at, slot, &staged)?;
            Ok(true)
        })
    }

    /// All items, as of one moment.
    pub fn to_vec(&self) -> Result<Vec<Value>> {
        let at = self.at();
        self.heap().read(at, |heap| decode_all(heap, &Items::load(heap, at)?.cells(heap)?))
    }

    /// Up to `count` items from `start` on, as of one moment.
    pub fn chunk(&self, start: usize, count: usize) -> Result<Vec<Value>> {
        let at = self.at();
        let (from, to) = (start as u64, (start as u64).saturating_add(count as u64));
        self.heap()
            .read(at, |heap| decode_all(heap, &Items::load(heap, at)?.range(heap, from, to)?))
    }

    /// The position of the first item between `start` and `stop` that equals a value.
    pub fn index_of(&self, value: &Value, start: usize, stop: usize) -> Result<Option<usize>> {
        let at = self.at();
        if value.object()?.is_some() {
            return self.look_through(|items| {
                let mut range = items.iter().enumerate().take(stop).skip(start);
                range.find(|(_, item)| *item == value).map(|(index, _)| index)
            });
        }
        self.heap().read(at, |heap| {
            let cells = Items::load(heap, at)?.range(heap, start as u64, stop as u64)?;
            for (offset, cell) in cells.into_iter().enumerate() {
                if holds(heap, cell, value)? {
                    return Ok(Some(start + offset));
                }
            }
            Ok(None)
        })
    }

    /// How many items equal a value.
    pub fn count(&self, value: &Value) -> Result<usize> {
        let at = self.at();
        if value.object()?.is_some() {
            return self.look_through(|items| items.iter().filter(|item| *item == value).count());
        }
        self.heap().read(at, |heap| {
            let mut sum = 0;
            for cell in Items::load(heap, at)?.cells(heap)? {
                sum += usize::from(holds(heap, cell, value)?);
            }
            Ok(sum)
        })
    }

    /// What a look at all items finds, also where there is no place to pin them.
    fn look_through<T>(&self, mut look: impl FnMut(&[Value]) -> T) -> Result<T> {
        borrowed::with_or_without_pins(|| {
            borrowed::while_unchanged(&self.object, || Ok(look(&self.to_vec()?)))
        })
    }

    /// Whether an item equals a value.
    pub fn contains(&self, value: &Value) -> Result<bool> {
        Ok(self.index_of(value, 0, usize::MAX)?.is_some())
    }

    /// The items one after the other, read 64 at a time. As in Python, items that are appended
    /// meanwhile are seen.
    #[must_use]
    pub fn iter(&self) -> Iter {
        Iter::new(self.clone())
    }
}

/// Where the cell of a place lies.
#[inline]
fn locate(tx: &Tx<'_>, at: Offset, place: Place) -> Result<Offset> {
    let block = tx.block(at)?;
    let span = tx.load(at + object::W1)?;
    let (start, len) = (span & 0xFFFF_FFFF, span >> 32);
    let index = place.within(len).ok_or_else(|| out_of_range(place, len))?;
    Ok(block.wrapping_add((start + index) * 8))
}

#[cold]
fn out_of_range(place: Place, len: u64) -> Error {
    Error::IndexOutOfRange { what: "list", index: place.signed(), len }
}

fn decode_all(heap: &Heap, cells: &[Cell]) -> Result<Vec<Value>> {
    let mut out = Vec::with_capacity(cells.len());
    for cell in cells {
        out.push(Value::decode(heap, *cell)?);
    }
    Ok(out)
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        Value::List(self.clone()) == Value::List(other.clone())
    }
}

impl std::fmt::Debug for List {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 8;
        let (Ok(len), Ok(items)) = (self.len(), self.chunk(0, SHOWN)) else {
            return out.write_str("List(closed)");
        };
        out.write_str("List")?;
        let mut shown = out.debug_list();
        for item in &items {
            // Nested containers are named, not opened: a list may contain itself.
            match item.object() {
                Ok(None) => shown.entry(item),
                _ => shown.entry(&format_args!("<{}>", item.type_name())),
            };
        }
        if len > items.len() {
            shown.entry(&format_args!("... {len} items"));
        }
        shown.finish()
    }
}
