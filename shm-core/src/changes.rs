//! Waiting for changes: of an object, of what lies at a path, or of many objects by one thread.
//!
//! Handles. [`Changes`] remembers what it has seen and waits until something else is there; it
//! misses no change that lasts, and tells several quick ones as one. [`Waiters`] lets one thread wait
//! on behalf of any number of tasks: an event loop's helper. Both sleep in the kernel (`watch`), and
//! whoever changes something pays nothing for those who watch something else.
//!
//! A change is a change of the object itself: what happens inside of an object that it refers to is
//! that object's change. An operation that was undone may be told as a change.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::event;
use crate::handle::Object;
use crate::heap::Heap;
use crate::memory::Memory;
use crate::primitive::{AtomicU64, Ordering};
use crate::queue::{Queue, Subscription};
use crate::sys::{futex, process};
use crate::value::Value;
use crate::watch;

/// Handle. What somebody watches, and what was there at the last look.
///
/// ```
/// use std::time::Duration;
/// use shm_core::{Segment, SegmentOptions};
/// # fn main() -> Result<(), shm_core::Error> {
/// let seg = Segment::create_anonymous(SegmentOptions::new().size(1 << 20))?;
/// let mut changes = seg.watch(&seg.root().into())?;
/// assert!(!changes.wait(Some(Duration::ZERO))?);
/// seg.root().insert("n", 1)?;
/// assert!(changes.wait(None)?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Changes {
    /// Where the path starts, or the watched object.
    from: Value,
    path: Vec<Value>,
    /// The objects on the way, and the versions that they had.
    seen: Vec<(Object, u64)>,
    /// What was at the end of the path.
    last: Option<Value>,
}

impl Changes {
    pub(crate) fn new(from: Value, path: Vec<Value>) -> Result<Self> {
        if from.object()?.is_none() {
            return Err(Error::WrongType {
                what: format!("only shared objects change, not {}: give a path", from.type_name()),
            });
        }
        let mut changes = Changes { from, path, seen: Vec::new(), last: None };
        changes.look()?;
        Ok(changes)
    }

