//! The shared dict: Python's dict, changed in place by every process.
//!
//! Keys keep their insertion order and are equal as in Python, in every process: `1 == 1.0 ==
//! True`. Readers never lock; every changing operation is atomic, also under SIGKILL. Iterating
//! notices that another operation changed the size, as in Python.

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
use crate::list::{add_at, holds, replace};
use crate::shared::Struct;
use crate::tx::Tx;
use crate::value::{Key, Probe, QuickKey, Staged, Value};
use entries::End;
use fresh::Entry;
use keys::{DICT, Table, VALUE};

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

    /// Sets the value of a key and returns the former one.
    pub fn insert<'k>(
        &self,
        key: impl Into<Key<'k>>,
        value: impl Into<Value>,
    ) -> Result<Option<Value>> {
        let (key, value) = (key.into(), value.into());
        let probe = key.probe(self.heap().hash_key())?;
        self.change(&key, &probe, Some(value), |tx, at, place, entry| {
            let former = match place {
                Some(word) => Some(Value::decode(tx.heap(), Cell(tx.load(word)?))?),
                None => None,
            };
            entry.put(tx, at, place)?;
            Ok(former)
        })
    }

    /// Sets the value of a key.
    #[inline]
    pub fn set<'k>(&self, key: impl Into<Key<'k>>, value: impl Into<Value>) -> Result<()> {
        let key = key.into();
        let quick = key.quick(self.heap().hash_key());
        match (value.into().into_cell(), quick) {
            (Ok(cell), Some(quick)) => {
                if self.quick_set(&quick, cell) {
                    return Ok(());
                }
                self.set_value(&key, Some(quick), Value::of_immediate(cell).unwrap_or_default())
            }
            (Ok(cell), None) => {
                self.set_value(&key, None, Value::of_immediate(cell).unwrap_or_default())
            }
            (Err(value), Some(quick)) if self.quick_set_leaf(&quick, &value) => Ok(()),
            (Err(value), quick) => self.set_value(&key, quick, value),
        }
    }

    fn set_value(&self, key: &Key<'_>, quick: Option<QuickKey<'_>>, value: Value) -> Result<()> {
        let probe = key.probe_after(self.heap().hash_key(), quick)?;
        self.change(key, &probe, Some(value), |tx, at, place, entry| entry.put(tx, at, place))
    }

    /// The value of a key, which is set to `default` if it is not there.
    pub fn get_or_insert<'k>(
        &self,
        key: impl Into<Key<'k>>,
        default: impl Into<Value>,
    ) -> Result<Value> {
        let key = key.into();
        if let Some(value) = self.get(key.clone())? {
            return Ok(value);
        }
        let default = default.into();
        let probe = key.probe(self.heap().hash_key())?;
        self.change(&key, &probe, Some(default.clone()), |tx, at, place, entry| match place {
            Some(word) => Value::decode(tx.heap(), Cell(tx.load(word)?)),
            None => entry.put(tx, at, None).map(|()| default.clone()),
        })
    }

    /// Adds to the value of a key, as `+=` does, and returns the sum: one atomic operation. A key
    /// that is not there counts as 0 (for text, bytes and tuples: as empty).
    pub fn add<'k>(&self, key: impl Into<Key<'k>>, delta: impl Into<Value>) -> Result<Value> {
        let (key, delta) = (key.into(), delta.into());
        let quick = key.quick(self.heap().hash_key());
        if let Value::Int(number) = delta
            && let Some(quick) = &quick
            && let Some(sum) = self.quick_add(quick, number)
        {
            return Ok(Value::Int(sum));
        }
        let probe = key.probe_after(self.heap().hash_key(), quick)?;
        self.change(&key, &probe, Some(delta.clone()), |tx, at, place, entry| match place {
            Some(word) => add_at(tx, at, word, &delta),
            None => entry.put(tx, at, None).map(|()| delta.clone()),
        })
    }

    /// Adds to the value of a key that must be there.
    ///
    /// # Errors
    /// `KeyNotFound`.
    pub fn add_existing<'k>(
        &self,
        key: impl Into<Key<'k>>,
        delta: impl Into<Value>,
    ) -> Result<Value> {
        let (key, delta) = (key.into(), delta.into());
        let probe = key.probe(self.heap().hash_key())?;
        self.change(&key, &probe, None, |tx, at, place, _| match place {
            Some(word) => add_at(tx, at, word, &delta),
            None => Err(not_found(&key)),
        })
    }

    /// Sets the value of a key if the present one equals `old` (`None`: if there is none); tells
    /// whether it did.
    pub fn compare_exchange<'k>(
        &self,
        key: impl Into<Key<'k>>,
        old: Option<&Value>,
        new: impl Into<Value>,
    ) -> Result<bool> {
        let key = key.into();
        let probe = key.probe(self.heap().hash_key())?;
        self.change(&key, &probe, Some(new.into()), |tx, at, place, entry| {
            let matches = match (place, old) {
                (Some(word), Some(old)) => holds(tx.heap(), Cell(tx.load(word)?), old)?,
                (None, None) => true,
                _ => false,
            };
            if matches {
                entry.put(tx, at, place)?;
            }
            Ok(matches)
        })
    }

    /// Removes a key and returns its value.
    pub fn remove<'k>(&self, key: impl Into<Key<'k>>) -> Result<Option<Value>> {
        let key = key.into();
        let probe = key.probe(self.heap().hash_key())?;
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let heap = tx.heap();
            let Some(table) = Table::<DICT>::of(heap, at)? else { return Ok(None) };
            let Some(found) = table.find(heap, &probe)? else { return Ok(None) };
            let stored = Cell(heap.load(found.entry + keys::KEY)?);
            let cell = Cell(heap.load(found.entry + VALUE)?);
            let value = Value::decode(heap, cell)?;
            entries::delete(tx, at, table, found)?;
            tx.dec(stored)?;
            tx.dec(cell)?;
            Ok(Some(value))
        })
    }

    /// Removes and returns the newest entry.
    pub fn pop_item(&self) -> Result<Option<(Value, Value)>> {
        self.pop_end(End::Last)
    }

    /// Removes and returns the oldest entry.
    pub fn pop_first(&self) -> Result<Option<(Value, Value)>> {
        self.pop_end(End::First)
    }

    fn pop_end(&self, end: End) -> Result<Option<(Value, Value)>> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let heap = tx.heap();
            let Some(entry) = entries::take_end::<DICT>(tx, at, end)? else { return Ok(None) };
            let pair = (Value::decode(heap, entry.key)?, Value::decode(heap, entry.value)?);
            tx.dec(entry.key)?;
            tx.dec(entry.value)?;
            Ok(Some(pair))
        })
    }

    /// Removes all entries.
    pub fn clear(&self) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| entries::clear::<DICT>(tx, at))
    }

    /// Sets many keys, all or none.
    pub fn update<'k, K: Into<Key<'k>>, V: Into<Value>>(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        let scratch = Dict::new(self.heap(), entries)?;
        let (at, scratch_at) = (self.at(), scratch.at());
        self.heap().write(|tx| merge::absorb::<DICT>(tx, at, scratch_at))
    }

    /// Replaces all entries, in one operation.
    pub fn replace_all<'k, K: Into<Key<'k>>, V: Into<Value>>(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        let scratch = Dict::new(self.heap(), entries)?;
        let (at, scratch_at) = (self.at(), scratch.at());
        self.heap().write(|tx| {
            entries::clear::<DICT>(tx, at)?;
            merge::absorb::<DICT>(tx, at, scratch_at)
        })
    }

    /// Makes room for more entries, so that inserting them allocates no further block.
    pub fn reserve(&self, more: usize) -> Result<()> {
        if more == 0 {
            return Ok(());
        }
        let at = self.at();
        self.heap().write(|tx| entries::reserve::<DICT>(tx, at, more as u64))
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

    /// Looks a key up, prepares what is to be stored, and runs `f` under the writer lock with the
    /// place of the value, if the key is there.
    #[inline]
    fn change<T>(
        &self,
        key: &Key<'_>,
        probe: &Probe<'_>,
        value: Option<Value>,
        mut f: impl FnMut(&mut Tx<'_>, Offset, Option<Offset>, &Incoming<'_>) -> Result<T>,
    ) -> Result<T> {
        let heap = self.heap();
        let stored_key = if probe.immediate().is_some() || value.is_none() {
            None
        } else {
            Some(key.prepare(heap)?)
        };
        let value = value.unwrap_or_default().prepare(heap)?;
        let at = self.at();
        let incoming = Incoming { probe, key: stored_key.as_ref(), value: &value };
        heap.write_in(at, |tx| {
            let found = entries::find::<DICT>(tx.heap(), at, probe)?;
            f(tx, at, found.map(|found| found.entry + VALUE), &incoming)
        })
    }
}

/// What a writing operation is to store.
struct Incoming<'i> {
    probe: &'i Probe<'i>,
    /// The key, if it needs a block.
    key: Option<&'i Staged>,
    value: &'i Staged,
}

impl Incoming<'_> {
    /// Stores the value in its place, or a new entry where there is none.
    #[inline]
    fn put(&self, tx: &mut Tx<'_>, at: Offset, place: Option<Offset>) -> Result<()> {
        if let Some(word) = place {
            return replace(tx, at, word, self.value);
        }
        let key = match (self.probe.immediate(), self.key) {
            (Some(cell), _) => cell,
            (None, Some(staged)) => staged.take(tx)?,
            (None, None) => return Err(tx.heap().corrupt("a key was not prepared")),
        };
        let value = self.value.take(tx)?;
        entries::append::<DICT>(tx, at, Entry { hash: self.probe.hash, key, value })
    }
}

#[cold]
fn not_found(key: &Key<'_>) -> Error {
    let mut what = format!("{key:?}");
    if what.len() > 100 {
        let end = (0..=97).rev().find(|at| what.is_char_boundary(*at)).unwrap_or(0);
        what.truncate(end);
        what.push_str("...");
    }
    Error::KeyNotFound { what: format!("no key {what}") }
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
