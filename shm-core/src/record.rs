//! Typed structs seen through their stored schema: fields by name or position, values of any type.
//!
//! Handle. What Python uses, and what a Rust struct's handle turns into. It needs no code for the
//! type: the schema that the segment keeps says names, types and places. Each method is one atomic
//! operation; values are checked against the field's type before anything changes.

use std::sync::Arc;

use crate::cell::Cell;
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::object;
use crate::list::List;
use crate::payload::Image;
use crate::schema::{Field, Place, Schema};
use crate::shared::Struct;
use crate::slot::Slot;
use crate::value::Value;
use crate::view::View;

mod change;
mod convert;
mod show;
mod vector;

pub(crate) use convert::{Elements, Step};
pub use vector::Vector;

/// Handle. A typed struct in a segment, or a struct inside of one.
///
/// ```no_run
/// # fn show(record: &shm_core::Record) -> shm_core::Result<()> {
/// for field in record.schema().fields() {
///     println!("{}: {} = {:?}", field.name(), field.ty(), record.get(field.name())?);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Record {
    slot: Slot,
    schema: Arc<Schema>,
}

/// Makes a struct from a private one; its schema is stored with the first of its name.
pub(crate) fn alloc<T: Struct>(heap: &Heap, value: &T) -> Result<T::Ref> {
    let defaults = |index| T::INFO.has_default(index);
    let entry = Schema::register(heap, T::INFO.fingerprint, || T::INFO.schema(), defaults)?;
    let mut image = Image::new(T::LAYOUT);
    value.encode(&mut image, Place::START);
    Ok(T::attach(Slot::create(heap, entry, T::LAYOUT, &image)?))
}

impl Record {
    /// Makes a struct of these values, one for each field in order; its schema is stored with the
    /// first of its name.
    ///
    /// # Errors
    /// `WrongType` or `InvalidArgument` for a value that does not fit its field, `SchemaMismatch`
    /// if the segment has another schema of that name, `SegmentFull`.
    pub fn create(heap: &Heap, schema: &Arc<Schema>, values: &[Value]) -> Result<Record> {
        let image = convert::whole(schema, values)?;
        let entry = Schema::register(heap, schema.fingerprint(), || Arc::clone(schema), |_| false)?;
        let slot = Slot::create(heap, entry, schema.layout(), &image)?;
        Ok(Record { slot, schema: Arc::clone(schema) })
    }

    pub(crate) fn new(slot: Slot, schema: Arc<Schema>) -> Self {
        Record { slot, schema }
    }

    /// The struct that an object is. Call inside of a validated read or under the writer lock.
    pub(crate) fn from_object(object: Object) -> Result<Record> {
        let heap = object.heap();
        let schema = Schema::at(heap, Cell(heap.load(object.at() + object::W1)?))?;
        let cells = schema.layout().cells;
        Ok(Record { slot: Slot::whole(object, cells), schema })
    }

    /// The object that it is, or is a part of.
    pub(crate) fn object(&self) -> &Object {
        self.slot.object()
    }

    /// The object to store a reference to.
    pub(crate) fn storable(&self) -> Result<&Object> {
        if self.slot.is_whole() {
            return Ok(self.slot.object());
        }
        Err(Error::InvalidArgument {
            what: format!(
                "this {:?} is a part of another struct and cannot be stored by itself: store the \
                 outer struct, or make a new one of its values",
                self.schema.name()
            ),
        })
    }

    /// Names, types and places of its fields.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// The segment that it lies in.
    #[must_use]
    pub fn heap(&self) -> &Heap {
        self.slot.object().heap()
    }

