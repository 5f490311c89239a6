//! What typed structs promise: a schema that is stored, a payload of its size, valid fields.
//!
//! Schemas are decoded anew, not taken from what this process remembers, out of the budget of the
//! look. A struct refers to its schema's entry without counting; entries stay for ever.

use std::sync::Arc;

use crate::cell::{Cell, Kind, Offset};
use crate::error::Result;
use crate::flavour::Typed;
use crate::layout::{header, object};
use crate::payload::{payload_bytes, plain_start};
use crate::schema::{FieldType, Place, Scalar, Schema};

use super::paths::Step;
use super::walk::{Walk, without_name};

/// Most schemas of one segment.
const MOST_SCHEMAS: usize = 1 << 16;

impl Walk<'_> {
    /// Reads the chain of stored schemas.
    pub(super) fn read_schemas(&mut self) -> Result<()> {
        let mut next = Cell(self.header(header::SCHEMAS)?);
        while next != Cell::UNSET && next != Cell::NONE {
            if self.schemas.len() >= MOST_SCHEMAS || self.schemas.contains_key(&next.0) {
                let count = self.schemas.len();
                self.say(|_| format!("schemas: the chain has no end after {count} entries"));
                break;
            }
            match Schema::examine(self.heap, next, &mut self.budget) {
                Ok((schema, previous)) => {
                    // Versions of one name may stand beside each other, but each once.
                    let same = |other: &Arc<Schema>| {
                        other.name() == schema.name() && other.fingerprint() == schema.fingerprint()
                    };
                    if self.schemas.values().any(same) {
                        self.say(|_| format!("schemas: {:?} is stored twice", schema.name()));
                    }
                    self.schemas.insert(next.0, schema);
                    next = previous;
                }
                Err(error) => {
                    self.say(|_| format!("schemas: {}", without_name(&error)));
                    break;
                }
            }
        }
        Ok(())
    }

    /// The schema of the struct at an offset.
    fn schema_of(&self, at: Offset) -> Option<Arc<Schema>> {
        let entry = self.memory.load(at + object::W1).ok()?;
        self.schemas.get(&entry).cloned()
    }

    /// Whether a list may say that it is this container.
    pub(super) fn is_vector(&self, typed: Typed) -> bool {
        self.container(typed).is_some_and(|ty| matches!(ty, FieldType::Vec(_)))
    }

    /// Whether a dict may say that it is this container.
    pub(super) fn is_map(&self, typed: Typed) -> bool {
        self.container(typed).is_some_and(|ty| matches!(ty, FieldType::Map(..)))
    }

    fn container(&self, typed: Typed) -> Option<&FieldType> {
        let schema = self.schemas.get(&typed.entry().0)?;
        schema.container(typed.number()).map(|container| container.ty)
    }

    /// The path of the field that a cell of a struct belongs to, from the struct.
    pub(super) fn field_name(&self, at: Offset, cell: u64) -> Option<String> {
        self.schema_of(at)?.path_of(cell as usize)
    }

    pub(super) fn record(&mut self, at: Offset) -> Result<()> {
        let payload = self.memory.load(at + object::W0)?;
        let entry = self.memory.load(at + object::W1)?;
        if payload == 0 {
            self.say(|walk| format!("{}: it has no payload", walk.about(at)));
            return Ok(());
        }
        let Some(size) = self.part(payload, at)? else { return Ok(()) };
        let cells = self.memory.load(payload)?;
        if cells > (size - 8) / 8 {
            self.say(|walk| {
                let (about, most) = (walk.about(at), (size - 8) / 8);
                format!("{about}: {cells} cells, the payload's block holds {most}")
            });
            return Ok(());
        }
        self.cells(payload + 8, cells, at, |index, _| Step::Field(index))?;
        let Some(schema) = self.schema_of(at) else {
            self.say(|walk| {
                format!("{}: its schema {entry:#x} is none that is stored", walk.about(at))
            });
            return Ok(());
        };
        let (wanted, bytes) = (schema.layout().cells as u64, payload_bytes(schema.layout()) as u64);
        if cells != wanted || bytes > size {
            self.say(|walk| {
                format!(
                    "{}: {cells} cells in {size} bytes, {:?} has {wanted} in {bytes}",
                    walk.about(at),
                    schema.name()
                )
            });
            return Ok(());
        }
        let plain = payload + plain_start(schema.layout().cells) as u64;
        let record = Payload { at, cells: payload + 8, plain };
        self.fields(&record, &schema, Place::START, "")
    }

    fn fields(&mut self, record: &Payload, schema: &Schema, base: Place, path: &str) -> Result<()> {
        for field in schema.fields() {
            let path = format!("{path}.{}", field.name());
            self.field(record, field.ty(), base.part(field.place()), &path)?;
        }
        Ok(())
    }

    fn field(&mut self, record: &Payload, ty: &FieldType, at: Place, path: &str) -> Result<()> {
        match ty {
            FieldType::Bool => {
                self.one_of(record, at, path, Scalar::Bool, "0 or 1", |bits| bits < 2).map(drop)
            }
            FieldType::Char => {
                let is = |bits| char::from_u32(bits as u32).is_some();
                self.one_of(record, at, path, Scalar::Char, "a character", is).map(drop)
            }
            FieldType::Array(element, len) => {
                let Some(layout) = element.layout() else { return Ok(()) };
                // An element that takes no room has nothing to look at, however many there are.
                let len = if layout.cells == 0 && layout.size == 0 { 0 } else { *len as usize };
                if !needs_a_look(element) {
                    return Ok(());
                }
                for index in 0..len {
                    let place = at.element(layout, index);
                    self.field(record, element, place, &format!("{path}[{index}]"))?;
                }
                Ok(())
            }
            FieldType::Option(inner) => {
                let niche = inner.has_niche();
                let Some(layout) = inner.layout() else { return Ok(()) };
                let absent = if niche {
                    Cell(self.memory.load(record.cells + 8 * at.cells as u64)?) == Cell::NONE
                } else {
                    self.one_of(record, at, path, Scalar::U8, "0 or 1", |bits| bits < 2)? == 0
                };
                if absent {
                    return Ok(());
                }
                self.field(record, inner, at.part(layout.option_value(niche)), path)
            }
            FieldType::Struct(schema) => self.fields(record, schema, at, path),
            FieldType::Str | FieldType::List | FieldType::Dict => {
                let cell = Cell(self.memory.load(record.cells + 8 * at.cells as u64)?);
                let text = cell.0 & 0b111 == 0b011;
                let fits = match (ty, cell.as_ref().map(|reference| reference.kind)) {
                    (FieldType::Str, kind) => kind == Some(Kind::Str) || text,
                    (FieldType::List, kind) => kind == Some(Kind::List),
                    (_, kind) => kind == Some(Kind::Dict),
                };
                if !fits {
                    self.say(|walk| {
                        let about = walk.about(record.at);
                        format!("{about}: field {path} is {:#x}, not a {ty}", cell.0)
                    });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The bits of a scalar, which are one of a few.
    fn one_of(
        &mut self,
        record: &Payload,
        at: Place,
        path: &str,
        scalar: Scalar,
        wanted: &str,
        is: impl Fn(u64) -> bool,
    ) -> Result<u64> {
        let word = self.memory.load(record.plain + (at.plain as u64 & !7))?;
        let bits = (word >> ((at.plain as u64 & 7) * 8)) & ((1 << (scalar.size() * 8)) - 1);
        if !is(bits) {
            self.say(|walk| {
                let about = walk.about(record.at);
                format!("{about}: field {path} holds {bits:#x}, not {wanted}")
            });
        }
        Ok(bits)
    }
}

/// Where a struct's cells and bytes are.
struct Payload {
    at: Offset,
    cells: Offset,
    plain: Offset,
}

/// Whether a type has values that are none; numbers have not.
fn needs_a_look(ty: &FieldType) -> bool {
    match ty {
        FieldType::Array(inner, _) => needs_a_look(inner),
        FieldType::Struct(schema) => schema.fields().iter().any(|field| needs_a_look(field.ty())),
        FieldType::Bool
        | FieldType::Char
        | FieldType::Option(_)
        | FieldType::Str
        | FieldType::List
        | FieldType::Dict => true,
        _ => false,
    }
}
