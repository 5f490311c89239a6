//! 8 MiB that each operation fills: it ends with `SegmentFull`, what was written before reads back,
//! taking still works, and then there is room again.
//!
//! Twice: once the segment's ceiling is what ends it, once the file system's (a tmpfs of 8 MiB,
//! mounted by the test binary in a mount namespace of its own, in which it runs itself again).
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod mount;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use shm::{Error, Lifetime, List, Segment, SegmentOptions, Value};

/// Where the small file system is; without it, the ceiling is small.
const FOLDER: &str = "SHM_FULL_FOLDER";
const BYTES: u64 = 8 << 20;

const TEXT: &str = "a text of a length that takes a block of its own";

fn small() -> Segment {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    match std::env::var_os(FOLDER) {
        None => Segment::create_anonymous(SegmentOptions::new().size(BYTES)).unwrap(),
        Some(folder) => {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = PathBuf::from(folder).join(format!("full-{number}"));
            let options = SegmentOptions::new().path(path).lifetime(Lifetime::Last).size(1 << 30);
            Segment::create("", options).unwrap()
        }
    }
}

#[test]
fn all_of_this_ends_likewise_where_the_file_system_is_full() {
    if std::env::var_os(FOLDER).is_none() {
        mount::run_again(FOLDER, c"size=8m");
    }
}

#[test]
fn the_error_of_a_full_file_system_says_how_to_enlarge_it() {
    let segment = small();
    let list = segment.list_of([0_i64; 0]).unwrap();
    let error = loop {
        if let Err(error) = list.push(vec![1_u8; 100_000]) {
            break error.to_string();
        }
    };
    let advice = if std::env::var_os(FOLDER).is_some() {
        "has 8 MiB in all and"
    } else {
        "create the segment with a larger size="
    };
    assert!(error.contains(advice), "{error}");
    assert!(std::env::var_os(FOLDER).is_none() || error.contains("--shm-size=1g"), "{error}");
}

#[test]
fn the_error_says_how_many_bytes_were_asked_for() {
    let segment = small();
    let list = segment.list_of(vec![0; 60_000]).unwrap();
    let mut numbers = 0..60_000;
    for bytes in [3_000_000, 100_000, 5_000, 300] {
        let error = numbers.find_map(|number| list.set(number, vec![1_u8; bytes]).err());
        let Some(Error::SegmentFull { wanted, .. }) = error else { panic!("{error:?}") };
        // With the length that is stored before the bytes.
        assert!((bytes as u64..bytes as u64 + 64).contains(&wanted), "{wanted} for {bytes}");
    }
}

/// Repeats an operation until the segment is full; how often it was done.
fn fill(mut op: impl FnMut(usize) -> Result<(), Error>) -> usize {
    for count in 0..10_000_000 {
        match op(count) {
            Ok(()) => {}
            Err(Error::SegmentFull { .. }) => {
                // And so it stays: a failed operation takes nothing.
                assert!(matches!(op(count), Err(Error::SegmentFull { .. })));
                return count;
            }
            Err(other) => panic!("operation {count}: {other}"),
        }
    }
    panic!("8 MiB were never full");
}

fn assert_sound(segment: &Segment) {
    let report = segment.check().unwrap();
    assert!(report.is_sound(), "{:#?}", report.findings);
}

/// A list under the root that is filled by pushing what `value` makes.
fn fill_by_push(value: impl Fn(usize) -> Value) {
    let segment = small();
    let list = segment.list_of([0_i64; 0]).unwrap();
    segment.root().set("list", &list).unwrap();
    let count = fill(|number| list.push(value(number)));
    assert!(count > 100, "full after {count}");
    assert_eq!(list.len().unwrap(), count);
    for number in 0..count {
        assert_eq!(list.get(number).unwrap(), Some(value(number)));
    }
    assert_sound(&segment);
    for number in (count / 2..count).rev() {
        assert_eq!(list.pop().unwrap(), Some(value(number)));
    }
    list.push(value(count / 2)).unwrap();
    list.clear().unwrap();
    assert_sound(&segment);
    let again = fill(|number| list.push(value(number)));
    assert!(again * 10 >= count * 9, "{count} items fitted first, {again} after clear");
    list.del_slice(None, None, None).unwrap();
    assert_sound(&segment);
    let again = fill(|number| list.push(value(number)));
    assert!(again * 10 >= count * 9, "{count} items fitted first, {again} after deleting all");
}

#[test]
fn pushing_ints_fills() {
    fill_by_push(Value::from);
}

#[test]
fn pushing_texts_fills() {
    fill_by_push(|number| format!("{TEXT} {number}").into());
}

#[test]
fn pushing_tuples_fills() {
    fill_by_push(|number| (number, (TEXT, number), 1e300).into());
}

#[test]
fn pushing_heavy_tuples_fills() {
    fill_by_push(|number| Value::Tuple(vec![Value::from(format!("{TEXT} {number}")); 100]));
}

#[test]
fn pushing_bytes_of_all_sizes_fills() {
    fill_by_push(|number| vec![number as u8; (number * 37) % 5000].into());
}

