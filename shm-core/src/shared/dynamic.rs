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
use crate::value::Value;

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
                let $found = reader.reader()?.value(at.cells)?;
                $decode
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
                let Value::Dict(dict) = reader.value(at.cells)? else {
                    return Err(mistyped("map", &reader.value(at.cells)?));
                };
                let entries = reader.inside(dict.object().at(), |_| dict.to_vec())?;
                let typed = |(key, value)| Ok((K::from_value(key)?, V::from_value(value)?));
                entries.into_iter().map(typed).collect()
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
    note = "use a number of at most 64 bits, `bool`, `String`, `Value`, `List`, `Dict`, `Set` or `ByteArray`; or `Dict` itself, which holds any values"
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
integer_items!(i8 i16 i32 i64 u8 u16 u32 u64);

macro_rules! items {
    ($($type:ident as $name:literal: $pattern:pat => $found:expr, $self:ident => $value:expr;)*) => {$(
        impl Item for $type {
            fn to_value(&self) -> Value {
                let $self = self;
                $value
            }

            fn from_value(value: Value) -> Result<Self> {
                match value {
                    $pattern => Ok($found),
                    other => Err(mistyped($name, &other)),
                }
            }
        }
    )*};
}
items! {
    bool as "bool": Value::Bool(flag) => flag, flag => Value::Bool(*flag);
    f64 as "f64": Value::Float(number) => number, number => Value::Float(*number);
    String as "str": Value::Str(text) => text, text => Value::Str(text.clone());
    List as "list": Value::List(list) => list, list => Value::List(list.clone());
    Dict as "dict": Value::Dict(dict) => dict, dict => Value::Dict(dict.clone());
    Set as "set": Value::Set(set) => set, set => Value::Set(set.clone());
    ByteArray as "bytearray": Value::ByteArray(bytes) => bytes, bytes => Value::ByteArray(bytes.clone());
}

impl Item for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }

    fn from_value(value: Value) -> Result<Self> {
        Ok(value)
    }
}
