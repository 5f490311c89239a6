//! Cycles of every kind, what keeps them, what comes back, and burials that a kill or damage broke off.

mod ahead;
mod audit;
mod model;

use crate::cell::Cell;
use crate::error::Error;
use crate::layout::{header, object};
use crate::list::List;
use crate::object as objects;
use crate::options::SegmentOptions;
use crate::primitive::Ordering;
use crate::record::Record;
use crate::recovery;
use crate::schema::Schema;
use crate::segment::Segment;
use crate::value::{Extended, Value};

const LONG: &str = "a text that takes a block";

fn segment(size: u64) -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(size)).unwrap()
}

fn assert_sound(seg: &Segment) -> crate::check::Report {
    let report = seg.check().unwrap();
    assert!(report.is_sound(), "{:#?}", report.findings);
    report
}

/// Builds garbage, collects it, and finds the segment as it was.
fn is_collected(build: impl Fn(&Segment) -> u64) {
    let seg = segment(16 << 20);
    seg.root().set("kept", 1).unwrap();
    // A first round takes what stays: pages, pin table, schema.
    build(&seg);
    seg.gc().unwrap();
    let before = assert_sound(&seg);
    let objects = build(&seg);
    let report = assert_sound(&seg);
    assert_eq!(report.garbage, objects, "the checker sees it");
    let collected = seg.gc().unwrap();
    assert_eq!(collected.objects, objects);
    assert_eq!(collected.live, before.objects);
    let after = assert_sound(&seg);
    assert_eq!(after, before);
    assert_eq!(collected.bytes, report.bytes - after.bytes);
    assert_eq!(seg.gc().unwrap().objects, 0);
}

#[test]
fn list_in_itself_is_collected() {
    is_collected(|seg| {
        let list = seg.list_of([LONG]).unwrap();
        list.push(&list).unwrap();
        1
    });
}

#[test]
fn dict_and_list_in_each_other_are_collected() {
    is_collected(|seg| {
        let list = seg.list_of([LONG]).unwrap();
        let dict = seg.dict([(LONG, &list)]).unwrap();
        let set = seg.set([LONG]).unwrap();
        let bytes = seg.bytearray(&[7; 5000]).unwrap();
        list.extend([Value::from(&dict), (&set).into(), (&bytes).into(), (&list).into()]).unwrap();
        4
    });
}

#[test]
fn struct_in_its_own_fields_is_collected() {
    is_collected(|seg| {
        let schema = Schema::parse("t.Node{any:value,items:list,names:dict,n:i64}").unwrap();
        let items = seg.list_of([LONG]).unwrap();
        let names = seg.dict([("a", LONG)]).unwrap();
        let fields = [Value::None, (&items).into(), (&names).into(), 7.into()];
        let record = Record::create(seg.heap(), &schema, &fields).unwrap();
        items.push(&record).unwrap();
        names.set("me", &record).unwrap();
        record.set("any", &record).unwrap();
        3
    });
}

#[test]
fn tuple_inside_of_a_cycle_is_collected() {
    is_collected(|seg| {
        let list = seg.list_of([LONG]).unwrap();
        let inner = Value::Tuple(vec![(&list).into(), LONG.into()]);
        list.push(Value::Tuple(vec![inner.clone(), inner])).unwrap();
        1
    });
}

#[test]
fn slice_inside_of_a_cycle_is_collected() {
    is_collected(|seg| {
        let list = seg.list_of([LONG]).unwrap();
        let inner = Extended::Slice([(&list).into(), LONG.into(), Value::None]);
        let outer = Extended::Slice([Value::from(inner.clone()), inner.into(), (&list).into()]);
        list.push(outer).unwrap();
        1
    });
}

#[test]
fn wide_garbage_is_taken_apart_step_by_step() {
    is_collected(|seg| {
        let hub = seg.list([]).unwrap();
        for number in 0..300 {
            let spoke = seg.list_of([Value::from(&hub), number.into()]).unwrap();
            spoke.push(&spoke).unwrap();
            hub.push(&spoke).unwrap();
        }
        301
    });
}

