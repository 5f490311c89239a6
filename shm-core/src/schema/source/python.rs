//! Schemas as Python: classes with `@shm_py.struct`.
//!
//! What has no simple annotation has the notation of schemas, `Annotated[Any, shm_py.kind("[f64]")]`; so have enums.
//! A field whose name cannot be annotated is put into `__annotations__`, where annotations are.

use std::fmt::{Result, Write};

use super::{Names, Type, Types, is_one_of, last_part, mangled};
use crate::schema::{FieldType, Schema};

/// What cannot be a name.
const KEYWORDS: &str = " False None True and as assert async await break class continue def del elif \
                        else except finally for from global if import in is lambda nonlocal not or \
                        pass raise return try while with yield __debug__ ";
/// What a class of this name would hide from the others.
const IN_USE: &str = " Annotated Any Optional shm_py bool str ";

pub(super) fn write(out: &mut impl Write, types: &Types<'_>) -> Result {
    let candidates = |stored: &str| {
        let usable = |name: String| {
            let reserved = [KEYWORDS, IN_USE].iter().any(|words| is_one_of(words, &name));
            if reserved { format!("{name}_") } else { name }
        };
        vec![usable(last_part(stored)), usable(mangled(stored))]
    };
    let names = &Names::give(types, candidates, |name| vec![name.to_owned()]);
    out.write_str("from typing import Annotated, Any, Optional\n\nimport shm_py\n")?;
    for ty in &types.all {
        if let Type::Struct(schema) = ty {
            structure(out, schema, names)?;
        }
    }
    Ok(())
}

fn structure(out: &mut impl Write, schema: &Schema, names: &Names) -> Result {
    let (name, stored) = (names.structure(schema), &schema.name);
    let version = match schema.version {
        0 => String::new(),
        version => format!(", version={version}"),
    };
    write!(out, "\n\n@shm_py.struct(name={}{version})\nclass {name}:\n", literal(stored))?;
    if !schema.doc.is_empty() {
        write!(out, "    {}\n\n", literal(&schema.doc))?;
    }
    if schema.fields.is_empty() {
        writeln!(out, "    pass")?;
    }
    // Names with two underlines in front would be those of the class.
    let is_plain = |name: &str| !is_one_of(KEYWORDS, name) && !name.starts_with("__");
    if schema.fields.iter().all(|field| !is_plain(&field.name)) && !schema.fields.is_empty() {
        writeln!(out, "    __annotations__ = {{}}")?;
    }
    for field in &schema.fields {
        field.doc.lines().try_for_each(|line| writeln!(out, "    #: {line}"))?;
        let ty = annotation(&field.ty, field.readonly, names);
        if is_plain(&field.name) {
            writeln!(out, "    {}: {ty}", field.name)?;
        } else {
            writeln!(out, "    __annotations__[{}] = {ty}", literal(&field.name))?;
        }
    }
    Ok(())
}

fn annotation(ty: &FieldType, readonly: bool, names: &Names) -> String {
    let simple = match ty {
        FieldType::Bool => Some("bool".to_owned()),
        FieldType::Str => Some("str".to_owned()),
        FieldType::List => Some("shm_py.List[Any]".to_owned()),
        FieldType::Dict => Some("shm_py.Dict[Any, Any]".to_owned()),
        FieldType::Struct(schema) => Some(names.structure(schema).to_owned()),
        FieldType::Option(inner) => Some(format!("Optional[{}]", annotation(inner, false, names))),
        scalar => scalar.scalar().map(|scalar| format!("shm_py.{}", scalar.name())),
    };
    match simple {
        Some(simple) if !readonly => simple,
        Some(simple) => format!("Annotated[{simple}, shm_py.readonly]"),
        None => {
            let mark = if readonly { ", shm_py.readonly" } else { "" };
            format!("Annotated[Any, shm_py.kind({}){mark}]", literal(&ty.to_string()))
        }
    }
}

/// A text in quotes.
fn literal(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
