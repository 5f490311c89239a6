//! Handles without a pin, for a look at nested objects where the table of pins has no room for them.
//!
//! Each handle of an object pins it, and in a full segment there may be no place for one more. Some looks
//! need handles for moments only and have no way to fail: whether two containers are equal. They run a
//! second time as a *borrower* ([`without_pins`]): a handle for which there is no place is made without one
//! then. What keeps its object is the container that it was found in: the look at that one goes on for
//! as long ([`while_unchanged`]), and counts only if it did not change meanwhile. If it did, what the
//! handle named may have been freed, which readers are used to; nothing is stored by way of such handles, and
//! none leaves the look.

use std::cell::Cell;

use super::Object;
use crate::error::{Error, Result};
use crate::heap::Heap;

thread_local! {
    /// The calling thread's handles need no place in the table.
    static BORROWS: Cell<bool> = const { Cell::new(false) };
    /// Something could not be read for the want of a place, since somebody asked.
    static FELL_SHORT: Cell<bool> = const { Cell::new(false) };
}

/// Whether handles of the calling thread may be made without a pin.
#[cold]
pub(super) fn is_borrowing() -> bool {
    BORROWS.get()
}

/// Runs a look in which handles need no place in the table.
#[cold]
pub(crate) fn without_pins<T>(look: impl FnOnce() -> T) -> T {
    struct Until(bool);
    impl Drop for Until {
        fn drop(&mut self) {
            BORROWS.set(self.0);
        }
    }
    let _until = Until(BORROWS.replace(true));
    look()
}

/// Runs a look that can fail, without pins if there is no place for them.
pub(crate) fn with_or_without_pins<T>(mut look: impl FnMut() -> Result<T>) -> Result<T> {
    match look() {
        Err(Error::SegmentFull { .. }) => without_pins(look),
        found => found,
    }
}

/// What was read, if it could be; the want of a place is noted.
pub(crate) fn read<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::SegmentFull { .. }) => {
            FELL_SHORT.set(true);
            None
        }
        Err(_) => None,
    }
}

/// Whether something could not be read for the want of a place; asked once.
#[inline]
pub(crate) fn fell_short() -> bool {
    FELL_SHORT.with(|fell_short| fell_short.replace(false))
}

/// Runs a look at what nested handles of an object name. A borrower's counts once the object did not change
/// meanwhile.
pub(crate) fn while_unchanged<T>(
    object: &Object,
    mut look: impl FnMut() -> Result<T>,
) -> Result<T> {
    if !BORROWS.get() {
        return look();
    }
    let heap: &Heap = object.heap();
    heap.read_long(object.at(), |_| look())
}
