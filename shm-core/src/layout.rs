//! Every resident structure of the segment: its fields, offsets and sizes, checked at compile time.
//!
//! All words are little-endian `u64`; all offsets are bytes from the start of the segment; the
//! unit of access is 8 bytes. docs/format.md shows the same as a byte map and changes with it.
//!
//! ```text
//! 0             SegmentHeader                     4 KiB
//! 4 KiB         ProcessSlot table                 processes x 128 B
//!               ThreadSlot table                  threads x 64 B
//!               logs and caches                   threads x 20 KiB, taken when a thread registers
//!               PageEntry directory               64 B per 64 KiB page, taken as pages are
//! data_at       pages                             64 KiB each, up to max_size
//! ```
//!
//! The structures below are never placed over the mapping (another process may write there): they
//! name offsets, and private copies of them are taken apart.

use std::mem::{offset_of, size_of};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::cell::Offset;

/// First word of every segment: "shm-seg" and a byte that makes it no text.
pub const MAGIC: u64 = u64::from_le_bytes(*b"shm-seg\xf5");
/// Version of the layout that this build reads and writes.
pub const FORMAT: u32 = 7;
/// Feature bits that a reader may ignore, must know, must know to write: all that this build knows.
pub const KNOWN_FEATURES: [u64; 3] = [0, 0, 0];

/// Bytes of the header, and of every alignment of the regions after it.
pub const HEADER_BYTES: u64 = 4096;
/// Bytes of a data page.
pub const PAGE_BYTES: u64 = 64 * 1024;
/// Data pages that a segment has at least.
pub const FIRST_PAGES: u64 = 4;
/// Bytes of a thread's undo log.
pub const LOG_BYTES: u64 = 4096;
/// Entries that fit into it.
pub const LOG_ENTRIES: u64 = LOG_BYTES / 16;
/// Bytes of a thread's cache of free blocks, behind its log.
pub const CACHE_BYTES: u64 = size_of::<ThreadCache>() as u64;
/// Size classes that a cache has blocks of: the smallest ones, up to 512 bytes.
pub const CACHE_CLASSES: usize = 16;
/// Most blocks of a class that a cache holds.
pub const CACHE_BLOCKS: usize = 127;
/// Highest ceiling of a segment: what the 48 bits of a reference reach.
pub const MAX_SIZE: u64 = 1 << 47;

/// Writers take one lock for the whole segment; operations of a few words on one object take a stripe of it.
pub const LOCK_MODE_SEGMENT: u64 = 1;
/// Stripes that the objects are spread over.
pub const STRIPES: usize = 16;
/// Hash algorithm 1: SipHash-1-3 for text and bytes, keyed multiply-fold for numbers.
pub const HASH_SIPHASH13: u64 = 1;

/// Resident. The first page of the segment; its first 31 words never change after creation and are
/// covered by a checksum.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SegmentHeader {
    /// [`MAGIC`]; also tells the byte order.
    pub magic: u64,
    /// Layout version (low 32 bits), header bytes (high 32).
    pub version: u64,
    /// Feature bits: compatible, incompatible, read-only compatible.
    pub features: [u64; 3],
    /// Random identity of this segment.
    pub uuid: [u64; 2],
    /// Key of the hash of text and bytes, random.
    pub hash_key: [u64; 2],
    /// The ceiling in bytes, a multiple of the page size.
    pub max_size: u64,
    /// [`PAGE_BYTES`].
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
    /// [`LOCK_MODE_SEGMENT`].
    pub lock_mode: u64,
    /// [`HASH_SIPHASH13`].
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
    /// Unused, zero.
    pub reserved: [u64; 7],
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
    /// Unused, zero.
    pub growth_line: [u64; 2],

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

/// Resident. One attached process.
#[repr(C)]
pub struct ProcessSlot {
    /// State (low 32 bits, see [`process_state`]), process id (high 32).
    pub state: u64,
    /// Start time in clock ticks since boot: tells a reused process id.
    pub start_time: u64,
    /// Inode of the pid namespace in which the process id holds.
    pub pid_namespace: u64,
    /// How often this slot was taken.
    pub incarnation: u64,
    /// See [`process_flags`].
    pub flags: u64,
    /// Block of the pin table (0 none): a hash set of offsets.
    pub pins: u64,
    /// Words of the pin table, a power of two.
    pub pins_capacity: u64,
    /// Nanoseconds since the epoch at attach.
    pub attached_at: u64,
    /// Place of the per-object mode's recoverer.
    pub recoverer: u64,
    /// Unused, zero.
    pub spare: u64,
    /// The process's name, NUL-padded.
    pub name: [u64; 6],
}

