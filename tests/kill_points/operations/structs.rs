//! Typed structs: fields of every form, whole structs, the first of a schema.

use std::collections::BTreeMap;

use shm::{AtHand, Link, Result, Segment, Shared, Value};

use super::text;
use crate::operation::{Change, Operation, State, cross};

#[derive(Shared)]
struct Small {
    id: u64,
    flag: bool,
    position: [f32; 3],
    wide: u128,
    label: String,
    part: Part,
}

#[derive(Shared, Clone)]
struct Part {
    number: f64,
    note: Option<String>,
}

/// Of plain bytes alone.
#[derive(Shared, Clone, Copy)]
struct Plain {
    count: u64,
    ratio: f64,
    grid: [u32; 5],
    limit: Option<u16>,
    inner: Inner,
    last: u64,
}

#[derive(Shared, Clone, Copy)]
struct Inner {
    low: i32,
    high: i32,
    step: u8,
}

const PLAIN_START: Plain = Plain {
    count: 7,
    ratio: 0.5,
    grid: [1, 2, 3, 4, 5],
    limit: Some(9),
    inner: Inner { low: -1, high: 1, step: 3 },
    last: 8,
};

/// With fields that stay as they are, and a struct that starts in the middle of a word.
#[derive(Shared, Clone, Copy)]
struct Guarded {
    #[shared(readonly)]
    id: u32,
    inside: Inner,
    number: u64,
    #[shared(readonly)]
    limits: [u16; 3],
    count: u16,
}

const GUARDED_START: Guarded = Guarded {
    id: 1,
    inside: Inner { low: 2, high: 3, step: 4 },
    number: 5,
    limits: [6, 7, 8],
    count: 9,
};

/// As an older program has it.
#[derive(Shared)]
#[shared(name = "kill.Versioned")]
struct Older {
    number: u16,
    text: String,
    only: u64,
    pair: [u32; 2],
}

#[derive(Shared)]
#[shared(name = "kill.Versioned", version = 2)]
struct Newer {
    #[shared(default)]
    added: u8,
    pair: [u32; 2],
    text: String,
    number: u64,
}

#[derive(Shared)]
struct Large {
    numbers: [u64; 100],
    texts: [String; 14],
}

fn small() -> Small {
    Small {
        id: 7,
        flag: true,
        position: [1.0, 2.0, 3.0],
        wide: 1 << 100,
        label: "a label of its own".into(),
        part: Part { number: 0.5, note: Some("a note of its own".into()) },
    }
}

fn large(number: u64) -> Large {
    Large {
        numbers: [number; 100],
        texts: std::array::from_fn(|at| format!("the longer text {at} of {number}")),
    }
}

/// Runs a step on the struct that was prepared under this name.
macro_rules! steps {
    ($struct:ident at $key:literal; $($name:literal: $handle:ident => $step:expr;)*) => {
        &[$(($name, |segment, _| {
            let Some($handle) = segment.root().get_as::<$struct>($key)? else { return Ok(()) };
            $step.map(drop)
        })),*]
    };
}

const SMALL: &[(&str, Change)] = steps! { Small at "small";
    "set number": s => s.set_id(70);
    "set bool": s => s.set_flag(false);
    "add to number": s => s.fetch_add_id(3);
    "add to two words": s => s.fetch_add_wide(u128::MAX - 5);
    "set array": s => s.set_position([4.0, 5.0, 6.0]);
    "set text": s => s.set_label("another label of its own");
    "set text to short": s => s.set_label("short");
    "set nested": s => s.set_part(Part { number: 9.5, note: None });
    "set inside nested": s => s.part().set_note(Some("another note of its own".into()));
    "update": s => s.update(|s| {
        s.id += 1;
        s.position[2] = 0.0;
        s.label.push_str(", longer");
        s.part.note = None;
    });
    "store": s => s.store(Small { id: 8, label: text(8), ..small() });
};

