//! What is compared is compared truly, where nothing more can be pinned.

use std::sync::atomic::Ordering;

use shm::{Error, List, Segment, Value};

use crate::{assert_sound, fill, small, until_full};

/// A segment in which this process has no place to pin anything more.
fn without_places() -> (Segment, [List; 4], Vec<Value>) {
    let segment = small();
    let make = |other: i64| {
        let list = segment.list([]).unwrap();
        for number in 0..40 {
            let inner = segment.list_of([number, if number == 30 { other } else { 0 }]).unwrap();
            list.push(segment.dict([("inner", inner)]).unwrap()).unwrap();
        }
        list
    };
    let lists = [make(1), make(1), make(2), make(1)];
    lists[3].push(segment.dict([("inner", 1)]).unwrap()).unwrap();
    let all = segment.list([]).unwrap();
    segment.root().set("all", &all).unwrap();
    for number in 0..100 {
        all.push(segment.list_of([number]).unwrap()).unwrap();
    }
    fill(&segment);
    let mut held = Vec::new();
    until_full(|| all.get(held.len()).map(|value| held.extend(value)));
    assert!(held.len() < 100);
    assert!(matches!(lists[0].get(0), Err(Error::SegmentFull { .. })));
    (segment, lists, held)
}

#[test]
fn equality_is_true_where_nothing_more_can_be_pinned() {
    let (segment, [one, same, other, longer], held) = without_places();
    assert!(one == same);
    assert!(one != other);
    assert!(one != longer);
    let root = segment.root();
    assert!(Value::from(root.clone()) == Value::from(root.clone()));
    // Of dicts, and within tuples.
    let dict = |list: &List| Value::Tuple(vec![1.into(), list.clone().into()]);
    assert!(dict(&one) == dict(&same) && dict(&one) != dict(&other));
    let (one_value, same_value) = (Value::from(one.clone()), Value::from(same.clone()));
    assert_eq!(one_value.try_cmp(&same_value).unwrap(), Some(std::cmp::Ordering::Equal));
    let other_value = Value::from(other.clone());
    let order = one_value.try_cmp(&Value::from(longer.clone())).unwrap();
    assert_eq!(order, Some(std::cmp::Ordering::Less));
    assert!(one_value != other_value);
    assert_sound(&segment, "compared");
    drop(held);
    assert!(one == same);
    assert!(one != other);
    assert_sound(&segment, "in the end");
}

#[test]
fn lists_find_containers_where_nothing_more_can_be_pinned() {
    let (segment, [one, same, other, _], mut held) = without_places();
    // Room for a handle or two.
    held.truncate(held.len() - 3);
    let wanted = same.get(30).unwrap().unwrap();
    let missing = other.get(30).unwrap().unwrap();
    assert_eq!(one.index_of(&wanted, 0, usize::MAX).unwrap(), Some(30));
    assert_eq!(one.count(&wanted).unwrap(), 1);
    assert!(!one.contains(&missing).unwrap());
    assert_sound(&segment, "in the end");
}

#[test]
fn equality_is_true_while_others_change_what_is_compared() {
    let (segment, [one, same, ..], held) = without_places();
    one.set(0, 1).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 1;
            while !stop.load(Ordering::Relaxed) {
                // As long as before, and never what the other one has.
                number += 1;
                one.set(0, number).unwrap();
            }
        });
        let different = (0..50).all(|_| one != same);
        stop.store(true, Ordering::Relaxed);
        assert!(different);
    });
    one.set(0, 5).unwrap();
    same.set(0, 5).unwrap();
    assert!(one == same);
    drop(held);
    assert_sound(&segment, "in the end");
}
