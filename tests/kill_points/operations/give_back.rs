//! Memory that goes back to the file system, from the end and as holes: at the end of a collection, at attach, and
//! what comes after.

use std::path::Path;

use shm::{Lifetime, List, Result, Segment, Value};

use super::lives::{NO_SEGMENT, attach, in_a_dead_process, of, stay};
use super::{not_a, subject, text};
use crate::operation::{Operation, State, Subject, options};

/// A block of a whole page.
const PAGE: usize = 40_000;
/// So many of them that their pages are worth giving back.
const MANY: usize = 24;
/// So many too, where there is something else behind them.
const FEWER: usize = 18;

fn kept(segment: &Segment) -> Result<()> {
    subject(segment, segment.list_of((0..10).map(text))?).map(drop)
}

/// Pages at the end that nobody has.
fn free_pages(segment: &Segment) -> Result<Value> {
    kept(segment)?;
    drop(segment.list_of((0..MANY).map(|_| vec![1_u8; PAGE]))?);
    Ok(Value::None)
}

/// The same, and behind them pages of blocks none of which is taken, a cache, and a pin table for many.
fn free_pages_and_blocks(segment: &Segment) -> Result<Value> {
    kept(segment)?;
    let pages = segment.list_of((0..FEWER).map(|_| vec![1_u8; PAGE]))?;
    let blocks = [300, 9000].map(|bytes| vec![2_u8; bytes]);
    let blocks = segment.list_of(blocks.iter().cycle().take(12).cloned())?;
    let pinned: Result<Vec<_>> = (0..40).map(|number| segment.list_of([number])).collect();
    drop((pages, pinned?, blocks));
    Ok(Value::None)
}

/// Two pages of object headers, the second of them at the end, and no object in it any more.
fn free_pages_and_headers(segment: &Segment) -> Result<Value> {
    kept(segment)?;
    let pages = segment.list_of((0..FEWER).map(|_| vec![1_u8; PAGE]))?;
    segment.root().insert("objects", objects(segment, 1030)?)?;
    segment.root().remove("objects")?;
    drop(pages);
    Ok(Value::None)
}

/// A list of so many lists, which nobody holds.
fn objects(segment: &Segment, count: usize) -> Result<List> {
    let all = segment.list_of::<Value>([])?;
    all.reserve(count)?;
    for _ in 0..count {
        all.push(segment.list_of::<Value>([])?)?;
    }
    Ok(all)
}

/// The same, and all of that was given back.
fn headers_given_back(segment: &Segment) -> Result<Value> {
    free_pages_and_headers(segment)?;
    give_back(segment)?;
    // The first page of them is nearly full.
    segment.root().insert("objects", objects(segment, 1000)?)?;
    Ok(Value::None)
}

/// As the first, with a page in use behind them.
fn pages_in_use_behind(segment: &Segment) -> Result<Value> {
    kept(segment)?;
    let pages = segment.list_of((0..20).map(|_| vec![1_u8; PAGE]))?;
    segment.root().insert("last", vec![3_u8; PAGE])?;
    drop(pages);
    Ok(Value::None)
}

/// The same, and those in front of it are holes.
fn holes(segment: &Segment) -> Result<Value> {
    pages_in_use_behind(segment)?;
    give_back(segment)?;
    assert!(segment.stats()?.holes >= FEWER as u64, "{:?}", segment.stats()?);
    Ok(Value::None)
}

/// The same, some of which were filled since, and are free.
fn holes_and_free_pages(segment: &Segment) -> Result<Value> {
    holes(segment)?;
    let list = segment.list_of::<Value>([])?;
    list.reserve(12 * PAGE / 8)?;
    assert!(segment.stats()?.holes < FEWER as u64, "{:?}", segment.stats()?);
    Ok(Value::None)
}

/// The same, and nothing in use is behind them any more.
fn holes_at_the_end(segment: &Segment) -> Result<Value> {
    holes(segment)?;
    segment.root().remove("last")?;
    let more = segment.list_of((0..6).map(|_| vec![1_u8; PAGE]))?;
    drop(more);
    Ok(Value::None)
}

fn give_back(segment: &Segment) -> Result<()> {
    let given = segment.gc()?.given_back;
    // Else nothing is shown. Pages of headers stay in a process with threads, such as the test's own.
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    assert!(given >= 1 << 20 || threads > 1, "only {given} bytes were given back");
    Ok(())
}

/// What went can be had again, and goes again.
fn fill_again(segment: &Segment) -> Result<()> {
    let pages = segment.list_of((0..FEWER).map(|number| vec![number as u8; PAGE]))?;
    for (number, page) in pages.to_vec()?.into_iter().enumerate() {
        if page != Value::from(vec![number as u8; PAGE]) {
            return Err(not_a("page as it was put", &page));
        }
    }
    drop(pages);
    segment.gc().map(drop)
}

/// The same, with the pages that [`fill`] took.
fn empty_and_fill_again(segment: &Segment) -> Result<()> {
    segment.root().remove("y")?;
    fill_again(segment)
}

/// A segment of this process.
fn own(path: &Path) -> Result<Subject> {
    with_lifetime(path, Lifetime::Last)
}

