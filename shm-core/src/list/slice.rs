//! Slices with Python's rules: negative bounds, steps, assignment that changes the length.

use crate::cell::{Cell, Offset};
use crate::error::{Error, Result};
use crate::layout::object;
use crate::list::bulk::discard;
use crate::list::edit::shrink;
use crate::list::items::{self, Items, span};
use crate::list::{List, decode_all};
use crate::object::removal::{self, Positions};
use crate::trash;
use crate::tx::Tx;
use crate::value::{Batch, Value};

/// Most cells that are replaced in place.
const IN_PLACE: u64 = 32;

/// A slice that was applied to a length: `count` positions from `start` on, `step` apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) start: i64,
    pub(crate) step: i64,
    pub(crate) count: u64,
}

impl Slice {
    /// Applies `[start:stop:step]` to a length.
    pub(crate) fn new(
        start: Option<i64>,
        stop: Option<i64>,
        step: Option<i64>,
        len: u64,
    ) -> Result<Slice> {
        let step = step.unwrap_or(1).max(-i64::MAX);
        if step == 0 {
            return Err(Error::InvalidArgument { what: "slice step cannot be zero".into() });
        }
        let len = len.min(i64::MAX as u64) as i64;
        // Positions of a backward slice run from len - 1 down to -1, the end.
        let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let place = |bound: i64| {
            if bound < 0 { (bound + len).max(low) } else { bound.min(high) }
        };
        let first = start.map_or(if step > 0 { low } else { high }, place);
        let last = stop.map_or(if step > 0 { high } else { low }, place);
        let distance = if step > 0 { last - first } else { first - last };
        let count = if distance <= 0 { 0 } else { (distance as u64).div_ceil(step.unsigned_abs()) };
        Ok(Slice { start: first, step, count })
    }

    /// The positions, in the order of the slice.
    pub(crate) fn positions(self) -> impl Iterator<Item = u64> {
        (0..self.count as i64).map(move |index| (self.start + index * self.step) as u64)
    }

    /// The same positions in ascending order.
    pub(crate) fn ascending(self) -> Slice {
        if self.step > 0 || self.count == 0 {
            return self;
        }
        let start = self.start + (self.count as i64 - 1) * self.step;
        Slice { start, step: -self.step, count: self.count }
    }
}

impl List {
    /// The items of `[start:stop:step]`, as of one moment.
    ///
    /// # Errors
    /// `InvalidArgument` for a step of 0.
    pub fn slice(
        &self,
        start: Option<i64>,
        stop: Option<i64>,
        step: Option<i64>,
    ) -> Result<Vec<Value>> {
        let at = self.at();
        self.heap().read(at, |heap| {
            let items = Items::load(heap, at)?;
            let slice = Slice::new(start, stop, step, items.len)?;
            let cells = pick(&items.cells(heap)?, slice);
            decode_all(heap, &cells)
        })
    }

    /// Replaces `[start:stop:step]` by values, as an assignment to a slice does.
    ///
    /// # Errors
    /// `InvalidArgument` for a step of 0, and for a step other than 1 with another number of
    /// values.
    pub fn set_slice(
        &self,
        start: Option<i64>,
        stop: Option<i64>,
        step: Option<i64>,
        mut values: Vec<Value>,
    ) -> Result<()> {
        self.accept_all(&mut values)?;
        self.set_slice_as_is(start, stop, step, values)
    }

    /// As [`List::set_slice`], with values that the list takes.
    pub(crate) fn set_slice_as_is(
        &self,
        start: Option<i64>,
        stop: Option<i64>,
        step: Option<i64>,
        values: Vec<Value>,
    ) -> Result<()> {
        let at = self.at();
        let batch = Batch::new(self.heap(), values)?;
        self.heap().write_in(at, |tx| {
            let items = Items::load(tx.heap(), at)?;
            let slice = Slice::new(start, stop, step, items.len)?;
            if slice.step == 1 {
                let cells = batch.take(tx)?;
                return splice(tx, at, items, slice.start as u64, slice.count, &cells);
            }
            if slice.count != batch.len() as u64 {
                return Err(Error::InvalidArgument {
                    what: format!(
                        "attempt to assign sequence of size {} to extended slice of size {}",
                        batch.len(),
                        slice.count
                    ),
                });
            }
            let cells = batch.take(tx)?;
            exchange(tx, at, items, slice, &cells)
        })
    }

