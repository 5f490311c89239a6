//! The writer lock of the segment: one word that names its owner.
//!
//! ```text
//! owner word   0                              free
//!              incarnation:32 | slot + 1:32   held by that thread
//! ```
//!
//! Taken by compare-exchange 0 -> token, given back by a plain store of 0: the owner's identity is
//! *in* the word, so there is no moment in which a dead owner cannot be named. A waiter looks now and then (see `backoff`), then
//! sleeps in slices of at most 1 ms on the low half and on the owner's life word, whichever changes
//! first (docs/design/0002-waiting-for-the-dead.md), looking at the life word each time; from a dead
//! owner it takes the lock by compare-exchange and must recover before it does anything else (it is
//! told). A stopped owner is not dead: nobody steals, the wait times out and names it.
//! The waiter word is a flag that each sleeper sets again, so a killed sleeper leaves nothing.
//!
//! Whoever comes first takes a free lock, waiter or not: that is fast, and unfair to those who sleep.
//! So a waiter that has waited for 1 ms puts its token into the *next* word, and whoever gives the
//! lock back then stores that token instead of 0: the lock is handed over and never free in between
//! (the eventual fairness of `parking_lot`). The owner word names a thread that can be judged at every
//! moment, also when the one who gives or the one who is given to is killed half-way.
//!
//! Operations of a few words on one object do without it, see [`brief`]: who takes the lock waits until
//! none of them is under way.

pub(crate) mod brief;
pub(crate) mod stripe;
mod words;

use std::time::{Duration, Instant};

use crate::backoff;
use crate::error::{Error, Result};
use crate::layout::{header, process, thread};
use crate::memory::Memory;
use crate::peers::ThreadClaim;
use crate::primitive::{AtomicU64, Ordering};
use crate::seeded::{self, Bug};
use crate::sys::{futex, life};
use words::Words;

/// How long a waiter looks before it sleeps: about what a sleep and a wake cost.
const SPIN: Duration = Duration::from_micros(30);
/// A waiter that has waited for so long is handed the lock.
const PATIENCE: Duration = Duration::from_millis(1);
const SLICE: Duration = Duration::from_millis(1);
/// After this long a waiter also asks the kernel about the owner's process.
const THOROUGH_AFTER: Duration = Duration::from_millis(5);
/// Longest wait past the hook, while the runtime's lock keeps all other threads waiting. It is enough to find the dead.
const LONGEST_PAST_HOOK: Duration = Duration::from_millis(100);
/// The same for an owner in the same process: it may need what the waiter keeps from it.
const LONGEST_FOR_ITSELF: Duration = Duration::from_millis(20);

/// An owner that is no thread slot, and so counts as dead.
const NOBODY: u64 = 0xFFFF_FFFF;

/// Wraps the sleep of a waiter, for a language runtime that must let other threads run and may want
/// to end the wait. Where `calm`, the waiter has the writer lock: then it must not run anything that may use
/// a segment, such as a signal's handler. That is due soon, in a call that sleeps not at all.
pub type WaitHook = fn(sleep: &mut dyn FnMut(), calm: bool) -> Result<()>;

static WAIT_HOOK: std::sync::OnceLock<WaitHook> = std::sync::OnceLock::new();

/// Installs the hook around every sleep of this library in this process; the first one stays.
pub fn set_wait_hook(hook: WaitHook) {
    let _ = WAIT_HOOK.set(hook);
}

