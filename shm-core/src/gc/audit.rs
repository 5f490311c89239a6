//! The audit: a repair that makes counts, bitmaps and page lists exact.
//!
//! In this segment's lock mode they are exact after any kill, so an audit is for damage from
//! outside: a stray write, a bug, a file that came back half-written. Under one hold of the writer
//! lock it follows every reference, not believing any count or bitmap, and then sets what they should
//! say: counts to the references found, bitmaps to the blocks found, lists and free counts to the
//! bitmaps. What nothing refers to is freed, cycles and the graveyard included. It does not mend
//! content: a reference that leads nowhere, or a container that contradicts itself, is left as it is
//! and named in [`Audit::left`].
//!
//! Each word becomes its final value in one store; until the last one the header says that an audit
//! is needed. So a killed audit is run again, and in between things are no worse than before it.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::alloc;
use crate::cell::{Cell, Kind, Offset, Ref};
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::layout::{FREED, header, object, process, process_state, thread};
use crate::memory::Memory;
use crate::object::{self as objects, Meta, meta_of};
use crate::pins;
use crate::primitive::Ordering;
use crate::recovery;

/// More than this is not named.
const MOST_LEFT: usize = 100;

/// What an audit repaired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Audit {
    /// Objects and immutable blocks whose count or flags were wrong.
    pub counts: u64,
    /// Blocks that were taken and belonged to nothing, or to garbage only.
    pub freed: u64,
    /// Blocks that were in use and marked as free.
    pub restored: u64,
    /// Entries of the page directory that were wrong.
    pub pages: u64,
    /// Words of slots, sequences and lists of the dead that were wrong.
    pub words: u64,
    /// What it cannot repair, in words: content that contradicts itself.
    pub left: Vec<String>,
}

impl Audit {
    /// Whether everything was right.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Audit::default()
    }
}

/// Repairs counts, bitmaps and lists while nobody writes.
pub(crate) fn audit(heap: &Heap) -> Result<Audit> {
    heap.outside_of_transactions("an audit")?;
    // In a damaged segment this may fail; then what the dead pinned stays for now.
    let _ = recovery::reap_processes(heap);
    heap.write(|_| super::while_pins_stay(heap, |memory| Auditor::new(memory).run()))
}

struct Auditor<'m> {
    memory: &'m Memory,
    /// Objects and leaves in use, and the references to each.
    found: FxHashMap<Offset, (Ref, u64)>,
    /// Blocks of objects.
    parts: FxHashMap<Offset, Offset>,
    /// Blocks of caches.
    cached: FxHashSet<Offset>,
    pending: Vec<Ref>,
    audit: Audit,
}

impl<'m> Auditor<'m> {
    fn new(memory: &'m Memory) -> Self {
        Auditor {
            memory,
            found: FxHashMap::default(),
            parts: FxHashMap::default(),
            cached: FxHashSet::default(),
            pending: Vec::new(),
            audit: Audit::default(),
        }
    }

    fn run(mut self) -> Result<Audit> {
        self.memory.meta(header::AUDIT_NEEDED)?.store(1, Ordering::Release);
        self.roots()?;
        // From here on what is found is final.
        self.set(header::BURYING, 0)?;
        self.set(header::GRAVEYARD, 0)?;
        self.slots()?;
        self.counts()?;
        self.lost_headers()?;
        self.caches()?;
        let (found, parts, cached) = (&self.found, &self.parts, &self.cached);
        let in_use =
            |at: Offset| found.contains_key(&at) || parts.contains_key(&at) || cached.contains(&at);
        let rebuilt = alloc::rebuild(self.memory, in_use)?;
        self.audit.freed += rebuilt.freed;
        self.audit.restored += rebuilt.restored;
        self.audit.pages += rebuilt.pages;
        self.memory.meta(header::AUDIT_NEEDED)?.store(0, Ordering::Release);
        Ok(self.audit)
    }

