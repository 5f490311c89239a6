//! The public value: what a cell of a shared container holds, as the calling process sees it.
//!
//! Immutable values are copies; mutable ones (list, dict, set, bytearray, struct, array) are handles to
//! the shared object. Equality, hashing and order are Python's: `1 == 1.0 == True`, containers by
//! content. [`Key`] is a borrowed value, so that a look-up by text or number allocates nothing.

mod arith;
mod compare;
mod convert;
mod copy;
mod decode;
mod draft;
pub mod extended;
mod key;
mod stage;
mod store;
mod wtf8;

use num_bigint::BigInt;

pub use copy::Copied;
pub use draft::{Draft, Part};
pub use extended::Extended;
pub(crate) use extended::relation::hashed;
pub use key::Key;
pub(crate) use key::{Probe, QuickKey, cell_is_key};
pub(crate) use stage::{Batch, Staged, fill};
pub(crate) use wtf8::is_wtf8;

use crate::bytearray::ByteArray;
use crate::cell::{Cell, INLINE_BYTES, Kind, View};
use crate::dict::Dict;
use crate::list::List;
use crate::ndarray::Array;
use crate::record::Record;
use crate::set::Set;

/// A Python-style value. Immutable ones are held here, mutable ones are handles.
///
/// ```
/// use shm_core::Value;
///
/// let value = Value::from((1, "two", 3.5));
/// assert_eq!(value.as_tuple().unwrap().len(), 3);
/// assert_eq!(Value::from(1), Value::from(true));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Value {
    /// `None`.
    #[default]
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer beyond 64 bits.
    BigInt(BigInt),
    /// A float.
    Float(f64),
    /// Text.
    Str(String),
    /// Text with lone surrogates, as WTF-8: what Python's `str` allows and Rust's does not.
    Wtf8(Vec<u8>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An immutable sequence.
    Tuple(Vec<Value>),
    /// An immutable set; equal members count once.
    FrozenSet(Vec<Value>),
    /// An immutable value of another type: complex, decimal, date, enum member, ...
    Extended(Box<Extended>),
    /// A shared list.
    List(List),
    /// A shared dict.
    Dict(Dict),
    /// A shared set.
    Set(Set),
    /// A shared bytearray.
    ByteArray(ByteArray),
    /// A shared typed struct.
    Record(Record),
    /// A shared array of numbers.
    Array(Array),
    /// Containers that are not stored yet. Never read back: what is stored is a list, dict or set.
    Draft(Box<Draft>),
}

