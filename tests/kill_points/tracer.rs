//! ptrace: runs a step in a forked child, one instruction at a time.
//!
//! The child prepares, stops itself, runs the step, stops itself again and is killed. Between the
//! two stops the tracer looks at the segment's file after each instruction that may have changed it:
//! at its content, and through [`Child`] at the word that the kernel would mark if the child died there.

#![allow(unsafe_code, reason = "fork, ptrace and a look into the traced process")]

use std::path::{Path, PathBuf};

use crate::stores::Stores;
use crate::view::View;

/// More instructions than any operation here has: a step that never ends is a failure.
const MOST_INSTRUCTIONS: u64 = 3_000_000;

/// The stopped process, single-threaded.
pub(crate) struct Child {
    pid: libc::pid_t,
    path: PathBuf,
}

/// The C library's `struct robust_list_head`, as it lies in the child.
#[derive(Default)]
#[repr(C)]
struct RobustHead {
    list: usize,
    futex_offset: isize,
    pending: usize,
}

impl Child {
    /// Its thread id, as futex words hold it.
    pub(crate) fn thread_id(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    /// Offset in the segment of the word that the kernel looks at when the child dies.
    pub(crate) fn pending(&self) -> Option<u64> {
        let mut head: usize = 0;
        let mut len: libc::size_t = 0;
        // SAFETY: both out-pointers are live locals; the child is traced, so we may ask.
        let status = unsafe {
            libc::syscall(libc::SYS_get_robust_list, self.pid, &raw mut head, &raw mut len)
        };
        if status != 0 {
            return None;
        }
        let mut robust = RobustHead::default();
        let local =
            libc::iovec { iov_base: (&raw mut robust).cast(), iov_len: size_of::<RobustHead>() };
        let remote = libc::iovec { iov_base: head as *mut libc::c_void, iov_len: local.iov_len };
        // SAFETY: `local` names a live structure of plain integers; the kernel checks `remote`.
        let read = unsafe {
            libc::process_vm_readv(self.pid, &raw const local, 1, &raw const remote, 1, 0)
        };
        if read != size_of::<RobustHead>() as isize || robust.pending == 0 {
            return None;
        }
        self.offset_of(robust.pending.wrapping_add_signed(robust.futex_offset) as u64)
    }

    /// Where an address of the child lies in the segment's file.
    fn offset_of(&self, address: u64) -> Option<u64> {
        use std::os::unix::fs::MetadataExt;
        let inode = std::fs::metadata(&self.path).ok()?.ino();
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.pid)).ok()?;
        maps.lines().find_map(|line| {
            let mut fields = line.split_whitespace();
            let (start, end) = fields.next()?.split_once('-')?;
            let start = u64::from_str_radix(start, 16).ok()?;
            let end = u64::from_str_radix(end, 16).ok()?;
            let offset = u64::from_str_radix(fields.nth(1)?, 16).ok()?;
            let same = fields.nth(1)?.parse() == Ok(inode);
            (same && (start..end).contains(&address)).then(|| address - start + offset)
        })
    }
}

/// What a look at the segment gets: the number of the instruction before, the content of the file
/// (`None` while there is none), the stopped child.
type Look<'l> = &'l mut dyn FnMut(u64, Option<&[u8]>, &Child) -> Result<(), String>;

/// Runs `prepare` in a child, then what it returns, calling `look` after each instruction of the
/// latter that may have changed the file at `path`; how many instructions that were, of all kinds.
pub(crate) fn single_step<S: FnOnce()>(
    path: &Path,
    prepare: impl FnOnce() -> S,
    look: Look<'_>,
) -> Result<u64, String> {
    // SAFETY: the child only runs the closures and ends by _exit or a signal.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        run_child(prepare);
    }
    let child = Child { pid, path: path.to_owned() };
    let result = trace(&child, look);
    // SAFETY: the child is ours and was not reaped yet.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    let mut status = 0;
    // SAFETY: `status` is a live local.
    unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
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

fn trace(child: &Child, look: Look<'_>) -> Result<u64, String> {
    wait_for_stop(child.pid)?;
    let mut view = View::new(&child.path);
    let mut stores = Stores::default();
    for number in 1..=MOST_INSTRUCTIONS {
        // The first look sees what the set-up left.
        let may_store = stores.next_may_store(child.pid) || number == 1;
        // SAFETY: the child is stopped and traced by this thread.
        let status = unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, child.pid, 0, 0) };
        if status != 0 {
            return Err(format!("single-step: {}", std::io::Error::last_os_error()));
        }
        let signal = wait_for_stop(child.pid)?;
        if may_store || signal != libc::SIGTRAP {
            look(number, view.content()?, child)?;
        }
        if signal == libc::SIGSTOP {
            return Ok(number);
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
