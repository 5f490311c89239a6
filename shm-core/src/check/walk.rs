//! The walk from the roots: every reference, every count, every block once.
//!
//! Breadth first, so that the path under which something is found is a short one. A block is walked
//! by the first object that claims it; a second claim is a finding, not another walk, so the time is
//! bounded by the size of the segment whatever refers to what.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::alloc;
use crate::cell::{Cell, Kind, Offset, Ref, View};
use crate::error::Result;
use crate::flavour::ListFlavour;
use crate::heap::Heap;
use crate::layout::{FREED, header, object};
use crate::memory::Memory;
use crate::object::{self as objects, Meta, meta_of};
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
    parts: FxHashMap<Offset, Offset>,
    /// Blocks that belong to the cache of a thread slot.
    pub(super) cached: FxHashMap<Offset, u64>,
    pending: VecDeque<Ref>,
    /// Stored schemas by the cell of their entry.
    pub(super) schemas: FxHashMap<u64, Arc<Schema>>,
    /// Words that may still be decoded for a second look (keys, text of schemas).
    pub(super) budget: u64,
    /// Findings beyond those that are kept.
    more: u64,
    report: Report,
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

    fn count(&self, objects: bool) -> u64 {
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

    fn validate(&self, reference: Ref) -> Result<()> {
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

    fn children(&mut self, owner: Ref) -> Result<()> {
        let at = owner.at;
        let meta = Meta(self.memory.load(at)?);
        if owner.kind.is_object() {
            self.lock(at)?;
        }
        if meta.is_buried() {
            return self.remains(owner);
        }
        if !owner.kind.is_object() {
            return self.leaf(owner);
        }
        let first = self.memory.load(at + object::W0)?;
        if first & FREED != 0 {
            // An array that somebody may be looking at keeps its block.
            if first != FREED {
                self.part(first & !0xF, at)?;
            }
            return Ok(());
        }
        let sequence = self.memory.load(at + object::SEQ)?;
        if sequence & 1 == 1 && !self.memory.readonly {
            self.say(|walk| {
                format!("{}: its sequence {sequence} is odd between operations", walk.about(at))
            });
        }
        match owner.kind {
            Kind::List => self.list(at),
            Kind::Dict | Kind::Set => self.table(owner),
            Kind::ByteArray => self.bytearray(at),
            Kind::Record => self.record(at),
            Kind::Array => self.array(at),
            _ => {
                self.say(|walk| format!("{}: no value is of this kind", walk.about(at)));
                Ok(())
            }
        }
    }

    /// The lock of an object, if anybody has asked for it.
    fn lock(&mut self, at: Offset) -> Result<()> {
        let lock = Cell(self.memory.load(at + object::LOCK)?);
        if lock == Cell::UNSET {
            return Ok(());
        }
        if lock.as_ref().is_none_or(|found| found.kind != Kind::ByteArray) {
            self.say(|walk| format!("{}: its lock {:#x} is no lock", walk.about(at), lock.0));
            return Ok(());
        }
        self.cell(lock, at, Step::Lock);
        Ok(())
    }

    fn list(&mut self, at: Offset) -> Result<()> {
        if !self.is_internal(at) {
            let word = self.memory.load(at + object::W3)?;
            self.flavour(at, word, ListFlavour::of_word(word).is_some());
        }
        let Some((items, start, len)) = self.span(at, 8)? else { return Ok(()) };
        self.cells(items + start * 8, len, at, |index, _| Step::Item(index))
    }

    /// Whether it is a list of messages, of a queue or a topic, whose last word is their own.
    fn is_internal(&self, at: Offset) -> bool {
        let names = self.header(header::NAMES).map(|cell| Cell(cell).as_ref());
        self.found.get(&at).is_some_and(|found| match found.step {
            Step::Header(_) => true,
            _ => matches!(names, Ok(Some(names)) if names.at == found.from),
        })
    }

    /// Says so if the word that tells what a container is besides means nothing.
    pub(super) fn flavour(&mut self, at: Offset, word: u64, known: bool) {
        if !known {
            self.say(|walk| format!("{}: no flavour is {word:#x}", walk.about(at)));
        }
    }

    fn bytearray(&mut self, at: Offset) -> Result<()> {
        self.span(at, 1).map(|_| ())
    }

    fn array(&mut self, at: Offset) -> Result<()> {
        let block = self.memory.load(at + object::W0)?;
        if block == 0 {
            // Made by a transaction that was undone; nothing but handles refers to it.
            if self.found.get(&at).is_some_and(|found| found.count > 0) {
                self.say(|walk| format!("{}: it has no block", walk.about(at)));
            }
            return Ok(());
        }
        if self.part(block, at)?.is_none() {
            return Ok(());
        }
        // What it says of its shape is looked at as by everybody who uses it.
        if let Err(error) = crate::ndarray::examine(self.heap, at, block) {
            self.say(|walk| format!("{}: {}", walk.about(at), without_name(&error)));
        }
        Ok(())
    }

    /// The block, start and length of a list or bytearray, if they agree with each other.
    fn span(&mut self, at: Offset, unit: u64) -> Result<Option<(Offset, u64, u64)>> {
        let load = |offset: Offset| self.memory.load(at + offset);
        let (block, span, room) = (load(object::W0)?, load(object::W1)?, load(object::W2)?);
        let (start, len) = (span & 0xFFFF_FFFF, span >> 32);
        if block == 0 {
            if len != 0 {
                self.say(|walk| format!("{}: {len} items and no block", walk.about(at)));
            }
            return Ok(None);
        }
        let Some(size) = self.part(block, at)? else { return Ok(None) };
        if start + len > room || room > size / unit {
            self.say(|walk| {
                let about = walk.about(at);
                format!(
                    "{about}: {start}+{len} items in room for {room}, the block holds {}",
                    size / unit
                )
            });
            return Ok(None);
        }
        Ok(Some((block, start, len)))
    }

    /// What a dead object or tuple still holds.
    fn remains(&mut self, dead: Ref) -> Result<()> {
        let from_the_living = self.found.get(&dead.at).is_some_and(|found| match found.step {
            Step::Dead => false,
            _ => !self.is_dead(found.from),
        });
        if from_the_living {
            self.say(|walk| format!("{}: is marked as dead", walk.about(dead.at)));
        }
        let Some(held) = objects::remains(self.memory, dead)? else { return Ok(()) };
        if held.block != dead.at && self.part(held.block, dead.at)?.is_none() {
            return Ok(());
        }
        for index in 0..held.count {
            let first = held.first + index * held.stride * 8;
            for word in self.memory.words(first, held.cells)? {
                let cell = Cell(word.load(Ordering::Relaxed));
                // Deleted entries hold no value.
                if !cell.is_immediate() {
                    self.cell(cell, dead.at, Step::Item(index));
                }
            }
        }
        Ok(())
    }

    fn is_dead(&self, at: Offset) -> bool {
        at != 0 && self.memory.load(at).is_ok_and(|meta| Meta(meta).is_buried())
    }

    /// What waits to be taken apart: nothing, unless this attachment cannot do it.
    fn dead(&mut self) -> Result<()> {
        let mut next = Cell(self.header(header::GRAVEYARD)?);
        if next.0 != 0 && !self.memory.readonly {
            self.say(|_| format!("the graveyard ({:#x}) cannot be emptied", next.0));
        }
        while let Some(reference) = next.as_ref() {
            if self.found.contains_key(&reference.at) {
                self.say(|walk| format!("{}: lies in the graveyard", walk.about(reference.at)));
                break;
            }
            if let Err(error) = self.validate(reference) {
                self.say(|_| format!("graveyard: {}", without_name(&error)));
                break;
            }
            let found = Found { reference, count: 0, from: 0, step: Step::Dead };
            self.found.insert(reference.at, found);
            self.pending.push_back(reference);
            next = Cell(self.memory.load(objects::link_at(reference))?);
        }
        // Only now: what the dead refer to may be dead too, and was found as such above.
        self.follow();
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

    /// Objects with a count that only each other refer to.
    fn garbage(&mut self) -> Result<()> {
        let mut headers = Vec::new();
        alloc::for_each_block(self.memory, |at, _| {
            if alloc::is_header(self.memory, at) && !self.found.contains_key(&at) {
                headers.push(at);
            }
            Ok(())
        })?;
        let before = self.count(true);
        for at in headers {
            if self.found.contains_key(&at) {
                continue;
            }
            let meta = Meta(self.memory.load(at + object::META)?);
            if meta.count() == 0 {
                self.say(|_| {
                    format!("object {at:#x} is taken, but nothing refers to it or pins it")
                });
            }
            self.unreferenced(at, Step::Garbage)?;
            self.follow();
        }
        self.report.garbage = self.count(true) - before;
        Ok(())
    }

    fn compare_counts(&mut self) {
        let mut wrong = Vec::new();
        for (at, found) in &self.found {
            match meta_of(self.memory, found.reference) {
                Ok(meta) if meta.count() == found.count => {}
                Ok(meta) => wrong.push((*at, meta.count(), found.count)),
                // Said when it was reached.
                Err(_) => {}
            }
        }
        wrong.sort_unstable();
        for (at, count, found) in wrong {
            self.say(|walk| {
                format!("{}: has count {count}, {found} cells refer to it", walk.about(at))
            });
        }
    }

    fn blocks(&mut self) -> Result<()> {
        let mut lost = Vec::new();
        let (mut blocks, mut bytes) = (0, 0);
        alloc::for_each_block(self.memory, |at, cut| {
            if self.cached.contains_key(&at) {
                return Ok(());
            }
            blocks += 1;
            bytes += cut.size;
            match (self.found.contains_key(&at), self.parts.get(&at)) {
                (true, None) | (false, Some(_)) => {}
                (false, None) => lost.push((at, cut.size, None)),
                (true, Some(owner)) => lost.push((at, cut.size, Some(*owner))),
            }
            Ok(())
        })?;
        self.report.blocks = blocks;
        self.report.bytes = bytes;
        for (at, size, owner) in lost {
            self.say(|walk| match owner {
                None => format!("block {at:#x} of {size} bytes is taken, but belongs to nothing"),
                Some(owner) => format!(
                    "{}: its block {at:#x} is at the same time {}",
                    walk.about(owner),
                    walk.about(at)
                ),
            });
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
