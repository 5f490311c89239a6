//! The traits behind `#[derive(Shared)]`: what can be a field, and what is a struct.
//!
//! [`Shared`] is implemented in `scalar` for numbers, `bool`, `char` and times, in `composed` for arrays,
//! tuples, `Option` and `Vec`, in `dynamic` for `String`, maps, [`Value`] and the containers, and by the
//! derive for structs and enums. Its items are hidden: they may change, and only generated code names them.
//!
//! Getters of *bare* types (numbers, `bool`, `char`, arrays and options of them) return the value
//! itself. If the segment was closed, or a stopped process holds the struct, such a getter returns
//! the bits that are there; the `try_` form tells the error. All other getters return a `Result`.

use std::fmt::Debug;

use crate::error::{Error, Result};
use crate::payload::{Fixed, Sink, Source};
use crate::record::Record;
use crate::schema::{Layout, NameInfo, Place, StructInfo, TypeInfo};
use crate::slot::Slot;
use crate::value::Value;

mod composed;
mod dynamic;
mod scalar;

pub use dynamic::Item;
pub use scalar::Bits;
pub(crate) use scalar::Integer;

/// A type that can be a field of a shared struct; `#[derive(Shared)]` makes a struct one.
///
/// These are: all numbers of fixed width, `bool`, `char`, `Duration`, `SystemTime`, `String`,
/// [`Value`], [`List`](crate::List), [`Dict`](crate::Dict), [`Set`](crate::Set),
/// [`ByteArray`](crate::ByteArray), [`Link`](crate::Link)s to other structs,
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
    /// Why it is no field after all, where only sizes tell.
    #[doc(hidden)]
    const FAULT: Option<&'static str> = None;

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

/// The first part that is no field.
#[must_use]
pub const fn first_fault(parts: &[Option<&'static str>]) -> Option<&'static str> {
    let mut index = 0;
    while index < parts.len() {
        if parts[index].is_some() {
            return parts[index];
        }
        index += 1;
    }
    None
}

/// Fails the build if a type is no field: with its reason, at the place of the call.
///
/// # Panics
/// At compile time, if it is none.
#[track_caller]
pub const fn assert_no_fault(fault: Option<&'static str>) {
    if let Some(text) = fault {
        panic!("{}", text);
    }
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

/// Only a corrupt segment, or one written by hand, has another type in a field than its schema. Which field it is, who
/// reads it adds ([`Reader::named`](crate::payload::Reader::named)).
#[cold]
pub(crate) fn mistyped(expected: &str, found: &Value) -> Error {
    Error::WrongType {
        what: format!(
            "a value of type {expected} is expected, one of type {} is there",
            found.type_name()
        ),
    }
}
