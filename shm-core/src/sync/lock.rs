//! Locks: one holder at a time, named by the word that is taken.
//!
//! Handle. Free, taking it is one compare-exchange of the owner word and giving it back one plain
//! store. Who finds it taken spins; then waits in a line (see `line`), whose head alone sleeps on
//! the owner word, having left its token in the heir word so that the holder wakes it. A newcomer may
//! overtake the line as long as its head has slept less than a millisecond; from then on the holder
//! hands the lock to the head by name. So it is fast under contention and nobody starves.
//!
//! A holder that died is found by its life word; the next one takes the lock from it by
//! compare-exchange and learns of it. A stopped holder is not dead: nobody steals.

use std::sync::Arc;
use std::time::Duration;

use super::line::Who;
use super::wait::{Wait, spin_apart};
use super::{DEPTH, Form, HEIR, OWNER, Primitive};
use crate::dict::Dict;
use crate::error::Result;
use crate::heap::Heap;
use crate::peers::ThreadClaim;
use crate::primitive::{AtomicU64, Ordering};
use crate::sys::futex;

/// Bit of the heir word: the holder is to hand the lock over instead of freeing it.
const HAND_OVER: u64 = 1 << 31;
/// An owner that is no thread slot, and so counts as dead.
const NOBODY: u64 = 0xFFFF_FFFF;
/// How long the head of the line lets others overtake.
const PATIENCE: Duration = Duration::from_millis(1);

/// Handle. A named lock, not reentrant. As in Python's threading, any thread of the process that
/// holds it may give it back.
///
/// ```
/// use shm_core::{Segment, SegmentOptions};
/// let seg = Segment::create_anonymous(SegmentOptions::new())?;
/// let lock = seg.lock("ledger")?;
/// let guard = lock.acquire(None)?;
/// assert!(!guard.owner_died());
/// assert!(lock.is_held()?);
/// drop(guard);
/// # Ok::<(), shm_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lock {
    pub(super) core: Owned,
}

/// Holds a lock until it is dropped.
#[derive(Debug)]
#[must_use = "the lock is free again when the guard is dropped"]
pub struct LockGuard<'l> {
    lock: &'l Lock,
    owner_died: bool,
}

impl LockGuard<'_> {
    /// Whether the holder before died while it held the lock: what it guards may be half done.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl Drop for LockGuard<'_> {
    fn drop(&mut self) {
        // A drop cannot fail: if the segment was closed meanwhile, the lock passes on with the slot.
        let _ = self.lock.release();
    }
}

/// Handle. What is owned by one thread at a time: lock, rlock, the writer's side of a rwlock.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    pub(super) primitive: Primitive,
    /// The place of its line that was seen last.
    seen: Arc<AtomicU64>,
}

impl Owned {
    pub(super) fn new(primitive: Primitive) -> Self {
        Owned { primitive, seen: Arc::default() }
    }

    /// The owner word and the heir word. Whoever asks has asked for its own name ([`Primitive::me`]), which a
    /// closed segment refuses.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "a few loads in front of one exchange or store")]
    fn words(&self) -> Result<(&'static AtomicU64, &'static AtomicU64)> {
        const _: () = assert!(OWNER == 8 && HEIR == 16);
        match self.primitive.words {
            [_, owner, heir, ..] => Ok((owner, heir)),
            _ => Err(self.primitive.too_short()),
        }
    }

    /// Who holds it.
    pub(super) fn holder(&self) -> Result<Option<ThreadClaim>> {
        Ok(ThreadClaim::of_token(self.primitive.word(OWNER)?.load(Ordering::Acquire)))
    }

    /// Takes it; whether its holder died.
    #[inline]
    pub(super) fn take(&self, me: ThreadClaim, timeout: Option<Duration>) -> Result<bool> {
        let (owner, heir) = self.words()?;
        // Acquire: pairs with the Release store in `give`.
        if owner.compare_exchange(0, me.token(), Ordering::Acquire, Ordering::Relaxed).is_ok() {
            return Ok(false);
        }
        self.take_contended(owner, heir, me, timeout)
    }

