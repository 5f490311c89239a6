//! The operations under test: what is set up, which step is killed, over which states.

use std::path::Path;

use shm::layout::Geometry;
use shm::{Segment, SegmentOptions, Value};

const SIZE: u64 = 1 << 20;
const PROCESSES: u64 = 4;
const THREADS: u64 = 4;

/// One operation and the state that it meets.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// Fills the root; what it returns is the object that the step works on.
    pub(crate) prepare: fn(&Segment) -> shm::Result<Value>,
    /// The operation that is killed.
    pub(crate) step: fn(&Segment, &Value) -> shm::Result<()>,
}

/// How every segment of this test is made: small, so that images are.
pub(crate) fn options(path: &Path) -> SegmentOptions {
    SegmentOptions::new().path(path).size(SIZE).max_processes(PROCESSES).max_threads(THREADS)
}

/// Where its regions lie.
pub(crate) fn geometry() -> Geometry {
    Geometry::new(SIZE, PROCESSES, THREADS)
}

/// In the child: builds the segment and returns the step to be traced.
pub(crate) fn prepare(path: &Path, operation: &Operation) -> impl FnOnce() + use<> {
    let built = Segment::create("", options(path))
        .and_then(|segment| (operation.prepare)(&segment).map(|subject| (segment, subject)));
    let step = operation.step;
    move || {
        // A failed set-up runs no step, which the tracer reports as a walk that saw no change.
        if let Ok((segment, subject)) = &built {
            let _ = step(segment, subject);
        }
        std::mem::forget(built);
    }
}

fn list_of(segment: &Segment, items: Vec<Value>) -> shm::Result<Value> {
    let list = segment.list(items)?;
    segment.root().insert("x", &list)?;
    Ok(Value::List(list))
}

fn ints(segment: &Segment, count: i64) -> shm::Result<Value> {
    list_of(segment, (0..count).map(Value::from).collect())
}

fn texts(segment: &Segment, count: i64) -> shm::Result<Value> {
    list_of(segment, (0..count).map(|n| Value::from(format!("a longer text {n}"))).collect())
}

fn dict_of(segment: &Segment, count: i64) -> shm::Result<Value> {
    let dict = segment.dict((0..count).map(|n| (Value::from(n), Value::from(n * 10))))?;
    segment.root().insert("x", &dict)?;
    Ok(Value::Dict(dict))
}

fn words(segment: &Segment, count: i64) -> shm::Result<Value> {
    let dict =
        segment
            .dict((0..count).map(|n| {
                (Value::from(format!("a longer key {n}")), Value::from(vec![7_u8; 40]))
            }))?;
    segment.root().insert("x", &dict)?;
    Ok(Value::Dict(dict))
}

/// A dict that grew, so that it is as full as growth lets it be.
fn one_by_one(segment: &Segment, count: i64) -> shm::Result<Value> {
    let dict = segment.dict::<Value, Value>([])?;
    segment.root().insert("x", &dict)?;
    for n in 0..count {
        dict.insert(format!("a longer key {n}"), n)?;
    }
    Ok(Value::Dict(dict))
}

/// A dict whose entries are used up, but mostly by deleted ones.
fn with_holes(segment: &Segment) -> shm::Result<Value> {
    let subject = one_by_one(segment, 5)?;
    if let Value::Dict(dict) = &subject {
        for n in 1..4 {
            dict.remove(format!("a longer key {n}"))?;
        }
    }
    Ok(subject)
}

/// Runs a step on the list that was prepared.
macro_rules! on_list {
    ($name:literal, $prepare:expr, $list:ident => $step:expr) => {
        Operation {
            name: $name,
            prepare: $prepare,
            step: |segment, subject| {
                let Value::List($list) = subject else { return Ok(()) };
                let _ = segment;
                $step.map(drop)
            },
        }
    };
}

/// Runs a step on the dict that was prepared.
macro_rules! on_dict {
    ($name:literal, $prepare:expr, $dict:ident => $step:expr) => {
        Operation {
            name: $name,
            prepare: $prepare,
            step: |segment, subject| {
                let Value::Dict($dict) = subject else { return Ok(()) };
                let _ = segment;
                $step.map(drop)
            },
        }
    };
}

