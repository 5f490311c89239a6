//! Semaphores: at most so many at a time; the permits of the dead come back.
//!
//! Handle. The first `n` permits are words of a table, each taken by writing the taker's process into
//! it, so a permit that a dead process had is found and taken from it. `release` gives back a permit
//! of the own process; if it has none, a plain semaphore counts one more (a signal, which nobody
//! owns), a bounded one gives back somebody else's. Waiters stand in a line, first come first served.

use std::sync::Arc;
use std::time::Duration;

use super::line::Who;
use super::turn::Place;
use super::wait::{Wait, spin};
use super::{EVENT, Form, Primitive, VALUE};
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::event;
use crate::heap::Heap;
use crate::layout::{process, process_state};
use crate::primitive::{AtomicU64, Ordering};

/// Handle. A named semaphore.
///
/// ```
/// use shm_core::{Segment, SegmentOptions};
/// let seg = Segment::create_anonymous(SegmentOptions::new())?;
/// let slots = seg.semaphore("slots", 2)?;
/// let permit = slots.acquire(None)?;
/// assert_eq!(slots.value()?, 1);
/// drop(permit);
/// assert_eq!(slots.value()?, 2);
/// # Ok::<(), shm_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Semaphore {
    primitive: Primitive,
    bounded: bool,
    seen: Arc<AtomicU64>,
}

/// Holds a permit until it is dropped.
#[derive(Debug)]
#[must_use = "the permit is given back when the guard is dropped"]
pub struct Permit<'s> {
    semaphore: &'s Semaphore,
    owner_died: bool,
}

impl Permit<'_> {
    /// Whether it was a dead process's.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // A drop cannot fail: if the segment was closed meanwhile, the permit goes with the process.
        let _ = self.semaphore.release(1);
    }
}

impl Semaphore {
    pub(crate) fn new(
        heap: &Heap,
        names: &Dict,
        name: &str,
        permits: u64,
        bounded: bool,
    ) -> Result<Self> {
        let primitive = Primitive::named(heap, names, Form::Semaphore, name, permits, permits)?;
        Ok(Semaphore { primitive, bounded, seen: Arc::default() })
    }

    /// This process, as a taken permit names it: incarnation 32, slot + 1 32.
    fn own(&self) -> Result<u64> {
        let memory = &self.primitive.heap().0.memory;
        let own = memory.own_process.load(Ordering::Relaxed);
        let Some(slot) = own.checked_sub(1) else {
            return Err(self.primitive.not_held("a process without a slot"));
        };
        let at = memory.geometry.process_at(slot) + process::INCARNATION;
        Ok((memory.meta(at)?.load(Ordering::Relaxed) << 32) | own)
    }

    fn is_dead(&self, token: u64) -> Result<bool> {
        let memory = &self.primitive.heap().0.memory;
        let taken = (token & 0xFFFF_FFFF).checked_sub(1);
        let Some(slot) = taken.filter(|slot| *slot < memory.geometry.processes) else {
            return Ok(true);
        };
        let at = memory.geometry.process_at(slot);
        let incarnation = memory.meta(at + process::INCARNATION)?.load(Ordering::Acquire);
        let state = memory.meta(at + process::STATE)?.load(Ordering::Acquire);
        if incarnation << 32 != token & !0xFFFF_FFFF || state & 0xFFFF_FFFF == process_state::FREE {
            return Ok(true);
        }
        let own = memory.own_process.load(Ordering::Relaxed) == slot + 1;
        Ok(!own && memory.process_is_dead(slot)?)
    }

    /// Takes a permit if there is one.
    #[inline]
    fn grab(&self, own: u64) -> Result<bool> {
        for permit in self.primitive.table()? {
            // Acquire: pairs with the Release in `release`.
            if permit.load(Ordering::Relaxed) == 0
                && permit.compare_exchange(0, own, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return Ok(true);
            }
        }
        let unowned = self.primitive.word(VALUE)?;
        let mut count = unowned.load(Ordering::Relaxed);
        while count > 0 {
            match unowned.compare_exchange(count, count - 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Ok(true),
                Err(now) => count = now,
            }
        }
        Ok(false)
    }

