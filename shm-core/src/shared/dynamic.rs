//! `String`, values, containers and maps of them as fields: each is one cell that refers to something else.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use crate::bytearray::ByteArray;
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::list::List;
use crate::payload::{Part, Sink, Source};
use crate::schema::{Layout, Place, TypeInfo};
use crate::set::Set;
use crate::slot::Slot;
use crate::value::{Extended, Value};

use super::{Checked, Shared, mistyped};

macro_rules! dynamic {
    ($($type:ident as $info:ident, $niche:literal, |$value:ident| $encode:expr, $found:ident => $decode:expr;)*) => {$(
        impl Shared for $type {
            type Get = Result<$type>;
            type Mode = Checked;
            const LAYOUT: Layout = Layout::CELL;
            const TYPE: &'static TypeInfo = &TypeInfo::$info;
            const NICHE: bool = $niche;

            fn get(slot: &Slot, place: Place) -> Result<Self> {
                slot.read(place)
            }

            fn encode(&self, image: &mut impl Sink, at: Place) {
                let $value = self;
                if let Some(image) = image.image() {
                    image.cell(at.cells, $encode);
                }
            }

            fn decode(reader: &impl Source, at: Place) -> Result<Self> {
                let reader = reader.reader()?;
                let $found = reader.value(at.cells)?;
                let decoded: Result<$type> = $decode;
                decoded.map_err(|error| reader.named(at.cells, error))
            }
        }
    )*};
}
dynamic! {
    String as Str, true, |text| Value::Str(text.clone()), found => match found {
        Value::Str(text) => Ok(text),
        Value::Wtf8(_) => Err(Error::WrongType {
            what: "the text has lone surrogates, which String cannot hold: use Value".to_owned(),
        }),
        other => Err(mistyped("str", &other)),
    };
    Value as Value, false, |value| value.clone(), found => Ok(found);
    List as List, true, |list| Value::List(list.clone()), found => match found {
        Value::List(list) => Ok(list),
        other => Err(mistyped("list", &other)),
    };
    Set as Set, true, |set| Value::Set(set.clone()), found => match found {
        Value::Set(set) => Ok(set),
        other => Err(mistyped("set", &other)),
    };
    ByteArray as ByteArray, true, |bytes| Value::ByteArray(bytes.clone()), found => match found {
        Value::ByteArray(bytes) => Ok(bytes),
        other => Err(mistyped("bytearray", &other)),
    };
    Dict as Dict, true, |dict| Value::Dict(dict.clone()), found => match found {
        Value::Dict(dict) => Ok(dict),
        other => Err(mistyped("dict", &other)),
    };
}

macro_rules! maps {
    ($($map:ident<K, V $(, $hasher:ident)?> where $($bound:ident)+;)*) => {$(
        impl<K: Item $(+ $bound)+, V: Item $(, $hasher: BuildHasher + Default)?> Shared
            for $map<K, V $(, $hasher)?>
        {
            type Get = Result<Dict>;
            type Mode = Checked;
            const LAYOUT: Layout = Layout::CELL;
            const TYPE: &'static TypeInfo =
                &TypeInfo::Map(<K as Shared>::TYPE, <V as Shared>::TYPE);
            const NICHE: bool = true;

            fn get(slot: &Slot, place: Place) -> Result<Dict> {
                slot.read(place)
            }

            fn encode(&self, image: &mut impl Sink, at: Place) {
                let entries = self.iter().map(|(key, value)| (key.to_value(), value.to_value()));
                if let Some(image) = image.image() {
                    image.part(at.cells, Part::Entries(entries.collect()));
                }
            }

            fn decode(reader: &impl Source, at: Place) -> Result<Self> {
                let reader = reader.reader()?;
                let named = |error| reader.named(at.cells, error);
                let Value::Dict(dict) = reader.value(at.cells)? else {
                    return Err(named(mistyped("map", &reader.value(at.cells)?)));
                };
                let entries = reader.inside(dict.object().at(), |_| dict.to_vec())?;
                let typed = |(key, value)| Ok((K::from_value(key)?, V::from_value(value)?));
                entries.into_iter().map(|entry| typed(entry).map_err(named)).collect()
            }
        }
    )*};
}
maps! {
    BTreeMap<K, V> where Ord;
    HashMap<K, V, S> where Eq Hash;
}

