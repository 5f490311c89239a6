//! Nonsense in the segment: every operation of every container returns, whatever it finds.

use crate::bytearray::ByteArray;
use crate::check;
use crate::dict::Dict;
use crate::flavour::ListFlavour;
use crate::gc;
use crate::give_back;
use crate::heap::Heap;
use crate::layout::{header, page_kind, process, thread};
use crate::list::List;
use crate::ndarray::{Array, DType};
use crate::options::SegmentOptions;
use crate::primitive::Ordering;
use crate::record::Record;
use crate::schema::Schema;
use crate::scratch::heap;
use crate::segment::Segment;
use crate::set::Set;
use crate::value::extended::{Decimal, EnumMember, TimeDelta};
use crate::value::{Extended, Value};

const LONG: &str = "a text that does not fit into a cell";

/// A decimal of the standard library's.
fn decimal(number: u64) -> Value {
    Decimal::parse(&format!("{number}.0000001")).unwrap().into()
}

/// A member of an enum.
fn member(number: u64) -> Value {
    let (class, name) = ("some.module:Color".to_owned(), Some(format!("RED{number}")));
    EnumMember { class, name, value: number.into(), is_value: number.is_multiple_of(2) }.into()
}

/// Small, fast, repeatable.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = self.0 ^ (self.0 >> 29);
        word.wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ (word >> 32)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

struct Zoo {
    heap: Heap,
    list: List,
    dict: Dict,
    set: Set,
    array: ByteArray,
    numbers: Array,
}

impl Zoo {
    fn new() -> Self {
        let heap = heap(4 << 20);
        let bounded = ListFlavour::Deque { maxlen: Some(70) };
        let list = List::empty_as(&heap, bounded).unwrap();
        list.extend(0..20).unwrap();
        let dict = Dict::new(&heap, (0..20).map(|number| (number, number))).unwrap();
        let set = Set::new(&heap, 0..20).unwrap();
        let array = ByteArray::new(&heap, &[7; 100]).unwrap();
        let dtype = DType::described("[('x', '<f8')]", 8).unwrap();
        let numbers = Array::zeros(&heap, dtype, &[5, 6]).unwrap();
        for number in 0_u64..20 {
            list.push(format!("{LONG} {number}")).unwrap();
            list.push((number, (LONG, 1e300), u128::MAX)).unwrap();
            dict.set(format!("{LONG} {number}"), (number, LONG)).unwrap();
            set.add(format!("{LONG} {number}")).unwrap();
            set.add(decimal(number)).unwrap();
            dict.set(member(number), Value::from(TimeDelta::new(1, 1))).unwrap();
        }
        list.push(&dict).unwrap();
        dict.set("list", List::new(&heap, [1, 2]).unwrap()).unwrap();
        dict.set("numbers", &numbers).unwrap();
        Zoo { heap, list, dict, set, array, numbers }
    }

    /// Overwrites a word of one of the containers, of their blocks, or anywhere in their pages.
    fn scribble(&self, random: &mut Random) {
        let objects = [
            self.list.object().at(),
            self.dict.object().at(),
            self.set.object().at(),
            self.array.object().at(),
            self.numbers.object().at(),
        ];
        let object = objects[random.below(5) as usize];
        let at = match random.below(4) {
            // The type words.
            0 => object + 32 + random.below(4) * 8,
            // Into the block that the first of them names.
            1 | 2 => self.heap.load(object + 32).unwrap_or(0).wrapping_add(random.below(200) * 8),
            _ => (object & !0xFFFF) + random.below(0x4000) * 8,
        };
        let Ok(word) = self.heap.word(at & !7) else { return };
        let old = word.load(Ordering::Relaxed);
        let new = match random.below(7) {
            0 => random.next(),
            1 => random.below(64),
            2 => old ^ (1 << random.below(64)),
            3 => old.wrapping_add(random.below(9)).wrapping_sub(4),
            4 => self.heap.load(object & !0xFFFF | (random.below(0x2000) * 8)).unwrap_or(0),
            5 => u64::MAX,
            _ => object,
        };
        word.store(new, Ordering::Relaxed);
    }

