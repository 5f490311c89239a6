//! The checker: walks the whole segment and says what is wrong and where, in words.
//!
//! Runs under the writer lock, so it sees one moment between two operations. It compares the page
//! directory with itself, follows every cell from the roots and the pins, compares each count with
//! the references it found, and names every block that is taken but belongs to nothing. Objects
//! that only refer to each other are no fault: they are reported as garbage, for a collector.

use rustc_hash::FxHashMap;

use crate::alloc;
use crate::cell::{Cell, Kind, Offset, Ref};
use crate::error::Result;
use crate::heap::Heap;
use crate::layout::{LEAF_DATA, header, keys, leaf, object, process, process_state, thread};
use crate::memory::Memory;
use crate::object::{Meta, meta_of};
use crate::pins;
use crate::primitive::Ordering;
use crate::tx;

/// More findings than this are only counted.
const MOST_FINDINGS: usize = 100;

/// What the checker found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is wrong, in words; empty for a sound segment.
    pub findings: Vec<String>,
    /// Mutable objects that are reachable.
    pub objects: u64,
    /// Immutable blocks that are reachable.
    pub leaves: u64,
    /// Objects that nothing but garbage refers to.
    pub garbage: u64,
    /// Blocks that are taken.
    pub blocks: u64,
    /// Bytes of these blocks.
    pub bytes: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Checks a segment while nobody writes.
pub(crate) fn check(heap: &Heap) -> Result<Report> {
    if heap.0.memory.readonly {
        return Walk::new(heap).run();
    }
    heap.outside_of_transactions("a check")?;
    heap.write(|tx| {
        // What others dropped and have not come to free yet is no finding.
        while tx::reap(&mut tx.journal, u32::MAX) {}
        Walk::new(heap).run()
    })
}

struct Walk<'h> {
    memory: &'h Memory,
    /// References found to each leaf and object.
    found: FxHashMap<Offset, (Ref, u64)>,
    /// Blocks that belong to an object: items, keys, payloads, pin tables.
    parts: FxHashMap<Offset, Offset>,
    pending: Vec<Ref>,
    report: Report,
}

impl<'h> Walk<'h> {
    fn new(heap: &'h Heap) -> Self {
        Walk {
            memory: &heap.0.memory,
            found: FxHashMap::default(),
            parts: FxHashMap::default(),
            pending: Vec::new(),
            report: Report::default(),
        }
    }

    fn say(&mut self, finding: String) {
        if self.report.findings.len() < MOST_FINDINGS {
            self.report.findings.push(finding);
        }
    }

    fn header(&self, at: Offset) -> Result<u64> {
        Ok(self.memory.meta(at)?.load(Ordering::Relaxed))
    }

    fn run(mut self) -> Result<Report> {
        alloc::check(self.memory, &mut self.report.findings)?;
        self.check_threads()?;
        for at in [header::ROOT, header::NAMES, header::SCHEMAS, header::MESSAGES] {
            self.cell(Cell(self.header(at)?), "the header");
        }
        if self.header(header::GRAVEYARD)? != 0 && !self.memory.readonly {
            self.say("the graveyard cannot be emptied".to_owned());
        }
        self.follow();
        self.pins()?;
        self.unpinning()?;
        self.follow();
        self.report.objects = self.count(true);
        self.report.leaves = self.count(false);
        self.garbage()?;
        self.compare_counts();
        self.blocks()?;
        Ok(self.report)
    }

    fn count(&self, objects: bool) -> u64 {
        self.found.values().filter(|(found, _)| found.kind.is_object() == objects).count() as u64
    }

    fn check_threads(&mut self) -> Result<()> {
        for slot in self.memory.thread_slots()? {
            let at = self.memory.geometry.thread_at(slot);
            let state = self.header(at + thread::STATE)?;
            let taken = (self.header(at + thread::CLAIM)? >> 16) & 0xFFFF != 0;
            if state & 0xFF != 0 {
                self.say(format!("thread slot {slot} has an unfinished log ({state:#x})"));
            }
            if !taken && self.header(at + thread::UNPINNING)? != 0 {
                self.say(format!("free thread slot {slot} is still unpinning"));
            }
        }
        Ok(())
    }

