//! Lists: empty, with room and full, of numbers, texts and objects, shifted and long.

use shm::{List, Result, Segment, Value};

use super::{not_a, subject, text};
use crate::operation::{Change, Operation, State, cross};

fn ints(segment: &Segment, count: i64) -> Result<Value> {
    subject(segment, segment.list_of(0..count)?)
}

fn texts(segment: &Segment, count: i64) -> Result<Value> {
    subject(segment, segment.list_of((0..count).map(text))?)
}

/// With room, because it grew, and a first cell that is not the block's first.
fn shifted(segment: &Segment) -> Result<Value> {
    let list = segment.list([])?;
    for number in 0..9 {
        list.push(text(number))?;
    }
    list.pop_front()?;
    list.pop_front()?;
    subject(segment, list)
}

/// Of everything that lies in a block of its own.
fn mixed(segment: &Segment) -> Result<Value> {
    let inner = segment.list_of([1, 2])?;
    let items = [
        Value::from(&inner),
        Value::from(segment.dict([("a", 1)])?),
        Value::from((1, text(1), 2.5)),
        Value::from(1e300),
        Value::from(i64::MAX),
        Value::from(&inner),
        Value::from(vec![7_u8; 50]),
    ];
    subject(segment, segment.list_of(items)?)
}

const STATES: &[(&str, State)] = &[
    ("empty list", |s| ints(s, 0)),
    ("list of 5 ints, room", |s| ints(s, 5)),
    ("list of 8 ints, full", |s| ints(s, 8)),
    ("list of texts", |s| texts(s, 6)),
    ("shifted list of texts", shifted),
    ("list of objects", mixed),
];

const LONG: &[(&str, State)] =
    &[("long list of ints", |s| ints(s, 100)), ("long list of texts", |s| texts(s, 90))];

/// Runs a step on the list that was prepared.
macro_rules! steps {
    ($($name:literal: $list:ident, $segment:ident => $step:expr;)*) => {
        &[$(($name, |$segment, subject| {
            let Value::List($list) = subject else { return Err(not_a("list", subject)) };
            let _ = $segment;
            $step.map(drop)
        })),*]
    };
}

const STEPS: &[(&str, Change)] = steps! {
    "set int": list, s => list.set(0, 70);
    "set text": list, s => list.set(1, text(70));
    "set tuple": list, s => list.set(0, Value::from((1, text(1), 2.5)));
    "set object": list, s => list.set(1, s.list_of([text(2)])?);
    "append int": list, s => list.push(9);
    "append text": list, s => list.push(text(9));
    "append shared object": list, s => list.push(list.get(0)?.unwrap_or(Value::None));
    "append nested dict": list, s => list.push(super::queues::nested(s));
    "prepend text": list, s => list.push_front(text(9));
    "insert text": list, s => list.insert(2, text(9));
    "pop": list, s => list.pop();
    "pop front": list, s => list.pop_front();
    "delete": list, s => list.remove(2);
    "swap": list, s => list.swap(0, 3);
    "add": list, s => list.add(0, 40);
    "truncate": list, s => list.truncate(2);
    "clear": list, s => list.clear();
    "reverse": list, s => list.reverse();
    "repeat": list, s => list.repeat(2);
    "extend": list, s => list.extend((0..5).map(text));
    "reserve": list, s => list.reserve(50);
    "set slice": list, s => {
        list.set_slice(Some(1), Some(3), None, vec![Value::from(text(5)), Value::from(1)])
    };
    "delete every other": list, s => list.del_slice(Some(0), None, Some(2));
    "delete all": list, s => list.del_slice(None, None, None);
    "compare and exchange": list, s => {
        let old = list.get(1)?.unwrap_or(Value::None);
        list.compare_exchange(1, &old, text(8))
    };
};

const LONG_STEPS: &[(&str, Change)] = steps! {
    "append int": list, s => list.push(9);
    "insert near the front": list, s => list.insert(2, text(9));
    "delete near the front": list, s => list.remove(3);
    "delete near the end": list, s => list.remove(80);
    "pop front": list, s => list.pop_front();
    "extend": list, s => list.extend(0..40);
    "delete slice": list, s => list.del_slice(Some(3), Some(70), Some(2));
    "delete all": list, s => list.del_slice(None, None, None);
    "clear": list, s => list.clear();
};

fn to_be_sorted(segment: &Segment) -> Result<Value> {
    subject(segment, segment.list_of([5, 2, 9, 1, 7].map(text))?)
}

fn sort(list: &List) -> Result<()> {
    list.sort()
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = cross(STATES, STEPS);
    all.extend(cross(LONG, LONG_STEPS));
    all.push(Operation::new("sort | list of texts", to_be_sorted, |_, subject| match subject {
        Value::List(list) => sort(list),
        other => Err(not_a("list", other)),
    }));
    all
}
