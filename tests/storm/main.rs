//! Storm: eight processes at work on shared objects, a killer that SIGKILLs and replaces them.
//!
//! Workers, Rust and Python (`SHM_PYTHON` names an interpreter that has the module; without it all
//! are Rust), forked, attached and spawned, run the operations of `operations.rs` and `worker.py`
//! and check what must hold on the way. Half of the kills are aimed at whoever holds the writer lock
//! at that moment, half hit anyone at a random moment. For each one the time is taken until the
//! others are undisturbed again (`killer.rs` says what that means). Now and then all are killed at
//! once and a census is taken: every invariant, and nothing lost or left behind (`census.rs`).
//!
//! `SHM_KILLS` sets the number of kills, `SHM_SEED` the choices of the killer and the workers,
//! `SHM_STORM_BARS=full` demands the full bars, `SHM_STORM_SAMPLES` names a file for the samples.

mod board;
mod census;
mod desk;
mod killer;
mod ledger;
mod observer;
mod operations;
mod samples;
mod worker;

use std::time::{Duration, Instant};

use board::Board;
use killer::Storm;
use samples::recovery;
use shm::{Segment, SegmentOptions};

/// The name of the test below: what a spawned worker is told to run.
const TEST: &str = "invariants_hold_and_the_lock_is_regained_while_workers_are_killed";

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn invariants_hold_and_the_lock_is_regained_while_workers_are_killed() {
    if let Ok(role) = std::env::var(worker::ROLE) {
        return worker::work_as_told(&role);
    }
    let kills: usize = setting("SHM_KILLS").unwrap_or(400);
    let seed = setting("SHM_SEED").unwrap_or_else(|| fastrand::u64(..));
    fastrand::seed(seed);
    let started = Instant::now();
    let segment =
        Segment::create_anonymous(SegmentOptions::new().size(64 << 20)).expect("a fresh segment");
    ledger::prepare(&segment).expect("the ledger");
    let board =
        Board::create(killer::WORKERS + 1).expect("a board in the directory for temporaries");
    let mut storm = Storm::new(&segment, &board).expect("a storm");
    if let Err(fault) = storm.run(kills) {
        panic!("seed {seed}, {}\n{}", storm.whereabouts(), storm.report_of(&*fault));
    }
    let samples = &storm.samples;
    if let Some(path) = setting::<std::path::PathBuf>("SHM_STORM_SAMPLES") {
        std::fs::write(path, samples::table(samples)).expect("a file for the samples");
    }
    let holders = recovery(samples, |sample| sample.holder);
    println!(
        "seed {seed}: {} kills and {} more at censuses, {} lock-holder deaths and {} more, {} \
         operations undone or finished, {} messages died with their takers, in {:.0?}\n{}",
        samples.len(),
        storm.swept,
        holders.count,
        segment.stats().expect("stats").deaths as usize - holders.count,
        segment.stats().expect("stats").recoveries,
        storm.tokens.lost,
        started.elapsed(),
        samples::summary(samples),
    );
    let all = recovery(samples, |_| true);
    let heavy = recovery(samples, |sample| sample.heavy);
    assert_eq!(all.count, kills);
    let millis = Duration::from_millis;
    if std::env::var("SHM_STORM_BARS").as_deref() == Ok("full") {
        assert!(holders.count * 5000 >= kills * 300, "too few lock holders were killed");
        for (figures, what) in [(&all, "the others"), (&holders, "a lock holder's heirs")] {
            assert!(figures.p99 <= millis(2), "{what} went on too late: {figures}");
            assert!(figures.max <= millis(10), "{what} went on too late: {figures}");
        }
        assert!(heavy.max <= millis(5), "a victim with much memory held the others up: {heavy}");
    } else {
        assert!(all.p99 <= millis(10), "the others went on too late: {all}");
        assert!(heavy.max <= millis(100), "a victim with much memory held the others up: {heavy}");
    }
}
