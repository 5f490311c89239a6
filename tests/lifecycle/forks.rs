//! Forks: a child has its parent's handles, a slot and pins of its own, and none of its locks.
//!
//! Both go on whatever becomes of the other; what only a dead child held is given back, whether it
//! ever used the segment or not. Forks that run no handlers are in `raw_forks`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shm::{Error, Segment, Value};

use crate::{
    Board, SetAtEnd, alone, assert_clean, eventually, fresh_name, in_child, kill, living, path_of,
    small, spawn, wait,
};

#[test]
fn a_forked_child_keeps_its_handles_when_the_parent_drops_them() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let list = segment.list_of(["only the handles know it"]).unwrap();
        let ready = segment.list_of([0]).unwrap();
        let child = spawn(|| {
            // The parent says when its own handle is gone.
            while ready.get_int(0).unwrap_or(None) != Some(1) {
                std::thread::yield_now();
            }
            let seen = list.get(0).ok().flatten();
            let written = list.push(1).is_ok();
            i32::from(seen != Some(Value::from("only the handles know it")) || !written)
        });
        let id = list.id();
        drop(list);
        ready.set(0, 1).unwrap();
        assert_eq!(wait(child), 0);
        segment.reap().unwrap();
        assert!(matches!(segment.object(id), Err(Error::Closed { .. })));
        let report = segment.check().unwrap();
        assert!(report.is_sound() && report.garbage == 0, "{report:?}");
    });
}

#[test]
fn a_child_killed_at_work_is_noticed_while_its_parent_lives() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let mine = segment.list_of(["mine"]).unwrap();
        let busy = segment.list_of((0..100).map(|n| format!("text number {n}"))).unwrap();
        let me = std::process::id();
        for _ in 0..20 {
            let board = Board::new();
            let child = spawn(|| {
                let held = segment.list_of(["only the child holds it"]);
                board.set(0, 1);
                loop {
                    let _ = busy.reverse();
                    drop(segment.dict([("a", 1)]));
                    std::hint::black_box(&held);
                }
            });
            board.wait_for(0, 1);
            let mut both = [me, child as u32];
            both.sort_unstable();
            assert_eq!(living(&segment), both);
            kill(child);
            assert_eq!(living(&segment), [me]);
            assert_eq!(mine.get(0).unwrap(), Some(Value::from("mine")));
            mine.set(0, "mine").unwrap();
        }
        assert_clean(&segment);
        assert_eq!(segment.peers().unwrap().len(), 1);
    });
}

#[test]
fn a_child_that_never_touches_the_segment_gives_its_slot_back() {
    alone(|| {
        let segment = Segment::create_anonymous(small().max_processes(3)).unwrap();
        let list = segment.list_of([1]).unwrap();
        for round in 0..12 {
            // Two slots are left: without giving back, the third child would have none.
            let board = Board::new();
            let child = spawn(|| {
                board.set(0, 1);
                board.wait_for(1, 1);
                0
            });
            board.wait_for(0, 1);
            assert_eq!(living(&segment).len(), 2, "round {round}");
            board.set(1, 1);
            assert_eq!(wait(child), 0);
            assert_eq!(living(&segment).len(), 1, "round {round}");
            segment.reap().unwrap();
        }
        drop(list);
        assert_clean(&segment);
        assert_eq!(segment.peers().unwrap().len(), 1);
    });
}

#[test]
fn children_that_died_unused_do_not_keep_the_name() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small()).unwrap();
        for _ in 0..3 {
            assert_eq!(in_child(|| 0), 0);
        }
        // One that was not waited for yet is dead all the same.
        let zombie = spawn(|| 0);
        // SAFETY: an all-zero siginfo is a valid value; it is only written to.
        let mut info = unsafe { std::mem::zeroed() };
        let options = libc::WEXITED | libc::WNOWAIT;
        // SAFETY: `info` is live; the child is ours and stays a zombie.
        unsafe { libc::waitid(libc::P_PID, zombie as libc::id_t, &raw mut info, options) };
        segment.close().unwrap();
        assert!(!path_of(&name).exists());
        wait(zombie);
    });
}

#[test]
fn a_child_that_lives_on_unused_keeps_the_name_as_long_as_it_lives() {
    alone(|| {
        let name = fresh_name();
        let board = Board::new();
        let parent = spawn(|| {
            let Ok(segment) = Segment::create(&name, small()) else { return 1 };
            spawn(|| {
                board.wait_for(1, 1);
                0
            });
            segment.close().map_or(2, |()| 0)
        });
        assert_eq!(wait(parent), 0);
        assert!(path_of(&name).exists(), "the grandchild still has it");
        assert!(matches!(Segment::create(&name, small()), Err(Error::SegmentExists { .. })));
        board.set(1, 1);
        eventually("only the dead hold it", || Segment::create(&name, small()).is_ok());
    });
}

