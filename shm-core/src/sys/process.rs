//! Who this process is, whether another one lives, and when a fork made a new one.
//!
//! Liveness by process id is second evidence (a thread's death is seen by its life word) and holds
//! only within one pid namespace; the start time tells a reused id. A page with `MADV_WIPEONFORK`
//! makes any fork visible at the price of one load, also one that ran no handlers.

use std::fs;
use std::io;
use std::sync::OnceLock;

use crate::primitive::{AtomicU64, Ordering};

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
        let pid = std::process::id();
        let start_time = stat_of(pid).map_or(0, |stat| stat.start_time);
        Identity { pid, start_time, namespace: namespace() }
    }

    /// `Some(false)` if it is surely dead, `Some(true)` if it surely lives, `None` if this process
    /// cannot tell (another pid namespace, no /proc).
    #[must_use]
    pub(crate) fn is_alive(self) -> Option<bool> {
        if self.namespace == 0 || self.namespace != namespace() || self.pid == 0 {
            return None;
        }
        match stat_of(self.pid) {
            Ok(stat) if self.start_time != 0 && stat.start_time != self.start_time => Some(false),
            Ok(stat) => Some(!matches!(stat.state, 'Z' | 'X')),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // /proc may be absent or hide other users' processes: signal 0 decides.
                // SAFETY: kill with signal 0 sends nothing.
                let status = unsafe { libc::kill(self.pid as libc::pid_t, 0) };
                let gone =
                    status != 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
                if gone { Some(false) } else { None }
            }
            Err(_) => None,
        }
    }
}

struct Stat {
    state: char,
    start_time: u64,
}

/// Field 3 (state) and 22 (start time) of /proc/PID/stat; the name in parentheses may hold anything.
fn stat_of(pid: u32) -> io::Result<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat"))?;
    let text = String::from_utf8_lossy(&text);
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "unexpected /proc/PID/stat");
    let (_, rest) = text.rsplit_once(')').ok_or_else(bad)?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next().and_then(|field| field.chars().next()).ok_or_else(bad)?;
    let start_time = fields.nth(18).and_then(|field| field.parse().ok()).ok_or_else(bad)?;
    Ok(Stat { state, start_time })
}

/// Inode of this process's pid namespace; 0 where /proc does not tell.
#[must_use]
pub(crate) fn namespace() -> u64 {
    use std::os::unix::fs::MetadataExt;
    static INODE: OnceLock<u64> = OnceLock::new();
    *INODE.get_or_init(|| fs::metadata("/proc/self/ns/pid").map_or(0, |meta| meta.ino()))
}

/// This boot's id, as two words; zeros where /proc does not tell.
#[must_use]
pub(crate) fn boot_id() -> [u64; 2] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let hex: String = text.chars().filter(char::is_ascii_hexdigit).take(32).collect();
    let half = |range: std::ops::Range<usize>| {
        hex.get(range).and_then(|part| u64::from_str_radix(part, 16).ok()).unwrap_or(0)
    };
    [half(0..16), half(16..32)]
}

/// The name that users see in `ps`.
#[must_use]
pub(crate) fn name() -> String {
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
