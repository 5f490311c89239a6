//! The shared dict: Python's dict, changed in place by every process.
//!
//! Keys keep their insertion order and are equal as in Python, in every process: `1 == 1.0 ==
//! True`. Readers never lock; every changing operation is atomic, also under SIGKILL. Iterating
//! notices that another operation changed the size, as in Python.

mod edit;
pub(crate) mod entries;
pub(crate) mod fresh;
mod iter;
pub(crate) mod keys;
pub(crate) mod merge;
mod ordered;
mod quick;
mod several;
#[cfg(test)]
mod tests;

pub use entries::Cursor;
pub use iter::{Iter, Keys, Values};

use crate::cell::{Cell, Kind, Offset};
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::heap::Heap;
use crate::shared::Struct;
use crate::value::{Key, Probe, QuickKey, Value};
use fresh::Entry;
use keys::{DICT, VALUE};

/// Handle. A dict in shared memory.
///
/// ```
/// # fn main() -> Result<(), shm_core::Error> {
/// # let seg = shm_core::Segment::create_anonymous(shm_core::SegmentOptions::new().size(1 << 20))?;
/// let dict = seg.root();
/// dict.set("n", 1)?;
/// dict.add("n", 41)?;
/// assert_eq!(dict.get("n")?, Some(42.into()));
/// assert_eq!(dict.remove("n")?, Some(42.into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Dict {
    object: Object,
}

crate::handle::identity!(Dict, "dict");

impl Dict {
    pub(crate) fn from_object(object: Object) -> Self {
        Dict { object }
    }

    /// A new, empty dict that nothing but this handle refers to.
    pub(crate) fn empty(heap: &Heap) -> Result<Self> {
        Ok(Dict { object: Object::create(heap, Kind::Dict, |_, _| Ok(()))? })
    }

    /// A new dict of these entries.
    pub(crate) fn new<'k, K: Into<Key<'k>>, V: Into<Value>>(
        heap: &Heap,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self> {
        let dict = Dict::empty(heap)?;
        dict.fill(entries)?;
        Ok(dict)
    }

    /// Fills an empty dict that nobody else sees, so it need not be one operation.
    pub(crate) fn fill<'k, K: Into<Key<'k>>, V: Into<Value>>(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        let entries = entries.into_iter();
        self.reserve(entries.size_hint().0)?;
        for (key, value) in entries {
            self.set(key, value)?;
        }
        Ok(())
    }

    /// How many entries it has.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "is_empty is below, fallible like everything")]
    pub fn len(&self) -> Result<usize> {
        entries::len::<DICT>(self.heap(), self.at())
    }

    /// Whether it has no entries.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The raw cell of a key's value: whole values where [`Cell::is_immediate`].
    #[inline]
    pub fn get_cell<'k>(&self, key: impl Into<Key<'k>>) -> Result<Option<Cell>> {
        let key = key.into();
        let quick = key.quick(self.heap().hash_key());
        if let Some(quick) = &quick
            && let Some(cell) = self.quick_get(quick)
        {
            return Ok(cell);
        }
        self.read_cell(&key, quick)
    }

    fn read_cell(&self, key: &Key<'_>, quick: Option<QuickKey<'_>>) -> Result<Option<Cell>> {
        let probe = key.probe_after(self.heap().hash_key(), quick)?;
        let at = self.at();
        self.heap().read(at, |heap| value_cell(heap, at, &probe))
    }

