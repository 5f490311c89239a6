//! The dict by itself: keys, order, growth, deletion and what a handle sees.

use crate::dict::Dict;
use crate::error::Error;
use crate::list::List;
use crate::scratch::{assert_sound, blocks, heap};
use crate::set::Set;
use crate::value::Value;

const LONG: &str = "a text that does not fit into a cell";

#[test]
fn entries_are_found_and_keep_their_order() {
    let heap = heap(8 << 20);
    let dict = Dict::empty(&heap).unwrap();
    for number in 0..2000_i64 {
        assert_eq!(dict.insert(number, number * 2).unwrap(), None);
        dict.set(format!("{LONG} {number}"), number).unwrap();
    }
    assert_eq!(dict.len().unwrap(), 4000);
    for number in 0..2000_i64 {
        assert_eq!(dict.get_int(number).unwrap().unwrap(), number * 2);
        assert_eq!(dict.get_str(&format!("{LONG} {number}")).unwrap().unwrap(), number);
    }
    assert_eq!(dict.get(2000).unwrap(), None);
    let keys: Vec<Value> = dict.keys().map(Result::unwrap).step_by(2).collect();
    assert_eq!(keys, (0..2000).map(Value::from).collect::<Vec<_>>());
    assert_sound(&heap);
    dict.clear().unwrap();
    assert_sound(&heap);
    assert!(blocks(&heap) < 10);
}

#[test]
fn equal_numbers_are_one_key() {
    let heap = heap(1 << 20);
    let dict = Dict::empty(&heap).unwrap();
    dict.set(1, "one").unwrap();
    dict.set(true, "true").unwrap();
    dict.set(1.0, "float").unwrap();
    assert_eq!(dict.to_vec().unwrap(), [(1.into(), "float".into())]);
    dict.set(1_u64 << 63, "big").unwrap();
    assert_eq!(dict.get(9_223_372_036_854_775_808.0).unwrap().unwrap(), "big");
    dict.set(-0.0, "zero").unwrap();
    assert_eq!(dict.get(0).unwrap().unwrap(), "zero");
    dict.set(f64::NAN, "nan").unwrap();
    assert_eq!(dict.get(f64::NAN).unwrap().unwrap(), "nan");
    dict.set((1, "x", 2.0), "tuple").unwrap();
    assert_eq!(dict.get((true, "x", 2)).unwrap().unwrap(), "tuple");
    let members = Value::FrozenSet(vec![1.into(), LONG.into()]);
    dict.set(members, "frozenset").unwrap();
    let members = Value::FrozenSet(vec![LONG.into(), 1.0.into()]);
    assert_eq!(dict.get(&members).unwrap().unwrap(), "frozenset");
    dict.set("1", "text").unwrap();
    dict.set(b"1".as_slice(), "bytes").unwrap();
    assert_eq!(dict.get("1").unwrap().unwrap(), "text");
    assert_eq!(dict.get(b"1".as_slice()).unwrap().unwrap(), "bytes");
    assert_sound(&heap);
}

#[test]
fn mutable_keys_are_refused() {
    let heap = heap(1 << 20);
    let dict = Dict::empty(&heap).unwrap();
    let list = List::empty(&heap).unwrap();
    assert!(matches!(dict.get(&list), Err(Error::Unhashable { .. })));
    assert!(matches!(dict.set(&list, 1), Err(Error::Unhashable { .. })));
    assert!(matches!(dict.set((1, &list), 1), Err(Error::Unhashable { .. })));
}

#[test]
fn both_ends_are_taken() {
    let heap = heap(4 << 20);
    let dict = Dict::new(&heap, (0..1000).map(|number| (number, LONG))).unwrap();
    for number in 0..400 {
        assert_eq!(dict.pop_first().unwrap().unwrap().0, number);
        assert_eq!(dict.pop_item().unwrap().unwrap().0, 999 - number);
        if number < 200 {
            assert_eq!(dict.remove(400 + number).unwrap().unwrap(), LONG);
        }
    }
    assert!(dict.is_empty().unwrap());
    assert_eq!(dict.pop_item().unwrap(), None);
    assert_eq!(dict.pop_first().unwrap(), None);
    dict.set("new", 1).unwrap();
    assert_eq!(dict.pop_first().unwrap().unwrap().0, "new");
    assert_sound(&heap);
}

#[test]
fn a_dict_used_as_stack_or_queue_keeps_its_memory() {
    let heap = heap(1 << 20);
    let dict = Dict::empty(&heap).unwrap();
    for number in 0..30_000 {
        dict.set(number, number).unwrap();
        if number >= 10 && number % 2 == 0 {
            assert_eq!(dict.pop_item().unwrap().unwrap().0, number);
        } else if number >= 10 {
            assert!(dict.pop_first().unwrap().is_some());
        }
    }
    assert_eq!(dict.len().unwrap(), 10);
    assert_sound(&heap);
}

#[test]
fn a_changed_size_ends_the_iteration() {
    let heap = heap(1 << 20);
    let dict = Dict::new(&heap, (0..100).map(|number| (number, number))).unwrap();
    let mut iter = dict.iter();
    for _ in 0..64 {
        iter.next().unwrap().unwrap();
    }
    dict.set(5, "replaced").unwrap();
    iter.next().unwrap().unwrap();
    let mut iter = dict.iter();
    iter.next().unwrap().unwrap();
    dict.remove(7).unwrap();
    dict.set(7, 7).unwrap();
    let last = iter.last().unwrap();
    assert!(matches!(last, Err(Error::Changed { .. })));
}

