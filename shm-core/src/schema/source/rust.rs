//! Schemas as Rust: structs and enums with `#[derive(Shared)]`.
//!
//! A field whose name Rust has another use for, or that would have the name of a method of the handle, gets another one and
//! `rename`. Where nothing in the segment has the fields of a struct that links refer to, it is declared without any.

use std::fmt::{Result, Write};

use super::{Names, Type, Types, is_one_of, last_part, mangled, renamed};
use crate::schema::{Field, FieldType, Schema, Variants};

/// What cannot be a name without `r#`.
const KEYWORDS: &str = " as async await box break const continue dyn else enum extern false final \
                        fn for gen if impl in let loop macro match mod move mut override priv \
                        pub ref return static struct trait true try type typeof unsafe unsized \
                        use virtual where while yield abstract become do ";
/// What cannot be a name at all.
const NO_NAMES: &str = " self Self super crate _ ";
/// What a type of this name would hide from the others.
const IN_USE: &str = " Shared Option Vec String bool char i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 \
                      f32 f64 std shm ";

pub(super) fn write(out: &mut impl Write, types: &Types<'_>) -> Result {
    let candidates = |stored: &str| {
        let usable = |name: String| {
            let reserved = [KEYWORDS, NO_NAMES, IN_USE].iter().any(|words| is_one_of(words, &name));
            if reserved { format!("{name}_") } else { name }
        };
        vec![usable(last_part(stored)), usable(mangled(stored))]
    };
    let names = &Names::give(types, candidates, |name| vec![name.to_owned(), format!("{name}Ref")]);
    out.write_str("use shm::Shared;\n")?;
    for ty in &types.all {
        match ty {
            Type::Struct(schema) => structure(out, schema, names)?,
            Type::Enum(of) => variants(out, of, names)?,
        }
    }
    for stored in types.unknown() {
        let name = names.link(stored);
        write!(
            out,
            "\n/// Only links to it are known, not its fields.\n\
             #[derive(Shared)]\n#[shared(name = {stored:?})]\npub struct {name};\n"
        )?;
    }
    Ok(())
}

fn structure(out: &mut impl Write, schema: &Schema, names: &Names) -> Result {
    let name = names.structure(schema);
    writeln!(out)?;
    doc(out, "", &schema.doc)?;
    let version = match schema.version {
        0 => String::new(),
        version => format!(", version = {version}"),
    };
    write!(out, "#[derive(Shared)]\n#[shared(name = {:?}{version})]\n", schema.name)?;
    if schema.fields.is_empty() {
        return writeln!(out, "pub struct {name};");
    }
    writeln!(out, "pub struct {name} {{")?;
    for field in &schema.fields {
        doc(out, "    ", &field.doc)?;
        let (name, rename) = field_name(field, &schema.fields, true);
        let mut options = Vec::from_iter(rename);
        if field.readonly {
            options.push("readonly".to_owned());
        }
        if !options.is_empty() {
            writeln!(out, "    #[shared({})]", options.join(", "))?;
        }
        writeln!(out, "    pub {name}: {},", type_name(&field.ty, names))?;
    }
    writeln!(out, "}}")
}

fn variants(out: &mut impl Write, of: &Variants, names: &Names) -> Result {
    let (name, tag) = (names.variants(of), of.tag.name());
    write!(
        out,
        "\n#[derive(Shared)]\n#[shared(name = {:?})]\n#[repr({tag})]\npub enum {name} {{\n",
        of.name
    )?;
    for variant in of.variants() {
        let numbered = variant.fields.iter().enumerate().all(|(i, f)| f.name == format!("_{i}"));
        let fields = variant.fields.iter().map(|field| {
            let ty = type_name(&field.ty, names);
            let (name, rename) = field_name(field, &variant.fields, false);
            match rename {
                _ if numbered => ty,
                Some(rename) => format!("#[shared({rename})] {name}: {ty}"),
                None => format!("{name}: {ty}"),
            }
        });
        let fields = fields.collect::<Vec<_>>().join(", ");
        let body = match fields.as_str() {
            "" => String::new(),
            _ if numbered => format!("({fields})"),
            _ => format!(" {{ {fields} }}"),
        };
        let raw = if is_one_of(KEYWORDS, &variant.name) { "r#" } else { "" };
        writeln!(out, "    {raw}{}{body} = {},", variant.name, variant.value)?;
    }
    writeln!(out, "}}")
}

fn doc(out: &mut impl Write, indent: &str, doc: &str) -> Result {
    doc.lines().try_for_each(|line| writeln!(out, "{indent}/// {line}"))
}

/// The name of a field, and the option that keeps the stored one if that is another.
fn field_name(field: &Field, all: &[Field], has_handle: bool) -> (String, Option<String>) {
    let stored = field.name.as_str();
    let is_method = || {
        let prefixes = ["try_", "set_", "fetch_add_", "swap_", "compare_exchange_", "items_"];
        let of_field = |prefix| {
            let other = stored.strip_prefix(prefix);
            other.is_some_and(|other| all.iter().any(|field| field.name == other))
        };
        is_one_of(" load store update ", stored) || prefixes.into_iter().any(of_field)
    };
    if is_one_of(NO_NAMES, stored) || (has_handle && is_method()) {
        let name =
            renamed(stored, |name| name == "__" || all.iter().any(|field| field.name == name));
        return (name, Some(format!("rename = {stored:?}")));
    }
    if is_one_of(KEYWORDS, stored) {
        return (format!("r#{stored}"), None);
    }
    (stored.to_owned(), None)
}

fn type_name(ty: &FieldType, names: &Names) -> String {
    let name = |ty| type_name(ty, names);
    match ty {
        FieldType::Duration => "std::time::Duration".to_owned(),
        FieldType::Time => "std::time::SystemTime".to_owned(),
        FieldType::Str => "String".to_owned(),
        FieldType::Value => "shm::Value".to_owned(),
        FieldType::List => "shm::List".to_owned(),
        FieldType::Dict => "shm::Dict".to_owned(),
        FieldType::Set => "shm::Set".to_owned(),
        FieldType::ByteArray => "shm::ByteArray".to_owned(),
        FieldType::Array(inner, len) => format!("[{}; {len}]", name(inner)),
        FieldType::Option(inner) => format!("Option<{}>", name(inner)),
        FieldType::Vec(inner) => format!("Vec<{}>", name(inner)),
        FieldType::Map(key, value) => {
            format!("std::collections::BTreeMap<{}, {}>", name(key), name(value))
        }
        FieldType::Tuple(parts) => {
            let parts: Vec<String> = parts.iter().map(name).collect();
            format!("({},)", parts.join(", "))
        }
        FieldType::Link(stored) => format!("shm::Link<{}>", names.link(stored)),
        FieldType::Struct(schema) => names.structure(schema).to_owned(),
        FieldType::Enum(variants) => names.variants(variants).to_owned(),
        scalar => scalar.to_string(),
    }
}
