//! The checker: walks the whole segment and says what is wrong and where, in words.
//!
//! Runs under the writer lock, so it sees one moment between two operations; a read-only attachment
//! takes none and is exact only while nobody writes. It compares header, slots and page directory
//! with themselves, follows every cell from the roots and the pins, looks at what each kind promises
//! (`objects`, `leaves`, `keys`, `records`), compares each count with the references it found, and names every
//! block that is taken but belongs to nothing. Objects that only refer to each other are no fault:
//! they are reported as garbage, for the collector.
//!
//! A finding names the place as a user would write it where there is such a place
//! (`root['book']['bids'][3]`, `messages[0]`, `pinned by process 123 (python3)`), the offset, and
//! both numbers. Whatever the bytes are, the checker ends and stays inside: each count is compared
//! with the size of its block before it is looped over, each block is walked once, and what is
//! decoded beyond that comes out of one budget. It changes nothing, but for finishing what earlier
//! operations left to be freed.

mod balance;
mod keys;
mod leaves;
mod objects;
mod paths;
mod records;
mod search;
mod slots;
#[cfg(test)]
mod tests;
mod walk;

use crate::error::Result;
use crate::heap::Heap;
use crate::tx;

pub(crate) use search::paths;

/// More findings than this are only counted.
const MOST_FINDINGS: usize = 100;

/// What the checker found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is wrong, in words; empty for a sound segment.
    pub findings: Vec<String>,
    /// Mutable objects that are reachable.
    pub objects: u64,
    /// Immutable blocks that are reachable.
    pub leaves: u64,
    /// Mutable objects that only garbage refers to: what the collector would free.
    pub garbage: u64,
    /// Blocks that are taken.
    pub blocks: u64,
    /// Bytes of these blocks.
    pub bytes: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Checks a segment while nobody writes.
pub(crate) fn check(heap: &Heap) -> Result<Report> {
    if heap.0.memory.readonly {
        return walk::Walk::new(heap).run();
    }
    heap.outside_of_transactions("a check")?;
    heap.write(|tx| {
        // What others dropped and have not come to free yet is no finding.
        while tx::reap(&mut tx.journal, u32::MAX) {}
        walk::Walk::new(heap).run()
    })
}
