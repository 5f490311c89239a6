//! Pins: what the handles of a process keep alive, in a table of that process in the segment.
//!
//! The table is an open-addressing hash set of offsets in a heap block that the process slot names.
//! Only its process writes entries (one store each, under a process-local mutex); whoever holds the
//! writer lock may read all tables, to learn whether a dead object may be taken apart. References
//! of a killed process vanish with its table. Growing and dropping a table are logged operations.
//!
//! The race of a reader that pins with a writer that frees is Dekker's: the reader stores the pin,
//! fences, then validates the container; the writer commits the container's change, fences, then
//! looks for pins. One of them sees the other. A pin writes no line that another process reads in
//! passing, and no per-object flag is needed.
//!
//! ```text
//! entry   0 as if never used (ends a probe), 1 removed, else the offset of a pinned object
//! ```

mod held;

use crate::alloc;
use crate::cell::Offset;
use crate::error::{Error, Result};
use crate::journal::{Journal, Task};
use crate::layout::{process, process_state};
use crate::memory::Memory;
use crate::peers::ProcessClaim;
use crate::primitive::{AtomicU64, Ordering, fence};
use crate::seeded::{self, Bug};
use held::{Held, Pin, Place};

const NEVER: u64 = 0;
const REMOVED: u64 = 1;
/// Entries of the smallest table; some blocks for such tables are kept back (`alloc`).
const SMALLEST: u64 = 64;
/// Entries for each pin of a table that is far too large.
const SPARSE: u64 = 64;
/// Index of a pin that waits for the table to grow.
const WAITING: u64 = u64::MAX;

/// Handle. What this process pins in one segment.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// This process's slot; `None` for a read-only attachment and after close.
    pub(crate) claim: Option<ProcessClaim>,
    table: Offset,
    capacity: u64,
    /// Entries that are not [`NEVER`].
    filled: u64,
    /// There was no memory for a larger table, so this one is filled further than is good for speed.
    cramped: bool,
    held: Held,
    waiting: u64,
    /// Handles that went while their thread held the writer lock.
    pub(crate) deferred: Vec<Offset>,
}

/// What became of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pinned {
    /// In the table, or there before.
    Done,
    /// The table is full: grow it before the writer lock is given back.
    NeedsRoom,
}

impl Own {
    /// One more handle.
    #[inline]
    pub(crate) fn pin(&mut self, memory: &Memory, at: Offset) -> Result<Pinned> {
        let place = match self.held.place(at) {
            Place::Free(place) => place,
            Place::Taken(place) => {
                let Some(pin) = self.held.at_mut(place) else { return Ok(Pinned::Done) };
                pin.handles += 1;
                let waits = pin.index == WAITING && !memory.readonly;
                return Ok(if waits { Pinned::NeedsRoom } else { Pinned::Done });
            }
        };
        let index = if memory.readonly { WAITING } else { self.insert(memory, at)? };
        self.held.insert(place, at, Pin { handles: 1, index });
        if index == WAITING && !memory.readonly {
            self.waiting += 1;
            return Ok(Pinned::NeedsRoom);
        }
        // SeqCst: pairs with the fence in `object::bury_unless_pinned`.
        fence(Ordering::SeqCst);
        Ok(Pinned::Done)
    }

    /// One more handle of an object that is pinned.
    #[inline]
    pub(crate) fn pin_again(&mut self, at: Offset) {
        if let Some(pin) = self.held.get_mut(at) {
            pin.handles += 1;
        }
    }

    /// One handle less; whether it was the last. Stores `at` into `intent` before the entry goes, so
    /// that a kill in between leaves somebody to look at the object.
    pub(crate) fn unpin(
        &mut self,
        memory: &Memory,
        at: Offset,
        intent: Option<&AtomicU64>,
    ) -> Result<bool> {
        let Some(place) = self.held.find(at) else { return Ok(false) };
        let Some(pin) = self.held.at_mut(place) else { return Ok(false) };
        pin.handles -= 1;
        if pin.handles > 0 {
            return Ok(false);
        }
        let index = pin.index;
        self.held.remove(place);
        if memory.readonly {
            return Ok(false);
        }
        if let Some(intent) = intent
            && !seeded::is(Bug::IntentAfterUnpin)
        {
            intent.store(at, Ordering::Release);
        }
        if index == WAITING {
            self.waiting = self.waiting.saturating_sub(1);
        } else {
            self.erase(memory.words(self.table, self.capacity)?, index);
        }
        if let Some(intent) = intent
            && seeded::is(Bug::IntentAfterUnpin)
        {
            intent.store(at, Ordering::Release);
        }
        // SeqCst: pairs with the fence in `object::bury_unless_pinned`: the writer that drops the
        // last count sees the entry gone, or the caller sees the count at 0.
        fence(Ordering::SeqCst);
        Ok(true)
    }

