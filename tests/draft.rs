//! Drafts: graphs of containers stored in one operation hold what was drafted, wherever they are stored.

#![allow(clippy::unwrap_used, reason = "a test that fails is to fail")]

use std::sync::atomic::{AtomicBool, Ordering};

use shm::cell::Cell;
use shm::{Copied, Draft, Error, Part, Segment, SegmentOptions, Value};

/// What a draft is compared with.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Leaf(Value),
    List(Vec<Tree>),
    Dict(Vec<(String, Tree)>),
    Set(Vec<String>),
}

fn fresh() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap()
}

fn text(random: &mut fastrand::Rng) -> String {
    let length = random.usize(..20);
    std::iter::repeat_with(|| random.char('a'..='ë')).take(length).collect()
}

fn tree(random: &mut fastrand::Rng, depth: usize) -> Tree {
    let kind = random.usize(..if depth == 0 { 5 } else { 8 });
    let count = random.usize(..6);
    match kind {
        0 => Tree::Leaf(Value::Int(random.i64(..))),
        1 => Tree::Leaf(Value::Float(f64::from_bits(random.u64(..) & !(0x7FF << 52) | 1 << 56))),
        2 => Tree::Leaf(Value::None),
        3 => Tree::Leaf(Value::Bytes(text(random).into_bytes())),
        4 => Tree::Leaf(Value::Str(text(random))),
        5 => Tree::List((0..count).map(|_| tree(random, depth - 1)).collect()),
        6 => {
            let keys = (0..count).map(|number| format!("{number}{}", text(random)));
            let keys: Vec<_> = keys.collect();
            Tree::Dict(keys.into_iter().map(|key| (key, tree(random, depth - 1))).collect())
        }
        _ => Tree::Set((0..count).map(|number| format!("{number}{}", text(random))).collect()),
    }
}

/// Adds a tree to a draft; whether it may still be stored.
fn add(draft: &mut Draft, tree: &Tree) -> bool {
    match tree {
        Tree::Leaf(Value::Int(number)) => draft.int(*number),
        Tree::Leaf(Value::Float(number)) => draft.float(*number),
        Tree::Leaf(Value::Str(text)) => draft.text(text),
        Tree::Leaf(Value::Bytes(content)) => draft.bytes(content),
        Tree::Leaf(value) => draft.value(value.clone()).unwrap(),
        Tree::List(items) => {
            return items.iter().all(|item| add(draft, item)) && draft.list(items.len());
        }
        Tree::Dict(entries) => {
            for (key, item) in entries {
                draft.key(key);
                if !add(draft, item) {
                    return false;
                }
            }
            return draft.dict(entries.len());
        }
        Tree::Set(members) => {
            for member in members {
                draft.key(member);
            }
            return draft.set(members.len());
        }
    }
    true
}

fn read(value: Value) -> Tree {
    match value {
        Value::List(list) => Tree::List(list.to_vec().unwrap().into_iter().map(read).collect()),
        Value::Dict(dict) => {
            let entries = dict.to_vec().unwrap().into_iter();
            Tree::Dict(entries.map(|(key, item)| (name(key), read(item))).collect())
        }
        Value::Set(set) => Tree::Set(set.to_vec().unwrap().into_iter().map(name).collect()),
        leaf => Tree::Leaf(leaf),
    }
}

