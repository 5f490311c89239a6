//! Memory goes back to the system, when nobody else is there.
//!
//! Readers take no lock and write nothing, so nobody knows whether one is on its way to a page that was
//! freed; and what it sees on that way may be torn, so it may look at any page below the end that its
//! process knows. So memory is given back only from the end on, which moves down, and only while nobody
//! else maps the segment (see `sys::presence`; nobody begins to before it is done). Then no other process
//! knows an end behind the new one, and the check that each access makes anyway keeps all who come in
//! front of it. Threads of this process that are on their way meet zeros in the place of what went
//! (see `sys::mapping`). docs/design/0008 has the argument in full.
//!
//! Nothing here is worth an error: what cannot be given back now stays.

use crate::alloc;
use crate::alone;
use crate::error::Result;
use crate::heap::Heap;
use crate::journal::Journal;
use crate::layout::{FIRST_PAGES, PAGE_BYTES, header, process, process_state};
use crate::memory::Memory;
use crate::primitive::Ordering;
use crate::recovery;
use crate::sys::proc::has_one_thread;

/// Fewest pages that are given back on request: what a segment grows by at least.
const LEAST: u64 = (1 << 20) / PAGE_BYTES;
/// Fewest pages that are given back by whoever attaches; half of all in a small segment.
const LEAST_AT_ATTACH: u64 = (16 << 20) / PAGE_BYTES;

/// Gives back what a collection has left at the end; bytes.
pub(crate) fn after_collection(heap: &Heap) -> u64 {
    let given = may_be_alone(&heap.0.memory).and_then(|may| {
        if !may || !is_worth_it(&heap.0.memory, LEAST)? {
            return Ok(0);
        }
        // What this process once pinned may have left a table that is in the way.
        heap.write(|tx| heap.own().shrink(&mut tx.journal))?;
        recovery::empty_caches(heap)?;
        give_back(heap, LEAST, has_one_thread())
    });
    given.unwrap_or(0)
}

/// The same for whoever comes first, if there is much.
pub(crate) fn at_attach(heap: &Heap) {
    let memory: &Memory = &heap.0.memory;
    let least = LEAST_AT_ATTACH.min(memory.geometry.pages() / 2);
    let _ = is_worth_it(memory, least).and_then(|worth| {
        if !worth || !may_be_alone(memory)? {
            return Ok(0);
        }
        recovery::empty_idle_caches(heap)?;
        // The attachment was not handed out yet.
        give_back(heap, least, true)
    });
}

/// Whether so many pages could be free, as far as one word tells.
fn is_worth_it(memory: &Memory, least: u64) -> Result<bool> {
    let first = memory.meta(header::FIRST_FREE_PAGE)?.load(Ordering::Relaxed);
    Ok(memory.pages()?.saturating_sub(first) >= least)
}

/// Whether no other process has a slot; a first look, which saves the trouble where one has.
fn may_be_alone(memory: &Memory) -> Result<bool> {
    let own = memory.own_process.load(Ordering::Relaxed);
    for slot in memory.process_slots()? {
        let state = memory.meta(memory.geometry.process_at(slot) + process::STATE)?;
        let taken = state.load(Ordering::Acquire) & 0xFFFF_FFFF != process_state::FREE;
        if taken && slot + 1 != own {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `quiet`: no thread of this process is on its way in a read.
pub(crate) fn give_back(heap: &Heap, least: u64, quiet: bool) -> Result<u64> {
    let memory: &Memory = &heap.0.memory;
    let mut tail = heap.write(|_| alloc::tail(memory, quiet))?;
    if tail.pages.saturating_sub(tail.needed) < least {
        return Ok(0);
    }
    while while_alone(heap, |journal| alloc::free_idle(journal, &mut tail))? == Some(true) {}
    let given = while_alone(heap, |_| {
        let tail = alloc::tail(memory, quiet)?;
        let end = tail.free_from().max(FIRST_PAGES);
        let given = tail.pages.saturating_sub(end);
        if given < least {
            return Ok(0);
        }
        memory.shorten(end * PAGE_BYTES)?;
        Ok(given * PAGE_BYTES)
    })?;
    Ok(given.unwrap_or(0))
}

/// Runs an operation while nobody else maps the segment; `None` if somebody does. Who comes while it runs
/// waits, for the lock of the file or for the writer lock.
fn while_alone<T>(
    heap: &Heap,
    mut f: impl FnMut(&mut Journal<'_>) -> Result<T>,
) -> Result<Option<T>> {
    heap.write(|tx| {
        // Not waited for: a fork that is under way waits for the writer lock.
        let Some(_no_forks) = alone::try_now() else { return Ok(None) };
        let Some(_alone) = heap.0.memory.alone() else { return Ok(None) };
        f(&mut tx.journal).map(Some)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::error::Error;
    use crate::options::SegmentOptions;
    use crate::segment::Segment;

    fn options() -> SegmentOptions {
        SegmentOptions::new().size(4 << 20)
    }

    #[test]
    fn nobody_comes_while_somebody_is_alone() {
        let segment = Segment::create_anonymous(options()).unwrap();
        let memory = &segment.heap().0.memory;
        for readonly in [false, true] {
            let waits = || SegmentOptions::new().readonly(readonly).lock_timeout(Duration::ZERO);
            let alone = memory.alone().expect("there is nobody else");
            let refused = Segment::attach(segment.name(), waits());
            assert!(matches!(refused, Err(Error::LockTimeout { .. })), "{:?}", refused.err());
            drop(alone);
            let other = Segment::attach(segment.name(), waits()).unwrap();
            assert!(memory.alone().is_none());
            // What a look for solitude leaves is what was there before.
            if !readonly {
                assert!(other.heap().0.memory.alone().is_none());
            }
            assert_eq!(other.root().len().unwrap(), 0);
            other.close().unwrap();
        }
        assert!(memory.alone().is_some());
    }

    #[test]
    fn an_old_word_of_what_went_reads_as_zero_and_then_as_what_came() {
        let segment = Segment::create_anonymous(options()).unwrap();
        let memory = &segment.heap().0.memory;
        let list = segment.list_of([vec![0xFF_u8; 1 << 20], vec![0xFF; 1 << 20]]).unwrap();
        let far = memory.geometry.page_at(20);
        let (old, farther) = (memory.word(far).unwrap(), memory.word(far + (1 << 19)).unwrap());
        drop(list);
        assert!(super::give_back(segment.heap(), 1, false).unwrap() > 1 << 20);
        assert!(memory.peek(far).is_none());
        assert_eq!(
            (old.load(super::Ordering::Relaxed), farther.load(super::Ordering::Relaxed)),
            (0, 0)
        );
        // No further than the file reaches: the word behind it is nobody's yet.
        let list = segment.list_of([vec![0xEE_u8; 1 << 20]]).unwrap();
        let reached = memory.peek(far).is_some();
        let value = old.load(super::Ordering::Relaxed);
        assert_eq!(value, if reached { 0xEEEE_EEEE_EEEE_EEEE } else { 0 });
        let _ = farther.load(super::Ordering::Relaxed);
        assert_eq!(list.get(0).unwrap(), Some(vec![0xEE_u8; 1 << 20].into()));
    }
}
