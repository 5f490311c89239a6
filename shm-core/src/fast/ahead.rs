//! Reading ahead in a dict or set: its cells by the batch, and what they refer to while nothing has changed.
//!
//! A batch is of one moment, which its sequence tells. While the container's is still that one, a cell of the batch
//! is still in the container, and so is what it refers to: each look compares it, and finds nothing after a change. Inside of a transaction
//! that has changed the container the sequence is odd and stays the same: then a batch is of no use for a second look.

use super::{Seen, TEXT_LIMIT, seen, text};
use crate::cell::Cell;
use crate::dict::Dict;
use crate::dict::entries::{self, Cursor};
use crate::dict::keys::{DICT, SET};
use crate::error::Result;
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::object;
use crate::primitive::Ordering;
use crate::quick::word;
use crate::set::Set;
use crate::value::Value;

/// What a batch is of.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// How many entries there are in it; 0 at the end of the container.
    pub count: usize,
    /// Behind its last entry.
    pub next: Cursor,
    /// The container's sequence then.
    pub sequence: u64,
}

/// Handle. A dict or set, to read ahead in.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'c> {
    object: &'c Object,
    is_dict: bool,
}

impl Dict {
    /// To read ahead in it.
    #[inline]
    #[must_use]
    pub fn ahead(&self) -> Ahead<'_> {
        Ahead { object: self.object(), is_dict: true }
    }
}

impl Set {
    /// To read ahead in it.
    #[inline]
    #[must_use]
    pub fn ahead(&self) -> Ahead<'_> {
        Ahead { object: self.object(), is_dict: false }
    }
}

impl Ahead<'_> {
    /// Changes with every change of the container; odd during one.
    #[inline]
    pub fn sequence(self) -> Result<u64> {
        // Acquire: what is read after this is as new as the sequence.
        Ok(self.object.heap().word(self.object.at() + object::SEQ)?.load(Ordering::Acquire))
    }

    /// Copies the cells of at most as many entries as there is room for keys, behind a cursor or, backwards, before
    /// it. The values are those of a dict, and unset in a set.
    ///
    /// # Errors
    /// `Changed` if the size changed since the cursor was made.
    pub fn copy(
        self,
        cursor: Cursor,
        backwards: bool,
        keys: &mut [Cell],
        values: &mut [Cell],
    ) -> Result<Batch> {
        let (heap, at, limit) = (self.object.heap(), self.object.at(), keys.len());
        heap.read(at, |heap| {
            let sequence = heap.load(at + object::SEQ)?;
            let mut count = 0;
            let mut places = keys.iter_mut().zip(values.iter_mut());
            let take = |entry: crate::dict::fresh::Entry| {
                if let Some((key, value)) = places.next() {
                    (*key, *value) = (entry.key, entry.value);
                    count += 1;
                }
                Ok(())
            };
            let next = if self.is_dict {
                entries::walk::<DICT>(heap, at, cursor, limit, backwards, take)
            } else {
                entries::walk::<SET>(heap, at, cursor, limit, backwards, take)
            }?;
            Ok(Batch { count, next, sequence })
        })
    }

    /// What a cell of a batch refers to, or what `known` knows of it. `None`: ask [`Ahead::value`].
    #[inline]
    pub fn look<T>(
        self,
        sequence: u64,
        cell: Cell,
        known: impl FnOnce(Cell) -> Option<T>,
    ) -> Option<Seen<T>> {
        self.glance(sequence, |heap| seen(heap, cell, known))
    }

    /// Copies the text that a cell of a batch refers to, as WTF-8; its length. `None`: ask [`Ahead::value`].
    #[inline]
    pub fn text(self, sequence: u64, cell: Cell, out: &mut [u8; TEXT_LIMIT]) -> Option<usize> {
        self.glance(sequence, |heap| text(heap, cell, out))
    }

    /// The value of a cell of a batch; `None` if the container has changed since.
    pub fn value(self, sequence: u64, cell: Cell) -> Result<Option<Value>> {
        let at = self.object.at();
        self.object.heap().read(at, |heap| {
            if heap.load(at + object::SEQ)? != sequence {
                return Ok(None);
            }
            Value::decode(heap, cell).map(Some)
        })
    }

    #[inline]
    fn glance<T>(self, sequence: u64, f: impl FnOnce(&Heap) -> Option<T>) -> Option<T> {
        let heap = self.object.heap();
        heap.glance(self.object.at(), |_, header| {
            if word(header, object::SEQ) == sequence { f(heap) } else { None }
        })
    }
}
