//! Locks, turns and the other primitives between processes: exclusion, order, deaths, deadlocks.
//!
//! Workers are this test binary again, started for one role by an environment variable. A worker
//! that is to die kills itself where it stands, or is killed while it waits. Nothing waits by
//! sleeping: conditions are polled with a deadline.

#![allow(unsafe_code, reason = "kill and stop of child processes")]
#![allow(clippy::unwrap_used, reason = "a worker that fails is a failed test")]

mod workers;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shm::{Error, Segment, SegmentOptions, Value};
use workers::{Worker, note, pair, pair_of, step_under};

const LONG: Option<Duration> = Some(Duration::from_secs(30));

fn fresh() -> Segment {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("shm-sync-{}-{number}", std::process::id());
    Segment::create(&name, SegmentOptions::new().size(8 << 20)).unwrap()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within 60 s");
        std::thread::yield_now();
    }
}

#[test]
fn a_counter_under_each_primitive_is_exact_between_processes() {
    for what in ["turn", "lock", "rlock", "rwlock", "semaphore"] {
        let segment = fresh();
        segment.root().insert("pair", segment.list_of([0, 0]).unwrap()).unwrap();
        let role = format!("count {what}");
        let mut workers: Vec<_> =
            (0..4).map(|number| Worker::start(&segment, &role, number)).collect();
        workers.iter_mut().for_each(Worker::finish);
        let found = pair(&segment).to_vec().unwrap();
        assert_eq!(found, [Value::Int(8_000), Value::Int(8_000)], "under a {what}");
        assert!(segment.check().unwrap().is_sound());
    }
}

#[test]
fn the_next_one_gets_it_from_a_dead_holder_and_learns_of_it() {
    for what in ["turn", "lock", "rlock", "rwlock", "semaphore"] {
        let segment = fresh();
        let mut worker = Worker::start(&segment, &format!("die {what}"), 0);
        worker.0.wait().unwrap();
        assert_ne!(note(&segment, "held"), 0);
        let started = Instant::now();
        let died = match what {
            "turn" => segment.turn("x").unwrap().acquire_raw(LONG).unwrap(),
            "lock" => segment.lock("x").unwrap().acquire_raw(LONG).unwrap(),
            "rlock" => segment.rlock("x").unwrap().acquire_raw(LONG).unwrap(),
            "rwlock" => segment.rwlock("x").unwrap().acquire_write(LONG).unwrap(),
            _ => segment.semaphore("x", 1).unwrap().acquire_raw(LONG).unwrap(),
        };
        assert!(died, "the next one under a {what} was not told");
        assert!(started.elapsed() < Duration::from_secs(5), "{what}: {:?}", started.elapsed());
        let again = match what {
            "turn" => segment.turn("x").unwrap().release().map(|()| false),
            "lock" => segment.lock("x").unwrap().release().map(|()| false),
            "rlock" => segment.rlock("x").unwrap().release().map(|()| false),
            "rwlock" => segment.rwlock("x").unwrap().release_write().map(|()| false),
            _ => segment.semaphore("x", 1).unwrap().release(1).map(|()| false),
        };
        again.unwrap();
    }
}

#[test]
fn a_dead_holder_is_noticed_without_patience_too() {
    let segment = fresh();
    Worker::start(&segment, "die lock", 0).0.wait().unwrap();
    Worker::start(&segment, "die turn", 0).0.wait().unwrap();
    Worker::start(&segment, "die semaphore", 0).0.wait().unwrap();
    let none = Some(Duration::ZERO);
    assert!(segment.lock("x").unwrap().acquire_raw(none).unwrap());
    assert!(segment.turn("x").unwrap().acquire_raw(none).unwrap());
    assert!(segment.semaphore("x", 1).unwrap().acquire_raw(none).unwrap());
}

#[test]
fn a_writer_waits_for_readers_however_long_they_read() {
    let segment = fresh();
    let lock = segment.rwlock("x").unwrap();
    let ready = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _guard = lock.read(LONG).unwrap();
            ready.wait();
            ready.wait();
        });
        ready.wait();
        // Long enough for many looks around.
        let result = lock.write(Some(Duration::from_millis(300))).map(drop);
        let error = result.unwrap_err();
        // One of those who read is named.
        let of_reader = format!("by pid {}", std::process::id());
        assert!(matches!(error, Error::LockTimeout { .. }), "{error:?}");
        assert!(error.to_string().contains(&of_reader), "{error}");
        ready.wait();
        drop(lock.write(LONG).unwrap());
        let _guard = lock.write(LONG).unwrap();
        let twice = lock.write(LONG).map(drop);
        assert!(matches!(twice, Err(Error::Deadlock { .. })), "{twice:?}");
    });
}

