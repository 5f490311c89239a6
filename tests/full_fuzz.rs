//! Random operations in a segment that is full most of the time, beside models of the containers: its ceiling
//! is small, or its file system.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod mount;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use shm::{
    ByteArray, Dict, Draft, Error, Lease, Lifetime, List, Segment, SegmentOptions, Set, Value,
};

/// Where the small file system is; without it, the ceiling is small.
const FOLDER: &str = "SHM_FULL_FUZZ_FOLDER";
const NOW: Option<Duration> = Some(Duration::ZERO);

struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below.max(1)
    }
}

/// Operations for which there was no room.
static REFUSED: AtomicUsize = AtomicUsize::new(0);

fn done<T>(result: shm::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::SegmentFull { .. }) => {
            REFUSED.fetch_add(1, Ordering::Relaxed);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn value(segment: &Segment, random: &mut Random, number: i64) -> Option<Value> {
    Some(match random.next(6) {
        0 | 1 => number.into(),
        2 => format!("{number} {}", "x".repeat(random.next(900) as usize)).into(),
        3 => Value::Tuple(vec![number.into(), "a text that is long enough".into()]),
        4 => Value::List(done(segment.list_of([number, 1]))?),
        _ => vec![number as u8; 100 + random.next(3000) as usize].into(),
    })
}

/// What a value is, as far as a model knows it.
fn shown(value: &Value) -> String {
    match value {
        Value::List(list) => format!("list {:?}", list.get_int(0).unwrap()),
        Value::Str(text) => format!("text {}", text.len()),
        Value::Bytes(bytes) => format!("bytes {} {}", bytes[0], bytes.len()),
        value => format!("{value:?}"),
    }
}

struct World {
    segment: Segment,
    list: List,
    list_model: Vec<String>,
    dict: Dict,
    dict_model: Vec<(i64, String)>,
    set: Set,
    set_model: Vec<i64>,
    bytes: ByteArray,
    bytes_model: Vec<u8>,
    queued: i64,
    taken: i64,
    held: Vec<(i64, Lease)>,
}

impl World {
    fn new() -> Self {
        let options = SegmentOptions::new();
        let segment = match std::env::var_os(FOLDER) {
            None => Segment::create_anonymous(options.size(1 << 20)).unwrap(),
            Some(folder) => {
                let path = PathBuf::from(folder).join("full");
                Segment::create("", options.path(path).lifetime(Lifetime::Last)).unwrap()
            }
        };
        let list = segment.list([]).unwrap();
        let dict = segment.dict([(0, 0); 0]).unwrap();
        let set = segment.set([0; 0]).unwrap();
        let bytes = segment.bytearray(b"").unwrap();
        let root = segment.root();
        root.set("list", &list).unwrap();
        root.set("dict", &dict).unwrap();
        root.set("set", &set).unwrap();
        root.set("bytes", &bytes).unwrap();
        World {
            segment,
            list,
            list_model: Vec::new(),
            dict,
            dict_model: Vec::new(),
            set,
            set_model: Vec::new(),
            bytes,
            bytes_model: Vec::new(),
            queued: 0,
            taken: 0,
            held: Vec::new(),
        }
    }

    fn lists(&mut self, random: &mut Random, number: i64, grows: bool) {
        let len = self.list_model.len();
        let at = random.next(len as u64 + 1) as usize;
        let (list, model) = (&self.list, &mut self.list_model);
        if grows {
            let Some(item) = value(&self.segment, random, number) else { return };
            let what = shown(&item);
            match random.next(4) {
                0 => drop(done(list.insert(at, item)).map(|()| model.insert(at, what))),
                1 if at < len => drop(done(list.set(at, item)).map(|()| model[at] = what)),
                2 => drop(done(list.extend(vec![item; 3])).map(|()| {
                    model.extend([what.clone(), what.clone(), what]);
                })),
                _ => drop(done(list.push(item)).map(|()| model.push(what))),
            }
            return;
        }
        // What only removes never fails.
        match random.next(8) {
            0 => {
                let count = random.next(1 + len as u64 / 3) as usize;
                let to = (at + count).min(len);
                list.del_slice(Some(at as i64), Some(to as i64), None).unwrap();
                model.drain(at..to);
            }
            1 => {
                let step = 2 + random.next(5) as usize;
                list.del_slice(Some(at as i64), None, Some(step as i64)).unwrap();
                let mut index = 0;
                model.retain(|_| {
                    index += 1;
                    index - 1 < at || !(index - 1 - at).is_multiple_of(step)
                });
            }
            2 if random.next(30) == 0 => {
                list.clear().unwrap();
                model.clear();
            }
            3 => {
                let popped = list.pop_front().unwrap().map(|value| shown(&value));
                let expected = if model.is_empty() { None } else { Some(model.remove(0)) };
                assert_eq!(popped, expected);
            }
            4 | 5 => {
                assert_eq!(list.pop().unwrap().map(|value| shown(&value)), model.pop());
            }
            _ if at < len => assert_eq!(shown(&list.remove(at).unwrap()), model.remove(at)),
            _ => {}
        }
    }

    fn dicts(&mut self, random: &mut Random, number: i64, grows: bool) {
        let (dict, model) = (&self.dict, &mut self.dict_model);
        if grows {
            let Some(item) = value(&self.segment, random, number) else { return };
            let what = shown(&item);
            let key = random.next(400) as i64;
            if done(dict.set(key, item)).is_some() {
                match model.iter_mut().find(|(other, _)| *other == key) {
                    Some(entry) => entry.1 = what,
                    None => model.push((key, what)),
                }
            }
            return;
        }
        match random.next(4) {
            0 => {
                let popped = dict.pop_item().unwrap().map(|(_, value)| shown(&value));
                assert_eq!(popped, model.pop().map(|(_, value)| value));
            }
            1 if random.next(40) == 0 => {
                dict.clear().unwrap();
                model.clear();
            }
            _ => {
                let key = random.next(400) as i64;
                let removed = dict.remove(key).unwrap().map(|value| shown(&value));
                let place = model.iter().position(|(other, _)| *other == key);
                assert_eq!(removed, place.map(|place| model.remove(place).1));
            }
        }
    }

    fn sets(&mut self, random: &mut Random, number: i64, grows: bool) {
        let (set, model) = (&self.set, &mut self.set_model);
        let key = |number: i64| format!("a member of the set with number {number}");
        let some: Vec<i64> = (0..random.next(25)).map(|_| random.next(500) as i64).collect();
        let _ = number;
        if grows {
            for number in some {
                if done(set.add(key(number))).is_some() && !model.contains(&number) {
                    model.push(number);
                }
            }
            return;
        }
        if random.next(40) == 0 {
            set.clear().unwrap();
            model.clear();
        } else {
            set.difference_update(some.iter().map(|number| key(*number))).unwrap();
            model.retain(|number| !some.contains(number));
        }
    }

    fn byte_arrays(&mut self, random: &mut Random, number: i64, grows: bool) {
        let (bytes, model) = (&self.bytes, &mut self.bytes_model);
        let len = model.len();
        let at = random.next(len as u64 + 1) as usize;
        if grows {
            let content = vec![number as u8; random.next(200) as usize];
            if done(bytes.extend(&content)).is_some() {
                model.extend(content);
            }
            return;
        }
        let step = 1 + random.next(4) as usize;
        let to = (at + random.next(400) as usize).min(len);
        bytes.del_slice(Some(at as i64), Some(to as i64), Some(step as i64)).unwrap();
        let mut index = 0;
        model.retain(|_| {
            index += 1;
            !(at..to).contains(&(index - 1)) || !(index - 1 - at).is_multiple_of(step)
        });
    }

    fn queues(&mut self, random: &mut Random, grows: bool) {
        let queue = self.segment.queue("q", 0).unwrap();
        if grows {
            let mut draft = Draft::new(self.segment.heap());
            draft.int(self.queued);
            draft.text("a text that is long enough for a block");
            draft.list(2);
            if done(queue.put(draft, NOW)).is_some() {
                self.queued += 1;
            }
            return;
        }
        let number = |value: &Value| value.as_list().unwrap().get_int(0).unwrap().unwrap();
        match random.next(3) {
            0 if self.held.len() < 20 && self.taken < self.queued => {
                let lease = queue.get_lease(NOW).unwrap();
                assert_eq!(number(lease.value()), self.taken);
                self.held.push((self.taken, lease));
                self.taken += 1;
            }
            1 if self.taken < self.queued => {
                assert_eq!(number(&queue.get(NOW).unwrap()), self.taken);
                self.taken += 1;
            }
            _ if !self.held.is_empty() => {
                let at = random.next(self.held.len() as u64) as usize;
                let (taken, lease) = self.held.remove(at);
                assert_eq!(number(lease.value()), taken);
                lease.ack().unwrap();
            }
            _ => {}
        }
    }

    fn check(&self) {
        let report = self.segment.check().unwrap();
        assert!(report.is_sound(), "{:#?}", report.findings);
        assert_eq!(self.list.len().unwrap(), self.list_model.len());
        for (at, what) in self.list_model.iter().enumerate() {
            assert_eq!(shown(&self.list.get(at).unwrap().unwrap()), *what);
        }
        let keys: Vec<i64> = self.dict.keys().map(|key| key.unwrap().as_int().unwrap()).collect();
        assert_eq!(keys, self.dict_model.iter().map(|(key, _)| *key).collect::<Vec<_>>());
        for (key, what) in &self.dict_model {
            assert_eq!(shown(&self.dict.get(*key).unwrap().unwrap()), *what);
        }
        assert_eq!(self.set.len().unwrap(), self.set_model.len());
        assert_eq!(self.bytes.to_vec().unwrap(), self.bytes_model);
        let queue = self.segment.queue("q", 0).unwrap();
        assert_eq!(queue.len().unwrap() as i64, self.queued - self.taken);
        assert_eq!(queue.leased().unwrap(), self.held.len());
    }
}

#[test]
fn they_do_likewise_where_the_file_system_is_full() {
    if std::env::var_os(FOLDER).is_none() {
        mount::run_again(FOLDER, c"size=1500k");
    }
}

#[test]
fn random_operations_in_a_full_segment_do_what_their_models_do() {
    let rounds = std::env::var("SHM_FULL_ROUNDS").map_or(3, |text| text.parse().unwrap());
    let first = std::env::var("SHM_FULL_SEED").map_or(1, |text| text.parse().unwrap());
    for seed in first..first + rounds {
        println!("seed {seed}");
        let mut random = Random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let mut world = World::new();
        for number in 0..4000 {
            // More comes than goes, so that it is full soon and stays so.
            let grows = random.next(100) < 75;
            match random.next(6) {
                0 | 1 => world.lists(&mut random, number, grows),
                2 => world.dicts(&mut random, number, grows),
                3 => world.sets(&mut random, number, grows),
                4 => world.byte_arrays(&mut random, number, grows),
                _ => world.queues(&mut random, grows),
            }
            if number % 500 == 499 {
                world.check();
            }
        }
    }
    let refused = REFUSED.load(Ordering::Relaxed);
    println!("{refused} operations were refused");
    assert!(refused as u64 > rounds * 100, "it was not full: {refused}");
}
