//! Lists let go of items where they are: slices, single ones, while others read.

use shm::List;

use crate::{SLICES, assert_sound, fill, item, number_of, small, text, thousand, without};

fn numbers(list: &List) -> Vec<i64> {
    (0..list.len().unwrap()).map(|at| number_of(&list.get(at).unwrap().unwrap())).collect()
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
