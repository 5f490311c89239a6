//! Reading ahead: cells by the batch, and what they refer to while nothing has changed.
//!
//! A batch is of one moment, which its sequence tells. While the container's is still that one, a cell of the batch
//! is still in the container, and so is what it refers to: each look compares it, and finds nothing after a change. Inside of a transaction
//! that has changed the container the sequence is odd and stays the same: then a batch is of no use for a second look.

use super::{Seen, TEXT_LIMIT, seen, text};
use crate::cell::Cell;
use crate::dict::Dict;
use crate::dict::entries::{self, Cursor};
use crate::dict::fresh::Entry;
use crate::dict::keys::{DICT, SET};
use crate::error::Result;
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::{PAGE_BYTES, object};
use crate::list::List;
use crate::primitive::Ordering;
use crate::quick::word;
use crate::set::Set;
use crate::value::Value;

/// What a batch of a dict or set is of.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// How many entries there are in it; 0 at the end of the container.
    pub count: usize,
    /// Behind its last entry.
    pub next: Cursor,
    /// The container's sequence then.
    pub sequence: u64,
}

/// Handle. A container as it was when its sequence was this one.
#[derive(Clone, Copy, Debug)]
pub struct AsOf<'c> {
    object: &'c Object,
    sequence: u64,
}

macro_rules! ahead {
    ($container:ident) => {
        impl $container {
            /// Changes with every change of the container; odd during one.
            #[inline]
            pub fn sequence(&self) -> Result<u64> {
                let object = self.object();
                // Acquire: what is read after this is as new as the sequence.
                Ok(object.heap().word(object.at() + object::SEQ)?.load(Ordering::Acquire))
            }

            /// More items than this it has not, whatever it says itself: so many words has the segment.
            pub fn most_items(&self) -> Result<usize> {
                let pages = self.object().heap().0.memory.pages()?;
                Ok((pages * PAGE_BYTES / 8) as usize)
            }

            /// What the cells of a batch refer to, while the sequence is that of the batch.
            #[inline]
            #[must_use]
            pub fn as_of(&self, sequence: u64) -> AsOf<'_> {
                AsOf { object: self.object(), sequence }
            }
        }
    };
}
ahead!(List);
ahead!(Dict);
ahead!(Set);

impl Dict {
    /// Copies the cells of at most as many entries as there is room for keys, behind a cursor or, backwards,
    /// before it.
    ///
    /// # Errors
    /// `Changed` if the size changed since the cursor was made.
    pub fn copy_entries(
        &self,
        cursor: Cursor,
        backwards: bool,
        keys: &mut [Cell],
        values: &mut [Cell],
    ) -> Result<Batch> {
        copy::<DICT>(self.object(), cursor, backwards, keys, values)
    }
}

impl Set {
    /// Copies the cells of at most as many members as there is room for, behind a cursor.
    ///
    /// # Errors
    /// `Changed` if the size changed since the cursor was made.
    pub fn copy_members(&self, cursor: Cursor, members: &mut [Cell]) -> Result<Batch> {
        copy::<SET>(self.object(), cursor, false, members, &mut [])
    }
}

fn copy<const WORDS: u64>(
    container: &Object,
    cursor: Cursor,
    backwards: bool,
    keys: &mut [Cell],
    values: &mut [Cell],
) -> Result<Batch> {
    let (at, limit) = (container.at(), keys.len());
    container.heap().read(at, |heap| {
        let sequence = heap.load(at + object::SEQ)?;
        let mut count = 0;
        let mut places = (keys.iter_mut(), values.iter_mut());
        let take = |entry: Entry| {
            if let Some(key) = places.0.next() {
                *key = entry.key;
                count += 1;
            }
            if let Some(value) = places.1.next() {
                *value = entry.value;
            }
            Ok(())
        };
        let next = entries::walk::<WORDS>(heap, at, cursor, limit, backwards, take)?;
        Ok(Batch { count, next, sequence })
    })
}

impl AsOf<'_> {
    /// What a cell refers to, or what `known` knows of it. `None`: ask [`AsOf::value`].
    #[inline]
    pub fn look<T>(self, cell: Cell, known: impl FnOnce(Cell) -> Option<T>) -> Option<Seen<T>> {
        self.glance(|heap| seen(heap, cell, known))
    }

    /// Copies the text that a cell refers to, as WTF-8; its length. `None`: ask [`AsOf::value`].
    #[inline]
    pub fn text(self, cell: Cell, out: &mut [u8; TEXT_LIMIT]) -> Option<usize> {
        self.glance(|heap| text(heap, cell, out))
    }

    /// The value of a cell; `None` if the container has changed since.
    pub fn value(self, cell: Cell) -> Result<Option<Value>> {
        let at = self.object.at();
        self.object.heap().read(at, |heap| {
            if heap.load(at + object::SEQ)? != self.sequence {
                return Ok(None);
            }
            Value::decode(heap, cell).map(Some)
        })
    }

    #[inline]
    fn glance<T>(self, f: impl FnOnce(&Heap) -> Option<T>) -> Option<T> {
        let heap = self.object.heap();
        heap.glance(self.object.at(), |_, header| {
            if word(header, object::SEQ) == self.sequence { f(heap) } else { None }
        })
    }
}
