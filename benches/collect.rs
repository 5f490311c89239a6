//! How long writers wait for a collection: a million live objects, while nobody writes and while
//! somebody does, then a million of garbage.
//!
//! `cargo bench --bench collect`, or with another number of objects and a word of the shape's name:
//! `cargo bench --bench collect -- 10000000 dicts`. The bar: at most 60 ms per million live objects.
#![allow(clippy::cast_precision_loss, reason = "figures of a bench")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use shm::{List, Result, Segment, SegmentOptions, Value};

const OBJECTS: u64 = 1_000_000;
const ROUNDS: usize = 7;
/// Lists that the one who writes meanwhile pushes to and pops from, among all others.
const CHANGED: usize = 1000;

type Build = fn(&Segment, u64) -> Result<List>;

const SHAPES: [(&str, Build); 3] = [
    ("lists of 10 lists", nested),
    ("dicts of an int and a dict", dicts),
    ("lists referring to others at random", scattered),
];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let objects = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(OBJECTS);
    let words = || args.iter().filter(|arg| arg.parse::<u64>().is_err());
    for (name, build) in SHAPES {
        if words().all(|word| name.contains(word.as_str())) {
            measure(name, build, objects)?;
        }
    }
    Ok(())
}

fn measure(name: &str, build: Build, objects: u64) -> Result<()> {
    let size = (objects * 2048).max(64 << 20);
    let segment = Segment::create_anonymous(SegmentOptions::new().size(size))?;
    let top = build(&segment, objects)?;
    println!("{name}: {} live objects", segment.gc()?.live);
    report("nobody writes", &rounds(&segment)?);
    let stop = AtomicBool::new(false);
    let (quiet, changed) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(&segment, &top, &stop));
        let quiet = rounds(&segment);
        stop.store(true, Ordering::Relaxed);
        (quiet, writer.join())
    });
    report("one writes", &quiet?);
    let (operations, longest) = changed.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    println!(
        "    {operations} operations of the one who writes, the longest took {:.1} ms",
        longest.as_secs_f64() * 1e3
    );
    segment.gc()?;
    top.push(&top)?;
    drop(top);
    let started = Instant::now();
    let collected = segment.gc()?;
    println!(
        "  {} objects ({} MiB) collected: pause {:.1} ms ({:.1} ms per million), {:.0} ms in all",
        collected.objects,
        collected.bytes >> 20,
        collected.pause.as_secs_f64() * 1e3,
        collected.pause.as_secs_f64() * 1e9 / collected.objects as f64,
        started.elapsed().as_secs_f64() * 1e3,
    );
    Ok(())
}

/// Pause in ms per million live objects, and ms in all, of each round.
fn rounds(segment: &Segment) -> Result<Vec<(f64, f64)>> {
    let round = |_| {
        let started = Instant::now();
        let collected = segment.gc()?;
        let pause = collected.pause.as_secs_f64() * 1e9 / collected.live as f64;
        Ok((pause, started.elapsed().as_secs_f64() * 1e3))
    };
    (0..ROUNDS).map(round).collect()
}

fn report(name: &str, rounds: &[(f64, f64)]) {
    let mut pauses: Vec<f64> = rounds.iter().map(|(pause, _)| *pause).collect();
    let mut in_all: Vec<f64> = rounds.iter().map(|(_, in_all)| *in_all).collect();
    pauses.sort_by(f64::total_cmp);
    in_all.sort_by(f64::total_cmp);
    println!(
        "  {name}: pause {:.1} ms per million ({:.1} to {:.1}), {:.0} ms in all",
        pauses[ROUNDS / 2],
        pauses[0],
        pauses[ROUNDS - 1],
        in_all[ROUNDS / 2]
    );
}

/// Changes the list on top and some of those below until told to stop; how often, and the longest wait.
fn write(segment: &Segment, top: &List, stop: &AtomicBool) -> Result<(u64, Duration)> {
    let len = top.len()?;
    let mut changed = vec![top.clone()];
    for number in 0..CHANGED {
        if let Some(Value::List(list)) = top.get(number * len / CHANGED)? {
            changed.push(list);
        }
    }
    let fresh = segment.list_of([1])?;
    let (mut operations, mut longest) = (0, Duration::ZERO);
    for list in changed.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let started = Instant::now();
        list.push(&fresh)?;
        longest = longest.max(started.elapsed());
        list.pop()?;
        operations += 2;
    }
    Ok((operations, longest))
}

fn nested(segment: &Segment, objects: u64) -> Result<List> {
    let top = segment.list([])?;
    for _ in 0..objects / 11 {
        let inner = segment.list([])?;
        for number in 0..10 {
            inner.push(&segment.list_of([number, number])?)?;
        }
        top.push(&inner)?;
    }
    Ok(top)
}

fn dicts(segment: &Segment, objects: u64) -> Result<List> {
    let top = segment.list([])?;
    for number in 0..objects as i64 / 2 {
        let inner = segment.dict([("n", number)])?;
        top.push(&segment.dict([("n", Value::from(1)), ("d", (&inner).into())])?)?;
    }
    Ok(top)
}

fn scattered(segment: &Segment, objects: u64) -> Result<List> {
    let top = segment.list([])?;
    let mut random = fastrand::Rng::with_seed(1);
    let mut known: Vec<List> = Vec::new();
    for _ in 0..objects {
        let list = segment.list([])?;
        if !known.is_empty() {
            list.push(&known[random.usize(..known.len())])?;
        }
        top.push(&list)?;
        if known.len() < 100_000 {
            known.push(list);
        } else {
            let index = random.usize(..known.len());
            known[index] = list;
        }
    }
    Ok(top)
}
