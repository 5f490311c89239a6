//! Private copies of containers with all that is in them, read as of one moment.
//!
//! A container of containers, read one by one, is a pin and a validated read for each, and the whole is of
//! no moment. Here all of it is copied first and believed afterwards, if no sequence of what was
//! read has changed since: an object that stayed as it was kept what it refers to alive, so no pins
//! are needed, and everything was there at once. What is seen on the way may be torn, so each look is
//! checked, and anything unusual (a large container, an object that is met twice, a struct, a deque, a writer at work)
//! ends in `None`: the caller goes the general way.

use super::draft::{Draft, MOST, Part};
use crate::cell::{Cell, Kind, Offset, Ref, View};
use crate::dict::keys::{DICT, SET, Table};
use crate::flavour::is_typed;
use crate::heap::Heap;
use crate::layout::object;
use crate::leaf;
use crate::list::Items;
use crate::object::meta_of;
use crate::primitive::{Ordering, fence};
use crate::quick::word;
use crate::value::Value;

/// Copies that are begun while writers come in between.
const TRIES: usize = 3;
/// Most containers of one copy; each is looked for among those before it.
const CONTAINERS: usize = 64;
/// Most cells of an extended value in a copy, and most bytes of each.
const PARTS: u64 = 8;
const PART_BYTES: u64 = 4096;
/// Most bytes of text and bytes in one copy.
const BYTES: usize = 1 << 20;

/// A private copy of a container and of all in it.
///
/// ```
/// use shm_core::{Copied, Part, Segment, SegmentOptions};
/// let seg = Segment::create_anonymous(SegmentOptions::new())?;
/// let list = seg.list_of(["a", "b"])?;
/// let copied = Copied::of(&list.into()).expect("nobody writes");
/// assert!(matches!(copied.parts().last(), Some(Part::List(2))));
/// # Ok::<(), shm_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Copied(Draft);

impl Copied {
    /// Copies a list, dict or set and all in it, as of one moment, if it is small and of everyday
    /// content; `None`: look at it piece by piece.
    #[must_use]
    pub fn of(container: &Value) -> Option<Copied> {
        let root = container.object().ok()??;
        let heap = root.heap();
        for _ in 0..TRIES {
            let mut copy = Copying { heap, draft: Draft::new(heap), seen: Vec::with_capacity(8) };
            let whole = copy.referred(root.cell().as_ref()?);
            if copy.is_of_one_moment() {
                return whole.map(|()| Copied(copy.draft));
            }
        }
        None
    }

    /// What it consists of, children before their container.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.0.parts()
    }
}

struct Copying<'h> {
    heap: &'h Heap,
    draft: Draft,
    /// The containers and their sequences.
    seen: Vec<(Offset, u64)>,
}

impl Copying<'_> {
    fn is_of_one_moment(&self) -> bool {
        // Acquire: orders all loads of the copy before the second look at the sequences.
        fence(Ordering::Acquire);
        self.seen.iter().all(|(at, sequence)| {
            self.heap.load(at + object::SEQ).is_ok_and(|now| now == *sequence)
        })
    }

    fn cell(&mut self, cell: Cell) -> Option<()> {
        if let Some(reference) = cell.as_ref() {
            return self.referred(reference);
        }
        match cell.view()? {
            View::Unset | View::Tombstone => None,
            _ => self.draft.cell(cell),
        }
    }

    fn referred(&mut self, reference: Ref) -> Option<()> {
        match reference.kind {
            Kind::Str | Kind::Bytes => {
                let length = leaf::length(self.heap, reference).ok()? as usize;
                let words = self.heap.words(leaf::data(reference.at), length.div_ceil(8)).ok()?;
                self.draft.stored_leaf(reference.kind, words, length, BYTES)
            }
            Kind::BigInt | Kind::Float => {
                let value =
                    Value::decode(self.heap, Cell::reference(reference.kind, reference.at, 0));
                self.draft.value(value.ok()?).ok()
            }
            Kind::Extended => self.extended(reference),
            Kind::List | Kind::Dict | Kind::Set => self.container(reference),
            _ => None,
        }
    }

    /// One whose parts are numbers and short texts.
    fn extended(&mut self, reference: Ref) -> Option<()> {
        if leaf::length(self.heap, reference).ok()? > PARTS {
            return None;
        }
        for cell in leaf::sequence::load(self.heap, reference).ok()? {
            let Some(part) = cell.as_ref() else { continue };
            let small = matches!(part.kind, Kind::Str | Kind::Bytes | Kind::BigInt | Kind::Float)
                && leaf::length(self.heap, part).ok()? <= PART_BYTES;
            if !small {
                return None;
            }
        }
        let cell = Cell::reference(reference.kind, reference.at, 0);
        self.draft.value(Value::decode(self.heap, cell).ok()?).ok()
    }

    fn container(&mut self, reference: Ref) -> Option<()> {
        let (heap, at) = (self.heap, reference.at);
        // Acquire: pairs with the Release store that ended the last change.
        let sequence = heap.word(at + object::SEQ).ok()?.load(Ordering::Acquire);
        let is_new = self.seen.iter().all(|(other, _)| *other != at);
        if sequence & 1 == 1 || !is_new || self.seen.len() >= CONTAINERS {
            return None;
        }
        self.seen.push((at, sequence));
        meta_of(&heap.0.memory, reference).ok()?;
        // A deque or the like is no list: what it is, is not copied here.
        let header = heap.words(at, 8).ok()?;
        if reference.kind != Kind::Set
            && word(header, object::W3) != 0
            && !is_typed(header, reference.kind)
        {
            return None;
        }
        match reference.kind {
            Kind::List => {
                let items = Items::load(heap, at).ok()?;
                if items.len > MOST as u64 {
                    return None;
                }
                if items.len > 0 {
                    for word in heap.words(items.at(0), items.len as usize).ok()? {
                        self.cell(Cell(word.load(Ordering::Relaxed)))?;
                    }
                }
                self.draft.copied(Kind::List, items.len as usize)
            }
            Kind::Dict => self.entries::<DICT>(reference),
            _ => self.entries::<SET>(reference),
        }
    }

    fn entries<const WORDS: u64>(&mut self, reference: Ref) -> Option<()> {
        let table = Table::<WORDS>::of(self.heap, reference.at).ok()?;
        let mut parts = 0;
        if let Some(table) = table {
            if table.count > MOST as u64 {
                return None;
            }
            let words = table.entries(self.heap, 0, table.count).ok()?;
            for entry in words.chunks_exact(WORDS as usize) {
                let [_, cells @ ..] = entry else { return None };
                let key = cells.first()?.load(Ordering::Relaxed);
                if Cell(key) != Cell::TOMBSTONE {
                    for cell in cells {
                        self.cell(Cell(cell.load(Ordering::Relaxed)))?;
                        parts += 1;
                    }
                }
            }
        }
        self.draft.copied(reference.kind, parts)
    }
}
