//! Attaching and closing again and again takes no more and no more memory of the process, nor addresses.
//!
//! The allocator counts what is alive, so this binary has one test.

#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};

use shm::{Segment, SegmentOptions};

struct Counting;

static ALIVE: AtomicI64 = AtomicI64::new(0);

// SAFETY: what the system's allocator gives and takes is passed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALIVE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        ALIVE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn an_attachment_that_is_closed_leaves_nothing_behind() {
    let name = format!("shm-attachments-{}", std::process::id());
    let options = || SegmentOptions::new().size(1 << 20);
    let segment = Segment::create(&name, options()).unwrap();
    segment.root().insert("x", segment.list_of([1]).unwrap()).unwrap();
    let attach = |times: usize| {
        for _ in 0..times {
            let again = Segment::attach(&name, options()).unwrap();
            assert!(again.root().get("x").unwrap().is_some());
            again.close().unwrap();
            let reader = Segment::attach(&name, options().readonly(true)).unwrap();
            assert!(reader.root().get("x").unwrap().is_some());
            drop(Segment::create_anonymous(options()).unwrap());
        }
    };
    attach(20);
    let before = ALIVE.load(Ordering::Relaxed);
    attach(300);
    let growth = ALIVE.load(Ordering::Relaxed) - before;
    assert!(growth < 300 * 16, "{growth} bytes for 900 attachments");

    // A process has addresses for some 2,000 of these at a time.
    let name = format!("{name}-wide");
    let wide = || SegmentOptions::new().size(64 << 30);
    let segment = Segment::create(&name, wide()).unwrap();
    for _ in 0..2_500 {
        let again = Segment::attach(&name, wide()).unwrap();
        assert!(again.root().is_empty().unwrap());
    }
    let look = || shm::segments().unwrap().into_iter().any(|known| known.name == name);
    assert!((0..2_500).all(|_| look()));
    segment.close().unwrap();
}