thread_local! {
    static WITHOUT_HOOK: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs `f`, whose sleeps go past the hook: around a fork a runtime's own locks are not in order. As it
/// keeps them meanwhile, it does not wait long for a writer lock.
pub(crate) fn without_hook<T>(f: impl FnOnce() -> T) -> T {
    let before = WITHOUT_HOOK.replace(true);
    let result = f();
    WITHOUT_HOOK.set(before);
    result
}

/// The hook that sleeps of the calling thread go through.
fn hook() -> Option<WaitHook> {
    WAIT_HOOK.get().copied().filter(|_| !WITHOUT_HOOK.get())
}

/// Whether there is a hook that sleeps of the calling thread go past.
fn is_past_hook() -> bool {
    WITHOUT_HOOK.get() && WAIT_HOOK.get().is_some()
}

/// How long a wait may be that is allowed to be so long.
fn bounded(timeout: Duration) -> Duration {
    if is_past_hook() { timeout.min(LONGEST_PAST_HOOK) } else { timeout }
}

/// Sleeps, or lets others run, through the hook.
pub(crate) fn hooked(sleep: impl FnMut()) -> Result<()> {
    through_hook(sleep, false)
}

fn through_hook(mut sleep: impl FnMut(), calm: bool) -> Result<()> {
    if let Some(hook) = hook() {
        hook(&mut sleep, calm)
    } else {
        sleep();
        Ok(())
    }
}

/// Sleeps on a word through the hook.
pub(crate) fn sleep_on(word: &AtomicU64, expected: u32, time: Duration) -> Result<()> {
    hooked(|| futex::wait(word, expected, time))
}

/// Sleeps on a word and on a life word through the hook.
pub(crate) fn sleep_on_either(
    word: (&AtomicU64, u32),
    life: (&AtomicU64, u32),
    time: Duration,
) -> Result<()> {
    hooked(|| futex::wait_either(word, life, time))
}

/// Sleeps for a while through the hook.
pub(crate) fn pause(time: Duration) -> Result<()> {
    let nobody = AtomicU64::new(0);
    sleep_on(&nobody, 0, time)
}

/// How the lock came to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// It was free.
    Clean,
    /// Its owner died: recover first.
    FromTheDead,
}

impl Memory {
    /// Takes the writer lock.
    #[inline]
    pub(crate) fn lock(&self, me: ThreadClaim, timeout: Duration) -> Result<Acquired> {
        let Some([owner, _, next, _]) = self.lock_words() else {
            return Err(self.corrupt("no room for a lock"));
        };
        let words = Words { owner, next };
        if words.take(0, me.token()) {
            return self.settle(Acquired::Clean, words, me, timeout);
        }
        let started = Instant::now();
        let acquired = self.lock_contended(words, me, timeout)?;
        self.settle(acquired, words, me, timeout.saturating_sub(started.elapsed()))
    }

    #[cold]
    fn lock_contended(
        &self,
        words: Words<'_>,
        me: ThreadClaim,
        timeout: Duration,
    ) -> Result<Acquired> {
        let (owner, timeout) = (words.owner, bounded(timeout));
        let take = |from: u64| words.take(from, me.token());
        let free = || (owner.load(Ordering::Relaxed) == 0 && take(0)).then_some(Acquired::Clean);
        if let Some(acquired) = backoff::look(SPIN, backoff::LONGEST_OF_WHOLE, free) {
            return Ok(acquired);
        }
        let mut asked = false;
        let outcome = self.wait_for_lock(words, me, timeout, take, &mut asked);
        let stood_down = !asked || words.stand_down(me.token());
        match outcome {
            Err(error) if !stood_down && self.was_handed(owner, me)? => match error {
                // In the last moment, but in time.
                Error::LockTimeout { .. } => Ok(Acquired::Clean),
                error => {
                    self.unlock(me);
                    Err(error)
                }
            },
            outcome => outcome,
        }
    }

    /// Whether the lock comes to a waiter that gives up and finds its token gone from the next word:
    /// the owner who took it out stores it as its next step, unless it was killed in between.
    fn was_handed(&self, owner: &AtomicU64, me: ThreadClaim) -> Result<bool> {
        let giver = owner.load(Ordering::Acquire);
        loop {
            let now = owner.load(Ordering::Acquire);
            if now == me.token() {
                return Ok(true);
            }
            let lives = match ThreadClaim::of_token(giver) {
                Some(giver) => !self.thread_is_dead(giver, true)?,
                None => false,
            };
            if now != giver || !lives {
                return Ok(false);
            }
            futex::wait(owner, now as u32, SLICE);
        }
    }