fn with_lifetime(path: &Path, lifetime: Lifetime) -> Result<Subject> {
    subject_of(path, lifetime, free_pages)
}

fn own_with_holes(path: &Path) -> Result<Subject> {
    subject_of(path, Lifetime::Last, holes)
}

fn subject_of(path: &Path, lifetime: Lifetime, state: State) -> Result<Subject> {
    let segment = Segment::create("", options(path).lifetime(lifetime))?;
    state(&segment)?;
    Ok(Subject { segment: Some(segment), value: Value::None })
}

/// A segment that only a dead process had, and that stays until somebody removes its name.
fn of_the_dead(path: &Path) -> Result<Subject> {
    let path = path.to_owned();
    in_a_dead_process(move || std::mem::forget(with_lifetime(&path, Lifetime::Manual)));
    NO_SEGMENT(Path::new(""))
}

/// The same, with holes.
fn of_the_dead_with_holes(path: &Path) -> Result<Subject> {
    let path = path.to_owned();
    in_a_dead_process(move || std::mem::forget(subject_of(&path, Lifetime::Manual, holes)));
    NO_SEGMENT(Path::new(""))
}

fn fill_again_and_unlink(segment: &Segment) -> Result<()> {
    empty_and_fill_again(segment)?;
    segment.unlink().map(drop)
}

/// Takes pages; what is in them is no matter here.
fn grow(segment: &Segment) -> Result<()> {
    let list = segment.list_of::<Value>([])?;
    list.reserve(6 * PAGE / 8)?;
    segment.root().insert("y", &list).map(drop)
}

/// Takes more pages in a row than are free.
fn fill(segment: &Segment) -> Result<()> {
    let list = segment.list_of::<Value>([])?;
    list.reserve(12 * PAGE / 8)?;
    segment.root().insert("y", &list).map(drop)
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let all = vec![
        Operation::new("give back | free pages", free_pages, |segment, _| give_back(segment)),
        Operation::new("give back | free pages and blocks", free_pages_and_blocks, {
            |segment, _| give_back(segment)
        }),
        Operation::new("give back | free pages and headers", free_pages_and_headers, {
            |segment, _| give_back(segment)
        }),
        Operation::new("make objects | headers were given back", headers_given_back, {
            |segment, _| segment.root().insert("y", objects(segment, 30)?).map(drop)
        }),
        Operation::new("give back and grow | free pages", free_pages, |segment, _| {
            give_back(segment)?;
            grow(segment)
        }),
        Operation::new(
            "grow | after memory was given back",
            {
                |segment| {
                    free_pages(segment)?;
                    give_back(segment)?;
                    Ok(Value::None)
                }
            },
            |segment, _| grow(segment),
        ),
        Operation::new("give back | a page in use behind free ones", pages_in_use_behind, {
            |segment, _| give_back(segment)
        }),
        Operation::new("give back | holes and free pages", holes_and_free_pages, {
            |segment, _| segment.gc().map(drop)
        }),
        Operation::new("give back | holes at the end", holes_at_the_end, {
            |segment, _| segment.gc().map(drop)
        }),
        Operation::new("fill | holes", holes, |segment, _| {
            fill(segment)?;
            assert!(segment.stats()?.holes < 10, "{:?}", segment.stats()?);
            Ok(())
        }),
        Operation::new("fill and give back | holes", holes, |segment, _| {
            segment.list_of::<Value>([])?.reserve(12 * PAGE / 8)?;
            segment.gc().map(drop)
        }),
        Operation::new("fill in a transaction | holes", holes, |segment, _| {
            segment.transaction(|_| fill(segment))
        }),
        Operation::new("audit | holes", holes, |segment, _| segment.audit().map(drop)).on_damage(),
        Operation::at_path(
            "grow behind holes | two attachments",
            own_with_holes,
            |path, subject| {
                let other = attach(path)?;
                let grown = fill(of(subject)?);
                stay(other);
                grown
            },
        ),
        Operation::at_path("give back nothing | two attachments", own, |path, subject| {
            let other = attach(path)?;
            let given = of(subject)?.gc()?.given_back;
            stay(other);
            assert_eq!(given, 0);
            Ok(())
        }),
    ];
    let of_the_dead = vec![
        Operation::at_path("attach and give back | free pages of the dead", of_the_dead, {
            |path, _| {
                let segment = attach(path)?;
                let used = segment.used()?;
                stay(segment);
                assert!(used < 1 << 20, "{used} bytes are left");
                Ok(())
            }
        }),
        Operation::at_path("attach, give back and grow | free pages of the dead", of_the_dead, {
            |path, _| {
                let segment = attach(path)?;
                let grown = grow(&segment);
                stay(segment);
                grown
            }
        }),
        Operation::at_path("attach and fill | holes of the dead", of_the_dead_with_holes, {
            |path, _| {
                let segment = attach(path)?;
                let grown = fill(&segment);
                let holes = segment.stats()?.holes;
                stay(segment);
                assert!(holes < FEWER as u64, "{holes}");
                grown
            }
        }),
    ];
    let all = all.into_iter().map(|one| one.surviving(empty_and_fill_again));
    all.chain(of_the_dead.into_iter().map(|one| one.surviving(fill_again_and_unlink))).collect()
}
