//! Topics: every subscriber sees every message that is published after it came.
//!
//! A topic is one list: the last `keep` messages, and in the third header word the number of the
//! first of them. A subscriber is a number in its own process, that of the next message it wants, so
//! publishing costs the same for any number of subscribers, and a killed one leaves nothing. The
//! policy for slow subscribers: the oldest message goes when there are more than `keep`; who had not
//! seen it goes on with the oldest that is there and is told how many it lost.
//!
//! ```text
//! header of the list   W3   number of the first message:48, keep:16 (in units of 1)
//! ```

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::layout::object;
use crate::list::{self, Items, List, pop_first_cell, push_cell_at_end};
use crate::value::Value;
use crate::watch;

/// Most messages that a topic keeps.
const MOST: u64 = 0xFFFF;
const NUMBER: u64 = (1 << 48) - 1;

/// Handle. A named topic.
///
/// ```
/// use shm_core::{Segment, SegmentOptions, Value};
/// # fn main() -> Result<(), shm_core::Error> {
/// let seg = Segment::create_anonymous(SegmentOptions::new().size(1 << 20))?;
/// let topic = seg.topic("prices", 100)?;
/// let (mut one, mut other) = (topic.subscribe()?, topic.subscribe()?);
/// topic.publish(101.5)?;
/// assert_eq!(one.get(None)?, Value::from(101.5));
/// assert_eq!(other.get(None)?, Value::from(101.5));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Topic {
    name: String,
    items: List,
}

/// Handle. A place in a topic: what was published since it was made.
#[derive(Clone, Debug)]
pub struct Subscription {
    topic: Topic,
    next: u64,
    lost: u64,
}

impl Topic {
    pub(crate) fn over(name: &str, items: List) -> Self {
        Topic { name: name.to_owned(), items }
    }

    pub(crate) fn fresh_items(heap: &Heap, keep: u64) -> Result<List> {
        if keep == 0 || keep > MOST {
            return Err(Error::InvalidArgument {
                what: format!("a topic keeps 1 to {MOST} messages, not {keep}"),
            });
        }
        let items = List::empty(heap)?;
        let at = items.object().at();
        heap.write(|tx| tx.set(at + object::W3, keep << 48))?;
        Ok(items)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many messages it keeps at most.
    pub fn keep(&self) -> Result<u64> {
        let at = self.items.object().at();
        self.items.heap().read(at, |heap| Ok(heap.load(at + object::W3)? >> 48))
    }

    /// Publishes a message to everybody who subscribed; it never waits.
    pub fn publish(&self, value: impl Into<Value>) -> Result<()> {
        let heap = self.items.heap();
        let staged = value.into().prepare(heap)?;
        let at = self.items.object().at();
        heap.write(|tx| {
            let cell = staged.take(tx)?;
            let word = tx.load(at + object::W3)?;
            push_cell_at_end(tx, at, cell)?;
            if Items::load(tx.heap(), at)?.len > word >> 48
                && let Some(old) = pop_first_cell(tx, at)?
            {
                tx.dec(old)?;
                tx.set(at + object::W3, (word & !NUMBER) | ((word + 1) & NUMBER))?;
            }
            Ok(())
        })
    }

    /// From now on.
    pub fn subscribe(&self) -> Result<Subscription> {
        let (first, len) = self.span()?;
        Ok(Subscription { topic: self.clone(), next: first + len, lost: 0 })
    }

    /// From the oldest message that is kept.
    pub fn replay(&self) -> Result<Subscription> {
        let (first, _) = self.span()?;
        Ok(Subscription { topic: self.clone(), next: first, lost: 0 })
    }

    fn span(&self) -> Result<(u64, u64)> {
        let at = self.items.object().at();
        self.items.heap().read(at, |heap| {
            let first = heap.load(at + object::W3)? & NUMBER;
            Ok((first, Items::load(heap, at)?.len))
        })
    }

    /// The message of a number, or of the oldest one after it, and its number.
    fn look(&self, next: u64) -> Result<Option<(u64, Value)>> {
        let at = self.items.object().at();
        self.items.heap().read(at, |heap| {
            let first = heap.load(at + object::W3)? & NUMBER;
            let number = next.max(first);
            match list::cell_at(heap, at, number - first)? {
                Some(cell) => Ok(Some((number, Value::decode(heap, cell)?))),
                None => Ok(None),
            }
        })
    }
}

impl Subscription {
    /// The next message, waiting for one at most for `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// `QueueEmpty` if there was none in time.
    pub fn get(&mut self, timeout: Option<Duration>) -> Result<Value> {
        let memory = &self.topic.items.heap().0.memory;
        let at = self.topic.items.object().at();
        let started = Instant::now();
        loop {
            let seen = memory.version_of(at)?;
            if let Some((number, value)) = self.topic.look(self.next)? {
                self.lost += number - self.next;
                self.next = number + 1;
                return Ok(value);
            }
            let waited = started.elapsed();
            if timeout.is_some_and(|timeout| waited >= timeout) {
                return Err(Error::QueueEmpty { name: self.topic.name.clone(), waited });
            }
            self.topic.items.heap().outside_of_transactions("waiting for others")?;
            let rest = timeout.map_or(watch::SLICE, |timeout| timeout.saturating_sub(waited));
            memory.sleep_until_changed(at, seen, rest)?;
        }
    }

    /// How many messages went before this subscriber saw them.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many messages wait for it.
    pub fn pending(&self) -> Result<u64> {
        let (first, len) = self.topic.span()?;
        Ok((first + len).saturating_sub(self.next.max(first)))
    }

    /// Changes whenever something is published.
    pub fn version(&self) -> Result<u64> {
        self.topic.items.heap().0.memory.version_of(self.topic.items.object().at())
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    pub(crate) fn items(&self) -> &List {
        &self.topic.items
    }
}
