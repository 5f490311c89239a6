//! What a typed struct consists of: names, types and places of its fields.
//!
//! A schema comes from the derive (as constants), from a Python class or from the segment; all
//! have the same canonical text, and the text alone decides the layout and the fingerprint:
//!
//! ```text
//! plant.Sensor{id!:u64,position:[f32;3],label:str,spare:?plant.Part{weight:f64},extra:dict}
//!              ^ read-only
//! ```
//!
//! Layout: fields of a dynamic type (`str`, `value`, `list`, a `Vec`, a link, ..) have a cell each, in order;
//! all others have their bytes in C layout with natural alignment, in order. A nested struct adds
//! its cells to the outer one's cells and its bytes to the outer one's bytes; so does each element
//! of an array or tuple. An enum is the number of its variant and behind it the variant's fields;
//! all variants start at the same place. An option of a plain type is a byte (0 or 1), padding, and
//! the value; an option of a dynamic type but `value` is the same cell, which then may be `None`.
//!
//! ```text
//! plant.Line<u8,3>@2{state:plant.State:u8{Idle=0,Failed=7{_0:str}},next:?&plant.Line<u8,3>,
//!                 ^ version        [f64] a Vec   map(str,i64) a map   (u8,f64) a tuple   & a link
//! ```
//!
//! Text from a segment is taken apart under limits of depth and size, so that a corrupt one is an
//! error and nothing else.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::fingerprint;

mod compare;
mod containers;
mod info;
mod path;
mod plan;
mod source;
mod stored;
mod text;
mod types;
mod variants;

pub(crate) use containers::Container;
pub use info::Scalar;
pub use info::{ArgInfo, EnumInfo, FieldInfo, NameInfo, StructInfo, TypeInfo, VariantInfo};
pub use plan::{Layout, Place, Plan};
pub use source::{Language, source};
pub use types::FieldType;
pub use variants::{Declared, Variant, Variants};

/// How many structs, arrays and options may be inside of each other.
const MAX_DEPTH: usize = 32;
/// How many fields a struct may have.
const MAX_FIELDS: usize = 4096;
/// Longest name, in bytes.
const MAX_NAME: usize = 120;

/// One field of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    name: String,
    ty: FieldType,
    readonly: bool,
    place: Place,
    layout: Layout,
    doc: String,
}

/// What a typed struct consists of.
#[derive(Clone, Debug)]
pub struct Schema {
    name: String,
    version: u32,
    fields: Vec<Field>,
    layout: Layout,
    fingerprint: u64,
    text: String,
    doc: String,
    companion: Companion,
}

/// What a language binding keeps beside a schema.
#[derive(Debug, Default)]
struct Companion(OnceLock<Box<dyn Any + Send + Sync>>);

