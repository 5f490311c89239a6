//! Where an array's elements lie: the words of its header and the front of its block.
//!
//! ```text
//! header   W0 data block   W1 type 8 | dimensions 8 | first element 16 | bytes of one 32   W2 bytes of all
//! block    each dimension, a word; of a described type the length of its text, the text, padded;
//!          from the first multiple of 64 in the segment on the elements, the last index fastest
//! ```
//!
//! All of it is written before anybody sees the array and never changes. What is read here is private
//! from then on, and believed only as far as the block reaches.

use super::dtype::{DESCRIBED, DType, TEXT_LIMIT};
use crate::alloc;
use crate::cell::Offset;
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::layout::{MAX_SIZE, object};
use crate::leaf::bytes::{copy_out, fill};
use crate::tx::Tx;

/// Most dimensions: as many as numpy's.
pub(super) const DIMENSIONS: usize = 64;
/// What the first element's address is a multiple of.
const ALIGNMENT: u64 = 64;

/// Handle. What an array is, but for its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) dtype: DType,
    pub(super) shape: Vec<u64>,
    /// How many elements.
    pub(super) len: u64,
    /// Bytes of all elements.
    pub(super) bytes: u64,
}

impl Form {
    /// Of an array to be made.
    pub(super) fn new(dtype: DType, shape: &[u64]) -> Result<Self> {
        let too_large = || Error::InvalidArgument {
            what: format!("an array of {shape:?} elements of {} bytes is too large", dtype.size()),
        };
        if shape.len() > DIMENSIONS {
            let what = format!("an array of {} dimensions: {DIMENSIONS} at most", shape.len());
            return Err(Error::InvalidArgument { what });
        }
        let (len, bytes) = extent(&dtype, shape).ok_or_else(too_large)?;
        Ok(Form { dtype, shape: shape.to_vec(), len, bytes })
    }

    /// Bytes in front of the first element, at least.
    fn front(&self) -> u64 {
        let text = match &self.dtype {
            DType::Described { text, .. } => 8 + (text.len() as u64).next_multiple_of(8),
            _ => 0,
        };
        self.shape.len() as u64 * 8 + text
    }

    /// Writes all but the elements into the header of a fresh array and a block of its own; where the
    /// elements start.
    pub(super) fn store(&self, tx: &mut Tx<'_>, at: Offset) -> Result<Offset> {
        let elements = self.bytes.next_multiple_of(8).max(8);
        let front = self.front();
        let block = if front + elements > alloc::class::LARGEST {
            // Whole pages, which start at such a multiple.
            tx.alloc(front.next_multiple_of(ALIGNMENT) + elements)?
        } else {
            tx.alloc(front + (ALIGNMENT - 8) + elements)?
        };
        let first = (block + front).next_multiple_of(ALIGNMENT);
        for (index, extent) in self.shape.iter().enumerate() {
            tx.fill(block + index as u64 * 8, *extent)?;
        }
        if let DType::Described { text, .. } = &self.dtype {
            let text_at = block + self.shape.len() as u64 * 8;
            tx.fill(text_at, text.len() as u64)?;
            fill(tx.heap(), text_at + 8, text.as_bytes())?;
        }
        tx.fill(at + object::W0, block)?;
        tx.fill(at + object::W1, self.word(first - block))?;
        tx.fill(at + object::W2, self.bytes)?;
        Ok(first)
    }

    fn word(&self, first: u64) -> u64 {
        let dimensions = self.shape.len() as u64;
        u64::from(self.dtype.code()) | (dimensions << 8) | (first << 16) | (self.dtype.size() << 32)
    }

    /// Of the array at an offset whose block is this one, and where its elements start.
    pub(super) fn load(heap: &Heap, at: Offset, block: Offset) -> Result<(Self, Offset)> {
        let wrong = |what: String| heap.corrupt(format!("array at {at:#x}: {what}"));
        let word = heap.load(at + object::W1)?;
        let bytes = heap.load(at + object::W2)?;
        let (code, dimensions) = (word as u8, (word >> 8) as u8 as usize);
        let (first, size) = ((word >> 16) & 0xFFFF, (word >> 32) as u32);
        let room = alloc::size_of_block(&heap.0.memory, block)?;
        if dimensions > DIMENSIONS || dimensions as u64 * 8 > room {
            return Err(wrong(format!("{dimensions} dimensions in a block of {room} bytes")));
        }
        let mut shape = Vec::with_capacity(dimensions);
        for index in 0..dimensions as u64 {
            shape.push(heap.load(block + index * 8)?);
        }
        let dtype = if code == DESCRIBED {
            let text_at = block + dimensions as u64 * 8;
            let length = heap.load(text_at)?;
            if length > TEXT_LIMIT as u64 || dimensions as u64 * 8 + 8 + length > room {
                return Err(wrong(format!("its type is described by {length} bytes of text")));
            }
            let text = String::from_utf8(copy_out(heap, text_at + 8, 0, length)?)
                .map_err(|_| wrong("the description of its type is no text".to_owned()))?;
            DType::described(text, size).map_err(|error| wrong(error.to_string()))?
        } else {
            let known = DType::from_code(code).filter(|known| known.size() == u64::from(size));
            known.ok_or_else(|| wrong(format!("no type has number {code} and {size} bytes")))?
        };
        let counted = extent(&dtype, &shape);
        let Some((len, _)) = counted.filter(|(_, counted)| *counted == bytes) else {
            return Err(wrong(format!("{shape:?} elements of {size} bytes are not {bytes} bytes")));
        };
        let form = Form { dtype, shape, len, bytes };
        let fits = room.checked_sub(first).is_some_and(|room| bytes <= room);
        if !fits || !first.is_multiple_of(8) || first < form.front() {
            return Err(wrong(format!(
                "{bytes} bytes from byte {first} of its block of {room} bytes on"
            )));
        }
        Ok((form, block + first))
    }
}

/// How many elements a shape has and how many bytes they take; `None` for what no segment holds.
fn extent(dtype: &DType, shape: &[u64]) -> Option<(u64, u64)> {
    // What a 0 makes empty is to be no larger without it.
    let mut whole = dtype.size();
    for extent in shape.iter().filter(|extent| **extent != 0) {
        whole = whole.checked_mul(*extent).filter(|bytes| *bytes < MAX_SIZE)?;
    }
    if shape.contains(&0) {
        return Some((0, 0));
    }
    Some((whole / dtype.size(), whole))
}
