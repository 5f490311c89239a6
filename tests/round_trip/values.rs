//! Values of Python's standard library: what Rust makes is what Python means by it, and the other way.

use std::process::Command;

use shm::extended::{
    Date, DateTime, Decimal, EnumMember, Fraction, NumpyScalar, Range, Time, TimeDelta, Zone,
};
use shm::{Extended, Segment, SegmentOptions, Value};

const DAY: Date = Date { year: 2026, month: 11, day: 29 };
const HOUR: i64 = 3_600_000_000;

fn at(micros: i64, zone: Option<Zone>) -> Time {
    Time { micros, fold: false, zone }
}

fn moment(micros: i64, zone: Option<Zone>) -> Value {
    DateTime { date: DAY, time: at(micros, zone) }.into()
}

fn fixed(offset: i64, name: Option<&str>) -> Zone {
    Zone::Fixed { offset, name: name.map(str::to_owned) }
}

fn named(offsets: Option<[i64; 2]>) -> Zone {
    Zone::Named { key: "Europe/Berlin".to_owned(), offsets }
}

fn numpy(dtype: &str, value: impl Into<Value>) -> Value {
    NumpyScalar { dtype: dtype.to_owned(), value: value.into() }.into()
}

fn member(name: &str, value: impl Into<Value>, is_value: bool) -> Value {
    let (class, name) = ("re:RegexFlag".to_owned(), Some(name.to_owned()));
    EnumMember { class, name, value: value.into(), is_value }.into()
}

/// What Python writes, and the value.
fn all() -> shm::Result<Vec<(&'static str, Value)>> {
    let fold = Time { micros: HOUR, fold: true, zone: None };
    let none = Value::None;
    Ok(vec![
        ("complex(1.5, -0.0)", Extended::Complex(1.5, -0.0).into()),
        ("date(2026, 11, 29)", DAY.into()),
        ("time(1, 0, fold=1)", fold.into()),
        ("time(0, 0, 1, 5, timezone.utc)", at(1_000_005, Some(Zone::utc())).into()),
        ("datetime(2026, 11, 29, 23, 59, 59, 999999)", moment(24 * HOUR - 1, None)),
        (
            "datetime(2026, 11, 29, 5, tzinfo=timezone(timedelta(hours=-3), 'x'))",
            moment(5 * HOUR, Some(fixed(-3 * HOUR, Some("x")))),
        ),
        (
            "datetime(2026, 11, 29, 5, tzinfo=ZoneInfo('Europe/Berlin'))",
            moment(5 * HOUR, Some(named(Some([HOUR, HOUR])))),
        ),
        ("timedelta(-1, 0, 7)", TimeDelta::new(-1, 7).into()),
        ("timezone.utc", Zone::utc().into()),
        ("ZoneInfo('Europe/Berlin')", named(None).into()),
        ("Decimal('-1.50E+7')", Decimal::parse("-1.50E+7")?.into()),
        ("Fraction(-1, 3)", Fraction::new(2, -6)?.into()),
        ("UUID(int=258)", Extended::Uuid((258_u128).to_be_bytes(), None).into()),
        (
            "range(5, -1, -2)",
            Range { start: 5.into(), stop: (-1).into(), step: (-2).into() }.into(),
        ),
        ("slice(None, 'a', 2)", Extended::Slice([none, "a".into(), 2.into()]).into()),
        ("re.RegexFlag.ASCII", member("ASCII", 256, true)),
        ("numpy.float32(0.5)", numpy("f", 0.5)),
        ("numpy.uint64(2**64 - 1)", numpy("L", u64::MAX)),
        ("numpy.datetime64('1970-01-03', 'D')", numpy("M8[D]", 2)),
    ])
}

/// Checks what Rust stored, and stores the same again.
const SCRIPT: &str = "
import re, sys, shm_py, numpy
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo
with shm_py.attach(sys.argv[1]) as seg:
    for text, value in seg.root['rust'].items():
        meant = eval(text)
        assert type(value) is type(meant) and value == meant and repr(value) == repr(meant), text
        seg.root['python'].append(meant)
        assert type(meant) is slice or meant in seg.root['keys'], text
";

#[test]
fn values_mean_the_same_in_both_languages() {
    let segment = Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap();
    let root = segment.root();
    root.insert("rust", segment.dict(all().unwrap()).unwrap()).unwrap();
    root.insert("python", segment.list([]).unwrap()).unwrap();
    let keys = all().unwrap().into_iter().map(|(_, value)| value);
    root.insert("keys", segment.set(keys).unwrap()).unwrap();
    let mut python = Command::new(crate::interpreter());
    let done = python.args(["-c", SCRIPT, segment.name()]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let python = root.get("python").unwrap().unwrap();
    let stored = python.as_list().unwrap().to_vec().unwrap();
    let made: Vec<Value> = all().unwrap().into_iter().map(|(_, value)| value).collect();
    assert_eq!(format!("{stored:#?}"), format!("{made:#?}"));
}
