//! Schemas in the segment: each is written once, before the first struct of its name, and stays.
//!
//! The header's word `schemas` holds the newest entry, a tuple `(previous entry or None, name,
//! text)`, with a fourth item if anything is documented: the texts, joined by NUL. Entries are never changed and never freed, so a struct refers to its entry without
//! counting, and a process decodes each entry once.

use std::sync::{Arc, RwLock, TryLockError, TryLockResult};

use rustc_hash::FxHashMap;

use super::Schema;
use crate::cell::{Cell, Kind};
use crate::error::Result;
use crate::heap::Heap;
use crate::layout::header;
use crate::leaf::{self, sequence};
use crate::primitive::{Ordering, fence};
use crate::tx::Tx;
use crate::value::Value;
use crate::view::View;

/// Most entries that a walk visits before it calls the chain corrupt.
const MAX_ENTRIES: usize = 1 << 16;
/// How much of one documentation text is kept, in characters.
const MAX_DOC: usize = 2000;
/// Tries to look at what is known.
const TRIES: usize = 200;
/// How often a walk without the lock starts again when the chain changes under it.
const MAX_WALKS: usize = 16;

/// Handle. The schemas of one segment that this process has met.
#[derive(Debug, Default)]
struct Cache {
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_cell: FxHashMap<u64, Arc<Schema>>,
    by_fingerprint: FxHashMap<u64, u64>,
}

/// One entry of the chain.
struct Entry {
    cell: Cell,
    name: String,
    text: String,
    docs: Vec<String>,
}

/// Nobody waits here for long: a forked child may find it taken by a thread that is not there any more.
/// Then nothing is known, or nothing more remembered, and the segment is asked.
impl Cache {
    fn remember(&self, cell: Cell, schema: &Arc<Schema>) {
        let Some(mut known) = patiently(|| self.known.try_write()) else { return };
        known.by_cell.insert(cell.0, Arc::clone(schema));
        known.by_fingerprint.insert(schema.fingerprint, cell.0);
    }

    fn cell(&self, fingerprint: u64) -> Option<Cell> {
        let known = patiently(|| self.known.try_read())?;
        known.by_fingerprint.get(&fingerprint).copied().map(Cell)
    }

    fn schema(&self, cell: Cell) -> Option<Arc<Schema>> {
        let known = patiently(|| self.known.try_read())?;
        known.by_cell.get(&cell.0).cloned()
    }
}

/// What a few tries give.
fn patiently<G>(mut one_try: impl FnMut() -> TryLockResult<G>) -> Option<G> {
    for _ in 0..TRIES {
        match one_try() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
        }
    }
    None
}

impl Schema {
    /// The schema of this name that is stored in the segment, if there is one.
    ///
    /// # Errors
    /// If the segment is closed or corrupt.
    pub fn stored(heap: &Heap, name: &str) -> Result<Option<Arc<Schema>>> {
        let entry = unlocked(heap, |heap| {
            for entry in walk(heap, newest(heap)?) {
                let entry = entry?;
                if entry.name == name {
                    return Ok(Some(entry));
                }
            }
            Ok(None)
        })?;
        entry.map(|entry| decode(heap, &entry)).transpose()
    }

    /// All schemas that are stored in the segment, oldest first.
    ///
    /// # Errors
    /// If the segment is closed or corrupt.
    pub fn all_stored(heap: &Heap) -> Result<Vec<Arc<Schema>>> {
        let entries = unlocked(heap, |heap| walk(heap, newest(heap)?).collect::<Result<Vec<_>>>())?;
        entries.iter().rev().map(|entry| decode(heap, entry)).collect()
    }

    /// The entry of a schema, which is made if there is none of its name.
    ///
    /// # Errors
    /// `SchemaMismatch` if another schema has the name and this one cannot read its structs.
    pub(crate) fn register(
        heap: &Heap,
        fingerprint: u64,
        schema: impl FnOnce() -> Arc<Schema>,
        has_default: impl Fn(usize) -> bool,
    ) -> Result<Cell> {
        if let Some(cell) = cache(heap)?.cell(fingerprint) {
            return Ok(cell);
        }
        let schema = schema();
        let cell = heap.write(|tx| {
            let last = newest(tx.heap())?;
            let mut differs = None;
            for entry in walk(tx.heap(), last) {
                let entry = entry?;
                if entry.name != schema.name {
                    continue;
                }
                if entry.text == schema.text {
                    return Ok(entry.cell);
                }
                let stored = decode(tx.heap(), &entry)?;
                if View::new(&stored, &schema, &has_default).is_none() {
                    differs = Some(stored);
                }
            }
            if let Some(stored) = differs {
                return Err(stored.mismatch(&schema));
            }
            append(tx, last, &schema)
        })?;
        // What a transaction has stored may be undone.
        if !heap.in_transaction() {
            cache(heap)?.remember(cell, &schema);
        }
        Ok(cell)
    }

    /// The schema of an entry that a struct refers to.
    ///
    /// # Errors
    /// If it is no such entry.
    pub(crate) fn at(heap: &Heap, cell: Cell) -> Result<Arc<Schema>> {
        if let Some(schema) = cache(heap)?.schema(cell) {
            return Ok(schema);
        }
        let (entry, _) = entry(heap, cell)?;
        let schema = decode(heap, &entry)?;
        if !heap.in_transaction() {
            cache(heap)?.remember(cell, &schema);
        }
        Ok(schema)
    }
}

