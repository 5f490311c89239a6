//! The source of schemas is a program: what it declares has the same schemas, whatever names and comments there are.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::process::Command;
use std::sync::Arc;

use shm::{Language, Link, Schema, Segment, SegmentOptions, Shared, Struct, schema_source};

/// What the source of the schemas of this file was when it was reviewed.
#[allow(dead_code, reason = "its schemas are looked at, not its values")]
#[allow(missing_docs, nonstandard_style, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated")]
#[rustfmt::skip]
mod again;

/// Comments that end elsewhere: */ /* """ and a backslash\
/// {braces} 'quotes' \u{41}
#[derive(Shared, Default)]
#[shared(name = "one.Thing")]
struct Thing {
    /// Its own: \
    #[shared(rename = "self")]
    own: u8,
    #[shared(rename = "class", readonly)]
    class: u16,
    #[shared(rename = "while")]
    during: f64,
    #[shared(rename = "NULL")]
    none: i8,
    #[shared(rename = "int")]
    number: [u8; 3],
    #[shared(rename = "int_")]
    other_number: u8,
    #[shared(rename = "load")]
    burden: String,
    #[shared(rename = "set_x")]
    set_of_x: u8,
    x: u8,
    #[shared(rename = "_")]
    nothing: u8,
    #[shared(rename = "__hidden")]
    hidden: u8,
}

#[derive(Shared, Default)]
#[shared(name = "two.Thing", version = 2)]
struct OtherThing {
    thing: Option<Thing>,
    lonely: Vec<Link<Lonely>>,
}

#[derive(Shared)]
struct Lonely {
    id: u8,
}

#[derive(Shared)]
#[shared(name = "some.Vec")]
struct Pair<A: Shared, const N: usize> {
    first: A,
    second: [u8; N],
}

#[derive(Shared)]
enum Kind {
    Fn,
    #[allow(non_camel_case_types, reason = "another language's name")]
    r#loop {
        #[shared(rename = "self")]
        own: u8,
        r#in: Option<u16>,
    },
    Tuple(i128, String),
}

#[derive(Shared)]
struct Holder {
    kind: Kind,
    this: Option<Link<Self>>,
    pair: Pair<Option<String>, 4>,
}

fn schemas() -> Vec<Arc<Schema>> {
    let segment = Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap();
    let lonely = Lonely { id: 1 };
    segment.alloc(OtherThing::default()).unwrap();
    segment.alloc(Thing::default()).unwrap();
    let own = Kind::r#loop { own: lonely.id, r#in: None };
    for kind in [Kind::Fn, own, Kind::Tuple(1, String::new())] {
        let pair = Pair { first: None, second: [0; 4] };
        segment.alloc(Holder { kind, this: None, pair }).unwrap();
    }
    segment.schemas().unwrap()
}

#[test]
fn the_rust_source_has_the_same_schemas() {
    let schemas = schemas();
    let source = schema_source(&schemas, Language::Rust);
    assert_eq!(source, include_str!("again.rs"));

    let segment = Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap();
    let text = String::new;
    let pair = || again::Vec__str_4 { first: Some(text()), second: [1; 4] };
    segment.alloc(again::two_Thing { thing: None, lonely: vec![] }).unwrap();
    let thing = again::Thing {
        self_: 1,
        class: 2,
        r#while: 3.0,
        NULL: 4,
        int: [5; 3],
        int_: 6,
        load_: text(),
        set_x_: 7,
        x: 8,
        ___: 9,
        __hidden: 10,
    };
    segment.alloc(thing).unwrap();
    segment.alloc(again::Holder { kind: again::Kind::Fn, this: None, pair: pair() }).unwrap();
    let fingerprints = |schemas: &[Arc<Schema>]| -> Vec<(String, u64)> {
        schemas.iter().map(|schema| (schema.name().to_owned(), schema.fingerprint())).collect()
    };
    assert_eq!(fingerprints(&segment.schemas().unwrap()), fingerprints(&schemas));
}

fn accepts_struct<T: Struct>() {}

#[test]
fn structs_that_only_links_know_are_declared() {
    accepts_struct::<again::Lonely>();
}

#[test]
fn the_header_compiles_whatever_names_there_are() {
    let header = schema_source(&schemas(), Language::C);
    let path = std::env::temp_dir().join(format!("shm-again-{}.h", std::process::id()));
    std::fs::write(&path, &header).unwrap();
    let done = Command::new("gcc")
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c", "-include"])
        .args([path.as_path(), std::path::Path::new("/dev/null")])
        .output();
    std::fs::remove_file(&path).unwrap();
    let done = done.expect("gcc is there, as rustc needs a linker");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}\n{header}");
    for part in ["uint8_t int__[3];", "uint8_t int_;", "int8_t NULL_;", "uint8_t self;"] {
        assert!(header.contains(part), "{part}\n{header}");
    }
}

#[test]
fn the_python_source_annotates_names_that_are_none() {
    let source = schema_source(&schemas(), Language::Python);
    for part in [
        "class Thing:\n    \"Comments that end elsewhere: */ /* \\\"\\\"\\\" and a backslash\\\\\\n{braces} ",
        "    self: shm_py.u8\n",
        "    __annotations__[\"class\"] = Annotated[shm_py.u16, shm_py.readonly]\n",
        "    __annotations__[\"while\"] = shm_py.f64\n",
        "    __annotations__[\"__hidden\"] = shm_py.u8\n",
        "@shm_py.struct(name=\"two.Thing\", version=2)\nclass two_Thing:\n    thing: Optional[Thing]\n",
    ] {
        assert!(source.contains(part), "{part}\n{source}");
    }
}