impl Value {
    /// The name of its type, as Python says it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::BigInt(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) | Value::Wtf8(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::Tuple(_) => "tuple",
            Value::FrozenSet(_) => "frozenset",
            Value::Extended(value) => value.type_name(),
            Value::List(_) => "list",
            Value::Dict(_) => "dict",
            Value::Set(_) => "set",
            Value::ByteArray(_) => "bytearray",
            Value::Record(_) => "struct",
            Value::Array(_) => "array",
            Value::Draft(_) => "draft",
        }
    }

    /// Whether it is `None`.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Value::None)
    }

    /// The bool, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(flag) = self { Some(*flag) } else { None }
    }

    /// The integer, if it is an int or bool of 64 bits.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            Value::Bool(flag) => Some(i64::from(*flag)),
            _ => None,
        }
    }

    /// The float, if it is one; an int that a float holds exactly counts too.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "exact below 2^53, which is checked")]
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Float(number) => Some(*number),
            Value::Int(number) if number.unsigned_abs() <= 1 << 53 => Some(*number as f64),
            _ => None,
        }
    }

    /// The text, if it is text without lone surrogates.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The content of text as WTF-8, if it is text.
    #[must_use]
    pub fn as_text_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Str(text) => Some(text.as_bytes()),
            Value::Wtf8(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes, if it is a bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Value::Bytes(content) = self { Some(content) } else { None }
    }

    /// The items, if it is a tuple.
    #[must_use]
    pub fn as_tuple(&self) -> Option<&[Value]> {
        if let Value::Tuple(items) = self { Some(items) } else { None }
    }

    /// The value of another type, if it is one: complex, decimal, date, enum member, ...
    #[must_use]
    pub fn as_extended(&self) -> Option<&Extended> {
        if let Value::Extended(value) = self { Some(value) } else { None }
    }

    /// The list, if it is one.
    #[must_use]
    pub fn as_list(&self) -> Option<&List> {
        if let Value::List(list) = self { Some(list) } else { None }
    }

    /// The dict, if it is one.
    #[must_use]
    pub fn as_dict(&self) -> Option<&Dict> {
        if let Value::Dict(dict) = self { Some(dict) } else { None }
    }

    /// The set, if it is one.
    #[must_use]
    pub fn as_set(&self) -> Option<&Set> {
        if let Value::Set(set) = self { Some(set) } else { None }
    }

    /// The bytearray, if it is one.
    #[must_use]
    pub fn as_bytearray(&self) -> Option<&ByteArray> {
        if let Value::ByteArray(array) = self { Some(array) } else { None }
    }

    /// The struct, if it is one.
    #[must_use]
    pub fn as_record(&self) -> Option<&Record> {
        if let Value::Record(record) = self { Some(record) } else { None }
    }

    /// The array, if it is one.
    #[must_use]
    pub fn as_array(&self) -> Option<&Array> {
        if let Value::Array(array) = self { Some(array) } else { None }
    }

    /// The value of a cell that holds a whole one.
    #[inline]
    pub(crate) fn of_immediate(cell: Cell) -> Option<Value> {
        if let Some(number) = cell.as_int() {
            return Some(Value::Int(number));
        }
        if let Some(number) = cell.as_float() {
            return Some(Value::Float(number));
        }
        Some(match cell.view()? {
            View::None => Value::None,
            View::Bool(flag) => Value::Bool(flag),
            View::Str(inline) => Value::from_wtf8(inline.as_slice().to_vec()),
            View::Bytes(inline) => Value::Bytes(inline.as_slice().to_vec()),
            View::EmptyTuple => Value::Tuple(Vec::new()),
            _ => return None,
        })
    }

    /// The cell that holds the whole value, or the value back.
    #[inline]
    pub(crate) fn into_cell(self) -> Result<Cell, Value> {
        match self.immediate() {
            Some(cell) => {
                if matches!(self, Value::Int(_) | Value::Float(_) | Value::Bool(_)) {
                    // Owns nothing; saying so saves the test at run time.
                    std::mem::forget(self);
                }
                Ok(cell)
            }
            None => Err(self),
        }
    }

    /// The kind and content of text and bytes that are known to be well-formed and fit into no cell.
    #[inline]
    pub(crate) fn as_plain_leaf(&self) -> Option<(Kind, &[u8])> {
        let (kind, content) = match self {
            Value::Str(text) => (Kind::Str, text.as_bytes()),
            Value::Bytes(content) => (Kind::Bytes, content.as_slice()),
            _ => return None,
        };
        (content.len() > INLINE_BYTES).then_some((kind, content))
    }

    /// The cell that holds the whole value, if one does: nothing to allocate and nothing to count.
    #[inline]
    pub(crate) fn immediate(&self) -> Option<Cell> {
        match self {
            Value::None => Some(Cell::NONE),
            Value::Bool(flag) => Some(Cell::bool(*flag)),
            Value::Int(number) => Cell::int(*number),
            Value::Float(number) => Cell::float(*number),
            Value::Str(text) => Cell::short_str(text.as_bytes()),
            Value::Wtf8(text) if wtf8::is_wtf8(text) => Cell::short_str(text),
            Value::Bytes(content) => Cell::short_bytes(content),
            Value::Tuple(items) if items.is_empty() => Some(Cell::EMPTY_TUPLE),
            _ => None,
        }
    }
}
