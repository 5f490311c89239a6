//! From cells to values: copies what is immutable, pins what is mutable.
//!
//! Runs inside of a validated read, so it may see anything: every reference is checked, nesting
//! and total size are bounded (a segment can hold a tuple that contains another one twice, 100
//! levels deep, which no process could ever copy out).

use crate::bytearray::ByteArray;
use crate::cell::{Cell, Kind, Ref, View};
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::hash::DEPTH_LIMIT;
use crate::heap::Heap;
use crate::layout::LEAF_DATA;
use crate::leaf;
use crate::list::List;
use crate::memory::Memory;
use crate::ndarray::Array;
use crate::primitive::Ordering;
use crate::record::Record;
use crate::set::Set;
use crate::value::{Extended, Value};

/// Most items of tuples and frozensets that one value may hold altogether.
const ITEM_LIMIT: usize = 1 << 26;

impl Value {
    /// The value of a cell. Call inside of a validated read or under the writer lock.
    #[inline]
    pub(crate) fn decode(heap: &Heap, cell: Cell) -> Result<Value> {
        if let Some(number) = cell.as_int() {
            return Ok(Value::Int(number));
        }
        let mut items = ITEM_LIMIT;
        nested(heap, cell, &mut items, 0)
    }
}

impl Value {
    /// As [`Value::decode`], for what takes no pin and little time: small values and text. Call
    /// inside of [`Heap::glance`].
    #[inline]
    pub(crate) fn glimpse(memory: &Memory, cell: Cell) -> Option<Value> {
        if cell.is_immediate() { Value::of_immediate(cell) } else { text(memory, cell) }
    }
}

impl Value {
    /// The value of a pinned object.
    pub(crate) fn of_object(object: Object) -> Result<Value> {
        Ok(match object.kind() {
            Kind::List => Value::List(List::from_object(object)),
            Kind::Dict => Value::Dict(Dict::from_object(object)),
            Kind::Set => Value::Set(Set::from_object(object)),
            Kind::ByteArray => Value::ByteArray(ByteArray::from_object(object)),
            Kind::Record => Value::Record(Record::from_object(object)?),
            Kind::Array => Value::Array(Array::from_object(object)?),
            kind => {
                let (kind, at) = (kind.name(), object.at());
                let heap = object.heap();
                return Err(heap.corrupt(format!("a {kind} is stored as a value at {at:#x}")));
            }
        })
    }
}

fn text(memory: &Memory, cell: Cell) -> Option<Value> {
    /// More is copied the general way, which allocates only once it is sure.
    const LONGEST: u64 = 4096;
    let reference = cell.as_ref().filter(|reference| reference.kind == Kind::Str)?;
    let [meta, len, _] = memory.peek_words(reference.at, LEAF_DATA / 8)? else { return None };
    let len = len.load(Ordering::Relaxed);
    if (meta.load(Ordering::Relaxed) >> 32) & 0xFF != Kind::Str as u64 || len > LONGEST {
        return None;
    }
    let words = memory.peek_words(reference.at + LEAF_DATA, len.div_ceil(8))?;
    let mut content = vec![0; words.len() * 8];
    for (chunk, word) in content.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
    }
    content.truncate(len as usize);
    Some(Value::from_wtf8(content))
}

fn nested(heap: &Heap, cell: Cell, items: &mut usize, depth: usize) -> Result<Value> {
    Ok(match cell.view() {
        Some(View::None) => Value::None,
        Some(View::Bool(flag)) => Value::Bool(flag),
        Some(View::Int(number)) => Value::Int(number),
        Some(View::Float(number)) => Value::Float(number),
        Some(View::Str(inline)) => Value::from_wtf8(inline.as_slice().to_vec()),
        Some(View::Bytes(inline)) => Value::Bytes(inline.as_slice().to_vec()),
        Some(View::EmptyTuple) => Value::Tuple(Vec::new()),
        Some(View::Ref(reference)) => referred(heap, reference, items, depth)?,
        Some(View::Unset | View::Tombstone) | None => {
            return Err(heap.corrupt(format!("cell {:#x} holds no value", cell.0)));
        }
    })
}

fn referred(heap: &Heap, reference: Ref, items: &mut usize, depth: usize) -> Result<Value> {
    Ok(match reference.kind {
        Kind::Str => Value::from_wtf8(leaf::bytes::load(heap, reference)?),
        Kind::Bytes => Value::Bytes(leaf::bytes::load(heap, reference)?),
        Kind::BigInt => leaf::number::load_big(heap, reference)?,
        Kind::Float => Value::Float(leaf::number::load_float(heap, reference)?),
        Kind::Tuple => Value::Tuple(sequence(heap, reference, items, depth)?),
        Kind::FrozenSet => Value::FrozenSet(sequence(heap, reference, items, depth)?),
        Kind::Extended => extended(heap, reference, items, depth)?,
        Kind::Packed | Kind::Turn => {
            let (kind, at) = (reference.kind.name(), reference.at);
            return Err(heap.corrupt(format!("a {kind} is stored as a value at {at:#x}")));
        }
        _ => Value::of_object(Object::pin(heap, reference)?)?,
    })
}

fn extended(heap: &Heap, reference: Ref, items: &mut usize, depth: usize) -> Result<Value> {
    let parts = sequence(heap, reference, items, depth)?;
    match Extended::from_parts(parts) {
        Some(value) => Ok(value.into()),
        None => Err(heap.corrupt(format!("no value is at {:#x}", reference.at))),
    }
}

fn sequence(heap: &Heap, reference: Ref, items: &mut usize, depth: usize) -> Result<Vec<Value>> {
    if depth >= DEPTH_LIMIT {
        return Err(Error::TooDeep { limit: DEPTH_LIMIT });
    }
    let cells = leaf::sequence::load(heap, reference)?;
    *items = items.checked_sub(cells.len()).ok_or_else(|| {
        heap.corrupt(format!("a {} of more than {ITEM_LIMIT} items", reference.kind.name()))
    })?;
    // A plain loop, and little room at first: this nests deep, and the length is only believed so far.
    let mut values = Vec::with_capacity(cells.len().min(1 << 16));
    for cell in cells {
        values.push(nested(heap, cell, items, depth + 1)?);
    }
    Ok(values)
}
