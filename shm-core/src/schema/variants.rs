//! What an enum consists of: its variants, each with a number and fields.
//!
//! The number comes first, in the width of the enum's representation; each variant's fields follow
//! it in C layout, and its cells start at the same place as those of all others. Cells beyond
//! those of the present variant hold `None`.

use std::fmt;
use std::sync::Arc;

use super::{Field, FieldType, Layout, Scalar, is_name, is_stored_name, place, text};
use crate::error::{Error, Result};

/// Most variants of an enum.
const MAX_VARIANTS: usize = 4096;

/// What an enum consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variants {
    pub(super) name: String,
    pub(super) tag: Scalar,
    pub(super) all: Vec<Variant>,
    pub(super) layout: Layout,
}

/// A variant of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    pub(super) name: String,
    pub(super) value: i128,
    pub(super) fields: Vec<Field>,
}

/// A variant as it is declared: name, number, fields.
pub type Declared = (String, i128, Vec<(String, FieldType, bool)>);

impl Variants {
    /// An enum of these variants, whose numbers have the type `tag`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for names that are none or not unique, numbers that are not
    /// unique or do not fit, and for enums that are too large.
    pub fn new(name: &str, tag: Scalar, declared: Vec<Declared>) -> Result<Arc<Variants>> {
        let invalid = |what: String| Error::InvalidArgument { what };
        if !is_stored_name(name) {
            return Err(invalid(format!("{name:?} is no name for an enum")));
        }
        let Some((low, high)) = tag.range() else {
            return Err(invalid(format!("{} cannot number the variants of {name:?}", tag.name())));
        };
        if declared.is_empty() || declared.len() > MAX_VARIANTS {
            return Err(invalid(format!(
                "{name:?} has {} variants: 1 to {MAX_VARIANTS} are possible",
                declared.len()
            )));
        }
        let head = Layout::number(tag.size());
        let mut layout = head;
        let mut variants: Vec<Variant> = Vec::with_capacity(declared.len());
        for (variant, value, fields) in declared {
            if !is_name(&variant) {
                return Err(invalid(format!("{variant:?} of {name:?} is no name for a variant")));
            }
            if variants.iter().any(|other| other.name == variant || other.value == value) {
                return Err(invalid(format!(
                    "{name:?} has two variants {variant:?} or two with the number {value}"
                )));
            }
            if value < low || (value > 0 && value.unsigned_abs() > high) {
                return Err(invalid(format!(
                    "the number {value} of {name:?} is none of {}",
                    tag.name()
                )));
            }
            let (fields, room) = place(name, head, fields)?;
            layout = layout.either(room);
            variants.push(Variant { name: variant, value, fields });
        }
        Ok(Arc::new(Variants {
            name: name.to_owned(),
            tag,
            all: variants,
            layout: layout.padded(),
        }))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of the variants' numbers.
    #[must_use]
    pub fn tag(&self) -> Scalar {
        self.tag
    }

    /// Its variants in order.
    #[must_use]
    pub fn variants(&self) -> &[Variant] {
        &self.all
    }

    /// The room that a value takes.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether no variant has fields.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.all.iter().all(|variant| variant.fields.is_empty())
    }

    /// The variant of this number, given as the bits of the tag.
    pub(crate) fn of_bits(&self, bits: u128) -> Option<&Variant> {
        let mask = u128::MAX >> (128 - 8 * self.tag.size());
        self.all.iter().find(|variant| variant.value as u128 & mask == bits)
    }

    /// The names of its variants, for messages.
    #[must_use]
    pub fn variant_names(&self) -> String {
        let names: Vec<&str> = self.all.iter().map(|variant| variant.name.as_str()).collect();
        names.join(", ")
    }
}

impl Variant {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    #[must_use]
    pub fn value(&self) -> i128 {
        self.value
    }

    /// Its fields; their places count from the start of the enum.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }
}

impl fmt::Display for Variants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}{{", self.name, self.tag.name())?;
        for (at, variant) in self.all.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{}={}", variant.name, variant.value)?;
            if !variant.fields.is_empty() {
                write!(f, "{{{}}}", text::of_fields(&variant.fields))?;
            }
        }
        f.write_str("}")
    }
}
