//! Memory goes back to the file system when nobody else is attached, and comes again when it is needed.
//!
//! Each test runs in a child of its own. Other processes are forked before the segment is there, and told
//! by a pipe when to attach: what is forked later has it from its parent.
#![allow(unsafe_code, reason = "fork and pipes")]
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod holes;
#[path = "../mount/mod.rs"]
mod mount;
mod no_room;
mod processes;
mod storm;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use processes::{Other, alone, fork_by_library, fork_raw, in_child};
use shm::{Error, Lifetime, List, Segment, SegmentOptions, Value};

/// Where the small file system is.
const FOLDER: &str = "SHM_GIVE_BACK_FOLDER";
const MIB: u64 = 1 << 20;
/// What [`fill`] takes at least.
const MUCH: u64 = 20 * MIB;

fn fresh_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("shm-give-back-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn options() -> SegmentOptions {
    SegmentOptions::new().size(256 << 20)
}

fn create(name: &str) -> Segment {
    Segment::create(name, options()).unwrap()
}

fn attach(name: &str) -> Segment {
    Segment::attach(name, SegmentOptions::new()).unwrap()
}

/// Bytes of memory behind the segment's name.
fn taken(segment: &Segment) -> u64 {
    std::fs::metadata(segment.path().unwrap()).unwrap().blocks() * 512
}

/// Puts much under a key of the root: blocks, and runs of pages.
fn fill(segment: &Segment) {
    let blocks = segment.list_of((0..8_000).map(|n| vec![n as u8; 500])).unwrap();
    let runs = segment.list_of((0..16).map(|_| vec![1_u8; 1 << 20])).unwrap();
    segment.root().insert("much", (&blocks, &runs)).unwrap();
}

/// A segment that had much in it, and has little.
fn emptied(name: &str) -> Segment {
    let segment = create(name);
    segment.root().insert("kept", segment.list_of((0..1000).map(text)).unwrap()).unwrap();
    fill(&segment);
    segment.root().remove("much").unwrap();
    segment
}

fn text(number: usize) -> String {
    format!("a text of a block of its own, number {number}")
}

fn assert_whole(segment: &Segment) {
    let kept = segment.root().get("kept").unwrap().unwrap();
    let kept = kept.as_list().unwrap().to_vec().unwrap();
    assert_eq!(kept, (0..1000).map(|number| text(number).into()).collect::<Vec<Value>>());
    let report = segment.check().unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
}

/// Collects, and asserts that nothing was given back.
#[track_caller]
fn nothing_is_given(segment: &Segment) {
    let before = (taken(segment), segment.used().unwrap());
    assert!(before.0 > MUCH, "{before:?}");
    assert_eq!(segment.gc().unwrap().given_back, 0);
    assert_eq!((taken(segment), segment.used().unwrap()), before);
}

/// Collects, and asserts that nearly all was given back.
#[track_caller]
fn all_is_given(segment: &Segment) {
    let (before, used) = (taken(segment), segment.used().unwrap());
    let given = segment.gc().unwrap().given_back;
    assert!(given > MUCH, "{given} of {before}");
    assert_eq!(segment.used().unwrap(), used - given);
    assert!(taken(segment) + given <= before, "{} of {before} are left", taken(segment));
    assert!(taken(segment) < 3 * MIB, "{} of {before} are left", taken(segment));
    assert_whole(segment);
}

#[test]
fn what_was_freed_goes_back_and_is_taken_again() {
    alone(|| {
        let segment = emptied(&fresh_name());
        for _ in 0..3 {
            all_is_given(&segment);
            let stats = segment.stats().unwrap();
            assert_eq!(stats.used, segment.used().unwrap());
            assert!(stats.free_pages < 32, "{stats:?}");
            fill(&segment);
            assert!(taken(&segment) > MUCH);
            assert_whole(&segment);
            segment.root().remove("much").unwrap();
        }
        // What is in use stays.
        fill(&segment);
        segment.gc().unwrap();
        assert!(taken(&segment) > MUCH);
        assert_whole(&segment);
    });
}

