//! How segments come and go: names, races, lifetimes, deaths, forks, and files that are none.

#![allow(unsafe_code, reason = "fork, kill and resource limits")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shm::{Error, Lifetime, Segment, SegmentOptions, Value};

/// A name that no other test uses.
fn fresh_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("shm-lifecycle-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn path_of(name: &str) -> PathBuf {
    PathBuf::from("/dev/shm").join(name)
}

fn small() -> SegmentOptions {
    SegmentOptions::new().size(1 << 20)
}

/// Runs `work` in a forked child and returns its exit code, or minus the signal that ended it.
fn in_child(work: impl FnOnce() -> i32) -> i32 {
    wait(spawn(work))
}

fn spawn(work: impl FnOnce() -> i32) -> libc::pid_t {
    // SAFETY: the child runs `work` and ends by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = work();
        // SAFETY: ends without running the parent's exit handlers.
        unsafe { libc::_exit(code) };
    }
    pid
}

fn wait(pid: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is a live local; the child is ours.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    if libc::WIFSIGNALED(status) { -libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
}

/// Runs a test in a child of its own: forks of other tests' threads would inherit what it attaches,
/// and so would count as peers.
fn alone(test: impl FnOnce() + std::panic::UnwindSafe) {
    let code = in_child(|| match std::panic::catch_unwind(test) {
        Ok(()) => 0,
        Err(_) => 1,
    });
    assert_eq!(code, 0, "the test failed in its process");
}

fn die() -> i32 {
    // SAFETY: ends this process as a kill from outside would.
    unsafe { libc::raise(libc::SIGKILL) };
    0
}

/// Waits until something holds, at most ten seconds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within 10 s");
        std::thread::yield_now();
    }
}

#[test]
fn unknown_name_is_not_found_and_a_taken_one_exists() {
    let name = fresh_name();
    assert!(matches!(Segment::attach(&name, small()), Err(Error::SegmentNotFound { .. })));
    let segment = Segment::create(&name, small()).unwrap();
    segment.root().set("kept", 1).unwrap();
    assert!(matches!(Segment::create(&name, small()), Err(Error::SegmentExists { .. })));
    assert_eq!(segment.root().get("kept").unwrap(), Some(Value::Int(1)));
}

#[test]
fn attach_waits_for_the_creator() {
    let name = fresh_name();
    let child_name = name.clone();
    let child = spawn(move || {
        let options = small().timeout(Duration::from_secs(10));
        let seen = Segment::attach(&child_name, options)
            .and_then(|segment| segment.take_message(Some(Duration::from_secs(10))));
        i32::from(seen.ok() != Some(Value::Int(7)))
    });
    let segment = Segment::create(&name, small()).unwrap();
    segment.put_message(7).unwrap();
    assert_eq!(wait(child), 0);
}

#[test]
fn names_that_are_no_names_are_refused() {
    for name in ["", "a/b", ".hidden", "nul\0", &"x".repeat(300)] {
        assert!(
            matches!(Segment::create(name, small()), Err(Error::InvalidArgument { .. })),
            "{name:?}"
        );
    }
}

#[test]
fn a_foreign_file_is_told_apart_and_left_alone() {
    let name = fresh_name();
    for content in [vec![], b"hello".to_vec(), vec![0; 8192], vec![0xAB; 100_000]] {
        std::fs::write(path_of(&name), &content).unwrap();
        assert!(matches!(Segment::attach(&name, small()), Err(Error::FormatMismatch { .. })));
        assert!(matches!(Segment::open(&name, small()), Err(Error::FormatMismatch { .. })));
        assert!(matches!(Segment::create(&name, small()), Err(Error::SegmentExists { .. })));
        assert!(matches!(shm::unlink(&name), Err(Error::FormatMismatch { .. })));
        shm::prune().unwrap();
        assert_eq!(std::fs::read(path_of(&name)).unwrap(), content);
    }
    std::fs::remove_file(path_of(&name)).unwrap();
}

