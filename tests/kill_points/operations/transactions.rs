//! Transactions: committing, undoing, a log that moves, transactions inside of others.

use std::time::Duration;

use shm::{Error, Result, Segment, Value};

use super::{not_a, subject, text};
use crate::operation::{Operation, State, cross};

fn stop<T>() -> Result<T> {
    Err(Error::InvalidArgument { what: "stop".to_owned() })
}

fn filled(segment: &Segment) -> Result<Value> {
    let list = segment.list_of((0..5).map(text))?;
    segment.root().insert("dict", segment.dict([("a", text(1))])?)?;
    subject(segment, list)
}

fn as_list(value: &Value) -> Result<&shm::List> {
    match value {
        Value::List(list) => Ok(list),
        other => Err(not_a("list", other)),
    }
}

/// Changes several objects: fresh blocks, places that come to be used again, counts, a new object.
fn change(segment: &Segment, value: &Value) -> Result<()> {
    let (list, root) = (as_list(value)?, segment.root());
    list.pop()?;
    list.push(text(7))?;
    list.pop_front()?;
    if let Some(Value::Dict(dict)) = root.get("dict")? {
        dict.insert("b", segment.list_of([text(8)])?)?;
        dict.remove("a")?;
    }
    root.insert("made", segment.list_of([text(9)])?).map(drop)
}

fn commit(segment: &Segment, value: &Value) -> Result<()> {
    segment.transaction(|_| change(segment, value))
}

fn undo(segment: &Segment, value: &Value) -> Result<()> {
    match segment.transaction(|_| change(segment, value).and_then(|()| stop::<()>())) {
        Err(Error::InvalidArgument { .. }) => segment.root().insert("done", 1).map(drop),
        other => other,
    }
}

/// What is made and undone while handles name it, and what failed alone.
fn undo_with_handles(segment: &Segment, value: &Value) -> Result<()> {
    let list = as_list(value)?;
    let mut held = Vec::new();
    segment.transaction(|tx| {
        for number in 0..3 {
            held.push(segment.list_of([text(number)])?);
        }
        list.push(held.first().ok_or_else(|| not_a("list", value))?)?;
        if list.set(100, 1).is_ok() {
            return stop();
        }
        tx.rollback()?;
        list.push(text(11))
    })
}

fn inside(segment: &Segment, value: &Value) -> Result<()> {
    let list = as_list(value)?;
    segment.transaction(|_| {
        list.push(text(5))?;
        let inner = segment.transaction(|_| change(segment, value).and_then(|()| stop::<()>()));
        if inner.is_ok() { stop() } else { list.push(text(6)) }
    })
}

/// More than the thread's own log has room for.
fn large(segment: &Segment, value: &Value, commit: bool) -> Result<()> {
    let list = as_list(value)?;
    let result = segment.transaction(|_| {
        for number in 0..24 {
            list.push(text(number))?;
            list.reverse()?;
        }
        if commit { Ok(()) } else { stop() }
    });
    match result {
        Err(Error::InvalidArgument { .. }) if !commit => segment.root().insert("done", 1).map(drop),
        other => other,
    }
}

/// A survivor has its own transactions.
fn go_on(segment: &Segment) -> Result<()> {
    let list = segment.list_of([text(1)])?;
    segment.transaction(|_| {
        list.push(text(2))?;
        segment.root().insert("own", &list).map(drop)
    })?;
    segment.root().remove("own")?;
    segment.begin(Some(Duration::from_secs(5)))?.commit()
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let states: [(&str, State); 1] = [("some objects", filled)];
    let all = cross(
        &states,
        &[
            ("commit a transaction", commit),
            ("undo a transaction", undo),
            ("undo a transaction with handles", undo_with_handles),
            ("a transaction inside of another", inside),
            ("commit a large transaction", |segment, value| large(segment, value, true)),
            ("undo a large transaction", |segment, value| large(segment, value, false)),
        ],
    );
    all.into_iter().map(|operation| operation.surviving(go_on)).collect()
}
