//! Deques, ordered dicts and objects of Rust in Python, sound ones and such as no Python writes, and back.

use std::env;
use std::process::Command;

use shm::{DictFlavour, Factory, ListFlavour, Segment, SegmentOptions, Value};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/round_trip/flavours.py");

#[test]
fn what_a_container_is_besides_goes_from_rust_to_python_and_back() -> shm::Result<()> {
    let segment = Segment::create_anonymous(SegmentOptions::new().size(16 << 20))?;
    let root = segment.root();
    root.set("deque", segment.deque((0..5).map(Value::from), Some(3))?)?;
    let long = segment.deque([], Some(2))?;
    // Rust may do to a list what it likes.
    long.extend(0..5)?;
    root.set("too long", &long)?;
    root.set("ordered", segment.dict_as(DictFlavour::OrderedDict, [("b", 1), ("a", 2)])?)?;
    root.set("counter", segment.dict_as(DictFlavour::Counter, [("x", 3)])?)?;
    let sets = segment.dict_as::<Value, Value>(DictFlavour::DefaultDict(Factory::Set), [])?;
    root.set("sets", &sets)?;
    let attributes = vec![("x".into(), 1.into()), ("y".into(), "two".into())];
    root.set("object", segment.instance("flavours:Point", attributes)?)?;
    // Nothing that a class could be, no name, no text for a name, keys that are no names.
    let odd = segment.dict([
        ("system", segment.instance("os:system", vec![("x".into(), 1.into())])?),
        ("popen", segment.instance("subprocess:Popen", vec![("x".into(), 1.into())])?),
        ("empty", segment.instance("", vec![("x".into(), 1.into())])?),
        ("nameless", segment.dict_as(DictFlavour::Object, [("x", 1)])?),
        ("number", segment.dict_as(DictFlavour::Object, [(Value::None, 5), ("x".into(), 1)])?),
        ("keys", segment.dict_as(DictFlavour::Object, [(Value::from(7), 5), ("x".into(), 1)])?),
    ])?;
    root.set("odd", &odd)?;
    let python = env::var("SHM_PYTHON")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python").to_owned());
    let output = Command::new(python).arg(SCRIPT).arg(segment.name()).output();
    let output = output.expect("python starts (make module)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let list = root.get("theirs")?.and_then(|value| value.as_list().cloned()).expect("a list");
    assert_eq!(list.flavour()?, ListFlavour::Deque { maxlen: Some(4) });
    let dict = |key: &str| {
        let value = root.get(key).expect("it is read");
        value.and_then(|value| value.as_dict().cloned()).expect("a dict")
    };
    assert_eq!(dict("their ints").flavour()?, DictFlavour::DefaultDict(Factory::Int));
    let point = dict("their point");
    assert_eq!(point.flavour()?, DictFlavour::Object);
    assert_eq!(point.class()?.as_deref(), Some("__main__:Point"));
    assert_eq!(point.get("x")?, Some(8.into()));
    assert_eq!(sets.get("new")?.map(|value| value.type_name()), Some("set"));
    assert_eq!(segment.check()?.findings, Vec::<String>::new());
    Ok(())
}
