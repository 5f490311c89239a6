//! References from one typed struct to another: what makes lists, trees and graphs of structs.
//!
//! Handle. A link keeps the struct that it names alive, in the segment as in this process. In the
//! segment it is one counted cell; its type is the name of the other struct's schema, so that a
//! struct can refer to its own kind. Whether the fields are as expected is seen when the link is
//! followed. Cycles of links keep each other alive: break them, or let the collector find them.

use std::fmt;
use std::marker::PhantomData;

use crate::error::Result;
use crate::payload::{Sink, Source};
use crate::record::Record;
use crate::schema::{Layout, Place, TypeInfo};
use crate::shared::{Checked, Shared, Struct, mistyped};
use crate::slot::Slot;
use crate::value::Value;

/// Handle. A reference to a typed struct, as a field of another one.
///
/// `Option<Link<T>>` is a link or none. A link is made of the handle: `Link::new(&handle)`, or
/// `handle.into()`.
pub struct Link<T> {
    record: Record,
    to: PhantomData<fn() -> T>,
}

impl<T: Struct> Link<T> {
    /// A link to this struct.
    #[must_use]
    pub fn new(target: &T::Ref) -> Self {
        Link { record: target.clone().into(), to: PhantomData }
    }

    /// The handle of the struct.
    ///
    /// # Errors
    /// `SchemaMismatch` if its stored fields are not those of `T`.
    pub fn get(&self) -> Result<T::Ref> {
        self.record.cast::<T>()
    }

    /// A copy of the struct.
    ///
    /// # Errors
    /// As [`get`](Self::get), and what reading can give.
    pub fn load(&self) -> Result<T> {
        self.record.load::<T>()
    }
}

impl<T> Link<T> {
    /// The struct, seen through its schema.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }
}

impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        Link { record: self.record.clone(), to: PhantomData }
    }
}

/// Whether both name the same struct.
impl<T> PartialEq for Link<T> {
    fn eq(&self, other: &Self) -> bool {
        self.record.is_same(&other.record)
    }
}

impl<T> Eq for Link<T> {}

impl<T> fmt::Debug for Link<T> {
    /// Shows what it refers to by name alone: what links lead to may be a cycle.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({:?}", self.record.schema().name())?;
        if let Ok(id) = self.record.id() {
            write!(f, " {id:#x}")?;
        }
        f.write_str(")")
    }
}

impl<T: Struct> Shared for Link<T> {
    type Get = Result<Link<T>>;
    type Mode = Checked;
    const LAYOUT: Layout = Layout::CELL;
    const TYPE: &'static TypeInfo = &TypeInfo::Link(T::NAME);
    const NICHE: bool = true;

    fn get(slot: &Slot, place: Place) -> Result<Self> {
        slot.read(place)
    }

    fn encode(&self, image: &mut impl Sink, at: Place) {
        if let Some(image) = image.image() {
            image.cell(at.cells, Value::Record(self.record.clone()));
        }
    }

    fn decode(reader: &impl Source, at: Place) -> Result<Self> {
        let reader = reader.reader()?;
        match reader.value(at.cells)? {
            Value::Record(record) => Ok(Link { record, to: PhantomData }),
            other => Err(reader.named(at.cells, mistyped("link", &other))),
        }
    }
}
