//! ptrace: runs a closure in a forked child, one instruction at a time.
//!
//! The child prepares, stops itself, runs the step, stops itself again and is killed. Between the
//! two stops the tracer looks at the segment's file after each instruction.

#![allow(unsafe_code, reason = "fork, ptrace and a map of the traced segment")]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

/// More instructions than any operation here has: a step that never ends is a failure.
const MOST_INSTRUCTIONS: u64 = 3_000_000;

/// Runs `prepare` in a child, then what it returns, calling `look` with the content of the file at
/// `path` after each instruction of the latter.
pub(crate) fn single_step<S: FnOnce()>(
    path: &Path,
    prepare: impl FnOnce() -> S,
    mut look: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    // SAFETY: the child only runs the closures and ends by _exit or a signal.
    let child = unsafe { libc::fork() };
    if child == 0 {
        run_child(prepare);
    }
    let result = trace(child, path, &mut look);
    // SAFETY: the child is ours and was not reaped yet.
    unsafe { libc::kill(child, libc::SIGKILL) };
    let mut status = 0;
    // SAFETY: `status` is a live local.
    unsafe { libc::waitpid(child, &raw mut status, libc::__WALL) };
    result
}

fn run_child<S: FnOnce()>(prepare: impl FnOnce() -> S) -> ! {
    let step = prepare();
    // SAFETY: PTRACE_TRACEME takes no pointers.
    unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    // SAFETY: stops this process until the tracer goes on.
    unsafe { libc::raise(libc::SIGSTOP) };
    step();
    // SAFETY: tells the tracer that the step is over.
    unsafe { libc::raise(libc::SIGSTOP) };
    // SAFETY: ends without running the parent's exit handlers.
    unsafe { libc::_exit(0) }
}

fn trace(
    child: libc::pid_t,
    path: &Path,
    look: &mut impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    wait_for_stop(child)?;
    let mut view = View::new(path)?;
    for _ in 0..MOST_INSTRUCTIONS {
        // SAFETY: the child is stopped and traced by this thread.
        let status = unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, child, 0, 0) };
        if status != 0 {
            return Err(format!("single-step: {}", std::io::Error::last_os_error()));
        }
        let signal = wait_for_stop(child)?;
        look(view.content()?)?;
        if signal == libc::SIGSTOP {
            return Ok(());
        }
        if signal != libc::SIGTRAP {
            return Err(format!("the step was stopped by signal {signal}"));
        }
    }
    Err(format!("the step has more than {MOST_INSTRUCTIONS} instructions"))
}

fn wait_for_stop(child: libc::pid_t) -> Result<i32, String> {
    let mut status = 0;
    // SAFETY: `status` is a live local.
    let reaped = unsafe { libc::waitpid(child, &raw mut status, libc::__WALL) };
    if reaped != child || !libc::WIFSTOPPED(status) {
        return Err(format!(
            "the child ended early (status {status:#x}): its set-up or step failed"
        ));
    }
    Ok(libc::WSTOPSIG(status))
}

/// The traced segment's file, mapped; the file may grow.
struct View {
    file: File,
    start: *const u8,
    len: usize,
}

impl View {
    fn new(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| format!("open {}: {error}", path.display()))?;
        Ok(View { file, start: std::ptr::null(), len: 0 })
    }

    fn content(&mut self) -> Result<&[u8], String> {
        let len = self.file.metadata().map_err(|error| error.to_string())?.len() as usize;
        if len != self.len {
            self.unmap();
            // SAFETY: a fresh read-only mapping of `len` bytes of an open file.
            let start = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    len,
                    libc::PROT_READ,
                    libc::MAP_SHARED,
                    self.file.as_raw_fd(),
                    0,
                )
            };
            if start == libc::MAP_FAILED {
                return Err(format!("map: {}", std::io::Error::last_os_error()));
            }
            (self.start, self.len) = (start.cast(), len);
        }
        // SAFETY: mapped for `len` bytes; the only writer is stopped while the slice is used.
        Ok(unsafe { std::slice::from_raw_parts(self.start, self.len) })
    }

    fn unmap(&mut self) {
        if !self.start.is_null() {
            // SAFETY: maps exactly this range, of which no slice is left.
            unsafe { libc::munmap(self.start.cast_mut().cast(), self.len) };
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.unmap();
    }
}
