//! Every interleaving of the writer lock's steps, by loom: the same source file as the core's, over
//! loom's atomics. One at most is inside, whoever is handed the lock gets it, and one who dies in
//! between, as giver or as heir, holds nobody up.

mod primitive {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};

    /// Loom takes `SeqCst` accesses for `AcqRel` ones, and knows fences.
    pub(crate) fn after_claim() {
        loom::sync::atomic::fence(Ordering::SeqCst);
    }
}

#[path = "../shm-core/src/lock/words.rs"]
mod words;

use loom::sync::Arc;
use loom::thread;
use primitive::{AtomicU64, Ordering};
use words::Words;

/// A token whose thread is dead.
const DEAD: u64 = 99;

struct Scene {
    owner: AtomicU64,
    next: AtomicU64,
    inside: AtomicU64,
    done: AtomicU64,
}

impl Scene {
    fn held_by(owner: u64) -> Arc<Self> {
        let word = AtomicU64::new;
        Arc::new(Scene { owner: word(owner), next: word(0), inside: word(0), done: word(0) })
    }

    fn words(&self) -> Words<'_> {
        Words { owner: &self.owner, next: &self.next }
    }

    /// As the core's waiter, without the sleeps: `asks` whether it asks to be next at once.
    fn lock(&self, token: u64, asks: bool) {
        let words = self.words();
        let mut asked = false;
        loop {
            let owner = self.owner.load(Ordering::SeqCst);
            if owner == token {
                break;
            }
            if (owner == 0 || owner == DEAD) && words.take(owner, token) {
                break;
            }
            let there = self.next.load(Ordering::Relaxed);
            if asks && there != token && (there == 0 || there == DEAD) {
                asked |= words.ask(there, token);
            }
            thread::yield_now();
        }
        if asked && !words.stand_down(token) {
            // It was handed over: whoever took the token out stores it as its next step, unless it
            // has come already.
            while self.owner.load(Ordering::Acquire) != token {
                thread::yield_now();
            }
        }
        assert_eq!(self.inside.fetch_add(1, Ordering::Relaxed), 0, "two are inside");
    }

    fn unlock(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.inside.fetch_sub(1, Ordering::Relaxed);
        self.words().give();
    }
}

#[test]
fn one_at_most_is_inside_and_everybody_comes_in() {
    loom::model(|| {
        let scene = Scene::held_by(0);
        let threads: Vec<_> = (1..=2)
            .map(|token| {
                let scene = Arc::clone(&scene);
                thread::spawn(move || {
                    scene.lock(token, token == 1);
                    scene.unlock();
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        assert_eq!(scene.done.load(Ordering::Relaxed), 2);
        assert_eq!(scene.owner.load(Ordering::Relaxed), 0, "the lock is free in the end");
    });
}

#[test]
fn the_lock_goes_on_from_a_dead_owner_whoever_is_next() {
    loom::model(|| {
        let scene = Scene::held_by(DEAD);
        let threads: Vec<_> = (1..=2)
            .map(|token| {
                let scene = Arc::clone(&scene);
                thread::spawn(move || {
                    scene.lock(token, token == 2);
                    scene.unlock();
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        assert_eq!(scene.done.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn an_heir_that_died_holds_nobody_up() {
    loom::model(|| {
        let scene = Scene::held_by(1);
        scene.inside.store(1, Ordering::Relaxed);
        let heir = {
            let scene = Arc::clone(&scene);
            // Asks, and is killed before it looks again.
            thread::spawn(move || scene.words().ask(0, DEAD))
        };
        let waiter = {
            let scene = Arc::clone(&scene);
            thread::spawn(move || {
                scene.lock(2, false);
                scene.unlock();
            })
        };
        scene.unlock();
        heir.join().expect("no panic");
        waiter.join().expect("no panic");
        assert_eq!(scene.done.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn one_who_gives_up_is_handed_the_lock_or_is_not() {
    loom::model(|| {
        let scene = Scene::held_by(1);
        let waiter = {
            let scene = Arc::clone(&scene);
            thread::spawn(move || {
                let words = scene.words();
                if !words.ask(0, 2) || words.stand_down(2) {
                    return false;
                }
                while scene.owner.load(Ordering::Acquire) != 2 {
                    thread::yield_now();
                }
                words.give();
                true
            })
        };
        let handed = scene.words().give();
        assert_eq!(waiter.join().expect("no panic"), handed);
        assert_eq!(scene.owner.load(Ordering::Relaxed), 0);
    });
}