/// Changes the bytes of a segment that lives on as a file, and attaches to it.
fn attach_changed(change: impl FnOnce(&mut Vec<u8>)) -> Error {
    let name = fresh_name();
    let try_it = || -> std::io::Result<_> {
        let segment = Segment::create(&name, small().lifetime(Lifetime::Manual));
        segment.and_then(|segment| segment.close()).map_err(std::io::Error::other)?;
        let mut bytes = std::fs::read(path_of(&name))?;
        change(&mut bytes);
        std::fs::write(path_of(&name), &bytes)?;
        let error = Segment::attach(&name, small()).err();
        Ok((bytes, std::fs::read(path_of(&name))?, error))
    };
    let outcome = try_it();
    let _ = std::fs::remove_file(path_of(&name));
    match outcome {
        Ok((before, after, Some(error))) => {
            assert_eq!(before, after, "a failed attach changed something");
            error
        }
        Ok((.., None)) => panic!("attached to a file that is no segment any more"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn another_version_is_a_format_mismatch_with_both_numbers() {
    let error = attach_changed(|bytes| bytes[8] = 99);
    let text = error.to_string();
    assert!(matches!(error, Error::FormatMismatch { .. }), "{text}");
    assert!(text.contains("99") && text.contains("reads 2"), "{text}");
}

#[test]
fn an_unknown_feature_is_a_format_mismatch() {
    // Bytes 24 to 31: features that a reader must know.
    let error = attach_changed(|bytes| bytes[24] = 4);
    assert!(matches!(error, Error::FormatMismatch { .. }), "{error}");
}

#[test]
fn a_truncated_file_is_corrupt_and_says_so() {
    let error = attach_changed(|bytes| bytes.truncate(bytes.len() - 70_000));
    assert!(matches!(&error, Error::SegmentCorrupt { .. }), "{error}");
    assert!(error.to_string().contains("truncated"), "{error}");
    let error = attach_changed(|bytes| bytes.truncate(100));
    assert!(matches!(&error, Error::FormatMismatch { .. }), "{error}");
}

#[test]
fn a_changed_header_is_corrupt() {
    let error = attach_changed(|bytes| bytes[72] ^= 1);
    assert!(matches!(&error, Error::SegmentCorrupt { .. }), "{error}");
}

#[test]
fn a_file_without_permission_is_refused_by_the_system() {
    let name = fresh_name();
    let segment = Segment::create(&name, small()).unwrap();
    let code = in_child(|| {
        // SAFETY: gives root's rights up, or does nothing for who has none.
        unsafe { libc::setuid(65_534) };
        if std::fs::File::open(path_of(&name)).is_ok() {
            // Not root: take the file's permission instead.
            let none = std::os::unix::fs::PermissionsExt::from_mode(0o000);
            if std::fs::set_permissions(path_of(&name), none).is_err() {
                return 2;
            }
        }
        match Segment::attach(&name, small()) {
            Err(Error::Io { source, .. })
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                0
            }
            _ => 1,
        }
    });
    assert_eq!(code, 0);
    segment.root().set("still", "here").unwrap();
}

#[test]
fn the_mode_is_0600_unless_asked_for_otherwise() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |name: &str| path_of(name).metadata().unwrap().permissions().mode() & 0o7777;
    let (private, shared) = (fresh_name(), fresh_name());
    let _one = Segment::create(&private, small()).unwrap();
    let _two = Segment::create(&shared, small().mode(0o666)).unwrap();
    assert_eq!((mode(&private), mode(&shared)), (0o600, 0o666));
}

#[test]
fn any_number_of_processes_open_one_segment_whoever_is_first() {
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
    let name = fresh_name();
    let creator = Segment::create(&name, small().lifetime(Lifetime::Creator)).unwrap();
    let other = Segment::attach(&name, small()).unwrap();
    other.root().set("n", 1).unwrap();
    creator.close().unwrap();
    assert!(!path_of(&name).exists());
    assert_eq!(other.root().get("n").unwrap(), Some(Value::Int(1)));
}

#[test]
fn a_creator_that_was_killed_takes_its_segment_along() {
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
    let name = fresh_name();
    let segment = Segment::create(&name, small().lifetime(Lifetime::Manual)).unwrap();
    segment.root().set("n", 1).unwrap();
    drop(segment);
    let segment = Segment::attach(&name, small()).unwrap();
    assert_eq!(segment.root().get("n").unwrap(), Some(Value::Int(1)));
    shm::unlink(&name).unwrap();
    assert!(!path_of(&name).exists());
    segment.root().set("n", 2).unwrap();
}

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

#[test]
fn a_dead_holder_of_the_lock_is_recovered_at_once() {
    let segment = Segment::create_anonymous(small()).unwrap();
    let list = segment.list((0..2000).map(|n| format!("text number {n}"))).unwrap();
    segment.root().set("list", &list).unwrap();
    let mut deaths = 0;
    for round in 0..200 {
        let child = spawn(|| {
            loop {
                let _ = list.reverse();
            }
        });
        let before = segment.stats().unwrap().deaths;
        // Until the child is at work; then it is killed wherever it is.
        let version = list.version().unwrap();
        eventually("the child works", || list.version().unwrap() != version);
        // SAFETY: the child is ours and was not reaped.
        unsafe { libc::kill(child, libc::SIGKILL) };
        let killed = Instant::now();
        segment.root().set("round", round).unwrap();
        assert!(killed.elapsed() < Duration::from_secs(1));
        wait(child);
        deaths += segment.stats().unwrap().deaths - before;
    }
    assert!(deaths > 0, "no child died with the lock in 200 rounds");
    let report = segment.check().unwrap();
    assert!(report.is_sound(), "{report:?}");
}

#[test]
fn a_stopped_holder_is_not_robbed_and_the_error_names_it() {
    let options = small().lock_timeout(Duration::from_millis(200));
    let segment = Segment::create_anonymous(options).unwrap();
    let list = segment.list((0..5000).map(|n| format!("text number {n}"))).unwrap();
    for _ in 0..200 {
        let child = spawn(|| {
            loop {
                let _ = list.reverse();
            }
        });
        let version = list.version().unwrap();
        eventually("the child works", || list.version().unwrap() != version);
        // SAFETY: the child is ours.
        unsafe { libc::kill(child, libc::SIGSTOP) };
        let mut status = 0;
        // SAFETY: `status` is a live local; waits until the child has stopped.
        unsafe { libc::waitpid(child, &raw mut status, libc::WUNTRACED) };
        let outcome = segment.root().set("n", 1);
        // SAFETY: the child is ours; SIGKILL ends stopped processes too.
        unsafe { libc::kill(child, libc::SIGKILL) };
        wait(child);
        match outcome {
            Ok(()) => {}
            Err(Error::LockTimeout { holder_pid, held_for, .. }) => {
                assert_eq!(holder_pid, child as u32);
                assert!(held_for >= Duration::from_millis(100));
                segment.root().set("n", 2).unwrap();
                return;
            }
            Err(other) => panic!("{other}"),
        }
    }
    panic!("no child was stopped with the lock in 200 rounds");
}

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

#[test]
fn an_object_that_only_a_dead_process_held_is_freed() {
    alone(|| {
        let segment = Segment::create_anonymous(small()).unwrap();
        let before = segment.check().unwrap();
        let code = in_child(|| {
            let lists: Result<Vec<_>, _> =
                (0..500).map(|n| segment.list([format!("text number {n}")])).collect();
            std::mem::forget(lists);
            die()
        });
        assert_eq!(code, -libc::SIGKILL);
        assert!(segment.check().unwrap().objects > before.objects + 400);
        segment.reap().unwrap();
        let after = segment.check().unwrap();
        assert!(after.is_sound(), "{after:?}");
        assert_eq!((after.objects, after.leaves), (before.objects, before.leaves));
    });
}

#[test]
fn turns_are_exclusive_and_pass_over_the_dead() {
    let segment = Segment::create_anonymous(small()).unwrap();
    let counter = segment.list([0, 0]).unwrap();
    let children: Vec<libc::pid_t> = (0..4)
        .map(|number| {
            let (segment, counter) = (&segment, &counter);
            spawn(move || {
                let Ok(turn) = segment.turn("count") else { return 1 };
                for round in 0..200 {
                    let Ok(guard) = turn.acquire(Some(Duration::from_secs(20))) else { return 2 };
                    let seen = counter.get_int(0).ok().flatten().unwrap_or(0);
                    if counter.set(0, seen + 1).is_err() {
                        return 3;
                    }
                    if number == 0 && round == 100 {
                        std::mem::forget(guard);
                        return die();
                    }
                }
                0
            })
        })
        .collect();
    let codes: Vec<i32> = children.into_iter().map(wait).collect();
    assert_eq!(codes, [-libc::SIGKILL, 0, 0, 0]);
    assert_eq!(counter.get_int(0).unwrap(), Some(3 * 200 + 101));
    let turn = segment.turn("count").unwrap();
    drop(turn.acquire(Some(Duration::from_secs(5))).unwrap());
}

#[test]
fn a_turn_that_does_not_come_names_its_holder() {
    let segment = Segment::create_anonymous(small()).unwrap();
    let held = segment.list([0]).unwrap();
    let child = spawn(|| {
        let Ok(turn) = segment.turn("t") else { return 1 };
        let _guard = turn.acquire(None);
        let _ = held.set(0, 1);
        while held.get_int(0).unwrap_or(None) != Some(2) {
            std::thread::yield_now();
        }
        0
    });
    eventually("the child holds the turn", || held.get_int(0).unwrap() == Some(1));
    let error = segment.turn("t").unwrap().acquire(Some(Duration::from_millis(50))).unwrap_err();
    match error {
        Error::LockTimeout { holder_pid, .. } => assert_eq!(holder_pid, child as u32),
        other => panic!("{other}"),
    }
    held.set(0, 2).unwrap();
    assert_eq!(wait(child), 0);
    drop(segment.turn("t").unwrap().acquire(Some(Duration::from_secs(5))).unwrap());
}

#[test]
fn messages_come_in_order_and_wait() {
    let segment = Segment::create_anonymous(small()).unwrap();
    let none = segment.take_message(Some(Duration::ZERO)).unwrap_err();
    assert!(matches!(none, Error::NoMessages { .. }));
    let child = spawn(|| {
        for number in 0..500 {
            let message = segment.list([Value::from(number), "and more".into()]);
            if message.and_then(|message| segment.put_message(&message)).is_err() {
                return 1;
            }
        }
        0
    });
    for number in 0..500 {
        let message = segment.take_message(Some(Duration::from_secs(10))).unwrap();
        let Value::List(message) = message else { panic!("{message:?}") };
        assert_eq!(message.get(0).unwrap(), Some(Value::Int(number)));
    }
    assert_eq!(wait(child), 0);
    assert!(!segment.has_messages().unwrap());
}

#[test]
fn a_read_only_attachment_reads_everything_and_touches_nothing() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small()).unwrap();
        let inner = segment.list([1, 2, 3]).unwrap();
        segment.root().set("inner", &inner).unwrap();
        let bytes = std::fs::read(path_of(&name)).unwrap();
        let reader = Segment::attach(&name, small().readonly(true)).unwrap();
        let Some(Value::List(list)) = reader.root().get("inner").unwrap() else {
            panic!("no list")
        };
        assert_eq!(list.to_vec().unwrap(), [1, 2, 3].map(Value::from));
        assert!(matches!(list.push(4), Err(Error::ReadOnly { .. })));
        assert!(matches!(reader.root().set("n", 1), Err(Error::ReadOnly { .. })));
        assert!(matches!(reader.put_message(1), Err(Error::ReadOnly { .. })));
        assert!(reader.check().unwrap().is_sound());
        drop((list, reader));
        assert_eq!(std::fs::read(path_of(&name)).unwrap(), bytes);
    });
}

