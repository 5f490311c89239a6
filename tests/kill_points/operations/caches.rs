//! Cached blocks: taken and added, caches that run empty or full on the way, and those of the dead.

use shm::{Error, List, Result, Segment, SegmentOptions, Value};

use super::{not_a, subject};
use crate::operation::{Operation, State};

/// Bytes of the blocks here.
const BLOCK: u64 = 48;
/// Most blocks of a size in a cache.
const MOST: u64 = 127;

/// A text whose block has [`BLOCK`] bytes.
fn text(number: i64) -> String {
    super::text(number % 100)
}

/// How many blocks of a size lie in caches.
fn cached(segment: &Segment, bytes: u64) -> Result<u64> {
    let stats = segment.stats()?;
    Ok(stats.sizes.iter().filter(|size| size.bytes == bytes).map(|size| size.cached).sum())
}

/// A list of 200 texts, the first of which have given way to numbers until so many blocks are cached.
fn with_cached(segment: &Segment, count: u64) -> Result<Value> {
    let list = segment.list_of((0..200).map(text))?;
    list.reserve(400)?;
    subject(segment, &list)?;
    for index in 0..150 {
        if cached(segment, BLOCK)? == count {
            return Ok(Value::List(list));
        }
        list.set(index, 0)?;
    }
    Err(Error::InvalidArgument { what: format!("{count} blocks are never cached") })
}

const NONE: State = |segment| {
    let list = segment.list([1, 2, 3].map(Value::from))?;
    list.reserve(200)?;
    subject(segment, list)
};
const FEW: State = |segment| {
    // A full cache, of which but three are taken again.
    let value = with_cached(segment, MOST)?;
    with_list(&value, |list| (3..MOST as i64).try_for_each(|number| list.push(text(number))))?;
    Ok(value)
};
const SOME: State = |segment| with_cached(segment, 40);
const ALMOST_FULL: State = |segment| with_cached(segment, MOST - 3);
const WITH_A_TUPLE: State = |segment| {
    let value = with_cached(segment, MOST)?;
    with_list(&value, |list| {
        list.set(0, Value::Tuple(more(12).into_iter().map(Value::from).collect()))?;
        (160..170).try_for_each(|index| list.set(index, 0))
    })?;
    Ok(value)
};
const FULL: State = |segment| with_cached(segment, MOST);

/// Full, and the blocks lie in pages that are full otherwise.
const SCATTERED: State = |segment| {
    let list = segment.list_of((0..3000).map(text))?;
    subject(segment, &list)?;
    for index in 0..150 {
        if cached(segment, BLOCK)? == MOST {
            break;
        }
        list.set(index * 19, 0)?;
    }
    Ok(Value::List(list))
};

fn with_list(subject: &Value, f: impl FnOnce(&List) -> Result<()>) -> Result<()> {
    match subject {
        Value::List(list) => f(list),
        other => Err(not_a("list", other)),
    }
}

/// Texts of such blocks.
fn more(count: i64) -> Vec<String> {
    (10..10 + count).map(text).collect()
}

/// Another process with cached blocks, which is gone without a word.
fn of_the_dead(segment: &Segment) -> Result<Value> {
    let value = with_cached(segment, MOST)?;
    let path = segment.path().unwrap_or_default();
    let child = std::process::Command::new(std::env::current_exe().unwrap_or_default())
        .args(["operations::caches::die_with_a_full_cache", "--exact"])
        .env("SHM_CACHE_OF_THE_DEAD", path)
        .status();
    match child {
        Ok(status) if !status.success() => Ok(value),
        other => Err(Error::InvalidArgument { what: format!("the child ended with {other:?}") }),
    }
}

/// The child.
#[test]
fn die_with_a_full_cache() {
    let Ok(path) = std::env::var("SHM_CACHE_OF_THE_DEAD") else { return };
    let segment = Segment::attach("", SegmentOptions::new().path(path)).expect("it is there");
    let list = segment.list_of((0..150).map(text)).expect("room");
    for index in 0..150 {
        list.set(index, 0).expect("room");
    }
    std::process::abort();
}

