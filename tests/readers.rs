//! Readers never lock and never see half an operation, while writers change everything.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shm::{Segment, SegmentOptions, Value};

const ROUNDS: usize = 3000;

/// Runs `write` a number of times while `read` runs over and over in two other threads.
fn race(write: impl Fn(usize) + Sync, read: impl Fn() + Sync) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    read();
                }
            });
        }
        for round in 0..ROUNDS {
            write(round);
        }
        over.store(true, Ordering::Relaxed);
    });
}

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(256 << 20)).unwrap()
}

fn long(round: usize) -> Value {
    format!("{round} {}", "x".repeat(round % 50)).into()
}

fn assert_equal(values: &[Value]) {
    if let Some(first) = values.first() {
        assert!(values.iter().all(|value| value == first), "{values:?}");
    }
}

fn assert_sound(segment: &Segment) {
    let report = segment.check().unwrap();
    assert!(report.is_sound(), "{:#?}", report.findings);
}

#[test]
fn a_list_is_seen_before_or_after_a_slice_assignment() {
    let segment = segment();
    let list = segment.list_of([0]).unwrap();
    race(
        |round| match round % 3 {
            0 => list.set_slice(None, None, None, vec![long(round); round % 70]).unwrap(),
            1 => list.set_slice(None, None, None, vec![(round, "y").into(); 200]).unwrap(),
            _ => list.repeat(2).unwrap(),
        },
        || {
            assert_equal(&list.to_vec().unwrap());
            assert_equal(&list.slice(Some(3), None, Some(2)).unwrap());
            list.get(5).unwrap();
        },
    );
    assert_sound(&segment);
}

#[test]
fn ends_and_middle_come_and_go_under_readers() {
    let segment = segment();
    let list = segment.list_of([0_i64; 0]).unwrap();
    race(
        |round| {
            list.push(round % 100).unwrap();
            list.push_front(long(round % 100)).unwrap();
            list.insert(round % 30, round % 100).unwrap();
            if round % 3 == 0 {
                list.pop().unwrap();
                list.pop_front().unwrap();
                list.remove(0).unwrap();
            }
            if round % 1000 == 999 {
                list.clear().unwrap();
            }
        },
        || {
            for item in list.iter().take(200) {
                let ok = match item.unwrap() {
                    Value::Int(number) => number < 100,
                    Value::Str(text) => text.contains(' '),
                    _ => false,
                };
                assert!(ok);
            }
            list.get_int(list.len().unwrap() + 10_000).unwrap();
        },
    );
    assert_sound(&segment);
}

#[test]
fn a_dict_is_seen_before_or_after_an_update() {
    let segment = segment();
    let dict = segment.dict([("a", 0)]).unwrap();
    let keys = ["a", "b", "a key that takes a block", "another key that takes a block"];
    race(
        |round| {
            dict.update(keys.map(|key| (key, long(round)))).unwrap();
            dict.set(round, "more").unwrap();
            dict.remove(round / 2).unwrap();
            if round % 200 == 199 {
                dict.replace_all(keys.map(|key| (key, round))).unwrap();
            }
        },
        || {
            let entries = dict.to_vec().unwrap();
            let values = entries.into_iter().filter(|(key, _)| keys.iter().any(|k| key == k));
            assert_equal(&values.map(|(_, value)| value).collect::<Vec<_>>());
            assert!(dict.get(keys[3]).unwrap().is_none_or(|value| value != "more"));
            assert!(dict.get_cell("a").is_ok());
        },
    );
    assert_sound(&segment);
}

#[test]
fn nested_containers_are_alive_when_they_are_handed_out() {
    let segment = segment();
    let root = segment.root();
    root.set("list", segment.list_of([1, 1]).unwrap()).unwrap();
    race(
        |round| {
            let list = segment.list_of(vec![long(round); 5]).unwrap();
            root.set("list", &list).unwrap();
        },
        || {
            let value = root.get("list").unwrap().unwrap();
            let list = value.as_list().unwrap();
            let items = list.to_vec().unwrap();
            assert!(items.len() == 5 || items.len() == 2);
            assert_equal(&items);
        },
    );
    assert_sound(&segment);
}

#[test]
fn additions_from_many_threads_all_count() {
    let segment = segment();
    let list = segment.list_of([0]).unwrap();
    let dict = segment.dict([("n", 0)]).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    list.add(0, 1).unwrap();
                    dict.add("n", 1).unwrap();
                    dict.add("a key that takes a block", 1).unwrap();
                }
            });
        }
    });
    let expected = Value::from(4 * ROUNDS);
    assert_eq!(list.get(0).unwrap(), Some(expected.clone()));
    assert_eq!(dict.get("n").unwrap(), Some(expected.clone()));
    assert_eq!(dict.get("a key that takes a block").unwrap(), Some(expected));
}
