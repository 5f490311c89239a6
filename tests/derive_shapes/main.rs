//! Every shape and every kind of field: what is written is what is read, also by the stored schema
//! alone, and every part lies where C would put it.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod elements;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use shm::{
    ByteArray, Dict, FieldType, Link, List, Record, Schema, Segment, SegmentOptions, Set, Shared,
    Value,
};

#[derive(Shared, Debug, Clone, Copy, PartialEq)]
struct Unit;

#[derive(Shared, Debug, Clone, PartialEq)]
struct Numbered(u8, #[shared(skip)] Option<std::net::IpAddr>, String, (u16, char));

#[derive(Shared, Debug, Clone, Copy, PartialEq)]
#[repr(i16)]
enum Plain {
    Low = -3,
    Next,
    High = 0x1_000,
}

#[derive(Shared, Debug, Clone, PartialEq)]
#[shared(name = "plant.State")]
enum State {
    Idle,
    Running { rpm: u32, since: Duration },
    Failed(String, Vec<u8>),
    Link(Option<Link<Node>>),
}

#[derive(Shared, Debug, Clone, PartialEq)]
struct Pair<A, B: Copy = u8, const N: usize = 2> {
    left: A,
    right: [B; N],
}

#[derive(Shared, Debug, Clone, PartialEq)]
struct Node {
    value: u64,
    next: Option<Link<Node>>,
    children: Vec<Link<Node>>,
}

#[derive(Shared, Debug, Clone, Copy, PartialEq)]
struct Level {
    price: f64,
    size: u32,
    side: Plain,
}

#[derive(Shared, Debug, Clone, PartialEq)]
struct Fields {
    span: Duration,
    moment: SystemTime,
    tuple: (u8, f64, String),
    maybe: Option<(bool, [u16; 3])>,
    plain: Plain,
    state: State,
    states: [Option<State>; 2],
    unit: Unit,
    numbered: Numbered,
    pair: Pair<u8, f32, 3>,
    samples: Vec<f64>,
    levels: Vec<Level>,
    names: Vec<String>,
    nested: Vec<Vec<i16>>,
    absent: Option<Vec<u8>>,
    counts: BTreeMap<String, u64>,
    labels: HashMap<i32, String>,
    set: Set,
    bytes: ByteArray,
    list: List,
    dict: Option<Dict>,
}

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap()
}

fn fields(segment: &Segment) -> Fields {
    Fields {
        span: Duration::new(u64::MAX, 999_999_999),
        moment: SystemTime::UNIX_EPOCH - Duration::from_nanos(1),
        tuple: (7, 0.5, "in a tuple".into()),
        maybe: Some((true, [1, 2, 3])),
        plain: Plain::Next,
        state: State::Running { rpm: 900, since: Duration::from_millis(1) },
        states: [None, Some(State::Failed("because of something long".into(), vec![1, 2, 3]))],
        unit: Unit,
        numbered: Numbered(9, None, "numbered".into(), (65535, 'ß')),
        pair: Pair { left: 1, right: [0.5, 1.5, 2.5] },
        samples: vec![1.0, 2.0, 3.0],
        levels: vec![Level { price: 101.5, size: 3, side: Plain::Low }; 3],
        names: vec!["a".into(), "a name that needs a block".into()],
        nested: vec![vec![], vec![-1, 1]],
        absent: None,
        counts: BTreeMap::from([("a".into(), 1), ("b".into(), u64::MAX)]),
        labels: HashMap::from([(-1, "minus".into()), (5, "five".into())]),
        set: segment.set([1, 2]).unwrap(),
        bytes: segment.bytearray(b"bytes").unwrap(),
        list: segment.list_of([1, 2, 3]).unwrap(),
        dict: None,
    }
}