/// A ceiling that is reached, but for small blocks such as a survivor's few pins need; a full cache.
fn at_the_ceiling(segment: &Segment) -> Result<Value> {
    for bytes in [20, 100, 480, 1000, 2000] {
        segment.root().insert("block", vec![1_u8; bytes])?;
        segment.root().remove("block")?;
    }
    let value = with_cached(segment, MOST)?;
    with_list(&value, |list| {
        let bytes = vec![1; 40_000];
        while segment.bytearray(&bytes).and_then(|bytes| list.push(bytes)).is_ok() {}
        // The last try emptied the cache.
        (160..180).try_for_each(|index| list.set(index, 0))
    })?;
    Ok(value)
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("take a block | nothing cached", NONE, |_, subject| {
            with_list(subject, |list| list.push(text(1)))
        }),
        Operation::new("take a block | cached", FEW, |_, subject| {
            with_list(subject, |list| list.push(text(1)))
        }),
        Operation::new("take blocks, the cache runs empty | 3 cached", FEW, |_, subject| {
            with_list(subject, |list| list.extend(more(12)))
        }),
        Operation::new("take blocks of many sizes | nothing cached", NONE, |_, subject| {
            with_list(subject, |list| list.extend((1..16).map(|n| vec![7_u8; 30 * n])))
        }),
        Operation::new("give a block back | room", ALMOST_FULL, |_, subject| {
            with_list(subject, |list| list.set(170, 0))
        }),
        Operation::new("give a block back | the cache is full", FULL, |_, subject| {
            with_list(subject, |list| list.set(170, 0))
        }),
        Operation::new("give a block back | the cache is full, of other pages", SCATTERED, {
            |_, subject| with_list(subject, |list| list.set(2990, 0))
        }),
        Operation::new("give blocks back, the cache runs full | room for 3", ALMOST_FULL, {
            |_, subject| with_list(subject, |list| list.del_slice(Some(165), Some(180), None))
        }),
        Operation::new("give blocks back, the cache runs full twice | full", FULL, {
            |_, subject| with_list(subject, |list| list.del_slice(Some(120), Some(200), Some(2)))
        }),
        Operation::new("drop a tuple, the cache runs full | almost full", WITH_A_TUPLE, {
            |_, subject| with_list(subject, |list| list.set(0, 0))
        }),
        Operation::new("replace a text, one size for another | full", FULL, |_, subject| {
            with_list(subject, |list| list.set(170, "x".repeat(100)))
        }),
        Operation::new("replace a text by one of its size | cached", FEW, |_, subject| {
            with_list(subject, |list| list.set(170, text(7)))
        }),
        Operation::new("take a run of pages | the ceiling, blocks in caches", at_the_ceiling, {
            |segment, _| segment.root().insert("y", vec![1_u8; 120_000]).map(drop)
        }),
        Operation::new("reap | a dead process had a full cache", of_the_dead, |segment, _| {
            segment.reap().map(drop)
        }),
        Operation::new("audit | cached blocks", SOME, |segment, _| segment.audit().map(drop))
            .on_damage(),
        Operation::new("take and undo, the cache runs empty | a transaction", FEW, {
            |segment, subject| {
                with_list(subject, |list| {
                    let undone: Result<()> = segment.transaction(|_| {
                        more(4).into_iter().try_for_each(|text| list.push(text))?;
                        list.extend(more(8))?;
                        Err(not_a("transaction", subject))
                    });
                    drop(undone);
                    list.push(text(5))
                })
            }
        }),
        Operation::new("take and give, the cache runs empty and full | a transaction", FEW, {
            |segment, subject| {
                with_list(subject, |list| {
                    segment.transaction(|_| {
                        more(4).into_iter().try_for_each(|text| list.push(text))?;
                        list.extend(more(8))?;
                        (160..170).try_for_each(|index| list.set(index, 0))
                    })
                })
            }
        }),
        Operation::new("close, not the last | cached blocks", FULL, |segment, _| {
            // Closing a second attachment is what another process's detach is.
            let path = segment.path().unwrap_or_default();
            let other = Segment::attach("", SegmentOptions::new().path(path))?;
            drop(other.list_of((0..3).map(text))?);
            other.close()
        }),
    ]
}