const PLAIN: &[(&str, Change)] = steps! { Plain at "plain";
    "set plain number": s => s.set_ratio(1.5);
    "set plain array": s => s.set_grid([6, 7, 8, 9, 10]);
    "set in plain array": s => s.items_grid().set(3, 40);
    "add in plain array": s => s.items_grid().fetch_add(4, 1);
    "set plain option": s => s.set_limit(None);
    "set plain nested": s => s.set_inner(Inner { low: 4, high: 5, step: 6 });
    "set inside plain nested": s => s.inner().set_high(99);
    "update plain nested": s => s.inner().update(|s| (s.low, s.step) = (7, 8));
    "update one word": s => s.update(|s| s.last += 1);
    "update no word": s => s.update(|s| s.last);
    "update two words": s => s.update(|s| std::mem::swap(&mut s.count, &mut s.last));
    "update all words": s => s.update(|s| {
        *s = Plain { count: 1, ratio: 2.0, grid: [3; 5], limit: None, last: 4, ..PLAIN_START };
        s.inner = Inner { low: 5, high: 6, step: 7 };
    });
    "store one word": s => s.store(Plain { ratio: -0.5, ..PLAIN_START });
    "store many words": s => s.store(Plain { count: 0, grid: [0; 5], last: 0, ..PLAIN_START });
};

const GUARDED: &[(&str, Change)] = steps! { Guarded at "guarded";
    "store one writable word": s => s.store(Guarded { count: 10, ..GUARDED_START });
    "store writable words": s => s.store(Guarded { number: 11, count: 12, ..GUARDED_START });
    "update one writable word": s => s.update(|s| s.number += 1);
    "update writable words": s => s.update(|s| (s.number, s.count) = (s.number + 1, s.count + 1));
    "set nested inside of words": s => s.set_inside(Inner { low: -5, high: -6, step: 7 });
    "store nested inside of words": s => s.inside().store(Inner { low: 8, high: 9, step: 10 });
    "update nested inside of words": s => s.inside().update(|s| (s.low, s.step) = (11, 12));
    "set one inside of words": s => s.inside().set_high(13);
};

fn with_guarded(segment: &Segment) -> Result<Value> {
    segment.root().insert("guarded", segment.alloc(GUARDED_START)?)?;
    Ok(Value::None)
}

const VERSIONED: &[(&str, Change)] = steps! { Newer at "versioned";
    "update another version": s => s.update(|s| {
        s.number += 1;
        s.pair = [8, 9];
        s.text.push_str(", longer");
    });
    "update one word of another version": s => s.update(|s| s.number += 1);
    "store into another version": s => s.store(Newer {
        added: 0,
        pair: [5, 6],
        text: "short".into(),
        number: 65535,
    });
};

fn versioned(segment: &Segment) -> Result<Value> {
    let text = "a text of an older program".into();
    let older = segment.alloc(Older { number: 1, text, only: 2, pair: [3, 4] })?;
    segment.root().insert("versioned", older)?;
    Ok(Value::None)
}

fn with_plain(segment: &Segment) -> Result<Value> {
    segment.root().insert("plain", segment.alloc(PLAIN_START)?)?;
    Ok(Value::None)
}

/// As a language binding does it, that keeps the thread's session.
fn set_at_hand(segment: &Segment, _: &Value) -> Result<()> {
    let Some(Value::Record(record)) = segment.root().get("plain")? else {
        unreachable!("it is there")
    };
    // The process's first operation, which changes nothing to be seen.
    record.set("ratio", PLAIN_START.ratio)?;
    let hand = AtHand::of_this_thread();
    let ratio = PLAIN_START.ratio.to_bits();
    let index = (0..64).find(|index| record.word_at(*index) == Some(ratio));
    let stored = record.set_at_hand(&hand, index.unwrap_or_default(), u64::MAX, 1.5_f64.to_bits());
    assert!(stored.done.is_some() && !stored.awaited, "nobody else is there");
    Ok(())
}

#[derive(Shared, Clone)]
enum Mode {
    Off,
    Level { number: u32, name: String },
    Many(Vec<u16>, u128),
}

#[derive(Shared)]
struct Rich {
    count: u32,
    mode: Mode,
    samples: Vec<f64>,
    names: Vec<String>,
    table: BTreeMap<String, u64>,
    pair: (u8, String),
    next: Option<Link<Part>>,
    other: Option<Link<Part>>,
}

fn rich() -> Rich {
    Rich {
        count: 1,
        mode: Mode::Level { number: 3, name: "a level with a long name".into() },
        samples: vec![1.0, 2.0],
        names: vec!["one".into(), "a name of its own block".into()],
        table: BTreeMap::from([("a".into(), 1), ("b".into(), 2)]),
        pair: (1, "a text in a tuple".into()),
        next: None,
        other: None,
    }
}

