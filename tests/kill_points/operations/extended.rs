//! Values of other types (decimals, moments, members of enums): stored, replaced, as keys, with parts
//! in blocks of their own.

use shm::extended::{Date, DateTime, Decimal, EnumMember, Fraction, Time, TimeDelta, Zone};
use shm::{Dict, Extended, Result, Segment, Value};

use super::{not_a, subject, text};
use crate::operation::{Change, Operation, State, cross};

/// Its text is a block beside its own.
fn decimal(number: i64) -> Value {
    Decimal::parse(&format!("{number}.0000001")).map_or(Value::None, Value::from)
}

/// Four blocks.
fn member(number: i64) -> Value {
    let (class, name) = ("some.module:Color".to_owned(), Some(format!("NUMBER_{number}")));
    EnumMember { class, name, value: text(number).into(), is_value: false }.into()
}

/// One block.
fn span(days: i64) -> Value {
    TimeDelta::new(days, 1).into()
}

fn moment(day: u8) -> Value {
    let date = Date { year: 2026, month: 11, day };
    DateTime { date, time: Time { micros: 1, fold: false, zone: Some(Zone::utc()) } }.into()
}

fn list(segment: &Segment) -> Result<Value> {
    let slice = Extended::Slice([text(1).into(), decimal(1), (&segment.list_of([1])?).into()]);
    let items = [span(1), decimal(2), member(3), slice.into(), moment(4)];
    subject(segment, segment.list_of(items)?)
}

fn dict(segment: &Segment, count: i64) -> Result<Value> {
    let keys = (0..count).map(|number| (decimal(number), member(number)));
    subject(segment, segment.dict(keys)?)
}

const LISTS: &[(&str, State)] = &[("list of extended values", list)];

const DICTS: &[(&str, State)] = &[
    ("dict of 3 extended keys, room", |s| dict(s, 3)),
    ("dict of 5 extended keys, full", |s| dict(s, 5)),
];

const LIST_STEPS: &[(&str, Change)] = &[
    ("set one block to one", |s, x| set(s, x, 0, span(7))),
    ("set one block to many", |s, x| set(s, x, 0, member(7))),
    ("set many blocks to int", |s, x| set(s, x, 2, 7.into())),
    ("set slice to decimal", |s, x| set(s, x, 3, decimal(7))),
    ("set to heavy slice", |s, x| {
        let many = Value::Tuple((0..40).map(decimal).collect());
        set(s, x, 1, Extended::Slice([many, moment(1), Value::None]).into())
    }),
    ("push", |_, x| match x {
        Value::List(list) => list.push(member(9)),
        other => Err(not_a("list", other)),
    }),
    ("remove slice", |_, x| match x {
        Value::List(list) => list.remove(3).map(drop),
        other => Err(not_a("list", other)),
    }),
];

const DICT_STEPS: &[(&str, Change)] = &[
    ("insert extended key", |_, x| of(x)?.insert(decimal(70), moment(2)).map(drop)),
    ("insert member as key", |_, x| of(x)?.insert(member(70), 1).map(drop)),
    ("replace value of equal key", |_, x| {
        of(x)?.insert(Value::from(Fraction::new(10_000_001, 10_000_000)?), span(3)).map(drop)
    }),
    ("set value", |_, x| of(x)?.set(decimal(1), span(5))),
    ("delete extended key", |_, x| of(x)?.remove(decimal(1)).map(drop)),
    ("pop last", |_, x| of(x)?.pop_item().map(drop)),
    ("clear", |_, x| of(x)?.clear()),
];

fn of(subject: &Value) -> Result<&Dict> {
    subject.as_dict().ok_or_else(|| not_a("dict", subject))
}

fn set(_: &Segment, subject: &Value, index: usize, value: Value) -> Result<()> {
    match subject {
        Value::List(list) => list.set(index, value),
        other => Err(not_a("list", other)),
    }
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = cross(LISTS, LIST_STEPS);
    all.extend(cross(DICTS, DICT_STEPS));
    all
}