    /// Everything there is; what comes out does not matter.
    fn use_all(&self, random: &mut Random) {
        let Zoo { list, dict, set, array, numbers, .. } = self;
        let index = random.below(70) as usize;
        let value = match random.below(6) {
            0 => Value::Int(random.below(40) as i64),
            1 => format!("{LONG} {}", random.below(20)).into(),
            2 => (1, LONG).into(),
            3 => decimal(random.below(20)),
            4 => member(random.below(20)),
            _ => "short".into(),
        };
        let bound = Some(random.below(100) as i64 - 50);
        let _ = (list.len(), list.get(index), list.get_int(index), list.get_cell(index));
        let _ = (list.to_vec(), list.chunk(index, 9), list.slice(bound, None, Some(-2)));
        let _ = (list.index_of(&value, 0, 99), list.count(&value), list.iter().take(999).count());
        let _ = (list.set(index, &value), list.set_int(index, 5), list.add(index, 1));
        let _ = (list.push(&value), list.pop(), list.push_front(&value), list.pop_front());
        let _ = (list.insert(index, &value), list.remove(index), list.swap(index, 0));
        let _ = (list.extend([1, 2]), list.set_slice(bound, bound, None, vec![value.clone()]));
        let _ = (list.del_slice(bound, bound, Some(2)), list.reverse(), list.sort());
        let _ = (list.remove_value(&value), list.compare_exchange(index, &value, 1));
        let _ = (list.flavour(), list.maxlen(), list.rotate(random.below(9) as i64 - 4));
        let _ = (list.push_bounded(&value), list.push_front_bounded(&value), list.shape());
        let _ = (list.insert_bounded(index, &value), list.extend_bounded(vec![value.clone()]));
        let _ = list.extend_front_bounded(vec![value.clone(), 1.into()]);
        let _ = (dict.len(), dict.get(&value), dict.get_int(3), dict.to_vec(), dict.version());
        let _ = (dict.set(&value, 1), dict.insert(&value, LONG), dict.add(index, 1));
        let _ = (dict.remove(&value), dict.pop_item(), dict.pop_first(), dict.set(index, index));
        let _ = (dict.iter().take(999).count(), dict.update([(1, LONG), (77, LONG)]));
        let _ = (dict.move_to_end(&value, true), dict.move_to_end(index, false));
        let _ = (dict.flavour(), dict.class(), dict.set_factory(crate::Factory::Int));
        let _ = (dict.get_or_insert(index, LONG), dict.compare_exchange(index, None, 1));
        let _ = (set.len(), set.contains(&value), set.add(&value), set.remove(&value), set.pop());
        let _ = (set.to_vec(), set.update([1, 99]), set.difference_update([1, 2]));
        let _ = (set.symmetric_difference_update([3, 99]), set.iter().take(999).count());
        let _ = (array.len(), array.get(index), array.set(index, 1), array.push(1), array.pop());
        let _ = (array.to_vec(), array.insert(index, 1), array.remove(index), array.extend(b"abc"));
        let _ = (array.set_slice(bound, bound, None, b"xyz"), array.reverse());
        let _ = (numbers.bits(index), numbers.set_bits(index, [7, 7]), numbers.notify());
        let _ = (numbers.read_bytes(index, &mut [0; 99]), numbers.write_bytes(index, &[1; 99]));
        if let Ok(Some(Value::Array(again))) = dict.get("numbers") {
            let all = again.nbytes().min(1 << 20);
            let _ =
                (again.read_bytes(0, &mut vec![0; all]), again.shape().len(), again == *numbers);
        }
        if random.below(20) == 0 {
            let _ = (list.repeat(2), list.clear(), dict.clear(), set.clear(), array.clear());
        }
        let _ = format!("{list:?} {dict:?} {set:?} {array:?}");
    }

    /// What walks everything.
    fn look_at_all(&self) {
        let report = check::check(&self.heap);
        assert!(!report.is_ok_and(|report| report.findings.len() > 101), "findings are bounded");
        let _ = gc::collect(&self.heap);
    }
}