impl Schema {
    /// The schema of an entry as it is in the segment now, whatever this process remembers, and the
    /// entry before it. The text's words come out of `budget`.
    ///
    /// # Errors
    /// If it is no such entry, or the budget is used up.
    pub(crate) fn examine(
        heap: &Heap,
        cell: Cell,
        budget: &mut u64,
    ) -> Result<(Arc<Schema>, Cell)> {
        let tuple = cell.as_ref().filter(|to| to.kind == Kind::Tuple);
        let len = tuple.map_or(Ok(0), |to| leaf::length(heap, to))?;
        // With or without documentation.
        let words = if matches!(len, 3 | 4) { tuple } else { None };
        let mut wanted = 0;
        for index in 1..len.min(4) {
            let Some(tuple) = words else { break };
            let part = Cell(heap.load(leaf::data(tuple.at) + index * 8)?);
            wanted += match part.as_ref() {
                Some(text) if text.kind == Kind::Str => leaf::length(heap, text)? / 8 + 1,
                // Nothing else may be decoded here: it could pin objects.
                Some(_) => return Err(heap.corrupt(format!("{:#x} is no text", part.0))),
                None => 1,
            };
        }
        let Some(rest) = budget.checked_sub(wanted) else {
            return Err(heap.corrupt("the schemas have more text than the segment has room"));
        };
        *budget = rest;
        if words.is_none() {
            return Err(heap.corrupt(format!("{:#x} is no entry of a schema", cell.0)));
        }
        let (entry, previous) = entry(heap, cell)?;
        Ok((decode(heap, &entry)?, previous))
    }
}

/// What this process knows of the segment's schemas.
fn cache(heap: &Heap) -> Result<&Cache> {
    heap.extension().ok_or_else(|| heap.corrupt("the attachment keeps something else than schemas"))
}

/// The newest entry, or `UNSET`.
fn newest(heap: &Heap) -> Result<Cell> {
    Ok(Cell(heap.0.memory.meta(header::SCHEMAS)?.load(Ordering::Relaxed)))
}

/// Puts a new entry before the newest; the header's count of that one moves into the new one.
fn append(tx: &mut Tx<'_>, newest: Cell, schema: &Schema) -> Result<Cell> {
    let previous = if newest == Cell::UNSET { Cell::NONE } else { newest };
    let name = Value::from(schema.name.as_str()).store(tx)?;
    let text = Value::from(schema.text.as_str()).store(tx)?;
    let mut cells = vec![previous, name, text];
    if let Some(docs) = docs_of(schema) {
        cells.push(docs.store(tx)?);
    }
    let cell = sequence::store(tx, Kind::Tuple, &cells)?;
    tx.set_header(header::SCHEMAS, cell.0)?;
    Ok(cell)
}

/// The documentation of the struct and of each field, one after the other, if there is any.
fn docs_of(schema: &Schema) -> Option<Value> {
    let fields = schema.fields.iter().map(|field| field.doc.as_str());
    let all: Vec<String> = std::iter::once(schema.doc.as_str())
        .chain(fields)
        .map(|doc| doc.replace('\0', " ").chars().take(MAX_DOC).collect())
        .collect();
    all.iter().any(|doc| !doc.is_empty()).then(|| Value::from(all.join("\0")))
}

/// Walks the chain without the lock. A writer that is rolled back or comes first changes the
/// newest entry; then what was read means nothing.
fn unlocked<T>(heap: &Heap, read: impl Fn(&Heap) -> Result<T>) -> Result<T> {
    let mut last = Err(heap.corrupt("the chain of schemas changes all the time"));
    for _ in 0..MAX_WALKS {
        let before = newest(heap)?;
        // Acquire: pairs with the Release stores that publish an entry.
        fence(Ordering::Acquire);
        last = read(heap);
        fence(Ordering::Acquire);
        if newest(heap)? == before {
            break;
        }
    }
    last
}

/// The entries from this one to the oldest.
fn walk(heap: &Heap, newest: Cell) -> impl Iterator<Item = Result<Entry>> + '_ {
    let mut next = Some(newest).filter(|cell| *cell != Cell::UNSET);
    let mut left = MAX_ENTRIES;
    std::iter::from_fn(move || {
        let cell = next.take()?;
        if left == 0 {
            return Some(Err(heap.corrupt("the chain of schemas has no end")));
        }
        left -= 1;
        Some(entry(heap, cell).map(|(entry, previous)| {
            next = Some(previous).filter(|cell| *cell != Cell::NONE);
            entry
        }))
    })
}

fn entry(heap: &Heap, cell: Cell) -> Result<(Entry, Cell)> {
    let wrong = || heap.corrupt(format!("{:#x} is no entry of a schema", cell.0));
    let reference = cell.as_ref().filter(|to| to.kind == Kind::Tuple).ok_or_else(wrong)?;
    let cells = sequence::load(heap, reference)?;
    let (previous, name, text, docs) = match cells.as_slice() {
        [previous, name, text] => (previous, name, text, None),
        [previous, name, text, docs] => (previous, name, text, Some(docs)),
        _ => return Err(wrong()),
    };
    let docs = match docs.map(|docs| Value::decode(heap, *docs)).transpose()? {
        Some(Value::Str(text)) => text.split('\0').map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    match (Value::decode(heap, *name)?, Value::decode(heap, *text)?) {
        (Value::Str(name), Value::Str(text)) => Ok((Entry { cell, name, text, docs }, *previous)),
        _ => Err(wrong()),
    }
}

fn decode(heap: &Heap, entry: &Entry) -> Result<Arc<Schema>> {
    let schema = Schema::parse(&entry.text)
        .map_err(|error| heap.corrupt(format!("the schema {:?} is none: {error}", entry.name)))?;
    if schema.name == entry.name {
        Ok(schema.documented(&entry.docs))
    } else {
        Err(heap.corrupt(format!("the schema {:?} is stored as {:?}", schema.name, entry.name)))
    }
}
