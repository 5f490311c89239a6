//! What changes between the walk ahead and the writer lock, and what the walk must not rely on.

use super::{LONG, assert_sound, block_of, segment, store};
use crate::cell::{Cell, Kind};
use crate::gc::ahead::look_ahead;
use crate::gc::collect_after;
use crate::heap::Heap;
use crate::layout::object;
use crate::leaf::sequence;
use crate::list::List;
use crate::segment::Segment;
use crate::value::{Draft, Value};

/// Changes a segment after a walk ahead has seen it, collects, and finds all that lives.
fn is_seen_under_the_lock(change: impl FnOnce(&Segment)) {
    let seg = segment(4 << 20);
    seg.root().set("first", seg.list_of([seg.list_of([LONG]).unwrap()]).unwrap()).unwrap();
    seg.root().set("last", draft(&seg, LONG)).unwrap();
    let ahead = look_ahead(&seg.heap().0.memory).unwrap();
    change(&seg);
    let before = assert_sound(&seg);
    assert_eq!(before.garbage, 0);
    let collected = collect_after(seg.heap(), ahead).unwrap();
    assert_eq!((collected.objects, collected.live), (0, before.objects));
    assert_eq!(assert_sound(&seg), before);
}

/// A list of a value that is filled before it is seen.
fn draft(seg: &Segment, value: impl Into<Value>) -> Draft {
    let mut draft = Draft::new(seg.heap());
    draft.value(value.into()).unwrap();
    assert!(draft.list(1));
    draft
}

fn list_at(seg: &Segment, key: &str) -> List {
    let Some(Value::List(list)) = seg.root().get(key).unwrap() else { panic!("no {key}") };
    list
}

#[test]
fn what_moves_to_where_the_walk_was_is_found() {
    is_seen_under_the_lock(|seg| {
        let inner = list_at(seg, "first").pop().unwrap();
        list_at(seg, "last").push(inner).unwrap();
    });
}

#[test]
fn what_is_made_after_the_walk_is_found() {
    is_seen_under_the_lock(|seg| {
        let fresh = seg.dict([(LONG, seg.list_of([LONG]).unwrap())]).unwrap();
        list_at(seg, "last").push(Value::Tuple(vec![fresh.into()])).unwrap();
    });
}

#[test]
fn headers_used_again_are_followed_again() {
    is_seen_under_the_lock(|seg| {
        let child = seg.list_of([LONG]).unwrap();
        let header = list_at(seg, "last").object().at();
        seg.root().remove("last").unwrap();
        // As the one before it was when the walk came by, but for what it holds.
        seg.root().set("again", draft(seg, &child)).unwrap();
        assert_eq!(list_at(seg, "again").object().at(), header);
    });
}

#[test]
fn locks_that_containers_got_are_found() {
    is_seen_under_the_lock(|seg| drop(list_at(seg, "first").lock().unwrap()));
}

#[test]
fn pages_taken_after_the_walk_are_looked_at() {
    is_seen_under_the_lock(|seg| {
        let last = list_at(seg, "last");
        for number in 0..3000 {
            last.push(seg.list_of([Value::from(number), LONG.into()]).unwrap()).unwrap();
        }
    });
}

#[test]
fn nothing_seen_during_an_operation_is_relied_on() {
    let seg = segment(4 << 20);
    let (list, ahead) = (seg.list_of([1]).unwrap(), |heap: &Heap| look_ahead(&heap.0.memory));
    seg.root().set("x", &list).unwrap();
    let at = list.object().at();
    let sequence = seg.heap().load(at + object::SEQ).unwrap();
    assert!(ahead(seg.heap()).unwrap().sequences.has(at, sequence));
    let busy = seg.heap().write(|tx| ahead(tx.heap())).unwrap();
    assert!(!busy.sequences.has(at, sequence));
    assert_eq!(collect_after(seg.heap(), busy).unwrap().objects, 0);
    assert_sound(&seg);
}

#[test]
fn tuples_within_tuples_end_the_walk() {
    let seg = segment(4 << 20);
    let inner = seg.list_of([LONG]).unwrap();
    let list = seg.list_of([Value::Tuple(vec![(&inner).into()])]).unwrap();
    seg.root().set("x", &list).unwrap();
    let cell = Cell(seg.heap().load(block_of(&seg, &list)).unwrap());
    // A tuple that holds the one below twice, and so on: 2^40 ways to the list.
    let top = seg
        .heap()
        .write(|tx| {
            let mut top = cell;
            tx.inc(top)?;
            for _ in 0..40 {
                tx.inc(top)?;
                top = sequence::store(tx, Kind::Tuple, &[top, top])?;
            }
            Ok(top)
        })
        .unwrap();
    list.push(1).unwrap();
    store(&seg, block_of(&seg, &list) + 8, top.0);
    let before = assert_sound(&seg);
    let ahead = look_ahead(&seg.heap().0.memory).unwrap();
    let sequence = seg.heap().load(list.object().at() + object::SEQ).unwrap();
    assert!(!ahead.sequences.has(list.object().at(), sequence), "it gave up");
    assert_eq!(collect_after(seg.heap(), ahead).unwrap().objects, 0);
    assert_eq!(assert_sound(&seg), before);
}
