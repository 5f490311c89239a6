//! Memory goes back to the system, when nobody else is there.
//!
//! Readers take no lock and write nothing, so nobody knows whether one is on its way to a page that was
//! freed; and what it sees on that way may be torn, so it may look at any page below the end that its
//! process knows. So memory is given back only while nobody else maps the segment (see `sys::presence`; nobody
//! begins to before it is done): from the end on, which moves down, so that no other process knows an end behind the new
//! one, and the check that each access makes anyway keeps all who come in front of it; and as holes,
//! in whose place whoever comes has zeros (`memory/holes`). Threads of this process that are on their way meet zeros in
//! the place of what went. docs/design/0008 has the argument in full.
//!
//! Nothing here is worth an error: what cannot be given back now stays.

use crate::alloc;
use crate::alone;
use crate::error::Result;
use crate::heap::Heap;
use crate::journal::Journal;
use crate::layout::{FIRST_PAGES, PAGE_BYTES, header};
use crate::memory::Memory;
use crate::primitive::Ordering;
use crate::recovery;
use crate::sys::proc::has_one_thread;

/// Fewest pages that are given back on request: what a segment grows by at least.
const LEAST: u64 = (1 << 20) / PAGE_BYTES;
/// Fewest pages that are given back by whoever attaches; half of all in a small segment.
const LEAST_AT_ATTACH: u64 = (16 << 20) / PAGE_BYTES;

/// Gives back what a collection has left free; bytes.
pub(crate) fn after_collection(heap: &Heap) -> u64 {
    let given = heap.0.memory.may_be_alone().and_then(|may| {
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
    let least = LEAST_AT_ATTACH.min(memory.geometry.ceiling / 2);
    let _ = is_worth_it(memory, least).and_then(|worth| {
        if !worth || !memory.may_be_alone()? {
            return Ok(0);
        }
        recovery::empty_idle_caches(heap)?;
        // The attachment was not handed out yet.
        give_back(heap, least, true)
    });
}

/// Whether so many pages could be free, as far as two words tell.
fn is_worth_it(memory: &Memory, least: u64) -> Result<bool> {
    let first = memory.meta(header::FIRST_FREE_PAGE)?.load(Ordering::Relaxed);
    Ok(memory.pages()?.saturating_sub(first).saturating_sub(memory.holes()?) >= least)
}

/// `quiet`: no thread of this process is on its way in a read.
pub(crate) fn give_back(heap: &Heap, least: u64, quiet: bool) -> Result<u64> {
    let memory: &Memory = &heap.0.memory;
    let mut spare = heap.write(|_| alloc::spare(memory, quiet))?;
    if spare.could_go < least {
        return Ok(0);
    }
    while while_alone(heap, |journal| alloc::free_idle(journal, &mut spare))? == Some(true) {}
    let given = while_alone(heap, |_| {
        let before = memory.used()?;
        let end = alloc::spare(memory, quiet)?.free_from().max(FIRST_PAGES);
        if memory.pages()?.saturating_sub(end) >= least.min(LEAST) {
            memory.shorten(end * PAGE_BYTES)?;
        }
        // Whatever becomes of this, what went has gone.
        let _ = alloc::make_holes(memory);
        Ok(before.saturating_sub(memory.used()?))
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
    use std::os::unix::fs::MetadataExt;
    use std::time::Duration;

    use crate::error::Error;
    use crate::options::SegmentOptions;
    use crate::primitive::Ordering;
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
    fn a_look_at_a_hole_reads_zeros_and_takes_nothing() {
        let segment = Segment::create_anonymous(options().size(16 << 20)).unwrap();
        let blocks = || segment.path().unwrap().metadata().unwrap().blocks() * 512;
        let list = segment.list_of([vec![0xFF_u8; 1 << 20], vec![0xFF; 1 << 20]]).unwrap();
        segment.root().insert("last", vec![0xEE_u8; 1 << 20]).unwrap();
        let memory = &segment.heap().0.memory;
        let inside = list.get(0).unwrap().unwrap();
        let first = (0..memory.pages().unwrap())
            .map(|page| memory.geometry.page_at(page))
            .find(|at| memory.load(at + 4096).is_ok_and(|word| word == u64::MAX))
            .expect("a page of the list's bytes");
        let old = memory.word(first + 4096).unwrap();
        drop((list, inside));
        assert!(super::give_back(segment.heap(), 1, true).unwrap() > 1 << 20);
        assert!(memory.holes().unwrap() > 16 && memory.peek(first).is_some());
        let before = blocks();
        // As a look that is torn, here and in another attachment, which came later.
        assert_eq!(old.load(Ordering::Relaxed), 0);
        for readonly in [false, true] {
            let other = Segment::attach(segment.name(), options().readonly(readonly)).unwrap();
            let other_memory = &other.heap().0.memory;
            for at in (first..first + (1 << 20)).step_by(4096) {
                assert_eq!(other_memory.load(at).unwrap(), 0);
            }
            // A thread's log and cache do.
            assert!(blocks() < before + (64 << 10), "looks took memory");
            other.close().unwrap();
        }
        // What fills it is seen here, by way of the old word too.
        let list = segment.list_of([vec![0xDD_u8; 1 << 20]]).unwrap();
        assert_eq!(memory.load(first + 4096).unwrap(), old.load(Ordering::Relaxed));
        assert_eq!(list.get(0).unwrap(), Some(vec![0xDD_u8; 1 << 20].into()));
        assert!(segment.check().unwrap().is_sound());
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
        assert_eq!((old.load(Ordering::Relaxed), farther.load(Ordering::Relaxed)), (0, 0));
        // No further than the file reaches: the word behind it is nobody's yet.
        let list = segment.list_of([vec![0xEE_u8; 1 << 20]]).unwrap();
        let reached = memory.peek(far).is_some();
        let value = old.load(Ordering::Relaxed);
        assert_eq!(value, if reached { 0xEEEE_EEEE_EEEE_EEEE } else { 0 });
        let _ = farther.load(Ordering::Relaxed);
        assert_eq!(list.get(0).unwrap(), Some(vec![0xEE_u8; 1 << 20].into()));
    }
}
