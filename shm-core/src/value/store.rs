//! From values to cells: what a value costs to store, and storing it inside of one operation.

use crate::cell::{Cell, Kind};
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::hash::DEPTH_LIMIT;
use crate::heap::Heap;
use crate::leaf::{bytes, number, sequence};
use crate::tx::Tx;
use crate::value::wtf8::is_wtf8;
use crate::value::{Extended, Value};

/// Log entries of an allocation.
const ALLOCATION: usize = 2;

impl Value {
    /// How many log entries storing it takes; checks that it can be stored at all.
    pub(crate) fn weigh(&self, heap: &Heap) -> Result<usize> {
        weigh(self, heap, 0)
    }

    /// Stores it and returns a cell that owns one count, ready to be put into a word. The caller
    /// has weighed it: what is too heavy for one operation goes through [`Value::prepare`].
    pub(crate) fn store(&self, tx: &mut Tx<'_>) -> Result<Cell> {
        if let Some(cell) = self.immediate() {
            return Ok(cell);
        }
        match self {
            Value::Str(text) => bytes::store(tx, Kind::Str, text.as_bytes()),
            Value::Wtf8(text) => bytes::store(tx, Kind::Str, text),
            Value::Bytes(content) => bytes::store(tx, Kind::Bytes, content),
            Value::Int(number) => number::store_int(tx, *number),
            Value::BigInt(number) => number::store_big(tx, number),
            Value::Float(number) => number::store_float(tx, *number),
            Value::Tuple(items) => store_items(tx, Kind::Tuple, items.iter()),
            Value::FrozenSet(items) => {
                let members = sequence::members(tx.heap().hash_key(), items)?;
                store_items(tx, Kind::FrozenSet, members.into_iter())
            }
            Value::Extended(value) => store_items(tx, Kind::Extended, value.to_parts().iter()),
            Value::Draft(draft) => draft.store(tx),
            other => match other.object()? {
                Some(object) => {
                    if let Value::Array(array) = other {
                        array.check()?;
                    }
                    // `Closed` for one that was freed by hand.
                    tx.block(object.at())?;
                    let cell = object.cell();
                    tx.inc(cell)?;
                    Ok(cell)
                }
                None => Ok(Cell::NONE),
            },
        }
    }

    /// The object that a handle refers to.
    pub(crate) fn object(&self) -> Result<Option<&Object>> {
        Ok(match self {
            Value::List(list) => Some(list.object()),
            Value::Dict(dict) => Some(dict.object()),
            Value::Set(set) => Some(set.object()),
            Value::ByteArray(array) => Some(array.object()),
            Value::Record(record) => Some(record.storable()?),
            Value::Array(array) => Some(array.object()),
            _ => None,
        })
    }
}

fn store_items<'v>(
    tx: &mut Tx<'_>,
    kind: Kind,
    items: impl ExactSizeIterator<Item = &'v Value>,
) -> Result<Cell> {
    let mut cells = Vec::with_capacity(items.len());
    for item in items {
        cells.push(item.store(tx)?);
    }
    sequence::store(tx, kind, &cells)
}

fn weigh_parts(value: &Extended, heap: &Heap, depth: usize) -> Result<usize> {
    if depth >= DEPTH_LIMIT {
        return Err(Error::TooDeep { limit: DEPTH_LIMIT });
    }
    value.validate()?;
    let mut sum = ALLOCATION;
    for part in value.to_parts() {
        sum += weigh(&part, heap, depth + 1)?;
    }
    Ok(sum)
}

fn weigh(value: &Value, heap: &Heap, depth: usize) -> Result<usize> {
    if value.immediate().is_some() {
        return Ok(0);
    }
    Ok(match value {
        Value::Tuple(items) | Value::FrozenSet(items) => {
            if depth >= DEPTH_LIMIT {
                return Err(Error::TooDeep { limit: DEPTH_LIMIT });
            }
            let mut sum = ALLOCATION;
            for item in items {
                sum += weigh(item, heap, depth + 1)?;
            }
            sum
        }
        Value::Extended(value) => weigh_parts(value, heap, depth)?,
        Value::Wtf8(text) if !is_wtf8(text) => {
            return Err(Error::InvalidArgument {
                what: "text is neither UTF-8 nor WTF-8: store it as bytes".into(),
            });
        }
        Value::Draft(draft) if !draft.is_of(heap) => {
            return Err(Error::InvalidArgument {
                what: format!("this draft is not of segment {:?}", heap.name()),
            });
        }
        Value::Draft(draft) => draft.weight(),
        other => match other.object()? {
            Some(object) if !object.heap().is_same(heap) => {
                return Err(Error::InvalidArgument {
                    what: format!(
                        "this {} belongs to segment {:?}, not {:?}: store a copy of its content",
                        other.type_name(),
                        object.heap().name(),
                        heap.name()
                    ),
                });
            }
            Some(_) => 1,
            None => ALLOCATION,
        },
    })
}
