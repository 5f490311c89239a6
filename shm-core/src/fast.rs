//! What language bindings need beside the containers' own operations: cells by the batch, a
//! list's sequence, a segment's identity, and stores by who has the thread's session (`at_hand`).
//!
//! What reads is lock-free. A cell that refers to something is information, not a handle: by the
//! time the caller looks, it may refer to nothing. A binding may compare it with the cell of a
//! handle that it holds, because what a handle pins keeps its place and generation.

mod ahead;
mod at_hand;

use crate::cell::{Cell, Kind};
use crate::dict::Dict;
use crate::error::Result;
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::{LEAF_DATA, SegmentHeader, leaf, object};
use crate::list::List;
use crate::memory::Memory;
use crate::primitive::Ordering;
use crate::record::Record;
use crate::segment::Segment;
use crate::session::AtHand;
use crate::value::{Key, Value};

pub use crate::quick::Stored;
pub use ahead::{AsOf, Batch};

/// What a quick look at a container finds.
#[derive(Debug)]
pub enum Seen<T> {
    /// A value that lives in its cell.
    Cell(Cell),
    /// A mutable object that the caller knows.
    Known(T),
    /// A mutable object that the caller does not know.
    New(New),
    /// A text in a block: ask for it with `text_at`.
    Text,
}

/// Handle. A mutable object that a look has found and pinned.
#[derive(Debug)]
pub struct New(Object);

impl New {
    /// What it is.
    #[inline]
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// The list, if it is one.
    #[inline]
    pub fn into_list(self) -> std::result::Result<List, Self> {
        if self.kind() == Kind::List { Ok(List::from_object(self.0)) } else { Err(self) }
    }

    /// The dict, if it is one.
    #[inline]
    pub fn into_dict(self) -> std::result::Result<Dict, Self> {
        if self.kind() == Kind::Dict { Ok(Dict::from_object(self.0)) } else { Err(self) }
    }

    /// The struct, if it is one.
    #[inline]
    pub fn into_record(self) -> std::result::Result<Result<Record>, Self> {
        if self.kind() == Kind::Record { Ok(Record::from_object(self.0)) } else { Err(self) }
    }

    /// Whatever it is.
    pub fn into_value(self) -> Result<Value> {
        Value::of_object(self.0)
    }
}

/// What is seen in a cell, inside of a look, which is validated afterwards.
#[inline(always)]
#[allow(clippy::inline_always, reason = "an object that is handed on costs as much as its pin")]
fn seen<T>(heap: &Heap, cell: Cell, known: impl FnOnce(Cell) -> Option<T>) -> Option<Seen<T>> {
    if cell.is_immediate() {
        return Some(Seen::Cell(cell));
    }
    let reference = cell.as_ref()?;
    if !reference.kind.is_object() {
        return (reference.kind == Kind::Str).then_some(Seen::Text);
    }
    match known(cell) {
        Some(known) => Some(Seen::Known(known)),
        None => Object::pin_quickly(heap, reference).map(|object| Seen::New(New(object))),
    }
}

/// Longest text that [`List::text_at`] and [`Dict::text_at`] copy, in bytes.
pub const TEXT_LIMIT: usize = 256;

/// Copies a text into a buffer, inside of a look; its length.
#[inline]
fn text(heap: &Heap, cell: Cell, out: &mut [u8; TEXT_LIMIT]) -> Option<usize> {
    let reference = cell.as_ref().filter(|reference| reference.kind == Kind::Str)?;
    let memory: &Memory = &heap.0.memory;
    let length = memory.peek(reference.at + leaf::LEN)?.load(Ordering::Relaxed) as usize;
    if length > TEXT_LIMIT {
        return None;
    }
    let words = memory.peek_words(reference.at + LEAF_DATA, length.div_ceil(8) as u64)?;
    for (bytes, word) in out.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
    }
    Some(length)
}

impl List {
    /// Copies the text at an index, as WTF-8; its length. `None`: too long, or no text in a block.
    #[inline]
    pub fn text_at(&self, index: usize, out: &mut [u8; TEXT_LIMIT]) -> Option<usize> {
        self.quick_look(index, |cell| text(self.heap(), cell, out))?
    }