    /// What is at the end of the path now; `None` if the path leads nowhere.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        self.last.as_ref()
    }

    /// Goes the way again.
    fn look(&mut self) -> Result<()> {
        self.seen.clear();
        let mut here = Some(self.from.clone());
        let mut steps = self.path.iter();
        while let Some(value) = here.take() {
            if let Some(object) = value.object()? {
                let version = object.heap().0.memory.version_of(object.at())?;
                self.seen.push((object.clone(), version));
            }
            let Some(step) = steps.next() else {
                here = Some(value);
                break;
            };
            here = match (&value, step) {
                (Value::Dict(dict), key) => dict.get(key)?,
                (Value::List(list), Value::Int(index)) => match usize::try_from(*index) {
                    Ok(index) => list.get(index)?,
                    Err(_) => None,
                },
                _ => None,
            };
        }
        self.last = here;
        Ok(())
    }

    /// Whether something on the way has another version than at the last look.
    fn is_stale(&self) -> Result<bool> {
        for (object, version) in &self.seen {
            let memory = &object.heap().0.memory;
            memory.check_open()?;
            if memory.version_of(object.at())? != *version {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether it has changed since the last look, which this is.
    ///
    /// # Errors
    /// `Closed` once the watched object was freed, or the segment closed in this process.
    pub fn poll(&mut self) -> Result<bool> {
        if let Some(object) = self.from.object()? {
            object.heap().block(object.at())?;
        }
        if !self.is_stale()? {
            return Ok(false);
        }
        let end = |seen: &[(Object, u64)]| seen.last().cloned();
        let (object, value) = (end(&self.seen), self.last.clone());
        self.look()?;
        let same_value = match (&value, &self.last) {
            (Some(old), Some(new)) => match (old.object()?, new.object()?) {
                (Some(old), Some(new)) => old == new && object == end(&self.seen),
                (None, None) => old.type_name() == new.type_name() && old == new,
                _ => false,
            },
            (None, None) => true,
            _ => false,
        };
        Ok(!same_value)
    }

    /// Waits until it changes, at most for `timeout` (`None`: for ever); whether it has.
    ///
    /// # Errors
    /// `Closed` once the watched object was freed, or the segment closed in this process.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        let started = Instant::now();
        loop {
            if self.poll()? {
                return Ok(true);
            }
            let waited = started.elapsed();
            if timeout.is_some_and(|timeout| waited >= timeout) {
                return Ok(false);
            }
            self.outside_of_transactions()?;
            let rest = timeout.map_or(watch::SLICE, |timeout| timeout.saturating_sub(waited));
            if let [(object, version)] = self.seen.as_slice() {
                object.heap().0.memory.sleep_until_changed(object.at(), *version, rest)?;
            } else {
                self.sleep(rest)?;
            }
        }
    }

    fn outside_of_transactions(&self) -> Result<()> {
        match self.seen.first() {
            Some((object, _)) => object.heap().outside_of_transactions("waiting for others"),
            None => Ok(()),
        }
    }

    /// Sleeps until any object on the way may have changed.
    fn sleep(&self, rest: Duration) -> Result<()> {
        let Some((first, _)) = self.seen.first() else { return Ok(()) };
        let memory = &first.heap().0.memory;
        if memory.readonly {
            return crate::lock::pause(rest.min(Duration::from_millis(1)));
        }
        let word = memory.any_change()?;
        let observed = event::observe(word);
        for (object, _) in &self.seen {
            memory.watch(object.at())?;
        }
        process::barrier();
        if self.is_stale()? {
            return Ok(());
        }
        event::wait(word, observed, rest.min(watch::SLICE))
    }

    /// What to wait for before [`Changes::poll`] can tell something new.
    #[must_use]
    pub fn waiter(&self) -> Waiter {
        Waiter { objects: self.seen.clone() }
    }
}

/// Handle. Objects, and the versions of them that are no news.
#[derive(Clone, Debug)]
pub struct Waiter {
    objects: Vec<(Object, u64)>,
}

impl Waiter {
    /// Until a queue is not as it was at `version` (see [`Queue::version`]).
    #[must_use]
    pub fn of_queue(queue: &Queue, version: u64) -> Self {
        Waiter { objects: vec![(queue.items().object().clone(), version)] }
    }

    /// Until something is published after `version` of the topic.
    #[must_use]
    pub fn of_subscription(subscription: &Subscription, version: u64) -> Self {
        Waiter { objects: vec![(subscription.items().object().clone(), version)] }
    }

    /// Whether there is news; a closed segment is.
    fn is_due(&self) -> bool {
        self.objects.iter().any(|(object, version)| {
            let memory = &object.heap().0.memory;
            memory.is_closed() || memory.version_of(object.at()).map_or(true, |now| now != *version)
        })
    }

    fn ask(&self) -> Result<()> {
        for (object, _) in &self.objects {
            let memory = &object.heap().0.memory;
            if !memory.readonly && !memory.is_closed() {
                memory.watch(object.at())?;
            }
        }
        Ok(())
    }
}

/// Handle. What any number of tasks of this process wait for, by number; one thread sleeps for all.
#[derive(Debug, Default)]
pub struct Waiters {
    entries: Mutex<Vec<(u64, Waiter)>>,
    /// Changes when an entry comes: an event of this process.
    news: AtomicU64,
}

impl Waiters {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Waiters::default()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<(u64, Waiter)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more; [`Waiters::wait`] names it once. From any thread.
    pub fn add(&self, number: u64, waiter: Waiter) {
        self.entries().push((number, waiter));
        event::notify(&self.news);
    }

    /// One less; whether it was still there.
    pub fn remove(&self, number: u64) -> bool {
        let mut entries = self.entries();
        let before = entries.len();
        entries.retain(|(known, _)| *known != number);
        entries.len() < before
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries().len()
    }

    /// Sleeps until some of them have news, at most for `timeout`; which, and they are gone from
    /// here. One thread at a time.
    pub fn wait(&self, timeout: Duration) -> Vec<u64> {
        self.wait_for(|| timeout)
    }

    /// Ends a wait, or the next one.
    #[cfg(feature = "futures")]
    pub(crate) fn nudge(&self) {
        event::notify(&self.news);
    }

    /// As [`Waiters::wait`]; how long is asked for when a nudge would be noticed already.
    pub(crate) fn wait_for(&self, timeout: impl FnOnce() -> Duration) -> Vec<u64> {
        let news = event::observe(&self.news);
        let mut heaps: Vec<(Heap, u64)> = Vec::new();
        let mut slice = timeout();
        {
            let entries = self.entries();
            if !entries.is_empty() {
                slice = slice.min(watch::SLICE);
            }
            for (object, _) in entries.iter().flat_map(|(_, waiter)| &waiter.objects) {
                let memory: &Memory = &object.heap().0.memory;
                if memory.readonly {
                    slice = slice.min(Duration::from_millis(1));
                } else if !heaps.iter().any(|(heap, _)| heap.is_same(object.heap()))
                    && let Ok(word) = memory.any_change()
                {
                    heaps.push((object.heap().clone(), event::observe(word)));
                }
            }
            for (_, waiter) in entries.iter() {
                // What cannot be asked for is found by the next look.
                let _ = waiter.ask();
            }
        }
        if !heaps.is_empty() {
            process::barrier();
        }
        let due = self.take_due();
        if !due.is_empty() {
            return due;
        }
        let mut words: Vec<(&AtomicU64, u32)> = Vec::new();
        let local = std::iter::once((&self.news, news));
        let shared =
            heaps.iter().filter_map(|(heap, seen)| Some((heap.0.memory.any_change().ok()?, *seen)));
        for (word, seen) in local.chain(shared) {
            let sleeping = seen | 1;
            if seen != sleeping
                && word
                    .compare_exchange(seen, sleeping, Ordering::SeqCst, Ordering::SeqCst)
                    .is_err()
            {
                return self.take_due();
            }
            words.push((word, sleeping as u32));
        }
        futex::wait_any(&words, slice);
        self.take_due()
    }

    fn take_due(&self) -> Vec<u64> {
        let mut due = Vec::new();
        self.entries().retain(|(number, waiter)| {
            let is_due = waiter.is_due();
            if is_due {
                due.push(*number);
            }
            !is_due
        });
        due
    }
}
