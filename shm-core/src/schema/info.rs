//! Constant descriptions of types: what the derive writes, and what fingerprints are made of.

use std::sync::Arc;

use super::{Field, FieldType, Layout, Schema, text};
use crate::fingerprint;

/// A type of fixed width without inner structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// `bool`
    Bool,
    /// `char`
    Char,
    /// `i8`
    I8,
    /// `i16`
    I16,
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `i128`
    I128,
    /// `u8`
    U8,
    /// `u16`
    U16,
    /// `u32`
    U32,
    /// `u64`
    U64,
    /// `u128`
    U128,
    /// `f32`
    F32,
    /// `f64`
    F64,
}

impl Scalar {
    /// All of them.
    pub(crate) const ALL: [Scalar; 14] = [
        Scalar::Bool,
        Scalar::Char,
        Scalar::I8,
        Scalar::I16,
        Scalar::I32,
        Scalar::I64,
        Scalar::I128,
        Scalar::U8,
        Scalar::U16,
        Scalar::U32,
        Scalar::U64,
        Scalar::U128,
        Scalar::F32,
        Scalar::F64,
    ];

    /// Its name in canonical text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Scalar::Bool => "bool",
            Scalar::Char => "char",
            Scalar::I8 => "i8",
            Scalar::I16 => "i16",
            Scalar::I32 => "i32",
            Scalar::I64 => "i64",
            Scalar::I128 => "i128",
            Scalar::U8 => "u8",
            Scalar::U16 => "u16",
            Scalar::U32 => "u32",
            Scalar::U64 => "u64",
            Scalar::U128 => "u128",
            Scalar::F32 => "f32",
            Scalar::F64 => "f64",
        }
    }

    /// Its bytes, and its alignment.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Scalar::Bool | Scalar::I8 | Scalar::U8 => 1,
            Scalar::I16 | Scalar::U16 => 2,
            Scalar::Char | Scalar::I32 | Scalar::U32 | Scalar::F32 => 4,
            Scalar::I64 | Scalar::U64 | Scalar::F64 => 8,
            Scalar::I128 | Scalar::U128 => 16,
        }
    }
}

/// The type of a field, as a constant.
#[derive(Clone, Copy, Debug)]
pub enum TypeInfo {
    /// A fixed-width number, `bool` or `char`.
    Scalar(Scalar),
    /// `String`
    Str,
    /// `Value`
    Value,
    /// `List`
    List,
    /// `Dict`
    Dict,
    /// `[T; N]`
    Array(&'static TypeInfo, usize),
    /// `Option<T>`
    Option(&'static TypeInfo),
    /// A derived struct.
    Struct(&'static StructInfo),
}

/// A field, as a constant.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    pub(crate) name: &'static str,
    pub(crate) ty: &'static TypeInfo,
    pub(crate) readonly: bool,
}

impl FieldInfo {
    /// Describes a field.
    #[must_use]
    pub const fn new(name: &'static str, ty: &'static TypeInfo, readonly: bool) -> Self {
        FieldInfo { name, ty, readonly }
    }
}

/// A derived struct, as a constant.
#[derive(Clone, Copy, Debug)]
pub struct StructInfo {
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [FieldInfo],
    pub(crate) fingerprint: u64,
}

impl StructInfo {
    /// Describes a struct.
    #[must_use]
    pub const fn new(name: &'static str, fields: &'static [FieldInfo]) -> Self {
        let info = StructInfo { name, fields, fingerprint: 0 };
        StructInfo { fingerprint: fingerprint::of_struct(&info), ..info }
    }

    /// The schema that it describes.
    #[must_use]
    pub(crate) fn schema(&self) -> Arc<Schema> {
        let mut layout = Layout::EMPTY;
        let mut fields = Vec::with_capacity(self.fields.len());
        for info in self.fields {
            let ty = info.ty.owned();
            // The compiler has computed the same layout, so it is within the limits.
            let room = ty.layout().unwrap_or(Layout::EMPTY);
            let Some((place, whole)) = layout.checked_then(room) else { continue };
            layout = whole;
            let (name, readonly) = (info.name.to_owned(), info.readonly);
            fields.push(Field { name, ty, readonly, place, layout: room });
        }
        let text = text::write(self.name, &fields);
        Arc::new(Schema {
            name: self.name.to_owned(),
            fields,
            layout: layout.padded(),
            fingerprint: self.fingerprint,
            text,
        })
    }
}

impl TypeInfo {
    fn owned(&self) -> FieldType {
        match self {
            TypeInfo::Scalar(scalar) => FieldType::from_scalar(*scalar),
            TypeInfo::Str => FieldType::Str,
            TypeInfo::Value => FieldType::Value,
            TypeInfo::List => FieldType::List,
            TypeInfo::Dict => FieldType::Dict,
            TypeInfo::Array(element, len) => {
                FieldType::Array(Box::new(element.owned()), *len as u64)
            }
            TypeInfo::Option(inner) => FieldType::Option(Box::new(inner.owned())),
            TypeInfo::Struct(info) => FieldType::Struct(info.schema()),
        }
    }
}
