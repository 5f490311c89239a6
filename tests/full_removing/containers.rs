//! Bytearrays let go of bytes; whole containers are emptied and freed.

use shm::{Error, List, Value};

use crate::{SLICES, assert_sound, fill, small, text, thousand, without};

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

/// Takes half, or all but a few, or a stretch, out of a set of so many.
fn assert_that_a_set_lets_go(count: i64, member: fn(i64) -> Value) {
    for (what, goes) in [
        ("every other one", (|number, _| number % 2 == 0) as fn(i64, i64) -> bool),
        ("all but a few", |number, _| number % 50 != 7),
        ("a stretch", |number, count| (count / 4..count / 2).contains(&number)),
    ] {
        let what = format!("{what} of {count}");
        let segment = small();
        let set = segment.set((0..count).map(member)).unwrap();
        segment.root().set("set", &set).unwrap();
        // A deleted one in front, and one in between.
        set.remove(member(0)).unwrap();
        set.remove(member(count / 3)).unwrap();
        fill(&segment);
        let there = |number: &i64| *number != 0 && *number != count / 3;
        let stays = |number: &i64| there(number) && !goes(*number, count);
        let members = |stay: &dyn Fn(&i64) -> bool| -> Vec<Value> {
            (0..count).filter(|number| stay(number)).map(member).collect()
        };
        let left = members(&stays);
        if count % 20 == 0 {
            set.difference_update(members(&|number| !stays(number))).expect(&what);
        } else {
            set.intersection_update(left.clone()).expect(&what);
        }
        assert_eq!(set.to_vec().unwrap(), left, "{what}");
        assert_eq!(set.len().unwrap(), left.len());
        assert_sound(&segment, &what);
        assert!((0..count).all(|number| set.contains(member(number)).unwrap() == stays(&number)));
        // It is a set like any other: what is gone comes again, at the end.
        segment.root().remove("rest").unwrap();
        set.update(members(&|number| goes(*number, count))).expect(&what);
        assert_eq!(
            set.len().unwrap() as i64,
            left.len() as i64 + (0..count).filter(|n| goes(*n, count)).count() as i64
        );
        assert_eq!(set.to_vec().unwrap()[..left.len()], left);
        assert!(left.iter().all(|member| set.remove(member).unwrap()));
        assert_sound(&segment, &what);
    }
}

#[test]
fn sets_let_go_of_any_number_of_members() {
    for count in [200, 1_111, 3_900] {
        assert_that_a_set_lets_go(count, Value::from);
        assert_that_a_set_lets_go(count, text);
    }
}

#[test]
fn a_set_that_cannot_let_go_stays_as_it_was() {
    let segment = small();
    let set = segment.set((0..20_000).map(Value::from)).unwrap();
    segment.root().set("set", &set).unwrap();
    fill(&segment);
    let odd = (0..20_000).filter(|number| number % 2 == 1).map(Value::from);
    let before = set.to_vec().unwrap();
    // Its bits are more than a block has that is kept back.
    let refused = set.difference_update(odd.clone());
    assert!(matches!(refused, Err(Error::SegmentFull { .. })), "{refused:?}");
    assert_eq!(set.to_vec().unwrap(), before);
    // Nor in a transaction, which may be undone.
    let few = segment.set((0..300).map(Value::from));
    assert!(matches!(few, Err(Error::SegmentFull { .. })));
    set.difference_update((0..3_000).map(Value::from)).unwrap();
    let undone = segment.transaction(|_| set.difference_update((3_000..6_000).map(Value::from)));
    assert!(matches!(undone, Err(Error::SegmentFull { .. })), "{undone:?}");
    assert_eq!(set.len().unwrap(), 17_000);
    assert_sound(&segment, "in the end");
}

#[test]
fn readers_see_a_set_as_it_was_or_as_it_is() {
    let segment = small();
    let set = segment.set((0..3_000).map(Value::from)).unwrap();
    segment.root().set("set", &set).unwrap();
    fill(&segment);
    let other = set.clone();
    let reader = std::thread::spawn(move || {
        loop {
            let seen = other.to_vec().unwrap().len();
            assert_eq!(seen % 300, 0, "{seen} members");
            if seen <= 300 {
                return;
            }
        }
    });
    for last in (1..10).rev() {
        let goes = |number: &i64| number % 10 == last;
        set.difference_update((0..3_000).filter(goes).map(Value::from)).unwrap();
    }
    reader.join().unwrap();
    assert_sound(&segment, "in the end");
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
