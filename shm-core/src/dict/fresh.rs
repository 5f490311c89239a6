//! A keys block under construction: filled with plain stores, then published by one word.
//!
//! Built from the stored hashes of entries, so no key is looked at unless two hashes collide in a
//! merge. Only the operation that allocated the block sees it.

use crate::cell::{Cell, Kind, Offset};
use crate::dict::keys::{self, Table};
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::layout::{self, object};
use crate::primitive::Ordering;
use crate::tx::Tx;

/// One entry: hash, key, value (unset in a set).
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) hash: u64,
    pub(crate) key: Cell,
    pub(crate) value: Cell,
}

/// Live entries of a table in insertion order, with their places.
#[inline]
pub(crate) fn live<const WORDS: u64>(
    heap: &Heap,
    table: Table<WORDS>,
    from: u64,
    to: u64,
) -> Result<impl DoubleEndedIterator<Item = (u64, Entry)> + use<'_, WORDS>> {
    let words = table.entries(heap, from, to)?.chunks_exact(WORDS as usize);
    Ok(words.enumerate().filter_map(move |(offset, entry)| {
        let mut loaded = entry.iter().map(|word| word.load(Ordering::Relaxed));
        let hash = loaded.next().unwrap_or_default();
        let key = Cell(loaded.next().unwrap_or_default());
        let value = Cell(loaded.next().unwrap_or_default());
        let entry = Entry { hash, key, value };
        (key != Cell::TOMBSTONE).then_some((from + offset as u64, entry))
    }))
}

/// Handle. An unpublished keys block.
pub(crate) struct Fresh<const WORDS: u64> {
    at: Offset,
    table: Table<WORDS>,
}

impl<const WORDS: u64> Fresh<WORDS> {
    /// An empty block with room for so many entries.
    pub(crate) fn new(tx: &mut Tx<'_>, entries: u64) -> Result<Self> {
        let log2 = keys::log2_for(entries);
        let shape = keys::shape(log2);
        if layout::keys::capacity(shape) < entries {
            return Err(Error::InvalidArgument {
                what: format!("{entries} entries are too many for one dict or set"),
            });
        }
        let at = tx.alloc(keys::block_bytes::<WORDS>(log2))?;
        let header = layout::keys::entries_at(shape) / 8;
        for word in tx.heap().words(at, header as usize)? {
            word.store(0, Ordering::Relaxed);
        }
        tx.fill(at + layout::keys::SHAPE, shape)?;
        Ok(Fresh { at, table: Table::at(tx.heap(), at)? })
    }

    /// Appends an entry whose key is not there.
    pub(crate) fn push(&mut self, heap: &Heap, entry: Entry) -> Result<()> {
        let index = self.table.count;
        let place = self.table.occupy(heap, entry.hash, index)?;
        let Some((slot_at, slot)) = place.filter(|_| self.table.room() > 0) else {
            return Err(heap.corrupt("a keys block has more entries than its counts say"));
        };
        heap.word(slot_at)?.store(slot, Ordering::Relaxed);
        let words = heap.words(self.table.entry(index), WORDS as usize)?;
        for (word, value) in words.iter().zip([entry.hash, entry.key.0, entry.value.0]) {
            word.store(value, Ordering::Relaxed);
        }
        self.table.count += 1;
        self.table.used += 1;
        Ok(())
    }

    /// Appends entries to an empty block; their keys differ from each other.
    pub(crate) fn fill(
        &mut self,
        heap: &Heap,
        entries: impl ExactSizeIterator<Item = Entry> + Clone,
    ) -> Result<()> {
        let count = entries.len() as u64;
        let hashes = entries.clone().map(|entry| entry.hash);
        let table = self.table;
        let small = if count > table.room() { None } else { table.small_index(hashes) };
        let Some(index) = small else {
            for entry in entries {
                self.push(heap, entry)?;
            }
            return Ok(());
        };
        let slots = heap.words(self.at + layout::keys::INDEX, index.size_hint().0)?;
        for (slot, value) in slots.iter().zip(index) {
            slot.store(value, Ordering::Relaxed);
        }
        let words = heap.words(table.entry(0), (count * WORDS) as usize)?;
        for (words, entry) in words.chunks_exact(WORDS as usize).zip(entries) {
            for (word, value) in words.iter().zip([entry.hash, entry.key.0, entry.value.0]) {
                word.store(value, Ordering::Relaxed);
            }
        }
        self.table.count = count;
        self.table.used = count;
        Ok(())
    }

    /// Where the value of the key that `is` recognises lies.
    pub(crate) fn value_of(
        &self,
        heap: &Heap,
        hash: u64,
        is: impl FnMut(Cell) -> Result<bool>,
    ) -> Result<Option<Offset>> {
        Ok(self.table.find_with(heap, hash, is)?.map(|found| found.entry + keys::VALUE))
    }

    /// Makes it the block of an object that was made by the same operation.
    pub(crate) fn begin(self, tx: &mut Tx<'_>, object_at: Offset) -> Result<()> {
        let Table { count, used, .. } = self.table;
        tx.fill(self.at + layout::keys::COUNTS, Table::<WORDS>::counts(count, used))?;
        tx.fill(object_at + object::W0, self.at)?;
        tx.fill(object_at + object::W1, Table::<WORDS>::base_for(count, count, used))
    }

    /// Gives it back unpublished, after the commit.
    pub(crate) fn discard(self, tx: &mut Tx<'_>) -> Result<()> {
        tx.free_after(self.at)
    }

    /// Makes it the block of an object, whose former table is `old`. What becomes of the former
    /// block is the caller's business.
    pub(crate) fn publish(
        self,
        tx: &mut Tx<'_>,
        object_at: Offset,
        old: Option<Table<WORDS>>,
    ) -> Result<()> {
        let counts = Table::<WORDS>::counts(self.table.count, self.table.used);
        tx.fill(self.at + layout::keys::COUNTS, counts)?;
        swap_in(tx, object_at, old, self.at, self.table.count, self.table.used)
    }
}

/// Makes a block (0 for none) the one of an object, and the version one higher.
pub(crate) fn swap_in<const WORDS: u64>(
    tx: &mut Tx<'_>,
    object_at: Offset,
    old: Option<Table<WORDS>>,
    block: Offset,
    count: u64,
    used: u64,
) -> Result<()> {
    let base = tx.load(object_at + object::W1)?;
    let version = old.map_or(base, |table| table.version(base)).wrapping_add(1);
    tx.open(object_at)?;
    tx.set(object_at + object::W0, block)?;
    tx.set(object_at + object::W1, Table::<WORDS>::base_for(version, count, used))?;
    tx.set(object_at + object::W2, 0)
}

/// Gives a former block back, with the counts of its entries.
pub(crate) fn discard<const WORDS: u64>(tx: &mut Tx<'_>, old: Table<WORDS>) -> Result<()> {
    const FEW: u64 = 16;
    if old.count <= FEW {
        for (_, entry) in live(tx.heap(), old, 0, old.count)? {
            tx.dec(entry.key)?;
            tx.dec(entry.value)?;
        }
        return tx.free_after(old.at);
    }
    let kind = if WORDS == keys::DICT { Kind::Dict } else { Kind::Set };
    crate::trash::block(tx, kind, [old.at, 0, 0])
}
