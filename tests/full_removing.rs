//! Segments without a byte left: whatever only removes works, whoever comes can make room, queues can be
//! emptied, and what is compared is compared truly.
//!
//! Twice, as `full`: the ceiling is small, or the file system is.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod mount;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use shm::{Draft, Error, Lease, Lifetime, List, Queue, Segment, SegmentOptions, Value};

const FOLDER: &str = "SHM_FULL_REMOVING_FOLDER";
const NOW: Option<Duration> = Some(Duration::ZERO);
const TEXT: &str = "a text of a length that takes a block of its own";

/// A segment that will be full, with a list for what fills it.
fn small() -> Segment {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let segment = match std::env::var_os(FOLDER) {
        None => Segment::create_anonymous(SegmentOptions::new().size(3 << 20)).unwrap(),
        Some(folder) => {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = PathBuf::from(folder).join(format!("full-{number}"));
            Segment::create(
                "",
                SegmentOptions::new().path(path).lifetime(Lifetime::Last).size(1 << 30),
            )
            .unwrap()
        }
    };
    let rest = segment.list([]).unwrap();
    rest.reserve(60_000).unwrap();
    segment.root().set("rest", &rest).unwrap();
    segment
}

#[test]
fn all_of_this_holds_likewise_where_the_file_system_is_full() {
    if std::env::var_os(FOLDER).is_none() {
        mount::run_again(FOLDER, c"size=4m");
    }
}