    fn wait_for_lock(
        &self,
        words: Words<'_>,
        me: ThreadClaim,
        timeout: Duration,
        take: impl Fn(u64) -> bool,
        asked: &mut bool,
    ) -> Result<Acquired> {
        let owner = words.owner;
        let started = Instant::now();
        let (mut seen, mut since) = (owner.load(Ordering::Relaxed), started);
        let waiters = self.meta(header::LOCK_WAITERS)?;
        loop {
            // SeqCst: the flag must be visible before the owner is looked at; a missed wake costs
            // one slice.
            waiters.store(1, Ordering::SeqCst);
            let held_by = owner.load(Ordering::SeqCst);
            if held_by == me.token() {
                return Ok(Acquired::Clean);
            }
            if held_by == 0 {
                if take(0) {
                    return Ok(Acquired::Clean);
                }
                continue;
            }
            if started.elapsed() > PATIENCE && self.ask_to_be_next(words, me)? {
                *asked = true;
                // It may have been given back just before: look once more.
                continue;
            }
            if held_by != seen {
                (seen, since) = (held_by, Instant::now());
            }
            let waited = since.elapsed();
            let dead = match ThreadClaim::of_token(held_by) {
                Some(claim) => self.thread_is_dead(claim, waited > THOROUGH_AFTER)?,
                None => true,
            };
            if dead {
                if take(held_by) {
                    if seeded::is(Bug::DeadLockIsClean) {
                        return Ok(Acquired::Clean);
                    }
                    return Ok(Acquired::FromTheDead);
                }
                continue;
            }
            let is_in_vain = started.elapsed() > LONGEST_FOR_ITSELF
                && is_past_hook()
                && self.is_of_this_process(held_by)?;
            if started.elapsed() > timeout || is_in_vain {
                return Err(self.lock_timeout(waited));
            }
            self.check_open()?;
            match self.watch_life(ThreadClaim::of_token(held_by))? {
                Some(life) => sleep_on_either((owner, held_by as u32), life, SLICE)?,
                None => sleep_on(owner, held_by as u32, SLICE)?,
            }
        }
    }

    /// Waits until whoever has the lock now, in another process, has given it back. It may be somebody else's then.
    pub(crate) fn wait_out(&self, timeout: Duration) -> Result<()> {
        let owner = self.meta(header::LOCK_OWNER)?;
        let started = Instant::now();
        let held_by = owner.load(Ordering::Relaxed);
        let is_over = || (owner.load(Ordering::Acquire) != held_by).then_some(());
        let Some(claim) = ThreadClaim::of_token(held_by) else { return Ok(()) };
        if self.is_of_this_process(held_by)?
            || backoff::look(SPIN, backoff::LONGEST_OF_WHOLE, is_over).is_some()
        {
            return Ok(());
        }
        while is_over().is_none()
            && started.elapsed() < timeout
            && !self.thread_is_dead(claim, started.elapsed() > THOROUGH_AFTER)?
        {
            through_hook(|| futex::wait(owner, held_by as u32, SLICE), true)?;
        }
        Ok(())
    }

    /// Whether an owner is a thread of this process.
    fn is_of_this_process(&self, token: u64) -> Result<bool> {
        let Some(claim) = ThreadClaim::of_token(token) else { return Ok(false) };
        let own = self.own_process.load(Ordering::Relaxed).checked_sub(1);
        Ok(own.is_some() && self.process_of(claim)? == own)
    }

