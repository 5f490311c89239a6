//! Keys: a borrowed value and its hash, compared with what a container stores.
//!
//! A look-up by text or number allocates nothing and touches a stored key only when the full hash
//! matches. Equality is that of Python's dict: `1 == 1.0 == True`, NaN finds itself.

use crate::bytearray::ByteArray;
use crate::cell::{Cell, Kind, View};
use crate::dict::Dict;
use crate::error::Result;
use crate::hash::{self, HashKey};
use crate::heap::Heap;
use crate::leaf;
use crate::list::List;
use crate::record::Record;
use crate::set::Set;
use crate::value::{Staged, Value};

/// A key or member: anything that is a [`Value`], borrowed where that saves a copy.
///
/// ```
/// use shm_core::Key;
///
/// let keys: [Key; 3] = ["name".into(), 7.into(), (1, "x").into()];
/// assert_eq!(format!("{:?}", keys[0]), "\"name\"");
/// ```
#[derive(Clone)]
pub struct Key<'k>(KeyForm<'k>);

impl Heap {
    /// The hash of text in this segment, the same in every process; for [`Key::hashed_text`].
    #[must_use]
    pub fn hash_text(&self, wtf8: &[u8]) -> u64 {
        hash::bytes(self.hash_key(), wtf8)
    }
}

/// What a key is made of.
#[derive(Clone)]
pub(crate) enum KeyForm<'k> {
    /// An integer of 64 bits.
    Int(i64),
    /// Text as WTF-8.
    Text(&'k [u8]),
    /// Text as WTF-8, and its hash.
    Hashed(&'k [u8], u64),
    /// Bytes.
    Bytes(&'k [u8]),
    /// Any value.
    Value(&'k Value),
    /// Any value.
    Owned(Value),
}

/// Handle. A key made ready to be looked for in one segment.
pub(crate) struct Probe<'k> {
    /// Its hash.
    pub(crate) hash: u64,
    /// The cell that it would be, if it is one that needs no block; else unset.
    cell: Cell,
    form: &'k KeyForm<'k>,
}

/// Handle. A key that is compared without going through a value.
#[derive(Clone, Copy)]
pub(crate) struct QuickKey<'k> {
    pub(crate) hash: u64,
    /// The cell that it would be; unset if it needs a block.
    pub(crate) cell: Cell,
    /// Its content if it is text.
    pub(crate) text: Option<&'k [u8]>,
}

impl<'k> QuickKey<'k> {
    /// An integer.
    #[inline]
    pub(crate) fn int(key: HashKey, number: i64) -> Self {
        let cell = Cell::int(number).unwrap_or(Cell::UNSET);
        QuickKey { hash: hash::int(key, number), cell, text: None }
    }

    /// Text as WTF-8.
    #[inline]
    pub(crate) fn text(key: HashKey, text: &'k [u8]) -> Self {
        match Cell::short_str(text) {
            Some(cell) => QuickKey { hash: hash::short(key, cell), cell, text: Some(text) },
            None => QuickKey { hash: hash::bytes(key, text), cell: Cell::UNSET, text: Some(text) },
        }
    }
}

impl<'k> Key<'k> {
    /// Text as WTF-8: UTF-8, and lone surrogates as their three bytes.
    #[must_use]
    pub fn text(wtf8: &'k [u8]) -> Self {
        Key(KeyForm::Text(wtf8))
    }

    /// Text as WTF-8 whose hash the caller has kept from [`Heap::hash_text`] of the same segment.
    /// With another hash the key is not found, or stored where nobody finds it.
    #[must_use]
    pub fn hashed_text(wtf8: &'k [u8], hash: u64) -> Self {
        Key(KeyForm::Hashed(wtf8, hash))
    }

    /// The form in which the quick paths look for it, if they can.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "the form is known where a key is made: one arm is left"
    )]
    pub(crate) fn quick(&self, key: HashKey) -> Option<QuickKey<'_>> {
        match &self.0 {
            KeyForm::Int(number) => Some(QuickKey::int(key, *number)),
            KeyForm::Text(text) => Some(QuickKey::text(key, text)),
            KeyForm::Hashed(text, hash) => {
                let cell = Cell::short_str(text).unwrap_or(Cell::UNSET);
                Some(QuickKey { hash: *hash, cell, text: Some(text) })
            }
            _ => None,
        }
    }

    /// Makes it ready to be looked for.
    pub(crate) fn probe(&self, key: HashKey) -> Result<Probe<'_>> {
        self.probe_after(key, self.quick(key))
    }

    /// As [`Key::probe`], after [`Key::quick`].
    pub(crate) fn probe_after(
        &self,
        key: HashKey,
        quick: Option<QuickKey<'_>>,
    ) -> Result<Probe<'_>> {
        if let Some(quick) = quick {
            return Ok(Probe { hash: quick.hash, cell: quick.cell, form: &self.0 });
        }
        let (hash, cell) = match &self.0 {
            KeyForm::Int(number) => (hash::int(key, *number), Cell::int(*number)),
            KeyForm::Text(text) => (hash::bytes(key, text), Cell::short_str(text)),
            KeyForm::Hashed(text, hash) => (*hash, Cell::short_str(text)),
            KeyForm::Bytes(content) => (hash::bytes(key, content), Cell::short_bytes(content)),
            KeyForm::Value(value) => (hash::value(key, value)?, value.immediate()),
            KeyForm::Owned(value) => (hash::value(key, value)?, value.immediate()),
        };
        Ok(Probe { hash, cell: cell.unwrap_or(Cell::UNSET), form: &self.0 })
    }

    /// The value that it stands for.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.0 {
            KeyForm::Int(number) => Value::Int(*number),
            KeyForm::Text(text) | KeyForm::Hashed(text, _) => Value::from_wtf8(text.to_vec()),
            KeyForm::Bytes(content) => Value::Bytes(content.to_vec()),
            KeyForm::Value(value) => (*value).clone(),
            KeyForm::Owned(value) => value.clone(),
        }
    }

    /// Makes it ready to be stored.
    #[inline]
    pub(crate) fn prepare(&self, heap: &Heap) -> Result<Staged> {
        self.to_value().prepare(heap)
    }
}

