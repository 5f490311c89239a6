//! Short operations: those that change a few words of one object, and their own thread's log and cache.
//!
//! They hold a stripe of the writer lock, chosen by the object, so that those of different threads on
//! different objects do not wait for each other. Whoever takes the writer lock itself waits until no
//! stripe is held, and nobody takes one until it is given back: so within a whole operation nothing of
//! this is to be seen. A stripe names its holder as the writer lock does. A dead holder is found by the
//! next one who takes the writer lock, who recovers as if the lock had been the dead one's, and then
//! takes its name off the stripe.

use std::time::{Duration, Instant};

use super::stripe;
use super::words::Words;
use super::{Acquired, SLICE, SPIN, THOROUGH_AFTER, bounded, hook, hooked, through_hook};
use crate::backoff;
use crate::cell::Offset;
use crate::error::Result;
use crate::layout::STRIPES;
use crate::memory::{Memory, Stripes};
use crate::peers::ThreadClaim;
use crate::primitive::{AtomicU64, Ordering};
use crate::seeded::{self, Bug};
use crate::sys::futex;

/// How long a short operation looks before it goes the general way.
const BRIEF: Duration = Duration::from_micros(15);
/// How long the owner of the writer lock waits for stripes before it gives the lock back for a moment in which
/// its language runtime may do what it has to.
const HELD_AT_MOST: Duration = Duration::from_millis(50);

/// What the owner of the writer lock finds on the stripes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    /// Nobody.
    Free,
    /// Somebody who is dead.
    OfTheDead,
    /// Somebody who is still at work.
    NotYet,
}

/// A stripe's words: holder, waiters.
pub(crate) type Line = [AtomicU64; 8];

const _: () = assert!(STRIPES == 16, "what `of_object` shifts by");

/// Which stripe an object has.
#[inline]
pub(crate) fn of_object(at: Offset) -> usize {
    // Fibonacci hashing of the header's number.
    ((at >> 6).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60) as usize
}

/// Takes a stripe; `whole` is the owner word of the writer lock. `false`: it or the lock is somebody's who
/// keeps it, or the caller's, or a dead one's; the general way finds out.
#[inline]
pub(crate) fn take(whole: &AtomicU64, line: &Line, me: ThreadClaim) -> bool {
    (stripe::claim(&line[0], me.token()) && stripe::may_stay(whole)) || take_soon(whole, line, me)
}

/// Looks for a moment: who goes the general way for being second has the lock for several times as
/// long, and with it everybody's way there.
#[cold]
fn take_soon(whole: &AtomicU64, line: &Line, me: ThreadClaim) -> bool {
    let [holder, ..] = line;
    if holder.load(Ordering::Relaxed) == me.token() {
        // Claimed, but it could not stay.
        give(line);
    }
    // In a transaction of one's own there is nobody to wait for.
    if whole.load(Ordering::Relaxed) == me.token() {
        return false;
    }
    let free = || {
        let is_free = whole.load(Ordering::Relaxed) == 0 && holder.load(Ordering::Relaxed) == 0;
        if !is_free || !stripe::claim(holder, me.token()) {
            return None;
        }
        if stripe::may_stay(whole) {
            return Some(());
        }
        give(line);
        None
    };
    backoff::look(BRIEF, backoff::LONGEST_OF_BRIEF, free).is_some()
}

/// Gives a stripe back.
#[inline]
pub(crate) fn give(line: &Line) {
    stripe::give(&line[0]);
    wake_awaiting(line);
}

/// Wakes the owner of the writer lock, if it sleeps until the stripe is free, which it is now.
#[inline]
pub(crate) fn wake_awaiting(line: &Line) {
    // Not ordered after giving it back: a wake that is missed costs a slice.
    if line[1].load(Ordering::Relaxed) != 0 {
        wake(line);
    }
}

/// Wakes the owner of the writer lock, who sleeps until the stripe is free.
#[cold]
fn wake([holder, waiters, ..]: &Line) {
    waiters.store(0, Ordering::Relaxed);
    futex::wake(holder, 1);
}

impl Memory {
    /// What taking the writer lock ends with: no short operation is under way any more. Gives the lock
    /// back if that takes too long.
    #[inline]
    pub(super) fn settle(
        &self,
        acquired: Acquired,
        words: Words<'_>,
        me: ThreadClaim,
        timeout: Duration,
    ) -> Result<Acquired> {
        let Some(lines) = self.stripes() else { return Err(self.corrupt("no room for stripes")) };
        let held = lines.iter().fold(0, |all, line| all | stripe::held(&line[0]));
        if held == 0 || seeded::is(Bug::StripesNotAwaited) {
            return Ok(acquired);
        }
        self.settle_slowly(lines, acquired, words, me, timeout)
    }

