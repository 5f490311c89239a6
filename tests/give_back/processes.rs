//! Processes for tests: one that runs a test alone, and others that do something when they are told to.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;

use crate::FOLDER;

pub(super) fn fork(work: impl FnOnce() -> i32) -> libc::pid_t {
    // SAFETY: the child runs `work` and ends by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = work();
        // SAFETY: ends without running the parent's exit handlers.
        unsafe { libc::_exit(code) };
    }
    pid
}

pub(super) fn wait(pid: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is a live local; the child is ours.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    if libc::WIFSIGNALED(status) { -libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
}

/// Runs a test in a process of its own, with one thread.
pub(super) fn alone(test: impl FnOnce() + std::panic::UnwindSafe) {
    if std::env::var_os(FOLDER).is_none() {
        in_child(test);
    }
}

pub(super) fn in_child(test: impl FnOnce() + std::panic::UnwindSafe) {
    let code = wait(fork(|| {
        std::panic::set_hook(Box::new(|info| {
            let _ = writeln!(std::io::stderr(), "{info}");
        }));
        i32::from(std::panic::catch_unwind(test).is_err())
    }));
    assert_eq!(code, 0, "the test failed in its process");
}

fn pipe() -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    // SAFETY: the descriptors are new and nobody else's.
    let [from, to] = ends.map(|end| unsafe { File::from_raw_fd(end) });
    (from, to)
}

/// Another process, which does something when it is told to, and then stays until it is told to go.
pub(super) struct Other {
    pid: libc::pid_t,
    tell: File,
    told: File,
}

impl Other {
    pub(super) fn new<T>(work: impl FnOnce() -> T) -> Self {
        Self::by(fork_by_library, work)
    }

    pub(super) fn by<T>(fork: fn() -> libc::pid_t, work: impl FnOnce() -> T) -> Self {
        let ((mut go, tell), (told, mut done)) = (pipe(), pipe());
        let pid = fork();
        if pid != 0 {
            return Other { pid, tell, told };
        }
        // Else it would keep itself alive.
        drop((tell, told));
        let mut byte = [0];
        if go.read_exact(&mut byte).is_ok() {
            let stay = work();
            done.write_all(&byte).unwrap();
            let _ = go.read(&mut byte);
            std::mem::forget(stay);
        }
        // SAFETY: ends without running the parent's exit handlers.
        unsafe { libc::_exit(0) };
    }

    pub(super) fn start(&mut self) {
        self.tell.write_all(&[1]).unwrap();
        self.told.read_exact(&mut [0]).unwrap();
    }

    pub(super) fn end(self) {
        drop((self.tell, self.told));
        assert_eq!(wait(self.pid), 0);
    }
}

pub(super) fn fork_by_library() -> libc::pid_t {
    // SAFETY: the caller ends the child by _exit.
    unsafe { libc::fork() }
}

/// As `fork`, without the C library, so without handlers.
pub(super) fn fork_raw() -> libc::pid_t {
    // SAFETY: clone without CLONE_VM and with no stack is a fork; the process has one thread.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    pid as libc::pid_t
}
