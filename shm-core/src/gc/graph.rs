//! What leads where: the roots, and the cells of each object, tuple and frozenset.
//!
//! For both walks of the collector, the one under the writer lock and the one before it. Whatever the
//! bytes are, nothing outside of the data pages is read, and what does not fit its block is an error:
//! under the lock it is damage, without it it may be a change that is under way.

use crate::alloc::{self, PageUse};
use crate::cell::{Cell, Kind, Offset, Ref};
use crate::error::{Error, Result};
use crate::layout::{
    LEAF_DATA, OBJECT_BYTES, PAGE_BYTES, header, keys, leaf, object, process, process_state, thread,
};
use crate::memory::Memory;
use crate::object::{Meta, meta_of};
use crate::pins;
use crate::primitive::Ordering;

/// References whose blocks are looked up before the first of them is read.
pub(super) const AT_ONCE: usize = 16;

/// Handle. The segment, and private copies of what its pages are used for.
pub(super) struct Graph<'m> {
    pub(super) memory: &'m Memory,
    pages: Vec<PageUse>,
}

/// The cells of something, once its counts fit its block.
#[derive(Clone, Copy)]
pub(super) struct Span {
    first: Offset,
    pub(super) words: u64,
    /// 0: each word is a cell. Else the words of an entry, counted from its first cell: the last of
    /// them is the hash of the next entry, and no cell.
    stride: usize,
}

/// The object that a header is of, by its meta word.
pub(super) fn object_of(memory: &Memory, at: Offset, meta: Meta) -> Result<Ref> {
    match Kind::from_code(meta.kind_code()).filter(|kind| kind.is_object()) {
        Some(kind) => Ok(Ref { kind, at, generation: meta.generation() as u8 }),
        None => {
            Err(memory
                .corrupt(format!("object {at:#x} has meta word {:#x}: audit it first", meta.0)))
        }
    }
}

impl<'m> Graph<'m> {
    pub(super) fn new(memory: &'m Memory) -> Result<Self> {
        Ok(Graph { memory, pages: alloc::page_uses(memory)? })
    }

    /// Which pages hold object headers.
    pub(super) fn header_pages(&self) -> impl Iterator<Item = bool> {
        self.pages.iter().map(|page| page.headers)
    }

    /// Calls `visit` with each cell that keeps something alive: of the header, and of what processes
    /// pin or are about to unpin.
    pub(super) fn each_root(&self, mut visit: impl FnMut(Cell) -> Result<()>) -> Result<()> {
        let memory = self.memory;
        for at in [header::ROOT, header::NAMES, header::SCHEMAS, header::MESSAGES] {
            visit(Cell(memory.meta(at)?.load(Ordering::Relaxed)))?;
        }
        for slot in memory.process_slots()? {
            let state = memory.meta(memory.geometry.process_at(slot) + process::STATE)?;
            if state.load(Ordering::Acquire) & 0xFFFF_FFFF == process_state::FREE {
                continue;
            }
            if let Some((_, entries)) = pins::table_of(memory, slot)? {
                for entry in entries {
                    if let Some(at) = pins::pinned_in(entry.load(Ordering::Acquire)) {
                        visit(self.held(at)?)?;
                    }
                }
            }
        }
        for slot in memory.thread_slots()? {
            let unpinning = memory.meta(memory.geometry.thread_at(slot) + thread::UNPINNING)?;
            visit(self.held(unpinning.load(Ordering::Acquire))?)?;
        }
        Ok(())
    }

    /// A reference to an object that a process pins. A reader may hold for a moment what was freed
    /// before its pin came, and let go of it when its look fails: that is no object.
    fn held(&self, at: Offset) -> Result<Cell> {
        let memory = self.memory;
        if !alloc::is_header(memory, at) || !alloc::is_allocated(memory, at)? {
            return Ok(Cell::UNSET);
        }
        let meta = Meta(memory.load(at + object::META)?);
        Ok(match Kind::from_code(meta.kind_code()).filter(|kind| kind.is_object()) {
            Some(kind) if !meta.is_buried() => Cell::reference(kind, at, meta.generation() as u8),
            _ => Cell::UNSET,
        })
    }

    /// What a cell leads to, if that may have children. All else is freed by count.
    #[inline]
    pub(super) fn child(&self, cell: Cell) -> Result<Option<Ref>> {
        if cell.is_immediate() {
            return Ok(None);
        }
        let Some(reference) = cell.as_ref() else {
            return Err(self.memory.corrupt(format!("{:#x} is no cell: audit it first", cell.0)));
        };
        Ok(match reference.kind {
            Kind::Str | Kind::Bytes | Kind::BigInt | Kind::Float | Kind::Packed => None,
            _ => Some(reference),
        })
    }

    /// Fails unless what a reference leads to is what it says, and lives.
    #[inline]
    pub(super) fn validate(&self, reference: Ref) -> Result<()> {
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

    /// The error of a reference to where no marks are.
    #[cold]
    pub(super) fn outside(&self, reference: Ref) -> Error {
        self.memory.corrupt(format!("{reference:?} leads out of the data"))
    }

    #[inline]
    fn page_of(&self, at: Offset) -> Option<&PageUse> {
        let page = at.wrapping_sub(self.memory.geometry.data_at) / PAGE_BYTES;
        self.pages.get(page as usize)
    }

    /// As `object::held`, but faster and less exact: that the block is one is not looked at.
    #[inline]
    pub(super) fn span(&self, reference: Ref) -> Result<Option<Span>> {
        let at = reference.at;
        let load = |at: Offset| self.memory.load(at);
        let block = match reference.kind {
            Kind::Tuple | Kind::FrozenSet | Kind::Extended => at,
            Kind::ByteArray | Kind::Turn | Kind::Array => return Ok(None),
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
            Kind::Tuple | Kind::FrozenSet | Kind::Extended => (LEAF_DATA, load(at + leaf::LEN)?, 0),
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

    /// Calls `visit` with each cell of a span, until it fails.
    #[inline]
    pub(super) fn each_cell(
        &self,
        span: Span,
        mut visit: impl FnMut(Cell) -> Result<()>,
    ) -> Result<()> {
        let words = self.memory.words(span.first, span.words)?;
        if span.stride == 0 {
            return words.iter().try_for_each(|word| visit(Cell(word.load(Ordering::Relaxed))));
        }
        for group in words.chunks(span.stride) {
            for word in group.iter().take(span.stride - 1) {
                visit(Cell(word.load(Ordering::Relaxed)))?;
            }
        }
        Ok(())
    }
}
