//! Values taken apart into plain bytes and cells, ready to be put into the payload of a struct.
//!
//! Process-local until it is put: making an image takes no lock and touches no segment, but for the
//! objects of its own that a part like a vector becomes.

use rustc_hash::FxHashMap;

use crate::bytearray::ByteArray;
use crate::cell::{Cell, Kind};
use crate::dict::Dict;
use crate::error::Result;
use crate::flavour::{DictFlavour, ListFlavour, Typed};
use crate::heap::Heap;
use crate::list::List;
use crate::payload::{Reader, plain_start};
use crate::schema::{Layout, Place, Scalar, Schema};
use crate::value::{Batch, Value};

/// What a value is put into: an image, or a private copy of plain bytes.
pub trait Sink {
    /// Writes up to 16 plain bytes.
    fn bits(&mut self, plain: usize, size: usize, bits: u128);

    /// The whole image, for what is not of plain bytes; `None` in a copy.
    fn image(&mut self) -> Option<&mut Image>;

    /// Writes the number of an enum's variant.
    #[inline]
    fn tag(&mut self, at: Place, tag: Scalar, value: i128) {
        self.bits(at.plain, tag.size(), value as u128);
    }
}

/// A value taken apart into plain bytes and cells, ready to replace what a place holds.
pub struct Image {
    plain: Vec<u8>,
    pub(super) cells: Vec<Part>,
}

/// What a cell of an image is to hold.
#[derive(Clone, PartialEq)]
pub(crate) enum Part {
    /// What is there already.
    Kept,
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
    /// The value, which is a fresh object for what belongs to the struct alone. That says which vector or
    /// map it is, if it is marked as one of the schema.
    pub(crate) fn value(&self, heap: &Heap, mark: Option<(&Schema, Typed)>) -> Result<Value> {
        Ok(match self {
            Part::Kept => Value::None,
            Part::Value(value) => value.clone(),
            Part::Dense(bytes) => {
                Value::ByteArray(ByteArray::of(heap, bytes, mark.map(|(_, typed)| typed))?)
            }
            Part::Items(parts) => {
                let inner = mark.and_then(|(schema, typed)| Some((schema, typed.inner(schema)?)));
                let values = parts.iter().map(|part| part.value(heap, inner));
                let values = values.collect::<Result<Vec<_>>>()?;
                let flavour = mark.map_or(ListFlavour::Plain, |(_, typed)| typed.into());
                let list = List::empty_as(heap, flavour)?;
                list.fill(&values)?;
                Value::List(list)
            }
            Part::Entries(entries) => {
                let flavour = mark.map_or(DictFlavour::Plain, |(_, typed)| typed.into());
                let dict = Dict::empty_as(heap, flavour)?;
                dict.fill(entries.iter().map(|(key, value)| (key, value.clone())))?;
                Value::Dict(dict)
            }
        })
    }

    /// Whether it becomes a list or dict of its own.
    fn is_container(&self) -> bool {
        matches!(self, Part::Items(_) | Part::Entries(_))
    }

    /// Whether a cell holds exactly this already.
    pub(super) fn is_in(&self, reader: &Reader<'_>, index: usize) -> Result<bool> {
        let value = match self {
            Part::Kept => return Ok(true),
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

    /// Of these plain bytes, and cells that stay as they are.
    pub(crate) fn kept(plain: Vec<u8>, cells: usize) -> Self {
        Image { plain, cells: vec![Part::Kept; cells] }
    }

    /// Takes a part of another image over.
    pub(crate) fn take(&mut self, to: Place, other: &mut Image, from: Place, room: Layout) {
        if let Some(bytes) = self.plain.get_mut(to.plain..to.plain + room.size)
            && let Some(new) = other.plain.get(from.plain..from.plain + room.size)
        {
            bytes.copy_from_slice(new);
        }
        if let Some(parts) = self.cells.get_mut(to.cells..to.cells + room.cells)
            && let Some(new) = other.cells.get_mut(from.cells..from.cells + room.cells)
        {
            parts.swap_with_slice(new);
        }
    }

    /// Whether another image has the same in a part.
    pub(crate) fn is_same_in(&self, other: &Image, at: Place, room: Layout) -> bool {
        let (plain, cells) = (at.plain..at.plain + room.size, at.cells..at.cells + room.cells);
        self.plain.get(plain.clone()) == other.plain.get(plain)
            && self.cells.get(cells.clone()) == other.cells.get(cells)
    }

    /// Up to 16 plain bytes.
    pub(crate) fn bits_at(&self, plain: usize, size: usize) -> u128 {
        let bytes = self.plain.get(plain..plain.saturating_add(size)).unwrap_or_default();
        bytes.iter().rev().fold(0, |bits, byte| (bits << 8) | u128::from(*byte))
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
    pub(super) fn words(&self, start: usize) -> impl Iterator<Item = (usize, u64, u64)> + '_ {
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

impl Image {
    /// The values of some of its cells, ready for one operation, if it is put at a place of a struct whose
    /// schema is registered at `entry`.
    pub(crate) fn batch(
        &self,
        heap: &Heap,
        entry: Cell,
        at: Place,
        cells: impl Iterator<Item = usize> + Clone,
    ) -> Result<Batch> {
        let parts = |index: usize| self.cells.get(index).map(|part| (index, part));
        let mut schema = None;
        let mut marks = FxHashMap::default();
        if cells.clone().filter_map(parts).any(|(_, part)| part.is_container()) {
            let stored = schema.insert(Schema::at(heap, entry)?);
            let whole = at.cells..at.cells + self.cells.len();
            let tag = |plain: usize, size| self.bits_at(plain.wrapping_sub(at.plain), size);
            let mut mark = |cell: usize, number| {
                let is_container = self.cells.get(cell - at.cells).is_some_and(Part::is_container);
                if is_container && let Some(typed) = Typed::new(entry, stored, number) {
                    marks.insert(cell - at.cells, typed);
                }
            };
            let start = Place { cells: 0, plain: plain_start(stored.layout().cells) };
            stored.containers_in(start, whole, &tag, &mut mark);
        }
        let values = cells.filter_map(parts).map(|(index, part)| {
            let typed = marks.get(&index).copied();
            part.value(heap, schema.as_deref().zip(typed))
        });
        Batch::new(heap, values.collect::<Result<_>>()?)
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

impl Sink for Image {
    #[inline]
    fn bits(&mut self, plain: usize, size: usize, bits: u128) {
        let bytes = bits.to_le_bytes();
        if let Some(room) = self.plain.get_mut(plain..plain + size)
            && let Some(new) = bytes.get(..size)
        {
            room.copy_from_slice(new);
        }
    }

    #[inline]
    fn image(&mut self) -> Option<&mut Image> {
        Some(self)
    }
}
