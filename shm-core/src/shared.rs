//! The traits behind `#[derive(Shared)]`: what can be a field, and what is a struct.
//!
//! [`Shared`] is implemented here for numbers, `bool`, `char`, times, arrays, tuples, `Option`,
//! `String`, `Vec`, maps, [`Value`] and the containers, and by the derive for structs and enums. Its items are hidden: they may
//! change, and only generated code names them.
//!
//! Getters of *bare* types (numbers, `bool`, `char`, arrays and options of them) return the value
//! itself. If the segment was closed, or a stopped process holds the struct, such a getter returns
//! the bits that are there; the `try_` form tells the error. All other getters return a `Result`.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::bytearray::ByteArray;
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::list::List;
use crate::payload::{Fixed, Part, Sink, Source};
use crate::record::Record;
use crate::schema::{Layout, NameInfo, Place, Plan, Scalar, StructInfo, TypeInfo};
use crate::set::Set;
use crate::slot::Slot;
use crate::value::Value;
use crate::vector::{self, VecRef};

/// A type that can be a field of a shared struct; `#[derive(Shared)]` makes a struct one.
///
/// These are: all numbers of fixed width, `bool`, `char`, `Duration`, `SystemTime`, `String`,
/// [`Value`], [`List`], [`Dict`], [`Set`], [`ByteArray`], [`Link`](crate::Link)s to other structs,
/// derived structs and enums; arrays, tuples, `Option`s and `Vec`s of all of them; and
/// `BTreeMap`s and `HashMap`s of simple keys and values.
///
/// The derive also makes the struct's handle, named like the struct with `Ref` at its end. For
/// each field `x` it has a getter `x()`, `try_x()`, a setter `set_x(value)`, for integers
/// `fetch_add_x(delta)`, for arrays `items_x()`, whose elements are set by themselves; for the whole struct `load()`, `store(value)` and `update(|s| ...)`. Each
/// is one atomic operation, whichever process is killed in the middle.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a shared struct",
    label = "not shareable",
    note = "use a fixed-width number, `bool`, `char`, `Duration`, `SystemTime`, `String`, `Value`, `List`, `Dict`, an array, tuple, `Option` or `Vec` of these, or a type with `#[derive(Shared)]`"
)]
pub trait Shared: Sized {
    /// What the getter of a field of this type returns.
    #[doc(hidden)]
    type Get;
    /// Whether reading it can fail for reasons of its own.
    #[doc(hidden)]
    type Mode: Mode;
    /// The room that it takes.
    #[doc(hidden)]
    const LAYOUT: Layout;
    /// Its description in a schema.
    #[doc(hidden)]
    const TYPE: &'static TypeInfo;
    /// Whether its cell tells that it is absent.
    #[doc(hidden)]
    const NICHE: bool = false;

    /// The getter of a field.
    #[doc(hidden)]
    fn get(slot: &Slot, place: Place) -> Self::Get;

    /// A copy of a field.
    #[doc(hidden)]
    fn read(slot: &Slot, place: Place) -> Result<Self> {
        slot.read(place)
    }

    /// Reads it as a part of its struct.
    #[doc(hidden)]
    #[inline]
    fn take(reader: &impl Source, at: Place) -> Result<Self> {
        Self::Mode::result(Self::decode(reader, at))
    }

    /// The setter of a field.
    #[doc(hidden)]
    fn set(slot: &Slot, place: Place, value: &Self) -> Result<()> {
        slot.write(place, value)
    }

    /// Puts it into an image.
    #[doc(hidden)]
    fn encode(&self, image: &mut impl Sink, at: Place);

    /// Reads it.
    #[doc(hidden)]
    fn decode(reader: &impl Source, at: Place) -> <Self::Mode as Mode>::Out<Self>;
}

/// A struct with `#[derive(Shared)]`: what `Segment::alloc` and `get_as` take.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a shared struct",
    label = "no shared struct",
    note = "use a struct with `#[derive(Shared)]`"
)]
pub trait Struct: Shared {
    /// Its handle.
    type Ref: Clone + Debug + Into<Record> + Into<Value>;
    /// What its schema is stored under.
    #[doc(hidden)]
    const NAME: &'static NameInfo;
    /// Its description.
    #[doc(hidden)]
    const INFO: &'static StructInfo;
    /// Its read-only fields.
    #[doc(hidden)]
    const FIXED: &'static [Fixed<'static>];

    /// The handle for a place in a segment.
    #[doc(hidden)]
    fn attach(slot: Slot) -> Self::Ref;
}