fn until_full(mut operation: impl FnMut() -> shm::Result<()>) {
    loop {
        match operation() {
            Ok(()) => {}
            Err(Error::SegmentFull { .. }) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Takes every block and every header; what takes them hangs from the root.
fn fill(segment: &Segment) {
    let Some(Value::List(rest)) = segment.root().get("rest").unwrap() else { panic!("a list") };
    let mut bytes = 60_000;
    // Shorter ones live in their cells.
    while bytes > 7 {
        until_full(|| rest.push(vec![1_u8; bytes]));
        bytes = bytes * 9 / 10;
    }
    until_full(|| rest.push(segment.list([])?));
}

fn assert_sound(segment: &Segment, what: &str) {
    let report = segment.check().unwrap();
    assert!(report.is_sound(), "{what}: {:#?}", report.findings);
}

fn text(number: i64) -> Value {
    format!("{TEXT} {number}").into()
}

/// Text, or a list of one, or a number.
fn item(segment: &Segment, kind: usize, number: i64) -> Value {
    match kind {
        0 => number.into(),
        1 => text(number),
        _ => segment.list_of([text(number)]).unwrap().into(),
    }
}

fn number_of(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        Value::List(list) => number_of(&list.get(0).unwrap().unwrap()),
        value => value.as_str().unwrap().rsplit(' ').next().unwrap().parse().unwrap(),
    }
}

/// A slice of a list or bytearray, as in Python.
type Bounds = (Option<i64>, Option<i64>, Option<i64>);

const SLICES: &[Bounds] = &[
    (None, None, None),
    (Some(500), None, None),
    (Some(100), None, None),
    (None, Some(600), None),
    (None, Some(20), None),
    (Some(300), Some(302), None),
    (Some(200), Some(700), None),
    (None, None, Some(2)),
    (Some(3), Some(-5), Some(7)),
    (None, None, Some(-3)),
    (Some(-2), Some(10), Some(-400)),
];

fn without(len: i64, (start, stop, step): Bounds) -> Vec<i64> {
    let step = step.unwrap_or(1);
    let place = |bound: Option<i64>, default: i64| match bound {
        None => default,
        Some(bound) if bound < 0 => bound + len,
        Some(bound) => bound.min(len),
    };
    let (from, to) = if step > 0 {
        (place(start, 0), place(stop, len))
    } else {
        (place(start, len - 1), place(stop, -1))
    };
    let gone = |position: i64| {
        let inside = if step > 0 {
            (from..to).contains(&position)
        } else {
            position <= from && position > to
        };
        inside && (position - from) % step == 0
    };
    (0..len).filter(|position| !gone(*position)).collect()
}

fn numbers(list: &List) -> Vec<i64> {
    (0..list.len().unwrap()).map(|at| number_of(&list.get(at).unwrap().unwrap())).collect()
}

fn thousand(segment: &Segment, kind: usize) -> List {
    let list = segment.list([]).unwrap();
    segment.root().set("x", &list).unwrap();
    for number in 0..1000 {
        list.push(item(segment, kind, number)).unwrap();
    }
    list
}

#[test]
fn lists_let_go_of_slices() {
    for kind in 0..3 {
        for bounds in SLICES {
            let segment = small();
            let list = thousand(&segment, kind);
            fill(&segment);
            let what = format!("{bounds:?} of kind {kind}");
            let &(start, stop, step) = bounds;
            list.del_slice(start, stop, step).expect(&what);
            assert_eq!(numbers(&list), without(1000, *bounds), "{what}");
            assert_sound(&segment, &what);
            list.clear().unwrap();
            assert_sound(&segment, &what);
            if kind == 1 {
                // There is room again.
                segment.root().set("x", text(1)).expect(&what);
            }
        }
    }
}

#[test]
fn lists_let_go_of_single_items_again_and_again() {
    for kind in 0..3 {
        let segment = small();
        let list = thousand(&segment, kind);
        let mut left: Vec<i64> = (0..1000).collect();
        for step in 0..200 {
            // What became free is taken, so that each time nothing is left.
            if step % 20 == 0 {
                fill(&segment);
            }
            let at = step * 37 % left.len();
            let gone = left.remove(at);
            match step % 3 {
                0 => assert_eq!(number_of(&list.remove(at).unwrap()), gone),
                1 if kind < 2 => assert!(list.remove_value(&item(&segment, kind, gone)).unwrap()),
                _ => list.del_slice(Some(at as i64), Some(at as i64 + 1), None).unwrap(),
            }
        }
        assert_eq!(numbers(&list), left);
        assert_sound(&segment, "in the end");
    }
}

#[test]
fn readers_see_a_list_as_it_was_or_as_it_is() {
    let segment = small();
    let list = segment.list_of(0..3000).unwrap();
    segment.root().set("x", &list).unwrap();
    fill(&segment);
    let other = list.clone();
    let reader = std::thread::spawn(move || {
        let mut looks = 0;
        loop {
            let seen: Vec<i64> =
                other.to_vec().unwrap().iter().map(|item| item.as_int().unwrap()).collect();
            assert!(seen.is_sorted_by(|one, two| one < two), "{} items", seen.len());
            // One each time, or the last slice.
            looks += 1;
            if seen.len() < 1000 {
                return looks;
            }
        }
    });
    for number in 0..2000_usize {
        let len = list.len().unwrap();
        if number % 50 == 0 {
            list.del_slice(Some(100), Some(200), Some(3)).unwrap();
        } else {
            list.remove(len / 2 - number % 90).unwrap();
        }
        if len < 1100 {
            break;
        }
    }
    list.truncate(900).unwrap();
    assert!(reader.join().unwrap() > 0);
    assert_sound(&segment, "in the end");
}

#[test]
fn bytearrays_let_go_of_bytes() {
    for bounds in SLICES {
        for front in [0, 3] {
            let segment = small();
            let bytes = segment.bytearray(&[7; 5]).unwrap();
            bytes.extend(&(0..1000).map(|number: i64| number as u8).collect::<Vec<_>>()).unwrap();
            // So that the first byte is not at a word's start.
            bytes.del_slice(None, Some(5), None).unwrap();
            fill(&segment);
            let &(start, stop, step) = bounds;
            bytes.del_slice(start, stop, step).unwrap();
            let mut left: Vec<u8> = without(1000, *bounds).iter().map(|at| *at as u8).collect();
            assert_eq!(bytes.to_vec().unwrap(), left, "{bounds:?}");
            if left.len() > 500 {
                assert_eq!(bytes.remove(front + 100).unwrap(), left.remove(front + 100));
                assert_eq!(bytes.to_vec().unwrap(), left, "{bounds:?}");
            }
            assert_sound(&segment, "a bytearray");
        }
    }
}

#[test]
fn whole_containers_are_emptied_and_freed() {
    for round in 0..7 {
        let segment = small();
        let list = thousand(&segment, 1);
        let dict = segment.dict((0..300).map(|number| (text(number), text(number)))).unwrap();
        let set = segment.set((0..300).map(text)).unwrap();
        segment.root().set("dict", &dict).unwrap();
        segment.root().set("set", &set).unwrap();
        // All headers are taken, but for those that are kept back for this.
        fill(&segment);
        match round {
            0 => list.clear().unwrap(),
            1 => dict.clear().unwrap(),
            2 => set.clear().unwrap(),
            3 => segment.free(&list.into()).unwrap(),
            4 => segment.free(&dict.into()).unwrap(),
            5 => segment.free(&set.into()).unwrap(),
            _ => {
                set.difference_update((0..25).map(text)).unwrap();
                assert_eq!(set.len().unwrap(), 275);
                set.intersection_update((0..270).map(text)).unwrap();
                assert_eq!(set.len().unwrap(), 245);
            }
        }
        assert_sound(&segment, "emptied");
        segment.root().set("x", text(2)).unwrap();
    }
}

#[test]
fn objects_are_emptied_one_after_the_other_without_a_header() {
    let segment = small();
    let lists: Vec<List> = (0..20).map(|_| segment.list_of((0..60).map(text)).unwrap()).collect();
    for list in &lists {
        fill(&segment);
        list.clear().unwrap();
    }
    assert_sound(&segment, "emptied");
}

#[test]
fn whoever_comes_to_a_full_segment_can_make_room() {
    let segment = small();
    let list = thousand(&segment, 1);
    let mut others = Vec::new();
    for number in 0..6 {
        fill(&segment);
        let options = SegmentOptions::new();
        let other = match segment.path() {
            Some(path) => Segment::attach("", options.path(path)),
            None => Segment::attach(segment.name(), options),
        };
        let other = match other {
            // Its thread's log is the file's, too.
            Err(Error::SegmentFull { .. }) if std::env::var_os(FOLDER).is_some() => return,
            other => other.unwrap(),
        };
        let found = other.root().get("x").unwrap().unwrap();
        let found = found.as_list().unwrap();
        found.remove(500).unwrap();
        found.del_slice(Some(3), Some(13), None).unwrap();
        assert_eq!(list.len().unwrap(), 1000 - 11 * (number + 1));
        others.push(other);
    }
    assert_sound(&segment, "with others");
}

#[test]
fn transactions_that_make_room_need_none() {
    let segment = small();
    let list = thousand(&segment, 1);
    fill(&segment);
    let undone = segment.transaction(|_| {
        list.pop()?;
        list.clear()?;
        Err::<(), _>(Error::InvalidArgument { what: "undo it".to_owned() })
    });
    assert!(matches!(undone, Err(Error::InvalidArgument { .. })));
    assert_eq!(list.len().unwrap(), 1000);
    assert_sound(&segment, "undone");
    segment
        .transaction(|_| {
            let last = list.pop()?.unwrap();
            assert_eq!(number_of(&last), 999);
            list.set(0, 1)?;
            list.remove(1)?;
            segment.root().remove("x").map(drop)
        })
        .unwrap();
    assert_eq!(list.len().unwrap(), 998);
    assert_sound(&segment, "committed");
}

/// A dict of a list, as Python puts it.
fn message(segment: &Segment, number: i64) -> Draft {
    let mut draft = Draft::new(segment.heap());
    draft.key("number");
    draft.int(number);
    draft.key("list");
    draft.text(TEXT);
    draft.list(1);
    draft.dict(2);
    draft
}

fn number_in(value: &Value) -> i64 {
    value.as_dict().unwrap().get("number").unwrap().unwrap().try_into().unwrap()
}

fn filled_queue(segment: &Segment) -> (Queue, i64) {
    let queue = segment.queue("jobs", 0).unwrap();
    let mut count = 0;
    until_full(|| {
        queue.put(message(segment, count), NOW)?;
        count += 1;
        Ok(())
    });
    fill(segment);
    assert!(count > 1000, "{count} messages");
    (queue, count)
}

#[test]
fn a_queue_that_fills_its_segment_is_emptied_message_by_message() {
    let segment = small();
    let (queue, count) = filled_queue(&segment);
    assert_eq!(number_in(&queue.peek(false).unwrap().unwrap()), 0);
    assert_eq!(number_in(&queue.peek(true).unwrap().unwrap()), count - 1);
    assert_eq!(number_in(&queue.get_newest().unwrap().unwrap()), count - 1);
    let kept: Vec<Value> = (0..count - 1).map(|_| queue.get(NOW).unwrap()).collect();
    assert!(kept.iter().enumerate().all(|(at, value)| number_in(value) == at as i64));
    assert!(queue.is_empty().unwrap());
    assert_sound(&segment, "emptied");
}

#[test]
fn a_queue_that_fills_its_segment_is_emptied_by_leases() {
    let segment = small();
    let (queue, count) = filled_queue(&segment);
    for number in 0..count {
        let lease = queue.get_lease(NOW).unwrap();
        assert_eq!(number_in(lease.value()), number);
        match number % 10 {
            // It comes back.
            3 => {
                lease.give_back().unwrap();
                let again = queue.get_lease(NOW).unwrap();
                assert_eq!(number_in(again.value()), number);
                again.ack().unwrap();
            }
            _ => lease.ack().unwrap(),
        }
        if number % 3000 == 0 {
            fill(&segment);
        }
    }
    assert!(queue.is_empty().unwrap() && queue.leased().unwrap() == 0);
    assert_sound(&segment, "emptied");
}

#[test]
fn many_leases_of_a_full_segment_are_held_and_settled_in_any_order() {
    let segment = small();
    let (queue, count) = filled_queue(&segment);
    for round in 0..20 {
        let mut held: Vec<Lease> = (0..32).map(|_| queue.get_lease(NOW).unwrap()).collect();
        assert_eq!(queue.leased().unwrap(), 32);
        let numbers: Vec<i64> = held.iter().map(|lease| number_in(lease.value())).collect();
        assert_eq!(numbers, (round * 32..round * 32 + 32).collect::<Vec<_>>());
        while !held.is_empty() {
            held.swap_remove(held.len() * 7 / 10).ack().unwrap();
        }
        fill(&segment);
    }
    // Dropped, they come back in their order.
    let held: Vec<Lease> = (0..5).map(|_| queue.get_lease(NOW).unwrap()).collect();
    held.into_iter().rev().for_each(drop);
    assert_eq!(number_in(&queue.get(NOW).unwrap()), 640);
    assert_eq!(queue.len().unwrap() as i64, count - 641);
    assert_sound(&segment, "in the end");
}

#[test]
fn messages_of_the_segment_itself_are_taken_too() {
    let segment = small();
    let mut count = 0;
    until_full(|| {
        segment.put_message(message(&segment, count))?;
        count += 1;
        Ok(())
    });
    fill(&segment);
    for number in 0..count {
        assert_eq!(number_in(&segment.take_message(NOW).unwrap()), number);
    }
    assert_sound(&segment, "emptied");
}

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
