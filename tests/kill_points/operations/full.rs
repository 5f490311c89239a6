//! Segments without a byte left: pins that find a place in the table that there is, and what makes memory
//! free without taking any. What fills them hangs from a queue, which is no part of the content.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use shm::{ByteArray, Error, Lease, List, Result, Segment, Set, Value};

use super::lives::{attach, stay};
use super::queues::nested;
use super::{not_a, subject, text};
use crate::operation::{Operation, State, Subject, options};

/// How the names of all of these end: no visitor finds room to work there.
pub(crate) const FULL: &str = "a full segment";
/// Objects that only handles hold, all objects, and how many of the others are looked at at a time.
const HELD: usize = 36;
const OBJECTS: usize = 150;
const WINDOW: usize = 14;
const NOW: Option<Duration> = Some(Duration::ZERO);

/// Runs an operation until there is no room for it.
fn until_full(mut operation: impl FnMut() -> Result<()>) -> Result<()> {
    loop {
        match operation() {
            Ok(()) => {}
            Err(Error::SegmentFull { .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Takes all blocks of all sizes, and all object headers but those that are kept back.
fn fill(segment: &Segment) -> Result<()> {
    let queue = segment.queue("rest", 0)?;
    let rest = if let Some(Value::List(rest)) = queue.peek(false)? {
        rest
    } else {
        let rest = segment.list([])?;
        rest.reserve(40_000)?;
        queue.put(&rest, NOW)?;
        rest
    };
    let mut bytes = 60_000;
    // Shorter ones live in their cells.
    while bytes > 7 {
        until_full(|| rest.push(vec![1_u8; bytes]))?;
        bytes = bytes * 9 / 10;
    }
    until_full(|| rest.push(segment.list([])?))
}

/// A full segment with a value in the root.
fn full(segment: &Segment, value: impl Into<Value>) -> Result<Value> {
    let value = subject(segment, value)?;
    fill(segment)?;
    Ok(value)
}

/// One after the other, so that the table of pins stays as small as it was.
fn objects(segment: &Segment, count: usize) -> Result<List> {
    let list = segment.list([])?;
    for number in 0..count as i64 {
        list.push(segment.list_of([text(number)])?)?;
    }
    Ok(list)
}

/// A list of objects, others of which only handles hold by now, as many as leave little room for pins.
fn pinned(segment: &Segment) -> Result<Value> {
    let list = objects(segment, OBJECTS)?;
    full(segment, &list)?;
    // These are in the way of some of those that stay, and leave removed entries in front of them.
    let in_the_way = (0..10).map(|number| list.get(number * 11 + 5)).collect::<Result<Vec<_>>>()?;
    let mut held = Vec::new();
    for number in 0..HELD {
        held.extend(list.get(number * number % 37 + number)?);
        list.set(number * number % 37 + number, 0)?;
    }
    drop(in_the_way);
    // What became free by that.
    fill(segment)?;
    held.insert(0, Value::from(list));
    Ok(Value::Tuple(held))
}

/// Looks at objects, each for a while, until entries of the table have come and gone everywhere: others were
/// in their way when some of those that stay came.
fn look_around(value: &Value) -> Result<()> {
    let Value::Tuple(all) = value else { return Err(not_a("tuple", value)) };
    with_list(all.first().unwrap_or(&Value::None), |list| {
        let mut held = VecDeque::new();
        for number in 0..90 {
            held.push_back(list.get(number * number * 7 % OBJECTS)?);
            if held.len() > WINDOW {
                held.pop_front();
            }
        }
        Ok(())
    })
}

fn with_list(value: &Value, f: impl FnOnce(&List) -> Result<()>) -> Result<()> {
    match value {
        Value::List(list) => f(list),
        other => Err(not_a("list", other)),
    }
}

fn with_set(value: &Value, f: impl FnOnce(&Set) -> Result<()>) -> Result<()> {
    match value {
        Value::Set(set) => f(set),
        other => Err(not_a("set", other)),
    }
}

fn with_bytes(value: &Value, f: impl FnOnce(&ByteArray) -> Result<()>) -> Result<()> {
    match value {
        Value::ByteArray(bytes) => f(bytes),
        other => Err(not_a("bytearray", other)),
    }
}

const TEXTS: State = |segment| full(segment, segment.list_of((0..150).map(text))?);
const INTS: State = |segment| full(segment, segment.list_of(0..150)?);
const OF_OBJECTS: State = |segment| {
    let list = objects(segment, 140)?;
    full(segment, &list)
};
const BYTES: State = |segment| {
    let content: Vec<u8> = (0..900).map(|number: u32| number as u8).collect();
    full(segment, segment.bytearray(&content)?)
};

const MEMBERS: State = |segment| full(segment, segment.set((0..150).map(text))?);
const NUMBERS: State = |segment| full(segment, segment.set(0..150)?);

/// What is left can be taken out too.
fn empty(segment: &Segment) -> Result<()> {
    match segment.root().get("x")? {
        Some(Value::List(list)) => {
            if list.len()? > 70 {
                list.remove(list.len()? / 2)?;
                list.del_slice(Some(3), None, Some(2))?;
            }
            list.clear()
        }
        Some(Value::ByteArray(bytes)) => bytes.del_slice(Some(1), None, Some(3)),
        Some(Value::Set(set)) => {
            set.difference_update((0..60).map(text))?;
            set.difference_update(0..60)?;
            set.clear()
        }
        _ => Ok(()),
    }?;
    segment.root().remove("x").map(drop)
}

fn operation(
    name: &str,
    state: State,
    step: impl Fn(&Segment, &Value) -> Result<()> + 'static,
) -> Operation {
    Operation::new_with(format!("{name} | {FULL}"), state, step).surviving(empty)
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = pins();
    all.extend(removals());
    all.extend(leases());
    all
}

/// A full segment with a queue of three packed messages and one text. The content says what is done.
const QUEUE: State = |segment| {
    let queue = segment.queue("q", 0)?;
    for _ in 0..3 {
        queue.put(nested(segment), NOW)?;
    }
    queue.put(text(4), NOW)?;
    full(segment, 0)
};
/// Each message is whole and can be had once, from whomever.
fn drain(segment: &Segment) -> Result<()> {
    let queue = segment.queue("q", 0)?;
    while !queue.is_empty()? || queue.reclaim()? > 0 {
        let lease = queue.get_lease(NOW)?;
        if !matches!(lease.value(), Value::Dict(_) | Value::Str(_)) {
            return Err(not_a("message", lease.value()));
        }
        lease.ack()?;
    }
    match queue.leased()? {
        0 => Ok(()),
        _ => Err(Error::InvalidArgument { what: "a lease of the dead stays".to_owned() }),
    }
}

fn leases() -> Vec<Operation> {
    let lease = |name: &str, state, settle: fn(Lease) -> Result<()>| {
        let step = move |segment: &Segment, _: &Value| {
            settle(segment.queue("q", 0)?.get_lease_unbuilt(NOW)?)?;
            segment.root().set("x", 1)
        };
        operation(name, state, step).surviving(drain)
    };
    let kept: fn(Lease) -> Result<()> = |lease| {
        std::mem::forget(lease);
        Ok(())
    };
    vec![
        lease("take a lease of a message and acknowledge", QUEUE, Lease::ack),
        lease("take a lease of a message and give it back", QUEUE, Lease::give_back),
        lease("take a lease of a message and keep it", QUEUE, kept),
        operation("take a message that cannot be built", QUEUE, |segment, _| {
            segment.queue("q", 0)?.get_with(NOW, |_| Ok(()))?;
            segment.root().set("x", 1)
        })
        .surviving(drain),
    ]
}

fn pins() -> Vec<Operation> {
    vec![
        operation("pins are moved in their table", pinned, |_, value| look_around(value)),
        operation("pins are moved, then an object goes", pinned, |_, value| {
            look_around(value)?;
            let Value::Tuple(all) = value else { return Err(not_a("tuple", value)) };
            with_list(all.first().unwrap_or(&Value::None), |list| list.set(3, 1))
        }),
        Operation::at_path(
            format!("attach and clear | {FULL}"),
            |path: &Path| {
                let segment = Segment::create("", options(path))?;
                full(&segment, segment.list_of((0..60).map(text))?)?;
                Ok(Subject { segment: Some(segment), value: Value::None })
            },
            |path, _| {
                let segment = attach(path)?;
                if let Some(Value::List(list)) = segment.root().get("x")? {
                    list.clear()?;
                }
                stay(segment);
                Ok(())
            },
        ),
    ]
}

fn removals() -> Vec<Operation> {
    let slice = |start, stop, step| {
        move |_: &Segment, value: &Value| match value {
            Value::ByteArray(bytes) => bytes.del_slice(start, stop, step),
            value => with_list(value, |list| list.del_slice(start, stop, step)),
        }
    };
    vec![
        operation("clear, texts", TEXTS, |_, value| with_list(value, List::clear)),
        operation("clear, objects", OF_OBJECTS, |_, value| with_list(value, List::clear)),
        operation("free by hand, texts", TEXTS, Segment::free)
            .surviving(|segment| segment.root().remove("x").map(drop)),
        operation("remove from the middle, texts", TEXTS, |_, value| {
            with_list(value, |list| list.remove(70).map(drop))
        }),
        operation("remove from the middle, objects", OF_OBJECTS, |_, value| {
            with_list(value, |list| list.remove(69).map(drop))
        }),
        operation("remove from the middle, ints", INTS, |_, value| {
            with_list(value, |list| list.remove_value(&70.into()).map(drop))
        }),
        operation("delete the last ones, texts", TEXTS, slice(Some(20), None, None)),
        operation("delete the first ones, objects", OF_OBJECTS, slice(None, Some(120), None)),
        operation("delete from the middle, texts", TEXTS, slice(Some(20), Some(75), None)),
        operation("delete every other one, texts", TEXTS, slice(Some(10), Some(60), Some(2))),
        operation("delete every fifth one, backwards, ints", INTS, slice(None, None, Some(-5))),
        operation("subtract half of the texts", MEMBERS, |_, value| {
            let half = (0..75).map(|number| text(number * 2));
            with_set(value, |set| set.difference_update(half))
        }),
        operation("subtract half of the numbers", NUMBERS, |_, value| {
            with_set(value, |set| set.difference_update((0..75).map(|number| number * 2)))
        }),
        operation("intersect with a few of the numbers", NUMBERS, |_, value| {
            with_set(value, |set| set.intersection_update([7, 30, 149]))
        }),
        operation("delete from the middle, bytes", BYTES, slice(Some(13), Some(300), None)),
        operation("delete every third one, bytes", BYTES, slice(Some(5), None, Some(3))),
        operation("remove from the middle, bytes", BYTES, |_, value| {
            with_bytes(value, |bytes| bytes.remove(450).map(drop))
        }),
    ]
}