    /// Counts one reference and goes on from there on the first one.
    fn cell(&mut self, cell: Cell, from: &str) {
        if cell.is_immediate() {
            if cell.view().is_none() {
                self.say(format!("{from} holds {:#x}, which is no cell", cell.0));
            }
            return;
        }
        let Some(reference) = cell.as_ref() else {
            self.say(format!("{from} holds {:#x}, which is no cell", cell.0));
            return;
        };
        if let Some((known, count)) = self.found.get_mut(&reference.at) {
            *count += 1;
            if *known != reference {
                self.say(format!("{from} refers to {reference:?}, others to it as another kind"));
            }
            return;
        }
        if let Err(error) = self.validate(reference) {
            self.say(format!("{from}: {error}"));
            return;
        }
        self.found.insert(reference.at, (reference, 1));
        self.pending.push(reference);
    }

    fn validate(&self, reference: Ref) -> Result<()> {
        if !alloc::is_allocated(self.memory, reference.at)? {
            return Err(self.memory.corrupt(format!("{reference:?} is freed")));
        }
        meta_of(self.memory, reference).map(|_| ())
    }

    fn follow(&mut self) {
        while let Some(reference) = self.pending.pop() {
            if let Err(error) = self.children(reference) {
                self.say(format!("{reference:?}: {error}"));
            }
        }
    }

    fn part(&mut self, block: Offset, owner: Offset) -> Result<()> {
        if !alloc::is_allocated(self.memory, block)? {
            self.say(format!("block {block:#x} of object {owner:#x} is freed"));
        }
        if let Some(other) = self.parts.insert(block, owner) {
            self.say(format!("block {block:#x} belongs to {owner:#x} and to {other:#x}"));
        }
        Ok(())
    }

    fn cells(&mut self, at: Offset, count: u64, owner: Ref) -> Result<()> {
        for word in self.memory.words(at, count)? {
            let cell = Cell(word.load(Ordering::Relaxed));
            self.cell(cell, &format!("{} {:#x}", owner.kind.name(), owner.at));
        }
        Ok(())
    }

    fn children(&mut self, owner: Ref) -> Result<()> {
        let at = owner.at;
        let load = |offset: Offset| self.memory.load(offset);
        if owner.kind.is_object() && load(at + object::SEQ)? & 1 == 1 {
            self.say(format!("the sequence of {at:#x} is odd between operations"));
        }
        match owner.kind {
            Kind::Str | Kind::Bytes | Kind::BigInt | Kind::Float | Kind::Turn => {}
            Kind::Tuple | Kind::FrozenSet => {
                self.cells(at + LEAF_DATA, self.memory.load(at + leaf::LEN)?, owner)?;
            }
            Kind::List => {
                let items = load(at + object::W0)? & !0xF;
                let (span, room) = (load(at + object::W1)?, load(at + object::W2)?);
                let (start, len) = (span & 0xFFFF_FFFF, span >> 32);
                if items != 0 {
                    self.part(items, at)?;
                    if start + len > room || room * 8 > alloc::size_of_block(self.memory, items)? {
                        self.say(format!("list {at:#x}: {start}+{len} items in {room} of a block"));
                    }
                    self.cells(items + start * 8, len, owner)?;
                } else if len != 0 {
                    self.say(format!("list {at:#x} has {len} items and no block"));
                }
            }
            Kind::Dict | Kind::Set => {
                let block = load(at + object::W0)?;
                if block != 0 {
                    self.part(block, at)?;
                    self.entries(block, owner)?;
                }
            }
            Kind::ByteArray => {
                let block = load(at + object::W0)?;
                if block != 0 {
                    self.part(block, at)?;
                }
            }
            Kind::Record => {
                let payload = load(at + object::W0)?;
                if payload != 0 {
                    self.part(payload, at)?;
                    self.cells(payload + 8, self.memory.load(payload)?, owner)?;
                }
            }
        }
        Ok(())
    }

