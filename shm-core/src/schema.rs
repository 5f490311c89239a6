//! What a typed struct consists of: names, types and places of its fields.
//!
//! A schema comes from the derive (as constants), from a Python class or from the segment; all
//! have the same canonical text, and the text alone decides the layout and the fingerprint:
//!
//! ```text
//! plant.Sensor{id!:u64,position:[f32;3],label:str,spare:?plant.Part{weight:f64},extra:dict}
//!              ^ read-only
//! ```
//!
//! Layout: fields of a dynamic type (`str`, `value`, `list`, `dict`) have a cell each, in order;
//! all others have their bytes in C layout with natural alignment, in order. A nested struct adds
//! its cells to the outer one's cells and its bytes to the outer one's bytes; so does each element
//! of an array. An option of a plain type is a byte (0 or 1), padding, and the value; an option of
//! `str`, `list` or `dict` is the same cell, which then may be `None`.
//!
//! Text from a segment is taken apart under limits of depth and size, so that a corrupt one is an
//! error and nothing else.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::fingerprint;

mod compare;
mod info;
mod plan;
mod stored;
mod text;

pub(crate) use info::Scalar;
pub use info::{FieldInfo, StructInfo, TypeInfo};
pub use plan::{Layout, Place, Plan};

/// How many structs, arrays and options may be inside of each other.
const MAX_DEPTH: usize = 32;
/// How many fields a struct may have.
const MAX_FIELDS: usize = 4096;
/// Longest name, in bytes.
const MAX_NAME: usize = 120;

/// The type of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldType {
    /// `true` or `false`.
    Bool,
    /// A Unicode scalar value.
    Char,
    /// 8-bit signed integer.
    I8,
    /// 16-bit signed integer.
    I16,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
    /// 128-bit signed integer.
    I128,
    /// 8-bit unsigned integer.
    U8,
    /// 16-bit unsigned integer.
    U16,
    /// 32-bit unsigned integer.
    U32,
    /// 64-bit unsigned integer.
    U64,
    /// 128-bit unsigned integer.
    U128,
    /// Single precision float.
    F32,
    /// Double precision float.
    F64,
    /// Text of any length.
    Str,
    /// Any value.
    Value,
    /// A shared list.
    List,
    /// A shared dict.
    Dict,
    /// A fixed number of values of one type.
    Array(Box<FieldType>, u64),
    /// A value or none.
    Option(Box<FieldType>),
    /// A struct inside of the struct.
    Struct(Arc<Schema>),
}

/// One field of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    name: String,
    ty: FieldType,
    readonly: bool,
    place: Place,
    layout: Layout,
}

/// What a typed struct consists of.
#[derive(Clone, Debug)]
pub struct Schema {
    name: String,
    fields: Vec<Field>,
    layout: Layout,
    fingerprint: u64,
    text: String,
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Schema {}

impl FieldType {
    /// The scalar that it is, if it is one.
    #[must_use]
    pub(crate) fn scalar(&self) -> Option<Scalar> {
        Some(match self {
            FieldType::Bool => Scalar::Bool,
            FieldType::Char => Scalar::Char,
            FieldType::I8 => Scalar::I8,
            FieldType::I16 => Scalar::I16,
            FieldType::I32 => Scalar::I32,
            FieldType::I64 => Scalar::I64,
            FieldType::I128 => Scalar::I128,
            FieldType::U8 => Scalar::U8,
            FieldType::U16 => Scalar::U16,
            FieldType::U32 => Scalar::U32,
            FieldType::U64 => Scalar::U64,
            FieldType::U128 => Scalar::U128,
            FieldType::F32 => Scalar::F32,
            FieldType::F64 => Scalar::F64,
            _ => return None,
        })
    }

    fn from_scalar(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Bool => FieldType::Bool,
            Scalar::Char => FieldType::Char,
            Scalar::I8 => FieldType::I8,
            Scalar::I16 => FieldType::I16,
            Scalar::I32 => FieldType::I32,
            Scalar::I64 => FieldType::I64,
            Scalar::I128 => FieldType::I128,
            Scalar::U8 => FieldType::U8,
            Scalar::U16 => FieldType::U16,
            Scalar::U32 => FieldType::U32,
            Scalar::U64 => FieldType::U64,
            Scalar::U128 => FieldType::U128,
            Scalar::F32 => FieldType::F32,
            Scalar::F64 => FieldType::F64,
        }
    }

    /// Whether an absent value is told by its cell, so that an option needs no byte for it.
    pub(crate) fn has_niche(&self) -> bool {
        matches!(self, FieldType::Str | FieldType::List | FieldType::Dict)
    }

