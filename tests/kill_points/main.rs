//! Kill at every instruction: each state that a kill can leave recovers to before or after.
//!
//! A forked child performs one operation under ptrace, single-stepped. After each instruction the
//! tracer compares the segment with what it was; each new state is copied to a file, its
//! participants are marked dead as the kernel would have, and a fresh attachment recovers it. Then
//! the content must be the one before or the one after the operation, the checker must find nothing
//! wrong (bitmaps, counts, pins, locks, lost blocks), and an ordinary write must go on working.
//!
//! An operation joins by a line in `operations.rs`: set-up, step, name. Meant for the release
//! build (`cargo test --release --test kill_points`), which is what users run.

mod operations;
mod snapshot;
mod structs;
mod tracer;

use operations::Operation;

/// Everything that is killed.
fn operations() -> impl Iterator<Item = &'static Operation> {
    operations::OPERATIONS.iter().chain(structs::OPERATIONS)
}

/// What one operation's walk came to.
#[derive(Default)]
struct Tally {
    instructions: u64,
    states: u64,
    before: u64,
    after: u64,
}

/// States of one operation whose recovery is killed in turn, evenly spread.
const NESTED_STATES: usize = 3;

/// Every distinct state of an operation, in order.
fn states_of(operation: &Operation) -> Result<Vec<Vec<u8>>, String> {
    let path = snapshot::fresh_path("live");
    let mut states: Vec<Vec<u8>> = Vec::new();
    let outcome = tracer::single_step(
        &path,
        || operations::prepare(&path, operation),
        |image| {
            if states.last().is_none_or(|last| last != image) {
                states.push(image.to_vec());
            }
            Ok(())
        },
    );
    snapshot::remove(&path);
    outcome.map(|()| states)
}

/// Kills the recovery of one state at every instruction.
fn walk_recovery(operation: &Operation, image: &[u8]) -> Result<Tally, String> {
    let expected = snapshot::expected(operation)?;
    let path = snapshot::fresh_path("nested");
    snapshot::write_dead(image, &path)?;
    let mut tally = Tally::default();
    let mut last = Vec::new();
    let outcome = tracer::single_step(
        &path,
        || || snapshot::attach_and_look(&path),
        |image| {
            tally.instructions += 1;
            if image == last.as_slice() {
                return Ok(());
            }
            last.clear();
            last.extend_from_slice(image);
            tally.states += 1;
            let found = snapshot::recover(image)?;
            if expected.contains(&found) {
                Ok(())
            } else {
                Err(format!("recovery killed after instruction {}: {found}", tally.instructions))
            }
        },
    );
    snapshot::remove(&path);
    outcome.map(|()| tally).map_err(|error| format!("{}: {error}", operation.name))
}

fn walk(operation: &Operation) -> Result<Tally, String> {
    let [before, after] = snapshot::expected(operation)?;
    if before == after {
        return Err(format!("{}: the step changes nothing: {before}", operation.name));
    }
    let mut tally = Tally::default();
    let path = snapshot::fresh_path("live");
    let mut last = Vec::new();
    let outcome = tracer::single_step(
        &path,
        || operations::prepare(&path, operation),
        |image| {
            tally.instructions += 1;
            if image == last.as_slice() {
                return Ok(());
            }
            last.clear();
            last.extend_from_slice(image);
            tally.states += 1;
            let found = snapshot::recover(image).map_err(|error| {
                format!("{}: instruction {}: {error}", operation.name, tally.instructions)
            })?;
            if found == before {
                tally.before += 1;
            } else if found == after {
                tally.after += 1;
            } else {
                return Err(format!(
                    "{}: killed after instruction {}: recovers to\n  {found}\nneither before\n  \
                     {before}\nnor after\n  {after}",
                    operation.name, tally.instructions
                ));
            }
            Ok(())
        },
    );
    snapshot::remove(&path);
    outcome?;
    if tally.before == 0 || tally.after == 0 {
        return Err(format!(
            "{}: saw {} states before and {} after: the walk missed the operation",
            operation.name, tally.before, tally.after
        ));
    }
    Ok(tally)
}

#[test]
fn every_kill_point_recovers_to_before_or_after() {
    let mut total = Tally::default();
    let mut failures = Vec::new();
    for operation in operations() {
        match walk(operation) {
            Ok(tally) => {
                println!(
                    "{:<32} {:>7} kill points, {:>4} states: {} before, {} after",
                    operation.name, tally.instructions, tally.states, tally.before, tally.after
                );
                total.instructions += tally.instructions;
                total.states += tally.states;
            }
            Err(failure) => failures.push(failure),
        }
    }
    println!(
        "{} operations, {} kill points, {} states, {} bad",
        operations().count(),
        total.instructions,
        total.states,
        failures.len()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn recovery_can_be_killed_at_every_instruction() {
    let mut total = Tally::default();
    let mut failures = Vec::new();
    // Sampled here; every state of every operation in `make soak`.
    let all = std::env::var_os("SHM_SOAK").is_some();
    let stride = if all { 1 } else { 6 };
    for operation in operations().step_by(stride) {
        let states = match states_of(operation) {
            Ok(states) => states,
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        let step = if all { 1 } else { (states.len() / NESTED_STATES).max(1) };
        for image in states.iter().skip(step / 2).step_by(step) {
            match walk_recovery(operation, image) {
                Ok(tally) => {
                    total.instructions += tally.instructions;
                    total.states += tally.states;
                }
                Err(failure) => failures.push(failure),
            }
        }
    }
    println!(
        "recovery: {} kill points, {} states, {} bad",
        total.instructions,
        total.states,
        failures.len()
    );
    assert!(total.instructions > 0);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
