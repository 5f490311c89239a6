//! Between values and fields: what a field holds as a value, and a value as what a field holds.
//!
//! The types are strict as in the derive, with four allowances for Python: an int fits a float
//! field, a list fits an array field as a tuple does, a tuple of its fields fits a struct, and a numpy
//! scalar or a member of an `IntEnum` or a `StrEnum` fits as the number or text that it is.

use num_bigint::BigInt;

use crate::error::{Error, Result};
use crate::payload::{Image, Part, Reader, Sink, Source};
use crate::record::Record;
use crate::schema::{Field, FieldType, Layout, Place, Scalar, Schema, Variants};
use crate::slot::Slot;
use crate::value::Value;
use crate::vector;

/// Most elements of arrays that are read into one value.
const MAX_ELEMENTS: u64 = 1 << 26;
/// Most bytes of a vector that is made of values.
const MAX_BYTES: usize = 1 << 32;
/// Nanoseconds of a second.
const NANOS: i128 = 1_000_000_000;

/// What a place holds.
pub(super) fn decode(slot: &Slot, reader: &Reader<'_>, ty: &FieldType, at: Place) -> Result<Value> {
    if let Some(scalar) = ty.scalar() {
        return Ok(scalar_value(scalar, reader.bits(at.plain, scalar.size())));
    }
    Ok(match ty {
        FieldType::Array(element, len) => {
            let layout = layout_of(element)?;
            if *len > MAX_ELEMENTS {
                return Err(Error::InvalidArgument {
                    what: format!("an array of {len} elements is too long for one value"),
                });
            }
            let mut items = Vec::new();
            for index in 0..*len as usize {
                items.push(decode(slot, reader, element, at.element(layout, index))?);
            }
            Value::Tuple(items)
        }
        FieldType::Option(inner) => {
            let niche = inner.has_niche();
            let absent =
                if niche { reader.is_none(at.cells) } else { reader.bits(at.plain, 1) == 0 };
            if absent {
                return Ok(Value::None);
            }
            decode(slot, reader, inner, at.part(layout_of(inner)?.option_value(niche)))?
        }
        FieldType::Struct(schema) => {
            Value::Record(Record::new(slot.at_base(at), std::sync::Arc::clone(schema)))
        }
        FieldType::Vec(element) => match vector::bytes_in(reader, at)? {
            Some(span) => Value::Tuple(elements(slot, reader, element, &span, 0, usize::MAX)?),
            None => reader.value(at.cells)?,
        },
        FieldType::Tuple(parts) => {
            let mut layout = Layout::EMPTY;
            let mut items = Vec::with_capacity(parts.len());
            for part in parts {
                let (place, whole) = next_place(layout, part)?;
                layout = whole;
                items.push(decode(slot, reader, part, at.part(place))?);
            }
            Value::Tuple(items)
        }
        FieldType::Enum(variants) => {
            let bits = reader.bits(at.plain, variants.tag().size());
            let Some(variant) = variants.of_bits(bits) else {
                return Err(reader
                    .heap()
                    .corrupt(format!("an enum {:?} has the number {bits}", variants.name())));
            };
            let name = Value::from(variant.name());
            if variant.fields().is_empty() {
                return Ok(name);
            }
            let mut items = vec![name];
            for field in variant.fields() {
                items.push(decode(slot, reader, field.ty(), at.part(field.place()))?);
            }
            Value::Tuple(items)
        }
        _ => reader.value(at.cells)?,
    })
}

/// The elements of a dense vector, as values of their own.
pub(super) fn elements(
    slot: &Slot,
    reader: &Reader<'_>,
    element: &FieldType,
    span: &vector::Bytes,
    start: usize,
    limit: usize,
) -> Result<Vec<Value>> {
    let layout = layout_of(element)?;
    if layout.size == 0 || span.len as u64 > MAX_ELEMENTS * 16 {
        return Err(reader.heap().corrupt("a vector is too long for one value"));
    }
    reader.inside(span.at, |heap| {
        let bytes = Reader::at(heap, span.block);
        let count = (span.len / layout.size).saturating_sub(start).min(limit);
        let mut items = Vec::new();
        for index in start..start + count {
            let item = decode(slot, &bytes, element, Place::START.element(layout, index))?;
            items.push(detached(&bytes, item, element, Place::START.element(layout, index))?);
        }
        bytes.finish()?;
        Ok(items)
    })
}

/// A struct inside of a vector has no handle: it is a tuple of its fields.
fn detached(reader: &Reader<'_>, item: Value, ty: &FieldType, at: Place) -> Result<Value> {
    let (Value::Record(record), FieldType::Struct(schema)) = (&item, ty) else { return Ok(item) };
    let fields = schema.fields().iter().map(|field| {
        let place = at.part(field.place());
        let value = decode(record.slot(), reader, field.ty(), place)?;
        detached(reader, value, field.ty(), place)
    });
    Ok(Value::Tuple(fields.collect::<Result<_>>()?))
}

