//! Waits as `std` futures, for any runtime (feature `futures`).
//!
//! Handle. A future tries in `poll`, on the thread that polls it, and is woken when a try may be of
//! use; what it takes it takes in a try, so a future that is dropped while it waits has taken
//! nothing, and one that has a place in a line gives it up. No runtime is named here.
//!
//! One helper thread of the process looks at what futures wait for, while there are any: queues and
//! watched objects by sleeping in the kernel until one changes, the other primitives every
//! half millisecond. It ends when there has been nothing to look at for a second.
//!
//! What a future takes of a lock or a turn belongs to the *thread* that took it as long as that thread
//! lives, and any thread of the process may give it back, so
//! a task may be moved. Reentrant locks and the writer's side of a rwlock belong to threads and have no
//! futures.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::changes::{Changes, Waiter, Waiters};
use crate::error::{Error, Result};
use crate::queue::Queue;
use crate::sync::{Event, Lock, LockGuard, Standing, Turn};
use crate::value::Value;

/// Between two looks at what nobody tells of.
const LOOK: Duration = Duration::from_micros(500);
/// Looks after which everybody tries: somebody may have died.
const THOROUGH: u32 = 20;
/// How long the helper stays when nobody waits.
const LINGER: Duration = Duration::from_secs(1);

/// What says whether a try may succeed by now.
type Probe = Box<dyn Fn() -> bool + Send>;

/// What the helper looks at.
struct Helper {
    waiters: Waiters,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Of what is told by changes, by number.
    told: HashMap<u64, Waker>,
    /// Of what is looked at.
    looked_at: HashMap<u64, (Probe, Waker)>,
    next: u64,
    /// The process whose thread runs; another one after a fork.
    runs_in: u32,
}

