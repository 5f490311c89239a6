//! Queues, leases and topics within one process.

mod packed;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::options::SegmentOptions;
use crate::segment::Segment;
use crate::value::Value;

const NOW: Option<Duration> = Some(Duration::ZERO);
const LONG: Option<Duration> = Some(Duration::from_secs(30));

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(8 << 20)).unwrap()
}

fn sound(seg: &Segment) {
    assert_eq!(seg.check().unwrap().findings, Vec::<String>::new());
}

#[test]
fn items_come_out_in_the_order_they_went_in() {
    let seg = segment();
    let queue = seg.queue("q", 0).unwrap();
    for round in 0..5_i64 {
        for number in 0..100 {
            queue.put(round * 100 + number, NOW).unwrap();
        }
        for number in 0..100 {
            assert_eq!(queue.get(NOW).unwrap(), Value::Int(round * 100 + number));
        }
    }
    sound(&seg);
}

#[test]
fn objects_are_handed_over_by_reference_and_freed_by_the_last_one() {
    let seg = segment();
    let queue = seg.queue("q", 0).unwrap();
    let list = seg.list_of(["a longer text that takes a block"]).unwrap();
    let before = seg.check().unwrap().blocks;
    for _ in 0..1000 {
        queue.put(&list, NOW).unwrap();
        let Value::List(same) = queue.get(NOW).unwrap() else { panic!("a list was put") };
        assert!(same.same(&list));
    }
    assert!(seg.check().unwrap().blocks <= before + 1);
    sound(&seg);
}

#[test]
fn a_bounded_queue_refuses_what_is_too_much_and_says_its_size() {
    let seg = segment();
    let queue = seg.queue("q", 2).unwrap();
    queue.put(1, NOW).unwrap();
    queue.put(2, NOW).unwrap();
    assert!(queue.is_full().unwrap());
    let error = queue.put(3, NOW).unwrap_err();
    assert!(matches!(error, Error::QueueFull { maxsize: 2, .. }), "{error}");
    assert!(matches!(seg.queue("q", 3), Err(Error::InvalidArgument { .. })));
    assert_eq!(seg.queue("q", 0).unwrap().maxsize().unwrap(), 2);
    queue.get(NOW).unwrap();
    queue.put(3, NOW).unwrap();
}

#[test]
fn producers_and_consumers_in_threads_lose_nothing_and_double_nothing() {
    const EACH: i64 = 2000;
    let seg = segment();
    let seen = std::thread::scope(|scope| {
        for producer in 0..3 {
            let seg = seg.clone();
            scope.spawn(move || {
                let queue = seg.queue("q", 16).unwrap();
                for number in 0..EACH {
                    queue.put(producer * EACH + number, LONG).unwrap();
                }
            });
        }
        let consumers: Vec<_> = (0..2)
            .map(|_| {
                let seg = seg.clone();
                scope.spawn(move || {
                    let queue = seg.queue("q", 16).unwrap();
                    let take = || i64::try_from(queue.get(LONG).unwrap()).unwrap();
                    (0..EACH * 3 / 2).map(|_| take()).collect::<Vec<_>>()
                })
            })
            .collect();
        consumers.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(seen.len() as i64, EACH * 3);
    assert_eq!(seen.into_iter().collect::<HashSet<_>>().len() as i64, EACH * 3);
    sound(&seg);
}

#[test]
fn a_waiting_consumer_is_woken_by_a_put_and_by_closing() {
    let seg = segment();
    let started = Instant::now();
    std::thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            let queue = seg.queue("q", 0).unwrap();
            (queue.get(LONG).unwrap(), queue.get(LONG).unwrap_err())
        });
        let queue = seg.queue("q", 0).unwrap();
        queue.put("x", NOW).unwrap();
        while !queue.is_empty().unwrap() {
            std::hint::spin_loop();
        }
        queue.close(false).unwrap();
        let (value, error) = consumer.join().unwrap();
        assert_eq!(value, Value::from("x"));
        assert!(matches!(error, Error::QueueClosed { .. }), "{error}");
    });
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_closed_queue_takes_nothing_and_gives_what_it_has() {
    let seg = segment();
    let queue = seg.queue("q", 0).unwrap();
    queue.put(1, NOW).unwrap();
    queue.put(2, NOW).unwrap();
    queue.close(false).unwrap();
    assert!(matches!(queue.put(3, NOW), Err(Error::QueueClosed { .. })));
    assert_eq!(queue.get(NOW).unwrap(), Value::Int(1));
    queue.close(true).unwrap();
    assert!(matches!(queue.get(NOW), Err(Error::QueueClosed { .. })));
}

#[test]
fn a_timeout_is_kept_and_told() {
    let queue = segment().queue("q", 0).unwrap();
    let error = queue.get(Some(Duration::from_millis(30))).unwrap_err();
    let Error::QueueEmpty { waited, .. } = error else { panic!("{error}") };
    assert!(waited >= Duration::from_millis(30), "{waited:?}");
}

