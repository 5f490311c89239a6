//! Bytearrays let go of bytes; whole containers are emptied and freed.

use shm::List;

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