    /// The owner's life word, marked so that the kernel wakes a sleeper at its death, and what its
    /// low half is then. `None` if it is not the owner's any more, or the owner has none.
    pub(crate) fn watch_life(
        &self,
        owner: Option<ThreadClaim>,
    ) -> Result<Option<(&AtomicU64, u32)>> {
        let Some(claim) = owner.filter(|claim| claim.slot < self.geometry.threads) else {
            return Ok(None);
        };
        let life = self.meta(self.geometry.thread_at(claim.slot) + thread::LIFE)?;
        let seen = life.load(Ordering::Relaxed);
        if seen >> 32 != claim.incarnation || seen as u32 & life::ID == 0 {
            return Ok(None);
        }
        let marked = seen | u64::from(life::WAITERS);
        // Fails if the owner dies right now, or another waiter was faster: both mean to look again,
        // which a sleep on a word that has changed does at once.
        if marked != seen {
            let _ = life.compare_exchange(seen, marked, Ordering::Relaxed, Ordering::Relaxed);
        }
        Ok(Some((life, marked as u32)))
    }

    /// Puts the token into the next word, if nobody that lives is there; whether it came there now.
    fn ask_to_be_next(&self, words: Words<'_>, me: ThreadClaim) -> Result<bool> {
        let there = words.next.load(Ordering::Relaxed);
        let is_vacant = match ThreadClaim::of_token(there) {
            _ if there == me.token() => false,
            Some(other) => self.thread_is_dead(other, false)?,
            None => true,
        };
        Ok(is_vacant && words.ask(there, me.token()))
    }

    /// Wakes all who sleep on the owner word: the one who is handed the lock is among them.
    #[cold]
    fn wake_next(owner: &AtomicU64) {
        futex::wake(owner, i32::MAX);
    }

    /// Gives the writer lock back.
    #[inline]
    pub(crate) fn unlock(&self, me: ThreadClaim) {
        let Some([owner, waiters, next, _]) = self.lock_words() else { return };
        // What it held is another one's once the segment is not mapped any more.
        debug_assert!(owner.load(Ordering::Relaxed) == me.token() || self.is_detached());
        if (Words { owner, next }).give() {
            Self::wake_next(owner);
            return;
        }
        if waiters.load(Ordering::Relaxed) != 0 {
            waiters.store(0, Ordering::Relaxed);
            futex::wake(owner, 1);
        }
    }

    /// Whether the calling thread holds the writer lock.
    #[inline]
    pub(crate) fn is_locked_by(&self, me: ThreadClaim) -> bool {
        self.meta(header::LOCK_OWNER).is_ok_and(|owner| owner.load(Ordering::Relaxed) == me.token())
    }

    /// Passes the lock on as if its owner had died: what the dead left is not recovered yet.
    pub(crate) fn leave_to_the_next(&self, me: ThreadClaim) {
        debug_assert!(self.is_locked_by(me));
        if let Ok(owner) = self.meta(header::LOCK_OWNER) {
            owner.store(NOBODY, Ordering::Release);
        }
    }

    /// The error of a waiter: who holds the lock, or a stripe of it, and for how long that was seen.
    pub(crate) fn lock_timeout(&self, held_for: Duration) -> Error {
        let owner = self.lock_words().map(|[owner, ..]| owner);
        let holders = self.stripes().into_iter().flatten().map(|[holder, ..]| holder);
        let mut tokens = owner.into_iter().chain(holders).map(|word| word.load(Ordering::Relaxed));
        self.held_by(tokens.find(|token| *token != 0).unwrap_or_default(), held_for)
    }

    /// The same of one whose token is known.
    fn held_by(&self, token: u64, held_for: Duration) -> Error {
        let (holder_pid, holder_name) = self.describe_owner(token).unwrap_or_default();
        let what = format!("writer lock of {:?}", self.name);
        Error::LockTimeout { what, holder_pid, holder_name, held_for }
    }

    /// Process id and name of the thread behind an owner token.
    pub(crate) fn describe_owner(&self, token: u64) -> Option<(u32, String)> {
        let slot = self.process_of(ThreadClaim::of_token(token)?).ok()??;
        let at = self.geometry.process_at(slot);
        let state = self.meta(at + process::STATE).ok()?.load(Ordering::Relaxed);
        Some(((state >> 32) as u32, self.process_name(slot).ok()?))
    }
}

#[cfg(test)]
mod tests;
