//! Structs of plain bytes, which are copied and stored without the heap: what is read is what was
//! written, nothing else changes, no update is lost, and damage is an error.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use shm::{Error, Lifetime, Record, Segment, SegmentOptions, Shared, Value};

/// Of every plain kind; neighbours share words.
#[derive(Shared, Debug, Clone, Copy, PartialEq)]
struct Plain {
    a: u8,
    b: Option<u32>,
    c: [i16; 5],
    d: bool,
    e: f64,
    f: Part,
    g: [Part; 2],
    m: Part,
    h: u128,
    i: (u8, Mode),
    j: char,
    k: Duration,
    l: u16,
}

#[derive(Shared, Debug, Clone, Copy, PartialEq)]
struct Part {
    low: u16,
    high: i32,
    flag: bool,
}

#[derive(Shared, Debug, Clone, Copy, PartialEq)]
enum Mode {
    Off,
    Level(u16),
    Pair { x: i8, y: u64 },
}

/// More than is copied on the stack, and cells: what is stored anew gets another payload.
#[derive(Shared, Debug, Clone, PartialEq)]
struct Mixed {
    number: u64,
    inner: Part,
    texts: [String; 14],
}

/// One byte more than whole words.
#[derive(Shared, Debug, Clone, Copy, PartialEq)]
struct Odd([u8; 17]);

fn parts() -> impl Strategy<Value = Part> {
    any::<(u16, i32, bool)>().prop_map(|(low, high, flag)| Part { low, high, flag })
}

fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![
        Just(Mode::Off),
        any::<u16>().prop_map(Mode::Level),
        any::<(i8, u64)>().prop_map(|(x, y)| Mode::Pair { x, y }),
    ]
}

prop_compose! {
    fn plains()(
        (a, b, c, d, e) in (any::<u8>(), any::<Option<u32>>(), any::<[i16; 5]>(), any::<bool>(), -1e9..1e9),
        (f, g, m) in (parts(), [parts(), parts()], parts()),
        (h, mode, j) in (any::<u128>(), modes(), any::<char>()),
        (nanos, l) in (any::<u64>(), any::<u16>()),
    ) -> Plain {
        Plain { a, b, c, d, e, f, g, m, h, i: (a, mode), j, k: Duration::from_nanos(nanos), l }
    }
}

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap()
}

/// Takes over some fields of a value, in one of the ways there are; the model likewise.
fn change(handle: &PlainRef, model: &mut Plain, new: &Plain, step: u8) {
    match step % 18 {
        0 => handle.set_a(new.a).map(|()| model.a = new.a),
        1 => handle.set_b(new.b).map(|()| model.b = new.b),
        2 => handle.set_c(new.c).map(|()| model.c = new.c),
        3 => handle.set_d(new.d).map(|()| model.d = new.d),
        4 => handle.set_e(new.e).map(|()| model.e = new.e),
        5 => handle.set_f(new.f).map(|()| model.f = new.f),
        6 => handle.set_g(new.g).map(|()| model.g = new.g),
        7 => handle.set_h(new.h).map(|()| model.h = new.h),
        8 => handle.set_i(new.i).map(|()| model.i = new.i),
        9 => handle.f().store(new.f).map(|()| model.f = new.f),
        10 => handle.f().update(|part| part.high = new.f.high).map(|()| model.f.high = new.f.high),
        11 => handle.store(new).map(|()| *model = *new),
        12 => handle.set_m(new.m).map(|()| model.m = new.m),
        13 => handle.m().store(new.m).map(|()| model.m = new.m),
        14 => handle.m().set_flag(new.m.flag).map(|()| model.m.flag = new.m.flag),
        15 => handle.m().update(|part| part.low = new.m.low).map(|()| model.m.low = new.m.low),
        16 => handle.update(|plain| plain.l = new.l).map(|()| model.l = new.l),
        _ => handle.update(|plain| (plain.h, plain.k, plain.j) = (new.h, new.k, new.j)).map(|()| {
            (model.h, model.k, model.j) = (new.h, new.k, new.j);
        }),
    }
    .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 6))]

    #[test]
    fn what_is_written_is_read_and_nothing_else_changes(
        first in plains(),
        steps in prop::collection::vec((plains(), any::<u8>()), 1..40),
    ) {
        let segment = segment();
        let handle = segment.alloc(first).unwrap();
        segment.root().insert("plain", &handle).unwrap();
        let other = Segment::attach(segment.name(), SegmentOptions::new()).unwrap();
        let there = other.root().get_as::<Plain>("plain").unwrap().unwrap();
        let mut model = first;
        for (new, step) in &steps {
            change(if step & 16 == 0 { &handle } else { &there }, &mut model, new, *step);
            prop_assert_eq!(handle.load().unwrap(), model);
            prop_assert_eq!(there.load().unwrap(), model);
            prop_assert_eq!((there.a(), there.b(), there.c(), there.d()), (model.a, model.b, model.c, model.d));
            prop_assert_eq!((there.h(), there.j(), there.l()), (model.h, model.j, model.l));
            prop_assert_eq!(there.f().load().unwrap(), model.f);
            prop_assert_eq!(there.m().load().unwrap(), model.m);
            prop_assert_eq!((there.m().low(), there.m().high()), (model.m.low, model.m.high));
            prop_assert_eq!(there.try_g().unwrap(), model.g);
            prop_assert_eq!(there.i().unwrap(), model.i);
        }
    }
}

