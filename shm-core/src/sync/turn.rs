//! Turns: one participant at a time, first come first served, any number of processes.
//!
//! Handle. A turn is a line (see `line`): who is at its head has the turn. Taking it when nobody is
//! there is one compare-exchange; giving it back hands the head over by one, which the next one sees
//! while it spins, or is woken by. A holder or a waiter that dies is passed over by whoever is next.
//! A turn gives exclusion, not atomicity: the next one learns that the holder died.

use std::sync::Arc;
use std::time::Duration;

use super::line::{Entered, Left, Verdict, Who};
use super::wait::{Wait, linger, spin};
use super::{Form, Primitive};
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::primitive::{AtomicU64, Ordering};
use crate::sys::futex;

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
    primitive: Primitive,
    /// The place that was seen or held last, by any clone.
    seen: Arc<AtomicU64>,
}

/// Holds a turn until it is dropped.
#[derive(Debug)]
#[must_use = "the turn ends when the guard is dropped"]
pub struct TurnGuard<'t> {
    turn: &'t Turn,
    place: u64,
    me: Who,
    owner_died: bool,
}

impl TurnGuard<'_> {
    /// Whether the one before died while it had the turn.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        // A drop cannot fail: if the segment was closed meanwhile, the turn passes on with the slot.
        let _ = self.turn.primitive.leave_line(self.place, self.me);
    }
}

/// A place in the line of a turn, taken by [`Turn::stand`] for a thread that goes on meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// None while the line is full.
    place: Option<u64>,
    me: Who,
}

/// How a waiter came to the head of a line.
pub(super) struct Place {
    pub(super) place: u64,
    pub(super) owner_died: bool,
}

impl Primitive {
    /// Waits for the head of the line, however long the caller's wait says.
    pub(super) fn stand_in_line(&self, wait: &Wait<'_>, hint: u64, me: Who) -> Result<Place> {
        let line = self.line;
        let memory = &self.heap().0.memory;
        let place = loop {
            let entered = if wait.is_over() {
                // Without patience no place is taken that others would have to pass over; unless
                // whoever is last is dead.
                match line.try_enter(hint, me) {
                    Entered::Not(Some(last))
                        if !memory.who_is_dead(last, wait.is_thorough())? =>
                    {
                        return Err(self.taken(wait, hint));
                    }
                    Entered::Not(_) => line.enter(hint, me),
                    held => held,
                }
            } else {
                line.enter(hint, me)
            };
            match entered {
                Entered::Held(place) => return Ok(Place { place, owner_died: false }),
                Entered::Waiting(place) => break place,
                Entered::Not(_) if wait.is_over() => return Err(self.taken(wait, hint)),
                Entered::Not(_) => wait.idle()?,
            }
        };
        if spin(|| line.is_held(place, me).then_some(())).is_some() {
            return Ok(Place { place, owner_died: false });
        }
        self.stay_in_line(wait, place, me)
    }

    /// Waits on in a place that was taken.
    pub(super) fn stay_in_line(&self, wait: &Wait<'_>, place: u64, me: Who) -> Result<Place> {
        let result = self.wait_in_line(wait, place, me);
        if result.is_err() {
            self.give_place_up(place, me);
        }
        result
    }

    /// Leaves a place, also if the line came to it in the last moment.
    fn give_place_up(&self, place: u64, me: Who) {
        if !self.line.withdraw(place, me) {
            self.leave_line(place, me);
        }
    }

    fn wait_in_line(&self, wait: &Wait<'_>, place: u64, me: Who) -> Result<Place> {
        let line = self.line;
        let memory = &self.heap().0.memory;
        loop {
            let thorough = wait.is_thorough();
            let dead = |who| memory.who_is_dead(who, thorough);
            let before = match line.judge(place, me, dead)? {
                Verdict::Held(owner_died) => return Ok(Place { place, owner_died }),
                Verdict::Wait(before) => before,
            };
            if line.is_held(place, me) {
                return Ok(Place { place, owner_died: false });
            }
            if wait.is_over() {
                return Err(self.taken(wait, place));
            }
            if let Some((word, asleep)) = line.doze(place, me) {
                let before = before.map(|who| memory.claim_of(who)).transpose()?.flatten();
                wait.nap_behind(word, asleep, before, Duration::MAX)?;
            }
            if line.is_held(place, me) {
                return Ok(Place { place, owner_died: false });
            }
        }
    }

    fn taken(&self, wait: &Wait<'_>, hint: u64) -> Error {
        let holder = self.line.holder(hint);
        let claim = holder.and_then(|(_, who)| self.heap().0.memory.claim_of(who).ok().flatten());
        wait.timed_out(claim)
    }

    /// Hands the head of the line over.
    #[inline]
    pub(super) fn leave_line(&self, place: u64, me: Who) -> bool {
        match self.line.leave(place, me) {
            Left::NotMine => return false,
            Left::Quietly => {}
            Left::Wake(sleeper) => futex::wake(sleeper, 1),
        }
        true
    }
}

impl Turn {
    pub(crate) fn new(heap: &Heap, names: &Dict, name: &str) -> Result<Self> {
        let primitive = Primitive::named(heap, names, Form::Turn, name, 0, 0)?;
        Ok(Turn { primitive, seen: Arc::default() })
    }

    #[inline]
    fn who(&self) -> Result<Who> {
        let claim = self.primitive.me()?;
        Ok(Who::new(claim.slot, claim.incarnation))
    }

