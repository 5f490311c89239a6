//! Where objects are: a look from the root for a few of them, for whoever wants to call them by their paths.
//!
//! Breadth first, as the walk of the checker, whose paths these are; but it finds no faults, takes no lock whoever
//! calls it, and gives up after so many objects and cells, so that it costs some 50 ms at most in a segment of any size.
//! What is being changed meanwhile may be missed.

use rustc_hash::FxHashSet;

use crate::cell::{Cell, Kind, Offset};
use crate::heap::Heap;
use crate::layout::header;
use crate::object::{self as objects, Meta};
use crate::primitive::Ordering;

use super::paths::Step;
use super::walk::{Found, Walk};

/// Cells that are looked at, most of which are numbers and text.
const MOST_CELLS: u64 = 1 << 22;
/// Objects, tuples and frozensets that are found, each of which takes a look at its header.
const MOST_FOUND: usize = 1 << 16;

/// The paths of objects, of those that are found: `root['jobs'][3]`.
pub(crate) fn paths(heap: &Heap, wanted: &[Offset]) -> Vec<Option<String>> {
    let mut walk = Walk::new(heap);
    if !wanted.is_empty() {
        walk.budget = MOST_CELLS / 4;
        // Without it, fields have numbers instead of names.
        let _ = walk.read_schemas();
        walk.search(wanted.iter().copied().collect());
    }
    let path = |at: &Offset| walk.found.contains_key(at).then(|| walk.path(*at));
    wanted.iter().map(path).collect()
}

impl Walk<'_> {
    fn search(&mut self, mut wanted: FxHashSet<Offset>) {
        let mut cells = MOST_CELLS;
        let root = self.header(header::ROOT).unwrap_or_default();
        self.meet(Cell(root), 0, Step::Header("root"));
        while let Some(parent) = self.pending.pop_front() {
            wanted.remove(&parent.at);
            if wanted.is_empty() {
                break;
            }
            let Ok(held) = objects::held(self.memory, parent) else { continue };
            for index in 0..held.count {
                if self.found.len() >= MOST_FOUND {
                    return;
                }
                let first = held.first + index * held.stride * 8;
                let Some(left) = cells.checked_sub(held.cells) else { return };
                cells = left;
                let words = self.memory.words(first, held.cells).unwrap_or_default();
                let mut group = words.iter().map(|word| Cell(word.load(Ordering::Relaxed)));
                let Some(cell) = group.next() else { break };
                let step = match parent.kind {
                    Kind::Dict => Step::Key(cell),
                    Kind::Set | Kind::FrozenSet => Step::Member(cell),
                    Kind::Record => Step::Field(index),
                    _ => Step::Item(index),
                };
                self.meet(cell, parent.at, step);
                if let Some(value) = group.next() {
                    self.meet(value, parent.at, Step::Value(cell));
                }
            }
        }
    }

    /// Goes on from a cell, if it leads to something new that may refer to objects.
    fn meet(&mut self, cell: Cell, from: Offset, step: Step) {
        let leads = |kind: Kind| kind.is_object() || kind.is_cells();
        let Some(reference) = cell.as_ref().filter(|found| leads(found.kind)) else { return };
        if self.found.contains_key(&reference.at) || self.validate(reference).is_err() {
            return;
        }
        if self.memory.load(reference.at).is_ok_and(|meta| !Meta(meta).is_buried()) {
            self.found.insert(reference.at, Found { reference, count: 1, from, step });
            self.pending.push_back(reference);
        }
    }
}
