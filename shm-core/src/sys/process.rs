//! Who this process is, whether another one lives, and when a fork made a new one.
//!
//! Liveness by process id is second evidence (a thread's death is seen by its life word) and holds
//! only within one pid namespace; the start time tells a reused id. What is known of this process is
//! kept until a fork (a child may be in another namespace); of others nothing is, and /proc may show a
//! namespace that is not ours. An
//! exec keeps id and start time: that a process is the same program too is told by its byte lock
//! (`sys::file`). A page with `MADV_WIPEONFORK` makes any fork visible at the price of one load, also
//! one that ran no handlers.

use std::fs;
use std::io;
use std::sync::OnceLock;

use crate::primitive::{AtomicU64, Ordering};
use crate::sys::proc::{Proc, namespace};

/// A process id and what makes it unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The process id.
    pub(crate) pid: u32,
    /// Start time in clock ticks since boot; 0 unknown.
    pub(crate) start_time: u64,
    /// Inode of the pid namespace; 0 unknown.
    pub(crate) namespace: u64,
}

impl Identity {
    /// Of the calling process.
    #[must_use]
    pub(crate) fn of_this_process() -> Self {
        static KNOWN: Known = Known::nobody();
        let (generation, pid) = (generation_word().load(Ordering::Relaxed), std::process::id());
        if let Some(identity) = KNOWN.get(generation, pid) {
            return identity;
        }
        // By "self": under the number, a /proc of another namespace shows somebody else.
        let start_time = Proc::of_this_process().map_or(0, |known| known.start_time);
        let identity = Identity { pid, start_time, namespace: namespace() };
        KNOWN.set(generation, identity);
        identity
    }

    /// `Some(false)` if it is surely dead, `Some(true)` if it surely lives, `None` if this process
    /// cannot tell (another pid namespace, no /proc).
    #[must_use]
    pub(crate) fn is_alive(self) -> Option<bool> {
        let here = Self::of_this_process().namespace;
        if self.namespace == 0 || self.namespace != here || self.pid == 0 {
            return None;
        }
        match Proc::of(self.pid) {
            Ok(known) if self.start_time != 0 && known.start_time != self.start_time => Some(false),
            // The first thread may have ended while others go on: then it is a zombie among them.
            Ok(known) => Some(!matches!(known.state, 'Z' | 'X') || known.threads > 1),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // /proc may be absent, another namespace's, or hide other users' processes.
                if exists(self.pid) { None } else { Some(false) }
            }
            Err(_) => None,
        }
    }
}

/// What was found out about this process, until the next fork. Threads that race find out the same.
struct Known {
    /// Generation and process id for which the rest holds; 0 none.
    generation: AtomicU64,
    pid: AtomicU64,
    start_time: AtomicU64,
    namespace: AtomicU64,
}

impl Known {
    const fn nobody() -> Self {
        Known {
            generation: AtomicU64::new(0),
            pid: AtomicU64::new(0),
            start_time: AtomicU64::new(0),
            namespace: AtomicU64::new(0),
        }
    }

    fn get(&self, generation: u64, pid: u32) -> Option<Identity> {
        // Acquire: pairs with the Release store in `set`. 0 is a child that has not noticed its fork.
        if generation == 0
            || self.generation.load(Ordering::Acquire) != generation
            || self.pid.load(Ordering::Relaxed) != u64::from(pid)
        {
            return None;
        }
        let start_time = self.start_time.load(Ordering::Relaxed);
        Some(Identity { pid, start_time, namespace: self.namespace.load(Ordering::Relaxed) })
    }

    fn set(&self, generation: u64, identity: Identity) {
        self.pid.store(u64::from(identity.pid), Ordering::Relaxed);
        self.start_time.store(identity.start_time, Ordering::Relaxed);
        self.namespace.store(identity.namespace, Ordering::Relaxed);
        // Release: after the rest.
        self.generation.store(generation, Ordering::Release);
    }
}

