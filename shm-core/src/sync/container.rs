//! The lock of a container: who holds it keeps all other writers out, over several operations.
//!
//! The words are those of a reentrant lock, in a bytearray that the object's lock word refers
//! to (docs/format.md). They are made when the lock is first asked for, belong to the object, and go
//! with it; a handle of the lock keeps them for itself. Every write of the object looks at them (see
//! `gate`): while the lock is held, writes of other threads and processes wait for it, those that
//! know nothing of the lock included. Readers do not.
//!
//! A dead holder is found as with any lock, and stops no plain write. The next one who asks for the
//! lock learns of the death, also if a plain write was handed the lock first. Not inside of a transaction,
//! for whose end the holder may wait: take the lock first.

use super::rlock::RLock;
use super::{Form, Primitive};
use crate::bytearray::ByteArray;
use crate::cell::{Cell, Kind, Offset};
use crate::dict::Dict;
use crate::error::Result;
use crate::gate;
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::object;
use crate::list::List;
use crate::ndarray::Array;
use crate::object::Meta;
use crate::record::Record;
use crate::set::Set;

/// An object in the words of an error.
pub(super) fn describe(heap: &Heap, at: Offset) -> String {
    let meta = heap.load(at + object::META).ok();
    let kind = meta.and_then(|meta| Kind::from_code(Meta(meta).kind_code()));
    format!("{} {at:#x}", kind.map_or("object", Kind::name))
}

/// The lock that an object has by now.
fn known(heap: &Heap, at: Offset) -> Result<Option<ByteArray>> {
    let look = |heap: &Heap| {
        heap.block(at)?;
        match Cell(heap.load(at + object::LOCK)?) {
            Cell::UNSET => Ok(None),
            lock => match lock.as_ref().filter(|found| found.kind == Kind::ByteArray) {
                Some(reference) => Object::pin(heap, reference).map(Some),
                None => Err(heap.corrupt(format!("the lock of {at:#x} is {:#x}", lock.0))),
            },
        }
    };
    Ok(heap.read(at, look)?.map(ByteArray::from_object))
}

/// The lock of an object, made on first use.
fn lock_of(heap: &Heap, at: Offset) -> Result<Primitive> {
    let block = match known(heap, at)? {
        Some(block) => block,
        None => make(heap, at)?,
    };
    Primitive::over(block, Form::Object, at, describe(heap, at))
}

#[cold]
fn make(heap: &Heap, at: Offset) -> Result<ByteArray> {
    heap.outside_of_transactions("making the lock of a container")?;
    let fresh = Primitive::make(heap, Form::Object, at, 0)?;
    let cell = fresh.object().cell();
    let is_first = heap.write(|tx| {
        tx.block(at)?;
        if tx.load(at + object::LOCK)? != Cell::UNSET.0 {
            return Ok(false);
        }
        tx.inc(cell)?;
        tx.set(at + object::LOCK, cell.0)?;
        Ok(true)
    })?;
    match if is_first { Some(fresh) } else { known(heap, at)? } {
        Some(block) => Ok(block),
        None => Err(heap.corrupt(format!("the lock of {at:#x} is gone"))),
    }
}

/// Lets writes that meet a holder wait for the object's lock, in its line; once in a process.
pub(crate) fn open_gate() {
    gate::set_gate(|heap, at, timeout, write| {
        let lock = RLock::over(lock_of(heap, at)?);
        let died = lock.acquire_raw(Some(timeout))?;
        // Given back also if the write panics.
        let _back = Back { lock: &lock, died };
        write();
        Ok(())
    });
}

/// Gives a lock back that a write had; with the news of a death, if that is how it came.
struct Back<'l> {
    lock: &'l RLock,
    died: bool,
}

impl Drop for Back<'_> {
    fn drop(&mut self) {
        let _ = if self.died { self.lock.release_as_dead() } else { self.lock.release() };
    }
}

/// What taking a container's lock needs besides: that no write of others is under way in it.
pub(super) fn settle(lock: &RLock, died: bool) -> Result<bool> {
    let heap = lock.heap();
    if heap.0.memory.nobody_writes() {
        return Ok(died);
    }
    // Whatever has the writer lock by now began before; this one comes after it.
    match heap.write(|_| Ok(())) {
        Ok(()) => Ok(died),
        Err(error) => {
            let _ = if died { lock.release_as_dead() } else { lock.release() };
            Err(error)
        }
    }
}

macro_rules! lockable {
    ($($container:ty)*) => {$(
        impl $container {
            /// The reentrant lock that keeps all other writers out of this one while it is held.
            ///
            /// # Errors
            /// `SegmentFull` if there is no room for its words, the first time; taking it inside of a
            /// transaction is an `InvalidArgument`.
            ///
            /// ```
            /// use shm_core::{Segment, SegmentOptions, Value};
            /// let seg = Segment::create_anonymous(SegmentOptions::new())?;
            /// let stock = seg.dict([("apples", 3), ("pears", 2)])?;
            /// let lock = stock.lock()?;
            /// {
            ///     let _held = lock.acquire(None)?;
            ///     // Nobody else writes the dict in between.
            ///     let apples = stock.get("apples")?.unwrap_or(Value::Int(0));
            ///     stock.set("pears", apples)?;
            /// }
            /// assert!(!lock.is_held()?);
            /// # Ok::<(), shm_core::Error>(())
            /// ```
            pub fn lock(&self) -> Result<RLock> {
                lock_of(self.object().heap(), self.object().at()).map(RLock::over)
            }
        }
    )*};
}

lockable!(List Dict Set ByteArray Array);

impl Record {
    /// The lock that keeps all other writers out of the struct while it is held; of a struct inside of
    /// another one, that of the whole.
    ///
    /// # Errors
    /// `SegmentFull` if there is no room for its words, the first time.
    pub fn lock(&self) -> Result<RLock> {
        lock_of(self.object().heap(), self.object().at()).map(RLock::over)
    }
}
