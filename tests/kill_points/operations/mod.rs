//! Everything that is killed, a file per thing that it is done to.

mod arrays;
mod at_hand;
mod bytes;
mod caches;
mod collection;
mod dicts;
mod extended;
mod flavours;
pub(crate) mod full;
mod give_back;
mod lists;
mod lives;
mod memory;
mod queues;
mod sets;
mod structs;
mod sync;
mod transactions;

use shm::{Error, Result, Segment, Value};

use crate::operation::Operation;

/// Every operation in every state.
pub(crate) fn all() -> Vec<Operation> {
    let mut all = lists::operations();
    all.extend(dicts::operations());
    all.extend(extended::operations());
    all.extend(flavours::operations());
    all.extend(sets::operations());
    all.extend(bytes::operations());
    all.extend(arrays::operations());
    all.extend(structs::operations());
    all.extend(at_hand::operations());
    all.extend(memory::operations());
    all.extend(caches::operations());
    all.extend(full::operations());
    all.extend(collection::operations());
    all.extend(give_back::operations());
    all.extend(lives::operations());
    all.extend(sync::operations());
    all.extend(queues::operations());
    all.extend(transactions::operations());
    all
}

/// Makes a value the one under "x" in the root, and the subject of the step.
fn subject(segment: &Segment, value: impl Into<Value>) -> Result<Value> {
    let value = value.into();
    segment.root().insert("x", value.clone())?;
    Ok(value)
}

/// The error of a step that was handed something else than it works on.
fn not_a(what: &str, value: &Value) -> Error {
    Error::InvalidArgument { what: format!("the step needs a {what}, not {value:?}") }
}

/// A text of its own block.
fn text(number: i64) -> String {
    format!("a longer text, number {number}")
}
