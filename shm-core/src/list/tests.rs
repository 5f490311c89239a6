//! The list by itself: items, slices, sorting and what a handle sees.

use crate::error::Error;
use crate::list::List;
use crate::primitive::{AtomicBool, Ordering};
use crate::scratch::{assert_sound, blocks, heap};
use crate::value::Value;

const LONG: &str = "a text that does not fit into a cell";

fn numbers(range: std::ops::Range<i64>) -> Vec<Value> {
    range.map(Value::from).collect()
}

#[test]
fn items_are_read_back() {
    let heap = heap(1 << 20);
    let list = List::empty(&heap).unwrap();
    let inner = List::new(&heap, [1, 2]).unwrap();
    let values = [
        Value::None,
        true.into(),
        7.into(),
        i64::MIN.into(),
        u128::MAX.into(),
        2.5.into(),
        1e300.into(),
        f64::NEG_INFINITY.into(),
        "short".into(),
        LONG.into(),
        Value::Wtf8(vec![0xED, 0xA0, 0x80]),
        vec![1_u8, 2, 3].into(),
        vec![0_u8; 1000].into(),
        ((), (1, LONG), 2.5).into(),
        Value::FrozenSet(vec![1.into(), LONG.into()]),
        (&inner).into(),
    ];
    for value in &values {
        list.push(value).unwrap();
    }
    assert_eq!(list.to_vec().unwrap(), values);
    assert_eq!(list.len().unwrap(), values.len());
    for (index, value) in values.iter().enumerate() {
        assert_eq!(list.get(index).unwrap().as_ref(), Some(value));
        assert_eq!(list.index_of(value, 0, usize::MAX).unwrap(), Some(index));
    }
    assert_eq!(list.get(values.len()).unwrap(), None);
    inner.push(3).unwrap();
    assert_eq!(list.get(15).unwrap().unwrap().as_list().unwrap().len().unwrap(), 3);
    assert_sound(&heap);
    let before = blocks(&heap);
    drop(list);
    assert!(blocks(&heap) < before - 10);
    assert_sound(&heap);
}

#[test]
fn a_list_is_freed_with_all_that_it_holds() {
    let heap = heap(4 << 20);
    let outer = List::empty(&heap).unwrap();
    let before = blocks(&heap);
    let list = List::new(&heap, vec![LONG; 1000]).unwrap();
    outer.push(&list).unwrap();
    drop(list);
    assert!(blocks(&heap) > before + 1000);
    outer.clear().unwrap();
    assert_sound(&heap);
    assert!(blocks(&heap) <= before + 1, "{} after {before}", blocks(&heap));
}

#[test]
fn an_empty_list_contains_itself_and_prints() {
    let heap = heap(1 << 20);
    let list = List::empty(&heap).unwrap();
    list.push(&list).unwrap();
    assert_eq!(format!("{list:?}"), "List[<list>]");
    assert_eq!(list, list.clone());
    assert!(list.contains(&Value::from(&list)).unwrap());
    list.clear().unwrap();
}

#[test]
fn both_ends_grow_and_shrink() {
    let heap = heap(8 << 20);
    let list = List::empty(&heap).unwrap();
    for number in 0..1000 {
        list.push(number).unwrap();
        list.push_front(-number).unwrap();
    }
    assert_eq!(list.get_int(0).unwrap(), Some(-999));
    assert_eq!(list.get_int(1999).unwrap(), Some(999));
    for number in (0..1000).rev() {
        assert_eq!(list.pop().unwrap(), Some(number.into()));
        assert_eq!(list.pop_front().unwrap(), Some((-number).into()));
    }
    assert_eq!(list.pop().unwrap(), None);
    assert_sound(&heap);
}

#[test]
fn a_queue_keeps_its_memory() {
    let heap = heap(1 << 20);
    let list = List::new(&heap, 0..10).unwrap();
    for number in 10..20_000 {
        list.push(number).unwrap();
        assert_eq!(list.pop_front().unwrap(), Some((number - 10).into()));
    }
    assert_eq!(list.to_vec().unwrap(), numbers(19_990..20_000));
    assert_sound(&heap);
}

#[test]
fn heavy_values_are_staged() {
    let heap = heap(16 << 20);
    let list = List::new(&heap, [0]).unwrap();
    let strings: Vec<Value> = (0..500).map(|number| format!("{LONG} {number}").into()).collect();
    let tuple = Value::Tuple(vec![Value::Tuple(strings.clone()), 1.into(), LONG.into()]);
    list.push(tuple.clone()).unwrap();
    list.set(0, tuple.clone()).unwrap();
    list.insert(1, Value::FrozenSet(strings.clone())).unwrap();
    assert_eq!(list.get(0).unwrap(), Some(tuple.clone()));
    assert_eq!(list.get(1).unwrap(), Some(Value::FrozenSet(strings.clone())));
    assert_eq!(list.get(2).unwrap(), Some(tuple));
    list.extend(strings.clone()).unwrap();
    assert_eq!(list.len().unwrap(), 503);
    list.set_slice(Some(0), Some(3), None, strings.clone()).unwrap();
    assert_eq!(list.len().unwrap(), 1000);
    list.repeat(3).unwrap();
    assert_eq!(list.len().unwrap(), 3000);
    assert_eq!(list.get(2999).unwrap(), strings.last().cloned());
    assert_sound(&heap);
    list.clear().unwrap();
    assert_sound(&heap);
    assert!(blocks(&heap) < 10, "{}", blocks(&heap));
}

