//! Iterating a dict: a validated read for every 64 entries, an error once the size has changed.

use crate::cell::Offset;
use crate::dict::Dict;
use crate::dict::entries::{self, Cursor};
use crate::dict::fresh::Entry;
use crate::dict::keys::DICT;
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::value::Value;

/// Entries per read.
const CHUNK: usize = 64;
/// Entries per read where there is no memory for the pins of more: the smallest table takes so many.
const FEW: usize = 16;

impl Dict {
    /// A cursor before the first entry.
    pub fn first_cursor(&self) -> Result<Cursor> {
        let at = self.at();
        self.heap().read(at, |heap| entries::cursor::<DICT>(heap, at, false))
    }

    /// A cursor behind the last entry.
    pub fn last_cursor(&self) -> Result<Cursor> {
        let at = self.at();
        self.heap().read(at, |heap| entries::cursor::<DICT>(heap, at, true))
    }

    /// Up to `limit` entries behind a cursor, and the cursor behind them; none at the end.
    ///
    /// # Errors
    /// `Changed` if the size changed since the cursor was made.
    pub fn next_entries(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<(Vec<(Value, Value)>, Cursor)> {
        self.walk(cursor, limit, false, super::decode)
    }

    /// Up to `limit` entries before a cursor, the nearest first, and the cursor before them.
    ///
    /// # Errors
    /// `Changed` if the size changed since the cursor was made.
    pub fn previous_entries(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<(Vec<(Value, Value)>, Cursor)> {
        self.walk(cursor, limit, true, super::decode)
    }

    /// As [`Dict::next_entries`], only the keys.
    pub fn next_keys(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Value>, Cursor)> {
        self.walk(cursor, limit, false, |heap, entry| Value::decode(heap, entry.key))
    }

    /// As [`Dict::previous_entries`], only the keys.
    pub fn previous_keys(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Value>, Cursor)> {
        self.walk(cursor, limit, true, |heap, entry| Value::decode(heap, entry.key))
    }

    /// As [`Dict::next_entries`], only the values.
    pub fn next_values(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Value>, Cursor)> {
        self.walk(cursor, limit, false, |heap, entry| Value::decode(heap, entry.value))
    }

    /// As [`Dict::previous_entries`], only the values.
    pub fn previous_values(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Value>, Cursor)> {
        self.walk(cursor, limit, true, |heap, entry| Value::decode(heap, entry.value))
    }

    fn walk<T>(
        &self,
        cursor: Cursor,
        limit: usize,
        backwards: bool,
        decode: impl Fn(&Heap, &Entry) -> Result<T>,
    ) -> Result<(Vec<T>, Cursor)> {
        let at: Offset = self.at();
        let up_to = |limit: usize| {
            self.heap().read(at, |heap| {
                let mut out = Vec::with_capacity(limit.min(CHUNK));
                let next = entries::walk::<DICT>(heap, at, cursor, limit, backwards, |entry| {
                    out.push(decode(heap, &entry)?);
                    Ok(())
                })?;
                Ok((out, next))
            })
        };
        if limit > FEW && self.heap().own().is_cramped() {
            return up_to(FEW);
        }
        match up_to(limit) {
            Err(Error::SegmentFull { .. }) if limit > FEW => up_to(FEW),
            other => other,
        }
    }

    /// The entries in insertion order. Ends with an error if the size changes meanwhile.
    #[must_use]
    pub fn iter(&self) -> Iter {
        Iter(Walk::new(self.clone(), Dict::next_entries))
    }

    /// The keys in insertion order. Ends with an error if the size changes meanwhile.
    #[must_use]
    pub fn keys(&self) -> Keys {
        Keys(Walk::new(self.clone(), Dict::next_keys))
    }

    /// The values in insertion order. Ends with an error if the size changes meanwhile.
    #[must_use]
    pub fn values(&self) -> Values {
        Values(Walk::new(self.clone(), Dict::next_values))
    }
}

type Next<T> = fn(&Dict, Cursor, usize) -> Result<(Vec<T>, Cursor)>;

#[derive(Debug)]
struct Walk<T> {
    dict: Dict,
    next: Next<T>,
    cursor: Option<Cursor>,
    ready: std::vec::IntoIter<T>,
    ended: bool,
}

impl<T> Walk<T> {
    fn new(dict: Dict, next: Next<T>) -> Self {
        let cursor = dict.first_cursor().ok();
        Walk { dict, next, cursor, ready: Vec::new().into_iter(), ended: false }
    }

    fn step(&mut self) -> Option<Result<T>> {
        if let Some(item) = self.ready.next() {
            return Some(Ok(item));
        }
        if self.ended {
            return None;
        }
        let cursor = self.cursor.map_or_else(|| self.dict.first_cursor(), Ok);
        match cursor.and_then(|cursor| (self.next)(&self.dict, cursor, CHUNK)) {
            Ok((items, cursor)) => {
                self.ended = items.is_empty();
                self.cursor = Some(cursor);
                self.ready = items.into_iter();
                self.ready.next().map(Ok)
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

/// Handle. The entries of a dict; see [`Dict::iter`].
#[derive(Debug)]
pub struct Iter(Walk<(Value, Value)>);

/// Handle. The keys of a dict; see [`Dict::keys`].
#[derive(Debug)]
pub struct Keys(Walk<Value>);

/// Handle. The values of a dict; see [`Dict::values`].
#[derive(Debug)]
pub struct Values(Walk<Value>);

impl Iterator for Iter {
    type Item = Result<(Value, Value)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.step()
    }
}

impl Iterator for Keys {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.step()
    }
}

impl Iterator for Values {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.step()
    }
}

impl IntoIterator for &Dict {
    type Item = Result<(Value, Value)>;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}
