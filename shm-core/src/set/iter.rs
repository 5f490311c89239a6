//! Iterating a set: a validated read for every 64 members, an error once the size has changed.

use crate::dict::Cursor;
use crate::dict::entries;
use crate::dict::keys::SET;
use crate::error::Result;
use crate::set::Set;
use crate::value::Value;

/// Members per read.
const CHUNK: usize = 64;

impl Set {
    /// A cursor before the first member.
    pub fn first_cursor(&self) -> Result<Cursor> {
        let at = self.at();
        self.heap().read(at, |heap| entries::cursor::<SET>(heap, at, false))
    }

    /// Up to `limit` members behind a cursor, and the cursor behind them; none at the end.
    ///
    /// # Errors
    /// `Changed` if the size changed since the cursor was made.
    pub fn next_entries(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Value>, Cursor)> {
        let at = self.at();
        self.heap().read(at, |heap| {
            let mut out = Vec::with_capacity(limit.min(CHUNK));
            let next = entries::walk::<SET>(heap, at, cursor, limit, false, |entry| {
                out.push(Value::decode(heap, entry.key)?);
                Ok(())
            })?;
            Ok((out, next))
        })
    }

    /// The members in insertion order. Ends with an error if the size changes meanwhile.
    #[must_use]
    pub fn iter(&self) -> Iter {
        let cursor = self.first_cursor().ok();
        Iter { set: self.clone(), cursor, ready: Vec::new().into_iter(), ended: false }
    }
}

/// Handle. The members of a set; see [`Set::iter`].
#[derive(Debug)]
pub struct Iter {
    set: Set,
    cursor: Option<Cursor>,
    ready: std::vec::IntoIter<Value>,
    ended: bool,
}

impl Iterator for Iter {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(value) = self.ready.next() {
            return Some(Ok(value));
        }
        if self.ended {
            return None;
        }
        let cursor = self.cursor.map_or_else(|| self.set.first_cursor(), Ok);
        match cursor.and_then(|cursor| self.set.next_entries(cursor, CHUNK)) {
            Ok((members, cursor)) => {
                self.ended = members.is_empty();
                self.cursor = Some(cursor);
                self.ready = members.into_iter();
                self.ready.next().map(Ok)
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

impl IntoIterator for &Set {
    type Item = Result<Value>;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}
