//! Schemas as source text: for Rust (the derive), for Python (`@shm_py.struct`) and for C.
//!
//! Each type is written once, behind what it is made of, under the last part of its name; where that is taken, or
//! means something else in the language, under the whole name, with `_` or a number behind it. The text compiles, and
//! what it declares has the schema that it was made of.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{FieldType, Schema, Variants};
use crate::error::{Error, Result};

mod c;
mod python;
mod rust;

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
    let mut types = Types { given: schemas, ..Types::default() };
    for schema in schemas {
        types.structure(schema);
    }
    let mut out = String::new();
    // Writing into a `String` cannot fail.
    let _ = match language {
        Language::Rust => rust::write(&mut out, &types),
        Language::Python => python::write(&mut out, &types),
        Language::C => c::write(&mut out, &types),
    };
    out
}

/// A type that is written.
#[derive(Clone, Copy)]
enum Type<'s> {
    Struct(&'s Schema),
    Enum(&'s Variants),
}

/// All types, in the order in which they are written.
#[derive(Default)]
struct Types<'s> {
    /// Those asked for, which have documentation; what is inside of others has none.
    given: &'s [Arc<Schema>],
    all: Vec<Type<'s>>,
    done: BTreeSet<String>,
    /// What links refer to, by name.
    links: BTreeSet<&'s str>,
}

impl<'s> Types<'s> {
    fn structure(&mut self, schema: &'s Schema) {
        if !self.done.insert(schema.text.clone()) {
            return;
        }
        let schema =
            self.given.iter().find(|given| given.text == schema.text).map_or(schema, |s| s);
        for field in &schema.fields {
            self.inner(&field.ty);
        }
        self.all.push(Type::Struct(schema));
    }

    /// Adds what a type is made of.
    fn inner(&mut self, ty: &'s FieldType) {
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
            FieldType::Enum(variants) if self.done.insert(variants.to_string()) => {
                for field in variants.variants().iter().flat_map(super::Variant::fields) {
                    self.inner(&field.ty);
                }
                self.all.push(Type::Enum(variants));
            }
            FieldType::Link(name) => {
                self.links.insert(name);
            }
            _ => {}
        }
    }

    /// The names of which only links are known.
    fn unknown(&self) -> impl Iterator<Item = &'s str> {
        let known = |name: &str| {
            self.all.iter().any(|ty| matches!(ty, Type::Struct(schema) if schema.name == name))
        };
        self.links.iter().copied().filter(move |name| !known(name))
    }
}

/// What each type is called in the source.
struct Names {
    /// By canonical text.
    types: HashMap<String, String>,
    /// By stored name: what links refer to.
    links: HashMap<String, String>,
}

impl Names {
    /// Gives names, in order of preference `candidates`; each name takes what `takes` says.
    fn give(
        types: &Types<'_>,
        candidates: impl Fn(&str) -> Vec<String>,
        takes: impl Fn(&str) -> Vec<String>,
    ) -> Self {
        let mut used = BTreeSet::new();
        let mut free = |stored: &str| -> String {
            let mut wanted = candidates(stored);
            let last = wanted.last().cloned().unwrap_or_default();
            wanted
                .extend((2..).take(types.done.len() + 2).map(|number| format!("{last}_{number}")));
            let is_free = |name: &&String| takes(name).iter().all(|taken| !used.contains(taken));
            let name = wanted.iter().find(is_free).cloned().unwrap_or(last);
            used.extend(takes(&name));
            name
        };
        let mut names = Names { types: HashMap::new(), links: HashMap::new() };
        for ty in &types.all {
            match ty {
                Type::Struct(schema) => {
                    let name = free(&schema.name);
                    names.types.insert(schema.text.clone(), name.clone());
                    names.links.insert(schema.name.clone(), name);
                }
                Type::Enum(variants) => {
                    let name = free(&variants.name);
                    names.types.insert(variants.to_string(), name);
                }
            }
        }
        for unknown in types.unknown() {
            names.links.insert(unknown.to_owned(), free(unknown));
        }
        names
    }

    fn structure(&self, schema: &Schema) -> &str {
        self.types.get(&schema.text).map_or("", String::as_str)
    }

    fn variants(&self, variants: &Variants) -> &str {
        self.types.get(&variants.to_string()).map_or("", String::as_str)
    }

    fn link(&self, stored: &str) -> &str {
        self.links.get(stored).map_or("", String::as_str)
    }
}

/// Whether a list of words, with a space around each, has this one.
fn is_one_of(words: &str, word: &str) -> bool {
    words.contains(&format!(" {word} "))
}

/// A name of letters, digits and `_`.
fn mangled(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}

/// The last part of a name, generic arguments included.
fn last_part(name: &str) -> String {
    let (plain, arguments) = name.split_at(name.find('<').unwrap_or(name.len()));
    let last = plain.rsplit('.').next().unwrap_or(plain);
    mangled(&format!("{last}{}", arguments.trim_end_matches('>')))
}

/// The name with `_` behind it until nobody has it.
fn renamed(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut name = format!("{name}_");
    while taken(&name) {
        name.push('_');
    }
    name
}
