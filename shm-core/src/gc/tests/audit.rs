//! Damage that an audit mends, what it frees, and what it leaves and names.

use super::{LONG, assert_sound, block_of, segment, store};
use crate::cell::{Cell, Kind};
use crate::layout::{header, object};
use crate::list::List;
use crate::segment::Segment;
use crate::value::Value;

/// Damages a word of a segment in use, audits, and finds it sound and its content as it was.
fn is_repaired(damage: impl Fn(&Segment, &List)) -> crate::gc::Audit {
    let seg = segment(4 << 20);
    let list = seg.list_of([Value::from(LONG), (1, LONG).into(), vec![7_u8; 2000].into()]).unwrap();
    list.push(seg.dict([(LONG, LONG)]).unwrap()).unwrap();
    list.push(seg.bytearray(&vec![7; 200_000]).unwrap()).unwrap();
    seg.root().set("x", &list).unwrap();
    let content = format!("{:?}", list.to_vec().unwrap());
    assert_sound(&seg);
    assert!(seg.audit().unwrap().is_clean());
    damage(&seg, &list);
    assert!(!seg.check().unwrap().is_sound(), "it is damaged");
    damage(&seg, &list);
    let audit = seg.audit().unwrap();
    assert_eq!(audit.left, Vec::<String>::new());
    assert_sound(&seg);
    assert!(seg.audit().unwrap().is_clean());
    assert_eq!(format!("{:?}", list.to_vec().unwrap()), content);
    // Life goes on, in what was repaired too.
    for number in 0..2000 {
        list.push((number, LONG)).unwrap();
    }
    list.clear().unwrap();
    assert_sound(&seg);
    audit
}

/// Where the directory entry of an offset's page is.
fn entry_of(seg: &Segment, at: u64) -> u64 {
    let geometry = seg.heap().0.memory.geometry;
    geometry.entry_at((at - geometry.data_at) / crate::layout::PAGE_BYTES)
}

#[test]
fn audit_repairs_counts_and_flags() {
    let audit = is_repaired(|seg, list| {
        let items = block_of(seg, list);
        let text = Cell(seg.heap().load(items).unwrap()).as_ref().unwrap().at;
        store(seg, text, (1 << 32) + 77);
        let at = list.object().at();
        let meta = seg.heap().load(at).unwrap();
        store(seg, at, (meta & !0xFF) | (1 << 40) | 9);
    });
    assert_eq!(audit.counts, 2);
}

#[test]
fn audit_frees_what_belongs_to_nothing() {
    let audit = is_repaired(|seg, _| {
        // Blocks of a class, a run and a header.
        seg.heap()
            .write(|tx| {
                tx.alloc(100)?;
                tx.alloc(500_000)?;
                tx.alloc_object(Kind::List)
            })
            .unwrap();
    });
    // By damaging twice, two of each.
    assert_eq!(audit.freed, 6);
}

#[test]
fn audit_restores_what_is_marked_as_free() {
    let audit = is_repaired(|seg, list| {
        let items = block_of(seg, list);
        let entry = entry_of(seg, items);
        let geometry = seg.heap().0.memory.geometry;
        let page = geometry.page_at((items - geometry.data_at) / crate::layout::PAGE_BYTES);
        // Its page's bitmap, if it has one of its own: all free.
        store(seg, page, u64::MAX);
        store(seg, entry + crate::layout::page::FREE, 3);
    });
    assert!(audit.restored >= 1 && audit.pages >= 1, "{audit:?}");
}

#[test]
fn audit_relinks_page_lists() {
    is_repaired(|seg, list| {
        let entry = entry_of(seg, list.object().at());
        store(seg, entry + crate::layout::page::NEXT, 3);
        store(seg, entry + crate::layout::page::PREVIOUS, 2);
        store(seg, header::CLASS_HEADS + 8, 77);
        store(seg, header::FIRST_FREE_PAGE, 9);
    });
}

#[test]
fn audit_empties_broken_lists_of_the_dead() {
    let audit = is_repaired(|seg, list| {
        store(seg, list.object().at() + object::SEQ, 0x1001);
        store(seg, header::THREAD_HIGH, 2);
        let other = seg.heap().0.memory.geometry.thread_at(1);
        store(seg, other + crate::layout::thread::STATE, 0x101);
        store(seg, header::AUDIT_NEEDED, 1);
        store(seg, header::BURYING, list.cell().0);
    });
    assert!(audit.words >= 3, "{audit:?}");
}

#[test]
fn audit_leaves_what_contradicts_itself_and_says_so() {
    let seg = segment(4 << 20);
    let list = seg.list_of([LONG, LONG]).unwrap();
    seg.root().set("x", &list).unwrap();
    store(&seg, block_of(&seg, &list), Cell::reference(Kind::Str, 0x50, 0).0);
    let audit = seg.audit().unwrap();
    assert_eq!((audit.left.len(), audit.freed), (1, 1), "{audit:?}");
    assert!(audit.left[0].contains("0x50"), "{audit:?}");
}

#[test]
fn collection_of_a_damaged_segment_audits_first() {
    let seg = segment(4 << 20);
    let lost = seg.heap().write(|tx| tx.alloc(100)).unwrap();
    store(&seg, header::AUDIT_NEEDED, 1);
    seg.gc().unwrap();
    assert!(!crate::alloc::is_allocated(&seg.heap().0.memory, lost).unwrap());
    assert_sound(&seg);
}