fn name(key: Value) -> String {
    match key {
        Value::Str(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_drafted_is_what_is_stored() {
    let segment = fresh();
    let mut random = fastrand::Rng::with_seed(5);
    let queue = segment.queue("jobs", 0).unwrap();
    let list = segment.list([]).unwrap();
    let root = segment.root();
    let mut stored = 0;
    for round in 0..2_000 {
        let depth = random.usize(1..4);
        let tree = tree(&mut random, depth);
        let mut draft = Draft::new(segment.heap());
        if !add(&mut draft, &tree) {
            continue;
        }
        stored += 1;
        let found = match round % 4 {
            0 => {
                queue.put(draft, None).unwrap();
                queue.get(None).unwrap()
            }
            1 => {
                list.push(draft).unwrap();
                list.pop().unwrap().unwrap()
            }
            2 => {
                root.set("x", Value::Tuple(vec![draft.into(), 1.into()])).unwrap();
                match root.get("x").unwrap().unwrap() {
                    Value::Tuple(mut items) => items.swap_remove(0),
                    other => panic!("{other:?}"),
                }
            }
            _ => {
                root.set("x", draft).unwrap();
                root.get("x").unwrap().unwrap()
            }
        };
        assert_eq!(read(found.clone()), tree);
        // It is a container like any other.
        if let Value::Dict(dict) = found {
            let len = dict.len().unwrap();
            dict.set("one more", 1).unwrap();
            assert_eq!(dict.len().unwrap(), len + 1);
            for (key, _) in dict.to_vec().unwrap() {
                assert!(dict.remove(&key).unwrap().is_some());
            }
        }
    }
    assert!(stored > 1_000, "{stored}");
    root.clear().unwrap();
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn a_transaction_that_is_undone_leaves_nothing_of_a_draft() {
    let segment = fresh();
    let draft = || {
        let mut draft = Draft::new(segment.heap());
        draft.key("a text that is long");
        draft.text("another text that is long");
        draft.key("inner");
        draft.int(1);
        assert!(draft.list(1) && draft.dict(2));
        draft
    };
    segment.root().set("warm", draft()).unwrap();
    segment.root().remove("warm").unwrap();
    let before = segment.stats().unwrap().taken;
    let transaction = segment.begin(None).unwrap();
    segment.root().set("x", draft()).unwrap();
    let handle = segment.root().get("x").unwrap();
    transaction.rollback().unwrap();
    drop(transaction);
    assert!(!segment.root().contains_key("x").unwrap());
    assert!(matches!(handle, Some(Value::Dict(dict)) if dict.is_empty().unwrap()));
    assert!(segment.check().unwrap().is_sound());
    assert_eq!(segment.stats().unwrap().taken, before);
}

#[test]
fn a_draft_that_does_not_fit_says_so_or_changes_nothing() {
    let segment = fresh();
    let mut twice = Draft::new(segment.heap());
    for _ in 0..2 {
        twice.key("same");
        twice.int(1);
    }
    assert!(!twice.dict(2), "equal keys are one entry");
    let mut many = Draft::new(segment.heap());
    for _ in 0..200 {
        many.text("a text that is long");
    }
    assert!(!many.list(200));
    assert!(!Draft::new(segment.heap()).list(1), "there is nothing to make a list of");
    let mut open = Draft::new(segment.heap());
    open.int(1);
    open.int(2);
    assert!(!open.is_whole());
    assert!(matches!(segment.root().set("x", open), Err(Error::InvalidArgument { .. })));
    let mut foreign = Draft::new(fresh().heap());
    assert!(foreign.list(0));
    assert!(matches!(segment.root().set("x", foreign), Err(Error::InvalidArgument { .. })));
    assert!(segment.root().is_empty().unwrap());
    assert!(segment.check().unwrap().is_sound());
}

/// The integers of a copy, in order.
fn numbers(copied: &Copied) -> Vec<i64> {
    let number = |part| if let Part::Cell(cell) = part { Cell::as_int(cell) } else { None };
    copied.parts().filter_map(number).collect()
}

#[test]
fn a_copy_is_of_one_moment_and_ends_whoever_writes() {
    let segment = fresh();
    let children = [segment.list_of([0, 0]).unwrap(), segment.list_of([0, 0]).unwrap()];
    let parent = segment.list_of([&children[0], &children[1]]).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1_i64.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let transaction = segment.begin(None).unwrap();
                for child in &children {
                    child.set(0, number).unwrap();
                    child.set(1, number).unwrap();
                }
                transaction.commit().unwrap();
                // Leaves the readers some time.
                for _ in 0..200 {
                    std::hint::spin_loop();
                }
            }
        });
        let whole = Value::from(&parent);
        let mut seen = 0;
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while seen < 2_000 && std::time::Instant::now() < until {
            if let Some(copied) = Copied::of(&whole) {
                let found = numbers(&copied);
                assert_eq!(found, [found[0]; 4]);
                seen += 1;
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(seen > 0, "there was a quiet moment");
    });
}

#[test]
fn what_a_copy_does_not_take_is_left_to_the_general_way() {
    let segment = fresh();
    let list = segment.list_of([1]).unwrap();
    assert!(Copied::of(&Value::from(&list)).is_some());
    list.push(&list).unwrap();
    assert!(Copied::of(&Value::from(&list)).is_none(), "a circle");
    let large = segment.list_of(0..10_000).unwrap();
    assert!(Copied::of(&Value::from(&large)).is_none(), "a large list");
    let tuple = segment.list_of([Value::from((1, 2))]).unwrap();
    assert!(Copied::of(&Value::from(&tuple)).is_none(), "a tuple");
    let heavy = segment.list_of(["x".repeat(2 << 20)]).unwrap();
    assert!(Copied::of(&Value::from(&heavy)).is_none(), "much text");
    assert!(Copied::of(&Value::from(1)).is_none(), "no container");
    let transaction = segment.begin(None).unwrap();
    let own = segment.list_of([1]).unwrap();
    own.push(2).unwrap();
    if let Some(copied) = Copied::of(&Value::from(&own)) {
        assert_eq!(numbers(&copied), [1, 2]);
    }
    drop(transaction);
    list.clear().unwrap();
}

#[test]
fn large_bytes_pass_a_queue_whole_and_what_the_receiver_refuses_stays() {
    let segment = fresh();
    let queue = segment.queue("q", 2).unwrap();
    for size in [0, 5, 4_095, 4_096, 100_001] {
        let content: Vec<u8> = (0..size).map(|number| (number * 7) as u8).collect();
        queue.put_bytes(&content, None).unwrap();
        let refused = Error::InvalidArgument { what: "not now".to_owned() };
        let mut refused = Some(refused);
        if size >= 4_096 {
            let result = queue.get_with(None, |_| Err::<(), _>(refused.take().unwrap()));
            assert!(matches!(result, Err(Error::InvalidArgument { .. })));
            assert_eq!(queue.len().unwrap(), 1);
        }
        let taken = queue.get_with(None, |incoming| {
            let mut room = Box::<[u8]>::new_uninit_slice(incoming.len() + 1);
            assert!(!incoming.copy_to(&mut room), "the room is too large");
            Ok(incoming.len())
        });
        match taken.unwrap() {
            shm::Taken::Value(value) => assert_eq!(value, Value::Bytes(content)),
            shm::Taken::Bytes(length) => assert_eq!(length, size),
            shm::Taken::Message(message) => panic!("{message:?}"),
        }
    }
    assert!(segment.check().unwrap().is_sound());
}
