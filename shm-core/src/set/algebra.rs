//! Set algebra: each in-place form is one atomic operation; the other operand is a snapshot.

use crate::cell::Cell;
use crate::dict::entries;
use crate::dict::fresh::{self, Fresh};
use crate::dict::keys::{SET, Table};
use crate::dict::merge;
use crate::error::Result;
use crate::set::{Set, removal};
use crate::trash;
use crate::tx::Tx;
use crate::value::{Key, Value};

impl Set {
    /// Keeps the members that are in `others` too, as `&=` does.
    pub fn intersection_update<T: Into<Value>>(
        &self,
        others: impl IntoIterator<Item = T>,
    ) -> Result<()> {
        self.remove_if(others, false)
    }

    /// Removes the members that are in `others`, as `-=` does.
    pub fn difference_update<T: Into<Value>>(
        &self,
        others: impl IntoIterator<Item = T>,
    ) -> Result<()> {
        self.remove_if(others, true)
    }

    fn remove_if<T: Into<Value>>(
        &self,
        others: impl IntoIterator<Item = T>,
        named: bool,
    ) -> Result<()> {
        let others: Vec<Value> = others.into_iter().map(Into::into).collect();
        let hash_key = self.heap().hash_key();
        let keys: Vec<Key<'_>> = others.iter().map(Key::from).collect();
        let mut probes = Vec::with_capacity(keys.len());
        for key in &keys {
            probes.push(key.probe(hash_key)?);
        }
        let at = self.at();
        self.heap().write(|tx| {
            let heap = tx.heap();
            let Some(table) = Table::<SET>::of(heap, at)? else { return Ok(()) };
            let mut met = Vec::with_capacity(probes.len());
            for probe in &probes {
                met.extend(table.find(heap, probe)?.map(|found| found.index));
            }
            met.sort_unstable();
            met.dedup();
            if named {
                return removal::remove_all(tx, at, &met);
            }
            let mut met = met.into_iter().peekable();
            let mut unmet = Vec::new();
            for (index, _) in fresh::live(heap, table, 0, table.count)? {
                if met.next_if_eq(&index).is_none() {
                    unmet.push(index);
                }
            }
            removal::remove_all(tx, at, &unmet)
        })
    }

    /// Removes the members that are in `others` and adds the others, as `^=` does.
    pub fn symmetric_difference_update<T: Into<Value>>(
        &self,
        others: impl IntoIterator<Item = T>,
    ) -> Result<()> {
        let scratch = Set::new(self.heap(), others.into_iter().map(Into::into))?;
        let (at, scratch_at) = (self.at(), scratch.at());
        self.heap().write(|tx| toggle(tx, at, scratch_at))
    }

    /// Whether all members are in `other`.
    pub fn is_subset(&self, other: &Set) -> Result<bool> {
        for member in self.to_vec()? {
            if !other.contains(&member)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether all members of `other` are in this set.
    pub fn is_superset(&self, other: &Set) -> Result<bool> {
        other.is_subset(self)
    }

    /// Whether there is no common member.
    pub fn is_disjoint(&self, other: &Set) -> Result<bool> {
        for member in self.to_vec()? {
            if other.contains(&member)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn toggle(tx: &mut Tx<'_>, at: u64, scratch_at: u64) -> Result<()> {
    let heap = tx.heap();
    let table = Table::<SET>::of(heap, at)?;
    let mut gone: Vec<Cell> = Vec::new();
    let mut met = Vec::new();
    let mut kept = Vec::new();
    let mut added = Vec::new();
    for entry in entries::all::<SET>(heap, scratch_at)? {
        match merge::find(heap, table, &entry)? {
            Some(found) => {
                met.push(found.index);
                gone.push(entry.key);
            }
            None => added.push(entry),
        }
    }
    met.sort_unstable();
    let mut met = met.into_iter().peekable();
    if let Some(table) = table {
        for (index, entry) in fresh::live(heap, table, 0, table.count)? {
            if met.next_if_eq(&index).is_some() {
                gone.push(entry.key);
            } else {
                kept.push(entry);
            }
        }
    }
    let mut block = Fresh::<SET>::new(tx, (kept.len() + added.len()) as u64)?;
    for entry in kept.into_iter().chain(added) {
        block.push(heap, entry)?;
    }
    block.publish(tx, at, table)?;
    if let Some(table) = table {
        tx.free_after(table.at)?;
    }
    merge::empty::<SET>(tx, scratch_at)?;
    trash::cells(tx, &gone)
}
