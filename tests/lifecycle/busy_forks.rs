//! Forks in the middle of what other threads of the parent do: the child has nothing of it.
//!
//! Those threads are not there in the child, so what they held in the process's own memory nobody gives
//! back, and what they were about to finish nobody finishes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shm::{Error, Segment, Shared, Value};

use crate::{Board, SetAtEnd, alone, assert_clean, kill, small, spawn, wait};

/// Says so if the child does not end by itself.
fn wait_shortly(child: libc::pid_t) -> i32 {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let mut status = 0;
        // SAFETY: `status` is a live local; the child is ours.
        let ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
        if ended == child {
            return if libc::WIFSIGNALED(status) {
                -libc::WTERMSIG(status)
            } else {
                libc::WEXITSTATUS(status)
            };
        }
        if std::time::Instant::now() > deadline {
            kill(child);
            panic!("the child waits for somebody who is not there");
        }
        thread::yield_now();
    }
}

/// Makes garbage that only a collection finds.
fn litter(segment: &Segment) -> shm::Result<()> {
    let list = segment.list_of(["a text that does not fit into a cell"; 200])?;
    list.push(&list)
}

#[test]
fn a_child_collects_though_a_thread_of_its_parent_was_collecting() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let board = Board::new();
        let end = AtomicBool::new(false);
        thread::scope(|scope| {
            let _end = SetAtEnd(&end);
            scope.spawn(|| {
                while !end.load(Ordering::Relaxed) {
                    // Full again and again: most of the time it makes room.
                    while board.get(0) == 0 && !end.load(Ordering::Relaxed) {
                        match litter(&segment) {
                            Ok(()) | Err(Error::SegmentFull { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                    board.set(1, 1);
                    while board.get(0) == 1 && !end.load(Ordering::Relaxed) {
                        thread::yield_now();
                    }
                    board.set(1, 0);
                }
            });
            for round in 0..20 {
                let child = spawn(|| {
                    board.set(0, 1);
                    board.wait_for(1, 1);
                    for _ in 0..300 {
                        if let Err(error) = litter(&segment) {
                            eprintln!("{round}: {error}");
                            return 1;
                        }
                    }
                    0
                });
                assert_eq!(wait(child), 0, "round {round}");
                board.set(0, 0);
                crate::eventually("it works again", || board.get(1) == 0);
            }
        });
        segment.gc().unwrap();
        assert_clean(&segment);
    });
}

#[derive(Shared, Clone, Debug, PartialEq)]
struct Known {
    number: i64,
}

#[derive(Shared, Clone, Debug, PartialEq)]
struct New {
    number: i64,
    text: String,
}

#[test]
fn a_child_learns_of_structs_though_a_thread_of_its_parent_was_looking_one_up() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        segment.root().set("known", segment.alloc(Known { number: 1 }).unwrap()).unwrap();
        let end = AtomicBool::new(false);
        thread::scope(|scope| {
            let _end = SetAtEnd(&end);
            for _ in 0..2 {
                scope.spawn(|| {
                    while !end.load(Ordering::Relaxed) {
                        assert!(matches!(segment.root().get("known"), Ok(Some(Value::Record(_)))));
                    }
                });
            }
            for _ in 0..100 {
                let child = spawn(|| {
                    let new = New { number: 2, text: "text".to_owned() };
                    let same = segment.alloc(new.clone()).and_then(|stored| stored.load());
                    let known = segment.root().get_as::<Known>("known");
                    let known = known.ok().flatten().map(|known| known.number());
                    i32::from(same.ok() != Some(new) || known != Some(1))
                });
                assert_eq!(wait_shortly(child), 0);
            }
        });
        assert_clean(&segment);
    });
}
