//! One damage of each kind, and the words that the checker has for it.

mod outside;

use crate::cell::{Cell, Kind, Offset};
use crate::dict::Dict;
use crate::dict::keys::{KEY, VALUE};
use crate::flavour::DictFlavour;
use crate::layout::{LEAF_DATA, header, keys, leaf, object};
use crate::list::List;
use crate::options::SegmentOptions;
use crate::primitive::Ordering;
use crate::record::Record;
use crate::schema::Schema;
use crate::segment::Segment;
use crate::value::Value;

const LONG: &str = "a text that takes a block";

fn segment() -> Segment {
    let seg = Segment::create_anonymous(SegmentOptions::new().size(4 << 20)).unwrap();
    assert_eq!(findings(&seg), Vec::<String>::new());
    seg
}

fn findings(seg: &Segment) -> Vec<String> {
    seg.check().unwrap().findings
}

fn load(seg: &Segment, at: Offset) -> u64 {
    let memory = &seg.heap().0.memory;
    let word = memory.meta(at).or_else(|_| memory.word(at)).unwrap();
    word.load(Ordering::Relaxed)
}

fn store(seg: &Segment, at: Offset, value: u64) {
    let memory = &seg.heap().0.memory;
    let word = memory.meta(at).or_else(|_| memory.word(at)).unwrap();
    word.store(value, Ordering::Relaxed);
}

/// Changes one word and expects these words; then puts it back and expects silence.
fn expect(seg: &Segment, at: Offset, value: u64, words: &[&str]) {
    let old = load(seg, at);
    assert_ne!(old, value, "no damage at {at:#x}");
    store(seg, at, value);
    let found = findings(seg);
    store(seg, at, old);
    assert!(
        found.iter().any(|finding| words.iter().all(|word| finding.contains(word))),
        "{words:?} not in {found:#?}"
    );
    assert_eq!(findings(seg), Vec::<String>::new(), "after the damage was undone");
}

/// `root['book']` is `{'bids': [...], 'n': 0}`.
fn book(seg: &Segment) -> (Dict, List) {
    let book = seg.dict([("n", 0)]).unwrap();
    let bids = seg.list_of([1, 2, 3]).unwrap();
    book.set("bids", &bids).unwrap();
    seg.root().set("book", &book).unwrap();
    (book, bids)
}

fn block_of(seg: &Segment, object_at: Offset) -> Offset {
    load(seg, object_at + object::W0)
}

/// The first entry of a dict or set.
fn entries_of(seg: &Segment, object_at: Offset) -> Offset {
    let block = block_of(seg, object_at);
    block + keys::entries_at(load(seg, block + keys::SHAPE))
}

#[test]
fn paths_are_those_of_a_user() {
    let seg = segment();
    let (_book, bids) = book(&seg);
    bids.set(2, (1, LONG)).unwrap();
    let tuple = Cell(load(&seg, block_of(&seg, bids.object().at()) + 16)).as_ref().unwrap();
    let text = Cell(load(&seg, tuple.at + LEAF_DATA + 8)).as_ref().unwrap();
    let meta = load(&seg, text.at);
    expect(&seg, text.at, meta + 7, &["root['book']['bids'][2][1] (str ", "has count 8, 1 cells"]);
    seg.put_message(LONG).unwrap();
    let messages = Cell(load(&seg, header::MESSAGES)).as_ref().unwrap();
    let message = Cell(load(&seg, block_of(&seg, messages.at))).as_ref().unwrap();
    expect(&seg, message.at + leaf::LEN, 9999, &["messages[0] (str ", "length 9999"]);
    let _turn = seg.turn("x").unwrap();
    let names = Cell(load(&seg, header::NAMES)).as_ref().unwrap();
    let tickets = Cell(load(&seg, entries_of(&seg, names.at) + VALUE)).as_ref().unwrap();
    let words = ["names['turn/x'] (bytearray ", "items in room for"];
    expect(&seg, tickets.at + object::W1, 9_000_000 << 32, &words);
    let pinned = seg.list_of([1]).unwrap();
    let me = format!("pinned by process {} (", std::process::id());
    let meta = load(&seg, pinned.object().at());
    expect(&seg, pinned.object().at(), meta + 1, &[&me, "has count 1, 0 cells"]);
    seg.root().set("a key of more than forty characters, which is cut", &pinned).unwrap();
    expect(
        &seg,
        pinned.object().at(),
        meta,
        &["root['a key of more than forty characters, whi...'] (list"],
    );
    let set = seg.set([LONG]).unwrap();
    let member = Cell(load(&seg, entries_of(&seg, set.object().at()) + KEY)).as_ref().unwrap();
    let meta = load(&seg, member.at);
    expect(&seg, member.at, meta + 1, &[" member 'a text that takes a block' (str"]);
}

