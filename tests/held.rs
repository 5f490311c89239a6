//! Who holds what, as another process sees it: kinds, names, processes, the dead, those who wait.
//!
//! Workers are this test binary again, started for one role by an environment variable. They say a line once
//! they hold what they are to hold, and keep it until their input ends or they are killed.

#![allow(clippy::unwrap_used, reason = "a worker that fails is a failed test")]

mod worker;

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shm::{LockStats, Segment, SegmentOptions, Value};
use worker::Worker;

const LONG: Option<Duration> = Some(Duration::from_secs(30));

fn fresh() -> Segment {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("shm-held-{}-{number}", std::process::id());
    let segment = Segment::create(&name, SegmentOptions::new().size(8 << 20)).unwrap();
    let job = segment.dict([("done", 0)]).unwrap();
    let locks = segment.dict([("job", Value::from(segment.list_of([&job]).unwrap()))]).unwrap();
    segment.root().insert("locks", &locks).unwrap();
    segment
}

fn job(segment: &Segment) -> shm::Dict {
    let Some(Value::Dict(locks)) = segment.root().get("locks").unwrap() else { panic!("no locks") };
    let Some(Value::List(list)) = locks.get("job").unwrap() else { panic!("no list") };
    let Some(Value::Dict(job)) = list.get(0).unwrap() else { panic!("no job") };
    job
}

fn start(segment: &Segment, role: &str) -> Worker {
    let variables = [("SHM_HELD_ROLE", role), ("SHM_HELD_SEGMENT", segment.name())];
    let mut worker =
        Worker::start("a_worker_plays_its_role", &variables, Stdio::piped(), Stdio::piped());
    let said = BufReader::new(worker.0.stdout.take().unwrap()).lines();
    assert!(said.map(Result::unwrap).any(|line| line.ends_with("ready")), "{role}");
    worker
}

/// Says that it is ready, and goes on when the test lets it.
fn stay() {
    println!("ready");
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).unwrap();
}

#[test]
fn a_worker_plays_its_role() {
    let Ok(role) = std::env::var("SHM_HELD_ROLE") else { return };
    let name = std::env::var("SHM_HELD_SEGMENT").unwrap();
    let segment = Segment::attach(&name, SegmentOptions::new()).unwrap();
    match role.as_str() {
        "hold" => {
            segment.lock("a lock with a name of some length").unwrap().acquire_raw(LONG).unwrap();
            let rlock = segment.rlock("r").unwrap();
            (0..3).for_each(|_| assert!(!rlock.acquire_raw(LONG).unwrap()));
            segment.rwlock("written").unwrap().acquire_write(LONG).unwrap();
            segment.rwlock("read").unwrap().acquire_read(LONG).unwrap();
            let permits = segment.semaphore("s", 3).unwrap();
            (0..2).for_each(|_| assert!(!permits.acquire_raw(LONG).unwrap()));
            segment.turn("t").unwrap().acquire_raw(LONG).unwrap();
            job(&segment).lock().unwrap().acquire_raw(LONG).unwrap();
            stay();
        }
        "transaction" => {
            let begin = |_: &shm::Transaction| {
                segment.root().insert("new", 1)?;
                segment.lock("new")?;
                stay();
                Ok(())
            };
            segment.transaction(begin).unwrap();
        }
        "read" => {
            segment.rwlock("read").unwrap().acquire_read(LONG).unwrap();
            stay();
        }
        "wait" => {
            println!("ready");
            segment.lock("l").unwrap().acquire_raw(None).unwrap();
        }
        "event" => {
            println!("ready");
            segment.event("go").unwrap().wait(None).unwrap();
        }
        _ => panic!("no role {role:?}"),
    }
}

fn find<'s>(locks: &'s [LockStats], kind: &str, name: &str) -> &'s LockStats {
    let found = locks.iter().find(|lock| lock.kind == kind && lock.name == name);
    found.unwrap_or_else(|| panic!("no {kind} {name:?} among {locks:?}"))
}

fn held_by(lock: &LockStats) -> Vec<(u32, bool, u64)> {
    lock.holders.iter().map(|holder| (holder.pid, holder.alive, holder.times)).collect()
}

const HELD: [(&str, &str, u64); 7] = [
    ("lock", "a lock with a name of some length", 1),
    ("rlock", "r", 3),
    ("rwlock.write", "written", 1),
    ("rwlock.read", "read", 1),
    ("semaphore", "s", 2),
    ("turn", "t", 1),
    ("container", "root['locks']['job'][0]", 1),
];

