//! Forks by system call, which run no handlers: the child notices by itself that it is another one.
//!
//! Such a child has no slot prepared; it registers on its first operation. What it inherited of its
//! parent's slot, pins and logs it must leave alone. Only processes of one thread may do this: the
//! C library's own locks are not in order in such a child either.

use shm::{Segment, Value};

use crate::{Board, alone, assert_clean, fresh_name, kill, living, path_of, small, spawn, wait};

/// As `fork`, without the C library.
fn spawn_raw(work: impl FnOnce() -> i32) -> libc::pid_t {
    // SAFETY: clone without CLONE_VM and with no stack is a fork; the process has one thread.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    if pid == 0 {
        let code = work();
        // SAFETY: ends without running the parent's exit handlers.
        unsafe { libc::_exit(code) };
    }
    assert!(pid > 0);
    pid as libc::pid_t
}

#[test]
fn a_raw_child_reads_writes_and_leaves_its_parents_pins_alone() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let inner = segment.list_of(["inner"]).unwrap();
        segment.root().set("inner", &inner).unwrap();
        for n in 0..40 {
            segment.root().set(n, segment.list_of([n]).unwrap()).unwrap();
        }
        for _ in 0..5 {
            let child = spawn_raw(|| {
                // Reading first: new handles are pins, and they are not the parent's.
                for n in 0..40 {
                    match segment.root().get(n) {
                        Ok(Some(list)) => std::mem::forget(list),
                        _ => return 1,
                    }
                }
                i32::from(inner.push("child").is_err()) * 2
            });
            assert_eq!(wait(child), 0);
        }
        assert_eq!(inner.len().unwrap(), 6);
        // The parent's own pins are where it left them: what only it holds stays, no more.
        segment.root().clear().unwrap();
        segment.reap().unwrap();
        assert_eq!(inner.get(0).unwrap(), Some(Value::from("inner")));
        drop(inner);
        assert_clean(&segment);
        assert_eq!(segment.peers().unwrap().len(), 1);
    });
}

#[test]
fn a_raw_child_takes_one_thread_slot() {
    alone(|| {
        let segment = Segment::create_anonymous(small().max_threads(2)).unwrap();
        let list = segment.list_of([0]).unwrap();
        // The parent has one of two slots.
        let child = spawn_raw(|| i32::from(!(0..10).all(|_| list.add(0, 1).is_ok())));
        assert_eq!(wait(child), 0);
        assert_eq!(list.get_int(0).unwrap(), Some(10));
    });
}

#[test]
fn a_raw_child_killed_at_work_is_recovered() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let list = segment.list_of((0..1000).map(|n| format!("text number {n}"))).unwrap();
        for round in 0..20 {
            let board = Board::new();
            let child = spawn_raw(|| {
                let _ = list.reverse();
                board.set(0, 1);
                loop {
                    let _ = list.reverse();
                }
            });
            board.wait_for(0, 1);
            kill(child);
            // Without the kernel's mark the process itself is looked at.
            segment.root().set("round", round).unwrap();
            assert_eq!(living(&segment).len(), 1);
        }
        drop(list);
        assert_clean(&segment);
    });
}

#[test]
fn a_raw_child_that_never_touches_the_segment_does_not_keep_its_dead_parent_alive() {
    alone(|| {
        let name = fresh_name();
        let board = Board::new();
        let parent = spawn(|| {
            let Ok(segment) = Segment::create(&name, small()) else { return 1 };
            std::mem::forget(segment);
            // Inherits the description, and with it the byte lock of its parent.
            spawn_raw(|| {
                board.wait_for(0, 1);
                board.set(1, 1);
                0
            });
            0
        });
        assert_eq!(wait(parent), 0);
        assert!(path_of(&name).exists());
        drop(Segment::create(&name, small()).unwrap());
        board.set(0, 1);
        board.wait_for(1, 1);
    });
}
