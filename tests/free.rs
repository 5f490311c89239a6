//! Freeing by hand: the content goes at once, and no handle ever sees what comes after it.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "a failing test says where")]

use shm::{Error, Result, Segment, SegmentOptions, Shared, Value};

#[derive(Shared, Debug, Clone, PartialEq)]
struct Sensor {
    id: u64,
    label: String,
    wide: u128,
}

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(8 << 20)).unwrap()
}

fn text(number: usize) -> String {
    format!("a text of its own block, number {number}")
}

#[track_caller]
fn is_closed<T: std::fmt::Debug>(result: Result<T>) {
    assert!(matches!(result, Err(Error::Closed { .. })), "{result:?}");
}

fn assert_sound(segment: &Segment) {
    let report = segment.check().unwrap();
    assert!(report.is_sound() && report.garbage == 0, "{report:#?}");
}

#[test]
fn every_use_of_a_freed_list_is_closed() {
    let segment = segment();
    let list = segment.list_of((0..100).map(text)).unwrap();
    segment.root().insert("list", &list).unwrap();
    let blocks = segment.check().unwrap().blocks;
    segment.free(&Value::from(&list)).unwrap();
    assert!(segment.check().unwrap().blocks < blocks - 90, "the texts were given back");
    is_closed(list.len());
    is_closed(list.get(0));
    is_closed(list.get_int(0));
    is_closed(list.set(0, 1));
    is_closed(list.set(0, text(1)));
    is_closed(list.push(1));
    is_closed(list.push(text(1)));
    is_closed(list.pop());
    is_closed(list.pop_front());
    is_closed(list.insert(0, 1));
    is_closed(list.extend([1, 2]));
    is_closed(list.remove(0));
    is_closed(list.add(0, 1));
    is_closed(list.clear());
    is_closed(list.reverse());
    is_closed(list.sort());
    is_closed(list.repeat(2));
    is_closed(list.reserve(9));
    is_closed(list.to_vec());
    is_closed(list.slice(None, None, None));
    is_closed(list.del_slice(None, None, None));
    is_closed(list.contains(&Value::Int(1)));
    is_closed(segment.free(&Value::from(&list)));
    let Some(Value::List(again)) = segment.root().get("list").unwrap() else { panic!("no list") };
    is_closed(again.len());
    assert_sound(&segment);
}

#[test]
fn every_use_of_a_freed_dict_set_or_bytearray_is_closed() {
    let segment = segment();
    let dict = segment.dict((0..20).map(|n| (text(n), text(n)))).unwrap();
    let set = segment.set((0..20).map(text)).unwrap();
    let bytes = segment.bytearray(&[1; 100]).unwrap();
    segment.root().insert("all", (&dict, &set, &bytes)).unwrap();
    for value in [Value::from(&dict), Value::from(&set), Value::from(&bytes)] {
        segment.free(&value).unwrap();
    }
    is_closed(dict.len());
    is_closed(dict.get(text(1)));
    is_closed(dict.get(1));
    is_closed(dict.insert(text(1), 1));
    is_closed(dict.set(1, 1));
    is_closed(dict.remove(text(1)));
    is_closed(dict.add("n", 1));
    is_closed(dict.update([(1, 1)]));
    is_closed(dict.pop_item());
    is_closed(dict.clear());
    is_closed(dict.to_vec());
    is_closed(set.len());
    is_closed(set.contains(text(1)));
    is_closed(set.add(1));
    is_closed(set.remove(text(1)));
    is_closed(set.pop());
    is_closed(set.to_vec());
    is_closed(bytes.len());
    is_closed(bytes.get(0));
    is_closed(bytes.set(0, 1));
    is_closed(bytes.push(1));
    is_closed(bytes.to_vec());
    is_closed(bytes.clear());
    assert_sound(&segment);
}

#[test]
fn every_use_of_a_freed_struct_is_closed() {
    let segment = segment();
    let sensor = segment.alloc(Sensor { id: 1, label: text(1), wide: 1 << 100 }).unwrap();
    segment.root().insert("sensor", &sensor).unwrap();
    segment.free(&segment.root().get("sensor").unwrap().unwrap()).unwrap();
    is_closed(sensor.try_id());
    is_closed(sensor.set_id(2));
    is_closed(sensor.fetch_add_id(1));
    is_closed(sensor.set_wide(1));
    is_closed(sensor.label());
    is_closed(sensor.set_label("other"));
    is_closed(sensor.load());
    is_closed(sensor.store(Sensor { id: 1, label: text(1), wide: 0 }));
    is_closed(sensor.update(|sensor| sensor.id += 1));
    assert_sound(&segment);
}

#[test]
fn children_live_on_where_others_refer_to_them() {
    let segment = segment();
    let child = segment.list_of([text(1)]).unwrap();
    let parent = segment.list_of([&child, &child]).unwrap();
    segment.root().insert("child", &child).unwrap();
    segment.free(&Value::from(&parent)).unwrap();
    drop(parent);
    assert_eq!(child.to_vec().unwrap(), [Value::from(text(1))]);
    assert_sound(&segment);
}

#[test]
fn the_header_goes_with_the_last_reference() {
    let segment = segment();
    let objects = segment.check().unwrap().objects;
    let list = segment.list_of((0..10).map(text)).unwrap();
    let id = list.id();
    segment.root().insert("list", &list).unwrap();
    segment.free(&Value::from(&list)).unwrap();
    drop(list);
    assert_eq!(segment.check().unwrap().objects, objects + 1);
    segment.root().remove("list").unwrap();
    assert_eq!(segment.check().unwrap().objects, objects);
    is_closed(segment.object(id));
    // The next object may have the same header, and is another one.
    let fresh = segment.list_of([1]).unwrap();
    assert_eq!(fresh.to_vec().unwrap(), [Value::Int(1)]);
    is_closed(segment.object(id));
    assert_sound(&segment);
}

#[test]
fn another_attachment_sees_it_too_and_the_collector_and_audit_leave_it() {
    let name = format!("shm-free-{}", std::process::id());
    let segment = Segment::create(&name, SegmentOptions::new().size(8 << 20)).unwrap();
    let other = Segment::attach(&name, SegmentOptions::new()).unwrap();
    let reader = Segment::attach(&name, SegmentOptions::new().readonly(true)).unwrap();
    segment.root().insert("list", segment.list_of([1, 2]).unwrap()).unwrap();
    let seen = |segment: &Segment| match segment.root().get("list").unwrap() {
        Some(Value::List(list)) => list,
        other => panic!("{other:?}"),
    };
    let (theirs, read) = (seen(&other), seen(&reader));
    segment.free(&segment.root().get("list").unwrap().unwrap()).unwrap();
    segment.gc().unwrap();
    assert_eq!(segment.audit().unwrap().words, 0);
    is_closed(theirs.push(3));
    is_closed(theirs.get(0));
    is_closed(read.get(0));
    assert_sound(&segment);
}

#[test]
fn what_the_segment_needs_and_what_is_no_object_is_refused() {
    let segment = segment();
    let other = self::segment();
    let list = other.list_of([1]).unwrap();
    for value in [Value::Dict(segment.root()), Value::from(1), "text".into(), Value::from(&list)] {
        let error = segment.free(&value).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
    }
    assert_eq!(list.len().unwrap(), 1);
}
