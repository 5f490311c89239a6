//! Blocks and pins: taking, giving back, growing the file, counting, dying.

use shm::layout::{PAGE_BYTES, page_kind};
use shm::{Error, List, Result, Segment, Value};

use super::{not_a, subject, text};
use crate::operation::{self, Operation, State};

/// A block of whole pages.
const RUN: usize = 40_000;

/// Pages of the file that nobody has.
fn free_pages(segment: &Segment) -> Result<u64> {
    let geometry = operation::geometry();
    let io = |source| Error::Io { what: "read the segment's file".to_owned(), source };
    let path = segment.path().unwrap_or_default();
    let image = std::fs::read(path).map_err(io)?;
    let pages = (image.len() as u64).saturating_sub(geometry.data_at) / PAGE_BYTES;
    let (mut page, mut free) = (0, 0);
    while page < pages {
        let at = geometry.entry_at(page) as usize;
        let word = image.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        let what = word.map_or(0, u64::from_le_bytes);
        free += u64::from(what & 0xFF == page_kind::FREE);
        page += if what & 0xFF == page_kind::RUN { what >> 32 } else { 1 };
    }
    Ok(free)
}

/// A list whose block is large enough for all that is pushed here.
fn roomy_list(segment: &Segment) -> Result<List> {
    let list = segment.list([])?;
    list.reserve(100)?;
    subject(segment, &list)?;
    Ok(list)
}

/// The file has no free page left, so that the next page makes it grow.
fn brim_full(segment: &Segment) -> Result<Value> {
    let list = roomy_list(segment)?;
    while free_pages(segment)? > 0 {
        list.push(segment.bytearray(&vec![1; RUN])?)?;
    }
    Ok(Value::List(list))
}

/// The ceiling is reached, but for small blocks such as a survivor's few pins need.
fn at_the_ceiling(segment: &Segment) -> Result<Value> {
    let list = roomy_list(segment)?;
    for bytes in [20, 100, 480, 1000, 2000] {
        block(bytes)(segment)?;
        segment.root().remove("block")?;
    }
    loop {
        match segment.bytearray(&vec![1; RUN]).and_then(|bytes| list.push(bytes)) {
            Ok(()) => {}
            Err(Error::SegmentFull { .. }) => return Ok(Value::List(list)),
            Err(error) => return Err(error),
        }
    }
}

/// Blocks of which three fill a page: a full page, and one with room.
fn few_per_page(segment: &Segment) -> Result<Value> {
    let list = roomy_list(segment)?;
    for _ in 0..4 {
        list.push(vec![1; 20_000])?;
    }
    Ok(Value::List(list))
}

/// Two such pages with room for one block each.
fn pages_with_room(segment: &Segment) -> Result<Value> {
    let list = roomy_list(segment)?;
    for _ in 0..6 {
        list.push(vec![1; 20_000])?;
    }
    list.set(0, 1)?;
    list.set(3, 1)?;
    Ok(Value::List(list))
}

/// A dict of two references to one list of texts.
fn tree(segment: &Segment) -> Result<Value> {
    let leafs = segment.list_of((0..20).map(text))?;
    subject(segment, segment.dict([("a", Value::from(&leafs)), ("b", Value::from(&leafs))])?)?;
    Ok(Value::None)
}

/// Lists in lists, a hundred deep.
fn deep(segment: &Segment) -> Result<Value> {
    let mut inner = segment.list_of([text(0)])?;
    for _ in 0..30 {
        inner = segment.list_of([inner])?;
    }
    subject(segment, &inner)?;
    Ok(Value::None)
}

/// Many objects in a list, none of which is pinned.
fn many(segment: &Segment) -> Result<Value> {
    let items: Result<Vec<Value>> =
        (0..40).map(|number| segment.list_of([number]).map(Value::from)).collect();
    subject(segment, segment.list_of(items?)?)
}

fn with_list(subject: &Value, f: impl FnOnce(&List) -> Result<()>) -> Result<()> {
    match subject {
        Value::List(list) => f(list),
        other => Err(not_a("list", other)),
    }
}

/// What goes through queues: a small dict with text and small containers.
fn message(segment: &Segment) -> Result<Value> {
    let parts = [
        ("text", Value::from(text(1))),
        ("tags", Value::from(segment.list_of([1, 2])?)),
        ("who", Value::from(segment.dict([("name", "x"), ("of", "y")])?)),
        ("empty", Value::from(segment.list([])?)),
        ("more", Value::from(segment.list_of([text(2)])?)),
    ];
    subject(segment, segment.dict(parts)?)
}

/// A table of pins for thousands, with a few pins left in it: of the list, of objects in it, and of some that nothing
/// else holds. These lie behind where a small table ends.
fn few_of_many_pins(segment: &Segment) -> Result<Value> {
    let list = segment.list([])?;
    for _ in 0..2_100 {
        list.push(segment.list([])?)?;
    }
    subject(segment, &list)?;
    let mut pinned = list.to_vec()?;
    // They get their places, and those that are kept lose their other references.
    (0..8).try_for_each(|index| list.set(index * 100, 0))?;
    let mut kept: Vec<Value> = (0..8).map(|index| pinned.swap_remove(index * 100)).collect();
    drop(pinned);
    kept.push(list.into());
    Ok(Value::Tuple(kept))
}

fn pinned_object(segment: &Segment) -> Result<Value> {
    Ok(Value::from(segment.list_of((0..5).map(text))?))
}