#[test]
fn no_content_panics_or_hangs() {
    // More, for a long run: SHM_ROUNDS=100000.
    let rounds = std::env::var("SHM_ROUNDS").ok().and_then(|text| text.parse().ok());
    for seed in 0..rounds.unwrap_or(150) {
        let mut random = Random(seed);
        let zoo = Zoo::new();
        for _ in 0..12 {
            for _ in 0..=random.below(3) {
                zoo.scribble(&mut random);
            }
            zoo.use_all(&mut random);
            zoo.look_at_all();
        }
    }
}

/// A segment with everything in it, roots and structs included.
fn everything() -> Segment {
    let seg = Segment::create_anonymous(SegmentOptions::new().size(4 << 20)).unwrap();
    let schema = Schema::parse("h.S{ok:bool,c:char,n:?i64,label:str,l:?list,any:value}").unwrap();
    for number in 0..8 {
        let list = seg.list_of([Value::from(number), LONG.into(), (1, LONG).into()]).unwrap();
        let dict = seg.dict([(LONG, Value::from(&list)), ("x", 1e300.into())]).unwrap();
        let set = seg.set([Value::from(LONG), (2, LONG).into(), u128::MAX.into()]).unwrap();
        let slice = Extended::Slice([(&list).into(), decimal(1), Value::None]);
        list.extend([Value::from(slice), decimal(2), member(3)]).unwrap();
        let frozen = Value::FrozenSet(vec![1.into(), LONG.into()]);
        let fields = [true.into(), 'x'.into(), 7.into(), LONG.into(), Value::None, frozen];
        let record = Record::create(seg.heap(), &schema, &fields).unwrap();
        list.extend([Value::from(&list), (&dict).into(), (&set).into(), (&record).into()]).unwrap();
        if number % 2 == 0 {
            seg.root().set(number, &list).unwrap();
        }
        seg.put_message(&dict).unwrap();
    }
    // Held by this thread, whom nothing keeps out.
    seg.turn("x").unwrap().acquire_raw(None).unwrap();
    seg.rlock("a lock that has a long name").unwrap().acquire_raw(None).unwrap();
    seg.semaphore("s", 9).unwrap().acquire_raw(None).unwrap();
    seg.rwlock("rw").unwrap().acquire_read(None).unwrap();
    seg.root().lock().unwrap().acquire_raw(None).unwrap();
    let numbers = seg.array::<f32>(&[3, 4]).unwrap();
    seg.root().set("numbers", &numbers).unwrap();
    seg.root().set("large", seg.array::<i8>(&[200_000]).unwrap()).unwrap();
    seg.root().set("freed", seg.array::<i8>(&[9]).unwrap()).unwrap();
    if let Some(freed) = seg.root().get("freed").unwrap() {
        let other = freed.clone();
        seg.free(&freed).unwrap();
        drop(other);
    }
    seg.root().set("raw", seg.bytearray(&vec![7; 300_000]).unwrap()).unwrap();
    seg
}

/// Overwrites a word that means something: of the header, the slots, the directory, a data page.
fn mutate(seg: &Segment, random: &mut Random) {
    let memory = &seg.heap().0.memory;
    let geometry = memory.geometry;
    let pages = memory.pages().unwrap();
    let page = geometry.page_at(random.below(pages.clamp(1, 16)));
    let at = match random.below(8) {
        // Not what says how the segment is mapped, nor the lock, which must be free to go on.
        0 => header::GRAVEYARD + random.below(88) * 8,
        1 => geometry.process_at(0) + process::PINS + random.below(2) * 8,
        2 => geometry.entry_at(random.below(pages.max(1))) + random.below(8) * 8,
        3 => geometry.thread_at(0) + thread::UNPINNING,
        4 => page + random.below(256) * 8,
        _ => page + random.below(0x2000) * 8,
    };
    let Ok(word) = memory.any_word(at) else { return };
    let old = word.load(Ordering::Relaxed);
    let other = memory.load(page + random.below(512) * 8).unwrap_or(0);
    let new = match random.below(8) {
        0 => random.next(),
        1 => random.below(64),
        2 => old ^ (1 << random.below(64)),
        3 => old.wrapping_add(random.below(9)).wrapping_sub(4),
        4 => other,
        5 => u64::MAX,
        6 => page | (random.below(0x1000) * 16),
        _ => random.below(1 << 32) << 32,
    };
    word.store(new, Ordering::Relaxed);
}

