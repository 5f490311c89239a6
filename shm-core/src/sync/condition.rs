//! Conditions: wait under a lock until somebody says that something changed.
//!
//! Handle. The waiters' tickets are a shared list, in the order in which they came: waiting appends
//! one, notifying takes the first ones out, skipping those of the dead, each an operation of the heap
//! and so whole under SIGKILL. A waiter whose ticket is gone was notified. A notification that its
//! receiver takes to the grave is lost, as a value is that a killed process has just read.

use std::time::Duration;

use super::line::Who;
use super::lock::Lock;
use super::rlock::RLock;
use super::wait::Wait;
use super::{EVENT, Form, Primitive};
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::event;
use crate::heap::Heap;
use crate::list::List;
use crate::peers::ThreadClaim;
use crate::value::Value;

/// The lock of a condition.
#[derive(Clone, Debug)]
pub enum ConditionLock {
    /// One that its holder cannot take again.
    Plain(Lock),
    /// One that it can; the default.
    Reentrant(RLock),
}

impl From<Lock> for ConditionLock {
    fn from(lock: Lock) -> Self {
        ConditionLock::Plain(lock)
    }
}

impl From<RLock> for ConditionLock {
    fn from(lock: RLock) -> Self {
        ConditionLock::Reentrant(lock)
    }
}

impl ConditionLock {
    /// Waits for the lock. Whether its holder died.
    pub fn acquire_raw(&self, timeout: Option<Duration>) -> Result<bool> {
        match self {
            ConditionLock::Plain(lock) => lock.acquire_raw(timeout),
            ConditionLock::Reentrant(lock) => lock.acquire_raw(timeout),
        }
    }

    /// Gives it back.
    pub fn release(&self) -> Result<()> {
        match self {
            ConditionLock::Plain(lock) => lock.release(),
            ConditionLock::Reentrant(lock) => lock.release(),
        }
    }

    /// Whether somebody holds it.
    pub fn is_held(&self) -> Result<bool> {
        match self {
            ConditionLock::Plain(lock) => lock.is_held(),
            ConditionLock::Reentrant(lock) => lock.is_held(),
        }
    }

    fn is_ready(&self) -> Result<bool> {
        match self {
            ConditionLock::Plain(lock) => lock.is_held(),
            ConditionLock::Reentrant(lock) => lock.is_mine(),
        }
    }

    fn release_all(&self) -> Result<u64> {
        match self {
            ConditionLock::Plain(lock) => lock.release().map(|()| 1),
            ConditionLock::Reentrant(lock) => lock.release_all(),
        }
    }

    fn restore(&self, depth: u64) -> Result<bool> {
        match self {
            ConditionLock::Plain(lock) => lock.acquire_raw(None),
            ConditionLock::Reentrant(lock) => lock.restore(depth, None),
        }
    }
}

/// Handle. A named condition and its lock.
///
/// ```
/// use shm_core::{Segment, SegmentOptions};
/// use std::time::Duration;
/// let seg = Segment::create_anonymous(SegmentOptions::new())?;
/// let changed = seg.condition("changed")?;
/// changed.lock().acquire_raw(None)?;
/// assert!(!changed.wait(Some(Duration::ZERO))?);
/// changed.notify(1)?;
/// changed.lock().release()?;
/// # Ok::<(), shm_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Condition {
    primitive: Primitive,
    waiters: List,
    lock: ConditionLock,
}

/// A ticket in the list of waiters: serial 15 | incarnation 20 | slot + 1 17.
fn ticket(me: ThreadClaim) -> Value {
    thread_local! {
        static SERIAL: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }
    let serial = SERIAL.with(|serial| {
        serial.set(serial.get().wrapping_add(1));
        serial.get() & 0x7FFF
    });
    let incarnation = me.incarnation & Who::INCARNATION;
    Value::Int(((serial << 37) | (incarnation << 17) | (me.slot + 1)) as i64)
}

