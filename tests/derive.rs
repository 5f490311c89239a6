//! Structs with `#[derive(Shared)]` in a segment: accessors, whole copies, schemas.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]
#![allow(clippy::float_cmp, reason = "what is read is what was written, bit by bit")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use shm::{Dict, Error, List, Record, Schema, Segment, SegmentOptions, Shared, Value};

#[derive(Shared, Debug, Clone, PartialEq)]
#[shared(name = "test.Everything")]
struct Everything {
    a: bool,
    b: char,
    c: i8,
    d: i16,
    e: i32,
    f: i64,
    g: i128,
    h: u8,
    i: u16,
    j: u32,
    k: u64,
    l: u128,
    m: f32,
    n: f64,
    o: [u8; 5],
    p: [[i16; 2]; 3],
    q: Option<u32>,
    r: Option<[char; 2]>,
    s: Inner,
    t: Option<Inner>,
    u: [Inner; 2],
    v: String,
    w: Option<String>,
    x: Value,
    y: Option<Value>,
    z: [Option<String>; 2],
}

#[derive(Shared, Debug, Clone, PartialEq)]
struct Inner {
    flag: bool,
    note: String,
    number: f64,
}

fn inner(note: &str) -> Inner {
    Inner { flag: true, note: note.into(), number: 0.5 }
}

fn everything() -> Everything {
    Everything {
        a: true,
        b: 'ß',
        c: i8::MIN,
        d: i16::MIN,
        e: i32::MIN,
        f: i64::MIN,
        g: i128::MIN + 1,
        h: u8::MAX,
        i: u16::MAX,
        j: u32::MAX,
        k: u64::MAX,
        l: u128::MAX - 1,
        m: f32::MIN_POSITIVE,
        n: f64::MAX,
        o: [1, 2, 3, 4, 5],
        p: [[1, -1], [2, -2], [3, -3]],
        q: Some(0),
        r: Some(['x', '\u{1F600}']),
        s: inner("a text that fits into no cell"),
        t: Some(inner("")),
        u: [inner("1"), inner("another text that fits into no cell")],
        v: "text".into(),
        w: None,
        x: Value::from((1, "a value that fits into no cell", 2.5)),
        y: Some(Value::None),
        z: [None, Some("some text of more than seven bytes".into())],
    }
}

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap()
}

#[test]
fn every_type_of_field_round_trips() {
    let segment = segment();
    let handle = segment.alloc(everything()).unwrap();
    assert_eq!(handle.load().unwrap(), everything());
    assert!(handle.a());
    assert_eq!(handle.b(), 'ß');
    assert_eq!(handle.c(), i8::MIN);
    assert_eq!(handle.g(), i128::MIN + 1);
    assert_eq!(handle.l(), u128::MAX - 1);
    assert_eq!(handle.n(), f64::MAX);
    assert_eq!(handle.p(), [[1, -1], [2, -2], [3, -3]]);
    assert_eq!(handle.q(), Some(0));
    assert_eq!(handle.r(), Some(['x', '\u{1F600}']));
    assert_eq!(handle.s().note().unwrap(), "a text that fits into no cell");
    assert_eq!(handle.t().unwrap(), Some(inner("")));
    assert_eq!(handle.u().unwrap()[1].note, "another text that fits into no cell");
    assert_eq!(handle.w().unwrap(), None);
    assert_eq!(handle.y().unwrap(), Some(Value::None));
    assert_eq!(handle.z().unwrap()[0], None);
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn setters_change_their_field_and_nothing_else() {
    let segment = segment();
    let handle = segment.alloc(everything()).unwrap();
    let mut model = everything();
    macro_rules! set {
        ($($field:ident $setter:ident = $value:expr;)*) => {$(
            handle.$setter($value).unwrap();
            model.$field = $value;
            assert_eq!(handle.load().unwrap(), model, stringify!($field));
        )*};
    }
    set! {
        a set_a = false; b set_b = 'z'; c set_c = 3; d set_d = -7; e set_e = 1 << 20; f set_f = -1;
        g set_g = i128::MAX; h set_h = 0; i set_i = 1; j set_j = 2; k set_k = 3; l set_l = 1 << 64;
        m set_m = -0.5; n set_n = 1e-300; o set_o = [9; 5]; p set_p = [[7; 2]; 3]; q set_q = None;
        r set_r = None; s set_s = inner("b"); t set_t = None; u set_u = [inner("x"), inner("y")];
        w set_w = Some("w".repeat(100)); y set_y = None; z set_z = [Some("z".into()), None];
        q set_q = Some(8); t set_t = Some(inner("t")); y set_y = Some(Value::from("y"));
    }
    handle.set_v("another text").unwrap();
    handle.set_x(17).unwrap();
    handle.s().set_number(9.5).unwrap();
    handle.s().set_note("nested").unwrap();
    model.v = "another text".into();
    model.x = Value::from(17);
    model.s.number = 9.5;
    model.s.note = "nested".into();
    assert_eq!(handle.load().unwrap(), model);
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn integers_add_atomically_and_wrap_around() {
    let segment = segment();
    let handle = segment.alloc(everything()).unwrap();
    assert_eq!(handle.fetch_add_h(1).unwrap(), 255);
    assert_eq!(handle.h(), 0);
    assert_eq!(handle.fetch_add_c(-1).unwrap(), i8::MIN);
    assert_eq!(handle.c(), i8::MAX);
    assert_eq!(handle.fetch_add_l(2).unwrap(), u128::MAX - 1);
    assert_eq!(handle.l(), 0);
    handle.set_k(0).unwrap();
    handle.set_j(0).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    handle.fetch_add_k(1).unwrap();
                    handle.fetch_add_j(1).unwrap();
                }
            });
        }
    });
    assert_eq!((handle.k(), handle.j()), (4000, 4000));
}

