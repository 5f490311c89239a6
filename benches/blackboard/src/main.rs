//! A shared struct of 64 bytes against an entry of iceoryx2's blackboard and against plain memory.
//!
//! `make bench-blackboard` runs it. Both sides do the same in turn, in one run: read, update, and each of
//! it while a second process reads or updates the same value at full speed. That process works on
//! the side that is being measured: a word of the segment tells it which. A blackboard has one
//! writer and fixed keys, and an update replaces the whole value; ours has any number of writers,
//! and each operation is whole whoever is killed.

#[path = "../../peers/src/harness.rs"]
mod harness;

use std::error::Error;
use std::hint::black_box;
use std::process::{Child, Command};

use harness::{Row, compare};
use iceoryx2::port::reader::EntryHandle;
use iceoryx2::port::writer::EntryHandleMut;
use iceoryx2::prelude::{NodeBuilder, ZeroCopySend, ipc};
use iceoryx2::service::port_factory::blackboard::PortFactory;
use shm::{Segment, SegmentOptions, Shared};

type Outcome<T> = Result<T, Box<dyn Error>>;
type Service = PortFactory<ipc::Service, u64>;
type Reader = EntryHandle<ipc::Service, u64, Numbers>;
type Writer = EntryHandleMut<ipc::Service, u64, Numbers>;

#[derive(Shared, ZeroCopySend, Debug, Clone, Copy, PartialEq)]
#[repr(C)]
struct Numbers {
    a: u64,
    b: u64,
    c: f64,
    d: f64,
    e: u64,
    f: u64,
    g: u64,
    h: u64,
}

/// Which side the second process works on.
#[derive(Shared)]
struct Control {
    side: u64,
    rounds: u64,
}

const OURS: u64 = 0;
const THEIRS: u64 = 1;
const STOP: u64 = 2;
/// What the second process does between two looks at the control word.
const BATCH: u64 = 500;
const KEY: u64 = 1;

fn numbers(at: u64) -> Numbers {
    Numbers { a: at, b: at, c: at as f64, d: at as f64, e: at, f: at, g: at, h: at }
}

/// Both sides, as one process has them.
struct Sides {
    control: ControlRef,
    ours: NumbersRef,
    service: Service,
}

impl Sides {
    fn create(name: &str) -> Outcome<(Segment, Sides)> {
        let segment = Segment::create(name, SegmentOptions::new().size(1 << 26))?;
        let control = segment.alloc(Control { side: OURS, rounds: 0 })?;
        let ours = segment.alloc(numbers(1))?;
        segment.root().insert("control", &control)?;
        segment.root().insert("numbers", &ours)?;
        let node = NodeBuilder::new().create::<ipc::Service>()?;
        let service = node
            .service_builder(&name.try_into()?)
            .blackboard_creator::<u64>()
            .add::<Numbers>(KEY, numbers(1))
            .create()?;
        Ok((segment, Sides { control, ours, service }))
    }

    fn attach(name: &str) -> Outcome<(Segment, Sides)> {
        let segment = Segment::attach(name, SegmentOptions::new())?;
        let control = segment.root().get_as::<Control>("control")?.ok_or("no control")?;
        let ours = segment.root().get_as::<Numbers>("numbers")?.ok_or("no numbers")?;
        let node = NodeBuilder::new().create::<ipc::Service>()?;
        let service = node.service_builder(&name.try_into()?).blackboard_opener::<u64>().open()?;
        Ok((segment, Sides { control, ours, service }))
    }

    fn reader(&self) -> Outcome<Reader> {
        Ok(self.service.reader_builder().create()?.entry::<Numbers>(&KEY)?)
    }

    fn writer(&self) -> Outcome<Writer> {
        Ok(self.service.writer_builder().create()?.entry::<Numbers>(&KEY)?)
    }

    fn set_side(&self, side: u64) {
        ok(self.control.set_side(side));
    }
}

