//! Schemas as source: gcc finds every field of the C header where the schema has it.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::process::Command;

use shm::{Language, Segment, SegmentOptions, Shared, schema_source};

/// What it is doing.
#[derive(Shared)]
#[repr(i8)]
enum State {
    Idle = -2,
    Running { rpm: u32, note: String },
    Failed(u8, i128),
}

#[derive(Shared, Default)]
struct Part {
    flag: bool,
    weights: [[f32; 2]; 3],
    label: String,
    wide: u128,
}

/// A sensor,
/// with everything.
#[derive(Shared)]
#[shared(name = "plant.Sensor", version = 3)]
struct Sensor {
    /// Who it is.
    #[shared(readonly)]
    id: u64,
    r#type: u8,
    int: i16,
    state: State,
    maybe: Option<u16>,
    part: Part,
    parts: [Option<Part>; 2],
    pair: (u8, (char, String), f64),
    when: Option<std::time::SystemTime>,
    samples: Vec<f64>,
    next: Option<shm::Link<Sensor>>,
    empty: [u32; 0],
    last: u8,
}

fn sources() -> [String; 3] {
    let segment = Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap();
    let sensor = Sensor {
        id: 1,
        r#type: 2,
        int: 3,
        state: State::Idle,
        maybe: None,
        part: Part::default(),
        parts: [None, Some(Part::default())],
        pair: (1, ('x', String::new()), 0.5),
        when: None,
        samples: vec![],
        next: None,
        empty: [],
        last: 9,
    };
    let _ = (State::Running { rpm: 1, note: String::new() }, State::Failed(1, 2));
    segment.alloc(sensor).unwrap();
    let schemas = segment.schemas().unwrap();
    [Language::Rust, Language::Python, Language::C].map(|to| schema_source(&schemas, to))
}

#[test]
fn gcc_agrees_with_every_offset_of_the_header() {
    let [_, _, header] = sources();
    assert!(header.matches("static_assert").count() > 15, "{header}");
    let dir = std::env::temp_dir().join(format!("shm-header-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("schema.h");
    std::fs::write(&path, &header).unwrap();
    let done = Command::new("gcc")
        .args(["-std=gnu11", "-Wall", "-Werror", "-fsyntax-only", "-x", "c", "-include"])
        .arg(&path)
        .arg("/dev/null")
        .output();
    std::fs::remove_dir_all(&dir).unwrap();
    let done = done.expect("gcc is there, as rustc needs a linker");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}\n{header}");
}

#[test]
fn words_of_cplusplus_are_no_members_of_the_header() {
    #[derive(Shared)]
    struct Words {
        new: u8,
        this: u16,
        operator: bool,
    }
    let segment = Segment::create_anonymous(SegmentOptions::new().size(1 << 20)).unwrap();
    segment.alloc(Words { new: 1, this: 2, operator: true }).unwrap();
    let header = schema_source(&segment.schemas().unwrap(), Language::C);
    for word in ["new", "this", "operator"] {
        assert!(header.contains(&format!(" {word}_;")), "{header}");
    }
}

#[test]
fn rust_and_python_sources_are_as_reviewed() {
    let [rust, python, _] = sources();
    assert_eq!(
        rust,
        r#"use shm::Shared;

#[derive(Shared)]
#[shared(name = "State")]
#[repr(i8)]
pub enum State {
    Idle = -2,
    Running { rpm: u32, note: String } = -1,
    Failed(u8, i128) = 0,
}

#[derive(Shared)]
#[shared(name = "Part")]
pub struct Part {
    pub flag: bool,
    pub weights: [[f32; 2]; 3],
    pub label: String,
    pub wide: u128,
}

/// A sensor,
/// with everything.
#[derive(Shared)]
#[shared(name = "plant.Sensor", version = 3)]
pub struct Sensor {
    /// Who it is.
    #[shared(readonly)]
    pub id: u64,
    pub r#type: u8,
    pub int: i16,
    pub state: State,
    pub maybe: Option<u16>,
    pub part: Part,
    pub parts: [Option<Part>; 2],
    pub pair: (u8, (char, String,), f64,),
    pub when: Option<std::time::SystemTime>,
    pub samples: Vec<f64>,
    pub next: Option<shm::Link<Sensor>>,
    pub empty: [u32; 0],
    pub last: u8,
}
"#
    );
    assert!(python.contains("@shm_py.struct(name=\"plant.Sensor\", version=3)\nclass Sensor:\n"));
    assert!(python.contains("    id: Annotated[shm_py.u64, shm_py.readonly]\n"), "{python}");
    assert!(python.contains("    samples: Annotated[Any, shm_py.kind(\"[f64]\")]\n"), "{python}");
}