#[test]
fn inserting_in_front_and_middle_fills() {
    let segment = small();
    let list = segment.list_of([0_i64; 0]).unwrap();
    let long = |number: usize| Value::from(format!("{number} {}", TEXT.repeat(30)));
    let count = fill(|number| list.insert(number / 2, long(number)));
    assert_eq!(list.len().unwrap(), count);
    let mut numbers: Vec<usize> = Vec::new();
    for number in 0..count {
        numbers.insert(number / 2, number);
    }
    for (at, number) in numbers.into_iter().enumerate() {
        assert_eq!(list.get(at).unwrap(), Some(long(number)));
    }
    assert_sound(&segment);
}

#[test]
fn extending_and_slicing_fills() {
    let segment = small();
    let list = segment.list_of([0_i64; 0]).unwrap();
    let values: Vec<Value> = (0..500).map(|number| format!("{TEXT} {number}").into()).collect();
    let count = fill(|_| list.extend(values.clone()));
    assert_eq!(list.len().unwrap(), count * 500);
    fill(|_| list.set_slice(Some(10), Some(10), None, values.clone()));
    assert_eq!(list.slice(Some(0), Some(500), None).unwrap(), values);
    assert!(matches!(list.repeat(1000), Err(Error::SegmentFull { .. })));
    assert_eq!(list.len().unwrap(), count * 500);
    assert_sound(&segment);
    list.del_slice(Some(500), None, None).unwrap();
    assert_eq!(list.to_vec().unwrap(), values);
    list.repeat(3).unwrap();
    assert_sound(&segment);
}

#[test]
fn dict_inserts_fill() {
    let segment = small();
    let dict = segment.dict([("", 0); 0]).unwrap();
    segment.root().set("dict", &dict).unwrap();
    let key = |number: usize| format!("{TEXT} {number}");
    let count = fill(|number| dict.set(key(number), (number, TEXT)));
    assert_eq!(dict.len().unwrap(), count);
    for number in 0..count {
        assert_eq!(dict.get(key(number)).unwrap(), Some((number, TEXT).into()));
    }
    assert_sound(&segment);
    let more: Vec<(String, usize)> = (0..5000).map(|number| (key(number), number)).collect();
    assert!(matches!(
        dict.update((0..200_000).map(|number| (key(number + count), TEXT))),
        Err(Error::SegmentFull { .. })
    ));
    assert_eq!(dict.len().unwrap(), count);
    assert_eq!(dict.get(key(7)).unwrap(), Some((7, TEXT).into()));
    for number in 0..count / 2 {
        assert!(dict.remove(key(number)).unwrap().is_some());
    }
    dict.update(more).unwrap();
    assert_eq!(dict.get(key(7)).unwrap(), Some(7.into()));
    assert_sound(&segment);
    dict.clear().unwrap();
    assert_sound(&segment);
    assert!(segment.check().unwrap().blocks < 20);
}

#[test]
fn int_keys_fill() {
    let segment = small();
    let dict = segment.dict([(0, 0); 0]).unwrap();
    let count = fill(|number| dict.set(number, number));
    for number in 0..count {
        assert_eq!(dict.get(number).unwrap(), Some(number.into()));
    }
    for number in 0..count {
        assert_eq!(
            dict.pop_item().unwrap(),
            Some(((count - 1 - number).into(), (count - 1 - number).into()))
        );
    }
    assert_sound(&segment);
}

#[test]
fn set_members_fill() {
    let segment = small();
    let set = segment.set([0; 0]).unwrap();
    let count = fill(|number| set.add((number, TEXT)).map(|_| ()));
    for number in 0..count {
        assert!(set.contains((number, TEXT)).unwrap());
    }
    assert_sound(&segment);
    let others = (0..100_000).map(|number| (number, TEXT));
    let result = set.symmetric_difference_update(others);
    assert!(matches!(result, Err(Error::SegmentFull { .. })));
    assert_eq!(set.len().unwrap(), count);
    set.difference_update((0..count / 2).map(|number| (number, TEXT))).unwrap();
    assert_eq!(set.len().unwrap(), count - count / 2);
    assert_sound(&segment);
}

#[test]
fn bytearrays_fill() {
    let segment = small();
    let array = segment.bytearray(b"").unwrap();
    let count = fill(|number| array.extend(&[number as u8; 1000]));
    assert_eq!(array.len().unwrap(), count * 1000);
    assert_eq!(array.get(5500).unwrap(), Some(5));
    fill(|number| array.push(number as u8));
    while array.pop().unwrap().is_some() {}
    array.extend(&vec![7; 2_000_000]).unwrap();
    assert_sound(&segment);
}