#[test]
fn updates_are_not_lost_and_are_seen_whole() {
    #[derive(Shared, Debug)]
    struct Pair {
        left: i64,
        text: String,
        right: i64,
        many: [u64; 100],
    }
    let segment = segment();
    let pair = Pair { left: 0, text: "0".into(), right: 0, many: [0; 100] };
    let handle = segment.alloc(pair).unwrap();
    let runs = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..200 {
                    handle
                        .update(|pair| {
                            runs.fetch_add(1, Ordering::Relaxed);
                            pair.left += 1;
                            pair.right -= 1;
                            pair.text = format!("a text about {} that needs a block", pair.left);
                            pair.many = [pair.left.unsigned_abs(); 100];
                        })
                        .unwrap();
                }
            });
        }
        scope.spawn(|| {
            while runs.load(Ordering::Relaxed) < 600 {
                let pair = handle.load().unwrap();
                assert_eq!(pair.left, -pair.right);
                assert!(pair.many.iter().all(|item| *item == pair.left.unsigned_abs()));
                assert!(pair.left == 0 || pair.text.contains(&format!(" {} ", pair.left)));
            }
        });
    });
    assert_eq!(handle.left(), 600);
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn containers_are_fields() {
    #[derive(Shared)]
    struct Owner {
        list: List,
        dict: Option<Dict>,
        any: Value,
    }
    let segment = segment();
    let list = segment.list_of([1, 2, 3]).unwrap();
    let handle =
        segment.alloc(Owner { list: list.clone(), dict: None, any: (&list).into() }).unwrap();
    drop(list);
    handle.list().unwrap().push(4).unwrap();
    assert_eq!(handle.any().unwrap().as_list().unwrap().len().unwrap(), 4);
    assert!(handle.dict().unwrap().is_none());
    let dict = segment.dict([("a", 1)]).unwrap();
    handle.set_dict(Some(dict)).unwrap();
    assert_eq!(handle.dict().unwrap().unwrap().get("a").unwrap(), Some(Value::from(1)));
    handle.set_any(Value::None).unwrap();
    let copy = handle.load().unwrap();
    handle.set_list(segment.list_of([0_i64; 0]).unwrap()).unwrap();
    assert_eq!(copy.list.len().unwrap(), 4);
    drop((copy, handle));
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn structs_are_values() {
    let segment = segment();
    let root = segment.root();
    let handle = segment.alloc(inner("in a dict")).unwrap();
    root.insert("inner", &handle).unwrap();
    let list = segment.list_of([Value::from(&handle), Value::from(handle.clone())]).unwrap();
    drop(handle);
    let again = root.get_as::<Inner>("inner").unwrap().unwrap();
    again.set_number(7.5).unwrap();
    let Some(Value::Record(record)) = list.get(1).unwrap() else { panic!("no record") };
    assert_eq!(record.get("number").unwrap(), Value::from(7.5));
    assert!(root.get_as::<Inner>("nothing").unwrap().is_none());
    root.insert("n", 1).unwrap();
    assert!(matches!(root.get_as::<Inner>("n"), Err(Error::WrongType { .. })));

    let outer = segment.alloc(everything()).unwrap();
    let error = root.insert("part", outer.s()).unwrap_err();
    assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn other_fields_are_a_mismatch_that_names_them() {
    mod other {
        #[derive(shm::Shared)]
        #[shared(name = "Inner")]
        pub(crate) struct Changed {
            pub(crate) flag: u8,
            pub(crate) note: String,
            pub(crate) extra: f32,
        }
    }
    let segment = segment();
    let root = segment.root();
    root.insert("inner", segment.alloc(inner("x")).unwrap()).unwrap();
    let expected = "schema \"Inner\" differs: flag: bool in the segment, flag: u8 here; \
                    number: f64 only in the segment; extra: f32 only here; \
                    declare what the segment has (`shm schema` prints it), or make the structs anew";
    let error = root.get_as::<other::Changed>("inner").unwrap_err();
    assert_eq!(error.to_string(), expected);
    let value = other::Changed { flag: 1, note: String::new(), extra: 0.0 };
    let error = segment.alloc(value).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn skipped_and_readonly_fields() {
    #[derive(Shared, Debug)]
    struct Job {
        #[shared(readonly)]
        id: u64,
        #[shared(readonly, rename = "class")]
        kind: String,
        #[shared(skip)]
        scratch: Vec<u8>,
        done: bool,
    }
    let segment = segment();
    let job = Job { id: 5, kind: "a long kind of job".into(), scratch: vec![1], done: false };
    let handle = segment.alloc(job).unwrap();
    handle.set_done(true).unwrap();
    let mut copy = handle.load().unwrap();
    assert_eq!((copy.id, copy.done, copy.scratch.len()), (5, true, 0));
    copy.done = false;
    handle.store(&copy).unwrap();
    assert!(!handle.done());
    let error = handle.update(|job| job.id = 6).unwrap_err();
    assert!(error.to_string().contains("\"id\" of \"Job\" is read-only"), "{error}");
    copy.kind = "another long kind of job".into();
    assert!(matches!(handle.store(copy), Err(Error::WrongType { .. })));
    let record = Record::from(&handle);
    assert!(matches!(record.set("id", 6), Err(Error::WrongType { .. })));
    assert!(matches!(record.add("class", "x"), Err(Error::WrongType { .. })));
    assert_eq!(handle.id(), 5);
    assert_eq!(record.schema().field_names(), "id, class, done");
}

#[test]
fn debug_shows_the_fields() {
    let segment = segment();
    let handle = segment.alloc(inner("text")).unwrap();
    assert_eq!(format!("{handle:?}"), "InnerRef { flag: true, note: \"text\", number: 0.5 }");
}

#[test]
fn records_are_used_by_their_stored_schema_alone() {
    let segment = segment();
    let root = segment.root();
    root.insert("all", segment.alloc(everything()).unwrap()).unwrap();
    let Some(Value::Record(record)) = root.get("all").unwrap() else { panic!("no record") };
    let schema = record.schema();
    assert_eq!(schema.name(), "test.Everything");
    assert_eq!(schema.fields().len(), 26);
    let stored = Schema::stored(segment.heap(), "test.Everything").unwrap().unwrap();
    assert_eq!(stored.text(), schema.text());
    assert_eq!(Schema::all_stored(segment.heap()).unwrap().len(), 1);

    assert_eq!(record.get("k").unwrap(), Value::from(u64::MAX));
    assert_eq!(record.get("l").unwrap(), Value::from(u128::MAX - 1));
    assert_eq!(record.get("b").unwrap(), Value::from("ß"));
    assert_eq!(record.get("q").unwrap(), Value::from(0));
    assert_eq!(record.get("p").unwrap().as_tuple().unwrap().len(), 3);
    let Value::Record(part) = record.get("s").unwrap() else { panic!("no record") };
    assert!(part.is_nested());
    part.set("number", 3).unwrap();
    assert_eq!(part.get("number").unwrap(), Value::from(3.0));

    let values = record.values().unwrap();
    record.replace(&values).unwrap();
    let typed = record.cast::<Everything>().unwrap();
    let mut model = everything();
    model.s.number = 3.0;
    // Seen as values, a present `None` is none.
    model.y = None;
    assert_eq!(typed.load().unwrap(), model);

    let copy = Record::create(segment.heap(), schema, &values).unwrap();
    assert_eq!(copy, record);
    copy.set("t", Value::None).unwrap();
    copy.set("u", (("x"), 1)).unwrap_err();
    copy.set("o", (1, 2, 3, 4, 5)).unwrap();
    assert_ne!(copy, record);
    assert_eq!(record.add("e", 5).unwrap(), Value::from(i64::from(i32::MIN) + 5));
    assert_eq!(record.add("n", -f64::MAX).unwrap(), Value::from(0.0));
    assert!(record.compare_exchange("a", &true.into(), false).unwrap());
    assert!(!record.compare_exchange("a", &true.into(), false).unwrap());
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn wrong_fields_and_values_are_explained() {
    let segment = segment();
    let record = Record::from(segment.alloc(inner("x")).unwrap());
    for (error, expected) in [
        (
            record.get("nota").unwrap_err(),
            "\"Inner\" has no field \"nota\"; its fields are flag, note, number",
        ),
        (
            record.set("flag", 1).unwrap_err(),
            "field \"flag\" of \"Inner\" is bool and takes a bool, not int",
        ),
        (
            record.set("note", 1.5).unwrap_err(),
            "field \"note\" of \"Inner\" is str and takes str, not float",
        ),
    ] {
        assert_eq!(error.to_string(), expected);
    }
    let all = Record::from(segment.alloc(everything()).unwrap());
    for (field, value, expected) in [
        ("h", Value::from(256), "takes 0 to 255, not 256"),
        ("c", Value::from(-129), "takes -128 to 127, not -129"),
        ("l", Value::from(-1), "takes 0 to 340282366920938463463374607431768211455, not -1"),
        ("b", Value::from("ab"), "takes one character, not \"ab\""),
        ("o", Value::from((1, 2)), "takes 5 elements, not 2"),
        ("s", Value::from(1), "takes a \"Inner\" or a tuple of its fields, not int"),
        ("k", Value::from(1.5), "takes an int, not float"),
    ] {
        let error = all.set(field, value).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(all.add("h", 1).is_err());
    assert_eq!(all.get("h").unwrap(), Value::from(255));
}

#[test]
fn large_structs_are_replaced_as_a_whole() {
    #[derive(Shared, Debug, Clone, PartialEq)]
    struct Large {
        numbers: [u64; 1000],
        texts: [String; 60],
        part: Inner,
    }
    let text = |i: usize, round: u64| format!("text {i} of round {round}, too long for a cell");
    let sample = |round: u64| Large {
        numbers: [round; 1000],
        texts: std::array::from_fn(|i| text(i, round)),
        part: inner("part of a large struct"),
    };
    let segment = segment();
    let handle = segment.alloc(sample(0)).unwrap();
    for round in 1..20 {
        handle.store(sample(round)).unwrap();
        assert_eq!(handle.load().unwrap(), sample(round));
    }
    handle.set_numbers([7; 1000]).unwrap();
    handle.update(|large| large.texts[59] = "short".into()).unwrap();
    assert_eq!(handle.numbers(), [7; 1000]);
    assert_eq!(handle.texts().unwrap()[58], text(58, 19));
    assert_eq!(handle.texts().unwrap()[59], "short");
    let part: InnerRef = handle.part();
    part.set_number(4.5).unwrap();
    assert_eq!(handle.try_part().unwrap().number, 4.5);
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn a_full_segment_changes_nothing() {
    let segment = Segment::create_anonymous(SegmentOptions::new().size(1 << 20)).unwrap();
    let list = segment.list_of([0_i64; 0]).unwrap();
    segment.root().insert("list", &list).unwrap();
    let first = segment.alloc(everything()).unwrap();
    list.push(&first).unwrap();
    let mut count = 1_usize;
    let full = loop {
        match segment.alloc(everything()).and_then(|handle| list.push(&handle)) {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, Error::SegmentFull { .. }), "{full}");
    assert!(count > 100, "{count}");
    let text = "t".repeat(100_000);
    assert!(matches!(first.set_v(text.as_str()), Err(Error::SegmentFull { .. })));
    let error = first.update(|all| {
        all.k = 0;
        all.v.clone_from(&text);
    });
    assert!(matches!(error, Err(Error::SegmentFull { .. })));
    assert_eq!(first.load().unwrap(), everything());
    assert_eq!(list.len().unwrap(), count);
    let last = list.get_as::<Everything>(count - 1).unwrap().unwrap();
    assert_eq!(last.load().unwrap(), everything());
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn a_closed_segment_is_an_error() {
    let segment = segment();
    let handle = segment.alloc(everything()).unwrap();
    segment.close().unwrap();
    assert!(matches!(handle.set_k(1), Err(Error::Closed { .. })));
    assert!(matches!(handle.load(), Err(Error::Closed { .. })));
    assert!(matches!(handle.try_k(), Err(Error::Closed { .. })));
    assert!(matches!(handle.update(|all| all.k = 1), Err(Error::Closed { .. })));
    // A getter that returns no `Result` returns something.
    let _ = (handle.k(), handle.q(), handle.p());
}