    /// Whether a handle of this process names an object.
    pub(crate) fn holds(&self, at: Offset) -> bool {
        self.held.get(at).is_some()
    }

    /// How many handles of this process name an object.
    pub(crate) fn handles_of(&self, at: Offset) -> u64 {
        self.held.get(at).map_or(0, |pin| pin.handles)
    }

    /// Whether pins wait for room.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Whether the table is so large for what is in it that each pin waits for memory.
    #[inline]
    pub(crate) fn is_sparse(&self) -> bool {
        self.capacity > SPARSE * SMALLEST && self.held.len() as u64 * SPARSE < self.capacity
    }

    /// Whether there was no memory for a larger table.
    pub(crate) fn is_cramped(&self) -> bool {
        self.cramped
    }

    /// Entries that the table may have.
    fn room(&self) -> u64 {
        if self.cramped { cramped_room(self.capacity) } else { self.capacity / 2 }
    }

    fn insert(&mut self, memory: &Memory, at: Offset) -> Result<u64> {
        if self.filled >= self.room() {
            return Ok(WAITING);
        }
        let entries = memory.words(self.table, self.capacity)?;
        let (index, fresh) = place(entries, at);
        let Some(entry) = entries.get(index as usize) else { return Ok(WAITING) };
        entry.store(at, Ordering::Release);
        self.filled += u64::from(fresh);
        Ok(index)
    }

    /// Empties an entry. What ends a probe there anyway is as if it had never been used, and so are the
    /// removed ones in front of it: a table of few pins that come and go stays as it was when fresh. Who
    /// probes it meanwhile finds each entry that stays.
    fn erase(&mut self, entries: &[AtomicU64], index: u64) {
        let mask = (entries.len() as u64).wrapping_sub(1);
        let value = |index: u64| {
            entries.get((index & mask) as usize).map_or(NEVER, |word| word.load(Ordering::Relaxed))
        };
        let store = |index: u64, value: u64| {
            if let Some(word) = entries.get((index & mask) as usize) {
                // Release: after the intent of `unpin`.
                word.store(value, Ordering::Release);
            }
        };
        if value(index.wrapping_add(1)) != NEVER {
            return store(index, REMOVED);
        }
        let mut last = index;
        loop {
            store(last, NEVER);
            self.filled = self.filled.saturating_sub(1);
            last = last.wrapping_sub(1);
            if value(last) != REMOVED {
                return;
            }
        }
    }

    /// Moves the pins, waiting ones included, to a table with room. Part of the caller's operation.
    pub(crate) fn grow(&mut self, journal: &mut Journal<'_>) -> Result<()> {
        let Some(claim) = self.claim else { return Ok(()) };
        let memory = journal.memory();
        let live = self.held.len() as u64;
        let mut capacity = (live * 4).next_power_of_two().max(SMALLEST);
        let table = match alloc::allocate(journal, capacity * 8) {
            // Who has none yet could do nothing at all.
            Err(Error::SegmentFull { .. }) if self.table == 0 && live <= cramped_room(SMALLEST) => {
                capacity = SMALLEST;
                alloc::allocate_kept_table(journal)?
            }
            table => table?,
        };
        let entries = memory.words(table, capacity)?;
        for entry in entries {
            entry.store(NEVER, Ordering::Relaxed);
        }
        let slot_at = memory.geometry.process_at(claim.slot);
        journal.put(slot_at + process::PINS, table)?;
        journal.put(slot_at + process::PINS_CAPACITY, capacity)?;
        if self.table != 0 {
            journal.later(Task::Free(self.table))?;
        }
        // Nothing below fails, and the caller commits next: the indices are final.
        for (at, pin) in self.held.iter_mut() {
            pin.index = place(entries, at).0;
            if let Some(entry) = entries.get(pin.index as usize) {
                entry.store(at, Ordering::Release);
            }
        }
        self.table = table;
        self.capacity = capacity;
        self.filled = live;
        self.waiting = 0;
        self.cramped = live > capacity / 2;
        Ok(())
    }