#[test]
fn what_is_small_and_came_later_lies_in_front_of_what_is_large() {
    alone(|| {
        let segment = create(&fresh_name());
        let root = segment.root();
        for n in 0..40_i64 {
            root.insert(format!("large {n}"), vec![n as u8; MIB as usize]).unwrap();
            root.insert(format!("small {n}"), segment.list_of((0..50).map(text)).unwrap()).unwrap();
        }
        assert!(taken(&segment) > 40 * MIB);
        // Something in front of what is large costs no more than growth takes ahead anyway.
        assert!(taken(&segment) < 40 * MIB * 5 / 4, "{} bytes", taken(&segment));
        for n in 0..40_i64 {
            root.remove(format!("large {n}")).unwrap();
        }
        segment.gc().unwrap();
        assert!(taken(&segment) < 4 * MIB, "{} bytes", taken(&segment));
        assert!(segment.check().unwrap().is_sound());
    });
}

#[test]
fn handles_that_were_many_are_no_hindrance() {
    alone(|| {
        let segment = create(&fresh_name());
        segment.root().insert("kept", segment.list_of((0..1000).map(text)).unwrap()).unwrap();
        let handles: Vec<_> = (0..900).map(|n| segment.list_of([n]).unwrap()).collect();
        fill(&segment);
        let more: Vec<_> = (0..20_000).map(|n| segment.list_of([n]).unwrap()).collect();
        segment.root().remove("much").unwrap();
        drop(more);
        segment.gc().unwrap();
        let stats = segment.stats().unwrap();
        let table = stats.kinds.iter().find(|kind| kind.kind == "pin table").unwrap().bytes;
        assert!(table <= 64 << 10, "{table} bytes for {} handles", handles.len() + 1);
        for (n, list) in handles.iter().enumerate() {
            assert_eq!(list.get_int(0).unwrap(), Some(n as i64));
        }
        assert_whole(&segment);
    });
}

#[test]
fn objects_that_come_later_are_not_taken_for_those_that_were_there() {
    alone(|| {
        let segment = create(&fresh_name());
        segment.root().insert("kept", segment.list_of((0..1000).map(text)).unwrap()).unwrap();
        let mut ids = Vec::new();
        for round in 0..3_usize {
            let lists: Vec<_> = (0..30_000).map(|n| segment.list_of([n]).unwrap()).collect();
            // Some are made twice, in headers that were others' before.
            let again: Vec<_> = lists.iter().take(5_000 * round).map(shm::List::id).collect();
            ids.extend(lists.iter().map(shm::List::id));
            drop(lists);
            let lists: Vec<_> = again.iter().map(|_| segment.list_of([0]).unwrap()).collect();
            ids.extend(lists.iter().map(shm::List::id));
            drop(lists);
            let given = segment.gc().unwrap().given_back;
            assert!(given > 2 * MIB, "{given}");
            assert!(taken(&segment) < 2 * MIB, "{} are left", taken(&segment));
        }
        let lists: Vec<_> = (0..30_000).map(|n| segment.list_of([n]).unwrap()).collect();
        for id in &ids {
            let found = segment.object(*id);
            assert!(matches!(found, Err(Error::Closed { .. })), "{id:#x}: {found:?}");
        }
        let distinct: std::collections::HashSet<u64> =
            ids.iter().copied().chain(lists.iter().map(shm::List::id)).collect();
        assert_eq!(distinct.len(), ids.len() + lists.len());
        assert_whole(&segment);
    });
}

#[test]
fn nothing_is_given_back_while_another_process_is_attached() {
    alone(|| {
        let name = fresh_name();
        let mut other = Other::new(|| attach(&name));
        let segment = emptied(&name);
        other.start();
        nothing_is_given(&segment);
        other.end();
        segment.reap().unwrap();
        all_is_given(&segment);
    });
}

#[test]
fn nothing_is_given_back_while_somebody_reads_only() {
    alone(|| {
        let name = fresh_name();
        let readonly = || Segment::attach(&name, SegmentOptions::new().readonly(true)).unwrap();
        let mut other = Other::new(readonly);
        let segment = emptied(&name);
        other.start();
        nothing_is_given(&segment);
        other.end();
        let here = readonly();
        nothing_is_given(&segment);
        assert_eq!(here.root().len().unwrap(), 1);
        here.close().unwrap();
        all_is_given(&segment);
    });
}

