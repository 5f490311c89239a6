//! Schemas as source text: for Rust (the derive), for Python (`@shm_py.struct`) and for C.
//!
//! The C header has each struct's plain bytes as a C struct, with the offsets asserted, the index of
//! each cell, and where in the payload the plain bytes start. It is for programs that look at a
//! snapshot; living segments are reached through the library.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Field, FieldType, Scalar, Schema, Variants};
use crate::error::{Error, Result};
use crate::payload::plain_start;

/// A language that schemas are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Language {
    /// Structs with `#[derive(Shared)]`.
    Rust,
    /// Classes with `@shm_py.struct`.
    Python,
    /// A header for C11 with GNU extensions.
    C,
}

impl std::str::FromStr for Language {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "rust" => Ok(Language::Rust),
            "python" => Ok(Language::Python),
            "c" => Ok(Language::C),
            other => Err(Error::InvalidArgument {
                what: format!("there is no source in {other:?}: use rust, python or c"),
            }),
        }
    }
}

/// The source of these schemas, and of all that are inside of them.
#[must_use]
pub fn source(schemas: &[Arc<Schema>], language: Language) -> String {
    let mut out = match language {
        Language::Rust => "use shm::Shared;\n".to_owned(),
        Language::Python => {
            "from typing import Annotated, Any, Optional\n\nimport shm_py\n".to_owned()
        }
        Language::C => "#pragma once\n#include <stddef.h>\n#include <stdint.h>\n\n\
                        typedef __int128 shm_i128;\ntypedef unsigned __int128 shm_u128;\n"
            .to_owned(),
    };
    let mut writer = Writer { out: &mut out, language, done: BTreeSet::new() };
    for schema in schemas {
        writer.structure(schema);
    }
    out
}

struct Writer<'o> {
    out: &'o mut String,
    language: Language,
    /// Types that are written.
    done: BTreeSet<String>,
}

