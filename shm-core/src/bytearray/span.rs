//! Where the bytes of a bytearray lie, and how they are replaced: in place or by a fresh block.
//!
//! Call under the writer lock; [`Span::load`] and [`Span::bytes`] inside of a validated read too. Dense vectors
//! of structs are changed by the same means.

use crate::cell::Offset;
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::layout::object;
use crate::leaf::bytes::{copy_out, fill};
use crate::object::removal::{self, Positions};
use crate::tx::Tx;

/// Most bytes of a bytearray: what half a span word counts.
const LENGTH_LIMIT: u64 = u32::MAX as u64;
/// Highest place of a block: what a reference can name.
const OFFSET_LIMIT: Offset = (1 << 48) - 1;

/// Where the bytes lie.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) block: Offset,
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) cap: u64,
}

impl Span {
    pub(crate) fn load(heap: &Heap, at: Offset) -> Result<Span> {
        let block = heap.block(at)?;
        let span = heap.load_published(at + object::W1)?;
        let cap = heap.load(at + object::W2)?;
        let (start, len) = (span & 0xFFFF_FFFF, span >> 32);
        if start + len > cap || cap > LENGTH_LIMIT || block > OFFSET_LIMIT {
            return Err(
                heap.corrupt(format!("bytearray at {at:#x} spans {start}+{len} of {cap} bytes"))
            );
        }
        Ok(Span { block, start, len, cap })
    }

    pub(crate) fn word(start: u64, len: u64) -> u64 {
        start | (len << 32)
    }

    /// The word that holds a byte, and how far the byte is shifted in it.
    pub(super) fn place(&self, index: u64) -> (Offset, u32) {
        let at = self.start + index;
        (self.block.wrapping_add(at & !7), ((at & 7) * 8) as u32)
    }

    pub(crate) fn bytes(&self, heap: &Heap) -> Result<Vec<u8>> {
        copy_out(heap, self.block, self.start, self.len)
    }
}

pub(super) fn check_length(len: u64) -> Result<()> {
    if len <= LENGTH_LIMIT {
        return Ok(());
    }
    Err(Error::InvalidArgument {
        what: format!("a bytearray of {len} bytes is too long: at most {LENGTH_LIMIT}"),
    })
}

/// A fresh block with this content and its capacity.
pub(crate) fn block_with(tx: &mut Tx<'_>, content: &[u8], exact: bool) -> Result<(Offset, u64)> {
    let len = content.len() as u64;
    check_length(len)?;
    let roomy = if exact { len } else { (len + len / 2 + 16).min(LENGTH_LIMIT) };
    let block = match tx.alloc(roomy.next_multiple_of(8)) {
        Err(Error::SegmentFull { .. }) if !exact => tx.alloc(len.next_multiple_of(8))?,
        other => other?,
    };
    fill(tx.heap(), block, content)?;
    Ok((block, (tx.block_size(block)? & !7).min(LENGTH_LIMIT & !7)))
}

/// Replaces the whole content.
pub(super) fn store_all(tx: &mut Tx<'_>, at: Offset, old: Span, content: &[u8]) -> Result<()> {
    let (block, cap) = if content.is_empty() { (0, 0) } else { block_with(tx, content, false)? };
    tx.open(at)?;
    tx.set(at + object::W0, block)?;
    tx.set(at + object::W1, Span::word(0, content.len() as u64))?;
    tx.set(at + object::W2, cap)?;
    if old.block == 0 { Ok(()) } else { tx.free_after(old.block) }
}

/// Replaces `removed` bytes from an index on by others.
pub(super) fn splice(
    tx: &mut Tx<'_>,
    at: Offset,
    span: Span,
    from: u64,
    removed: u64,
    content: &[u8],
) -> Result<()> {
    let to = from + removed;
    let added = content.len() as u64;
    if content.is_empty() && (to == span.len || from == 0) {
        // At an end, taking is a matter of the span; but little must not hold a lot.
        let len = span.len - removed;
        let start = if from == 0 && to != span.len { span.start + removed } else { span.start };
        if span.cap <= 256 || len >= span.cap / 4 {
            let word = Span::word(if len == 0 { 0 } else { start }, len);
            return tx.set_only(at, at + object::W1, word);
        }
    }
    let few = !tx.in_transaction() || added <= 256;
    if from == span.len && span.start + span.len + added <= span.cap && few {
        append_in_place(tx, span, content)?;
        let word = Span::word(span.start, span.len + added);
        return tx.set_only(at, at + object::W1, word);
    }
    let mut bytes = span.bytes(tx.heap())?;
    let range = from as usize..(to as usize).min(bytes.len());
    if range.start > range.end {
        return Err(tx.heap().corrupt(format!("bytearray at {at:#x} is shorter than its span")));
    }
    bytes.splice(range, content.iter().copied());
    match store_all(tx, at, span, &bytes) {
        // Taking must work in a full segment: then the block stays as it is.
        Err(Error::SegmentFull { .. }) if content.is_empty() && (to == span.len || from == 0) => {
            let len = span.len - removed;
            let start = if from == 0 { span.start + removed } else { span.start };
            tx.open(at)?;
            tx.set(at + object::W1, Span::word(if len == 0 { 0 } else { start }, len))
        }
        Err(full @ Error::SegmentFull { .. }) if content.is_empty() => {
            removal::instead(tx, full, at, Positions::row(from, removed), false)
        }
        other => other,
    }
}

/// Stores bytes behind the visible ones, whose words are stored unchanged in their part.
pub(crate) fn append_in_place(tx: &mut Tx<'_>, span: Span, content: &[u8]) -> Result<()> {
    if content.is_empty() {
        // There may be no block yet.
        return Ok(());
    }
    let (word, shift) = span.place(span.len);
    if shift == 0 && !tx.in_transaction() {
        return fill(tx.heap(), word, content);
    }
    let lead = (shift / 8) as usize;
    let present = tx.load(word)?.to_le_bytes();
    let mut bytes = present.get(..lead).unwrap_or_default().to_vec();
    bytes.extend_from_slice(content);
    if !tx.in_transaction() {
        return fill(tx.heap(), word, &bytes);
    }
    for (index, chunk) in bytes.chunks(8).enumerate() {
        let mut padded = [0; 8];
        for (to, from) in padded.iter_mut().zip(chunk) {
            *to = *from;
        }
        tx.fill_unseen(word + index as u64 * 8, u64::from_le_bytes(padded))?;
    }
    Ok(())
}
