//! Blocks: taken from caches, size-class pages or page runs, given back, all through the undo log.
//!
//! The caller holds the writer lock and drives a [`Journal`]; every bit, count and list link that
//! changes is logged, so a kill at any instruction gives the block back or keeps it, and the
//! directory is exact afterwards. What a fresh block contains is arbitrary. Blocks are 16-aligned.
//! A block that an operation frees is freed after its commit, never before (see `journal`).
//!
//! Not here: counts and kinds of what lies in a block (`object`).

mod cache;
pub(crate) mod class;
pub(crate) mod growth;
mod holes;
mod page;
mod rebuild;
mod run;
mod spare;
mod survey;

use crate::cell::Offset;
use crate::error::Result;
use crate::journal::Journal;
use crate::layout::{CACHE_CLASSES, PAGE_BYTES, page_kind};
use crate::memory::Memory;
use crate::primitive::Ordering;

pub(crate) use cache::Cached;
use class::Cut;
pub(crate) use holes::{cover as cover_holes, make as make_holes, recount as recount_holes};
use page::Entry;
pub(crate) use rebuild::Rebuilt;
pub(crate) use spare::{free_idle, spare};

/// A block of at least `bytes`.
#[inline]
pub(crate) fn allocate(journal: &mut Journal<'_>, bytes: u64) -> Result<Offset> {
    match cached_class(bytes).and_then(|class| take_cached(journal, class)) {
        Some(block) => Ok(block),
        None => allocate_from_pages(journal, bytes),
    }
}

/// A block of a small class, if one is at hand.
#[inline]
pub(crate) fn take_cached(journal: &mut Journal<'_>, class: u8) -> Option<Offset> {
    cache::take(journal, class)
}

#[inline(never)]
fn allocate_from_pages(journal: &mut Journal<'_>, bytes: u64) -> Result<Offset> {
    journal.ask_for_all()?;
    match class::class_of(bytes) {
        Some(class) if usize::from(class) < CACHE_CLASSES => cache::refill(journal, class),
        Some(class) => page::take_block(journal, class),
        None => run::take_run(journal, bytes),
    }
}

/// A 64-byte block in a page that holds nothing but object headers, for ever.
#[inline]
pub(crate) fn allocate_header(journal: &mut Journal<'_>) -> Result<Offset> {
    journal.ask_for_all()?;
    page::take_block(journal, class::HEADERS)
}

/// The same, be it one of those that are kept back for what makes memory free (see `page`).
pub(crate) fn allocate_kept_header(journal: &mut Journal<'_>) -> Result<Offset> {
    journal.ask_for_all()?;
    page::take_kept_block(journal, class::HEADERS)
}

/// A block for a table of pins of the smallest size, be it one of those that are kept back for whoever
/// comes to a full segment.
pub(crate) fn allocate_kept_table(journal: &mut Journal<'_>) -> Result<Offset> {
    journal.ask_for_all()?;
    page::take_kept_block(journal, class::PIN_TABLES)
}

/// Gives a block back; its bytes.
#[inline]
pub(crate) fn free(journal: &mut Journal<'_>, at: Offset) -> Result<u64> {
    let memory = journal.memory();
    let (number, entry) = entry_of(memory, at)?;
    let class = entry.class();
    if entry.kind() == page_kind::SMALL && usize::from(class) < CACHE_CLASSES {
        let index = entry.index_of(memory, number, at)?;
        if !entry.is_free(memory, number, index)? && cache::give(journal, class, at)? {
            return Ok(entry.cut().size);
        }
    }
    free_in_page(journal, at)
}

/// Gives a block back to its page.
fn free_in_page(journal: &mut Journal<'_>, at: Offset) -> Result<u64> {
    journal.ask_for_all()?;
    let memory = journal.memory();
    // Again: making room in a cache may have changed the entry.
    let (number, entry) = entry_of(memory, at)?;
    match entry.kind() {
        page_kind::SMALL | page_kind::HEADERS => {
            page::give_block(journal, number, &entry, at)?;
            Ok(entry.cut().size)
        }
        page_kind::RUN if at == memory.geometry.page_at(number) => {
            run::give_run(journal, number)?;
            Ok(entry.run_pages() * PAGE_BYTES)
        }
        _ => Err(memory.corrupt(format!("no block starts at {at:#x}, so it cannot be freed"))),
    }
}

