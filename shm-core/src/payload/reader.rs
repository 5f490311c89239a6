//! Reading the payload of a typed struct.
//!
//! Handle. A `Reader` exists during one read, which is validated afterwards or made under the writer
//! lock; until then what it hands out may be torn, so it checks every offset and fails softly.

use std::cell::RefCell;

use crate::cell::{Cell, Offset};
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::layout::object;
use crate::primitive::{AtomicU64, Ordering};
use crate::quick::{Header, word};
use crate::schema::{Place, Scalar, Schema};
use crate::value::Value;
use crate::view::{Found, View, widen};

/// What a value is taken out of: the payload of a struct, or a private copy of plain bytes.
pub trait Source {
    /// Up to 16 plain bytes, which lie in one word or fill two.
    fn bits(&self, plain: usize, size: usize) -> u128;

    /// The error for a number that is no variant's.
    fn unknown_variant(&self, name: &str, value: i128) -> Error;

    /// The whole payload, for what is not of plain bytes.
    ///
    /// # Errors
    /// If there is none: in a copy.
    fn reader(&self) -> Result<&Reader<'_>>;

    /// Whether the struct was stored without what would be here.
    #[inline]
    fn lacks(&self, _at: Place) -> bool {
        false
    }

    /// The number of an enum's variant.
    #[inline]
    fn tag(&self, at: Place, tag: Scalar) -> i128 {
        let bits = self.bits(at.plain, tag.size());
        let signed = tag.range().is_some_and(|(low, _)| low < 0);
        let unused = 128 - 8 * tag.size() as u32;
        if signed { (bits as i128) << unused >> unused } else { bits as i128 }
    }
}

/// The error for a number that is no variant's.
#[cold]
pub(crate) fn unknown_variant(heap: &Heap, name: &str, value: i128) -> Error {
    heap.corrupt(format!("an enum {name:?} has the number {value}, which no variant has"))
}

/// Handle. The payload of a struct during one read. What lies outside of the segment reads as 0
/// and is remembered, so that decoding needs no check at each step.
pub struct Reader<'h> {
    heap: &'h Heap,
    payload: Offset,
    /// The object, for messages; 0 where none is known.
    object: Offset,
    /// The payload's first words, if they were looked up together.
    words: &'h [AtomicU64],
    failed: std::cell::Cell<bool>,
    /// Where things are, if the struct has another schema than its reader.
    view: Option<&'h View>,
    /// The objects inside that belong to the struct and were read, with their sequences.
    owned: RefCell<Vec<Owned>>,
}

/// An object that belongs to a struct, and its sequence when it was read.
pub(crate) type Owned = (Offset, u64);

impl<'h> Reader<'h> {
    /// Looks the payload up. Call inside of a validated read or under the writer lock.
    #[inline]
    pub(crate) fn open(heap: &'h Heap, at: Offset, view: Option<&'h View>) -> Self {
        let (payload, failed) = match heap.block(at) {
            Ok(payload) => (payload, false),
            Err(_) => (0, true),
        };
        Reader { object: at, failed: failed.into(), view, ..Reader::at(heap, payload) }
    }

    /// As [`Reader::open`], with the header at hand.
    #[inline]
    pub(crate) fn of_header(
        heap: &'h Heap,
        header: &Header,
        view: Option<&'h View>,
        bytes: usize,
    ) -> Self {
        let payload = word(header, object::W0);
        let words = heap.0.memory.peek_words(payload, bytes.div_ceil(8) as u64).unwrap_or(&[]);
        Reader { words, view, ..Reader::at(heap, payload) }
    }

    /// Of cells and bytes that are laid out like a payload's.
    #[inline]
    pub(crate) fn at(heap: &'h Heap, payload: Offset) -> Self {
        Reader {
            heap,
            payload,
            object: 0,
            words: &[],
            failed: false.into(),
            view: None,
            owned: RefCell::default(),
        }
    }

