//! Runs of whole pages: found first fit, with room left in front of long ones.

use super::growth::{self, Grown};
use super::page::Entry;
use crate::cell::Offset;
use crate::error::Result;
use crate::journal::{Journal, Wanted};
use crate::layout::{PAGE_BYTES, header, page, page_kind};
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};

/// Takes a run of whole pages.
pub(super) fn take_run(journal: &mut Journal<'_>, bytes: u64) -> Result<Offset> {
    let count = bytes.div_ceil(PAGE_BYTES);
    let memory = journal.memory();
    if count > memory.geometry.ceiling {
        return growth::grow(journal, Wanted { count, more: count }).map(|_| 0);
    }
    let number = take_pages(journal, count)?;
    let memory = journal.memory();
    let entry_at = memory.geometry.entry_at(number);
    journal.put_meta(entry_at + page::WHAT, page_kind::RUN | (1 << 16) | (count << 32))?;
    Ok(memory.geometry.page_at(number))
}

/// Gives a run back.
pub(super) fn give_run(journal: &mut Journal<'_>, number: u64) -> Result<()> {
    free_page(journal, number)
}

pub(super) fn free_page(journal: &mut Journal<'_>, number: u64) -> Result<()> {
    let memory = journal.memory();
    journal.put_meta(memory.geometry.entry_at(number) + page::WHAT, page_kind::FREE)?;
    let first = memory.meta(header::FIRST_FREE_PAGE)?.load(Ordering::Relaxed);
    if number < first { journal.put_meta(header::FIRST_FREE_PAGE, number) } else { Ok(()) }
}

/// Finds `count` free pages in a row, first fit, filling holes or growing the segment if there are none. In front of a
/// long run some are left for what is small: when the run is free again, it is the end of the segment, which can be given back.
pub(super) fn take_pages(journal: &mut Journal<'_>, count: u64) -> Result<u64> {
    let memory = journal.memory();
    let hint = memory.meta(header::FIRST_FREE_PAGE)?.load(Ordering::Relaxed);
    let (mut number, mut free, mut first) = (hint, 0, None);
    // Free pages to be left in front of it; fewer by those that were found there.
    let most_left = if growth::is_long(count) { growth::in_front(memory.pages()?) } else { 0 };
    let mut left = most_left;
    loop {
        let pages = memory.pages()?;
        while number < pages && free < count + left {
            let entry = Entry::load(memory, number)?;
            if matches!(entry.kind(), page_kind::FREE | page_kind::HOLE) {
                first.get_or_insert(number);
            }
            if entry.kind() == page_kind::FREE {
                free += 1;
                number += 1;
                continue;
            }
            if free >= count {
                break;
            }
            left = left.saturating_sub(free);
            free = 0;
            number = number.saturating_add(entry.extent());
        }
        if free >= count {
            break;
        }
        if number > pages {
            return Err(memory.corrupt(format!("a run of pages ends beyond page {pages}")));
        }
        let wanted = Wanted { count, more: count - free };
        if growth::grow(journal, wanted)? == Grown::Within {
            (number, free, left) = (hint, 0, most_left);
        }
    }
    let start = number - count;
    let lowest = match first {
        Some(first) if first < start => first,
        _ => start + count,
    };
    if lowest != hint {
        journal.put_meta(header::FIRST_FREE_PAGE, lowest)?;
    }
    // Before anything is written there. Not logged: too high only costs the time of zeroing.
    let untouched = memory.meta(header::UNTOUCHED)?;
    if start + count > untouched.load(Ordering::Relaxed) && !seeded::is(Bug::UsedPagesForgotten) {
        untouched.store(start + count, Ordering::Release);
    }
    Ok(start)
}