#[test]
fn forks_amid_writing_threads_leave_parent_and_children_at_work() {
    alone(|| {
        let segment = Segment::create_anonymous(small().size(8 << 20)).unwrap();
        let done = AtomicBool::new(false);
        let forked = segment.list_of([0]).unwrap();
        std::thread::scope(|scope| {
            for number in 0..4 {
                let (segment, done) = (&segment, &done);
                scope.spawn(move || {
                    let root = segment.root();
                    let key = format!("thread {number}");
                    let mut count = 0_i64;
                    while !done.load(Ordering::Relaxed) {
                        count += 1;
                        root.set(key.as_str(), count).unwrap();
                        // Handles come and go in the very moment of the fork.
                        let list = segment.list_of([format!("text number {count}")]).unwrap();
                        list.push(count).unwrap();
                    }
                    assert_eq!(root.get(key.as_str()).unwrap(), Some(Value::Int(count)));
                });
            }
            let end = SetAtEnd(&done);
            for round in 0..50 {
                let child = spawn(|| {
                    // SAFETY: only the default action of the signal, which ends the child.
                    unsafe { libc::alarm(60) };
                    let own = segment.list_of([Value::from(round), "of the child".into()]);
                    let works = forked.add(0, 1).is_ok()
                        && own.is_ok_and(|own| own.push("more").is_ok())
                        && segment.root().set("child", round).is_ok();
                    i32::from(!works)
                });
                assert_eq!(wait(child), 0, "round {round}");
            }
            drop(end);
        });
        assert_eq!(forked.get_int(0).unwrap(), Some(50));
        drop(forked);
        assert_clean(&segment);
        assert_eq!(segment.peers().unwrap().len(), 1);
    });
}

#[test]
fn forks_of_forks_work_and_outlive_their_parents() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let list = segment.list([]).unwrap();
        let board = Board::new();
        let child = spawn(|| {
            let pushed = list.push("child").is_ok();
            spawn(|| {
                let pushed = list.push("grandchild").is_ok();
                spawn(|| {
                    // The processes between have gone; their ends took nothing of this one's.
                    board.wait_for(0, 2);
                    let works = list.push("great-grandchild").is_ok()
                        && segment.list_of(["new"]).is_ok_and(|new| new.push(1).is_ok());
                    board.set(1, 1 + u64::from(works));
                    0
                });
                board.0[0].fetch_add(1, Ordering::SeqCst);
                i32::from(!pushed)
            });
            board.0[0].fetch_add(1, Ordering::SeqCst);
            i32::from(!pushed)
        });
        assert_eq!(wait(child), 0);
        board.wait_for(1, 1);
        assert_eq!(board.get(1), 2);
        let mut lines = list.to_vec().unwrap();
        assert_eq!(lines.pop(), Some(Value::from("great-grandchild")));
        assert_eq!(lines.len(), 2);
        eventually("all have ended", || living(&segment).len() == 1);
        drop((lines, list));
        assert_clean(&segment);
    });
}

#[test]
fn a_turn_that_the_parent_holds_is_not_the_childs() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let turn = segment.turn("t").unwrap();
        let guard = turn.acquire(None).unwrap();
        let me = std::process::id();
        let code = in_child(|| {
            if turn.release().is_ok() {
                return 1;
            }
            match turn.acquire_raw(Some(Duration::from_millis(50))) {
                Err(Error::LockTimeout { holder_pid, .. }) if holder_pid == me => 0,
                _ => 2,
            }
        });
        assert_eq!(code, 0);
        drop(guard);
        assert_eq!(in_child(|| i32::from(turn.acquire(None).is_err())), 0);
    });
}

#[test]
fn a_read_only_attachment_survives_a_fork() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small()).unwrap();
        segment.root().set("n", 1).unwrap();
        let reader = Segment::attach(&name, small().readonly(true)).unwrap();
        let code = in_child(|| {
            let seen = reader.root().get("n").ok().flatten();
            i32::from(seen != Some(Value::Int(1)))
        });
        assert_eq!(code, 0);
        assert_eq!(reader.root().get("n").unwrap(), Some(Value::Int(1)));
    });
}

#[test]
fn a_process_that_may_not_open_the_file_any_more_forks_and_both_go_on() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small().size(64 << 20)).unwrap();
        let list = segment.list_of([1]).unwrap();
        let none = std::os::unix::fs::PermissionsExt::from_mode(0o000);
        std::fs::set_permissions(path_of(&name), none).unwrap();
        let code = in_child(|| {
            // SAFETY: gives root's rights up, or does nothing for who has none.
            unsafe { libc::setuid(65_534) };
            if std::fs::File::open(path_of(&name)).is_ok() {
                return 1;
            }
            // Enough to grow the file.
            let grown = || (0..30_000).all(|n| list.push(format!("text number {n}")).is_ok());
            let code = in_child(|| i32::from(!grown()) * 2);
            if code != 0 { code } else { i32::from(!grown()) * 3 }
        });
        assert_eq!(code, 0);
        assert_eq!(list.len().unwrap(), 60_001);
        drop(list);
        assert_clean(&segment);
    });
}
