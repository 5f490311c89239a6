//! A graph of new containers, taken apart in private memory and built in one operation.
//!
//! Handle. A dict of lists of text would be an operation for each container, one for each entry, and
//! pins in between. A draft knows its parts beforehand, so the operation that stores it takes exact
//! blocks, fills them and the objects' headers with plain stores (nobody sees them yet, whatever is
//! undone gives the blocks back), and has one cell in the end, which the caller's commit publishes.
//! Only the blocks taken are logged, so a draft has a bounded number of them: [`Draft::dict`] and its
//! like say `false` once there are too many, or where a draft does not fit for another reason, and
//! the caller goes the general way.
//!
//! The parts are listed as they are finished, children before their container, as in a stack machine.

use crate::cell::{Cell, INLINE_BYTES, Kind, Offset};
use crate::dict::fresh::{Entry, Fresh};
use crate::dict::keys;
use crate::error::Result;
use crate::hash::{self, HashKey};
use crate::heap::Heap;
use crate::layout::object;
use crate::list;
use crate::primitive::{AtomicU64, Ordering};
use crate::tx::Tx;
use crate::value::{Value, is_wtf8};

/// Most log entries that a draft may take: a log has room for three times as many in one operation.
const BUDGET: usize = 64;
/// Log entries of a block, or of a header.
const ALLOCATION: usize = 2;
/// Most parts; what is larger is rather built piece by piece than under one hold of the lock.
pub(super) const MOST: usize = 4096;

/// One part.
#[derive(Clone, Copy, Debug)]
enum Node {
    /// A value that lives in its cell.
    Cell(Cell),
    /// Text or bytes: where they are among the draft's.
    Leaf(Kind, usize, usize),
    /// A value with a block of its own.
    Value(usize),
    /// A container of so many of the cells before; of a dict, keys and values in turn.
    Container(Kind, usize),
}

