//! The walk from the roots: every reference, every count, every block once.
//!
//! Breadth first, so that the path under which something is found is a short one. A block is walked
//! by the first object that claims it; a second claim is a finding, not another walk, so the time is
//! bounded by the size of the segment whatever refers to what. What an object says of itself is looked
//! at in `objects`; what is left over is counted in `balance`.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::alloc;
use crate::cell::{Cell, Kind, Offset, Ref, View};
use crate::error::Result;
use crate::heap::Heap;
use crate::layout::{header, object};
use crate::memory::Memory;
use crate::object::{Meta, meta_of};
use crate::primitive::Ordering;
use crate::schema::Schema;
use crate::value::is_wtf8;

use super::paths::Step;
use super::{MOST_FINDINGS, Report};

/// What was found at an offset.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) reference: Ref,
    /// Cells that refer to it.
    pub(super) count: u64,
    /// What referred to it first, 0 for none, and how.
    pub(super) from: Offset,
    pub(super) step: Step,
}

/// One look at a segment.
pub(super) struct Walk<'h> {
    pub(super) heap: &'h Heap,
    pub(super) memory: &'h Memory,
    pub(super) found: FxHashMap<Offset, Found>,
    /// Blocks that belong to an object: items, keys, payloads, pin tables.
    pub(super) parts: FxHashMap<Offset, Offset>,
    /// Blocks that belong to the cache of a thread slot.
    pub(super) cached: FxHashMap<Offset, u64>,
    pub(super) pending: VecDeque<Ref>,
    /// Stored schemas by the cell of their entry.
    pub(super) schemas: FxHashMap<u64, Arc<Schema>>,
    /// Words that may still be decoded for a second look (keys, text of schemas).
    pub(super) budget: u64,
    /// Findings beyond those that are kept.
    more: u64,
    pub(super) report: Report,
}

impl<'h> Walk<'h> {
    pub(super) fn new(heap: &'h Heap) -> Self {
        Walk {
            heap,
            memory: &heap.0.memory,
            found: FxHashMap::default(),
            parts: FxHashMap::default(),
            cached: FxHashMap::default(),
            pending: VecDeque::new(),
            schemas: FxHashMap::default(),
            budget: 0,
            more: 0,
            report: Report::default(),
        }
    }

