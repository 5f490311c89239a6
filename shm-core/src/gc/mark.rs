//! Marking: what can be reached, one bit per 16 bytes of data pages, in private memory.
//!
//! Only what has children gets a mark: objects, tuples, frozensets. The stack is explicit, so depth
//! does not matter; each mark is set once, so neither do cycles. The caller holds the writer lock.
//! Whatever the bytes are, marking ends: a reference that does not lead to what it says, or counts
//! that do not fit their block, are an error.

use crate::alloc::{self, PageUse};
use crate::cell::{Cell, Kind, Offset, Ref};
use crate::error::Result;
use crate::layout::{
    LEAF_DATA, OBJECT_BYTES, PAGE_BYTES, header, keys, leaf, object, process, process_state, thread,
};
use crate::memory::Memory;
use crate::object::{Meta, meta_of};
use crate::pins;
use crate::primitive::Ordering;

/// Bytes that one bit stands for: what all blocks are aligned to.
const GRAIN: u64 = 16;

/// References whose blocks are looked up before the first of them is read.
const AT_ONCE: usize = 16;

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
    pages: Vec<PageUse>,
}

/// The cells of something, once its counts fit its block.
#[derive(Clone, Copy)]
struct Span {
    first: Offset,
    words: u64,
    /// 0: each word is a cell. Else the words of an entry, counted from its first cell: the last of
    /// them is the hash of the next entry, and no cell.
    stride: usize,
}

/// Marks all that the header, the pins and the unpinning words lead to.
pub(super) fn mark(memory: &Memory) -> Result<Marks> {
    let (marks, pages) = (Marks::new(memory)?, alloc::page_uses(memory)?);
    let mut marker = Marker { memory, marks, stack: Vec::new(), pages };
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
        let mut lock = self.reach_one(cell)?;
        // Each round sets a mark, so this ends.
        while lock != Cell::UNSET {
            lock = self.reach_one(lock)?;
        }
        Ok(())
    }

    /// Goes on from a cell; the cell of the lock of what it found.
    #[inline]
    fn reach_one(&mut self, cell: Cell) -> Result<Cell> {
        if cell.is_immediate() {
            return Ok(Cell::UNSET);
        }
        let Some(reference) = cell.as_ref() else {
            return Err(self.memory.corrupt(format!("{:#x} is no cell: audit it first", cell.0)));
        };
        match reference.kind {
            // Without children, and freed by count.
            Kind::Str | Kind::Bytes | Kind::BigInt | Kind::Float => return Ok(Cell::UNSET),
            _ => {}
        }
        match self.marks.set(reference.at) {
            // Looked at here and not when it is its turn: the caches fetch siblings side by side.
            Some(true) => {
                self.validate(reference)?;
                self.stack.push(reference);
                if reference.kind.is_object() {
                    return Ok(Cell(self.memory.load(reference.at + object::LOCK)?));
                }
            }
            Some(false) => {}
            None => {
                return Err(self.memory.corrupt(format!("{reference:?} leads out of the data")));
            }
        }
        Ok(Cell::UNSET)
    }

    #[inline]
    fn validate(&self, reference: Ref) -> Result<()> {
        if meta_of(self.memory, reference)?.is_buried() {
            return Err(self.memory.corrupt(format!("{reference:?} is dead: audit it first")));
        }
        let header = self.page_of(reference.at).is_some_and(|page| page.headers)
            && reference.at.is_multiple_of(OBJECT_BYTES);
        if header == reference.kind.is_object() {
            return Ok(());
        }
        Err(self.memory.corrupt(format!("{reference:?} leads to another sort of block")))
    }

    #[inline]
    fn page_of(&self, at: Offset) -> Option<&PageUse> {
        let page = at.wrapping_sub(self.memory.geometry.data_at) / PAGE_BYTES;
        self.pages.get(page as usize)
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
        let mut spans = Vec::with_capacity(AT_ONCE);
        while !self.stack.is_empty() {
            // A few at once, so that the caches fetch their blocks side by side.
            let from = self.stack.len().saturating_sub(AT_ONCE);
            for reference in self.stack.get(from..).unwrap_or_default() {
                spans.extend(self.span(*reference)?);
            }
            self.stack.truncate(from);
            for span in spans.drain(..) {
                let words = self.memory.words(span.first, span.words)?;
                if span.stride == 0 {
                    for word in words {
                        self.reach(Cell(word.load(Ordering::Relaxed)))?;
                    }
                } else {
                    for group in words.chunks(span.stride) {
                        for word in group.iter().take(span.stride - 1) {
                            self.reach(Cell(word.load(Ordering::Relaxed)))?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// As `object::held`, but faster and less exact: that the block is one is not looked at.
    #[inline]
    fn span(&self, reference: Ref) -> Result<Option<Span>> {
        let at = reference.at;
        let load = |at: Offset| self.memory.load(at);
        let block = match reference.kind {
            Kind::Tuple | Kind::FrozenSet => at,
            Kind::ByteArray | Kind::Turn => return Ok(None),
            _ => load(at + object::W0)? & !0xF,
        };
        if block == 0 {
            return Ok(None);
        }
        // The offset of the first cell in the block, and how many words from there on.
        let (start, words, stride) = match reference.kind {
            Kind::List => {
                let span = load(at + object::W1)?;
                ((span & 0xFFFF_FFFF) * 8, span >> 32, 0)
            }
            Kind::Tuple | Kind::FrozenSet => (LEAF_DATA, load(at + leaf::LEN)?, 0),
            Kind::Record => (8, load(block)?, 0),
            _ => {
                let count = load(block + keys::COUNTS)? & 0xFFFF_FFFF;
                let start = keys::entries_at(load(block + keys::SHAPE)?).wrapping_add(8);
                let stride = if reference.kind == Kind::Dict { 3 } else { 2 };
                (start, (count * stride).saturating_sub(1), stride as usize)
            }
        };
        if words == 0 {
            return Ok(None);
        }
        let room = self.page_of(block).map_or(0, |page| page.block) / 8;
        if start / 8 > room || words > room - start / 8 {
            return Err(self.memory.corrupt(format!(
                "{} {at:#x} has {words} words of cells, its block has room for {room}: audit it \
                 first",
                reference.kind.name()
            )));
        }
        let first = block + start;
        // Both ends touched early, read by the caller when all of these are under way.
        self.memory.load(first)?;
        self.memory.load(first + (words - 1) * 8)?;
        Ok(Some(Span { first, words, stride }))
    }
}
