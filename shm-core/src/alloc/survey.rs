//! Whether the page directory, the bitmaps and the page lists agree with each other, in words.
//!
//! For the checker; the caller holds the writer lock, or nobody writes. Whatever the words are, each
//! page is looked at once and each list is followed no further than it has pages.

use crate::error::Result;
use crate::layout::{PAGE_BYTES, header, page as fields, page_kind};
use crate::memory::Memory;
use crate::primitive::Ordering;

use super::PageUse;
use super::class::{self, Cut};
use super::page::{self, COUNT, Entry, IN_LIST, bitmap_at, head_at};

/// Compares counts, bitmaps, lists and the search hint with each other.
pub(super) fn check(memory: &Memory, findings: &mut Vec<String>) -> Result<()> {
    let first = memory.meta(header::FIRST_FREE_PAGE)?.load(Ordering::Relaxed);
    let pages = memory.pages()?;
    let mut listed = vec![0_u64; 64];
    let (mut number, mut holes) = (0, 0);
    while number < pages {
        let entry = Entry::load(memory, number)?;
        match entry.kind() {
            page_kind::FREE | page_kind::HOLE => {
                if number < first {
                    findings.push(format!("page {number}: free below the first free page {first}"));
                }
                if entry.kind() == page_kind::HOLE {
                    holes += row(memory, "hole", number, &entry, page_kind::HOLE, findings)?;
                }
            }
            page_kind::RUN => {
                row(memory, "run", number, &entry, page_kind::FREE, findings)?;
            }
            page_kind::SMALL | page_kind::HEADERS => {
                let free = cut(memory, number, &entry, findings)?;
                if free > 0
                    && let Some(count) = listed.get_mut(usize::from(entry.class()))
                {
                    *count += 1;
                }
            }
            kind => findings.push(format!("page {number}: of unknown kind {kind}")),
        }
        number = number.saturating_add(entry.extent());
    }
    let noted = memory.holes()?;
    if holes > noted {
        findings.push(format!("{holes} pages are holes, the header says {noted}"));
    }
    for (class, expected) in listed.iter().enumerate() {
        list(memory, class as u8, *expected, pages, findings)?;
    }
    Ok(())
}

/// Looks at what an entry tells about several pages: those behind the first are of kind `inner`. How many there are.
fn row(
    memory: &Memory,
    what: &str,
    number: u64,
    entry: &Entry,
    inner: u64,
    findings: &mut Vec<String>,
) -> Result<u64> {
    let (count, pages) = (entry.extent(), memory.pages()?);
    let rest = pages.saturating_sub(number);
    if count > rest {
        findings
            .push(format!("page {number}: a {what} of {count} pages, there are {pages} in all"));
    }
    let count = count.min(rest);
    for behind in number + 1..number + count {
        let kind = Entry::load(memory, behind)?.kind();
        if kind != inner {
            findings.push(format!(
                "page {behind}: of kind {kind} inside of the {what} of {count} pages from page {number}"
            ));
            break;
        }
    }
    Ok(count)
}

/// Looks at a page that is cut into blocks; how many of them are free.
fn cut(memory: &Memory, number: u64, entry: &Entry, findings: &mut Vec<String>) -> Result<u64> {
    let class = entry.class();
    let cut = Cut::of(class);
    let headers = entry.kind() == page_kind::HEADERS;
    if cut.blocks == 0 || headers != (class == class::HEADERS) {
        findings.push(format!("page {number}: of kind {} and class {class}", entry.kind()));
        return Ok(0);
    }
    let blocks = (entry.what >> 16) & 0xFFFF;
    if blocks != cut.blocks {
        findings.push(format!("page {number}: {blocks} blocks, class {class} has {}", cut.blocks));
    }
    let mut free = 0;
    for word in 0..cut.bitmap_words() {
        let bits = memory.any_word(bitmap_at(memory, number, cut, word))?.load(Ordering::Relaxed);
        let valid = cut.valid_bits(word);
        if bits & !valid != 0 {
            findings.push(format!(
                "page {number}: word {word} of its bitmap is {bits:#x}, the page's blocks are \
                 {valid:#x}"
            ));
        }
        free += u64::from((bits & valid).count_ones());
    }
    if free != entry.free & COUNT || (free > 0) != (entry.free & IN_LIST != 0) {
        findings.push(format!(
            "page {number}: {free} blocks of class {class} free, its entry says {} and {}",
            entry.free & COUNT,
            if entry.free & IN_LIST == 0 { "not listed" } else { "listed" }
        ));
    }
    Ok(free)
}

fn list(
    memory: &Memory,
    class: u8,
    expected: u64,
    pages: u64,
    findings: &mut Vec<String>,
) -> Result<()> {
    let mut next = memory.meta(head_at(class))?.load(Ordering::Relaxed);
    let (mut count, mut before) = (0, 0);
    while let Some(number) = next.checked_sub(1) {
        if count > expected || number >= pages {
            break;
        }
        let at = memory.geometry.entry_at(number);
        let entry = Entry::load(memory, number)?;
        let cut = matches!(entry.kind(), page_kind::SMALL | page_kind::HEADERS);
        if !cut || entry.class() != class {
            findings.push(format!(
                "list of class {class}: page {number} is of kind {} and class {}",
                entry.kind(),
                entry.class()
            ));
        }
        let previous = memory.meta(at + fields::PREVIOUS)?.load(Ordering::Relaxed);
        if previous != before {
            findings.push(format!(
                "list of class {class}: page {number} says that {previous} is before it, not \
                 {before} (page numbers + 1, 0 none)"
            ));
        }
        before = next;
        count += 1;
        next = memory.meta(at + fields::NEXT)?.load(Ordering::Relaxed);
    }
    if count != expected || next != 0 {
        findings.push(format!(
            "list of class {class}: {count} pages, then {next:#x}; {expected} have free blocks"
        ));
    }
    Ok(())
}

/// Calls `visit` with the offset of each object header that is taken, until it fails.
pub(super) fn for_each_header(
    memory: &Memory,
    mut visit: impl FnMut(u64) -> Result<()>,
) -> Result<()> {
    let cut = Cut::of(class::HEADERS);
    page::walk(memory, |number, entry| {
        if entry.kind() != page_kind::HEADERS {
            return Ok(());
        }
        let first = memory.geometry.page_at(number) + cut.first;
        for word in 0..cut.bitmap_words() {
            let bitmap = memory.any_word(bitmap_at(memory, number, cut, word))?;
            let mut taken = !bitmap.load(Ordering::Relaxed) & cut.valid_bits(word);
            while taken != 0 {
                visit(first + (word * 64 + u64::from(taken.trailing_zeros())) * cut.size)?;
                taken &= taken - 1;
            }
        }
        Ok(())
    })
}

/// Private copies of what all pages are used for.
pub(super) fn page_uses(memory: &Memory) -> Result<Vec<PageUse>> {
    let mut uses = Vec::new();
    for number in 0..memory.pages()? {
        let entry = Entry::load(memory, number)?;
        let block = match entry.kind() {
            page_kind::SMALL | page_kind::HEADERS => entry.cut().size,
            page_kind::RUN => entry.run_pages() * PAGE_BYTES,
            _ => 0,
        };
        let headers = entry.kind() == page_kind::HEADERS && entry.class() == class::HEADERS;
        uses.push(PageUse { block, headers });
    }
    Ok(uses)
}
