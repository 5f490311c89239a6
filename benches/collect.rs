//! How long writers wait for a collection: a million live objects, then a million of garbage.
//!
//! `cargo bench --bench collect`. The bar: at most 60 ms per million live objects.
#![allow(clippy::cast_precision_loss, reason = "figures of a bench")]

use std::time::Instant;

use shm::{List, Result, Segment, SegmentOptions, Value};

const OBJECTS: u64 = 1_000_000;
const ROUNDS: u32 = 7;

fn main() -> Result<()> {
    for (name, build) in [
        ("lists of 10 lists", nested as fn(&Segment) -> Result<List>),
        ("dicts of an int and a dict", dicts),
        ("lists referring to others at random", scattered),
    ] {
        let segment = Segment::create_anonymous(SegmentOptions::new().size(2 << 30))?;
        let top = build(&segment)?;
        let mut best = f64::MAX;
        let mut live = 0;
        for _ in 0..ROUNDS {
            let collected = segment.gc()?;
            live = collected.live;
            best = best.min(collected.pause.as_secs_f64() * 1e3);
        }
        top.push(&top)?;
        drop(top);
        let started = Instant::now();
        let collected = segment.gc()?;
        println!(
            "{name}: {live} live objects, pause {best:.1} ms ({:.1} ms per million); {} objects \
             ({} MiB) collected, pause {:.1} ms, {:.0} ms in all",
            best * 1e6 / live as f64,
            collected.objects,
            collected.bytes >> 20,
            collected.pause.as_secs_f64() * 1e3,
            started.elapsed().as_secs_f64() * 1e3,
        );
    }
    Ok(())
}

fn nested(segment: &Segment) -> Result<List> {
    let top = segment.list::<Value>([])?;
    for _ in 0..OBJECTS / 11 {
        let inner = segment.list::<Value>([])?;
        for number in 0..10 {
            inner.push(&segment.list([number, number])?)?;
        }
        top.push(&inner)?;
    }
    Ok(top)
}

fn dicts(segment: &Segment) -> Result<List> {
    let top = segment.list::<Value>([])?;
    for number in 0..OBJECTS as i64 / 2 {
        let inner = segment.dict([("n", number)])?;
        top.push(&segment.dict([("n", Value::from(1)), ("d", (&inner).into())])?)?;
    }
    Ok(top)
}

fn scattered(segment: &Segment) -> Result<List> {
    let top = segment.list::<Value>([])?;
    let mut random = fastrand::Rng::with_seed(1);
    let mut known: Vec<List> = Vec::new();
    for _ in 0..OBJECTS {
        let list = segment.list::<Value>([])?;
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
