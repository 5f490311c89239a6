//! Events: a flag that any number of waiters wait for.
//!
//! Handle. One word holds the flag and how often it was set, so a waiter returns also if the flag was
//! cleared again before it woke. Nobody owns an event, so no death matters to it.

use std::time::Duration;

use super::wait::{Wait, spin};
use super::{EVENT, Form, Primitive, VALUE};
use crate::dict::Dict;
use crate::error::Result;
use crate::event;
use crate::heap::Heap;
use crate::primitive::{AtomicU64, Ordering};

const FLAG: u64 = 1;

/// Handle. A named event.
///
/// ```
/// use shm_core::{Segment, SegmentOptions};
/// use std::time::Duration;
/// let seg = Segment::create_anonymous(SegmentOptions::new())?;
/// let ready = seg.event("ready")?;
/// assert!(!ready.wait(Some(Duration::ZERO))?);
/// ready.set()?;
/// assert!(ready.wait(None)?);
/// # Ok::<(), shm_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Event {
    primitive: Primitive,
}

impl Event {
    pub(crate) fn new(heap: &Heap, names: &Dict, name: &str) -> Result<Self> {
        Ok(Event { primitive: Primitive::named(heap, names, Form::Event, name, 0, 0)? })
    }

    /// Changes the flag; whether it was another.
    fn change(&self, to: impl Fn(u64) -> u64) -> Result<bool> {
        self.primitive.me()?;
        let word = self.primitive.word(VALUE)?;
        let mut old = word.load(Ordering::Relaxed);
        loop {
            let new = to(old);
            if new == old {
                return Ok(false);
            }
            // AcqRel: pairs with the loads in `wait` and `is_set`.
            match word.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(true),
                Err(now) => old = now,
            }
        }
    }

    /// Sets the flag and wakes everybody who waits for it.
    pub fn set(&self) -> Result<()> {
        let set = |old: u64| if old & FLAG == 1 { old } else { old.wrapping_add(2) | FLAG };
        if self.change(set)? {
            event::notify(self.primitive.word(EVENT)?);
        }
        Ok(())
    }

    /// Clears the flag.
    pub fn clear(&self) -> Result<()> {
        self.change(|old| old & !FLAG).map(drop)
    }

    /// Whether the flag is set.
    pub fn is_set(&self) -> Result<bool> {
        Ok(self.primitive.word(VALUE)?.load(Ordering::Acquire) & FLAG == 1)
    }

    /// How often the flag was set so far: what changes when somebody sets it.
    pub fn times_set(&self) -> Result<u64> {
        Ok(self.primitive.word(VALUE)?.load(Ordering::Acquire) >> 1)
    }

    /// Waits until the flag is set; `false` if it is not in time.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        let word = self.primitive.word(VALUE)?;
        let before = word.load(Ordering::Acquire);
        let came = |word: &AtomicU64| {
            let now = word.load(Ordering::Acquire);
            (now & FLAG == 1 || now >> 1 != before >> 1).then_some(())
        };
        if came(word).is_some() {
            return Ok(true);
        }
        let me = self.primitive.me()?;
        let wait = Wait::new(&self.primitive, me, timeout);
        if !wait.is_over() && spin(|| came(word)).is_some() {
            return Ok(true);
        }
        let news = self.primitive.word(EVENT)?;
        loop {
            let seen = event::observe(news);
            if came(word).is_some() {
                return Ok(true);
            }
            if wait.is_over() {
                return Ok(false);
            }
            wait.nap_until_news(news, seen)?;
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.primitive.name
    }
}