#[test]
fn checker_and_collector_end_over_any_image() {
    let rounds = std::env::var("SHM_ROUNDS").ok().and_then(|text| text.parse().ok());
    for seed in 0..rounds.unwrap_or(150) {
        let mut random = Random(seed ^ 0x5EED);
        let seg = everything();
        // Closing may fail half-way in what is left of it: its name goes now.
        std::fs::remove_file(seg.path().unwrap()).unwrap();
        for _ in 0..8 {
            for _ in 0..=random.below(3) {
                mutate(&seg, &mut random);
            }
            let report = seg.check();
            assert!(!report.is_ok_and(|report| report.findings.len() > 101), "seed {seed}");
            let _ = if random.below(4) == 0 { seg.audit().map(drop) } else { seg.gc().map(drop) };
            let _ = give_back::give_back(seg.heap(), 1, true);
            let _ = seg.stats();
            let _ = seg.try_root().and_then(|root| root.get(2));
        }
    }
}

/// Makes some pages holes, or says more or less of those that are, or of how many there are.
fn mark(seg: &Segment, random: &mut Random) {
    let memory = &seg.heap().0.memory;
    let number = random.below(memory.pages().unwrap() + 2);
    let length = match random.below(4) {
        0 => 0,
        1 => random.below(64),
        2 => u64::from(u32::MAX),
        _ => memory.pages().unwrap().saturating_sub(number),
    };
    let (at, value) = match random.below(8) {
        0 => (header::HOLES, random.next()),
        1 => (header::HOLES, random.below(100)),
        2 => (header::FIRST_FREE_PAGE, random.below(100)),
        3 => (header::COMMITTED, memory.geometry.page_at(random.below(40))),
        4 => (memory.geometry.entry_at(number), page_kind::FREE),
        _ => (memory.geometry.entry_at(number), page_kind::HOLE | (length << 32)),
    };
    memory.meta(at).unwrap().store(value, Ordering::Relaxed);
}

#[test]
fn marks_of_holes_may_say_anything() {
    let rounds = std::env::var("SHM_ROUNDS").ok().and_then(|text| text.parse().ok());
    let snapshot = std::env::temp_dir().join(format!("shm-marks-{}", std::process::id()));
    for seed in 0..rounds.unwrap_or(30) {
        let mut random = Random(seed ^ 0x401E5);
        let seg = everything();
        seg.root().set("first", vec![1_u8; 2 << 20]).unwrap();
        seg.root().set("last", vec![3_u8; 300_000]).unwrap();
        seg.root().remove("first").unwrap();
        assert!(give_back::give_back(seg.heap(), 1, true).unwrap() > 0);
        for round in 0..6 {
            for _ in 0..=random.below(3) {
                mark(&seg, &mut random);
            }
            for readonly in [false, true] {
                let options = SegmentOptions::new().readonly(readonly);
                if let Ok(other) = Segment::attach(seg.name(), options) {
                    let _ = other.try_root().and_then(|root| root.get("last"));
                    let _ = (other.stats(), other.close());
                }
            }
            if random.below(2) == 0 && seg.snapshot(&snapshot).is_ok() {
                let name = format!("{}-{round}", seg.name());
                let _ = Segment::restore(&snapshot, &name, SegmentOptions::new());
                let _ = crate::registry::unlink(&name);
            }
            let _ = give_back::give_back(seg.heap(), 1, true);
            let bytes = vec![round as u8; random.below(2 << 20) as usize];
            let _ = seg.try_root().and_then(|root| root.set(round, bytes));
            let _ = seg.try_root().and_then(|root| root.get("last"));
            let _ = if random.below(4) == 0 { seg.audit().map(drop) } else { seg.gc().map(drop) };
            assert!(!seg.check().is_ok_and(|report| report.findings.len() > 101), "seed {seed}");
        }
        let _ = std::fs::remove_file(seg.path().unwrap());
        let _ = std::fs::remove_file(&snapshot);
    }
}