    /// Moves the pins to a smaller table, if this one is far too large. Part of the caller's operation.
    pub(crate) fn shrink(&mut self, journal: &mut Journal<'_>) -> Result<()> {
        let wanted = (self.held.len() as u64 * 4).next_power_of_two().max(SMALLEST);
        if self.table == 0 || wanted * 4 > self.capacity { Ok(()) } else { self.grow(journal) }
    }

    /// Gives the waiting pins a place in the table as it is, in a segment that has no memory for a
    /// larger one; whether there was room. The caller holds the writer lock.
    pub(crate) fn squeeze(&mut self, memory: &Memory) -> Result<bool> {
        if self.table == 0 {
            return Ok(false);
        }
        self.cramped = true;
        let entries = memory.words(self.table, self.capacity)?;
        if self.filled + self.waiting > self.room() {
            self.tidy(entries);
        }
        if self.filled + self.waiting > self.room() {
            return Ok(false);
        }
        for (at, pin) in self.held.iter_mut().filter(|(_, pin)| pin.index == WAITING) {
            let (index, fresh) = place(entries, at);
            if let Some(entry) = entries.get(index as usize) {
                entry.store(at, Ordering::Release);
                pin.index = index;
                self.filled += u64::from(fresh);
            }
        }
        self.waiting = 0;
        Ok(true)
    }

    /// Makes removed entries what was never used. Each pin moves to the first removed entry of its probe,
    /// and is in the table all the time, maybe twice: whoever looks after a kill misses none.
    fn tidy(&mut self, entries: &[AtomicU64]) {
        let mask = (entries.len() as u64).wrapping_sub(1);
        let entry = |index: u64| entries.get((index & mask) as usize);
        let is_removed =
            |index: u64| entry(index).is_some_and(|word| word.load(Ordering::Relaxed) == REMOVED);
        let mut moved = true;
        while std::mem::take(&mut moved) {
            for (at, pin) in self.held.iter_mut().filter(|(_, pin)| pin.index != WAITING) {
                let start = start_of(at, self.capacity);
                let probe = (0..self.capacity).map(|step| (start + step) & mask);
                let better =
                    probe.take_while(|index| *index != pin.index).find(|at| is_removed(*at));
                let Some(better) = better else { continue };
                if let (Some(new), Some(old)) = (entry(better), entry(pin.index)) {
                    if seeded::is(Bug::MovedPinRemovedFirst) {
                        old.store(REMOVED, Ordering::Release);
                    }
                    new.store(at, Ordering::Release);
                    // Release: after the store before.
                    old.store(REMOVED, Ordering::Release);
                    (pin.index, moved) = (better, true);
                }
            }
        }
        // No probe for a pin passes a removed entry now.
        for word in entries.iter().filter(|word| word.load(Ordering::Relaxed) == REMOVED) {
            word.store(NEVER, Ordering::Release);
        }
        let used = entries.iter().filter(|word| word.load(Ordering::Relaxed) != NEVER);
        self.filled = used.count() as u64;
    }

    /// Forgets everything, after the table was dropped or in a process that has none.
    pub(crate) fn reset(&mut self, claim: Option<ProcessClaim>) {
        *self = Own { claim, ..Own::default() };
    }

    /// In a child of the process that these pins were of: its slot and table are not the child's.
    /// Pins wait until the child has its own.
    pub(crate) fn leave_to_parent(&mut self) {
        self.claim = None;
        (self.table, self.capacity, self.filled) = (0, 0, 0);
        self.waiting = self.held.len() as u64;
        for (_, pin) in self.held.iter_mut() {
            pin.index = WAITING;
        }
    }

