//! Memory after long use: processes replace values of random sizes and are killed on the way.
//!
//! The other processes are this test binary again. What is taken at the end is what a fresh segment
//! with the same content takes: nothing is lost to kills, nothing leaks through replacement.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use shm::{List, Segment, SegmentOptions, Value};

const NAME: &str = "SHM_CHURN_SEGMENT";
const ROLE: &str = "SHM_CHURN_ROLE";
const PROCESSES: usize = 4;
const ITEMS: usize = 2000;
/// Replacements in all: `SHM_CHURN` sets another number (`make soak`: ten million).
const REPLACEMENTS: u64 = 200_000;
/// A kill after so many of them.
const KILL_EVERY: u64 = 10_000;

fn replacements() -> u64 {
    std::env::var("SHM_CHURN").ok().and_then(|text| text.parse().ok()).unwrap_or(REPLACEMENTS)
}

/// Mostly small, some of whole pages.
fn random_value() -> Value {
    let bytes = match fastrand::u32(0..1000) {
        0 => fastrand::usize(40_000..200_000),
        1..50 => fastrand::usize(1000..20_000),
        _ => fastrand::usize(8..500),
    };
    match fastrand::u32(0..4) {
        0 => "x".repeat(bytes).into(),
        1 => (fastrand::i64(..), vec![7_u8; bytes]).into(),
        _ => vec![7_u8; bytes].into(),
    }
}

fn items_of(segment: &Segment) -> List {
    segment.root().get("items").unwrap().unwrap().as_list().unwrap().clone()
}

#[test]
fn work_of_a_child() {
    let (Ok(name), Ok(role)) = (std::env::var(NAME), std::env::var(ROLE)) else { return };
    let segment = Segment::attach(&name, SegmentOptions::new()).unwrap();
    let root = segment.root();
    if role == "handles" {
        let held: Vec<List> =
            (0..100_000).map(|number| segment.list_of([number]).unwrap()).collect();
        root.insert("ready", held.len() as i64).unwrap();
        loop {
            std::thread::park();
        }
    }
    let items = items_of(&segment);
    loop {
        items.set(fastrand::usize(0..ITEMS), random_value()).unwrap();
        root.add("count", 1).unwrap();
    }
}

fn start(segment: &Segment, role: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "work_of_a_child", "--nocapture"])
        .env(NAME, segment.name())
        .env(ROLE, role)
        .spawn()
        .unwrap()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn number(segment: &Segment, key: &str) -> u64 {
    segment.root().get(key).unwrap().and_then(|value| value.as_int()).unwrap_or(0) as u64
}

#[test]
fn replacing_leaves_what_a_fresh_segment_would_take() {
    let options = || SegmentOptions::new().size(1 << 30);
    let segment = Segment::create_anonymous(options()).unwrap();
    let first: Vec<Value> = (0..ITEMS).map(|_| random_value()).collect();
    segment.root().insert("items", segment.list_of(first).unwrap()).unwrap();
    segment.root().insert("count", 0).unwrap();
    let mut children: Vec<Child> = (0..PROCESSES).map(|_| start(&segment, "worker")).collect();
    let mut kills = 0;
    while number(&segment, "count") < replacements() {
        let next = number(&segment, "count") + KILL_EVERY;
        let deadline = Instant::now() + Duration::from_mins(2);
        while number(&segment, "count") < next.min(replacements()) {
            assert!(Instant::now() < deadline, "nobody replaces anything any more");
            std::thread::yield_now();
        }
        let victim = fastrand::usize(0..PROCESSES);
        kill(std::mem::replace(&mut children[victim], start(&segment, "worker")));
        kills += 1;
    }
    children.into_iter().for_each(kill);
    segment.reap().unwrap();
    segment.gc().unwrap();
    let report = segment.check().unwrap();
    assert!(report.is_sound() && report.garbage == 0, "{report:?}");
    let fresh = Segment::create_anonymous(options()).unwrap();
    let content = items_of(&segment).to_vec().unwrap();
    fresh.root().insert("items", fresh.list_of(content).unwrap()).unwrap();
    fresh.root().insert("count", 0).unwrap();
    let (taken, least) = (segment.stats().unwrap().taken, fresh.check().unwrap().bytes);
    println!(
        "{} replacements, {kills} kills: {taken} bytes taken, {least} by a fresh segment with the \
         same content; {} pages free in {} runs",
        replacements(),
        segment.stats().unwrap().free_pages,
        segment.stats().unwrap().free_runs,
    );
    assert!(taken * 100 <= least * 105, "{taken} bytes, a fresh segment takes {least}");
}

#[test]
fn a_process_killed_with_many_handles_leaves_nothing() {
    let segment = Segment::create_anonymous(SegmentOptions::new().size(1 << 28)).unwrap();
    segment.root().insert("ready", 0).unwrap();
    let before = segment.check().unwrap();
    let child = start(&segment, "handles");
    let deadline = Instant::now() + Duration::from_mins(2);
    while number(&segment, "ready") == 0 {
        assert!(Instant::now() < deadline, "the child did not get ready");
        std::thread::yield_now();
    }
    assert!(segment.check().unwrap().objects >= before.objects + 100_000);
    kill(child);
    assert_eq!(segment.reap().unwrap(), 1);
    let after = segment.check().unwrap();
    assert!(after.is_sound(), "{after:?}");
    assert_eq!((after.objects, after.garbage), (before.objects, 0));
    assert_eq!(after.blocks, before.blocks);
}
