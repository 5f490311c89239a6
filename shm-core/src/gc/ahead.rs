//! The walk ahead: marks while others write, so that little is left to mark while they wait.
//!
//! It takes no lock and stops nobody. It looks at each object as a reader does: the sequence, the
//! cells, the sequence again. What it reaches gets a mark, whether the look saw one moment or not: a
//! mark too many keeps an object until the next collection, and does no other harm. But only if the
//! look saw one moment is the object's sequence remembered. Under the lock ([`mark`](super::mark)),
//! each object that has a mark and another sequence is followed again, so that in the end all that
//! the marked ones refer to is marked.
//!
//! Why an object with the remembered sequence has the cells that were followed:
//!
//! * Whoever changes a cell that readers see changes the sequence, and never back; an object that a
//!   header is used for again begins with a higher one (`object::create`).
//! * What is being made is filled without a change of its sequence, and a torn look at something else
//!   may lead there. So after the first look at the sequence, and before that at the cells, the walk
//!   waits until the operation that was under way has ended: what is made after that has a new
//!   sequence. If it does not end soon, the object counts as changed.
//! * The cells of tuples and frozensets have no sequence, and their blocks are used for others once
//!   they die. So they are followed within the look at the object that refers to them, which keeps
//!   them alive if it did not change, each time that they are met. There is a limit to that in all.
//! * What is buried is taken apart without a new sequence; under the lock it loses its mark.

use super::graph::{AT_ONCE, Graph, Span, object_of};
use super::marks::{Marks, Sequences};
use crate::alloc;
use crate::cell::{Cell, Offset, Ref};
use crate::error::Result;
use crate::layout::{header, object};
use crate::memory::Memory;
use crate::object::{self as objects, Meta, meta_of};
use crate::primitive::{Ordering, fence};

/// Looks at the lock's owner that may be in vain: to begin with, and more for each object.
const PATIENCE: u64 = 1 << 18;
const MORE_PATIENCE: u64 = 16;
/// Objects whose sequences are taken at once, at most.
const MOST_AT_ONCE: usize = 4096;

/// Handle. What the walk found.
pub(super) struct Ahead {
    pub(super) marks: Marks,
    pub(super) sequences: Sequences,
    /// The objects that it did not reach.
    pub(super) rest: Vec<Offset>,
}

impl Ahead {
    /// Of a walk that saw nothing.
    pub(super) fn nothing(memory: &Memory) -> Result<Self> {
        Self::at_start(&Graph::new(memory)?)
    }

    fn at_start(graph: &Graph<'_>) -> Result<Self> {
        let marks = Marks::new(graph.memory)?;
        Ok(Ahead { marks, sequences: Sequences::new(graph), rest: Vec::new() })
    }
}

/// Walks from the roots. The caller does not hold the writer lock.
pub(super) fn look_ahead(memory: &Memory) -> Result<Ahead> {
    let graph = Graph::new(memory)?;
    let mut walker = Walker {
        graph: &graph,
        found: Ahead::at_start(&graph)?,
        stack: Vec::new(),
        leaves: Vec::new(),
        leaf_words: memory.used()? / 8,
        patience: PATIENCE,
        at_once: AT_ONCE,
    };
    // What cannot be looked at now may be changing, and is left to the walk under the lock.
    let _ = graph.each_root(|cell| {
        let _ = walker.reach(cell);
        Ok(())
    });
    walker.follow();
    let _ = walker.look_at_rest();
    Ok(walker.found)
}

/// One look at an object.
struct Look {
    object: Ref,
    /// Odd: what is seen is not to be relied on.
    sequence: u64,
    cells: Result<Option<Span>>,
}

impl Look {
    fn begin(memory: &Memory, object: Ref) -> Self {
        let sequence = memory.word(object.at + object::SEQ);
        // Acquire: pairs with the Release store that ended the last change.
        let sequence = sequence.map_or(1, |word| word.load(Ordering::Acquire));
        Look { object, sequence, cells: Ok(None) }
    }
}

struct Walker<'m> {
    graph: &'m Graph<'m>,
    found: Ahead,
    /// Objects with a mark that were not looked at.
    stack: Vec<Ref>,
    /// Tuples and frozensets of the object that is looked at.
    leaves: Vec<Ref>,
    /// How many of their words may still be followed.
    leaf_words: u64,
    /// Looks at the lock's owner that may still be in vain.
    patience: u64,
    /// Objects whose sequences are taken before an operation's end is waited for.
    at_once: usize,
}

