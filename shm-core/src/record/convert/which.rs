//! Which part of which field an error is about, in words.
//!
//! A field, then item by item into what it holds; a struct inside begins anew with a field of its own.
//! Success pays for a few references on the stack.

use std::fmt::{self, Display};

use crate::error::Error;
use crate::schema::{Field, FieldType, Schema};
use crate::value::Value;

/// How much of a type, a key or a number is shown, in characters.
const SHOWN: usize = 50;

/// Which value a message is about.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    schema: &'a Schema,
    field: &'a Field,
    step: Step<'a>,
    /// What it is a part of.
    outer: Option<&'a At<'a>>,
}

/// The way from what a field holds to a part of it.
#[derive(Clone, Copy)]
pub(crate) enum Step<'a> {
    /// None: the whole.
    Whole,
    /// To an item of a list, array or tuple.
    Item(usize),
    /// To an item that has no index yet.
    AnItem,
    /// To a key of a map.
    Key,
    /// To the value of this key.
    ValueOf(&'a Value),
    /// To the value of a key that is there.
    AValue,
    /// To the vectors or maps of a type that are somewhere inside.
    Inner(&'a FieldType),
}

impl<'a> At<'a> {
    pub(super) fn of(schema: &'a Schema, field: &'a Field) -> Self {
        At { schema, field, step: Step::Whole, outer: None }
    }

    /// The same, of a struct that is a part of something.
    pub(super) fn within(self, outer: Option<&'a At<'a>>) -> Self {
        At { outer, ..self }
    }

    /// A part of it.
    pub(super) fn inside(&'a self, step: Step<'a>) -> At<'a> {
        At { step, outer: Some(self), ..*self }
    }

    #[cold]
    pub(super) fn wrong_type(&self, expected: &str, found: &Value) -> Error {
        let found = match found {
            Value::Record(record) => format!("a {:?}", record.schema().name()),
            other => other.type_name().to_owned(),
        };
        let mut what = format!("{self} takes {expected}, not {found}");
        if matches!(self.step, Step::Whole) {
            what = format!("{what}; its fields are {}", self.schema.field_names());
        }
        Error::WrongType { what }
    }

    #[cold]
    pub(super) fn out_of_range(&self, range: &str, found: &dyn Display) -> Error {
        let found = short(found);
        Error::InvalidArgument { what: format!("{self} takes {range}, not {found}") }
    }

    /// The steps from the field, innermost first.
    fn steps(&self) -> (Vec<String>, &At<'_>) {
        let mut steps = Vec::new();
        let mut at = self;
        loop {
            match (at.step, at.outer) {
                (Step::Whole, _) | (_, None) => return (steps, at),
                (step, Some(outer)) => {
                    steps.push(step.to_string());
                    at = outer;
                }
            }
        }
    }

    /// Where a struct is that is a part of it: ", in item 3 of field "x" of "S",".
    pub(super) fn place(&self) -> String {
        let (mut steps, whole) = self.steps();
        steps.push(format!("field {:?} of {:?}", whole.field.name(), whole.schema.name()));
        let outer = whole.outer.map(At::place).unwrap_or_default();
        format!(", in {}{}", steps.join(" of "), if outer.is_empty() { "," } else { &outer })
    }
}

/// Text for an error, up to the verb: `field "y" of "P" is i32 and`, `field "names" of "S" is [str]: item 1`.
impl Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (steps, whole) = self.steps();
        let place = whole.outer.map(At::place).unwrap_or_default();
        let ty = named(whole.field.ty());
        write!(f, "field {:?} of {:?}{place} is {ty}", whole.field.name(), whole.schema.name())?;
        if steps.is_empty() { f.write_str(" and") } else { write!(f, ": {}", steps.join(" of ")) }
    }
}

impl Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Whole => f.write_str("all"),
            Step::Item(index) => write!(f, "item {index}"),
            Step::AnItem => f.write_str("an item"),
            Step::Key => f.write_str("a key"),
            Step::ValueOf(key) => write!(f, "the value of {}", short(&key_text(key))),
            Step::AValue => f.write_str("a value"),
            Step::Inner(ty) => write!(f, "{} in it", short(ty)),
        }
    }
}

fn key_text(key: &Value) -> String {
    match key {
        Value::Str(text) => format!("{text:?}"),
        Value::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// A type, bounded.
fn named(ty: &FieldType) -> String {
    short(ty)
}

fn short(shown: &dyn Display) -> String {
    let text = shown.to_string();
    if text.chars().nth(SHOWN).is_none() {
        return text;
    }
    text.chars().take(SHOWN).chain("...".chars()).collect()
}