/// Whether the number means a process, in the caller's pid namespace.
pub(crate) fn exists(pid: u32) -> bool {
    // SAFETY: kill with signal 0 sends nothing.
    let status = unsafe { libc::kill(pid as libc::pid_t, 0) };
    status == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// This boot's id, as two words; zeros where /proc does not tell.
#[must_use]
pub(crate) fn boot_id() -> [u64; 2] {
    static ID: OnceLock<[u64; 2]> = OnceLock::new();
    *ID.get_or_init(|| {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let hex: String = text.chars().filter(char::is_ascii_hexdigit).take(32).collect();
        let half = |range: std::ops::Range<usize>| {
            hex.get(range).and_then(|part| u64::from_str_radix(part, 16).ok()).unwrap_or(0)
        };
        [half(0..16), half(16..32)]
    })
}

/// The name that users see in `ps`: that of the process's first thread.
#[must_use]
pub(crate) fn name() -> String {
    if super::life::thread_id() == std::process::id() {
        let mut bytes = [0_u8; 16];
        // SAFETY: the buffer is live and as long as a name can be.
        let status = unsafe { libc::prctl(libc::PR_GET_NAME, bytes.as_mut_ptr()) };
        if status == 0 {
            let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
            return String::from_utf8_lossy(name).into_owned();
        }
    }
    fs::read_to_string("/proc/self/comm").map_or_else(|_| String::new(), |n| n.trim().to_owned())
}

/// Words from the system's random source.
pub(crate) fn random_words<const N: usize>() -> io::Result<[u64; N]> {
    let mut words = [0_u64; N];
    let mut bytes = zerocopy::IntoBytes::as_mut_bytes(&mut words[..]);
    while !bytes.is_empty() {
        // SAFETY: the buffer is live and of the length given.
        let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        match usize::try_from(got) {
            Ok(count) => bytes = bytes.get_mut(count..).unwrap_or_default(),
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(io::Error::last_os_error()),
        }
    }
    Ok(words)
}

/// The word that a fork resets to 0 in the child, whose fork handler sets it anew.
pub(crate) fn generation_word() -> &'static AtomicU64 {
    static WORD: OnceLock<&'static AtomicU64> = OnceLock::new();
    WORD.get_or_init(|| {
        let bytes = 4096;
        // SAFETY: a fresh anonymous mapping of one page, at an address of the kernel's choice.
        let page = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if page == libc::MAP_FAILED {
            return Box::leak(Box::new(AtomicU64::new(1)));
        }
        // SAFETY: the page was just mapped. Old kernels refuse; then only the handlers tell a fork.
        unsafe { libc::madvise(page, bytes, libc::MADV_WIPEONFORK) };
        // SAFETY: the page is mapped, aligned, zeroed, never unmapped, and used as atomics only.
        let word = unsafe { &*page.cast::<AtomicU64>() };
        word.store(1, Ordering::Relaxed);
        word
    })
}

/// The commands of `membarrier` that are used here.
const BARRIER: libc::c_int = 1 << 1;
const REGISTER: libc::c_int = 1 << 2;

fn membarrier(command: libc::c_int) {
    // SAFETY: takes three numbers. What an old kernel refuses costs waiters a slice now and then.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) };
}

/// Lets the barriers of other processes reach the running threads of this one.
pub(crate) fn register_for_barriers() {
    membarrier(REGISTER);
}

/// A full memory barrier on every running thread of the processes that registered.
pub(crate) fn barrier() {
    membarrier(BARRIER);
}

/// Runs `prepare` before, `parent` and `child` after each fork of this process, in the thread that
/// forks; registered once for the life of the process.
pub(crate) fn on_fork(prepare: extern "C" fn(), parent: extern "C" fn(), child: extern "C" fn()) {
    // SAFETY: the handlers are plain functions that live for ever.
    unsafe {
        libc::pthread_atfork(Some(prepare), Some(parent), Some(child));
    }
}