    /// Takes a permit from a dead process, if one has any.
    fn inherit(&self, own: u64) -> Result<bool> {
        for permit in self.primitive.table()? {
            let token = permit.load(Ordering::Relaxed);
            if token != 0
                && token != own
                && self.is_dead(token)?
                && permit.compare_exchange(token, own, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// `LockTimeout` if none comes in time.
    pub fn acquire(&self, timeout: Option<Duration>) -> Result<Permit<'_>> {
        let owner_died = self.acquire_raw(timeout)?;
        Ok(Permit { semaphore: self, owner_died })
    }

    /// As [`Semaphore::acquire`], without a guard. Whether it was a dead process's permit.
    pub fn acquire_raw(&self, timeout: Option<Duration>) -> Result<bool> {
        let me = self.primitive.me()?;
        let own = self.own()?;
        let line = self.primitive.line;
        let hint = self.seen.load(Ordering::Relaxed);
        let fair = || Ok::<_, Error>(line.is_idle(hint) && self.grab(own)?);
        if fair()? {
            return Ok(false);
        }
        let wait = Wait::new(&self.primitive, me, timeout);
        if wait.is_over() {
            return if self.inherit(own)? { Ok(true) } else { Err(wait.timed_out(None)) };
        }
        if spin(|| fair().map(|got| got.then_some(())).transpose()).transpose()?.is_some() {
            return Ok(false);
        }
        let who = Who::new(me.slot, me.incarnation);
        let Place { place, .. } = self.primitive.stand_in_line(&wait, hint, who)?;
        self.seen.store(place, Ordering::Relaxed);
        let result = self.wait_as_first(own, &wait);
        self.primitive.leave_line(place, who);
        result
    }

    fn wait_as_first(&self, own: u64, wait: &Wait<'_>) -> Result<bool> {
        let news = self.primitive.word(EVENT)?;
        loop {
            let seen = event::observe(news);
            if self.grab(own)? {
                return Ok(false);
            }
            if (wait.is_thorough() || wait.is_over()) && self.inherit(own)? {
                return Ok(true);
            }
            if wait.is_over() {
                return Err(wait.timed_out(None));
            }
            wait.nap_until_news(news, seen)?;
        }
    }

    /// Gives `count` permits back, all or none of them.
    ///
    /// # Errors
    /// `NotHeld` if the semaphore is bounded and fewer than `count` of its permits are taken,
    /// `InvalidArgument` if it would have more than 2^63 - 1.
    pub fn release(&self, count: u64) -> Result<()> {
        self.primitive.me()?;
        let own = self.own()?;
        let table = self.primitive.table()?;
        if self.bounded {
            let taken = table.iter().filter(|permit| permit.load(Ordering::Relaxed) != 0);
            if (taken.count() as u64) < count {
                return Err(self.primitive.not_held("anybody"));
            }
        } else {
            self.refuse_too_many(count)?;
        }
        let left = Self::give_back(table, count, |token| token == own);
        if self.bounded {
            Self::give_back(table, left, |token| token != 0);
        } else if left > 0 {
            // Release: pairs with the Acquire in `grab`.
            self.primitive.word(VALUE)?.fetch_add(left, Ordering::Release);
        }
        event::notify(self.primitive.word(EVENT)?);
        Ok(())
    }

    /// Makes taken permits free, at most `count` of those that `is` says; how many are left to be.
    fn give_back(table: &[AtomicU64], count: u64, is: impl Fn(u64) -> bool) -> u64 {
        let mut left = count;
        for permit in table {
            if left == 0 {
                break;
            }
            let token = permit.load(Ordering::Relaxed);
            // Release: pairs with the Acquire in `grab`.
            if is(token)
                && permit.compare_exchange(token, 0, Ordering::Release, Ordering::Relaxed).is_ok()
            {
                left -= 1;
            }
        }
        left
    }

    fn refuse_too_many(&self, count: u64) -> Result<()> {
        let most = i64::MAX as u64;
        let there = self.primitive.word(VALUE)?.load(Ordering::Relaxed);
        if count <= most.saturating_sub(there) {
            return Ok(());
        }
        Err(Error::InvalidArgument {
            what: format!(
                "{} cannot have {count} permits more than its {there}: at most {most}",
                self.primitive
            ),
        })
    }

    /// How many permits it was made with.
    pub fn permits(&self) -> Result<u64> {
        Ok(self.primitive.table()?.len() as u64)
    }

    /// How many permits there are to take.
    pub fn value(&self) -> Result<u64> {
        let free = self.primitive.table()?.iter().filter(|word| word.load(Ordering::Relaxed) == 0);
        let unowned = self.primitive.word(VALUE)?.load(Ordering::Relaxed);
        Ok((free.count() as u64).saturating_add(unowned))
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.primitive.name
    }
}