const START: Plain = Plain {
    a: 1,
    b: Some(2),
    c: [3; 5],
    d: true,
    e: 0.5,
    f: Part { low: 4, high: 5, flag: true },
    g: [Part { low: 6, high: 7, flag: false }; 2],
    m: Part { low: 8, high: 9, flag: true },
    h: 8,
    i: (9, Mode::Off),
    j: 'j',
    k: Duration::from_secs(1),
    l: 10,
};

#[test]
fn no_update_is_lost_between_threads_and_attachments() {
    const EACH: u64 = 20_000;
    let segment = segment();
    segment.root().insert("plain", segment.alloc(START).unwrap()).unwrap();
    thread::scope(|scope| {
        for worker in 0..4_u16 {
            let name = segment.name();
            scope.spawn(move || {
                let own = Segment::attach(name, SegmentOptions::new()).unwrap();
                let plain = own.root().get_as::<Plain>("plain").unwrap().unwrap();
                for at in 0..EACH {
                    match (worker + at as u16) % 3 {
                        0 => plain.update(|plain| plain.h += 1).unwrap(),
                        1 => plain.update(|plain| (plain.h, plain.e) = (plain.h + 1, 2.0)).unwrap(),
                        _ => plain.fetch_add_h(1).map(drop).unwrap(),
                    }
                }
            });
        }
    });
    let plain = segment.root().get_as::<Plain>("plain").unwrap().unwrap();
    assert_eq!(plain.h(), 8 + 4 * u128::from(EACH));
    assert!(segment.check().unwrap().is_sound());
}

/// With fields that stay as they are, one of them in a word with others.
#[derive(Shared, Debug, Clone, Copy, PartialEq)]
struct Guarded {
    #[shared(readonly)]
    id: u32,
    inside: Half,
    number: u64,
    #[shared(readonly)]
    limits: [u16; 3],
    count: u16,
}

/// Starts in the middle of a word.
#[derive(Shared, Debug, Clone, Copy, PartialEq)]
struct Half {
    low: u32,
    #[shared(readonly)]
    key: u16,
    high: u32,
}

const GUARDED: Guarded = Guarded {
    id: 1,
    inside: Half { low: 2, key: 3, high: 4 },
    number: 5,
    limits: [6, 7, 8],
    count: 9,
};

#[test]
fn read_only_fields_stay_and_all_others_are_replaced_at_once() {
    let segment = segment();
    let handle = segment.alloc(GUARDED).unwrap();
    let inside = handle.inside();
    let one = Guarded { count: 10, ..GUARDED };
    let many = Guarded { number: 11, count: 12, ..GUARDED };
    for value in [one, many, GUARDED] {
        handle.store(value).unwrap();
        assert_eq!(handle.load().unwrap(), value);
    }
    handle.update(|guarded| *guarded = many).unwrap();
    assert_eq!(handle.load().unwrap(), many);
    inside.store(Half { low: 20, high: 40, ..GUARDED.inside }).unwrap();
    inside.update(|half| (half.low, half.high) = (half.low + 1, half.high + 1)).unwrap();
    let now = Guarded { inside: Half { low: 21, key: 3, high: 41 }, ..many };
    assert_eq!(handle.load().unwrap(), now);

    let refused = |error: Error, field: &str| {
        let text = error.to_string();
        assert!(
            text.contains(&format!("field {field:?} of")) && text.contains("read-only"),
            "{text}"
        );
        assert_eq!(handle.load().unwrap(), now);
    };
    refused(handle.store(Guarded { id: 2, count: 0, ..now }).unwrap_err(), "id");
    refused(handle.store(Guarded { limits: [6, 0, 8], ..now }).unwrap_err(), "limits");
    refused(handle.update(|guarded| guarded.limits[2] += 1).unwrap_err(), "limits");
    refused(handle.update(|guarded| (guarded.number, guarded.id) = (0, 0)).unwrap_err(), "id");
    refused(inside.store(Half { low: 0, key: 1, high: 0 }).unwrap_err(), "key");
    refused(inside.update(|half| half.key += 1).unwrap_err(), "key");
}

