//! Lists and dicts that are fields of typed structs take what the field takes, whoever changes them and however.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::collections::BTreeMap;

use shm::{
    DictFlavour, Error, Link, List, ListFlavour, Record, Segment, SegmentOptions, Shared, Value,
};

#[derive(Shared, Debug, Clone, PartialEq)]
#[shared(name = "plant.Line")]
struct Line {
    id: u32,
    names: Vec<String>,
    spare: Vec<Option<String>>,
    ages: BTreeMap<String, u8>,
    grid: Vec<Vec<String>>,
    rows: Vec<Vec<f64>>,
    any: Vec<Value>,
    state: State,
    parts: [Part; 2],
    next: Vec<Link<Line>>,
}

#[derive(Shared, Debug, Clone, PartialEq)]
enum State {
    Idle,
    Running { tags: Vec<String> },
    Failed(BTreeMap<u8, f32>),
}

#[derive(Shared, Debug, Clone, PartialEq, Default)]
struct Part {
    weight: f64,
    labels: Vec<String>,
}

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap()
}

fn line() -> Line {
    Line {
        id: 1,
        names: vec!["a".into(), "b".into()],
        spare: vec![None],
        ages: BTreeMap::from([("x".into(), 1)]),
        grid: vec![vec!["q".into()]],
        rows: vec![vec![1.5]],
        any: vec![1.into()],
        state: State::Running { tags: vec!["t".into()] },
        parts: [Part::default(), Part::default()],
        next: Vec::new(),
    }
}

fn list(record: &Record, field: &str) -> List {
    let Value::List(list) = record.get(field).unwrap() else { panic!("{field} is no list") };
    list
}

/// The error's text, which must be of a wrong type.
fn wrong<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::WrongType { .. }), "{error}");
    error.to_string()
}

#[test]
fn every_way_into_a_list_is_checked() {
    let seg = segment();
    let handle = seg.alloc(line()).unwrap();
    let names = list(&Record::from(handle.clone()), "names");
    let text = wrong(names.push(3));
    assert_eq!(text, "field \"names\" of \"plant.Line\" is [str]: an item takes str, not int");
    let long = Value::Tuple(vec!["a text that is longer than a cell".into(); 2]);
    let refused = [
        names.push(long.clone()),
        names.push_front(3),
        names.insert(1, 2.5),
        names.insert_from_end(1, 2.5),
        names.set(0, 3),
        names.set_int(0, 3),
        names.set_from_end(1, long),
        names.extend([Value::from("c"), 3.into()]),
        names.set_slice(Some(0), Some(1), None, vec!["c".into(), Value::None]),
        names.push_bounded(3),
        names.push_front_bounded(3),
        names.insert_bounded(0, 3).map(drop),
        names.extend_bounded(vec![3.into()]),
        names.extend_front_bounded(vec![3.into()]),
        names.compare_exchange(0, &"a".into(), 3).map(drop),
        names.add(0, 3).map(drop),
        names.store_if_unchanged(names.version().unwrap(), vec![3.into()]).map(drop),
    ];
    for (index, refused) in refused.into_iter().enumerate() {
        assert!(refused.is_err(), "way {index}");
    }
    assert_eq!(handle.load().unwrap(), line(), "nothing has changed");

    names.push("c").unwrap();
    names.push("a text that is longer than a cell").unwrap();
    names.set(0, "A text that is longer than a cell").unwrap();
    assert_eq!(names.add(1, "b").unwrap().as_str(), Some("bb"));
    assert!(names.compare_exchange(2, &"c".into(), "d").unwrap());
    names.extend(["e"]).unwrap();
    names.sort().unwrap();
    assert_eq!(handle.names().len().unwrap(), 5);
    assert_eq!(handle.names().to_vec().unwrap()[2], "bb");
    assert!(seg.check().unwrap().findings.is_empty());
}

