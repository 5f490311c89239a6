//! The bytes and cells of a typed struct in the segment: reading them, and replacing them at once.
//!
//! A struct is an object whose word `w0` refers to its payload and whose word `w1` refers to its
//! schema's entry (uncounted: entries stay). The payload:
//!
//! ```text
//! 0              number of cells c
//! 8              c cells, counted: what the dynamic fields hold
//! 8 + 8c, up to 16   plain bytes: all other fields, in C layout
//! ```
//!
//! What belongs to a struct alone (a `Vec`, a map) is an object of its own that one cell refers to. A
//! read of the struct looks at its sequence too, so that all of it is of one moment.
//!
//! Readers take part in no lock: they look `w0` up anew in each validated read, because a large
//! store builds a new payload and swaps that one word. A small store changes words in place: one
//! word without any log, several with it. Either way a kill leaves the old or the new struct.

use std::cell::RefCell;

use crate::bytearray::ByteArray;
use crate::cell::{Cell, Kind, Offset};
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::object;
use crate::list::List;
use crate::primitive::{AtomicU64, Ordering};
use crate::quick::{Header, Store, word};
use crate::schema::{Layout, Place, Scalar};
use crate::trash;
use crate::tx::Tx;
use crate::value::{Batch, Value};
use crate::view::{Found, View, widen};

/// Most words that a store changes in place.
const WORDS_IN_PLACE: usize = 48;
/// Most cells that a store replaces in place.
const CELLS_IN_PLACE: usize = 12;

/// Where the plain bytes of a struct with this many cells start.
pub(crate) const fn plain_start(cells: usize) -> usize {
    (8 + 8 * cells).next_multiple_of(16)
}

/// Bytes of the payload of a struct.
pub(crate) const fn payload_bytes(layout: Layout) -> usize {
    plain_start(layout.cells) + layout.size.next_multiple_of(8)
}

/// Handle. The payload of a struct during one read. What lies outside of the segment reads as 0
/// and is remembered, so that decoding needs no check at each step.
pub struct Reader<'h> {
    heap: &'h Heap,
    payload: Offset,
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
        Reader { heap, payload, words: &[], failed: failed.into(), view, owned: RefCell::default() }
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
    fn load(&self, at: usize) -> u64 {
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

    /// Up to 16 plain bytes, which lie in one word or fill two.
    #[inline]
    pub(crate) fn bits(&self, plain: usize, size: usize) -> u128 {
        match self.view {
            None => self.stored_bits(plain, size),
            Some(view) => self.viewed_bits(view, plain, size),
        }
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

    /// The number of an enum's variant.
    #[inline]
    #[must_use]
    pub fn tag(&self, at: Place, tag: Scalar) -> i128 {
        let bits = self.bits(at.plain, tag.size());
        let signed = tag.range().is_some_and(|(low, _)| low < 0);
        let unused = 128 - 8 * tag.size() as u32;
        if signed { (bits as i128) << unused >> unused } else { bits as i128 }
    }

    /// The error for a number that is no variant's.
    #[cold]
    #[must_use]
    pub fn unknown_variant(&self, name: &str, value: i128) -> Error {
        self.heap.corrupt(format!("an enum {name:?} has the number {value}, which no variant has"))
    }

    /// Whether the struct was stored without what would be here.
    #[inline]
    #[must_use]
    pub fn lacks(&self, at: Place) -> bool {
        self.view.is_some_and(|view| view.lacks(at))
    }

    /// Whether a cell holds `None`.
    #[inline]
    pub(crate) fn is_none(&self, index: usize) -> bool {
        self.cell(index) == Cell::NONE
    }

    /// What a cell holds.
    pub(crate) fn value(&self, index: usize) -> Result<Value> {
        Value::decode(self.heap, self.cell(index))
    }
}

/// A value taken apart into plain bytes and cells, ready to replace what a place holds.
pub struct Image {
    plain: Vec<u8>,
    cells: Vec<Part>,
}

/// What a cell of an image is to hold.
#[derive(Clone)]
pub(crate) enum Part {
    /// A value as it is.
    Value(Value),
    /// A dense sequence: a bytearray of its own.
    Dense(Vec<u8>),
    /// Cells: a list of its own.
    Items(Vec<Part>),
    /// Entries: a dict of its own.
    Entries(Vec<(Value, Value)>),
}

impl Part {
    /// The value, which is a fresh object for what belongs to the struct alone.
    pub(crate) fn value(&self, heap: &Heap) -> Result<Value> {
        Ok(match self {
            Part::Value(value) => value.clone(),
            Part::Dense(bytes) => Value::ByteArray(ByteArray::new(heap, bytes)?),
            Part::Items(parts) => {
                let values =
                    parts.iter().map(|part| part.value(heap)).collect::<Result<Vec<_>>>()?;
                Value::List(List::new(heap, values)?)
            }
            Part::Entries(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.clone(), value.clone()));
                Value::Dict(Dict::new(heap, entries)?)
            }
        })
    }

    /// Whether a cell holds exactly this already.
    fn is_in(&self, reader: &Reader<'_>, index: usize) -> Result<bool> {
        let value = match self {
            Part::Value(value) => return holds(reader, index, value),
            _ => reader.value(index)?,
        };
        Ok(match (self, value) {
            (Part::Dense(bytes), Value::ByteArray(array)) => array.to_vec()? == *bytes,
            (Part::Items(parts), Value::List(list)) => {
                let items = list.to_vec()?;
                let same = |(part, item): (&Part, &Value)| match part {
                    Part::Value(value) => value == item && value.type_name() == item.type_name(),
                    _ => false,
                };
                parts.len() == items.len() && parts.iter().zip(&items).all(same)
            }
            (Part::Entries(entries), Value::Dict(dict)) => {
                let mut same = dict.len()? == entries.len();
                for (key, value) in entries {
                    same = same && dict.get(key)?.is_some_and(|there| there == *value);
                }
                same
            }
            _ => false,
        })
    }
}

