//! Waiting: an adaptive spin, then sleeps of a few milliseconds at most, each after a look around.
//!
//! Handle. A sleeper is woken by whoever changes the word that it sleeps on, and by the kernel when the
//! thread dies that is to change it; the slices only bound what a lost wake costs, and are when the
//! dead are looked for. How long it pays
//! to spin is learned: a spin that ends in vain halves the next ones of this process, one that pays
//! doubles them. With more runnable threads than processors they come to nothing, as they should.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::line::Who;
use super::{Primitive, deadlock};
use crate::backoff;
use crate::error::{Error, Result};
use crate::layout::thread;
use crate::lock::{hooked, sleep_on, sleep_on_either};
use crate::memory::Memory;
use crate::peers::ThreadClaim;
use crate::primitive::{AtomicU64, Ordering};
use crate::sys::futex;

/// Longest spin: about what a sleep and a wake cost.
const LONGEST: u64 = 20_000;
/// Shortest one: enough for a hand-over between two processors.
const SHORTEST: u64 = 600;
/// Spins between two looks at the clock.
const BURST: u32 = 16;
/// Longest sleep of a waiter that nobody wakes when what it waits for dies: from so long a wait on, so
/// much. A dead holder is to be noticed within 100 ms by the next one.
const SLICES: [(Duration, Duration); 3] = [
    (Duration::from_secs(1), Duration::from_millis(25)),
    (Duration::from_millis(50), Duration::from_millis(4)),
    (Duration::ZERO, SHORT),
];
/// The same where the kernel wakes the waiter at the death, unless another sleeper got that wake, and
/// where deaths end no wait.
const LONG_SLICES: [(Duration, Duration); 2] = [
    (Duration::from_secs(1), Duration::from_millis(50)),
    (Duration::ZERO, Duration::from_millis(20)),
];
const SHORT: Duration = Duration::from_millis(1);
/// Sleeps that are short in any case: after the first one, a lock is asked for by name.
const SHORT_NAPS: u32 = 2;
/// After this long the kernel is asked about the holder's process too.
const THOROUGH_AFTER: Duration = Duration::from_millis(5);

/// Longest and shortest time that the next one in a line lets others run before it sleeps.
const LONGEST_LINGER: u64 = 400_000;
const SHORTEST_LINGER: u64 = 5_000;

/// How long the spins of this process are by now, in nanoseconds.
static BUDGET: AtomicU64 = AtomicU64::new(LONGEST);
/// The same for [`linger`].
static LINGER: AtomicU64 = AtomicU64::new(LONGEST_LINGER);

/// Spins until `ready` says something or it does not pay any more.
#[inline]
pub(crate) fn spin<T>(mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..BURST {
        if let Some(done) = ready() {
            return Some(done);
        }
        std::hint::spin_loop();
    }
    let budget = BUDGET.load(Ordering::Relaxed);
    let started = Instant::now();
    loop {
        for _ in 0..BURST {
            if let Some(done) = ready() {
                BUDGET.store((budget * 2).min(LONGEST), Ordering::Relaxed);
                return Some(done);
            }
            std::hint::spin_loop();
        }
        if started.elapsed().as_nanos() as u64 >= budget {
            BUDGET.store((budget / 2).max(SHORTEST), Ordering::Relaxed);
            return None;
        }
    }
}

/// The same for a word that anybody takes who finds it free (see `backoff`): always as long, for who
/// stays away most of the time takes little from those who work.
pub(crate) fn spin_apart<T>(ready: impl FnMut() -> Option<T>) -> Option<T> {
    backoff::look_later(Duration::from_nanos(LONGEST), backoff::LONGEST_OF_USERS, ready)
}

/// Looks on after a spin, letting every other thread run first that can: for the one who is next, whom
/// a hand-over then finds awake. How long that pays is learned as for spins.
pub(crate) fn linger<T>(mut ready: impl FnMut() -> Option<T>) -> Result<Option<T>> {
    let budget = LINGER.load(Ordering::Relaxed);
    let (started, mut done) = (Instant::now(), None);
    hooked(|| {
        while done.is_none() && (started.elapsed().as_nanos() as u64) < budget {
            std::thread::yield_now();
            // Pauses, not system calls, are what a neighbour on the same core feels least.
            for _ in 0..BURST {
                done = ready();
                if done.is_some() {
                    break;
                }
                (0..BURST).for_each(|_| std::hint::spin_loop());
            }
        }
    })?;
    let next = if done.is_some() {
        (budget * 2).min(LONGEST_LINGER)
    } else {
        (budget / 2).max(SHORTEST_LINGER)
    };
    LINGER.store(next, Ordering::Relaxed);
    Ok(done)
}

impl Memory {
    /// Whether the thread that a place or a word names can run no more.
    pub(crate) fn who_is_dead(&self, who: Who, thorough: bool) -> Result<bool> {
        match self.claim_of(who)? {
            Some(claim) => self.thread_is_dead(claim, thorough),
            None => Ok(true),
        }
    }

    /// The thread that a place names, if that thread has its slot still.
    pub(crate) fn claim_of(&self, who: Who) -> Result<Option<ThreadClaim>> {
        let Some(slot) = who.slot().filter(|slot| *slot < self.geometry.threads) else {
            return Ok(None);
        };
        let claim = self.meta(self.geometry.thread_at(slot) + thread::CLAIM)?;
        let incarnation = claim.load(Ordering::Acquire) >> 32;
        let same = incarnation & Who::INCARNATION == who.incarnation();
        Ok(same.then_some(ThreadClaim { slot, incarnation }))
    }
}

