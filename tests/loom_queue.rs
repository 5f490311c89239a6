//! Every interleaving of those who put into a queue and those who sleep until something is there, by
//! loom: the core's own event over loom's atomics, in the steps of `watch`. Nobody sleeps through news.
//! A sleep is modelled as one without an end: a wake that is lost is a test that does not end.

mod primitive {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
}

mod error {
    pub(crate) type Result<T> = std::result::Result<T, std::convert::Infallible>;
}

mod lock {
    use crate::primitive::{AtomicU64, Ordering};

    /// What the kernel does: it looks once more, and then nothing but a wake ends it, which follows a
    /// change of the word.
    #[allow(clippy::unnecessary_wraps, reason = "the signature of the core's")]
    pub(crate) fn sleep_on(
        word: &AtomicU64,
        expected: u32,
        _: std::time::Duration,
    ) -> crate::error::Result<()> {
        while word.load(Ordering::SeqCst) as u32 == expected {
            loom::thread::yield_now();
        }
        Ok(())
    }
}

mod sys {
    pub(crate) mod futex {
        pub(crate) fn wake(_: &crate::primitive::AtomicU64, _: i32) {}
    }
}

#[path = "../shm-core/src/event.rs"]
mod event;

use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::fence;
use loom::thread;
use primitive::{AtomicU64, Ordering};

struct Queue {
    /// The sequence of the list: another one after each change.
    version: AtomicU64,
    items: AtomicU64,
    watched: AtomicU64,
    event: AtomicU64,
}

impl Queue {
    fn new() -> Arc<Self> {
        let word = || AtomicU64::new(0);
        Arc::new(Queue { version: word(), items: word(), watched: word(), event: word() })
    }

    fn put(&self) {
        // The writer lock stands between those who change the list; here it is one exchange.
        self.items.fetch_add(1, Ordering::AcqRel);
        self.version.fetch_add(2, Ordering::Release);
        // In the core, the sleeper makes the kernel put this fence here.
        fence(Ordering::SeqCst);
        if self.watched.load(Ordering::Relaxed) != 0
            && self.watched.fetch_and(0, Ordering::SeqCst) != 0
        {
            event::notify(&self.event);
        }
    }

    fn take(&self) -> bool {
        let items = self.items.load(Ordering::Acquire);
        items > 0
            && self
                .items
                .compare_exchange(items, items - 1, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    fn take_patiently(&self) {
        loop {
            let seen = self.version.load(Ordering::Acquire);
            if self.take() {
                return;
            }
            let observed = event::observe(&self.event);
            self.watched.fetch_or(1, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            if self.version.load(Ordering::Acquire) == seen {
                let slept = event::wait(&self.event, observed, Duration::ZERO);
                assert!(slept.is_ok());
            }
            thread::yield_now();
        }
    }
}

#[test]
fn who_sleeps_is_woken_by_what_is_put() {
    loom::model(|| {
        let queue = Queue::new();
        let taker = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.take_patiently())
        };
        queue.put();
        taker.join().expect("no panic");
        assert_eq!(queue.items.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn who_wants_two_is_woken_by_two_who_put() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let queue = Queue::new();
        let other = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.put())
        };
        let taker = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                queue.take_patiently();
                queue.take_patiently();
            })
        };
        queue.put();
        other.join().expect("no panic");
        taker.join().expect("no panic");
        assert_eq!(queue.items.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn no_notice_hides_behind_another_ones() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let word = Arc::new(AtomicU64::new(0));
        let state = Arc::new(AtomicU64::new(0));
        let tellers: Vec<_> = (0..2)
            .map(|_| {
                let (word, state) = (Arc::clone(&word), Arc::clone(&state));
                thread::spawn(move || {
                    state.fetch_add(1, Ordering::SeqCst);
                    event::notify(&word);
                })
            })
            .collect();
        loop {
            let observed = event::observe(&word);
            if state.load(Ordering::SeqCst) == 2 {
                break;
            }
            assert!(event::wait(&word, observed, Duration::ZERO).is_ok());
        }
        for teller in tellers {
            teller.join().expect("no panic");
        }
    });
}
