//! Random operations on a shared deque give what they give on a `VecDeque`, in transactions that are
//! undone too; random moves in a dict give what they give on a vector of entries.

use std::collections::VecDeque;

use proptest::prelude::*;
use shm::{DictFlavour, Error, List, Segment, SegmentOptions, Value};

#[derive(Clone, Debug)]
enum Op {
    Push(Value),
    PushFront(Value),
    Pop,
    PopFront,
    Insert(usize, Value),
    Extend(Vec<Value>),
    ExtendFront(Vec<Value>),
    Rotate(i64),
    Remove(usize),
    Repeat(usize),
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-5_i64..5).prop_map(Value::from),
        2 => "[a-z]{8,40}".prop_map(Value::from),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let values = || prop::collection::vec(leaf(), 0..90);
    prop_oneof![
        6 => leaf().prop_map(Op::Push),
        6 => leaf().prop_map(Op::PushFront),
        2 => Just(Op::Pop),
        2 => Just(Op::PopFront),
        3 => (0_usize..100, leaf()).prop_map(|(at, value)| Op::Insert(at, value)),
        2 => values().prop_map(Op::Extend),
        2 => values().prop_map(Op::ExtendFront),
        6 => (-200_i64..200).prop_map(Op::Rotate),
        3 => (-3_i64..4).prop_map(Op::Rotate),
        2 => (0_usize..100).prop_map(Op::Remove),
        1 => (0_usize..4).prop_map(Op::Repeat),
    ]
}

fn maxlen() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        1 => Just(None),
        3 => (0_u64..8).prop_map(Some),
        2 => (50_u64..200).prop_map(Some),
    ]
}

fn apply(list: &List, model: &mut VecDeque<Value>, maxlen: Option<u64>, op: Op) -> shm::Result<()> {
    let most = maxlen.map_or(usize::MAX, |most| most as usize);
    match op {
        Op::Push(value) => {
            list.push_bounded(&value)?;
            model.push_back(value);
        }
        Op::PushFront(value) => {
            list.push_front_bounded(&value)?;
            model.push_front(value);
            model.truncate(most);
        }
        Op::Pop => assert_eq!(list.pop()?, model.pop_back()),
        Op::PopFront => assert_eq!(list.pop_front()?, model.pop_front()),
        Op::Insert(at, value) => {
            let has_room = model.len() < most;
            assert_eq!(list.insert_bounded(at, &value)?, has_room);
            if has_room {
                model.insert(at.min(model.len()), value);
            }
        }
        Op::Extend(values) => {
            list.extend_bounded(values.clone())?;
            model.extend(values);
        }
        Op::ExtendFront(values) => {
            list.extend_front_bounded(values.clone())?;
            for value in values {
                model.push_front(value);
            }
            model.truncate(most);
        }
        Op::Rotate(steps) => {
            list.rotate(steps)?;
            if !model.is_empty() {
                model.rotate_right(steps.rem_euclid(model.len() as i64) as usize);
            }
        }
        Op::Repeat(times) => {
            list.repeat(times)?;
            let items = Vec::from(std::mem::take(model));
            *model = std::iter::repeat_n(items, times).flatten().collect();
        }
        Op::Remove(at) => match list.remove(at) {
            Ok(removed) => assert_eq!(Some(removed), model.remove(at)),
            Err(Error::IndexOutOfRange { .. }) => assert!(at >= model.len()),
            Err(error) => return Err(error),
        },
    }
    model.drain(..model.len().saturating_sub(most));
    Ok(())
}

