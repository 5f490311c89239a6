//! Constant descriptions of types: what the derive writes, and what fingerprints are made of.

use std::sync::Arc;

use super::{Field, FieldType, Layout, Schema, Variant, Variants, text};
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
    /// A span of time: nanoseconds, as a `u128`.
    Duration,
    /// A moment: nanoseconds since 1970 in UTC, as an `i128`.
    Time,
}

impl Scalar {
    /// All of them.
    pub(crate) const ALL: [Scalar; 16] = [
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
        Scalar::Duration,
        Scalar::Time,
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
            Scalar::Duration => "duration",
            Scalar::Time => "time",
        }
    }

    /// The smallest and the largest number, if it is an integer.
    #[must_use]
    pub const fn range(self) -> Option<(i128, u128)> {
        let width = self.size() as u32 * 8;
        match self {
            Scalar::I8 | Scalar::I16 | Scalar::I32 | Scalar::I64 | Scalar::I128 => {
                Some((i128::MIN >> (128 - width), u128::MAX >> (129 - width)))
            }
            Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 | Scalar::U128 => {
                Some((0, u128::MAX >> (128 - width)))
            }
            _ => None,
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
            Scalar::I128 | Scalar::U128 | Scalar::Duration | Scalar::Time => 16,
        }
    }
}

