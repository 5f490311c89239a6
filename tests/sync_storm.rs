//! A storm of kills over every primitive, and the order of those who survive in a line.
//!
//! Workers are this test binary again, started for one role by an environment variable; they use all
//! primitives in random order until they are killed, holding, waiting or handing over. After each kill
//! all others must go on. `SHM_KILLS` says how many kills; `make soak` has 5,000 of them.

#![allow(unsafe_code, reason = "fork, kill and wait for child processes")]
#![allow(clippy::unwrap_used, reason = "a worker that fails is a failed test")]

mod worker;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shm::{Error, List, Result, Segment, SegmentOptions, Value};
use worker::Worker;

const LONG: Option<Duration> = Some(Duration::from_mins(1));
const SOON: Option<Duration> = Some(Duration::from_millis(4));
const WORKERS: usize = 5;
const JOBS: i64 = 12;
const KEPT: u64 = 8;
const HELD: [&str; 6] = ["turn", "lock", "rlock", "rwlock", "semaphore", "container"];

fn kills(sample: usize) -> usize {
    std::env::var("SHM_KILLS").map_or(sample, |kills| kills.parse().unwrap())
}

fn fresh() -> Segment {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("shm-storm-{}-{number}", std::process::id());
    Segment::create(&name, SegmentOptions::new().size(32 << 20)).unwrap()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within two minutes");
        std::thread::yield_now();
    }
}

fn note(segment: &Segment, key: &str) -> i64 {
    segment.root().get(key).unwrap().and_then(|value| value.as_int()).unwrap_or(0)
}

fn list(segment: &Segment, key: &str) -> List {
    match segment.root().get(key).unwrap() {
        Some(Value::List(list)) => list,
        other => panic!("{key}: {other:?}"),
    }
}

fn start(segment: &Segment, number: usize) -> Worker {
    let number = number.to_string();
    let variables = [("SHM_STORM_SEGMENT", segment.name()), ("SHM_STORM_NUMBER", &*number)];
    Worker::start("a_worker_uses_everything", &variables, Stdio::inherit(), Stdio::null())
}

/// One step under exclusion. Who was not told of a death must find the pair equal.
fn step(pair: &List, owner_died: bool) {
    let [one, two] = [0, 1].map(|index| pair.get_int(index).unwrap().unwrap());
    assert!(owner_died || one == two, "{one} and {two}: somebody was inside, or died unnoticed");
    let next = one.max(two) + 1;
    pair.set_int(0, next).unwrap();
    pair.set_int(1, next).unwrap();
}

fn step_under(segment: &Segment, what: &str) -> Result<()> {
    // Each has a pair of its own: what one of them guards the others do not.
    let pair = list(segment, what);
    match what {
        "turn" => {
            let turn = segment.turn("x")?;
            let guard = turn.acquire(LONG)?;
            step(&pair, guard.owner_died());
        }
        "lock" => {
            let lock = segment.lock("x")?;
            let guard = lock.acquire(LONG)?;
            step(&pair, guard.owner_died());
        }
        "rlock" => {
            let lock = segment.rlock("x")?;
            let outer = lock.acquire(LONG)?;
            let _inner = lock.acquire(LONG)?;
            step(&pair, outer.owner_died());
        }
        "rwlock" => {
            let lock = segment.rwlock("x")?;
            let guard = lock.write(LONG)?;
            step(&pair, guard.owner_died());
        }
        "semaphore" => {
            let semaphore = segment.semaphore("x", 1)?;
            let permit = semaphore.acquire(LONG)?;
            step(&pair, permit.owner_died());
        }
        _ => {
            let lock = pair.lock()?;
            let guard = lock.acquire(LONG)?;
            step(&pair, guard.owner_died());
        }
    }
    Ok(())
}

/// Takes a job and puts it back: first put, then done, so that a kill never loses one.
fn work(segment: &Segment) -> Result<()> {
    let jobs = segment.queue("jobs", 0)?;
    match jobs.get_lease(LONG) {
        Ok(lease) if fastrand::bool() => lease.give_back(),
        Ok(lease) => {
            if jobs.len()? < 4 * JOBS as usize || fastrand::u8(..4) == 0 {
                jobs.put(lease.value().clone(), LONG)?;
                lease.ack()
            } else {
                lease.give_back()
            }
        }
        Err(error) => Err(error),
    }
}