#[test]
fn damaged_references_are_named() {
    let seg = segment();
    let (_book, bids) = book(&seg);
    let items = block_of(&seg, bids.object().at());
    let at = bids.object().at();
    let whom = "root['book']['bids'][1]";
    expect(&seg, items + 8, Cell::TOMBSTONE.0, &[whom, "is no value"]);
    expect(&seg, items + 8, 0xFFF0_0000_0000_0008, &[whom, "is no value"]);
    expect(&seg, items + 8, Cell::reference(Kind::List, 0x50, 0).0, &[whom, "0x50"]);
    let free = Cell::reference(Kind::List, at + 0x40, 0).0;
    expect(&seg, items + 8, free, &[whom, "which is freed"]);
    expect(&seg, items + 8, Cell::reference(Kind::Str, at, 0).0, &[whom, "others to it as"]);
    expect(&seg, items + 8, Cell::reference(Kind::Str, items, 0).0, &[whom, "meta word"]);
    expect(&seg, items + 8, u64::from(b'a') << 48 | 0b011 | (1 << 3), &[whom, "no short text"]);
    expect(&seg, items + 8, 0xFF << 8 | 0b011 | (1 << 3), &[whom, "no short text of 1 bytes"]);
    let root = load(&seg, header::ROOT);
    expect(&seg, header::ROOT, bids.cell().0, &["root: header word 448", "not a dict"]);
    expect(&seg, header::MESSAGES, root, &["messages: header word", "not a list"]);
}

#[test]
fn damaged_objects_are_named() {
    let seg = segment();
    let (book, bids) = book(&seg);
    let at = bids.object().at();
    let whom = "root['book']['bids'] (list ";
    let sequence = load(&seg, at + object::SEQ);
    // One that a reader would wait for; the check itself reads no object.
    expect(&seg, at + object::SEQ, sequence | 1, &[whom, "is odd between operations"]);
    let meta = load(&seg, at);
    expect(&seg, at, meta + 2, &[whom, "has count 3, 1 cells refer to it"]);
    expect(&seg, at, meta + (1 << 48), &["root['book']['bids']", "finds meta word"]);
    expect(&seg, at, meta | (1 << 40), &[whom, "is marked as dead"]);
    expect(&seg, at + object::W2, 1, &[whom, "0+3 items in room for 1"]);
    expect(&seg, at + object::W1, 9000 << 32, &[whom, "0+9000 items in room for"]);
    expect(&seg, at + object::W2, 9000, &[whom, "in room for 9000, the block holds"]);
    expect(&seg, at + object::W0, 0, &[whom, "3 items and no block"]);
    let items = block_of(&seg, at);
    expect(
        &seg,
        at + object::W0,
        0,
        &[&format!("block {items:#x} of 32 bytes"), "belongs to nothing"],
    );
    let other = block_of(&seg, book.object().at());
    expect(&seg, at + object::W0, other, &["its block", "belongs to", "too"]);
    expect(&seg, at + object::W3, 0x105, &[whom, "no flavour is 0x105"]);
    let deque = seg.deque([1.into()], Some(3)).unwrap();
    seg.root().set("deque", &deque).unwrap();
    let word = deque.object().at() + object::W3;
    expect(&seg, word, 0xFF, &["root['deque'] (list ", "no flavour is 0xff"]);
    let counter = seg.dict_as(DictFlavour::Counter, [("a", 1)]).unwrap();
    seg.root().set("counter", &counter).unwrap();
    let word = counter.object().at() + object::W3;
    expect(&seg, word, 0x103, &["root['counter'] (dict ", "no flavour is 0x103"]);
    expect(&seg, word, 0x1F01, &["root['counter'] (dict ", "no flavour is 0x1f01"]);
    store(&seg, word, 0x1F01);
    assert_eq!(counter.flavour().unwrap(), DictFlavour::Plain);
    store(&seg, word, DictFlavour::Counter.word());
    // What queues and topics keep in that word is no fault.
    let _queue = seg.queue("q", 7).unwrap();
    let topic = seg.topic("t", 9).unwrap();
    topic.publish(1).unwrap();
    assert_eq!(findings(&seg), Vec::<String>::new());
    let array = seg.bytearray(b"some bytes").unwrap();
    seg.root().set("raw", &array).unwrap();
    let whom = "root['raw'] (bytearray";
    expect(&seg, array.object().at() + object::W1, 99 << 32, &[whom, "0+99 items"]);
    expect(&seg, array.object().at() + object::W2, 99, &[whom, "in room for 99, the block holds"]);
}

