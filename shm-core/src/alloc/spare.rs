//! Pages that nobody needs: what can be given back to the file system.
//!
//! Free pages, and pages that are cut into blocks of which none is taken: a class keeps its last page for a
//! while, and pages of object headers stay so for ever as far as everybody else is concerned. The caller
//! holds the writer lock.
//!
//! Why headers stay: a reader that is on its way to one may find it freed, and knows it by its sequence,
//! which only ever grows. So their pages may go only while there is no reader at all, in this process or
//! another. What is left then of the headers that were there are ids, which a program may have noted
//! anywhere: they name the offset and the generation. So the page's entry remembers a generation that none
//! of them had reached, and headers that are made there later begin with it.

use crate::error::Result;
use crate::journal::Journal;
use crate::layout::{page as fields, page_kind};
use crate::memory::Memory;

use super::page::{self, Entry};

/// Pages that one operation makes free; each takes six entries of the log at most.
const AT_ONCE: usize = 24;
/// Headers of a higher generation than this stay: it has 16 bits.
const HIGHEST_GENERATION: u64 = 0xF000;

/// Handle. What the directory says about pages that nobody needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spare {
    /// How many pages could go: free ones, holes aside, and those that are cut into blocks all of which are free.
    pub(crate) could_go: u64,
    /// No page from this one on has anything in it.
    needed: u64,
    /// The pages that are cut into blocks all of which are free.
    idle: Vec<u64>,
}

impl Spare {
    /// All pages from this one on are free, or holes.
    pub(crate) fn free_from(&self) -> u64 {
        self.idle.last().map_or(self.needed, |last| self.needed.max(last + 1))
    }
}

/// Whether it is a page of blocks, none of which is taken.
fn is_idle(entry: &Entry) -> bool {
    let cut = entry.cut();
    matches!(entry.kind(), page_kind::SMALL | page_kind::HEADERS)
        && cut.blocks > 0
        && entry.free_blocks() == cut.blocks
}

/// Looks for what is not needed. Pages of headers count as needed unless nobody reads.
pub(crate) fn spare(memory: &Memory, nobody_reads: bool) -> Result<Spare> {
    let (mut spare, pages) = (Spare::default(), memory.pages()?);
    page::walk(memory, |number, entry| {
        if is_idle(entry) && (nobody_reads || entry.kind() == page_kind::SMALL) {
            spare.idle.push(number);
            spare.could_go += 1;
        } else if entry.kind() == page_kind::FREE {
            spare.could_go += 1;
        } else if entry.kind() != page_kind::HOLE {
            spare.needed = number.saturating_add(entry.extent()).min(pages);
        }
        Ok(())
    })?;
    Ok(spare)
}

/// Makes some of the idle pages free, the last ones first, as an operation of the caller; whether there may be more.
pub(crate) fn free_idle(journal: &mut Journal<'_>, spare: &mut Spare) -> Result<bool> {
    let memory = journal.memory();
    for number in spare.idle.split_off(spare.idle.len().saturating_sub(AT_ONCE)) {
        if number >= memory.pages()? {
            continue;
        }
        // Somebody may have taken a block since the look.
        let entry = Entry::load(memory, number)?;
        if !is_idle(&entry) {
            continue;
        }
        if entry.kind() == page_kind::HEADERS {
            let generation = page::highest_generation(memory, number, entry.cut())?;
            if generation > HIGHEST_GENERATION {
                continue;
            }
            let at = memory.geometry.entry_at(number) + fields::GENERATION;
            journal.put_meta(at, generation)?;
        }
        page::give_whole(journal, number, &entry)?;
    }
    Ok(!spare.idle.is_empty())
}