    /// Reads an object that belongs to the struct; the struct's read is valid only if that stays.
    pub(crate) fn inside<T>(
        &self,
        at: Offset,
        mut read: impl FnMut(&'h Heap) -> Result<T>,
    ) -> Result<T> {
        let heap = self.heap;
        let (found, sequence) =
            heap.read(at, |_| Ok((read(heap)?, heap.load(at + object::SEQ)?)))?;
        self.owned.borrow_mut().push((at, sequence));
        Ok(found)
    }

    /// Whether what was read inside is still the same.
    pub(crate) fn is_settled(&self) -> bool {
        self.owned.borrow().iter().all(|(at, sequence)| {
            self.heap.load(at + object::SEQ).is_ok_and(|now| now == *sequence)
        })
    }

    /// What was read inside.
    pub(crate) fn into_owned(self) -> Vec<Owned> {
        self.owned.into_inner()
    }

    /// An error if anything so far was not what it must be.
    #[inline]
    pub(crate) fn finish(&self) -> Result<()> {
        if self.failed.get() {
            return Err(self.heap.corrupt(format!("the payload at {:#x} is none", self.payload)));
        }
        Ok(())
    }

    pub(crate) fn heap(&self) -> &'h Heap {
        self.heap
    }

    /// Remembers that something was not what it must be.
    #[inline]
    pub(crate) fn fail(&self) {
        self.failed.set(true);
    }

    #[inline]
    pub(super) fn load(&self, at: usize) -> u64 {
        if let Some(word) = self.words.get(at / 8) {
            return word.load(Ordering::Relaxed);
        }
        if let Ok(word) = self.heap.load(self.payload.wrapping_add(at as u64)) {
            return word;
        }
        self.fail();
        0
    }

    /// A cell.
    #[inline]
    pub(crate) fn cell(&self, index: usize) -> Cell {
        let index = match self.view.map(|view| view.cell(index)) {
            None => index,
            Some(Found::At(place)) => place.cells,
            Some(_) => return Cell::NONE,
        };
        Cell(self.load(8 + 8 * index))
    }

    #[cold]
    fn viewed_bits(&self, view: &View, plain: usize, size: usize) -> u128 {
        match view.plain(plain) {
            Found::At(place) => self.stored_bits(place.plain, size),
            Found::Narrow(place, from, to) => {
                widen(self.stored_bits(place.plain, from.size()), from, to)
            }
            Found::Lacking => 0,
        }
    }

    #[inline]
    fn stored_bits(&self, plain: usize, size: usize) -> u128 {
        let low = self.load(plain & !7);
        if size <= 8 {
            let shifted = low >> ((plain & 7) * 8);
            let mask = if size == 8 { u64::MAX } else { (1 << (size * 8)) - 1 };
            return u128::from(shifted & mask);
        }
        (u128::from(self.load((plain & !7) + 8)) << 64) | u128::from(low)
    }

    /// Whether a cell holds `None`.
    #[inline]
    pub(crate) fn is_none(&self, index: usize) -> bool {
        self.cell(index) == Cell::NONE
    }

    /// An error about what a cell holds, with the field's name.
    #[cold]
    pub(crate) fn named(&self, index: usize, error: Error) -> Error {
        let Error::WrongType { what } = error else { return error };
        let index = match self.view.map(|view| view.cell(index)) {
            Some(Found::At(place)) => place.cells,
            _ => index,
        };
        let entry =
            if self.object == 0 { None } else { self.heap.load(self.object + object::W1).ok() };
        let schema = entry.and_then(|entry| Schema::at(self.heap, Cell(entry)).ok());
        match schema.as_ref().and_then(|schema| Some((schema.name(), schema.path_of(index)?))) {
            Some((name, path)) => {
                Error::WrongType { what: format!("field {path:?} of {name:?}: {what}") }
            }
            None => Error::WrongType { what },
        }
    }

    /// What a cell holds.
    pub(crate) fn value(&self, index: usize) -> Result<Value> {
        Value::decode(self.heap, self.cell(index))
    }
}

impl Source for Reader<'_> {
    #[inline]
    fn bits(&self, plain: usize, size: usize) -> u128 {
        match self.view {
            None => self.stored_bits(plain, size),
            Some(view) => self.viewed_bits(view, plain, size),
        }
    }

    fn unknown_variant(&self, name: &str, value: i128) -> Error {
        unknown_variant(self.heap, name, value)
    }

    #[inline]
    fn reader(&self) -> Result<&Reader<'_>> {
        Ok(self)
    }

    #[inline]
    fn lacks(&self, at: Place) -> bool {
        self.view.is_some_and(|view| view.lacks(at))
    }
}