#[test]
fn damaged_tables_are_named() {
    let seg = segment();
    let (book, _bids) = book(&seg);
    book.set("third", 3).unwrap();
    book.remove("third").unwrap();
    let at = book.object().at();
    let (block, entries) = (block_of(&seg, at), entries_of(&seg, at));
    let whom = "root['book'] (dict ";
    let hash = load(&seg, entries);
    expect(&seg, entries, hash ^ 1, &[whom, "entry 0 ('n') has hash"]);
    let key = Cell::short_str(b"bids").unwrap().0;
    expect(&seg, entries + KEY, key, &[whom, "entry 0 ('bids') has hash"]);
    expect(&seg, block + keys::COUNTS, 3 | (3 << 32), &[whom, "2 live entries", "say 3 of 3"]);
    expect(&seg, block + keys::COUNTS, 9 | (2 << 32), &[whom, "9 entries, room for 5"]);
    let shape = load(&seg, block + keys::SHAPE);
    expect(&seg, block + keys::SHAPE, shape + 1, &[whom, "room for 5 by shape"]);
    expect(&seg, block + keys::SHAPE, shape + (900 << 16), &[whom, "room for 905"]);
    expect(&seg, at + object::W2, 1, &[whom, "entry 0 ('n') lives, none below 1 should"]);
    expect(&seg, at + object::W2, 99, &[whom, "from 99 on"]);
    // The value of the deleted entry.
    expect(&seg, entries + 2 * 24 + VALUE, Cell::NONE.0, &[whom, "deleted entry 2 has value"]);
    // The slot of the first entry: emptied, of another tag, and out of range.
    let slot = hash & 7;
    let slots_at = block + keys::INDEX + (slot >> 1) * 8;
    let word = load(&seg, slots_at);
    let shift = (slot & 1) * 32;
    let lost = [whom, "entry 0 ('n') is not found through the index by its hash"];
    expect(&seg, slots_at, word & !(0xFFFF_FFFF << shift), &lost);
    expect(&seg, slots_at, word ^ (1 << (shift + 24)), &lost);
    let far = (word & !(0xFF_FFFF << shift)) | (77 << shift);
    expect(&seg, slots_at, far, &[whom, "leads to entry 76, there can be 5"]);
    // Two equal keys: the second entry becomes a copy of the first.
    store(&seg, entries + 24, hash);
    store(&seg, entries + 24 + KEY, load(&seg, entries + KEY));
    let found = findings(&seg).join("\n");
    assert!(found.contains("root['book'] (dict"), "{found}");
    assert!(found.contains("entries 0 and 1 have equal keys 'n'"), "{found}");
}

