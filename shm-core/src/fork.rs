//! Forks: a child keeps the handles that it inherited, with a slot and pins of its own.
//!
//! Before a fork the parent sets up a process slot for the child: it takes the slot's byte lock on a
//! fresh open file description and copies its pins. The parent then closes that description and the
//! child keeps it, so the lock lives exactly as long as the child, whatever becomes of the parent. If
//! there is no room for that, or the process was forked by a raw system call, the child registers on
//! its first operation and pins what it still has handles of. Threads of the child take new slots;
//! locks that the parent's threads held are not the child's.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLockWriteGuard, Weak};

use crate::cell::Offset;
use crate::error::Result;
use crate::heap::{Heap, Inner};
use crate::layout::{process, process_state};
use crate::peers::ProcessClaim;
use crate::pins::Own;
use crate::primitive::{AtomicU64, Ordering};
use crate::sys::file::SegmentFile;
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
}

struct Segment {
    own: MutexGuard<'static, Own>,
    file: RwLockWriteGuard<'static, Option<SegmentFile>>,
    child: Option<(u64, SegmentFile)>,
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

extern "C" fn before() {
    let heaps: Vec<Heap> =
        attachments().into_iter().filter(|heap| !heap.0.memory.is_closed()).collect();
    let prepared: Vec<(Heap, Option<(u64, SegmentFile)>)> = heaps
        .into_iter()
        .map(|heap| {
            // Without a slot of its own the child registers on its first operation.
            let child = prepare(&heap).ok();
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
    FORK.with_borrow_mut(|fork| *fork = Some(Fork { segments, registry }));
}

/// Takes a process slot for the child and copies the pins into it.
fn prepare(heap: &Heap) -> Result<(u64, SegmentFile)> {
    heap.outside_of_transactions("preparing a child")?;
    let memory = &heap.0.memory;
    let file = memory.with_file("reopen", SegmentFile::reopen)?;
    for slot in 0..memory.geometry.processes {
        let state_at = memory.geometry.process_at(slot) + process::STATE;
        let state = memory.meta(state_at)?;
        if state.load(Ordering::Acquire) & 0xFFFF_FFFF != process_state::FREE
            || !file.lock_slot(slot).unwrap_or(false)
        {
            continue;
        }
        let old = state.load(Ordering::Acquire);
        if old & 0xFFFF_FFFF != process_state::FREE
            || state
                .compare_exchange(old, process_state::FORKING, Ordering::AcqRel, Ordering::Relaxed)
                .is_err()
        {
            file.unlock_slot(slot);
            continue;
        }
        memory.describe_process(slot, Identity { pid: 0, start_time: 0, namespace: 0 }, false)?;
        heap.write(|tx| heap.own().copy_for(&mut tx.journal, slot))?;
        return Ok((slot, file));
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
    let Some(Fork { segments, registry }) = FORK.with_borrow_mut(Option::take) else { return };
    // The guards first: if this is the last reference to an attachment, it closes here.
    let attachments: Vec<Arc<Inner>> =
        segments.into_iter().map(|Segment { inner, .. }| inner).collect();
    drop(registry);
    drop(attachments);
}

extern "C" fn after_in_child() {
    let generation = GENERATION.load(Ordering::Relaxed) + 1;
    GENERATION.store(generation, Ordering::Relaxed);
    generation_word().store(generation, Ordering::Relaxed);
    let Some(fork) = FORK.with_borrow_mut(Option::take) else { return };
    let Fork { segments, registry } = fork;
    let mut surplus: Vec<(Heap, Vec<Offset>)> = Vec::new();
    for Segment { inner, mut own, mut file, child } in segments {
        inner.memory.own_process.store(0, Ordering::Relaxed);
        own.claim = None;
        if let Some((slot, fresh)) = child {
            *file = Some(fresh);
            drop(file);
            if let Ok(offsets) = adopt(&inner, &mut own, slot) {
                surplus.push((Heap(Arc::clone(&inner)), offsets));
            }
        } else {
            // The inherited description carries the parent's locks: it must not outlive it here.
            let fresh = file.as_ref().and_then(|file| file.reopen().ok());
            *file = fresh;
        }
    }
    drop(registry);
    for (heap, offsets) in surplus {
        heap.0.pins_wait.store(heap.own().is_waiting(), Ordering::Relaxed);
        for at in offsets {
            // Handles that the parent dropped between the copy and the fork.
            let _ = heap.write(|tx| crate::object::bury_if_garbage(&mut tx.journal, at));
        }
    }
}

fn adopt(inner: &Inner, own: &mut Own, slot: u64) -> Result<Vec<Offset>> {
    let memory = &inner.memory;
    let identity = Identity::of_this_process();
    let at = memory.geometry.process_at(slot);
    memory.meta(at + process::START_TIME)?.store(identity.start_time, Ordering::Release);
    memory.meta(at + process::PID_NAMESPACE)?.store(identity.namespace, Ordering::Release);
    let live = process_state::LIVE | (u64::from(identity.pid) << 32);
    memory.meta(at + process::STATE)?.store(live, Ordering::Release);
    memory.own_process.store(slot + 1, Ordering::Relaxed);
    let incarnation = memory.meta(at + process::INCARNATION)?.load(Ordering::Relaxed);
    own.adopt(memory, ProcessClaim { slot, incarnation })
}

/// This process's slot in a segment; a new one in a child that has none yet.
pub(crate) fn process_of(inner: &Inner) -> Result<ProcessClaim> {
    let memory = &inner.memory;
    let generation = generation_word();
    if generation.load(Ordering::Relaxed) == 0 {
        // A fork that ran no handlers: nothing is known about the inherited slot but that it is not
        // this process's.
        let next = GENERATION.fetch_add(1, Ordering::Relaxed) + 1;
        generation.store(next, Ordering::Relaxed);
        for heap in attachments() {
            heap.own().claim = None;
            heap.0.memory.own_process.store(0, Ordering::Relaxed);
            let mut file = heap.0.memory.file.write().unwrap_or_else(PoisonError::into_inner);
            *file = file.as_ref().and_then(|file| file.reopen().ok());
        }
    }
    let mut own = inner.own.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(claim) = own.claim {
        return Ok(claim);
    }
    memory.check_open()?;
    let claim = memory.claim_process(Identity::of_this_process(), false)?;
    memory.own_process.store(claim.slot + 1, Ordering::Relaxed);
    own.adopt(memory, claim)?;
    inner.pins_wait.store(own.is_waiting(), Ordering::Relaxed);
    Ok(claim)
}
