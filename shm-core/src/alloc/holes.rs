//! Holes: free pages in front of the end that the file has no memory for, as the directory tells.
//!
//! The entry of each page of a hole says so, and how many pages the hole has from there on, so that a walk
//! jumps over it wherever it begins. Pages become holes and free pages again by one store each, under the writer
//! lock, while nobody else maps the segment; nothing of it is logged, because each step is right by itself:
//!
//! * a page is marked before its memory goes, and unmarked once it has some. Killed in between, it is a hole
//!   that has memory, which nobody uses;
//! * the header's count of holes grows before they are marked and falls after, so that zero means that there
//!   are none. Who recovers the lock from the dead counts them again.
//!
//! As far as the search for free pages is concerned, holes may be free: the first free page may be one.

use std::ops::Range;

use crate::error::Result;
use crate::layout::{FIRST_PAGES, header, page as fields, page_kind};
use crate::memory::Memory;
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};

use super::growth;
use super::page::{self, Entry};

/// Fewest pages of a hole: each costs every process three parts of its memory map.
const LEAST: u64 = 16;
/// Most holes that there are; where there would be more, the shorter ones are not made.
const MOST: usize = 1024;
/// More of them than this were not made by us.
const TOO_MANY: usize = 4 * MOST;

/// Handle. Pages in a row that nobody has.
#[derive(Clone, Debug, Default)]
struct Gap {
    pages: Range<u64>,
    /// How many of them are holes.
    holes: u64,
}

impl Gap {
    fn len(&self) -> u64 {
        self.pages.end - self.pages.start
    }
}

/// Calls `visit` with each gap that has at least so many pages, until it says `true`.
fn for_each_gap(memory: &Memory, least: u64, mut visit: impl FnMut(Gap) -> bool) -> Result<()> {
    let pages = memory.pages()?;
    let (mut gap, mut number) = (Gap::default(), 0);
    while number < pages {
        let entry = Entry::load(memory, number)?;
        let next = number.saturating_add(entry.extent()).min(pages);
        if matches!(entry.kind(), page_kind::FREE | page_kind::HOLE) {
            if gap.pages.end != number {
                gap = Gap { pages: number..number, holes: 0 };
            }
            gap.pages.end = next;
            gap.holes += if entry.kind() == page_kind::HOLE { next - number } else { 0 };
        } else if gap.len() >= least && visit(std::mem::take(&mut gap)) {
            return Ok(());
        } else {
            gap = Gap::default();
        }
        number = next;
    }
    if gap.len() >= least {
        visit(gap);
    }
    Ok(())
}

/// Puts zeros into the place of all holes, in this process, which is about to look at the data pages.
pub(crate) fn cover(memory: &Memory) -> Result<()> {
    if memory.holes()? == 0 {
        return Ok(());
    }
    let (pages, mut holes) = (memory.pages()?, Vec::<Range<u64>>::new());
    page::walk(memory, |number, entry| {
        if entry.kind() == page_kind::HOLE {
            let end = number.saturating_add(entry.extent()).min(pages);
            match holes.last_mut() {
                Some(last) if last.end == number => last.end = end,
                _ => holes.push(number..end),
            }
        }
        Ok(())
    })?;
    if holes.len() > TOO_MANY {
        return Err(memory.corrupt(format!("there are {} holes; recreate it", holes.len())));
    }
    holes.iter().try_for_each(|hole| memory.cover(hole))
}

