//! Between values and fields: what a field holds as a value, and a value as what a field holds.
//!
//! The types are strict as in the derive, with three allowances for Python: an int fits a float
//! field, a list fits an array field as a tuple does, and a tuple of its fields fits a struct.

use num_bigint::BigInt;

use crate::error::{Error, Result};
use crate::payload::{Image, Reader};
use crate::record::Record;
use crate::schema::{Field, FieldType, Place, Scalar, Schema};
use crate::slot::Slot;
use crate::value::Value;

/// Most elements of arrays that are read into one value.
const MAX_ELEMENTS: u64 = 1 << 26;

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
        _ => reader.value(at.cells)?,
    })
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
        (FieldType::Str, Value::Str(_))
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

fn items_of<'v>(which: &At<'_>, value: &'v Value) -> Result<std::borrow::Cow<'v, [Value]>> {
    match value {
        Value::Tuple(items) => Ok(items.as_slice().into()),
        Value::List(list) => Ok(list.to_vec()?.into()),
        other => Err(which.wrong_type("a tuple or list", other)),
    }
}

fn layout_of(ty: &FieldType) -> Result<crate::schema::Layout> {
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
        Scalar::I128 => Value::from(bits as i128),
        Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 | Scalar::U128 => Value::from(bits),
        Scalar::F32 => Value::from(f32::from_bits(bits as u32)),
        Scalar::F64 => Value::from(f64::from_bits(bits as u64)),
    }
}

#[allow(clippy::cast_precision_loss, reason = "an int is rounded as Python's float() does")]
fn bits_of(which: &At<'_>, scalar: Scalar, value: &Value) -> Result<u128> {
    match (scalar, value) {
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

/// The smallest and the largest value of an integer type.
fn range(scalar: Scalar) -> (i128, u128) {
    let width = scalar.size() as u32 * 8;
    match scalar {
        Scalar::I8 | Scalar::I16 | Scalar::I32 | Scalar::I64 | Scalar::I128 => {
            (i128::MIN >> (128 - width), u128::MAX >> (129 - width))
        }
        _ => (0, u128::MAX >> (128 - width)),
    }
}