/// One part of a draft or of a copy.
#[derive(Clone, Copy, Debug)]
pub enum Part<'d> {
    /// A value that lives in its cell.
    Cell(Cell),
    /// Text as WTF-8.
    Text(&'d [u8]),
    /// Bytes.
    Bytes(&'d [u8]),
    /// Any other value.
    Value(&'d Value),
    /// A list of the last so many parts.
    List(usize),
    /// A set of the last so many parts.
    Set(usize),
    /// A dict of the last so many pairs of parts.
    Dict(usize),
}

/// Handle. Containers that are not stored yet.
///
/// ```
/// use shm_core::{Draft, Segment, SegmentOptions, Value};
/// let seg = Segment::create_anonymous(SegmentOptions::new())?;
/// // {"id": 7, "tags": ["a", "b"]}
/// let mut draft = Draft::new(seg.heap());
/// draft.key("id");
/// draft.value(Value::Int(7))?;
/// draft.key("tags");
/// draft.text("a");
/// draft.text("b");
/// assert!(draft.list(2) && draft.dict(2));
/// seg.root().set("message", draft)?;
/// let Some(Value::Dict(message)) = seg.root().get("message")? else { panic!() };
/// assert_eq!(message.len()?, 2);
/// # Ok::<(), shm_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Draft {
    heap: Heap,
    hash_key: HashKey,
    nodes: Vec<Node>,
    /// The hash of each part that may be a key or member, else 0.
    hashes: Vec<u64>,
    /// Parts that no container has taken yet, by their number.
    open: Vec<u32>,
    content: Vec<u8>,
    values: Vec<Value>,
    weight: usize,
}

impl Draft {
    /// An empty one.
    #[must_use]
    pub fn new(heap: &Heap) -> Self {
        Draft {
            heap: heap.clone(),
            hash_key: heap.hash_key(),
            nodes: Vec::with_capacity(32),
            hashes: Vec::with_capacity(32),
            open: Vec::with_capacity(32),
            content: Vec::new(),
            values: Vec::new(),
            weight: 0,
        }
    }

    fn push(&mut self, node: Node, hash: u64) {
        self.open.push(self.nodes.len() as u32);
        self.nodes.push(node);
        self.hashes.push(hash);
    }

    fn leaf(&mut self, kind: Kind, content: &[u8], hash: u64) {
        self.weight += ALLOCATION;
        let start = self.content.len();
        self.content.extend_from_slice(content);
        self.push(Node::Leaf(kind, start, content.len()), hash);
    }

    /// Adds an integer.
    #[inline]
    pub fn int(&mut self, number: i64) {
        match Cell::int(number) {
            Some(cell) => self.push(Node::Cell(cell), 0),
            None => self.boxed(Value::Int(number), 0, ALLOCATION),
        }
    }

    /// Adds a float.
    #[inline]
    pub fn float(&mut self, number: f64) {
        match Cell::float(number) {
            Some(cell) => self.push(Node::Cell(cell), 0),
            None => self.boxed(Value::Float(number), 0, ALLOCATION),
        }
    }

    /// Adds text.
    #[inline]
    pub fn text(&mut self, text: &str) {
        match Cell::short_str(text.as_bytes()) {
            Some(cell) => self.push(Node::Cell(cell), 0),
            None => self.leaf(Kind::Str, text.as_bytes(), 0),
        }
    }

    /// Adds bytes.
    pub fn bytes(&mut self, content: &[u8]) {
        match Cell::short_bytes(content) {
            Some(cell) => self.push(Node::Cell(cell), 0),
            None => self.leaf(Kind::Bytes, content, 0),
        }
    }

    fn boxed(&mut self, value: Value, hash: u64, weight: usize) {
        self.weight += weight;
        self.values.push(value);
        self.push(Node::Value(self.values.len() - 1), hash);
    }

    /// Adds any value.
    ///
    /// # Errors
    /// As storing it: an object of another segment, text that is none.
    pub fn value(&mut self, value: Value) -> Result<()> {
        if let Some(cell) = value.immediate() {
            self.push(Node::Cell(cell), 0);
        } else {
            let weight = value.weigh(&self.heap)?;
            self.boxed(value, 0, weight);
        }
        Ok(())
    }

    /// Adds text as the key of a dict or the member of a set.
    #[inline]
    pub fn key(&mut self, text: &str) {
        if let Some(cell) = Cell::short_str(text.as_bytes()) {
            self.push(Node::Cell(cell), hash::short(self.hash_key, cell));
        } else {
            let hash = hash::bytes(self.hash_key, text.as_bytes());
            self.leaf(Kind::Str, text.as_bytes(), hash);
        }
    }

    /// Adds any value as the key of a dict or the member of a set.
    ///
    /// # Errors
    /// `Unhashable`; as [`Draft::value`].
    pub fn key_value(&mut self, value: Value) -> Result<()> {
        let hash = hash::value(self.hash_key, &value)?;
        self.value(value)?;
        if let Some(last) = self.hashes.last_mut() {
            *last = hash;
        }
        Ok(())
    }

    /// Makes the last `items` parts a list; whether they can be one.
    #[inline]
    pub fn list(&mut self, items: usize) -> bool {
        self.container(Kind::List, items)
    }

    /// Makes the last `members` parts, which were added as keys, a set; whether they can be one.
    #[inline]
    pub fn set(&mut self, members: usize) -> bool {
        self.differ(members, 1) && self.container(Kind::Set, members)
    }

    /// Makes the last `entries` pairs of a key and a value a dict; whether they can be one.
    #[inline]
    pub fn dict(&mut self, entries: usize) -> bool {
        self.differ(entries, 2) && self.container(Kind::Dict, entries * 2)
    }

    fn container(&mut self, kind: Kind, parts: usize) -> bool {
        let Some(left) = self.open.len().checked_sub(parts) else { return false };
        self.open.truncate(left);
        self.weight += if parts == 0 { ALLOCATION } else { 2 * ALLOCATION };
        self.push(Node::Container(kind, parts), 0);
        self.weight <= BUDGET && self.nodes.len() <= MOST
    }

    /// Whether keys have hashes of their own, so that no two of them can be equal.
    fn differ(&self, keys: usize, stride: usize) -> bool {
        let first = self.open.len().wrapping_sub(keys * stride);
        let Some(open) = self.open.get(first..) else { return false };
        let hash = |number: &u32| self.hashes.get(*number as usize).copied();
        // Where no two have the same seven bits, no two are equal.
        let mut bits = 0_u128;
        let apart = open.iter().step_by(stride).all(|number| {
            let bit = 1_u128 << (hash(number).unwrap_or_default() >> 57);
            let is_new = bits & bit == 0;
            bits |= bit;
            is_new
        });
        if apart {
            return true;
        }
        if keys > 64 {
            let mut all: Vec<_> = open.iter().step_by(stride).map(hash).collect();
            all.sort_unstable();
            return all.windows(2).all(|pair| pair.first() != pair.last());
        }
        let mut rest = open.iter().step_by(stride);
        while let Some(number) = rest.next() {
            if rest.clone().any(|other| hash(other) == hash(number)) {
                return false;
            }
        }
        true
    }

    /// Adds what lives in a cell.
    #[inline]
    pub(super) fn cell(&mut self, cell: Cell) -> Option<()> {
        self.push(Node::Cell(cell), 0);
        (self.nodes.len() <= MOST).then_some(())
    }

    /// Adds stored text or bytes, unless that makes more than `most` bytes.
    pub(super) fn stored_leaf(
        &mut self,
        kind: Kind,
        words: &[AtomicU64],
        length: usize,
        most: usize,
    ) -> Option<()> {
        let start = self.content.len();
        if start + length > most || self.nodes.len() >= MOST {
            return None;
        }
        for word in words {
            self.content.extend_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        self.content.truncate(start + length);
        self.push(Node::Leaf(kind, start, length), 0);
        Some(())
    }

    /// Makes the last parts a container, as a stored one had them.
    pub(super) fn copied(&mut self, kind: Kind, parts: usize) -> Option<()> {
        self.open.truncate(self.open.len().checked_sub(parts)?);
        self.push(Node::Container(kind, parts), 0);
        Some(())
    }

    /// Adds a part that was one of a draft before: `is_key` if it may be a key or member. Whether it
    /// can be one here.
    pub(crate) fn part(&mut self, part: Part<'_>, is_key: bool) -> Result<bool> {
        let kind = match part {
            Part::Cell(cell) => {
                let hash = if is_key { hash::cell(self.hash_key, cell)? } else { 0 };
                self.push(Node::Cell(cell), hash);
                return Ok(true);
            }
            Part::Text(text) if !is_wtf8(text) => return Ok(false),
            Part::Text(_) => Kind::Str,
            Part::Bytes(_) => Kind::Bytes,
            Part::Value(value) => {
                self.value(value.clone())?;
                return Ok(true);
            }
            Part::List(items) => return Ok(self.list(items)),
            Part::Set(members) => return Ok(self.are_keys(members, 1) && self.set(members)),
            Part::Dict(entries) => return Ok(self.are_keys(entries, 2) && self.dict(entries)),
        };
        let (Part::Text(content) | Part::Bytes(content)) = part else { return Ok(false) };
        if content.len() <= INLINE_BYTES {
            return Ok(false);
        }
        let hash = if is_key { hash::bytes(self.hash_key, content) } else { 0 };
        self.leaf(kind, content, hash);
        Ok(true)
    }

    /// Whether the last so many parts, each `stride`th of them, were added as keys.
    fn are_keys(&self, keys: usize, stride: usize) -> bool {
        let first = self.open.len().checked_sub(keys.saturating_mul(stride));
        let Some(open) = first.and_then(|first| self.open.get(first..)) else { return false };
        open.iter().step_by(stride).all(|number| {
            let hash = self.hashes.get(*number as usize);
            hash.is_some_and(|hash| *hash != 0)
        })
    }

    /// Its parts, children before their container, and whether each was added as a key.
    pub(crate) fn parts_and_keys(&self) -> impl Iterator<Item = (Part<'_>, bool)> {
        self.parts().zip(self.hashes.iter().map(|hash| *hash != 0))
    }

    /// Its parts, children before their container.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.nodes.iter().map(|node| match *node {
            Node::Cell(cell) => Part::Cell(cell),
            Node::Leaf(kind, start, length) => {
                let content = self.content.get(start..start + length).unwrap_or_default();
                if kind == Kind::Str { Part::Text(content) } else { Part::Bytes(content) }
            }
            Node::Value(index) => {
                self.values.get(index).map_or(Part::Cell(Cell::NONE), Part::Value)
            }
            Node::Container(Kind::List, parts) => Part::List(parts),
            Node::Container(Kind::Set, parts) => Part::Set(parts),
            Node::Container(_, parts) => Part::Dict(parts / 2),
        })
    }

    /// Whether it is one container, or one value.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.open.len() == 1
    }

    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn is_of(&self, heap: &Heap) -> bool {
        self.heap.is_same(heap)
    }

    /// Stores it; the cell owns one count.
    pub(crate) fn store(&self, tx: &mut Tx<'_>) -> Result<Cell> {
        let mut cells: Vec<Cell> = Vec::with_capacity(self.open.capacity());
        let mut hashes: Vec<u64> = Vec::with_capacity(self.open.capacity());
        for (node, hash) in self.nodes.iter().zip(&self.hashes) {
            let cell = match *node {
                Node::Cell(cell) => cell,
                Node::Leaf(kind, start, len) => {
                    let content = self.content.get(start..start + len).unwrap_or_default();
                    crate::leaf::bytes::store(tx, kind, content)?
                }
                Node::Value(index) => match self.values.get(index) {
                    Some(value) => value.store(tx)?,
                    None => Cell::NONE,
                },
                Node::Container(kind, parts) => {
                    let first = cells.len().saturating_sub(parts);
                    let part = cells.get(first..).unwrap_or_default();
                    let cell = build(tx, kind, part, hashes.get(first..).unwrap_or_default())?;
                    cells.truncate(first);
                    hashes.truncate(first);
                    cell
                }
            };
            cells.push(cell);
            hashes.push(*hash);
        }
        match (cells.pop(), cells.is_empty()) {
            (Some(cell), true) => Ok(cell),
            _ => Err(crate::Error::InvalidArgument {
                what: "a draft is not one container: end it with list, dict or set".to_owned(),
            }),
        }
    }
}

