//! shm against Vec, hashbrown and mimalloc, one process: what the shared form costs.
//!
//! `make bench` runs it, `shm-peers blocks` the figures of the allocator; docs/bench.md says how to read it. mimalloc is the allocator of the whole
//! program, so it serves the private side of every row.

mod blocks;
mod harness;
mod records;

use std::hint::black_box;

use harness::{Row, compare};
use shm::{Segment, SegmentOptions, Shared};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, shm::Error>;

#[derive(Shared, Debug, Clone, PartialEq)]
struct Point {
    x: f64,
    hits: u64,
}

/// Items of the lists, entries of the dicts: more than the first-level cache holds.
const COUNT: usize = 10_000;
const TEXT: &str = "a text of forty bytes, copied each time.";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["blocks"] => return blocks::report(),
        ["blocks-child", name] => return blocks::child(name),
        ["blocks-row", count] => return blocks::row(count),
        ["--structs"] => {
            let seg = Segment::create_anonymous(SegmentOptions::new().size(1 << 30))?;
            harness::print(&records::rows(&seg)?);
            return Ok(());
        }
        _ => {}
    }
    // For benches/python.py: a struct made by Rust.
    if let Some(name) = arguments.first() {
        let seg = Segment::attach(name, SegmentOptions::new())?;
        seg.root().insert("point", &seg.alloc(Point { x: 1.5, hits: 0 })?)?;
        return Ok(());
    }
    let seg = Segment::create_anonymous(SegmentOptions::new().size(1 << 30))?;
    let mut rows = lists(&seg)?;
    rows.extend(dicts(&seg)?);
    rows.extend(structs(&seg)?);
    rows.extend(records::rows(&seg)?);
    harness::print(&rows);
    Ok(())
}

fn ok<T>(result: Outcome<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn lists(seg: &Segment) -> Outcome<Vec<Row>> {
    let list = seg.list_of(0..COUNT as i64)?;
    let texts = seg.list_of((0..COUNT).map(|_| TEXT))?;
    let grown = seg.list([])?;
    let mut vec: Vec<i64> = (0..COUNT as i64).collect();
    let mut private_texts: Vec<String> = (0..COUNT).map(|_| TEXT.to_owned()).collect();
    let vec_get = vec.clone();
    Ok(vec![
        compare(
            "list: get int",
            "Vec",
            |n| {
                for i in 0..n {
                    black_box(ok(list.get_int(black_box(i % COUNT))));
                }
            },
            |n| {
                for i in 0..n {
                    black_box(vec_get.get(black_box(i % COUNT)));
                }
            },
        ),
        compare(
            "list: set int",
            "Vec",
            |n| {
                for i in 0..n {
                    ok(list.set_int(black_box(i % COUNT), i as i64));
                }
            },
            |n| {
                for i in 0..n {
                    vec[black_box(i % COUNT)] = black_box(i as i64);
                }
            },
        ),
        compare(
            "list: append int (growing to 10,000)",
            "Vec",
            |n| {
                for i in 0..n {
                    if i % COUNT == 0 {
                        ok(grown.clear());
                    }
                    ok(grown.push(i as i64));
                }
            },
            |n| {
                let mut grown = Vec::new();
                for i in 0..n {
                    if i % COUNT == 0 {
                        grown = Vec::new();
                    }
                    grown.push(black_box(i as i64));
                }
                black_box(grown);
            },
        ),
        compare(
            "list: get 40-byte text",
            "Vec<String>, cloned",
            |n| {
                for i in 0..n {
                    black_box(ok(texts.get(black_box(i % COUNT))));
                }
            },
            |n| {
                for i in 0..n {
                    black_box(private_texts[black_box(i % COUNT)].clone());
                }
            },
        ),
        compare(
            "alloc + free: replace a 40-byte text",
            "Vec<String>, mimalloc",
            |n| {
                for i in 0..n {
                    ok(texts.set(black_box(i % COUNT), TEXT));
                }
            },
            |n| {
                let mut copies: Vec<String> = vec![TEXT.to_owned(); COUNT];
                for i in 0..n {
                    copies[black_box(i % COUNT)] = black_box(TEXT).to_owned();
                }
                private_texts.clone_from(&copies);
            },
        ),
    ])
}

fn dicts(seg: &Segment) -> Outcome<Vec<Row>> {
    let ints = seg.dict((0..COUNT as i64).map(|i| (i, i)))?;
    let names: Vec<String> = (0..COUNT).map(|i| format!("key number {i}")).collect();
    let by_name = seg.dict(names.iter().zip(0_i64..).map(|(name, i)| (name.as_str(), i)))?;
    let mut private_ints: hashbrown::HashMap<i64, i64> =
        (0..COUNT as i64).map(|i| (i, i)).collect();
    let private_names: hashbrown::HashMap<String, i64> =
        names.iter().cloned().zip(0_i64..).collect();
    let read = private_ints.clone();
    let mut inserted = private_ints.clone();
    Ok(vec![
        compare(
            "dict: get int key",
            "hashbrown",
            |n| {
                for i in 0..n {
                    black_box(ok(ints.get_int(black_box((i * 7919 % COUNT) as i64))));
                }
            },
            |n| {
                for i in 0..n {
                    black_box(read.get(&black_box((i * 7919 % COUNT) as i64)));
                }
            },
        ),
        compare(
            "dict: get text key",
            "hashbrown",
            |n| {
                for i in 0..n {
                    black_box(ok(by_name.get_str(&names[i * 7919 % COUNT])));
                }
            },
            |n| {
                for i in 0..n {
                    black_box(private_names.get(&names[i * 7919 % COUNT]));
                }
            },
        ),
        compare(
            "dict: set int key, known",
            "hashbrown",
            |n| {
                for i in 0..n {
                    ok(ints.set(black_box((i * 7919 % COUNT) as i64), i as i64));
                }
            },
            |n| {
                for i in 0..n {
                    private_ints.insert(black_box((i * 7919 % COUNT) as i64), i as i64);
                }
            },
        ),
        compare(
            "dict: insert + remove int key",
            "hashbrown",
            |n| {
                for i in 0..n {
                    ok(ints.set(-1 - (i as i64), 1));
                    black_box(ok(ints.remove(-1 - (i as i64))));
                }
            },
            |n| {
                for i in 0..n {
                    inserted.insert(-1 - (i as i64), 1);
                    black_box(inserted.remove(&(-1 - (i as i64))));
                }
            },
        ),
    ])
}

fn structs(seg: &Segment) -> Outcome<Vec<Row>> {
    let point = seg.alloc(Point { x: 0.0, hits: 0 })?;
    let private = std::sync::Mutex::new(Point { x: 0.0, hits: 0 });
    let atomic = std::sync::atomic::AtomicU64::new(0);
    let locked = || private.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(vec![
        compare(
            "struct: get field",
            "Mutex",
            |n| {
                (0..n).for_each(|_| {
                    black_box(point.x());
                });
            },
            |n| {
                (0..n).for_each(|_| {
                    black_box(locked().x);
                });
            },
        ),
        compare(
            "struct: set field",
            "Mutex",
            |n| (0..n).for_each(|i| ok(point.set_x(i as f64))),
            |n| (0..n).for_each(|i| locked().x = black_box(i as f64)),
        ),
        compare(
            "struct: fetch_add",
            "AtomicU64",
            |n| {
                (0..n).for_each(|_| {
                    black_box(ok(point.fetch_add_hits(1)));
                });
            },
            |n| {
                (0..n).for_each(|_| {
                    black_box(atomic.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
                });
            },
        ),
    ])
}