    #[cold]
    fn take_contended(
        &self,
        owner: &AtomicU64,
        heir: &AtomicU64,
        me: ThreadClaim,
        timeout: Option<Duration>,
    ) -> Result<bool> {
        let take = |from: u64| {
            owner.compare_exchange(from, me.token(), Ordering::Acquire, Ordering::Relaxed).is_ok()
        };
        let patient = timeout != Some(Duration::ZERO);
        let free = || (owner.load(Ordering::Relaxed) == 0 && take(0)).then_some(());
        if patient && spin_apart(free).is_some() {
            return Ok(false);
        }
        let wait = Wait::new(&self.primitive, me, timeout);
        if !patient {
            return self.look_once(owner, me, &wait);
        }
        let who = Who::new(me.slot, me.incarnation);
        let hint = self.seen.load(Ordering::Relaxed);
        let place = match self.primitive.stand_in_line(&wait, hint, who) {
            Ok(place) => place.place,
            // Whoever is first in the line is not who holds the lock.
            Err(crate::Error::LockTimeout { .. }) => return self.look_once(owner, me, &wait),
            Err(error) => return Err(error),
        };
        self.seen.store(place, Ordering::Relaxed);
        let result = self.take_as_first(owner, heir, me, &wait);
        // Nobody else writes the heir word but who hands the lock over or wakes.
        let mine = |word: u64| word & !HAND_OVER == me.token();
        let word = heir.load(Ordering::Relaxed);
        if mine(word) {
            let _ = heir.compare_exchange(word, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
        self.primitive.leave_line(place, who);
        result
    }

    /// The last look of a wait that is over, or the only one.
    fn look_once(&self, owner: &AtomicU64, me: ThreadClaim, wait: &Wait<'_>) -> Result<bool> {
        for _ in 0..4 {
            let held_by = owner.load(Ordering::Acquire);
            let dead = held_by != 0 && self.is_dead(held_by, wait.is_thorough())?;
            if (held_by == 0 || dead)
                && owner
                    .compare_exchange(held_by, me.token(), Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                return Ok(dead);
            }
        }
        Err(wait.timed_out(ThreadClaim::of_token(owner.load(Ordering::Relaxed))))
    }

    fn is_dead(&self, token: u64, thorough: bool) -> Result<bool> {
        match ThreadClaim::of_token(token) {
            Some(claim) => self.primitive.heap().0.memory.thread_is_dead(claim, thorough),
            None => Ok(true),
        }
    }

    /// The way of the head of the line.
    fn take_as_first(
        &self,
        owner: &AtomicU64,
        heir: &AtomicU64,
        me: ThreadClaim,
        wait: &Wait<'_>,
    ) -> Result<bool> {
        let mine = me.token();
        let take = |from: u64| {
            owner.compare_exchange(from, mine, Ordering::Acquire, Ordering::Relaxed).is_ok()
        };
        let first = std::time::Instant::now();
        let mut asked = false;
        let result = loop {
            let held_by = owner.load(Ordering::Acquire);
            if held_by == 0 {
                if take(0) {
                    break Ok(false);
                }
                continue;
            }
            if held_by == mine && asked && heir.load(Ordering::Acquire) != mine | HAND_OVER {
                return Ok(false);
            }
            if held_by != mine && self.is_dead(held_by, wait.is_thorough())? {
                if take(held_by) {
                    break Ok(true);
                }
                continue;
            }
            if wait.is_over() {
                break Err(wait.timed_out(ThreadClaim::of_token(held_by)));
            }
            // What was asked for is said once: said again, it would hide that the holder has just
            // agreed. A lock of one's own is given back by another thread, which hands nothing over.
            if !asked {
                asked = held_by != mine && first.elapsed() >= PATIENCE;
                // SeqCst: the word must be visible before the owner is looked at again.
                heir.store(if asked { mine | HAND_OVER } else { mine }, Ordering::SeqCst);
            }
            if owner.load(Ordering::SeqCst) != held_by {
                continue;
            }
            // Until it has asked, a wake may be lost: the holder gives the lock back, takes the wish
            // to be woken out, and takes the lock again, all before this one sleeps.
            let most = if asked { Duration::MAX } else { PATIENCE };
            let holder = ThreadClaim::of_token(held_by);
            if let Err(error) = wait.nap_behind(owner, held_by, holder, most) {
                break Err(error);
            }
        };
        if asked
            && heir
                .compare_exchange(mine | HAND_OVER, 0, Ordering::AcqRel, Ordering::Acquire)
                .is_err()
        {
            // A hand-over is on its way, by a holder that runs or is dead: it is waited for, because
            // afterwards the owner word names this thread.
            return self.accept(owner, mine, result);
        }
        result
    }

    fn accept(&self, owner: &AtomicU64, mine: u64, result: Result<bool>) -> Result<bool> {
        if result.is_ok() {
            return result;
        }
        let nobody = AtomicU64::new(0);
        loop {
            let held_by = owner.load(Ordering::Acquire);
            if held_by == mine {
                break;
            }
            let free = held_by == 0 || self.is_dead(held_by, true)?;
            if free
                && owner
                    .compare_exchange(held_by, mine, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                break;
            }
            futex::wait(&nobody, 0, Duration::from_micros(50));
        }
        // The caller wants it no more.
        self.give(mine)?;
        result
    }

    /// Gives it back. The caller holds it, by this token.
    #[inline]
    pub(super) fn give(&self, mine: u64) -> Result<()> {
        let (owner, heir) = self.words()?;
        let next = heir.load(Ordering::Relaxed);
        if next & HAND_OVER != 0 && next & !HAND_OVER != mine {
            self.hand_over(owner, heir, next);
            return Ok(());
        }
        // Release: pairs with the Acquire exchange in `take`.
        owner.store(0, Ordering::Release);
        if heir.load(Ordering::Relaxed) != 0 {
            Self::wake(owner, heir);
        }
        Ok(())
    }

    /// Gives it back as if the holder had died.
    pub(super) fn leave_to_the_next(&self, mine: u64) -> Result<()> {
        let (owner, _) = self.words()?;
        debug_assert_eq!(owner.load(Ordering::Relaxed), mine);
        // Release: as in `give`.
        owner.store(NOBODY, Ordering::Release);
        futex::wake(owner, i32::MAX);
        Ok(())
    }

    #[cold]
    fn wake(owner: &AtomicU64, heir: &AtomicU64) {
        let next = heir.load(Ordering::Relaxed);
        if next & HAND_OVER == 0 {
            // It says so again before it sleeps again; a dead one does not.
            let _ = heir.compare_exchange(next, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
        futex::wake(owner, 1);
    }

    #[cold]
    fn hand_over(&self, owner: &AtomicU64, heir: &AtomicU64, next: u64) {
        let token = next & !HAND_OVER;
        let dead = self.is_dead(token, false).unwrap_or(true);
        let agreed = heir.compare_exchange(next, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        owner.store(if agreed && !dead { token } else { 0 }, Ordering::Release);
        futex::wake(owner, 1);
    }

    /// Whether somebody holds it.
    pub(super) fn is_held(&self) -> Result<bool> {
        Ok(self.primitive.word(OWNER)?.load(Ordering::Acquire) != 0)
    }

    pub(super) fn depth(&self) -> Result<&AtomicU64> {
        self.primitive.word(DEPTH)
    }
}

impl Lock {
    pub(crate) fn new(heap: &Heap, names: &Dict, name: &str) -> Result<Self> {
        let primitive = Primitive::named(heap, names, Form::Lock, name, 0, 0)?;
        Ok(Lock { core: Owned::new(primitive) })
    }

    /// Waits for the lock.
    ///
    /// # Errors
    /// `LockTimeout` naming the holder if it does not come in time (at once for a timeout of 0);
    /// `Deadlock` if holders of locks wait for each other.
    #[inline]
    pub fn acquire(&self, timeout: Option<Duration>) -> Result<LockGuard<'_>> {
        let owner_died = self.acquire_raw(timeout)?;
        Ok(LockGuard { lock: self, owner_died })
    }

    /// As [`Lock::acquire`], without a guard: [`Lock::release`] ends it. Whether the holder died.
    #[inline]
    pub fn acquire_raw(&self, timeout: Option<Duration>) -> Result<bool> {
        self.core.take(self.core.primitive.me()?, timeout)
    }

    /// Gives the lock back.
    ///
    /// # Errors
    /// `NotHeld` if no thread of this process holds it.
    #[inline]
    pub fn release(&self) -> Result<()> {
        let mine = self.core.primitive.me()?.token();
        let (owner, _) = self.core.words()?;
        if owner.load(Ordering::Relaxed) == mine {
            return self.core.give(mine);
        }
        self.release_for_another()
    }

    #[cold]
    fn release_for_another(&self) -> Result<()> {
        let primitive = &self.core.primitive;
        let memory = &primitive.heap().0.memory;
        let owner = primitive.word(OWNER)?;
        let token = owner.load(Ordering::Relaxed);
        let holder = ThreadClaim::of_token(token);
        let process = holder.map(|claim| memory.process_of(claim)).transpose()?.flatten();
        let own = memory.own_process.load(Ordering::Relaxed).checked_sub(1);
        // Release: as in `give`. By exchange, because the holder may do the same.
        if process.is_none()
            || process != own
            || owner.compare_exchange(token, 0, Ordering::Release, Ordering::Relaxed).is_err()
        {
            return Err(primitive.not_held("this process"));
        }
        Owned::wake(owner, primitive.word(HEIR)?);
        Ok(())
    }

    /// Whether somebody holds it, a dead holder included that nobody has taken it from yet.
    pub fn is_held(&self) -> Result<bool> {
        self.core.is_held()
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.primitive.name
    }
}
