//! The number fields of a schema by the address of their names.
//!
//! Names in Python code are interned, so an attribute's name is nearly always the very object that
//! this table keeps, and finding the field is one look, rarely more. It is made once for each schema (and
//! each byte of a word that its structs start at) and shared by all structs of it. What is not here (other names, other types, names that were built at
//! run time) is found the long way. Each field keeps the object that was made for its bits when they were
//! read lately: that of a value which is read more often than it changes is there already.

use std::sync::{Arc, OnceLock};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;
use shm_core::{FieldType, Schema};

use super::recent::Recent;

/// How the bits of a field become an object, and back.
#[derive(Clone, Copy)]
pub(super) enum Number {
    F64,
    F32,
    Bool,
    Signed,
    Unsigned,
}

/// What a field is that may be set and fills a word: the usual numbers.
#[derive(Clone, Copy)]
pub(super) enum Whole {
    Float,
    Signed,
    Unsigned,
    No,
}

impl Number {
    /// Of a field's type, with its size in bytes.
    fn of(ty: &FieldType) -> Option<(Self, usize)> {
        Some(match ty {
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
            _ => return None,
        })
    }
}

/// Where a field is and what it is. One line of the processor's cache.
#[repr(align(64))]
pub(super) struct Known {
    /// The interned name that the table keeps alive; 0 in an empty entry.
    name: usize,
    /// The word of the struct that it lies in.
    pub(super) word: usize,
    /// Its bits of that word, and how far up they are.
    pub(super) mask: u64,
    pub(super) shift: u8,
    /// How many bits of a word are not its own.
    pub(super) unused: u8,
    pub(super) number: Number,
    pub(super) readonly: bool,
    pub(super) whole: Whole,
    /// By the bits as they are in the word.
    pub(super) recent: Recent,
}

const _: () = assert!(size_of::<Known>() == 64);

impl Known {
    const fn empty() -> Self {
        Known {
            name: 0,
            word: 0,
            mask: 0,
            shift: 0,
            unused: 0,
            number: Number::Bool,
            readonly: true,
            whole: Whole::No,
            recent: Recent::new(),
        }
    }
}

/// How many multipliers are tried before two names may be at one place.
const TRIES: usize = 64;

/// The number fields of a schema, by the byte of a word that a struct starts at: one inside of another
/// may start at any.
#[derive(Default)]
pub(crate) struct Starts([OnceLock<Arc<Fields>>; 8]);

impl Starts {
    /// Of a struct that starts at this byte.
    pub(crate) fn at(&self, py: Python<'_>, schema: &Schema, start: usize) -> Option<Arc<Fields>> {
        let fields = self.0.get(start)?.get_or_init(|| Arc::new(Fields::of(py, schema, start)));
        Some(Arc::clone(fields))
    }
}

/// The number fields of a schema, in structs that start at the same byte of a word.
pub(crate) struct Fields {
    /// Open addressing, at most a quarter full, a power of two.
    entries: Box<[Known]>,
    /// Spreads the addresses of the names.
    multiplier: usize,
    /// Keeps the names where they are.
    names: Vec<Py<PyString>>,
}

impl Fields {
    fn of(py: Python<'_>, schema: &Schema, start: usize) -> Self {
        let numbers = || {
            let numbers = schema.fields().iter();
            numbers.filter_map(|field| Number::of(field.ty()).map(|number| (field, number)))
        };
        let names: Vec<_> =
            numbers().map(|(field, _)| PyString::intern(py, field.name()).unbind()).collect();
        let room = (names.len() * 4).next_power_of_two();
        let entries = std::iter::repeat_with(Known::empty).take(room).collect();
        let mut fields = Fields { entries, multiplier: 1, names };
        fields.spread();
        for (at, (field, (number, size))) in numbers().enumerate() {
            let Some(address) = fields.names.get(at).map(address) else { continue };
            let plain = start + field.place().plain;
            let (shift, unused) = (8 * (plain % 8) as u8, 64 - 8 * size as u8);
            if let Some(entry) = fields.vacant(address) {
                entry.name = address;
                entry.word = plain / 8;
                entry.mask = (u64::MAX >> unused) << shift;
                (entry.shift, entry.unused) = (shift, unused);
                (entry.number, entry.readonly) = (number, field.readonly());
                entry.whole = match (number, size) {
                    _ if field.readonly() => Whole::No,
                    (Number::F64, _) => Whole::Float,
                    (Number::Signed, 8) => Whole::Signed,
                    (Number::Unsigned, 8) => Whole::Unsigned,
                    _ => Whole::No,
                };
            }
        }
        fields
    }

    /// Looks for a multiplier that gives each name a first place of its own.
    fn spread(&mut self) {
        for _ in 0..TRIES {
            self.multiplier = self.multiplier.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut firsts: Vec<_> =
                self.names.iter().map(|name| self.places(address(name)).next()).collect();
            firsts.sort_unstable();
            firsts.dedup();
            if firsts.len() == self.names.len() {
                return;
            }
        }
    }

    fn vacant(&mut self, name: usize) -> Option<&mut Known> {
        let mut places = self.places(name);
        let at = places.find(|at| self.entries.get(*at).is_some_and(|entry| entry.name == 0))?;
        self.entries.get_mut(at)
    }

    /// Where a name may be, in the order of looking.
    #[inline]
    fn places(&self, name: usize) -> impl Iterator<Item = usize> + use<> {
        let last = self.entries.len() - 1;
        let first = name.wrapping_mul(self.multiplier) >> 32;
        (0..=last).map(move |step| (first + step) & last)
    }

    /// The field that this very object is the name of, if it is where one looks first.
    #[inline]
    pub(super) fn glance(&self, name: *mut ffi::PyObject) -> Option<&Known> {
        let entry = self.entries.get(self.places(name.addr()).next()?)?;
        (entry.name == name.addr()).then_some(entry)
    }

    /// The field that this very object is the name of.
    pub(super) fn find(&self, name: *mut ffi::PyObject) -> Option<&Known> {
        let entries = self.places(name.addr()).map_while(|at| self.entries.get(at));
        let mut taken = entries.take_while(|entry| entry.name != 0);
        taken.find(|entry| entry.name == name.addr())
    }
}

fn address(name: &Py<PyString>) -> usize {
    name.as_ptr().addr()
}
