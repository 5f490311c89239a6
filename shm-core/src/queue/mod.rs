//! Queues: objects handed from any process to any other, first in, first out.
//!
//! A queue is a list that hangs from the segment under a name; its third header word holds what
//! makes it a queue. Putting appends, taking pops the first, each one atomic operation, so an item is
//! taken by exactly one, and a killed taker had it or had it not. Objects are handed over by
//! reference. Any number of processes and threads puts and takes. Who waits spins shortly and then
//! sleeps until the list changes (`watch`); a killed waiter leaves nothing.
//!
//! ```text
//! header of the list   W3   bit 0 closed, bits 1-63 how many items it takes at most (0: any number)
//! ```
//!
//! The segment's own messages are a queue without a bound that is never closed. New containers travel
//! packed (`message`). `lease` adds taking at least once, `topic` broadcasts. All changes happen under
//! the writer lock.

mod bytes;
mod lease;
mod message;
#[cfg(test)]
mod tests;
mod topic;

pub use bytes::{Incoming, Taken};
pub use lease::Lease;
pub use message::Message;
pub(crate) use message::is_message;
pub use topic::{Subscription, Topic};

use std::time::{Duration, Instant};

use crate::backoff;
use crate::cell::{Cell, Offset};
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::layout::object;
use crate::list::{self, Items, List, drop_cells_at, pop_first_cell, push_cell_at_end, shrink};
use crate::primitive::{AtomicU64, Ordering};
use crate::tx::Tx;
use crate::value::Value;
use crate::watch;

/// How long to spin before sleeping: about what a sleep and a wake cost.
const SPIN: Duration = Duration::from_micros(20);

/// Who found a queue of at most n items full puts again at once when so small a part of it is free, or else
/// after the spin: several at a time, where each item alone would make producer and consumer meet.
const SLACK: u64 = 8;

/// The bit of W3 that says that nothing more can be put.
const CLOSED: u64 = 1;

/// Handle. A named queue.
///
/// ```
/// use shm_core::{Segment, SegmentOptions, Value};
/// # fn main() -> Result<(), shm_core::Error> {
/// let seg = Segment::create_anonymous(SegmentOptions::new().size(1 << 20))?;
/// let queue = seg.queue("jobs", 100)?;
/// queue.put("first", None)?;
/// queue.put(seg.dict([("n", 2)])?, None)?;
/// assert_eq!(queue.get(None)?, Value::from("first"));
/// assert_eq!(queue.len()?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Queue {
    name: String,
    items: List,
    /// What was taken and not acknowledged (see `lease`); the messages have none.
    leases: Option<List>,
}

impl Queue {
    /// The queue in lists that hang from the segment.
    pub(crate) fn over(name: &str, items: List, leases: Option<List>) -> Self {
        Queue { name: name.to_owned(), items, leases }
    }

    /// A list that is an empty queue of at most `maxsize` items, 0 for any number.
    pub(crate) fn fresh_items(heap: &Heap, maxsize: u64) -> Result<List> {
        let items = List::empty(heap)?;
        let at = items.object().at();
        heap.write(|tx| tx.set(at + object::W3, maxsize << 1))?;
        Ok(items)
    }

    fn heap(&self) -> &Heap {
        self.items.heap()
    }