#[test]
fn values_too_deep_are_refused() {
    let heap = heap(1 << 20);
    let list = List::empty(&heap).unwrap();
    let mut value = Value::from(1);
    for _ in 0..250 {
        value = Value::Tuple(vec![value]);
    }
    assert!(matches!(list.push(value), Err(Error::TooDeep { .. })));
    let mut value = Value::from(1);
    for _ in 0..190 {
        value = Value::Tuple(vec![value]);
    }
    list.push(value.clone()).unwrap();
    assert_eq!(list.get(0).unwrap(), Some(value));
    assert_sound(&heap);
}

#[test]
fn handles_of_another_segment_are_refused() {
    let (one, other) = (heap(1 << 20), heap(1 << 20));
    let list = List::empty(&one).unwrap();
    let stranger = List::empty(&other).unwrap();
    assert!(matches!(list.push(&stranger), Err(Error::InvalidArgument { .. })));
    assert!(matches!(list.push((1, &stranger)), Err(Error::InvalidArgument { .. })));
}

#[test]
fn slices_are_assigned_and_deleted() {
    let heap = heap(4 << 20);
    let list = List::new(&heap, 0..10).unwrap();
    list.set_slice(Some(2), Some(5), None, vec!["x".into()]).unwrap();
    let slice = list.slice(None, Some(4), None).unwrap();
    assert_eq!(Value::Tuple(slice), Value::from((0, 1, "x", 5)));
    list.set_slice(None, None, Some(-2), vec![LONG.into(); 4]).unwrap();
    assert_eq!(list.count(&LONG.into()).unwrap(), 4);
    let error = list.set_slice(None, None, Some(2), vec![]).unwrap_err().to_string();
    assert_eq!(error, "attempt to assign sequence of size 0 to extended slice of size 4");
    list.del_slice(None, None, Some(2)).unwrap();
    assert_eq!(list.len().unwrap(), 4);
    list.del_slice(None, None, None).unwrap();
    assert!(list.is_empty().unwrap());
    list.extend(vec![LONG; 300]).unwrap();
    list.extend(0..1000).unwrap();
    list.del_slice(Some(100), Some(900), None).unwrap();
    list.del_slice(Some(-50), None, None).unwrap();
    list.truncate(150).unwrap();
    assert_eq!(list.len().unwrap(), 150);
    list.del_slice(None, None, Some(3)).unwrap();
    assert_eq!(list.len().unwrap(), 100);
    assert_sound(&heap);
}

#[test]
fn items_in_the_middle_come_and_go() {
    let heap = heap(4 << 20);
    let list = List::empty(&heap).unwrap();
    let mut model: Vec<Value> = Vec::new();
    for step in 0..600_usize {
        let index = (step * 7919) % (model.len() + 1);
        let value = if step % 5 == 0 { Value::from(LONG) } else { Value::from(step) };
        list.insert(index, &value).unwrap();
        model.insert(index, value);
    }
    assert_eq!(list.to_vec().unwrap(), model);
    for step in 0..600_usize {
        let index = (step * 104_729) % model.len();
        assert_eq!(list.remove(index).unwrap(), model.remove(index));
    }
    assert!(matches!(list.remove(0), Err(Error::IndexOutOfRange { .. })));
    assert_sound(&heap);
}

#[test]
fn sorting_is_stable_and_calls_back_without_the_lock() {
    let heap = heap(4 << 20);
    let list = List::empty(&heap).unwrap();
    for number in 0..500_i64 {
        list.push(((number * 7919) % 50, number, LONG)).unwrap();
    }
    let other = List::empty(&heap).unwrap();
    list.sort_by(|a, b| {
        other.push(1)?;
        let key = |value: &Value| value.as_tuple().unwrap()[0].as_int();
        Ok(key(a).cmp(&key(b)))
    })
    .unwrap();
    let sorted = list.to_vec().unwrap();
    let mut expected = sorted.clone();
    expected.sort_by_key(|item| {
        let item = item.as_tuple().unwrap();
        (item[0].as_int(), item[1].as_int())
    });
    assert_eq!(sorted, expected);
    list.reverse().unwrap();
    expected.reverse();
    assert_eq!(list.to_vec().unwrap(), expected);
    assert_sound(&heap);
}

