//! Turns: one participant at a time, first come first served, any number of processes.
//!
//! A turn is a list of tickets under a name; the first one holds the turn. A ticket names a thread
//! slot and its incarnation, so whoever waits can tell that the first one is dead and pass it over.
//! Taking and giving back are list operations (atomic, recovered like any other); the next one spins
//! on the first ticket, which is a validated read, and sleeps after a while.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::event;
use crate::heap::Heap;
use crate::layout::object;
use crate::list::List;
use crate::peers::ThreadClaim;
use crate::value::Value;

/// How long to spin before sleeping: about what a sleep and a wake cost.
const SPIN: Duration = Duration::from_micros(20);
/// Longest sleep between two looks at the first ticket's owner.
const SLICE: Duration = Duration::from_millis(1);

/// Handle. A named turn.
///
/// ```
/// use shm_core::{Segment, SegmentOptions};
/// let seg = Segment::create_anonymous(SegmentOptions::new())?;
/// let turn = seg.turn("default")?;
/// let guard = turn.acquire(None)?;
/// assert!(turn.is_held()?);
/// drop(guard);
/// assert!(!turn.is_held()?);
/// # Ok::<(), shm_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Turn {
    name: String,
    tickets: List,
}

/// Holds a turn until it is dropped.
#[derive(Debug)]
#[must_use = "the turn ends when the guard is dropped"]
pub struct TurnGuard<'t> {
    turn: &'t Turn,
}

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        // A drop cannot fail: if the segment was closed meanwhile, the turn passes on with the slot.
        let _ = self.turn.release();
    }
}

impl Turn {
    pub(crate) fn new(name: &str, tickets: List) -> Self {
        Turn { name: name.to_owned(), tickets }
    }

    fn heap(&self) -> &Heap {
        self.tickets.object().heap()
    }

    /// The calling thread's ticket: incarnation and slot fit into a cell's 62 bits.
    fn ticket(&self) -> Result<i64> {
        let claim = self.heap().session()?.claim;
        Ok(((claim.incarnation << 17) | (claim.slot + 1)) as i64)
    }

    fn claim_of(ticket: i64) -> Option<ThreadClaim> {
        let slot = (ticket as u64 & 0x1_FFFF).checked_sub(1)?;
        Some(ThreadClaim { slot, incarnation: ticket as u64 >> 17 })
    }

    fn event(&self) -> Result<&crate::primitive::AtomicU64> {
        self.heap().word(self.tickets.object().at() + object::W3)
    }

    /// Waits for the turn.
    ///
    /// # Errors
    /// `LockTimeout` naming the holder if it does not come in time; `InvalidArgument` if the calling
    /// thread holds it already.
    pub fn acquire(&self, timeout: Option<Duration>) -> Result<TurnGuard<'_>> {
        self.acquire_raw(timeout)?;
        Ok(TurnGuard { turn: self })
    }

    /// As [`Turn::acquire`], without a guard: [`Turn::release`] ends it.
    pub fn acquire_raw(&self, timeout: Option<Duration>) -> Result<()> {
        let ticket = self.ticket()?;
        if self.tickets.contains(&Value::Int(ticket))? {
            return Err(Error::InvalidArgument {
                what: format!("turn {:?} is already held or awaited by this thread", self.name),
            });
        }
        self.tickets.push(ticket)?;
        let result = self.wait_for(ticket, timeout);
        if result.is_err() {
            self.withdraw(ticket)?;
        }
        result
    }

    fn wait_for(&self, ticket: i64, timeout: Option<Duration>) -> Result<()> {
        let started = Instant::now();
        let (mut seen, mut since) = (ticket, started);
        loop {
            let event = event::observe(self.event()?);
            let first = self.first()?;
            if first == Some(ticket) {
                return Ok(());
            }
            let Some(first) = first else {
                return Err(self.heap().corrupt(format!("turn {:?} lost a ticket", self.name)));
            };
            if first != seen {
                (seen, since) = (first, Instant::now());
            }
            let waited = since.elapsed();
            let thorough = waited > Duration::from_millis(5);
            let dead = match Self::claim_of(first) {
                Some(claim) => self.heap().0.memory.thread_is_dead(claim, thorough)?,
                None => true,
            };
            if dead {
                self.withdraw(first)?;
                continue;
            }
            if timeout.is_some_and(|timeout| started.elapsed() >= timeout) {
                let holder = Self::claim_of(first).map_or(0, ThreadClaim::token);
                let (holder_pid, holder_name) =
                    self.heap().0.memory.describe_owner(holder).unwrap_or_default();
                return Err(Error::LockTimeout {
                    what: format!("turn {:?}", self.name),
                    holder_pid,
                    holder_name,
                    held_for: waited,
                });
            }
            if started.elapsed() < SPIN {
                std::hint::spin_loop();
            } else {
                event::wait(self.event()?, event, SLICE)?;
            }
        }
    }

    fn first(&self) -> Result<Option<i64>> {
        if self.tickets.is_empty()? { Ok(None) } else { self.tickets.get_int(0) }
    }

    fn withdraw(&self, ticket: i64) -> Result<()> {
        self.tickets.remove_value(&Value::Int(ticket))?;
        event::notify(self.event()?);
        Ok(())
    }

    /// Passes the turn on.
    ///
    /// # Errors
    /// `InvalidArgument` if the calling thread does not hold it.
    pub fn release(&self) -> Result<()> {
        let ticket = self.ticket()?;
        if self.first()? != Some(ticket) {
            return Err(Error::InvalidArgument {
                what: format!("turn {:?} is not held by this thread", self.name),
            });
        }
        self.tickets.pop_front()?;
        event::notify(self.event()?);
        Ok(())
    }

    /// Whether somebody holds it, dead holders included that nobody has passed over yet.
    pub fn is_held(&self) -> Result<bool> {
        Ok(self.first()?.is_some())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}
