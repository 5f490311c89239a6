//! Forks: a child has its parent's handles, a slot and pins of its own, and none of its locks.
//!
//! Both go on whatever becomes of the other; what only a dead child held is given back.

use shm::{Error, Segment, Value};

use crate::{alone, small, spawn, wait};

#[test]
fn a_forked_child_keeps_its_handles_when_the_parent_drops_them() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let list = segment.list(["only the handles know it"]).unwrap();
        let ready = segment.list([0]).unwrap();
        let child = spawn(|| {
            // The parent says when its own handle is gone.
            while ready.get_int(0).unwrap_or(None) != Some(1) {
                std::thread::yield_now();
            }
            let seen = list.get(0).ok().flatten();
            let written = list.push(1).is_ok();
            i32::from(seen != Some(Value::from("only the handles know it")) || !written)
        });
        let id = list.id();
        drop(list);
        ready.set(0, 1).unwrap();
        assert_eq!(wait(child), 0);
        segment.reap().unwrap();
        assert!(matches!(segment.object(id), Err(Error::Closed { .. })));
        let report = segment.check().unwrap();
        assert!(report.is_sound() && report.garbage == 0, "{report:?}");
    });
}
