//! Where the regions of a segment lie.

use std::mem::size_of;

use super::{
    CACHE_BYTES, CachedBlocks, HEADER_BYTES, LOG_BYTES, PAGE_BYTES, PAGE_ENTRY_BYTES,
    PROCESS_BYTES, THREAD_BYTES,
};
use crate::cell::Offset;

/// Most pages that there are beyond the ceiling: those of 1 TiB.
const MOST_SPARE: u64 = (1 << 40) / PAGE_BYTES;

/// Handle. Where the regions of one segment lie; computed at creation, validated at attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Process slots.
    pub processes: u64,
    /// Thread slots.
    pub threads: u64,
    /// The ceiling: so many pages may have memory at a time.
    pub ceiling: u64,
    /// Where the last possible page ends.
    pub max_size: u64,
    /// Where the logs, each with a cache behind it, start.
    pub logs_at: Offset,
    /// Where the directory starts.
    pub directory_at: Offset,
    /// Where the data pages start.
    pub data_at: Offset,
}

impl Geometry {
    /// Lays a segment of about `size` bytes of data out. There are more pages than may have memory at a time,
    /// so that the room of holes, which cannot be filled while several processes are there, is not missed.
    #[must_use]
    pub fn new(size: u64, processes: u64, threads: u64) -> Self {
        let threads_at = HEADER_BYTES + processes * PROCESS_BYTES;
        let logs_at = (threads_at + threads * THREAD_BYTES).next_multiple_of(4096);
        let directory_at = logs_at + threads * (LOG_BYTES + CACHE_BYTES);
        let ceiling = size.div_ceil(PAGE_BYTES).max(4);
        let pages = ceiling + ceiling.min(MOST_SPARE);
        let data_at = (directory_at + pages * PAGE_ENTRY_BYTES).next_multiple_of(PAGE_BYTES);
        let max_size = data_at + pages * PAGE_BYTES;
        Geometry { processes, threads, ceiling, max_size, logs_at, directory_at, data_at }
    }

    /// How many data pages there can be.
    #[must_use]
    pub fn pages(&self) -> u64 {
        (self.max_size - self.data_at) / PAGE_BYTES
    }

    /// Where a process slot lies.
    #[must_use]
    pub fn process_at(&self, slot: u64) -> Offset {
        HEADER_BYTES + slot * PROCESS_BYTES
    }

    /// Where a thread slot lies.
    #[must_use]
    pub fn thread_at(&self, slot: u64) -> Offset {
        HEADER_BYTES + self.processes * PROCESS_BYTES + slot * THREAD_BYTES
    }

    /// Where a thread's log lies.
    #[must_use]
    pub fn log_at(&self, slot: u64) -> Offset {
        self.logs_at + slot * (LOG_BYTES + CACHE_BYTES)
    }

    /// Where a thread's cache lies.
    #[must_use]
    pub fn cache_at(&self, slot: u64) -> Offset {
        self.log_at(slot) + LOG_BYTES
    }

    /// Where the blocks of a class in a thread's cache are.
    #[must_use]
    pub fn cached_at(&self, slot: u64, class: u8) -> Offset {
        self.cache_at(slot) + u64::from(class) * size_of::<CachedBlocks>() as u64
    }

    /// Where a page's directory entry lies.
    #[must_use]
    pub fn entry_at(&self, page: u64) -> Offset {
        self.directory_at + page * PAGE_ENTRY_BYTES
    }

    /// Where a page lies.
    #[must_use]
    pub fn page_at(&self, page: u64) -> Offset {
        self.data_at + page * PAGE_BYTES
    }
}
