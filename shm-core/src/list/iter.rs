//! Iterating a list: a validated read for every 64 items.

use crate::error::Result;
use crate::list::List;
use crate::value::Value;

/// Items per read.
const CHUNK: usize = 64;

/// Handle. The items of a list from front to back; see [`List::iter`].
#[derive(Debug)]
pub struct Iter {
    list: List,
    ready: std::vec::IntoIter<Value>,
    next: usize,
    ended: bool,
}

impl Iter {
    pub(crate) fn new(list: List) -> Self {
        Iter { list, ready: Vec::new().into_iter(), next: 0, ended: false }
    }
}

impl Iterator for Iter {
    type Item = Result<Value>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(value) = self.ready.next() {
            return Some(Ok(value));
        }
        if self.ended {
            return None;
        }
        match self.list.chunk(self.next, CHUNK) {
            Ok(values) => {
                self.next += values.len();
                self.ended = values.is_empty();
                self.ready = values.into_iter();
                self.ready.next().map(Ok)
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

impl IntoIterator for &List {
    type Item = Result<Value>;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}
