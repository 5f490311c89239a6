//! The shared bytearray: Python's bytearray, changed in place by every process.
//!
//! ```text
//! header   W0 data block   W1 span: start 32 (low), len 32 (high), in bytes   W2 capacity in bytes
//! ```
//!
//! Bytes are changed by whole words, under the writer lock. One byte, and appending with room, is
//! one store; everything else copies into a fresh block and swaps it in.

mod ends;
mod span;

use crate::cell::Kind;
use crate::error::{Error, Result};
use crate::flavour::Typed;
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::object;
use crate::list::{Place, Slice};
use crate::object::removal::{self, Positions};

pub(crate) use span::{Span, append_in_place, block_with};
use span::{check_length, splice, store_all};

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

crate::handle::identity!(ByteArray, "bytearray");

impl ByteArray {
    pub(crate) fn from_object(object: Object) -> Self {
        ByteArray { object }
    }

    /// A new bytearray of this content.
    pub(crate) fn new(heap: &Heap, content: &[u8]) -> Result<Self> {
        ByteArray::of(heap, content, None)
    }

    /// A new bytearray of this content, which may be a vector inside of a vector.
    pub(crate) fn of(heap: &Heap, content: &[u8], typed: Option<Typed>) -> Result<Self> {
        let object = Object::create(heap, Kind::ByteArray, |tx, at| {
            if let Some(typed) = typed {
                tx.fill(at + object::W3, typed.vector())?;
            }
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
        self.read_at(Place::Front(index))
    }

    #[inline]
    fn read_at(&self, place: Place) -> Result<Option<u8>> {
        let at = self.at();
        self.heap().read(at, |heap| {
            let span = Span::load(heap, at)?;
            let Some(index) = place.within(span.len) else { return Ok(None) };
            let (word, shift) = span.place(index);
            Ok(Some((heap.load(word)? >> shift) as u8))
        })
    }

    /// Replaces the byte at an index.
    ///
    /// # Errors
    /// `IndexOutOfRange` at and beyond the end.
    #[inline]
    pub fn set(&self, index: usize, byte: u8) -> Result<()> {
        self.write_at(Place::Front(index), byte)
    }

    #[inline]
    fn write_at(&self, place: Place, byte: u8) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let span = Span::load(tx.heap(), at)?;
            let index = place.within(span.len).ok_or_else(|| out_of_range(place, span.len))?;
            let (word, shift) = span.place(index);
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
        self.insert_at(Place::Front(index), byte)
    }

    fn insert_at(&self, place: Place, byte: u8) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let span = Span::load(tx.heap(), at)?;
            splice(tx, at, span, place.clamped(span.len), 0, &[byte])
        })
    }

    /// Takes the byte at an index.
    ///
    /// # Errors
    /// `IndexOutOfRange` at and beyond the end.
    pub fn remove(&self, index: usize) -> Result<u8> {
        self.take_at(Place::Front(index))
    }

    fn take_at(&self, place: Place) -> Result<u8> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let span = Span::load(tx.heap(), at)?;
            let index = place.within(span.len).ok_or_else(|| out_of_range(place, span.len))?;
            let (word, shift) = span.place(index);
            let byte = (tx.load(word)? >> shift) as u8;
            splice(tx, at, span, index, 1, &[])?;
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
            match store_all(tx, at, span, &kept) {
                Err(full @ Error::SegmentFull { .. }) => {
                    let Slice { start, step, count } = slice.ascending();
                    let positions = Positions { first: start as u64, count, step: step as u64 };
                    removal::instead(tx, full, at, positions, false)
                }
                other => other,
            }
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
fn out_of_range(place: Place, len: u64) -> Error {
    Error::IndexOutOfRange { what: "bytearray", index: place.signed(), len }
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