impl Image {
    /// An empty one: zeros and `None`.
    #[must_use]
    pub(crate) fn new(layout: Layout) -> Self {
        Image { plain: vec![0; layout.size], cells: vec![Part::Value(Value::None); layout.cells] }
    }

    /// Writes up to 16 plain bytes.
    #[inline]
    pub(crate) fn bits(&mut self, plain: usize, size: usize, bits: u128) {
        let bytes = bits.to_le_bytes();
        if let Some(room) = self.plain.get_mut(plain..plain + size)
            && let Some(new) = bytes.get(..size)
        {
            room.copy_from_slice(new);
        }
    }

    /// Writes plain bytes.
    pub(crate) fn bytes(&mut self, at: Place, bytes: &[u8]) {
        if let Some(room) = self.plain.get_mut(at.plain..at.plain + bytes.len()) {
            room.copy_from_slice(bytes);
        }
    }

    /// Writes the number of an enum's variant.
    #[inline]
    pub fn tag(&mut self, at: Place, tag: Scalar, value: i128) {
        self.bits(at.plain, tag.size(), value as u128);
    }

    /// Writes a cell.
    pub(crate) fn cell(&mut self, index: usize, value: Value) {
        self.part(index, Part::Value(value));
    }

    /// Writes a cell.
    pub(crate) fn part(&mut self, index: usize, part: Part) {
        if let Some(room) = self.cells.get_mut(index) {
            *room = part;
        }
    }

    /// The room that it takes.
    pub(crate) fn layout(&self) -> Layout {
        Layout { cells: self.cells.len(), size: self.plain.len(), align: 1 }
    }

    /// Its plain bytes and its cells.
    pub(crate) fn into_parts(self) -> (Vec<u8>, Vec<Part>) {
        (self.plain, self.cells)
    }

    /// The words of a payload that its plain bytes touch when put at `start`: offset, which bits,
    /// their values.
    fn words(&self, start: usize) -> impl Iterator<Item = (usize, u64, u64)> + '_ {
        let first = start & !7;
        let end = start + self.plain.len();
        (first..end).step_by(8).map(move |at| {
            let whole = at.checked_sub(start).and_then(|i| self.plain.get(i..i + 8));
            if let Some(Ok(bytes)) = whole.map(TryInto::try_into) {
                return (at, u64::MAX, u64::from_le_bytes(bytes));
            }
            let (mut mask, mut value) = ([0_u8; 8], [0_u8; 8]);
            for (index, (mask, value)) in mask.iter_mut().zip(&mut value).enumerate() {
                let byte = (at + index).checked_sub(start).and_then(|i| self.plain.get(i));
                if let Some(byte) = byte {
                    (*mask, *value) = (0xFF, *byte);
                }
            }
            (at, u64::from_le_bytes(mask), u64::from_le_bytes(value))
        })
    }
}

/// A part of an image that must stay as it is.
#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    /// The field's name.
    pub(crate) name: String,
    /// Where it starts in the image.
    pub(crate) place: Place,
    /// How far it goes.
    pub(crate) layout: Layout,
}

/// What an image is put onto.
pub(crate) struct Target<'t> {
    pub(crate) object: &'t Object,
    /// Where the image goes, in the payload.
    pub(crate) at: Place,
    /// The struct's name, for messages.
    pub(crate) schema: &'t str,
    /// Parts that must stay as they are.
    pub(crate) fixed: &'t [Fixed],
    /// What the image was made of, if it was made of what is there.
    pub(crate) seen: Option<&'t Seen>,
}

