//! What the dead leave behind: unfinished logs, pins, slots.
//!
//! Logs are recovered by whoever takes the writer lock from a dead owner, before anything else. The
//! slots of dead processes are emptied when convenient: after such a recovery, at attach and close,
//! when slots run out, on request. Each step is an operation of the one who does it, so a recoverer
//! may be killed too and the next one goes on.

use crate::alloc;
use crate::cell::Offset;
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::journal::{self, Journal};
use crate::layout::{CACHE_BLOCKS, CACHE_CLASSES, header, process, process_state, thread};
use crate::memory::Memory;
use crate::object;
use crate::peers::ThreadClaim;
use crate::pins;
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};
use crate::sys::clock;
use crate::tx;

/// Pins that one operation drops; each may bury an object (three log entries) besides its own.
const PINS_PER_STEP: usize = 32;

/// Rolls unfinished logs back and runs what committed ones still had to do. The caller holds the
/// writer lock and took it from a dead owner.
pub(crate) fn recover_logs(memory: &Memory) -> Result<()> {
    memory.meta(header::DEATHS)?.fetch_add(1, Ordering::Relaxed);
    // A chain that leads astray is damage, and no reason to stop everybody.
    if object::finish_burial(memory).is_err() {
        tx::note_damage(memory);
    }
    for slot in memory.thread_slots()? {
        if let Some(mut journal) = Journal::of_the_dead(memory, slot)? {
            journal.recover();
            if seeded::is(Bug::TasksNotRun) {
                journal.finish();
            }
            tx::run_tasks(&mut journal);
            memory.meta(header::RECOVERIES)?.fetch_add(1, Ordering::Relaxed);
        } else if seeded::is(Bug::RecoveryStopsEarly) {
            break;
        }
        if journal::release_blocks(memory, slot).is_err() {
            tx::note_damage(memory);
        }
    }
    memory.free_stripes_of_the_dead()?;
    alloc::recount_holes(memory)?;
    memory.meta(header::LAST_RECOVERY)?.store(clock::now().as_nanos() as u64, Ordering::Relaxed);
    Ok(())
}

/// Empties the slots of dead processes; how many there were.
pub(crate) fn reap_processes(heap: &Heap) -> Result<u64> {
    heap.outside_of_transactions("reaping")?;
    let memory = &heap.0.memory;
    let own = memory.own_process.load(Ordering::Relaxed);
    let mut count = 0;
    for slot in memory.process_slots()? {
        // In this order: who takes the slot over meanwhile is another incarnation.
        let incarnation = incarnation_of(memory, slot)?;
        if slot + 1 != own && memory.process_is_dead(slot)? {
            // The byte lock keeps claimers away. Where it is held by somebody, a claimer may be at
            // work: it is harmless to empty what the dead had, not to free the slot.
            let lock = memory.with_file("lock a slot of", |file| file.lock_slot(slot));
            empty_process(heap, slot, incarnation)?;
            if let Ok(Some(_lock)) = lock {
                free_process(heap, slot, incarnation)?;
            }
            count += 1;
        }
    }
    finish_threads(heap)?;
    Ok(count)
}

/// Finishes what dead threads were about to unpin whose process's slot is somebody else's by now, and frees
/// the slots of threads that were alive when their process left.
fn finish_threads(heap: &Heap) -> Result<()> {
    let memory = &heap.0.memory;
    for slot in memory.thread_slots()? {
        let at = memory.geometry.thread_at(slot);
        if memory.meta(at + thread::UNPINNING)?.load(Ordering::Acquire) == 0 {
            memory.free_thread_left_behind(slot)?;
            continue;
        }
        let claim = memory.meta(at + thread::CLAIM)?.load(Ordering::Acquire);
        let owner = ThreadClaim { slot, incarnation: claim >> 32 };
        if memory.thread_is_dead(owner, true)? {
            heap.write(|tx| {
                let same = memory.meta(at + thread::CLAIM)?.load(Ordering::Acquire) == claim;
                if same { bury_unpinned(tx, at) } else { Ok(()) }
            })?;
        }
    }
    Ok(())
}

/// Looks at the object that a dead thread was about to unpin.
fn bury_unpinned(tx: &mut tx::Tx<'_>, thread_at: Offset) -> Result<()> {
    let at = thread_at + thread::UNPINNING;
    let unpinning = tx.journal.memory().meta(at)?.load(Ordering::Relaxed);
    if unpinning == 0 {
        return Ok(());
    }
    object::bury_if_garbage(&mut tx.journal, unpinning)?;
    object::drop_kept(&mut tx.journal, unpinning)?;
    tx.set_header(at, 0)
}

fn incarnation_of(memory: &Memory, slot: u64) -> Result<u64> {
    let at = memory.geometry.process_at(slot) + process::INCARNATION;
    Ok(memory.meta(at)?.load(Ordering::Acquire))
}

/// Drops what the threads of a process were about to unpin, and all that it pins.
pub(crate) fn empty_process(heap: &Heap, slot: u64, incarnation: u64) -> Result<()> {
    let memory = &heap.0.memory;
    for thread_slot in memory.thread_slots()? {
        let at = memory.geometry.thread_at(thread_slot);
        let claim = memory.meta(at + thread::CLAIM)?.load(Ordering::Acquire);
        if (claim >> 16) & 0xFFFF != slot + 1 || claim & 0xFFFF != incarnation & 0xFFFF {
            continue;
        }
        heap.write(|tx| bury_unpinned(tx, at))?;
        empty_cache(heap, thread_slot)?;
    }
    let mut next = 0;
    while let Some(resume) = heap.write(|tx| drop_some_pins(tx, slot, incarnation, next))? {
        next = resume;
    }
    Ok(())
}

