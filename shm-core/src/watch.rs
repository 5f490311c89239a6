//! Change events: who sleeps until an object changes, and how writers come to wake it.
//!
//! Every object belongs to one of 64 groups by its offset. The header has an event for each group,
//! one for those who wait for many objects, and one word with a bit per group that says whether
//! anybody sleeps. A writer collects the groups of what it changed and, after its last store to them,
//! tests that word: one load where nobody watches. A bit that it finds it clears, and wakes the
//! group; each sleeper sets its bit again before it sleeps again, so a killed sleeper leaves one
//! needless wake and nothing else.
//!
//! What a sleeper trusts is the object's sequence, which it looks at after it has set its bit. The
//! writer stores the sequence and then loads the word without a fence between them, which would
//! cost every write more than the write: the kernel's barrier on the sleeper's side takes its place
//! where there is one. A writer that is killed between its commit and its wake, or runs on a kernel
//! without that barrier, costs the sleeper one slice.
//!
//! Not here: what a change means to users (`changes`), queues.

use std::time::Duration;

use crate::cell::Offset;
use crate::error::Result;
use crate::event;
use crate::layout::{header, object};
use crate::memory::Memory;
use crate::primitive::{AtomicU64, Ordering};
use crate::sys::process;

/// Longest sleep between two looks.
pub(crate) const SLICE: Duration = Duration::from_millis(20);
/// Pause between the looks of a read-only attachment, which cannot ask to be woken.
const READ_PAUSE: Duration = Duration::from_millis(1);

#[inline]
fn group_of(at: Offset) -> u64 {
    // Fibonacci hashing of the header's number.
    (at >> 6).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58
}

/// The bit of an object's group.
#[inline]
pub(crate) fn bit_of(at: Offset) -> u64 {
    1 << group_of(at)
}

impl Memory {
    /// Wakes who sleeps on these groups. After the writer lock was given back.
    #[inline]
    pub(crate) fn announce(&self, changed: u64) {
        if let Ok(watched) = self.meta(header::WATCHED)
            && watched.load(Ordering::Relaxed) & changed != 0
        {
            self.wake_groups(watched, changed);
        }
    }

    #[cold]
    fn wake_groups(&self, watched: &AtomicU64, changed: u64) {
        let mut groups = watched.fetch_and(!changed, Ordering::SeqCst) & changed;
        while groups != 0 {
            let group = u64::from(groups.trailing_zeros());
            groups &= groups - 1;
            if let Ok(word) = self.meta(header::CHANGE_EVENTS + group * 8) {
                event::notify(word);
            }
        }
        if let Ok(word) = self.meta(header::ANY_CHANGE) {
            event::notify(word);
        }
    }

    /// The sequence of an object: another one after every change. A change that is being made has
    /// not happened yet.
    pub(crate) fn version_of(&self, at: Offset) -> Result<u64> {
        // Acquire: pairs with the Release store that ended the last change.
        Ok(self.word(at + object::SEQ)?.load(Ordering::Acquire) & !1)
    }

    /// Makes writers tell of changes of an object, until they have told of one.
    pub(crate) fn watch(&self, at: Offset) -> Result<()> {
        let watched = self.meta(header::WATCHED)?;
        if watched.load(Ordering::SeqCst) & bit_of(at) == 0 {
            watched.fetch_or(bit_of(at), Ordering::SeqCst);
        }
        Ok(())
    }

    /// Sleeps until an object of the group of `at` changes, unless its version is not `seen` any
    /// more; at most for `slice`.
    pub(crate) fn sleep_until_changed(&self, at: Offset, seen: u64, slice: Duration) -> Result<()> {
        self.check_open()?;
        if self.readonly {
            return crate::lock::pause(slice.min(READ_PAUSE));
        }
        let word = self.meta(header::CHANGE_EVENTS + group_of(at) * 8)?;
        let observed = event::observe(word);
        self.watch(at)?;
        process::barrier();
        if self.version_of(at)? != seen {
            return Ok(());
        }
        event::wait(word, observed, slice.min(SLICE))
    }

    /// The event of everything that is watched.
    pub(crate) fn any_change(&self) -> Result<&AtomicU64> {
        self.meta(header::ANY_CHANGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::List;
    use crate::scratch;
    use std::time::Instant;

    #[test]
    fn a_writer_wakes_the_one_who_sleeps_on_its_object_and_clears_the_bit() {
        let heap = scratch::heap(1 << 20);
        let list = List::new(&heap, [1]).unwrap();
        let at = list.object().at();
        let memory = &heap.0.memory;
        let seen = memory.version_of(at).unwrap();
        let started = Instant::now();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                while memory.version_of(at).unwrap() == seen {
                    memory.sleep_until_changed(at, seen, SLICE).unwrap();
                    assert!(started.elapsed() < Duration::from_secs(30));
                }
            });
            while memory.meta(header::WATCHED).unwrap().load(Ordering::SeqCst) & bit_of(at) == 0 {
                std::hint::spin_loop();
            }
            list.set_int(0, 2).unwrap();
            sleeper.join().unwrap();
        });
        // Whoever slept cleared nothing; the writer did, or the sleeper saw the change by itself.
        list.set_int(0, 3).unwrap();
        let left = memory.meta(header::WATCHED).unwrap().load(Ordering::SeqCst);
        assert_eq!(left & bit_of(at), 0);
    }

    #[test]
    fn a_writer_of_another_group_leaves_the_bit_alone() {
        let heap = scratch::heap(1 << 20);
        let [one, other] = [(); 2].map(|()| List::new(&heap, [1]).unwrap());
        let memory = &heap.0.memory;
        let at = one.object().at();
        memory.watch(at).unwrap();
        if bit_of(other.object().at()) != bit_of(at) {
            other.set_int(0, 2).unwrap();
            let left = memory.meta(header::WATCHED).unwrap().load(Ordering::SeqCst);
            assert_eq!(left & bit_of(at), bit_of(at));
        }
    }
}
