//! The items of a vector or map that is a container of its own: checked one by one, as it is changed.
//!
//! Such a list or dict says in its header which vector or map of which schema it is; here is what that
//! schema has to say about a value (`flavour/typed`).

use crate::bytearray::{ByteArray, Span};
use crate::error::Result;
use crate::payload::{Part, Reader};
use crate::schema::{Container, FieldType};
use crate::value::Value;
use crate::vector::Bytes;

use super::which::{At, Step};
use super::{elements, encode};

/// A vector or map of a schema, as what its items must be.
pub(crate) struct Elements<'s>(pub(crate) Container<'s>);

impl Elements<'_> {
    /// Looks at something, with the name that the container has in errors.
    fn named<T>(&self, look: impl FnOnce(&At<'_>) -> Result<T>) -> Result<T> {
        let field = At::of(self.0.schema, self.0.field);
        if self.0.ty == self.0.field.ty() {
            look(&field)
        } else {
            look(&field.inside(Step::Inner(self.0.ty)))
        }
    }

    /// An item of a vector, as what it is stored as.
    pub(crate) fn item(&self, value: &Value, step: Step<'_>) -> Result<Part> {
        match self.0.ty {
            FieldType::Vec(element) => {
                self.named(|which| encode::single(&which.inside(step), element, value))
            }
            _ => Ok(Part::Value(value.clone())),
        }
    }

    /// An error if an entry (of which no more than the value is new, its value) is none of the map.
    pub(crate) fn check(&self, key: Option<&Value>, value: &Value, is_new: bool) -> Result<()> {
        match self.0.ty {
            FieldType::Map(keys, values) => {
                self.named(|which| encode::entry(which, (keys, values), key, value, is_new))
            }
            _ => self.item(value, Step::AnItem).map(drop),
        }
    }

    /// The type of a vector's elements.
    pub(crate) fn element(&self) -> Option<&FieldType> {
        if let FieldType::Vec(element) = self.0.ty { Some(element) } else { None }
    }

    /// The elements of a vector of plain ones, whose bytes are in an array.
    pub(crate) fn decode(&self, array: &ByteArray) -> Result<Vec<Value>> {
        let Some(element) = self.element() else { return Ok(Vec::new()) };
        let (heap, at) = (array.heap(), array.object().at());
        heap.read(at, |heap| {
            let span = Span::load(heap, at)?;
            if span.start != 0 {
                return Err(heap.corrupt(format!("the vector at {at:#x} starts inside its block")));
            }
            let bytes = Bytes { at, block: span.block, len: span.len as usize };
            elements(&Reader::at(heap, 0), element, &bytes, 0, usize::MAX)
        })
    }
}
