//! Segments without a byte left: whatever only removes works, whoever comes can make room, queues can be
//! emptied, and what is compared is compared truly.
//!
//! Twice, as `full`: the ceiling is small, or the file system is.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod comers;
mod compare;
mod containers;
mod lists;
#[path = "../mount/mod.rs"]
mod mount;
mod queues;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use shm::{Error, Lifetime, List, Segment, SegmentOptions, Value};

const FOLDER: &str = "SHM_FULL_REMOVING_FOLDER";
const NOW: Option<Duration> = Some(Duration::ZERO);
const TEXT: &str = "a text of a length that takes a block of its own";

/// A segment that will be full, with a list for what fills it.
fn small() -> Segment {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let segment = match std::env::var_os(FOLDER) {
        None => Segment::create_anonymous(SegmentOptions::new().size(3 << 20)).unwrap(),
        Some(folder) => {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = PathBuf::from(folder).join(format!("full-{number}"));
            Segment::create(
                "",
                SegmentOptions::new().path(path).lifetime(Lifetime::Last).size(1 << 30),
            )
            .unwrap()
        }
    };
    let rest = segment.list([]).unwrap();
    rest.reserve(60_000).unwrap();
    segment.root().set("rest", &rest).unwrap();
    segment
}

#[test]
fn all_of_this_holds_likewise_where_the_file_system_is_full() {
    if std::env::var_os(FOLDER).is_none() {
        mount::run_again(FOLDER, c"size=4m");
    }
}

fn until_full(mut operation: impl FnMut() -> shm::Result<()>) {
    loop {
        match operation() {
            Ok(()) => {}
            Err(Error::SegmentFull { .. }) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Takes every block and every header; what takes them hangs from the root.
fn fill(segment: &Segment) {
    let Some(Value::List(rest)) = segment.root().get("rest").unwrap() else { panic!("a list") };
    let mut bytes = 60_000;
    // Shorter ones live in their cells.
    while bytes > 7 {
        until_full(|| rest.push(vec![1_u8; bytes]));
        bytes = bytes * 9 / 10;
    }
    until_full(|| rest.push(segment.list([])?));
}

fn assert_sound(segment: &Segment, what: &str) {
    let report = segment.check().unwrap();
    assert!(report.is_sound(), "{what}: {:#?}", report.findings);
}

fn text(number: i64) -> Value {
    format!("{TEXT} {number}").into()
}

/// Text, or a list of one, or a number.
fn item(segment: &Segment, kind: usize, number: i64) -> Value {
    match kind {
        0 => number.into(),
        1 => text(number),
        _ => segment.list_of([text(number)]).unwrap().into(),
    }
}

fn number_of(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        Value::List(list) => number_of(&list.get(0).unwrap().unwrap()),
        value => value.as_str().unwrap().rsplit(' ').next().unwrap().parse().unwrap(),
    }
}

/// A slice of a list or bytearray, as in Python.
type Bounds = (Option<i64>, Option<i64>, Option<i64>);

const SLICES: &[Bounds] = &[
    (None, None, None),
    (Some(500), None, None),
    (Some(100), None, None),
    (None, Some(600), None),
    (None, Some(20), None),
    (Some(300), Some(302), None),
    (Some(200), Some(700), None),
    (None, None, Some(2)),
    (Some(3), Some(-5), Some(7)),
    (None, None, Some(-3)),
    (Some(-2), Some(10), Some(-400)),
];

fn without(len: i64, (start, stop, step): Bounds) -> Vec<i64> {
    let step = step.unwrap_or(1);
    let place = |bound: Option<i64>, default: i64| match bound {
        None => default,
        Some(bound) if bound < 0 => bound + len,
        Some(bound) => bound.min(len),
    };
    let (from, to) = if step > 0 {
        (place(start, 0), place(stop, len))
    } else {
        (place(start, len - 1), place(stop, -1))
    };
    let gone = |position: i64| {
        let inside = if step > 0 {
            (from..to).contains(&position)
        } else {
            position <= from && position > to
        };
        inside && (position - from) % step == 0
    };
    (0..len).filter(|position| !gone(*position)).collect()
}

fn thousand(segment: &Segment, kind: usize) -> List {
    let list = segment.list([]).unwrap();
    segment.root().set("x", &list).unwrap();
    for number in 0..1000 {
        list.push(item(segment, kind, number)).unwrap();
    }
    list
}
