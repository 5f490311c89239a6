//! The page directory: one entry per 64 KiB page, lists of pages with free blocks, free runs.
//!
//! A page is free, or cut into blocks of one class, or holds object headers (then for as long as anybody
//! is there who may look at one: see `spare`), or starts a run. The pages of a run behind its first are
//! marked free, and a walk that starts at a page's head jumps over them; it jumps over holes too (see `holes`). Pages with a free block are in their class's doubly linked list.
//! `first_free_page` is a head below which no page is free, so a search starts there. All of this
//! changes through the journal only, under the writer lock; the hint word alone is not logged.
//!
//! Of two classes some blocks are kept back, so that a full segment can be made less full ([`kept_of`]):
//! headers, for what takes a large container apart, and the smallest tables of pins, for who
//! comes to do so. They are free blocks like any other, which the usual ways do not take.

use crate::cell::Offset;
use crate::error::Result;
use crate::journal::Journal;
use crate::layout::{PAGE_BYTES, PAGE_ENTRY_BYTES, header, object, page, page_kind};
use crate::memory::Memory;
use crate::primitive::Ordering;

use super::class::{self, Cut};
use super::run::{free_page, take_pages};

pub(super) const IN_LIST: u64 = 1 << 32;
pub(super) const COUNT: u64 = IN_LIST - 1;

/// One is enough for an operation; others may not have given theirs back yet.
const KEPT_HEADERS: u64 = 8;
/// So many processes may come to a segment that has not a byte left.
const KEPT_PIN_TABLES: u64 = 16;

/// A private copy of a directory entry's first words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) what: u64,
    pub(super) free: u64,
}

impl Entry {
    #[inline]
    pub(super) fn load(memory: &Memory, number: u64) -> Result<Self> {
        let at = memory.geometry.entry_at(number);
        let words = memory.meta_words(at, PAGE_ENTRY_BYTES / 8)?;
        let load = |offset: Offset| {
            words.get((offset / 8) as usize).map_or(0, |word| word.load(Ordering::Relaxed))
        };
        Ok(Entry { what: load(page::WHAT), free: load(page::FREE) })
    }

    #[inline]
    pub(super) fn kind(&self) -> u64 {
        self.what & 0xFF
    }

    #[inline]
    pub(super) fn class(&self) -> u8 {
        (self.what >> 8) as u8
    }

    #[inline]
    pub(super) fn cut(&self) -> Cut {
        Cut::of(self.class())
    }

    /// How many of its blocks are free.
    pub(super) fn free_blocks(&self) -> u64 {
        self.free & COUNT
    }

    pub(super) fn run_pages(&self) -> u64 {
        (self.what >> 32).max(1)
    }

    /// How many pages the entry tells about: those of a run, those of a hole from here on, or one.
    pub(super) fn extent(&self) -> u64 {
        if matches!(self.kind(), page_kind::RUN | page_kind::HOLE) { self.run_pages() } else { 1 }
    }

    /// Which block starts at an offset of this page.
    #[inline]
    pub(super) fn index_of(&self, memory: &Memory, number: u64, at: Offset) -> Result<u64> {
        self.place_of(memory, number, at).ok_or_else(|| {
            let size = self.cut().size;
            memory.corrupt(format!("{at:#x} is not the start of a block of {size} bytes"))
        })
    }

    /// The same, for fast paths.
    #[inline]
    pub(super) fn place_of(&self, memory: &Memory, number: u64, at: Offset) -> Option<u64> {
        self.cut().place_of(at.wrapping_sub(memory.geometry.page_at(number)))
    }

    pub(super) fn is_free(&self, memory: &Memory, number: u64, index: u64) -> Result<bool> {
        let word = memory.any_word(bitmap_at(memory, number, self.cut(), index / 64))?;
        Ok(word.load(Ordering::Relaxed) >> (index % 64) & 1 == 1)
    }
}

/// Where a word of a page's bitmap lies.
#[inline]
pub(super) fn bitmap_at(memory: &Memory, number: u64, cut: Cut, word: u64) -> Offset {
    if cut.is_inline() {
        memory.geometry.entry_at(number) + page::BITMAP
    } else {
        memory.geometry.page_at(number) + word * 8
    }
}

pub(super) fn head_at(class: u8) -> Offset {
    header::CLASS_HEADS + u64::from(class) * 8
}

