//! Removing items of a list, bytes of a bytearray or members of a set (`members`) where they are: in a segment that has
//! no memory for a copy of what stays.
//!
//! A removal is a task of a committed log: from the commit on it is done, whoever does it. Its object is
//! one header, of those that are kept back for this, which says what is left to do. Step by step the
//! counts of the cells fall, then what stays moves up; each step is logged like any task, and one store
//! makes it final. The object's sequence is odd from the first step to the last, so readers see it as
//! it was before, or as it is after. All of it happens under one hold of the writer lock; of a
//! killed one whoever takes the lock next does the rest, before anything else.
//!
//! ```text
//! header   a list without a block, to which nothing refers
//!          W1   first position 32 (low), how many 32; of a set, the block that marks the members
//!          W2   the object that they are removed from
//!          W3   progress 32 (low), their distance 29, counts fall 1, unused 1, it is a removal 1
//! ```
//!
//! Not in a transaction: there later operations could use the places before the commit.

mod members;

use super::{create_kept, drop_one, free_header, held, meta_of};
use crate::alloc;
use crate::cell::{Cell, Kind, Offset, Ref};
use crate::error::{Error, Result};
use crate::journal::{Journal, Task};
use crate::layout::object;
use crate::memory::Memory;
use crate::object::Meta;
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};
use crate::tx::Tx;
use crate::watch;

pub(crate) use members::{Marks, instead_of_members};

/// The word is that of a removal.
const IS_REMOVAL: u64 = 1 << 63;
/// The cells own counts, which fall.
const COUNTED: u64 = 1 << 61;
/// Largest distance of two positions.
const MOST_APART: u64 = (1 << 29) - 1;
const HALF: u64 = 0xFFFF_FFFF;
/// Words that move in one step, each of them logged.
const WORDS_PER_STEP: u64 = 40;

/// What is removed: positions of a list's items or a bytearray's bytes, at equal distances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Positions {
    pub(crate) first: u64,
    pub(crate) count: u64,
    /// At least 1.
    pub(crate) step: u64,
}

impl Positions {
    /// So many in a row.
    pub(crate) fn row(first: u64, count: u64) -> Self {
        Positions { first, count, step: 1 }
    }

    /// Where the item comes from that is to be the nth one from the first position on.
    fn source(self, nth: u64) -> u64 {
        let before = match self.step.checked_sub(1) {
            None | Some(0) => self.count,
            Some(between) => (nth / between + 1).min(self.count),
        };
        self.first + nth + before
    }
}

/// Removes what lies at these positions after the commit, without a block, where a copy would have been
/// `full`'s undoing. Cells of a list are `counted` if their counts fall with them; else these are the
/// caller's. The operation has not changed the object yet.
///
/// # Errors
/// `full`, where this cannot be.
pub(crate) fn instead(
    tx: &mut Tx<'_>,
    full: Error,
    target: Offset,
    positions: Positions,
    counted: bool,
) -> Result<()> {
    let Positions { first, count, step } = positions;
    let fits = first <= HALF && count <= HALF && (1..=MOST_APART).contains(&step);
    if !fits || !is_possible(tx, &full, target)? {
        return Err(full);
    }
    let flags = if counted { COUNTED } else { 0 };
    begin(tx, target, first | (count << 32), flags | (step << 32))
}

/// Whether a removal may be the way out of the want of memory.
fn is_possible(tx: &Tx<'_>, full: &Error, target: Offset) -> Result<bool> {
    let is_open = tx.load(target + object::SEQ)? & 1 == 1;
    Ok(!is_open && !tx.in_transaction() && matches!(full, Error::SegmentFull { .. }))
}

/// Makes the object of a removal, which is done after the commit.
fn begin(tx: &mut Tx<'_>, target: Offset, what: u64, how: u64) -> Result<()> {
    tx.check_gate(target)?;
    let at = create_kept(&mut tx.journal, Kind::List)?;
    tx.fill(at + object::W1, what)?;
    tx.fill(at + object::W2, target)?;
    tx.fill(at + object::W3, IS_REMOVAL | how)?;
    tx.journal.changed |= watch::bit_of(target);
    tx.journal.later(Task::Bury(at))
}

