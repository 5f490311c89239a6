//! Locks of containers: other writers wait, readers do not; deaths, cycles, and the memory of the lock.
//!
//! Workers are this test binary again, started for one role by an environment variable.

#![allow(unsafe_code, reason = "a worker kills itself")]
#![allow(clippy::unwrap_used, reason = "a worker that fails is a failed test")]

use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shm::{Dict, Error, List, Result, Segment, SegmentOptions, Shared, Value};

const LONG: Option<Duration> = Some(Duration::from_secs(30));
const ROUNDS: i64 = 3_000;

/// A write of a container.
type Write = fn(&Value) -> Result<()>;

fn fresh_with(options: SegmentOptions) -> Segment {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Segment::create(&format!("shm-hold-{}-{number}", std::process::id()), options).unwrap()
}

fn fresh() -> Segment {
    fresh_with(SegmentOptions::new().size(8 << 20))
}

fn counters(segment: &Segment) -> Result<Dict> {
    match segment.root().get("counters")? {
        Some(Value::Dict(dict)) => Ok(dict),
        other => panic!("{other:?}"),
    }
}

fn number(value: Option<Value>) -> i64 {
    match value {
        Some(Value::Int(number)) => number,
        other => panic!("{other:?}"),
    }
}

fn length(value: &Value) -> Result<usize> {
    match value {
        Value::List(list) => list.len(),
        Value::Dict(dict) => dict.len(),
        Value::Set(set) => set.len(),
        Value::ByteArray(bytes) => bytes.len(),
        other => panic!("{other:?}"),
    }
}

fn start(segment: &Segment, role: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["a_worker_plays_its_role", "--exact", "--nocapture", "--test-threads=1"])
        .env("SHM_HOLD_ROLE", role)
        .env("SHM_HOLD_SEGMENT", segment.name())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_worker_plays_its_role() {
    let Ok(role) = std::env::var("SHM_HOLD_ROLE") else { return };
    let name = std::env::var("SHM_HOLD_SEGMENT").unwrap();
    let segment = Segment::attach(&name, SegmentOptions::new()).unwrap();
    let dict = counters(&segment).unwrap();
    let lock = dict.lock().unwrap();
    match role.as_str() {
        "read and write under the lock" => {
            for _ in 0..ROUNDS {
                let _held = lock.acquire(LONG).unwrap();
                let seen = number(dict.get("n").unwrap());
                dict.set("n", seen + 1).unwrap();
            }
        }
        "add and know no lock" => {
            for _ in 0..ROUNDS {
                dict.add("n", 1).unwrap();
            }
        }
        "die inside" => {
            std::mem::forget(lock.acquire(LONG).unwrap());
            dict.set("n", 7).unwrap();
            // SAFETY: kills this process, which is a worker.
            unsafe { libc::raise(libc::SIGKILL) };
        }
        other => panic!("no role {other:?}"),
    }
}