#[test]
fn every_way_into_a_dict_is_checked() {
    let seg = segment();
    let handle = seg.alloc(line()).unwrap();
    let ages = handle.ages().unwrap();
    let text = ages.set("x", 256).unwrap_err().to_string();
    let expected = "field \"ages\" of \"plant.Line\" is map(str,u8): ";
    assert_eq!(text, format!("{expected}the value of \"x\" takes 0 to 255, not 256"));
    let text = wrong(ages.set("y", "z"));
    assert_eq!(text, format!("{expected}the value of \"y\" takes an int, not str"));
    let text = wrong(ages.set(1, 1));
    assert_eq!(text, format!("{expected}a key takes str, not int"));
    let many: Vec<(Value, Value)> = (0..20).map(|n| (n.to_string().into(), 100.into())).collect();
    let refused = [
        ages.insert("x", "y").map(drop),
        ages.get_or_insert("y", 300).map(drop),
        ages.add("x", 255).map(drop),
        ages.add("x", -2).map(drop),
        ages.add("y", -1).map(drop),
        ages.add_existing("x", 0.5).map(drop),
        ages.compare_exchange("x", Some(&1.into()), 256).map(drop),
        ages.update([("y", 1), ("z", -1)]),
        ages.replace_all([("y", "z")]),
        ages.replace_all_if_unchanged(ages.sequence().unwrap(), [(1, 1)]).map(drop),
        ages.add_all(&[("y".into(), 1.into()), ("x".into(), 255.into())]),
        ages.add_all(&[vec![("x".into(), 255.into())], many.clone()].concat()),
    ];
    for (index, refused) in refused.into_iter().enumerate() {
        assert!(refused.is_err(), "way {index}");
    }
    assert_eq!(handle.load().unwrap(), line(), "nothing has changed");

    ages.add_all(&many).unwrap();
    ages.add("x", 254).unwrap();
    ages.set("y", 7).unwrap();
    let loaded = handle.load().unwrap();
    assert_eq!((loaded.ages.len(), loaded.ages["x"], loaded.ages["y"]), (22, 255, 7));
}

#[test]
fn the_type_goes_wherever_the_list_goes() {
    let seg = segment();
    let handle = seg.alloc(line()).unwrap();
    let record = Record::from(handle.clone());
    // Under another name, and after the field has got another list.
    seg.root().set("names", list(&record, "names")).unwrap();
    let Some(Value::List(elsewhere)) = seg.root().get("names").unwrap() else { panic!() };
    wrong(elsewhere.push(3));
    record.set("names", Value::Tuple(vec!["z".into()])).unwrap();
    wrong(list(&record, "names").push(3));
    wrong(elsewhere.push(3));
    handle.update(|line| line.names = vec!["y".into(); 100]).unwrap();
    wrong(list(&record, "names").push(3));
    handle.names().push("w".into()).unwrap();
    // A field takes the content, not the list.
    let plain = seg.list_of(["v"]).unwrap();
    record.set("names", &plain).unwrap();
    plain.push(3).unwrap();
    assert_eq!(handle.load().unwrap().names, ["v"]);
    assert!(matches!(list(&record, "names").flavour().unwrap(), ListFlavour::Typed(_)));
    assert!(matches!(handle.ages().unwrap().flavour().unwrap(), DictFlavour::Typed(_)));
    assert_eq!(list(&record, "any").flavour().unwrap(), ListFlavour::Plain);
    list(&record, "any").push("anything").unwrap();
    seg.free(&seg.root().get("names").unwrap().unwrap()).unwrap();
    assert!(matches!(elsewhere.push("x"), Err(Error::Closed { .. })));
}

