//! The types that fields of a schema can have, and the room that each takes.

use std::fmt;
use std::sync::Arc;

use super::{Layout, Scalar, Schema, Variants};

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
    /// A span of time, to the nanosecond.
    Duration,
    /// A moment, to the nanosecond.
    Time,
    /// Text of any length.
    Str,
    /// Any value.
    Value,
    /// A shared list.
    List,
    /// A shared dict.
    Dict,
    /// A shared set.
    Set,
    /// A shared bytearray.
    ByteArray,
    /// Any number of values of one type: dense if they are plain, else a shared list.
    Vec(Box<FieldType>),
    /// A shared dict with keys and values of one type each.
    Map(Box<FieldType>, Box<FieldType>),
    /// Values of these types.
    Tuple(Vec<FieldType>),
    /// A reference to a struct of this name.
    Link(String),
    /// One of several variants.
    Enum(Arc<Variants>),
    /// A fixed number of values of one type.
    Array(Box<FieldType>, u64),
    /// A value or none.
    Option(Box<FieldType>),
    /// A struct inside of the struct.
    Struct(Arc<Schema>),
}

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
            FieldType::Duration => Scalar::Duration,
            FieldType::Time => Scalar::Time,
            _ => return None,
        })
    }

    pub(super) fn from_scalar(scalar: Scalar) -> Self {
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
            Scalar::Duration => FieldType::Duration,
            Scalar::Time => FieldType::Time,
        }
    }

    /// Whether it is made of other types, so that it is more than one plain value.
    #[must_use]
    #[inline]
    pub fn is_composed(&self) -> bool {
        matches!(
            self,
            FieldType::Vec(_)
                | FieldType::Map(..)
                | FieldType::Tuple(_)
                | FieldType::Array(..)
                | FieldType::Option(_)
                | FieldType::Struct(_)
                | FieldType::Enum(_)
        )
    }

    /// Whether an absent value is told by its cell, so that an option needs no byte for it.
    pub(crate) fn has_niche(&self) -> bool {
        matches!(
            self,
            FieldType::Str
                | FieldType::List
                | FieldType::Dict
                | FieldType::Set
                | FieldType::ByteArray
                | FieldType::Vec(_)
                | FieldType::Map(..)
                | FieldType::Link(_)
        )
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
            FieldType::Enum(variants) => Some(variants.layout()),
            FieldType::Tuple(parts) => {
                let mut layout = Layout::EMPTY;
                for part in parts {
                    layout = layout.checked_then(part.layout()?)?.1;
                }
                Some(layout.padded())
            }
            _ => Some(Layout::CELL),
        }
    }

    /// The first vector or map in it that cannot be stored, if there is one.
    pub(super) fn impossible(&self) -> Option<&FieldType> {
        let single = |ty: &FieldType| {
            ty.layout().is_some_and(|layout| layout.cells == 1 && layout.size == 0)
        };
        match self {
            FieldType::Vec(element) => {
                let dense = element.layout().is_some_and(|room| room.cells == 0 && room.size > 0);
                if dense || single(element) { element.impossible() } else { Some(self) }
            }
            FieldType::Map(key, value) => {
                if key.is_map_key() && value.is_map_value() {
                    None
                } else {
                    Some(self)
                }
            }
            FieldType::Array(inner, _) | FieldType::Option(inner) => inner.impossible(),
            FieldType::Tuple(parts) => parts.iter().find_map(FieldType::impossible),
            // Inner structs and enums were looked at when they were made.
            _ => None,
        }
    }

    /// Whether it can be the key of a map: what Rust can order and hash.
    fn is_map_key(&self) -> bool {
        let whole = |scalar: Scalar| scalar.range().is_some();
        matches!(self, FieldType::Str | FieldType::Bool | FieldType::Char)
            || self.scalar().is_some_and(whole)
    }

    /// Whether it can be a value of a map: what `shared::Item` is implemented for.
    fn is_map_value(&self) -> bool {
        self.is_map_key()
            || matches!(
                self,
                FieldType::F32
                    | FieldType::F64
                    | FieldType::Value
                    | FieldType::List
                    | FieldType::Dict
                    | FieldType::Set
                    | FieldType::ByteArray
            )
    }

    pub(super) fn depth(&self) -> usize {
        match self {
            FieldType::Array(inner, _) | FieldType::Option(inner) | FieldType::Vec(inner) => {
                1 + inner.depth()
            }
            FieldType::Map(key, value) => 1 + key.depth().max(value.depth()),
            FieldType::Tuple(parts) => 1 + parts.iter().map(FieldType::depth).max().unwrap_or(0),
            FieldType::Struct(schema) => {
                1 + schema.fields.iter().map(|field| field.ty.depth()).max().unwrap_or(0)
            }
            FieldType::Enum(variants) => {
                let fields = variants.variants().iter().flat_map(|variant| &variant.fields);
                1 + fields.map(|field| field.ty.depth()).max().unwrap_or(0)
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
            FieldType::Set => f.write_str("set"),
            FieldType::ByteArray => f.write_str("bytearray"),
            FieldType::Vec(element) => write!(f, "[{element}]"),
            FieldType::Map(key, value) => write!(f, "map({key},{value})"),
            FieldType::Link(name) => write!(f, "&{name}"),
            FieldType::Enum(variants) => write!(f, "{variants}"),
            FieldType::Tuple(parts) => {
                for (at, part) in parts.iter().enumerate() {
                    write!(f, "{}{part}", if at == 0 { "(" } else { "," })?;
                }
                f.write_str(if parts.is_empty() { "()" } else { ")" })
            }
            FieldType::Array(element, len) => write!(f, "[{element};{len}]"),
            FieldType::Option(inner) => write!(f, "?{inner}"),
            FieldType::Struct(schema) => f.write_str(&schema.text),
            scalar => f.write_str(scalar.scalar().map_or("?", Scalar::name)),
        }
    }
}