/// Handle. One wait of the calling thread.
pub(crate) struct Wait<'p> {
    primitive: &'p Primitive,
    me: ThreadClaim,
    started: Instant,
    timeout: Option<Duration>,
    /// Sleeps so far.
    naps: Cell<u32>,
    /// The cycle that was seen at the last look.
    suspected: Cell<u64>,
    /// What the thread slot said before: a wait inside of a wait.
    announced: Cell<bool>,
    /// The thread is the primitive's holder already, and waits for others to leave.
    inside: Cell<bool>,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if self.announced.get()
            && let Ok(word) = self.slot_word()
        {
            word.store(0, Ordering::Release);
        }
    }
}

impl<'p> Wait<'p> {
    pub(crate) fn new(
        primitive: &'p Primitive,
        me: ThreadClaim,
        timeout: Option<Duration>,
    ) -> Self {
        Wait {
            primitive,
            me,
            started: Instant::now(),
            timeout,
            naps: Cell::new(0),
            suspected: Cell::new(0),
            announced: Cell::new(false),
            inside: Cell::new(false),
        }
    }

    /// From now on it waits, as the holder, for others to leave: that it holds what it waits for closes
    /// no cycle.
    pub(crate) fn goes_inside(&self) {
        self.inside.set(true);
    }

    fn memory(&self) -> &'p Memory {
        &self.primitive.heap().0.memory
    }

    fn slot_word(&self) -> Result<&'p AtomicU64> {
        let memory = self.memory();
        memory.meta(memory.geometry.thread_at(self.me.slot) + thread::WAITING_ON)
    }

    /// Whether it has lasted so long that the kernel is asked about the holder.
    pub(crate) fn is_thorough(&self) -> bool {
        self.started.elapsed() > THOROUGH_AFTER
    }

    pub(crate) fn is_over(&self) -> bool {
        self.timeout.is_some_and(|timeout| self.started.elapsed() >= timeout)
    }

    /// Sleeps while the low half of `word` is that of `expected`, for a slice and `most` at most, or
    /// until the one dies who is to change it.
    ///
    /// # Errors
    /// `DeadlockError` if the wait can never end; `Interrupted`; `Closed`.
    pub(crate) fn nap_behind(
        &self,
        word: &AtomicU64,
        expected: u64,
        who: Option<ThreadClaim>,
        most: Duration,
    ) -> Result<()> {
        self.announce()?;
        match self.memory().watch_life(who)? {
            Some(life) if futex::can_wait_for_either() => {
                let slice = self.slice(&LONG_SLICES).min(most);
                sleep_on_either((word, expected as u32), life, slice)
            }
            _ => sleep_on(word, expected as u32, self.slice(&SLICES).min(most)),
        }
    }

    /// The next sleep's longest time.
    fn slice(&self, slices: &[(Duration, Duration)]) -> Duration {
        let waited = self.started.elapsed();
        let slice = slices.iter().find(|(from, _)| waited >= *from).map_or(SHORT, |found| found.1);
        let slice = if self.naps.get() <= SHORT_NAPS { SHORT } else { slice };
        self.timeout.map_or(slice, |timeout| slice.min(timeout.saturating_sub(waited)))
    }

    /// What comes before each sleep.
    fn announce(&self) -> Result<()> {
        self.memory().check_open()?;
        if !self.announced.replace(true) {
            self.slot_word()?.store(self.primitive.at, Ordering::Release);
        }
        let naps = self.naps.get();
        self.naps.set(naps.wrapping_add(1));
        if naps >= 2 && naps.is_multiple_of(2) {
            self.look_for_a_cycle()?;
        }
        Ok(())
    }

    /// Sleeps until somebody notifies after `seen` was observed (see `event`), for a slice at most.
    pub(crate) fn nap_until_news(&self, event: &AtomicU64, seen: u64) -> Result<()> {
        let sleeping = seen | 1;
        if seen != sleeping
            && event.compare_exchange(seen, sleeping, Ordering::SeqCst, Ordering::SeqCst).is_err()
        {
            return Ok(());
        }
        self.announce()?;
        sleep_on(event, sleeping as u32, self.slice(&LONG_SLICES))
    }

    /// Sleeps a slice, with nothing to be woken by.
    pub(crate) fn idle(&self) -> Result<()> {
        let nobody = AtomicU64::new(0);
        self.announce()?;
        sleep_on(&nobody, 0, self.slice(&SLICES))
    }

    /// A cycle is believed when two looks, some sleeps apart, find the same one.
    fn look_for_a_cycle(&self) -> Result<()> {
        if self.inside.get() {
            return Ok(());
        }
        match deadlock::cycle(self.primitive, self.me)? {
            Some((print, chain)) if self.suspected.replace(print) == print => {
                Err(Error::Deadlock { chain })
            }
            Some(_) => Ok(()),
            None => {
                self.suspected.set(0);
                Ok(())
            }
        }
    }

    /// The error of a wait that is over.
    pub(crate) fn timed_out(&self, holder: Option<ThreadClaim>) -> Error {
        let token = holder.map_or(0, ThreadClaim::token);
        let (holder_pid, holder_name) = self.memory().describe_owner(token).unwrap_or_default();
        Error::LockTimeout {
            what: self.primitive.to_string(),
            holder_pid,
            holder_name,
            held_for: self.started.elapsed(),
        }
    }
}