    /// Remembers a finding; the words are made only if it is kept.
    pub(super) fn say(&mut self, finding: impl FnOnce(&Self) -> String) {
        if self.report.findings.len() < MOST_FINDINGS {
            let finding = finding(self);
            self.report.findings.push(finding);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn header(&self, at: Offset) -> Result<u64> {
        Ok(self.memory.meta(at)?.load(Ordering::Relaxed))
    }

    pub(super) fn run(mut self) -> Result<Report> {
        // Everything four times over, and something for a small segment.
        self.budget = self.memory.used()? / 2 + (1 << 16);
        self.check_header()?;
        let mut findings = Vec::new();
        alloc::check(self.memory, &mut findings)?;
        for finding in findings {
            self.say(|_| finding);
        }
        self.check_threads()?;
        self.check_caches()?;
        self.read_schemas()?;
        self.roots()?;
        self.follow();
        self.check_processes()?;
        self.unpinning()?;
        self.follow();
        self.report.objects = self.count(true);
        self.report.leaves = self.count(false);
        self.dead()?;
        self.garbage()?;
        self.compare_counts();
        self.blocks()?;
        if self.more > 0 {
            self.report.findings.push(format!("and {} more findings", self.more));
        }
        Ok(self.report)
    }

    pub(super) fn count(&self, objects: bool) -> u64 {
        self.found.values().filter(|found| found.reference.kind.is_object() == objects).count()
            as u64
    }

    fn roots(&mut self) -> Result<()> {
        let roots = [
            (header::ROOT, "root", Kind::Dict),
            (header::NAMES, "names", Kind::Dict),
            (header::SCHEMAS, "schemas", Kind::Tuple),
            (header::MESSAGES, "messages", Kind::List),
        ];
        for (at, name, kind) in roots {
            let cell = Cell(self.header(at)?);
            // A segment under construction has none yet.
            if cell == Cell::UNSET {
                continue;
            }
            match cell.as_ref() {
                Some(reference) if reference.kind == kind => {
                    self.cell(cell, 0, Step::Header(name));
                }
                _ => self.say(|_| {
                    format!("{name}: header word {at} is {:#x}, not a {}", cell.0, kind.name())
                }),
            }
        }
        Ok(())
    }

    /// Counts one reference and goes on from there on the first one.
    pub(super) fn cell(&mut self, cell: Cell, from: Offset, step: Step) {
        let Some(reference) = cell.as_ref() else {
            match cell.view() {
                Some(View::Unset | View::Tombstone) | None => self
                    .say(|walk| format!("{}: {:#x} is no value", walk.place(from, step), cell.0)),
                Some(View::Str(text) | View::Bytes(text)) => {
                    let content = text.as_slice();
                    let padded = cell.0.checked_shr(8 + 8 * content.len() as u32).unwrap_or(0) == 0;
                    let good = cell.0 & 0b111 != 0b011 || is_wtf8(content);
                    if !padded || !good || cell.0 & 0xC0 != 0 {
                        self.say(|walk| {
                            format!(
                                "{}: {:#x} is no short text of {} bytes",
                                walk.place(from, step),
                                cell.0,
                                content.len()
                            )
                        });
                    }
                }
                _ => {}
            }
            return;
        };
        if let Some(known) = self.found.get_mut(&reference.at) {
            known.count += 1;
            let other = known.reference;
            if other != reference {
                self.say(|walk| {
                    let place = walk.place(from, step);
                    format!("{place}: refers to {reference:?}, others to it as {other:?}")
                });
            }
            return;
        }
        if let Err(error) = self.validate(reference) {
            self.say(|walk| format!("{}: {}", walk.place(from, step), without_name(&error)));
            return;
        }
        self.found.insert(reference.at, Found { reference, count: 1, from, step });
        self.pending.push_back(reference);
    }

    pub(super) fn validate(&self, reference: Ref) -> Result<()> {
        let Ref { kind, at, .. } = reference;
        if self.cached.contains_key(&at) || !alloc::is_allocated(self.memory, at)? {
            let what = format!("refers to a {} at {at:#x}, which is freed", kind.name());
            return Err(self.memory.corrupt(what));
        }
        if alloc::is_header(self.memory, at) != kind.is_object() {
            let what = format!("refers to a {} at {at:#x}, a block of another sort", kind.name());
            return Err(self.memory.corrupt(what));
        }
        meta_of(self.memory, reference).map(|_| ())
    }

    pub(super) fn follow(&mut self) {
        while let Some(reference) = self.pending.pop_front() {
            if let Err(error) = self.children(reference) {
                self.say(|walk| format!("{}: {}", walk.about(reference.at), without_name(&error)));
            }
        }
    }

    /// Claims a block for an object: its size, if it is a block and nobody else's.
    pub(super) fn part(&mut self, block: Offset, owner: Offset) -> Result<Option<u64>> {
        if self.cached.contains_key(&block) || !alloc::is_allocated(self.memory, block)? {
            self.say(|walk| format!("{}: its block {block:#x} is freed", walk.about(owner)));
            return Ok(None);
        }
        if alloc::is_header(self.memory, block) {
            self.say(|walk| format!("{}: its block {block:#x} is a header", walk.about(owner)));
            return Ok(None);
        }
        if let Some(other) = self.parts.insert(block, owner) {
            self.say(|walk| {
                let (one, two) = (walk.about(owner), walk.about(other));
                format!("{one}: its block {block:#x} belongs to {two} too")
            });
            return Ok(None);
        }
        alloc::size_of_block(self.memory, block).map(Some)
    }

    /// Counts the cells of a run of words that is known to lie in one block.
    pub(super) fn cells(
        &mut self,
        at: Offset,
        count: u64,
        owner: Offset,
        step: impl Fn(u64, Cell) -> Step,
    ) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        for (index, word) in self.memory.words(at, count)?.iter().enumerate() {
            let cell = Cell(word.load(Ordering::Relaxed));
            self.cell(cell, owner, step(index as u64, cell));
        }
        Ok(())
    }

    /// Goes on from an object that was reached by no cell so far.
    pub(super) fn unreferenced(&mut self, at: Offset, step: Step) -> Result<()> {
        if self.found.contains_key(&at) {
            return Ok(());
        }
        if !alloc::is_header(self.memory, at) || !alloc::is_allocated(self.memory, at)? {
            self.say(|walk| format!("{}: {at:#x} is no object", walk.place(0, step)));
            return Ok(());
        }
        let meta = Meta(self.memory.load(at + object::META)?);
        match Kind::from_code(meta.kind_code()).filter(|kind| kind.is_object()) {
            Some(kind) => {
                let reference = Ref { kind, at, generation: meta.generation() as u8 };
                self.found.insert(at, Found { reference, count: 0, from: 0, step });
                self.pending.push_back(reference);
            }
            None => self.say(|walk| {
                format!("{}: object {at:#x} has meta word {:#x}", walk.place(0, step), meta.0)
            }),
        }
        Ok(())
    }
}

/// The text of an error without the name of the segment, which the reader of a report knows.
pub(super) fn without_name(error: &crate::error::Error) -> String {
    match error {
        crate::error::Error::SegmentCorrupt { what, .. } => what.clone(),
        other => other.to_string(),
    }
}