const RICH: &[(&str, Change)] = steps! { Rich at "rich";
    "swap number": s => s.swap_count(9);
    "exchange number": s => s.compare_exchange_count(1, 5);
    "set variant without data": s => s.set_mode(Mode::Off);
    "set variant with vector": s => s.set_mode(Mode::Many(vec![1, 2, 3], 7));
    "push to vector": s => s.samples().push(3.0);
    "extend vector": s => s.samples().extend(&[0.5; 200]);
    "set in vector": s => s.samples().set(1, -1.0);
    "pop from vector": s => s.samples().pop();
    "truncate vector": s => s.samples().truncate(1);
    "replace vector": s => s.samples().replace(&[9.0]);
    "set vector": s => s.set_samples(vec![4.0; 50]);
    "push to vector of texts": s => s.names().push("another name of its own".into());
    "set vector of texts": s => s.set_names(vec!["only one that is long".into()]);
    "set map": s => s.set_table(BTreeMap::from([("c".into(), 3)]));
    "set tuple": s => s.set_pair((2, "another text in a tuple".into()));
    "replace link": s => s.other().and_then(|link| s.set_next(link));
    "drop link": s => s.set_next(None);
    "update all": s => s.update(|s| {
        s.count += 1;
        s.samples.push(7.0);
        s.names.push("pushed by an update".into());
        s.table.insert("new".into(), 3);
        s.mode = Mode::Many(vec![8; 9], 1);
        std::mem::swap(&mut s.next, &mut s.other);
    });
};

fn with_rich(segment: &Segment) -> Result<Value> {
    segment.root().insert("rich", segment.alloc(rich())?)?;
    Ok(Value::None)
}

/// With two links to structs of their own, and a vector that has room.
fn linked(segment: &Segment) -> Result<Value> {
    let part = |number| segment.alloc(Part { number, note: Some("of a linked struct".into()) });
    let handle = segment.alloc(rich())?;
    handle.set_next(Some(Link::new(&part(1.0)?)))?;
    handle.set_other(Some(Link::new(&part(2.0)?)))?;
    handle.samples().extend(&[0.0; 3])?;
    segment.root().insert("rich", handle)?;
    Ok(Value::None)
}

const LARGE: &[(&str, Change)] = steps! { Large at "large";
    "store": s => s.store(large(2));
    "set large array": s => s.set_numbers([3; 100]);
    "set one of the texts": s => s.items_texts().set(3, "another text of its own".into());
    "set texts": s => s.set_texts(std::array::from_fn(|_| "short".into()));
};

fn alone(segment: &Segment) -> Result<Value> {
    segment.root().insert("small", segment.alloc(small())?)?;
    Ok(Value::None)
}

/// With a text that fits into a cell, and no note.
fn short(segment: &Segment) -> Result<Value> {
    let value = Small { label: "short".into(), part: Part { number: 0.0, note: None }, ..small() };
    segment.root().insert("small", segment.alloc(value)?)?;
    Ok(Value::None)
}

fn with_large(segment: &Segment) -> Result<Value> {
    segment.root().insert("large", segment.alloc(large(1))?)?;
    Ok(Value::None)
}

const STATES: &[(&str, State)] =
    &[("struct of long texts", alone), ("struct of short texts", short)];

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = cross(STATES, SMALL);
    all.extend(cross(&[("plain struct", with_plain)], PLAIN));
    all.extend(cross(&[("plain struct", with_plain)], &[("set a word at hand", set_at_hand)]));
    all.extend(cross(&[("guarded struct", with_guarded)], GUARDED));
    all.extend(cross(&[("older struct", versioned)], VERSIONED));
    all.extend(cross(&[("large struct", with_large)], LARGE));
    all.extend(cross(&[("rich struct", with_rich), ("linked struct", linked)], RICH));
    all.push(Operation::new("drop a struct | linked struct", linked, |segment, _| {
        segment.root().remove("rich").map(drop)
    }));
    all.extend(cross(
        &[("no schema", |_| Ok(Value::None)), ("schema known", alone)],
        &[("make a struct", |segment, _| {
            segment.root().insert("another", &segment.alloc(small())?).map(drop)
        })],
    ));
    all.push(Operation::new("drop a struct | large struct", with_large, |segment, _| {
        segment.root().remove("large").map(drop)
    }));
    all
}
