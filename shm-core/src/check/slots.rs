//! What the header and the slots promise, and what processes pin.
//!
//! A slot is claimed without the writer lock, by one store and then its description, so a slot that
//! is being claimed, or whose claimer was killed, is half described: only what holds at every moment
//! is a fault. Thread slots of a former owner, and turn tickets of dead threads, are none: whoever
//! needs them passes them over.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::alloc::{self, Cached};
use crate::cell::Offset;
use crate::error::Result;
use crate::layout::{
    CACHE_BLOCKS, FORMAT, HASH_SIPHASH13, HEADER_BYTES, LOCK_MODE_SEGMENT, MAGIC, PAGE_BYTES,
    STRIPES, StripeLine, header, process, process_state, thread,
};
use crate::peers::ThreadClaim;
use crate::pins;
use crate::primitive::Ordering;
use crate::sys::file::SegmentFile;

use super::paths::Step;
use super::walk::Walk;

impl Walk<'_> {
    /// Constants, checksum, committed end, lock, flags.
    pub(super) fn check_header(&mut self) -> Result<()> {
        let geometry = self.memory.geometry;
        let constants = [
            (0, "magic", MAGIC),
            (8, "version", u64::from(FORMAT) | (HEADER_BYTES << 32)),
            (72, "end of the last page", geometry.max_size),
            (80, "page size", PAGE_BYTES),
            (88, "slots", geometry.processes | (geometry.threads << 32)),
            (96, "directory", geometry.directory_at),
            (104, "start of data", geometry.data_at),
            (136, "lock mode", LOCK_MODE_SEGMENT),
            (144, "hash algorithm", HASH_SIPHASH13),
            (192, "ceiling", geometry.ceiling * PAGE_BYTES),
        ];
        for (at, what, expected) in constants {
            let found = self.header(at)?;
            if found != expected {
                self.say(|_| format!("header: {what} is {found:#x}, not {expected:#x}"));
            }
        }
        let mut hasher = SipHasher13::new();
        for at in (0..header::CHECKSUM).step_by(8) {
            hasher.write(&self.header(at)?.to_le_bytes());
        }
        let (sum, stored) = (hasher.finish(), self.header(header::CHECKSUM)?);
        if sum != stored {
            self.say(|_| format!("header: checksum is {stored:#x}, its words give {sum:#x}"));
        }
        let committed = self.header(header::COMMITTED)?;
        let len = self.memory.with_file("size", SegmentFile::len)?;
        let whole = committed.wrapping_sub(geometry.data_at) % PAGE_BYTES == 0;
        if committed < geometry.data_at || committed > geometry.max_size.min(len) || !whole {
            self.say(|_| {
                format!(
                    "header: {committed} bytes are committed, the file has {len} of at most {}, \
                     data starts at {}",
                    geometry.max_size, geometry.data_at
                )
            });
        }
        let (pages, first) = (self.memory.pages()?, self.header(header::FIRST_FREE_PAGE)?);
        if first > pages {
            self.say(|_| format!("header: first free page is {first} of {pages}"));
        }
        let flags = [(header::LOCK_WAITERS, "waiter flag"), (header::RETIRED, "retired")];
        for (at, what) in flags {
            let found = self.header(at)?;
            if found > 1 {
                self.say(|_| format!("header: {what} is {found:#x}, not 0 or 1"));
            }
        }
        let most = [
            (header::PROCESS_HIGH, "process", geometry.processes),
            (header::THREAD_HIGH, "thread", geometry.threads),
        ];
        for (at, what, most) in most {
            let found = self.header(at)?;
            if found > most {
                self.say(|_| format!("header: {found} {what} slots were used, there are {most}"));
            }
        }
        if self.header(header::AUDIT_NEEDED)? != 0 {
            self.say(|_| {
                "header: something could not be taken apart, an audit is needed".to_owned()
            });
        }
        self.check_lock()
    }

    /// The checker itself holds the lock, unless it only reads.
    fn check_lock(&mut self) -> Result<()> {
        let stripe_at = |number| header::STRIPES + number * size_of::<StripeLine>() as u64;
        let stripes = (0..STRIPES as u64)
            .map(|number| (stripe_at(number), format!("stripe {number} of the writer lock")));
        for (at, what) in
            [(header::LOCK_OWNER, "writer lock".to_owned())].into_iter().chain(stripes)
        {
            let owner = self.header(at)?;
            let dead = match ThreadClaim::of_token(owner) {
                Some(claim) => self.memory.thread_is_dead(claim, true)?,
                None => owner != 0,
            };
            if dead {
                self.say(|_| {
                    format!(
                        "{what}: held by the dead ({owner:#x}); the next writer takes it over, \
                         then check again"
                    )
                });
            }
        }
        Ok(())
    }

    pub(super) fn check_threads(&mut self) -> Result<()> {
        let processes = self.memory.geometry.processes;
        for slot in self.memory.thread_slots()? {
            let at = self.memory.geometry.thread_at(slot);
            let state = self.header(at + thread::STATE)?;
            let claim = self.header(at + thread::CLAIM)?;
            let owner = (claim >> 16) & 0xFFFF;
            if state & 0xFF != 0 && !self.memory.readonly {
                self.say(|_| format!("thread slot {slot}: has an unfinished log ({state:#x})"));
            }
            let unpinning = self.header(at + thread::UNPINNING)?;
            if owner == 0 && unpinning != 0 {
                self.say(|_| format!("thread slot {slot}: free, but still unpins {unpinning:#x}"));
            }
            if owner > processes {
                self.say(|_| {
                    format!(
                        "thread slot {slot}: belongs to process slot {}, there are {processes}",
                        owner - 1
                    )
                });
            }
            let life = self.header(at + thread::LIFE)? >> 32;
            if life > claim >> 32 {
                let incarnation = claim >> 32;
                self.say(|_| {
                    format!(
                        "thread slot {slot}: its life word is of incarnation {life}, its claim of \
                         {incarnation}"
                    )
                });
            }
        }
        Ok(())
    }

    /// Cached blocks are taken, of the class of their cache, and in one cache only.
    pub(super) fn check_caches(&mut self) -> Result<()> {
        let (mut all, mut wrong) = (Vec::new(), Vec::new());
        let full = |slot: u64, class: u8, count: u64| {
            wrong.push(format!(
                "cache of thread slot {slot}: {count} blocks of class {class}, there is room for \
                 {CACHE_BLOCKS}"
            ));
        };
        alloc::for_each_cached(self.memory, |cached, right| all.push((cached, right)), full)?;
        for finding in wrong {
            self.say(|_| finding);
        }
        for (Cached { slot, class, at }, right) in all {
            if !right {
                self.say(|_| {
                    format!(
                        "cache of thread slot {slot}: {at:#x} is no taken block of class {class}"
                    )
                });
            } else if let Some(other) = self.cached.insert(at, slot) {
                self.say(|_| {
                    format!(
                        "cache of thread slot {slot}: block {at:#x} is in that of slot {other} too"
                    )
                });
            }
        }
        Ok(())
    }

    pub(super) fn check_processes(&mut self) -> Result<()> {
        for slot in self.memory.process_slots()? {
            let at = self.memory.geometry.process_at(slot);
            let state = self.header(at + process::STATE)?;
            let table = self.header(at + process::PINS)?;
            match state & 0xFFFF_FFFF {
                process_state::FREE => {
                    if table != 0 {
                        self.say(|_| {
                            format!("process slot {slot}: free, but has pin table {table:#x}")
                        });
                    }
                    continue;
                }
                process_state::LIVE => {
                    if state >> 32 == 0 {
                        self.say(|_| format!("process slot {slot}: live with process id 0"));
                    }
                }
                process_state::FORKING | process_state::COMING_BY_ID => {}
                other => {
                    self.say(|_| format!("process slot {slot}: unknown state {other:#x}"));
                }
            }
            // The incarnation is written first, the time last.
            let described = self.header(at + process::ATTACHED_AT)? != 0;
            if described && self.header(at + process::INCARNATION)? == 0 {
                self.say(|_| format!("process slot {slot}: attached with incarnation 0"));
            }
            self.check_name(slot)?;
            self.check_pins(slot, table)?;
        }
        Ok(())
    }

    fn check_name(&mut self, slot: u64) -> Result<()> {
        let at = self.memory.geometry.process_at(slot) + process::NAME;
        let words = self.memory.meta_words(at, 6)?;
        let bytes: Vec<u8> =
            words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let name = bytes.get(..end).unwrap_or_default();
        if std::str::from_utf8(name).is_err() {
            let shown = name.escape_ascii().to_string();
            self.say(|_| format!("process slot {slot}: its name b'{shown}' is no UTF-8"));
        }
        Ok(())
    }

    fn check_pins(&mut self, slot: u64, table: Offset) -> Result<()> {
        let slot_at = self.memory.geometry.process_at(slot);
        let capacity = self.header(slot_at + process::PINS_CAPACITY)?;
        if table == 0 {
            return Ok(());
        }
        let Some(size) = self.part(table, slot_at)? else { return Ok(()) };
        if !capacity.is_power_of_two() || capacity > size / 8 {
            self.say(|walk| {
                let process = walk.process(slot);
                let most = size / 8;
                format!("{process}: its pin table has {capacity} entries, the block holds {most}")
            });
            return Ok(());
        }
        let entries = self.memory.words(table, capacity)?;
        // Slots without a gap before the one that is looked at.
        let value = |index: u64| {
            entries.get(index as usize).map_or(0, |entry| entry.load(Ordering::Relaxed))
        };
        let first = (0..capacity).find(|index| value(*index) == 0);
        let mut run = if first.is_some() { 0 } else { capacity };
        for step in 0..capacity {
            let index = (first.unwrap_or(0) + step) & (capacity - 1);
            let entry = value(index);
            if entry == 0 {
                run = 0;
                continue;
            }
            let before = run;
            run += 1;
            let Some(pinned) = pins::pinned_in(entry) else { continue };
            let distance = index.wrapping_sub(pins::start_of(pinned, capacity)) & (capacity - 1);
            // Its process may pin and unpin meanwhile: a second look decides.
            if distance > before && value(index) == entry && pins::find(entries, pinned).is_none() {
                self.say(|walk| {
                    let process = walk.process(slot);
                    format!("{process}: its pin {index} of {pinned:#x} is not found by a probe")
                });
            }
            self.held(pinned, Step::Pinned(slot))?;
        }
        Ok(())
    }

    /// Objects that some thread is about to look at because it dropped its last handle.
    pub(super) fn unpinning(&mut self) -> Result<()> {
        for slot in self.memory.thread_slots()? {
            let at = self.memory.geometry.thread_at(slot) + thread::UNPINNING;
            let object_at = self.header(at)?;
            if object_at != 0 {
                self.held(object_at, Step::Unpinning(slot))?;
            }
        }
        Ok(())
    }

    /// Goes on from what a process holds. A reader may hold for a moment what was freed before its
    /// pin came, and let go of it when its look fails; that is no fault.
    fn held(&mut self, at: Offset, step: Step) -> Result<()> {
        if alloc::is_header(self.memory, at) && !alloc::is_allocated(self.memory, at)? {
            return Ok(());
        }
        self.unreferenced(at, step)
    }
}