/// How many blocks of a class are kept back.
pub(super) fn kept_of(class: u8) -> u64 {
    match class {
        class::HEADERS => KEPT_HEADERS,
        class::PIN_TABLES => KEPT_PIN_TABLES,
        _ => 0,
    }
}

/// Takes a block of a class, and leaves those that are kept back.
#[inline]
pub(super) fn take_block(journal: &mut Journal<'_>, class: u8) -> Result<Offset> {
    let mut taken = [0];
    take_blocks(journal, class, &mut taken, kept_of(class))?;
    Ok(taken[0])
}

/// Takes a block of a class, be it one that is kept back.
pub(super) fn take_kept_block(journal: &mut Journal<'_>, class: u8) -> Result<Offset> {
    let mut taken = [0];
    take_blocks(journal, class, &mut taken, 0)?;
    Ok(taken[0])
}

/// The first page of a class's list, and its entry.
fn first_page(memory: &Memory, class: u8) -> Result<Option<(u64, Entry)>> {
    let head = memory.meta(head_at(class))?.load(Ordering::Relaxed);
    head.checked_sub(1).map(|number| Ok((number, listed(memory, number, class)?))).transpose()
}

/// The entry of a page that a class's list names.
fn listed(memory: &Memory, number: u64, class: u8) -> Result<Entry> {
    if memory.peek_page(memory.geometry.page_at(number)).is_none() && number >= memory.pages()? {
        return Err(memory.corrupt(format!("list of class {class} names page {number}")));
    }
    let entry = Entry::load(memory, number)?;
    let kind = if class == class::HEADERS { page_kind::HEADERS } else { page_kind::SMALL };
    if entry.kind() != kind || entry.class() != class {
        return Err(
            memory.corrupt(format!("page {number} in the list of class {class} is not of it"))
        );
    }
    Ok(entry)
}

/// How many free blocks the pages of a class's list have, as far as `enough`.
fn count_free(memory: &Memory, class: u8, enough: u64) -> Result<u64> {
    let mut free = 0;
    let mut next = memory.meta(head_at(class))?.load(Ordering::Relaxed);
    while free < enough
        && let Some(number) = next.checked_sub(1)
    {
        // At least one, so that a list which leads in a circle ends too.
        free += listed(memory, number, class)?.free_blocks().max(1);
        next = memory.meta(memory.geometry.entry_at(number) + page::NEXT)?.load(Ordering::Relaxed);
    }
    Ok(free)
}

/// Takes blocks of a class from its first page, at least one and at most as many as `taken` has room
/// for; how many. So many of the class's free ones are left.
pub(super) fn take_blocks(
    journal: &mut Journal<'_>,
    class: u8,
    taken: &mut [Offset],
    kept: u64,
) -> Result<usize> {
    let memory = journal.memory();
    let mut first = first_page(memory, class)?;
    let mut most = taken.len();
    let enough = kept + most as u64;
    if let Some((_, entry)) = first
        && kept > 0
        && entry.free_blocks() < enough
    {
        let spare = count_free(memory, class, enough)?.saturating_sub(kept);
        most = most.min(spare as usize);
        first = first.filter(|_| spare > 0);
    }
    let (number, entry) = if let Some(first) = first {
        first
    } else {
        let number = cut_page(journal, class)?;
        most = taken.len();
        (number, listed(memory, number, class)?)
    };
    let cut = entry.cut();
    let words = cut.bitmap_words();
    let at = memory.geometry.entry_at(number);
    let first = memory.geometry.page_at(number) + cut.first;
    let hint = memory.meta(at + page::HINT)?;
    let start = hint.load(Ordering::Relaxed) % words;
    let mut places = taken.iter_mut().take(most);
    let mut count = 0;
    for step in 0..words {
        let index = (start + step) % words;
        let bitmap_at = bitmap_at(memory, number, cut, index);
        let bits = memory.any_word(bitmap_at)?.load(Ordering::Relaxed);
        let mut valid = bits & cut.valid_bits(index);
        if valid == 0 {
            continue;
        }
        hint.store(index, Ordering::Relaxed);
        let mut left = bits;
        while valid != 0
            && let Some(place) = places.next()
        {
            *place = first + (index * 64 + u64::from(valid.trailing_zeros())) * cut.size;
            left &= !(valid & valid.wrapping_neg());
            valid &= valid - 1;
            count += 1;
        }
        journal.put(bitmap_at, left)?;
        if places.len() == 0 {
            break;
        }
    }
    if count == 0 {
        return Err(
            memory.corrupt(format!("page {number} is listed with free blocks but has none"))
        );
    }
    let free = (entry.free & COUNT).saturating_sub(count);
    if free == 0 {
        unlink(journal, number, class)?;
        journal.put_meta(at + page::FREE, 0)?;
    } else {
        journal.put_meta(at + page::FREE, free | IN_LIST)?;
    }
    Ok(count as usize)
}