fn segment() -> shm::Result<Segment> {
    Segment::create_anonymous(SegmentOptions::new().size(8 << 20))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn a_deque_is_a_deque(
        maxlen in maxlen(),
        first in prop::collection::vec(leaf(), 0..30),
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let seg = segment()?;
        let mut model: VecDeque<Value> = first.iter().cloned().collect();
        model.drain(..model.len().saturating_sub(maxlen.map_or(usize::MAX, |most| most as usize)));
        let list = seg.deque(first, maxlen)?;
        seg.root().set("deque", &list)?;
        for op in ops {
            apply(&list, &mut model, maxlen, op)?;
            prop_assert_eq!(list.to_vec()?, Vec::from(model.clone()));
        }
        prop_assert_eq!(list.maxlen()?, maxlen);
        prop_assert_eq!(seg.check()?.findings, Vec::<String>::new());
        drop(list);
        seg.root().clear()?;
        prop_assert!(seg.check()?.is_sound());
    }

    #[test]
    fn an_undone_transaction_leaves_a_deque_as_it_was(
        maxlen in maxlen(),
        before in prop::collection::vec(op(), 0..30),
        ops in prop::collection::vec(op(), 1..30),
        after in prop::collection::vec(op(), 1..10),
    ) {
        let seg = segment()?;
        let mut model = VecDeque::new();
        let list = seg.deque([], maxlen)?;
        for op in before {
            apply(&list, &mut model, maxlen, op)?;
        }
        let mut inside = model.clone();
        let transaction = seg.begin(None)?;
        for op in ops {
            apply(&list, &mut inside, maxlen, op)?;
            prop_assert_eq!(list.to_vec()?, Vec::from(inside.clone()));
        }
        drop(transaction);
        prop_assert_eq!(list.to_vec()?, Vec::from(model.clone()));
        for op in after {
            apply(&list, &mut model, maxlen, op)?;
            prop_assert_eq!(list.to_vec()?, Vec::from(model.clone()));
        }
        prop_assert_eq!(seg.check()?.findings, Vec::<String>::new());
    }

    #[test]
    fn counts_are_added_all_or_none(
        adds in prop::collection::vec((0_i64..40, 0_usize..30, any::<bool>(), any::<bool>()), 1..40),
    ) {
        let seg = segment()?;
        let dict = seg.dict_as::<Value, Value>(DictFlavour::Counter, [])?;
        let mut model = std::collections::BTreeMap::new();
        let key = |number: i64| Value::from(format!("a key that takes a block, {number}"));
        for (first, count, large, bad) in adds {
            let by = if large { i64::MAX } else { 1 };
            let numbers = first..first + count as i64;
            let mut deltas: Vec<(Value, Value)> =
                numbers.clone().map(|number| (key(number), by.into())).collect();
            if bad && let Some(last) = deltas.last_mut() {
                last.1 = "no number".into();
            }
            let known = model.contains_key(&(first + count as i64 - 1));
            if bad && count > 0 && known {
                prop_assert!(dict.add_all(&deltas).is_err());
            } else if bad {
                continue;
            } else {
                dict.add_all(&deltas)?;
                for number in numbers {
                    *model.entry(number).or_insert(0_i128) += i128::from(by);
                }
            }
            prop_assert_eq!(dict.len()?, model.len());
            for (number, count) in &model {
                prop_assert_eq!(dict.get(key(*number))?, Some(Value::from(*count)));
            }
        }
        prop_assert_eq!(seg.check()?.findings, Vec::<String>::new());
    }

    #[test]
    fn entries_move_to_either_end(
        moves in prop::collection::vec((0_i64..40, any::<bool>(), 0_u8..4), 1..200),
    ) {
        let seg = segment()?;
        let entries = (0..20_i64).map(|n| (n, format!("a text that takes a block, {n}")));
        let mut model: Vec<i64> = (0..20).collect();
        let dict = seg.dict_as(DictFlavour::OrderedDict, entries)?;
        for (key, last, what) in moves {
            if what == 0 {
                let removed = dict.remove(key)?.is_some();
                prop_assert_eq!(removed, model.contains(&key));
                model.retain(|other| *other != key);
                continue;
            }
            prop_assert_eq!(dict.move_to_end(key, last)?, model.contains(&key));
            if let Some(at) = model.iter().position(|other| *other == key) {
                model.remove(at);
                model.insert(if last { model.len() } else { 0 }, key);
            }
            let keys: Vec<Value> = dict.keys().collect::<shm::Result<_>>()?;
            prop_assert_eq!(keys, model.iter().map(|key| Value::from(*key)).collect::<Vec<_>>());
        }
        prop_assert_eq!(dict.flavour()?, DictFlavour::OrderedDict);
        prop_assert_eq!(seg.check()?.findings, Vec::<String>::new());
    }
}

#[test]
fn a_full_deque_needs_no_more_memory() -> shm::Result<()> {
    for maxlen in [1, 5, 100, 3000] {
        let seg = segment()?;
        let list = seg.deque([], Some(maxlen))?;
        for number in 0..maxlen * 3 {
            list.push_bounded(number)?;
        }
        let (block, _) = list.shape()?;
        for number in 0..maxlen * 5 {
            // In one store, and with a block of its own.
            list.push_bounded(number)?;
            list.push_bounded(format!("a text that takes a block, {number}"))?;
        }
        assert_eq!(list.shape()?.0, block, "of {maxlen}");
        assert_eq!(list.len()? as u64, maxlen);
        let report = seg.check()?;
        assert!(report.blocks <= maxlen + 10, "{report:?}");
        assert_eq!(report.findings, Vec::<String>::new());
    }
    Ok(())
}
