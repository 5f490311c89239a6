//! Collection among processes: what others hold stays, and what they read is never disturbed.
//!
//! The other processes are this test binary again, in the role that an environment variable names.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use shm::{Error, List, Segment, SegmentOptions, Value};

const NAME: &str = "SHM_COLLECT_SEGMENT";
const READER: &str = "SHM_COLLECT_READER";
const WRITER: &str = "SHM_COLLECT_WRITER";
/// Lists that writers move others between, and how many of these.
const PLACES: usize = 64;
const MOVED: usize = 3000;
const RING: usize = 50;
/// A million; fewer where each takes ten times as long.
const GARBAGE: usize = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };
const LONG: &str = "a text that takes a block";

fn options() -> SegmentOptions {
    // Patient: a million objects take their time in a dev build on a busy machine.
    SegmentOptions::new().size(512 << 20).lock_timeout(Duration::from_mins(2))
}

fn start(segment: &Segment, role: &str, test: &str, number: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(NAME, segment.name())
        .env(role, number.to_string())
        .spawn()
        .unwrap()
}

fn start_reader(segment: &Segment, number: usize) -> Child {
    start(segment, READER, "reads_while_others_collect", number)
}

/// Waits until the root has a key.
fn wait_for(segment: &Segment, key: &str) {
    let started = Instant::now();
    while segment.root().get(key).unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_mins(2), "{key:?} never came");
        std::thread::yield_now();
    }
}

/// Lists in a circle, each `[next, text]`.
fn ring(segment: &Segment, len: usize) -> List {
    let first = segment.list_of([Value::None, LONG.into()]).unwrap();
    let mut last = first.clone();
    for _ in 1..len {
        last = segment.list_of([Value::from(&last), LONG.into()]).unwrap();
    }
    first.set(0, &last).unwrap();
    first
}

fn next(list: &List) -> List {
    let items = list.to_vec().unwrap();
    assert_eq!(items.len(), 2, "{items:?}");
    assert_eq!(items[1], Value::from(LONG));
    items[0].as_list().unwrap().clone()
}

fn assert_sound(segment: &Segment) {
    let report = segment.check().unwrap();
    assert!(report.is_sound(), "{:#?}", report.findings);
}

/// The role of the other processes; without one there is nothing to read.
#[test]
fn reads_while_others_collect() {
    let (Ok(name), Ok(number)) = (std::env::var(NAME), std::env::var(READER)) else { return };
    let segment = Segment::attach(&name, options()).unwrap();
    let root = segment.root();
    let ring = root.get(format!("ring {number}").as_str()).unwrap().unwrap();
    let mut held = ring.as_list().unwrap().clone();
    drop(ring);
    root.set(format!("ready {number}"), true).unwrap();
    let mut rounds = 0_usize;
    while root.get("stop").unwrap().is_none() {
        // From pin to pin: at each moment one object of the ring is held, and no other.
        held = next(&held);
        let live = root.get("live").unwrap().unwrap();
        let inner = live.as_list().unwrap().get(rounds % 100).unwrap().unwrap();
        assert_eq!(inner.as_list().unwrap().get(1).unwrap(), Some(LONG.into()));
        rounds += 1;
    }
    // All of the ring is still there.
    for _ in 0..RING {
        held = next(&held);
    }
}

#[test]
fn readers_go_on_while_a_large_cycle_is_collected() {
    let segment = Segment::create_anonymous(options()).unwrap();
    let root = segment.root();
    let live = segment.list([]).unwrap();
    for number in 0..100 {
        live.push(segment.list_of([Value::from(number), LONG.into()]).unwrap()).unwrap();
    }
    root.set("live", &live).unwrap();
    let garbage = ring(&segment, GARBAGE);
    let mut readers = Vec::new();
    for number in 0..2 {
        root.set(format!("ring {number}"), ring(&segment, RING)).unwrap();
        readers.push(start_reader(&segment, number));
        wait_for(&segment, &format!("ready {number}"));
        root.remove(format!("ring {number}").as_str()).unwrap();
    }
    for _ in 0..10 {
        assert_eq!(segment.gc().unwrap().objects, 0);
    }
    drop(garbage);
    assert_eq!(segment.gc().unwrap().objects, GARBAGE as u64);
    assert_sound(&segment);
    // Often, so that many scans of the pins meet a reader between two of them.
    for _ in 0..300 {
        assert_eq!(segment.gc().unwrap().objects, 0);
    }
    root.set("stop", true).unwrap();
    for reader in &mut readers {
        assert!(reader.wait().unwrap().success());
    }
    assert_eq!(segment.gc().unwrap().objects, 2 * RING as u64);
    assert_sound(&segment);
}

