//! Barriers: a number of participants wait until all of them are there.
//!
//! Handle. Arriving and breaking are operations of the heap (the writer lock, undo-logged), so state,
//! history and the tokens of who arrived always fit together; a waiter that sees a change confirms it
//! under the same lock. Who waits looks at the tokens of the others: if one of them died, the barrier
//! breaks for all, as it does for a timeout, `abort` and `reset`.
//!
//! ```text
//! state     generation 32 | broken 1 | arrived 31
//! history   bit g % 64: generation g was broken
//! ```

use std::time::Duration;

use super::wait::Wait;
use super::{EVENT, Form, HISTORY, Primitive, TABLE, VALUE};
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::event;
use crate::heap::Heap;
use crate::peers::ThreadClaim;
use crate::primitive::Ordering;
use crate::tx::Tx;

const BROKEN: u64 = 1 << 31;
const ARRIVED: u64 = BROKEN - 1;

/// Handle. A named barrier.
///
/// ```
/// use shm_core::{Segment, SegmentOptions};
/// let seg = Segment::create_anonymous(SegmentOptions::new())?;
/// let start = seg.barrier("start", 2)?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| start.wait(None));
///     start.wait(None)
/// })?;
/// # Ok::<(), shm_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Barrier {
    primitive: Primitive,
    parties: u64,
}

/// The state word taken apart.
#[derive(Clone, Copy)]
struct State {
    generation: u64,
    broken: bool,
    arrived: u64,
}

impl State {
    fn of(word: u64) -> Self {
        State { generation: word >> 32, broken: word & BROKEN != 0, arrived: word & ARRIVED }
    }

    fn word(self) -> u64 {
        (self.generation << 32) | (u64::from(self.broken) * BROKEN) | (self.arrived & ARRIVED)
    }

    fn next(self) -> Self {
        State { generation: (self.generation + 1) & 0xFFFF_FFFF, broken: false, arrived: 0 }
    }
}

impl Barrier {
    pub(crate) fn new(heap: &Heap, names: &Dict, name: &str, parties: u64) -> Result<Self> {
        if parties == 0 {
            return Err(Error::InvalidArgument {
                what: format!("barrier {name:?} of 0 parties: at least 1"),
            });
        }
        let primitive = Primitive::named(heap, names, Form::Barrier, name, parties, parties)?;
        Ok(Barrier { primitive, parties })
    }

    fn state(&self) -> Result<State> {
        Ok(State::of(self.primitive.word(VALUE)?.load(Ordering::Acquire)))
    }

    fn broken(&self) -> Error {
        Error::BrokenBarrier {
            what: self.primitive.to_string(),
            why: "aborted, reset, timed out, or a waiter died",
        }
    }

    /// Changes the state; `f` returns the new one, or `None` for none.
    fn change<T>(&self, mut f: impl FnMut(State) -> Result<(Option<State>, T)>) -> Result<T> {
        self.primitive.me()?;
        let at = self.primitive.at;
        self.primitive.heap().write(|tx| {
            let old = State::of(tx.load(at + VALUE)?);
            let (new, result) = f(old)?;
            if let Some(new) = new {
                tx.set(at + VALUE, new.word())?;
            }
            Ok(result)
        })
    }

    fn remember(&self, tx: &mut Tx<'_>, generation: u64, broken: bool) -> Result<()> {
        let at = self.primitive.at + HISTORY;
        let bit = 1_u64 << (generation % 64);
        let old = tx.load(at)?;
        tx.set(at, if broken { old | bit } else { old & !bit })
    }

    fn news(&self) -> Result<()> {
        event::notify(self.primitive.word(EVENT)?);
        Ok(())
    }