impl Writer<'_> {
    /// Appends; writing into a `String` cannot fail.
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(text);
    }

    fn structure(&mut self, schema: &Schema) {
        if !self.done.insert(schema.text.clone()) {
            return;
        }
        for field in &schema.fields {
            self.inner(&field.ty);
        }
        match self.language {
            Language::Rust => self.rust(schema),
            Language::Python => self.python(schema),
            Language::C => self.c(schema),
        }
    }

    /// Writes what a type is made of.
    fn inner(&mut self, ty: &FieldType) {
        match ty {
            FieldType::Array(inner, _) | FieldType::Option(inner) | FieldType::Vec(inner) => {
                self.inner(inner);
            }
            FieldType::Map(key, value) => {
                self.inner(key);
                self.inner(value);
            }
            FieldType::Tuple(parts) => parts.iter().for_each(|part| self.inner(part)),
            FieldType::Struct(schema) => self.structure(schema),
            FieldType::Enum(variants) => self.variants(variants),
            _ => {}
        }
    }

    fn variants(&mut self, of: &Variants) {
        if !self.done.insert(of.to_string()) {
            return;
        }
        for field in of.variants().iter().flat_map(super::variants::Variant::fields) {
            self.inner(&field.ty);
        }
        match self.language {
            Language::Rust => self.rust_variants(of),
            Language::Python => {}
            Language::C => self.c_variants(of),
        }
    }

    fn doc(&mut self, indent: &str, mark: &str, doc: &str) {
        for line in doc.lines() {
            self.put(format_args!("{indent}{mark} {}\n", line.replace("*/", "* /")));
        }
    }

    fn rust(&mut self, schema: &Schema) {
        self.put(format_args!("\n"));
        self.doc("", "///", &schema.doc);
        let version = match schema.version {
            0 => String::new(),
            version => format!(", version = {version}"),
        };
        let name = ident(&schema.name);
        self.put(format_args!("#[derive(Shared)]\n#[shared(name = {:?}{version})]\n", schema.name));
        if schema.fields.is_empty() {
            self.put(format_args!("pub struct {name};\n"));
            return;
        }
        self.put(format_args!("pub struct {name} {{\n"));
        for field in &schema.fields {
            self.doc("    ", "///", &field.doc);
            if field.readonly {
                self.put(format_args!("    #[shared(readonly)]\n"));
            }
            self.put(format_args!("    pub {}: {},\n", rust_field(field), rust_type(&field.ty)));
        }
        self.put(format_args!("}}\n"));
    }

    fn rust_variants(&mut self, of: &Variants) {
        let (name, tag) = (ident(&of.name), of.tag.name());
        self.put(format_args!(
            "\n#[derive(Shared)]\n#[shared(name = {:?})]\n#[repr({tag})]\npub enum {name} {{\n",
            of.name
        ));
        for variant in of.variants() {
            let fields: Vec<String> = variant
                .fields
                .iter()
                .map(|field| format!("{}: {}", rust_field(field), rust_type(&field.ty)))
                .collect();
            let tuple = variant.fields.iter().enumerate().all(|(i, f)| f.name == format!("_{i}"));
            let body = match fields.as_slice() {
                [] => String::new(),
                _ if tuple => {
                    let types = variant.fields.iter().map(|field| rust_type(&field.ty));
                    format!("({})", types.collect::<Vec<_>>().join(", "))
                }
                fields => format!(" {{ {} }}", fields.join(", ")),
            };
            self.put(format_args!("    {}{body} = {},\n", variant.name, variant.value));
        }
        self.put(format_args!("}}\n"));
    }

    fn python(&mut self, schema: &Schema) {
        let (name, stored) = (ident(&schema.name), &schema.name);
        let version = match schema.version {
            0 => String::new(),
            version => format!(", version={version}"),
        };
        self.put(format_args!("\n\n@shm_py.struct(name={stored:?}{version})\nclass {name}:\n"));
        if !schema.doc.is_empty() {
            self.put(format_args!("    {:?}\n\n", schema.doc));
        }
        if schema.fields.is_empty() {
            self.put(format_args!("    pass\n"));
        }
        for field in &schema.fields {
            self.doc("    ", "#:", &field.doc);
            let ty = python_type(&field.ty, field.readonly);
            self.put(format_args!("    {}: {ty}\n", field.name));
        }
    }

    fn c(&mut self, schema: &Schema) {
        let name = mangled(&schema.name);
        self.put(format_args!("\n"));
        self.doc("", "//", &schema.doc);
        self.put(format_args!("// {}\n", schema.text));
        self.put(format_args!("#define {name}_CELLS {}\n", schema.layout.cells));
        self.put(format_args!("#define {name}_PLAIN {}\n", plain_start(schema.layout.cells)));
        for field in schema.fields.iter().filter(|field| field.layout.cells > 0) {
            self.put(format_args!("#define {name}_CELL_{} {}\n", field.name, field.place.cells));
        }
        self.c_struct(&name, &schema.fields, schema.layout.size);
    }

    /// A struct of the plain bytes of these fields, if there are any, and its offsets.
    fn c_struct(&mut self, name: &str, fields: &[Field], size: usize) {
        if size == 0 {
            return;
        }
        self.put(format_args!("struct {name} {{\n"));
        for field in fields.iter().filter(|field| field.layout.size > 0) {
            self.doc("    ", "//", &field.doc);
            let declared = c_declare(&field.ty, &c_name(&field.name));
            self.put(format_args!("    {declared};\n"));
        }
        self.put(format_args!("}};\n"));
        self.put(format_args!("_Static_assert(sizeof(struct {name}) == {size}, \"{name}\");\n"));
        for field in fields.iter().filter(|field| field.layout.size > 0) {
            self.put(format_args!(
                "_Static_assert(offsetof(struct {name}, {}) == {}, \"{name}.{}\");\n",
                c_name(&field.name),
                field.place.plain,
                field.name
            ));
        }
    }

    fn c_variants(&mut self, of: &Variants) {
        let (name, tag) = (mangled(&of.name), c_scalar(of.tag));
        self.put(format_args!("\nunion {name} {{\n    {tag} tag;\n"));
        for variant in of.variants() {
            self.put(format_args!("    struct {{\n        {tag} tag_;\n"));
            for field in variant.fields.iter().filter(|field| field.layout.size > 0) {
                let declared = c_declare(&field.ty, &c_name(&field.name));
                self.put(format_args!("        {declared};\n"));
            }
            self.put(format_args!("    }} {};\n", c_name(&variant.name)));
        }
        self.put(format_args!("}};\n"));
        let size = of.layout.size;
        self.put(format_args!("_Static_assert(sizeof(union {name}) == {size}, \"{name}\");\n"));
        for variant in of.variants() {
            // C has no integer constants beyond 64 bits.
            if let Ok(value) = i64::try_from(variant.value) {
                self.put(format_args!("#define {name}_{} {value}\n", variant.name));
            }
            for field in variant.fields.iter().filter(|field| field.layout.size > 0) {
                self.put(format_args!(
                    "_Static_assert(offsetof(union {name}, {}.{}) == {}, \"{name}\");\n",
                    c_name(&variant.name),
                    c_name(&field.name),
                    field.place.plain
                ));
            }
        }
    }
}

/// A name of letters, digits and `_`.
fn mangled(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}

/// The last part of a name, generic arguments included.
fn ident(name: &str) -> String {
    let (plain, arguments) = name.split_at(name.find('<').unwrap_or(name.len()));
    let last = plain.rsplit('.').next().unwrap_or(plain);
    mangled(&format!("{last}{}", arguments.trim_end_matches('>')))
}

fn rust_field(field: &Field) -> String {
    const KEYWORDS: &str = " as async await box break const continue dyn else enum extern false final \
                            fn for gen if impl in let loop macro match mod move mut override priv \
                            pub ref return static struct trait true try type typeof unsafe unsized \
                            use virtual where while yield abstract become do ";
    if KEYWORDS.contains(&format!(" {} ", field.name)) {
        return format!("r#{}", field.name);
    }
    field.name.clone()
}