/// An object of the size class that has no page yet.
fn block(bytes: usize) -> impl Fn(&Segment) -> Result<()> {
    move |segment| segment.root().insert("block", vec![1_u8; bytes]).map(drop)
}

const EMPTY: State = |_| Ok(Value::None);

/// An object of each kind, and what it is called.
const KINDS: &[(&str, State)] = &[
    ("list", |s| subject(s, s.list_of((0..60).map(text))?)),
    ("dict", |s| subject(s, s.dict((0..20).map(|n| (text(n), text(n))))?)),
    ("set", |s| subject(s, s.set((0..20).map(text))?)),
    ("bytearray", |s| subject(s, s.bytearray(&[1; 300])?)),
    ("empty list", |s| subject(s, s.list([])?)),
];

/// Freeing by hand.
fn frees() -> Vec<Operation> {
    let free = |(kind, state): &(&str, State)| {
        Operation::new(format!("free by hand | {kind}"), *state, |segment, subject| {
            segment.free(subject)
        })
        .surviving(|segment| segment.root().remove("x").map(drop))
    };
    KINDS.iter().map(free).collect()
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = frees();
    all.extend(blocks_and_pins());
    all
}

fn blocks_and_pins() -> Vec<Operation> {
    vec![
        Operation::new("take a block of a new class | room", EMPTY, |s, _| block(700)(s)),
        Operation::new("take a run of pages | room", EMPTY, |s, _| block(RUN)(s)),
        Operation::new("take a block of a new class | no free page", brim_full, |s, _| {
            block(700)(s)
        }),
        Operation::new("take a run of pages | no free page", brim_full, |s, _| block(RUN)(s)),
        Operation::new("take a run of pages | at the ceiling", at_the_ceiling, |s, _| {
            block(3 * RUN)(s)
        }),
        Operation::new("free a run | at the ceiling", at_the_ceiling, |_, subject| {
            with_list(subject, |list| list.pop().map(drop))
        }),
        Operation::new("free and take a run | at the ceiling", at_the_ceiling, |_, subject| {
            with_list(subject, |list| list.set(0, text(1)))
        }),
        Operation::new("free a block of a full page | another with room", few_per_page, {
            |_, subject| with_list(subject, |list| list.set(0, 1))
        }),
        Operation::new("free the only block of a page | another full", few_per_page, {
            |_, subject| with_list(subject, |list| list.set(3, 1))
        }),
        Operation::new("free the last block of a page | another with room", few_per_page, {
            |_, subject| with_list(subject, |list| list.del_slice(Some(0), Some(3), None))
        }),
        Operation::new("fill a page | one full", few_per_page, |_, subject| {
            with_list(subject, |list| list.extend([vec![1; 20_000], vec![2; 20_000]]))
        }),
        Operation::new("fill a page | another with room", pages_with_room, |_, subject| {
            with_list(subject, |list| list.push(vec![1; 20_000]))
        }),
        Operation::new("drop a tree | two references to one list", tree, |segment, _| {
            segment.root().remove("x").map(drop)
        }),
        Operation::new("drop a tree | a chain of lists", deep, |segment, _| {
            segment.root().remove("x").map(drop)
        }),
        Operation::new("drop a message | small containers in a dict", message, |segment, _| {
            segment.root().remove("x").map(drop)
        }),
        Operation::new("replace a message | small containers in a dict", message, |segment, _| {
            segment.root().set("x", text(9))
        }),
        Operation::new("replace the parts of a message | small containers in a dict", message, {
            |_, subject| match subject {
                Value::Dict(dict) => dict.update([("tags", text(8)), ("who", text(9))]),
                other => Err(not_a("dict", other)),
            }
        }),
        Operation::new("replace a tree | a chain of lists", deep, |segment, _| {
            segment.root().insert("x", segment.dict([("new", text(1))])?).map(drop)
        }),
        Operation::new("make an object | nothing", EMPTY, |segment, _| {
            let inner = segment.list_of([Value::from(text(1)), Value::from(2.5)])?;
            segment.root().insert("y", &inner).map(drop)
        }),
        Operation::new("make an object and drop it | nothing", EMPTY, |segment, _| {
            segment.dict([("a", segment.list_of([text(1)])?)]).map(drop)
        }),
        Operation::new("pin objects, the table grows | 40 objects", many, |_, subject| {
            with_list(subject, |list| {
                let pinned = list.to_vec()?;
                list.clear()?;
                drop(pinned);
                Ok(())
            })
        }),
        // The end of any operation under the whole lock moves the pins that are left to a smaller table.
        Operation::new(
            "take a block, the table of pins shrinks | few of many",
            few_of_many_pins,
            |s, _| block(700)(s),
        ),
        Operation::new("unpin objects | 40 objects", many, |segment, subject| {
            with_list(subject, |list| {
                let pinned = list.chunk(0, 9)?;
                segment.root().remove("x")?;
                drop(pinned);
                Ok(())
            })
        }),
        Operation::new("pin an object that nothing refers to | pinned list", pinned_object, {
            |segment, subject| segment.root().insert("y", subject.clone()).map(drop)
        }),
        Operation::new("one more reference | dict of objects", tree, |segment, _| {
            let Some(Value::Dict(dict)) = segment.root().get("x")? else { return Ok(()) };
            let inner = dict.get("a")?.unwrap_or(Value::None);
            segment.root().insert("y", inner).map(drop)
        }),
    ]
}
