//! Every interleaving of the line's compare-exchanges, by loom: the same source file as the core's,
//! over loom's atomics. Two at most are inside; whoever waits comes to the head; a dead one is passed
//! over by one of those behind it, not by two.

#![allow(dead_code, reason = "a part of the line is modelled")]

mod primitive {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
}

#[path = "../shm-core/src/sync/line.rs"]
mod line;

use std::convert::Infallible;

use line::{Entered, Line, OPEN, Verdict, Who};
use loom::sync::Arc;
use loom::thread;
use primitive::{AtomicU64, Ordering};

const PLACES: u64 = 4;

/// A line and the number of those who are inside.
struct Scene {
    places: Vec<AtomicU64>,
    inside: AtomicU64,
}

impl Scene {
    fn new() -> Arc<Self> {
        let places = (0..PLACES).map(|place| AtomicU64::new(if place == 0 { OPEN } else { 0 }));
        Arc::new(Scene { places: places.collect(), inside: AtomicU64::new(0) })
    }

    fn line(&self) -> Line<'_> {
        Line::new(&self.places).expect("a power of two")
    }

    /// Waits for the head; the dead are those whose slot is 9.
    fn wait(&self, me: Who) -> u64 {
        let line = self.line();
        match line.enter(0, me) {
            Entered::Held(place) => place,
            Entered::Waiting(place) => {
                self.stay(place, me);
                place
            }
            Entered::Not(_) => unreachable!("there are more places than threads"),
        }
    }

    fn stay(&self, place: u64, me: Who) {
        let line = self.line();
        let dead = |who: Who| Ok::<_, Infallible>(who.slot() == Some(9));
        while !line.is_held(place, me) {
            if matches!(line.judge(place, me, dead), Ok(Verdict::Held(_))) {
                break;
            }
            line.doze(place, me);
            thread::yield_now();
        }
    }

    fn visit(&self, me: Who) {
        let place = self.wait(me);
        self.inside(place, me);
    }

    fn inside(&self, place: u64, me: Who) {
        assert_eq!(self.inside.fetch_add(1, Ordering::AcqRel), 0, "two are inside");
        self.inside.fetch_sub(1, Ordering::AcqRel);
        self.line().leave(place, me);
    }
}

/// Runs a scene in every order in which at most `preemptions` threads are stopped midway.
fn model(preemptions: usize, scene: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(scene);
}

#[test]
fn two_take_turns_and_the_line_is_free_afterwards() {
    model(3, || {
        let scene = Scene::new();
        let other = Arc::clone(&scene);
        let thread = thread::spawn(move || other.visit(Who::new(1, 1)));
        scene.visit(Who::new(0, 1));
        thread.join().expect("the other visits");
        assert!(scene.line().is_idle(0));
    });
}

#[test]
fn a_dead_holder_is_passed_over_by_one() {
    model(3, || {
        let scene = Scene::new();
        assert_eq!(scene.line().enter(0, Who::new(9, 1)), Entered::Held(0));
        let other = Arc::clone(&scene);
        let thread = thread::spawn(move || other.visit(Who::new(1, 1)));
        scene.visit(Who::new(0, 1));
        thread.join().expect("the other visits");
        assert!(scene.line().is_idle(0));
    });
}

#[test]
fn one_who_gives_up_while_it_is_handed_over_loses_nothing() {
    model(3, || {
        let scene = Scene::new();
        let me = Who::new(0, 1);
        let place = scene.wait(me);
        let other = Arc::clone(&scene);
        let thread = thread::spawn(move || {
            let (line, me) = (other.line(), Who::new(1, 1));
            match line.enter(0, me) {
                Entered::Held(place) => other.inside(place, me),
                Entered::Waiting(place) if !line.withdraw(place, me) => other.inside(place, me),
                _ => {}
            }
        });
        scene.inside(place, me);
        thread.join().expect("the other gives up");
        // Whoever comes now has it at once or by looking.
        scene.visit(Who::new(2, 1));
    });
}

#[test]
fn a_place_that_was_given_up_is_taken_again_or_passed_over_not_both() {
    model(2, || {
        let scene = Scene::new();
        let line = scene.line();
        assert_eq!(line.enter(0, Who::new(9, 1)), Entered::Held(0));
        let gone = Who::new(0, 1);
        let Entered::Waiting(place) = line.enter(0, gone) else { unreachable!("one is inside") };
        let threads = [1, 2].map(|number| {
            let other = Arc::clone(&scene);
            thread::spawn(move || other.visit(Who::new(number, 1)))
        });
        // Gives up while both come: one may enter this place, one may look past it.
        if !line.withdraw(place, gone) {
            scene.inside(place, gone);
        }
        for thread in threads {
            thread.join().expect("the others visit");
        }
        assert!(scene.line().is_idle(0));
    });
}
