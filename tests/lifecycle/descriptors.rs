//! Descriptors closed by somebody else: a daemon that closes all it knows by number goes on.
//!
//! It is not taken for dead and keeps what it pins. A number that means another file by now is never
//! written to, locked, resized or closed.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use shm::{Error, Lifetime, Segment, Value};

use crate::{
    Board, alone, assert_clean, eventually, fresh_name, in_child, living, path_of, small, spawn,
    wait,
};

/// As Python's `os.closerange(3, 1000)`.
fn close_all() {
    for number in 3..1000 {
        // SAFETY: nothing of this process is used by descriptor from here on but the segment, which
        // is what the test is about.
        unsafe { libc::close(number) };
    }
}

/// Opens files of its own under the numbers that have become free.
fn take_numbers(content: &[u8]) -> Vec<File> {
    (0..8)
        .map(|number| {
            let path = std::env::temp_dir().join(format!("shm-lc-{}-{number}", std::process::id()));
            let mut file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(&path)
                .unwrap();
            std::fs::remove_file(&path).unwrap();
            file.write_all(content).unwrap();
            file
        })
        .collect()
}

/// Whether the files are as they were, open, and not locked by anybody.
fn untouched(files: &[File], content: &[u8]) -> bool {
    files.iter().all(|file| {
        // SAFETY: an all-zero flock is a valid value of plain integers.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = libc::F_WRLCK as libc::c_short;
        // SAFETY: `lock` is live; the number is that of an open file.
        let status = unsafe {
            libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, std::ptr::from_mut(&mut lock))
        };
        let mut bytes = vec![0; content.len()];
        let read = std::os::unix::fs::FileExt::read_exact_at(file, &mut bytes, 0);
        status == 0
            && libc::c_int::from(lock.l_type) == libc::F_UNLCK
            && file.metadata().is_ok_and(|meta| meta.len() == content.len() as u64)
            && read.is_ok()
            && bytes == content
    })
}

/// How many descriptors of this process mean the segment of that name.
fn descriptors_of(name: &str) -> usize {
    let inode = path_of(name).metadata().unwrap().ino();
    let entries = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    // By what they mean: a file that was made without a name is not listed under the one it got.
    let files = entries.filter_map(|entry| entry.path().metadata().ok());
    files.filter(|file| file.is_file() && file.ino() == inode).count()
}

/// Enough to grow the segment's file several times.
fn fill(segment: &Segment) -> Result<(), Error> {
    let list = segment.list([])?;
    for n in 0..40_000 {
        list.push(format!("text number {n}"))?;
    }
    segment.root().set("filled", &list)
}

#[test]
fn a_daemon_that_closed_its_descriptors_lives_and_works() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, small().size(64 << 20)).unwrap();
        let inner = segment.list_of(["only the daemon holds it"]).unwrap();
        let board = Board::new();
        let middle = spawn(|| {
            // SAFETY: no arguments; a new session is what a daemon starts with.
            unsafe { libc::setsid() };
            spawn(|| {
                close_all();
                let files = take_numbers(b"foreign");
                board.set(0, u64::from(std::process::id()));
                board.wait_for(1, 1);
                let seen = inner.get(0).ok().flatten();
                let outcome = [
                    seen == Some(Value::from("only the daemon holds it")),
                    fill(&segment).is_ok(),
                    untouched(&files, b"foreign"),
                    // Its own fork handler, and the child's work.
                    in_child(|| i32::from(fill(&segment).is_err())) == 0,
                    untouched(&files, b"foreign"),
                    segment.close().is_ok(),
                    untouched(&files, b"foreign"),
                ];
                let failed = outcome.iter().position(|good| !good).map_or(0, |at| at + 1);
                board.set(2, 100 + failed as u64);
                board.wait_for(3, 1);
                0
            });
            0
        });
        assert_eq!(wait(middle), 0);
        board.wait_for(0, 1);
        let daemon = board.get(0) as u32;
        assert!(living(&segment).contains(&daemon));
        let id = inner.id();
        drop(inner);
        // Whoever looks for the dead does not find it: what it pins stays.
        eventually("the middle one is gone", || living(&segment).len() == 2);
        segment.reap().unwrap();
        assert!(segment.object(id).is_ok());
        let other = Segment::attach(&name, small()).unwrap();
        assert!(living(&other).contains(&daemon));
        other.close().unwrap();
        board.set(1, 1);
        board.wait_for(2, 1);
        assert_eq!(board.get(2), 100, "step {} failed", board.get(2) - 100);
        board.set(3, 1);
        assert_eq!(living(&segment), [std::process::id()]);
        segment.root().clear().unwrap();
        assert_clean(&segment);
    });
}

#[test]
fn without_a_name_to_open_again_growth_is_an_error_and_nothing_foreign_is_touched() {
    alone(|| {
        let name = fresh_name();
        let options = small().size(64 << 20).lifetime(Lifetime::Manual);
        let segment = Segment::create(&name, options).unwrap();
        segment.unlink().unwrap();
        // Another segment has the name: it is not taken for this one.
        let other = Segment::create(&name, small()).unwrap();
        let code = in_child(|| {
            close_all();
            let files = take_numbers(b"foreign");
            // Who has the right to may still reach the file through its mapping.
            let outcome = fill(&segment);
            let good = match &outcome {
                Ok(()) => true,
                Err(error @ Error::Io { .. }) => error.to_string().contains("closed"),
                Err(_) => false,
            };
            if !good {
                return 1;
            }
            let works = segment.root().set("n", 1).is_ok()
                && segment.root().get("n").ok().flatten() == Some(Value::Int(1));
            if !works {
                return 2;
            }
            drop(segment.close());
            i32::from(!untouched(&files, b"foreign")) * 3
        });
        assert_eq!(code, 0);
        assert_eq!(other.root().len().unwrap(), 0);
        segment.root().clear().unwrap();
        assert_clean(&segment);
    });
}

#[test]
fn an_attachment_that_lost_its_number_to_another_one_does_not_close_it() {
    alone(|| {
        let name = fresh_name();
        let first = Segment::create(&name, small().size(64 << 20)).unwrap();
        first.root().set("n", 1).unwrap();
        let code = in_child(|| {
            close_all();
            // The same file, most likely under the same number.
            let Ok(second) = Segment::attach(&name, small()) else { return 1 };
            drop(first.close());
            if descriptors_of(&name) != 1 {
                return 2;
            }
            i32::from(fill(&second).is_err()) * 3
        });
        assert_eq!(code, 0);
        first.root().clear().unwrap();
        assert_clean(&first);
    });
}

#[test]
fn a_process_holds_one_descriptor_and_a_fork_adds_none() {
    alone(|| {
        let name = fresh_name();
        let _segment = Segment::create(&name, small()).unwrap();
        for _ in 0..5 {
            let child = spawn(|| i32::from(descriptors_of(&name) != 1));
            assert_eq!(descriptors_of(&name), 1);
            assert_eq!(wait(child), 0);
        }
    });
}
