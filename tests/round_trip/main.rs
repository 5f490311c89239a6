//! Every shape and field kind there and back: Rust writes a struct, Python reads it and writes other
//! values in every way it has, a third process, in Rust again, reads those.
//!
//! The values are random; places and the schema's text are golden. `SHM_PYTHON` names the interpreter,
//! which must have the module (`make test-kills` sees to both).
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod flavours;
mod literal;
mod model;
mod values;

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use shm::{Record, Segment, SegmentOptions};

use crate::model::{All, Model, Node, models};

const ROLE: &str = "SHM_TEST_ROUND_TRIP";

/// A process that answers each line with one.
struct Partner {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Partner {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the other process starts (make module)");
        let requests = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Partner { child, requests, answers }
    }

    fn ask(&mut self, request: &str) -> String {
        writeln!(self.requests, "{request}").unwrap();
        loop {
            let mut line = String::new();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "the other process ended");
            // The test harness of the reader prints lines of its own.
            if let Some((_, answer)) = line.trim_end().split_once("answer ") {
                return answer.to_owned();
            }
        }
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter that has the module.
fn interpreter() -> String {
    env::var("SHM_PYTHON")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python").to_owned())
}

/// The third process: prints what it reads.
#[test]
fn the_reader() {
    let Ok(name) = env::var(ROLE) else { return };
    let segment = Segment::attach(&name, SegmentOptions::new()).unwrap();
    for _ in std::io::stdin().lines() {
        let all = segment.root().get_as::<All>("all").unwrap().unwrap().load().unwrap();
        println!("answer {:?}", Model::of(all).unwrap());
    }
}

#[test]
fn every_field_goes_from_rust_to_python_and_back() {
    let segment = Segment::create_anonymous(SegmentOptions::new().size(64 << 20)).unwrap();
    let python = interpreter();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/round_trip/change.py");
    let mut python = Partner::start(Command::new(python).args([script, segment.name()]));
    let mut reader = Partner::start(
        Command::new(env::current_exe().unwrap())
            .args(["the_reader", "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, segment.name()),
    );
    let runs = std::cell::Cell::new(0);
    let (python, reader) =
        (std::cell::RefCell::new(&mut python), std::cell::RefCell::new(&mut reader));
    let cases = ProptestConfig::default().cases / 4;
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    TestRunner::new(config)
        .run(&(models(), models()), |(first, second)| {
            runs.set(runs.get() + 1);
            let root = segment.root();
            root.insert("all", segment.alloc(first.build(&segment).unwrap()).unwrap()).unwrap();
            for value in [second.link, second.next.unwrap_or(0)] {
                let node = segment.alloc(Node { value, next: None }).unwrap();
                root.insert(format!("node {value}"), &node).unwrap();
            }
            let request = format!("({},{})", literal::fields(&first), literal::fields(&second));
            prop_assert_eq!(python.borrow_mut().ask(&request), "ok");
            let read = reader.borrow_mut().ask("read");
            prop_assert_eq!(read, format!("{second:?}"));
            root.clear().unwrap();
            Ok(())
        })
        .unwrap();
    assert!(runs.get() >= cases);
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn its_schema_and_places_are_golden() {
    let segment = Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap();
    let mut runner = TestRunner::deterministic();
    let model = models().new_tree(&mut runner).unwrap().current();
    let all = segment.alloc(model.build(&segment).unwrap()).unwrap();
    let record = Record::from(&all);
    let schema = record.schema();
    let lines: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| {
            let (place, room) = (field.place(), field.layout());
            let (cells, plain) = (place.cells, place.plain);
            format!("{cells:>3} {plain:>4} {:>3} {}: {}", room.size, field.name(), field.ty())
        })
        .collect();
    let head = format!("{}@{} {:?}", schema.name(), schema.version(), schema.layout());
    let found = format!("{head}\n{}\n", lines.join("\n"));
    assert_eq!(found, include_str!("golden.txt"), "cell, first byte, bytes, name, type");
    assert_eq!(schema.fingerprint(), shm::Schema::parse(schema.text()).unwrap().fingerprint());
}
