//! Storm: processes that transfer amounts, a killer that SIGKILLs and replaces them.
//!
//! Eight workers, Rust (forked) and Python (`SHM_PYTHON` names an interpreter that has the module;
//! without it all are Rust), move amounts between entries of shared lists and dicts, swap, nest and
//! drop objects. At random moments one of them is killed, and the time is taken until the others
//! write on, which they cannot before the lock is regained; then the killer writes too. At the end
//! every sum is right, the checker finds nothing, and nothing is left that nobody refers to.
//! `SHM_KILLS` sets the number of kills.

mod ledger;
mod worker;

use std::time::{Duration, Instant};

use shm::{Segment, SegmentOptions};
use worker::{Kind, Worker};

const WORKERS: usize = 8;
/// Every so many kills the victim has 1 GiB of resident memory.
const HEAVY_EVERY: usize = 60;

fn kills() -> usize {
    std::env::var("SHM_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(320)
}

fn kind_of(number: usize) -> Kind {
    match std::env::var_os("SHM_PYTHON") {
        Some(python) if number % 2 == 1 => Kind::Python(python),
        _ if number % 4 == 2 => Kind::RustAttached,
        _ => Kind::RustInherited,
    }
}

/// The time that `percent` of the sorted times do not exceed.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let last = times.len().saturating_sub(1);
    times.get((last * percent).div_ceil(100)).copied().unwrap_or_default()
}

#[test]
fn sums_hold_and_the_lock_is_regained_while_workers_are_killed() {
    let options = SegmentOptions::new().size(64 << 20);
    let segment = Segment::create_anonymous(options).expect("a fresh segment");
    ledger::prepare(&segment).expect("the ledger");
    let mut workers: Vec<Worker> =
        (0..WORKERS).map(|number| Worker::start(&segment, &kind_of(number), false)).collect();
    let mut times = Vec::new();
    let mut heavy = Vec::new();
    for number in 0..kills() {
        let victim = fastrand::usize(0..WORKERS);
        let is_heavy = number % HEAVY_EVERY == HEAVY_EVERY - 1;
        if is_heavy {
            let giant = Worker::start(&segment, &Kind::RustAttached, true);
            std::mem::replace(&mut workers[victim], giant).kill();
            ledger::wait_for_heavy(&segment).expect("a heavy worker at work");
        } else {
            // Not to wait for anything: kills come at random moments.
            std::thread::sleep(Duration::from_micros(fastrand::u64(500..20_000)));
        }
        let started = Instant::now();
        workers[victim].kill();
        ledger::wait_for_writes(&segment).expect("writes of the others after a kill");
        let time = started.elapsed();
        ledger::probe(&segment, number).expect("a write of one's own after a kill");
        times.push(time);
        if is_heavy {
            heavy.push(time);
        }
        workers[victim] = Worker::start(&segment, &kind_of(victim), false);
    }
    for worker in &mut workers {
        worker.kill();
        worker.reap();
    }
    segment.reap().expect("the slots of the dead");
    ledger::verify(&segment).expect("the ledger after the storm");
    let stats = segment.stats().expect("stats");
    times.sort();
    heavy.sort();
    println!(
        "{} kills, {} lock-holder deaths, {} operations rolled back or finished; kill to lock \
         regained p50 {:?}, p99 {:?}, max {:?}; 1 GiB victims ({}) max {:?}",
        times.len(),
        stats.deaths,
        stats.recoveries,
        percentile(&times, 50),
        percentile(&times, 99),
        percentile(&times, 100),
        heavy.len(),
        percentile(&heavy, 100),
    );
    assert!(percentile(&times, 99) <= Duration::from_millis(10), "the lock came back too late");
    assert!(percentile(&heavy, 100) <= Duration::from_millis(100), "a large victim held it up");
}