#[test]
fn nothing_is_given_back_while_this_process_is_attached_twice() {
    alone(|| {
        let name = fresh_name();
        let segment = emptied(&name);
        let twin = attach(&name);
        nothing_is_given(&segment);
        twin.close().unwrap();
        all_is_given(&segment);
    });
}

#[test]
fn nothing_is_given_back_while_a_child_has_the_segment() {
    alone(|| {
        let segment = emptied(&fresh_name());
        for fork in [fork_by_library, fork_raw] {
            let child = Other::by(fork, || ());
            nothing_is_given(&segment);
            // Twice: it is not the first look that makes the difference.
            nothing_is_given(&segment);
            child.end();
            segment.reap().unwrap();
        }
        // A program that it starts has nothing of it.
        let mut program = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        all_is_given(&segment);
        drop(program.stdin.take());
        assert!(program.wait().unwrap().success());
    });
}

#[test]
fn nothing_is_given_back_while_the_child_of_one_that_has_gone_reads() {
    alone(|| {
        let name = fresh_name();
        // Without a slot of its own, and its parent closes the segment.
        let mut other = Other::new(|| {
            let segment = attach(&name);
            let kept = segment.root().get("kept").unwrap().unwrap();
            let kept = kept.as_list().unwrap();
            let mut child = Other::by(fork_raw, || assert_eq!(kept.len().unwrap(), 1000));
            child.start();
            segment.close().unwrap();
            child
        });
        let segment = emptied(&name);
        other.start();
        assert_eq!(segment.peers().unwrap().len(), 1);
        nothing_is_given(&segment);
        // The pipe's end tells the child too, which nobody waits for.
        other.end();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while segment.gc().unwrap().given_back == 0 {
            assert!(std::time::Instant::now() < deadline, "the child has ended");
            std::thread::yield_now();
        }
        assert!(taken(&segment) < 3 * MIB);
        assert_whole(&segment);
    });
}

/// Takes as many maps as a process may have, until it is dropped.
struct AllMaps(Vec<*mut libc::c_void>);

impl AllMaps {
    fn take() -> Self {
        let mut pages = Vec::with_capacity(1 << 20);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        for access in [libc::PROT_NONE, libc::PROT_READ].into_iter().cycle() {
            // SAFETY: a fresh mapping at an address of the kernel's choice, which nobody looks at.
            let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, access, flags, -1, 0) };
            if page == libc::MAP_FAILED {
                break;
            }
            pages.push(page);
        }
        AllMaps(pages)
    }
}

impl Drop for AllMaps {
    fn drop(&mut self) {
        for page in &self.0 {
            // SAFETY: mapped by `take`, and nothing points into it.
            unsafe { libc::munmap(*page, 4096) };
        }
    }
}

#[test]
fn who_could_not_unmap_what_it_closed_is_there_until_it_can() {
    alone(|| {
        let name = fresh_name();
        let nothing_goes = || {
            let segment = attach(&name);
            segment.root().remove("much").unwrap();
            nothing_is_given(&segment);
        };
        let all_goes = || {
            let segment = attach(&name);
            assert!(taken(&segment) < 3 * MIB, "{} are left", taken(&segment));
            assert_whole(&segment);
        };
        let mut while_mapped = Other::new(nothing_goes);
        let mut later = Other::new(all_goes);
        let options = options().lifetime(Lifetime::Manual);
        let segment = Segment::create(&name, options).unwrap();
        segment.root().insert("kept", segment.list_of((0..1000).map(text)).unwrap()).unwrap();
        fill(&segment);
        let maps = AllMaps::take();
        segment.close().unwrap();
        drop(maps);
        while_mapped.start();
        drop(segment);
        later.start();
        later.end();
        while_mapped.end();
        shm::unlink(&name).unwrap();
    });
}