impl Condition {
    pub(crate) fn new(
        heap: &Heap,
        names: &Dict,
        name: &str,
        lock: Option<ConditionLock>,
    ) -> Result<Self> {
        let primitive = Primitive::named(heap, names, Form::Condition, name, 0, 0)?;
        let lock = match lock {
            Some(lock) => lock,
            None => RLock::new(heap, names, &format!("condition {name}"))?.into(),
        };
        let key = format!("waiters/{name}");
        let known = match names.get_str(&key)? {
            Some(known) => known,
            None => names.get_or_insert(key.as_str(), List::new::<Value>(heap, [])?)?,
        };
        match known {
            Value::List(waiters) => Ok(Condition { primitive, waiters, lock }),
            _ => Err(heap.corrupt(format!("{key:?} is no list of waiters"))),
        }
    }

    /// Its lock.
    #[must_use]
    pub fn lock(&self) -> &ConditionLock {
        &self.lock
    }

    fn require_lock(&self) -> Result<()> {
        if self.lock.is_ready()? { Ok(()) } else { Err(self.primitive.not_held("this thread")) }
    }

    /// Gives the lock back, waits to be notified, takes the lock again; `false` if nobody notified in
    /// time. The lock is held again afterwards also if this fails.
    ///
    /// # Errors
    /// `NotHeld` if the calling thread does not hold the lock; `Interrupted`.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        self.require_lock()?;
        let mine = self.join()?;
        let depth = match self.lock.release_all() {
            Ok(depth) => depth,
            Err(error) => {
                self.leave(&mine)?;
                return Err(error);
            }
        };
        let notified = self.wait_for(&mine, timeout);
        let mut result = match notified {
            Ok(true) => Ok(true),
            // A notification that came in between counts.
            Ok(false) => self.leave(&mine).map(|waited| !waited),
            Err(error) => self.leave(&mine).and(Err(error)),
        };
        loop {
            match self.lock.restore(depth) {
                Ok(_) => return result,
                // The caller relies on the lock: what interrupts is reported once it is held.
                Err(error @ Error::Interrupted { .. }) => result = result.and(Err(error)),
                Err(error) => return Err(error),
            }
        }
    }

    fn wait_for(&self, mine: &Value, timeout: Option<Duration>) -> Result<bool> {
        let me = self.primitive.me()?;
        let wait = Wait::new(&self.primitive, me, timeout);
        let news = self.primitive.word(EVENT)?;
        loop {
            let seen = event::observe(news);
            if self.was_notified(mine)? {
                return Ok(true);
            }
            if wait.is_over() {
                return Ok(false);
            }
            wait.nap_until_news(news, seen)?;
        }
    }

    /// Becomes a waiter: the ticket. For waits that do not block; the caller holds the lock.
    pub fn join(&self) -> Result<Value> {
        let mine = ticket(self.primitive.me()?);
        self.waiters.push(mine.clone())?;
        Ok(mine)
    }

    /// Whether a ticket was notified.
    pub fn was_notified(&self, ticket: &Value) -> Result<bool> {
        Ok(!self.waiters.contains(ticket)?)
    }

    /// Gives a ticket up; whether it still waited.
    pub fn leave(&self, ticket: &Value) -> Result<bool> {
        self.waiters.remove_value(ticket)
    }

    /// Wakes the `count` who wait longest. The caller holds the lock.
    ///
    /// # Errors
    /// `NotHeld` if the calling thread does not hold the lock.
    pub fn notify(&self, count: usize) -> Result<()> {
        self.require_lock()?;
        let memory = &self.primitive.heap().0.memory;
        let mut left = count;
        while left > 0 && !self.waiters.is_empty()? {
            let Some(first) = self.waiters.pop_front()? else { break };
            let word = first.as_int().unwrap_or(0) as u64;
            let slot = (word & 0x1_FFFF).checked_sub(1);
            let who = slot.map(|slot| Who::new(slot, word >> 17));
            let dead = match who {
                Some(who) => memory.who_is_dead(who, true)?,
                None => true,
            };
            left -= usize::from(!dead);
        }
        if left < count {
            event::notify(self.primitive.word(EVENT)?);
        }
        Ok(())
    }

    /// Wakes everybody who waits. The caller holds the lock.
    pub fn notify_all(&self) -> Result<()> {
        self.notify(usize::MAX)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.primitive.name
    }
}
