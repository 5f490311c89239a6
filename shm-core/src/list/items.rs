//! The block of a list's cells: where they lie, growing, copying.
//!
//! ```text
//! header   W0 items block   W1 span: start 32 (low), len 32 (high)   W2 capacity in cells
//! block    [ room in front | start .. start + len | room behind ]
//! ```
//!
//! The span is one word, so appending with room and taking from either end commit with one store:
//! a cell outside of the span is not seen, whatever it holds. Everything else that changes many
//! cells fills a fresh block and swaps it in. Writers hold the writer lock.

use crate::cell::{Cell, Offset};
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::layout::object;
use crate::primitive::Ordering;
use crate::tx::Tx;

/// Most items of a list: what half a span word counts.
const LENGTH_LIMIT: u64 = u32::MAX as u64;

/// Highest place of a block: what a reference can name.
const OFFSET_LIMIT: Offset = (1 << 48) - 1;

/// Where the cells of a list lie.
#[derive(Clone, Copy)]
pub(crate) struct Items {
    /// The block, 0 for none.
    pub(crate) block: Offset,
    /// Index of the first cell in the block.
    pub(crate) start: u64,
    /// Number of cells.
    pub(crate) len: u64,
    /// Cells that the block holds.
    pub(crate) cap: u64,
}

/// The span word.
#[inline]
pub(crate) fn span(start: u64, len: u64) -> u64 {
    start | (len << 32)
}

impl Items {
    /// Reads and checks the header of the list at an offset.
    #[inline]
    pub(crate) fn load(heap: &Heap, at: Offset) -> Result<Items> {
        let block = heap.block(at)?;
        let span = heap.load_published(at + object::W1)?;
        let cap = heap.load(at + object::W2)?;
        let (start, len) = (span & 0xFFFF_FFFF, span >> 32);
        if start + len > cap || cap > LENGTH_LIMIT || block > OFFSET_LIMIT {
            return Err(heap.corrupt(format!("list at {at:#x} spans {start}+{len} of {cap} cells")));
        }
        Ok(Items { block, start, len, cap })
    }

    /// Where a cell lies. The index may be one beyond the end.
    #[inline]
    pub(crate) fn at(&self, index: u64) -> Offset {
        self.block.wrapping_add((self.start + index) * 8)
    }

    /// The cells from one index up to another.
    pub(crate) fn range(&self, heap: &Heap, from: u64, to: u64) -> Result<Vec<Cell>> {
        let to = to.min(self.len);
        if from >= to {
            return Ok(Vec::new());
        }
        let words = heap.words(self.at(from), (to - from) as usize)?;
        Ok(words.iter().map(|word| Cell(word.load(Ordering::Relaxed))).collect())
    }

    /// All cells.
    pub(crate) fn cells(&self, heap: &Heap) -> Result<Vec<Cell>> {
        self.range(heap, 0, self.len)
    }

    /// The words of the header that hold this.
    pub(crate) fn header(&self) -> [u64; 3] {
        [self.block, span(self.start, self.len), self.cap]
    }
}

/// The span of the list at an offset: its length and where its first cell is in the block.
#[inline]
pub(crate) fn cell(heap: &Heap, at: Offset, index: u64) -> Result<Option<Cell>> {
    let span = heap.load_published(at + object::W1)?;
    if index >= span >> 32 {
        return Ok(None);
    }
    let block = heap.block(at)?;
    // A torn or hostile header leads to an offset that `load` refuses, or to a word of no meaning.
    heap.load(block.wrapping_add(((span & 0xFFFF_FFFF) + index) * 8)).map(|word| Some(Cell(word)))
}

/// A fresh block for `len` cells and room to grow; the room is given up when memory is short.
pub(crate) fn fresh(tx: &mut Tx<'_>, len: u64, exact: bool) -> Result<(Offset, u64)> {
    if len > LENGTH_LIMIT {
        return Err(Error::InvalidArgument {
            what: format!("a list of {len} items is too long: at most {LENGTH_LIMIT}"),
        });
    }
    let roomy = if exact { len } else { (len + len / 2 + 4).min(LENGTH_LIMIT) };
    let block = match tx.alloc(roomy * 8) {
        Err(Error::SegmentFull { .. }) if roomy > len => tx.alloc(len * 8)?,
        other => other?,
    };
    let cap = (tx.block_size(block)? / 8).min(LENGTH_LIMIT);
    Ok((block, cap))
}

/// Copies cells from block to fresh block.
pub(crate) fn copy(heap: &Heap, from: Offset, to: Offset, count: u64) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let source = heap.words(from, count as usize)?;
    let target = heap.words(to, count as usize)?;
    for (word, value) in target.iter().zip(source) {
        word.store(value.load(Ordering::Relaxed), Ordering::Relaxed);
    }
    Ok(())
}

/// Writes cells into a fresh block, or behind the visible ones.
pub(crate) fn fill(heap: &Heap, to: Offset, cells: &[Cell]) -> Result<()> {
    if cells.is_empty() {
        return Ok(());
    }
    let target = heap.words(to, cells.len())?;
    for (word, cell) in target.iter().zip(cells) {
        word.store(cell.0, Ordering::Relaxed);
    }
    Ok(())
}

/// Makes a fresh block the list's; what becomes of the old one is the caller's business.
pub(crate) fn swap_in(tx: &mut Tx<'_>, at: Offset, new: Items) -> Result<()> {
    tx.open(at)?;
    let [block, span, cap] = new.header();
    tx.set(at + object::W0, block)?;
    tx.set(at + object::W1, span)?;
    tx.set(at + object::W2, cap)
}

/// Gives the block of the list's former cells back, without touching what the cells refer to.
pub(crate) fn release(tx: &mut Tx<'_>, old: Items) -> Result<()> {
    if old.block == 0 { Ok(()) } else { tx.free_after(old.block) }
}
