//! The shared bytearray: Python's bytearray, changed in place by every process.
//!
//! ```text
//! header   W0 data block   W1 span: start 32 (low), len 32 (high), in bytes   W2 capacity in bytes
//! ```
//!
//! Bytes are changed by whole words, under the writer lock. One byte, and appending with room, is
//! one store; everything else copies into a fresh block and swaps it in.

use crate::cell::{Kind, Offset};
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::object;
use crate::leaf::bytes::{copy_out, fill};
use crate::list::Slice;
use crate::tx::Tx;

/// Most bytes of a bytearray: what half a span word counts.
const LENGTH_LIMIT: u64 = u32::MAX as u64;
/// Highest place of a block: what a reference can name.
const OFFSET_LIMIT: Offset = (1 << 48) - 1;

/// Handle. A bytearray in shared memory.
///
/// ```
/// # fn main() -> Result<(), shm_core::Error> {
/// # let seg = shm_core::Segment::create_anonymous(shm_core::SegmentOptions::new().size(1 << 20))?;
/// let array = seg.bytearray(b"shm")?;
/// array.extend(b"!")?;
/// array.set(0, b'S')?;
/// assert_eq!(array.to_vec()?, b"Shm!");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ByteArray {
    object: Object,
}

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
        let span = heap.load(at + object::W1)?;
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
    fn place(&self, index: u64) -> (Offset, u32) {
        let at = self.start + index;
        (self.block.wrapping_add(at & !7), ((at & 7) * 8) as u32)
    }

    pub(crate) fn bytes(&self, heap: &Heap) -> Result<Vec<u8>> {
        copy_out(heap, self.block, self.start, self.len)
    }
}

crate::handle::identity!(ByteArray, "bytearray");

impl ByteArray {
    pub(crate) fn from_object(object: Object) -> Self {
        ByteArray { object }
    }

    /// A new bytearray of this content.
    pub(crate) fn new(heap: &Heap, content: &[u8]) -> Result<Self> {
        let object = Object::create(heap, Kind::ByteArray, |tx, at| {
            if content.is_empty() {
                return Ok(());
            }
            let (block, cap) = block_with(tx, content, true)?;
            tx.fill(at + object::W0, block)?;
            tx.fill(at + object::W1, Span::word(0, content.len() as u64))?;
            tx.fill(at + object::W2, cap)
        })?;
        Ok(ByteArray { object })
    }