    /// Removes `[start:stop:step]`.
    ///
    /// # Errors
    /// `InvalidArgument` for a step of 0.
    pub fn del_slice(
        &self,
        start: Option<i64>,
        stop: Option<i64>,
        step: Option<i64>,
    ) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let items = Items::load(tx.heap(), at)?;
            let slice = Slice::new(start, stop, step, items.len)?.ascending();
            if slice.count == 0 {
                return Ok(());
            }
            if slice.step == 1 || slice.count == 1 {
                return splice(tx, at, items, slice.start as u64, slice.count, &[]);
            }
            let cells = items.cells(tx.heap())?;
            let removed = pick(&cells, slice);
            let mut gone = slice.positions().peekable();
            let mut kept = Vec::with_capacity(cells.len());
            for (index, cell) in cells.into_iter().enumerate() {
                if gone.next_if_eq(&(index as u64)).is_none() {
                    kept.push(cell);
                }
            }
            let Slice { start, step, count } = slice;
            let positions = Positions { first: start as u64, count, step: step as u64 };
            let (block, cap) = match items::fresh(tx, kept.len() as u64, false) {
                Err(full @ Error::SegmentFull { .. }) => {
                    return removal::instead(tx, full, at, positions, true);
                }
                other => other?,
            };
            match trash::cells(tx, &removed) {
                Err(full @ Error::SegmentFull { .. }) => {
                    tx.free_after(block)?;
                    return removal::instead(tx, full, at, positions, true);
                }
                other => other?,
            }
            publish(tx, at, items, &kept, (block, cap))
        })
    }
}

fn pick(cells: &[Cell], slice: Slice) -> Vec<Cell> {
    slice.positions().filter_map(|position| cells.get(position as usize).copied()).collect()
}

/// Replaces `removed` cells from an index on by others, which own their counts.
fn splice(
    tx: &mut Tx<'_>,
    at: Offset,
    items: Items,
    from: u64,
    removed: u64,
    cells: &[Cell],
) -> Result<()> {
    let added = cells.len() as u64;
    let to = from + removed;
    let tail = items.len - to;
    if removed == 0 && tail == 0 {
        return List::append_cells(tx, at, cells);
    }
    if removed == added && added <= IN_PLACE {
        let old = items.range(tx.heap(), from, to)?;
        tx.open(at)?;
        for (position, cell) in (from..to).zip(cells) {
            tx.set(items.at(position), cell.0)?;
        }
        return trash::cells(tx, &old);
    }
    let at_an_end = added == 0 && (tail == 0 || from == 0);
    let len = items.len - removed + added;
    if len == 0 {
        // As `clear`: the whole block goes, and nothing is allocated for what stays.
        items::swap_in(tx, at, Items { block: 0, start: 0, len: 0, cap: 0 })?;
        return discard(tx, items);
    }
    // Whichever is less is moved: what stays, or (by `cut`) what goes and has counts.
    if at_an_end && removed <= len {
        return cut(tx, at, items, from, removed);
    }
    let (block, cap) = match items::fresh(tx, len, false) {
        Err(Error::SegmentFull { .. }) if at_an_end => {
            return cut(tx, at, items, from, removed);
        }
        Err(full @ Error::SegmentFull { .. }) if added == 0 => {
            return removal::instead(tx, full, at, Positions::row(from, removed), true);
        }
        other => other?,
    };
    items::copy(tx.heap(), items.at(0), block, from)?;
    items::fill(tx.heap(), block + from * 8, cells)?;
    items::copy(tx.heap(), items.at(to), block + (from + added) * 8, tail)?;
    items::swap_in(tx, at, Items { block, start: 0, len, cap })?;
    // What remains in the former block is exactly what was removed.
    discard(tx, Items { start: items.start + from, len: removed, ..items })
}

