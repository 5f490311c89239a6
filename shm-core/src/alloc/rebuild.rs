//! Makes the page directory, the bitmaps and the page lists say what is really in use.
//!
//! For an audit, which has found out what is in use; the caller holds the writer lock and no log is
//! open. Nothing here is logged: each word becomes its final value in one store, so whoever is killed
//! half-way leaves words that are right and words that are as wrong as before, and the audit, which
//! is still marked as needed, is simply run again.

use crate::cell::Offset;
use crate::error::Result;
use crate::layout::{header, page as fields, page_kind};
use crate::memory::Memory;
use crate::primitive::Ordering;

use super::class::{self, Cut};
use super::holes;
use super::page::{COUNT, Entry, IN_LIST, bitmap_at, head_at};

/// What a rebuild changed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rebuilt {
    /// Blocks that were taken and belonged to nothing.
    pub(crate) freed: u64,
    /// Blocks that were in use and marked as free.
    pub(crate) restored: u64,
    /// Directory entries that were wrong.
    pub(crate) pages: u64,
}

/// Rebuilds everything from whether a block is in use.
pub(super) fn rebuild(memory: &Memory, in_use: impl Fn(Offset) -> bool) -> Result<Rebuilt> {
    let pages = memory.pages()?;
    let mut rebuilt = Rebuilt::default();
    let mut lists: Vec<Vec<u64>> = vec![Vec::new(); 64];
    let mut first_free = pages;
    let mut number = 0;
    while number < pages {
        let entry = Entry::load(memory, number)?;
        let kind = entry.kind();
        let cut = Cut::of(entry.class());
        let is_cut = matches!(kind, page_kind::SMALL | page_kind::HEADERS);
        if is_cut && cut.blocks > 0 {
            let free = blocks(memory, number, cut, &in_use, &mut rebuilt)?;
            let headers = entry.class() == class::HEADERS;
            // Pages of headers stay so for ever, and the last page of a class for a while.
            let was_so = entry.free & COUNT == cut.blocks;
            if headers || was_so || free < cut.blocks {
                let kind = if headers { page_kind::HEADERS } else { page_kind::SMALL };
                let what = kind | (u64::from(entry.class()) << 8) | (cut.blocks << 16);
                let listed = if free > 0 { free | IN_LIST } else { 0 };
                set_entry(memory, number, what, listed, &mut rebuilt)?;
                if free > 0
                    && let Some(list) = lists.get_mut(usize::from(entry.class()))
                {
                    list.push(number);
                }
                number += 1;
                continue;
            }
        }
        if kind == page_kind::HOLE {
            // It may have no memory, so it stays what it is. Where its hole ends is said below.
            first_free = first_free.min(number);
            number += 1;
            continue;
        }
        if kind == page_kind::RUN && in_use(memory.geometry.page_at(number)) {
            let end = run(memory, number, &entry, pages, &in_use, &mut rebuilt)?;
            number = end;
            continue;
        }
        rebuilt.freed += u64::from(kind == page_kind::RUN);
        set_entry(memory, number, page_kind::FREE, 0, &mut rebuilt)?;
        first_free = first_free.min(number);
        number += 1;
    }
    rebuilt.pages += holes::remark(memory)?;
    store(memory, header::FIRST_FREE_PAGE, first_free)?;
    for (class, list) in lists.iter().enumerate() {
        relink(memory, class as u8, list)?;
    }
    Ok(rebuilt)
}

fn store(memory: &Memory, at: Offset, value: u64) -> Result<bool> {
    let word = memory.any_word(at)?;
    let changes = word.load(Ordering::Relaxed) != value;
    if changes {
        word.store(value, Ordering::Release);
    }
    Ok(changes)
}

/// Rewrites the bitmap of a page; how many of its blocks are free.
fn blocks(
    memory: &Memory,
    number: u64,
    cut: Cut,
    in_use: impl Fn(Offset) -> bool,
    rebuilt: &mut Rebuilt,
) -> Result<u64> {
    let first = memory.geometry.page_at(number) + cut.first;
    let mut all_free = 0;
    for word in 0..cut.bitmap_words() {
        let valid = cut.valid_bits(word);
        let mut free = 0;
        for bit in (0..64).filter(|bit| valid >> bit & 1 == 1) {
            let used = in_use(first + (word * 64 + bit) * cut.size);
            free |= u64::from(!used) << bit;
        }
        let at = bitmap_at(memory, number, cut, word);
        let old = memory.any_word(at)?.load(Ordering::Relaxed);
        rebuilt.freed += u64::from((free & !old).count_ones());
        rebuilt.restored += u64::from((!free & old & valid).count_ones());
        store(memory, at, free)?;
        all_free += u64::from(free.count_ones());
    }
    Ok(all_free)
}

fn set_entry(
    memory: &Memory,
    number: u64,
    what: u64,
    free: u64,
    rebuilt: &mut Rebuilt,
) -> Result<()> {
    let at = memory.geometry.entry_at(number);
    // What the free word of a page that is not cut says means nothing.
    let cut = matches!(what & 0xFF, page_kind::SMALL | page_kind::HEADERS);
    let wrong = store(memory, at + fields::WHAT, what)?;
    let wrong_count = cut && store(memory, at + fields::FREE, free)?;
    rebuilt.pages += u64::from(wrong || wrong_count);
    Ok(())
}

/// Rewrites the entries of a run; where it ends: before its last page, the segment's last page, or
/// a page with blocks in use or without memory, whichever comes first.
fn run(
    memory: &Memory,
    number: u64,
    entry: &Entry,
    pages: u64,
    in_use: impl Fn(Offset) -> bool,
    rebuilt: &mut Rebuilt,
) -> Result<u64> {
    let mut end = number.saturating_add(entry.run_pages()).min(pages);
    for inner in number + 1..end {
        let entry = Entry::load(memory, inner)?;
        let start = memory.geometry.page_at(inner);
        let cut = Cut::of(entry.class());
        let used = match entry.kind() {
            page_kind::FREE => continue,
            page_kind::RUN => in_use(start),
            page_kind::HOLE => true,
            page_kind::SMALL | page_kind::HEADERS => {
                (0..cut.blocks).any(|index| in_use(start + cut.first + index * cut.size))
            }
            _ => false,
        };
        if used {
            end = inner;
            break;
        }
        set_entry(memory, inner, page_kind::FREE, 0, rebuilt)?;
    }
    let what = page_kind::RUN | (1 << 16) | ((end - number) << 32);
    set_entry(memory, number, what, 0, rebuilt)?;
    Ok(end)
}

/// Links pages to the list of a class.
fn relink(memory: &Memory, class: u8, list: &[u64]) -> Result<()> {
    for (index, number) in list.iter().enumerate() {
        let at = memory.geometry.entry_at(*number);
        let neighbour = |index: Option<usize>| {
            index.and_then(|index| list.get(index)).map_or(0, |number| number + 1)
        };
        store(memory, at + fields::PREVIOUS, neighbour(index.checked_sub(1)))?;
        store(memory, at + fields::NEXT, neighbour(Some(index + 1)))?;
    }
    store(memory, head_at(class), list.first().map_or(0, |number| number + 1))?;
    Ok(())
}
