//! Marking: what can be reached, one bit per 16 bytes of data pages, in private memory.
//!
//! Only what has children gets a mark: objects, tuples, frozensets. The stack is explicit, so depth
//! does not matter; each mark is set once, so neither do cycles. The caller holds the writer lock.
//! Whatever the bytes are, marking ends: a reference that does not lead to what it says, or counts
//! that do not fit their block, are an error.

use crate::alloc;
use crate::cell::{Cell, Kind, Offset, Ref};
use crate::error::Result;
use crate::layout::{header, object, process, process_state, thread};
use crate::memory::Memory;
use crate::object::{self as objects, Meta, meta_of};
use crate::pins;
use crate::primitive::Ordering;

/// Bytes that one bit stands for: what all blocks are aligned to.
const GRAIN: u64 = 16;

/// Handle. What was reached.
pub(super) struct Marks {
    bits: Vec<u64>,
    base: Offset,
}

impl Marks {
    fn new(memory: &Memory) -> Result<Self> {
        let bits = memory.used()?.div_ceil(GRAIN * 64) as usize;
        Ok(Marks { bits: vec![0; bits], base: memory.geometry.data_at })
    }

    #[inline]
    fn place(&self, at: Offset) -> (usize, u64) {
        let grain = at.wrapping_sub(self.base) / GRAIN;
        ((grain / 64) as usize, 1 << (grain % 64))
    }

    /// Whether the mark at an offset is set.
    #[inline]
    pub(super) fn is_set(&self, at: Offset) -> bool {
        let (word, bit) = self.place(at);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Sets a mark; whether it was not set before. `None` outside of the data pages.
    #[inline]
    fn set(&mut self, at: Offset) -> Option<bool> {
        let (word, bit) = self.place(at);
        let bits = self.bits.get_mut(word)?;
        let fresh = *bits & bit == 0;
        *bits |= bit;
        Some(fresh)
    }
}

struct Marker<'m> {
    memory: &'m Memory,
    marks: Marks,
    stack: Vec<Ref>,
}

/// Marks all that the header, the pins and the unpinning words lead to.
pub(super) fn mark(memory: &Memory) -> Result<Marks> {
    let mut marker = Marker { memory, marks: Marks::new(memory)?, stack: Vec::new() };
    for at in [header::ROOT, header::NAMES, header::SCHEMAS, header::MESSAGES] {
        marker.reach(Cell(memory.meta(at)?.load(Ordering::Relaxed)))?;
    }
    marker.follow()?;
    for slot in memory.process_slots()? {
        let state = memory.meta(memory.geometry.process_at(slot) + process::STATE)?;
        if state.load(Ordering::Acquire) & 0xFFFF_FFFF == process_state::FREE {
            continue;
        }
        if let Some((_, entries)) = pins::table_of(memory, slot)? {
            for entry in entries {
                if let Some(at) = pins::pinned_in(entry.load(Ordering::Acquire)) {
                    marker.hold(at)?;
                }
            }
        }
    }
    for slot in memory.thread_slots()? {
        let unpinning = memory.meta(memory.geometry.thread_at(slot) + thread::UNPINNING)?;
        marker.hold(unpinning.load(Ordering::Acquire))?;
    }
    marker.follow()?;
    Ok(marker.marks)
}

impl Marker<'_> {
    /// Goes on from a cell.
    #[inline]
    fn reach(&mut self, cell: Cell) -> Result<()> {
        if cell.is_immediate() {
            return Ok(());
        }
        let Some(reference) = cell.as_ref() else {
            return Err(self.memory.corrupt(format!("{:#x} is no cell: audit it first", cell.0)));
        };
        match reference.kind {
            // Without children, and freed by count.
            Kind::Str | Kind::Bytes | Kind::BigInt | Kind::Float => return Ok(()),
            _ => {}
        }
        match self.marks.set(reference.at) {
            Some(true) => self.stack.push(reference),
            Some(false) => {}
            None => {
                return Err(self.memory.corrupt(format!("{reference:?} leads out of the data")));
            }
        }
        Ok(())
    }

    /// Goes on from an object that a process pins. A reader may hold for a moment what was freed
    /// before its pin came, and let go of it when its look fails.
    fn hold(&mut self, at: Offset) -> Result<()> {
        if !alloc::is_header(self.memory, at) || !alloc::is_allocated(self.memory, at)? {
            return Ok(());
        }
        let meta = Meta(self.memory.load(at + object::META)?);
        match Kind::from_code(meta.kind_code()).filter(|kind| kind.is_object()) {
            Some(kind) if !meta.is_buried() => {
                self.reach(Cell::reference(kind, at, meta.generation() as u8))
            }
            _ => Ok(()),
        }
    }

    fn follow(&mut self) -> Result<()> {
        while let Some(reference) = self.stack.pop() {
            if meta_of(self.memory, reference)?.is_buried() {
                let what = format!("{reference:?} is referred to and dead: audit it first");
                return Err(self.memory.corrupt(what));
            }
            if reference.kind.is_object() && !alloc::is_header(self.memory, reference.at) {
                return Err(self.memory.corrupt(format!("{reference:?} is no object")));
            }
            let held = objects::held(self.memory, reference)?;
            if held.count == 0 {
                continue;
            }
            let words = held.count * held.stride - (held.stride - held.cells);
            let words = self.memory.words(held.first, words)?;
            if held.stride == held.cells {
                for word in words {
                    self.reach(Cell(word.load(Ordering::Relaxed)))?;
                }
            } else {
                for group in words.chunks(held.stride as usize) {
                    for word in group.iter().take(held.cells as usize) {
                        self.reach(Cell(word.load(Ordering::Relaxed)))?;
                    }
                }
            }
        }
        Ok(())
    }
}
