//! Between values and fields: what a field holds as a value, and a value as what a field holds.
//!
//! The types are strict as in the derive, with four allowances for Python: an int fits a float
//! field, a list fits an array field as a tuple does, a tuple of its fields fits a struct, and a numpy
//! scalar or a member of an `IntEnum` or a `StrEnum` fits as the number or text that it is.

use crate::error::{Error, Result};
use crate::schema::{Field, FieldType, Layout, Place, Schema};
use crate::value::Value;

mod decode;
mod encode;
mod scalar;

pub(super) use decode::{decode, elements};
pub(super) use encode::{dense, field, whole};
pub(super) use scalar::{scalar_bits, scalar_value};

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
                "field {:?} of {:?} is {} and takes {expected}, not {found}; its fields are {}",
                self.field.name(),
                self.schema.name(),
                self.field.ty(),
                self.schema.field_names()
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