    /// Whether it is a part of another struct: then it cannot be stored by itself.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        !self.slot.is_whole()
    }

    /// Its identity, which any process can turn into a handle.
    ///
    /// # Errors
    /// If it is a part of another struct.
    pub fn id(&self) -> Result<u64> {
        Ok(self.storable()?.id())
    }

    /// Changes with each change of the whole struct; odd while one is under way.
    ///
    /// # Errors
    /// `Closed`.
    pub fn version(&self) -> Result<u64> {
        self.slot.object().heap().load(self.slot.object().at() + crate::layout::object::SEQ)
    }

    /// Whether both are the same struct in the same segment.
    #[must_use]
    pub fn is_same(&self, other: &Record) -> bool {
        self.slot.object() == other.slot.object() && self.slot.base() == other.slot.base()
    }

    /// A copy of the struct as a `T`.
    pub(crate) fn load<T: Struct>(&self) -> Result<T> {
        self.typed::<T>()?.load()
    }

    /// The typed handle.
    ///
    /// # Errors
    /// `SchemaMismatch` if `T` has other fields, listing them side by side.
    pub fn cast<T: Struct>(&self) -> Result<T::Ref> {
        self.typed::<T>().map(T::attach)
    }

    /// The place for a type's handle.
    fn typed<T: Struct>(&self) -> Result<Slot> {
        if self.schema.fingerprint() == T::INFO.fingerprint && self.schema.layout() == T::LAYOUT {
            return Ok(self.slot.clone());
        }
        let here = T::INFO.schema();
        let defaults = |index| T::INFO.has_default(index);
        if self.schema.name() == here.name()
            && self.slot.is_whole()
            && let Some(view) = View::new(&self.schema, &here, defaults)
        {
            return Ok(self.slot.viewed(view, T::LAYOUT));
        }
        Err(self.schema.mismatch(&here))
    }

    /// A field.
    ///
    /// # Errors
    /// `UnknownField`, which lists the fields; `Closed`, `SegmentCorrupt`.
    pub fn get(&self, field: &str) -> Result<Value> {
        self.get_at(self.index(field)?)
    }

    /// A field by its position.
    ///
    /// # Errors
    /// As [`get`](Self::get); `IndexOutOfRange`.
    pub fn get_at(&self, index: usize) -> Result<Value> {
        let field = self.field(index)?;
        if let Some(scalar) = field.ty().scalar()
            && scalar.size() <= 8
            && let Some(bits) = self.slot.quick_bits(field.place(), scalar.size())
        {
            return Ok(convert::scalar_value(scalar, u128::from(bits)));
        }
        let at = self.slot.base().part(field.place());
        self.slot.look(|reader| convert::decode(Some(&self.slot), reader, field.ty(), at))
    }

    /// All fields, as they were at one moment.
    ///
    /// # Errors
    /// `Closed`, `SegmentCorrupt`.
    pub fn values(&self) -> Result<Vec<Value>> {
        self.slot.look(|reader| {
            let fields = self.schema.fields().iter();
            let place = |field: &Field| self.slot.base().part(field.place());
            fields.map(|f| convert::decode(Some(&self.slot), reader, f.ty(), place(f))).collect()
        })
    }

    fn index(&self, field: &str) -> Result<usize> {
        self.schema.index_of(field).ok_or_else(|| self.schema.unknown_field(field))
    }

    fn field(&self, index: usize) -> Result<&Field> {
        self.schema.fields().get(index).ok_or_else(|| Error::IndexOutOfRange {
            what: "struct",
            index: i64::try_from(index).unwrap_or(i64::MAX),
            len: self.schema.fields().len() as u64,
        })
    }
}

impl List {
    /// The typed struct at an index.
    ///
    /// # Errors
    /// `SchemaMismatch` if it has other fields, naming them; `WrongType` if it is no struct.
    pub fn get_as<T: Struct>(&self, index: usize) -> Result<Option<T::Ref>> {
        self.get(index)?.map(typed::<T>).transpose()
    }
}

fn typed<T: Struct>(value: Value) -> Result<T::Ref> {
    match value {
        Value::Record(record) => record.cast::<T>(),
        other => Err(Error::WrongType {
            what: format!(
                "this is no {:?} but a value of type {}",
                T::NAME.text(),
                other.type_name()
            ),
        }),
    }
}