    fn leave(&mut self, error: &Error) {
        if self.audit.left.len() < MOST_LEFT {
            let what = match error {
                Error::SegmentCorrupt { what, .. } => what.clone(),
                other => other.to_string(),
            };
            self.audit.left.push(what);
        }
    }

    fn set(&mut self, at: Offset, value: u64) -> Result<()> {
        let word = self.memory.any_word(at)?;
        if word.load(Ordering::Relaxed) != value {
            word.store(value, Ordering::Release);
            self.audit.words += 1;
        }
        Ok(())
    }

    fn roots(&mut self) -> Result<()> {
        for at in [header::ROOT, header::NAMES, header::SCHEMAS, header::MESSAGES] {
            self.reach(Cell(self.memory.meta(at)?.load(Ordering::Relaxed)));
        }
        for slot in self.memory.process_slots()? {
            let at = self.memory.geometry.process_at(slot);
            let state = self.memory.meta(at + process::STATE)?.load(Ordering::Acquire);
            if state & 0xFFFF_FFFF == process_state::FREE {
                continue;
            }
            if let Some((table, entries)) = pins::table_of(self.memory, slot)? {
                self.part(table, at);
                for entry in entries {
                    if let Some(at) = pins::pinned_in(entry.load(Ordering::Acquire)) {
                        self.hold(at)?;
                    }
                }
            }
        }
        for slot in self.memory.thread_slots()? {
            let at = self.memory.geometry.thread_at(slot) + thread::UNPINNING;
            self.hold(self.memory.meta(at)?.load(Ordering::Acquire))?;
        }
        while let Some(reference) = self.pending.pop() {
            self.children(reference);
        }
        Ok(())
    }

    fn hold(&mut self, at: Offset) -> Result<()> {
        if !alloc::is_header(self.memory, at) {
            return Ok(());
        }
        let meta = Meta(self.memory.load(at + object::META)?);
        // A freed header has no kind; a reader may hold one for a moment.
        if let Some(kind) = Kind::from_code(meta.kind_code()).filter(|kind| kind.is_object())
            && !self.found.contains_key(&at)
        {
            let reference = Ref { kind, at, generation: meta.generation() as u8 };
            self.found.insert(at, (reference, 0));
            self.pending.push(reference);
        }
        Ok(())
    }

    fn reach(&mut self, cell: Cell) {
        if cell.is_immediate() {
            return;
        }
        let Some(reference) = cell.as_ref() else {
            let error = self.memory.corrupt(format!("{:#x} is no cell", cell.0));
            self.leave(&error);
            return;
        };
        if let Some((known, count)) = self.found.get_mut(&reference.at) {
            *count += 1;
            if *known != reference {
                let what = format!("{reference:?} is referred to as {known:?} too");
                let error = self.memory.corrupt(what);
                self.leave(&error);
            }
            return;
        }
        match self.validate(reference) {
            Ok(()) => {
                self.found.insert(reference.at, (reference, 1));
                self.pending.push(reference);
            }
            Err(error) => self.leave(&error),
        }
    }

    /// Whether a block of that kind is there, be it marked as free or not.
    fn validate(&self, reference: Ref) -> Result<()> {
        if alloc::is_header(self.memory, reference.at) != reference.kind.is_object() {
            return Err(self
                .memory
                .corrupt(format!("{reference:?} leads to another sort of block")));
        }
        alloc::size_of_block(self.memory, reference.at)?;
        meta_of(self.memory, reference).map(|_| ())
    }

    fn part(&mut self, block: Offset, owner: Offset) {
        if let Err(error) = alloc::size_of_block(self.memory, block) {
            self.leave(&error);
            return;
        }
        if self.parts.insert(block, owner).is_some() {
            let what = format!("block {block:#x} of {owner:#x} belongs to something else too");
            let error = self.memory.corrupt(what);
            self.leave(&error);
        }
    }

    fn children(&mut self, owner: Ref) {
        if let Err(error) = self.try_children(owner) {
            self.leave(&error);
        }
    }

