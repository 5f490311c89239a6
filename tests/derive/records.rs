//! Structs as values, and seen by their stored schema alone.

use shm::{Error, Record, Schema, Value};

use crate::{Everything, Inner, everything, inner, segment};

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
            "field \"flag\" of \"Inner\" is bool and takes a bool, not int; its fields are flag, note, number",
        ),
        (
            record.set("note", 1.5).unwrap_err(),
            "field \"note\" of \"Inner\" is str and takes str, not float; its fields are flag, note, number",
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