    /// The value of a key.
    ///
    /// # Errors
    /// `Unhashable` if the key is a mutable container.
    #[inline]
    pub fn get<'k>(&self, key: impl Into<Key<'k>>) -> Result<Option<Value>> {
        let key = key.into();
        let quick = key.quick(self.heap().hash_key());
        if let Some(quick) = &quick
            && let Some(cell) = self.quick_get(quick)
        {
            // A number is made where it is returned: handing a value on costs as much as a look.
            let Some(cell) = cell else { return Ok(None) };
            if let Some(number) = cell.as_int() {
                return Ok(Some(Value::Int(number)));
            }
            if let Some(number) = cell.as_float() {
                return Ok(Some(Value::Float(number)));
            }
        }
        self.read_value(&key, quick)
    }

    fn read_value(&self, key: &Key<'_>, quick: Option<QuickKey<'_>>) -> Result<Option<Value>> {
        if let Some(quick) = &quick
            && let Some(value) = self.quick_value(quick)
        {
            return Ok(value);
        }
        let probe = key.probe_after(self.heap().hash_key(), quick)?;
        let at = self.at();
        self.heap().read(at, |heap| match value_cell(heap, at, &probe)? {
            Some(cell) => Value::decode(heap, cell).map(Some),
            None => Ok(None),
        })
    }

    /// The typed struct of a key.
    ///
    /// # Errors
    /// `SchemaMismatch` if the stored fields differ; `WrongType` if something else is there.
    pub fn get_as<'k, T: Struct>(&self, key: impl Into<Key<'k>>) -> Result<Option<T::Ref>> {
        match self.get(key)? {
            None => Ok(None),
            Some(Value::Record(record)) => record.cast::<T>().map(Some),
            Some(other) => Err(Error::WrongType {
                what: format!("expected struct, got {}", other.type_name()),
            }),
        }
    }

    /// The value of a text key, without a copy of the key.
    #[inline]
    pub fn get_str(&self, key: &str) -> Result<Option<Value>> {
        self.get(key)
    }

    /// The value of an integer key.
    #[inline]
    pub fn get_int(&self, key: i64) -> Result<Option<Value>> {
        self.get(key)
    }

    /// Whether a key is there.
    pub fn contains_key<'k>(&self, key: impl Into<Key<'k>>) -> Result<bool> {
        Ok(self.get_cell(key)?.is_some())
    }

    /// All entries in insertion order, as of one moment.
    pub fn to_vec(&self) -> Result<Vec<(Value, Value)>> {
        let at = self.at();
        self.heap().read(at, |heap| {
            entries::all::<DICT>(heap, at)?.iter().map(|entry| decode(heap, entry)).collect()
        })
    }

    /// How many operations changed its size: an iteration is valid while this stays the same.
    pub fn version(&self) -> Result<u64> {
        let at = self.at();
        self.heap().read(at, |heap| entries::version::<DICT>(heap, at))
    }
}

#[inline]
fn value_cell(heap: &Heap, at: Offset, probe: &Probe<'_>) -> Result<Option<Cell>> {
    match entries::find::<DICT>(heap, at, probe)? {
        Some(found) => Ok(Some(Cell(heap.load(found.entry + VALUE)?))),
        None => Ok(None),
    }
}

fn decode(heap: &Heap, entry: &Entry) -> Result<(Value, Value)> {
    Ok((Value::decode(heap, entry.key)?, Value::decode(heap, entry.value)?))
}

impl PartialEq for Dict {
    fn eq(&self, other: &Self) -> bool {
        Value::Dict(self.clone()) == Value::Dict(other.clone())
    }
}

impl std::fmt::Debug for Dict {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 8;
        let shown = self.first_cursor().and_then(|cursor| self.next_entries(cursor, SHOWN));
        let (Ok(len), Ok((entries, _))) = (self.len(), shown) else {
            return out.write_str("Dict(closed)");
        };
        out.write_str("Dict")?;
        let mut map = out.debug_map();
        for (key, value) in &entries {
            // Nested containers are named, not opened: a dict may contain itself.
            match value.object() {
                Ok(None) => map.entry(key, value),
                _ => map.entry(key, &format_args!("<{}>", value.type_name())),
            };
        }
        if len > entries.len() {
            map.entry(&format_args!("..."), &format_args!("{len} entries"));
        }
        map.finish()
    }
}