/// Removes cells at either end where they are.
pub(super) fn cut(
    tx: &mut Tx<'_>,
    at: Offset,
    items: Items,
    from: u64,
    removed: u64,
) -> Result<()> {
    let old = items.range(tx.heap(), from, from + removed)?;
    let len = items.len - removed;
    let start = if from == 0 { items.start + removed } else { items.start };
    match trash::cells(tx, &old) {
        Err(full @ Error::SegmentFull { .. }) => {
            return removal::instead(tx, full, at, Positions::row(from, removed), true);
        }
        other => other?,
    }
    tx.open(at)?;
    tx.set(at + object::W1, span(if len == 0 { 0 } else { start }, len))?;
    shrink(tx, at)
}

/// Replaces the cells of a slice by as many others, which own their counts.
fn exchange(tx: &mut Tx<'_>, at: Offset, items: Items, slice: Slice, cells: &[Cell]) -> Result<()> {
    let mut all = items.cells(tx.heap())?;
    let old = pick(&all, slice);
    if slice.count <= IN_PLACE {
        tx.open(at)?;
        for (position, cell) in slice.positions().zip(cells) {
            tx.set(items.at(position), cell.0)?;
        }
        return trash::cells(tx, &old);
    }
    for (position, cell) in slice.positions().zip(cells) {
        if let Some(target) = all.get_mut(position as usize) {
            *target = *cell;
        }
    }
    replace_all(tx, at, items, &all)?;
    trash::cells(tx, &old)
}

/// A fresh block with these cells; the former one is given back without its counts.
fn replace_all(tx: &mut Tx<'_>, at: Offset, items: Items, cells: &[Cell]) -> Result<()> {
    let fresh = items::fresh(tx, cells.len() as u64, false)?;
    publish(tx, at, items, cells, fresh)
}

/// Fills a fresh block of a capacity with these cells, and puts it in the place of the former one.
fn publish(
    tx: &mut Tx<'_>,
    at: Offset,
    items: Items,
    cells: &[Cell],
    (block, cap): (Offset, u64),
) -> Result<()> {
    items::fill(tx.heap(), block, cells)?;
    items::swap_in(tx, at, Items { block, start: 0, len: cells.len() as u64, cap })?;
    items::release(tx, items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(start: Option<i64>, stop: Option<i64>, step: i64, len: u64) -> Vec<u64> {
        Slice::new(start, stop, Some(step), len).unwrap().positions().collect()
    }

    #[test]
    fn slices_follow_python() {
        assert_eq!(positions(None, None, 1, 4), [0, 1, 2, 3]);
        assert_eq!(positions(None, None, -1, 4), [3, 2, 1, 0]);
        assert_eq!(positions(Some(-3), Some(-1), 1, 4), [1, 2]);
        assert_eq!(positions(Some(10), None, -2, 5), [4, 2, 0]);
        assert_eq!(positions(Some(1), Some(100), 3, 8), [1, 4, 7]);
        assert_eq!(positions(Some(3), Some(1), 1, 8), [] as [u64; 0]);
        assert_eq!(positions(Some(-100), Some(2), 1, 8), [0, 1]);
        assert_eq!(positions(None, Some(-100), -1, 3), [2, 1, 0]);
        assert_eq!(positions(None, None, i64::MIN, 3), [2]);
        assert_eq!(positions(Some(i64::MIN), Some(i64::MAX), i64::MAX, 3), [0]);
        assert!(Slice::new(None, None, Some(0), 3).is_err());
    }

    #[test]
    fn empty_forward_slice_keeps_its_place() {
        let slice = Slice::new(Some(3), Some(1), None, 8).unwrap();
        assert_eq!((slice.start, slice.count), (3, 0));
    }
}
