//! Walks spread over processes: a test starts its own binary once for each processor.
//!
//! Each process is single-threaded, so that a traced child inherits nothing but what its walk made.
//! It tells what its walks came to in lines on standard output.

use std::process::{Command, Stdio};
use std::thread;

use crate::corpse;
use crate::operation::Operation;
use crate::operations;
use crate::walk::Tally;

/// An operation's name, and what its walk came to or what it found.
pub(crate) type Outcome = (String, Result<Tally, String>);

const SHARD: &str = "SHM_KILL_SHARD";
const MARK: &str = "walked\t";

/// Runs `walk` on every operation that it wants, in the processes of the test of this name. `None`
/// in such a process, whose part is done then.
pub(crate) fn run(
    test: &str,
    walk: impl Fn(usize, &Operation) -> Option<Result<Tally, String>>,
) -> Option<Vec<Outcome>> {
    if let Ok(shard) = std::env::var(SHARD) {
        part(&shard, walk);
        return None;
    }
    let count = thread::available_parallelism().map_or(1, usize::from);
    let parts: Vec<thread::JoinHandle<String>> = (0..count)
        .map(|number| {
            let test = test.to_owned();
            thread::spawn(move || start(&test, number, count))
        })
        .collect();
    let mut outcomes = Vec::new();
    for part in parts {
        let output = part.join().expect("the thread only waits");
        outcomes.extend(output.lines().filter_map(read));
    }
    corpse::clean_up();
    outcomes.sort_by(|(one, _), (other, _)| one.cmp(other));
    Some(outcomes)
}

fn start(test: &str, number: usize, count: usize) -> String {
    let output = Command::new(std::env::current_exe().expect("the test knows its binary"))
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(SHARD, format!("{number}/{count}"))
        .stderr(Stdio::inherit())
        .output()
        .expect("the test's binary starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "a part of the walks failed: {}\n{text}", output.status);
    text
}

fn part(shard: &str, walk: impl Fn(usize, &Operation) -> Option<Result<Tally, String>>) {
    let (number, count) = shard.split_once('/').expect("number/count");
    let number: usize = number.parse().expect("a number");
    let count: usize = count.parse().expect("a count");
    let only = crate::only().unwrap_or_default();
    let chosen = operations::all().into_iter().filter(|operation| operation.name.contains(&only));
    for (index, operation) in chosen.enumerate().skip(number).step_by(count) {
        let Some(outcome) = walk(index / count, &operation) else { continue };
        match outcome {
            Ok(Tally { instructions, states, before, after }) => {
                println!("{MARK}{}\t{instructions}\t{states}\t{before}\t{after}", operation.name);
            }
            Err(error) => println!("{MARK}{}\t{}", operation.name, error.replace('\n', "\u{2028}")),
        }
    }
}

fn read(line: &str) -> Option<Outcome> {
    let (_, line) = line.split_once(MARK)?;
    let (name, rest) = line.split_once('\t')?;
    let numbers: Vec<u64> = rest.split('\t').filter_map(|number| number.parse().ok()).collect();
    let outcome = match numbers.as_slice() {
        [instructions, states, before, after] => Ok(Tally {
            instructions: *instructions,
            states: *states,
            before: *before,
            after: *after,
        }),
        _ => Err(rest.replace('\u{2028}', "\n")),
    };
    Some((name.to_owned(), outcome))
}
