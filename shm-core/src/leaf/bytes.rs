//! Text and bytes, and copying bytes in and out of words.
//!
//! Sub-word content is moved as whole little-endian words: the segment has one access size. Text
//! is WTF-8: UTF-8, and lone surrogates as their three bytes; what it is shows when it is read.

use crate::cell::{Cell, Kind, Offset, Ref};
use crate::error::Result;
use crate::heap::Heap;
use crate::leaf;
use crate::primitive::Ordering;
use crate::sys::copy;
use crate::tx::Tx;

/// Stores text or bytes and returns a cell that owns one count.
#[inline]
pub(crate) fn store(tx: &mut Tx<'_>, kind: Kind, content: &[u8]) -> Result<Cell> {
    let short =
        if kind == Kind::Str { Cell::short_str(content) } else { Cell::short_bytes(content) };
    match short {
        Some(cell) => Ok(cell),
        None => store_long(tx, kind, content),
    }
}

fn store_long(tx: &mut Tx<'_>, kind: Kind, content: &[u8]) -> Result<Cell> {
    let len = content.len() as u64;
    let cell = leaf::create(tx, kind, len, 0, len.next_multiple_of(8))?;
    if let Some(reference) = cell.as_ref() {
        fill(tx.heap(), leaf::data(reference.at), content)?;
    }
    Ok(cell)
}

/// The content of a text or bytes leaf.
pub(crate) fn load(heap: &Heap, reference: Ref) -> Result<Vec<u8>> {
    let len = leaf::length(heap, reference)?;
    copy_out(heap, leaf::data(reference.at), 0, len)
}

/// Whether a text or bytes leaf has this content.
#[inline]
pub(crate) fn equal(heap: &Heap, reference: Ref, content: &[u8]) -> Result<bool> {
    if leaf::length(heap, reference)? != content.len() as u64 {
        return Ok(false);
    }
    let words = heap.words(leaf::data(reference.at), content.len().div_ceil(8))?;
    let mut chunks = content.chunks_exact(8);
    for (chunk, word) in chunks.by_ref().zip(words) {
        if chunk != word.load(Ordering::Relaxed).to_le_bytes() {
            return Ok(false);
        }
    }
    let rest = chunks.remainder();
    Ok(match words.last() {
        Some(word) if !rest.is_empty() => {
            word.load(Ordering::Relaxed).to_le_bytes().starts_with(rest)
        }
        _ => true,
    })
}

/// Whether two text or bytes leaves have the same content.
pub(crate) fn same(heap: &Heap, one: Ref, other: Ref) -> Result<bool> {
    if one.at == other.at {
        return Ok(true);
    }
    let len = leaf::length(heap, one)?;
    if leaf::length(heap, other)? != len {
        return Ok(false);
    }
    let count = len.div_ceil(8) as usize;
    let one = heap.words(leaf::data(one.at), count)?;
    let other = heap.words(leaf::data(other.at), count)?;
    // Padding is zero on both sides, so whole words compare.
    Ok(one.iter().zip(other).all(|(a, b)| a.load(Ordering::Relaxed) == b.load(Ordering::Relaxed)))
}

/// Copies `len` bytes out of the words at `at`, from byte `skip` on.
pub(crate) fn copy_out(heap: &Heap, at: Offset, skip: u64, len: u64) -> Result<Vec<u8>> {
    if len == 0 {
        return Ok(Vec::new());
    }
    let lead = (skip % 8) as usize;
    let count = (lead as u64).saturating_add(len).div_ceil(8) as usize;
    let words = heap.words(at.saturating_add(skip - lead as u64), count)?;
    Ok(copy::to_vec(words, lead, len as usize))
}

/// Writes bytes into words that nobody can reach yet, the last one padded with zeros.
pub(crate) fn fill(heap: &Heap, at: Offset, content: &[u8]) -> Result<()> {
    copy::into(heap.words(at, content.len().div_ceil(8))?, content);
    Ok(())
}
