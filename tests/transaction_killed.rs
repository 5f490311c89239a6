//! Transactions of processes that are killed or forked inside.
//!
//! A file of their own: a fork prepares a child in every segment of the process, those of other tests
//! included.

#![allow(unsafe_code, reason = "fork, for a process that is killed inside of a transaction")]
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::time::{Duration, Instant};

use shm::{Segment, SegmentOptions, Value};

fn segment() -> Segment {
    let seg = Segment::create_anonymous(SegmentOptions::new().size(32 << 20)).unwrap();
    seg.root().insert("list", seg.list_of([1]).unwrap()).unwrap();
    seg
}

fn sound(seg: &Segment) {
    assert_eq!(seg.check().unwrap().findings, Vec::<String>::new());
}

/// Runs something in a child, which is killed when it has said that it is ready.
fn kill_when_ready(work: impl FnOnce(&dyn Fn())) {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: the child runs `work` and never returns.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        work(&|| {
            // SAFETY: one byte of a live local.
            unsafe { libc::write(ends[1], [1_u8].as_ptr().cast(), 1) };
        });
        loop {
            // SAFETY: waits for the kill.
            unsafe { libc::pause() };
        }
    }
    let mut byte = [0_u8];
    // SAFETY: one byte of a live local.
    assert_eq!(unsafe { libc::read(ends[0], byte.as_mut_ptr().cast(), 1) }, 1);
    // SAFETY: the child is ours.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    let mut status = 0;
    // SAFETY: `status` is a live local; the child is ours.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    for end in ends {
        // SAFETY: both are open.
        unsafe { libc::close(end) };
    }
}

#[test]
fn a_process_that_is_killed_inside_leaves_what_was_before() {
    for steps in [1, 10, 100, 3000] {
        let seg = segment();
        kill_when_ready(|ready| {
            let other = Segment::attach(seg.name(), SegmentOptions::new()).unwrap();
            let inside = other.begin(None).unwrap();
            let Some(Value::List(list)) = other.root().get("list").unwrap() else { return };
            for number in 0..steps {
                list.push(format!("never to be seen, number {number}")).unwrap();
                other.root().insert(number, other.list_of([number]).unwrap()).unwrap();
            }
            ready();
            std::mem::forget((inside, list));
        });
        let started = Instant::now();
        let root = seg.root();
        assert_eq!(root.len().unwrap(), 1);
        let Some(Value::List(list)) = root.get("list").unwrap() else {
            panic!("a list was stored")
        };
        assert_eq!(list.to_vec().unwrap(), [Value::Int(1)]);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        seg.reap().unwrap();
        sound(&seg);
    }
}

#[test]
fn a_forked_child_is_in_no_transaction() {
    let seg = segment();
    let root = seg.root();
    let transaction = seg.begin(None).unwrap();
    root.insert("parent", 1).unwrap();
    // SAFETY: the child leaves by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // Waits for the parent's transaction, then sees all of it.
        let seen = root.insert("child", 1).is_ok() && root.get("parent").ok().flatten().is_some();
        drop(transaction);
        // SAFETY: ends the child without the test harness.
        unsafe { libc::_exit(i32::from(!seen)) };
    }
    root.insert("also", 1).unwrap();
    transaction.commit().unwrap();
    let mut status = 0;
    // SAFETY: `status` is a live local; the child is ours.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0);
    assert_eq!(root.len().unwrap(), 4);
    seg.reap().unwrap();
    sound(&seg);
}
