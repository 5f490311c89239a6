//! Typed structs seen through their stored schema: fields by name or position, values of any type.
//!
//! Handle. What Python uses, and what a Rust struct's handle turns into. It needs no code for the
//! type: the schema that the segment keeps says names, types and places. Each method is one atomic
//! operation; values are checked against the field's type before anything changes.

use std::fmt;
use std::sync::Arc;

use crate::cell::Cell;
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::object;
use crate::list::List;
use crate::payload::{Fixed, Image, Seen};
use crate::schema::{Field, Place, Schema};
use crate::shared::Struct;
use crate::slot::{Slot, back_off, fixed_fields};
use crate::value::Value;
use crate::view::View;

mod convert;
mod vector;

pub use vector::Vector;

/// How deep structs are compared: what they refer to may be a cycle.
const MAX_EQUAL_DEPTH: u32 = 64;

thread_local! {
    /// How deep this thread is in a comparison.
    static EQUAL_DEPTH: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// How many characters of a value `Debug` shows.
const SHOWN: usize = 200;

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
        self.slot.look(|reader| convert::decode(&self.slot, reader, field.ty(), at))
    }

    /// All fields, as they were at one moment.
    ///
    /// # Errors
    /// `Closed`, `SegmentCorrupt`.
    pub fn values(&self) -> Result<Vec<Value>> {
        self.slot.look(|reader| {
            let fields = self.schema.fields().iter();
            let place = |field: &Field| self.slot.base().part(field.place());
            fields.map(|f| convert::decode(&self.slot, reader, f.ty(), place(f))).collect()
        })
    }

    /// Sets a field.
    ///
    /// # Errors
    /// `WrongType` for a value of another type or a read-only field, `InvalidArgument` for a number
    /// out of range, `UnknownField`, which lists the fields; then nothing has changed.
    pub fn set(&self, field: &str, value: impl Into<Value>) -> Result<()> {
        self.set_at(self.index(field)?, value)
    }

    /// Sets a field by its position.
    ///
    /// # Errors
    /// As [`set`](Self::set); `IndexOutOfRange`.
    pub fn set_at(&self, index: usize, value: impl Into<Value>) -> Result<()> {
        let field = self.writable(index)?;
        let value = value.into();
        let at = field.place();
        if let Some(scalar) = field.ty().scalar() {
            let bits = convert::scalar_bits(&self.schema, field, scalar, &value)?;
            return self.slot.write_bits(at, scalar.size(), bits);
        }
        let image = convert::field(&self.schema, field, &value)?;
        self.put(field, &image, None).map(drop)
    }

    /// Adds to a field as `+=` does, and returns the sum.
    ///
    /// # Errors
    /// As [`set`](Self::set); `InvalidArgument` if the sum is out of the field's range.
    pub fn add(&self, field: &str, delta: impl Into<Value>) -> Result<Value> {
        self.add_at(self.index(field)?, delta)
    }

    /// Adds to a field by its position.
    ///
    /// # Errors
    /// As [`add`](Self::add); `IndexOutOfRange`.
    pub fn add_at(&self, index: usize, delta: impl Into<Value>) -> Result<Value> {
        let field = self.writable(index)?;
        let delta = delta.into();
        if let Some(scalar) = field.ty().scalar() {
            let sum = |bits| {
                let sum = convert::scalar_value(scalar, bits).add(&delta)?;
                let bits = convert::scalar_bits(&self.schema, field, scalar, &sum)?;
                Ok((sum, bits))
            };
            let old = self.slot.change_bits(field.place(), scalar.size(), |old| Ok(sum(old)?.1))?;
            return Ok(sum(old)?.0);
        }
        self.modify(field, |old| old.add(&delta).map(Some))?
            .ok_or_else(|| Error::InvalidArgument { what: "nothing was added".to_owned() })
    }

    /// Sets a field if it equals `old`; whether it did.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn compare_exchange(
        &self,
        field: &str,
        old: &Value,
        new: impl Into<Value>,
    ) -> Result<bool> {
        self.compare_exchange_at(self.index(field)?, old, new)
    }

    /// Sets a field, by its position, if it equals `old`; whether it did.
    ///
    /// # Errors
    /// As [`set`](Self::set); `IndexOutOfRange`.
    pub fn compare_exchange_at(
        &self,
        index: usize,
        old: &Value,
        new: impl Into<Value>,
    ) -> Result<bool> {
        let field = self.writable(index)?;
        let new = new.into();
        // A value that does not fit is an error whatever the field holds.
        convert::field(&self.schema, field, &new)?;
        let done = self.modify(field, |now| Ok((now == *old).then(|| new.clone())))?;
        Ok(done.is_some())
    }

    /// Sets all fields at once.
    ///
    /// # Errors
    /// As [`set`](Self::set); a read-only field may be given as it is.
    pub fn replace(&self, values: &[Value]) -> Result<()> {
        let fixed = fixed_fields(&self.schema);
        let image = convert::whole(&self.schema, values)?;
        let layout = self.schema.layout();
        let mut attempt = 0;
        loop {
            let seen = self.slot.look(|reader| self.slot.seen(reader, Place::START, layout))?;
            let at = self.slot.base();
            if self.slot.target(at, self.schema.name(), &fixed, Some(&seen)).put(&image)? {
                return Ok(());
            }
            back_off(&mut attempt);
        }
    }

    /// Sets several fields at once; the others keep what they have.
    ///
    /// # Errors
    /// As [`set`](Self::set); then nothing has changed.
    pub fn set_many(&self, changes: &[(usize, Value)]) -> Result<()> {
        for (index, _) in changes {
            self.writable(*index)?;
        }
        let fixed = fixed_fields(&self.schema);
        let layout = self.schema.layout();
        let at = self.slot.base();
        let mut attempt = 0;
        loop {
            let ((mut seen, mut values), owned) = self.slot.look_inside(|reader| {
                let seen = self.slot.seen(reader, Place::START, layout)?;
                let fields = self.schema.fields().iter();
                let values = fields.map(|field| {
                    convert::decode(&self.slot, reader, field.ty(), at.part(field.place()))
                });
                Ok((seen, values.collect::<Result<Vec<Value>>>()?))
            })?;
            seen.owned = owned;
            for (index, value) in changes {
                if let Some(room) = values.get_mut(*index) {
                    room.clone_from(value);
                }
            }
            let image = convert::whole(&self.schema, &values)?;
            if self.slot.target(at, self.schema.name(), &fixed, Some(&seen)).put(&image)? {
                return Ok(());
            }
            back_off(&mut attempt);
        }
    }

    /// Replaces a field by what `change` makes of it, unless that is nothing.
    fn modify(
        &self,
        field: &Field,
        change: impl Fn(Value) -> Result<Option<Value>>,
    ) -> Result<Option<Value>> {
        let at = self.slot.base().part(field.place());
        let mut attempt = 0;
        loop {
            let (seen, old) = self.slot.look(|reader| {
                let seen = self.slot.seen(reader, field.place(), field.layout())?;
                Ok((seen, convert::decode(&self.slot, reader, field.ty(), at)?))
            })?;
            let Some(new) = change(old)? else { return Ok(None) };
            let image = convert::field(&self.schema, field, &new)?;
            if self.put(field, &image, Some(&seen))? {
                return Ok(Some(new));
            }
            back_off(&mut attempt);
        }
    }

    fn put(&self, field: &Field, image: &Image, seen: Option<&Seen>) -> Result<bool> {
        let at = self.slot.base().part(field.place());
        self.slot.target(at, self.schema.name(), &[], seen).put(image)
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

    fn writable(&self, index: usize) -> Result<&Field> {
        let field = self.field(index)?;
        if !field.readonly() {
            return Ok(field);
        }
        let fixed = Fixed::new(field.name(), field.place(), field.layout());
        Err(fixed.refuse(self.schema.name()))
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

impl PartialEq for Record {
    /// The same struct, or same schema and equal values, where links are equal if they lead to the
    /// same struct. Structs that cannot be read, or are nested too deeply, equal nothing else.
    fn eq(&self, other: &Self) -> bool {
        if self.is_same(other) {
            return true;
        }
        let depth = EQUAL_DEPTH.get();
        if self.schema != other.schema || depth == MAX_EQUAL_DEPTH {
            return false;
        }
        let (Ok(mine), Ok(theirs)) = (self.values(), other.values()) else { return false };
        EQUAL_DEPTH.set(depth + 1);
        let same = mine.iter().zip(&theirs).all(|pair| match pair {
            (Value::Record(mine), Value::Record(theirs)) if !mine.is_nested() => {
                mine.is_same(theirs)
            }
            (mine, theirs) => mine == theirs,
        });
        EQUAL_DEPTH.set(depth);
        same
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(self.schema.name(), f)
    }
}

impl Record {
    /// Shows the fields as of one moment, bounded.
    pub(crate) fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = match self.values() {
            Ok(values) => values,
            Err(error) => return write!(f, "{name} {{ <{error}> }}"),
        };
        let mut shown = f.debug_struct(name);
        for (field, value) in self.schema.fields().iter().zip(values) {
            shown.field(field.name(), &Bounded(&value));
        }
        shown.finish()
    }
}

/// A value as in Rust source, cut after [`SHOWN`] characters.
struct Bounded<'v>(&'v Value);

impl fmt::Debug for Bounded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            Value::None => "None".to_owned(),
            Value::Bool(value) => format!("{value:?}"),
            Value::Int(value) => format!("{value:?}"),
            Value::BigInt(value) => value.to_string(),
            Value::Float(value) => format!("{value:?}"),
            Value::Str(value) => format!("{value:?}"),
            Value::Tuple(items) => {
                let items: Vec<Bounded<'_>> = items.iter().take(SHOWN).map(Bounded).collect();
                format!("{items:?}")
            }
            // What references lead to may be a cycle.
            Value::Record(record) if !record.is_nested() => {
                format!("{}({:#x})", record.schema.name(), record.id().unwrap_or_default())
            }
            other => format!("{other:?}"),
        };
        if text.chars().nth(SHOWN).is_some() {
            let cut: String = text.chars().take(SHOWN).collect();
            return write!(f, "{cut}...");
        }
        f.write_str(&text)
    }
}
