//! What /proc says of a process.
//!
//! A /proc shows one pid namespace, which need not be the caller's: a child that was forked into a new one still sees
//! its parent's until it mounts its own. Each has a device number of its own, so which one an open file is
//! of is told by the file itself; whether that one counts as this process does is asked once after each fork.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use crate::primitive::{AtomicU64, Ordering};
use crate::sys::process::generation_word;

/// A process, as /proc/PID/stat describes it.
pub(crate) struct Proc {
    /// As `ps` shows it: `Z` and `X` are dead.
    pub(crate) state: char,
    /// How many threads it has.
    pub(crate) threads: u64,
    /// In clock ticks since boot.
    pub(crate) start_time: u64,
}

impl Proc {
    /// Of the calling process: by "self", as under its number a /proc of another namespace shows somebody
    /// else.
    pub(crate) fn of_this_process() -> io::Result<Self> {
        Self::read(&mut File::open("/proc/self/stat")?)
    }

    /// Of another one, by its number in the caller's pid namespace; `NotFound` also where /proc shows
    /// another namespace.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let mut file = File::open(format!("/proc/{pid}/stat"))?;
        if !counts_as_we_do(file.metadata()?.dev()) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Self::read(&mut file)
    }

    /// Fields 3 (state), 20 (threads) and 22 (start time); the name in parentheses may hold anything.
    fn read(file: &mut File) -> io::Result<Self> {
        // In one read: the file has no length that a reader could ask for first.
        let mut bytes = [0; 1024];
        let read = file.read(&mut bytes)?;
        let text = String::from_utf8_lossy(bytes.get(..read).unwrap_or_default());
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "unexpected /proc/PID/stat");
        let (_, rest) = text.rsplit_once(')').ok_or_else(bad)?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next().and_then(|field| field.chars().next()).ok_or_else(bad)?;
        let threads = fields.nth(16).and_then(|field| field.parse().ok()).ok_or_else(bad)?;
        let start_time = fields.nth(1).and_then(|field| field.parse().ok()).ok_or_else(bad)?;
        Ok(Proc { state, threads, start_time })
    }
}

/// Whether the /proc of this device counts processes as this process's pid namespace does.
fn counts_as_we_do(device: u64) -> bool {
    /// The device of which that is known, and the generation that found out (0 none).
    static KNOWN: AtomicU64 = AtomicU64::new(0);
    static GENERATION: AtomicU64 = AtomicU64::new(0);
    let generation = generation_word().load(Ordering::Relaxed);
    // Acquire: pairs with the Release store below. 0 is a child that has not noticed its fork.
    if generation != 0
        && GENERATION.load(Ordering::Acquire) == generation
        && KNOWN.load(Ordering::Relaxed) == device
    {
        return true;
    }
    let known = device_that_counts_as_we_do().is_ok_and(|ours| ours == Some(device));
    if known {
        KNOWN.store(device, Ordering::Relaxed);
        // Release: after the device.
        GENERATION.store(generation, Ordering::Release);
    }
    known
}

/// The device of /proc, if it counts processes as this process's pid namespace does.
fn device_that_counts_as_we_do() -> io::Result<Option<u64>> {
    let mut file = File::open("/proc/self/status")?;
    let mut status = String::new();
    file.read_to_string(&mut status)?;
    let device = file.metadata()?.dev();
    let Some(ids) = status.lines().find_map(|line| line.strip_prefix("NSpid:")) else {
        return Ok(Some(device));
    };
    // One id for each namespace from that of /proc down to ours.
    Ok((ids.split_ascii_whitespace().count() == 1).then_some(device))
}

/// Whether this process has no thread but the calling one; not where /proc does not tell.
pub(crate) fn has_one_thread() -> bool {
    Proc::of_this_process().is_ok_and(|known| known.threads == 1)
}

/// Inode of this process's pid namespace; 0 where /proc does not tell.
#[must_use]
pub(crate) fn namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |meta| meta.ino())
}
