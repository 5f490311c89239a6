//! How the elements of a type lie in a vector: dense or as cells; their images and how they are read.
//!
//! Reading happens inside of a validated read of the struct, or under the writer lock. Nothing here changes
//! a vector.

use crate::bytearray::Span;
use crate::cell::{Kind, Offset, Ref};
use crate::error::Result;
use crate::heap::Heap;
use crate::layout::object;
use crate::list::List;
use crate::payload::{Image, Part, Reader};
use crate::schema::{Layout, Place, Schema};
use crate::shared::{Shared, assert_no_fault, mistyped};
use crate::value::Value;

use super::CHUNK;

/// How the elements of a type are stored.
pub(super) enum Form {
    Dense,
    Cells,
}

/// The form for a type.
pub(super) const fn form<T: Shared>() -> Form {
    // Of types with parameters only this tells.
    const { assert_no_fault(fault::<T>()) };
    if T::LAYOUT.cells == 0 { Form::Dense } else { Form::Cells }
}

/// Why a type cannot be in a vector.
pub(crate) const fn fault<T: Shared>() -> Option<&'static str> {
    if T::LAYOUT.cells > 1 || (T::LAYOUT.cells == 1 && T::LAYOUT.size > 0) {
        return Some(
            "the elements of a `Vec` must be plain (numbers, and structs and enums of them) or have one \
             dynamic part; use `Vec<Link<..>>` for others",
        );
    }
    if T::LAYOUT.cells == 0 && T::LAYOUT.size == 0 {
        return Some("the elements of a `Vec` must have a size; use a number of them");
    }
    T::FAULT
}

/// The image of a whole vector.
pub(crate) fn part<T: Shared>(values: &[T]) -> Part {
    match form::<T>() {
        Form::Dense => Part::Dense(dense(values)),
        Form::Cells => Part::Items(values.iter().map(item).collect()),
    }
}

/// The bytes of plain elements.
pub(super) fn dense<T: Shared>(values: &[T]) -> Vec<u8> {
    let mut image = Image::new(Layout { size: T::LAYOUT.size * values.len(), ..T::LAYOUT });
    for (index, value) in values.iter().enumerate() {
        value.encode(&mut image, Place::START.element(T::LAYOUT, index));
    }
    image.into_parts().0
}

/// The cell of an element.
fn item<T: Shared>(value: &T) -> Part {
    let mut image = Image::new(T::LAYOUT);
    value.encode(&mut image, Place::START);
    image.into_parts().1.pop().unwrap_or(Part::Value(Value::None))
}

/// The values of elements that are to be put into the list of a vector.
pub(super) fn items<T: Shared>(list: &List, values: &[T]) -> Result<Vec<Value>> {
    let parts: Vec<Part> = values.iter().map(item).collect();
    let own = |part: &Part| !matches!(part, Part::Value(_));
    let typed = list.typed().filter(|_| parts.iter().any(own));
    let schema = typed.map(|typed| Schema::at(list.heap(), typed.entry())).transpose()?;
    let inner = schema.as_deref().and_then(|schema| Some((schema, typed?.inner(schema)?)));
    parts.iter().map(|part| part.value(list.heap(), inner)).collect()
}

/// Reads a whole vector as a part of its struct.
pub(crate) fn decode<T: Shared>(reader: &Reader<'_>, at: Place) -> Result<Vec<T>> {
    let reference = owned::<T>(reader, at)?;
    reader
        .inside(reference.at, |heap| read(heap, reference.at, 0, usize::MAX))
        .map_err(|error| reader.named(at.cells, error))
}

/// The object that a vector is in.
pub(super) fn owned<T: Shared>(reader: &Reader<'_>, at: Place) -> Result<Ref> {
    let kind = match form::<T>() {
        Form::Dense => Kind::ByteArray,
        Form::Cells => Kind::List,
    };
    let cell = reader.cell(at.cells);
    match cell.as_ref() {
        Some(reference) if reference.kind == kind => {
            reader.heap().check_reference(reference)?;
            Ok(reference)
        }
        _ => Err(reader.named(at.cells, mistyped("vector", &reader.value(at.cells)?))),
    }
}

/// Elements from an index on, at most `limit`. Call inside of a validated read of the object.
pub(super) fn read<T: Shared>(
    heap: &Heap,
    at: Offset,
    start: usize,
    limit: usize,
) -> Result<Vec<T>> {
    let (reader, len, first) = match form::<T>() {
        Form::Dense => {
            let span = Span::load(heap, at)?;
            if span.start != 0 {
                return Err(heap.corrupt(format!("the vector at {at:#x} starts inside its block")));
            }
            (Reader::at(heap, span.block), span.len as usize / T::LAYOUT.size, 0)
        }
        Form::Cells => {
            let span = heap.load_published(at + object::W1)?;
            let (first, len) = ((span & 0xFFFF_FFFF) as usize, (span >> 32) as usize);
            // A payload's first cell is its second word.
            let block = heap.load(at + object::W0)?.wrapping_sub(8);
            (Reader::at(heap, block), len, first)
        }
    };
    let count = len.saturating_sub(start).min(limit);
    // A length that is not so comes from a torn read, or the segment is corrupt.
    let mut values = Vec::new();
    let base = Place { cells: first, plain: 0 };
    for index in start..start + count {
        values.push(T::take(&reader, base.element(T::LAYOUT, index))?);
        if index % CHUNK == 0 {
            reader.finish()?;
        }
    }
    reader.finish()?;
    Ok(values)
}
