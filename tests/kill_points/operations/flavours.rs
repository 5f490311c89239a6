//! What lists and dicts are besides: made with it, a deque that is full, a defaultdict's missing key,
//! an entry that moves.

use shm::{DictFlavour, Factory, ListFlavour, Result, Segment, Value};

use super::{not_a, subject, text};
use crate::operation::{Change, Operation, State, cross};

/// Of texts, from both ends, so that there is room at both.
fn deque(segment: &Segment, items: i64, maxlen: Option<u64>) -> Result<Value> {
    let list = segment.deque([], maxlen)?;
    for number in 0..items {
        list.push_front_bounded(text(number))?;
    }
    subject(segment, list)
}

/// Of ints, as full as it gets, in a block with room.
fn last_ints(segment: &Segment) -> Result<Value> {
    let list = segment.deque([], Some(4))?;
    list.reserve(10)?;
    for number in 0..6 {
        list.push_bounded(number)?;
    }
    subject(segment, list)
}

/// Whose first cell is far up in its block, so that the next append moves all of them down.
fn shifted(segment: &Segment) -> Result<Value> {
    let list = segment.deque([], Some(3))?;
    list.reserve(8)?;
    for number in 0..8 {
        list.push_bounded(text(number))?;
    }
    subject(segment, list)
}

const DEQUES: &[(&str, State)] = &[
    ("empty deque", |s| deque(s, 0, Some(5))),
    ("deque of texts, full", |s| deque(s, 5, Some(5))),
    ("deque of texts, any number", |s| deque(s, 6, None)),
    ("deque of ints, full", last_ints),
    ("shifted deque, full", shifted),
    ("deque of 100 texts, full", |s| deque(s, 100, Some(100))),
];

macro_rules! steps {
    ($kind:ident: $($name:literal: $it:ident, $segment:ident => $step:expr;)*) => {
        &[$(($name, |$segment, subject| {
            let Value::$kind($it) = subject else { return Err(not_a("container", subject)) };
            let _ = $segment;
            $step.map(drop)
        })),*]
    };
}

const DEQUE_STEPS: &[(&str, Change)] = steps! { List:
    "deque append text": list, s => list.push_bounded(text(70));
    "deque append int": list, s => list.push_bounded(70);
    "deque append list": list, s => list.push_bounded(s.list_of([text(1)])?);
    "deque append left": list, s => list.push_front_bounded(text(70));
    "deque insert": list, s => list.insert_bounded(1, text(70));
    "deque extend": list, s => list.extend_bounded((70..73).map(text).map(Value::from).collect());
    "deque extend left": list, s => {
        list.extend_front_bounded((70..73).map(text).map(Value::from).collect())
    };
    "deque repeat": list, s => list.repeat(2);
    "deque rotate right": list, s => list.rotate(1);
    "deque rotate left": list, s => list.rotate(-2);
};

fn ordered(segment: &Segment, count: i64) -> Result<Value> {
    let dict = segment.dict_as::<Value, Value>(DictFlavour::OrderedDict, [])?;
    for number in 0..count {
        dict.insert(format!("a longer key, number {number}"), text(number))?;
    }
    subject(segment, dict)
}

const DICTS: &[(&str, State)] = &[
    ("ordered dict of 3 texts", |s| ordered(s, 3)),
    ("ordered dict of 5 texts, full", |s| ordered(s, 5)),
];

const DICT_STEPS: &[(&str, Change)] = steps! { Dict:
    "move to end": dict, s => dict.move_to_end("a longer key, number 0", true);
    "move to front": dict, s => dict.move_to_end("a longer key, number 2", false);
};

/// A defaultdict of lists, whose missing key a survivor finds with a list or not at all.
fn lists(segment: &Segment) -> Result<Value> {
    let flavour = DictFlavour::DefaultDict(Factory::List);
    let dict = segment.dict_as(flavour, [("there", segment.list_of([text(1)])?)])?;
    subject(segment, dict)
}

fn counts(count: i64) -> Vec<(Value, Value)> {
    (0..count).map(|number| (text(number).into(), 1.into())).collect()
}

/// Of texts, full, so that one more makes it grow.
fn counter(segment: &Segment) -> Result<Value> {
    subject(segment, segment.dict_as(DictFlavour::Counter, counts(5))?)
}

/// Whatever is under "new" is what it was made as.
fn kinds_are_whole(segment: &Segment) -> Result<()> {
    let whole = match segment.root().get("new")? {
        Some(Value::List(list)) => {
            list.flavour()? == ListFlavour::Deque { maxlen: Some(2) } && list.len()? == 2
        }
        Some(Value::Dict(dict)) => {
            dict.flavour()? == DictFlavour::Object && dict.class()?.is_some() && dict.len()? == 3
        }
        other => other.is_none(),
    };
    if whole { Ok(()) } else { Err(not_a("whole object", &Value::from(segment.root()))) }
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = cross(DEQUES, DEQUE_STEPS);
    all.extend(cross(DICTS, DICT_STEPS));
    all.extend(cross(
        &[("defaultdict of lists", lists)],
        steps! { Dict:
            "missing": dict, s => match Factory::List.make(s)? {
                Some(list) => dict.get_or_insert("missing", list),
                None => Err(not_a("factory", &Value::None)),
            };
            "other factory": dict, s => dict.set_factory(Factory::Int);
        },
    ));
    all.extend(cross(
        &[("counter of 5", counter)],
        steps! { Dict:
            "add to 3 counts": dict, s => dict.add_all(&counts(3));
            "add to 7 counts": dict, s => dict.add_all(&counts(7));
            "add to 12 counts": dict, s => dict.add_all(&counts(12));
            "replace counts": dict, s => dict.replace_all_if_unchanged(dict.sequence()?, counts(2));
        },
    ));
    all.push(
        Operation::new(
            "make a deque | nothing",
            |s| subject(s, 0),
            |segment, _| {
                let items = (0..3).map(|number| Value::from(text(number)));
                segment.root().set("new", segment.deque(items, Some(2))?)
            },
        )
        .surviving(kinds_are_whole),
    );
    all.push(
        Operation::new(
            "make an instance | nothing",
            |s| subject(s, 0),
            |segment, _| {
                let attributes = vec![("x".into(), 1.into()), ("y".into(), text(2).into())];
                segment.root().set("new", segment.instance("geometry:Point", attributes)?)
            },
        )
        .surviving(kinds_are_whole),
    );
    all
}