/// Whether the object at an offset that is to be buried is a removal.
pub(crate) fn is_one(memory: &Memory, at: Offset) -> Result<bool> {
    let meta = Meta(memory.load(at + object::META)?);
    Ok(meta.kind_code() == Kind::List as u8
        && meta.count() == 0
        && memory.load(at + object::W0)? == 0
        && memory.load(at + object::W3)? & IS_REMOVAL != 0)
}

/// Does what is left of a removal, and frees it. A task, or the rest of one.
pub(crate) fn run(journal: &mut Journal<'_>, at: Offset) -> Result<()> {
    loop {
        match step(journal, at) {
            Ok(true) => return Ok(()),
            Ok(false) => journal.part_done(),
            Err(error) => {
                journal.undo_task();
                let target = journal.memory().load(at + object::W2)?;
                if alloc::is_header(journal.memory(), target) {
                    // Whatever it is like now, nobody is to wait for the rest.
                    let sequence = journal.memory().word(target + object::SEQ)?;
                    let value = sequence.load(Ordering::Relaxed);
                    sequence.store((value | 1).wrapping_add(1), Ordering::Release);
                }
                return Err(error);
            }
        }
    }
}

/// What is removed from, and how far it has come.
struct Stage {
    kind: Kind,
    target: Offset,
    positions: Positions,
    flags: u64,
    progress: u64,
    /// The first item or byte lies so far behind the block's start: cells, or bytes.
    start: u64,
    block: Offset,
    len: u64,
}

impl Stage {
    fn load(memory: &Memory, at: Offset) -> Result<Self> {
        let (w1, w3) = (memory.load(at + object::W1)?, memory.load(at + object::W3)?);
        let target = memory.load(at + object::W2)?;
        let wrong = || memory.corrupt(format!("a removal of what is not in {target:#x}"));
        if !alloc::is_header(memory, target) {
            return Err(wrong());
        }
        let meta = Meta(memory.load(target + object::META)?);
        let Some(kind @ (Kind::List | Kind::ByteArray)) = Kind::from_code(meta.kind_code()) else {
            return Err(wrong());
        };
        let reference = Ref { kind, at: target, generation: meta.generation() as u8 };
        meta_of(memory, reference)?;
        // The cells of a list are within the block then.
        let block = held(memory, reference)?.block;
        let span = memory.load(target + object::W1)?;
        let (start, len) = (span & HALF, span >> 32);
        let bytes = if kind == Kind::List { 8 } else { 1 };
        let positions =
            Positions { first: w1 & HALF, count: w1 >> 32, step: ((w3 >> 32) & MOST_APART).max(1) };
        let last = positions.first + positions.count.saturating_sub(1) * positions.step;
        if block == 0
            || positions.count == 0
            || last >= len
            || (start + len) * bytes > alloc::size_of_block(memory, block)?
        {
            return Err(wrong());
        }
        let (flags, progress) = (w3 & !HALF, w3 & HALF);
        Ok(Stage { kind, target, positions, flags, progress, start, block, len })
    }

    /// Where the cell of an item lies.
    fn cell_at(&self, position: u64) -> Offset {
        self.block + (self.start + position) * 8
    }

    fn note_progress(&self, journal: &mut Journal<'_>, at: Offset, progress: u64) -> Result<()> {
        note(journal, at, self.flags | progress)
    }
}

/// Remembers how far a removal has come.
fn note(journal: &mut Journal<'_>, at: Offset, word: u64) -> Result<()> {
    if seeded::is(Bug::RemovalNotCounted) {
        journal.memory().word(at + object::W3)?.store(word, Ordering::Release);
        return Ok(());
    }
    journal.put(at + object::W3, word)
}

/// Makes a sequence odd before the first step; what it is then.
fn open(journal: &mut Journal<'_>, target: Offset) -> Result<u64> {
    let sequence = journal.memory().load(target + object::SEQ)?;
    if sequence & 1 == 0 {
        journal.put(target + object::SEQ, sequence.wrapping_add(1))?;
    }
    Ok(sequence | 1)
}

