//! Whoever comes to a full segment can make room, and so can a transaction.

use shm::{Error, Segment, SegmentOptions};

use crate::{FOLDER, assert_sound, fill, number_of, small, thousand};

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
