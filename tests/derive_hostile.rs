//! Typed structs whose memory somebody scribbles on: errors or other values, but no panic, no hang.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use shm::{Lifetime, Link, Record, Schema, Segment, SegmentOptions, Shared, Value};

const ROUNDS: u64 = 400;

#[derive(Shared, Debug, Clone, PartialEq)]
struct Victim {
    flag: bool,
    letter: char,
    number: u64,
    wide: i128,
    text: String,
    maybe: Option<[u16; 3]>,
    part: Part,
    spare: Option<Part>,
    any: Value,
    words: [String; 20],
    mode: Mode,
    samples: Vec<f64>,
    parts: Vec<(u8, Plain)>,
    names: Vec<String>,
    table: BTreeMap<String, u64>,
    next: Option<Link<Victim>>,
    moment: (SystemTime, Duration),
}

#[derive(Shared, Debug, Clone, PartialEq)]
enum Mode {
    Off,
    Named { number: u32, name: String },
    Many(Vec<u16>),
}

#[derive(Shared, Debug, Clone, Copy, PartialEq)]
#[repr(u8)]
enum Plain {
    A = 3,
    B = 200,
}

#[derive(Shared, Debug, Clone, PartialEq)]
struct Part {
    number: f64,
    note: Option<String>,
}

fn victim() -> Victim {
    let part = Part { number: 1.5, note: Some("a note of its own block".into()) };
    Victim {
        flag: true,
        letter: 'v',
        number: 1,
        wide: -1,
        text: "a text of its own block".into(),
        maybe: Some([1, 2, 3]),
        part: part.clone(),
        spare: Some(part),
        any: Value::from((1, "a text in a tuple")),
        words: std::array::from_fn(|i| format!("the {i}th text of its own block")),
        mode: Mode::Many(vec![1, 2, 3]),
        samples: vec![1.0, 2.0, 3.0],
        parts: vec![(1, Plain::A), (2, Plain::B)],
        names: vec!["a".into(), "a name of its own block".into()],
        table: BTreeMap::from([("a".into(), 1), ("b".into(), 2)]),
        next: None,
        moment: (SystemTime::UNIX_EPOCH, Duration::from_secs(1)),
    }
}

/// xorshift: the same numbers in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn load(file: &File, at: u64) -> u64 {
    let mut word = [0; 8];
    file.read_exact_at(&mut word, at).unwrap();
    u64::from_le_bytes(word)
}

/// Everything that can be done with a struct; what comes out does not matter.
fn use_all(segment: &Segment, handle: &VictimRef) {
    let _ = (handle.flag(), handle.letter(), handle.number(), handle.wide(), handle.maybe());
    let _ = (handle.try_flag(), handle.text(), handle.spare(), handle.any(), handle.words());
    let _ = (handle.part().number(), handle.part().note(), handle.try_part());
    let _ = (handle.set_flag(false), handle.set_number(2), handle.set_wide(1));
    let _ = (handle.set_text("another text of its own block"), handle.set_maybe(None));
    let _ = (handle.fetch_add_number(1), handle.fetch_add_wide(1), handle.set_spare(None));
    let _ = handle.update(|victim| victim.words[3] = "changed, in its own block".into());
    let _ = handle.update(|victim| victim.part.number += 1.0);
    let _ = (handle.mode(), handle.names().to_vec(), handle.table(), handle.next());
    let _ = (handle.samples().to_vec(), handle.samples().get(1), handle.samples().push(1.0));
    let _ = (handle.samples().extend(&[0.5; 40]), handle.samples().set(1, 2.0));
    let _ = (handle.parts().to_vec(), handle.parts().pop(), handle.samples().truncate(2));
    let _ = (handle.moment(), handle.names().push("pushed".into()), handle.names().pop());
    let _ = handle.set_mode(Mode::Named { number: 1, name: "a name of its own block".into() });
    let _ = handle.set_next(Some(Link::new(handle)));
    let _ = handle.next().map(|next| next.map(|next| next.load()));
    let _ = (handle.set_next(None), handle.set_table(BTreeMap::new()));
    let _ = handle.store(victim());
    let _ = format!("{handle:?}");
    let record = Record::from(handle);
    let _ =
        (record.values(), record.get("words"), record.set("text", "x"), record.add("number", 1));
    for index in 0..record.schema().fields().len() {
        if let Ok(Some(vector)) = record.vector_at(index) {
            let _ = (vector.chunk(0, 100), vector.splice_bytes(1, 2, &[]), vector.storage());
            let _ = vector.storage().map(|storage| storage.address().is_ok());
        }
    }
    let _ = record.set_many(&[(2, Value::from(1)), (4, Value::from("text"))]);
    let _ = record.compare_exchange("flag", &true.into(), false);
    let _ = (record.clone() == record, record.id());
    let _ = segment.root().get_as::<Victim>("victim").map(|found| found.map(|v| v.load()));
    let _ = (Schema::all_stored(segment.heap()), Schema::stored(segment.heap(), "Victim"));
}

fn scribble() {
    let path = std::env::temp_dir().join(format!("shm-derive-hostile-{}", std::process::id()));
    let mut random = Random(0x5EED);
    for round in 0..ROUNDS {
        // A segment of its own now and then: damage adds up until nothing works any more.
        let options = SegmentOptions::new().size(4 << 20).path(&path).lifetime(Lifetime::Last);
        let name = format!("hostile-{round}");
        let segment = Segment::create(&name, options).unwrap();
        let handle = segment.alloc(victim()).unwrap();
        segment.root().insert("victim", &handle).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let header = (Record::from(&handle).id().unwrap() >> 16) << 4;
        let payload = load(&file, header + 32);
        let entry = load(&file, header + 40) & 0x0000_FFFF_FFFF_FFF0;
        for _ in 0..=random.next() % 6 {
            let at = match random.next() % 8 {
                0 => header + random.next() % 8 * 8,
                1 => header + 32,
                2 => header + 40,
                3 => entry + random.next() % 6 * 8,
                // The object or leaf that a cell refers to: its header, length or content.
                4 => {
                    let cell = load(&file, payload + 8 + random.next() % 40 * 8);
                    (cell & 0x0000_FFFF_FFFF_FFF0).min(4 << 19) + random.next() % 8 * 8
                }
                _ => payload + random.next() % 70 * 8,
            };
            let value = match random.next() % 8 {
                0 => 0,
                1 => u64::MAX,
                2 => header,
                3 => payload + 8,
                4 => load(&file, payload + random.next() % 50 * 8),
                5 => load(&file, at) ^ (1 << (random.next() % 64)),
                6 => random.next() % 4096,
                _ => random.next(),
            };
            file.write_all_at(&value.to_le_bytes(), at).unwrap();
        }
        use_all(&segment, &handle);
        use_all(&segment, &handle);
        drop(handle);
        let _ = segment.check();
        let _ = segment.unlink();
        let _ = segment.close();
        let _ = std::fs::remove_file(&path);
    }
}

#[test]
fn scribbled_structs_do_no_harm() {
    let (done, finished) = mpsc::channel();
    let worker = thread::spawn(move || {
        scribble();
        // The receiver waits, or has given up.
        let _ = done.send(());
    });
    match finished.recv_timeout(Duration::from_mins(4)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("an operation hangs"),
        _ => worker.join().unwrap(),
    }
}