#[test]
fn chain_of_a_million_objects_is_collected() {
    let seg = segment(400 << 20);
    let before = assert_sound(&seg).blocks;
    {
        let first = seg.list([]).unwrap();
        let mut last = first.clone();
        for _ in 0..1_000_000 {
            let next = seg.list_of([&last]).unwrap();
            last = next;
        }
        first.push(&last).unwrap();
    }
    let collected = seg.gc().unwrap();
    assert_eq!(collected.objects, 1_000_001);
    assert!(assert_sound(&seg).blocks <= before + 1, "the pin table may have come");
}

#[test]
fn garbage_gives_up_what_lives_on() {
    let seg = segment(4 << 20);
    let live = seg.list_of([LONG]).unwrap();
    seg.root().set("live", &live).unwrap();
    let cycle = seg.list_of([Value::from(&live), (&live).into(), LONG.into()]).unwrap();
    cycle.push(Value::Tuple(vec![(&cycle).into(), (&live).into()])).unwrap();
    let count = || seg.heap().load(live.object().at()).unwrap() & 0xFFFF_FFFF;
    assert_eq!(count(), 4);
    drop(cycle);
    assert_eq!(seg.gc().unwrap().objects, 1);
    assert_eq!(count(), 1);
    assert_eq!(live.to_vec().unwrap(), [Value::from(LONG)]);
    assert_sound(&seg);
}

#[test]
fn pinned_cycles_survive() {
    let seg = segment(4 << 20);
    let outer = seg.list([]).unwrap();
    let inner = seg.dict([("outer", &outer)]).unwrap();
    outer.push(&inner).unwrap();
    drop(outer);
    assert_eq!(seg.gc().unwrap().objects, 0);
    let Some(Value::List(outer)) = inner.get("outer").unwrap() else { panic!("it is gone") };
    assert_eq!(outer.len().unwrap(), 1);
    drop((inner, outer));
    assert_eq!(seg.gc().unwrap().objects, 2);
    assert_sound(&seg);
}

#[test]
fn ids_of_collected_objects_are_closed() {
    let seg = segment(4 << 20);
    let outer = seg.list([]).unwrap();
    let inner = seg.list_of([&outer]).unwrap();
    outer.push(&inner).unwrap();
    let ids = [outer.id(), inner.id()];
    drop((outer, inner));
    // Nothing was collected yet: an id still names its object, and then keeps all of the cycle.
    let Ok(Value::List(again)) = seg.object(ids[0]) else { panic!("it is gone too early") };
    assert_eq!(seg.gc().unwrap().objects, 0);
    drop(again);
    assert_eq!(seg.gc().unwrap().objects, 2);
    for id in ids {
        assert!(matches!(seg.object(id), Err(Error::Closed { .. })));
    }
    // Nor do they name what uses the headers next.
    let _fresh = [seg.list_of([1]).unwrap(), seg.list_of([2]).unwrap()];
    for id in ids {
        assert!(matches!(seg.object(id), Err(Error::Closed { .. })));
    }
}

#[test]
fn burial_is_finished_by_the_next_holder_of_the_lock() {
    // Killed with so many flags set; the last round also has the graveyard's head stored.
    for flags in 0..=3 {
        let seg = segment(4 << 20);
        let lists: Vec<List> = (0..3).map(|_| seg.list_of([LONG]).unwrap()).collect();
        for (index, list) in lists.iter().enumerate() {
            list.push(&lists[(index + 1) % 3]).unwrap();
        }
        let cells: Vec<Cell> = lists.iter().map(List::cell).collect();
        drop(lists);
        let memory = &seg.heap().0.memory;
        let word = |at: u64| memory.word(at).unwrap();
        seg.heap()
            .write(|_| {
                let mut next = 0;
                for cell in cells.iter().rev() {
                    let at = cell.as_ref().unwrap().at;
                    word(at + object::LINK).store(next, Ordering::Relaxed);
                    next = cell.0;
                }
                memory.meta(header::BURYING)?.store(next, Ordering::Relaxed);
                for cell in cells.iter().take(flags) {
                    word(cell.as_ref().unwrap().at).fetch_add(1 << 40, Ordering::Relaxed);
                }
                if flags == 3 {
                    memory.meta(header::GRAVEYARD)?.store(next, Ordering::Relaxed);
                }
                recovery::recover_logs(memory)
            })
            .unwrap();
        let report = assert_sound(&seg);
        assert_eq!(report.garbage, 0, "with {flags} flags");
        for cell in cells {
            let at = cell.as_ref().unwrap().at;
            assert!(!crate::alloc::is_allocated(memory, at).unwrap());
        }
    }
}

