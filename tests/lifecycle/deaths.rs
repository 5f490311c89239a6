//! Deaths and stops of holders: of the writer lock, of turns, of objects.
//!
//! A dead holder is recovered by whoever comes next; a stopped one is never robbed, the error names
//! it. The kill points of single operations are the business of `tests/kill_points`.

use std::time::{Duration, Instant};

use shm::{Error, Segment, Value};

use crate::{
    Board, alone, assert_clean, die, eventually, in_child, send, small, spawn, stop, wait,
};

#[test]
fn a_dead_holder_of_the_lock_is_recovered_at_once() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let list = segment.list_of((0..2000).map(|n| format!("text number {n}"))).unwrap();
        segment.root().set("list", &list).unwrap();
        assert_eq!(segment.stats().unwrap().last_recovery, None);
        let mut deaths = 0;
        for round in 0..200 {
            let started = Instant::now();
            let child = spawn(|| {
                loop {
                    let _ = list.reverse();
                }
            });
            let before = segment.stats().unwrap().deaths;
            // Until the child is at work; then it is killed wherever it is.
            let version = list.version().unwrap();
            eventually("the child works", || list.version().unwrap() != version);
            // SAFETY: the child is ours and was not reaped.
            unsafe { libc::kill(child, libc::SIGKILL) };
            let killed = Instant::now();
            segment.root().set("round", round).unwrap();
            assert!(killed.elapsed() < Duration::from_secs(5));
            wait(child);
            let after = segment.stats().unwrap();
            if after.deaths > before {
                let ago = after.last_recovery.expect("a time, since there was a death");
                assert!(ago < started.elapsed(), "recovered {ago:?} ago");
            }
            deaths += after.deaths - before;
        }
        assert!(deaths > 0, "no child died with the lock in 200 rounds");
        let report = segment.check().unwrap();
        assert!(report.is_sound(), "{report:?}");
    });
}

#[test]
fn a_stopped_holder_is_not_robbed_and_goes_on_when_it_may() {
    alone(|| {
        let options = small().lock_timeout(Duration::from_millis(200));
        let segment = Segment::create_anonymous(options).unwrap();
        let items: Vec<Value> = (0..5000).map(|n| format!("text number {n}").into()).collect();
        let list = segment.list_of(items.clone()).unwrap();
        let mut backwards = items.clone();
        backwards.reverse();
        for _ in 0..200 {
            let board = Board::new();
            let child = spawn(|| {
                while board.get(0) == 0 {
                    if list.reverse().is_err() {
                        return 1;
                    }
                }
                0
            });
            let version = list.version().unwrap();
            eventually("the child works", || list.version().unwrap() != version);
            stop(child);
            let outcome = segment.root().set("n", 1);
            let again = segment.root().set("n", 2);
            board.set(0, 1);
            send(child, libc::SIGCONT);
            match outcome {
                Ok(()) => assert_eq!(wait(child), 0),
                Err(error @ Error::LockTimeout { .. }) => {
                    let Error::LockTimeout { holder_pid, held_for, .. } = error else { return };
                    assert_eq!(holder_pid, child as u32);
                    assert!(held_for >= Duration::from_millis(100));
                    assert!(
                        matches!(again, Err(Error::LockTimeout { .. })),
                        "the second try robbed it"
                    );
                    // It finishes what it was at, and nobody was counted as dead.
                    assert_eq!(wait(child), 0);
                    segment.root().set("n", 3).unwrap();
                    let seen = list.to_vec().unwrap();
                    assert!(seen == items || seen == backwards, "half reversed");
                    assert_eq!(segment.stats().unwrap().deaths, 0);
                    return;
                }
                Err(other) => panic!("{other}"),
            }
        }
        panic!("no child was stopped with the lock in 200 rounds");
    });
}

#[test]
fn a_stopped_holder_of_a_turn_is_waited_for() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let turn = segment.turn("t").unwrap();
        let board = Board::new();
        let child = spawn(|| {
            let Ok(guard) = turn.acquire(None) else { return 1 };
            board.set(0, 1);
            board.wait_for(1, 1);
            drop(guard);
            0
        });
        board.wait_for(0, 1);
        stop(child);
        for _ in 0..3 {
            match turn.acquire(Some(Duration::from_millis(50))).unwrap_err() {
                Error::LockTimeout { holder_pid, .. } => assert_eq!(holder_pid, child as u32),
                other => panic!("{other}"),
            }
        }
        board.set(1, 1);
        send(child, libc::SIGCONT);
        drop(turn.acquire(Some(Duration::from_secs(10))).unwrap());
        assert_eq!(wait(child), 0);
        drop(turn);
        assert_clean(&segment);
    });
}

