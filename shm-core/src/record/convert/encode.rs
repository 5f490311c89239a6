//! A value as what a field holds: an image, made before anything is locked, or an error that names the field.

use crate::error::{Error, Result};
use crate::payload::{Image, Part, Sink};
use crate::schema::{Field, FieldType, Layout, Place, Schema, Variants};
use crate::value::Value;

use super::scalar::bits_of;
use super::which::{At, Step};
use super::{layout_of, next_place};

/// Most bytes of a vector that is made of values.
const MAX_BYTES: usize = 1 << 32;

/// An image of a whole struct.
pub(in crate::record) fn whole(schema: &Schema, values: &[Value]) -> Result<Image> {
    let mut image = Image::new(schema.layout());
    put_fields(schema, values, None, &mut image, Place::START)?;
    Ok(image)
}

/// An image of one field.
pub(in crate::record) fn field(schema: &Schema, field: &Field, value: &Value) -> Result<Image> {
    let mut image = Image::new(field.layout());
    put(&At::of(schema, field), field.ty(), value, &mut image, Place::START)?;
    Ok(image)
}

fn put_fields(
    schema: &Schema,
    values: &[Value],
    outer: Option<&At<'_>>,
    image: &mut Image,
    at: Place,
) -> Result<()> {
    if values.len() != schema.fields().len() {
        let place = outer.map(At::place).unwrap_or_default();
        return Err(Error::WrongType {
            what: format!(
                "{:?}{place} has {} fields ({}), not {}",
                schema.name(),
                schema.fields().len(),
                schema.field_names(),
                values.len()
            ),
        });
    }
    for (field, value) in schema.fields().iter().zip(values) {
        let which = At::of(schema, field).within(outer);
        put(&which, field.ty(), value, image, at.part(field.place()))?;
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
                let which = which.inside(Step::Item(index));
                put(&which, element, item, image, at.element(layout, index))?;
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
            put_fields(schema, &record.values()?, Some(which), image, at)?;
        }
        (FieldType::Struct(schema), Value::Tuple(values)) => {
            put_fields(schema, values, Some(which), image, at)?;
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
            for (index, (part, item)) in parts.iter().zip(items.iter()).enumerate() {
                let (place, whole) = next_place(layout, part)?;
                layout = whole;
                put(&which.inside(Step::Item(index)), part, item, image, at.part(place))?;
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
            image.part(at.cells, vector(which, element, &items, Step::Item)?);
        }
        (FieldType::Map(key, value), Value::Dict(dict)) => {
            let entries = dict.to_vec()?;
            for (k, v) in &entries {
                entry(which, (key, value), Some(k), v, true)?;
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
        (FieldType::Link(name), other) => {
            return Err(which.wrong_type(&format!("a shared {name:?}"), other));
        }
        (FieldType::Map(..), other) => return Err(which.wrong_type("a dict", other)),
        (FieldType::List, other) => return Err(which.wrong_type("a shared list", other)),
        (FieldType::Dict, other) => return Err(which.wrong_type("a shared dict", other)),
        (ty, other) => return Err(which.wrong_type(&ty.to_string(), other)),
    }
    Ok(())
}

/// The bytes or cells of a vector; `step` names an item by its index.
fn vector<'s>(
    which: &'s At<'_>,
    element: &FieldType,
    items: &[Value],
    step: impl Fn(usize) -> Step<'s>,
) -> Result<Part> {
    let layout = layout_of(element)?;
    if layout.cells == 0 {
        let size = layout.size.checked_mul(items.len()).filter(|size| *size < MAX_BYTES);
        let Some(size) = size else {
            return Err(which.out_of_range("fewer elements", &items.len()));
        };
        let mut image = Image::new(Layout { size, ..layout });
        for (index, item) in items.iter().enumerate() {
            let place = Place::START.element(layout, index);
            put(&which.inside(step(index)), element, item, &mut image, place)?;
        }
        return Ok(Part::Dense(image.into_parts().0));
    }
    let parts = items.iter().enumerate();
    let parts = parts.map(|(index, item)| single(&which.inside(step(index)), element, item));
    Ok(Part::Items(parts.collect::<Result<_>>()?))
}

/// The bytes of a dense vector that is a field.
pub(in crate::record) fn dense(
    schema: &Schema,
    field: &Field,
    element: &FieldType,
    items: &[Value],
) -> Result<Vec<u8>> {
    // One alone is meant to be at an index that is not told here.
    let step = |index| if items.len() == 1 { Step::AnItem } else { Step::Item(index) };
    match vector(&At::of(schema, field), element, items, step)? {
        Part::Dense(bytes) => Ok(bytes),
        _ => Ok(Vec::new()),
    }
}

/// An error if an entry (of which no more than the value is new, its value) is none of a map of these types.
pub(super) fn entry(
    which: &At<'_>,
    (key_type, value_type): (&FieldType, &FieldType),
    key: Option<&Value>,
    value: &Value,
    is_new: bool,
) -> Result<()> {
    if let Some(key) = key.filter(|_| is_new) {
        single(&which.inside(Step::Key), key_type, key)?;
    }
    let step = key.map_or(Step::AValue, Step::ValueOf);
    single(&which.inside(step), value_type, value).map(drop)
}

/// What a cell of a list or dict of this type holds.
pub(super) fn single(which: &At<'_>, ty: &FieldType, value: &Value) -> Result<Part> {
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
