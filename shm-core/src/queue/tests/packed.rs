//! Messages of containers: one block while they wait, whole however they are taken, errors where the block is damaged.

use super::{NOW, segment, sound};
use crate::cell::Kind;
use crate::layout::LEAF_DATA;
use crate::list::Items;
use crate::primitive::Ordering;
use crate::queue::{Message, Taken};
use crate::segment::Segment;
use crate::value::{Draft, Part, Value};

const LONG_TEXT: &str = "a text that takes a block";

/// `{"id": 7, LONG_TEXT: [LONG_TEXT, 1.5], "who": {"set": {1, "a"}}, "raw": b"..."}`
fn nested(seg: &Segment) -> Draft {
    let mut draft = Draft::new(seg.heap());
    draft.key("id");
    draft.int(7);
    draft.key(LONG_TEXT);
    draft.text(LONG_TEXT);
    draft.float(1.5);
    assert!(draft.list(2));
    draft.key("who");
    draft.key("set");
    draft.key_value(Value::Int(1)).unwrap();
    draft.key("a");
    assert!(draft.set(2) && draft.dict(1));
    draft.key("raw");
    draft.bytes(&[7; 20]);
    assert!(draft.dict(4));
    draft
}

fn is_nested(value: &Value) {
    let dict = value.as_dict().unwrap();
    assert_eq!(dict.len().unwrap(), 4);
    assert_eq!(dict.get("id").unwrap(), Some(Value::Int(7)));
    let list = dict.get(LONG_TEXT).unwrap().unwrap();
    assert_eq!(
        list.as_list().unwrap().to_vec().unwrap(),
        [Value::from(LONG_TEXT), Value::from(1.5)]
    );
    let who = dict.get("who").unwrap().unwrap();
    let set = who.as_dict().unwrap().get("set").unwrap().unwrap();
    assert!(set.as_set().unwrap().contains(1).unwrap());
    assert!(set.as_set().unwrap().contains("a").unwrap());
    assert_eq!(dict.get("raw").unwrap(), Some(Value::Bytes(vec![7; 20])));
}

fn message(seg: &Segment) -> Message {
    match seg.queue("q", 0).unwrap().get_with(NOW, |_| Ok(())).unwrap() {
        Taken::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_of_containers_waits_in_one_block_and_is_whole_however_it_is_taken() {
    let seg = segment();
    let queue = seg.queue("q", 0).unwrap();
    queue.put(nested(&seg), NOW).unwrap();
    queue.get(NOW).unwrap();
    let empty = seg.check().unwrap().leaves;
    let put = || queue.put(nested(&seg), NOW).unwrap();
    put();
    assert_eq!(seg.check().unwrap().leaves, empty + 1);
    is_nested(&queue.peek(false).unwrap().unwrap());
    put();
    put();
    is_nested(&queue.peek(true).unwrap().unwrap());
    is_nested(&queue.get_newest().unwrap().unwrap());
    is_nested(&queue.get_newest().unwrap().unwrap());
    is_nested(&queue.get(NOW).unwrap());
    put();
    let lease = queue.get_lease(NOW).unwrap();
    is_nested(lease.value());
    lease.give_back().unwrap();
    is_nested(&queue.get(NOW).unwrap());
    put();
    let message = message(&seg);
    assert!(matches!(message.parts().last(), Some(Part::Dict(4))));
    is_nested(&message.build(seg.heap()).unwrap());
    put();
    queue.close(true).unwrap();
    sound(&seg);
    assert_eq!(seg.check().unwrap().leaves, empty);
}

#[test]
fn what_is_peeked_at_is_the_object_that_is_taken() {
    let seg = segment();
    let queue = seg.queue("q", 0).unwrap();
    queue.put(nested(&seg), NOW).unwrap();
    let seen = queue.peek(false).unwrap().unwrap();
    seen.as_dict().unwrap().set("id", 8).unwrap();
    let taken = queue.get(NOW).unwrap();
    assert!(taken.as_dict().unwrap().same(seen.as_dict().unwrap()));
}

#[test]
fn a_full_segment_gives_a_message_away_as_it_is_or_built_elsewhere() {
    let seg = segment();
    let queue = seg.queue("q", 0).unwrap();
    for _ in 0..4 {
        queue.put(nested(&seg), NOW).unwrap();
    }
    let filler = seg.list_of([0]).unwrap();
    for size in [1 << 16, 1 << 10, 200, 64, 24] {
        while filler.push("x".repeat(size)).is_ok() {}
    }
    while filler.push(seg.list_of([0]).map_or(Value::None, Value::List)).is_ok()
        && seg.list_of([0]).is_ok()
    {}
    let is_elsewhere = |value: &Value| {
        is_nested(value);
        assert!(!value.as_dict().unwrap().heap().is_same(seg.heap()));
    };
    is_elsewhere(&queue.peek(false).unwrap().unwrap());
    is_elsewhere(&queue.get_newest().unwrap().unwrap());
    let lease = queue.get_lease(NOW).unwrap();
    is_elsewhere(lease.value());
    lease.give_back().unwrap();
    is_elsewhere(&queue.get(NOW).unwrap());
    let lease = queue.get_lease_unbuilt(NOW).unwrap();
    assert!(lease.message().is_some());
    lease.ack().unwrap();
    assert_eq!(queue.len().unwrap(), 1);
    let message = message(&seg);
    assert!(message.build(seg.heap()).is_err());
    filler.clear().unwrap();
    is_nested(&message.build(seg.heap()).unwrap());
    sound(&seg);
}

#[test]
fn words_that_are_no_message_are_an_error_and_stay_inside() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let seg = segment();
    let queue = seg.queue("q", 0).unwrap();
    let mut found = 0;
    for round in 0..2000 {
        queue.put(nested(&seg), NOW).unwrap();
        let heap = seg.heap();
        let items = Items::load(heap, queue.items().object().at()).unwrap();
        let cell = crate::cell::Cell(heap.load(items.at(0)).unwrap());
        let packed = cell.as_ref().unwrap();
        assert_eq!(packed.kind, Kind::Packed);
        let length = heap.load(packed.at + 8).unwrap() / 8;
        let word = heap.word(packed.at + LEAF_DATA + random() % length * 8).unwrap();
        let nonsense = match round % 4 {
            0 => random(),
            1 => word.load(Ordering::Relaxed) ^ (1 << (random() % 64)),
            2 => random() & !0b111,
            _ => (random() % 24) << 48 | (random() % 64) << 4 | (random() & 1) << 56,
        };
        word.store(nonsense, Ordering::Relaxed);
        found += u64::from(!seg.check().unwrap().is_sound());
        if queue.get(NOW).is_err() {
            assert_eq!(queue.len().unwrap(), 1);
            let message = message(&seg);
            assert!(message.parts().count() < 64);
            assert!(message.build(heap).is_err());
        }
        assert!(queue.is_empty().unwrap());
    }
    assert!(found > 500, "the check saw {found} of 2000");
    sound(&seg);
}
