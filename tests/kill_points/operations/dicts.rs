//! Dicts: empty, of numbers, of texts, about to grow, with holes.

use shm::{Dict, Result, Segment, Value};

use super::{not_a, subject, text};
use crate::operation::{Change, Operation, State, cross};

fn ints(segment: &Segment, count: i64) -> Result<Value> {
    subject(segment, segment.dict((0..count).map(|n| (Value::from(n), Value::from(n * 10))))?)
}

fn key(number: i64) -> String {
    format!("a longer key, number {number}")
}

fn grown(segment: &Segment, count: i64) -> Result<Dict> {
    let dict = segment.dict::<Value, Value>([])?;
    for number in 0..count {
        dict.insert(key(number), text(number))?;
    }
    Ok(dict)
}

/// As full as growth lets it be, of texts.
fn full(segment: &Segment) -> Result<Value> {
    subject(segment, grown(segment, 5)?)
}

/// Entries used up, but mostly by deleted ones.
fn with_holes(segment: &Segment) -> Result<Value> {
    let dict = grown(segment, 5)?;
    for number in 2..4 {
        dict.remove(key(number))?;
    }
    subject(segment, dict)
}

fn mixed(segment: &Segment) -> Result<Value> {
    let dict = segment.dict([
        (Value::from(0), Value::from(segment.list_of([text(1)])?)),
        (Value::from(key(1)), Value::from((1, text(2)))),
        (Value::from((1, key(2))), Value::from(segment.dict([(1, text(3))])?)),
    ])?;
    subject(segment, dict)
}

const STATES: &[(&str, State)] = &[
    ("empty dict", |s| ints(s, 0)),
    ("dict of 3 ints, room", |s| ints(s, 3)),
    ("dict of texts, full", full),
    ("dict of texts with holes", with_holes),
    ("dict of objects", mixed),
];

/// Runs a step on the dict that was prepared.
macro_rules! steps {
    ($($name:literal: $dict:ident, $segment:ident => $step:expr;)*) => {
        &[$(($name, |$segment, subject| {
            let Value::Dict($dict) = subject else { return Err(not_a("dict", subject)) };
            let _ = $segment;
            $step.map(drop)
        })),*]
    };
}

const STEPS: &[(&str, Change)] = steps! {
    "insert int": dict, s => dict.set(70, 1);
    "insert text": dict, s => dict.insert("a key that is new", text(9));
    "insert object": dict, s => dict.insert("new", s.list_of([text(9)])?);
    "insert nested dict": dict, s => dict.insert("new", super::queues::nested(s));
    "set first int": dict, s => dict.set(0, 71);
    "set text": dict, s => dict.insert(key(1), text(71));
    "delete int": dict, s => dict.remove(0);
    "delete text": dict, s => dict.remove(key(1));
    "pop last": dict, s => dict.pop_item();
    "pop first": dict, s => dict.pop_first();
    "add": dict, s => dict.add(0, 4);
    "add to new": dict, s => dict.add("count", 4);
    "get or insert": dict, s => dict.get_or_insert("a key that is new", text(5));
    "compare and exchange": dict, s => {
        let old = dict.get(key(1))?;
        dict.compare_exchange(key(1), old.as_ref(), text(8))
    };
    "update": dict, s => dict.update((0..9).map(|n| (Value::from(n), Value::from(text(n)))));
    "replace all": dict, s => dict.replace_all([(key(1), text(1)), (key(70), text(2))]);
    "reserve": dict, s => dict.reserve(20);
    "clear": dict, s => dict.clear();
};

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = cross(STATES, STEPS);
    all.extend(cross(
        &[("dict of 100 ints", |s| ints(s, 100))],
        &[("clear", |_, subject| match subject {
            Value::Dict(dict) => dict.clear(),
            other => Err(not_a("dict", other)),
        })],
    ));
    all
}
