//! Forks: a child keeps the handles that it inherited, with a slot and pins of its own.
//!
//! Before a fork the parent sets up a process slot for the child: it takes the slot's byte lock on an
//! open file description of its own and copies its pins. The parent then closes that description and
//! the child keeps it, so the lock lives exactly as long as the child, whatever becomes of the parent,
//! whose own lock the child does not inherit (see `sys::file`). If
//! there is no room for that, somebody is in a long transaction and the process has a runtime with a lock of its own
//! (see [`before_fork`]), or it was forked by a raw system call, the child registers on its first operation and pins what it still has handles of. Threads of the child take new slots;
//! locks that the parent's threads held are not the child's. The child's handler waits for nothing:
//! whoever its parent's other threads were to it, they are not there any more.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLockWriteGuard, Weak};

use crate::error::Result;
use crate::heap::{Heap, Inner};
use crate::layout::{process, process_state};
use crate::peers::ProcessClaim;
use crate::pins::Own;
use crate::primitive::{AtomicU64, Ordering};
use crate::sys::file::{SegmentFile, SlotLock};
use crate::sys::life::RobustList;
use crate::sys::process::{Identity, generation_word, on_fork, register_for_barriers};

/// Every attachment of this process, and whether the handlers are installed.
struct Registry {
    heaps: Vec<Weak<Inner>>,
    installed: bool,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { heaps: Vec::new(), installed: false });
/// What the generation word held before the fork wiped it.
static GENERATION: AtomicU64 = AtomicU64::new(1);

/// What is held across a fork, so that the child finds nothing half-changed.
struct Fork {
    segments: Vec<Segment>,
    registry: MutexGuard<'static, Registry>,
    not_alone: MutexGuard<'static, ()>,
}

struct Segment {
    own: MutexGuard<'static, Own>,
    file: RwLockWriteGuard<'static, Option<SegmentFile>>,
    child: Option<(u64, SlotLock)>,
    inner: Arc<Inner>,
}

thread_local! {
    static FORK: RefCell<Option<Fork>> = const { RefCell::new(None) };
}

/// Makes an attachment known to the fork handlers.
pub(crate) fn register(heap: &Heap) {
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    if !registry.installed {
        registry.installed = true;
        on_fork(before, after_in_parent, after_in_child);
        register_for_barriers();
    }
    registry.heaps.retain(|known| known.strong_count() > 0);
    registry.heaps.push(heap.downgrade());
}

/// Every open attachment of this process.
pub(crate) fn attachments() -> Vec<Heap> {
    let registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    registry.heaps.iter().filter_map(Weak::upgrade).map(Heap).collect()
}

/// Waits for other processes that have a writer lock, each attachment's timeout at most: for a runtime with a lock of its own that
/// is about to fork. Here the hook can give that away; the fork's own handlers cannot, because what other libraries
/// hold by then may be what a thread waits for that gets it, and so do not wait for long.
pub fn before_fork() {
    for heap in attachments() {
        let memory = &heap.0.memory;
        if !memory.readonly && !memory.is_closed() {
            // Whatever fails here fails again where it matters.
            let _ = memory.wait_out(heap.0.lock_timeout);
        }
    }
}

extern "C" fn before() {
    let not_alone = crate::alone::not_now();
    let heaps: Vec<Heap> =
        attachments().into_iter().filter(|heap| !heap.0.memory.is_closed()).collect();
    let prepared: Vec<(Heap, Option<(u64, SlotLock)>)> = heaps
        .into_iter()
        .map(|heap| {
            // Without a slot of its own the child registers on its first operation.
            let child = crate::lock::without_hook(|| prepare(&heap)).ok();
            (heap, child)
        })
        .collect();
    let registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    let segments = prepared
        .into_iter()
        .map(|(heap, child)| Segment {
            own: heap.own(),
            file: heap.0.memory.file.write().unwrap_or_else(PoisonError::into_inner),
            inner: heap.0,
            child,
        })
        .collect();
    FORK.with_borrow_mut(|fork| *fork = Some(Fork { segments, registry, not_alone }));
}

/// Takes a process slot for the child and copies the pins into it.
fn prepare(heap: &Heap) -> Result<(u64, SlotLock)> {
    heap.outside_of_transactions("preparing a child")?;
    let memory = &heap.0.memory;
    if memory.readonly {
        return Err(crate::error::Error::ReadOnly { name: memory.name.clone() });
    }
    for slot in 0..memory.geometry.processes {
        let state = memory.meta(memory.geometry.process_at(slot) + process::STATE)?;
        let old = state.load(Ordering::Acquire);
        if old & 0xFFFF_FFFF != process_state::FREE {
            continue;
        }
        let lock = memory.with_file("lock a slot of", |file| file.lock_slot(slot))?;
        let Some(lock) = lock else { continue };
        let forking = process_state::FORKING;
        if state.compare_exchange(old, forking, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            continue;
        }
        memory.describe_process(slot, Identity { pid: 0, start_time: 0, namespace: 0 }, 0)?;
        heap.write(|tx| heap.own().copy_for(&mut tx.journal, slot))?;
        return Ok((slot, lock));
    }
    Err(crate::error::Error::TooManyParticipants {
        name: memory.name.clone(),
        kind: "process",
        slots: memory.geometry.processes,
    })
}