/// One container of these cells, whose counts it takes over.
fn build(tx: &mut Tx<'_>, kind: Kind, parts: &[Cell], hashes: &[u64]) -> Result<Cell> {
    let at = tx.alloc_object(kind)?;
    match kind {
        _ if parts.is_empty() => {}
        Kind::List => {
            let (block, cap) = list::fresh_block(tx, parts.len() as u64, true)?;
            list::fill_cells(tx.heap(), block, parts)?;
            tx.fill(at + object::W0, block)?;
            tx.fill(at + object::W1, list::span(0, parts.len() as u64))?;
            tx.fill(at + object::W2, cap)?;
        }
        Kind::Set => {
            let mut fresh = Fresh::<{ keys::SET }>::new(tx, parts.len() as u64)?;
            let entries = parts.iter().zip(hashes);
            fresh.fill(
                tx.heap(),
                entries.map(|(key, hash)| Entry { hash: *hash, key: *key, value: Cell::UNSET }),
            )?;
            fresh.begin(tx, at)?;
        }
        _ => {
            let mut fresh = Fresh::<{ keys::DICT }>::new(tx, parts.len() as u64 / 2)?;
            let entries = parts.chunks_exact(2).zip(hashes.chunks_exact(2));
            fresh.fill(
                tx.heap(),
                entries.map(|(pair, hashes)| Entry {
                    hash: hashes.first().copied().unwrap_or_default(),
                    key: pair.first().copied().unwrap_or(Cell::UNSET),
                    value: pair.last().copied().unwrap_or(Cell::UNSET),
                }),
            )?;
            fresh.begin(tx, at)?;
        }
    }
    reference(tx, kind, at)
}

/// The first reference to a fresh object: its count is filled in like the rest of its header.
fn reference(tx: &mut Tx<'_>, kind: Kind, at: Offset) -> Result<Cell> {
    let meta = crate::object::Meta(tx.load(at + object::META)?);
    tx.fill(at + object::META, meta.0 + 1)?;
    Ok(Cell::reference(kind, at, meta.generation() as u8))
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<Draft of {} parts for {:?}>", self.nodes.len(), self.heap.name())
    }
}

impl From<Draft> for Value {
    fn from(draft: Draft) -> Self {
        Value::Draft(Box::new(draft))
    }
}
