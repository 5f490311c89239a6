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

use crate::cell::{Cell, Kind};
use crate::error::Result;
use crate::hash::{self, HashKey};
use crate::heap::Heap;
use crate::primitive::{AtomicU64, Ordering};
use crate::value::Value;

mod build;
mod parts;

pub use parts::Part;

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