/// The role of processes that move what lives from where a walk comes to where it was.
#[test]
fn writes_while_others_collect() {
    let (Ok(name), Ok(number)) = (std::env::var(NAME), std::env::var(WRITER)) else { return };
    let segment = Segment::attach(&name, options()).unwrap();
    let root = segment.root();
    let places = root.get("places").unwrap().unwrap();
    let places: Vec<List> = places
        .as_list()
        .unwrap()
        .to_vec()
        .unwrap()
        .iter()
        .map(|place| place.as_list().unwrap().clone())
        .collect();
    let mut random = fastrand::Rng::with_seed(number.parse().unwrap());
    let mut pick = || &places[random.usize(..PLACES)];
    root.set(format!("ready {number}"), true).unwrap();
    let mut rounds = 0;
    while root.get("stop").unwrap().is_none() {
        let (from, to) = (pick(), pick());
        let Some(moved) = from.pop().unwrap() else { continue };
        // As it is, in a tuple, out of one, and in a fresh list: headers and blocks are used again.
        let inner = match &moved {
            Value::Tuple(items) => items[0].clone(),
            other => other.clone(),
        };
        match rounds % 3 {
            0 => to.push(inner).unwrap(),
            1 => to.push(Value::Tuple(vec![inner])).unwrap(),
            _ => {
                let old = inner.as_list().unwrap().to_vec().unwrap();
                to.push(segment.list_of(old).unwrap()).unwrap();
            }
        }
        let garbage = segment.list_of([LONG]).unwrap();
        garbage.push(&garbage).unwrap();
        rounds += 1;
    }
}

#[test]
fn nothing_that_writers_move_during_a_collection_is_lost() {
    let segment = Segment::create_anonymous(options()).unwrap();
    let root = segment.root();
    let places = segment.list([]).unwrap();
    for _ in 0..PLACES {
        places.push(segment.list([]).unwrap()).unwrap();
    }
    for number in 0..MOVED {
        let inner = segment.list_of([Value::from(number as i64), LONG.into()]).unwrap();
        let place = places.get(number % PLACES).unwrap().unwrap();
        place.as_list().unwrap().push(segment.list_of([&inner]).unwrap()).unwrap();
    }
    root.set("places", &places).unwrap();
    let mut writers: Vec<Child> = (0..2)
        .map(|number| start(&segment, WRITER, "writes_while_others_collect", number))
        .collect();
    (0..2).for_each(|number| wait_for(&segment, &format!("ready {number}")));
    let mut collected = 0;
    for _ in 0..100 {
        collected += segment.gc().unwrap().objects;
    }
    root.set("stop", true).unwrap();
    for writer in &mut writers {
        assert!(writer.wait().unwrap().success());
    }
    assert!(collected > 0, "the writers left no garbage meanwhile");
    segment.gc().unwrap();
    assert_sound(&segment);
    assert_eq!(segment.check().unwrap().garbage, 0);
    let mut found = Vec::new();
    for place in places.to_vec().unwrap() {
        for outer in place.as_list().unwrap().to_vec().unwrap() {
            let outer = match &outer {
                Value::Tuple(items) => items[0].clone(),
                other => other.clone(),
            };
            let inner = outer.as_list().unwrap().get(0).unwrap().unwrap();
            let items = inner.as_list().unwrap().to_vec().unwrap();
            assert_eq!(items[1], Value::from(LONG));
            found.push(items[0].as_int().unwrap());
        }
    }
    found.sort_unstable();
    assert_eq!(found, (0..MOVED as i64).collect::<Vec<_>>());
}

#[test]
fn killed_readers_hold_nothing() {
    let segment = Segment::create_anonymous(options()).unwrap();
    segment.root().set("live", segment.list_of([segment.list_of([0]).unwrap()]).unwrap()).unwrap();
    let live = segment.root().get("live").unwrap().unwrap();
    live.as_list()
        .unwrap()
        .set_slice(
            None,
            None,
            None,
            vec![(&segment.list_of([Value::from(1), LONG.into()]).unwrap()).into(); 100],
        )
        .unwrap();
    segment.root().set("ring 0", ring(&segment, RING)).unwrap();
    let mut reader = start_reader(&segment, 0);
    wait_for(&segment, "ready 0");
    segment.root().remove("ring 0").unwrap();
    assert_eq!(segment.gc().unwrap().objects, 0);
    reader.kill().unwrap();
    reader.wait().unwrap();
    assert_eq!(segment.gc().unwrap().objects, RING as u64);
    assert_sound(&segment);
}

#[test]
fn ids_are_closed_once_their_object_was_collected() {
    let segment = Segment::create_anonymous(options()).unwrap();
    let other = Segment::attach(segment.name(), options()).unwrap();
    let id = ring(&segment, 3).id();
    let Ok(Value::List(found)) = other.object(id) else { panic!("{id:#x} is gone too early") };
    assert_eq!(segment.gc().unwrap().objects, 0);
    assert_eq!(next(&next(&next(&found))).id(), id);
    drop(found);
    assert_eq!(segment.gc().unwrap().objects, 3);
    assert!(matches!(other.object(id), Err(Error::Closed { .. })));
}

#[test]
fn a_full_segment_is_collected_before_it_says_so() {
    let segment = Segment::create_anonymous(SegmentOptions::new().size(8 << 20)).unwrap();
    // Far more than fits, all of it garbage.
    for _ in 0..40 {
        let list = segment.list([]).unwrap();
        list.push(&list).unwrap();
        list.push(vec![7_u8; 1 << 20]).unwrap();
    }
    for _ in 0..200_000 {
        let list = segment.list([]).unwrap();
        list.push(&list).unwrap();
    }
    assert_sound(&segment);
}
