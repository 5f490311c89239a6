//! Messages of built-in containers on their way: one block each, built where they arrive, if at all.
//!
//! A dict of a few items is half a dozen blocks. Built by who puts it, each of their cache lines goes to
//! the processor of the taker, which frees them, and back. So a queue keeps such a draft as one
//! immutable block, and whoever takes it has it as a [`Message`], in private memory: to read, or to
//! build in the segment. Only the items of a queue are stored so, and only in its list or, where there was no
//! room to build it, in a lease; what looks at one without taking it has it built first, in its place.
//!
//! ```text
//! word of a packed message      low bits of an immediate cell: that value
//!                               else, low bits 000: bits 4-47 n, 48-55 kind, 56 it is a key
//!   kind str or bytes           n bytes, in the words that follow, padded with zeros
//!   kind list, set, dict        of the last n parts (a dict: keys and values in turn)
//! ```

use crate::cell::{Cell, Kind, Ref, View};
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::leaf;
use crate::primitive::Ordering;
use crate::tx::Tx;
use crate::value::{Draft, Part, Value};

/// Most words of a packed message: longer content is copied once only, so it is rather not packed.
const MOST: usize = 512;
const IS_KEY: u64 = 1 << 56;

/// The word in front of text or bytes, or behind the parts of a container.
fn head(kind: Kind, is_key: bool, count: usize) -> u64 {
    ((kind as u64) << 48) | if is_key { IS_KEY } else { 0 } | ((count as u64) << 4)
}

/// A draft in the words of one block, if it is small and every part fits.
pub(super) fn pack(draft: &Draft) -> Option<Vec<u64>> {
    if !draft.is_whole() {
        return None;
    }
    let mut words = Vec::with_capacity(64);
    for (part, is_key) in draft.parts_and_keys() {
        let (kind, content) = match part {
            Part::Cell(cell) => {
                words.push(cell.0);
                continue;
            }
            Part::Text(text) => (Kind::Str, text),
            Part::Bytes(content) => (Kind::Bytes, content),
            Part::Value(_) => return None,
            Part::List(items) => {
                words.push(head(Kind::List, false, items));
                continue;
            }
            Part::Set(members) => {
                words.push(head(Kind::Set, false, members));
                continue;
            }
            Part::Dict(entries) => {
                words.push(head(Kind::Dict, false, entries * 2));
                continue;
            }
        };
        if words.len() + content.len() / 8 > MOST {
            return None;
        }
        words.push(head(kind, is_key, content.len()));
        let (whole, rest) = content.as_chunks::<8>();
        words.extend(whole.iter().map(|bytes| u64::from_le_bytes(*bytes)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            words.push(u64::from_le_bytes(last));
        }
    }
    (words.len() <= MOST).then_some(words)
}

/// Stores a packed draft; the cell owns one count.
pub(super) fn store(tx: &mut Tx<'_>, words: &[u64]) -> Result<Cell> {
    let bytes = words.len() as u64 * 8;
    let cell = leaf::create(tx, Kind::Packed, bytes, 0, bytes)?;
    if let Some(packed) = cell.as_ref() {
        let places = tx.heap().words(leaf::data(packed.at), words.len())?;
        for (place, word) in places.iter().zip(words) {
            place.store(*word, Ordering::Relaxed);
        }
    }
    Ok(cell)
}

/// The packed message that a cell of a queue holds, if it holds one.
#[inline]
pub(super) fn packed_in(cell: Cell) -> Option<Ref> {
    cell.as_ref().filter(|found| found.kind == Kind::Packed)
}

/// A message of built-in containers that was taken: what it holds belongs to the taker alone.
///
/// ```
/// use shm_core::{Draft, Part, Segment, SegmentOptions, Taken};
/// let seg = Segment::create_anonymous(SegmentOptions::new())?;
/// let queue = seg.queue("jobs", 0)?;
/// let mut draft = Draft::new(seg.heap());
/// draft.int(7);
/// assert!(draft.list(1));
/// queue.put(draft, None)?;
/// let Taken::Message(message) = queue.get_with(None, |_| Ok(()))? else { panic!() };
/// assert!(matches!(message.parts().last(), Some(Part::List(1))));
/// let list = message.build(seg.heap())?;
/// assert_eq!(list.as_list().unwrap().len()?, 1);
/// # Ok::<(), shm_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Message {
    words: Vec<u64>,
}

