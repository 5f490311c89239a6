//! Arrays: made, stored in the place of another, freed by hand while nobody or somebody holds them.

use std::time::Duration;

use shm::{Array, DType, Error, Result, Segment, Value};

use super::{not_a, subject};
use crate::operation::{Change, Operation, State, cross};

/// Elements of an array whose block is whole pages.
const MANY: usize = 10_000;

fn numbers(segment: &Segment, count: usize) -> Result<Array> {
    let array = segment.array::<i64>(&[count])?;
    array.set(count / 2, 7_i64)?;
    Ok(array)
}

fn records(segment: &Segment) -> Result<Array> {
    let dtype = DType::described("[('x', '<f8'), ('n', '|S5')]", 13)?;
    segment.array_from(dtype, &[2, 2], &[b'x'; 52])
}

const STATES: &[(&str, State)] = &[
    ("a small array", |s| subject(s, numbers(s, 5)?)),
    ("an array of pages", |s| subject(s, numbers(s, MANY)?)),
    ("an array of records", |s| subject(s, records(s)?)),
    ("nothing", |_| Ok(Value::None)),
];

/// Frees by hand and lets go of the handles one after the other.
fn free_held(segment: &Segment, _: &Value) -> Result<()> {
    let Some(held) = segment.root().get("x")? else { return Ok(()) };
    let again = segment.root().get("x")?;
    segment.free(&held)?;
    drop(again);
    drop(held);
    Ok(())
}

const STEPS: &[(&str, Change)] = &[
    ("store an array", |s, _| s.root().insert("x", numbers(s, 6)?).map(drop)),
    ("store an array of pages", |s, _| s.root().insert("x", numbers(s, MANY + 1)?).map(drop)),
    ("store an array of records", |s, _| s.root().insert("y", records(s)?).map(drop)),
    ("drop the array", |s, _| s.root().remove("x").map(drop)),
    ("an array in a transaction", |s, _| {
        s.transaction(|_| {
            let array = numbers(s, 9)?;
            array.set(0, 1_i64)?;
            s.root().insert("x", array).map(drop)
        })
    }),
    ("an array in a transaction that is undone", |s, _| {
        let undone = s.transaction(|_| {
            let (array, pages) = (numbers(s, 9)?, numbers(s, MANY)?);
            array.set(0, 1_i64)?;
            s.root().insert("x", array)?;
            s.root().insert("y", pages)?;
            Err::<(), _>(not_a("stop", &Value::None))
        });
        match undone {
            Err(Error::InvalidArgument { .. }) => Ok(()),
            other => other,
        }
    }),
];

/// An array that was freed and is held by the one who is killed, so that it has its memory still. Among
/// the messages: nobody makes a handle of it by looking at the root, and so lets go of it.
fn freed_and_held(segment: &Segment) -> Result<Value> {
    let array = Value::from(numbers(segment, MANY)?);
    segment.put_message(array.clone())?;
    let other = array.clone();
    segment.free(&array)?;
    drop(other);
    Ok(array)
}

/// Fails while a freed array has memory. All arrays that are left are freed ones.
fn nothing_is_kept(segment: &Segment) -> Result<()> {
    for kind in segment.stats()?.kinds.iter().filter(|kind| kind.kind == "array") {
        if kind.bytes != 64 * kind.count {
            let what = format!("{} arrays have {} bytes", kind.count, kind.bytes);
            return Err(Error::InvalidArgument { what });
        }
    }
    Ok(())
}

/// Fails if memory that an array had before is not zero in the next one.
fn the_next_one_is_zero(segment: &Segment) -> Result<()> {
    // Of a page each: some other block may have come to lie in the first one of several.
    let next: Result<Vec<Array>> = (0..4).map(|_| segment.array::<i64>(&[5_000])).collect();
    for array in next? {
        if let Some(place) = array.to_vec::<i64>()?.iter().position(|number| *number != 0) {
            return Err(Error::InvalidArgument { what: format!("{place} is not zero") });
        }
    }
    Ok(())
}

/// An array in a cycle that nothing refers to.
fn in_a_cycle(segment: &Segment) -> Result<Value> {
    let list = segment.list([Value::from(numbers(segment, MANY)?)])?;
    list.push(&list)?;
    subject(segment, 1)
}

/// A number of the array that was prepared, as a transaction changes it.
fn set_in_transaction(segment: &Segment, value: &Value) -> Result<()> {
    let Value::Array(array) = value else { return Err(not_a("array", value)) };
    segment.transaction(|_| {
        array.write(1, &[1_i64, 2, 3])?;
        segment.root().insert("done", 1).map(drop)
    })
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = cross(STATES, STEPS);
    for (name, state) in STATES.iter().take(3) {
        all.push(Operation::new(format!("free by hand, array | {name}"), *state, Segment::free));
        all.push(Operation::new(format!("free by hand and let go | {name}"), *state, free_held));
    }
    all.extend([
        Operation::new("let go of a freed array | held", freed_and_held, |segment, _| {
            segment.root().insert("y", 1).map(drop)
        })
        .surviving(nothing_is_kept),
        Operation::new("drop a freed array | held", freed_and_held, |segment, _| {
            segment.take_message(Some(Duration::ZERO)).map(drop)
        })
        .surviving(nothing_is_kept),
        Operation::new(
            "drop an array and make one | an array of pages",
            |segment| {
                // Some of its pages are cut into blocks before the next array comes.
                let array = numbers(segment, 5 * MANY)?;
                array.fill(7_i64)?;
                subject(segment, array)?;
                // Behind it, so that its pages are not given back to the system instead.
                segment.root().insert("z", numbers(segment, MANY)?).map(|_| Value::None)
            },
            |segment, _| segment.root().remove("x").map(drop),
        )
        .surviving(the_next_one_is_zero),
        Operation::new(
            "give the pages of an array back | nobody else is there",
            |segment| {
                let array = numbers(segment, 15 * MANY)?;
                array.fill(7_i64)?;
                drop(array);
                subject(segment, 1)
            },
            |segment, _| segment.gc().map(drop),
        )
        .surviving(|segment| {
            let next = segment.array::<i64>(&[15 * MANY])?;
            match next.to_vec::<i64>()?.iter().position(|number| *number != 0) {
                None => Ok(()),
                Some(place) => Err(Error::InvalidArgument { what: format!("{place} is not zero") }),
            }
        }),
        Operation::new("collect | an array in a cycle", in_a_cycle, |segment, _| {
            segment.gc().map(drop)
        })
        .surviving(|segment| {
            segment.gc()?;
            match segment.check()?.garbage {
                0 => Ok(()),
                left => Err(Error::InvalidArgument { what: format!("{left} are left") }),
            }
        }),
        Operation::new(
            "notify | a small array",
            |s| subject(s, numbers(s, 5)?),
            |_, subject| match subject {
                Value::Array(array) => array.notify(),
                other => Err(not_a("array", other)),
            },
        ),
        Operation::new(
            "set numbers in a transaction | a small array",
            |s| subject(s, numbers(s, 5)?),
            set_in_transaction,
        ),
    ]);
    all
}
