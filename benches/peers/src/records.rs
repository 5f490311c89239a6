//! A struct of 64 bytes of numbers against plain memory: what a validated read and a crash-safe
//! write cost. The plain side of a read is a seqlock's: sequence, data, fence, sequence.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use shm::{Segment, Shared};

use crate::harness::{Row, compare};
use crate::{Outcome, ok};

#[derive(Shared, Debug, Clone, Copy, PartialEq)]
struct Numbers {
    a: u64,
    b: u64,
    c: f64,
    d: f64,
    e: u64,
    f: u64,
    g: u64,
    h: u64,
}

const START: Numbers = Numbers { a: 1, b: 2, c: 3.0, d: 4.0, e: 5, f: 6, g: 7, h: 8 };

fn numbers(at: u64) -> Numbers {
    Numbers { a: at, b: at, c: at as f64, d: at as f64, e: at, f: at, g: at, h: at }
}

/// One word under a sequence.
fn checked(sequence: &AtomicU64, word: &AtomicU64) -> u64 {
    loop {
        let before = sequence.load(Ordering::Acquire);
        let value = word.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        if before & 1 == 0 && sequence.load(Ordering::Relaxed) == before {
            return value;
        }
    }
}

/// The rows of this file.
pub fn rows(seg: &Segment) -> Outcome<Vec<Row>> {
    let shared = seg.alloc(START)?;
    let (sequence, word) = (AtomicU64::new(2), AtomicU64::new(7));
    let source = START;
    let (mut private, mut target) = (START, START);
    Ok(vec![
        compare(
            "64-byte struct: getter",
            "load and sequence",
            |n| (0..n).for_each(|_| _ = black_box(shared.e())),
            |n| (0..n).for_each(|_| _ = black_box(checked(black_box(&sequence), &word))),
        ),
        compare(
            "64-byte struct: setter",
            "store",
            |n| (0..n).for_each(|i| ok(shared.set_e(i as u64))),
            |n| (0..n).for_each(|i| word.store(black_box(i as u64), Ordering::Relaxed)),
        ),
        compare(
            "64-byte struct: load",
            "copy of 64 bytes",
            |n| (0..n).for_each(|_| _ = black_box(ok(shared.load()))),
            |n| (0..n).for_each(|_| _ = black_box(*black_box(&source))),
        ),
        compare(
            "64-byte struct: store, all words change",
            "copy of 64 bytes",
            |n| (0..n).for_each(|i| ok(shared.store(black_box(numbers(i as u64))))),
            |n| (0..n).for_each(|i| *black_box(&mut target) = black_box(numbers(i as u64))),
        ),
        compare(
            "64-byte struct: update",
            "update in place",
            |n| (0..n).for_each(|i| ok(shared.update(|s| s.f = i as u64))),
            |n| (0..n).for_each(|i| black_box(&mut private).f = i as u64),
        ),
    ])
}
