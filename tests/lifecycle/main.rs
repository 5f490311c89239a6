//! How segments come and go: names, races, lifetimes, deaths, forks, and files that are none.
//!
//! One file a theme. Whatever a test does to a process it does to a child of its own, made by a fork
//! and ended by `_exit`: the test's own process and its threads stay as they were.

#![allow(unsafe_code, reason = "fork, kill and resource limits")]

mod deaths;
mod forks;
mod lifetimes;
mod names;
mod slots;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shm::SegmentOptions;

/// A name that no other test uses.
fn fresh_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("shm-lifecycle-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn path_of(name: &str) -> PathBuf {
    PathBuf::from("/dev/shm").join(name)
}

fn small() -> SegmentOptions {
    SegmentOptions::new().size(1 << 20)
}

/// Runs `work` in a forked child and returns its exit code, or minus the signal that ended it.
fn in_child(work: impl FnOnce() -> i32) -> i32 {
    wait(spawn(work))
}

fn spawn(work: impl FnOnce() -> i32) -> libc::pid_t {
    // SAFETY: the child runs `work` and ends by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = work();
        // SAFETY: ends without running the parent's exit handlers.
        unsafe { libc::_exit(code) };
    }
    pid
}

fn wait(pid: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is a live local; the child is ours.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    if libc::WIFSIGNALED(status) { -libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
}

/// Runs a test in a child of its own: forks of other tests' threads would inherit what it attaches,
/// and so would count as peers.
fn alone(test: impl FnOnce() + std::panic::UnwindSafe) {
    let code = in_child(|| match std::panic::catch_unwind(test) {
        Ok(()) => 0,
        Err(_) => 1,
    });
    assert_eq!(code, 0, "the test failed in its process");
}

fn die() -> i32 {
    // SAFETY: ends this process as a kill from outside would.
    unsafe { libc::raise(libc::SIGKILL) };
    0
}

/// Waits until something holds, at most ten seconds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within 10 s");
        std::thread::yield_now();
    }
}
