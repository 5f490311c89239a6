//! Taking from a queue whose segment is full: a message for which it has no room is built in another one.
//!
//! A message is one block, and what it is built to several; so where not a byte is left none could be
//! taken, and nothing would become free. Those of this process share a private segment, which goes with
//! the last handle of its objects. They are objects like any other; stored elsewhere, they are copied.

use std::sync::{Mutex, TryLockError, Weak};
use std::time::Duration;

use crate::error::Result;
use crate::heap::{Heap, Inner};
use crate::options::SegmentOptions;
use crate::queue::{Item, Lease, Message, Queue};
use crate::segment::Segment;
use crate::value::Value;

/// The ceiling of such a segment; when it is reached, there is another one.
const CEILING: u64 = 64 << 20;

/// The one in use. Never waited for: a fork may have found it taken.
static LATEST: Mutex<Weak<Inner>> = Mutex::new(Weak::new());

fn latest<T>(f: impl FnOnce(&mut Weak<Inner>) -> T) -> Option<T> {
    match LATEST.try_lock() {
        Ok(mut latest) => Some(f(&mut latest)),
        Err(TryLockError::Poisoned(latest)) => Some(f(&mut latest.into_inner())),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// What a message is made of, outside of its segment.
fn build(message: &Message) -> Result<Value> {
    if let Some(Some(inner)) = latest(|latest| latest.upgrade())
        && let Ok(value) = message.build_if_room(&Heap(inner))
    {
        return Ok(value);
    }
    let segment = Segment::create_private(SegmentOptions::new().size(CEILING))?;
    let value = message.build(segment.heap())?;
    latest(|latest| *latest = segment.heap().downgrade());
    Ok(value)
}

fn made((value, message): Item) -> Result<Value> {
    message.map_or(Ok(value), |message| build(&message))
}

/// Taking, also where nothing more fits: what was put as built-in containers is an object of another segment
/// then.
impl Queue {
    /// Takes the oldest value, waiting for one at most for `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// `QueueEmpty` if there was none in time; `QueueClosed` if it is empty and closed.
    pub fn get(&self, timeout: Option<Duration>) -> Result<Value> {
        self.get_unbuilt(timeout).and_then(made)
    }

    /// Takes the newest value, if there is one: a stack's order.
    pub fn get_newest(&self) -> Result<Option<Value>> {
        self.get_newest_unbuilt()?.map(made).transpose()
    }

    /// The oldest or the newest value, which stays.
    pub fn peek(&self, newest: bool) -> Result<Option<Value>> {
        self.peek_unbuilt(newest)?.map(made).transpose()
    }

    /// Takes the oldest value on probation, waiting for one at most for `timeout`.
    ///
    /// # Errors
    /// As [`Queue::get`]; `InvalidArgument` for the segment's messages, which have no leases; `SegmentFull`
    /// where not a byte is left and 32 leases are not settled.
    pub fn get_lease(&self, timeout: Option<Duration>) -> Result<Lease> {
        let lease = self.get_lease_unbuilt(timeout)?;
        match lease.message().map(build) {
            Some(value) => Ok(lease.built(value?)),
            None => Ok(lease),
        }
    }
}
