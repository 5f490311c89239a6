//! The first page of a segment.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::STRIPES;

/// Resident. The first page of the segment; its first 31 words never change after creation and are
/// covered by a checksum.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SegmentHeader {
    /// [`MAGIC`](super::MAGIC); also tells the byte order.
    pub magic: u64,
    /// Layout version (low 32 bits), header bytes (high 32).
    pub version: u64,
    /// Feature bits: compatible, incompatible, read-only compatible.
    pub features: [u64; 3],
    /// Random identity of this segment.
    pub uuid: [u64; 2],
    /// Key of the hash of text and bytes, random.
    pub hash_key: [u64; 2],
    /// Where the last possible page ends.
    pub max_size: u64,
    /// [`PAGE_BYTES`](super::PAGE_BYTES).
    pub page_bytes: u64,
    /// Process slots (low 32 bits), thread slots (high 32).
    pub slots: u64,
    /// Where the page directory starts.
    pub directory_at: u64,
    /// Where the data pages start.
    pub data_at: u64,
    /// The boot that the segment was created in (a file may outlive it).
    pub boot_id: [u64; 2],
    /// Inode of the creator's pid namespace.
    pub pid_namespace: u64,
    /// [`LOCK_MODE_SEGMENT`](super::LOCK_MODE_SEGMENT).
    pub lock_mode: u64,
    /// [`HASH_SIPHASH13`](super::HASH_SIPHASH13).
    pub hash_algorithm: u64,
    /// When the segment dies: 0 last, 1 creator, 2 manual.
    pub lifetime: u64,
    /// Process id of the creator.
    pub creator_pid: u64,
    /// Start time of the creator, in clock ticks since boot.
    pub creator_start: u64,
    /// When this was copied from a segment, in nanoseconds since the epoch; 0 for a segment.
    pub snapshot: u64,
    /// Of such a copy: the hash of its content; 0 for a segment.
    pub content: u64,
    /// The ceiling: bytes of data pages that may have memory at a time, a multiple of the page size.
    pub ceiling: u64,
    /// Unused, zero.
    pub reserved: [u64; 6],
    /// SipHash-1-3 of the words before it, with key 0.
    pub checksum: u64,

    // 256: growth.
    /// Bytes of the file that are taken and may be read: the end of the data.
    pub committed: u64,
    /// Lowest page that may be free; all pages below it are in use.
    pub first_free_page: u64,
    /// Collections since the creation.
    pub collections: u64,
    /// How long writers waited for the last one, in nanoseconds.
    pub last_pause: u64,
    /// How long for the longest one.
    pub longest_pause: u64,
    /// No page from this one on was written since the file system gave it: it is all zeros.
    pub untouched: u64,
    /// How many pages are holes; never fewer than there are.
    pub holes: u64,
    /// Unused, zero.
    pub growth_line: u64,

    // 320: the writer lock.
    /// Owner: thread slot + 1 in the low 32 bits (a futex), its incarnation in the high 32; 0 free.
    pub lock_owner: u64,
    /// 1: somebody sleeps or is about to.
    pub lock_waiters: u64,
    /// Owner token of a waiter that has waited too long: the lock is handed to it; 0 none.
    pub lock_next: u64,
    /// Which change events somebody sleeps on, a bit each (see `watch`).
    pub watched: u64,
    /// Unused, zero.
    pub lock_line: [u64; 4],

    // 384: reclamation.
    /// Head of the list of dead blocks whose children are not yet released; 0 none.
    pub graveyard: u64,
    /// First of a chain of garbage that is being buried as a whole; 0 none. Not 0 commits it.
    pub burying: u64,
    /// Who marks (an owner token, of no meaning unless that one holds the lock); 0 nobody.
    pub collecting: u64,
    /// Counts of objects that fell, but not to 0, since the last collection.
    pub loosened: u64,
    /// Live objects that the last collection found.
    pub survivors: u64,
    /// Bytes that taking the dead apart has given back.
    pub reclaimed: u64,
    /// Unused, zero.
    pub collector_line: [u64; 2],

    // 448: what everything hangs from.
    /// Cell of the root dict.
    pub root: u64,
    /// Cell of the dict of named primitives.
    pub names: u64,
    /// Cell of the dict of stored schemas.
    pub schemas: u64,
    /// Cell of the list of messages.
    pub messages: u64,
    /// Unused, zero.
    pub root_line: [u64; 4],

    // 512: counters and state.
    /// Dead participants met.
    pub deaths: u64,
    /// Logs rolled back or finished for dead participants.
    pub recoveries: u64,
    /// Set when counts or bitmaps may be off, until an audit has ended. No kill does that.
    pub audit_needed: u64,
    /// 0 usable, 1 unlinked: who attached in between must look for the name again.
    pub retired: u64,
    /// Process slots ever used.
    pub process_high: u64,
    /// Thread slots ever used.
    pub thread_high: u64,
    /// When the lock was last taken from a dead owner and its operation undone or finished, in
    /// nanoseconds of `CLOCK_MONOTONIC`; 0 never.
    pub last_recovery: u64,
    /// Unused, zero.
    pub counter_line: u64,

    // 576: first page with a free block, by size class (+1, 0 none), then by object headers.
    /// Heads of the page lists.
    pub class_heads: [u64; 64],

    // 1088: change events (see `watch`); nothing of it is logged.
    /// By object: the event of each group of objects, a futex in the low 32 bits.
    pub change_events: [u64; 64],
    /// The event of those who wait for several objects at once.
    pub any_change: u64,
    /// Unused, zero.
    pub unused: [u64; 55],

    // 2048: what short operations hold instead of the writer lock.
    /// By object: one stripe in a cache line of its own.
    pub stripes: [StripeLine; STRIPES],
}

/// Resident. One stripe of the writer lock.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct StripeLine {
    /// Holder: an owner token as that of the writer lock; 0 free.
    pub holder: u64,
    /// 1: the owner of the writer lock sleeps until this stripe is free, or is about to.
    pub waiters: u64,
    /// Unused, zero.
    pub line: [u64; 6],
}