    /// How many bytes it has.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "is_empty is below, fallible like everything")]
    pub fn len(&self) -> Result<usize> {
        let at = self.at();
        self.heap().read(at, |heap| Ok((heap.load(at + object::W1)? >> 32) as usize))
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The byte at an index, or `None` beyond the end.
    #[inline]
    pub fn get(&self, index: usize) -> Result<Option<u8>> {
        let at = self.at();
        self.heap().read(at, |heap| {
            let span = Span::load(heap, at)?;
            if index as u64 >= span.len {
                return Ok(None);
            }
            let (word, shift) = span.place(index as u64);
            Ok(Some((heap.load(word)? >> shift) as u8))
        })
    }

    /// Replaces the byte at an index.
    ///
    /// # Errors
    /// `IndexOutOfRange` at and beyond the end.
    #[inline]
    pub fn set(&self, index: usize, byte: u8) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let span = Span::load(tx.heap(), at)?;
            if index as u64 >= span.len {
                return Err(out_of_range(index, span.len));
            }
            let (word, shift) = span.place(index as u64);
            let new = (tx.load(word)? & !(0xFF << shift)) | (u64::from(byte) << shift);
            tx.set_only(at, word, new)
        })
    }

    /// Appends a byte.
    #[inline]
    pub fn push(&self, byte: u8) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let span = Span::load(tx.heap(), at)?;
            if span.start + span.len == span.cap {
                return splice(tx, at, span, span.len, 0, &[byte]);
            }
            // The word's visible bytes are stored unchanged.
            let (word, shift) = span.place(span.len);
            let new = (tx.load(word)? & !(0xFF << shift)) | (u64::from(byte) << shift);
            tx.fill_unseen(word, new)?;
            tx.set_only(at, at + object::W1, Span::word(span.start, span.len + 1))
        })
    }

    /// Appends bytes, all or none.
    pub fn extend(&self, content: &[u8]) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let span = Span::load(tx.heap(), at)?;
            splice(tx, at, span, span.len, 0, content)
        })
    }

    /// Inserts a byte before an index; beyond the end it is appended.
    pub fn insert(&self, index: usize, byte: u8) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let span = Span::load(tx.heap(), at)?;
            splice(tx, at, span, (index as u64).min(span.len), 0, &[byte])
        })
    }

    /// Takes the byte at an index.
    ///
    /// # Errors
    /// `IndexOutOfRange` at and beyond the end.
    pub fn remove(&self, index: usize) -> Result<u8> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let span = Span::load(tx.heap(), at)?;
            if index as u64 >= span.len {
                return Err(out_of_range(index, span.len));
            }
            let (word, shift) = span.place(index as u64);
            let byte = (tx.load(word)? >> shift) as u8;
            splice(tx, at, span, index as u64, 1, &[])?;
            Ok(byte)
        })
    }

    /// Takes the last byte.
    pub fn pop(&self) -> Result<Option<u8>> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let span = Span::load(tx.heap(), at)?;
            let Some(last) = span.len.checked_sub(1) else { return Ok(None) };
            let (word, shift) = span.place(last);
            let byte = (tx.load(word)? >> shift) as u8;
            splice(tx, at, span, last, 1, &[])?;
            Ok(Some(byte))
        })
    }

    /// The bytes of `[start:stop:step]`.
    ///
    /// # Errors
    /// `InvalidArgument` for a step of 0.
    pub fn slice(
        &self,
        start: Option<i64>,
        stop: Option<i64>,
        step: Option<i64>,
    ) -> Result<Vec<u8>> {
        let at = self.at();
        self.heap().read(at, |heap| {
            let span = Span::load(heap, at)?;
            let slice = Slice::new(start, stop, step, span.len)?;
            let bytes = span.bytes(heap)?;
            Ok(slice.positions().filter_map(|at| bytes.get(at as usize).copied()).collect())
        })
    }

    /// Replaces `[start:stop:step]`, as an assignment to a slice does.
    ///
    /// # Errors
    /// `InvalidArgument` for a step of 0, and for a step other than 1 with another number of bytes.
    pub fn set_slice(
        &self,
        start: Option<i64>,
        stop: Option<i64>,
        step: Option<i64>,
        content: &[u8],
    ) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let span = Span::load(tx.heap(), at)?;
            let slice = Slice::new(start, stop, step, span.len)?;
            if slice.step == 1 {
                return splice(tx, at, span, slice.start as u64, slice.count, content);
            }
            if slice.count != content.len() as u64 {
                return Err(Error::InvalidArgument {
                    what: format!(
                        "attempt to assign bytes of size {} to extended slice of size {}",
                        content.len(),
                        slice.count
                    ),
                });
            }
            let mut bytes = span.bytes(tx.heap())?;
            for (position, byte) in slice.positions().zip(content) {
                if let Some(target) = bytes.get_mut(position as usize) {
                    *target = *byte;
                }
            }
            store_all(tx, at, span, &bytes)
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
            let span = Span::load(tx.heap(), at)?;
            let slice = Slice::new(start, stop, step, span.len)?;
            if slice.step == 1 {
                return splice(tx, at, span, slice.start as u64, slice.count, &[]);
            }
            let bytes = span.bytes(tx.heap())?;
            let mut keep = vec![true; bytes.len()];
            for position in slice.positions() {
                if let Some(flag) = keep.get_mut(position as usize) {
                    *flag = false;
                }
            }
            let kept = bytes.iter().zip(keep).filter(|(_, keep)| *keep).map(|(byte, _)| *byte);
            let kept: Vec<u8> = kept.collect();
            store_all(tx, at, span, &kept)
        })
    }

    /// Replaces the content.
    pub fn replace_all(&self, content: &[u8]) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let span = Span::load(tx.heap(), at)?;
            store_all(tx, at, span, content)
        })
    }

    /// Computes new content from the present one, in one operation. `f` runs under the writer
    /// lock: it must not use the segment and should be short.
    pub fn update(&self, f: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Result<()> {
        let at = self.at();
        self.heap().write_once(at, |tx| {
            let span = Span::load(tx.heap(), at)?;
            let new = f(span.bytes(tx.heap())?);
            store_all(tx, at, span, &new)
        })
    }

    /// Turns the order around.
    pub fn reverse(&self) -> Result<()> {
        self.update(|mut bytes| {
            bytes.reverse();
            bytes
        })
    }

    /// Repeats the content in place, as `*=` does.
    pub fn repeat(&self, count: usize) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let span = Span::load(tx.heap(), at)?;
            check_length(span.len.saturating_mul(count as u64))?;
            let bytes = span.bytes(tx.heap())?.repeat(count);
            store_all(tx, at, span, &bytes)
        })
    }

    /// Removes all bytes.
    pub fn clear(&self) -> Result<()> {
        self.replace_all(&[])
    }

    /// The content, as of one moment.
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        let at = self.at();
        self.heap().read(at, |heap| Span::load(heap, at)?.bytes(heap))
    }
}

#[cold]
fn out_of_range(index: usize, len: u64) -> Error {
    Error::IndexOutOfRange { what: "bytearray", index: index as i64, len }
}

fn check_length(len: u64) -> Result<()> {
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
fn store_all(tx: &mut Tx<'_>, at: Offset, old: Span, content: &[u8]) -> Result<()> {
    let (block, cap) = if content.is_empty() { (0, 0) } else { block_with(tx, content, false)? };
    tx.open(at)?;
    tx.set(at + object::W0, block)?;
    tx.set(at + object::W1, Span::word(0, content.len() as u64))?;
    tx.set(at + object::W2, cap)?;
    if old.block == 0 { Ok(()) } else { tx.free_after(old.block) }
}

/// Replaces `removed` bytes from an index on by others.
fn splice(
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

impl PartialEq for ByteArray {
    fn eq(&self, other: &Self) -> bool {
        self.same(other) || matches!((self.to_vec(), other.to_vec()), (Ok(a), Ok(b)) if a == b)
    }
}

impl std::fmt::Debug for ByteArray {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: i64 = 32;
        let (Ok(len), Ok(content)) = (self.len(), self.slice(None, Some(SHOWN), None)) else {
            return out.write_str("ByteArray(closed)");
        };
        write!(out, "ByteArray(\"{}\"", content.escape_ascii())?;
        if len > content.len() {
            write!(out, "... {len} bytes")?;
        }
        out.write_str(")")
    }
}