    /// The room it takes; `None` if that is beyond any segment.
    pub(crate) fn layout(&self) -> Option<Layout> {
        if let Some(scalar) = self.scalar() {
            return Some(Layout::number(scalar.size()));
        }
        match self {
            FieldType::Array(element, len) => {
                element.layout()?.checked_array(usize::try_from(*len).ok()?)
            }
            FieldType::Option(inner) => inner.layout()?.checked_option(inner.has_niche()),
            FieldType::Struct(schema) => Some(schema.layout),
            _ => Some(Layout::CELL),
        }
    }

    fn depth(&self) -> usize {
        match self {
            FieldType::Array(inner, _) | FieldType::Option(inner) => 1 + inner.depth(),
            FieldType::Struct(schema) => {
                1 + schema.fields.iter().map(|field| field.ty.depth()).max().unwrap_or(0)
            }
            _ => 0,
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldType::Str => f.write_str("str"),
            FieldType::Value => f.write_str("value"),
            FieldType::List => f.write_str("list"),
            FieldType::Dict => f.write_str("dict"),
            FieldType::Array(element, len) => write!(f, "[{element};{len}]"),
            FieldType::Option(inner) => write!(f, "?{inner}"),
            FieldType::Struct(schema) => f.write_str(&schema.text),
            scalar => f.write_str(scalar.scalar().map_or("?", Scalar::name)),
        }
    }
}

impl Field {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its type.
    #[must_use]
    pub fn ty(&self) -> &FieldType {
        &self.ty
    }

    /// Whether it is written only when the struct is made.
    #[must_use]
    pub fn readonly(&self) -> bool {
        self.readonly
    }

    /// Where it is, from the start of the struct.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// The room it takes.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }
}

impl Schema {
    /// A schema of these fields: name, type, whether read-only.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a name that is none, two fields of one name, and for structs
    /// too large or nested too deeply.
    pub fn new(name: &str, fields: Vec<(String, FieldType, bool)>) -> Result<Arc<Schema>> {
        let invalid = |what: String| Error::InvalidArgument { what };
        if !name.split('.').all(is_name) || name.len() > MAX_NAME {
            return Err(invalid(format!(
                "{name:?} is no name for a schema: use letters, digits and _, in parts joined by \
                 dots, at most {MAX_NAME} bytes"
            )));
        }
        if fields.len() > MAX_FIELDS {
            return Err(invalid(format!(
                "{name:?} has {} fields: at most {MAX_FIELDS} are possible",
                fields.len()
            )));
        }
        let mut layout = Layout::EMPTY;
        let mut done: Vec<Field> = Vec::with_capacity(fields.len());
        for (field, ty, readonly) in fields {
            if !is_name(&field) {
                return Err(invalid(format!(
                    "{field:?} of {name:?} is no name for a field: use letters, digits and _, at \
                     most {MAX_NAME} bytes"
                )));
            }
            if done.iter().any(|other| other.name == field) {
                return Err(invalid(format!("{name:?} has two fields named {field:?}")));
            }
            if ty.depth() >= MAX_DEPTH {
                return Err(Error::TooDeep { limit: MAX_DEPTH });
            }
            let room = ty.layout().and_then(|room| Some((room, layout.checked_then(room)?)));
            let Some((field_layout, (place, whole))) = room else {
                return Err(invalid(format!("{name:?} is too large: look at {field:?} ({ty})")));
            };
            layout = whole;
            done.push(Field { name: field, ty, readonly, place, layout: field_layout });
        }
        let layout = layout.padded();
        let text = text::write(name, &done);
        let fingerprint = fingerprint::of_text(&text);
        Ok(Arc::new(Schema { name: name.to_owned(), fields: done, layout, fingerprint, text }))
    }

    /// The schema that a canonical text stands for.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is no such text.
    pub fn parse(text: &str) -> Result<Arc<Schema>> {
        text::parse(text)
    }

    /// The name that it is stored under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its fields in order.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The position of a field.
    #[must_use]
    pub fn index_of(&self, field: &str) -> Option<usize> {
        self.fields.iter().position(|other| other.name == field)
    }

    /// Equal for equal schemas, and different (but for chance) for different ones.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The canonical text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The room that a struct takes.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The names of its fields, for messages.
    #[must_use]
    pub fn field_names(&self) -> String {
        if self.fields.is_empty() {
            return "none".to_owned();
        }
        let names: Vec<&str> = self.fields.iter().map(|field| field.name.as_str()).collect();
        names.join(", ")
    }

    /// The error for a field that it has not.
    #[must_use]
    pub fn unknown_field(&self, field: &str) -> Error {
        Error::UnknownField {
            schema: self.name.clone(),
            field: field.chars().take(MAX_NAME).collect(),
            fields: self.field_names(),
        }
    }
}

/// Whether a name can be stored: letters, digits and `_`, not starting with a digit.
fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.chars().all(|c| c == '_' || c.is_alphanumeric())
        && name.chars().next().is_some_and(|c| !c.is_numeric())
}

#[cfg(test)]
mod tests;