#[test]
fn damaged_leaves_are_named() {
    let seg = segment();
    let items: Vec<Value> = vec![
        LONG.into(),
        u64::MAX.into(),
        f64::MAX.into(),
        Value::Tuple(vec![1.into()]),
        Value::FrozenSet(vec![1.into(), 2.into(), LONG.into()]),
        Value::Bytes(LONG.as_bytes().to_vec()),
    ];
    let list = seg.list_of(items).unwrap();
    seg.root().set("x", &list).unwrap();
    let leaf_at = |index: u64| {
        let items = block_of(&seg, list.object().at());
        Cell(load(&seg, items + index * 8)).as_ref().unwrap().at
    };
    let (text, int, float) = (leaf_at(0), leaf_at(1), leaf_at(2));
    let (tuple, set, bytes) = (leaf_at(3), leaf_at(4), leaf_at(5));
    expect(&seg, text + leaf::LEN, 7000, &["root['x'][0] (str", "length 7000 is beyond the"]);
    expect(&seg, text + leaf::LEN, u64::MAX, &["root['x'][0] (str", "is beyond the"]);
    expect(&seg, text + leaf::LEN, 3, &["root['x'][0] (str", "3 bytes fit into a cell"]);
    let meta = load(&seg, text);
    let words = ["root['x'][0] (str", "its size class is 5, not 3"];
    expect(&seg, text, meta + (2 << 48), &words);
    let words = ["root['x'][3] (tuple", "its size class is 1, not none"];
    expect(&seg, tuple, load(&seg, tuple) | 2 << 48, &words);
    expect(&seg, text + leaf::HASH, 1, &["root['x'][0] (str", "third word is 0x1"]);
    expect(&seg, text + LEAF_DATA, u64::MAX, &["root['x'][0] (str", "25 bytes are no WTF-8"]);
    let last = load(&seg, text + LEAF_DATA + 24);
    expect(&seg, text + LEAF_DATA + 24, last | 1 << 63, &["root['x'][0] (str", "padding is not"]);
    let last = load(&seg, bytes + LEAF_DATA + 24);
    expect(&seg, bytes + LEAF_DATA + 24, last | 1 << 63, &["root['x'][5] (bytes", "padding"]);
    expect(&seg, int + LEAF_DATA, 5, &["root['x'][1] (int", "highest 0x5, is not normalised"]);
    expect(&seg, int + leaf::LEN, 0, &["root['x'][1] (int", "0 limbs"]);
    expect(&seg, float + LEAF_DATA, 1.5_f64.to_bits(), &["root['x'][2] (float", "1.5 of 8"]);
    expect(&seg, tuple + leaf::LEN, 0, &["root['x'][3] (tuple", "empty tuple takes no block"]);
    expect(&seg, tuple + leaf::LEN, 99, &["root['x'][3] (tuple", "length 99"]);
    let (one, two) = (load(&seg, set + LEAF_DATA), load(&seg, set + LEAF_DATA + 8));
    store(&seg, set + LEAF_DATA, two);
    store(&seg, set + LEAF_DATA + 8, one);
    let found = findings(&seg).join("\n");
    assert!(found.contains("root['x'][4] (frozenset") && found.contains("comes after"), "{found}");
    store(&seg, set + LEAF_DATA, one);
    store(&seg, set + LEAF_DATA + 8, two);
    expect(&seg, set + LEAF_DATA + 8, one, &["root['x'][4] (frozenset"]);
}