/// As [`free`], for a block whose content does not say whether it is free already.
pub(crate) fn free_part(journal: &mut Journal<'_>, at: Offset) -> Result<u64> {
    let memory = journal.memory();
    let class = entry_of(memory, at)?.1.class();
    if cache::holds(journal, class, at) {
        return Err(memory.corrupt(format!("block {at:#x} is freed twice")));
    }
    free(journal, at)
}

/// Whether a block of a class lies in the caller's cache.
pub(crate) fn is_cached(journal: &Journal<'_>, class: u8, at: Offset) -> bool {
    cache::holds(journal, class, at)
}

/// The size class of so many bytes, if blocks of it are cached.
#[inline]
pub(crate) fn cached_class(bytes: u64) -> Option<u8> {
    class::small_class_of(bytes)
}

/// Bytes of a class's blocks.
#[inline]
pub(crate) fn size_of_class(class: u8) -> u64 {
    Cut::of(class).size
}

/// The class of a block, if blocks of it are cached; for who knows that it is taken.
pub(crate) fn class_of_block(memory: &Memory, at: Offset) -> Option<u8> {
    let (number, inside) = memory.peek_page(at)?;
    let what = memory.peek_meta(memory.geometry.entry_at(number))?.load(Ordering::Relaxed);
    let class = Entry { what, free: 0 }.class();
    if what & 0xFF != page_kind::SMALL || usize::from(class) >= CACHE_CLASSES {
        return None;
    }
    Cut::of(class).place_of(inside).map(|_| class)
}

/// Moves some of a slot's cached blocks to their pages; whether there were any. Repeated, each time as
/// an operation of its own, this empties the cache.
pub(crate) fn empty_cache(journal: &mut Journal<'_>, slot: u64) -> Result<bool> {
    cache::empty_some(journal, slot)
}

/// Calls `visit` with each block that lies in a cache, and whether it rightly does. Needs no lock; see
/// [`survey`]. Counts that are wrong go to `wrong`: slot, class, count.
pub(crate) fn for_each_cached(
    memory: &Memory,
    mut visit: impl FnMut(Cached, bool),
    wrong: impl FnMut(u64, u8, u64),
) -> Result<()> {
    let visit = |cached| visit(cached, cache::is_right(memory, cached));
    cache::for_each(memory, visit, wrong)
}

/// Usable bytes of an allocated block.
pub(crate) fn size_of_block(memory: &Memory, at: Offset) -> Result<u64> {
    let (number, entry) = entry_of(memory, at)?;
    match entry.kind() {
        page_kind::SMALL | page_kind::HEADERS => {
            entry.index_of(memory, number, at)?;
            Ok(entry.cut().size)
        }
        page_kind::RUN if at == memory.geometry.page_at(number) => {
            Ok(entry.run_pages() * PAGE_BYTES)
        }
        _ => Err(memory.corrupt(format!("no block starts at {at:#x}"))),
    }
}

/// Whether an object header lies at this offset: in a page of headers, at a block's start.
#[inline]
pub(crate) fn is_header(memory: &Memory, at: Offset) -> bool {
    entry_of(memory, at).is_ok_and(|(number, entry)| {
        entry.kind() == page_kind::HEADERS && entry.index_of(memory, number, at).is_ok()
    })
}

/// Whether the block at this offset is taken.
pub(crate) fn is_allocated(memory: &Memory, at: Offset) -> Result<bool> {
    let (number, entry) = entry_of(memory, at)?;
    match entry.kind() {
        page_kind::SMALL | page_kind::HEADERS => {
            let index = entry.index_of(memory, number, at)?;
            Ok(!entry.is_free(memory, number, index)?)
        }
        kind => Ok(kind == page_kind::RUN && at == memory.geometry.page_at(number)),
    }
}

