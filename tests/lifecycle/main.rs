//! How segments come and go: names, races, lifetimes, deaths, forks, and files that are none.
//!
//! One file a theme. Whatever a test does to a process it does to a child of its own, made by a fork
//! and ended by `_exit`: the test's own process and its threads stay as they were.

#![allow(unsafe_code, reason = "fork, kill and resource limits")]
#![allow(clippy::unwrap_used, reason = "what helpers of tests cannot do fails the test")]

mod busy_forks;
mod closing;
mod crashes;
mod deaths;
mod descriptors;
mod forks;
mod lifetimes;
mod names;
mod namespaces;
mod programs;
mod raw_forks;
mod slots;
mod threads;
#[path = "../words/mod.rs"]
mod words;

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shm::{Segment, SegmentOptions};

/// A name that no other test uses.
fn fresh_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("shm-lifecycle-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn path_of(name: &str) -> PathBuf {
    PathBuf::from("/dev/shm").join(name)
}

/// Small, and patient: on a busy machine a writer may wait long for its turn among others.
fn small() -> SegmentOptions {
    SegmentOptions::new().size(1 << 20).lock_timeout(Duration::from_mins(1))
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
    let code = in_child(|| {
        // What the harness captures in a child is lost with it.
        std::panic::set_hook(Box::new(|info| {
            let _ = writeln!(std::io::stderr(), "{info}");
        }));
        i32::from(std::panic::catch_unwind(test).is_err())
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

/// Sends a signal to a child that was not waited for yet.
fn send(pid: libc::pid_t, signal: libc::c_int) {
    // SAFETY: the child is ours, so the number cannot mean another process.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// Kills a child and waits for it.
fn kill(pid: libc::pid_t) {
    send(pid, libc::SIGKILL);
    assert_eq!(wait(pid), -libc::SIGKILL);
}

/// Stops a child and waits until it has stopped.
fn stop(pid: libc::pid_t) {
    send(pid, libc::SIGSTOP);
    let mut status = 0;
    // SAFETY: `status` is a live local; the child is ours.
    unsafe { libc::waitpid(pid, &raw mut status, libc::WUNTRACED) };
    assert!(libc::WIFSTOPPED(status), "it ended instead: {status:#x}");
}

/// After the dead were reaped nothing is wrong, and nothing lies about that nobody holds.
fn assert_clean(segment: &Segment) {
    segment.reap().unwrap();
    let report = segment.check().unwrap();
    assert!(report.is_sound() && report.garbage == 0, "{report:?}");
}

/// The ids of the peers that count as alive.
fn living(segment: &Segment) -> Vec<u32> {
    let peers = segment.peers().unwrap();
    let mut living: Vec<u32> =
        peers.into_iter().filter(|peer| peer.alive).map(|peer| peer.pid).collect();
    living.sort_unstable();
    living
}

/// Sets a flag at the end of its scope, also by a panic: threads that wait for it are joined then.
struct SetAtEnd<'f>(&'f AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Words that a test shares with its forks, beside any segment.
struct Board(&'static [AtomicU64; 8]);

impl Board {
    fn new() -> Self {
        Board(words::shared())
    }

    fn get(&self, index: usize) -> u64 {
        self.0[index].load(Ordering::SeqCst)
    }

    fn set(&self, index: usize, value: u64) {
        self.0[index].store(value, Ordering::SeqCst);
    }

    /// Waits, at most ten seconds, until a word is at least that.
    fn wait_for(&self, index: usize, value: u64) {
        eventually("the other process is there", || self.get(index) >= value);
    }
}