#[test]
fn an_update_that_was_overtaken_starts_again() {
    let segment = segment();
    let plain = segment.alloc(START).unwrap();
    let mut runs = 0;
    let seen = plain.update(|copy| {
        runs += 1;
        if runs == 1 {
            plain.set_l(99).unwrap();
        }
        copy.a += 1;
        copy.l
    });
    assert_eq!((seen.unwrap(), runs), (99, 2));
    assert_eq!(plain.load().unwrap(), Plain { a: 2, l: 99, ..START });
}

#[test]
fn an_update_without_a_change_tells_nobody() {
    let segment = segment();
    let plain = segment.alloc(START).unwrap();
    let mut changes = segment.watch(&Value::from(&plain)).unwrap();
    plain.update(|_| ()).unwrap();
    plain.store(START).unwrap();
    assert!(!changes.poll().unwrap());
    plain.update(|plain| plain.a += 1).unwrap();
    assert!(changes.poll().unwrap());
}

#[test]
fn a_transaction_sees_its_own_changes_and_takes_them_back() {
    let segment = segment();
    let plain = segment.alloc(START).unwrap();
    let outcome: Result<(), Error> = segment.transaction(|_| {
        plain.set_l(11)?;
        plain.update(|plain| plain.l += 1)?;
        assert_eq!((plain.l(), plain.load()?.l), (12, 12));
        plain.store(Plain { l: 13, h: 0, ..START })?;
        assert_eq!(plain.load()?, Plain { l: 13, h: 0, ..START });
        Err(Error::InvalidArgument { what: "undo".into() })
    });
    outcome.unwrap_err();
    assert_eq!(plain.load().unwrap(), START);
    segment.transaction(|_| plain.update(|plain| plain.l += 1)).unwrap();
    assert_eq!(plain.l(), 11);
}