/// Whether reading can fail for reasons of the type's own.
pub trait Mode {
    /// What decoding returns.
    type Out<T>;
    /// No failure.
    fn pure<T>(value: T) -> Self::Out<T>;
    /// Applies a function to what was decoded.
    fn map<A, B>(value: Self::Out<A>, f: impl FnOnce(A) -> B) -> Self::Out<B>;
    /// Decodes the elements of an array.
    fn array<T, const N: usize>(element: impl FnMut(usize) -> Self::Out<T>) -> Self::Out<[T; N]>;
    /// As a `Result`.
    fn result<T>(value: Self::Out<T>) -> Result<T>;
    /// Reads a field.
    fn get<T: Shared<Mode = Self>>(slot: &Slot, place: Place) -> Self::Out<T>;
}

/// Any bits are a value.
pub struct Bare;

/// Reading may fail: the value is elsewhere.
pub struct Checked;

impl Mode for Bare {
    type Out<T> = T;

    #[inline]
    fn pure<T>(value: T) -> T {
        value
    }

    #[inline]
    fn map<A, B>(value: A, f: impl FnOnce(A) -> B) -> B {
        f(value)
    }

    #[inline]
    fn array<T, const N: usize>(element: impl FnMut(usize) -> T) -> [T; N] {
        std::array::from_fn(element)
    }

    #[inline]
    fn result<T>(value: T) -> Result<T> {
        Ok(value)
    }

    #[inline]
    fn get<T: Shared<Mode = Self>>(slot: &Slot, place: Place) -> T {
        slot.read(place).unwrap_or_else(|_| slot.peek::<T>(place))
    }
}

impl Mode for Checked {
    type Out<T> = Result<T>;

    fn pure<T>(value: T) -> Result<T> {
        Ok(value)
    }

    fn map<A, B>(value: Result<A>, f: impl FnOnce(A) -> B) -> Result<B> {
        value.map(f)
    }

    fn array<T, const N: usize>(element: impl FnMut(usize) -> Result<T>) -> Result<[T; N]> {
        let items = (0..N).map(element).collect::<Result<Vec<T>>>()?;
        items
            .try_into()
            .map_err(|_| Error::InvalidArgument { what: "an array of another length".to_owned() })
    }

    fn result<T>(value: Result<T>) -> Result<T> {
        value
    }

    fn get<T: Shared<Mode = Self>>(slot: &Slot, place: Place) -> Result<T> {
        slot.read(place)
    }
}

/// A scalar as bits.
pub trait Bits: Copy {
    /// Which scalar it is.
    const SCALAR: Scalar;
    /// Its bits.
    fn to_bits(self) -> u128;
    /// The value of these bits; any are one.
    fn from_bits(bits: u128) -> Self;
}

/// An integer field.
pub trait Integer: Shared + Bits {
    /// The sum, wrapping around.
    #[must_use]
    fn wrapping_add(self, other: Self) -> Self;
}

macro_rules! integers {
    ($($int:ident as $unsigned:ident $scalar:ident),* $(,)?) => {$(
        impl Bits for $int {
            const SCALAR: Scalar = Scalar::$scalar;

            #[inline]
            #[allow(clippy::cast_lossless, reason = "the same text for all widths")]
            fn to_bits(self) -> u128 {
                self as $unsigned as u128
            }

            #[inline]
            fn from_bits(bits: u128) -> Self {
                bits as $unsigned as $int
            }
        }

        impl Integer for $int {
            #[inline]
            fn wrapping_add(self, other: Self) -> Self {
                <$int>::wrapping_add(self, other)
            }
        }
    )*};
}
integers!(
    i8 as u8 I8, i16 as u16 I16, i32 as u32 I32, i64 as u64 I64, i128 as u128 I128,
    u8 as u8 U8, u16 as u16 U16, u32 as u32 U32, u64 as u64 U64, u128 as u128 U128,
);

