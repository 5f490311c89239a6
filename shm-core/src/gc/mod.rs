//! The collector: frees objects that only each other refer to, which counts alone cannot see.
//!
//! The heap has one writer lock, so the world is stopped for writers by holding it; readers go on.
//! Most of the work is done before: [`ahead`] follows every reference from the header, the pins and
//! the unpinning words while others write, with bits and a stack in private memory. Then, under one
//! hold of the lock, [`mark`] follows what has changed since; what is taken, not marked and not dead
//! already is garbage, and all of it is buried by one committing store (`object::bury_all`). Taking
//! it apart is the reaper's business: bounded, logged steps, the lock given back in between, carried
//! on by whoever writes next. Killed before the commit, a collector leaves nothing; killed after it,
//! the next holder of the lock finishes the burial.
//!
//! What becomes garbage while the walk ahead is under way may be left for the next collection.
//!
//! Why nothing that is buried can come back to life:
//!
//! * No cell outside of the garbage refers to it (that is what marking found, and no writer ran).
//! * No handle does. A reader pins a child only through a container that it has pinned itself, so
//!   what it pins while marking goes on is reachable from what it had pinned before. That it might
//!   let go of the container's pin behind the back of a scan that has not come to the child's is
//!   prevented: while [`is_marking`], handles put their end off. (Pin: store, fence, look at the
//!   flag before the removal; collector: store the flag, fence, scan. Whoever saw no flag had its
//!   pins seen.) The flag names the collector, and means nothing unless that one holds the lock, so
//!   a killed one leaves nothing to clear.
//! * An id (`Object::by_id`, used by unpickling) is looked up under the lock: before the burial it
//!   is a pin like any other, after it the object is buried, so the id is `Closed`. This is why the
//!   burial is one step and not one per object: there is no moment in which a part of a cycle is
//!   dead and the rest can be found.
//!
//! A segment whose references contradict each other is not collected but refused; see [`audit`].

mod ahead;
mod audit;
mod graph;
mod mark;
mod marks;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::cell::{Offset, Ref};
use crate::error::Result;
use crate::heap::Heap;
use crate::layout::{header, object};
use crate::memory::Memory;
use crate::object::{self as objects, Meta};
use crate::primitive::{Ordering, fence};
use crate::recovery;

use ahead::Ahead;
pub use audit::Audit;
pub(crate) use audit::audit;
use mark::Marked;
use marks::Sequences;

/// What a collection did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// Bytes of blocks that were given back.
    pub bytes: u64,
    /// Objects that only garbage referred to.
    pub objects: u64,
    /// Objects that live on.
    pub live: u64,
    /// How long writers had to wait.
    pub pause: Duration,
    /// Bytes of the file that went back to the file system.
    pub given_back: u64,
}

/// Whether a collector looks at the pins right now.
#[inline]
pub(crate) fn is_marking(memory: &Memory) -> Result<bool> {
    let token = memory.meta(header::COLLECTING)?.load(Ordering::Relaxed);
    Ok(token != 0 && memory.meta(header::LOCK_OWNER)?.load(Ordering::Relaxed) == token)
}

/// Frees what nothing but itself refers to.
pub(crate) fn collect(heap: &Heap) -> Result<Collected> {
    heap.outside_of_transactions("collecting")?;
    let memory: &Memory = &heap.0.memory;
    if memory.meta(header::AUDIT_NEEDED)?.load(Ordering::Relaxed) != 0 {
        // Counts may be off, so garbage could not be told from the rest.
        audit(heap)?;
    }
    // What dead processes pin is no root, and what is dying already is not to be marked.
    recovery::reap_processes(heap)?;
    recovery::empty_idle_caches(heap)?;
    collect_after(heap, ahead::look_ahead(memory)?)
}

/// Collects what a walk ahead has not met.
fn collect_after(heap: &Heap, ahead: Ahead) -> Result<Collected> {
    let memory: &Memory = &heap.0.memory;
    let reclaimed =
        || -> Result<u64> { Ok(memory.meta(header::RECLAIMED)?.load(Ordering::Relaxed)) };
    let before = reclaimed()?;
    let mut ahead = Some(ahead);
    let mut collected = heap.write(|_| {
        let started = Instant::now();
        // A second run, if there is one, finds marks that the first has set.
        let ahead = ahead.take().map_or_else(|| Ahead::nothing(memory), Ok)?;
        let mut collected = stop_and_bury(heap, ahead)?;
        collected.pause = started.elapsed();
        note(memory, collected.pause)?;
        Ok(collected)
    })?;
    // The operation's end has taken the dead apart.
    collected.bytes = reclaimed()?.wrapping_sub(before);
    Ok(collected)
}

/// Remembers a collection for the statistics, which a kill may leave one short.
fn note(memory: &Memory, pause: Duration) -> Result<()> {
    let pause = pause.as_nanos() as u64;
    let collections = memory.meta(header::COLLECTIONS)?;
    collections.store(collections.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    memory.meta(header::LAST_PAUSE)?.store(pause, Ordering::Relaxed);
    let longest = memory.meta(header::LONGEST_PAUSE)?;
    longest.store(longest.load(Ordering::Relaxed).max(pause), Ordering::Relaxed);
    Ok(())
}

/// Marks and buries. The caller holds the writer lock and has changed nothing.
fn stop_and_bury(heap: &Heap, ahead: Ahead) -> Result<Collected> {
    let memory: &Memory = &heap.0.memory;
    // Whatever comes of this, the next collection is as far away as ever.
    memory.meta(header::LOOSENED)?.store(0, Ordering::Relaxed);
    while_pins_stay(heap, |memory| bury_unmarked(memory, &mark::mark(memory, ahead)?))
}

/// Runs `f` while no handle's end removes a pin. The caller holds the writer lock.
fn while_pins_stay<T>(heap: &Heap, f: impl FnOnce(&Memory) -> Result<T>) -> Result<T> {
    let memory: &Memory = &heap.0.memory;
    let flag = memory.meta(header::COLLECTING)?;
    flag.store(heap.session()?.claim.token(), Ordering::SeqCst);
    // SeqCst: pairs with the fence in `Own::pin`, see the head.
    fence(Ordering::SeqCst);
    let result = f(memory);
    // Release: after all scans.
    flag.store(0, Ordering::Release);
    result
}

fn bury_unmarked(memory: &Memory, marked: &Marked) -> Result<Collected> {
    let mut live = marked.before;
    // From the end, so that the dead are taken apart in the order of their offsets.
    let garbage = marked.rest.iter().rev().filter_map(|at| {
        if marked.marks.is_set(*at) {
            live += 1;
            return None;
        }
        unmarked(memory, *at, &marked.sequences).transpose()
    });
    let objects = objects::bury_all(memory, garbage)?;
    memory.meta(header::SURVIVORS)?.store(live, Ordering::Relaxed);
    Ok(Collected { objects, live, ..Collected::default() })
}

/// The object of a header that no mark is on, unless it is dead already.
fn unmarked(memory: &Memory, at: Offset, sequences: &Sequences) -> Result<Option<Ref>> {
    let meta = Meta(memory.load(at + object::META)?);
    if meta.is_buried() {
        return Ok(None);
    }
    let reference = graph::object_of(memory, at, meta)?;
    if !sequences.has(at, memory.load(at + object::SEQ)?) {
        // What cannot be taken apart would stop the reaper half-way.
        objects::held(memory, reference)?;
    }
    Ok(Some(reference))
}