/// Gives a block of a cut page back.
pub(super) fn give_block(
    journal: &mut Journal<'_>,
    number: u64,
    entry: &Entry,
    at: Offset,
) -> Result<()> {
    let memory = journal.memory();
    let index = entry.index_of(memory, number, at)?;
    give_bits(journal, number, entry.cut(), index / 64, 1 << (index % 64))?;
    count_given(journal, number, entry, 1)
}

/// Gives blocks of a class back, which come in the order of their offsets.
pub(super) fn give_blocks(journal: &mut Journal<'_>, class: u8, blocks: &[Offset]) -> Result<()> {
    let memory = journal.memory();
    let page_of = |at: Offset| at.wrapping_sub(memory.geometry.data_at) / PAGE_BYTES;
    for of_page in blocks.chunk_by(|one, two| page_of(*one) == page_of(*two)) {
        let Some(first) = of_page.first() else { continue };
        let (number, entry) = super::entry_of(memory, *first)?;
        if entry.kind() != page_kind::SMALL || entry.class() != class {
            return Err(memory.corrupt(format!("{first:#x} is no block of class {class}")));
        }
        let (mut word, mut bits) = (0, 0);
        for at in of_page {
            let index = entry.index_of(memory, number, *at)?;
            if index / 64 != word && bits != 0 {
                give_bits(journal, number, entry.cut(), word, bits)?;
                bits = 0;
            }
            if index / 64 == word && bits >> (index % 64) & 1 == 1 {
                return Err(memory.corrupt(format!("block {at:#x} is freed twice")));
            }
            word = index / 64;
            bits |= 1 << (index % 64);
        }
        give_bits(journal, number, entry.cut(), word, bits)?;
        count_given(journal, number, &entry, of_page.len() as u64)?;
    }
    Ok(())
}

/// Marks blocks of one word of a page's bitmap as free.
fn give_bits(
    journal: &mut Journal<'_>,
    number: u64,
    cut: Cut,
    word: u64,
    given: u64,
) -> Result<()> {
    let memory = journal.memory();
    let bitmap_at = bitmap_at(memory, number, cut, word);
    let bits = memory.any_word(bitmap_at)?.load(Ordering::Relaxed);
    if bits & given != 0 {
        let index = word * 64 + u64::from((bits & given).trailing_zeros());
        let at = memory.geometry.page_at(number) + cut.first + index * cut.size;
        return Err(memory.corrupt(format!("block {at:#x} is freed twice")));
    }
    journal.put(bitmap_at, bits | given)
}

/// Counts blocks that were given back: the page is listed, or free if all of it is.
fn count_given(journal: &mut Journal<'_>, number: u64, entry: &Entry, given: u64) -> Result<()> {
    let memory = journal.memory();
    let entry_at = memory.geometry.entry_at(number);
    let count = (entry.free & COUNT) + given;
    let class = entry.class();
    if entry.free & IN_LIST == 0 {
        journal.put_meta(entry_at + page::FREE, count | IN_LIST)?;
        return link(journal, number, class);
    }
    let alone = memory.meta(head_at(class))?.load(Ordering::Relaxed) == number + 1
        && memory.meta(entry_at + page::NEXT)?.load(Ordering::Relaxed) == 0;
    if count == entry.cut().blocks && entry.kind() == page_kind::SMALL && !alone {
        unlink(journal, number, class)?;
        journal.put_meta(entry_at + page::FREE, 0)?;
        return free_page(journal, number);
    }
    journal.put_meta(entry_at + page::FREE, count | IN_LIST)
}

/// Makes a listed page free, none of whose blocks is taken.
pub(super) fn give_whole(journal: &mut Journal<'_>, number: u64, entry: &Entry) -> Result<()> {
    unlink(journal, number, entry.class())?;
    journal.put_meta(journal.memory().geometry.entry_at(number) + page::FREE, 0)?;
    free_page(journal, number)
}