    /// Arrives, and waits for the others: the number of the arrival, from 0.
    ///
    /// # Errors
    /// `BrokenBarrier` if it is or gets broken; it does if this one does not wait any longer.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<u64> {
        self.wait_with(timeout, || Ok(()))
    }

    /// As [`Barrier::wait`]; the last to arrive runs `action` before anybody goes on. If that fails,
    /// the barrier is broken.
    pub fn wait_with(
        &self,
        timeout: Option<Duration>,
        action: impl FnOnce() -> Result<()>,
    ) -> Result<u64> {
        let me = self.primitive.me()?;
        let wait = Wait::new(&self.primitive, me, timeout);
        let result = self.meet(&wait, action);
        if let Err(error) = &result
            && !matches!(error, Error::BrokenBarrier { .. } | Error::Closed { .. })
        {
            self.abort()?;
        }
        match result {
            Err(Error::LockTimeout { .. }) => Err(self.broken()),
            result => result,
        }
    }

    fn meet(&self, wait: &Wait<'_>, action: impl FnOnce() -> Result<()>) -> Result<u64> {
        let news = self.primitive.word(EVENT)?;
        let (index, generation) = loop {
            let seen = event::observe(news);
            if let Some(arrival) = self.arrive()? {
                break arrival;
            }
            // All are there, and the last one still runs its action.
            self.look_after(wait)?;
            wait.nap_until_news(news, seen)?;
        };
        if index + 1 == self.parties {
            action()?;
            self.trip(generation)?;
            return Ok(index);
        }
        loop {
            let seen = event::observe(news);
            let state = self.state()?;
            if state.generation != generation || state.broken {
                return self.outcome(generation).map(|()| index);
            }
            self.look_after(wait)?;
            wait.nap_until_news(news, seen)?;
        }
    }

    /// What a waiter does between two sleeps: give up, or break the barrier for the dead.
    fn look_after(&self, wait: &Wait<'_>) -> Result<()> {
        if wait.is_over() {
            return Err(wait.timed_out(None));
        }
        if wait.is_thorough() && self.has_dead(self.state()?.arrived)? {
            self.abort()?;
        }
        Ok(())
    }

    /// Counts as arrived: number and generation; `None` while an older generation goes through. For
    /// those who cannot block: the last to arrive says [`Barrier::trip`], the others ask
    /// [`Barrier::is_over`]; who does not wait any longer says [`Barrier::abort`].
    ///
    /// # Errors
    /// `BrokenBarrier`.
    pub fn arrive(&self) -> Result<Option<(u64, u64)>> {
        let me = self.primitive.me()?;
        let at = self.primitive.at;
        self.primitive.heap().write(|tx| {
            let state = State::of(tx.load(at + VALUE)?);
            if state.broken {
                return Err(self.broken());
            }
            if state.arrived >= self.parties {
                return Ok(None);
            }
            tx.set(at + TABLE + state.arrived * 8, me.token())?;
            tx.set(at + VALUE, State { arrived: state.arrived + 1, ..state }.word())?;
            Ok(Some((state.arrived, state.generation)))
        })
    }

    /// Lets all go on: said by the last to arrive.
    ///
    /// # Errors
    /// `BrokenBarrier` if it is broken by now.
    pub fn trip(&self, generation: u64) -> Result<()> {
        let at = self.primitive.at;
        self.primitive.heap().write(|tx| {
            let state = State::of(tx.load(at + VALUE)?);
            if state.generation != generation || state.broken {
                return Err(self.broken());
            }
            self.remember(tx, generation, false)?;
            tx.set(at + VALUE, state.next().word())
        })?;
        self.news()
    }

    /// Whether a generation has gone on; breaks the barrier if one of those who arrived is dead.
    ///
    /// # Errors
    /// `BrokenBarrier` if it was broken instead.
    pub fn is_over(&self, generation: u64) -> Result<bool> {
        let state = self.state()?;
        if state.generation == generation && !state.broken {
            if !self.has_dead(state.arrived)? {
                return Ok(false);
            }
            self.abort()?;
        }
        self.outcome(generation).map(|()| true)
    }

    /// How a generation that is over ended. Under the writer lock: what was seen may be undone.
    fn outcome(&self, generation: u64) -> Result<()> {
        let at = self.primitive.at;
        self.primitive.heap().write(|tx| {
            let state = State::of(tx.load(at + VALUE)?);
            let since = state.generation.wrapping_sub(generation) & 0xFFFF_FFFF;
            let broken = if since == 0 {
                state.broken
            } else {
                since <= 64 && (tx.load(at + HISTORY)? >> (generation % 64)) & 1 == 1
            };
            if broken { Err(self.broken()) } else { Ok(()) }
        })
    }

    fn has_dead(&self, arrived: u64) -> Result<bool> {
        let memory = &self.primitive.heap().0.memory;
        for word in self.primitive.table()?.iter().take(arrived as usize) {
            let dead = match ThreadClaim::of_token(word.load(Ordering::Acquire)) {
                Some(claim) => memory.thread_is_dead(claim, true)?,
                None => true,
            };
            if dead {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Breaks the barrier: everybody who waits, or comes before the next `reset`, is told.
    pub fn abort(&self) -> Result<()> {
        self.change(|state| Ok((Some(State { broken: true, arrived: 0, ..state }), ())))?;
        self.news()
    }

    /// Makes the barrier as new; who waits is told that it is broken.
    pub fn reset(&self) -> Result<()> {
        self.primitive.me()?;
        let at = self.primitive.at;
        self.primitive.heap().write(|tx| {
            let state = State::of(tx.load(at + VALUE)?);
            self.remember(tx, state.generation, true)?;
            tx.set(at + VALUE, state.next().word())
        })?;
        self.news()
    }

    /// How many it waits for.
    #[must_use]
    pub fn parties(&self) -> u64 {
        self.parties
    }

    /// How many wait at this moment.
    pub fn waiting(&self) -> Result<u64> {
        let arrived = self.state()?.arrived;
        Ok(if arrived >= self.parties { 0 } else { arrived })
    }

    /// Whether it is broken.
    pub fn is_broken(&self) -> Result<bool> {
        Ok(self.state()?.broken)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.primitive.name
    }
}