impl Helper {
    fn get() -> &'static Helper {
        static HELPER: std::sync::OnceLock<Helper> = std::sync::OnceLock::new();
        HELPER.get_or_init(|| Helper { waiters: Waiters::new(), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes `waker` once, when it may be of use. The number takes it back.
    fn add(&'static self, wish: Wish, waker: Waker) -> u64 {
        let mut state = self.state();
        state.next += 1;
        let number = state.next;
        match wish {
            Wish::Change(waiter) => {
                state.told.insert(number, waker);
                self.waiters.add(number, waiter);
            }
            Wish::Look(probe) => {
                let is_first = state.looked_at.insert(number, (probe, waker)).is_none()
                    && state.looked_at.len() == 1;
                if is_first {
                    self.waiters.nudge();
                }
            }
        }
        if state.runs_in != std::process::id() {
            state.runs_in = std::process::id();
            let thread = std::thread::Builder::new().name("shm waits".to_owned());
            if thread.spawn(|| Helper::get().run()).is_err() {
                // No thread to be had: whoever waits tries again at once, and again.
                state.runs_in = 0;
                for waker in state.told.values().chain(state.looked_at.values().map(|(_, w)| w)) {
                    waker.wake_by_ref();
                }
            }
        }
        number
    }

    fn remove(&self, number: u64) {
        let mut state = self.state();
        let gone = (state.told.remove(&number), state.looked_at.remove(&number));
        drop(state);
        self.waiters.remove(number);
        // Not under the lock: with a waker, its task may go, and with that other futures.
        drop(gone);
    }

    fn run(&self) {
        let mut looks = 0_u32;
        let mut idle_since = Instant::now();
        loop {
            // Asked for after what nudges is observed, so that nobody who comes is overlooked.
            let slice = || if self.state().looked_at.is_empty() { LINGER } else { LOOK };
            let due = self.waiters.wait_for(slice);
            looks = looks.wrapping_add(1);
            let mut state = self.state();
            let told: Vec<_> = due.iter().filter_map(|number| state.told.remove(number)).collect();
            let everybody = looks.is_multiple_of(THOROUGH);
            let looked_at: Vec<_> =
                state.looked_at.extract_if(|_, (probe, _)| everybody || probe()).collect();
            if !told.is_empty() || !state.told.is_empty() || !state.looked_at.is_empty() {
                idle_since = Instant::now();
            }
            if looked_at.is_empty() && idle_since.elapsed() >= LINGER {
                state.runs_in = 0;
                return;
            }
            drop(state);
            told.into_iter().for_each(Waker::wake);
            for (_, (probe, waker)) in looked_at {
                drop(probe);
                waker.wake();
            }
        }
    }
}

/// What a future waits for.
enum Wish {
    Change(Waiter),
    Look(Probe),
}

/// The place of a future with the helper.
#[derive(Debug, Default)]
struct Registration(Option<u64>);

impl Registration {
    fn renew(&mut self, wish: Wish, context: &Context<'_>) {
        self.end();
        self.0 = Some(Helper::get().add(wish, context.waker().clone()));
    }

    fn end(&mut self) {
        if let Some(number) = self.0.take() {
            Helper::get().remove(number);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.end();
    }
}

/// Tries until something comes of it.
struct Until<W, A> {
    wish: W,
    attempt: A,
    registration: Registration,
}

impl<T, W, A> Future for Until<W, A>
where
    W: FnMut() -> Result<Wish> + Unpin,
    A: FnMut() -> Result<Option<T>> + Unpin,
{
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // What would wait is made before the try, so that no change is missed in between.
        let wish = match (this.wish)() {
            Ok(wish) => wish,
            Err(error) => return Poll::Ready(Err(error)),
        };
        match (this.attempt)() {
            Ok(Some(done)) => Poll::Ready(Ok(done)),
            Ok(None) => {
                this.registration.renew(wish, context);
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

fn until<T>(
    wish: impl FnMut() -> Result<Wish> + Unpin + Send,
    attempt: impl FnMut() -> Result<Option<T>> + Unpin + Send,
) -> impl Future<Output = Result<T>> + Send {
    Until { wish, attempt, registration: Registration::default() }
}

/// `None` for an attempt that found nothing now.
fn now<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(
            Error::LockTimeout { .. }
            | Error::QueueEmpty { .. }
            | Error::QueueFull { .. }
            | Error::NoMessages { .. },
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

const NOW: Option<Duration> = Some(Duration::ZERO);

impl Queue {
    /// [`Queue::get`] as a future. Dropped while it waits, it has taken nothing.
    pub fn get_async(&self) -> impl Future<Output = Result<Value>> + Send + '_ {
        let wish = || Ok(Wish::Change(Waiter::of_queue(self, self.version()?)));
        until(wish, || now(self.get(NOW)))
    }

    /// [`Queue::put`] as a future. Dropped while it waits, it has put nothing.
    pub fn put_async(
        &self,
        value: impl Into<Value>,
    ) -> impl Future<Output = Result<()>> + Send + '_ {
        let value = value.into();
        let wish = || Ok(Wish::Change(Waiter::of_queue(self, self.version()?)));
        until(wish, move || now(self.put(value.clone(), NOW)))
    }
}

impl Changes {
    /// [`Changes::wait`] as a future.
    pub fn changed(&mut self) -> impl Future<Output = Result<()>> + Send + '_ {
        let mut registration = Registration::default();
        std::future::poll_fn(move |context| match self.poll() {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => {
                registration.renew(Wish::Change(self.waiter()), context);
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        })
    }
}

impl Lock {
    /// [`Lock::acquire`] as a future; for futures there is no line.
    pub fn acquire_async(&self) -> impl Future<Output = Result<LockGuard<'_>>> + Send + '_ {
        let wish = || {
            let lock = self.clone();
            let probe: Probe = Box::new(move || !lock.is_held().is_ok_and(|held| held));
            Ok(Wish::Look(probe))
        };
        until(wish, || now(self.acquire(NOW)))
    }
}

impl Event {
    /// [`Event::wait`] as a future: until it is set, be it only for a moment.
    pub fn wait_async(&self) -> impl Future<Output = Result<()>> + Send + '_ {
        let before = self.times_set().ok();
        let came = move |event: &Event| -> Result<bool> {
            Ok(event.is_set()? || Some(event.times_set()?) != before)
        };
        let wish = move || {
            let event = self.clone();
            let probe: Probe = Box::new(move || came(&event).unwrap_or(true));
            Ok(Wish::Look(probe))
        };
        until(wish, move || Ok(came(self)?.then_some(())))
    }
}

/// Has a turn until it is dropped, in any thread of the process.
#[derive(Debug)]
#[must_use = "the turn ends when the guard is dropped"]
pub struct AsyncTurn<'t> {
    turn: &'t Turn,
    standing: Standing,
    owner_died: bool,
}

impl AsyncTurn<'_> {
    /// Whether the one before died while it had the turn.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl Drop for AsyncTurn<'_> {
    fn drop(&mut self) {
        // A drop cannot fail: if the segment was closed meanwhile, the turn passes on with the slot.
        let _ = self.turn.give_up(&self.standing);
    }
}

impl Turn {
    /// [`Turn::acquire`] as a future, in the same line as everybody else.
    pub fn acquire_async(&self) -> impl Future<Output = Result<AsyncTurn<'_>>> + Send + '_ {
        let mut guard: Option<AsyncTurn<'_>> = None;
        let mut tries = 0_u32;
        let wish = || {
            let probe: Probe = Box::new(|| true);
            Ok(Wish::Look(probe))
        };
        until(wish, move || {
            tries = tries.wrapping_add(1);
            let mut standing = match guard.take() {
                Some(guard) => guard,
                None => AsyncTurn { turn: self, standing: self.stand()?, owner_died: false },
            };
            // Given up by its drop if this fails or the future goes.
            let came = self.poll(&mut standing.standing, tries.is_multiple_of(4))?;
            if let Some(died) = came {
                standing.owner_died = died;
                return Ok(Some(standing));
            }
            guard = Some(standing);
            Ok(None)
        })
    }
}