/// An image of a whole struct.
pub(super) fn whole(schema: &Schema, values: &[Value]) -> Result<Image> {
    let mut image = Image::new(schema.layout());
    put_fields(schema, values, &mut image, Place::START)?;
    Ok(image)
}

/// An image of one field.
pub(super) fn field(schema: &Schema, field: &Field, value: &Value) -> Result<Image> {
    let mut image = Image::new(field.layout());
    put(&At { schema, field }, field.ty(), value, &mut image, Place::START)?;
    Ok(image)
}

/// The bits of one scalar field.
pub(super) fn scalar_bits(
    schema: &Schema,
    field: &Field,
    scalar: Scalar,
    value: &Value,
) -> Result<u128> {
    bits_of(&At { schema, field }, scalar, value)
}

/// Which field a message is about.
struct At<'a> {
    schema: &'a Schema,
    field: &'a Field,
}

impl At<'_> {
    fn wrong_type(&self, expected: &str, found: &Value) -> Error {
        let found = match found {
            Value::Record(record) => format!("a {:?}", record.schema().name()),
            other => other.type_name().to_owned(),
        };
        Error::WrongType {
            what: format!(
                "field {:?} of {:?} is {} and takes {expected}, not {found}",
                self.field.name(),
                self.schema.name(),
                self.field.ty()
            ),
        }
    }

    fn out_of_range(&self, range: &str, found: &dyn std::fmt::Display) -> Error {
        let found: String = found.to_string().chars().take(50).collect();
        Error::InvalidArgument {
            what: format!(
                "field {:?} of {:?} is {} and takes {range}, not {found}",
                self.field.name(),
                self.schema.name(),
                self.field.ty()
            ),
        }
    }
}

fn put_fields(schema: &Schema, values: &[Value], image: &mut Image, at: Place) -> Result<()> {
    if values.len() != schema.fields().len() {
        return Err(Error::WrongType {
            what: format!(
                "{:?} has {} fields ({}), not {}",
                schema.name(),
                schema.fields().len(),
                schema.field_names(),
                values.len()
            ),
        });
    }
    for (field, value) in schema.fields().iter().zip(values) {
        put(&At { schema, field }, field.ty(), value, image, at.part(field.place()))?;
    }
    Ok(())
}

fn put(which: &At<'_>, ty: &FieldType, value: &Value, image: &mut Image, at: Place) -> Result<()> {
    if let Some(scalar) = ty.scalar() {
        image.bits(at.plain, scalar.size(), bits_of(which, scalar, value)?);
        return Ok(());
    }
    match (ty, value) {
        (FieldType::Str, Value::Extended(part)) if part.as_value().is_some() => {
            put(which, ty, part.as_value().unwrap_or(value), image, at)?;
        }
        (FieldType::Array(element, len), _) => {
            let items = items_of(which, value)?;
            if items.len() as u64 != *len {
                return Err(which.out_of_range(&format!("{len} elements"), &items.len()));
            }
            let layout = layout_of(element)?;
            for (index, item) in items.iter().enumerate() {
                put(which, element, item, image, at.element(layout, index))?;
            }
        }
        // An image starts as zeros and `None`: that is an absent value in both forms.
        (FieldType::Option(_), Value::None) => {}
        (FieldType::Option(inner), value) => {
            if !inner.has_niche() {
                image.bits(at.plain, 1, 1);
            }
            let place = at.part(layout_of(inner)?.option_value(inner.has_niche()));
            put(which, inner, value, image, place)?;
        }
        (FieldType::Struct(schema), Value::Record(record)) if record.schema() == schema => {
            put_fields(schema, &record.values()?, image, at)?;
        }
        (FieldType::Struct(schema), Value::Tuple(values)) => {
            put_fields(schema, values, image, at)?;
        }
        (FieldType::Struct(schema), other) => {
            let expected = format!("a {:?} or a tuple of its fields", schema.name());
            return Err(which.wrong_type(&expected, other));
        }
        (FieldType::Tuple(parts), value) => {
            let items = items_of(which, value)?;
            if items.len() != parts.len() {
                return Err(which.out_of_range(&format!("{} parts", parts.len()), &items.len()));
            }
            let mut layout = Layout::EMPTY;
            for (part, item) in parts.iter().zip(items.iter()) {
                let (place, whole) = next_place(layout, part)?;
                layout = whole;
                put(which, part, item, image, at.part(place))?;
            }
        }
        (FieldType::Enum(variants), value) => put_variant(which, variants, value, image, at)?,
        (FieldType::Vec(element), Value::ByteArray(array)) => {
            // The elements of a vector of vectors, as they are.
            let (layout, bytes) = (layout_of(element)?, array.to_vec()?);
            if layout.cells > 0 || layout.size == 0 || !bytes.len().is_multiple_of(layout.size) {
                return Err(which.wrong_type("a tuple or list", value));
            }
            image.part(at.cells, Part::Dense(bytes));
        }
        (FieldType::Vec(element), value) => {
            let items = sequence_of(which, value)?;
            image.part(at.cells, vector(which, element, &items)?);
        }
        (FieldType::Map(key, value), Value::Dict(dict)) => {
            let entries = dict.to_vec()?;
            for (k, v) in &entries {
                single(which, key, k)?;
                single(which, value, v)?;
            }
            image.part(at.cells, Part::Entries(entries));
        }
        (FieldType::Link(name), Value::Record(record)) => {
            if record.schema().name() != name {
                return Err(which.wrong_type(&format!("a {name:?}"), value));
            }
            image.cell(at.cells, value.clone());
        }
        (FieldType::Str, Value::Str(_))
        | (FieldType::Set, Value::Set(_))
        | (FieldType::ByteArray, Value::ByteArray(_))
        | (FieldType::List, Value::List(_))
        | (FieldType::Dict, Value::Dict(_))
        | (FieldType::Value, _) => image.cell(at.cells, value.clone()),
        (FieldType::Str, Value::Wtf8(_)) => {
            return Err(which.out_of_range("text without lone surrogates", &"such"));
        }
        (FieldType::List, other) => return Err(which.wrong_type("a shared list", other)),
        (FieldType::Dict, other) => return Err(which.wrong_type("a shared dict", other)),
        (ty, other) => return Err(which.wrong_type(&ty.to_string(), other)),
    }
    Ok(())
}