fn ok<T>(result: Result<T, shm::Error>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// The second process: reads or updates the side that is being measured, until it is told to stop.
fn second(name: &str, updates: bool) -> Outcome<()> {
    let (_segment, sides) = Sides::attach(name)?;
    let reader = sides.reader()?;
    let writer = if updates { Some(sides.writer()?) } else { None };
    let mut at = 0_u64;
    loop {
        at += 1;
        match (sides.control.side(), &writer) {
            (OURS, None) => (0..BATCH).for_each(|_| _ = black_box(ok(sides.ours.load()))),
            (OURS, Some(_)) => {
                (0..BATCH).for_each(|i| ok(sides.ours.update(|numbers| numbers.f = i)));
            }
            (THEIRS, None) => (0..BATCH).for_each(|_| _ = black_box(*reader.get())),
            (THEIRS, Some(writer)) => {
                (0..BATCH).for_each(|i| writer.update_with_copy(numbers(i)));
            }
            _ => return Ok(()),
        }
        sides.control.set_rounds(at)?;
    }
}

/// Runs `rows` while a second process works.
fn beside(
    name: &str,
    sides: &Sides,
    what: &str,
    rows: impl FnOnce() -> Outcome<Vec<Row>>,
) -> Outcome<Vec<Row>> {
    sides.control.set_rounds(0)?;
    let mut child: Child = Command::new(std::env::current_exe()?).args([name, what]).spawn()?;
    while sides.control.rounds() < 10 {
        if let Some(status) = child.try_wait()? {
            return Err(format!("the second process ended: {status}").into());
        }
        std::thread::yield_now();
    }
    let rows = rows();
    sides.set_side(STOP);
    child.wait()?;
    sides.set_side(OURS);
    rows
}

fn read(title: &'static str, sides: &Sides, reader: &Reader) -> Row {
    compare(
        title,
        "blackboard get",
        |n| {
            sides.set_side(OURS);
            (0..n).for_each(|_| _ = black_box(ok(sides.ours.load())));
        },
        |n| {
            sides.set_side(THEIRS);
            (0..n).for_each(|_| _ = black_box(*reader.get()));
        },
    )
}

fn update(title: &'static str, sides: &Sides, writer: &Writer) -> Row {
    compare(
        title,
        "blackboard update_with_copy",
        |n| {
            sides.set_side(OURS);
            (0..n as u64).for_each(|i| ok(sides.ours.update(|numbers| numbers.f = i)));
        },
        |n| {
            sides.set_side(THEIRS);
            (0..n as u64).for_each(|i| writer.update_with_copy(black_box(numbers(i))));
        },
    )
}

fn store(title: &'static str, sides: &Sides, writer: &Writer) -> Row {
    compare(
        title,
        "blackboard update_with_copy",
        |n| {
            sides.set_side(OURS);
            (0..n as u64).for_each(|i| ok(sides.ours.store(black_box(numbers(i)))));
        },
        |n| {
            sides.set_side(THEIRS);
            (0..n as u64).for_each(|i| writer.update_with_copy(black_box(numbers(i))));
        },
    )
}

fn measure() -> Outcome<()> {
    let name = format!("shm-blackboard-{}", std::process::id());
    let (_segment, sides) = Sides::create(&name)?;
    let reader = sides.reader()?;
    let source = numbers(3);
    let mut rows = vec![
        compare(
            "read",
            "copy of 64 bytes",
            |n| (0..n).for_each(|_| _ = black_box(ok(sides.ours.load()))),
            |n| (0..n).for_each(|_| _ = black_box(*black_box(&source))),
        ),
        compare(
            "blackboard get",
            "copy of 64 bytes",
            |n| (0..n).for_each(|_| _ = black_box(*reader.get())),
            |n| (0..n).for_each(|_| _ = black_box(*black_box(&source))),
        ),
        read("read", &sides, &reader),
    ];
    let writer = sides.writer()?;
    rows.push(update("update, one field changes", &sides, &writer));
    rows.push(store("store, all fields change", &sides, &writer));
    rows.extend(beside(&name, &sides, "reads", || {
        Ok(vec![
            read("read, a second process reads", &sides, &reader),
            update("update, a second process reads", &sides, &writer),
            store("store, a second process reads", &sides, &writer),
        ])
    })?);
    // One writer is all that a blackboard takes.
    drop(writer);
    rows.extend(beside(&name, &sides, "updates", || {
        Ok(vec![read("read, a second process updates", &sides, &reader)])
    })?);
    harness::print(&rows);
    Ok(())
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [name, what] => second(name, what == "updates"),
        _ => measure(),
    }
}