#[test]
fn what_is_read_and_written_under_the_lock_loses_nothing_to_writers_that_know_no_lock() {
    let segment = fresh();
    segment.root().insert("counters", segment.dict([("n", 0)]).unwrap()).unwrap();
    let roles = ["read and write under the lock", "add and know no lock"];
    let mut workers: Vec<_> = (0..4).map(|index| start(&segment, roles[index % 2])).collect();
    for worker in &mut workers {
        assert!(worker.wait().unwrap().success());
    }
    assert_eq!(number(counters(&segment).unwrap().get("n").unwrap()), 4 * ROUNDS);
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn a_dead_holder_stops_no_writer_and_the_next_one_who_asks_is_told() {
    let segment = fresh();
    let dict = segment.dict([("n", 0)]).unwrap();
    segment.root().insert("counters", &dict).unwrap();
    assert!(!start(&segment, "die inside").wait().unwrap().success());
    let started = Instant::now();
    assert_eq!(dict.add("n", 1).unwrap(), Value::Int(8));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    let lock = dict.lock().unwrap();
    assert!(lock.acquire(LONG).unwrap().owner_died());
    assert!(!lock.acquire(LONG).unwrap().owner_died());
}

#[test]
fn other_writers_wait_and_readers_do_not() {
    let segment = fresh();
    let kinds: [(&str, Value, Write); 4] = [
        ("list", segment.list_of([1]).unwrap().into(), |value| match value {
            Value::List(list) => list.push(2),
            _ => Ok(()),
        }),
        ("dict", segment.dict([("n", 1)]).unwrap().into(), |value| match value {
            Value::Dict(dict) => dict.set("n", 2),
            _ => Ok(()),
        }),
        ("set", segment.set([1]).unwrap().into(), |value| match value {
            Value::Set(set) => set.add(2).map(drop),
            _ => Ok(()),
        }),
        ("bytearray", segment.bytearray(b"1").unwrap().into(), |value| match value {
            Value::ByteArray(bytes) => bytes.extend(b"2"),
            _ => Ok(()),
        }),
    ];
    for (kind, value, write) in kinds {
        let lock = match &value {
            Value::List(list) => list.lock(),
            Value::Dict(dict) => dict.lock(),
            Value::Set(set) => set.lock(),
            Value::ByteArray(bytes) => bytes.lock(),
            _ => unreachable!(),
        }
        .unwrap();
        let is_done = AtomicBool::new(false);
        let held = lock.acquire(None).unwrap();
        let inner = lock.acquire(None).unwrap();
        drop(inner);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let result = write(&value);
                is_done.store(true, Ordering::SeqCst);
                result
            });
            // It waits for the whole of this: how long that is does not matter.
            let until = Instant::now() + Duration::from_millis(20);
            while Instant::now() < until {
                assert_eq!(length(&value).unwrap(), 1, "readers of a {kind} do not wait");
                assert!(!is_done.load(Ordering::SeqCst), "a {kind} was written while it was held");
            }
            // The holder itself writes.
            write(&value).unwrap();
            assert!(!is_done.load(Ordering::SeqCst), "{kind}");
            drop(held);
            writer.join().unwrap().unwrap();
        });
        assert!(!lock.is_held().unwrap(), "{kind}");
    }
    assert!(segment.check().unwrap().is_sound());
}

#[derive(Shared, Debug, Clone, Copy, PartialEq)]
#[shared(name = "hold.Reading")]
struct Reading {
    count: u64,
    level: f64,
}