/// The bytes or cells of a vector.
fn vector(which: &At<'_>, element: &FieldType, items: &[Value]) -> Result<Part> {
    let layout = layout_of(element)?;
    if layout.cells == 0 {
        let size = layout.size.checked_mul(items.len()).filter(|size| *size < MAX_BYTES);
        let Some(size) = size else {
            return Err(which.out_of_range("fewer elements", &items.len()));
        };
        let mut image = Image::new(Layout { size, ..layout });
        for (index, item) in items.iter().enumerate() {
            put(which, element, item, &mut image, Place::START.element(layout, index))?;
        }
        return Ok(Part::Dense(image.into_parts().0));
    }
    let parts = items.iter().map(|item| single(which, element, item));
    Ok(Part::Items(parts.collect::<Result<_>>()?))
}

/// The bytes of a dense vector that is a field.
pub(super) fn dense(
    schema: &Schema,
    field: &Field,
    element: &FieldType,
    items: &[Value],
) -> Result<Vec<u8>> {
    match vector(&At { schema, field }, element, items)? {
        Part::Dense(bytes) => Ok(bytes),
        _ => Ok(Vec::new()),
    }
}

/// What a cell of a list or dict of this type holds.
fn single(which: &At<'_>, ty: &FieldType, value: &Value) -> Result<Part> {
    let layout = layout_of(ty)?;
    let mut image = Image::new(layout);
    put(which, ty, value, &mut image, Place::START)?;
    Ok(image.into_parts().1.pop().unwrap_or_else(|| Part::Value(value.clone())))
}