/// One step; whether it was the last one.
fn step(journal: &mut Journal<'_>, at: Offset) -> Result<bool> {
    let memory = journal.memory();
    if let Some(stage) = members::Stage::load(memory, at)? {
        return stage.step(journal, at);
    }
    let mut stage = Stage::load(memory, at)?;
    let sequence = open(journal, stage.target)?;
    if stage.flags & COUNTED != 0 && stage.kind == Kind::List {
        if drop_next(journal, at, &stage)? {
            return Ok(false);
        }
        stage.flags &= !COUNTED;
        stage.note_progress(journal, at, 0)?;
        return Ok(false);
    }
    let Positions { first, count, step } = stage.positions;
    let len = stage.len - count;
    // What is in front goes by the span alone.
    let in_front = first == 0 && step == 1;
    let left = if in_front { 0 } else { len - first };
    let moved = match stage.kind {
        Kind::List => move_cells(journal, &stage, left)?,
        _ => move_bytes(journal, &stage, left)?,
    };
    if let Some(progress) = moved {
        stage.note_progress(journal, at, progress)?;
        return Ok(false);
    }
    let start = if in_front { stage.start + count } else { stage.start };
    journal.put(stage.target + object::W1, if len == 0 { 0 } else { start | (len << 32) })?;
    journal.put(stage.target + object::SEQ, sequence.wrapping_add(1))?;
    free_header(journal, at)?;
    Ok(true)
}

/// Drops the count of the next cell that has one; whether there was one.
fn drop_next(journal: &mut Journal<'_>, at: Offset, stage: &Stage) -> Result<bool> {
    let Positions { first, count, step } = stage.positions;
    for nth in stage.progress..count {
        let place = stage.cell_at(first + nth * step);
        let cell = Cell(journal.memory().load(place)?);
        if !cell.is_immediate() {
            // Whoever looks here again finds nothing to drop.
            journal.put(place, Cell::UNSET.0)?;
            stage.note_progress(journal, at, nth + 1)?;
            drop_one(journal, cell)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Moves some cells up; how far that is then, or `None` if none was left.
fn move_cells(journal: &mut Journal<'_>, stage: &Stage, left: u64) -> Result<Option<u64>> {
    let end = left.min(stage.progress + WORDS_PER_STEP);
    for nth in stage.progress..end {
        let cell = journal.memory().load(stage.cell_at(stage.positions.source(nth)))?;
        journal.put(stage.cell_at(stage.positions.first + nth), cell)?;
    }
    Ok((stage.progress < end).then_some(end))
}

/// The same of bytes, word by word; progress is in words.
fn move_bytes(journal: &mut Journal<'_>, stage: &Stage, left: u64) -> Result<Option<u64>> {
    let memory = journal.memory();
    // From the block's start on: the first byte that changes, and the one behind the last.
    let from = stage.start + stage.positions.first;
    let words = (from % 8 + left).div_ceil(8);
    let words = if left == 0 { 0 } else { words };
    let end = words.min(stage.progress + WORDS_PER_STEP);
    for word in stage.progress..end {
        let place = (from / 8 + word) * 8;
        let mut bytes = memory.load(stage.block + place)?.to_le_bytes();
        for (at, byte) in (place..).zip(&mut bytes) {
            if at < from || at >= from + left {
                continue;
            }
            // Behind all that has been stored, or in this word, which is stored as a whole.
            let source = stage.start + stage.positions.source(at - from);
            let found = memory.load(stage.block + source / 8 * 8)?.to_le_bytes();
            *byte = found.get((source % 8) as usize).copied().unwrap_or(0);
        }
        journal.put(stage.block + place, u64::from_le_bytes(bytes))?;
    }
    Ok((stage.progress < end).then_some(end))
}

#[cfg(test)]
mod tests {
    use super::Positions;

    #[test]
    fn what_stays_comes_in_its_order() {
        for (first, count, step) in
            [(0, 1, 1), (3, 4, 1), (0, 5, 2), (2, 3, 5), (1, 1, 7), (0, 10, 2)]
        {
            let len = 20_u64;
            let positions = Positions { first, count, step };
            let gone: Vec<u64> = (0..count).map(|nth| first + nth * step).collect();
            let kept = (first..len).filter(|position| !gone.contains(position));
            let found: Vec<u64> =
                (0..len - first - count).map(|nth| positions.source(nth)).collect();
            assert_eq!(found, kept.collect::<Vec<_>>(), "{positions:?}");
        }
    }
}