#[test]
fn the_short_ways_of_writing_wait_too() {
    let segment =
        fresh_with(SegmentOptions::new().size(8 << 20).lock_timeout(Duration::from_millis(30)));
    let texts = ["a text of a block of its own", "another text of that length"];
    let list = segment.list_of(texts).unwrap();
    let dict = segment.dict([(1, texts[0])]).unwrap();
    let reading = segment.alloc(Reading { count: 1, level: 0.5 }).unwrap();
    segment.root().insert("reading", &reading).unwrap();
    let record = segment.root().get("reading").unwrap().unwrap();
    let Value::Record(record) = record else { panic!("{record:?}") };
    let writes = || {
        [
            ("text in a list", list.set(0, texts[1])),
            ("number in a list", list.set(0, 7)),
            ("text in a dict", dict.set(1, texts[1])),
            ("setter", reading.set_count(2)),
            ("fetch_add", reading.fetch_add_count(1).map(drop)),
            ("store", reading.store(Reading { count: 3, level: 1.5 })),
            ("update", reading.update(|now| now.count += 1)),
        ]
    };
    // Once before, so that all that is kept for the next time is there.
    for (what, outcome) in writes() {
        outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    list.set(0, texts[0]).unwrap();
    let locks = [list.lock().unwrap(), dict.lock().unwrap(), record.lock().unwrap()];
    let held: Vec<_> = locks.iter().map(|lock| lock.acquire(LONG).unwrap()).collect();
    let before = reading.load().unwrap();
    std::thread::scope(|scope| {
        let outcomes = scope.spawn(|| {
            // A thread's first operations are no short ones; these leave blocks at hand too.
            let own = segment.list_of(texts).unwrap();
            own.set(0, texts[1]).unwrap();
            own.set(1, texts[0]).unwrap();
            writes()
        });
        for (what, outcome) in outcomes.join().unwrap() {
            assert!(matches!(outcome, Err(Error::LockTimeout { .. })), "{what}: {outcome:?}");
        }
    });
    assert_eq!(reading.load().unwrap(), before);
    assert_eq!(list.get(0).unwrap(), Some(texts[0].into()));
    drop(held);
    for (what, outcome) in writes() {
        outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

#[test]
fn a_write_that_waits_too_long_says_what_for() {
    let segment =
        fresh_with(SegmentOptions::new().size(8 << 20).lock_timeout(Duration::from_millis(30)));
    let list = segment.list_of([1]).unwrap();
    let lock = list.lock().unwrap();
    let _held = lock.acquire(None).unwrap();
    std::thread::scope(|scope| {
        let error = scope.spawn(|| list.push(2)).join().unwrap().unwrap_err();
        let pid = std::process::id();
        assert!(matches!(error, Error::LockTimeout { holder_pid, .. } if holder_pid == pid));
        assert!(error.to_string().starts_with("lock of list 0x"), "{error}");
    });
    assert_eq!(list.to_vec().unwrap(), [Value::Int(1)]);
}

#[test]
fn holders_who_want_each_others_containers_are_told_so() {
    let segment = fresh();
    let lists = [segment.list_of([0]).unwrap(), segment.list_of([0]).unwrap()];
    let ready = std::sync::Barrier::new(2);
    let outcomes: Vec<Result<()>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|index| {
                let (lists, ready) = (&lists, &ready);
                scope.spawn(move || {
                    let lock = lists[index].lock()?;
                    let _held = lock.acquire(None)?;
                    ready.wait();
                    // The one asks, the other just writes.
                    if index == 0 {
                        lists[1].lock()?.acquire(None).map(drop)
                    } else {
                        lists[0].push(1)
                    }
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let told = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    let told: Vec<String> = told.map(ToString::to_string).collect();
    assert!(!told.is_empty());
    for text in told {
        assert!(text.contains("deadlock") && text.contains("lock of list 0x"), "{text}");
    }
}

#[test]
fn inside_of_a_transaction_held_containers_are_refused_at_once() {
    let segment = fresh();
    let list = segment.list_of([1]).unwrap();
    let lock = list.lock().unwrap();
    {
        let held = lock.acquire(None).unwrap();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                let transaction = segment.begin(LONG).unwrap();
                let result = list.push(2);
                drop(transaction);
                result
            });
            assert!(matches!(other.join().unwrap(), Err(Error::LockTimeout { .. })));
        });
        // The holder itself may begin one, and take its lock again.
        let transaction = segment.begin(LONG).unwrap();
        let again = lock.acquire(None).unwrap();
        list.push(3).unwrap();
        drop(again);
        transaction.commit().unwrap();
        drop(held);
    }
    let transaction = segment.begin(LONG).unwrap();
    assert!(matches!(lock.acquire(LONG), Err(Error::InvalidArgument { .. })));
    assert!(matches!(segment.list_of([1]).unwrap().lock(), Err(Error::InvalidArgument { .. })));
    drop(transaction);
    assert_eq!(list.to_vec().unwrap(), [Value::Int(1), Value::Int(3)]);
}

#[test]
fn the_lock_goes_with_its_container() {
    let segment = fresh();
    let root = segment.root();
    root.insert("warm", segment.list([]).unwrap()).unwrap();
    let before = segment.stats().unwrap();
    let handle = {
        let list: List = segment.list([]).unwrap();
        drop(list.lock().unwrap().acquire(None).unwrap());
        // Part of a cycle, so that only a collection finds it.
        list.push(&list).unwrap();
        let freed = segment.list_of([1]).unwrap();
        drop(freed.lock().unwrap().acquire(None).unwrap());
        segment.free(&Value::List(freed.clone())).unwrap();
        assert!(freed.lock().is_err());
        list.lock().unwrap()
    };
    assert!(segment.gc().unwrap().bytes > 0);
    // A handle keeps the words for itself.
    assert!(!handle.acquire(None).unwrap().owner_died());
    drop(handle);
    let after = segment.stats().unwrap();
    let objects = |stats: &shm::Stats| stats.kinds.iter().map(|kind| kind.count).sum::<u64>();
    assert_eq!(objects(&after), objects(&before));
    assert!(segment.check().unwrap().is_sound());
    let kept = segment.dict([("k", 1)]).unwrap();
    root.insert("kept", &kept).unwrap();
    drop(kept.lock().unwrap().acquire(None).unwrap());
    segment.gc().unwrap();
    segment.audit().unwrap();
    drop(kept.lock().unwrap().acquire(None).unwrap());
    assert!(segment.check().unwrap().is_sound());
}
