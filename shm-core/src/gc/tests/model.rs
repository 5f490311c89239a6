//! Random graphs of lists, dicts and tuples: what lives after a collection is what a model reaches.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{LONG, segment};
use crate::dict::Dict;
use crate::error::Error;
use crate::gc::ahead::look_ahead;
use crate::gc::collect_after;
use crate::list::List;
use crate::value::Value;

/// One change of a random graph.
#[derive(Clone, Debug)]
enum Edit {
    List,
    Dict,
    Link(usize, usize),
    LinkByTuple(usize, usize),
    Unlink(usize),
    Drop(usize),
    Root(usize),
    Unroot(usize),
    LookAhead,
    Collect,
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let node = || 0_usize..24;
    let edit = prop_oneof![
        2 => Just(Edit::List),
        2 => Just(Edit::Dict),
        6 => (node(), node()).prop_map(|(a, b)| Edit::Link(a, b)),
        2 => (node(), node()).prop_map(|(a, b)| Edit::LinkByTuple(a, b)),
        2 => node().prop_map(Edit::Unlink),
        4 => node().prop_map(Edit::Drop),
        2 => node().prop_map(Edit::Root),
        1 => node().prop_map(Edit::Unroot),
        1 => Just(Edit::LookAhead),
        1 => Just(Edit::Collect),
    ];
    proptest::collection::vec(edit, 1..80)
}

/// A node that this process holds.
enum Handle {
    List(List),
    Dict(Dict),
}

impl Handle {
    fn value(&self) -> Value {
        match self {
            Handle::List(list) => list.into(),
            Handle::Dict(dict) => dict.into(),
        }
    }

    fn id(&self) -> u64 {
        match self {
            Handle::List(list) => list.id(),
            Handle::Dict(dict) => dict.id(),
        }
    }
}

#[derive(Default)]
struct Model {
    /// What each node refers to, in order.
    children: BTreeMap<u64, Vec<u64>>,
    rooted: BTreeSet<u64>,
}

impl Model {
    fn reachable(&self, held: impl Iterator<Item = u64>) -> BTreeSet<u64> {
        let mut seen = BTreeSet::new();
        let mut stack: Vec<u64> = held.chain(self.rooted.iter().copied()).collect();
        while let Some(id) = stack.pop() {
            if seen.insert(id) {
                stack.extend(self.children.get(&id).into_iter().flatten());
            }
        }
        seen
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 5 / 8, ..ProptestConfig::default() })]

    #[test]
    fn what_lives_after_a_collection_is_what_the_model_reaches(edits in edits()) {
        let seg = segment(8 << 20);
        let mut handles: Vec<Handle> = Vec::new();
        let mut model = Model::default();
        let mut keys = 0_i64;
        let mut ahead = None;
        let pick = |handles: &[Handle], index: usize| {
            if handles.is_empty() { None } else { Some(index % handles.len()) }
        };
        for edit in edits.into_iter().chain([Edit::Collect]) {
            match edit {
                Edit::List => handles.push(Handle::List(seg.list_of([LONG])?)),
                Edit::Dict => handles.push(Handle::Dict(seg.dict([(LONG, LONG)])?)),
                Edit::Link(from, to) | Edit::LinkByTuple(from, to) => {
                    let (Some(from), Some(to)) = (pick(&handles, from), pick(&handles, to)) else {
                        continue;
                    };
                    let target = handles[to].value();
                    let target = match edit {
                        Edit::LinkByTuple(..) => Value::Tuple(vec![LONG.into(), target]),
                        _ => target,
                    };
                    keys += 1;
                    match &handles[from] {
                        Handle::List(list) => list.push(target)?,
                        Handle::Dict(dict) => drop(dict.insert(keys, target)?),
                    }
                    let to = handles[to].id();
                    model.children.entry(handles[from].id()).or_default().push(to);
                }
                Edit::Unlink(from) => {
                    let Some(from) = pick(&handles, from) else { continue };
                    let children = model.children.entry(handles[from].id()).or_default();
                    if children.pop().is_some() {
                        match &handles[from] {
                            Handle::List(list) => drop(list.pop()?),
                            Handle::Dict(dict) => drop(dict.pop_item()?),
                        }
                    }
                }
                Edit::Drop(index) => {
                    if let Some(index) = pick(&handles, index) {
                        handles.swap_remove(index);
                    }
                }
                Edit::Root(index) => {
                    if let Some(index) = pick(&handles, index) {
                        let id = handles[index].id();
                        seg.root().set(id, handles[index].value())?;
                        model.rooted.insert(id);
                    }
                }
                Edit::Unroot(index) => {
                    if let Some(id) = model.rooted.iter().nth(index).copied() {
                        seg.root().remove(id)?;
                        model.rooted.remove(&id);
                    }
                }
                Edit::LookAhead => ahead = Some(look_ahead(&seg.heap().0.memory)?),
                Edit::Collect => {
                    let live = model.reachable(handles.iter().map(Handle::id));
                    if let Some(ahead) = ahead.take() {
                        // What became garbage since may stay, until it is collected below.
                        prop_assert!(collect_after(seg.heap(), ahead)?.live >= live.len() as u64 + 3);
                        let report = seg.check()?;
                        prop_assert!(report.is_sound(), "{:#?}", report.findings);
                    }
                    // Root, names and messages are live as well.
                    prop_assert_eq!(seg.gc()?.live, live.len() as u64 + 3);
                    let report = seg.check()?;
                    prop_assert!(report.is_sound(), "{:#?}", report.findings);
                    prop_assert_eq!(report.garbage, 0);
                    let known: BTreeSet<u64> = model.children.keys().copied().collect();
                    for id in known.difference(&live) {
                        let gone = matches!(seg.object(*id), Err(Error::Closed { .. }));
                        prop_assert!(gone, "{:#x} lives", id);
                        model.children.remove(id);
                    }
                    for id in &live {
                        prop_assert!(seg.object(*id).is_ok(), "{:#x} is gone", id);
                    }
                }
            }
        }
    }
}
