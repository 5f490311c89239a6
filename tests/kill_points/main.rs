//! Kill at every instruction: each state that a kill can leave recovers to before or after.
//!
//! A forked child performs one operation under ptrace, single-stepped. After each instruction the
//! tracer compares the segment with what it was; each new state is copied to a file as the kernel
//! would leave it if the child died there (`corpse`), and a fresh attachment recovers it. Then the
//! content must be the one before or the one after the operation, the checker must find nothing
//! wrong (bitmaps, counts, pins, lost blocks), nothing may be locked, dead slots must be free, and
//! a survivor must be able to go on. Recovery itself is walked in the same way. And where the first process is only
//! stopped, a second one must find everything whole, or be told whom it waits for (`visit`).
//!
//! An operation joins by a line in `operations/`: a set-up and a step. Meant for the release build
//! (`cargo test --release --test kill_points`), which is what users run. The walks are spread over
//! processes, one for each processor; `SHM_SOAK=1` looks at every state, and kills many more recoveries; `SHM_KILL_ONLY`
//! takes only the operations whose name contains a text.

mod corpse;
mod describe;
mod operation;
mod operations;
#[cfg(shm_seeded_bugs)]
mod seeded;
mod shard;
mod stores;
mod tracer;
mod view;
mod visit;
mod walk;

use std::sync::{Mutex, PoisonError};

use shard::Outcome;
use walk::Tally;

/// One test at a time: each uses all processors.
static ALONE: Mutex<()> = Mutex::new(());

/// At least so many operations in states of their own, and so many kills.
const PAIRS: usize = 200;
const KILLS: u64 = 200_000;
/// What operations are called that are short ones in the usual case.
const SHORT: &[&str] =
    &["append int", "set int", "insert int", "replace a text", "update two words", "add"];
/// At least so many kills of recoveries in full.
const NESTED_KILLS: u64 = 2_000_000;

fn in_full() -> bool {
    std::env::var_os("SHM_SOAK").is_some()
}

fn only() -> Option<String> {
    std::env::var("SHM_KILL_ONLY").ok()
}

/// Fails with what went wrong, if anything did; else the sum.
fn sum(what: &str, outcomes: &[Outcome]) -> Tally {
    let mut total = Tally::default();
    let mut bad = Vec::new();
    for (name, outcome) in outcomes {
        match outcome {
            Ok(tally) => total.add(*tally),
            Err(error) => bad.push(format!("{name}: {error}")),
        }
    }
    println!(
        "{what}: {} operations, {} kill points, {} states, {} bad",
        outcomes.len(),
        total.instructions,
        total.states,
        bad.len()
    );
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    total
}

#[test]
fn every_kill_point_recovers_to_before_or_after() {
    let name = "every_kill_point_recovers_to_before_or_after";
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // A sample here; every state in `make soak`.
    let stride = if in_full() || only().is_some() { 1 } else { 3 };
    let Some(outcomes) = shard::run(name, |_, operation| Some(walk::operation(operation, stride)))
    else {
        return;
    };
    let mut changing = 0;
    for (name, outcome) in &outcomes {
        if let Ok(Tally { instructions, states, before, after }) = outcome {
            println!(
                "{name:<60} {instructions:>7} kill points, {states:>4} states: {before} before, \
                 {after} after"
            );
            changing += usize::from(*before > 0 && *after > 0);
        }
    }
    let total = sum("kill points", &outcomes);
    println!("{changing} of the operations change what is seen");
    if only().is_none() {
        assert!(changing >= PAIRS && total.instructions >= KILLS, "too little was killed");
    }
}

#[test]
fn recovery_can_be_killed_at_every_instruction() {
    let name = "recovery_can_be_killed_at_every_instruction";
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // A sample here; states of every operation in `make soak`.
    let (stride, most) = if in_full() { (1, 1) } else { (24, 2) };
    // Of those that are asked for, more of what a kill leaves.
    let (stride, most) = if only().is_some() { (1, 12) } else { (stride, most) };
    let outcomes = shard::run(name, |index, operation| {
        index.is_multiple_of(stride).then(|| walk::recoveries(operation, most))
    });
    if let Some(outcomes) = outcomes {
        let total = sum("recovery", &outcomes);
        let least = if in_full() && only().is_none() { NESTED_KILLS } else { 1 };
        assert!(total.instructions >= least, "too little was killed");
    }
}

#[test]
fn a_second_process_finds_all_whole_or_waits_for_the_first() {
    let name = "a_second_process_finds_all_whole_or_waits_for_the_first";
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // A sample here and those that hold a stripe only; every operation in `make soak`.
    let stride = if in_full() || only().is_some() { 1 } else { 24 };
    let is_short = |name: &str| SHORT.iter().any(|short| name.starts_with(short));
    let outcomes = shard::run(name, |index, operation| {
        let chosen = index.is_multiple_of(stride) || is_short(&operation.name);
        // Nobody can create a segment in the place of one that has a visitor, be alone in it, or the last.
        let alone = ["create", "give back", "close, the last"]
            .iter()
            .any(|word| operation.name.starts_with(word));
        // Nor does a visitor find room for anything of its own in a full one.
        let alone = alone || operation.name.ends_with(operations::full::FULL);
        let can_come = !operation.damaged && !alone;
        (chosen && can_come).then(|| visit::visited(operation))
    });
    if let Some(outcomes) = outcomes {
        let total = sum("visits", &outcomes);
        println!("{} operations of a visitor waited for the stopped process", total.before);
        // Of those that are asked for, some may have no visitor, or none that has to wait.
        let visited = if only().is_some() {
            outcomes.is_empty() || total.states > 0
        } else {
            total.before > 0
        };
        assert!(visited, "nobody was visited");
    }
}