/// Calls `visit` with the offset of each allocated block, page by page.
pub(crate) fn for_each_block(
    memory: &Memory,
    mut visit: impl FnMut(Offset, Cut) -> Result<()>,
) -> Result<()> {
    page::walk(memory, |number, entry| {
        let start = memory.geometry.page_at(number);
        match entry.kind() {
            page_kind::SMALL | page_kind::HEADERS => {
                let cut = entry.cut();
                for index in 0..cut.blocks {
                    if !entry.is_free(memory, number, index)? {
                        visit(start + cut.first + index * cut.size, cut)?;
                    }
                }
            }
            page_kind::RUN => {
                let size = entry.run_pages() * PAGE_BYTES;
                visit(start, Cut::whole(size))?;
            }
            _ => {}
        }
        Ok(())
    })
}

/// What a page is used for: the bytes of its blocks (0 none), and whether they are object headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageUse {
    pub(crate) block: u64,
    pub(crate) headers: bool,
}

/// What lies where, page by page: the bytes of its blocks, how many there are and how many are free.
/// A free page has none, nor has a hole; a run is one block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageFill {
    pub(crate) pages: u64,
    pub(crate) block: u64,
    pub(crate) blocks: u64,
    pub(crate) free: u64,
    pub(crate) headers: bool,
    pub(crate) hole: bool,
}

/// Calls `visit` with each page, free run of pages not joined. Needs no lock: what it says of a page
/// that changes meanwhile may be of the moment before or after.
pub(crate) fn survey(memory: &Memory, mut visit: impl FnMut(PageFill)) -> Result<()> {
    page::walk(memory, |_, entry| {
        let none = PageFill { pages: 1, block: 0, blocks: 0, free: 0, headers: false, hole: false };
        visit(match entry.kind() {
            kind @ (page_kind::SMALL | page_kind::HEADERS) => {
                let cut = entry.cut();
                PageFill {
                    block: cut.size,
                    blocks: cut.blocks,
                    free: entry.free_blocks().min(cut.blocks),
                    headers: kind == page_kind::HEADERS,
                    ..none
                }
            }
            page_kind::RUN => {
                let pages = entry.run_pages();
                PageFill { pages, block: pages * PAGE_BYTES, blocks: 1, ..none }
            }
            page_kind::HOLE => PageFill { pages: entry.extent(), hole: true, ..none },
            _ => none,
        });
        Ok(())
    })
}

/// Private copies of what all pages are used for.
pub(crate) fn page_uses(memory: &Memory) -> Result<Vec<PageUse>> {
    survey::page_uses(memory)
}

/// Calls `visit` with the offset of each object header that is taken, until it fails.
pub(crate) fn for_each_header(
    memory: &Memory,
    visit: impl FnMut(Offset) -> Result<()>,
) -> Result<()> {
    survey::for_each_header(memory, visit)
}

/// Makes the directory, the bitmaps and the lists say what is in use. For an audit only.
pub(crate) fn rebuild(memory: &Memory, in_use: impl Fn(Offset) -> bool) -> Result<Rebuilt> {
    rebuild::rebuild(memory, in_use)
}

/// What the directory, the bitmaps and the lists contradict each other in, in words.
pub(crate) fn check(memory: &Memory, findings: &mut Vec<String>) -> Result<()> {
    survey::check(memory, findings)
}

#[inline]
fn entry_of(memory: &Memory, at: Offset) -> Result<(u64, Entry)> {
    let number = match memory.peek_page(at) {
        Some((number, _)) => number,
        None => page_beyond(memory, at)?,
    };
    Ok((number, Entry::load(memory, number)?))
}

/// As `Memory::peek_page`, for a page that may have come since.
#[cold]
fn page_beyond(memory: &Memory, at: Offset) -> Result<u64> {
    let number = at.wrapping_sub(memory.geometry.data_at) / PAGE_BYTES;
    if at < memory.geometry.data_at || number >= memory.pages()? {
        return Err(memory.corrupt(format!("offset {at:#x} is not in a data page")));
    }
    Ok(number)
}