/// What a place held at one moment.
pub(crate) struct Seen {
    sequence: u64,
    /// The words with plain bytes. A writer that was killed between its one store and the new
    /// sequence number shows here only.
    words: Vec<u64>,
    /// Objects that belong to the struct.
    pub(crate) owned: Vec<Owned>,
}

impl Seen {
    /// Call inside of a validated read.
    pub(crate) fn look(
        reader: &Reader<'_>,
        at: Offset,
        place: Place,
        layout: Layout,
    ) -> Result<Self> {
        let words = (place.plain & !7..place.plain + layout.size).step_by(8);
        Ok(Seen {
            sequence: reader.heap().load(at + object::SEQ)?,
            words: words.map(|at| reader.load(at)).collect(),
            owned: Vec::new(),
        })
    }
}

impl Target<'_> {
    /// Replaces what is there; `false` if it is no longer what was seen.
    pub(crate) fn put(&self, image: &Image) -> Result<bool> {
        let heap = self.object.heap();
        if image.cells.is_empty() && self.fixed.is_empty() && self.poke(image) {
            return Ok(true);
        }
        let changed = match self.seen {
            Some(seen) => match self.changed(image, seen)? {
                Some(changed) => changed,
                None => return Ok(false),
            },
            None => (0..image.cells.len()).collect(),
        };
        if let Some(field) = self.fixed.iter().find(|fixed| {
            let cells = fixed.place.cells..fixed.place.cells + fixed.layout.cells;
            changed.iter().any(|index| cells.contains(index))
        }) {
            return Err(self.readonly(&field.name));
        }
        let parts = changed.iter().filter_map(|at| image.cells.get(*at));
        let batch = parts.map(|part| part.value(heap)).collect::<Result<Vec<_>>>()?;
        let batch = Batch::new(heap, batch)?;
        heap.write(|tx| self.apply(tx, image, &changed, &batch))
    }

    /// Replaces one word of plain bytes, if that is all and nothing is unusual.
    fn poke(&self, image: &Image) -> bool {
        let done = self.object.heap().poke(self.object.at(), |memory, header| {
            if self.seen.is_some_and(|seen| {
                seen.sequence != word(header, object::SEQ) || !seen.owned.is_empty()
            }) {
                return None;
            }
            let payload = word(header, object::W0);
            let mut store = None;
            for (index, (offset, mask, value)) in image.words(self.at.plain).enumerate() {
                let word = memory.peek(payload.wrapping_add(offset as u64))?;
                let old = word.load(Ordering::Relaxed);
                if self.seen.is_some_and(|seen| seen.words.get(index) != Some(&old)) {
                    return None;
                }
                let value = (old & !mask) | value;
                if value != old && store.replace(Store { word, value, result: () }).is_some() {
                    return None;
                }
            }
            store
        });
        done.is_some()
    }

    /// The cells that differ from what is stored; `None` if that is no longer what was seen.
    fn changed(&self, image: &Image, seen: &Seen) -> Result<Option<Vec<usize>>> {
        if image.cells.is_empty() {
            // `apply` compares the rest, under the lock.
            return Ok(Some(Vec::new()));
        }
        let at = self.object.at();
        self.object.heap().read(at, |heap| {
            if heap.load(at + object::SEQ)? != seen.sequence {
                return Ok(None);
            }
            let reader = Reader::open(heap, at, None);
            let mut changed = Vec::new();
            for (index, value) in image.cells.iter().enumerate() {
                if !value.is_in(&reader, self.at.cells + index)? {
                    changed.push(index);
                }
            }
            reader.finish()?;
            Ok(Some(changed))
        })
    }

    fn apply(
        &self,
        tx: &mut Tx<'_>,
        image: &Image,
        changed: &[usize],
        batch: &Batch,
    ) -> Result<bool> {
        let at = self.object.at();
        if let Some(seen) = self.seen
            && tx.load(at + object::SEQ)? != seen.sequence
        {
            return Ok(false);
        }
        for (inside, sequence) in self.seen.iter().flat_map(|seen| &seen.owned) {
            if tx.load(inside + object::SEQ)? != *sequence {
                return Ok(false);
            }
        }
        let payload = tx.block(at)?;
        let place = |offset: usize| payload.wrapping_add(offset as u64);
        let mut different = 0;
        let mut last = (0, 0);
        for (index, (offset, mask, value)) in image.words(self.at.plain).enumerate() {
            let old = tx.load(place(offset))?;
            if self.seen.is_some_and(|seen| seen.words.get(index) != Some(&old)) {
                return Ok(false);
            }
            let new = (old & !mask) | value;
            if new != old {
                self.check_fixed(offset, old ^ new)?;
                different += 1;
                last = (offset, new);
            }
        }
        if different == 0 && changed.is_empty() {
            return Ok(true);
        }
        if different == 1 && changed.is_empty() {
            tx.set_only(at, place(last.0), last.1)?;
            return Ok(true);
        }
        tx.open(at)?;
        let cells: Vec<(usize, Cell)> = if changed.is_empty() {
            Vec::new()
        } else {
            let places = changed.iter().map(|index| 8 + 8 * (self.at.cells + index));
            places.zip(batch.take(tx)?).collect()
        };
        if different > WORDS_IN_PLACE || cells.len() > CELLS_IN_PLACE {
            replace_payload(tx, at, payload, image.words(self.at.plain), &cells)?;
            return Ok(true);
        }
        for (offset, mask, value) in image.words(self.at.plain) {
            let old = tx.load(place(offset))?;
            let new = (old & !mask) | value;
            if new != old {
                tx.set(place(offset), new)?;
            }
        }
        for (offset, cell) in cells {
            let old = Cell(tx.load(place(offset))?);
            tx.set(place(offset), cell.0)?;
            tx.dec(old)?;
        }
        Ok(true)
    }

    /// An error if bits that differ belong to a part that must stay.
    fn check_fixed(&self, offset: usize, difference: u64) -> Result<()> {
        for fixed in self.fixed {
            let start = self.at.plain + fixed.place.plain;
            let end = start + fixed.layout.size;
            let hit = |index: usize| {
                (difference >> (8 * index)) & 0xFF != 0 && (start..end).contains(&(offset + index))
            };
            if (0..8).any(hit) {
                return Err(self.readonly(&fixed.name));
            }
        }
        Ok(())
    }

    fn readonly(&self, field: &str) -> Error {
        Error::WrongType {
            what: format!(
                "field {field:?} of {:?} is read-only: it is written when the struct is made",
                self.schema
            ),
        }
    }
}

