//! Typed structs: fields of every form, whole structs, the first of a schema.

use shm::{Result, Segment, Shared, Value};

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

const LARGE: &[(&str, Change)] = steps! { Large at "large";
    "store": s => s.store(large(2));
    "set large array": s => s.set_numbers([3; 100]);
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
    all.extend(cross(&[("large struct", with_large)], LARGE));
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