#[test]
fn a_change_during_sort_is_noticed() {
    let heap = heap(1 << 20);
    let list = List::new(&heap, [3, 1, 2]).unwrap();
    let result = list.sort_by(|_, _| {
        list.push(4)?;
        Ok(std::cmp::Ordering::Less)
    });
    assert!(matches!(result, Err(Error::Changed { .. })));
    let mixed = List::empty(&heap).unwrap();
    mixed.push(1).unwrap();
    mixed.push("a").unwrap();
    assert!(matches!(mixed.sort(), Err(Error::WrongType { .. })));
    assert_eq!(mixed.get_int(0).unwrap(), Some(1));
}

#[test]
fn add_and_compare_exchange_are_atomic_updates() {
    let heap = heap(1 << 20);
    let list = List::new(&heap, [1]).unwrap();
    assert_eq!(list.add(0, 41).unwrap(), 42);
    assert_eq!(list.add(0, 0.5).unwrap(), 42.5);
    assert!(!list.compare_exchange(0, &1.into(), 2).unwrap());
    assert!(list.compare_exchange(0, &42.5.into(), i64::MAX).unwrap());
    assert_eq!(list.add(0, 1).unwrap(), Value::from(1_u64 << 63));
    assert_eq!(list.add(0, -1).unwrap(), Value::from(i64::MAX));
    list.set(0, LONG).unwrap();
    assert_eq!(list.add(0, "!").unwrap(), Value::from(format!("{LONG}!")));
    assert!(list.add(0, 1).is_err());
    assert!(matches!(list.add(1, 1), Err(Error::IndexOutOfRange { .. })));
    assert_sound(&heap);
}

#[test]
fn iteration_sees_what_is_appended() {
    let heap = heap(1 << 20);
    let list = List::new(&heap, 0..100).unwrap();
    let mut sum = 0;
    for item in &list {
        let number = item.unwrap().as_int().unwrap();
        if number < 3 {
            list.push(1000).unwrap();
        }
        sum += number;
    }
    assert_eq!(sum, 4950 + 3000);
}

#[test]
fn removing_by_value_compares_content() {
    let heap = heap(1 << 20);
    let list = List::empty(&heap).unwrap();
    list.push(List::new(&heap, [1, 2]).unwrap()).unwrap();
    list.push(1).unwrap();
    assert!(list.remove_value(&true.into()).unwrap());
    let same = List::new(&heap, [1, 2]).unwrap();
    assert!(list.remove_value(&(&same).into()).unwrap());
    assert!(!list.remove_value(&(&same).into()).unwrap());
    assert!(list.is_empty().unwrap());
    assert_sound(&heap);
}

#[test]
fn an_item_is_removed_while_another_thread_changes_the_list_all_the_time() {
    let heap = heap(1 << 22);
    let list = List::new(&heap, numbers(0..20_000)).unwrap();
    let (begun, stop) = (std::sync::Barrier::new(2), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            begun.wait();
            while !stop.load(Ordering::Relaxed) {
                list.set_int(0, 1).unwrap();
            }
        });
        begun.wait();
        for _ in 0..100 {
            list.push("here").unwrap();
            assert!(list.remove_value(&"here".into()).unwrap());
        }
        assert!(!list.remove_value(&"here".into()).unwrap());
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(list.len().unwrap(), 20_000);
    assert_sound(&heap);
}

#[test]
fn positions_from_the_end_are_those_of_a_vector() {
    let heap = heap(1 << 20);
    let list = List::new(&heap, [1, 2, 3]).unwrap();
    assert_eq!(list.get_from_end(1).unwrap(), Some(Value::Int(3)));
    assert_eq!(list.get_from_end(3).unwrap(), Some(Value::Int(1)));
    for none in [0, 4, usize::MAX] {
        assert_eq!(list.get_from_end(none).unwrap(), None);
        assert!(matches!(list.set_from_end(none, 0), Err(Error::IndexOutOfRange { len: 3, .. })));
        assert!(list.remove_from_end(none).is_err());
        assert!(list.add_from_end(none, 1).is_err());
    }
    list.set_from_end(2, LONG).unwrap();
    list.insert_from_end(1, 9).unwrap();
    list.insert_from_end(usize::MAX, 0).unwrap();
    assert_eq!(list.to_vec().unwrap(), [Value::Int(0), 1.into(), LONG.into(), 9.into(), 3.into()]);
    assert_eq!(list.remove_from_end(3).unwrap(), Value::from(LONG));
    assert_eq!(list.add_from_end(2, 1).unwrap(), Value::Int(10));
    assert!(list.compare_exchange_from_end(1, &Value::Int(3), "three").unwrap());
    assert_eq!(list.to_vec().unwrap(), [Value::Int(0), 1.into(), 10.into(), "three".into()]);
    assert_sound(&heap);
}