/// A variant is its name, or a tuple of its name and its fields.
fn put_variant(
    which: &At<'_>,
    variants: &Variants,
    value: &Value,
    image: &mut Image,
    at: Place,
) -> Result<()> {
    let items = match value {
        Value::Tuple(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    let expected = || format!("one of {}", variants.variant_names());
    let Some((Value::Str(name), values)) = items.split_first() else {
        return Err(which.wrong_type(&expected(), value));
    };
    let Some(variant) = variants.variants().iter().find(|variant| variant.name() == name) else {
        return Err(which.out_of_range(&expected(), name));
    };
    if values.len() != variant.fields().len() {
        let count = format!("{} values for {name}", variant.fields().len());
        return Err(which.out_of_range(&count, &values.len()));
    }
    image.bits(at.plain, variants.tag().size(), variant.value() as u128);
    for (field, value) in variant.fields().iter().zip(values) {
        put(which, field.ty(), value, image, at.part(field.place()))?;
    }
    Ok(())
}

/// Where a tuple's next part lies, and the room for all so far.
fn next_place(layout: Layout, part: &FieldType) -> Result<(Place, Layout)> {
    layout.checked_then(layout_of(part)?).ok_or_else(|| Error::InvalidArgument {
        what: format!("{part} is larger than any segment"),
    })
}

/// The elements of what a vector is set to.
fn sequence_of<'v>(which: &At<'_>, value: &'v Value) -> Result<std::borrow::Cow<'v, [Value]>> {
    match value {
        Value::Bytes(bytes) => Ok(bytes.iter().map(|byte| Value::from(*byte)).collect()),
        other => items_of(which, other),
    }
}

fn items_of<'v>(which: &At<'_>, value: &'v Value) -> Result<std::borrow::Cow<'v, [Value]>> {
    match value {
        Value::Tuple(items) => Ok(items.as_slice().into()),
        Value::List(list) => Ok(list.to_vec()?.into()),
        other => Err(which.wrong_type("a tuple or list", other)),
    }
}

pub(super) fn layout_of(ty: &FieldType) -> Result<Layout> {
    ty.layout()
        .ok_or_else(|| Error::InvalidArgument { what: format!("{ty} is larger than any segment") })
}

pub(super) fn scalar_value(scalar: Scalar, bits: u128) -> Value {
    match scalar {
        Scalar::Bool => Value::Bool(bits != 0),
        Scalar::Char => {
            Value::from(char::from_u32(bits as u32).unwrap_or(char::REPLACEMENT_CHARACTER))
        }
        Scalar::I8 => Value::from(bits as u8 as i8),
        Scalar::I16 => Value::from(bits as u16 as i16),
        Scalar::I32 => Value::from(bits as u32 as i32),
        Scalar::I64 => Value::from(bits as u64 as i64),
        Scalar::I128 | Scalar::Time => Value::from(bits as i128),
        Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 | Scalar::U128 | Scalar::Duration => {
            Value::from(bits)
        }
        Scalar::F32 => Value::from(f32::from_bits(bits as u32)),
        Scalar::F64 => Value::from(f64::from_bits(bits as u64)),
    }
}

#[allow(clippy::cast_precision_loss, reason = "an int is rounded as Python's float() does")]
fn bits_of(which: &At<'_>, scalar: Scalar, value: &Value) -> Result<u128> {
    match (scalar, value) {
        // A numpy scalar, a member of an IntEnum: the number that it is.
        (_, Value::Extended(part)) if part.as_value().is_some() => {
            bits_of(which, scalar, part.as_value().unwrap_or(value))
        }
        (Scalar::Bool, Value::Bool(flag)) => Ok(u128::from(*flag)),
        (Scalar::Char, Value::Str(text)) => {
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(one), None) => Ok(u128::from(u32::from(one))),
                _ => Err(which.out_of_range("one character", &format!("{text:?}"))),
            }
        }
        (Scalar::F64, Value::Float(number)) => Ok(u128::from(number.to_bits())),
        (Scalar::F64, Value::Int(number)) => Ok(u128::from((*number as f64).to_bits())),
        (Scalar::F32, Value::Float(number)) => Ok(u128::from((*number as f32).to_bits())),
        (Scalar::F32, Value::Int(number)) => Ok(u128::from((*number as f32).to_bits())),
        (Scalar::Bool, other) => Err(which.wrong_type("a bool", other)),
        (Scalar::Char, other) => Err(which.wrong_type("a str of one character", other)),
        (Scalar::F32 | Scalar::F64, other) => Err(which.wrong_type("a float", other)),
        (_, Value::Int(number)) => {
            let number = i128::from(*number);
            let (low, high) = range(scalar);
            if number < low || (number > 0 && number.unsigned_abs() > high) {
                return Err(which.out_of_range(&format!("{low} to {high}"), &number));
            }
            Ok(number as u128)
        }
        (_, Value::BigInt(number)) => integer_bits(which, scalar, number),
        (_, other) => Err(which.wrong_type("an int", other)),
    }
}

fn integer_bits(which: &At<'_>, scalar: Scalar, number: &BigInt) -> Result<u128> {
    let (low, high) = range(scalar);
    if *number < BigInt::from(low) || *number > BigInt::from(high) {
        return Err(which.out_of_range(&format!("{low} to {high}"), number));
    }
    let signed = i128::try_from(number).map(|number| number as u128);
    signed
        .or_else(|_| u128::try_from(number))
        .map_err(|_| which.out_of_range(&format!("{low} to {high}"), number))
}

/// The smallest and the largest number that a scalar takes; times count nanoseconds.
fn range(scalar: Scalar) -> (i128, u128) {
    match scalar {
        Scalar::Time => (i128::from(i64::MIN) * NANOS, i64::MAX as u128 * NANOS as u128),
        Scalar::Duration => (0, u128::from(u64::MAX) * NANOS as u128),
        other => other.range().unwrap_or((0, 0)),
    }
}