/// Everything that is killed.
pub(crate) const OPERATIONS: &[Operation] = &[
    on_list!("list set int", |s| ints(s, 3), list => list.set(1, 70)),
    on_list!("list set int to long text", |s| ints(s, 3), list => list.set(1, "a text of its own")),
    on_list!("list set long text to int", |s| texts(s, 3), list => list.set(1, 5)),
    on_list!("list set long text to text", |s| texts(s, 3), list => list.set(1, "another long text")),
    on_list!("list set to tuple", |s| texts(s, 3), list => {
        list.set(0, Value::from((1, "a long text inside", 2.5)))
    }),
    on_list!("list append int, room", |s| ints(s, 5), list => list.push(9)),
    on_list!("list append text, room", |s| ints(s, 5), list => list.push("a text of its own")),
    on_list!("list append to empty", |s| ints(s, 0), list => list.push(9)),
    on_list!("list append, grow", |s| ints(s, 64), list => list.extend([1, 2, 3, 4, 5])),
    on_list!("list append text, grow", |s| texts(s, 64), list => {
        list.extend((0..40).map(|n| format!("more and more text {n}")))
    }),
    on_list!("list insert front", |s| texts(s, 6), list => list.insert(0, "first of them all")),
    on_list!("list insert middle", |s| ints(s, 40), list => list.insert(20, 1)),
    on_list!("list insert, long tail", |s| ints(s, 300), list => list.insert(2, 1)),
    on_list!("list pop int", |s| ints(s, 5), list => list.pop()),
    on_list!("list pop text", |s| texts(s, 5), list => list.pop()),
    on_list!("list pop front", |s| texts(s, 5), list => list.pop_front()),
    on_list!("list delete middle", |s| texts(s, 9), list => list.remove(4)),
    on_list!("list delete, long tail", |s| texts(s, 300), list => list.remove(3)),
    on_list!("list delete slice", |s| texts(s, 30), list => list.del_slice(Some(3), Some(20), Some(2))),
    on_list!("list set slice", |s| texts(s, 10), list => {
        list.set_slice(Some(2), Some(5), None, vec![Value::from("fresh long text"), Value::from(1)])
    }),
    on_list!("list clear", |s| texts(s, 10), list => list.clear()),
    on_list!("list reverse", |s| texts(s, 10), list => list.reverse()),
    on_list!("list add", |s| ints(s, 5), list => list.add(2, 40)),
    on_list!("list repeat", |s| texts(s, 4), list => list.repeat(3)),
    on_dict!("dict insert int", |s| dict_of(s, 3), dict => dict.insert(70, 1)),
    on_dict!("dict insert text", |s| words(s, 3), dict => dict.insert("a key of its own", "and a value")),
    on_dict!("dict insert into empty", |s| dict_of(s, 0), dict => dict.insert("k", 1)),
    on_dict!("dict replace int", |s| dict_of(s, 3), dict => dict.insert(1, 71)),
    on_dict!("dict replace text", |s| words(s, 3), dict => dict.insert("a longer key 1", "another value")),
    on_dict!("dict delete int", |s| dict_of(s, 5), dict => dict.remove(3)),
    on_dict!("dict delete text", |s| words(s, 5), dict => dict.remove("a longer key 2")),
    on_dict!("dict resize", |s| dict_of(s, 5), dict => {
        dict.update((100..140).map(|n| (Value::from(n), Value::from(n))))
    }),
    on_dict!("dict resize by 6th text", |s| one_by_one(s, 5), dict => dict.insert("the straw", 1)),
    on_dict!("dict append after resize", |s| one_by_one(s, 10), dict => dict.insert("the straw", 1)),
    on_dict!("dict compact", |s| with_holes(s), dict => dict.insert("the straw", 1)),
    on_dict!("dict clear", |s| words(s, 5), dict => dict.clear()),
    on_dict!("dict pop item", |s| words(s, 5), dict => dict.pop_item()),
    on_dict!("dict add", |s| dict_of(s, 5), dict => dict.add(3, 4)),
    Operation {
        name: "nested literal",
        prepare: |s| ints(s, 1),
        step: |segment, _| {
            let inner = segment.list([Value::from("a long enough text"), Value::from(2.5)])?;
            segment.root().insert("y", &inner)?;
            Ok(())
        },
    },
    Operation {
        name: "drop a nested tree",
        prepare: |segment| {
            let leafs = segment.list((0..20).map(|n| format!("text number {n}")))?;
            let tree = segment.dict([("a", Value::from(&leafs)), ("b", Value::from(&leafs))])?;
            segment.root().insert("x", &tree)?;
            Ok(Value::None)
        },
        step: |segment, _| segment.root().remove("x").map(drop),
    },
];
