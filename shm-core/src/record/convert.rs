//! Between values and fields: what a field holds as a value, and a value as what a field holds.
//!
//! The types are strict as in the derive, with four allowances for Python: an int fits a float
//! field, a list fits an array field as a tuple does, a tuple of its fields fits a struct, and a numpy
//! scalar or a member of an `IntEnum` or a `StrEnum` fits as the number or text that it is.

use crate::error::{Error, Result};
use crate::schema::{FieldType, Layout, Place};

mod decode;
mod elements;
mod encode;
mod scalar;
mod which;

pub(super) use decode::{decode, elements};
pub(crate) use elements::Elements;
pub(super) use encode::{dense, field, whole};
pub(super) use scalar::{scalar_bits, scalar_value};
pub(crate) use which::Step;

/// Where a tuple's next part lies, and the room for all so far.
fn next_place(layout: Layout, part: &FieldType) -> Result<(Place, Layout)> {
    layout.checked_then(layout_of(part)?).ok_or_else(|| Error::InvalidArgument {
        what: format!("{part} is larger than any segment"),
    })
}

pub(super) fn layout_of(ty: &FieldType) -> Result<Layout> {
    ty.layout()
        .ok_or_else(|| Error::InvalidArgument { what: format!("{ty} is larger than any segment") })
}
