//! More processes and threads than slots: a clear error, and a place again when one has gone.
//!
//! Slots of the dead are used again without anybody asking for it.

use shm::{Error, Segment};

use crate::{alone, die, fresh_name, in_child, small};

#[test]
fn more_processes_than_slots_is_an_error_after_dead_ones_were_reclaimed() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small().max_processes(3)).unwrap();
        let attach_and_die = || {
            in_child(|| match Segment::attach(&name, small()) {
                Ok(own) => {
                    let held = own.list([1, 2, 3]);
                    std::mem::forget(held);
                    die()
                }
                Err(_) => 1,
            })
        };
        // Each takes a slot, pins an object and is killed: their slots are used again and again.
        for _ in 0..10 {
            assert_eq!(attach_and_die(), -libc::SIGKILL);
        }
        let two = Segment::attach(&name, small()).unwrap();
        let three = Segment::attach(&name, small()).unwrap();
        let error = Segment::attach(&name, small()).unwrap_err();
        assert!(matches!(error, Error::TooManyParticipants { slots: 3, .. }), "{error}");
        drop((two, three));
        segment.reap().unwrap();
        let report = segment.check().unwrap();
        assert!(report.is_sound() && report.garbage == 0, "{report:?}");
    });
}
