//! What the storm's workers change, and what must hold of it at every moment and at rest.
//!
//! The sizes are those of the objects themselves, so that `worker.py` needs none of the constants.

use std::collections::BTreeSet;

use shm::{Segment, Shared, Value};

use crate::desk::{Outcome, check};

pub(crate) const ACCOUNTS: i64 = 64;
pub(crate) const NAMES: i64 = 32;
pub(crate) const PAIRS: i64 = 16;
pub(crate) const SWAPS: i64 = 40;
pub(crate) const MIRRORED: i64 = 24;
pub(crate) const MEMBERS: i64 = 60;
pub(crate) const RECORDS: i64 = 4;
pub(crate) const UNIFORM: i64 = 300;
pub(crate) const BULK: i64 = 400;
pub(crate) const TOKENS: i64 = 24;
pub(crate) const EACH: i64 = 1000;

/// A typed record; all fields follow from `plus`, except `version`, which only grows, and `split`,
/// whose two halves make a whole.
#[derive(Shared, Debug, Clone, PartialEq)]
#[shared(name = "storm.Account")]
pub(crate) struct Account {
    pub(crate) version: u64,
    pub(crate) plus: i64,
    pub(crate) minus: i64,
    pub(crate) text: String,
    pub(crate) many: [i64; 24],
    pub(crate) split: Split,
}

#[derive(Shared, Debug, Clone, PartialEq)]
#[shared(name = "storm.Split")]
pub(crate) struct Split {
    pub(crate) left: i64,
    pub(crate) right: i64,
    pub(crate) note: Option<String>,
}

pub(crate) fn split(left: i64) -> Split {
    let note = (left % 2 == 0).then(|| format!("the left half is {left}"));
    Split { left, right: EACH - left, note }
}

/// An account after a change to `number`.
pub(crate) fn account(number: i64, version: u64, split: Split) -> Account {
    let text = format!("the account stands at {number}");
    Account { version, plus: number, minus: -number, text, many: [number; 24], split }
}

/// Whether all fields of a copy agree.
pub(crate) fn check_account(copy: &Account) -> Outcome {
    let whole = account(copy.plus, copy.version, split(copy.split.left));
    check(*copy == whole, || format!("the fields of {copy:?} disagree"))
}

/// The account named by a number.
pub(crate) fn account_key(number: i64) -> String {
    format!("record {number}")
}

pub(crate) fn swap_text(number: i64) -> String {
    format!("a text that is moved about, number {number}")
}

pub(crate) fn token_text(number: i64) -> String {
    format!("this is message number {number}")
}

pub(crate) fn sum(values: &[Value]) -> i64 {
    values.iter().filter_map(Value::as_int).sum()
}

pub(crate) fn prepare(segment: &Segment) -> shm::Result<()> {
    let root = segment.root();
    root.set("list", segment.list_of((0..ACCOUNTS).map(|_| EACH))?)?;
    root.set("dict", segment.dict((0..NAMES).map(|n| (format!("account {n}"), EACH)))?)?;
    root.set("pairs", segment.list_of((0..PAIRS).map(|_| Value::from((EACH, EACH))))?)?;
    root.set("swaps", segment.list_of((0..SWAPS).map(swap_text))?)?;
    root.set("mirror dict", segment.dict((0..MIRRORED).map(|n| (n, 0)))?)?;
    root.set("mirror list", segment.list_of((0..MIRRORED).map(|_| 0))?)?;
    root.set("mirror intent", ())?;
    root.set("mirror inside", 0)?;
    root.set("members", segment.set((0..MEMBERS).map(|n| 2 * n))?)?;
    for number in 0..RECORDS {
        let fresh = segment.alloc(account(number, 0, split(number)))?;
        root.insert(account_key(number), &fresh)?;
    }
    root.set("uniform", segment.dict((0..UNIFORM).map(|n| (format!("key {n}"), 0)))?)?;
    root.set("scratch", segment.list([])?)?;
    root.set("bulk", segment.list([])?)?;
    root.set("nested", segment.dict::<Value, Value>([])?)?;
    root.set("bytes", segment.bytearray(&[0; 5000])?)?;
    root.set("blob", (0, vec![0_u8; 100_000]))?;
    root.set("operations", 0)
}

/// Puts messages in circulation; the workers take them and put them back.
pub(crate) fn put_tokens(segment: &Segment, numbers: impl Iterator<Item = i64>) -> shm::Result<()> {
    for number in numbers {
        segment.put_message(&token(segment, number)?)?;
    }
    Ok(())
}

/// A message: `[number, text, {"n": number}]`.
pub(crate) fn token(segment: &Segment, number: i64) -> shm::Result<shm::List> {
    let inner = segment.dict([("n", number)])?;
    segment.list_of([Value::from(number), token_text(number).into(), Value::from(&inner)])
}

/// The number of a message, whose parts must agree.
pub(crate) fn check_token(message: &Value) -> Result<i64, crate::desk::Fault> {
    let parts = message.as_list().ok_or("a message is no list")?.to_vec()?;
    let number = parts.first().and_then(Value::as_int).ok_or("a message has no number")?;
    let inner = parts.get(2).and_then(Value::as_dict).ok_or("a message has no dict")?.get("n")?;
    let text = parts.get(1).and_then(Value::as_str).map(str::to_owned);
    check(
        text.as_deref() == Some(token_text(number).as_str()) && inner == Some(number.into()),
        || format!("the parts of message {number} disagree: {text:?}, {inner:?}"),
    )?;
    Ok(number)
}

/// Takes all messages out: their numbers. One that came twice is a fault.
pub(crate) fn drain_tokens(segment: &Segment) -> Result<BTreeSet<i64>, crate::desk::Fault> {
    let mut numbers = BTreeSet::new();
    while segment.has_messages()? {
        let number = check_token(&segment.take_message(Some(std::time::Duration::ZERO))?)?;
        check(numbers.insert(number), || format!("message {number} is there twice"))?;
    }
    Ok(numbers)
}