fn one_thing(segment: &Segment, number: usize) -> Result<()> {
    match fastrand::usize(..14) {
        6 => drop(segment.rwlock("x")?.read(LONG)?),
        7 => work(segment)?,
        // Some set the event and never wait for it, so that those who wait can go on.
        8 if number < 2 => segment.event("x")?.set()?,
        8 => {
            segment.event("x")?.clear()?;
            assert!(segment.event("x")?.wait(LONG)?, "nobody has set the event in a minute");
        }
        9 => {
            let condition = segment.condition("x")?;
            condition.lock().acquire_raw(LONG)?;
            if fastrand::bool() {
                condition.notify(1)?;
            } else {
                condition.wait(SOON)?;
            }
            condition.lock().release()?;
        }
        10 => {
            let barrier = segment.barrier("x", 2)?;
            if let Err(Error::BrokenBarrier { .. }) = barrier.wait(SOON) {
                barrier.reset()?;
            }
        }
        // A plain write of what somebody may hold.
        11 => {
            list(segment, "container").add(2, 1)?;
        }
        12 => {
            let sides = list(segment, "sides");
            segment.transaction(|_| {
                let (one, two) = (sides.get_int(0)?.unwrap(), sides.get_int(1)?.unwrap());
                assert_eq!(one + two, 0, "a transaction is done by half");
                sides.add(0, 1)?;
                sides.add(1, -1)
            })?;
        }
        13 => {
            let topic = segment.topic("x", KEPT)?;
            topic.publish(segment.list_of([number as i64; 2])?)?;
            let Value::List(message) = topic.replay()?.get(LONG)? else {
                panic!("no message but lists was published")
            };
            assert_eq!(message.get_int(0)?, message.get_int(1)?, "a message is there by half");
        }
        held => step_under(segment, HELD[held])?,
    }
    Ok(())
}

/// Not a test of its own: what the workers run. Without a segment it does everything once.
#[test]
fn a_worker_uses_everything() {
    let Ok(name) = std::env::var("SHM_STORM_SEGMENT") else {
        let segment = prepared();
        for _ in 0..200 {
            one_thing(&segment, 0).unwrap();
        }
        assert!(segment.check().unwrap().is_sound());
        return;
    };
    let number: usize = std::env::var("SHM_STORM_NUMBER").unwrap().parse().unwrap();
    let segment = Segment::attach(&name, SegmentOptions::new()).unwrap();
    let progress = format!("progress {number}");
    loop {
        one_thing(&segment, number).unwrap();
        segment.root().add(progress.as_str(), 1).unwrap();
    }
}

fn prepared() -> Segment {
    let segment = fresh();
    for what in HELD {
        segment.root().insert(what, segment.list_of([0, 0, 0]).unwrap()).unwrap();
    }
    segment.root().insert("sides", segment.list_of([0, 0]).unwrap()).unwrap();
    let jobs = segment.queue("jobs", 0).unwrap();
    (0..JOBS).for_each(|job| jobs.put(job, None).unwrap());
    segment
}

#[test]
fn a_storm_of_kills_leaves_nobody_waiting_and_loses_nothing() {
    let kills = kills(150);
    let segment = prepared();
    let mut random = fastrand::Rng::with_seed(7);
    let mut workers: Vec<_> = (0..WORKERS).map(|number| start(&segment, number)).collect();
    let progress = |number: usize| note(&segment, &format!("progress {number}"));
    eventually("the workers start", || (0..WORKERS).all(|number| progress(number) > 0));
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        let victim = random.usize(..WORKERS);
        for _ in 0..random.u32(..20_000) {
            std::hint::spin_loop();
        }
        workers[victim].kill();
        let started = Instant::now();
        let before: Vec<_> = (0..WORKERS).map(progress).collect();
        let mut rest: Vec<_> = (0..WORKERS).filter(|number| *number != victim).collect();
        eventually("the others go on", || {
            rest.retain(|number| {
                let ended = workers[*number].0.try_wait().unwrap();
                assert!(ended.is_none(), "kill {kill}: worker {number} ended: {ended:?}");
                progress(*number) < before[*number] + 2
            });
            rest.is_empty()
        });
        slowest = slowest.max(started.elapsed());
        workers[victim] = start(&segment, victim);
        eventually("the new one starts", || progress(victim) > before[victim]);
    }
    workers.iter_mut().for_each(Worker::kill);
    println!("{kills} kills, all others went on within {slowest:?}");
    for what in HELD {
        step_under(&segment, what).unwrap();
    }
    let jobs = segment.queue("jobs", 0).unwrap();
    let mut left = BTreeSet::new();
    while !jobs.is_empty().unwrap() || jobs.reclaim().unwrap() > 0 {
        left.extend(jobs.get(LONG).unwrap().as_int());
    }
    assert_eq!(left, (0..JOBS).collect(), "every job is there");
    assert_eq!(jobs.leased().unwrap(), 0);
    let sides = list(&segment, "sides");
    assert_eq!(sides.get_int(0).unwrap().unwrap() + sides.get_int(1).unwrap().unwrap(), 0);
    assert!(segment.topic("x", KEPT).unwrap().replay().unwrap().pending().unwrap() <= KEPT);
    assert!(segment.check().unwrap().is_sound());
}

