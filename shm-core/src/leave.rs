//! How a process leaves a segment, and when the segment's name goes with it.
//!
//! Leaving is ordinary operations: the pins are dropped, then, under one hold of the writer lock, it
//! is decided whether the lifetime ends, the segment is retired if so, and the process's slot is freed. An
//! attacher looks for the retired word under the same lock, so nobody keeps a segment that has lost
//! its name without knowing. The mapping's addresses stay reserved (see `sys::mapping`).
//!
//! Other threads of the process may be at work meanwhile. First of all, under the lock, they are refused
//! whatever they begin from then on. They may still take the lock or a stripe, to find that out, and give it
//! back, so their slots stay theirs: they count as alive until the byte lock of the process's slot goes, which
//! is after the mapping. Who comes next frees them.

use crate::cell::Offset;
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::layout::{header, process, process_flags, process_state};
use crate::memory::Memory;
use crate::options::Lifetime;
use crate::peers::ProcessClaim;
use crate::primitive::Ordering;
use crate::recovery;
use crate::seeded::{self, Bug};
use crate::session::Session;
use crate::sys::file::SegmentFile;

fn word(memory: &Memory, at: Offset) -> Result<u64> {
    Ok(memory.meta(at)?.load(Ordering::Acquire))
}

/// Whether nobody may come any more: it was retired, or its creator took it along by dying.
pub(crate) fn is_orphaned(memory: &Memory) -> Result<bool> {
    if word(memory, header::RETIRED)? != 0 {
        return Ok(true);
    }
    if Lifetime::from_code(word(memory, header::LIFETIME)?) != Lifetime::Creator {
        return Ok(false);
    }
    // By its slot, not by its id alone: the creator may be in another pid namespace, or have become
    // another program.
    let own = memory.own_process.load(Ordering::Relaxed).checked_sub(1);
    for slot in memory.process_slots()? {
        let at = memory.geometry.process_at(slot);
        let taken = word(memory, at + process::STATE)? & 0xFFFF_FFFF != process_state::FREE;
        if taken
            && word(memory, at + process::FLAGS)? & process_flags::CREATOR != 0
            && (own == Some(slot) || !memory.process_is_dead(slot)?)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the segment's lifetime ends when the process of slot `own` goes (`own` = none: whether it
/// has ended already). Under the writer lock, or as a first look.
pub(crate) fn is_over(memory: &Memory, own: Option<u64>) -> Result<bool> {
    if is_orphaned(memory)? {
        return Ok(true);
    }
    match Lifetime::from_code(word(memory, header::LIFETIME)?) {
        Lifetime::Manual => Ok(false),
        Lifetime::Creator => match own {
            Some(slot) => {
                let flags = word(memory, memory.geometry.process_at(slot) + process::FLAGS)?;
                Ok(flags & process_flags::CREATOR != 0)
            }
            None => Ok(false),
        },
        Lifetime::Last => {
            for slot in memory.process_slots()? {
                let state = word(memory, memory.geometry.process_at(slot) + process::STATE)?;
                let taken = state & 0xFFFF_FFFF != process_state::FREE;
                if taken && own != Some(slot) && !memory.process_is_dead(slot)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
    }
}

/// Ends this process's part: pins, slots, mapping. The segment goes on, unless its lifetime ends
/// with this; then its name goes too.
pub(crate) fn close(heap: &Heap) -> Result<()> {
    let memory = &heap.0.memory;
    if memory.is_closed() {
        return Ok(());
    }
    heap.outside_of_transactions("closing")?;
    if !memory.begin_to_close() {
        return Ok(());
    }
    let claim = heap.own().claim;
    let result = match claim {
        Some(claim) => leave(heap, claim),
        None => Ok(()),
    };
    Session::forget(heap.0.id);
    heap.own().reset(None);
    memory.detach();
    result
}

fn leave(heap: &Heap, claim: ProcessClaim) -> Result<()> {
    let memory = &heap.0.memory;
    // None of the other threads of this process is at work now, nor will be: what their handles name is not
    // kept for them from here on.
    let _closer = heap.write(|_| Ok(memory.close_to_others()))?;
    heap.own().reset(None);
    if seeded::is(Bug::SlotFreedFirst) {
        heap.write(|tx| recovery::free_slot(tx, claim.slot, claim.incarnation))?;
    }
    recovery::empty_process(heap, claim.slot, claim.incarnation)?;
    let over = heap.write(|tx| {
        let over = is_over(memory, Some(claim.slot))?;
        if over {
            tx.set_header(header::RETIRED, 1)?;
        }
        recovery::free_slot(tx, claim.slot, claim.incarnation)?;
        Ok(over)
    })?;
    if over {
        memory.with_file("unlink", SegmentFile::unlink)?;
    } else {
        // What leaving itself has freed.
        recovery::empty_cache(heap, heap.session()?.claim.slot)?;
    }
    memory.release_thread(heap.session()?.claim);
    Ok(())
}

/// Removes the name, whoever is attached; they go on until they close.
pub(crate) fn unlink(heap: &Heap) -> Result<bool> {
    let memory = &heap.0.memory;
    if memory.readonly {
        return Err(Error::ReadOnly { name: memory.name.clone() });
    }
    heap.write(|tx| tx.set_header(header::RETIRED, 1))?;
    memory.with_file("unlink", SegmentFile::unlink)
}
