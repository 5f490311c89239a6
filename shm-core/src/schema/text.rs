//! The canonical text of a schema: writing it, and taking it apart.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Field, FieldType, MAX_DEPTH, MAX_FIELDS, Scalar, Schema};
use crate::error::{Error, Result};

/// Writes the text of a schema of these fields.
pub(super) fn write(name: &str, fields: &[Field]) -> String {
    let mut text = format!("{name}{{");
    for (at, field) in fields.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let mark = if field.readonly { "!" } else { "" };
        // Writing into a String cannot fail.
        let _ = write!(text, "{comma}{}{mark}:{}", field.name, field.ty);
    }
    text.push('}');
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

    fn schema(&mut self, depth: usize) -> Result<Arc<Schema>> {
        let name = self.take(|c| c == '_' || c == '.' || c.is_alphanumeric()).to_owned();
        self.expect("{")?;
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
        Schema::new(&name, fields)
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
            self.expect(";")?;
            let Ok(len) = self.take(|c| c.is_ascii_digit()).parse() else {
                return Err(self.wrong("a length"));
            };
            self.expect("]")?;
            return Ok(FieldType::Array(Box::new(element), len));
        }
        let start = self.at;
        let name = self.take(|c| c == '_' || c == '.' || c.is_alphanumeric()).to_owned();
        if self.rest().starts_with('{') {
            self.at = start;
            return Ok(FieldType::Struct(self.schema(depth)?));
        }
        let ty = match name.as_str() {
            "str" => FieldType::Str,
            "value" => FieldType::Value,
            "list" => FieldType::List,
            "dict" => FieldType::Dict,
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
