//! More processes and threads than slots: a clear error, and a place again when one has gone.
//!
//! Slots of the dead are used again without anybody asking for it. A fork without a free slot is a
//! fork all the same: reading goes on, writing waits for a slot.

use std::sync::Barrier;

use shm::{Error, Segment, Value};

use crate::{Board, alone, assert_clean, die, fresh_name, in_child, kill, small, spawn, wait};

#[test]
fn more_processes_than_slots_is_an_error_after_dead_ones_were_reclaimed() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small().max_processes(3)).unwrap();
        let attach_and_die = || {
            in_child(|| match Segment::attach(&name, small()) {
                Ok(own) => {
                    let held = own.list_of([1, 2, 3]);
                    std::mem::forget(held);
                    die()
                }
                Err(_) => 1,
            })
        };
        // Each takes a slot, pins an object and is killed: their slots are used again and again.
        for _ in 0..10 {
            assert_eq!(attach_and_die(), -libc::SIGKILL);
        }
        let two = Segment::attach(&name, small()).unwrap();
        let three = Segment::attach(&name, small()).unwrap();
        let error = Segment::attach(&name, small()).unwrap_err();
        assert!(matches!(error, Error::TooManyParticipants { slots: 3, .. }), "{error}");
        drop((two, three));
        segment.reap().unwrap();
        let report = segment.check().unwrap();
        assert!(report.is_sound() && report.garbage == 0, "{report:?}");
    });
}

#[test]
fn of_six_processes_for_four_slots_two_wait_until_others_have_died() {
    alone(|| {
        const IN: u64 = 1;
        const REFUSED: u64 = 2;
        let name = fresh_name();
        let board = Board::new();
        // Forked before there is a segment: a fork afterwards would inherit an attachment.
        let children: Vec<libc::pid_t> = (0..6)
            .map(|number| {
                let (name, board) = (&name, &board);
                spawn(move || {
                    let options = small().max_processes(4);
                    let own = loop {
                        // Tries when it is told to.
                        board.wait_for(6, 1);
                        match Segment::open(name, options.clone()) {
                            Ok(own) => break own,
                            Err(error @ Error::TooManyParticipants { slots: 4, .. }) => {
                                let text = error.to_string();
                                if !text.contains("4 process slots") || !text.contains(name) {
                                    return 1;
                                }
                                board.set(number, REFUSED);
                                board.wait_for(7, number as u64 + 1);
                            }
                            Err(_) => return 2,
                        }
                    };
                    let works = own.root().set(number as i64, "here").is_ok();
                    board.set(number, IN);
                    board.wait_for(7, 100);
                    i32::from(!works) * 3
                })
            })
            .collect();
        board.set(6, 1);
        for number in 0..6 {
            board.wait_for(number, IN);
        }
        let (inside, refused): (Vec<usize>, Vec<usize>) =
            (0..6).partition(|number| board.get(*number) == IN);
        assert_eq!((inside.len(), refused.len()), (4, 2));
        // One dies, one of those who wait comes in; then the same again.
        for (dead, next) in inside.iter().zip(&refused) {
            kill(children[*dead]);
            board.set(*next, 0);
            board.set(7, *next as u64 + 1);
            board.wait_for(*next, IN);
            assert_eq!(board.get(*next), IN);
        }
        board.set(7, 100);
        for number in inside[2..].iter().chain(&refused) {
            assert_eq!(wait(children[*number]), 0);
        }
        let segment = Segment::open(&name, small()).unwrap();
        assert_clean(&segment);
    });
}

#[test]
fn a_fork_without_a_free_slot_leaves_parent_and_child_at_work() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small().max_processes(2)).unwrap();
        let list = segment.list_of(["text of the parent"]).unwrap();
        segment.root().set("inner", &list).unwrap();
        for n in 0..20 {
            segment.root().set(n, segment.list_of([n]).unwrap()).unwrap();
        }
        let other = Segment::attach(&name, small()).unwrap();
        let root = segment.root();
        let board = Board::new();
        let child = spawn(|| {
            if list.get(0).ok().flatten() != Some(Value::from("text of the parent")) {
                return 1;
            }
            let refused = |error: Option<Error>| {
                matches!(error, Some(Error::TooManyParticipants { slots: 2, kind: "process", .. }))
            };
            if !refused(list.push(1).err()) {
                return 2;
            }
            // A new handle is a pin: it must not go into the parent's table.
            for n in 0..20 {
                if !refused(root.get(n).err()) {
                    return 3;
                }
            }
            board.set(0, 1);
            board.wait_for(1, 1);
            i32::from(list.push("text of the child").is_err()) * 4
        });
        eventually_or_ended(child, &board);
        list.push("more of the parent").unwrap();
        other.close().unwrap();
        board.set(1, 1);
        assert_eq!(wait(child), 0);
        assert_eq!(list.len().unwrap(), 3);
        root.clear().unwrap();
        segment.reap().unwrap();
        assert_eq!(list.get(0).unwrap(), Some(Value::from("text of the parent")));
        drop((list, root));
        assert_clean(&segment);
    });
}

/// Waits for a child's word 0, or tells at once with what it ended instead.
fn eventually_or_ended(child: libc::pid_t, board: &Board) {
    crate::eventually("the child is there", || {
        let mut status = 0;
        // SAFETY: `status` is a live local; the child is ours.
        let ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
        assert_eq!(ended, 0, "the child ended with {status:#x}");
        board.get(0) == 1
    });
}

#[test]
fn more_threads_than_slots_is_an_error_until_one_ends() {
    alone(|| {
        let segment = Segment::create_anonymous(small().max_threads(3)).unwrap();
        let list = segment.list_of([0]).unwrap();
        let (ready, wake) = (Barrier::new(3), Barrier::new(3));
        std::thread::scope(|scope| {
            let threads = [(); 2].map(|()| {
                scope.spawn(|| {
                    list.add(0, 1).unwrap();
                    ready.wait();
                    wake.wait();
                })
            });
            ready.wait();
            let error = scope.spawn(|| list.add(0, 1).unwrap_err()).join().unwrap();
            assert!(
                matches!(error, Error::TooManyParticipants { slots: 3, kind: "thread", .. }),
                "{error}"
            );
            wake.wait();
            // Joined: the end of a scope alone does not wait for what a thread does last.
            for thread in threads {
                thread.join().unwrap();
            }
            scope.spawn(|| list.add(0, 1).unwrap()).join().unwrap();
        });
        assert_eq!(list.get_int(0).unwrap(), Some(3));
    });
}
