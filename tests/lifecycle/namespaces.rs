//! Pid namespaces: a process whose number means another one, or nobody, where the others are.
//!
//! Its life is told by its life words and its byte lock. Namespaces are made without rights, through
//! a user namespace, where the tests do not run as root. /proc stays that of the outside, so it shows
//! others under the numbers that the processes inside have.

use std::time::Duration;

use shm::{Error, Lifetime, Segment, Value};

use crate::{
    Board, alone, assert_clean, eventually, fresh_name, in_child, kill, living, path_of, small,
    spawn, wait,
};

/// Children of this process are forked into a new pid namespace from now on.
fn new_namespace() {
    // SAFETY: no pointers; changes nothing but where children are forked to.
    if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
        // SAFETY: as above.
        let status = unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWPID) };
        assert_eq!(status, 0, "this system allows no pid namespace");
    }
}

/// Runs `work` as process 1 of a new namespace. What is returned is a process outside that ends as
/// `work` does and takes it along when it is killed.
fn spawn_inside(work: impl FnOnce() -> i32) -> libc::pid_t {
    spawn(|| {
        new_namespace();
        wait(spawn(|| {
            // SAFETY: no pointers; the parent's death is this process's.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            work()
        }))
    })
}

#[test]
fn a_process_in_another_pid_namespace_works_and_its_death_is_noticed() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small().max_processes(8)).unwrap();
        let turn = segment.turn("t").unwrap();
        for attach_inside in [true, false] {
            let board = Board::new();
            let outside = spawn_inside(|| {
                let own = if attach_inside {
                    Segment::attach(&name, small())
                } else {
                    Ok(segment.clone())
                };
                let Ok(own) = own else { return 1 };
                assert_eq!(std::process::id(), 1);
                let Ok(turn) = own.turn("t") else { return 2 };
                std::mem::forget(own.list_of(["only it holds it"]));
                if turn.acquire_raw(None).is_err() {
                    return 3;
                }
                board.set(0, 1);
                loop {
                    let _ = own.root().set("inside", 1);
                }
            });
            board.wait_for(0, 1);
            // Process 1 of the outside lives too, and started at another time: no word about this.
            assert!(living(&segment).contains(&1), "{:?}", segment.peers());
            segment.reap().unwrap();
            assert!(living(&segment).contains(&1));
            let error = turn.acquire(Some(Duration::from_millis(100))).unwrap_err();
            assert!(matches!(error, Error::LockTimeout { holder_pid: 1, .. }), "{error}");
            kill(outside);
            drop(turn.acquire(Some(Duration::from_secs(10))).unwrap());
            eventually("it is gone", || !living(&segment).contains(&1));
            segment.reap().unwrap();
            assert_eq!(segment.peers().unwrap().len(), 1);
        }
        drop(turn);
        assert_clean(&segment);
    });
}

#[test]
fn processes_inside_one_namespace_do_not_take_each_other_for_dead() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small()).unwrap();
        let code = wait(spawn_inside(|| {
            let Ok(own) = Segment::attach(&name, small()) else { return 1 };
            let Ok(turn) = own.turn("t") else { return 2 };
            if turn.acquire_raw(None).is_err() {
                return 3;
            }
            // Process 2, for which /proc shows others under 1 and 2.
            let code = in_child(|| {
                let Ok(second) = Segment::attach(&name, small()) else { return 4 };
                if second.reap().ok() != Some(0) {
                    return 5;
                }
                let Ok(turn) = second.turn("t") else { return 6 };
                match turn.acquire_raw(Some(Duration::from_millis(100))) {
                    Err(Error::LockTimeout { holder_pid: 1, .. }) => 0,
                    _ => 7,
                }
            });
            if code != 0 {
                return code;
            }
            // The dead second one is noticed by the first.
            let alive = living(&own).into_iter().filter(|pid| *pid == 2).count();
            i32::from(alive != 0) * 8
        }));
        assert_eq!(code, 0);
        assert_clean(&segment);
    });
}

#[test]
fn a_process_outside_that_died_is_noticed_inside() {
    alone(|| {
        let name = fresh_name();
        let board = Board::new();
        // Forked before there is a segment, so that it inherits nothing of it.
        let outside = spawn_inside(|| {
            board.wait_for(0, 1);
            let Ok(own) = Segment::attach(&name, small()) else { return 1 };
            board.set(1, 1);
            board.wait_for(2, 1);
            let Ok(turn) = own.turn("t") else { return 2 };
            if turn.acquire_raw(Some(Duration::from_secs(10))).is_err() {
                return 3;
            }
            // It is the last one, then.
            if own.close().is_err() {
                return 4;
            }
            i32::from(path_of(&name).exists()) * 5
        });
        let holder = spawn(|| {
            let Ok(segment) = Segment::create(&name, small()) else { return 1 };
            let Ok(turn) = segment.turn("t") else { return 2 };
            if turn.acquire_raw(None).is_err() {
                return 3;
            }
            board.set(0, 1);
            loop {
                std::thread::yield_now();
            }
        });
        board.wait_for(1, 1);
        kill(holder);
        board.set(2, 1);
        assert_eq!(wait(outside), 0);
    });
}

#[test]
fn a_creator_in_another_namespace_takes_its_segment_along() {
    alone(|| {
        let name = fresh_name();
        let board = Board::new();
        let outside = spawn_inside(|| {
            let options = small().lifetime(Lifetime::Creator);
            let Ok(own) = Segment::create(&name, options) else { return 1 };
            board.set(0, 1);
            loop {
                let _ = own.root().set("n", 1);
            }
        });
        board.wait_for(0, 1);
        let segment = Segment::attach(&name, small()).unwrap();
        assert!(segment.root().get("n").is_ok());
        kill(outside);
        eventually("nobody may come any more", || {
            matches!(Segment::attach(&name, small()), Err(Error::SegmentNotFound { .. }))
        });
    });
}

#[test]
fn the_end_of_a_child_with_its_parents_number_is_not_the_parents() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let turn = segment.turn("t").unwrap();
        let board = Board::new();
        let outside = spawn_inside(|| {
            // Process 1, whose child in a namespace within is process 1 there.
            if turn.acquire_raw(None).is_err() {
                return 1;
            }
            new_namespace();
            // It ends without a look at the segment, with its parent's life word inherited.
            if in_child(|| i32::from(std::process::id() != 1)) != 0 {
                return 2;
            }
            board.set(0, 1);
            board.wait_for(1, 1);
            turn.release().map_or(3, |()| 0)
        });
        board.wait_for(0, 1);
        let error = turn.acquire(Some(Duration::from_millis(100))).unwrap_err();
        assert!(matches!(error, Error::LockTimeout { holder_pid: 1, .. }), "{error}");
        board.set(1, 1);
        assert_eq!(wait(outside), 0);
        drop(turn.acquire(Some(Duration::from_secs(10))).unwrap());
        segment.root().set("kept", "whole").unwrap();
        assert_eq!(segment.root().get("kept").unwrap(), Some(Value::from("whole")));
    });
}