#[test]
fn each_lock_names_its_holder_and_whether_it_lives() {
    let segment = fresh();
    assert_eq!(segment.stats().unwrap().locks, []);
    let mut worker = start(&segment, "hold");
    let mut reader = start(&segment, "read");
    let onlooker = Segment::attach(segment.name(), SegmentOptions::new().readonly(true)).unwrap();
    for segment in [&segment, &onlooker] {
        let locks = segment.stats().unwrap().locks;
        assert_eq!(locks.len(), HELD.len(), "{locks:?}");
        for (kind, name, times) in HELD {
            let lock = find(&locks, kind, name);
            let mut held = vec![(worker.0.id(), true, times)];
            held.extend((name == "read").then_some((reader.0.id(), true, 1)));
            assert_eq!((held_by(lock), lock.waiting.len()), (held, 0), "{lock:?}");
            assert!(!lock.holders[0].name.is_empty());
        }
    }
    worker.kill();
    let locks = onlooker.stats().unwrap().locks;
    for (kind, name, times) in HELD {
        let held = held_by(find(&locks, kind, name));
        assert_eq!(held[0], (worker.0.id(), false, times), "{kind} {name}");
    }
    assert_eq!(held_by(find(&locks, "rwlock.read", "read"))[1], (reader.0.id(), true, 1));
    // Once others have its slots, nothing tells who it was.
    segment.reap().unwrap();
    let others: Vec<_> = (0..3).map(|_| start(&segment, "read")).collect();
    let lock = segment.stats().unwrap().locks;
    let lock = find(&lock, "lock", "a lock with a name of some length");
    assert_eq!(held_by(lock), [(0, false, 1)]);
    assert_eq!(lock.holders[0].name, "");
    drop(others);
    reader.kill();
    // From the dead it is taken, and shows no more once it is free.
    let again = segment.lock("a lock with a name of some length").unwrap();
    assert!(again.acquire_raw(LONG).unwrap());
    let locks = segment.stats().unwrap().locks;
    let held = held_by(find(&locks, "lock", again.name()));
    assert_eq!(held, [(std::process::id(), true, 1)]);
    again.release().unwrap();
    assert!(segment.stats().unwrap().locks.iter().all(|lock| lock.name != again.name()));
}

#[test]
fn a_transaction_is_seen_and_waited_for_by_no_look() {
    let segment = fresh();
    let held = segment.lock("held").unwrap();
    held.acquire_raw(LONG).unwrap();
    job(&segment).lock().unwrap().acquire_raw(LONG).unwrap();
    let worker = start(&segment, "transaction");
    // The root and the dict of names are being changed: any other read would wait for that.
    let onlooker = Segment::attach(segment.name(), SegmentOptions::new().readonly(true)).unwrap();
    for segment in [&segment, &onlooker] {
        let locks = segment.stats().unwrap().locks;
        assert_eq!(held_by(find(&locks, "writer lock", "")), [(worker.0.id(), true, 1)]);
        let own = [(std::process::id(), true, 1)];
        assert_eq!(held_by(find(&locks, "lock", "held")), own);
        assert_eq!(held_by(find(&locks, "container", "root['locks']['job'][0]")), own);
    }
}

#[test]
fn who_sleeps_shows_beside_who_is_waited_for() {
    let segment = fresh();
    let lock = segment.lock("l").unwrap();
    lock.acquire_raw(LONG).unwrap();
    let waiter = start(&segment, "wait");
    let other = start(&segment, "event");
    let deadline = Instant::now() + Duration::from_mins(1);
    let locks = loop {
        let locks = segment.stats().unwrap().locks;
        if locks.iter().map(|lock| lock.waiting.len()).sum::<usize>() == 2 {
            break locks;
        }
        assert!(Instant::now() < deadline, "not within 60 s: {locks:?}");
    };
    let held = find(&locks, "lock", "l");
    assert_eq!(held_by(held), [(std::process::id(), true, 1)]);
    assert_eq!(held.waiting, [waiter.0.id()]);
    let event = find(&locks, "event", "go");
    assert_eq!((event.holders.len(), &event.waiting[..]), (0, &[other.0.id()][..]));
    assert_eq!(locks.len(), 2);
}

#[test]
fn a_container_that_no_path_leads_to_has_its_offset() {
    let segment = fresh();
    let apart = segment.list([]).unwrap();
    apart.lock().unwrap().acquire_raw(LONG).unwrap();
    let locks = segment.stats().unwrap().locks;
    assert!(locks[0].name.starts_with("list 0x"), "{locks:?}");
    segment.root().insert("apart", (&apart, 1)).unwrap();
    assert_eq!(segment.stats().unwrap().locks[0].name, "root['apart'][0]");
}