/// Makes holes of the gaps that are worth it; how many pages. The caller holds the writer lock, and nobody else maps
/// the segment.
pub(crate) fn make(memory: &Memory) -> Result<u64> {
    let before = recount(memory)?;
    // While several processes are there, holes cannot be filled: then there are others in their stead.
    let mut most = (memory.geometry.pages() - memory.geometry.ceiling).saturating_sub(before);
    let mut gaps = Vec::new();
    for_each_gap(memory, 1, |gap| {
        if gap.holes > 0 || gap.len() >= LEAST {
            gaps.push(gap);
        }
        false
    })?;
    if gaps.len() > MOST {
        // Those that have holes cost what they cost anyway.
        gaps.sort_by_key(|gap| (gap.holes == 0, std::cmp::Reverse(gap.len())));
        gaps.truncate(MOST);
    }
    let mut made = 0;
    for Gap { mut pages, holes } in gaps {
        pages.start = pages.start.max(FIRST_PAGES);
        let fresh = pages.end.saturating_sub(pages.start).saturating_sub(holes);
        // Whoever says that the first pages are a hole is not believed.
        if fresh > most || pages.is_empty() {
            continue;
        }
        store(memory, header::HOLES, before + made + fresh)?;
        if seeded::is(Bug::PunchedFirst) {
            memory.punch(&pages)?;
        }
        mark(memory, &pages)?;
        // Those that are holes already too: who was killed in between may have left them their memory.
        if let Err(error) = memory.punch(&pages) {
            // A file system that knows no holes: the pages are to have their memory again.
            memory.fill(&pages)?;
            unmark(memory, &pages)?;
            recount(memory)?;
            return Err(error);
        }
        made += fresh;
        most -= fresh;
    }
    Ok(made)
}

/// Fills holes so that there are `count` free pages in a row, or more at once; `false` if there are no gaps
/// so large, or none that the ceiling lets be filled. As for [`make`].
///
/// # Errors
/// `SegmentFull`: the file system has no more.
pub(crate) fn fill(memory: &Memory, count: u64) -> Result<bool> {
    let pages = memory.pages()?;
    let mut room = memory.geometry.ceiling.saturating_sub(pages.saturating_sub(recount(memory)?));
    // Of the whole gap at first, as much as growth would take at a time.
    let more = count.max(growth::step(pages));
    let mut found = None;
    for_each_gap(memory, count.max(1), |gap| {
        let part = |count: u64| gap.pages.start..gap.pages.end.min(gap.pages.start + count);
        let fits = gap.holes > 0 && holes_among(memory, &part(count)).is_ok_and(|n| n <= room);
        found = fits.then(|| (part(more), part(count)));
        fits
    })?;
    let Some((large, least)) = found else { return Ok(false) };
    let before = room;
    let mut all_free = fill_part(memory, &large, &mut room);
    if large != least && !matches!(all_free, Ok(true)) {
        // What was filled before it failed may be enough.
        all_free = fill_part(memory, &least, &mut room);
    }
    recount(memory)?;
    Ok(all_free? && room < before)
}

/// How many of some pages are holes.
fn holes_among(memory: &Memory, pages: &Range<u64>) -> Result<u64> {
    let (mut number, mut holes) = (pages.start, 0);
    while number < pages.end {
        let entry = Entry::load(memory, number)?;
        let next = number.saturating_add(entry.extent()).min(pages.end);
        holes += if entry.kind() == page_kind::HOLE { next - number } else { 0 };
        number = next;
    }
    Ok(holes)
}

/// Fills the holes among pages, not more than `room` pages of them; whether all of those are free now.
fn fill_part(memory: &Memory, pages: &Range<u64>, room: &mut u64) -> Result<bool> {
    let mut number = pages.start;
    while number < pages.end {
        let entry = Entry::load(memory, number)?;
        let next = number.saturating_add(entry.extent()).min(pages.end);
        if entry.kind() == page_kind::HOLE {
            if next - number > *room {
                return Ok(false);
            }
            if seeded::is(Bug::UnmarkedFirst) {
                unmark(memory, &(number..next))?;
            }
            memory.fill(&(number..next))?;
            unmark(memory, &(number..next))?;
            *room -= next - number;
        }
        number = next;
    }
    Ok(true)
}

/// Says that pages which were just added behind the end are free, before they are there.
pub(super) fn forget(memory: &Memory, pages: Range<u64>) -> Result<()> {
    for number in pages {
        if Entry::load(memory, number)?.kind() == page_kind::HOLE {
            unmark(memory, &(number..number + 1))?;
        }
    }
    Ok(())
}

