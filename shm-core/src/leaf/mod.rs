//! Immutable blocks: text, bytes, big integers, boxed floats, tuples, frozensets.
//!
//! A leaf is written once, before anything refers to it, and never changes; it lives while cells
//! refer to it. Whoever reads one does so inside a validated read of the container that refers to
//! it, or under the writer lock: a reader may meet a block that was just given to somebody else,
//! so kind and length are checked, and what comes out is believed only once the read validates.
//!
//! ```text
//! 0   meta   count 32, kind 8, flags 8, size class + 1 16
//! 8   len    bytes (text, bytes), limbs (big int), cells (tuple, frozenset), 8 (float)
//! 16  hash   sign of a big int (0 or 1), else 0
//! 24  data   padded with zeros to a multiple of 8
//! ```

pub(crate) mod bytes;
pub(crate) mod number;
pub(crate) mod sequence;

use crate::alloc;
use crate::cell::{Cell, Kind, Offset, Ref};
use crate::error::Result;
use crate::heap::Heap;
use crate::layout::{LEAF_DATA, leaf};
use crate::object::Meta;
use crate::primitive::{AtomicU64, Ordering};
use crate::tx::Tx;

/// Longest content of a leaf, in bytes: what an offset can reach.
const LENGTH_LIMIT: u64 = 1 << 47;

/// Allocates a leaf that carries one count for the caller, with `len` as its length word and room
/// for `bytes` of data. The data is still to be filled.
#[inline(always)]
#[allow(clippy::inline_always, reason = "most of what storing a text takes would be the call")]
pub(crate) fn create(tx: &mut Tx<'_>, kind: Kind, len: u64, hash: u64, bytes: u64) -> Result<Cell> {
    let class = alloc::cached_class(LEAF_DATA + bytes);
    let words = [Meta::of_leaf(kind, class).0 + 1, len, hash];
    if let Some(class) = class
        && let Some(at) = alloc::take_cached(&mut tx.journal, class)
        && let Some(head) = tx.journal.memory().peek_words(at, LEAF_DATA / 8)
    {
        fill(head, words);
        return Ok(Cell::reference(kind, at, 0));
    }
    create_from_pages(tx, kind, words, bytes)
}

#[inline(never)]
fn create_from_pages(tx: &mut Tx<'_>, kind: Kind, words: [u64; 3], bytes: u64) -> Result<Cell> {
    let at = tx.alloc(LEAF_DATA + bytes)?;
    fill(tx.journal.memory().words(at, LEAF_DATA / 8)?, words);
    Ok(Cell::reference(kind, at, 0))
}

/// The first words of a leaf that nobody sees; so its count needs no log: undoing the operation takes
/// the block back.
#[inline]
fn fill(head: &[AtomicU64], words: [u64; 3]) {
    for (word, value) in head.iter().zip(words) {
        word.store(value, Ordering::Relaxed);
    }
}

const _: () = assert!(leaf::META == 0 && leaf::LEN == 8 && leaf::HASH == 16 && LEAF_DATA == 24);

/// The length word of a leaf, once its kind is what the reference says.
#[inline]
pub(crate) fn length(heap: &Heap, reference: Ref) -> Result<u64> {
    let meta = heap.load(reference.at + leaf::META)?;
    let len = heap.load(reference.at + leaf::LEN)?;
    if (meta >> 32) & 0xFF != reference.kind as u64 || len > LENGTH_LIMIT {
        return Err(wrong(heap, reference));
    }
    Ok(len)
}

#[cold]
fn wrong(heap: &Heap, reference: Ref) -> crate::error::Error {
    heap.corrupt(format!("no {} at {:#x}", reference.kind.name(), reference.at))
}

/// Where the data of a leaf starts.
#[inline]
pub(crate) fn data(at: Offset) -> Offset {
    at + LEAF_DATA
}