impl Message {
    /// A private copy of a packed message. The caller holds the writer lock.
    pub(super) fn copy_of(heap: &Heap, packed: Ref) -> Result<Self> {
        let bytes = leaf::length(heap, packed)?;
        if bytes / 8 > MOST as u64 {
            return Err(malformed(heap));
        }
        let words = heap.words(leaf::data(packed.at), (bytes / 8) as usize)?;
        Ok(Message { words: words.iter().map(|word| word.load(Ordering::Relaxed)).collect() })
    }

    /// What it consists of, children before their container, up to what is no part.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        Parts { rest: &self.words }.map(|(part, _)| part)
    }

    /// Builds it in a segment, as an object that nothing refers to but the handle.
    ///
    /// # Errors
    /// `SegmentFull`: the message is as it was. `SegmentCorrupt` if it is none.
    pub fn build(&self, heap: &Heap) -> Result<Value> {
        let draft = self.draft(heap)?;
        heap.write(|tx| made(tx, &draft))
    }

    /// As [`Message::build`], but collects no garbage to make room: for a segment that is full once more.
    ///
    /// # Errors
    /// As [`Message::build`].
    pub fn build_if_room(&self, heap: &Heap) -> Result<Value> {
        let draft = self.draft(heap)?;
        heap.write_if_room(|tx| made(tx, &draft))
    }

    /// The draft that it was made of.
    fn draft(&self, heap: &Heap) -> Result<Draft> {
        let mut draft = Draft::new(heap);
        let mut parts = Parts { rest: &self.words };
        for (part, is_key) in parts.by_ref() {
            if !draft.part(part, is_key)? {
                return Err(malformed(heap));
            }
        }
        if parts.rest.is_empty() && draft.is_whole() { Ok(draft) } else { Err(malformed(heap)) }
    }
}

/// The object of a draft, which only the handle refers to.
fn made(tx: &mut Tx<'_>, draft: &Draft) -> Result<Value> {
    let cell = draft.store(tx)?;
    let value = Value::decode(tx.heap(), cell)?;
    tx.dec(cell)?;
    Ok(value)
}

/// What a cell of a queue holds, built if it is packed; its count takes the place of the cell's.
#[inline]
pub(super) fn built(tx: &mut Tx<'_>, cell: Cell) -> Result<Cell> {
    let Some(packed) = packed_in(cell) else { return Ok(cell) };
    let built = Message::copy_of(tx.heap(), packed)?.draft(tx.heap())?.store(tx)?;
    tx.dec(cell)?;
    Ok(built)
}

#[cold]
fn malformed(heap: &Heap) -> Error {
    heap.corrupt("a message in a queue is malformed")
}

/// The parts of a packed message, and whether they are keys.
struct Parts<'m> {
    rest: &'m [u64],
}

impl<'m> Iterator for Parts<'m> {
    type Item = (Part<'m>, bool);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (word, behind) = self.rest.split_first()?;
        if word & 0b111 != 0 {
            self.rest = behind;
            let cell = Cell(*word);
            let is_value = !matches!(cell.view()?, View::Unset | View::Tombstone | View::Ref(_));
            return is_value.then_some((Part::Cell(cell), true));
        }
        let count = ((word >> 4) & 0xFFF_FFFF_FFFF) as usize;
        let part = match Kind::from_code((word >> 48) as u8)? {
            Kind::List => Part::List(count),
            Kind::Set => Part::Set(count),
            Kind::Dict => Part::Dict(count / 2),
            kind @ (Kind::Str | Kind::Bytes) => {
                let (content, behind) = behind.split_at_checked(count.div_ceil(8))?;
                self.rest = behind;
                let bytes = zerocopy::IntoBytes::as_bytes(content).get(..count)?;
                let part = if kind == Kind::Str { Part::Text(bytes) } else { Part::Bytes(bytes) };
                return Some((part, word & IS_KEY != 0));
            }
            _ => return None,
        };
        self.rest = behind;
        Some((part, false))
    }
}

/// What the consistency check wants to know: whether these words are a message.
pub(crate) fn is_message(heap: &Heap, packed: Ref) -> Result<bool> {
    Ok(Message::copy_of(heap, packed)?.draft(heap).is_ok())
}