/// The type of a field, as a constant.
#[derive(Clone, Copy, Debug)]
pub enum TypeInfo {
    /// A fixed-width number, `bool`, `char`, a span or a moment of time.
    Scalar(Scalar),
    /// `String`
    Str,
    /// `Value`
    Value,
    /// `List`
    List,
    /// `Dict`
    Dict,
    /// `Set`
    Set,
    /// `ByteArray`
    ByteArray,
    /// `[T; N]`
    Array(&'static TypeInfo, usize),
    /// `Option<T>`
    Option(&'static TypeInfo),
    /// `Vec<T>`
    Vec(&'static TypeInfo),
    /// `BTreeMap<K, V>`, `HashMap<K, V>`
    Map(&'static TypeInfo, &'static TypeInfo),
    /// `(A, B, ..)`
    Tuple(&'static [&'static TypeInfo]),
    /// `Link<T>`
    Link(&'static NameInfo),
    /// A derived struct.
    Struct(&'static StructInfo),
    /// A derived enum.
    Enum(&'static EnumInfo),
}

/// What a schema is stored under, as a constant.
#[derive(Clone, Copy, Debug)]
pub struct NameInfo {
    pub(crate) name: &'static str,
    pub(crate) args: &'static [ArgInfo],
    pub(crate) version: u32,
}

/// A generic argument, which is a part of the name.
#[derive(Clone, Copy, Debug)]
pub enum ArgInfo {
    /// Of a type parameter.
    Type(&'static TypeInfo),
    /// Of a const parameter.
    Number(i128),
}

/// A field, as a constant.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    pub(crate) name: &'static str,
    pub(crate) ty: &'static TypeInfo,
    pub(crate) readonly: bool,
    pub(crate) doc: &'static str,
    pub(crate) default: bool,
}

/// A derived struct, as a constant.
#[derive(Clone, Copy, Debug)]
pub struct StructInfo {
    pub(crate) name: &'static NameInfo,
    pub(crate) fields: &'static [FieldInfo],
    pub(crate) doc: &'static str,
    pub(crate) fingerprint: u64,
}

/// A derived enum, as a constant.
#[derive(Clone, Copy, Debug)]
pub struct EnumInfo {
    pub(crate) name: &'static NameInfo,
    pub(crate) tag: Scalar,
    pub(crate) variants: &'static [VariantInfo],
}

/// A variant of a derived enum, as a constant.
#[derive(Clone, Copy, Debug)]
pub struct VariantInfo {
    pub(crate) name: &'static str,
    pub(crate) value: i128,
    pub(crate) fields: &'static [FieldInfo],
}

impl NameInfo {
    /// A name with generic arguments and a version, which is 0 if there is none.
    #[must_use]
    pub const fn new(name: &'static str, args: &'static [ArgInfo], version: u32) -> Self {
        NameInfo { name, args, version }
    }

    /// The name with its arguments, as in `Pair<u64,f64>`.
    pub(crate) fn text(&self) -> String {
        if self.args.is_empty() {
            return self.name.to_owned();
        }
        let args: Vec<String> = self.args.iter().map(ArgInfo::text).collect();
        format!("{}<{}>", self.name, args.join(","))
    }
}

impl ArgInfo {
    fn text(&self) -> String {
        match self {
            ArgInfo::Number(number) => number.to_string(),
            ArgInfo::Type(ty) => ty.short(),
        }
    }
}

impl FieldInfo {
    /// Describes a field; `default` tells that structs without it can be read.
    #[must_use]
    pub const fn new(
        name: &'static str,
        ty: &'static TypeInfo,
        readonly: bool,
        doc: &'static str,
        default: bool,
    ) -> Self {
        FieldInfo { name, ty, readonly, doc, default }
    }
}

impl StructInfo {
    /// Describes a struct.
    #[must_use]
    pub const fn new(
        name: &'static NameInfo,
        fields: &'static [FieldInfo],
        doc: &'static str,
    ) -> Self {
        let info = StructInfo { name, fields, doc, fingerprint: 0 };
        StructInfo { fingerprint: fingerprint::of_struct(&info), ..info }
    }

    /// Whether structs without a field can be read.
    pub(crate) fn has_default(&self, field: usize) -> bool {
        self.fields.get(field).is_some_and(|field| field.default)
    }

    /// The schema that it describes.
    #[must_use]
    pub(crate) fn schema(&self) -> Arc<Schema> {
        let (fields, layout) = owned(self.fields, Layout::EMPTY);
        let name = self.name.text();
        let text = text::write(&name, self.name.version, &fields);
        Arc::new(Schema {
            name,
            version: self.name.version,
            fields,
            layout: layout.padded(),
            fingerprint: self.fingerprint,
            text,
            doc: self.doc.to_owned(),
            companion: super::Companion::default(),
        })
    }
}

impl EnumInfo {
    /// Describes an enum.
    #[must_use]
    pub const fn new(
        name: &'static NameInfo,
        tag: Scalar,
        variants: &'static [VariantInfo],
    ) -> Self {
        EnumInfo { name, tag, variants }
    }

    fn schema(&self) -> Arc<Variants> {
        let head = Layout::number(self.tag.size());
        let mut layout = head;
        let mut variants = Vec::with_capacity(self.variants.len());
        for info in self.variants {
            let (fields, room) = owned(info.fields, head);
            layout = layout.either(room);
            variants.push(Variant { name: info.name.to_owned(), value: info.value, fields });
        }
        Arc::new(Variants {
            name: self.name.text(),
            tag: self.tag,
            all: variants,
            layout: layout.padded(),
        })
    }
}

impl VariantInfo {
    /// Describes a variant.
    #[must_use]
    pub const fn new(name: &'static str, value: i128, fields: &'static [FieldInfo]) -> Self {
        VariantInfo { name, value, fields }
    }
}

/// The fields behind what is there, and the room for all.
fn owned(infos: &[FieldInfo], head: Layout) -> (Vec<Field>, Layout) {
    let mut layout = head;
    let mut fields = Vec::with_capacity(infos.len());
    for info in infos {
        let ty = info.ty.owned();
        // The compiler has computed the same layout, so it is within the limits.
        let room = ty.layout().unwrap_or(Layout::EMPTY);
        let Some((place, whole)) = layout.checked_then(room) else { continue };
        layout = whole;
        fields.push(Field {
            name: info.name.to_owned(),
            ty,
            readonly: info.readonly,
            place,
            layout: room,
            doc: info.doc.to_owned(),
        });
    }
    (fields, layout)
}

impl TypeInfo {
    pub(crate) fn owned(&self) -> FieldType {
        match self {
            TypeInfo::Scalar(scalar) => FieldType::from_scalar(*scalar),
            TypeInfo::Str => FieldType::Str,
            TypeInfo::Value => FieldType::Value,
            TypeInfo::List => FieldType::List,
            TypeInfo::Dict => FieldType::Dict,
            TypeInfo::Set => FieldType::Set,
            TypeInfo::ByteArray => FieldType::ByteArray,
            TypeInfo::Array(element, len) => {
                FieldType::Array(Box::new(element.owned()), *len as u64)
            }
            TypeInfo::Option(inner) => FieldType::Option(Box::new(inner.owned())),
            TypeInfo::Vec(element) => FieldType::Vec(Box::new(element.owned())),
            TypeInfo::Map(key, value) => {
                FieldType::Map(Box::new(key.owned()), Box::new(value.owned()))
            }
            TypeInfo::Tuple(parts) => {
                FieldType::Tuple(parts.iter().map(|part| part.owned()).collect())
            }
            TypeInfo::Link(name) => FieldType::Link(name.text()),
            TypeInfo::Struct(info) => FieldType::Struct(info.schema()),
            TypeInfo::Enum(info) => FieldType::Enum(info.schema()),
        }
    }

    /// As a part of a name: structs and enums by their names alone.
    fn short(&self) -> String {
        match self {
            TypeInfo::Array(element, len) => format!("[{};{len}]", element.short()),
            TypeInfo::Option(inner) => format!("?{}", inner.short()),
            TypeInfo::Vec(element) => format!("[{}]", element.short()),
            TypeInfo::Map(key, value) => format!("map({},{})", key.short(), value.short()),
            TypeInfo::Tuple(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| part.short()).collect();
                format!("({})", parts.join(","))
            }
            TypeInfo::Link(name) => format!("&{}", name.text()),
            TypeInfo::Struct(info) => info.name.text(),
            TypeInfo::Enum(info) => info.name.text(),
            plain => plain.owned().to_string(),
        }
    }
}
