//! Segments for the unit tests of the containers: anonymous, and checked at the end.

use crate::attach::{self, Place};
use crate::check;
use crate::heap::Heap;
use crate::options::SegmentOptions;
use crate::primitive::{AtomicU64, Ordering};

/// A segment that goes with its last handle.
pub(crate) fn heap(size: u64) -> Heap {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("shm-unit-{}-{number}", std::process::id());
    let place = Place::new(Some(&name), None).unwrap();
    attach::create(&place, &SegmentOptions::new().size(size), |_| Ok(())).unwrap()
}

/// Fails if anything in the segment is wrong: a count, a block that belongs to nothing.
pub(crate) fn assert_sound(heap: &Heap) {
    let report = check::check(heap).unwrap();
    assert!(report.is_sound(), "{:#?}", report.findings);
}

/// Blocks that are taken.
pub(crate) fn blocks(heap: &Heap) -> u64 {
    check::check(heap).unwrap().blocks
}