#[test]
fn arrays_fill_and_keep_their_elements() {
    let segment = small();
    let list = segment.list_of([0_i64; 0]).unwrap();
    segment.root().set("list", &list).unwrap();
    // Headers stay where they are, so the largest come first.
    for elements in [100_000, 1_000, 10] {
        let count = fill(|number| {
            let array = segment.array::<i64>(&[elements])?;
            array.fill(number as i64 + 1)?;
            list.push(array)
        });
        assert!(count * elements > 400_000 || elements == 10, "{count} arrays of {elements}");
        // Larger than all that is left.
        assert!(matches!(segment.array::<u8>(&[8 << 20]), Err(Error::SegmentFull { .. })));
        for number in 0..count {
            let Some(Value::Array(array)) = list.get(number).unwrap() else { panic!("an array") };
            let all = array.to_vec::<i64>().unwrap();
            assert!(all.iter().all(|element| *element == number as i64 + 1));
        }
        assert_sound(&segment);
        list.clear().unwrap();
        assert_sound(&segment);
        let zeros = segment.array::<i64>(&[elements]).unwrap();
        assert!(zeros.to_vec::<i64>().unwrap().iter().all(|element| *element == 0));
    }
}

#[test]
fn new_containers_fill() {
    let segment = small();
    let root = segment.root();
    let count = fill(|number| {
        let list = segment.list_of([number])?;
        let dict = segment.dict([("list", &list)])?;
        root.set(number, &dict)
    });
    assert_eq!(root.len().unwrap(), count);
    for number in 0..count {
        let dict = root.get(number).unwrap().unwrap();
        let list = dict.as_dict().unwrap().get("list").unwrap().unwrap();
        assert_eq!(list.as_list().unwrap().get_int(0).unwrap(), Some(number as i64));
    }
    assert_sound(&segment);
    root.clear().unwrap();
    assert_sound(&segment);
    assert!(segment.check().unwrap().blocks < 20);
}

#[test]
fn handles_alone_fill() {
    let segment = small();
    let mut handles: Vec<List> = Vec::new();
    fill(|number| {
        handles.push(segment.list_of([number, number])?);
        Ok(())
    });
    assert!(handles.len() > 1000);
    for (number, list) in handles.iter().enumerate() {
        assert_eq!(list.get_int(1).unwrap(), Some(number as i64));
    }
    assert_sound(&segment);
    handles.clear();
    assert_sound(&segment);
    assert!(segment.check().unwrap().blocks < 20);
}

#[test]
fn nested_objects_are_read_when_no_byte_is_left() {
    let segment = small();
    let list = segment.list([]).unwrap();
    for _ in 0..5000 {
        list.push(segment.list_of([1]).unwrap()).unwrap();
    }
    let rest = segment.list_of([0_i64; 0]).unwrap();
    // Blocks of all sizes.
    let mut bytes = 60_000;
    while bytes > 7 {
        fill(|_| rest.push(vec![1_u8; bytes]));
        bytes = bytes * 9 / 10;
    }
    let mut held = Vec::new();
    fill(|at| list.get(at).map(|inner| held.extend(inner)));
    let table = segment.stats().unwrap().kinds.into_iter().find(|kind| kind.kind == "pin table");
    let entries = table.unwrap().bytes as usize / 8;
    assert!(held.len() > entries * 3 / 4, "{} handles in a table of {entries}", held.len());
    for inner in &held {
        assert_eq!(inner.as_list().unwrap().get_int(0).unwrap(), Some(1));
    }
    // What they pin stays, whatever becomes of the list.
    list.clear().unwrap();
    assert_sound(&segment);
    for inner in held {
        assert_eq!(inner.as_list().unwrap().get_int(0).unwrap(), Some(1));
    }
    assert_sound(&segment);
}

#[test]
fn objects_are_read_one_by_one_for_ever_when_no_byte_is_left() {
    let segment = small();
    let root = segment.root();
    let list = segment.list([]).unwrap();
    root.set("list", &list).unwrap();
    for number in 0..5000 {
        list.push(segment.list_of([number]).unwrap()).unwrap();
        root.set(number, segment.list_of([number]).unwrap()).unwrap();
    }
    let rest = segment.list_of([0_i64; 0]).unwrap();
    let mut bytes = 60_000;
    while bytes > 7 {
        fill(|_| rest.push(vec![1_u8; bytes]));
        bytes = bytes * 9 / 10;
    }
    let number_of = |value: &Value| value.as_list().unwrap().get_int(0).unwrap().unwrap();
    // Some are held, so that there is little room for the others, which come and go in any order.
    let held: Vec<Value> = (0..30).map(|at| list.get(at * 100).unwrap().unwrap()).collect();
    let mut at = 1;
    for _ in 0..20_000 {
        at = (at * 48_271) % 4_999;
        assert_eq!(number_of(&list.get(at).unwrap().unwrap()), at as i64);
    }
    // More at a time than there is room for.
    for (number, value) in root.values().skip(1).enumerate() {
        assert_eq!(number_of(&value.unwrap()), number as i64);
    }
    drop(held);
    assert_sound(&segment);
}

#[test]
fn messages_fill() {
    let segment = small();
    let count = fill(|number| segment.put_message((number, TEXT)));
    for number in 0..count {
        let message = segment.take_message(Some(std::time::Duration::ZERO)).unwrap();
        assert_eq!(message, Value::from((number, TEXT)));
    }
    assert!(!segment.has_messages().unwrap());
    assert_sound(&segment);
}
