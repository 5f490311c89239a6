//! Getting rid of many cells within one bounded operation.
//!
//! Dropping a count takes one log entry, so a large number of cells is handed to a block of their
//! own, of which one count is dropped: the reaper then frees its children step by step. Either a
//! tuple is made for the cells, or an object header takes over a whole block that holds them. In a full
//! segment the header is one that is kept back for this.

use crate::cell::{Cell, Kind};
use crate::error::{Error, Result};
use crate::layout::object;
use crate::leaf::sequence;
use crate::tx::Tx;

/// Most cells whose counts are dropped one by one.
const FEW: usize = 48;
/// Entries that are left for what else the operation logs.
const SPARE: u64 = 24;

/// Drops one count of each cell after the commit.
pub(crate) fn cells(tx: &mut Tx<'_>, removed: &[Cell]) -> Result<()> {
    let counted = removed.iter().filter(|cell| !cell.is_immediate());
    if counted.clone().count() <= FEW {
        for cell in counted {
            tx.dec(*cell)?;
        }
        return Ok(());
    }
    let counted: Vec<Cell> = counted.copied().collect();
    match sequence::store(tx, Kind::Tuple, &counted) {
        // As many as the log has room for need no block.
        Err(Error::SegmentFull { .. }) if counted.len() as u64 + SPARE <= tx.journal.room() => {
            counted.iter().try_for_each(|cell| tx.dec(*cell))
        }
        tuple => tx.dec(tuple?),
    }
}

/// Hands a block with all that it holds to a fresh object that dies after the commit. The words
/// are those that the kind keeps in its header.
pub(crate) fn block(tx: &mut Tx<'_>, kind: Kind, words: [u64; 3]) -> Result<()> {
    let at = tx.alloc_kept_object(kind)?;
    for (offset, word) in [object::W0, object::W1, object::W2].into_iter().zip(words) {
        tx.fill(at + offset, word)?;
    }
    let meta = tx.load(at + object::META)?;
    tx.fill(at + object::META, meta + 1)?;
    tx.dec(Cell::reference(kind, at, (meta >> 48) as u8))
}
