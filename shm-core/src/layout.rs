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

use crate::cell::Offset;

mod geometry;
mod head;

pub use geometry::Geometry;
pub use head::{SegmentHeader, StripeLine};

/// First word of every segment: "shm-seg" and a byte that makes it no text.
pub const MAGIC: u64 = u64::from_le_bytes(*b"shm-seg\xf5");
/// Version of the layout that this build reads and writes.
pub const FORMAT: u32 = 8;
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
    /// Nobody's, and the file may have no memory there: not to be used before it has.
    pub const HOLE: u64 = 5;
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
        UNTOUCHED = untouched, HOLES = holes,
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