    #[cold]
    fn settle_slowly(
        &self,
        lines: &Stripes,
        mut acquired: Acquired,
        words: Words<'_>,
        me: ThreadClaim,
        timeout: Duration,
    ) -> Result<Acquired> {
        let (started, timeout) = (Instant::now(), bounded(timeout));
        loop {
            let outcome = self.settle_all(lines, started, timeout);
            match outcome {
                Ok(Settled::Free) => return Ok(acquired),
                Ok(Settled::OfTheDead) if seeded::is(Bug::DeadStripeIsClean) => {
                    return Ok(acquired);
                }
                Ok(Settled::OfTheDead) => return Ok(Acquired::FromTheDead),
                Ok(Settled::NotYet) | Err(_) => {
                    // What the dead left, if they did, is the next one's.
                    if acquired == Acquired::FromTheDead {
                        self.leave_to_the_next(me);
                    } else {
                        self.unlock(me);
                    }
                }
            }
            outcome?;
            hooked(|| {})?;
            let left = timeout.saturating_sub(started.elapsed());
            acquired = self.lock_contended(words, me, left)?;
        }
    }

    /// Waits until each stripe is free, or its holder is dead.
    fn settle_all(&self, lines: &Stripes, started: Instant, timeout: Duration) -> Result<Settled> {
        let (mut all, since) = (Settled::Free, Instant::now());
        for line in lines {
            match self.settle_one(line, started, since, timeout)? {
                Settled::Free => {}
                Settled::OfTheDead => all = Settled::OfTheDead,
                Settled::NotYet => return Ok(Settled::NotYet),
            }
        }
        Ok(all)
    }

    /// The same of one stripe; `NotYet` if others had to wait for the writer lock for long `since` then.
    fn settle_one(
        &self,
        line: &Line,
        started: Instant,
        since: Instant,
        timeout: Duration,
    ) -> Result<Settled> {
        let [holder, waiters, ..] = line;
        let free = || (stripe::held(holder) == 0).then_some(());
        if backoff::look(SPIN, backoff::LONGEST_OF_WHOLE, free).is_some() {
            return Ok(Settled::Free);
        }
        loop {
            // SeqCst: the flag must be visible before the holder is looked at; a missed wake costs
            // one slice.
            waiters.store(1, Ordering::SeqCst);
            let token = stripe::held(holder);
            if token == 0 {
                return Ok(Settled::Free);
            }
            let waited = started.elapsed();
            let claim = ThreadClaim::of_token(token);
            let dead = match claim {
                Some(claim) => self.thread_is_dead(claim, waited > THOROUGH_AFTER)?,
                None => true,
            };
            if dead {
                return Ok(Settled::OfTheDead);
            }
            if waited > timeout {
                return Err(self.held_by(token, waited));
            }
            self.check_open()?;
            if hook().is_some() && since.elapsed() > HELD_AT_MOST {
                return Ok(Settled::NotYet);
            }
            let life = self.watch_life(claim)?;
            let sleep = || match life {
                Some(life) => futex::wait_either((holder, token as u32), life, SLICE),
                None => futex::wait(holder, token as u32, SLICE),
            };
            through_hook(sleep, true)?;
        }
    }

    /// Takes the names of the dead off the stripes, at the end of recovery. The caller has the writer lock.
    pub(crate) fn free_stripes_of_the_dead(&self) -> Result<()> {
        for [holder, ..] in self.stripes().into_iter().flatten() {
            let token = holder.load(Ordering::Acquire);
            if token == 0 || seeded::is(Bug::StripeStaysDead) {
                continue;
            }
            let dead = match ThreadClaim::of_token(token) {
                // Somebody who lives is about to step back.
                Some(claim) => self.thread_is_dead(claim, true)?,
                None => true,
            };
            if dead {
                let _ = holder.compare_exchange(token, 0, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Whether no short operation is under way.
    pub(crate) fn no_stripe_is_held(&self) -> bool {
        let mut lines = self.stripes().into_iter().flatten();
        lines.all(|[holder, ..]| holder.load(Ordering::Acquire) == 0)
    }

    /// Whether a thread holds a stripe.
    pub(crate) fn has_stripe(&self, token: u64) -> bool {
        let mut lines = self.stripes().into_iter().flatten();
        lines.any(|[holder, ..]| holder.load(Ordering::Acquire) == token)
    }
}