/// Reads the list that is called busy until it is told to end, mostly far behind the block of what it is by then.
fn read_on(segment: &Segment, ended: &AtomicBool, reads: &AtomicUsize) {
    let list = segment.root().get("busy").unwrap().unwrap();
    let list = list.as_list().unwrap().clone();
    while !ended.load(Ordering::Relaxed) {
        for index in [0, 40_000, 200_000, 299_999] {
            let item = list.get(index).unwrap();
            let right = Value::Int(index as i64);
            assert!(item.is_none_or(|item| item == right), "at {index}");
        }
        reads.fetch_add(1, Ordering::Relaxed);
    }
}

/// Empties that list, fills it, collects, and waits until it was read; what was given back.
fn come_and_go(segment: &Segment, busy: &shm::List, reads: &AtomicUsize) -> u64 {
    busy.extend(0..300_000).unwrap();
    busy.clear().unwrap();
    busy.extend(0..10).unwrap();
    busy.clear().unwrap();
    let given = segment.gc().unwrap().given_back;
    let seen = reads.load(Ordering::Relaxed);
    while reads.load(Ordering::Relaxed) == seen {
        std::thread::yield_now();
    }
    given
}

#[test]
fn readers_in_other_threads_go_on_while_memory_comes_and_goes() {
    alone(|| {
        let segment = emptied(&fresh_name());
        let busy = segment.list_of([0_i64; 0]).unwrap();
        segment.root().insert("busy", &busy).unwrap();
        let ended = AtomicBool::new(false);
        let reads = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| read_on(&segment, &ended, &reads));
            }
            for round in 0..10 {
                let given = come_and_go(&segment, &busy, &reads);
                assert!(given > 2 * MIB, "{given} in round {round}");
            }
            ended.store(true, Ordering::Relaxed);
        });
        assert_whole(&segment);
    });
}

#[test]
fn who_comes_first_gives_back_what_the_last_one_left() {
    alone(|| {
        let name = fresh_name();
        let segment = Segment::create(&name, options().lifetime(Lifetime::Manual)).unwrap();
        segment.root().insert("kept", segment.list_of((0..1000).map(text)).unwrap()).unwrap();
        fill(&segment);
        segment.root().remove("much").unwrap();
        let path = segment.path().unwrap();
        let blocks = || std::fs::metadata(&path).unwrap().blocks() * 512;
        segment.close().unwrap();
        assert!(blocks() > MUCH);
        // Whoever only reads changes nothing.
        let reader = Segment::attach(&name, SegmentOptions::new().readonly(true)).unwrap();
        assert!(blocks() > MUCH);
        let with_reader = attach(&name);
        assert!(blocks() > MUCH);
        with_reader.close().unwrap();
        reader.close().unwrap();
        let first = attach(&name);
        assert!(blocks() < 3 * MIB, "{} are left", blocks());
        assert_whole(&first);
        fill(&first);
        let second = attach(&name);
        assert!(blocks() > MUCH);
        assert_whole(&second);
        second.close().unwrap();
        first.unlink().unwrap();
    });
}

#[test]
fn what_was_given_back_may_be_gone_when_it_is_needed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return mount::run_again(FOLDER, c"size=64m");
    };
    let folder = PathBuf::from(folder);
    in_child(|| {
        let options = || SegmentOptions::new().size(1 << 30).path(folder.join("segment"));
        let segment = Segment::create("", options()).unwrap();
        segment.root().insert("kept", segment.list_of((0..1000).map(text)).unwrap()).unwrap();
        for _ in 0..2 {
            fill(&segment);
            segment.root().remove("much").unwrap();
            all_is_given(&segment);
            // Somebody else takes all that there is.
            let other = folder.join("other");
            let mut file = File::create(&other).unwrap();
            while file.write_all(&[1; 1 << 12]).is_ok() {}
            let list = segment.list_of([0_i64; 0]).unwrap();
            let full = loop {
                if let Err(error) = list.push(vec![1_u8; 500]) {
                    break error;
                }
            };
            assert!(matches!(full, Error::SegmentFull { .. }), "{full}");
            assert_whole(&segment);
            drop((list, file));
            std::fs::remove_file(other).unwrap();
            fill(&segment);
            assert_whole(&segment);
            segment.root().remove("much").unwrap();
        }
        segment.close().unwrap();
    });
}