#[test]
fn cursors_go_both_ways() {
    let heap = heap(1 << 20);
    let dict = Dict::new(&heap, (0..200).map(|number| (number, -number))).unwrap();
    dict.remove(150).unwrap();
    let mut cursor = dict.last_cursor().unwrap();
    let mut seen = Vec::new();
    loop {
        let (keys, next) = dict.previous_keys(cursor, 7).unwrap();
        if keys.is_empty() {
            break;
        }
        seen.extend(keys);
        cursor = next;
    }
    let expected: Vec<Value> =
        (0..200).rev().filter(|number| *number != 150).map(Value::from).collect();
    assert_eq!(seen, expected);
}

#[test]
fn update_is_one_operation() {
    let heap = heap(8 << 20);
    let dict = Dict::new(&heap, (0..500).map(|number| (number, LONG))).unwrap();
    let version = dict.version().unwrap();
    dict.update((400..900).map(|number| (number, (number, LONG)))).unwrap();
    assert_eq!(dict.len().unwrap(), 900);
    assert!(dict.version().unwrap() > version);
    assert_eq!(dict.get(450).unwrap().unwrap(), Value::from((450, LONG)));
    dict.update([("a", 1), ("b", 2)]).unwrap();
    dict.update([("b", 3), ("c", 4)]).unwrap();
    assert_eq!(dict.get("b").unwrap().unwrap(), 3);
    assert_eq!(dict.len().unwrap(), 903);
    let keys: Vec<Value> = dict.keys().map(Result::unwrap).skip(900).collect();
    assert_eq!(keys, ["a".into(), "b".into(), Value::from("c")]);
    assert_sound(&heap);
    dict.replace_all([("only", 1)]).unwrap();
    assert_eq!(dict.to_vec().unwrap(), [("only".into(), 1.into())]);
    assert_sound(&heap);
    assert!(blocks(&heap) < 12, "{}", blocks(&heap));
}

#[test]
fn single_entries_change_atomically() {
    let heap = heap(1 << 20);
    let dict = Dict::empty(&heap).unwrap();
    assert_eq!(dict.add("n", 5).unwrap(), 5);
    assert_eq!(dict.add("n", 5).unwrap(), 10);
    assert!(matches!(dict.add_existing("m", 1), Err(Error::KeyNotFound { .. })));
    assert_eq!(dict.get_or_insert(LONG, LONG).unwrap(), LONG);
    assert_eq!(dict.get_or_insert(LONG, 1).unwrap(), LONG);
    assert!(!dict.compare_exchange("n", None, 1).unwrap());
    assert!(dict.compare_exchange("n", Some(&10.0.into()), LONG).unwrap());
    assert!(dict.compare_exchange("new", None, (LONG, LONG)).unwrap());
    assert_eq!(dict.insert("n", 1).unwrap().unwrap(), LONG);
    assert_eq!(dict.remove("n").unwrap().unwrap(), 1);
    assert_eq!(dict.remove("n").unwrap(), None);
    assert_sound(&heap);
}

#[test]
fn nested_containers_are_shared() {
    let heap = heap(1 << 20);
    let dict = Dict::empty(&heap).unwrap();
    dict.set("list", List::new(&heap, [1]).unwrap()).unwrap();
    dict.set("set", Set::new(&heap, [1]).unwrap()).unwrap();
    let list = dict.get("list").unwrap().unwrap().as_list().unwrap().clone();
    list.push(2).unwrap();
    dict.remove("list").unwrap();
    assert_eq!(list.len().unwrap(), 2);
    assert_sound(&heap);
    let other = Dict::new(&heap, [("set", &Set::new(&heap, [1.0]).unwrap())]).unwrap();
    assert_eq!(dict, other);
}

#[test]
fn sets_follow_python() {
    let heap = heap(8 << 20);
    let set = Set::new(&heap, 0..1000).unwrap();
    assert!(!set.add(5.0).unwrap());
    assert!(set.add(LONG).unwrap());
    assert!(set.remove(LONG).unwrap());
    assert!(!set.remove(LONG).unwrap());
    set.intersection_update(500..2000).unwrap();
    assert_eq!(set.len().unwrap(), 500);
    set.difference_update(0..510).unwrap();
    assert_eq!(set.len().unwrap(), 490);
    set.symmetric_difference_update(900..1100).unwrap();
    assert_eq!(set.len().unwrap(), 390 + 100);
    set.update(vec![LONG, "x", LONG]).unwrap();
    assert_eq!(set.len().unwrap(), 492);
    let small = Set::new(&heap, ["x", LONG]).unwrap();
    assert!(small.is_subset(&set).unwrap());
    assert!(!small.is_disjoint(&set).unwrap());
    assert_eq!(small, Set::new(&heap, [LONG, "x"]).unwrap());
    while set.pop().unwrap().is_some() {}
    assert!(set.is_empty().unwrap());
    assert_sound(&heap);
}