    /// Takes over the table that `claim`'s slot names, set up by a parent with what it pinned then,
    /// or none. What the table pins and no handle of this process does becomes a deferred unpin;
    /// whether there is any.
    pub(crate) fn adopt(&mut self, memory: &Memory, claim: ProcessClaim) -> Result<bool> {
        self.claim = Some(claim);
        (self.table, self.capacity, self.filled, self.waiting) = (0, 0, 0, 0);
        let mut surplus = false;
        let mut entries: &[AtomicU64] = &[];
        if let Some((table, found)) = table_of(memory, claim.slot)? {
            (self.table, self.capacity, entries) = (table, found.len() as u64, found);
        }
        for entry in entries {
            let value = entry.load(Ordering::Relaxed);
            self.filled += u64::from(value != NEVER);
            if let Some(at) = pinned_in(value)
                && let Place::Free(place) = self.held.place(at)
            {
                surplus = true;
                self.deferred.push(at);
                self.held.insert(place, at, Pin { handles: 1, index: WAITING });
            }
        }
        for (at, pin) in self.held.iter_mut() {
            pin.index = find(entries, at).unwrap_or(WAITING);
            self.waiting += u64::from(pin.index == WAITING);
        }
        Ok(surplus)
    }

    /// Writes a table with this process's pins for another slot: that of a child to be forked.
    pub(crate) fn copy_for(&self, journal: &mut Journal<'_>, slot: u64) -> Result<()> {
        let mut child =
            Own { claim: Some(ProcessClaim { slot, incarnation: 0 }), ..Own::default() };
        child.held.clone_from(&self.held);
        if child.held.len() == 0 { Ok(()) } else { child.grow(journal) }
    }
}

/// Entries that a table may have where there is no memory for a larger one.
fn cramped_room(capacity: u64) -> u64 {
    capacity - capacity / 8
}

/// Where the probe for an offset starts.
pub(crate) fn start_of(at: Offset, capacity: u64) -> u64 {
    spread(at) & (capacity - 1)
}

/// Fibonacci hashing of the header's number.
#[inline]
fn spread(at: Offset) -> u64 {
    (at >> 6).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20
}

/// Where an offset may be stored, and whether that entry was never used.
fn place(entries: &[AtomicU64], at: Offset) -> (u64, bool) {
    let capacity = entries.len() as u64;
    let start = start_of(at, capacity);
    for step in 0..capacity {
        let index = (start + step) & (capacity - 1);
        let old = entries.get(index as usize).map_or(NEVER, |word| word.load(Ordering::Relaxed));
        if old == NEVER || old == REMOVED {
            return (index, old == NEVER);
        }
    }
    (WAITING, false)
}

/// The index of an offset.
pub(crate) fn find(entries: &[AtomicU64], at: Offset) -> Option<u64> {
    let capacity = entries.len() as u64;
    if capacity == 0 {
        return None;
    }
    let start = start_of(at, capacity);
    for step in 0..capacity {
        let index = (start + step) & (capacity - 1);
        match entries.get(index as usize)?.load(Ordering::Acquire) {
            NEVER => return None,
            found if found == at => return Some(index),
            _ => {}
        }
    }
    None
}

/// The pin table of a process slot, if it has one and it is well-formed.
pub(crate) fn table_of(memory: &Memory, slot: u64) -> Result<Option<(Offset, &[AtomicU64])>> {
    let slot_at = memory.geometry.process_at(slot);
    let table = memory.meta(slot_at + process::PINS)?.load(Ordering::Acquire);
    let capacity = memory.meta(slot_at + process::PINS_CAPACITY)?.load(Ordering::Acquire);
    if table == 0 || !capacity.is_power_of_two() {
        return Ok(None);
    }
    Ok(Some((table, memory.words(table, capacity)?)))
}

/// Whether any process pins this object. The caller holds the writer lock.
pub(crate) fn is_pinned(memory: &Memory, at: Offset) -> Result<bool> {
    is_pinned_beside(memory, at, None)
}

/// Whether any process but that of a slot pins this object. The caller holds the writer lock.
pub(crate) fn is_pinned_beside(memory: &Memory, at: Offset, but: Option<u64>) -> Result<bool> {
    for slot in memory.process_slots()?.filter(|slot| Some(*slot) != but) {
        let slot_at = memory.geometry.process_at(slot);
        let state = memory.meta(slot_at + process::STATE)?.load(Ordering::Acquire);
        if state & 0xFFFF_FFFF == process_state::FREE {
            continue;
        }
        if let Some((_, entries)) = table_of(memory, slot)?
            && find(entries, at).is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The offset that an entry pins, if it pins one.
pub(crate) fn pinned_in(entry: u64) -> Option<Offset> {
    (entry > REMOVED).then_some(entry)
}

/// What a removed entry holds.
pub(crate) const TOMBSTONE: u64 = REMOVED;