/// Gives the cached blocks of a thread slot to everybody, in steps of an operation each; whether there
/// were any.
pub(crate) fn empty_cache(heap: &Heap, slot: u64) -> Result<bool> {
    let mut any = false;
    // By way of the file: of a slot whose thread was refused memory for it, or killed before, the mapping
    // has none, and there may be none to be had.
    let words = heap.0.memory.read_cache(slot)?;
    if words.iter().step_by(CACHE_BLOCKS + 1).all(|count| *count == 0) {
        return Ok(false);
    }
    // Each step moves a block at least.
    for _ in 0..CACHE_CLASSES * CACHE_BLOCKS {
        match heap.write(|tx| alloc::empty_cache(&mut tx.journal, slot)) {
            Ok(true) => any = true,
            Ok(false) => break,
            Err(Error::SegmentCorrupt { .. }) => {
                // Nobody's blocks: an audit lets go of them.
                tx::note_damage(&heap.0.memory);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(any)
}

/// Gives the cached blocks of all thread slots to everybody; whether there were any.
pub(crate) fn empty_caches(heap: &Heap) -> Result<bool> {
    let mut any = false;
    for slot in heap.0.memory.thread_slots()? {
        any |= empty_cache(heap, slot)?;
    }
    Ok(any)
}

/// The same, of slots whose thread has ended and that nobody has taken over.
pub(crate) fn empty_idle_caches(heap: &Heap) -> Result<()> {
    let memory = &heap.0.memory;
    for slot in memory.thread_slots()? {
        let claim = memory.meta(memory.geometry.thread_at(slot) + thread::CLAIM)?;
        if (claim.load(Ordering::Acquire) >> 16) & 0xFFFF == 0 {
            empty_cache(heap, slot)?;
        }
    }
    Ok(())
}

/// Drops up to [`PINS_PER_STEP`] pins from entry `next` on; where to go on, or the table is gone.
fn drop_some_pins(
    tx: &mut tx::Tx<'_>,
    slot: u64,
    incarnation: u64,
    next: usize,
) -> Result<Option<usize>> {
    let memory = tx.journal.memory();
    if incarnation_of(memory, slot)? != incarnation {
        return Ok(None);
    }
    let Some((table, entries)) = pins::table_of(memory, slot)? else { return Ok(None) };
    let mut dropped = 0;
    for (index, entry) in entries.iter().enumerate().skip(next) {
        let Some(at) = pins::pinned_in(entry.load(Ordering::Relaxed)) else { continue };
        if dropped == PINS_PER_STEP {
            return Ok(Some(index));
        }
        let entry_at: Offset = table + index as u64 * 8;
        tx.set(entry_at, pins::TOMBSTONE)?;
        object::bury_if_garbage(&mut tx.journal, at)?;
        if !seeded::is(Bug::KeptBlockForgotten) {
            object::drop_kept(&mut tx.journal, at)?;
        }
        dropped += 1;
    }
    let slot_at = memory.geometry.process_at(slot);
    tx.set_header(slot_at + process::PINS, 0)?;
    tx.set_header(slot_at + process::PINS_CAPACITY, 0)?;
    tx.free_after(table)?;
    Ok(None)
}

/// Makes a dead process's slot, and its threads' slots, free.
fn free_process(heap: &Heap, slot: u64, incarnation: u64) -> Result<()> {
    heap.write(|tx| {
        let memory = tx.journal.memory();
        if incarnation_of(memory, slot)? != incarnation {
            return Ok(());
        }
        for thread_slot in memory.thread_slots()? {
            let claim = memory.meta(memory.geometry.thread_at(thread_slot) + thread::CLAIM)?;
            let old = claim.load(Ordering::Acquire);
            if (old >> 16) & 0xFFFF == slot + 1 && old & 0xFFFF == incarnation & 0xFFFF {
                // Fails only if somebody else took the dead thread's slot in between.
                let free = (old >> 32) << 32;
                let _ = claim.compare_exchange(old, free, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
        free_slot(tx, slot, incarnation)
    })
}

/// Makes a process's slot free, as part of an operation.
pub(crate) fn free_slot(tx: &mut tx::Tx<'_>, slot: u64, incarnation: u64) -> Result<()> {
    let memory = tx.journal.memory();
    if incarnation_of(memory, slot)? != incarnation {
        return Ok(());
    }
    let state_at = memory.geometry.process_at(slot) + process::STATE;
    tx.set_header(state_at, process_state::FREE)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::list::List;
    use crate::scratch;

    #[test]
    fn emptying_all_caches_takes_no_memory_for_slots_that_have_none() {
        let heap = scratch::heap(1 << 20);
        let memory = &heap.0.memory;
        drop(List::new(&heap, ["a text that does not fit into a cell"]).unwrap());
        let taken =
            || memory.with_file("look at", |file| Ok(file.as_file().metadata()?.blocks())).unwrap();
        assert!(empty_caches(&heap).unwrap());
        let before = taken();
        // Claimed, and refused memory for its log, or killed before.
        memory.meta(header::THREAD_HIGH).unwrap().store(20, Ordering::SeqCst);
        empty_caches(&heap).unwrap();
        empty_idle_caches(&heap).unwrap();
        assert_eq!(taken(), before);
    }
}