    fn try_children(&mut self, owner: Ref) -> Result<()> {
        if owner.kind.is_object() {
            self.reach(Cell(self.memory.load(owner.at + object::LOCK)?));
            let block = self.memory.load(owner.at + object::W0)? & !0xF;
            if block != 0 {
                let first = !self.parts.contains_key(&block);
                self.part(block, owner.at);
                if !first {
                    return Ok(());
                }
            }
        }
        let held = objects::held(self.memory, owner)?;
        if held.count == 0 {
            return Ok(());
        }
        let words = held.count * held.stride - (held.stride - held.cells);
        for group in self.memory.words(held.first, words)?.chunks(held.stride as usize) {
            for word in group.iter().take(held.cells as usize) {
                self.reach(Cell(word.load(Ordering::Relaxed)));
            }
        }
        Ok(())
    }

    /// Logs are idle under the lock, and free slots unpin nothing.
    fn slots(&mut self) -> Result<()> {
        for slot in self.memory.thread_slots()? {
            let at = self.memory.geometry.thread_at(slot);
            self.set(at + thread::STATE, 0)?;
            let claim = self.memory.meta(at + thread::CLAIM)?.load(Ordering::Acquire);
            if (claim >> 16) & 0xFFFF == 0 {
                self.set(at + thread::UNPINNING, 0)?;
            }
        }
        Ok(())
    }

    /// A cache with anything that is somebody else's, or no block, is emptied.
    fn caches(&mut self) -> Result<()> {
        let (mut all, mut wrong) = (Vec::new(), FxHashSet::default());
        let full = |slot: u64, class: u8, _| _ = wrong.insert((slot, class));
        alloc::for_each_cached(self.memory, |cached, right| all.push((cached, right)), full)?;
        for (cached, right) in &all {
            let taken = self.found.contains_key(&cached.at) || self.parts.contains_key(&cached.at);
            if !right || taken || !self.cached.insert(cached.at) {
                wrong.insert((cached.slot, cached.class));
            }
        }
        self.cached = all
            .iter()
            .filter(|(cached, _)| !wrong.contains(&(cached.slot, cached.class)))
            .map(|(cached, _)| cached.at)
            .collect();
        for (slot, class) in wrong {
            self.set(self.memory.geometry.cached_at(slot, class), 0)?;
        }
        Ok(())
    }

    fn counts(&mut self) -> Result<()> {
        for (at, (reference, count)) in &self.found {
            let word = self.memory.word(at + object::META)?;
            let old = word.load(Ordering::Relaxed);
            let new = if reference.kind.is_object() {
                Meta::new(reference.kind, Meta(old).generation())
            } else {
                Meta::of_leaf(reference.kind, alloc::class_of_block(self.memory, *at))
            };
            let new = new.0 | count;
            if old != new {
                word.store(new, Ordering::Release);
                self.audit.counts += 1;
            }
            if reference.kind.is_object() {
                let sequence = self.memory.word(at + object::SEQ)?;
                let value = sequence.load(Ordering::Relaxed);
                let freed = self.memory.load(at + object::W0)? & FREED != 0;
                if value & 1 == 1 && !freed {
                    sequence.store(value.wrapping_add(1), Ordering::Release);
                    self.audit.words += 1;
                }
            }
        }
        Ok(())
    }

    /// References to what is freed now are to be recognised as such.
    fn lost_headers(&mut self) -> Result<()> {
        let mut lost = Vec::new();
        alloc::for_each_header(self.memory, |at| {
            if !self.found.contains_key(&at) {
                lost.push(at);
            }
            Ok(())
        })?;
        for at in lost {
            let word = self.memory.word(at + object::META)?;
            let generation = Meta(word.load(Ordering::Relaxed)).generation().wrapping_add(1);
            word.store(u64::from(generation) << 48, Ordering::Release);
        }
        Ok(())
    }
}
