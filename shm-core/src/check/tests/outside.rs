//! Damage outside of objects: in pages, caches, the header and the slots.

use super::{LONG, block_of, book, expect, findings, load, segment, store};
use crate::alloc;
use crate::cell::Offset;
use crate::layout::{header, object, page, process, thread};

#[test]
fn damaged_pages_are_named() {
    let seg = segment();
    let (_book, bids) = book(&seg);
    let large = seg.bytearray(&vec![7; 200_000]).unwrap();
    seg.root().set("large", &large).unwrap();
    let geometry = seg.heap().0.memory.geometry;
    let page_of = |at: Offset| (at - geometry.data_at) / crate::layout::PAGE_BYTES;
    let headers = page_of(bids.object().at());
    let entry = geometry.entry_at(headers);
    let whom = format!("page {headers}: ");
    let free = load(&seg, entry + page::FREE);
    expect(&seg, entry + page::FREE, free - 3, &[&whom, "blocks of class 63 free, its entry says"]);
    let what = load(&seg, entry + page::WHAT);
    expect(&seg, entry + page::WHAT, what + (1 << 16), &[&whom, "blocks, class 63 has"]);
    let bitmap = geometry.page_at(headers) + 15 * 8;
    let bits = load(&seg, bitmap);
    expect(&seg, bitmap, bits | (1 << 63), &[&whom, "word 15 of its bitmap"]);
    let run = page_of(block_of(&seg, large.object().at()));
    let entry = geometry.entry_at(run);
    let what = load(&seg, entry + page::WHAT);
    expect(&seg, entry + page::WHAT, what | (9000 << 32), &[&format!("page {run}: a run of 9")]);
    let inside = geometry.entry_at(run + 1);
    expect(&seg, inside + page::WHAT, 2, &[&format!("page {}: of kind 2 inside of", run + 1)]);
    expect(&seg, entry + page::WHAT, 77, &[&format!("page {run}: of unknown kind 77")]);
    let first = load(&seg, header::FIRST_FREE_PAGE);
    expect(&seg, header::FIRST_FREE_PAGE, first + 1, &[&format!("page {first}: free below")]);
    expect(&seg, header::FIRST_FREE_PAGE, 5000, &["first free page is 5000 of"]);
    let head = header::CLASS_HEADS + 63 * 8;
    expect(&seg, head, 0, &["list of class 63: 0 pages, then 0x0; 1 have free blocks"]);
    let entry = geometry.entry_at(headers);
    expect(&seg, entry + page::PREVIOUS, 9, &["list of class 63", "says that 9 is before it"]);
    expect(&seg, entry + page::NEXT, headers + 1, &["list of class 63: 2 pages"]);
    // A block that is taken and belongs to nothing; one that is in use and marked free.
    let lost = seg.heap().write(|tx| tx.alloc(100)).unwrap();
    let found = findings(&seg).join("\n");
    assert!(found.contains(&format!("block {lost:#x} of 112 bytes is taken")), "{found}");
    seg.heap().write(|tx| tx.free_after(lost)).unwrap();
    let items = block_of(&seg, bids.object().at());
    seg.heap().write(|tx| tx.free_after(items)).unwrap();
    let found = findings(&seg).join("\n");
    assert!(found.contains(&format!("['bids'] (list {:#x})", bids.object().at())), "{found}");
    assert!(found.contains(&format!("its block {items:#x} is freed")), "{found}");
    crate::recovery::empty_caches(seg.heap()).unwrap();
    assert!(!alloc::is_allocated(&seg.heap().0.memory, items).unwrap());
}

#[test]
fn damaged_caches_are_named() {
    let seg = segment();
    let list = seg.list_of((0..40).map(|number| format!("{LONG} {number}"))).unwrap();
    seg.root().set("texts", &list).unwrap();
    list.clear().unwrap();
    list.push(LONG).unwrap();
    let mut cached = Vec::new();
    let visit = |block: alloc::Cached, right| cached.push((block, right));
    alloc::for_each_cached(&seg.heap().0.memory, visit, |_, _, _| panic!("no room")).unwrap();
    assert!(cached.len() > 20 && cached.iter().all(|(_, right)| *right), "{cached:?}");
    let block = cached[0].0;
    let count_at = seg.heap().0.memory.geometry.cached_at(block.slot, block.class);
    let whom = format!("cache of thread slot {}", block.slot);
    let class = format!("of class {}", block.class);
    expect(&seg, count_at, 999, &[&whom, "999 blocks", &class, "there is room for 127"]);
    let count = load(&seg, count_at);
    // One less than there are: a block that nobody has.
    expect(&seg, count_at, count - 1, &["is taken, but belongs to nothing"]);
    let twice = load(&seg, count_at + 8);
    expect(&seg, count_at + 16, twice, &[&whom, "is in that of slot"]);
    let header = list.object().at();
    expect(&seg, count_at + 8, header, &[&whom, &format!("{header:#x} is no taken block"), &class]);
    // A block of the content.
    let items = load(&seg, header + object::W0);
    let class = alloc::class::class_of(alloc::size_of_block(&seg.heap().0.memory, items).unwrap());
    let count_at = seg.heap().0.memory.geometry.cached_at(block.slot, class.unwrap());
    let count = load(&seg, count_at);
    store(&seg, count_at + 8 + count * 8, items);
    expect(&seg, count_at, count + 1, &[&format!("its block {items:#x} is freed")]);
}

