//! The statistics agree with what was put in, and with what the checker counts.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use shm::{Segment, SegmentOptions, Stats, Value};

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(64 << 20)).unwrap()
}

fn count(stats: &Stats, kind: &str) -> u64 {
    stats.kinds.iter().filter(|known| known.kind == kind).map(|known| known.count).sum()
}

#[test]
fn kinds_and_sizes_are_what_was_put_in() {
    let segment = segment();
    let before = segment.stats().unwrap();
    let lists: Vec<Value> =
        (0..50).map(|number| segment.list_of([number]).unwrap().into()).collect();
    let text = "a text of a length that takes a block of its own";
    let dict = segment.dict((0..30).map(|number| (number, text))).unwrap();
    segment.root().insert("all", (segment.list_of(lists).unwrap(), &dict)).unwrap();
    segment.root().insert("large", segment.bytearray(&vec![1; 200_000]).unwrap()).unwrap();
    let report = segment.check().unwrap();
    let stats = segment.stats().unwrap();
    assert_eq!(count(&stats, "list") - count(&before, "list"), 51);
    assert_eq!(count(&stats, "dict") - count(&before, "dict"), 1);
    assert_eq!(count(&stats, "bytearray"), 1);
    // The texts and the tuple.
    assert_eq!(count(&stats, "leaf") - count(&before, "leaf"), 31);
    assert_eq!(stats.taken, report.bytes);
    let taken = |size: &shm::SizeStats| size.taken;
    assert_eq!(stats.sizes.iter().map(taken).sum::<u64>(), report.blocks);
    assert_eq!(stats.kinds.iter().map(|kind| kind.bytes).sum::<u64>(), stats.taken);
    let runs = stats.sizes.last().unwrap();
    assert_eq!((runs.bytes, runs.pages, runs.taken), (0, 4, 1));
    assert!(stats.sizes.is_sorted_by_key(|size| size.bytes.wrapping_sub(1)));
}

#[test]
fn cached_blocks_are_counted_apart_and_given_back() {
    let segment = segment();
    let texts = || (0..100).map(|number| format!("a text of a block of its own, {number}"));
    let list = segment.list_of(texts()).unwrap();
    let of_texts = |stats: &Stats| {
        let size = stats.sizes.iter().find(|size| size.bytes == 64);
        size.map_or(0, |size| size.cached)
    };
    let other = list.clone();
    std::thread::spawn(move || (0..100).for_each(|at| other.set(at, 0).unwrap())).join().unwrap();
    let (stats, report) = (segment.stats().unwrap(), segment.check().unwrap());
    assert!(report.is_sound(), "{report:?}");
    assert!(of_texts(&stats) >= 16, "{stats:?}");
    assert_eq!((stats.taken, stats.used), (report.bytes, segment.stats().unwrap().used));
    let of_sizes = stats.sizes.iter().map(|size| size.cached * size.bytes).sum::<u64>();
    assert_eq!(stats.cached, of_sizes);
    // The thread has ended, and nobody has its slot.
    segment.gc().unwrap();
    let after = segment.stats().unwrap();
    assert!(of_texts(&after) + 15 <= of_texts(&stats), "{stats:?}, then {after:?}");
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn blocks_in_caches_of_others_are_taken_before_a_segment_is_full() {
    let segment = Segment::create_anonymous(SegmentOptions::new().size(256 << 10)).unwrap();
    let list = segment.list([]).unwrap();
    list.reserve(4000).unwrap();
    let text = |number: usize| format!("a text that takes a block, {number:6}");
    let mut count = 0;
    while list.push(text(count)).is_ok() {
        count += 1;
    }
    let other = list.clone();
    // All in the cache of a thread that lives on, while this one wants them.
    let (ready, done) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..20).for_each(|at| other.set(at, 0).unwrap());
            ready.wait();
            done.wait();
        });
        ready.wait();
        let taken = (0..20).try_for_each(|at| list.set(at, text(at)));
        done.wait();
        taken.unwrap();
    });
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn free_pages_and_their_runs_are_found_again() {
    let segment = segment();
    let list = segment.list([]).unwrap();
    for _ in 0..20 {
        list.push(vec![0; 100_000]).unwrap();
    }
    let full = segment.stats().unwrap();
    for at in [3, 4, 9] {
        list.set(at, 0).unwrap();
    }
    let holes = segment.stats().unwrap();
    assert_eq!(holes.free_pages, full.free_pages + 6);
    assert_eq!(holes.free_runs, full.free_runs + 2);
    assert!(holes.longest_free_run >= 4);
    assert_eq!(holes.used, full.used);
}

#[test]
fn pins_are_counted_by_process() {
    let segment = segment();
    let of_this = |stats: &Stats| {
        let own = stats.pins.iter().find(|pins| pins.pid == std::process::id());
        own.map_or(0, |pins| pins.objects)
    };
    let before = of_this(&segment.stats().unwrap());
    let lists: Vec<_> = (0..100).map(|number| segment.list_of([number]).unwrap()).collect();
    assert_eq!(of_this(&segment.stats().unwrap()), before + 100);
    drop(lists);
    assert_eq!(of_this(&segment.stats().unwrap()), before);
}

#[test]
fn a_table_of_many_pins_gets_smaller_when_few_are_left() {
    let segment = segment();
    let table = || {
        let kinds = segment.stats().unwrap().kinds;
        kinds.into_iter().find(|kind| kind.kind == "pin table").unwrap().bytes
    };
    let least = table();
    let many: Vec<_> = (0..10_000).map(|n| segment.list_of([n]).unwrap()).collect();
    assert!(table() >= 10_000 * 8);
    let kept = many.into_iter().take(3).collect::<Vec<_>>();
    // The next operation under the whole lock.
    segment.list_of([0]).unwrap();
    assert!(table() <= 64 * least);
    assert!(segment.check().unwrap().is_sound());
    assert_eq!(kept[2].get(0).unwrap(), Some(Value::Int(2)));
}

#[test]
fn collections_and_their_pauses_are_remembered() {
    let segment = segment();
    let list = segment.list([]).unwrap();
    list.push(&list).unwrap();
    drop(list);
    assert_eq!(segment.stats().unwrap().collections, 0);
    assert_eq!(segment.gc().unwrap().objects, 1);
    segment.gc().unwrap();
    let stats = segment.stats().unwrap();
    assert_eq!(stats.collections, 2);
    assert!(!stats.last_pause.is_zero() && stats.last_pause <= stats.longest_pause);
}