#[test]
fn damaged_structs_are_named() {
    let seg = segment();
    let schema = Schema::parse(
        "t.S{ok:bool,c:char,n:?i64,label:str,l:?list,d:dict,inner:t.I{flags:[bool;3],any:value}}",
    )
    .unwrap();
    let inner = Schema::parse("t.I{flags:[bool;3],any:value}").unwrap();
    let flags = Value::Tuple(vec![true.into(), false.into(), true.into()]);
    let inner = Record::create(seg.heap(), &inner, &[flags, LONG.into()]).unwrap();
    let values = [
        true.into(),
        'x'.into(),
        7.into(),
        LONG.into(),
        Value::None,
        (&seg.dict([(1, 2)]).unwrap()).into(),
        (&inner).into(),
    ];
    let record = Record::create(seg.heap(), &schema, &values).unwrap();
    seg.root().set("s", &record).unwrap();
    let value = seg.root().get("s").unwrap().unwrap();
    let at = value.object().unwrap().unwrap().at();
    let payload = block_of(&seg, at);
    let plain = payload + crate::payload::plain_start(schema.layout().cells) as u64;
    let place = |name: &str| schema.fields()[schema.index_of(name).unwrap()].place();
    let spot = |name: &str| plain + (place(name).plain as u64 & !7);
    let whom = "root['s'] (struct ";
    let bits = |name: &str, value: u64| {
        let shift = (place(name).plain as u64 & 7) * 8;
        (load(&seg, spot(name)) & !(0xFF << shift)) | (value << shift)
    };
    expect(&seg, spot("ok"), bits("ok", 2), &[whom, "field .ok holds 0x2, not 0 or 1"]);
    let surrogate = load(&seg, spot("c")) | (0xD8_0000 << ((place("c").plain as u64 & 7) * 8));
    expect(&seg, spot("c"), surrogate, &[whom, "field .c holds", "not a character"]);
    expect(&seg, spot("n"), bits("n", 9), &[whom, "field .n holds 0x9"]);
    expect(&seg, spot("inner"), bits("inner", 3), &[whom, "field .inner.flags[0] holds 0x3"]);
    let cell = |name: &str| payload + 8 + place(name).cells as u64 * 8;
    expect(&seg, cell("label"), Cell::NONE.0, &[whom, "field .label is", "not a str"]);
    expect(&seg, cell("l"), Cell::TRUE.0, &[whom, "field .l is", "not a list"]);
    expect(&seg, cell("d"), Cell::NONE.0, &[whom, "field .d is", "not a dict"]);
    let any = Cell(load(&seg, cell("inner"))).as_ref().unwrap();
    let meta = load(&seg, any.at);
    expect(&seg, any.at, meta + 1, &["root['s'].inner.any (str", "has count"]);
    expect(&seg, payload, 9999, &[whom, "9999 cells, the payload's block holds"]);
    expect(&seg, payload, 1, &[whom, "1 cells in", "\"t.S\" has 4"]);
    expect(&seg, at + object::W1, Cell::NONE.0, &[whom, "its schema", "is none that is stored"]);
    expect(&seg, at + object::W0, 0, &[whom, "it has no payload"]);
    // The stored schema itself.
    let entry = Cell(load(&seg, header::SCHEMAS)).as_ref().unwrap();
    let text = Cell(load(&seg, entry.at + LEAF_DATA + 16)).as_ref().unwrap();
    let word = load(&seg, text.at + LEAF_DATA);
    expect(&seg, text.at + LEAF_DATA, word ^ 0x20, &["schemas: "]);
    let previous = load(&seg, header::SCHEMAS);
    expect(&seg, entry.at + LEAF_DATA, previous, &["schemas: the chain has no end after"]);
}

#[test]
fn findings_beyond_the_limit_are_counted() {
    let seg = segment();
    let list = seg.list_of((0..300).map(|_| Value::from(LONG))).unwrap();
    seg.root().set("x", &list).unwrap();
    let items = block_of(&seg, list.object().at());
    for index in 0..300 {
        store(&seg, items + index * 8, Cell::UNSET.0);
    }
    let found = findings(&seg);
    assert_eq!(found.len(), super::MOST_FINDINGS + 1);
    assert_eq!(found.last().unwrap(), "and 500 more findings");
}

#[test]
fn cycles_are_garbage_and_no_fault() {
    let seg = segment();
    let list = seg.list_of([1]).unwrap();
    list.push(&list).unwrap();
    assert_eq!(seg.check().unwrap().garbage, 0);
    drop(list);
    let report = seg.check().unwrap();
    assert!(report.is_sound(), "{:#?}", report.findings);
    assert_eq!(report.garbage, 1);
}