#[test]
fn a_handle_follows_its_struct_to_another_payload() {
    let segment = segment();
    let inner = Part { low: 1, high: 2, flag: false };
    let mixed = |number| Mixed {
        number,
        inner,
        texts: std::array::from_fn(|at| format!("the longer text {at} of {number}")),
    };
    let handle = segment.alloc(mixed(1)).unwrap();
    let (part, early) = (handle.inner(), handle.clone());
    // All texts are other ones: that is a new payload.
    handle.store(mixed(2)).unwrap();
    assert_eq!((early.number(), part.high()), (2, 2));
    early.set_number(3).unwrap();
    part.set_high(-3).unwrap();
    part.update(|part| part.low = 4).unwrap();
    let expected = Mixed { inner: Part { low: 4, high: -3, ..inner }, number: 3, ..mixed(2) };
    assert_eq!(handle.load().unwrap(), expected);
    assert_eq!(part.load().unwrap(), expected.inner);
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn a_value_that_ends_inside_of_a_word_leaves_the_rest_alone() {
    #[derive(Shared, Debug, Clone, Copy, PartialEq)]
    struct Holder {
        odd: Odd,
        after: [u8; 7],
    }
    let segment = segment();
    let start = Holder { odd: Odd([1; 17]), after: [9; 7] };
    let holder = segment.alloc(start).unwrap();
    holder.odd().store(Odd([2; 17])).unwrap();
    assert_eq!(holder.load().unwrap(), Holder { odd: Odd([2; 17]), ..start });
    holder.odd().update(|odd| odd.0[16] = 3).unwrap();
    holder.odd().set_0([4; 17]).unwrap();
    assert_eq!(holder.load().unwrap(), Holder { odd: Odd([4; 17]), ..start });
    holder.set_after([5; 7]).unwrap();
    assert_eq!(holder.load().unwrap(), Holder { odd: Odd([4; 17]), after: [5; 7] });
}

#[test]
fn a_closed_or_read_only_segment_is_an_error() {
    let segment = segment();
    segment.root().insert("plain", segment.alloc(START).unwrap()).unwrap();
    let reader = Segment::attach(segment.name(), SegmentOptions::new().readonly(true)).unwrap();
    let seen = reader.root().get_as::<Plain>("plain").unwrap().unwrap();
    assert_eq!((seen.l(), seen.load().unwrap()), (10, START));
    for error in [seen.set_l(1), seen.update(|plain| plain.l = 1), seen.store(START)] {
        assert!(matches!(error.unwrap_err(), Error::ReadOnly { .. }));
    }
    let other = Segment::attach(segment.name(), SegmentOptions::new()).unwrap();
    let plain = other.root().get_as::<Plain>("plain").unwrap().unwrap();
    plain.set_l(12).unwrap();
    other.close().unwrap();
    assert!(matches!(plain.load().unwrap_err(), Error::Closed { .. }));
    assert!(matches!(plain.try_l().unwrap_err(), Error::Closed { .. }));
    for error in [plain.set_l(1), plain.update(|plain| plain.l = 1), plain.store(START)] {
        assert!(matches!(error.unwrap_err(), Error::Closed { .. }));
    }
    let freed = segment.root().get_as::<Plain>("plain").unwrap().unwrap();
    assert_eq!(freed.l(), 12);
    segment.free(&Value::from(&freed)).unwrap();
    assert!(matches!(freed.load().unwrap_err(), Error::Closed { .. }));
    assert!(matches!(freed.set_l(1).unwrap_err(), Error::Closed { .. }));
}

#[test]
fn scribbled_words_are_errors_or_other_values() {
    let path = std::env::temp_dir().join(format!("shm-derive-plain-{}", std::process::id()));
    let options = SegmentOptions::new().size(4 << 20).path(&path).lifetime(Lifetime::Last);
    let segment = Segment::create("plain-hostile", options).unwrap();
    let handle = segment.alloc(START).unwrap();
    segment.root().insert("plain", &handle).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let header = (Record::from(&handle).id().unwrap() >> 16) << 4;
    let words = |at: u64| {
        let mut word = [0; 8];
        file.read_exact_at(&mut word, at).unwrap();
        u64::from_le_bytes(word)
    };
    let payload = words(header + 32);
    let end = std::fs::metadata(&path).unwrap().len();
    let use_all = |handle: &PlainRef| {
        let _ = (handle.a(), handle.b(), handle.c(), handle.h(), handle.i(), handle.try_g());
        let _ = (handle.load(), handle.f().load(), handle.f().set_high(1), handle.set_l(3));
        let _ = (handle.set_c([1; 5]), handle.set_h(1), handle.update(|plain| plain.l += 1));
        let _ = (handle.store(START), handle.f().update(|part| part.low = 1));
    };
    // The word that leads to the payload: outside, at the very end, unaligned, into the header.
    for wrong in [0, 1, 8, header, payload + 4, end - 8, end - 16, end, 1 << 40, u64::MAX] {
        file.write_all_at(&wrong.to_le_bytes(), header + 32).unwrap();
        use_all(&handle);
        if let Ok(Some(found)) = segment.root().get_as::<Plain>("plain") {
            use_all(&found);
        }
        file.write_all_at(&payload.to_le_bytes(), header + 32).unwrap();
    }
    // A variant, an option and a letter that there are not.
    for at in 0..20 {
        let old = words(payload + 16 + 8 * at);
        file.write_all_at(&u64::MAX.to_le_bytes(), payload + 16 + 8 * at).unwrap();
        use_all(&handle);
        file.write_all_at(&old.to_le_bytes(), payload + 16 + 8 * at).unwrap();
    }
    handle.store(START).unwrap();
    // A tuple of a byte and an enum with a field of eight bytes.
    let schema = Arc::clone(Record::from(&handle).schema());
    let place = schema.fields()[schema.index_of("i").unwrap()].place().plain as u64 + 8;
    file.write_all_at(&[77], payload + 16 + place).unwrap();
    let found = [handle.i().map(drop), handle.load().map(drop), handle.update(|_| ())];
    for error in found {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("which no variant has"), "{error}");
    }
    drop(segment);
    let _ = std::fs::remove_file(&path);
}