    fn entries(&mut self, block: Offset, owner: Ref) -> Result<()> {
        let counts = self.memory.load(block + keys::COUNTS)?;
        let shape = self.memory.load(block + keys::SHAPE)?;
        let (appended, used) = (counts & 0xFFFF_FFFF, counts >> 32);
        let stride = if owner.kind == Kind::Dict { 3 } else { 2 };
        let mut live = 0;
        for index in 0..appended {
            let at = block + keys::entries_at(shape) + index * stride * 8;
            let key = Cell(self.memory.load(at + 8)?);
            live += u64::from(key != Cell::TOMBSTONE && key != Cell::UNSET);
            self.cells(at + 8, stride - 1, owner)?;
        }
        if live != used || appended > keys::capacity(shape) {
            self.say(format!(
                "{} {:#x}: {live} entries, counts say {used} of {appended}, room for {}",
                owner.kind.name(),
                owner.at,
                keys::capacity(shape)
            ));
        }
        Ok(())
    }

    fn pins(&mut self) -> Result<()> {
        for slot in self.memory.process_slots()? {
            let at = self.memory.geometry.process_at(slot);
            if self.header(at + process::STATE)? & 0xFFFF_FFFF == process_state::FREE {
                if self.header(at + process::PINS)? != 0 {
                    self.say(format!("free process slot {slot} has a pin table"));
                }
                continue;
            }
            let Some((table, entries)) = pins::table_of(self.memory, slot)? else { continue };
            self.part(table, at)?;
            for entry in entries {
                if let Some(pinned) = pins::pinned_in(entry.load(Ordering::Relaxed)) {
                    self.unreferenced(pinned)?;
                }
            }
        }
        Ok(())
    }

    /// Objects that some thread is about to look at because it dropped its last handle.
    fn unpinning(&mut self) -> Result<()> {
        for slot in self.memory.thread_slots()? {
            let at = self.memory.geometry.thread_at(slot) + thread::UNPINNING;
            let object_at = self.header(at)?;
            if object_at != 0 {
                self.unreferenced(object_at)?;
            }
        }
        Ok(())
    }

    /// Goes on from an object that was reached by no cell so far.
    fn unreferenced(&mut self, at: Offset) -> Result<()> {
        let meta = Meta(self.memory.load(at + object::META)?);
        if let Some(kind) = Kind::from_code(meta.kind_code())
            && !self.found.contains_key(&at)
            && alloc::is_header(self.memory, at)
            && alloc::is_allocated(self.memory, at)?
        {
            let reference = Ref { kind, at, generation: meta.generation() as u8 };
            self.found.insert(at, (reference, 0));
            self.pending.push(reference);
        }
        Ok(())
    }

    /// Objects with a count that only each other refer to.
    fn garbage(&mut self) -> Result<()> {
        let mut headers = Vec::new();
        alloc::for_each_block(self.memory, |at, _| {
            if alloc::is_header(self.memory, at) {
                headers.push(at);
            }
            Ok(())
        })?;
        for at in headers {
            if self.found.contains_key(&at) {
                continue;
            }
            let meta = Meta(self.memory.load(at + object::META)?);
            if meta.count() == 0 {
                self.say(format!("object {at:#x} is taken, but nothing refers to it or pins it"));
            }
            let before = self.found.len();
            self.unreferenced(at)?;
            self.follow();
            self.report.garbage += (self.found.len() - before) as u64;
        }
        Ok(())
    }

    fn compare_counts(&mut self) {
        let found: Vec<(Ref, u64)> = self.found.values().copied().collect();
        for (reference, count) in found {
            match meta_of(self.memory, reference) {
                Ok(meta) if meta.count() == count => {}
                Ok(meta) => self.say(format!(
                    "{} {:#x} has count {}, {count} cells refer to it",
                    reference.kind.name(),
                    reference.at,
                    meta.count()
                )),
                Err(error) => self.say(error.to_string()),
            }
        }
    }

    fn blocks(&mut self) -> Result<()> {
        let mut lost = Vec::new();
        let (mut blocks, mut bytes) = (0, 0);
        alloc::for_each_block(self.memory, |at, cut| {
            blocks += 1;
            bytes += cut.size;
            if !self.found.contains_key(&at) && !self.parts.contains_key(&at) {
                lost.push((at, cut.size));
            }
            Ok(())
        })?;
        self.report.blocks = blocks;
        self.report.bytes = bytes;
        for (at, size) in lost {
            self.say(format!("block {at:#x} of {size} bytes is taken, but belongs to nothing"));
        }
        Ok(())
    }
}