/// Values of the low half of [`ProcessSlot::state`].
pub mod process_state {
    /// Nobody's.
    pub const FREE: u64 = 0;
    /// Attached.
    pub const LIVE: u64 = 1;
    /// Being filled in: by its process, whose id the high half has then, or by a parent for the child
    /// that its fork is making. The slot's byte lock tells whether they live.
    pub const FORKING: u64 = 2;
    /// Being filled in by a process that may not open the file, so that its id alone tells its life.
    pub const COMING_BY_ID: u64 = 3;
}

/// Bits of [`ProcessSlot::flags`].
pub mod process_flags {
    /// It created the segment.
    pub const CREATOR: u64 = 1;
    /// It has no byte lock, because it may not open the file any more: its id alone tells its life.
    pub const BY_ID: u64 = 2;
}

/// Resident. One thread of an attached process that writes.
#[repr(C)]
pub struct ThreadSlot {
    /// The commit word: phase, entries, tasks done, entries of the running task (see `journal`).
    pub state: u64,
    /// Low 32 bits: the thread id, a futex that the kernel marks at the thread's death.
    pub life: u64,
    /// Incarnation 32 (high), process slot + 1 16, low bits of that slot's incarnation 16; the
    /// middle is 0 while the slot is free. One word, so that a claim names its owner at once.
    pub claim: u64,
    /// Place of the operation counter: odd while inside of an operation.
    pub operations: u64,
    /// Object whose pin is being removed; 0 none.
    pub unpinning: u64,
    /// Where the words of the primitive start that this thread sleeps for; 0 none.
    pub waiting_on: u64,
    /// Place of the per-object mode's recoverer.
    pub recoverer: u64,
    /// Block of the heap that the log moved to (0 none); only inside of a transaction.
    pub log: u64,
}

/// Resident. One entry of an undo log.
#[repr(C)]
pub struct LogEntry {
    /// Kind in the top 8 bits, offset below.
    pub what: u64,
    /// The old value of the word, for kind WORD.
    pub old: u64,
}

/// Resident. Free blocks of one size class that belong to a thread slot; taken, to the page directory.
#[repr(C)]
pub struct CachedBlocks {
    /// How many there are.
    pub count: u64,
    /// Their offsets, the first `count` of them; what lies behind means nothing.
    pub blocks: [u64; CACHE_BLOCKS],
}

/// Resident. The free blocks of a thread slot, by size class.
#[repr(C)]
pub struct ThreadCache {
    /// The smallest class first.
    pub classes: [CachedBlocks; CACHE_CLASSES],
}

/// Resident. What a data page is used for.
#[repr(C)]
pub struct PageEntry {
    /// Kind 8 (see [`page_kind`]), class 8, blocks 16, pages of the run 32.
    pub what: u64,
    /// Free blocks (low 32 bits), whether in its class's list (bit 32).
    pub free: u64,
    /// Next page of the class list (+1, 0 none).
    pub next: u64,
    /// Previous page of the class list (+1, 0 none).
    pub previous: u64,
    /// Bitmap (1 free) of a page of at most 64 blocks; others keep theirs at the page's start.
    pub bitmap: u64,
    /// Index of the bitmap word to look at first; only a hint.
    pub hint: u64,
    /// Generation that object headers begin with which are made in this page: it had headers before, which
    /// were of lower ones.
    pub generation: u64,
    /// Unused, zero.
    pub reserved: u64,
}

/// Values of the low byte of [`PageEntry::what`].
pub mod page_kind {
    /// Nobody's; also the pages of a run behind its first.
    pub const FREE: u64 = 0;
    /// Blocks of one size class.
    pub const SMALL: u64 = 2;
    /// 64-byte object headers, for as long as anybody may hold on to one.
    pub const HEADERS: u64 = 3;
    /// First page of a large block.
    pub const RUN: u64 = 4;
}

