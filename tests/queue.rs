//! Queues under fire: consumers on probation are killed at random, and every item is done.
//!
//! The test starts itself again as its consumers.

#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use shm::{Error, Key, Segment, SegmentOptions, Value};

const DEADLINE: Duration = Duration::from_mins(2);
const SEGMENT: &str = "SHM_QUEUE_TEST_SEGMENT";
const ITEMS: i64 = 4000;
const KILLS: usize = 40;

fn consumer(name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["consume_in_a_child", "--exact", "--nocapture"])
        .env(SEGMENT, name)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What a consumer does; nothing unless the other test started it.
#[test]
fn consume_in_a_child() {
    let Ok(name) = std::env::var(SEGMENT) else { return };
    let segment = Segment::attach(&name, SegmentOptions::new()).unwrap();
    let jobs = segment.queue("jobs", 50).unwrap();
    let Some(Value::Dict(done)) = segment.root().get("done").unwrap() else { return };
    loop {
        let lease = match jobs.get_lease(Some(DEADLINE)) {
            Ok(lease) => lease,
            Err(Error::QueueClosed { .. }) => return,
            Err(error) => panic!("{error}"),
        };
        let Value::List(job) = lease.value() else { panic!("a list was put") };
        let number = job.get_int(0).unwrap().unwrap();
        assert_eq!(job.get(1).unwrap(), Some(format!("job number {number}").into()));
        done.add(number, 1).unwrap();
        lease.ack().unwrap();
    }
}

#[test]
fn every_item_is_done_at_least_once_whoever_is_killed() {
    let segment = Segment::create_anonymous(SegmentOptions::new().size(64 << 20)).unwrap();
    let jobs = segment.queue("jobs", 50).unwrap();
    let done = segment.dict((0..ITEMS).map(|number| (number, 0))).unwrap();
    segment.root().insert("done", &done).unwrap();
    let started = Instant::now();
    let mut consumers: Vec<Child> = (0..3).map(|_| consumer(segment.name())).collect();
    let mut killed = 0;
    for number in 0..ITEMS {
        let job = segment.list_of([Value::from(number), format!("job number {number}").into()]);
        jobs.put(job.unwrap(), Some(DEADLINE)).unwrap();
        if number % (ITEMS / KILLS as i64) == 7 {
            // Whichever comes next, wherever it is.
            let victim = killed % consumers.len();
            let mut child = std::mem::replace(&mut consumers[victim], consumer(segment.name()));
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
        }
    }
    jobs.close(false).unwrap();
    for mut child in consumers {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(killed, KILLS);
    assert_eq!((jobs.len().unwrap(), jobs.leased().unwrap()), (0, 0));
    let mut more = 0;
    for number in 0..ITEMS {
        let times = i64::try_from(done.get(Key::from(number)).unwrap().unwrap()).unwrap();
        assert!(times >= 1, "item {number} was never done");
        more += times - 1;
    }
    // Twice at most for each kill: one item is on probation at a time.
    assert!(more <= KILLS as i64, "{more} items were done again by {KILLS} kills");
    assert!(started.elapsed() < DEADLINE);
    segment.reap().unwrap();
    assert_eq!(segment.check().unwrap().findings, Vec::<String>::new());
}