    /// The cell of the item at an index. `None`: ask [`List::get`].
    #[inline]
    #[must_use]
    pub fn cell_at(&self, index: usize) -> Option<Cell> {
        self.quick_look(index, Some)?
    }

    /// The item at an index, or what `known` knows of its cell. `None`: ask [`List::fetch`].
    #[inline]
    pub fn look<T>(&self, index: usize, known: impl FnOnce(Cell) -> Option<T>) -> Option<Seen<T>> {
        self.quick_look(index, |cell| seen(self.heap(), cell, known))?
    }

    /// The item at an index, copied out or pinned. `None`: ask [`List::get`].
    #[must_use]
    pub fn fetch(&self, index: usize) -> Option<Value> {
        self.quick_look(index, |cell| Value::decode(self.heap(), cell).ok())?
    }

    /// Copies the cells from `start` on, as of one moment; how many, and the sequence then.
    #[inline]
    pub fn copy_cells(&self, start: usize, out: &mut [Cell]) -> Result<(usize, u64)> {
        let at = self.object().at();
        self.heap().read(at, |heap| {
            let sequence = heap.load(at + object::SEQ)?;
            let span = heap.load_published(at + object::W1)?;
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
    /// At which byte of a word the struct starts. Its words count from that one on.
    #[inline]
    #[must_use]
    pub fn word_shift(&self) -> usize {
        self.slot().base().plain & 7
    }

    /// A word of the struct. `None`: ask [`Record::get_at`].
    #[inline]
    #[must_use]
    pub fn word_at(&self, index: usize) -> Option<u64> {
        self.slot().quick_word(index)
    }

    /// Sets those bits of a word of the struct that are in the mask; they must be one field's that is not
    /// read-only. `None`: nothing was done, ask [`Record::set_at`].
    #[inline]
    #[must_use]
    pub fn store_at(&self, index: usize, mask: u64, bits: u64) -> Option<()> {
        self.slot().quick_store(index, mask, bits)
    }

    /// As [`Record::store_at`], by who has the thread's session at hand. If somebody waits, call
    /// [`Record::wake`], whether it is done or not.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "the hot path of each setter")]
    #[must_use]
    pub fn set_at_hand(&self, hand: &AtHand, index: usize, mask: u64, bits: u64) -> Stored {
        self.slot().set_at_hand(hand, index, mask, bits)
    }

    /// Wakes those who wait for what [`Record::set_at_hand`] had, or has changed.
    #[cold]
    pub fn wake(&self) {
        self.slot().wake();
    }

    /// The cell that refers to it; `None` for a part of another struct.
    #[must_use]
    pub fn cell(&self) -> Option<Cell> {
        self.storable().ok().map(Object::cell)
    }
}

impl Dict {
    /// Copies the text that a key has, as WTF-8; its length. `None`: too long, or no text in a block.
    #[inline]
    pub fn text_at(&self, key: &Key<'_>, out: &mut [u8; TEXT_LIMIT]) -> Option<usize> {
        let quick = key.quick(self.heap().hash_key())?;
        self.quick_look(&quick, |cell| text(self.heap(), cell, out))?
    }

    /// The value of a key, or what `known` knows of its cell. `None`: ask [`Dict::fetch`].
    #[inline]
    pub fn look<T>(&self, key: &Key<'_>, known: impl FnOnce(Cell) -> Option<T>) -> Option<Seen<T>> {
        let quick = key.quick(self.heap().hash_key())?;
        self.quick_look(&quick, |cell| seen(self.heap(), cell, known))?
    }

    /// The value of a key, copied out or pinned. `None`: ask [`Dict::get`].
    #[must_use]
    pub fn fetch(&self, key: &Key<'_>) -> Option<Value> {
        let quick = key.quick(self.heap().hash_key())?;
        self.quick_look(&quick, |cell| Value::decode(self.heap(), cell).ok())?
    }
}
