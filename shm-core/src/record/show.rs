//! Structs compared with each other and shown by `Debug`: both bounded, as what they refer to may be a cycle.

use std::fmt;

use crate::handle::borrowed;
use crate::value::Value;

use super::Record;

/// How deep structs are compared: what they refer to may be a cycle.
const MAX_EQUAL_DEPTH: u32 = 64;

thread_local! {
    /// How deep this thread is in a comparison.
    static EQUAL_DEPTH: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// How many characters of a value `Debug` shows.
const SHOWN: usize = 200;

impl PartialEq for Record {
    /// The same struct, or same schema and equal values, where links are equal if they lead to the
    /// same struct. Structs that cannot be read, or are nested too deeply, equal nothing else.
    fn eq(&self, other: &Self) -> bool {
        if self.is_same(other) {
            return true;
        }
        let depth = EQUAL_DEPTH.get();
        if self.schema != other.schema || depth == MAX_EQUAL_DEPTH {
            return false;
        }
        EQUAL_DEPTH.set(depth + 1);
        let look = || {
            let (mine, theirs) = (self.values()?, other.values()?);
            Ok(mine.iter().zip(&theirs).all(|pair| match pair {
                (Value::Record(mine), Value::Record(theirs)) if !mine.is_nested() => {
                    mine.is_same(theirs)
                }
                (mine, theirs) => mine == theirs,
            }))
        };
        let (one, two) = (self.slot().object(), other.slot().object());
        let found = borrowed::with_or_without_pins(|| {
            borrowed::while_unchanged(one, || borrowed::while_unchanged(two, look))
        });
        EQUAL_DEPTH.set(depth);
        found.unwrap_or(false)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(self.schema.name(), f)
    }
}

impl Record {
    /// Shows the fields as of one moment, bounded.
    pub(crate) fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = match self.values() {
            Ok(values) => values,
            Err(error) => return write!(f, "{name} {{ <{error}> }}"),
        };
        let mut shown = f.debug_struct(name);
        for (field, value) in self.schema.fields().iter().zip(values) {
            shown.field(field.name(), &Bounded(&value));
        }
        shown.finish()
    }
}

/// A value as in Rust source, cut after [`SHOWN`] characters.
struct Bounded<'v>(&'v Value);

impl fmt::Debug for Bounded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            Value::None => "None".to_owned(),
            Value::Bool(value) => format!("{value:?}"),
            Value::Int(value) => format!("{value:?}"),
            Value::BigInt(value) => value.to_string(),
            Value::Float(value) => format!("{value:?}"),
            Value::Str(value) => format!("{value:?}"),
            Value::Tuple(items) => {
                let items: Vec<Bounded<'_>> = items.iter().take(SHOWN).map(Bounded).collect();
                format!("{items:?}")
            }
            // What references lead to may be a cycle.
            Value::Record(record) if !record.is_nested() => {
                format!("{}({:#x})", record.schema.name(), record.id().unwrap_or_default())
            }
            other => format!("{other:?}"),
        };
        if text.chars().nth(SHOWN).is_some() {
            let cut: String = text.chars().take(SHOWN).collect();
            return write!(f, "{cut}...");
        }
        f.write_str(&text)
    }
}