impl Clone for Companion {
    /// Each copy has its own.
    fn clone(&self) -> Self {
        Companion::default()
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Schema {}

impl Field {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its type.
    #[must_use]
    pub fn ty(&self) -> &FieldType {
        &self.ty
    }

    /// Whether it is written only when the struct is made.
    #[must_use]
    pub fn readonly(&self) -> bool {
        self.readonly
    }

    /// Where it is, from the start of the struct.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// The room it takes.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What its documentation says.
    #[must_use]
    pub fn doc(&self) -> &str {
        &self.doc
    }
}

impl Schema {
    /// A schema of these fields: name, type, whether read-only.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a name that is none, two fields of one name, and for structs
    /// too large or nested too deeply.
    pub fn new(name: &str, fields: Vec<(String, FieldType, bool)>) -> Result<Arc<Schema>> {
        Schema::with_version(name, 0, fields)
    }

    /// As [`new`](Self::new), with a version, which is 0 if there is none.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_version(
        name: &str,
        version: u32,
        fields: Vec<(String, FieldType, bool)>,
    ) -> Result<Arc<Schema>> {
        let invalid = |what: String| Error::InvalidArgument { what };
        if !is_stored_name(name) {
            return Err(invalid(format!(
                "{name:?} is no name for a schema: use letters, digits and _, in parts joined by \
                 dots, at most {MAX_NAME} bytes"
            )));
        }
        if fields.len() > MAX_FIELDS {
            return Err(invalid(format!(
                "{name:?} has {} fields: at most {MAX_FIELDS} are possible",
                fields.len()
            )));
        }
        let (done, layout) = place(name, Layout::EMPTY, fields)?;
        let layout = layout.padded();
        let text = text::write(name, version, &done);
        let fingerprint = fingerprint::of_text(&text);
        let (name, doc) = (name.to_owned(), String::new());
        let companion = Companion::default();
        Ok(Arc::new(Schema {
            name,
            version,
            fields: done,
            layout,
            fingerprint,
            text,
            doc,
            companion,
        }))
    }

    /// The schema that a canonical text stands for.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is no such text.
    pub fn parse(text: &str) -> Result<Arc<Schema>> {
        text::parse(text)
    }

    /// The same with documentation: of the struct, then of each field.
    pub(crate) fn documented(self: Arc<Self>, docs: &[String]) -> Arc<Schema> {
        let Some((doc, rest)) = docs.split_first() else { return self };
        let mut documented = (*self).clone();
        documented.doc.clone_from(doc);
        for (field, doc) in documented.fields.iter_mut().zip(rest) {
            field.doc.clone_from(doc);
        }
        Arc::new(documented)
    }

    /// The name that it is stored under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version, 0 if it has none.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// What its documentation says.
    #[must_use]
    pub fn doc(&self) -> &str {
        &self.doc
    }

    /// Its fields in order.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The position of a field.
    #[must_use]
    pub fn index_of(&self, field: &str) -> Option<usize> {
        self.fields.iter().position(|other| other.name == field)
    }

    /// What a binding keeps beside this schema, made by the first one who asks; `None` if another kind
    /// of companion is there.
    pub fn companion<T: Any + Send + Sync>(&self, make: impl FnOnce(&Schema) -> T) -> Option<&T> {
        self.companion.0.get_or_init(|| Box::new(make(self))).downcast_ref()
    }

    /// Equal for equal schemas, and different (but for chance) for different ones.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The canonical text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The room that a struct takes.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The names of its fields, for messages.
    #[must_use]
    pub fn field_names(&self) -> String {
        if self.fields.is_empty() {
            return "none".to_owned();
        }
        let names: Vec<&str> = self.fields.iter().map(|field| field.name.as_str()).collect();
        names.join(", ")
    }

    /// The error for a field that it has not.
    #[must_use]
    pub fn unknown_field(&self, field: &str) -> Error {
        Error::UnknownField {
            schema: self.name.clone(),
            field: field.chars().take(MAX_NAME).collect(),
            fields: self.field_names(),
        }
    }
}

/// Lays fields out behind what is there.
fn place(
    name: &str,
    head: Layout,
    fields: Vec<(String, FieldType, bool)>,
) -> Result<(Vec<Field>, Layout)> {
    let invalid = |what: String| Error::InvalidArgument { what };
    let mut layout = head;
    let mut done: Vec<Field> = Vec::with_capacity(fields.len());
    for (field, ty, readonly) in fields {
        if !is_name(&field) {
            return Err(invalid(format!(
                "{field:?} of {name:?} is no name for a field: use letters, digits and _, at \
                 most {MAX_NAME} bytes"
            )));
        }
        if done.iter().any(|other| other.name == field) {
            return Err(invalid(format!("{name:?} has two fields named {field:?}")));
        }
        if ty.depth() >= MAX_DEPTH {
            return Err(Error::TooDeep { limit: MAX_DEPTH });
        }
        if let Some(wrong) = ty.impossible() {
            return Err(invalid(format!(
                "{wrong} in {field:?} of {name:?} has no form in a segment: the elements of a vector \
                 must be plain or have one dynamic part; the keys of a map are ints, bool, char or str, its \
                 values these, floats, value, list, dict, set or bytearray; a dict without types holds anything"
            )));
        }
        let room = ty.layout().and_then(|room| Some((room, layout.checked_then(room)?)));
        let Some((field_layout, (place, whole))) = room else {
            return Err(invalid(format!("{name:?} is too large: look at {field:?} ({ty})")));
        };
        layout = whole;
        done.push(Field {
            name: field,
            ty,
            readonly,
            place,
            layout: field_layout,
            doc: String::new(),
        });
    }
    Ok((done, layout))
}

/// Whether a struct can be stored under a name: names joined by dots, then generic arguments.
fn is_stored_name(name: &str) -> bool {
    let (plain, arguments) = name.split_at(name.find('<').unwrap_or(name.len()));
    let inside = |c: char| c.is_alphanumeric() || "_.<>[];?&(),-".contains(c);
    plain.split('.').all(is_name)
        && name.len() <= MAX_NAME
        && arguments.chars().all(inside)
        && (arguments.is_empty() || arguments.ends_with('>'))
        && arguments.matches('<').count() == arguments.matches('>').count()
}

/// Whether a name can be stored: letters, digits and `_`, not starting with a digit.
fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.chars().all(|c| c == '_' || c.is_alphanumeric())
        && name.chars().next().is_some_and(|c| !c.is_numeric())
}

#[cfg(test)]
mod tests;
