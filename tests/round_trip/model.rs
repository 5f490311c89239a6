//! The struct that goes round, with every shape and field kind, and the same as private data.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use shm::{ByteArray, Dict, Link, List, Result, Segment, Set, Shared, Value};
use zerocopy::{FromBytes, Immutable, IntoBytes};

#[derive(Shared, Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unit;

#[derive(Shared, Debug, Clone, PartialEq)]
pub(crate) struct Numbered(pub(crate) u8, pub(crate) String, pub(crate) (u16, char));

#[derive(Shared, Debug, Clone, Copy, PartialEq)]
#[repr(i16)]
pub(crate) enum Side {
    Low = -3,
    Next,
    High = 0x1_000,
}

#[derive(Shared, Debug, Clone, PartialEq)]
#[shared(name = "plant.State")]
pub(crate) enum State {
    Idle,
    Running { rpm: u32, since: Duration },
    Failed(String, Vec<u8>),
}

#[derive(Shared, Debug, Clone, PartialEq)]
pub(crate) struct Pair<A, const N: usize> {
    pub(crate) left: A,
    pub(crate) right: [f32; N],
}

#[derive(Shared, Debug, Clone, Copy, PartialEq)]
pub(crate) struct Level {
    pub(crate) price: f64,
    pub(crate) size: u32,
    pub(crate) side: Side,
}

#[derive(Shared, Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: u64,
    pub(crate) next: Option<Link<Node>>,
}

#[derive(FromBytes, IntoBytes, Immutable, Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub(crate) struct Raw {
    pub(crate) red: u8,
    pub(crate) rest: [u8; 2],
}

/// Every kind of field.
#[derive(Shared)]
#[shared(name = "test.All", version = 3)]
pub(crate) struct All {
    pub(crate) flag: bool,
    pub(crate) letter: char,
    pub(crate) small: (i8, u8, i16, u16),
    pub(crate) word: i32,
    pub(crate) natural: u32,
    pub(crate) long: i64,
    pub(crate) count: u64,
    pub(crate) wide: i128,
    pub(crate) widest: u128,
    pub(crate) single: f32,
    pub(crate) double: f64,
    pub(crate) span: Duration,
    pub(crate) moment: SystemTime,
    pub(crate) grid: [[u16; 3]; 2],
    pub(crate) maybe: Option<(bool, [u16; 3])>,
    pub(crate) side: Side,
    pub(crate) state: State,
    pub(crate) states: [Option<State>; 2],
    pub(crate) unit: Unit,
    pub(crate) numbered: Numbered,
    #[shared(rename = "both")]
    pub(crate) pair: Pair<i8, 3>,
    pub(crate) spare: Option<Level>,
    #[shared(as_bytes)]
    pub(crate) raw: Raw,
    pub(crate) text: String,
    pub(crate) note: Option<String>,
    pub(crate) samples: Vec<f64>,
    pub(crate) levels: Vec<Level>,
    pub(crate) names: Vec<String>,
    pub(crate) absent: Option<Vec<i16>>,
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) labels: HashMap<i32, String>,
    pub(crate) any: Value,
    pub(crate) list: List,
    pub(crate) dict: Dict,
    pub(crate) set: Set,
    pub(crate) bytes: ByteArray,
    pub(crate) link: Link<Node>,
    pub(crate) next: Option<Link<Node>>,
}

/// Its fields of one number each.
pub(crate) type Plain = (bool, char, (i8, u8, i16, u16), i32, u32, i64, u64, i128, u128);

/// What an [`All`] holds, without the segment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    pub(crate) plain: Plain,
    pub(crate) floats: (f32, f64),
    pub(crate) times: (Duration, i64),
    pub(crate) grid: [[u16; 3]; 2],
    pub(crate) maybe: Option<(bool, [u16; 3])>,
    pub(crate) side: Side,
    pub(crate) state: State,
    pub(crate) states: [Option<State>; 2],
    pub(crate) numbered: Numbered,
    pub(crate) pair: Pair<i8, 3>,
    pub(crate) spare: Option<Level>,
    pub(crate) raw: Raw,
    pub(crate) texts: (String, Option<String>),
    pub(crate) samples: Vec<f64>,
    pub(crate) levels: Vec<Level>,
    pub(crate) names: Vec<String>,
    pub(crate) absent: Option<Vec<i16>>,
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) labels: BTreeMap<i32, String>,
    /// The numbers of the list, of the dict's values, of the set, and any value.
    pub(crate) items: (Vec<i64>, BTreeMap<String, i64>, BTreeSet<i64>, i64),
    pub(crate) bytes: Vec<u8>,
    pub(crate) link: u64,
    pub(crate) next: Option<u64>,
}

impl Model {
    /// As a shared struct's private copy.
    pub(crate) fn build(&self, segment: &Segment) -> Result<All> {
        let (flag, letter, small, word, natural, long, count, wide, widest) = self.plain;
        let node = |value| Ok(Link::new(&segment.alloc(Node { value, next: None })?));
        let epoch = SystemTime::UNIX_EPOCH;
        let away = Duration::from_nanos(self.times.1.unsigned_abs());
        let this = self.clone();
        Ok(All {
            flag,
            letter,
            small,
            word,
            natural,
            long,
            count,
            wide,
            widest,
            single: self.floats.0,
            double: self.floats.1,
            span: self.times.0,
            moment: if self.times.1 < 0 { epoch - away } else { epoch + away },
            grid: self.grid,
            maybe: self.maybe,
            side: self.side,
            state: this.state,
            states: this.states,
            unit: Unit,
            numbered: this.numbered,
            pair: this.pair,
            spare: self.spare,
            raw: self.raw,
            text: this.texts.0,
            note: this.texts.1,
            samples: this.samples,
            levels: this.levels,
            names: this.names,
            absent: this.absent,
            counts: this.counts,
            labels: this.labels.into_iter().collect(),
            any: self.items.3.into(),
            list: segment.list_of(this.items.0)?,
            dict: segment.dict(this.items.1)?,
            set: segment.set(this.items.2)?,
            bytes: segment.bytearray(&this.bytes)?,
            link: node(self.link)?,
            next: self.next.map(node).transpose()?,
        })
    }