impl Bits for bool {
    const SCALAR: Scalar = Scalar::Bool;

    #[inline]
    fn to_bits(self) -> u128 {
        u128::from(self)
    }

    #[inline]
    fn from_bits(bits: u128) -> Self {
        bits != 0
    }
}

impl Bits for char {
    const SCALAR: Scalar = Scalar::Char;

    #[inline]
    fn to_bits(self) -> u128 {
        u128::from(u32::from(self))
    }

    #[inline]
    fn from_bits(bits: u128) -> Self {
        char::from_u32(bits as u32).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

impl Bits for f32 {
    const SCALAR: Scalar = Scalar::F32;

    #[inline]
    fn to_bits(self) -> u128 {
        u128::from(f32::to_bits(self))
    }

    #[inline]
    fn from_bits(bits: u128) -> Self {
        f32::from_bits(bits as u32)
    }
}

impl Bits for f64 {
    const SCALAR: Scalar = Scalar::F64;

    #[inline]
    fn to_bits(self) -> u128 {
        u128::from(f64::to_bits(self))
    }

    #[inline]
    fn from_bits(bits: u128) -> Self {
        f64::from_bits(bits as u64)
    }
}

impl Bits for Duration {
    const SCALAR: Scalar = Scalar::Duration;

    #[inline]
    fn to_bits(self) -> u128 {
        self.as_nanos()
    }

    /// More seconds than a span can have are its most.
    #[inline]
    fn from_bits(bits: u128) -> Self {
        u64::try_from(bits / NANOS)
            .map_or(Duration::MAX, |seconds| Duration::new(seconds, (bits % NANOS) as u32))
    }
}

impl Bits for SystemTime {
    const SCALAR: Scalar = Scalar::Time;

    #[inline]
    fn to_bits(self) -> u128 {
        match self.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_nanos(),
            Err(before) => before.duration().as_nanos().wrapping_neg(),
        }
    }

    /// A moment that this system cannot express is the start of 1970.
    #[inline]
    fn from_bits(bits: u128) -> Self {
        let nanos = bits as i128;
        let away = Duration::from_bits(nanos.unsigned_abs());
        let moment =
            if nanos < 0 { UNIX_EPOCH.checked_sub(away) } else { UNIX_EPOCH.checked_add(away) };
        moment.unwrap_or(UNIX_EPOCH)
    }
}

/// Nanoseconds of a second.
const NANOS: u128 = 1_000_000_000;

macro_rules! scalars {
    ($($scalar:ident),*) => {$(
        impl Shared for $scalar {
            type Get = $scalar;
            type Mode = Bare;
            const LAYOUT: Layout = Layout::number(<$scalar as Bits>::SCALAR.size());
            const TYPE: &'static TypeInfo = &TypeInfo::Scalar(<$scalar as Bits>::SCALAR);

            #[inline]
            fn get(slot: &Slot, place: Place) -> Self {
                let size = Self::LAYOUT.size;
                if size <= 8
                    && let Some(bits) = slot.quick_bits(place, size)
                {
                    return Bits::from_bits(u128::from(bits));
                }
                Bare::get(slot, place)
            }

            #[inline]
            fn set(slot: &Slot, place: Place, value: &Self) -> Result<()> {
                slot.write_bits(place, Self::LAYOUT.size, Bits::to_bits(*value))
            }

            #[inline]
            fn encode(&self, image: &mut impl Sink, at: Place) {
                image.bits(at.plain, Self::LAYOUT.size, Bits::to_bits(*self));
            }

            #[inline]
            fn decode(reader: &impl Source, at: Place) -> Self {
                Bits::from_bits(reader.bits(at.plain, Self::LAYOUT.size))
            }
        }
    )*};
}
scalars!(
    Duration, SystemTime, bool, char, i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f32, f64
);

impl<T: Shared, const N: usize> Shared for [T; N] {
    type Get = <T::Mode as Mode>::Out<[T; N]>;
    type Mode = T::Mode;
    const LAYOUT: Layout = T::LAYOUT.array(N);
    const TYPE: &'static TypeInfo = &TypeInfo::Array(T::TYPE, N);

