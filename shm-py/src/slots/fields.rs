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
use shm_core::{Field, FieldType, Schema};

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
    /// The interned name; none in an empty entry.
    name: Option<Py<PyString>>,
    /// The word of the struct that it lies in.
    pub(super) word: usize,
    /// Its bits of that word, and how far up they are.
    pub(super) mask: u64,
    pub(super) shift: u8,
    /// How many bits of a word are not its own.
    pub(super) unused: u8,
    pub(super) number: Number,
    pub(super) readonly: bool,
    /// Whether it is an `f64`.
    pub(super) is_float: bool,
    /// Where the class lies whose instances it is set to the shortest way: `float` or `int` if the field may be set and
    /// fills a word, as the usual numbers do, otherwise 0.
    pub(super) class: usize,
    /// By the bits as they are in the word.
    pub(super) recent: Recent,
}

const _: () = assert!(size_of::<Known>() == 64);

impl Known {
    const fn empty() -> Self {
        Known {
            name: None,
            word: 0,
            mask: 0,
            shift: 0,
            unused: 0,
            number: Number::Bool,
            readonly: true,
            is_float: false,
            class: 0,
            recent: Recent::new(),
        }
    }

    /// Of a field of this size, at this byte from the first word of a struct on.
    fn field(name: Py<PyString>, field: &Field, number: Number, size: usize, plain: usize) -> Self {
        let (shift, unused) = (8 * (plain % 8) as u8, 64 - 8 * size as u8);
        let is_float = matches!(number, Number::F64);
        let class = match is_float {
            _ if field.readonly() || size < 8 => 0,
            true => (&raw const ffi::PyFloat_Type).addr(),
            false => (&raw const ffi::PyLong_Type).addr(),
        };
        Known {
            name: Some(name),
            word: plain / 8,
            mask: (u64::MAX >> unused) << shift,
            shift,
            unused,
            number,
            readonly: field.readonly(),
            is_float,
            class,
            recent: Recent::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.name.is_none()
    }

    /// That of its name, 0 in an empty entry.
    #[inline]
    fn address(&self) -> usize {
        self.name.as_ref().map_or(0, |name| name.as_ptr().addr())
    }
}

/// How many multipliers are tried before two names may be at one place.
const TRIES: usize = 64;

/// The number fields of a schema, by the byte of a word that a struct starts at: one inside of another
/// may start at any.
#[derive(Default)]
pub(crate) struct Starts([OnceLock<Fields>; 8]);

impl Starts {
    /// Of a struct that starts at this byte.
    pub(crate) fn at(&self, py: Python<'_>, schema: &Schema, start: usize) -> Option<Fields> {
        Some(self.0.get(start)?.get_or_init(|| Fields::of(py, schema, start)).clone())
    }
}

/// The number fields of a schema, in structs that start at the same byte of a word.
#[derive(Clone)]
pub(crate) struct Fields {
    /// Open addressing, at most a quarter full. Invariant: (1) there are `last` + 1, a power of two.
    entries: Arc<[Known]>,
    last: usize,
    /// Spreads the addresses of the names.
    multiplier: usize,
}

impl Fields {
    fn of(py: Python<'_>, schema: &Schema, start: usize) -> Self {
        let numbers = schema.fields().iter().filter_map(|field| {
            let (number, size) = Number::of(field.ty())?;
            let name = PyString::intern(py, field.name()).unbind();
            Some(Known::field(name, field, number, size, start + field.place().plain))
        });
        let numbers: Vec<_> = numbers.collect();
        let names: Vec<_> = numbers.iter().map(Known::address).collect();
        let last = (names.len() * 4).next_power_of_two() - 1;
        let multiplier = spread(&names, last);
        let mut entries: Vec<_> = std::iter::repeat_with(Known::empty).take(last + 1).collect();
        for number in numbers {
            let mut places = places(number.address(), multiplier, last);
            let vacant = places.find(|at| entries.get(*at).is_some_and(Known::is_empty));
            if let Some(entry) = vacant.and_then(|at| entries.get_mut(at)) {
                *entry = number;
            }
        }
        Fields { entries: entries.into(), last, multiplier }
    }

    /// The field that this very object is the name of, if it is where one looks first.
    #[inline]
    pub(super) fn glance(&self, name: *mut ffi::PyObject) -> Option<&Known> {
        let first = first_place(name.addr(), self.multiplier, self.last);
        // SAFETY: (1) of `Fields`: a place is at most `last`.
        let entry = unsafe { self.entries.get_unchecked(first) };
        (entry.address() == name.addr()).then_some(entry)
    }

    /// The field that this very object is the name of.
    pub(super) fn find(&self, name: *mut ffi::PyObject) -> Option<&Known> {
        let places = places(name.addr(), self.multiplier, self.last);
        let entries = places.map_while(|at| self.entries.get(at));
        let mut taken = entries.take_while(|entry| !entry.is_empty());
        taken.find(|entry| entry.address() == name.addr())
    }
}

/// A multiplier that gives each name a first place of its own, if one is found.
fn spread(names: &[usize], last: usize) -> usize {
    let mut multiplier = 1_usize;
    for _ in 0..TRIES {
        multiplier = multiplier.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let firsts = names.iter().map(|name| first_place(*name, multiplier, last));
        let mut firsts: Vec<_> = firsts.collect();
        firsts.sort_unstable();
        firsts.dedup();
        if firsts.len() == names.len() {
            break;
        }
    }
    multiplier
}

/// Where one looks for a name first.
#[inline]
fn first_place(name: usize, multiplier: usize, last: usize) -> usize {
    (name.wrapping_mul(multiplier) >> 32) & last
}

/// Where a name may be, in the order of looking.
fn places(name: usize, multiplier: usize, last: usize) -> impl Iterator<Item = usize> {
    let first = first_place(name, multiplier, last);
    (0..=last).map(move |step| (first + step) & last)
}
