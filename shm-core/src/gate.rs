//! Who holds a container: what every write looks at before it changes one.
//!
//! An object whose lock was ever asked for refers to the block of that lock by its lock word, and the
//! block's owner word names who holds it (see `sync::container`). A writer looks at that word under the
//! writer lock. If somebody else who lives holds the object, the operation is undone, waits for the
//! object's lock outside of the writer lock, and runs again while it holds it. A dead holder stops
//! nobody, and stays there for the next one who asks for the lock and is to learn of the death.
//!
//! Who takes an object's lock stores the owner word and then looks at the writer lock and its stripes;
//! who writes takes one of those and then looks at the owner word. Both with a fence in between, so one of
//! them sees the other: once the lock is taken, no write of others is under way.
//!
//! Readers look at none of this.

use std::time::Duration;

use crate::cell::{Cell, Kind, Offset};
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::layout::object;
use crate::memory::Memory;
use crate::object::Meta;
use crate::peers::ThreadClaim;
use crate::primitive::{AtomicU64, Ordering, fence};

/// Where the owner is in the words of a lock.
pub(crate) const OWNER: Offset = 8;

/// Waits for an object's lock on behalf of a write, runs the write, and gives the lock back: the way of
/// a floor above.
pub(crate) type Gate = fn(&Heap, Offset, Duration, &mut dyn FnMut()) -> Result<()>;

static GATE: std::sync::OnceLock<Gate> = std::sync::OnceLock::new();

/// Installs that way; the first one stays.
pub(crate) fn set_gate(gate: Gate) {
    let _ = GATE.set(gate);
}

/// That way.
pub(crate) fn way() -> Option<Gate> {
    GATE.get().copied()
}

/// Where the words of a lock start in its block.
pub(crate) fn words_at(block: u64) -> Offset {
    (block & 0x0000_FFFF_FFFF_FFF0).next_multiple_of(64)
}

impl Memory {
    /// The owner word of the lock that a lock word refers to.
    #[inline]
    fn owner_word(&self, lock: u64) -> Option<&AtomicU64> {
        let reference = Cell(lock).as_ref().filter(|found| found.kind == Kind::ByteArray)?;
        let block = self.peek(reference.at + object::W0)?.load(Ordering::Relaxed);
        self.peek(words_at(block) + OWNER)
    }

    /// Whether this thread may write an object with this lock word at once; under the writer lock.
    #[inline]
    pub(crate) fn is_open_to(&self, lock: u64, me: ThreadClaim) -> bool {
        if lock == 0 {
            return true;
        }
        // SeqCst: the writer lock was taken before the owner is looked at, see above.
        fence(Ordering::SeqCst);
        self.owner_word(lock).is_some_and(|owner| {
            let owner = owner.load(Ordering::Acquire);
            owner == 0 || owner == me.token()
        })
    }

    /// Whether nobody has the writer lock or any stripe of it: after an object's lock was taken.
    pub(crate) fn nobody_writes(&self) -> bool {
        // SeqCst: the object's lock was taken before these are looked at, see above.
        fence(Ordering::SeqCst);
        self.lock_words().is_some_and(|[owner, ..]| owner.load(Ordering::Acquire) == 0)
            && self.no_stripe_is_held()
    }
}

/// Fails if somebody else who lives holds the object.
#[cold]
pub(crate) fn check(heap: &Heap, at: Offset, lock: u64) -> Result<()> {
    let memory: &Memory = &heap.0.memory;
    let me = heap.session()?.claim;
    if memory.is_open_to(lock, me) {
        return Ok(());
    }
    // What lies in pages that this process has not seen yet is looked up the long way.
    let reference = Cell(lock).as_ref().filter(|found| found.kind == Kind::ByteArray);
    let Some(reference) = reference else {
        return Err(heap.corrupt(format!("the lock of {at:#x} is {lock:#x}")));
    };
    let block = heap.load(reference.at + object::W0)?;
    let token = heap.word(words_at(block) + OWNER)?.load(Ordering::Acquire);
    let dead = match ThreadClaim::of_token(token) {
        Some(holder) => holder != me && memory.thread_is_dead(holder, false)?,
        None => true,
    };
    if dead || token == me.token() {
        return Ok(());
    }
    let (holder_pid, holder_name) = memory.describe_owner(token).unwrap_or_default();
    let kind = Kind::from_code(Meta(heap.load(at + object::META)?).kind_code());
    let kind = kind.map_or("object", Kind::name);
    let held_for = Duration::ZERO;
    Err(Error::LockTimeout {
        what: format!("lock of {kind} {at:#x}"),
        holder_pid,
        holder_name,
        held_for,
    })
}