    #[inline]
    fn get(slot: &Slot, place: Place) -> Self::Get {
        <T::Mode as Mode>::get(slot, place)
    }

    fn encode(&self, image: &mut impl Sink, at: Place) {
        for (index, item) in self.iter().enumerate() {
            item.encode(image, at.element(T::LAYOUT, index));
        }
    }

    #[inline]
    fn decode(reader: &impl Source, at: Place) -> Self::Get {
        <T::Mode as Mode>::array(|index| T::decode(reader, at.element(T::LAYOUT, index)))
    }
}

impl<T: Shared> Shared for Option<T> {
    type Get = <T::Mode as Mode>::Out<Option<T>>;
    type Mode = T::Mode;
    const LAYOUT: Layout = T::LAYOUT.option(T::NICHE);
    const TYPE: &'static TypeInfo = &TypeInfo::Option(T::TYPE);

    #[inline]
    fn get(slot: &Slot, place: Place) -> Self::Get {
        <T::Mode as Mode>::get(slot, place)
    }

    fn encode(&self, image: &mut impl Sink, at: Place) {
        // An image starts as zeros and `None`: that is an absent value in both forms.
        if let Some(value) = self {
            if !T::NICHE {
                image.bits(at.plain, 1, 1);
            }
            value.encode(image, at.part(T::LAYOUT.option_value(T::NICHE)));
        }
    }

    #[inline]
    fn decode(reader: &impl Source, at: Place) -> Self::Get {
        let present =
            if T::NICHE { !is_none(reader, at.cells) } else { reader.bits(at.plain, 1) != 0 };
        if !present {
            return <T::Mode as Mode>::pure(None);
        }
        let inner = T::decode(reader, at.part(T::LAYOUT.option_value(T::NICHE)));
        <T::Mode as Mode>::map(inner, Some)
    }
}

/// Whether a cell holds `None`.
#[inline]
fn is_none(source: &impl Source, cell: usize) -> bool {
    source.reader().is_ok_and(|reader| reader.is_none(cell))
}

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

impl<T: Shared> Shared for Vec<T> {
    type Get = VecRef<T>;
    type Mode = Checked;
    const LAYOUT: Layout = {
        vector::check::<T>();
        Layout::CELL
    };
    const TYPE: &'static TypeInfo = &TypeInfo::Vec(T::TYPE);
    const NICHE: bool = true;

    fn get(slot: &Slot, place: Place) -> VecRef<T> {
        VecRef::new(slot.clone(), place)
    }

    fn encode(&self, image: &mut impl Sink, at: Place) {
        if let Some(image) = image.image() {
            image.part(at.cells, vector::part(self));
        }
    }

    fn decode(reader: &impl Source, at: Place) -> Result<Self> {
        vector::decode(reader.reader()?, at)
    }
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

macro_rules! tuples {
    ($(($($part:ident $index:tt),+);)*) => {$(
        impl<$($part: Shared),+> Shared for ($($part,)+) {
            type Get = Result<Self>;
            type Mode = Checked;
            const LAYOUT: Layout = Plan::new([$($part::LAYOUT),+]).layout;
            const TYPE: &'static TypeInfo = &TypeInfo::Tuple(&[$($part::TYPE),+]);

            fn get(slot: &Slot, place: Place) -> Self::Get {
                slot.read(place)
            }

            fn encode(&self, image: &mut impl Sink, at: Place) {
                let plan = const { Plan::new([$($part::LAYOUT),+]) };
                $(self.$index.encode(image, at.part(plan.places[$index]));)+
            }

            fn decode(reader: &impl Source, at: Place) -> Result<Self> {
                let plan = const { Plan::new([$($part::LAYOUT),+]) };
                Ok(($($part::take(reader, at.part(plan.places[$index]))?,)+))
            }
        }
    )*};
}
tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
}

/// Only a corrupt segment, or one written by hand, has another type in a field than its schema.
pub(crate) fn mistyped(expected: &str, found: &Value) -> Error {
    Error::WrongType { what: format!("a field of type {expected} holds a {}", found.type_name()) }
}
