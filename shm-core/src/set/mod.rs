//! The shared set: Python's set, changed in place by every process.
//!
//! Members are equal as in Python, in every process, and keep their insertion order (which Python
//! does not promise). Readers never lock; every changing operation is atomic, also under SIGKILL.

mod algebra;
mod iter;
mod removal;

pub use iter::Iter;

use crate::cell::{Cell, Kind};
use crate::dict::entries::{self, End};
use crate::dict::fresh::Entry;
use crate::dict::keys::{KEY, SET, Table};
use crate::dict::merge;
use crate::error::Result;
use crate::handle::Object;
use crate::heap::Heap;
use crate::quick::Anyone;
use crate::value::{Key, QuickKey, Value};

/// Handle. A set in shared memory.
///
/// ```
/// # fn main() -> Result<(), shm_core::Error> {
/// # let seg = shm_core::Segment::create_anonymous(shm_core::SegmentOptions::new().size(1 << 20))?;
/// let set = seg.set(["a", "b"])?;
/// assert!(set.add("c")?);
/// assert!(!set.add("a")?);
/// assert_eq!(set.len()?, 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Set {
    object: Object,
}

crate::handle::identity!(Set, "set");

impl Set {
    pub(crate) fn from_object(object: Object) -> Self {
        Set { object }
    }

    /// A new, empty set that nothing but this handle refers to.
    pub(crate) fn empty(heap: &Heap) -> Result<Self> {
        Ok(Set { object: Object::create(heap, Kind::Set, |_, _| Ok(()))? })
    }

    /// A new set of these members.
    pub(crate) fn new<'k, K: Into<Key<'k>>>(
        heap: &Heap,
        members: impl IntoIterator<Item = K>,
    ) -> Result<Self> {
        let set = Set::empty(heap)?;
        let members = members.into_iter();
        let more = members.size_hint().0 as u64;
        if more > 0 {
            heap.write(|tx| entries::reserve::<SET>(tx, set.at(), more))?;
        }
        // Nobody else sees the set, so it need not be filled in one operation.
        for member in members {
            set.add(member)?;
        }
        Ok(set)
    }

    /// How many members it has.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "is_empty is below, fallible like everything")]
    pub fn len(&self) -> Result<usize> {
        entries::len::<SET>(self.heap(), self.at())
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Whether something is a member.
    ///
    /// # Errors
    /// `Unhashable` if it is a mutable container.
    #[inline]
    pub fn contains<'k>(&self, member: impl Into<Key<'k>>) -> Result<bool> {
        let member = member.into();
        let quick = member.quick(self.heap().hash_key());
        if let Some(quick) = &quick
            && let Some(known) = self.quick_contains(quick)
        {
            return Ok(known);
        }
        let probe = member.probe_after(self.heap().hash_key(), quick)?;
        let at = self.at();
        self.heap().read(at, |heap| Ok(entries::find::<SET>(heap, at, &probe)?.is_some()))
    }

    /// Adds a member; tells whether it is new.
    #[inline]
    pub fn add<'k>(&self, member: impl Into<Key<'k>>) -> Result<bool> {
        let member = member.into();
        let heap = self.heap();
        let quick = member.quick(heap.hash_key());
        if let Some(quick) = &quick
            && let Some(is_new) = self.quick_add(Anyone, quick)
        {
            return Ok(is_new);
        }
        self.add_member(&member, quick)
    }

    fn add_member(&self, member: &Key<'_>, quick: Option<QuickKey<'_>>) -> Result<bool> {
        let heap = self.heap();
        let probe = member.probe_after(heap.hash_key(), quick)?;
        let staged = if probe.immediate().is_some() { None } else { Some(member.prepare(heap)?) };
        let at = self.at();
        heap.write_in(at, |tx| {
            if entries::find::<SET>(tx.heap(), at, &probe)?.is_some() {
                return Ok(false);
            }
            let key = match (probe.immediate(), &staged) {
                (Some(cell), _) => cell,
                (None, Some(staged)) => staged.take(tx)?,
                (None, None) => return Err(tx.heap().corrupt("a member was not prepared")),
            };
            entries::append::<SET>(tx, at, Entry { hash: probe.hash, key, value: Cell::UNSET })?;
            Ok(true)
        })
    }

    /// Removes a member; tells whether it was one.
    pub fn remove<'k>(&self, member: impl Into<Key<'k>>) -> Result<bool> {
        let member = member.into();
        let probe = member.probe(self.heap().hash_key())?;
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let heap = tx.heap();
            let Some(table) = Table::<SET>::of(heap, at)? else { return Ok(false) };
            let Some(found) = table.find(heap, &probe)? else { return Ok(false) };
            let stored = Cell(heap.load(found.entry + KEY)?);
            entries::delete(tx, at, table, found)?;
            tx.dec(stored)?;
            Ok(true)
        })
    }

    /// Removes and returns the newest member.
    pub fn pop(&self) -> Result<Option<Value>> {
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let Some(entry) = entries::take_end::<SET>(tx, at, End::Last)? else {
                return Ok(None);
            };
            let value = Value::decode(tx.heap(), entry.key)?;
            tx.dec(entry.key)?;
            Ok(Some(value))
        })
    }

    /// Removes all members.
    pub fn clear(&self) -> Result<()> {
        let at = self.at();
        self.heap().write_in(at, |tx| entries::clear::<SET>(tx, at))
    }

    /// Adds many members, all or none.
    pub fn update<'k, K: Into<Key<'k>>>(&self, members: impl IntoIterator<Item = K>) -> Result<()> {
        let scratch = Set::new(self.heap(), members)?;
        let (at, scratch_at) = (self.at(), scratch.at());
        self.heap().write(|tx| merge::absorb::<SET>(tx, at, scratch_at))
    }

    /// All members in insertion order, as of one moment.
    pub fn to_vec(&self) -> Result<Vec<Value>> {
        let at = self.at();
        self.heap().read(at, |heap| {
            let entries = entries::all::<SET>(heap, at)?;
            entries.iter().map(|entry| Value::decode(heap, entry.key)).collect()
        })
    }

    /// How many operations changed its size: an iteration is valid while this stays the same.
    pub fn version(&self) -> Result<u64> {
        let at = self.at();
        self.heap().read(at, |heap| entries::version::<SET>(heap, at))
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        Value::Set(self.clone()) == Value::Set(other.clone())
    }
}

impl std::fmt::Debug for Set {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 8;
        let shown = self.first_cursor().and_then(|cursor| self.next_entries(cursor, SHOWN));
        let (Ok(len), Ok((members, _))) = (self.len(), shown) else {
            return out.write_str("Set(closed)");
        };
        out.write_str("Set")?;
        let mut set = out.debug_set();
        set.entries(&members);
        if len > members.len() {
            set.entry(&format_args!("... {len} members"));
        }
        set.finish()
    }
}
