//! Positions in a list counted from its end, where the end is as of the operation's own moment.
//!
//! Who computes them from `len()` names another item if somebody inserts or removes one in between. 1 is
//! the last item, the list's length the first. The bindings' negative indices are these.

use crate::error::Result;
use crate::list::List;
use crate::list::items::{self, Items};
use crate::value::Value;

/// Where an item is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// So many items are before it.
    Front(usize),
    /// So many items are behind its front: 1 is the last one.
    Back(usize),
}

impl Place {
    /// The index in a list of this length, if it is one.
    #[inline]
    pub(crate) fn within(self, len: u64) -> Option<u64> {
        match self {
            Place::Front(index) => Some(index as u64).filter(|index| *index < len),
            Place::Back(back) => len.checked_sub(back as u64).filter(|index| *index < len),
        }
    }

    /// The index that something is inserted before: beyond an end it is that end.
    #[inline]
    pub(crate) fn clamped(self, len: u64) -> u64 {
        match self {
            Place::Front(index) => (index as u64).min(len),
            Place::Back(back) => len.saturating_sub(back as u64),
        }
    }

    /// As an index in Python's manner, for messages.
    pub(crate) fn signed(self) -> i64 {
        match self {
            Place::Front(index) => i64::try_from(index).unwrap_or(i64::MAX),
            Place::Back(back) => i64::try_from(back).map_or(i64::MIN, |back| -back),
        }
    }
}

/// Each is one operation. `back` counts from the end: 1 is the last item.
impl List {
    /// The item so far from the end, or `None` before the front.
    ///
    /// ```
    /// # fn main() -> Result<(), shm_core::Error> {
    /// # let seg = shm_core::Segment::create_anonymous(shm_core::SegmentOptions::new().size(1 << 20))?;
    /// let list = seg.list_of([1, 2, 3])?;
    /// assert_eq!(list.get_from_end(1)?, Some(3.into()));
    /// list.insert_from_end(1, 9)?;
    /// assert_eq!(list.remove_from_end(2)?, 9);
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_from_end(&self, back: usize) -> Result<Option<Value>> {
        let at = self.at();
        self.heap().read(at, |heap| {
            let len = Items::load(heap, at)?.len;
            let Some(index) = Place::Back(back).within(len) else { return Ok(None) };
            match items::cell(heap, at, index)? {
                Some(cell) => Value::decode(heap, cell).map(Some),
                None => Ok(None),
            }
        })
    }

    /// Replaces the item so far from the end.
    ///
    /// # Errors
    /// `IndexOutOfRange` before the front.
    pub fn set_from_end(&self, back: usize, value: impl Into<Value>) -> Result<()> {
        match value.into().into_cell() {
            Ok(cell) => self.set_cell(Place::Back(back), cell),
            Err(value) => self.set_value(Place::Back(back), value),
        }
    }

    /// Inserts an item before the one so far from the end; before the front it goes to the front.
    pub fn insert_from_end(&self, back: usize, value: impl Into<Value>) -> Result<()> {
        self.insert_value(Place::Back(back), value.into())
    }

    /// Takes the item so far from the end.
    ///
    /// # Errors
    /// `IndexOutOfRange` before the front.
    pub fn remove_from_end(&self, back: usize) -> Result<Value> {
        self.take_at(Place::Back(back))
    }

    /// Adds to the item so far from the end, as [`List::add`].
    ///
    /// # Errors
    /// As [`List::add`].
    pub fn add_from_end(&self, back: usize, delta: impl Into<Value>) -> Result<Value> {
        self.add_to(Place::Back(back), &delta.into())
    }

    /// Replaces the item so far from the end if it equals `old`; tells whether it did.
    pub fn compare_exchange_from_end(
        &self,
        back: usize,
        old: &Value,
        new: impl Into<Value>,
    ) -> Result<bool> {
        self.exchange(Place::Back(back), old, new.into())
    }
}