impl Walker<'_> {
    /// Goes on from a cell, later.
    #[inline]
    fn reach(&mut self, cell: Cell) -> Result<()> {
        let Some(child) = self.graph.child(cell)? else { return Ok(()) };
        if !child.kind.is_object() {
            self.graph.validate(child)?;
            self.leaves.push(child);
            return Ok(());
        }
        if self.found.marks.is_set(child.at) {
            return Ok(());
        }
        self.graph.validate(child)?;
        self.found.marks.set(child.at).ok_or_else(|| self.graph.outside(child))?;
        self.stack.push(child);
        Ok(())
    }

    fn follow(&mut self) {
        let mut looks = Vec::new();
        while !self.stack.is_empty() {
            let memory = self.graph.memory;
            let from = self.stack.len().saturating_sub(self.at_once);
            looks.extend(self.stack.drain(from..).map(|object| Look::begin(memory, object)));
            let settled = self.settle(looks.len());
            while !looks.is_empty() {
                // A few at once, so that the caches fetch their blocks side by side.
                let from = looks.len().saturating_sub(AT_ONCE);
                for look in looks.get_mut(from..).unwrap_or_default() {
                    look.sequence |= u64::from(!settled);
                    look.cells = self.graph.span(look.object);
                }
                for look in looks.drain(from..) {
                    let (at, sequence) = (look.object.at, look.sequence);
                    if self.is_whole(look) {
                        self.found.sequences.remember(at, sequence);
                    }
                }
            }
        }
    }

    /// Waits until the operation that is under way has ended, if there is one, before so many objects
    /// are looked at; whether it has. Who has to wait looks at more of them at once the next time.
    fn settle(&mut self, looks: usize) -> bool {
        let Ok(owner) = self.graph.memory.meta(header::LOCK_OWNER) else { return false };
        // Acquire: pairs with the Release store that gave the lock back, here and below.
        let first = owner.load(Ordering::Acquire);
        if first == 0 {
            self.at_once = (self.at_once / 2).max(AT_ONCE);
            return true;
        }
        self.at_once = (self.at_once * 2).min(MOST_AT_ONCE);
        self.patience = self.patience.saturating_add(MORE_PATIENCE * looks as u64);
        while self.patience > 0 {
            self.patience -= 1;
            std::hint::spin_loop();
            if owner.load(Ordering::Acquire) != first {
                return true;
            }
        }
        false
    }

    /// Looks at what is garbage, if it stays so: whether it can be taken apart.
    fn look_at_rest(&mut self) -> Result<()> {
        let memory = self.graph.memory;
        let Ahead { marks, sequences, rest } = &mut self.found;
        alloc::for_each_header(memory, |at| {
            if marks.is_set(at) {
                return Ok(());
            }
            rest.push(at);
            let word = memory.word(at + object::SEQ)?;
            // Acquire: as in `Look::begin`.
            let sequence = word.load(Ordering::Acquire);
            let meta = Meta(memory.load(at + object::META)?);
            let sound = object_of(memory, at, meta).and_then(|found| objects::held(memory, found));
            // Acquire: as in `is_whole`.
            fence(Ordering::Acquire);
            if sound.is_ok() && sequence & 1 == 0 && word.load(Ordering::Relaxed) == sequence {
                sequences.remember(at, sequence);
            }
            Ok(())
        })
    }

    /// Goes on from all that an object refers to; whether that was all of it, at one moment.
    fn is_whole(&mut self, look: Look) -> bool {
        let (graph, at) = (self.graph, look.object.at);
        let memory = graph.memory;
        let mut whole = self.pass(look.cells);
        while let Some(leaf) = self.leaves.pop() {
            let cells = graph.span(leaf);
            let words = cells.as_ref().map_or(0, |cells| cells.map_or(0, |span| span.words));
            let Some(left) = self.leaf_words.checked_sub(words + 1) else {
                self.leaves.clear();
                return false;
            };
            self.leaf_words = left;
            whole &= self.pass(cells);
        }
        if let Ok(lock) = memory.load(at + object::LOCK) {
            // Looked at again under the lock.
            let _ = self.reach(Cell(lock));
        }
        // Acquire: orders the loads of the cells before the second look at the sequence.
        fence(Ordering::Acquire);
        whole
            && look.sequence & 1 == 0
            && memory.load(at + object::SEQ).is_ok_and(|now| now == look.sequence)
            && meta_of(memory, look.object).is_ok_and(|meta| !meta.is_buried())
    }

    /// Goes on from each cell of a span; whether all of them could be followed.
    fn pass(&mut self, cells: Result<Option<Span>>) -> bool {
        let graph = self.graph;
        let mut all = true;
        let seen = cells.and_then(|cells| {
            cells.map_or(Ok(()), |span| {
                graph.each_cell(span, |cell| {
                    all &= self.reach(cell).is_ok();
                    Ok(())
                })
            })
        });
        all && seen.is_ok()
    }
}