impl std::fmt::Debug for Key<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.to_value() {
            Value::Str(text) => text.fmt(out),
            Value::Int(number) => number.fmt(out),
            other => other.fmt(out),
        }
    }
}

impl Probe<'_> {
    /// Whether a stored key whose hash is the same is this key.
    #[inline]
    pub(crate) fn is(&self, heap: &Heap, stored: Cell) -> Result<bool> {
        if stored == self.cell && stored != Cell::UNSET {
            return Ok(true);
        }
        match self.form {
            KeyForm::Text(text) | KeyForm::Hashed(text, _) => Ok(match stored.as_ref() {
                Some(found) if found.kind == Kind::Str => leaf::bytes::equal(heap, found, text)?,
                Some(found) if found.kind == Kind::Extended => {
                    Value::decode(heap, stored)?.same_key(&Value::from_wtf8(text.to_vec()))
                }
                _ => false,
            }),
            KeyForm::Bytes(content) => Ok(match stored.as_ref() {
                Some(found) if found.kind == Kind::Bytes => {
                    leaf::bytes::equal(heap, found, content)?
                }
                Some(found) if found.kind == Kind::Extended => {
                    Value::decode(heap, stored)?.same_key(&Value::Bytes(content.to_vec()))
                }
                _ => false,
            }),
            KeyForm::Int(number) => cell_is_key(heap, stored, &Value::Int(*number)),
            KeyForm::Value(value) => cell_is_key(heap, stored, value),
            KeyForm::Owned(value) => cell_is_key(heap, stored, value),
        }
    }

    /// The cell to store, if the key needs no block.
    #[inline]
    pub(crate) fn immediate(&self) -> Option<Cell> {
        (self.cell != Cell::UNSET).then_some(self.cell)
    }
}