#[test]
fn every_kind_of_field_round_trips() {
    let segment = segment();
    let handle = segment.alloc(fields(&segment)).unwrap();
    let expected = fields(&segment);
    assert_eq!(handle.load().unwrap(), expected);
    assert_eq!(handle.span(), expected.span);
    assert_eq!(handle.moment(), expected.moment);
    assert_eq!(handle.tuple().unwrap(), expected.tuple);
    assert_eq!(handle.state().unwrap(), expected.state);
    assert_eq!(handle.numbered().get_0(), 9);
    assert_eq!(handle.numbered().get_2().unwrap(), "numbered");
    assert_eq!(handle.pair().left(), 1);
    assert_eq!(handle.samples().to_vec().unwrap(), expected.samples);
    assert_eq!(handle.levels().get(2).unwrap(), Some(expected.levels[0]));
    assert_eq!(handle.names().get(1).unwrap().unwrap(), expected.names[1]);
    assert_eq!(handle.counts().unwrap().get("b").unwrap(), Some(Value::from(u64::MAX)));
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn every_kind_of_field_is_set_and_updated() {
    let segment = segment();
    let handle = segment.alloc(fields(&segment)).unwrap();
    let mut model = fields(&segment);
    macro_rules! set {
        ($($field:ident $setter:ident = $value:expr;)*) => {$(
            handle.$setter($value).unwrap();
            model.$field = $value;
            assert_eq!(handle.load().unwrap(), model, stringify!($field));
        )*};
    }
    set! {
        span set_span = Duration::ZERO;
        moment set_moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        tuple set_tuple = (0, -1.0, String::new());
        maybe set_maybe = None;
        plain set_plain = Plain::High;
        state set_state = State::Failed("another reason, which is long".into(), vec![9; 100]);
        state set_state = State::Idle;
        states set_states = [Some(State::Idle), None];
        numbered set_numbered = Numbered(0, None, "other".into(), (0, 'x'));
        pair set_pair = Pair { left: 2, right: [0.0; 3] };
        samples set_samples = vec![9.0; 100];
        samples set_samples = vec![];
        levels set_levels = vec![];
        names set_names = vec!["b".into()];
        nested set_nested = vec![vec![5; 50]; 20];
        absent set_absent = Some(vec![1]);
        absent set_absent = None;
        counts set_counts = BTreeMap::new();
        labels set_labels = HashMap::from([(0, "zero".into())]);
    }
    handle
        .update(|fields| {
            fields.samples.extend([1.5, 2.5]);
            fields.names.push("pushed".into());
            fields.state = State::Running { rpm: 1, since: Duration::from_secs(1) };
            fields.counts.insert("new".into(), 3);
        })
        .unwrap();
    model.samples.extend([1.5, 2.5]);
    model.names.push("pushed".into());
    model.state = State::Running { rpm: 1, since: Duration::from_secs(1) };
    model.counts.insert("new".into(), 3);
    assert_eq!(handle.load().unwrap(), model);
    handle.store(fields(&segment)).unwrap();
    assert_eq!(handle.load().unwrap(), fields(&segment));
    assert!(segment.check().unwrap().is_sound());
    drop(handle);
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn links_make_graphs() {
    let segment = segment();
    let node = |value| Node { value, next: None, children: Vec::new() };
    let first = segment.alloc(node(1)).unwrap();
    let second = segment.alloc(Node { next: Some(Link::new(&first)), ..node(2) }).unwrap();
    first.set_next(Some(Link::new(&second))).unwrap();
    second.children().push(Link::new(&first)).unwrap();
    let third = second.next().unwrap().unwrap().get().unwrap();
    third.set_value(7).unwrap();
    assert_eq!(first.value(), 7);
    assert_eq!(second.children().get(0).unwrap().unwrap().load().unwrap().value, 7);
    assert_eq!(first.next().unwrap().unwrap(), Link::new(&second));
    let record = Record::from(&first);
    let Value::Record(next) = record.get("next").unwrap() else { panic!("no record") };
    assert_eq!(next.get("value").unwrap(), Value::from(2));
    record.set("next", Value::None).unwrap();
    assert!(first.next().unwrap().is_none());
    let pair = segment.alloc(Pair { left: 1_u8, right: [1.0_f32] }).unwrap();
    let error = record.set("next", Record::from(&pair)).unwrap_err().to_string();
    assert!(error.contains("takes a \"Node\", not a \"Pair<u8,f32,1>\""), "{error}");
    second.set_next(None).unwrap();
    second.children().clear().unwrap();
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn schemas_have_golden_texts_and_places() {
    let segment = segment();
    let record = Record::from(segment.alloc(fields(&segment)).unwrap());
    let schema = record.schema();
    assert_eq!(
        schema.text(),
        "Fields{span:duration,moment:time,tuple:(u8,f64,str),maybe:?(bool,[u16;3]),\
         plain:Plain:i16{Low=-3,Next=-2,High=4096},\
         state:plant.State:u8{Idle=0,Running=1{rpm:u32,since:duration},\
         Failed=2{_0:str,_1:[u8]},Link=3{_0:?&Node}},\
         states:[?plant.State:u8{Idle=0,Running=1{rpm:u32,since:duration},\
         Failed=2{_0:str,_1:[u8]},Link=3{_0:?&Node}};2],\
         unit:Unit{},numbered:Numbered{_0:u8,_2:str,_3:(u16,char)},\
         pair:Pair<u8,f32,3>{left:u8,right:[f32;3]},samples:[f64],\
         levels:[Level{price:f64,size:u32,side:Plain:i16{Low=-3,Next=-2,High=4096}}],\
         names:[str],nested:[[i16]],absent:?[u8],counts:map(str,u64),labels:map(i32,str),\
         set:set,bytes:bytearray,list:list,dict:?dict}"
    );
    let again = Schema::parse(schema.text()).unwrap();
    assert_eq!(again.fingerprint(), schema.fingerprint());
    let places = |schema: &Schema| -> Vec<(usize, usize)> {
        schema.fields().iter().map(|field| (field.place().cells, field.place().plain)).collect()
    };
    assert_eq!(places(&again), places(schema));
    let first: Vec<_> = places(schema).into_iter().take(10).collect();
    assert_eq!(
        first,
        [
            (0, 0),
            (0, 16),
            (0, 32),
            (1, 48),
            (1, 58),
            (1, 64),
            (3, 96),
            (7, 192),
            (7, 192),
            (8, 204)
        ]
    );
    assert_eq!(again.layout(), schema.layout());
}

#[test]
fn every_kind_of_field_is_a_value_by_the_stored_schema() {
    let segment = segment();
    let handle = segment.alloc(fields(&segment)).unwrap();
    let record = Record::from(&handle);
    let names = record.schema().field_names();
    assert_eq!(record.get("plain").unwrap(), Value::from("Next"));
    assert_eq!(record.get("tuple").unwrap(), Value::from((7, 0.5, "in a tuple")));
    assert_eq!(record.get("state").unwrap(), Value::from(("Running", 900, 1_000_000)));
    assert_eq!(record.get("moment").unwrap(), Value::from(-1));
    for (field, value, read) in [
        ("plain", Value::from("High"), Value::from("High")),
        ("state", Value::from("Idle"), Value::from("Idle")),
        ("tuple", Value::from((1, 2.0, "x")), Value::from((1, 2.0, "x"))),
        ("maybe", Value::from((false, (4, 5, 6))), Value::from((false, (4, 5, 6)))),
        ("span", Value::from(5), Value::from(5)),
    ] {
        record.set(field, value).unwrap();
        assert_eq!(record.get(field).unwrap(), read, "{field} of {names}");
    }
    record.set("samples", (1, 2.5)).unwrap();
    record.set("names", ("x", "y")).unwrap();
    record.set("counts", segment.dict([("k", 1)]).unwrap()).unwrap();
    let copy = handle.load().unwrap();
    assert_eq!((copy.plain, copy.state), (Plain::High, State::Idle));
    assert_eq!((copy.samples, copy.names), (vec![1.0, 2.5], vec!["x".into(), "y".into()]));
    assert_eq!(copy.counts, BTreeMap::from([("k".into(), 1)]));
    for (field, value, expected) in [
        ("plain", Value::from("Nope"), "takes one of Low, Next, High, not Nope"),
        ("plain", Value::from(1), "takes one of Low, Next, High, not int"),
        ("state", Value::from(("Running", 1)), "takes 2 values for Running, not 1"),
        ("tuple", Value::from((1, 2)), "takes 3 parts, not 2"),
        ("counts", Value::from(1), "is map(str,u64) and takes a dict, not int"),
        ("names", Value::from((1,)), "not int"),
    ] {
        let error = record.set(field, value).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let values = record.values().unwrap();
    record.replace(&values).unwrap();
    assert!(matches!(record.schema().fields()[4].ty(), FieldType::Enum(_)));
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn fingerprints_are_those_of_structs_declared_in_python() {
    #[derive(Shared)]
    struct Level {
        price: f64,
        size: i64,
        tag: String,
    }
    let segment = segment();
    let level = segment.alloc(Level { price: 1.0, size: 2, tag: "x".into() }).unwrap();
    // shm-py/tests/test_declared.py expects the same number.
    assert_eq!(Record::from(level).schema().fingerprint(), 0xB4E4_E0A8_6C67_168F);
}

#[test]
fn integers_are_swapped_and_exchanged() {
    let segment = segment();
    let node = segment.alloc(Node { value: 1, next: None, children: Vec::new() }).unwrap();
    assert_eq!(node.swap_value(5).unwrap(), 1);
    assert!(!node.compare_exchange_value(1, 9).unwrap());
    assert!(node.compare_exchange_value(5, 9).unwrap());
    assert_eq!(node.fetch_add_value(u64::MAX).unwrap(), 9);
    assert_eq!(node.value(), 8);
}

macro_rules! enums_of_every_width {
    ($($name:ident $repr:ident $low:expr, $high:expr;)*) => {
        $(
            #[derive(Shared, Debug, Clone, Copy, PartialEq)]
            #[repr($repr)]
            enum $name { Low = $low, Middle = 7, High = $high }
        )*

        #[derive(Shared, Debug, Clone, Copy, PartialEq)]
        struct Widths { $($repr: $name,)* }

        #[test]
        fn enums_have_any_integer_as_their_number() {
            let segment = segment();
            let handle = segment.alloc(Widths { $($repr: $name::Low),* }).unwrap();
            assert_eq!(handle.load().unwrap(), Widths { $($repr: $name::Low),* });
            handle.update(|all| { $(all.$repr = $name::High;)* }).unwrap();
            let record = Record::from(&handle);
            $(
                assert_eq!(handle.$repr().unwrap(), $name::High);
                assert_eq!(record.get(stringify!($repr)).unwrap().as_str(), Some("High"));
                record.set(stringify!($repr), "Middle").unwrap();
            )*
            assert_eq!(handle.load().unwrap(), Widths { $($repr: $name::Middle),* });
        }
    };
}
enums_of_every_width! {
    U8 u8 0, u8::MAX;
    I8 i8 i8::MIN, i8::MAX;
    U16 u16 0, u16::MAX;
    I16 i16 i16::MIN, i16::MAX;
    U32 u32 0, u32::MAX;
    I32 i32 i32::MIN, i32::MAX;
    U64 u64 0, u64::MAX;
    I64 i64 i64::MIN, i64::MAX;
}