/// Marks pages as one hole; nothing is in them.
fn mark(memory: &Memory, pages: &Range<u64>) -> Result<()> {
    // Last to first, so that no page says more than is so.
    for number in pages.clone().rev() {
        let what = page_kind::HOLE | ((pages.end - number) << 32);
        store(memory, memory.geometry.entry_at(number) + fields::WHAT, what)?;
    }
    Ok(())
}

/// Marks pages of a hole as free, from its first page on.
fn unmark(memory: &Memory, pages: &Range<u64>) -> Result<()> {
    for number in pages.clone() {
        store(memory, memory.geometry.entry_at(number) + fields::WHAT, page_kind::FREE)?;
    }
    Ok(())
}

/// Counts the holes again, of which a dead process may have left too many in the header; how many there are.
pub(crate) fn recount(memory: &Memory) -> Result<u64> {
    let noted = memory.holes()?;
    if noted == 0 {
        return Ok(0);
    }
    let mut holes = 0;
    let pages = memory.pages()?;
    page::walk(memory, |number, entry| {
        let is_hole = entry.kind() == page_kind::HOLE;
        holes += if is_hole { entry.extent().min(pages.saturating_sub(number)) } else { 0 };
        Ok(())
    })?;
    if holes != noted {
        store(memory, header::HOLES, holes)?;
    }
    Ok(holes)
}

/// Makes the entries of all holes say how long they are, whatever they say now; how many were wrong.
pub(super) fn remark(memory: &Memory) -> Result<u64> {
    let (mut wrong, mut holes, mut behind) = (0, 0, 0);
    for number in (0..memory.pages()?).rev() {
        let entry = Entry::load(memory, number)?;
        behind = if entry.kind() == page_kind::HOLE { behind + 1 } else { 0 };
        holes += behind.min(1);
        let what = page_kind::HOLE | (behind << 32);
        if behind > 0 && entry.what != what {
            wrong += 1;
            store(memory, memory.geometry.entry_at(number) + fields::WHAT, what)?;
        }
    }
    store(memory, header::HOLES, holes)?;
    Ok(wrong)
}

fn store(memory: &Memory, at: u64, value: u64) -> Result<()> {
    memory.meta(at)?.store(value, Ordering::Release);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::PAGE_BYTES;
    use crate::options::SegmentOptions;
    use crate::segment::Segment;

    /// Pages without memory, at which nobody looks: as many gaps of so many free pages as there is room for.
    fn gaps(memory: &Memory, pages: Range<u64>, length: u64) {
        for number in pages.clone() {
            let is_free = (number - pages.start) % (length + 1) < length;
            let what = if is_free { page_kind::FREE } else { page_kind::RUN | (1 << 32) };
            store(memory, memory.geometry.entry_at(number) + fields::WHAT, what).unwrap();
        }
    }

    /// How many holes there are.
    fn count(memory: &Memory) -> usize {
        let mut holes = 0;
        page::walk(memory, |_, entry| {
            holes += usize::from(entry.kind() == page_kind::HOLE);
            Ok(())
        })
        .unwrap();
        holes
    }

    #[test]
    fn there_are_never_more_than_the_memory_map_of_a_process_bears() {
        let segment = Segment::create_anonymous(SegmentOptions::new().size(16 << 30)).unwrap();
        let memory = &segment.heap().0.memory;
        let (before, pages) = (memory.pages().unwrap(), 200_000);
        let length = memory.geometry.page_at(before + pages);
        memory.with_file("lengthen", |file| file.shorten(length)).unwrap();
        memory.meta(header::COMMITTED).unwrap().store(length, Ordering::Release);
        gaps(memory, before..before + pages, 0);
        // Longer ones come later.
        for round in 0..4_u64 {
            let start = before + round * pages / 4;
            gaps(memory, start..start + pages / 4, 20 + round);
            make(memory).unwrap();
            assert!(count(memory) <= MOST, "{} after round {round}", count(memory));
        }
        assert!(count(memory) > MOST - 8);
        assert!(memory.holes().unwrap() * PAGE_BYTES > 1 << 30);
        let again = Segment::attach(segment.name(), SegmentOptions::new()).unwrap();
        assert_eq!(again.root().len().unwrap(), 0);
    }
}
