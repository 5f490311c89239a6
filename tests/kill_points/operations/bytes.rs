//! Bytearrays: empty, with room, long.

use shm::{Result, Segment, Value};

use super::{not_a, subject};
use crate::operation::{Change, Operation, State, cross};

fn bytes(segment: &Segment, count: usize) -> Result<Value> {
    let content: Vec<u8> = (0..count).map(|n| n as u8).collect();
    subject(segment, segment.bytearray(&content)?)
}

const STATES: &[(&str, State)] = &[
    ("empty bytearray", |s| bytes(s, 0)),
    ("bytearray of 11 bytes", |s| bytes(s, 11)),
    ("bytearray of 500 bytes", |s| bytes(s, 500)),
];

/// Runs a step on the bytearray that was prepared.
macro_rules! steps {
    ($($name:literal: $bytes:ident => $step:expr;)*) => {
        &[$(($name, |_, subject| {
            let Value::ByteArray($bytes) = subject else { return Err(not_a("bytearray", subject)) };
            $step.map(drop)
        })),*]
    };
}

const STEPS: &[(&str, Change)] = steps! {
    "set byte": bytes => bytes.set(3, 200);
    "append byte": bytes => bytes.push(9);
    "extend": bytes => bytes.extend(&[7; 100]);
    "insert byte": bytes => bytes.insert(2, 9);
    "delete byte": bytes => bytes.remove(2);
    "pop byte": bytes => bytes.pop();
    "set slice": bytes => bytes.set_slice(Some(1), Some(4), None, &[9; 30]);
    "delete slice": bytes => bytes.del_slice(Some(1), None, Some(3));
    "replace all": bytes => bytes.replace_all(b"something else altogether");
    "reverse": bytes => bytes.reverse();
    "repeat": bytes => bytes.repeat(2);
    "clear": bytes => bytes.clear();
};

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    cross(STATES, STEPS)
}