    /// Of a copy that was read.
    pub(crate) fn of(all: All) -> Result<Model> {
        let epoch = SystemTime::UNIX_EPOCH;
        let moment = match all.moment.duration_since(epoch) {
            Ok(after) => after.as_nanos() as i64,
            Err(before) => -(before.duration().as_nanos() as i64),
        };
        let number = |value: &Value| match value {
            Value::Int(number) => *number,
            _ => i64::MIN,
        };
        let entries = all.dict.to_vec()?;
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let any = number(&all.any);
        Ok(Model {
            plain: (
                all.flag,
                all.letter,
                all.small,
                all.word,
                all.natural,
                all.long,
                all.count,
                all.wide,
                all.widest,
            ),
            floats: (all.single, all.double),
            times: (all.span, moment),
            grid: all.grid,
            maybe: all.maybe,
            side: all.side,
            state: all.state,
            states: all.states,
            numbered: all.numbered,
            pair: all.pair,
            spare: all.spare,
            raw: all.raw,
            texts: (all.text, all.note),
            samples: all.samples,
            levels: all.levels,
            names: all.names,
            absent: all.absent,
            counts: all.counts,
            labels: all.labels.into_iter().collect(),
            items: (
                all.list.to_vec()?.iter().map(number).collect(),
                entries.iter().map(|(key, value)| (text(key), number(value))).collect(),
                all.set.to_vec()?.iter().map(number).collect(),
                any,
            ),
            bytes: all.bytes.to_vec()?,
            link: all.link.load()?.value,
            next: all.next.map(|next| next.load()).transpose()?.map(|node| node.value),
        })
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,9}", "\\PC{0,12}", Just("a text that needs a block of its own".to_owned())]
}

fn sides() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Low), Just(Side::Next), Just(Side::High)]
}

fn states() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Idle),
        any::<(u32, u64)>()
            .prop_map(|(rpm, nanos)| State::Running { rpm, since: Duration::from_nanos(nanos) }),
        (text(), any::<Vec<u8>>()).prop_map(|(why, code)| State::Failed(why, code)),
    ]
}

fn levels() -> impl Strategy<Value = Level> {
    (-1e12..1e12, any::<u32>(), sides()).prop_map(|(price, size, side)| Level { price, size, side })
}

fn float() -> impl Strategy<Value = f64> {
    use proptest::num::f64::{INFINITE, NORMAL, SUBNORMAL, ZERO};
    NORMAL | ZERO | SUBNORMAL | INFINITE
}

fn single() -> impl Strategy<Value = f32> {
    use proptest::num::f32::{NORMAL, SUBNORMAL, ZERO};
    NORMAL | ZERO | SUBNORMAL
}

fn few<T: std::fmt::Debug>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(one, 0..6)
}

/// An int that fits into a cell, or not.
fn int() -> impl Strategy<Value = i64> {
    prop_oneof![-9_i64..9, any::<i64>().prop_filter("a mark", |number| *number != i64::MIN)]
}

prop_compose! {
    /// A model of random values.
    pub(crate) fn models()(
        plain in any::<(bool, char, (i8, u8, i16, u16), i32, u32, i64, u64, i128, u128)>(),
        floats in (single(), float()),
        (span, moment) in any::<(u64, i64)>(),
        (grid, maybe) in any::<([[u16; 3]; 2], Option<(bool, [u16; 3])>)>(),
        (side, state, one, two) in (sides(), states(), prop::option::of(states()), prop::option::of(states())),
        (digit, title, last) in (any::<u8>(), text(), any::<(u16, char)>()),
        (left, right) in (any::<i8>(), [single(), single(), single()]),
        (spare, levels) in (prop::option::of(levels()), few(levels())),
        raw in any::<(u8, [u8; 2])>(),
        texts in (text(), prop::option::of(text())),
        (samples, names, absent) in (few(float()), few(text()), prop::option::of(few(any::<i16>()))),
        (counts, labels) in (few((text(), any::<u64>())), few((any::<i32>(), text()))),
        (list, dict, set, any) in (few(int()), few((text(), int())), few(int()), int()),
        (bytes, link, next) in any::<(Vec<u8>, u64, Option<u64>)>(),
    ) -> Model {
        Model {
            plain,
            floats,
            times: (Duration::from_nanos(span), moment.max(-i64::MAX)),
            grid,
            maybe,
            side,
            state,
            states: [one, two],
            numbered: Numbered(digit, title, last),
            pair: Pair { left, right },
            spare,
            raw: Raw { red: raw.0, rest: raw.1 },
            texts,
            samples,
            levels,
            names,
            absent,
            counts: counts.into_iter().collect(),
            labels: labels.into_iter().collect(),
            items: (list, dict.into_iter().collect(), set.into_iter().collect(), any),
            bytes,
            link,
            next,
        }
    }
}
