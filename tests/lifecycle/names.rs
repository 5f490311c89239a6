//! Names, files and rights: what is a segment, what is none, and where there is no room for one.
//!
//! A failed attach or create changes nothing, whatever the file holds; each refusal says what it met
//! and what to do. A full file system is played by a limit on the size of files.

use std::time::Duration;

use shm::{Error, Lifetime, Segment, SegmentOptions, Value};

use crate::{alone, fresh_name, in_child, path_of, small, spawn, wait};

#[test]
fn unknown_name_is_not_found_and_a_taken_one_exists() {
    alone(|| {
        let name = fresh_name();
        assert!(matches!(Segment::attach(&name, small()), Err(Error::SegmentNotFound { .. })));
        let segment = Segment::create(&name, small()).unwrap();
        segment.root().set("kept", 1).unwrap();
        assert!(matches!(Segment::create(&name, small()), Err(Error::SegmentExists { .. })));
        assert_eq!(segment.root().get("kept").unwrap(), Some(Value::Int(1)));
    });
}

#[test]
fn attach_waits_for_the_creator() {
    alone(|| {
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
    });
}

#[test]
fn names_that_are_no_names_are_refused() {
    alone(|| {
        for name in ["", "a/b", ".hidden", "nul\0", &"x".repeat(300)] {
            assert!(
                matches!(Segment::create(name, small()), Err(Error::InvalidArgument { .. })),
                "{name:?}"
            );
        }
    });
}

#[test]
fn a_foreign_file_is_told_apart_and_left_alone() {
    alone(|| {
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
    });
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
    let own = format!("reads {}", shm::layout::FORMAT);
    assert!(text.contains("99") && text.contains(&own), "{text}");
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
    alone(|| {
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
    });
}

#[test]
fn the_mode_is_0600_unless_asked_for_otherwise() {
    alone(|| {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name: &str| path_of(name).metadata().unwrap().permissions().mode() & 0o7777;
        let (private, shared) = (fresh_name(), fresh_name());
        let _one = Segment::create(&private, small()).unwrap();
        let _two = Segment::create(&shared, small().mode(0o666)).unwrap();
        assert_eq!((mode(&private), mode(&shared)), (0o600, 0o666));
    });
}

#[test]
fn a_read_only_attachment_reads_everything_and_touches_nothing() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small()).unwrap();
        let inner = segment.list_of([1, 2, 3]).unwrap();
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
    alone(|| {
        for bytes in [0, 4096, 60_000, 200_000, 1 << 20, (1 << 20) + 300_000, 8 << 20] {
            let name = fresh_name();
            let code = in_child(|| {
                limit_files(bytes);
                let outcome = Segment::create(&name, SegmentOptions::new().size(1 << 30));
                i32::from(!matches!(outcome, Err(Error::SegmentFull { .. })))
            });
            assert_eq!(code, 0, "with room for {bytes} bytes");
            assert!(!path_of(&name).exists());
        }
    });
}

#[test]
fn a_file_system_without_room_is_segment_full_and_loses_nothing() {
    alone(|| {
        let name = fresh_name();
        let code = in_child(|| {
            limit_files(16 << 20);
            let Ok(segment) = Segment::create(&name, SegmentOptions::new().size(1 << 30)) else {
                return 1;
            };
            let Ok(list) = segment.list([]) else { return 2 };
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
    });
}