extern "C" fn after_in_parent() {
    // Closes the child's description here; if the fork failed, that frees its byte lock too, and
    // the slot is emptied like that of a dead process.
    let Some(fork) = FORK.with_borrow_mut(Option::take) else { return };
    let Fork { segments, registry, not_alone } = fork;
    // The guards first: if this is the last reference to an attachment, it closes here.
    let attachments: Vec<Arc<Inner>> =
        segments.into_iter().map(|Segment { inner, .. }| inner).collect();
    drop(not_alone);
    drop(registry);
    drop(attachments);
}

extern "C" fn after_in_child() {
    let generation = GENERATION.load(Ordering::Relaxed) + 1;
    GENERATION.store(generation, Ordering::Relaxed);
    generation_word().store(generation, Ordering::Relaxed);
    // The inherited word names the parent's life: in another pid namespace a child may well have the
    // number that the parent's thread has in its own, and would mark it at its end.
    RobustList::of_this_thread().disarm();
    let Some(fork) = FORK.with_borrow_mut(Option::take) else { return };
    let Fork { segments, registry, not_alone } = fork;
    let mut inherited = Vec::new();
    for Segment { inner, mut own, mut file, child } in segments {
        inner.memory.own_process.store(0, Ordering::Relaxed);
        inner.makes_room.store(false, Ordering::Relaxed);
        inner.memory.forget_closer();
        own.leave_to_parent();
        // The parent's lock was not inherited, only what names it.
        if let Some(file) = file.as_mut() {
            file.held = None;
        }
        if let (Some((slot, lock)), Some(file)) = (child, file.as_mut()) {
            file.held = Some(lock.settle());
            // If it cannot have that slot, it registers on its first operation.
            let _ = adopt(&inner, &mut own, slot);
        }
        drop(file);
        inner.pins_wait.store(own.is_waiting(), Ordering::Relaxed);
        // Handles go when nothing is held any more: the last one closes its attachment.
        inherited.push(inner);
    }
    drop(not_alone);
    drop(registry);
    drop(inherited);
}

fn adopt(inner: &Inner, own: &mut Own, slot: u64) -> Result<()> {
    let memory = &inner.memory;
    let identity = Identity::of_this_process();
    let at = memory.geometry.process_at(slot);
    memory.meta(at + process::START_TIME)?.store(identity.start_time, Ordering::Release);
    memory.meta(at + process::PID_NAMESPACE)?.store(identity.namespace, Ordering::Release);
    let live = process_state::LIVE | (u64::from(identity.pid) << 32);
    memory.meta(at + process::STATE)?.store(live, Ordering::Release);
    memory.own_process.store(slot + 1, Ordering::Relaxed);
    let incarnation = memory.meta(at + process::INCARNATION)?.load(Ordering::Relaxed);
    if own.adopt(memory, ProcessClaim { slot, incarnation })? {
        // Of handles that the parent dropped between the copy and the fork.
        inner.has_deferred.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// Notices a fork that ran no handlers: nothing is known about the inherited slot but that it is not
/// this process's. Called before anything is written that a slot owns.
#[inline]
pub(crate) fn notice() {
    if generation_word().load(Ordering::Relaxed) == 0 {
        start_anew();
    }
}

#[cold]
fn start_anew() {
    let next = GENERATION.fetch_add(1, Ordering::Relaxed) + 1;
    generation_word().store(next, Ordering::Relaxed);
    for heap in attachments() {
        heap.own().leave_to_parent();
        heap.0.pins_wait.store(heap.own().is_waiting(), Ordering::Relaxed);
        heap.0.memory.own_process.store(0, Ordering::Relaxed);
        heap.0.makes_room.store(false, Ordering::Relaxed);
        heap.0.memory.forget_closer();
        let mut file = heap.0.memory.file.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = file.as_mut() {
            file.held = None;
        }
    }
}

/// This process's slot in a segment; a new one in a child that has none yet.
pub(crate) fn process_of(inner: &Inner) -> Result<ProcessClaim> {
    let memory = &inner.memory;
    notice();
    let mut own = inner.own.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(claim) = own.claim {
        return Ok(claim);
    }
    memory.check_open()?;
    // Without the hook: who has the runtime's lock may be waiting for `own`.
    let claim =
        crate::lock::without_hook(|| memory.claim_process(Identity::of_this_process(), false))?;
    memory.own_process.store(claim.slot + 1, Ordering::Relaxed);
    if own.adopt(memory, claim)? {
        // Of a dead process whose slot this is now.
        inner.has_deferred.store(true, Ordering::Relaxed);
    }
    inner.pins_wait.store(own.is_waiting(), Ordering::Relaxed);
    Ok(claim)
}