#[test]
fn a_semaphore_gives_back_all_of_the_permits_or_none() {
    let segment = fresh();
    let bounded = segment.bounded_semaphore("b", 3).unwrap();
    bounded.acquire_raw(LONG).unwrap();
    bounded.acquire_raw(LONG).unwrap();
    bounded.acquire_raw(LONG).unwrap();
    let none_left = bounded.acquire_raw(Some(Duration::ZERO)).unwrap_err().to_string();
    assert!(none_left.contains("others hold it"), "{none_left}");
    bounded.release(1).unwrap();
    assert!(matches!(bounded.release(3), Err(Error::NotHeld { .. })));
    assert_eq!(bounded.value().unwrap(), 1);
    bounded.release(2).unwrap();
    assert_eq!(bounded.value().unwrap(), 3);

    // As many as one likes, in one step: these permits are a number.
    let plain = segment.semaphore("p", 1).unwrap();
    plain.acquire_raw(LONG).unwrap();
    plain.release(1 << 62).unwrap();
    assert_eq!(plain.value().unwrap(), 1 << 62);
    for count in [i64::MAX as u64, u64::MAX] {
        let too_many = plain.release(count);
        assert!(matches!(too_many, Err(Error::InvalidArgument { .. })), "{too_many:?}");
    }
    assert_eq!(plain.value().unwrap(), 1 << 62);
    plain.acquire_raw(LONG).unwrap();
}

#[test]
fn a_writer_passes_over_a_dead_reader_and_a_reader_over_a_dead_writer() {
    let segment = fresh();
    let lock = segment.rwlock("x").unwrap();
    Worker::start(&segment, "die reader", 0).0.wait().unwrap();
    assert_eq!(lock.readers().unwrap(), 1);
    drop(lock.write(LONG).unwrap());
    assert_eq!(lock.readers().unwrap(), 0);
    Worker::start(&segment, "die rwlock", 0).0.wait().unwrap();
    assert!(lock.read(LONG).unwrap().owner_died());
    assert!(!lock.is_written().unwrap());
}