/// Whether a stored cell equals a value as keys do; mutable containers only by identity.
pub(crate) fn cell_is_key(heap: &Heap, stored: Cell, value: &Value) -> Result<bool> {
    match (stored.view(), value) {
        (Some(View::Ref(found)), value) => match (found.kind, value) {
            (Kind::Str, Value::Str(text)) => leaf::bytes::equal(heap, found, text.as_bytes()),
            (Kind::Str, Value::Wtf8(text)) => leaf::bytes::equal(heap, found, text),
            (Kind::Bytes, Value::Bytes(content)) => leaf::bytes::equal(heap, found, content),
            (Kind::BigInt | Kind::Float, value) => Ok(Value::decode(heap, stored)?.same_key(value)),
            (kind, value) if kind.is_cells() => Ok(Value::decode(heap, stored)?.same_key(value)),
            (kind, value) if kind.is_object() => {
                Ok(value.object()?.is_some_and(|object| object.cell() == stored))
            }
            // A member of a StrEnum is equal to its text.
            (Kind::Str | Kind::Bytes, Value::Extended(_)) => {
                Ok(Value::decode(heap, stored)?.same_key(value))
            }
            _ => Ok(false),
        },
        (Some(View::Unset | View::Tombstone) | None, _) => Ok(false),
        (Some(_), value) => Ok(Value::decode(heap, stored)?.same_key(value)),
    }
}

impl<'k> From<&'k str> for Key<'k> {
    #[inline]
    fn from(text: &'k str) -> Self {
        Key(KeyForm::Text(text.as_bytes()))
    }
}

impl<'k> From<&'k String> for Key<'k> {
    #[inline]
    fn from(text: &'k String) -> Self {
        Key(KeyForm::Text(text.as_bytes()))
    }
}

impl<'k> From<&'k [u8]> for Key<'k> {
    #[inline]
    fn from(content: &'k [u8]) -> Self {
        Key(KeyForm::Bytes(content))
    }
}

impl<'k> From<&'k Value> for Key<'k> {
    #[inline]
    fn from(value: &'k Value) -> Self {
        Key(match value {
            Value::Int(number) => KeyForm::Int(*number),
            Value::Str(text) => KeyForm::Text(text.as_bytes()),
            Value::Bytes(content) => KeyForm::Bytes(content),
            other => KeyForm::Value(other),
        })
    }
}

impl From<Value> for Key<'_> {
    #[inline]
    fn from(value: Value) -> Self {
        Key(match value {
            Value::Int(number) => KeyForm::Int(number),
            other => KeyForm::Owned(other),
        })
    }
}

macro_rules! int_keys {
    ($($int:ty),*) => {$(
        impl From<$int> for Key<'_> {
            #[inline]
            fn from(number: $int) -> Self {
                Key(KeyForm::Int(i64::from(number)))
            }
        }
    )*};
}
int_keys!(i8, i16, i32, i64, u8, u16, u32);

macro_rules! value_keys {
    ($($plain:ty),*) => {$(
        impl From<$plain> for Key<'_> {
            #[inline]
            fn from(value: $plain) -> Self {
                Value::from(value).into()
            }
        }
    )*};
}
value_keys!(
    u64,
    i128,
    u128,
    usize,
    isize,
    bool,
    f32,
    f64,
    char,
    (),
    String,
    Vec<u8>,
    &List,
    &Dict,
    &Set,
    &ByteArray,
    &Record
);

macro_rules! tuple_keys {
    ($(($($name:ident),+)),*) => {$(
        impl<$($name: Into<Value>),+> From<($($name,)+)> for Key<'_> {
            fn from(value: ($($name,)+)) -> Self {
                Key(KeyForm::Owned(value.into()))
            }
        }
    )*};
}
tuple_keys!((A), (A, B), (A, B, C), (A, B, C, D), (A, B, C, D, E), (A, B, C, D, E, F));