    /// Waits for the turn.
    ///
    /// # Errors
    /// `LockTimeout` naming the holder if it does not come in time; `InvalidArgument` if the calling
    /// thread holds it already.
    #[inline]
    pub fn acquire(&self, timeout: Option<Duration>) -> Result<TurnGuard<'_>> {
        let me = self.who()?;
        let Place { place, owner_died } = self.take(me, timeout)?;
        Ok(TurnGuard { turn: self, place, me, owner_died })
    }

    /// As [`Turn::acquire`], without a guard: [`Turn::release`] ends it. Whether the one before died
    /// while it had the turn.
    #[inline]
    pub fn acquire_raw(&self, timeout: Option<Duration>) -> Result<bool> {
        self.take(self.who()?, timeout).map(|place| place.owner_died)
    }

    #[inline]
    fn take(&self, me: Who, timeout: Option<Duration>) -> Result<Place> {
        let hint = self.seen.load(Ordering::Relaxed);
        let line = self.primitive.line;
        if line.is_held(hint, me) {
            return Err(self.held_already());
        }
        let place = if timeout == Some(Duration::ZERO) {
            self.primitive.stand_in_line(&self.wait(timeout)?, hint, me)?
        } else {
            match line.enter(hint, me) {
                Entered::Held(place) => Place { place, owner_died: false },
                // The place is taken: whatever happens from here on, it is left or given up.
                Entered::Waiting(place) => {
                    match spin(|| line.is_held(place, me).then_some(place)) {
                        Some(place) => Place { place, owner_died: false },
                        None => self.stay(timeout, place, me)?,
                    }
                }
                Entered::Not(_) => self.primitive.stand_in_line(&self.wait(timeout)?, hint, me)?,
            }
        };
        self.seen.store(place.place, Ordering::Relaxed);
        Ok(place)
    }

    /// Waits on in a place, after a spin in vain.
    #[cold]
    fn stay(&self, timeout: Option<Duration>, place: u64, me: Who) -> Result<Place> {
        let wait = self.wait(timeout)?;
        let line = self.primitive.line;
        if line.is_next(place) {
            let held = || line.is_held(place, me).then_some(Place { place, owner_died: false });
            match linger(held) {
                Ok(Some(place)) => return Ok(place),
                Ok(None) => {}
                Err(error) => {
                    self.primitive.give_place_up(place, me);
                    return Err(error);
                }
            }
        }
        self.primitive.stay_in_line(&wait, place, me)
    }

    #[cold]
    fn wait(&self, timeout: Option<Duration>) -> Result<Wait<'_>> {
        Ok(Wait::new(&self.primitive, self.primitive.me()?, timeout))
    }

    #[cold]
    fn held_already(&self) -> Error {
        Error::InvalidArgument {
            what: format!("{} is already held by this thread", self.primitive),
        }
    }

    #[cold]
    fn not_held(&self) -> Error {
        Error::InvalidArgument { what: format!("{} is not held by this thread", self.primitive) }
    }

    /// Passes the turn on.
    ///
    /// # Errors
    /// `InvalidArgument` if the calling thread does not hold it.
    #[inline]
    pub fn release(&self) -> Result<()> {
        let me = self.who()?;
        let seen = self.seen.load(Ordering::Relaxed);
        if self.primitive.leave_line(seen, me) {
            return Ok(());
        }
        // Taken through another handle.
        match self.primitive.line.holder(seen) {
            Some((place, who)) if who == me && self.primitive.leave_line(place, me) => Ok(()),
            _ => Err(self.not_held()),
        }
    }

    /// Stands in line without waiting there: for waits that do not block a thread. The line goes on
    /// only when this one has had its turn, or has given it up.
    pub fn stand(&self) -> Result<Standing> {
        let me = self.who()?;
        let line = self.primitive.line;
        let place = match line.enter(self.seen.load(Ordering::Relaxed), me) {
            Entered::Held(place) | Entered::Waiting(place) => Some(place),
            Entered::Not(_) => None,
        };
        Ok(Standing { place, me })
    }

    /// Whether the turn has come to one who stands in line, and then whether the one before died.
    /// Dead ones before it are passed over; `thorough` also asks the kernel about their processes.
    pub fn poll(&self, standing: &mut Standing, thorough: bool) -> Result<Option<bool>> {
        let line = self.primitive.line;
        let Some(place) = standing.place else {
            *standing = self.stand()?;
            return Ok(None);
        };
        let memory = &self.primitive.heap().0.memory;
        memory.check_open()?;
        let died = if line.is_held(place, standing.me) {
            false
        } else {
            let dead = |who| memory.who_is_dead(who, thorough);
            match line.judge(place, standing.me, dead)? {
                Verdict::Held(died) => died,
                Verdict::Wait(_) => return Ok(None),
            }
        };
        self.seen.store(place, Ordering::Relaxed);
        Ok(Some(died))
    }

    /// Leaves the line, or gives the turn back if it has come.
    pub fn give_up(&self, standing: &Standing) -> Result<()> {
        let Some(place) = standing.place else { return Ok(()) };
        if !self.primitive.line.withdraw(place, standing.me) {
            self.primitive.leave_line(place, standing.me);
        }
        Ok(())
    }

    /// Whether somebody has it, dead holders included that nobody has passed over yet.
    pub fn is_held(&self) -> Result<bool> {
        self.primitive.heap().0.memory.check_open()?;
        Ok(!self.primitive.line.is_idle(self.seen.load(Ordering::Relaxed)))
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.primitive.name
    }
}
