//! What a field holds, as a value. Call inside of a validated read.

use crate::error::{Error, Result};
use crate::payload::{Reader, Source};
use crate::record::Record;
use crate::schema::{FieldType, Layout, Place};
use crate::slot::Slot;
use crate::value::Value;
use crate::vector;

use super::{layout_of, next_place, scalar_value};

/// Most elements of arrays that are read into one value.
const MAX_ELEMENTS: u64 = 1 << 26;

/// What a place holds. Without a slot, which what lies inside of a vector has not, a struct has no handle: it is a
/// tuple of its fields.
pub(in crate::record) fn decode(
    slot: Option<&Slot>,
    reader: &Reader<'_>,
    ty: &FieldType,
    at: Place,
) -> Result<Value> {
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
            if let Some(slot) = slot {
                Value::Record(Record::new(slot.at_base(at), std::sync::Arc::clone(schema)))
            } else {
                let fields = schema.fields().iter();
                let values =
                    fields.map(|field| decode(None, reader, field.ty(), at.part(field.place())));
                Value::Tuple(values.collect::<Result<_>>()?)
            }
        }
        FieldType::Vec(element) => match vector::bytes_in(reader, at)? {
            Some(span) => Value::Tuple(elements(reader, element, &span, 0, usize::MAX)?),
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
pub(in crate::record) fn elements(
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
            items.push(decode(None, &bytes, element, Place::START.element(layout, index))?);
        }
        bytes.finish()?;
        Ok(items)
    })
}
