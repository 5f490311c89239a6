//! More pages: memory is taken from the file system before anybody may touch it.
//!
//! `fallocate` first, the committed end after: a full file system is an error that has changed
//! nothing, never a SIGBUS. The step doubles with the segment from 1 MiB to 16 MiB; when that much
//! is not there, just what is needed is asked for. A kill in between leaves a longer file, which
//! the next growth takes over. Taking memory takes milliseconds, so an operation that can be run again
//! fails instead, and memory is taken between its two runs, while others write (`Heap::take_pages`).

use super::holes;
use crate::alone;
use crate::error::{Error, Result};
use crate::journal::{Journal, Wanted};
use crate::layout::{PAGE_BYTES, PAGE_ENTRY_BYTES, header};
use crate::memory::Memory;
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};

const SMALLEST_STEP: u64 = (1 << 20) / PAGE_BYTES;
const LARGEST_STEP: u64 = (16 << 20) / PAGE_BYTES;

/// By how many pages a segment of so many grows at a time.
pub(super) fn step(pages: u64) -> u64 {
    (pages / 8).clamp(SMALLEST_STEP, LARGEST_STEP)
}

/// How many free pages a long run is to have in front of it, in a segment of so many.
pub(super) fn in_front(pages: u64) -> u64 {
    (pages / 32).clamp(SMALLEST_STEP, LARGEST_STEP)
}

/// Whether a run is so long that it is to have small things in front of it.
pub(super) fn is_long(pages: u64) -> bool {
    pages >= SMALLEST_STEP
}

/// Where there is more memory now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grown {
    /// Behind the last page.
    Behind,
    /// In what was a hole.
    Within,
}

/// Fills holes or adds pages behind the last one, or has the operation run again once there are some.
///
/// # Errors
/// `SegmentFull`; one that is not for users if the operation is to run again.
#[cold]
pub(super) fn grow(journal: &mut Journal<'_>, wanted: Wanted) -> Result<Grown> {
    let memory = journal.memory();
    let pages = memory.pages()?;
    if memory.holes()? == 0 {
        check_ceiling(memory, pages, wanted.more)?;
    }
    if let Some(wants) = &mut journal.wants_pages {
        *wants = wanted;
        return Err(Error::Changed { what: "segment", during: "an operation that needs pages" });
    }
    // Not waited for: a fork that is under way waits for the writer lock. What cannot be filled may be had behind
    // the end, where less is lacking.
    if let Some(_no_forks) = alone::try_now()
        && fill(memory, wanted).unwrap_or(false)
    {
        return Ok(Grown::Within);
    }
    let count = reserve(memory, pages, wanted.more)?;
    publish(memory, pages, count)?;
    Ok(Grown::Behind)
}

/// Fills holes, if nobody else maps the segment; whether there are free pages now that were none. The caller holds
/// the writer lock and keeps forks away (see `alone`).
///
/// # Errors
/// `SegmentFull`: the file system has no more.
pub(crate) fn fill(memory: &Memory, wanted: Wanted) -> Result<bool> {
    if memory.holes()? == 0 || !memory.may_be_alone()? {
        return Ok(false);
    }
    let Some(_alone) = memory.alone() else { return Ok(false) };
    holes::fill(memory, wanted.count)
}

/// How many pages there may be besides the first `pages`.
fn room(memory: &Memory, pages: u64) -> Result<u64> {
    let taken = pages.saturating_sub(memory.holes()?);
    let room = memory.geometry.ceiling.saturating_sub(taken);
    Ok(room.min(memory.geometry.pages().saturating_sub(pages)))
}

fn check_ceiling(memory: &Memory, pages: u64, needed: u64) -> Result<()> {
    if needed <= room(memory, pages)? {
        return Ok(());
    }
    Err(Error::SegmentFull {
        name: memory.name.clone(),
        wanted: needed * PAGE_BYTES,
        used: memory.used()?,
        size: memory.size(),
        advice: "the ceiling is fixed at creation: create the segment with a larger size=, or \
                 free objects"
            .to_owned(),
    })
}

/// Takes memory for at least `needed` pages behind the first `pages`; for how many. Needs no lock, but
/// nobody may make the file shorter before they are published.
///
/// # Errors
/// `SegmentFull`: beyond the ceiling, or the file system has no more.
pub(crate) fn reserve(memory: &Memory, pages: u64, needed: u64) -> Result<u64> {
    check_ceiling(memory, pages, needed)?;
    let room = room(memory, pages)?;
    let more = if is_long(needed) { needed + step(pages) } else { step(pages).max(needed) };
    let step = more.min(room);
    let take = |count: u64| {
        memory.with_file("grow", |file| {
            file.reserve(memory.geometry.entry_at(pages), count * PAGE_ENTRY_BYTES)?;
            file.reserve(memory.geometry.page_at(pages), count * PAGE_BYTES)
        })
    };
    if seeded::is(Bug::CommittedFirst) {
        publish(memory, pages, step)?;
    }
    match take(step) {
        Err(error) if step == needed => Err(error),
        Err(_) => take(needed).map(|()| needed),
        Ok(()) => Ok(step),
    }
}

/// Lets everybody have the pages that memory was taken for, unless others have come there since. The
/// caller holds the writer lock.
pub(crate) fn publish(memory: &Memory, pages: u64, count: u64) -> Result<()> {
    if memory.pages()? != pages {
        return Ok(());
    }
    // What was behind the end may have been holes once.
    holes::forget(memory, pages..pages + count)?;
    memory.reap_due.store(true, Ordering::Relaxed);
    let end = memory.geometry.page_at(pages + count);
    // Release: pairs with the Acquire load in `Memory::refresh`; after the memory was taken.
    memory.meta(header::COMMITTED)?.store(end, Ordering::Release);
    memory.refresh()
}