/// Stands in line in a child of its own, and writes its number down when its turn has come.
fn stand_in_a_child(segment: &Segment, number: i64) -> libc::pid_t {
    let (came, order) = (list(segment, "came"), list(segment, "order"));
    let turn = segment.turn("line").unwrap();
    // SAFETY: the child does what follows and ends without running anything of the parent's.
    let pid = unsafe { libc::fork() };
    if pid != 0 {
        let seen = || came.to_vec().unwrap().contains(&Value::Int(number));
        eventually("the child stands in line", seen);
        return pid;
    }
    let waits = || -> Result<()> {
        let mut standing = turn.stand()?;
        came.push(number)?;
        let mut tries = 0_u32;
        while turn.poll(&mut standing, tries.is_multiple_of(64))?.is_none() {
            tries = tries.wrapping_add(1);
            std::thread::yield_now();
        }
        order.push(number)?;
        turn.give_up(&standing)
    };
    let code = i32::from(waits().is_err());
    // SAFETY: ends the child at once.
    unsafe { libc::_exit(code) }
}

#[test]
fn survivors_of_a_line_have_their_turns_in_the_order_in_which_they_came() {
    const WAITERS: i64 = 6;
    let mut random = fastrand::Rng::with_seed(11);
    let mut killed = 0;
    let segment = fresh();
    let [came, order] = ["came", "order"].map(|key| {
        let list = segment.list([]).unwrap();
        segment.root().insert(key, &list).unwrap();
        list
    });
    while killed < kills(60) {
        came.clear().unwrap();
        order.clear().unwrap();
        let turn = segment.turn("line").unwrap();
        let guard = turn.acquire(LONG).unwrap();
        let pids: Vec<_> = (0..WAITERS).map(|number| stand_in_a_child(&segment, number)).collect();
        // Some die while they wait, some a moment after the line began to move.
        let doomed: Vec<_> = (0..WAITERS).filter(|_| random.bool()).collect();
        let early = random.usize(..=doomed.len());
        let kill = |number: &i64| {
            // SAFETY: the child is ours and not yet waited for.
            unsafe { libc::kill(pids[*number as usize], libc::SIGKILL) };
        };
        doomed.iter().take(early).for_each(kill);
        drop(guard);
        for _ in 0..random.u32(..2_000) {
            std::hint::spin_loop();
        }
        doomed.iter().skip(early).for_each(kill);
        for (number, pid) in pids.iter().enumerate() {
            let mut status = 0;
            // SAFETY: `status` is a live local; the child is ours.
            unsafe { libc::waitpid(*pid, &raw mut status, 0) };
            let dead = libc::WIFSIGNALED(status);
            assert!(dead || libc::WEXITSTATUS(status) == 0, "child {number}: {status:#x}");
            assert!(!dead || doomed.contains(&(number as i64)));
        }
        killed += doomed.len();
        let served: Vec<_> = order.to_vec().unwrap().iter().filter_map(Value::as_int).collect();
        assert!(served.is_sorted(), "{served:?}");
        let survivors = (0..WAITERS).filter(|number| !doomed.contains(number));
        assert!(survivors.into_iter().all(|number| served.contains(&number)), "{served:?}");
    }
    assert!(segment.check().unwrap().is_sound());
}