/// Builds a payload with these changes and puts it in the place of the old one.
fn replace_payload(
    tx: &mut Tx<'_>,
    at: Offset,
    payload: Offset,
    words: impl Iterator<Item = (usize, u64, u64)>,
    cells: &[(usize, Cell)],
) -> Result<()> {
    let bytes = tx.block_size(payload)?;
    let fresh = tx.alloc(bytes)?;
    let count = (bytes / 8) as usize;
    let heap = tx.heap();
    for (new, old) in heap.words(fresh, count)?.iter().zip(heap.words(payload, count)?) {
        new.store(old.load(Ordering::Relaxed), Ordering::Relaxed);
    }
    let inside = |offset: usize| {
        if (offset as u64) < bytes {
            Ok(fresh + offset as u64)
        } else {
            Err(heap.corrupt(format!("the payload at {payload:#x} is too short")))
        }
    };
    let mut removed = Vec::with_capacity(cells.len());
    for (offset, cell) in cells {
        let place = inside(*offset)?;
        removed.push(Cell(heap.load(place)?));
        tx.fill(place, cell.0)?;
    }
    for (offset, mask, value) in words {
        let place = inside(offset)?;
        tx.fill(place, (heap.load(place)? & !mask) | value)?;
    }
    tx.set(at + object::W0, fresh)?;
    trash::cells(tx, &removed)?;
    tx.free_after(payload)
}

/// Builds the payload of a new struct; its cells take the batch over.
pub(crate) fn build(
    tx: &mut Tx<'_>,
    layout: Layout,
    image: &Image,
    batch: &Batch,
) -> Result<Offset> {
    let payload = tx.alloc(payload_bytes(layout) as u64)?;
    let cells = batch.take(tx)?;
    tx.fill(payload, layout.cells as u64)?;
    for (index, cell) in cells.iter().enumerate() {
        tx.fill(payload + 8 + 8 * index as u64, cell.0)?;
    }
    let start = plain_start(layout.cells);
    for (offset, _, value) in image.words(start) {
        tx.fill(payload + offset as u64, value)?;
    }
    Ok(payload)
}

impl Image {
    /// The values of its cells, ready for one operation.
    pub(crate) fn batch(&self, heap: &Heap) -> Result<Batch> {
        Batch::new(heap, self.cells.iter().map(|part| part.value(heap)).collect::<Result<_>>()?)
    }
}

/// Whether a cell holds exactly this value already.
fn holds(reader: &Reader<'_>, index: usize, value: &Value) -> Result<bool> {
    let cell = reader.cell(index);
    if let Some(immediate) = value.immediate() {
        return Ok(immediate == cell);
    }
    if let Some(object) = value.object()? {
        return Ok(object.heap().is_same(reader.heap()) && object.cell() == cell);
    }
    let Value::Str(text) = value else { return Ok(false) };
    if cell.as_ref().is_none_or(|reference| reference.kind != Kind::Str) {
        return Ok(false);
    }
    Ok(Value::decode(reader.heap(), cell)?.as_str() == Some(text.as_str()))
}
