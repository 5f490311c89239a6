//! Removing any number of members of a set where they are.
//!
//! Which ones is too much for the header of a removal: a block marks them, a bit each. A bit for a member takes
//! a hundredth of the memory that those that stay would take in a fresh block; if even that is not there, up to
//! [`MOST_KEPT`] are marked in one of the blocks that are kept back for tables of pins. Each step makes deleted entries of
//! some that are marked; the last one counts those that stay. Slots that led to the others lead to deleted entries then, as
//! after a kill, and match nothing.
//!
//! ```text
//! block   first entry that may be marked; how many bits; the bits
//! ```

use super::{HALF, begin, is_possible, note, open};
use crate::alloc;
use crate::cell::{Cell, Kind, Offset, Ref};
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::layout::{keys, object};
use crate::memory::Memory;
use crate::object::{Meta, drop_one, free_header, held, meta_of};
use crate::primitive::{AtomicU64, Ordering};
use crate::tx::Tx;

/// Bytes in front of the bits.
const HEAD: u64 = 16;
/// Bits that a block has which is kept back.
const MOST_KEPT: u64 = (512 - HEAD) * 8;
/// Entries without counts that go in one step, each of them logged.
const ENTRIES_PER_STEP: u64 = 40;

/// The members that are to go: indices of entries, ascending.
pub(crate) struct Marks<'i>(pub(crate) &'i [u64]);

impl Marks<'_> {
    /// The first one, and how many bits from there to the last one.
    fn range(&self) -> (u64, u64) {
        match (self.0.first(), self.0.last()) {
            (Some(first), Some(last)) => (*first, last - first + 1),
            _ => (0, 0),
        }
    }

    /// A block that marks them; nobody sees it before the commit.
    fn store(&self, tx: &mut Tx<'_>) -> Result<Offset> {
        let (first, bits) = self.range();
        let bytes = HEAD + bits.div_ceil(64) * 8;
        let block = match alloc::allocate(&mut tx.journal, bytes) {
            Err(Error::SegmentFull { .. }) if bits <= MOST_KEPT => {
                alloc::allocate_kept_table(&mut tx.journal)?
            }
            block => block?,
        };
        let mut words = vec![0_u64; (bytes / 8) as usize];
        for index in self.0 {
            let bit = index - first;
            if let Some(word) = words.get_mut(((HEAD / 8) + bit / 64) as usize) {
                *word |= 1 << (bit % 64);
            }
        }
        words.splice(..2, [first, bits]);
        for (place, word) in (block..).step_by(8).zip(words) {
            tx.fill(place, word)?;
        }
        Ok(block)
    }
}

/// Removes members of a set after the commit, where those that stay would have been `full`'s undoing. The
/// operation has not changed the object yet.
///
/// # Errors
/// `full`, where this cannot be.
pub(crate) fn instead_of_members(
    tx: &mut Tx<'_>,
    full: Error,
    target: Offset,
    marks: &Marks<'_>,
) -> Result<()> {
    let (first, bits) = marks.range();
    if first > HALF || bits > HALF || !is_possible(tx, &full, target)? {
        return Err(full);
    }
    let block = marks.store(tx)?;
    begin(tx, target, block, 0)
}

/// What is removed from, and how far it has come.
pub(super) struct Stage<'m> {
    target: Offset,
    /// The block of the set's keys, its first key, how far apart they are, how many there are.
    block: Offset,
    key: Offset,
    stride: u64,
    count: u64,
    marks: Offset,
    first: u64,
    words: &'m [AtomicU64],
    /// Bits that were looked at, and whatever else the word says.
    progress: u64,
    flags: u64,
}

impl<'m> Stage<'m> {
    /// None if it is no removal from a set.
    pub(super) fn load(memory: &'m Memory, at: Offset) -> Result<Option<Self>> {
        let target = memory.load(at + object::W2)?;
        let wrong = || memory.corrupt(format!("a removal of members that are not in {target:#x}"));
        if !alloc::is_header(memory, target) {
            return Ok(None);
        }
        let meta = Meta(memory.load(target + object::META)?);
        if Kind::from_code(meta.kind_code()) != Some(Kind::Set) {
            return Ok(None);
        }
        let reference = Ref { kind: Kind::Set, at: target, generation: meta.generation() as u8 };
        meta_of(memory, reference)?;
        // The entries are within the block then.
        let held = held(memory, reference)?;
        let (marks, w3) = (memory.load(at + object::W1)?, memory.load(at + object::W3)?);
        let room = alloc::size_of_block(memory, marks)?.saturating_sub(HEAD) / 8;
        let (first, bits) = (memory.load(marks)?, memory.load(marks + 8)?);
        if held.block == 0 || bits.div_ceil(64) > room || first.saturating_add(bits) > held.count {
            return Err(wrong());
        }
        let words = memory.words(marks + HEAD, bits.div_ceil(64))?;
        let (block, key) = (held.block, held.first);
        let (stride, count) = (held.stride, held.count);
        let (progress, flags) = (w3 & HALF, w3 & !HALF);
        Ok(Some(Stage { target, block, key, stride, count, marks, first, words, progress, flags }))
    }

    fn is_marked(&self, bit: u64) -> bool {
        let word = self.words.get((bit / 64) as usize);
        word.is_some_and(|word| word.load(Ordering::Relaxed) & (1 << (bit % 64)) != 0)
    }

    /// One step; whether it was the last one.
    pub(super) fn step(&self, journal: &mut Journal<'_>, at: Offset) -> Result<bool> {
        let sequence = open(journal, self.target)?;
        let bits = self.words.len() as u64 * 64;
        let mut gone = 0;
        for bit in self.progress..bits {
            let index = self.first + bit;
            if !self.is_marked(bit) || index >= self.count {
                continue;
            }
            let place = self.key + index * self.stride * 8;
            let key = Cell(journal.memory().load(place)?);
            journal.put(place, Cell::TOMBSTONE.0)?;
            gone += 1;
            if !key.is_immediate() || gone == ENTRIES_PER_STEP {
                note(journal, at, self.flags | (bit + 1))?;
                drop_one_of(journal, key)?;
                return Ok(false);
            }
        }
        self.end(journal, at, sequence)?;
        Ok(true)
    }

    /// Counts those that stay.
    fn end(&self, journal: &mut Journal<'_>, at: Offset, sequence: u64) -> Result<()> {
        let counts = journal.memory().load(self.block + keys::COUNTS)?;
        let marked: u32 =
            self.words.iter().map(|word| word.load(Ordering::Relaxed).count_ones()).sum();
        let used = (counts >> 32).saturating_sub(u64::from(marked));
        journal.put(self.block + keys::COUNTS, (counts & HALF) | (used << 32))?;
        journal.put(self.target + object::SEQ, sequence.wrapping_add(1))?;
        alloc::free(journal, self.marks)?;
        free_header(journal, at)
    }
}

/// Drops the count of a cell that has one.
fn drop_one_of(journal: &mut Journal<'_>, cell: Cell) -> Result<()> {
    if cell.is_immediate() { Ok(()) } else { drop_one(journal, cell) }
}