/// Resident. The header of every mutable object: one cache line in a page that never holds
/// anything else, so that `sequence` only ever grows.
#[repr(C)]
pub struct ObjectHeader {
    /// References from cells 32, kind 8, flags 8, generation 16.
    pub meta: u64,
    /// Seqlock: odd while a writer changes what readers look at.
    pub sequence: u64,
    /// Cell of the bytearray that holds its lock's words, counted; 0 until the lock is first asked for.
    pub lock: u64,
    /// Next dead block in the graveyard; place of the waiter count.
    pub link: u64,
    /// Meaning by kind: the block of items, keys, bytes or payload.
    pub w0: u64,
    /// Meaning by kind.
    pub w1: u64,
    /// Meaning by kind.
    pub w2: u64,
    /// Meaning by kind.
    pub w3: u64,
}

/// Resident. The start of every immutable block.
#[repr(C)]
pub struct LeafHeader {
    /// References from cells 32, kind 8, flags 8, generation 16 (0).
    pub meta: u64,
    /// Length in bytes (text, bytes, limbs) or cells (tuple, frozenset).
    pub len: u64,
    /// Hash, or 0; next dead block once dead.
    pub hash: u64,
}

macro_rules! offsets {
    ($(#[$doc:meta])* $module:ident, $structure:ident { $($name:ident = $field:ident),* $(,)? }) => {
        $(#[$doc])*
        #[allow(missing_docs, reason = "each constant is the offset of the field of its name")]
        pub mod $module {
            use super::{offset_of, Offset, $structure};
            $(pub const $name: Offset = offset_of!($structure, $field) as Offset;)*
        }
    };
}

offsets!(
    /// Offsets of the fields of [`SegmentHeader`] that change.
    header, SegmentHeader {
        UUID = uuid, BOOT_ID = boot_id, PID_NAMESPACE = pid_namespace, LIFETIME = lifetime, CREATOR_PID = creator_pid,
        CREATOR_START = creator_start, CHECKSUM = checksum, COMMITTED = committed, FIRST_FREE_PAGE = first_free_page,
        UNTOUCHED = untouched,
        COLLECTIONS = collections, LAST_PAUSE = last_pause, LONGEST_PAUSE = longest_pause,
        LOCK_OWNER = lock_owner, LOCK_WAITERS = lock_waiters, LOCK_NEXT = lock_next, GRAVEYARD = graveyard, BURYING = burying,
        COLLECTING = collecting, LOOSENED = loosened, SURVIVORS = survivors, RECLAIMED = reclaimed, ROOT = root,
        NAMES = names, SCHEMAS = schemas, MESSAGES = messages, DEATHS = deaths,
        RECOVERIES = recoveries, AUDIT_NEEDED = audit_needed, RETIRED = retired, PROCESS_HIGH = process_high,
        THREAD_HIGH = thread_high, LAST_RECOVERY = last_recovery, CLASS_HEADS = class_heads,
        WATCHED = watched, CHANGE_EVENTS = change_events, ANY_CHANGE = any_change, STRIPES = stripes,
    }
);
offsets!(
    /// Offsets of the fields of [`ProcessSlot`].
    process, ProcessSlot {
        STATE = state, START_TIME = start_time, PID_NAMESPACE = pid_namespace,
        INCARNATION = incarnation, FLAGS = flags, PINS = pins, PINS_CAPACITY = pins_capacity,
        ATTACHED_AT = attached_at, NAME = name,
    }
);
offsets!(
    /// Offsets of the fields of [`ThreadSlot`].
    thread, ThreadSlot {
        STATE = state, LIFE = life, CLAIM = claim, UNPINNING = unpinning,
        WAITING_ON = waiting_on, LOG = log,
    }
);
offsets!(
    /// Offsets of the fields of [`PageEntry`].
    page, PageEntry {
        WHAT = what, FREE = free, NEXT = next, PREVIOUS = previous, BITMAP = bitmap, HINT = hint,
        GENERATION = generation,
    }
);
offsets!(
    /// Offsets of the fields of [`ObjectHeader`].
    object, ObjectHeader {
        META = meta, SEQ = sequence, LOCK = lock, LINK = link, W0 = w0, W1 = w1, W2 = w2,
        W3 = w3,
    }
);
offsets!(
    /// Offsets of the fields of [`LeafHeader`], and of the data behind it.
    leaf, LeafHeader { META = meta, LEN = len, HASH = hash }
);

/// First word of an object that was freed by hand while references or handles of it were left: it
/// has no content, and its sequence stays odd, so that no short way sees it. A bit of the word: that of
/// an array names its block too, for as long as somebody may look at it.
pub const FREED: u64 = 1;
/// Bytes of an object header.
pub const OBJECT_BYTES: u64 = size_of::<ObjectHeader>() as u64;
/// Bytes of a page's directory entry.
pub const PAGE_ENTRY_BYTES: u64 = size_of::<PageEntry>() as u64;
/// Bytes of a process slot.
pub const PROCESS_BYTES: u64 = size_of::<ProcessSlot>() as u64;
/// Bytes of a thread slot.
pub const THREAD_BYTES: u64 = size_of::<ThreadSlot>() as u64;
/// Where the data of a leaf starts.
pub const LEAF_DATA: u64 = size_of::<LeafHeader>() as u64;

const _: () = {
    assert!(cfg!(target_endian = "little"), "the format is little-endian");
    assert!(size_of::<usize>() == 8, "64-bit systems only");
    assert!(size_of::<SegmentHeader>() as u64 <= HEADER_BYTES);
    assert!(header::CHECKSUM == 248);
    assert!(header::COMMITTED == 256);
    assert!(header::LOCK_OWNER == 320);
    assert!(header::GRAVEYARD == 384);
    assert!(header::ROOT == 448);
    assert!(header::DEATHS == 512);
    assert!(header::CLASS_HEADS == 576);
    assert!(header::STRIPES == 2048 && size_of::<StripeLine>() == 64);
    assert!(PROCESS_BYTES == 128 && THREAD_BYTES == 64 && PAGE_ENTRY_BYTES == 64);
    assert!(OBJECT_BYTES == 64 && LEAF_DATA == 24);
    assert!(CACHE_BYTES == 16384);
};

/// The block of keys of a dict or a set: an index of slots, then entries in insertion order.
pub mod keys {
    use super::Offset;

    /// Entries ever appended (low 32 bits), entries in use (high 32).
    pub const COUNTS: Offset = 0;
    /// log2 of the slots 8, bytes of a slot 8 (4 or 8), entries that fit 32.
    pub const SHAPE: Offset = 8;
    /// Where the index starts.
    pub const INDEX: Offset = 16;

    /// Where the entries start, from the block's start.
    #[inline]
    #[must_use]
    pub fn entries_at(shape: u64) -> Offset {
        let width = (shape >> 8) & 0xFF;
        INDEX + (width << (shape & 0x3F).min(40)).next_multiple_of(8)
    }

    /// How many entries fit.
    #[inline]
    #[must_use]
    pub fn capacity(shape: u64) -> u64 {
        (shape >> 16) & 0xFFFF_FFFF
    }
}

/// Handle. Where the regions of one segment lie; computed at creation, validated at attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Process slots.
    pub processes: u64,
    /// Thread slots.
    pub threads: u64,
    /// The ceiling in bytes.
    pub max_size: u64,
    /// Where the logs, each with a cache behind it, start.
    pub logs_at: Offset,
    /// Where the directory starts.
    pub directory_at: Offset,
    /// Where the data pages start.
    pub data_at: Offset,
}

impl Geometry {
    /// Lays a segment of about `size` bytes of data out.
    #[must_use]
    pub fn new(size: u64, processes: u64, threads: u64) -> Self {
        let threads_at = HEADER_BYTES + processes * PROCESS_BYTES;
        let logs_at = (threads_at + threads * THREAD_BYTES).next_multiple_of(4096);
        let directory_at = logs_at + threads * (LOG_BYTES + CACHE_BYTES);
        let pages = size.div_ceil(PAGE_BYTES).max(4);
        let data_at = (directory_at + pages * PAGE_ENTRY_BYTES).next_multiple_of(PAGE_BYTES);
        let max_size = data_at + pages * PAGE_BYTES;
        Geometry { processes, threads, max_size, logs_at, directory_at, data_at }
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
