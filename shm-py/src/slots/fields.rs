//! The number fields of a schema by the address of their names.
//!
//! Names in Python code are interned, so an attribute's name is nearly always the very object that
//! this table keeps, and finding the field is a look or two. It is made once for each schema and
//! shared by all structs of it. What is not here (other names, other types, names that were built at
//! run time) is found the long way.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;
use shm_core::{FieldType, Schema};

/// How the bits of a field become an object, and back.
#[derive(Clone, Copy)]
pub(super) enum Number {
    F64,
    F32,
    Bool,
    Signed,
    Unsigned,
}

/// Where a field is and what it is.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// The interned name that the table keeps alive; 0 in an empty entry.
    name: usize,
    /// The field's first byte in its struct.
    pub(super) plain: usize,
    pub(super) size: usize,
    pub(super) number: Number,
    pub(super) readonly: bool,
}

const EMPTY: Known = Known { name: 0, plain: 0, size: 0, number: Number::Bool, readonly: true };

/// The number fields of a schema.
pub(crate) struct Fields {
    /// Open addressing, at most half full, a power of two.
    entries: Box<[Known]>,
    /// Keeps the names where they are.
    _names: Vec<Py<PyString>>,
}

impl Fields {
    /// Of a schema.
    pub(crate) fn of(py: Python<'_>, schema: &Schema) -> Self {
        let mut names = Vec::new();
        let mut known = Vec::new();
        for field in schema.fields() {
            let (number, size) = match field.ty() {
                FieldType::F64 => (Number::F64, 8),
                FieldType::F32 => (Number::F32, 4),
                FieldType::Bool => (Number::Bool, 1),
                FieldType::I8 => (Number::Signed, 1),
                FieldType::I16 => (Number::Signed, 2),
                FieldType::I32 => (Number::Signed, 4),
                FieldType::I64 => (Number::Signed, 8),
                FieldType::U8 => (Number::Unsigned, 1),
                FieldType::U16 => (Number::Unsigned, 2),
                FieldType::U32 => (Number::Unsigned, 4),
                FieldType::U64 => (Number::Unsigned, 8),
                _ => continue,
            };
            let name = PyString::intern(py, field.name());
            let (plain, readonly) = (field.place().plain, field.readonly());
            known.push(Known { name: name.as_ptr().addr(), plain, size, number, readonly });
            names.push(name.unbind());
        }
        let mut entries = vec![EMPTY; (known.len() * 2).next_power_of_two()].into_boxed_slice();
        for field in known {
            let free = places(field.name, entries.len())
                .find(|at| entries.get(*at).is_some_and(|entry| entry.name == 0));
            if let Some(entry) = free.and_then(|at| entries.get_mut(at)) {
                *entry = field;
            }
        }
        Fields { entries, _names: names }
    }

    /// The field that this very object is the name of.
    #[inline]
    pub(super) fn find(&self, name: *mut ffi::PyObject) -> Option<&Known> {
        for at in places(name.addr(), self.entries.len()) {
            let entry = self.entries.get(at)?;
            if entry.name == name.addr() {
                return Some(entry);
            }
            if entry.name == 0 {
                return None;
            }
        }
        None
    }
}

/// Where a name may be, in the order of looking.
#[inline]
fn places(name: usize, count: usize) -> impl Iterator<Item = usize> {
    // Objects lie at multiples of 16.
    let first = (name >> 4) ^ (name >> 10);
    (0..count).map(move |step| (first + step) & (count - 1))
}
