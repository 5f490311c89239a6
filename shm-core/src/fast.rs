//! What language bindings need beside the containers' own operations: cells by the batch, a
//! list's sequence, a segment's identity.
//!
//! Lock-free and read-only. A cell that refers to something is information, not a handle: by the
//! time the caller looks, it may refer to nothing. A binding may compare it with the cell of a
//! handle that it holds, because what a handle pins keeps its place and generation.

use crate::cell::Cell;
use crate::dict::Dict;
use crate::error::Result;
use crate::handle::Object;
use crate::layout::{SegmentHeader, object};
use crate::list::List;
use crate::primitive::Ordering;
use crate::record::Record;
use crate::segment::Segment;

impl List {
    /// Copies the cells from `start` on, as of one moment; how many, and the sequence then.
    #[inline]
    pub fn copy_cells(&self, start: usize, out: &mut [Cell]) -> Result<(usize, u64)> {
        let at = self.object().at();
        self.heap().read(at, |heap| {
            let sequence = heap.load(at + object::SEQ)?;
            let span = heap.load(at + object::W1)?;
            let (first, len) = (span & 0xFFFF_FFFF, span >> 32);
            let count = len.saturating_sub(start as u64).min(out.len() as u64);
            if count == 0 {
                return Ok((0, sequence));
            }
            let block = heap.load(at + object::W0)?;
            let words =
                heap.words(block.wrapping_add((first + start as u64) * 8), count as usize)?;
            for (cell, word) in out.iter_mut().zip(words) {
                *cell = Cell(word.load(Ordering::Relaxed));
            }
            Ok((count as usize, sequence))
        })
    }

    /// Changes with every change of the list; odd during one.
    #[inline]
    pub fn sequence(&self) -> Result<u64> {
        // Acquire: what is read after this is as new as the sequence.
        Ok(self.heap().word(self.object().at() + object::SEQ)?.load(Ordering::Acquire))
    }
}

impl Segment {
    /// The random identity that the segment was created with, folded: another segment of the same
    /// name has another one.
    pub fn uuid(&self) -> Result<u64> {
        let memory = &self.heap().0.memory;
        let at = std::mem::offset_of!(SegmentHeader, uuid) as u64;
        let words = memory.meta_words(at, 2)?;
        Ok(words.iter().fold(0, |all, word| all ^ word.load(Ordering::Relaxed)))
    }
}

impl Record {
    /// The cell that refers to it; `None` for a part of another struct.
    #[must_use]
    pub fn cell(&self) -> Option<Cell> {
        self.storable().ok().map(Object::cell)
    }
}

impl Dict {
    /// Changes with every change of the dict; odd during one.
    #[inline]
    pub fn sequence(&self) -> Result<u64> {
        // Acquire: what is read after this is as new as the sequence.
        Ok(self.heap().word(self.object().at() + object::SEQ)?.load(Ordering::Acquire))
    }
}