#[test]
fn parts_of_parts_have_types_of_their_own() {
    let seg = segment();
    let handle = seg.alloc(line()).unwrap();
    let record = Record::from(handle.clone());
    let spare = list(&record, "spare");
    spare.extend([Value::None, "s".into()]).unwrap();
    assert!(wrong(spare.push(1)).contains("[?str]"));

    let grid = list(&record, "grid");
    let Some(Value::List(inner)) = grid.get(0).unwrap() else { panic!() };
    assert!(wrong(inner.push(1)).contains("is [[str]]: an item of [str] in it takes str"));
    let text = wrong(grid.push(Value::Tuple(vec!["a".into(), 1.into()])));
    assert!(text.contains("item 1 of an item takes str, not int"), "{text}");
    grid.push(seg.list_of(["a"]).unwrap()).unwrap();
    handle.grid().push(vec!["b".into()]).unwrap();
    handle.grid().extend(&[vec![], vec!["c".into()]]).unwrap();
    for index in 1..5 {
        let Some(Value::List(inner)) = grid.get(index).unwrap() else { panic!() };
        wrong(inner.push(1));
    }

    let rows = list(&record, "rows");
    rows.push(seg.list([2.into(), 2.5.into()]).unwrap()).unwrap();
    assert!(
        wrong(rows.push(seg.list_of(["x"]).unwrap())).contains("item 0 of an item takes a float")
    );
    let Some(Value::ByteArray(row)) = rows.get(1).unwrap() else { panic!() };
    let elements = row.elements().unwrap().map(|(ty, values)| (ty.to_string(), values));
    assert_eq!(elements, Some(("f64".into(), vec![2.0.into(), 2.5.into()])));

    let Value::Tuple(parts) = record.get("parts").unwrap() else { panic!() };
    let Some(Value::Record(part)) = parts.get(1) else { panic!() };
    let text = wrong(list(part, "labels").push(1));
    assert!(text.contains("\"labels\" of \"Part\""), "{text}");

    let next = list(&record, "next");
    next.push(&handle).unwrap();
    assert!(wrong(next.push("x")).contains("takes a shared \"plant.Line\", not str"));
    let loaded = handle.load().unwrap();
    assert_eq!(loaded.rows, [vec![1.5], vec![2.0, 2.5]]);
    assert_eq!((loaded.grid.len(), loaded.next.len()), (5, 1));
    assert!(seg.check().unwrap().findings.is_empty());
}

#[test]
fn variants_have_types_of_their_own() {
    let seg = segment();
    let handle = seg.alloc(line()).unwrap();
    let record = Record::from(handle.clone());
    let Value::Tuple(state) = record.get("state").unwrap() else { panic!() };
    let Some(Value::List(tags)) = state.get(1) else { panic!() };
    assert!(wrong(tags.push(1)).contains("an item of [str] in it takes"));
    handle.set_state(State::Failed(BTreeMap::from([(1, 1.0)]))).unwrap();
    let Value::Tuple(state) = record.get("state").unwrap() else { panic!() };
    let Some(Value::Dict(codes)) = state.get(1) else { panic!() };
    assert!(wrong(codes.set(1, "x")).contains("the value of 1 of map(u8,f32) in it takes"));
    codes.set(2, 2).unwrap();
    let expected = State::Failed(BTreeMap::from([(1, 1.0), (2, 2.0)]));
    assert_eq!(handle.load().unwrap().state, expected);
    handle.set_state(State::Idle).unwrap();
    assert!(seg.check().unwrap().findings.is_empty());
}

#[test]
fn a_transaction_that_made_the_type_itself_can_be_undone() {
    let seg = segment();
    let kept = std::cell::RefCell::new(None);
    let undone: Result<(), Error> = seg.transaction(|_| {
        let handle = seg.alloc(line())?;
        wrong(list(&Record::from(handle.clone()), "names").push(1));
        handle.names().push("c".into())?;
        kept.replace(Some(list(&Record::from(handle), "names")));
        Err(Error::InvalidArgument { what: "no".to_owned() })
    });
    undone.unwrap_err();
    let handle = seg.alloc(Part { weight: 1.0, labels: vec!["l".into()] }).unwrap();
    wrong(list(&Record::from(handle), "labels").push(1));
    if let Some(names) = kept.take() {
        // Of a struct that never was.
        let _ = names.push(1);
        let _ = names.push("x");
    }
    assert!(seg.check().unwrap().findings.is_empty());
}
