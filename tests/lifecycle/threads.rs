//! Ends of threads: with a turn held, without the C library knowing, by a panic, and of the first one.
//!
//! A thread that ends gives its slot back; one that ends without being asked (the bare system call)
//! is told by its life word. What it held passes on while its process lives.

use std::time::Duration;

use shm::{Error, Segment, Shared};

use crate::{Board, alone, assert_clean, kill, living, small, spawn};

const SOON: Option<Duration> = Some(Duration::from_secs(10));

/// Ends the calling thread, and it alone, with no handler and no destructor.
fn end_thread() -> ! {
    // SAFETY: ends this thread; it has nothing that others wait for.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!("a thread survived its end")
}

/// Runs `work` in a thread that ends by the bare system call; returns once it has ended.
fn in_cut_thread(work: impl FnOnce() + Send + 'static) {
    let (send, receive) = std::sync::mpsc::channel();
    // Never joined: the standard library has no part in how it ends.
    std::mem::forget(std::thread::spawn(move || {
        // SAFETY: gettid has no arguments and cannot fail.
        let id = unsafe { libc::gettid() };
        work();
        send.send(id).unwrap();
        end_thread();
    }));
    let id = receive.recv().unwrap();
    crate::eventually("the thread has ended", || {
        !std::path::Path::new(&format!("/proc/self/task/{id}")).exists()
    });
}

#[test]
fn a_thread_that_ends_with_a_turn_is_passed_over() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let turn = segment.turn("t").unwrap();
        let other = turn.clone();
        std::thread::spawn(move || other.acquire_raw(None).unwrap()).join().unwrap();
        assert!(turn.is_held().unwrap());
        drop(turn.acquire(SOON).unwrap());
    });
}

#[test]
fn a_thread_cut_off_with_a_turn_is_told_by_its_life_word() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let turn = segment.turn("t").unwrap();
        for _ in 0..10 {
            let other = turn.clone();
            in_cut_thread(move || {
                other.acquire_raw(None).unwrap();
            });
            assert!(turn.is_held().unwrap());
            drop(turn.acquire(SOON).unwrap());
        }
        drop(turn);
        assert_clean(&segment);
    });
}

#[derive(Shared, Clone, Debug, PartialEq)]
struct Pair {
    left: i64,
    label: String,
}

#[test]
fn a_panic_in_an_update_changes_nothing_and_holds_nothing() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let pair = segment.alloc(Pair { left: 1, label: "whole".to_owned() }).unwrap();
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let outcome = std::thread::scope(|scope| {
            let panics = || {
                pair.update(|pair| {
                    pair.left = 2;
                    pair.label.push_str(" and more");
                    panic!("on purpose");
                })
            };
            scope.spawn(panics).join()
        });
        assert!(outcome.is_err());
        std::panic::set_hook(hook);
        pair.update(|pair| {
            assert_eq!(*pair, Pair { left: 1, label: "whole".to_owned() });
            pair.left = 3;
        })
        .unwrap();
        drop(pair);
        assert_clean(&segment);
    });
}

#[test]
fn ten_times_as_many_threads_as_slots_work_one_after_another() {
    alone(|| {
        let segment = Segment::create_anonymous(small().max_threads(4)).unwrap();
        let list = segment.list_of([0]).unwrap();
        for _ in 0..40 {
            // Joined: the end of a scope alone does not wait for what a thread does last.
            std::thread::scope(|scope| scope.spawn(|| list.add(0, 1).unwrap()).join().unwrap());
        }
        assert_eq!(list.get_int(0).unwrap(), Some(40));
        // Also if none of them gives its slot back.
        for _ in 0..40 {
            let list = list.clone();
            in_cut_thread(move || {
                list.add(0, 1).unwrap();
            });
        }
        assert_eq!(list.get_int(0).unwrap(), Some(80));
        drop(list);
        assert_clean(&segment);
    });
}

#[test]
fn a_process_whose_first_thread_has_ended_lives_as_long_as_another_one() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let turn = segment.turn("t").unwrap();
        let list = segment.list_of([0]).unwrap();
        let board = Board::new();
        let child = spawn(|| {
            let (turn, list, words) = (turn.clone(), list.clone(), board.0);
            std::mem::forget(std::thread::spawn(move || {
                let board = Board(words);
                turn.acquire_raw(None).unwrap();
                board.set(0, 1);
                loop {
                    list.add(0, 1).unwrap();
                }
            }));
            board.wait_for(0, 1);
            end_thread()
        });
        board.wait_for(0, 1);
        let stat = format!("/proc/{child}/stat");
        crate::eventually("its first thread is a zombie", || {
            std::fs::read_to_string(&stat).unwrap().contains(") Z ")
        });
        assert_eq!(living(&segment).len(), 2);
        let error = turn.acquire(Some(Duration::from_millis(100))).unwrap_err();
        assert!(
            matches!(error, Error::LockTimeout { holder_pid, .. } if holder_pid == child as u32),
            "{error}"
        );
        assert_eq!(segment.reap().unwrap(), 0);
        let before = list.get_int(0).unwrap();
        crate::eventually("it goes on", || list.get_int(0).unwrap() > before);
        kill(child);
        drop(turn.acquire(SOON).unwrap());
        assert_eq!(living(&segment).len(), 1);
        drop((list, turn));
        assert_clean(&segment);
    });
}
