//! More pages: memory is taken from the file system before anybody may touch it.
//!
//! `fallocate` first, the committed end after: a full file system is an error that has changed
//! nothing, never a SIGBUS. The step doubles with the segment from 1 MiB to 16 MiB; when that much
//! is not there, just what is needed is asked for. A kill in between leaves a longer file, which
//! the next growth takes over.

use crate::error::{Error, Result};
use crate::layout::{PAGE_BYTES, PAGE_ENTRY_BYTES, header};
use crate::memory::Memory;
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};

const SMALLEST_STEP: u64 = (1 << 20) / PAGE_BYTES;
const LARGEST_STEP: u64 = (16 << 20) / PAGE_BYTES;

/// Adds at least `needed` pages behind the last one. The caller holds the writer lock.
#[cold]
pub(crate) fn grow(memory: &Memory, needed: u64) -> Result<()> {
    let pages = memory.pages()?;
    let room = memory.geometry.pages() - pages.min(memory.geometry.pages());
    if needed > room {
        return Err(Error::SegmentFull {
            name: memory.name.clone(),
            wanted: needed * PAGE_BYTES,
            used: pages * PAGE_BYTES,
            size: memory.geometry.pages() * PAGE_BYTES,
            advice: "the ceiling is fixed at creation: create the segment with a larger size=, or \
                     free objects"
                .to_owned(),
        });
    }
    let step = (pages / 8).clamp(SMALLEST_STEP, LARGEST_STEP).max(needed).min(room);
    let reserve = |count: u64| {
        memory.with_file("grow", |file| {
            file.reserve(memory.geometry.entry_at(pages), count * PAGE_ENTRY_BYTES)?;
            file.reserve(memory.geometry.page_at(pages), count * PAGE_BYTES)
        })
    };
    let mut count = step;
    if seeded::is(Bug::CommittedFirst) {
        let end = memory.geometry.page_at(pages + count);
        memory.meta(header::COMMITTED)?.store(end, Ordering::Release);
    }
    if let Err(error) = reserve(step) {
        if step == needed {
            return Err(error);
        }
        count = needed;
        reserve(needed)?;
    }
    memory.reap_due.store(true, Ordering::Relaxed);
    let end = memory.geometry.page_at(pages + count);
    // Release: pairs with the Acquire load in `Memory::refresh`; after the memory was taken.
    memory.meta(header::COMMITTED)?.store(end, Ordering::Release);
    memory.refresh()
}
