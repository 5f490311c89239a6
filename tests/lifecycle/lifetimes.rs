//! When a segment's name goes: with the last one, with its creator, or when it is told to.
//!
//! The dead count as gone whoever notices; what lives is never pruned.

use shm::{Error, Lifetime, Segment, Value};

use crate::{alone, die, fresh_name, in_child, path_of, small, spawn, wait};

#[test]
fn any_number_of_processes_open_one_segment_whoever_is_first() {
    alone(|| {
        let name = fresh_name();
        let children: Vec<libc::pid_t> = (0..12)
            .map(|_| {
                spawn(|| {
                    let opened = Segment::open(&name, small().lifetime(Lifetime::Manual))
                        .and_then(|segment| segment.root().add("n", 1));
                    i32::from(opened.is_err())
                })
            })
            .collect();
        for child in children {
            assert_eq!(wait(child), 0);
        }
        let segment = Segment::attach(&name, small()).unwrap();
        assert_eq!(segment.root().get("n").unwrap(), Some(Value::Int(12)));
        assert!(segment.unlink().unwrap());
    });
}

#[test]
fn the_last_one_to_leave_removes_the_name() {
    alone(|| {
        let name = fresh_name();
        let one = Segment::create(&name, small()).unwrap();
        let two = Segment::attach(&name, small()).unwrap();
        one.close().unwrap();
        assert!(path_of(&name).exists());
        assert!(matches!(one.try_root(), Err(Error::Closed { .. })));
        drop(two);
        assert!(!path_of(&name).exists());
    });
}

#[test]
fn the_creator_takes_the_name_along_if_asked_to() {
    alone(|| {
        let name = fresh_name();
        let creator = Segment::create(&name, small().lifetime(Lifetime::Creator)).unwrap();
        let other = Segment::attach(&name, small()).unwrap();
        other.root().set("n", 1).unwrap();
        creator.close().unwrap();
        assert!(!path_of(&name).exists());
        assert_eq!(other.root().get("n").unwrap(), Some(Value::Int(1)));
    });
}

#[test]
fn a_creator_that_was_killed_takes_its_segment_along() {
    alone(|| {
        let name = fresh_name();
        let code = in_child(|| match Segment::create(&name, small().lifetime(Lifetime::Creator)) {
            Ok(segment) => {
                let _ = segment.root().set("old", 1);
                die()
            }
            Err(_) => 1,
        });
        assert_eq!(code, -libc::SIGKILL);
        assert!(matches!(Segment::attach(&name, small()), Err(Error::SegmentNotFound { .. })));
        assert!(!path_of(&name).exists());
    });
}

#[test]
fn what_only_the_dead_hold_is_replaced_by_create_and_removed_by_prune() {
    alone(|| {
        for remove in [false, true] {
            let name = fresh_name();
            let code = in_child(|| match Segment::create(&name, small()) {
                Ok(segment) => {
                    let _ = segment.root().set("old", 1);
                    die()
                }
                Err(_) => 1,
            });
            assert_eq!(code, -libc::SIGKILL);
            assert!(path_of(&name).exists());
            if remove {
                assert!(shm::prune().unwrap().contains(&name));
                assert!(!path_of(&name).exists());
            } else {
                let segment = Segment::create(&name, small()).unwrap();
                assert_eq!(segment.root().get("old").unwrap(), None);
            }
        }
    });
}

#[test]
fn a_live_segment_is_listed_with_its_peers_and_not_pruned() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small()).unwrap();
        assert!(!shm::prune().unwrap().contains(&name));
        let listed = shm::segments().unwrap();
        let info = listed.iter().find(|info| info.name == name).unwrap();
        assert_eq!(info.peers.len(), 1);
        assert_eq!(info.peers[0].pid, std::process::id());
        assert!(info.peers[0].alive);
        assert_eq!(segment.peers().unwrap(), info.peers);
    });
}

#[test]
fn a_manual_segment_outlives_everybody() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small().lifetime(Lifetime::Manual)).unwrap();
        segment.root().set("n", 1).unwrap();
        drop(segment);
        let segment = Segment::attach(&name, small()).unwrap();
        assert_eq!(segment.root().get("n").unwrap(), Some(Value::Int(1)));
        shm::unlink(&name).unwrap();
        assert!(!path_of(&name).exists());
        segment.root().set("n", 2).unwrap();
    });
}

#[test]
fn a_file_stays_unless_it_is_told_to_go() {
    alone(|| {
        let path = std::env::temp_dir().join(fresh_name());
        let options = || small().path(&path);
        for (told, stays) in [(options(), true), (options().lifetime(Lifetime::Last), false)] {
            let segment = Segment::create("", told.clone()).unwrap();
            drop((Segment::open("", options().lifetime(Lifetime::Manual)).unwrap(), segment));
            assert_eq!(path.exists(), stays);
            assert_eq!(shm::unlink_path(&path).is_ok(), stays);
            assert!(!path.exists());
        }
    });
}