#[test]
fn an_object_that_only_a_dead_process_held_is_freed() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let before = segment.check().unwrap();
        let code = in_child(|| {
            let lists: Result<Vec<_>, _> =
                (0..500).map(|n| segment.list_of([format!("text number {n}")])).collect();
            std::mem::forget(lists);
            die()
        });
        assert_eq!(code, -libc::SIGKILL);
        assert!(segment.check().unwrap().objects > before.objects + 400);
        segment.reap().unwrap();
        let after = segment.check().unwrap();
        assert!(after.is_sound(), "{after:?}");
        assert_eq!((after.objects, after.leaves), (before.objects, before.leaves));
    });
}

#[test]
fn turns_are_exclusive_and_pass_over_the_dead() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let counter = segment.list_of([0, 0]).unwrap();
        let children: Vec<libc::pid_t> = (0..4)
            .map(|number| {
                let (segment, counter) = (&segment, &counter);
                spawn(move || {
                    let Ok(turn) = segment.turn("count") else { return 1 };
                    for round in 0..200 {
                        let Ok(guard) = turn.acquire(Some(Duration::from_secs(20))) else {
                            return 2;
                        };
                        let seen = counter.get_int(0).ok().flatten().unwrap_or(0);
                        if counter.set(0, seen + 1).is_err() {
                            return 3;
                        }
                        if number == 0 && round == 100 {
                            std::mem::forget(guard);
                            return die();
                        }
                    }
                    0
                })
            })
            .collect();
        let codes: Vec<i32> = children.into_iter().map(wait).collect();
        assert_eq!(codes, [-libc::SIGKILL, 0, 0, 0]);
        assert_eq!(counter.get_int(0).unwrap(), Some(3 * 200 + 101));
        let turn = segment.turn("count").unwrap();
        drop(turn.acquire(Some(Duration::from_secs(5))).unwrap());
    });
}

#[test]
fn a_turn_that_does_not_come_names_its_holder() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let held = segment.list_of([0]).unwrap();
        let child = spawn(|| {
            let Ok(turn) = segment.turn("t") else { return 1 };
            let _guard = turn.acquire(None);
            let _ = held.set(0, 1);
            while held.get_int(0).unwrap_or(None) != Some(2) {
                std::thread::yield_now();
            }
            0
        });
        eventually("the child holds the turn", || held.get_int(0).unwrap() == Some(1));
        let error =
            segment.turn("t").unwrap().acquire(Some(Duration::from_millis(50))).unwrap_err();
        match error {
            Error::LockTimeout { holder_pid, .. } => assert_eq!(holder_pid, child as u32),
            other => panic!("{other}"),
        }
        held.set(0, 2).unwrap();
        assert_eq!(wait(child), 0);
        drop(segment.turn("t").unwrap().acquire(Some(Duration::from_secs(5))).unwrap());
    });
}

#[test]
fn messages_come_in_order_and_wait() {
    alone(|| {
        // Room for all of them at once: the taker may come late.
        let segment = Segment::create_anonymous(small().size(16 << 20)).unwrap();
        let none = segment.take_message(Some(Duration::ZERO)).unwrap_err();
        assert!(matches!(none, Error::NoMessages { .. }));
        let child = spawn(|| {
            for number in 0..500 {
                let message = segment.list_of([Value::from(number), "and more".into()]);
                if message.and_then(|message| segment.put_message(&message)).is_err() {
                    return 1;
                }
            }
            0
        });
        for number in 0..500 {
            let message = segment.take_message(Some(Duration::from_secs(10))).unwrap();
            let Value::List(message) = message else { panic!("{message:?}") };
            assert_eq!(message.get(0).unwrap(), Some(Value::Int(number)));
        }
        assert_eq!(wait(child), 0);
        assert!(!segment.has_messages().unwrap());
    });
}