/// A key or a value of a map.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be in a map of a shared struct",
    label = "no key or value of a shared dict",
    note = "use a number, `bool`, `char`, `String`, `Value`, `List`, `Dict`, `Set` or `ByteArray`; or `Dict` itself, which holds any values"
)]
pub trait Item: Shared {
    /// As a value.
    #[doc(hidden)]
    fn to_value(&self) -> Value;
    /// Of a value.
    #[doc(hidden)]
    fn from_value(value: Value) -> Result<Self>;
}

macro_rules! integer_items {
    ($($int:ident)*) => {$(
        impl Item for $int {
            fn to_value(&self) -> Value {
                Value::from(*self)
            }

            fn from_value(value: Value) -> Result<Self> {
                let value = plain(value);
                let found = match &value {
                    Value::Int(number) => $int::try_from(*number).ok(),
                    Value::BigInt(number) => $int::try_from(number).ok(),
                    _ => None,
                };
                found.ok_or_else(|| mistyped(stringify!($int), &value))
            }
        }
    )*};
}
integer_items!(i8 i16 i32 i64 i128 u8 u16 u32 u64 u128);

macro_rules! items {
    ($($type:ident as $name:literal: $pattern:pat => $found:expr, $self:ident => $value:expr;)*) => {$(
        impl Item for $type {
            fn to_value(&self) -> Value {
                let $self = self;
                $value
            }

            fn from_value(value: Value) -> Result<Self> {
                match plain(value) {
                    $pattern => Ok($found),
                    other => Err(mistyped($name, &other)),
                }
            }
        }
    )*};
}
items! {
    bool as "bool": Value::Bool(flag) => flag, flag => Value::Bool(*flag);
    String as "str": Value::Str(text) => text, text => Value::Str(text.clone());
    List as "list": Value::List(list) => list, list => Value::List(list.clone());
    Dict as "dict": Value::Dict(dict) => dict, dict => Value::Dict(dict.clone());
    Set as "set": Value::Set(set) => set, set => Value::Set(set.clone());
    ByteArray as "bytearray": Value::ByteArray(bytes) => bytes, bytes => Value::ByteArray(bytes.clone());
}

// Python stores an int where a float is meant, as its own `float` fields take one.
macro_rules! float_items {
    ($($float:ident)*) => {$(
        impl Item for $float {
            fn to_value(&self) -> Value {
                Value::from(*self)
            }

            #[allow(clippy::cast_precision_loss, reason = "rounded as Python's float() does")]
            #[allow(clippy::cast_lossless, reason = "the same text for both widths")]
            fn from_value(value: Value) -> Result<Self> {
                match plain(value) {
                    Value::Float(number) => Ok(number as $float),
                    Value::Int(number) => Ok(number as $float),
                    other => Err(mistyped(stringify!($float), &other)),
                }
            }
        }
    )*};
}
float_items!(f32 f64);

impl Item for char {
    fn to_value(&self) -> Value {
        Value::from(*self)
    }

    fn from_value(value: Value) -> Result<Self> {
        let one = value.as_str().and_then(|text| {
            let mut characters = text.chars();
            characters.next().filter(|_| characters.next().is_none())
        });
        one.ok_or_else(|| mistyped("char", &value))
    }
}

/// What a member of an enum or a numpy scalar is equal to.
fn plain(value: Value) -> Value {
    let inner = value.as_extended().and_then(Extended::as_value).cloned();
    inner.unwrap_or(value)
}

impl Item for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }

    fn from_value(value: Value) -> Result<Self> {
        Ok(value)
    }
}
