//! Marking under the writer lock: what was changed since the walk before it, and what that leads to.
//!
//! One look at each object's header tells whether the walk ahead (`ahead`) has seen its cells as they
//! are. Those that it has not, and the roots, are followed. Only what has children gets a mark:
//! objects, tuples, frozensets. The stack is explicit, so depth does not matter; each mark is set
//! once, so neither do cycles. Whatever the bytes are, marking ends: a reference that does not lead to
//! what it says, or counts that do not fit their block, are an error.

use super::ahead::Ahead;
use super::graph::{AT_ONCE, Graph, object_of};
use super::marks::{Marks, Sequences};
use crate::alloc;
use crate::cell::{Cell, Offset, Ref};
use crate::error::Result;
use crate::layout::object;
use crate::memory::Memory;
use crate::object::Meta;
use crate::primitive::Ordering;

/// Handle. What marking found.
pub(super) struct Marked {
    /// What was reached.
    pub(super) marks: Marks,
    /// How many objects had a mark before, which they keep.
    pub(super) before: u64,
    /// The objects that had none. They have one now if they were reached.
    pub(super) rest: Vec<Offset>,
    /// Of objects that are as the walk ahead has seen them.
    pub(super) sequences: Sequences,
}

/// Marks all that the header, the pins and the unpinning words lead to. The caller holds the writer
/// lock.
pub(super) fn mark(memory: &Memory, ahead: Ahead) -> Result<Marked> {
    let graph = Graph::new(memory)?;
    let Ahead { mut marks, sequences, mut rest } = ahead;
    marks.grow(memory)?;
    let mut marker = Marker { graph: &graph, marks, stack: Vec::new() };
    let mut before = 0;
    rest.clear();
    alloc::for_each_header(memory, |at| {
        if !marker.marks.is_set(at) {
            rest.push(at);
            return Ok(());
        }
        let meta = Meta(memory.load(at + object::META)?);
        if meta.is_buried() {
            // It died since.
            marker.marks.clear(at);
            return Ok(());
        }
        before += 1;
        // Relaxed: all that is written is ordered by the lock.
        if !sequences.has(at, memory.word(at + object::SEQ)?.load(Ordering::Relaxed)) {
            marker.stack.push(object_of(memory, at, meta)?);
        }
        // An object gets its lock without a new sequence.
        marker.reach(Cell(memory.load(at + object::LOCK)?))
    })?;
    graph.each_root(|cell| marker.reach(cell))?;
    marker.follow()?;
    Ok(Marked { marks: marker.marks, before, rest, sequences })
}

struct Marker<'m> {
    graph: &'m Graph<'m>,
    marks: Marks,
    stack: Vec<Ref>,
}

impl Marker<'_> {
    /// Goes on from a cell.
    #[inline]
    fn reach(&mut self, cell: Cell) -> Result<()> {
        let mut lock = self.reach_one(cell)?;
        // Each round sets a mark, so this ends.
        while lock != Cell::UNSET {
            lock = self.reach_one(lock)?;
        }
        Ok(())
    }

    /// Goes on from a cell; the cell of the lock of what it found.
    #[inline]
    fn reach_one(&mut self, cell: Cell) -> Result<Cell> {
        let memory = self.graph.memory;
        let Some(reference) = self.graph.child(cell)? else { return Ok(Cell::UNSET) };
        match self.marks.set(reference.at) {
            // Looked at here and not when it is its turn: the caches fetch siblings side by side.
            Some(true) => {
                self.graph.validate(reference)?;
                self.stack.push(reference);
                if reference.kind.is_object() {
                    return Ok(Cell(memory.load(reference.at + object::LOCK)?));
                }
            }
            Some(false) => {}
            None => return Err(self.graph.outside(reference)),
        }
        Ok(Cell::UNSET)
    }

    fn follow(&mut self) -> Result<()> {
        let graph = self.graph;
        let mut spans = Vec::with_capacity(AT_ONCE);
        while !self.stack.is_empty() {
            // A few at once, so that the caches fetch their blocks side by side.
            let from = self.stack.len().saturating_sub(AT_ONCE);
            for reference in self.stack.get(from..).unwrap_or_default() {
                spans.extend(graph.span(*reference)?);
            }
            self.stack.truncate(from);
            for span in spans.drain(..) {
                graph.each_cell(span, |cell| self.reach(cell))?;
            }
        }
        Ok(())
    }
}
