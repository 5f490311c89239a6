//! Taking without making a value: large bytes, copied once on either side, and messages as they are.
//!
//! A `Value` owns its bytes, so putting one copies twice, and so does taking one into a language that
//! has bytes of its own. Here the caller's bytes go straight into the block, and the block's straight
//! into room that the caller makes once it knows how much.

use std::mem::MaybeUninit;
use std::time::Duration;

use super::Queue;
use super::message::{self, Message};
use crate::cell::{Cell, Kind};
use crate::error::Result;
use crate::heap::Heap;
use crate::leaf;
use crate::primitive::AtomicU64;
use crate::sys::copy;
use crate::value::Value;

/// Shorter bytes are taken as values.
const LARGE: u64 = 4096;

/// Large bytes that are being taken.
#[derive(Debug)]
pub struct Incoming<'h> {
    words: &'h [AtomicU64],
    length: usize,
}

impl Incoming<'_> {
    /// How many bytes.
    #[allow(clippy::len_without_is_empty, reason = "they are large")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Copies them into room for as many; whether it was.
    pub fn copy_to(&self, room: &mut [MaybeUninit<u8>]) -> bool {
        let fits = room.len() == self.length && self.words.len() * 8 >= self.length;
        if fits {
            copy::out_of(self.words, room);
        }
        fits
    }
}

/// What was taken.
#[derive(Debug)]
pub enum Taken<T> {
    /// A value.
    Value(Value),
    /// A message of containers that is not built yet.
    Message(Message),
    /// What the caller made of large bytes.
    Bytes(T),
}

impl Queue {
    /// As [`Queue::put`], for bytes that the caller keeps: they are copied once.
    ///
    /// # Errors
    /// As [`Queue::put`].
    pub fn put_bytes(&self, content: &[u8], timeout: Option<Duration>) -> Result<()> {
        self.put_with(timeout, |tx| leaf::bytes::store(tx, Kind::Bytes, content))
    }

    /// As [`Queue::get`]; large bytes are what `receive` makes of them, which is called under the
    /// writer lock, perhaps more than once, and must not use the segment. Containers that were put as
    /// they are come as a [`Message`], which takes no room in the segment until it is built.
    ///
    /// # Errors
    /// As [`Queue::get`]; those of `receive`, and then nothing was taken.
    ///
    /// ```
    /// use shm_core::{Segment, SegmentOptions, Taken};
    /// use std::mem::MaybeUninit;
    /// let seg = Segment::create_anonymous(SegmentOptions::new())?;
    /// let queue = seg.queue("frames", 8)?;
    /// queue.put_bytes(&[7; 10_000], None)?;
    /// let mut room = Box::<[u8]>::new_uninit_slice(10_000);
    /// let taken = queue.get_with(None, |bytes| Ok(bytes.copy_to(&mut room)))?;
    /// assert!(matches!(taken, Taken::Bytes(true)));
    /// # Ok::<(), shm_core::Error>(())
    /// ```
    pub fn get_with<T>(
        &self,
        timeout: Option<Duration>,
        mut receive: impl FnMut(&Incoming<'_>) -> Result<T>,
    ) -> Result<Taken<T>> {
        let attempt = || {
            self.take_first(|tx, cell| {
                let taken = if let Some(packed) = message::packed_in(cell) {
                    Taken::Message(Message::copy_of(tx.heap(), packed)?)
                } else if let Some(incoming) = large(tx.heap(), cell)? {
                    Taken::Bytes(receive(&incoming)?)
                } else {
                    Taken::Value(Value::decode(tx.heap(), cell)?)
                };
                tx.dec(cell)?;
                Ok(taken)
            })
        };
        self.wait_for(timeout, attempt, || Ok(true), |waited| self.empty(waited))
    }
}

/// The bytes behind a cell, if they are large.
fn large(heap: &Heap, cell: Cell) -> Result<Option<Incoming<'_>>> {
    let Some(reference) = cell.as_ref().filter(|found| found.kind == Kind::Bytes) else {
        return Ok(None);
    };
    let length = leaf::length(heap, reference)?;
    if length < LARGE {
        return Ok(None);
    }
    let words = heap.words(leaf::data(reference.at), length.div_ceil(8) as usize)?;
    Ok(Some(Incoming { words, length: length as usize }))
}
