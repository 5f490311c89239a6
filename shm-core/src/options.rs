//! How a segment is created or attached.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// When a segment's name and memory go away by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lifetime {
    /// When the last live process closes or dies. If all were killed, the next `create`, `open` or
    /// `prune` removes it. What a name has, unless something else was asked for.
    #[default]
    Last = 0,
    /// When the creator closes or dies.
    Creator = 1,
    /// When it is unlinked. What a path has, unless something else was asked for.
    Manual = 2,
}

impl Lifetime {
    pub(crate) fn from_code(code: u64) -> Self {
        match code {
            0 => Lifetime::Last,
            1 => Lifetime::Creator,
            _ => Lifetime::Manual,
        }
    }
}

/// Options of `Segment::create`, `attach` and `open`; those of creation are ignored by an attach.
///
/// ```
/// use shm_core::SegmentOptions;
/// let options = SegmentOptions::new().size(64 << 20).mode(0o660);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SegmentOptions {
    pub(crate) size: u64,
    pub(crate) mode: u32,
    lifetime: Option<Lifetime>,
    pub(crate) readonly: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) path: Option<PathBuf>,
    pub(crate) max_processes: u64,
    pub(crate) max_threads: u64,
    pub(crate) lock_timeout: Duration,
}

impl Default for SegmentOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl SegmentOptions {
    /// 1 GiB ceiling, mode 0600, lifetime `Last` in /dev/shm and `Manual` elsewhere, writable, 256 processes,
    /// 512 threads.
    pub fn new() -> Self {
        SegmentOptions {
            size: 1 << 30,
            mode: 0o600,
            lifetime: None,
            readonly: false,
            timeout: None,
            path: None,
            max_processes: 256,
            max_threads: 512,
            lock_timeout: Duration::from_secs(10),
        }
    }

    /// The ceiling in bytes; memory is taken as it is used.
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = bytes;
        self
    }

    /// Permission bits of the file.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// When the segment goes away by itself; if not said, with its last process if it has a name in
    /// /dev/shm, and not at all if it has a path: nobody loses a file that they named.
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    pub(crate) fn lifetime_of_new(&self) -> Lifetime {
        let usual = if self.path.is_some() { Lifetime::Manual } else { Lifetime::Last };
        self.lifetime.unwrap_or(usual)
    }

    /// Map without write permission; every write is an error and nothing of the segment is touched.
    pub fn readonly(mut self, readonly: bool) -> Self {
        self.readonly = readonly;
        self
    }

    /// How long `attach` waits for a creator.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// A file of the caller's choice instead of a name in /dev/shm. It stays until it is unlinked,
    /// unless [`SegmentOptions::lifetime`] says otherwise.
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        self.path = Some(path.as_ref().to_owned());
        self
    }

    /// How many processes may be attached at once (1 to 65,000).
    pub fn max_processes(mut self, count: u64) -> Self {
        self.max_processes = count;
        self
    }

    /// How many threads may write at once (1 to 65,000).
    pub fn max_threads(mut self, count: u64) -> Self {
        self.max_threads = count;
        self
    }

    /// How long a writer waits for the lock of a live holder before `LockTimeout`.
    pub fn lock_timeout(mut self, time: Duration) -> Self {
        self.lock_timeout = time;
        self
    }
}
