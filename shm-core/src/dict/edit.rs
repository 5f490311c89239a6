//! Changes of a dict: one key, an end, all of it. Each is one operation under the writer lock.
//!
//! What needs blocks of its own, key and value, is prepared before the lock is taken; the quick ways for
//! small values are tried first (`quick`).

use crate::cell::{Cell, Kind, Offset};
use crate::error::{Error, Result};
use crate::flavour::{Asked, Typed};
use crate::list::{add_at, holds, replace};
use crate::quick::Anyone;
use crate::tx::Tx;
use crate::value::{Key, Probe, QuickKey, Staged, Value};

use super::entries::{self, End};
use super::fresh::Entry;
use super::keys::{self, DICT, Table, VALUE};
use super::{Dict, merge};

impl Dict {
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
                if self.quick_set(Anyone, &quick, cell).is_some() {
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
            && let Some(sum) = self.quick_add(Anyone, quick, number)
        {
            return Ok(Value::Int(sum));
        }
        let probe = key.probe_after(self.heap().hash_key(), quick)?;
        self.change(&key, &probe, Some(delta.clone()), |tx, at, place, entry| match place {
            Some(word) => add_at(tx, (at, Kind::Dict), word, &delta),
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
            Some(word) => add_at(tx, (at, Kind::Dict), word, &delta),
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
        let scratch = self.scratch(entries)?;
        let (at, scratch_at) = (self.at(), scratch.at());
        self.heap().write(|tx| merge::absorb::<DICT>(tx, at, scratch_at))
    }

    /// Replaces all entries, in one operation.
    pub fn replace_all<'k, K: Into<Key<'k>>, V: Into<Value>>(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        let scratch = self.scratch(entries)?;
        let (at, scratch_at) = (self.at(), scratch.at());
        self.heap().write(|tx| {
            entries::clear::<DICT>(tx, at)?;
            merge::absorb::<DICT>(tx, at, scratch_at)
        })
    }

    /// Entries that are to be put into it, in a dict of their own.
    pub(super) fn scratch<'k, K: Into<Key<'k>>, V: Into<Value>>(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Dict> {
        let Some(takes) = self.takes()? else { return Dict::new(self.heap(), entries) };
        let mut checked = Vec::new();
        for (key, value) in entries {
            let (key, value) = (key.into(), self.settled(value.into())?);
            takes.check(Some(&key.to_value()), &value, true)?;
            checked.push((key, value));
        }
        Dict::new(self.heap(), checked)
    }

    /// Makes room for more entries, so that inserting them allocates no further block.
    pub fn reserve(&self, more: usize) -> Result<()> {
        if more == 0 {
            return Ok(());
        }
        let at = self.at();
        self.heap().write(|tx| entries::reserve::<DICT>(tx, at, more as u64))
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
        match self.typed() {
            None => self.change_as(key, probe, value, None, f),
            Some(typed) => self.change_typed(typed, key, probe, value, &mut f),
        }
    }

    /// As [`change`](Self::change), of a dict that does not take everything.
    #[cold]
    #[inline(never)]
    fn change_typed<T>(
        &self,
        typed: Typed,
        key: &Key<'_>,
        probe: &Probe<'_>,
        value: Option<Value>,
        f: &mut Change<'_, T>,
    ) -> Result<T> {
        let value = value.map(|value| self.settled(value)).transpose()?;
        let asked = self.asked(typed, key, value.clone().unwrap_or_default())?;
        self.change_as(key, probe, value, Some(&asked), f)
    }

    #[inline]
    fn change_as<T>(
        &self,
        key: &Key<'_>,
        probe: &Probe<'_>,
        value: Option<Value>,
        asked: Option<&Asked>,
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
        let incoming = Incoming { probe, key: stored_key.as_ref(), value: &value, asked };
        heap.write_in(at, |tx| {
            let found = entries::find::<DICT>(tx.heap(), at, probe)?;
            f(tx, at, found.map(|found| found.entry + VALUE), &incoming)
        })
    }
}

/// What is done under the lock, with the place of the value, if the key is there.
type Change<'f, T> =
    dyn FnMut(&mut Tx<'_>, Offset, Option<Offset>, &Incoming<'_>) -> Result<T> + 'f;

/// What a writing operation is to store.
struct Incoming<'i> {
    probe: &'i Probe<'i>,
    /// The key, if it needs a block.
    key: Option<&'i Staged>,
    value: &'i Staged,
    /// What the dict takes, if it does not take all, and the value before it was staged.
    asked: Option<&'i Asked>,
}

impl Incoming<'_> {
    /// Stores the value in its place, or a new entry where there is none.
    #[inline]
    fn put(&self, tx: &mut Tx<'_>, at: Offset, place: Option<Offset>) -> Result<()> {
        if let Some(asked) = self.asked {
            asked.check(place.is_none())?;
        }
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