#[test]
fn a_lease_comes_back_in_its_place_unless_it_is_acknowledged() {
    let seg = segment();
    let queue = seg.queue("q", 0).unwrap();
    for number in 1..=40 {
        queue.put(number, NOW).unwrap();
    }
    let first = queue.get_lease(NOW).unwrap();
    let second = queue.get_lease(NOW).unwrap();
    assert_eq!((first.value(), second.value()), (&Value::Int(1), &Value::Int(2)));
    assert_eq!(queue.leased().unwrap(), 2);
    drop(first);
    second.ack().unwrap();
    assert_eq!(queue.leased().unwrap(), 0);
    let rest: Vec<_> = (0..39).map(|_| queue.get(NOW).unwrap()).collect();
    assert_eq!(rest.first(), Some(&Value::Int(1)));
    assert_eq!(rest.get(1), Some(&Value::Int(3)));
    sound(&seg);
}

#[test]
fn many_leases_are_settled_in_any_order() {
    let seg = segment();
    let queue = seg.queue("q", 0).unwrap();
    for number in 0..200 {
        queue.put(format!("job number {number}"), NOW).unwrap();
    }
    let mut leases: Vec<_> = (0..200).map(|_| queue.get_lease(NOW).unwrap()).collect();
    while !leases.is_empty() {
        leases.remove(leases.len() / 3).ack().unwrap();
    }
    assert_eq!((queue.leased().unwrap(), queue.len().unwrap()), (0, 0));
    sound(&seg);
}

#[test]
fn a_settled_lease_says_that_it_is() {
    let queue = segment().queue("q", 0).unwrap();
    queue.put(1, NOW).unwrap();
    let mut lease = queue.get_lease(NOW).unwrap();
    lease.settle(true).unwrap();
    assert!(matches!(lease.settle(false), Err(Error::KeyNotFound { .. })));
    assert_eq!(queue.len().unwrap(), 1);
}

#[test]
fn a_closed_queue_waits_for_its_leases_to_end() {
    let queue = segment().queue("q", 0).unwrap();
    queue.put(1, NOW).unwrap();
    let lease = queue.get_lease(NOW).unwrap();
    queue.close(false).unwrap();
    assert!(matches!(queue.get(NOW), Err(Error::QueueEmpty { .. })));
    lease.ack().unwrap();
    assert!(matches!(queue.get(NOW), Err(Error::QueueClosed { .. })));
}

#[test]
fn each_subscriber_sees_each_message_and_a_slow_one_learns_what_it_lost() {
    let seg = segment();
    let topic = seg.topic("t", 3).unwrap();
    let mut fast = topic.subscribe().unwrap();
    let mut slow = topic.subscribe().unwrap();
    for number in 0..5 {
        topic.publish(number).unwrap();
        assert_eq!(fast.get(NOW).unwrap(), Value::Int(number));
    }
    assert_eq!(slow.pending().unwrap(), 3);
    let got: Vec<_> = (0..3).map(|_| slow.get(NOW).unwrap()).collect();
    assert_eq!(got, [2, 3, 4].map(Value::Int));
    assert_eq!((slow.lost(), fast.lost()), (2, 0));
    assert!(matches!(slow.get(NOW), Err(Error::QueueEmpty { .. })));
    assert_eq!(topic.replay().unwrap().pending().unwrap(), 3);
    sound(&seg);
}

#[test]
fn a_path_tells_of_changes_at_its_end_only() {
    let seg = segment();
    let root = seg.root();
    root.insert("a", seg.dict([("n", 1)]).unwrap()).unwrap();
    let path = || ["a", "n"].map(Value::from);
    let mut changes = seg.watch_path(path()).unwrap();
    root.insert("b", 1).unwrap();
    assert!(!changes.wait(Some(Duration::from_millis(5))).unwrap());
    root.insert("a", seg.dict([("n", 2)]).unwrap()).unwrap();
    assert!(changes.wait(NOW).unwrap());
    assert_eq!(changes.value(), Some(&Value::Int(2)));
    root.remove("a").unwrap();
    assert!(changes.wait(NOW).unwrap());
    assert_eq!(changes.value(), None);
}

#[test]
fn one_thread_waits_for_many_and_is_told_of_each() {
    let seg = segment();
    let waiters = crate::changes::Waiters::new();
    let queues: Vec<_> = (0..200).map(|n| seg.queue(&format!("q{n}"), 0).unwrap()).collect();
    for (number, queue) in queues.iter().enumerate() {
        let version = queue.version().unwrap();
        waiters.add(number as u64, crate::changes::Waiter::of_queue(queue, version));
    }
    let told = std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            let (mut told, started) = (Vec::new(), Instant::now());
            while told.len() < queues.len() && started.elapsed() < Duration::from_secs(30) {
                told.extend(waiters.wait(Duration::from_secs(1)));
            }
            told
        });
        for queue in &queues {
            queue.put(1, NOW).unwrap();
        }
        sleeper.join().unwrap()
    });
    assert_eq!(told.into_iter().collect::<HashSet<_>>().len(), queues.len());
    assert_eq!(waiters.count(), 0);
}