    #[inline]
    fn at(&self) -> Offset {
        self.items.object().at()
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many items wait.
    #[allow(clippy::len_without_is_empty, reason = "is_empty is below, fallible like everything")]
    pub fn len(&self) -> Result<usize> {
        self.items.len()
    }

    /// Whether no item waits.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Whether it has as many items as it takes.
    pub fn is_full(&self) -> Result<bool> {
        let maxsize = self.maxsize()?;
        Ok(maxsize > 0 && self.len()? as u64 >= maxsize)
    }

    /// How many items it takes; 0 for any number.
    pub fn maxsize(&self) -> Result<u64> {
        Ok(self.state()? >> 1)
    }

    /// Whether nothing more can be put.
    pub fn is_closed(&self) -> Result<bool> {
        Ok(self.state()? & CLOSED != 0)
    }

    fn state(&self) -> Result<u64> {
        let at = self.at();
        self.heap().read(at, |heap| heap.load(at + object::W3))
    }

    /// Changes whenever something is put or taken, and when the queue is closed.
    pub fn version(&self) -> Result<u64> {
        self.heap().0.memory.version_of(self.at())
    }

    /// The list of the items, to be waited for among others.
    pub(crate) fn items(&self) -> &List {
        &self.items
    }

    /// Appends a value, waiting for room at most for `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// `QueueFull` if there was no room in time; `QueueClosed`; whatever storing the value can
    /// report, such as `SegmentFull`. The queue is unchanged then.
    pub fn put(&self, value: impl Into<Value>, timeout: Option<Duration>) -> Result<()> {
        let value = value.into();
        if let Value::Draft(draft) = &value
            && let Some(words) = message::pack(draft)
        {
            return self.put_with(timeout, |tx| message::store(tx, &words));
        }
        let staged = value.prepare(self.heap())?;
        self.put_with(timeout, |tx| staged.take(tx))
    }

    /// As [`Queue::put`], where `store` makes the cell, which owns its count.
    fn put_with(
        &self,
        timeout: Option<Duration>,
        mut store: impl FnMut(&mut Tx<'_>) -> Result<Cell>,
    ) -> Result<()> {
        self.wait_for(
            timeout,
            || self.try_put(&mut store),
            || self.has_slack(),
            |waited| Error::QueueFull {
                name: self.name.clone(),
                maxsize: self.maxsize().unwrap_or(0),
                waited,
            },
        )
    }

    /// Takes the oldest value, waiting for one at most for `timeout` (`None`: for ever). A message for
    /// which the segment has no room is left as it is.
    pub(crate) fn get_unbuilt(&self, timeout: Option<Duration>) -> Result<Item> {
        let unbuilt = |tx: &mut Tx<'_>, cell| {
            let item = taken_as_it_is(tx, cell)?;
            tx.dec(cell)?;
            Ok(item)
        };
        let attempt = || self.take_first_if_room(taken, unbuilt);
        self.wait_for(timeout, attempt, || Ok(true), |waited| self.empty(waited))
    }

    /// The newest value, likewise.
    pub(crate) fn get_newest_unbuilt(&self) -> Result<Option<Item>> {
        match self.take_last(taken) {
            Err(Error::SegmentFull { .. }) => self.take_last(|tx, cell| {
                let item = taken_as_it_is(tx, cell)?;
                tx.dec(cell)?;
                Ok(item)
            }),
            taken => taken,
        }
    }

    /// Takes the last cell, with its count, if there is one.
    fn take_last<T>(
        &self,
        mut keep: impl FnMut(&mut Tx<'_>, Cell) -> Result<T>,
    ) -> Result<Option<T>> {
        let at = self.at();
        self.heap().write(|tx| {
            let Some(cell) = end_of(tx.heap(), at, true)? else { return Ok(None) };
            drop_cells_at(tx, at, Items::load(tx.heap(), at)?.len - 1, 1)?;
            shrink(tx, at)?;
            keep(tx, cell).map(Some)
        })
    }

    /// The oldest or the newest value, which stays; a message for which the segment has no room is left as
    /// it is.
    pub(crate) fn peek_unbuilt(&self, newest: bool) -> Result<Option<Item>> {
        let at = self.at();
        loop {
            let seen = self.heap().read(at, |heap| match end_of(heap, at, newest)? {
                Some(cell) if message::packed_in(cell).is_some() => Ok(None),
                Some(cell) => Ok(Some(Some((Value::decode(heap, cell)?, None)))),
                None => Ok(Some(None)),
            })?;
            if let Some(item) = seen {
                return Ok(item);
            }
            match self.build_at(newest) {
                Err(Error::SegmentFull { .. }) => {}
                built => {
                    built?;
                    continue;
                }
            }
            return self.heap().write(|tx| {
                let cell = end_of(tx.heap(), at, newest)?;
                cell.map(|cell| taken_as_it_is(tx, cell)).transpose()
            });
        }
    }

    /// Builds the oldest or the newest value in its place, if it is a packed message.
    fn build_at(&self, newest: bool) -> Result<()> {
        let at = self.at();
        self.heap().write(|tx| {
            let Some(cell) = end_of(tx.heap(), at, newest)? else { return Ok(()) };
            let built = message::built(tx, cell)?;
            let items = Items::load(tx.heap(), at)?;
            tx.open(at)?;
            tx.set(items.at(if newest { items.len - 1 } else { 0 }), built.0)
        })
    }

    /// Waits until there is something to take, at most for `timeout`; whether there is.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        let attempt = || Ok((!self.is_empty()?).then_some(()));
        match self.wait_for(timeout, attempt, || Ok(true), |waited| self.empty(waited)) {
            Ok(()) => Ok(true),
            Err(Error::QueueEmpty { .. } | Error::NoMessages { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn empty(&self, waited: Duration) -> Error {
        match &self.leases {
            Some(_) => Error::QueueEmpty { name: self.name.clone(), waited },
            None => Error::NoMessages { name: self.heap().name().to_owned(), waited },
        }
    }

    /// Lets nothing more be put. What is there can still be taken, unless `discard` empties it. Whoever
    /// waits learns of it.
    pub fn close(&self, discard: bool) -> Result<()> {
        let at = self.at();
        self.heap().write(|tx| {
            let state = tx.load(at + object::W3)?;
            tx.open(at)?;
            tx.set(at + object::W3, state | CLOSED)
        })?;
        if discard {
            self.items.clear()?;
        }
        Ok(())
    }

    fn try_put(&self, store: &mut impl FnMut(&mut Tx<'_>) -> Result<Cell>) -> Result<Option<()>> {
        let at = self.at();
        // A look first, as in `take_first`.
        if self.is_full()? && !self.is_closed()? {
            return Ok(None);
        }
        self.heap().write(|tx| {
            let state = tx.load(at + object::W3)?;
            if state & CLOSED != 0 {
                return Err(Error::QueueClosed { name: self.name.clone() });
            }
            let maxsize = state >> 1;
            if maxsize > 0 && Items::load(tx.heap(), at)?.len >= maxsize {
                return Ok(None);
            }
            let cell = store(tx)?;
            push_cell_at_end(tx, at, cell)?;
            Ok(Some(()))
        })
    }

    /// Takes the first cell, with its count, if there is one.
    fn take_first<T>(
        &self,
        mut keep: impl FnMut(&mut Tx<'_>, Cell) -> Result<T>,
    ) -> Result<Option<T>> {
        let at = self.at();
        self.reclaim_now_and_then()?;
        // A look first: an empty queue is not worth the writer lock.
        if self.items.is_empty()? {
            if self.is_closed()? && self.items.is_empty()? && !self.has_leases()? {
                return Err(Error::QueueClosed { name: self.name.clone() });
            }
            return Ok(None);
        }
        self.heap().write(|tx| match pop_first_cell(tx, at)? {
            Some(cell) => keep(tx, cell).map(Some),
            None => Ok(None),
        })
    }

    /// The same; where there is no room for what `keep` does, it is `keep_small`.
    fn take_first_if_room<T>(
        &self,
        mut keep: impl FnMut(&mut Tx<'_>, Cell) -> Result<T>,
        keep_small: impl FnMut(&mut Tx<'_>, Cell) -> Result<T>,
    ) -> Result<Option<T>> {
        /// The attachment whose segment was full the last time.
        static FULL: AtomicU64 = AtomicU64::new(0);
        let (at, id) = (self.at(), self.heap().0.id);
        let taken = if FULL.load(Ordering::Relaxed) == id && !self.items.is_empty()? {
            // Not each of thousands is worth a look for garbage.
            self.heap().write_if_room(|tx| match pop_first_cell(tx, at)? {
                Some(cell) => keep(tx, cell).map(Some),
                None => Ok(None),
            })
        } else {
            self.take_first(keep)
        };
        let is_full = matches!(taken, Err(Error::SegmentFull { .. }));
        if is_full != (FULL.load(Ordering::Relaxed) == id) {
            FULL.store(if is_full { id } else { 0 }, Ordering::Relaxed);
        }
        if is_full { self.take_first(keep_small) } else { taken }
    }

    /// Whether several items can be put, or none ever again.
    fn has_slack(&self) -> Result<bool> {
        let state = self.state()?;
        let most = (state >> 1).saturating_sub((state >> 1) / SLACK);
        Ok(state & CLOSED != 0 || (self.len()? as u64) < most.max(1))
    }

    /// Tries until something comes of it, sleeping until the queue changes in between. While it spins it
    /// tries again when the queue has changed and `worth_it` says so.
    fn wait_for<T>(
        &self,
        timeout: Option<Duration>,
        mut attempt: impl FnMut() -> Result<Option<T>>,
        worth_it: impl Fn() -> Result<bool>,
        in_vain: impl FnOnce(Duration) -> Error,
    ) -> Result<T> {
        let memory = &self.heap().0.memory;
        if timeout == Some(Duration::ZERO) {
            return attempt()?.ok_or_else(|| in_vain(Duration::ZERO));
        }
        let mut started = None;
        loop {
            let seen = self.version()?;
            if let Some(done) = attempt()? {
                return Ok(done);
            }
            let waited = started.get_or_insert_with(Instant::now).elapsed();
            if timeout.is_some_and(|timeout| waited >= timeout) {
                return Err(in_vain(waited));
            }
            self.heap().outside_of_transactions("waiting for others")?;
            if waited < SPIN {
                // Now and then only: whoever puts or takes just now works with the same lines.
                let news = || match self.version() {
                    Ok(version) if version == seen => None,
                    Ok(_) => match worth_it() {
                        Ok(worth_it) => worth_it.then_some(Ok(())),
                        Err(error) => Some(Err(error)),
                    },
                    Err(error) => Some(Err(error)),
                };
                backoff::look(SPIN, backoff::LONGEST, news).transpose()?;
            } else {
                let rest = timeout.map_or(watch::SLICE, |timeout| timeout.saturating_sub(waited));
                memory.sleep_until_changed(self.at(), seen, rest)?;
            }
        }
    }
}

/// What was taken: a value, or the message that it can be made of.
pub(crate) type Item = (Value, Option<Message>);

/// The value of a cell that was taken out with its count.
fn taken(tx: &mut Tx<'_>, cell: Cell) -> Result<Item> {
    let cell = message::built(tx, cell)?;
    let value = Value::decode(tx.heap(), cell)?;
    tx.dec(cell)?;
    Ok((value, None))
}

/// What a cell holds, without building it. Its count stays the caller's.
fn taken_as_it_is(tx: &Tx<'_>, cell: Cell) -> Result<Item> {
    match message::packed_in(cell) {
        Some(packed) => Ok((Value::None, Some(Message::copy_of(tx.heap(), packed)?))),
        None => Ok((Value::decode(tx.heap(), cell)?, None)),
    }
}

/// The cell at one end of a queue's list.
fn end_of(heap: &Heap, at: Offset, newest: bool) -> Result<Option<Cell>> {
    let last = Items::load(heap, at)?.len.saturating_sub(1);
    list::cell_at(heap, at, if newest { last } else { 0 })
}
