//! Maps as fields: what may be in them, and what others may have put there.

use std::collections::{BTreeMap, HashMap};

use shm::{Error, Segment, SegmentOptions, Shared, Value};

#[derive(Shared, Debug, Clone, PartialEq, Default)]
struct Tables {
    rates: BTreeMap<String, f64>,
    gains: HashMap<char, f32>,
    totals: BTreeMap<u128, i128>,
    flags: HashMap<u8, bool>,
}

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(1 << 24)).expect("a new segment")
}

#[test]
fn maps_have_keys_and_values_of_any_number() {
    let tables = Tables {
        rates: BTreeMap::from([("a".to_owned(), -0.0), ("b".to_owned(), f64::INFINITY)]),
        gains: HashMap::from([('ü', f32::MIN_POSITIVE), ('\u{10ffff}', f32::MAX)]),
        totals: BTreeMap::from([(0, i128::MIN), (u128::MAX, i128::MAX)]),
        flags: HashMap::from([(0, true), (255, false)]),
    };
    let segment = segment();
    let handle = segment.alloc(tables.clone()).unwrap();
    assert_eq!(handle.load().unwrap(), tables);
    let schemas = segment.schemas().unwrap();
    let fields: Vec<String> =
        schemas[0].fields().iter().map(|field| field.ty().to_string()).collect();
    assert_eq!(
        fields,
        ["map(str,f64)", "map(char,f32)", "map(u128,i128)", "map(u8,bool)"],
        "what a schema may say, Rust can declare"
    );
}

#[test]
fn ints_among_floats_are_read_as_floats() {
    let handle = segment().alloc(Tables::default()).unwrap();
    // As Python does with `tables.rates["a"] = 3`.
    handle.rates().unwrap().insert("a", 3).unwrap();
    handle.gains().unwrap().insert('x', 5).unwrap();
    let tables = handle.load().unwrap();
    assert_eq!(
        (tables.rates["a"].to_bits(), tables.gains[&'x'].to_bits()),
        (3.0_f64.to_bits(), 5.0_f32.to_bits())
    );
}

#[test]
fn what_is_of_another_type_is_refused_where_it_would_be_put() {
    let handle = segment().alloc(Tables::default()).unwrap();
    let error = handle.gains().unwrap().insert("two characters", 1.0).unwrap_err();
    assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
    assert!(error.to_string().contains("a key takes one character"), "{error}");
    let error = handle.flags().unwrap().insert(256, Value::from(true)).unwrap_err().to_string();
    assert!(error.contains("\"flags\" of \"Tables\" is map(u8,bool)"), "{error}");
    assert!(error.contains("a key takes 0 to 255, not 256"), "{error}");
    assert_eq!(handle.load().unwrap(), Tables::default());
}
