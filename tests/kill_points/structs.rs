//! The operations of typed structs, to be killed like the others.

use shm::{Segment, Shared, Value};

use crate::operations::Operation;

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

fn prepare(segment: &Segment) -> shm::Result<Value> {
    let root = segment.root();
    root.insert("small", segment.alloc(small())?)?;
    root.insert("large", segment.alloc(large(1))?)?;
    Ok(Value::None)
}

/// Runs a step on the struct that was prepared under this name.
macro_rules! on_struct {
    ($name:literal, $struct:ident at $key:literal, $handle:ident => $step:expr) => {
        Operation {
            name: $name,
            prepare,
            step: |segment, _| {
                let Some($handle) = segment.root().get_as::<$struct>($key)? else { return Ok(()) };
                $step.map(drop)
            },
        }
    };
}

/// Everything that is killed.
pub(crate) const OPERATIONS: &[Operation] = &[
    on_struct!("struct set number", Small at "small", s => s.set_id(70)),
    on_struct!("struct set bool", Small at "small", s => s.set_flag(false)),
    on_struct!("struct add to number", Small at "small", s => s.fetch_add_id(3)),
    on_struct!("struct add to two words", Small at "small", s => s.fetch_add_wide(u128::MAX - 5)),
    on_struct!("struct set array", Small at "small", s => s.set_position([4.0, 5.0, 6.0])),
    on_struct!("struct set text", Small at "small", s => s.set_label("another label of its own")),
    on_struct!("struct set text to short", Small at "small", s => s.set_label("short")),
    on_struct!("struct set nested", Small at "small", s => {
        s.set_part(Part { number: 9.5, note: None })
    }),
    on_struct!("struct set inside nested", Small at "small", s => {
        s.part().set_note(Some("another note of its own".into()))
    }),
    on_struct!("struct update", Small at "small", s => s.update(|s| {
        s.id += 1;
        s.position[2] = 0.0;
        s.label.push_str(", longer");
        s.part.note = None;
    })),
    on_struct!("struct store large", Large at "large", s => s.store(large(2))),
    on_struct!("struct set large array", Large at "large", s => s.set_numbers([3; 100])),
    Operation {
        name: "struct alloc, first of its schema",
        prepare: |_| Ok(Value::None),
        step: |segment, _| {
            let handle = segment.alloc(small())?;
            segment.root().insert("small", &handle).map(drop)
        },
    },
    Operation {
        name: "struct drop",
        prepare,
        step: |segment, _| segment.root().remove("large").map(drop),
    },
];
