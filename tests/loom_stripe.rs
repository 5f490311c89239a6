//! Interleavings of the steps of the writer lock and of a stripe of it, by loom: the same source
//! files as the core's, over loom's atomics. Short operations exclude each other on one stripe, and
//! whoever has the writer lock is alone.

mod primitive {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};

    /// Loom takes `SeqCst` accesses for `AcqRel` ones, and knows fences.
    pub(crate) fn after_claim() {
        loom::sync::atomic::fence(Ordering::SeqCst);
    }
}

#[path = "../shm-core/src/lock/stripe.rs"]
mod stripe;
#[path = "../shm-core/src/lock/words.rs"]
#[allow(dead_code, reason = "the hand-over has models of its own, in loom_lock")]
mod words;

use loom::sync::Arc;
use loom::thread;
use primitive::{AtomicU64, Ordering};
use words::Words;

struct Scene {
    owner: AtomicU64,
    next: AtomicU64,
    holder: AtomicU64,
    /// How many operations were done, if none was lost: loom shows old values to whoever is not ordered
    /// after the one who stored the new one.
    content: AtomicU64,
}

impl Scene {
    fn new() -> Arc<Self> {
        let word = || AtomicU64::new(0);
        Arc::new(Scene { owner: word(), next: word(), holder: word(), content: word() })
    }

    fn add_one(&self) {
        self.content.store(self.content.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// As the core's short operation, which tries twice here; how many were done.
    fn short(&self, token: u64) -> u64 {
        for _ in 0..2 {
            if stripe::claim(&self.holder, token) {
                let stays = stripe::may_stay(&self.owner);
                if stays {
                    self.add_one();
                }
                stripe::give(&self.holder);
                if stays {
                    return 1;
                }
            }
            thread::yield_now();
        }
        0
    }

    /// As a whole operation.
    fn whole(&self, token: u64) -> u64 {
        let words = Words { owner: &self.owner, next: &self.next };
        while !words.take(0, token) {
            thread::yield_now();
        }
        while stripe::held(&self.holder) != 0 {
            thread::yield_now();
        }
        self.add_one();
        words.give();
        1
    }
}

/// Runs the steps, each by a thread, in every order in which at most so many are stopped midway.
fn run<const N: usize>(preemptions: usize, steps: [fn(&Scene) -> u64; N]) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        let scene = Scene::new();
        let threads = steps.map(|step| {
            let scene = Arc::clone(&scene);
            thread::spawn(move || step(&scene))
        });
        let done: u64 = threads.map(|thread| thread.join().expect("no panic")).iter().sum();
        assert_eq!(scene.content.load(Ordering::Relaxed), done, "one was lost");
        assert_eq!(scene.owner.load(Ordering::Relaxed), 0);
        assert_eq!(scene.holder.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn two_short_operations_exclude_each_other() {
    run(4, [|scene| scene.short(1), |scene| scene.short(2)]);
}

#[test]
fn a_short_and_a_whole_operation_exclude_each_other() {
    run(4, [|scene| scene.short(1), |scene| scene.whole(2)]);
}

#[test]
fn so_do_two_short_ones_and_a_whole_one() {
    run(2, [|scene| scene.short(1), |scene| scene.short(2), |scene| scene.whole(3)]);
}
