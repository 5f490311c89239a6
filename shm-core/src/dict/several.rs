//! Changing the values of several keys by what they are: all of them or none.
//!
//! A few are looked up and changed by one operation. For more, the new values are made without the
//! lock, stored in a scratch dict, and moved over by an operation that is one only if the dict is
//! still as it was.

use crate::cell::{Cell, Kind};
use crate::dict::Dict;
use crate::dict::entries;
use crate::dict::fresh::Entry;
use crate::dict::keys::{DICT, VALUE};
use crate::dict::merge;
use crate::error::{Error, Result};
use crate::layout::object;
use crate::list::add_at;
use crate::value::{Key, Value};

/// Keys that one operation looks up and changes: an operation's log has room for three times as many.
const FEW: usize = 8;
/// How often more of them are tried while others change the dict.
const ATTEMPTS: usize = 64;

impl Dict {
    /// Adds to the values of several keys, each of them named once, in one step; see [`Dict::add`].
    ///
    /// # Errors
    /// As [`Dict::add`]; `Changed` if others changed the dict all the time. Nothing is added then.
    pub fn add_all(&self, deltas: &[(Value, Value)]) -> Result<()> {
        for _ in 0..ATTEMPTS {
            if self.try_add_all(deltas)? {
                return Ok(());
            }
        }
        Err(Error::Changed { what: "dict", during: "adding" })
    }

    /// As [`Dict::add_all`], once; `false` if another operation came in between.
    pub fn try_add_all(&self, deltas: &[(Value, Value)]) -> Result<bool> {
        if deltas.len() <= FEW {
            return self.add_few(deltas).map(|()| true);
        }
        let sequence = self.sequence()?;
        let mut sums = Vec::with_capacity(deltas.len());
        for (key, delta) in deltas {
            let sum = match self.get(key)? {
                Some(value) => value.add(delta)?,
                None => delta.clone(),
            };
            sums.push((key, sum));
        }
        let scratch = self.scratch(sums)?;
        let (at, scratch_at) = (self.at(), scratch.at());
        self.heap().write(|tx| {
            if tx.load(at + object::SEQ)? != sequence {
                return Ok(false);
            }
            merge::absorb::<DICT>(tx, at, scratch_at)?;
            Ok(true)
        })
    }

    fn add_few(&self, deltas: &[(Value, Value)]) -> Result<()> {
        let heap = self.heap();
        let at = self.at();
        let takes = self.takes()?;
        let keys: Vec<Key<'_>> = deltas.iter().map(|(key, _)| Key::from(key)).collect();
        let mut ready = Vec::with_capacity(deltas.len());
        for (key, (_, delta)) in keys.iter().zip(deltas) {
            let probe = key.probe(heap.hash_key())?;
            let staged = match probe.immediate() {
                Some(_) => None,
                None => Some(key.prepare(heap)?),
            };
            ready.push((probe, staged, delta, delta.clone().prepare(heap)?));
        }
        heap.write_in(at, |tx| {
            // From here on each store is logged: none of them is the only one.
            tx.open(at)?;
            for (key, (probe, staged, delta, value)) in keys.iter().zip(&ready) {
                if let Some(found) = entries::find::<DICT>(tx.heap(), at, probe)? {
                    add_at(tx, (at, Kind::Dict), found.entry + VALUE, delta)?;
                    continue;
                }
                if let Some(takes) = &takes {
                    takes.check(Some(&key.to_value()), delta, true)?;
                }
                let key = match (probe.immediate(), staged) {
                    (Some(cell), _) => cell,
                    (None, Some(staged)) => staged.take(tx)?,
                    (None, None) => Cell::NONE,
                };
                let value = value.take(tx)?;
                entries::append::<DICT>(tx, at, Entry { hash: probe.hash, key, value })?;
            }
            Ok(())
        })
    }

    /// Replaces all entries if the dict is as it was at a [`Dict::sequence`]; whether it was.
    pub fn replace_all_if_unchanged<'k, K: Into<Key<'k>>, V: Into<Value>>(
        &self,
        sequence: u64,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<bool> {
        let scratch = self.scratch(entries)?;
        let (at, scratch_at) = (self.at(), scratch.at());
        self.heap().write(|tx| {
            if tx.load(at + object::SEQ)? != sequence {
                return Ok(false);
            }
            entries::clear::<DICT>(tx, at)?;
            merge::absorb::<DICT>(tx, at, scratch_at)?;
            Ok(true)
        })
    }
}