#[test]
fn damaged_headers_and_slots_are_named() {
    let seg = segment();
    let kept = seg.list_of([1]).unwrap();
    let geometry = seg.heap().0.memory.geometry;
    expect(&seg, 0, 1, &["header: magic is 0x1"]);
    expect(&seg, 136, 2, &["header: lock mode is 0x2, not 0x1"]);
    expect(&seg, header::UUID, 5, &["header: checksum is"]);
    let committed = load(&seg, header::COMMITTED);
    expect(&seg, header::COMMITTED, committed + 8, &["header:", "bytes are committed"]);
    expect(&seg, header::COMMITTED, 1 << 40, &["header: 1099511627776 bytes are committed"]);
    expect(&seg, header::LOCK_WAITERS, 7, &["waiter flag is 0x7"]);
    expect(&seg, header::RETIRED, 2, &["retired is 0x2"]);
    expect(&seg, header::PROCESS_HIGH, 9999, &["9999 process slots were used, there are 256"]);
    expect(&seg, header::THREAD_HIGH, 9999, &["9999 thread slots were used, there are 512"]);
    expect(&seg, header::AUDIT_NEEDED, 1, &["an audit is needed"]);
    let slot = geometry.process_at(0);
    let state = load(&seg, slot + process::STATE);
    expect(&seg, slot + process::STATE, state | 7, &["process slot 0: unknown state 0x7"]);
    expect(&seg, slot + process::STATE, 1, &["process slot 0: live with process id 0"]);
    expect(&seg, slot + process::STATE, 0, &["process slot 0: free, but has pin table"]);
    expect(&seg, slot + process::INCARNATION, 0, &["process slot 0: attached with incarnation 0"]);
    expect(&seg, slot + process::NAME, 0xFF, &["process slot 0: its name b'\\xff' is no UTF-8"]);
    expect(&seg, slot + process::PINS_CAPACITY, 63, &["its pin table has 63 entries"]);
    expect(&seg, slot + process::PINS_CAPACITY, 1 << 40, &["1099511627776 entries, the block"]);
    let table = load(&seg, slot + process::PINS);
    let entry = (0..64).map(|index| table + index * 8).find(|at| load(&seg, *at) == 0).unwrap();
    expect(&seg, entry, 0x1230, &["pinned by process", "0x1230 is no object"]);
    let entry_of = |index: u64| table + (index & 63) * 8;
    let pinned = kept.object().at();
    let mine = (0..64).find(|index| load(&seg, entry_of(*index)) == pinned).unwrap();
    // Behind a gap, where no probe comes.
    let gap = (mine + 1..mine + 63)
        .find(|index| load(&seg, entry_of(*index)) == 0 && load(&seg, entry_of(*index + 1)) == 0)
        .unwrap();
    store(&seg, entry_of(mine), 0);
    store(&seg, entry_of(gap + 1), pinned);
    let found = findings(&seg).join("\n");
    assert!(found.contains(&format!("of {pinned:#x} is not found by a probe")), "{found}");
    store(&seg, entry_of(gap + 1), 0);
    store(&seg, entry_of(mine), pinned);
    let other = geometry.thread_at(1);
    store(&seg, header::THREAD_HIGH, 2);
    expect(&seg, other + thread::STATE, 0x101, &["thread slot 1: has an unfinished log (0x101)"]);
    expect(&seg, other + thread::UNPINNING, 0x40, &["thread slot 1: free, but still unpins"]);
    expect(&seg, other + thread::CLAIM, 999 << 16, &["thread slot 1: belongs to process slot 998"]);
    expect(&seg, other + thread::LIFE, 5 << 32, &["its life word is of incarnation 5"]);
}
