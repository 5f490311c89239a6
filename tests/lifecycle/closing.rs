//! Closing in one thread while others of the process are at work, and another attachment is too.
//!
//! Each operation of theirs happens wholly, and says so, or is `Closed` and did not happen; and nothing of
//! what the others have is touched once this one's handles keep nothing alive any more.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use shm::{Dict, Error, List, Segment, Shared, Value};

use crate::{alone, assert_clean, fresh_name, small};

const WORKERS: usize = 3;
const LISTS: usize = 40;

#[derive(Shared, Clone, Debug, PartialEq)]
struct Pair {
    left: i64,
    right: i64,
}

fn text(number: usize) -> String {
    format!("a text that does not fit into a cell, {number}")
}

fn list(segment: &Segment, key: &str) -> List {
    match segment.root().get(key).unwrap() {
        Some(Value::List(list)) => list,
        other => panic!("{key}: {other:?}"),
    }
}

/// What a worker does over and over, having come to a start with the others; the error that ends it.
fn work(segment: &Segment, number: usize, start: &Barrier, done: &AtomicU64) -> shm::Result<()> {
    let counts: Dict = segment.root();
    let lists = list(segment, "lists");
    let pair = counts.get_as::<Pair>("pair")?.unwrap();
    let own = list(segment, &format!("own {number}"));
    start.wait();
    for round in 0.. {
        counts.add("n", 1)?;
        done.fetch_add(1, Ordering::Relaxed);
        // Handles of what others replace all the time.
        let inner = lists.get((round * 7 + number) % LISTS)?;
        if let Some(Value::List(inner)) = inner {
            inner.push(text(round))?;
            inner.set(0, round as i64)?;
            if inner.len()? > 20 {
                inner.del_slice(Some(2), None, None)?;
            }
        }
        pair.set_left(round as i64)?;
        pair.store(&Pair { left: round as i64, right: -(round as i64) })?;
        own.push(text(number))?;
        own.set(0, text(round))?;
        own.add(1, 1)?;
        if own.len()? > 50 {
            own.del_slice(Some(2), None, None)?;
        }
    }
    Ok(())
}

/// Replaces what the workers hold handles of, and takes memory and gives it back.
fn disturb(segment: &Segment, end: &AtomicBool) {
    let lists = list(segment, "lists");
    let root = segment.root();
    for round in 0.. {
        if end.load(Ordering::Relaxed) {
            break;
        }
        let fresh = segment.list_of([Value::Int(0), text(round).into()]).unwrap();
        lists.set(round % LISTS, &fresh).unwrap();
        let dict = segment.dict([("number", Value::from(round as i64))]).unwrap();
        root.set("passing", &dict).unwrap();
        assert_eq!(dict.get("number").unwrap(), Some(Value::Int(round as i64)));
        assert_eq!(dict.len().unwrap(), 1);
    }
}

#[test]
fn threads_that_outlive_an_attachment_leave_their_slots_to_the_next_one() {
    const ROUNDS: i64 = 12;
    alone(|| {
        let keeper = Segment::create(&fresh_name(), small()).unwrap();
        let list = keeper.list_of([0]).unwrap();
        let id = list.id();
        let taken = || {
            use std::os::unix::fs::MetadataExt;
            std::fs::metadata(keeper.path().unwrap()).unwrap().blocks()
        };
        let (start, end) = (Barrier::new(WORKERS + 1), Barrier::new(WORKERS + 1));
        let visitor = std::sync::Mutex::new(None::<Segment>);
        let mut before = 0;
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        start.wait();
                        let visitor = visitor.lock().unwrap().clone().unwrap();
                        let Value::List(list) = visitor.object(id).unwrap() else { return };
                        list.add(0, 1).unwrap();
                        drop(list);
                        end.wait();
                    }
                });
            }
            for round in 0..ROUNDS {
                let fresh = Segment::attach(keeper.name(), small()).unwrap();
                *visitor.lock().unwrap() = Some(fresh.clone());
                start.wait();
                end.wait();
                *visitor.lock().unwrap() = None;
                fresh.close().unwrap();
                if round == 2 {
                    before = taken();
                }
            }
        });
        assert_eq!(list.get_int(0).unwrap(), Some(ROUNDS * WORKERS as i64));
        // Each thread would have taken a log and a cache more in each round.
        assert_eq!(taken(), before);
        assert_clean(&keeper);
    });
}

#[test]
fn closing_under_the_hands_of_other_threads_harms_nobody_else() {
    // More, for a long run: SHM_ROUNDS=1000.
    let rounds = std::env::var("SHM_ROUNDS").map_or(25, |rounds| rounds.parse().unwrap());
    alone(move || {
        let keeper = Segment::create(&fresh_name(), small().size(8 << 20)).unwrap();
        let root = keeper.root();
        let lists: Vec<_> = (0..LISTS).map(|_| keeper.list_of([0]).unwrap()).collect();
        root.set("lists", keeper.list_of(&lists).unwrap()).unwrap();
        drop(lists);
        for number in 0..WORKERS {
            let own = keeper.list_of([Value::from(text(number)), 0.into()]).unwrap();
            root.set(format!("own {number}").as_str(), &own).unwrap();
        }
        root.set("pair", keeper.alloc(Pair { left: 0, right: 0 }).unwrap()).unwrap();
        root.set("n", 0).unwrap();
        let (end, done) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            let _end = crate::SetAtEnd(&end);
            scope.spawn(|| disturb(&keeper, &end));
            for round in 0..rounds {
                let visitor = Segment::attach(keeper.name(), small()).unwrap();
                // Their pins take closing some operations.
                let held: Vec<_> = (0..200).map(|_| visitor.list_of([1]).unwrap()).collect();
                let start = Barrier::new(WORKERS + 1);
                thread::scope(|scope| {
                    let (visitor, start, done) = (&visitor, &start, &done);
                    let workers: Vec<_> = (0..WORKERS)
                        .map(|number| scope.spawn(move || work(visitor, number, start, done)))
                        .collect();
                    start.wait();
                    let before = done.load(Ordering::Relaxed);
                    while done.load(Ordering::Relaxed) < before + 50 {
                        thread::yield_now();
                    }
                    visitor.close().unwrap();
                    for worker in workers {
                        let ended = worker.join().unwrap();
                        let closed = matches!(ended, Err(Error::Closed { .. }));
                        assert!(closed, "round {round}: {ended:?}");
                    }
                });
                drop(held);
                let report = keeper.check().unwrap();
                assert!(report.is_sound(), "round {round}: {:#?}", report.findings);
                let counted = root.get("n").unwrap();
                assert_eq!(
                    counted,
                    Some((done.load(Ordering::Relaxed) as i64).into()),
                    "round {round}"
                );
            }
        });
        root.remove("passing").unwrap();
        let clean = keeper.gc().unwrap();
        assert_eq!(clean.objects, 0);
        assert_clean(&keeper);
    });
}