#[test]
fn nobody_steals_from_a_stopped_holder_and_the_timeout_names_it() {
    let segment = fresh();
    let mut worker = Worker::start(&segment, "hold", 0);
    eventually("the worker holds the lock", || note(&segment, "held") != 0);
    worker.signal(libc::SIGSTOP);
    let lock = segment.lock("x").unwrap();
    for timeout in [Duration::ZERO, Duration::from_millis(30)] {
        match lock.acquire(Some(timeout)) {
            Err(Error::LockTimeout { holder_pid, holder_name, .. }) => {
                assert_eq!(holder_pid, worker.0.id());
                assert!(!holder_name.is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
    worker.signal(libc::SIGCONT);
    segment.root().set("let go", 1).unwrap();
    assert!(!lock.acquire(LONG).unwrap().owner_died());
    worker.finish();
}

#[test]
fn survivors_of_a_line_come_in_the_order_in_which_they_came() {
    const WAITERS: usize = 8;
    let segment = fresh();
    let order = segment.list([]).unwrap();
    segment.root().insert("pair", &order).unwrap();
    let turn = segment.turn("x").unwrap();
    let guard = turn.acquire(None).unwrap();
    let mut workers = Vec::new();
    for number in 0..WAITERS {
        workers.push(Worker::start(&segment, "queue", number));
        let waiting = || note(&segment, &format!("comes {number}")) == 1;
        eventually("the worker comes", waiting);
        // It says so just before it stands in line: what follows it is seen in its thread's state.
        eventually("the worker sleeps in line", || sleeps(&workers[number]));
    }
    for number in [0, 3, 4, 7] {
        workers[number].kill();
    }
    drop(guard);
    for number in [1, 2, 5, 6] {
        workers[number].finish();
    }
    let found = order.to_vec().unwrap();
    assert_eq!(found, [1, 2, 5, 6].map(Value::from));
}

/// Whether a worker's process sleeps in the futex call, as a waiter that is done spinning does.
fn sleeps(worker: &Worker) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", worker.0.id())).unwrap();
    let calls = [libc::SYS_futex, libc::SYS_futex_waitv].map(|call| call.to_string());
    // The test's own thread and libtest's main thread, which waits for it for ever.
    let asleep = tasks.filter_map(std::result::Result::ok).filter(|task| {
        std::fs::read_to_string(task.path().join("syscall"))
            .is_ok_and(|text| calls.iter().any(|call| text.split(' ').next() == Some(call)))
    });
    asleep.count() == 2
}

#[test]
fn a_cycle_of_waiters_is_an_error_that_tells_the_chain() {
    let segment = fresh();
    let mut workers: Vec<_> =
        (0..2).map(|number| Worker::start(&segment, "cross", number)).collect();
    workers.iter_mut().for_each(Worker::finish);
    let Some(Value::Str(chain)) = segment.root().get("chain").unwrap() else {
        panic!("no deadlock was found");
    };
    assert!(chain.contains("waits for lock") && chain.contains("which waits for lock"), "{chain}");
}

#[test]
fn a_barrier_lets_all_go_together_and_breaks_when_one_dies() {
    let segment = fresh();
    let mut workers: Vec<_> =
        (0..6).map(|number| Worker::start(&segment, "barrier", number)).collect();
    workers.iter_mut().for_each(Worker::finish);
    assert_eq!(note(&segment, "broken"), 0);
    let mut doomed = Worker::start(&segment, "barrier die", 0);
    let barrier = segment.barrier("x", 3).unwrap();
    eventually("the worker waits", || barrier.waiting().unwrap() == 1);
    let mut other = Worker::start(&segment, "barrier", 1);
    eventually("the other waits", || barrier.waiting().unwrap() == 2);
    doomed.kill();
    other.finish();
    assert_eq!(note(&segment, "broken"), 1);
    assert!(matches!(barrier.wait(LONG), Err(Error::BrokenBarrier { .. })));
    barrier.reset().unwrap();
    assert!(!barrier.is_broken().unwrap());
}

#[test]
fn a_condition_notifies_the_living_only() {
    let segment = fresh();
    let condition = segment.condition("x").unwrap();
    let mut workers: Vec<_> = (0..3)
        .map(|number| {
            let worker = Worker::start(&segment, "wait", number);
            eventually("the worker waits", || note(&segment, "waiting") == number as i64 + 1);
            worker
        })
        .collect();
    // The lock is free only once the last one waits.
    condition.lock().acquire_raw(LONG).unwrap();
    workers[0].kill();
    condition.notify(1).unwrap();
    condition.lock().release().unwrap();
    workers[1].finish();
    assert_eq!(note(&segment, "notified"), 1);
    condition.lock().acquire_raw(LONG).unwrap();
    condition.notify_all().unwrap();
    condition.lock().release().unwrap();
    workers[2].finish();
    assert_eq!(note(&segment, "notified"), 2);
}

#[test]
fn an_event_wakes_every_process_that_waits() {
    let segment = fresh();
    let mut workers: Vec<_> =
        (0..3).map(|number| Worker::start(&segment, "event", number)).collect();
    eventually("all wait", || note(&segment, "waiting") == 3);
    segment.event("x").unwrap().set().unwrap();
    workers.iter_mut().for_each(Worker::finish);
    assert_eq!(note(&segment, "notified"), 3);
}

#[test]
fn a_storm_of_kills_leaves_nobody_waiting_and_nothing_unnoticed() {
    const WORKERS: usize = 5;
    let kills: usize = std::env::var("SHM_KILLS").map_or(120, |kills| kills.parse().unwrap());
    let segment = fresh();
    for what in ["pair", "turn", "lock", "rlock", "semaphore"] {
        segment.root().insert(what, segment.list_of([0, 0]).unwrap()).unwrap();
    }
    let mut random = fastrand::Rng::with_seed(7);
    let mut workers: Vec<_> =
        (0..WORKERS).map(|number| Worker::start(&segment, "storm", number)).collect();
    for number in 0..WORKERS {
        eventually("the worker starts", || note(&segment, &format!("progress {number}")) > 0);
    }
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        let victim = random.usize(..WORKERS);
        for _ in 0..random.u32(..2_000) {
            std::hint::spin_loop();
        }
        workers[victim].kill();
        let started = Instant::now();
        for number in (0..WORKERS).filter(|number| *number != victim) {
            let key = format!("progress {number}");
            let before = note(&segment, &key);
            eventually("the others go on", || {
                let worker = workers[number].0.try_wait().unwrap();
                assert!(worker.is_none(), "kill {kill}: worker {number} ended: {worker:?}");
                note(&segment, &key) >= before + 2
            });
        }
        slowest = slowest.max(started.elapsed());
        workers[victim] = Worker::start(&segment, "storm", victim);
        let key = format!("progress {victim}");
        let before = note(&segment, &key);
        eventually("the new one starts", || note(&segment, &key) > before);
    }
    workers.iter_mut().for_each(Worker::kill);
    println!("{kills} kills, all others went on within {slowest:?}");
    for what in ["turn", "lock", "rlock", "semaphore"] {
        step_under(&segment, what, &pair_of(&segment, what)).unwrap();
    }
    assert!(segment.check().unwrap().is_sound());
}
