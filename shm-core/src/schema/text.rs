//! The canonical text of a schema: writing it, and taking it apart.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Field, FieldType, MAX_DEPTH, MAX_FIELDS, Scalar, Schema, Variants, is_stored_name};
use crate::error::{Error, Result};

/// Writes the text of a schema of these fields.
pub(super) fn write(name: &str, version: u32, fields: &[Field]) -> String {
    let version = if version == 0 { String::new() } else { format!("@{version}") };
    format!("{name}{version}{{{}}}", of_fields(fields))
}

/// Fields as a text has them between braces.
pub(super) fn of_fields(fields: &[Field]) -> String {
    let mut text = String::new();
    for (at, field) in fields.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let mark = if field.readonly { "!" } else { "" };
        // Writing into a String cannot fail.
        let _ = write!(text, "{comma}{}{mark}:{}", field.name, field.ty);
    }
    text
}

/// Takes a text apart.
pub(super) fn parse(text: &str) -> Result<Arc<Schema>> {
    let mut parser = Parser { text, at: 0 };
    let schema = parser.schema(0)?;
    if parser.at != text.len() {
        return Err(parser.wrong("the end"));
    }
    Ok(schema)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn wrong(&self, expected: &str) -> Error {
        let found: String = self.rest().chars().take(20).collect();
        Error::InvalidArgument {
            what: format!(
                "schema text has {found:?} at byte {} where {expected} is expected",
                self.at
            ),
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        let there = self.rest().starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.wrong(&format!("{token:?}"))) }
    }

    fn take(&mut self, part: impl Fn(char) -> bool) -> &str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// A name, with its generic arguments if it has such.
    fn name(&mut self) -> String {
        let start = self.at;
        self.take(|c| c == '_' || c == '.' || c.is_alphanumeric());
        if self.rest().starts_with('<') {
            let mut depth = 0_usize;
            let end = self.rest().char_indices().find_map(|(at, c)| {
                depth = match c {
                    '<' => depth + 1,
                    '>' => depth.saturating_sub(1),
                    _ => depth,
                };
                (depth == 0).then_some(at + 1)
            });
            self.at += end.unwrap_or(self.rest().len());
        }
        self.text.get(start..self.at).unwrap_or_default().to_owned()
    }

    fn number(&mut self) -> Result<i128> {
        let start = self.at;
        self.eat("-");
        self.take(|c| c.is_ascii_digit());
        let text = self.text.get(start..self.at).unwrap_or_default();
        let number: i128 = text.parse().map_err(|_| self.wrong("a number"))?;
        // Only the one way to write a number is canonical.
        if number.to_string() == text { Ok(number) } else { Err(self.wrong("a plain number")) }
    }

    fn schema(&mut self, depth: usize) -> Result<Arc<Schema>> {
        let name = self.name();
        let version = if self.eat("@") {
            let version = u32::try_from(self.number()?).unwrap_or(0);
            if version == 0 {
                return Err(self.wrong("a version"));
            }
            version
        } else {
            0
        };
        self.expect("{")?;
        let fields = self.fields(depth)?;
        Schema::with_version(&name, version, fields)
    }

    /// Fields up to the closing brace.
    fn fields(&mut self, depth: usize) -> Result<Vec<(String, FieldType, bool)>> {
        let mut fields = Vec::new();
        while !self.eat("}") {
            if !fields.is_empty() {
                self.expect(",")?;
            }
            if fields.len() == MAX_FIELDS {
                return Err(self.wrong("fewer fields"));
            }
            let field = self.take(|c| c == '_' || c.is_alphanumeric()).to_owned();
            let readonly = self.eat("!");
            self.expect(":")?;
            let ty = self.field_type(depth + 1)?;
            fields.push((field, ty, readonly));
        }
        Ok(fields)
    }

    fn variants(&mut self, name: &str, depth: usize) -> Result<FieldType> {
        let tag = self.take(char::is_alphanumeric).to_owned();
        let Some(tag) = Scalar::ALL.into_iter().find(|known| known.name() == tag) else {
            return Err(self.wrong("an integer type"));
        };
        self.expect("{")?;
        let mut variants = Vec::new();
        while !self.eat("}") {
            if !variants.is_empty() {
                self.expect(",")?;
            }
            if variants.len() == MAX_FIELDS {
                return Err(self.wrong("fewer variants"));
            }
            let variant = self.take(|c| c == '_' || c.is_alphanumeric()).to_owned();
            self.expect("=")?;
            let value = self.number()?;
            let fields = if self.eat("{") { self.fields(depth)? } else { Vec::new() };
            variants.push((variant, value, fields));
        }
        Ok(FieldType::Enum(Variants::new(name, tag, variants)?))
    }

    /// Types up to the closing parenthesis.
    fn types(&mut self, depth: usize) -> Result<Vec<FieldType>> {
        let mut types = Vec::new();
        while !self.eat(")") {
            if !types.is_empty() {
                self.expect(",")?;
            }
            if types.len() == MAX_FIELDS {
                return Err(self.wrong("fewer types"));
            }
            types.push(self.field_type(depth + 1)?);
        }
        Ok(types)
    }

    fn field_type(&mut self, depth: usize) -> Result<FieldType> {
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep { limit: MAX_DEPTH });
        }
        if self.eat("?") {
            return Ok(FieldType::Option(Box::new(self.field_type(depth + 1)?)));
        }
        if self.eat("[") {
            let element = self.field_type(depth + 1)?;
            if self.eat("]") {
                return Ok(FieldType::Vec(Box::new(element)));
            }
            self.expect(";")?;
            let Ok(len) = self.take(|c| c.is_ascii_digit()).parse() else {
                return Err(self.wrong("a length"));
            };
            self.expect("]")?;
            return Ok(FieldType::Array(Box::new(element), len));
        }
        if self.eat("(") {
            return Ok(FieldType::Tuple(self.types(depth)?));
        }
        if self.eat("&") {
            let name = self.name();
            if !is_stored_name(&name) {
                return Err(self.wrong("a name"));
            }
            return Ok(FieldType::Link(name));
        }
        if self.eat("map(") {
            let mut types = self.types(depth)?.into_iter();
            let (Some(key), Some(value), None) = (types.next(), types.next(), types.next()) else {
                return Err(self.wrong("a type of keys and one of values"));
            };
            return Ok(FieldType::Map(Box::new(key), Box::new(value)));
        }
        let start = self.at;
        let name = self.name();
        if self.rest().starts_with('{') || self.rest().starts_with('@') {
            self.at = start;
            return Ok(FieldType::Struct(self.schema(depth)?));
        }
        if self.eat(":") {
            return self.variants(&name, depth);
        }
        let ty = match name.as_str() {
            "str" => FieldType::Str,
            "value" => FieldType::Value,
            "list" => FieldType::List,
            "dict" => FieldType::Dict,
            "set" => FieldType::Set,
            "bytearray" => FieldType::ByteArray,
            scalar => {
                let Some(known) = Scalar::ALL.into_iter().find(|known| known.name() == scalar)
                else {
                    self.at = start;
                    return Err(self.wrong("a type"));
                };
                FieldType::from_scalar(known)
            }
        };
        Ok(ty)
    }
}
