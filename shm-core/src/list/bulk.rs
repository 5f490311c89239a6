//! Many items at once: extend, clear, truncate, reverse, repeat.
//!
//! What is to be stored is prepared before the lock is taken, and what is removed is handed to the
//! reaper as a block: the operation itself changes a handful of words, however long the list.

use crate::cell::{Cell, Kind};
use crate::error::{Error, Result};
use crate::layout::object;
use crate::list::List;
use crate::list::deque::trim;
use crate::list::edit::SHIFT;
use crate::list::items::{self, Items};
use crate::trash;
use crate::tx::Tx;
use crate::value::{Batch, Value};

/// Cells whose counts are raised in one operation.
const COUNTS: usize = 64;
/// How often an operation that needs an unchanged list starts anew.
const ATTEMPTS: usize = 64;

impl List {
    /// Appends items, all or none.
    pub fn extend<T: Into<Value>>(&self, values: impl IntoIterator<Item = T>) -> Result<()> {
        let mut values: Vec<Value> = values.into_iter().map(Into::into).collect();
        self.accept_all(&mut values)?;
        self.extend_as_is(values)
    }

    /// As [`List::extend`], with values that the list takes.
    #[inline]
    pub(crate) fn extend_as_is(&self, values: Vec<Value>) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        let at = self.at();
        let batch = Batch::new(self.heap(), values)?;
        self.heap().write_in(at, |tx| {
            let cells = batch.take(tx)?;
            List::append_cells(tx, at, &cells)
        })
    }

    /// Makes room for more items, so that appending them allocates no further block.
    pub fn reserve(&self, more: usize) -> Result<()> {
        let at = self.at();
        self.heap().write(|tx| {
            let items = Items::load(tx.heap(), at)?;
            let len = items.len.saturating_add(more as u64);
            if items.start + len <= items.cap {
                return Ok(());
            }
            let (block, cap) = items::fresh(tx, len, true)?;
            items::copy(tx.heap(), items.at(0), block, items.len)?;
            items::swap_in(tx, at, Items { block, start: 0, len: items.len, cap })?;
            items::release(tx, items)
        })
    }

    /// Removes all items.
    pub fn clear(&self) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let items = Items::load(tx.heap(), at)?;
            if items.block == 0 {
                return Ok(());
            }
            items::swap_in(tx, at, Items { block: 0, start: 0, len: 0, cap: 0 })?;
            discard(tx, items)
        })
    }

    /// Keeps the first `len` items.
    pub fn truncate(&self, len: usize) -> Result<()> {
        self.del_slice(Some(i64::try_from(len).unwrap_or(i64::MAX)), None, None)
    }

    /// Turns the order around.
    pub fn reverse(&self) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let items = Items::load(tx.heap(), at)?;
            let mut cells = items.cells(tx.heap())?;
            cells.reverse();
            rearrange(tx, at, items, &cells)
        })
    }

    /// Repeats the items in place, as `*=` does: `count` times what was there, of which a bounded deque
    /// keeps the last ones.
    pub fn repeat(&self, count: usize) -> Result<()> {
        match count {
            0 => return self.clear(),
            1 => return Ok(()),
            _ => {}
        }
        let at = self.at();
        for _ in 0..ATTEMPTS {
            // Copies of what the block refers to are counted step by step, in a scratch list.
            let version = self.version()?;
            let Some(scratch) = self.counted_copies(version, self.copies(count - 1)?)? else {
                continue;
            };
            let done = self.heap().write(|tx| {
                if tx.load(at + object::SEQ)? != version {
                    return Ok(false);
                }
                let cells = scratch.take_cells(tx)?;
                List::append_cells(tx, at, &cells)?;
                trim(tx, at)?;
                Ok(true)
            })?;
            if done {
                return Ok(());
            }
        }
        Err(Error::Changed { what: "list", during: "repetition" })
    }

    /// So many copies, or as many as fill a bounded deque.
    fn copies(&self, wanted: usize) -> Result<usize> {
        let Some(most) = self.maxlen()? else { return Ok(wanted) };
        let enough = most.div_ceil(self.len()?.max(1) as u64);
        Ok(wanted.min(usize::try_from(enough).unwrap_or(usize::MAX)))
    }

    /// A scratch list with `copies` times the cells of this one, unless it changes meanwhile.
    fn counted_copies(&self, version: u64, copies: usize) -> Result<Option<List>> {
        let at = self.at();
        let len = self.len()?;
        let scratch = List::empty(self.heap())?;
        let wanted = len.checked_mul(copies).ok_or_else(|| Error::InvalidArgument {
            what: format!("a list of {len} items is too long to be repeated {copies} times"),
        })?;
        scratch.reserve(wanted)?;
        let mut copied = 0;
        while copied < wanted {
            let (from, done) = (copied % len, copied);
            let group = self.heap().write(|tx| {
                if tx.load(at + object::SEQ)? != version {
                    return Ok(None);
                }
                let items = Items::load(tx.heap(), at)?;
                let mut cells = items.range(tx.heap(), from as u64, items.len)?;
                cells.truncate(wanted - done);
                let mut counted = 0;
                let fits = cells.iter().position(|cell| {
                    counted += usize::from(!cell.is_immediate());
                    counted > COUNTS
                });
                cells.truncate(fits.unwrap_or(cells.len()));
                for cell in &cells {
                    tx.inc(*cell)?;
                }
                List::append_cells(tx, scratch.at(), &cells)?;
                Ok(Some(cells.len()))
            })?;
            match group {
                Some(count) if count > 0 => copied += count,
                _ => return Ok(None),
            }
        }
        Ok(Some(scratch))
    }

    /// Changes with every change of the list; for [`List::permute_if_unchanged`].
    pub fn version(&self) -> Result<u64> {
        let at = self.at();
        self.heap().read(at, |heap| heap.load(at + object::SEQ))
    }
}

/// Gives a former block of the list back, with the counts of its cells.
pub(crate) fn discard(tx: &mut Tx<'_>, old: Items) -> Result<()> {
    if old.block == 0 {
        return Ok(());
    }
    if old.len <= SHIFT / 2 {
        trash::cells(tx, &old.cells(tx.heap())?)?;
        return items::release(tx, old);
    }
    if old.cells(tx.heap())?.iter().all(|cell| cell.is_immediate()) {
        return items::release(tx, old);
    }
    trash::block(tx, Kind::List, old.header())
}

/// Stores the same cells in another order.
pub(crate) fn rearrange(
    tx: &mut Tx<'_>,
    at: crate::cell::Offset,
    items: Items,
    cells: &[Cell],
) -> Result<()> {
    if items.len <= SHIFT {
        tx.open(at)?;
        for (index, cell) in cells.iter().enumerate() {
            tx.set(items.at(index as u64), cell.0)?;
        }
        return Ok(());
    }
    let (block, cap) = items::fresh(tx, items.len, true)?;
    items::fill(tx.heap(), block, cells)?;
    items::swap_in(tx, at, Items { block, start: 0, len: items.len, cap })?;
    items::release(tx, items)
}
