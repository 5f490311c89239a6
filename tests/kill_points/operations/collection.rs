//! The collector and the audit: cycles of every kind, garbage that refers to the living, damage.

use std::fs::File;
use std::os::unix::fs::FileExt;

use shm::{Error, List, Result, Segment, Value};

use super::{not_a, subject, text};
use crate::operation::{Operation, State};

/// Lists that refer to themselves and to each other.
fn ring(segment: &Segment) -> Result<Value> {
    let lists: Result<Vec<List>> = (0..3).map(|number| segment.list_of([text(number)])).collect();
    let lists = lists?;
    for (list, next) in lists.iter().zip(lists.iter().cycle().skip(1)) {
        list.push(next)?;
        list.push(list)?;
    }
    subject(segment, text(1))
}

/// A cycle through a dict, a tuple and a list, which refers to a living list too.
fn mixed(segment: &Segment) -> Result<Value> {
    let living = segment.list_of([text(0)])?;
    let list = segment.list_of([Value::from(&living), Value::from(text(1))])?;
    let dict = segment.dict([("a longer key of its own", Value::from((&list, text(2))))])?;
    list.push(&dict)?;
    subject(segment, living)
}

/// A cycle that a handle holds, and one that nothing does.
fn held(segment: &Segment) -> Result<Value> {
    let list = segment.list_of([text(0)])?;
    list.push(&list)?;
    ring(segment)?;
    Ok(Value::List(list))
}

const STATES: &[(&str, State)] = &[
    ("ring of lists", ring),
    ("cycle through dict and tuple", mixed),
    ("cycles, one of them held", held),
    ("no garbage", |segment| subject(segment, segment.list_of((0..5).map(text))?)),
];

/// Collects what the killed one has left, all of it.
fn nothing_is_left(segment: &Segment) -> Result<()> {
    segment.gc()?;
    match segment.check()?.garbage {
        0 => Ok(()),
        left => Err(Error::InvalidArgument { what: format!("{left} objects were not collected") }),
    }
}

/// Overwrites the word of the segment at an offset, as damage from outside would.
fn damage(segment: &Segment, at: u64, change: impl FnOnce(u64) -> u64) -> Result<()> {
    let io = |source| Error::Io { what: "damage the segment".to_owned(), source };
    let path = segment.path().unwrap_or_default();
    let file = File::options().read(true).write(true).open(path).map_err(io)?;
    let mut word = [0; 8];
    file.read_exact_at(&mut word, at).map_err(io)?;
    file.write_all_at(&change(u64::from_le_bytes(word)).to_le_bytes(), at).map_err(io)
}

fn header_of(value: &Value) -> Result<u64> {
    match value {
        // An id is the header's offset and 16 bits of generation.
        Value::List(list) => Ok(list.id() >> 16 << 4),
        other => Err(not_a("list", other)),
    }
}

/// A count too high, and one too low.
fn wrong_counts(segment: &Segment) -> Result<Value> {
    let lists = [segment.list_of([text(1)])?, segment.list_of([text(2)])?];
    for list in &lists {
        segment.root().insert(list.id() as i64, list)?;
        segment.root().insert(text(list.id() as i64), list)?;
    }
    let [high, low] = lists;
    damage(segment, header_of(&high.into())?, |meta| meta + 1)?;
    damage(segment, header_of(&low.into())?, |meta| meta - 1)?;
    Ok(Value::None)
}

/// A block that belongs to nothing: its object forgot it.
fn lost_block(segment: &Segment) -> Result<Value> {
    const ITEMS: u64 = 32;
    let list = subject(segment, segment.list_of((0..20).map(text))?)?;
    let at = header_of(&list)?;
    for word in 0..3 {
        damage(segment, at + ITEMS + word * 8, |_| 0)?;
    }
    Ok(list)
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let collect = |(name, state): &(&str, State)| {
        Operation::new(format!("collect | {name}"), *state, |segment, _| segment.gc().map(drop))
            .surviving(nothing_is_left)
    };
    let mut all: Vec<Operation> = STATES.iter().map(collect).collect();
    let damaged: [(&str, State); 2] = [
        ("counts too high and too low", wrong_counts),
        ("a block that belongs to nothing", lost_block),
    ];
    all.extend(damaged.map(|(name, state)| {
        Operation::new(format!("audit | {name}"), state, |segment, _| segment.audit().map(drop))
            .on_damage()
    }));
    all
}