/// From now on a file may have so many bytes in this process: what a full file system does, without
/// one.
fn limit_files(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: `limit` is live.
    unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
    // SAFETY: ignoring a signal installs no handler; it makes the limit an error.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

#[test]
fn a_file_system_without_room_for_a_segment_is_segment_full() {
    for bytes in [0, 4096, 60_000, 200_000, 1 << 20, (1 << 20) + 300_000] {
        let name = fresh_name();
        let code = in_child(|| {
            limit_files(bytes);
            let outcome = Segment::create(&name, SegmentOptions::new().size(1 << 30));
            i32::from(!matches!(outcome, Err(Error::SegmentFull { .. })))
        });
        assert_eq!(code, 0, "with room for {bytes} bytes");
        assert!(!path_of(&name).exists());
    }
}

#[test]
fn a_file_system_without_room_is_segment_full_and_loses_nothing() {
    let name = fresh_name();
    let code = in_child(|| {
        limit_files(8 << 20);
        let Ok(segment) = Segment::create(&name, SegmentOptions::new().size(1 << 30)) else {
            return 1;
        };
        let Ok(list) = segment.list::<Value>([]) else { return 2 };
        let mut count = 0;
        let error = loop {
            match list.push(format!("text number {count}, of some length")) {
                Ok(()) => count += 1,
                Err(error) => break error,
            }
        };
        if !matches!(error, Error::SegmentFull { .. }) {
            return 3;
        }
        for index in 0..count {
            let expected = Value::from(format!("text number {index}, of some length"));
            if list.get(index).ok().flatten() != Some(expected) {
                return 4;
            }
        }
        i32::from(!segment.check().is_ok_and(|report| report.is_sound()))
    });
    assert_eq!(code, 0);
    shm::prune().unwrap();
}
