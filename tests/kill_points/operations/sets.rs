//! Sets: empty, of numbers, of texts and tuples, about to grow.

use shm::{Result, Segment, Value};

use super::{not_a, subject, text};
use crate::operation::{Change, Operation, State, cross};

fn ints(segment: &Segment, count: i64) -> Result<Value> {
    subject(segment, segment.set(0..count)?)
}

/// As full as growth lets it be.
fn full(segment: &Segment) -> Result<Value> {
    let set = segment.set::<Value>([])?;
    for number in 0..5 {
        set.add(text(number))?;
    }
    subject(segment, set)
}

fn mixed(segment: &Segment) -> Result<Value> {
    subject(segment, segment.set([Value::from((1, text(1))), Value::from(0), 1e300.into()])?)
}

const STATES: &[(&str, State)] = &[
    ("empty set", |s| ints(s, 0)),
    ("set of 3 ints", |s| ints(s, 3)),
    ("set of texts, full", full),
    ("set of tuples and numbers", mixed),
];

/// Runs a step on the set that was prepared.
macro_rules! steps {
    ($($name:literal: $set:ident => $step:expr;)*) => {
        &[$(($name, |_, subject| {
            let Value::Set($set) = subject else { return Err(not_a("set", subject)) };
            $step.map(drop)
        })),*]
    };
}

const STEPS: &[(&str, Change)] = steps! {
    "add int": set => set.add(70);
    "add text": set => set.add(text(70));
    "add tuple": set => set.add(Value::from((70, text(2))));
    "remove int": set => set.remove(0);
    "remove text": set => set.remove(text(1));
    "pop": set => set.pop();
    "update": set => set.update((0..9).map(text));
    "intersect": set => set.intersection_update([Value::from(0), Value::from(text(1))]);
    "subtract": set => set.difference_update([Value::from(0), Value::from(text(1))]);
    "symmetric difference": set => set.symmetric_difference_update([0, 1, 71]);
    "clear": set => set.clear();
};

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    cross(STATES, STEPS)
}
