//! Schemas as C, which C++ takes too: a header that has each struct's plain bytes as a C struct, with the offsets
//! asserted, the index of each cell, and where in the payload the plain bytes start.
//!
//! It is for programs that look at a snapshot; living segments are reached through the library. A name that C or C++
//! has another use for has `_` behind it.

use std::fmt::{Result, Write};

use super::{Names, Type, Types, is_one_of, mangled, renamed};
use crate::payload::plain_start;
use crate::schema::{Field, FieldType, Scalar, Schema, Variants};

/// Keywords up to C23 and C++23, what gcc and the included headers define, and the number of a variant.
const KEYWORDS: &str = " auto break case char const continue default do double else enum extern \
                        float for goto if inline int long register restrict return short signed \
                        sizeof static struct switch typedef union unsigned void volatile while \
                        alignas alignof bool constexpr false nullptr static_assert thread_local true \
                        typeof typeof_unqual asm and and_eq bitand bitor catch char16_t char32_t \
                        char8_t class co_await co_return co_yield compl concept const_cast consteval \
                        constinit decltype delete dynamic_cast explicit export friend mutable \
                        namespace new noexcept not not_eq operator or or_eq private protected public \
                        reinterpret_cast requires static_cast template this throw try typeid typename \
                        using virtual wchar_t xor xor_eq NULL assert offsetof linux unix tag tag_ ";

pub(super) fn write(out: &mut impl Write, types: &Types<'_>) -> Result {
    let names = &Names::give(types, |stored| vec![mangled(stored)], |name| vec![name.to_owned()]);
    out.write_str(
        "#pragma once\n#include <assert.h>\n#include <stddef.h>\n#include <stdint.h>\n\n\
         // In an object's payload lie X_CELLS cells of 8 bytes and, from byte X_PLAIN on, struct X.\n\
         typedef __int128 shm_i128;\ntypedef unsigned __int128 shm_u128;\n",
    )?;
    for ty in &types.all {
        match ty {
            Type::Struct(schema) => structure(out, schema, names)?,
            Type::Enum(of) => variants(out, of, names)?,
        }
    }
    Ok(())
}

fn structure(out: &mut impl Write, schema: &Schema, names: &Names) -> Result {
    let name = names.structure(schema);
    writeln!(out)?;
    doc(out, "", &schema.doc)?;
    writeln!(out, "// {}", schema.text)?;
    writeln!(out, "#define {name}_CELLS {}", schema.layout.cells)?;
    writeln!(out, "#define {name}_PLAIN {}", plain_start(schema.layout.cells))?;
    for field in schema.fields.iter().filter(|field| field.layout.cells > 0) {
        writeln!(out, "#define {name}_CELL_{} {}", field.name, field.place.cells)?;
    }
    plain_bytes(out, name, &schema.fields, schema.layout.size, names)
}

/// A struct of the plain bytes of these fields, if there are any, and its offsets.
fn plain_bytes(
    out: &mut impl Write,
    name: &str,
    fields: &[Field],
    size: usize,
    names: &Names,
) -> Result {
    if size == 0 {
        return Ok(());
    }
    let sized = || fields.iter().filter(|field| field.layout.size > 0);
    writeln!(out, "struct {name} {{")?;
    for field in sized() {
        doc(out, "    ", &field.doc)?;
        writeln!(out, "    {};", declaration(&field.ty, &member(field, fields), names))?;
    }
    writeln!(out, "}};\nstatic_assert(sizeof(struct {name}) == {size}, \"{name}\");")?;
    for field in sized() {
        let (member, plain) = (member(field, fields), field.place.plain);
        writeln!(
            out,
            "static_assert(offsetof(struct {name}, {member}) == {plain}, \"{name}.{}\");",
            field.name
        )?;
    }
    Ok(())
}

fn variants(out: &mut impl Write, of: &Variants, names: &Names) -> Result {
    let (name, tag) = (names.variants(of), scalar(of.tag));
    writeln!(out, "\nunion {name} {{\n    {tag} tag;")?;
    let of_variant = |variant: &str| usable(variant, |name| of.all.iter().any(|v| v.name == name));
    for variant in of.variants() {
        writeln!(out, "    struct {{\n        {tag} tag_;")?;
        for field in variant.fields.iter().filter(|field| field.layout.size > 0) {
            let member = member(field, &variant.fields);
            writeln!(out, "        {};", declaration(&field.ty, &member, names))?;
        }
        writeln!(out, "    }} {};", of_variant(&variant.name))?;
    }
    let size = of.layout.size;
    writeln!(out, "}};\nstatic_assert(sizeof(union {name}) == {size}, \"{name}\");")?;
    for variant in of.variants() {
        // C has no integer constants beyond 64 bits.
        if let Ok(value) = i64::try_from(variant.value) {
            writeln!(out, "#define {name}_{} {value}", variant.name)?;
        }
        for field in variant.fields.iter().filter(|field| field.layout.size > 0) {
            let (member, plain) = (member(field, &variant.fields), field.place.plain);
            writeln!(
                out,
                "static_assert(offsetof(union {name}, {}.{member}) == {plain}, \"{name}\");",
                of_variant(&variant.name),
            )?;
        }
    }
    Ok(())
}

fn doc(out: &mut impl Write, indent: &str, doc: &str) -> Result {
    doc.lines().try_for_each(|line| {
        // A backslash would make the next line a part of the comment.
        let end = if line.ends_with('\\') { "." } else { "" };
        writeln!(out, "{indent}// {line}{end}")
    })
}

fn member(field: &Field, all: &[Field]) -> String {
    usable(&field.name, |name| all.iter().any(|field| field.name == name))
}

fn usable(name: &str, taken: impl Fn(&str) -> bool) -> String {
    if is_one_of(KEYWORDS, name) {
        renamed(name, |name| taken(name) || name == "tag_")
    } else {
        mangled(name)
    }
}

fn scalar(scalar: Scalar) -> &'static str {
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
fn declaration(ty: &FieldType, name: &str, names: &Names) -> String {
    if let Some(of) = ty.scalar() {
        return format!("{} {name}", scalar(of));
    }
    let sized = |ty: &FieldType| ty.layout().is_some_and(|layout| layout.size > 0);
    match ty {
        FieldType::Array(inner, len) => declaration(inner, &format!("{name}[{len}]"), names),
        FieldType::Option(inner) => {
            let value = if sized(inner) {
                format!("{}; ", declaration(inner, "value", names))
            } else {
                String::new()
            };
            format!("struct {{ uint8_t some; {value}}} {name}")
        }
        FieldType::Tuple(parts) => {
            let parts = parts.iter().enumerate().filter(|(_, part)| sized(part));
            let parts: Vec<String> = parts
                .map(|(i, part)| format!("{}; ", declaration(part, &format!("_{i}"), names)))
                .collect();
            format!("struct {{ {}}} {name}", parts.concat())
        }
        FieldType::Struct(schema) => format!("struct {} {name}", names.structure(schema)),
        FieldType::Enum(variants) => format!("union {} {name}", names.variants(variants)),
        // Nothing else has plain bytes.
        _ => format!("struct {{ }} {name}"),
    }
}