fn rust_type(ty: &FieldType) -> String {
    match ty {
        FieldType::Duration => "std::time::Duration".to_owned(),
        FieldType::Time => "std::time::SystemTime".to_owned(),
        FieldType::Str => "String".to_owned(),
        FieldType::Value => "shm::Value".to_owned(),
        FieldType::List => "shm::List".to_owned(),
        FieldType::Dict => "shm::Dict".to_owned(),
        FieldType::Set => "shm::Set".to_owned(),
        FieldType::ByteArray => "shm::ByteArray".to_owned(),
        FieldType::Array(inner, len) => format!("[{}; {len}]", rust_type(inner)),
        FieldType::Option(inner) => format!("Option<{}>", rust_type(inner)),
        FieldType::Vec(inner) => format!("Vec<{}>", rust_type(inner)),
        FieldType::Map(key, value) => {
            format!("std::collections::BTreeMap<{}, {}>", rust_type(key), rust_type(value))
        }
        FieldType::Tuple(parts) => {
            let parts: Vec<String> = parts.iter().map(rust_type).collect();
            format!("({},)", parts.join(", "))
        }
        FieldType::Link(name) => format!("shm::Link<{}>", ident(name)),
        FieldType::Struct(schema) => ident(&schema.name),
        FieldType::Enum(variants) => ident(&variants.name),
        scalar => scalar.to_string(),
    }
}

fn python_type(ty: &FieldType, readonly: bool) -> String {
    let simple = match ty {
        FieldType::Bool => Some("bool".to_owned()),
        FieldType::Str => Some("str".to_owned()),
        FieldType::List => Some("shm_py.List[Any]".to_owned()),
        FieldType::Dict => Some("shm_py.Dict[Any, Any]".to_owned()),
        FieldType::Struct(schema) => Some(ident(&schema.name)),
        FieldType::Option(inner) => Some(format!("Optional[{}]", python_type(inner, false))),
        scalar => scalar.scalar().map(|scalar| format!("shm_py.{}", scalar.name())),
    };
    match simple {
        Some(simple) if !readonly => simple,
        Some(simple) => format!("Annotated[{simple}, shm_py.readonly]"),
        None => {
            let mark = if readonly { ", shm_py.readonly" } else { "" };
            format!("Annotated[Any, shm_py.kind({:?}){mark}]", ty.to_string())
        }
    }
}

fn c_name(name: &str) -> String {
    const KEYWORDS: &str = " auto break case char const continue default do double else enum extern \
                            float for goto if inline int long register restrict return short signed \
                            sizeof static struct switch typedef union unsigned void volatile while \
                            asm typeof tag ";
    if KEYWORDS.contains(&format!(" {name} ")) { format!("{name}_") } else { mangled(name) }
}

fn c_scalar(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool | Scalar::U8 => "uint8_t",
        Scalar::I8 => "int8_t",
        Scalar::I16 => "int16_t",
        Scalar::U16 => "uint16_t",
        Scalar::I32 => "int32_t",
        Scalar::Char | Scalar::U32 => "uint32_t",
        Scalar::I64 => "int64_t",
        Scalar::U64 => "uint64_t",
        Scalar::I128 | Scalar::Time => "shm_i128",
        Scalar::U128 | Scalar::Duration => "shm_u128",
        Scalar::F32 => "float",
        Scalar::F64 => "double",
    }
}

/// A declaration of the plain bytes of a type.
fn c_declare(ty: &FieldType, name: &str) -> String {
    if let Some(scalar) = ty.scalar() {
        return format!("{} {name}", c_scalar(scalar));
    }
    match ty {
        FieldType::Array(inner, len) => c_declare(inner, &format!("{name}[{len}]")),
        FieldType::Option(inner) => {
            let value = if inner.layout().is_some_and(|layout| layout.size > 0) {
                format!("{}; ", c_declare(inner, "value"))
            } else {
                String::new()
            };
            format!("struct {{ uint8_t some; {value}}} {name}")
        }
        FieldType::Tuple(parts) => {
            let sized = |part: &FieldType| part.layout().is_some_and(|layout| layout.size > 0);
            let parts = parts.iter().enumerate().filter(|(_, part)| sized(part));
            let parts: Vec<String> =
                parts.map(|(i, part)| format!("{}; ", c_declare(part, &format!("_{i}")))).collect();
            format!("struct {{ {}}} {name}", parts.concat())
        }
        FieldType::Struct(schema) => format!("struct {} {name}", mangled(&schema.name)),
        FieldType::Enum(variants) => format!("union {} {name}", mangled(&variants.name)),
        // Nothing else has plain bytes.
        _ => format!("struct {{ }} {name}"),
    }
}