#[test]
fn chains_that_lead_astray_are_let_go_of() {
    let seg = segment(4 << 20);
    let memory = &seg.heap().0.memory;
    let list = seg.list_of([1]).unwrap();
    seg.root().set("x", &list).unwrap();
    for first in [1, 0x10, u64::MAX, seg.root().cell().0 ^ (1 << 56)] {
        memory.meta(header::BURYING).unwrap().store(first, Ordering::Relaxed);
        assert!(seg.heap().write(|_| objects::finish_burial(memory)).is_err());
        assert_eq!(memory.meta(header::BURYING).unwrap().load(Ordering::Relaxed), 0);
    }
    assert_sound(&seg);
}

#[test]
fn graveyards_that_lead_nowhere_or_in_a_circle_are_let_go_of() {
    let seg = segment(4 << 20);
    let (one, two) = (seg.list_of([1]).unwrap(), seg.list_of([2]).unwrap());
    let (at, other) = (one.object().at(), two.object().at());
    store(&seg, at + object::LINK, two.cell().0);
    store(&seg, other + object::LINK, one.cell().0);
    for (flags, top) in [(0, 1), (0, 0x10), (0, one.cell().0), (1 << 40, one.cell().0)] {
        // Both are dead, and refer to each other by their counts alone.
        for at in [at, other] {
            let meta = seg.heap().load(at).unwrap();
            store(&seg, at, meta | flags | u64::from(flags != 0));
        }
        store(&seg, header::GRAVEYARD, top);
        seg.root().set("n", LONG).unwrap();
        assert_eq!(seg.heap().0.memory.meta(header::GRAVEYARD).unwrap().load(Ordering::Relaxed), 0);
    }
    assert!(seg.check().unwrap().findings.iter().any(|finding| finding.contains("audit")));
    assert!(seg.audit().unwrap().left.is_empty());
    assert_sound(&seg);
}

#[test]
fn damaged_segments_are_not_collected() {
    let seg = segment(4 << 20);
    let list = seg.list_of([LONG]).unwrap();
    seg.root().set("x", &list).unwrap();
    let kept = seg.list_of([1]).unwrap();
    list.push(&kept).unwrap();
    let at = list.object().at() + object::W1;
    let word = seg.heap().word(at).unwrap();
    let old = word.load(Ordering::Relaxed);
    word.store(9999 << 32, Ordering::Relaxed);
    let blocks = seg.check().unwrap().blocks;
    assert!(matches!(seg.gc(), Err(Error::SegmentCorrupt { .. })));
    assert_eq!(seg.check().unwrap().blocks, blocks);
    word.store(old, Ordering::Relaxed);
    assert_eq!(seg.gc().unwrap().objects, 0);
    assert_sound(&seg);
}

#[test]
fn loosened_objects_lead_to_a_collection() {
    let seg = segment(64 << 20);
    let (one, two) = (seg.list([]).unwrap(), seg.list([]).unwrap());
    let cycle = seg.list([]).unwrap();
    cycle.push(&cycle).unwrap();
    let id = cycle.id();
    drop(cycle);
    one.push(&two).unwrap();
    for _ in 0..100_001 {
        one.push(&two).unwrap();
        one.pop().unwrap();
    }
    assert!(matches!(seg.object(id), Err(Error::Closed { .. })), "collected by itself");
    assert_sound(&seg);
}

fn store(seg: &Segment, at: u64, value: u64) {
    seg.heap().0.memory.any_word(at).unwrap().store(value, Ordering::Relaxed);
}

fn block_of(seg: &Segment, list: &List) -> u64 {
    seg.heap().load(list.object().at() + object::W0).unwrap()
}