/// Cuts a free page into blocks of a class and lists it.
#[cold]
fn cut_page(journal: &mut Journal<'_>, class: u8) -> Result<u64> {
    let number = take_pages(journal, 1)?;
    let memory = journal.memory();
    let cut = Cut::of(class);
    // The page is nobody's, so its bitmap needs no log: undone, it is garbage in a free page.
    for word in 0..cut.bitmap_words() {
        let at = bitmap_at(memory, number, cut, word);
        memory.any_word(at)?.store(cut.valid_bits(word), Ordering::Release);
    }
    let at = memory.geometry.entry_at(number);
    let generation = memory.meta(at + page::GENERATION)?.load(Ordering::Relaxed);
    if class == class::HEADERS && generation != 0 {
        begin_headers(memory, number, cut, generation)?;
    }
    memory.meta(at + page::HINT)?.store(0, Ordering::Release);
    let kind = if class == class::HEADERS { page_kind::HEADERS } else { page_kind::SMALL };
    journal.put_meta(at + page::WHAT, kind | (u64::from(class) << 8) | (cut.blocks << 16))?;
    journal.put_meta(at + page::FREE, cut.blocks | IN_LIST)?;
    link(journal, number, class)?;
    Ok(number)
}

/// Headers that were here before had lower generations, by which ids tell them from those to come.
fn begin_headers(memory: &Memory, number: u64, cut: Cut, generation: u64) -> Result<()> {
    let first = memory.geometry.page_at(number) + cut.first;
    for index in 0..cut.blocks {
        let meta = memory.word(first + index * cut.size + object::META)?;
        meta.store(generation << 48, Ordering::Release);
    }
    Ok(())
}

/// The highest generation that headers of a page have, or began with; all of them are free.
pub(super) fn highest_generation(memory: &Memory, number: u64, cut: Cut) -> Result<u64> {
    let entry_at = memory.geometry.entry_at(number);
    let mut highest = memory.meta(entry_at + page::GENERATION)?.load(Ordering::Relaxed);
    let first = memory.geometry.page_at(number) + cut.first;
    for index in 0..cut.blocks {
        highest = highest.max(memory.load(first + index * cut.size + object::META)? >> 48);
    }
    Ok(highest)
}

/// Puts a page at the head of its class's list.
fn link(journal: &mut Journal<'_>, number: u64, class: u8) -> Result<()> {
    let memory = journal.memory();
    let at = memory.geometry.entry_at(number);
    let head = memory.meta(head_at(class))?.load(Ordering::Relaxed);
    journal.put_meta(at + page::NEXT, head)?;
    journal.put_meta(at + page::PREVIOUS, 0)?;
    if let Some(next) = head.checked_sub(1) {
        journal.put_meta(listed_at(memory, next)? + page::PREVIOUS, number + 1)?;
    }
    journal.put_meta(head_at(class), number + 1)
}

/// Takes a page out of its class's list.
fn unlink(journal: &mut Journal<'_>, number: u64, class: u8) -> Result<()> {
    let memory = journal.memory();
    let at = memory.geometry.entry_at(number);
    let next = memory.meta(at + page::NEXT)?.load(Ordering::Relaxed);
    let previous = memory.meta(at + page::PREVIOUS)?.load(Ordering::Relaxed);
    match previous.checked_sub(1) {
        Some(before) => journal.put_meta(listed_at(memory, before)? + page::NEXT, next)?,
        None => journal.put_meta(head_at(class), next)?,
    }
    if let Some(after) = next.checked_sub(1) {
        journal.put_meta(listed_at(memory, after)? + page::PREVIOUS, previous)?;
    }
    Ok(())
}

fn listed_at(memory: &Memory, number: u64) -> Result<Offset> {
    if number >= memory.pages()? {
        return Err(memory.corrupt(format!("a page list names page {number}")));
    }
    Ok(memory.geometry.entry_at(number))
}

/// Calls `visit` with each page that heads something, free pages and holes included.
pub(super) fn walk(
    memory: &Memory,
    mut visit: impl FnMut(u64, &Entry) -> Result<()>,
) -> Result<()> {
    let pages = memory.pages()?;
    let mut number = 0;
    while number < pages {
        let entry = Entry::load(memory, number)?;
        visit(number, &entry)?;
        number += entry.extent();
    }
    Ok(())
}

const _: () = assert!(PAGE_ENTRY_BYTES == 64);
