//! Random operations on a shared dict and set give what they give on an `IndexMap` and an
//! `IndexSet`, whichever equal form a key takes, and leave the segment sound.

use indexmap::{IndexMap, IndexSet};
use proptest::prelude::*;
use shm::{Dict, Error, Segment, SegmentOptions, Set, Value};

/// What makes two keys equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Same {
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
    Pair(i64, String),
    Members(i64, String),
    Nothing,
}

type Key = (Same, Value);

#[allow(clippy::cast_precision_loss, reason = "at most 32 bits")]
fn float(number: i64) -> Value {
    Value::Float(number as f64)
}

fn key() -> impl Strategy<Value = Key> {
    let number = || prop_oneof![5 => -20_i64..20, 1 => any::<i32>().prop_map(i64::from)];
    let text = || prop_oneof!["[ab]{0,3}", "[ab]{20,22}"];
    prop_oneof![
        4 => (number(), 0..3_u8).prop_map(|(number, form)| {
            let value = match (form, number) {
                (0, 0 | 1) => Value::Bool(number == 1),
                (1, _) => float(number),
                _ => Value::Int(number),
            };
            (Same::Number(number), value)
        }),
        3 => text().prop_map(|text| (Same::Text(text.clone()), text.into())),
        1 => text().prop_map(|text| {
            (Same::Bytes(text.clone().into_bytes()), text.into_bytes().into())
        }),
        1 => (number(), text(), any::<bool>()).prop_map(|(number, text, as_float)| {
            let first = if as_float { float(number) } else { number.into() };
            (Same::Pair(number, text.clone()), (first, text).into())
        }),
        1 => (number(), text(), any::<bool>()).prop_map(|(number, text, turned)| {
            let mut members = vec![Value::Int(number), Value::from(text.as_str())];
            if turned {
                members.reverse();
            }
            (Same::Members(number, text), Value::FrozenSet(members))
        }),
        1 => Just((Same::Nothing, Value::None)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,30}".prop_map(Value::from),
        prop::collection::vec("[a-z]{9,12}".prop_map(Value::from), 0..40).prop_map(Value::Tuple),
    ]
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Key, Value),
    Set(Key, Value),
    Remove(Key),
    Get(Key),
    GetOrInsert(Key, Value),
    CompareExchange(Key, Value),
    Add(Key, i64),
    PopItem,
    PopFirst,
    Update(Vec<(Key, Value)>),
    ReplaceAll(Vec<(Key, Value)>),
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    let entries = || prop::collection::vec((key(), value()), 0..80);
    prop_oneof![
        8 => (key(), value()).prop_map(|(key, value)| Op::Insert(key, value)),
        8 => (key(), value()).prop_map(|(key, value)| Op::Set(key, value)),
        8 => key().prop_map(Op::Remove),
        4 => key().prop_map(Op::Get),
        2 => (key(), value()).prop_map(|(key, value)| Op::GetOrInsert(key, value)),
        2 => (key(), value()).prop_map(|(key, value)| Op::CompareExchange(key, value)),
        2 => (key(), any::<i64>()).prop_map(|(key, delta)| Op::Add(key, delta)),
        4 => Just(Op::PopItem),
        4 => Just(Op::PopFirst),
        2 => entries().prop_map(Op::Update),
        1 => entries().prop_map(Op::ReplaceAll),
        1 => Just(Op::Clear),
    ]
}

type Model = IndexMap<Same, (Value, Value)>;

/// As Python: a known key keeps its first form and its place.
fn put(model: &mut Model, (same, key): Key, value: Value) -> Option<Value> {
    if let Some((_, old)) = model.get_mut(&same) {
        return Some(std::mem::replace(old, value));
    }
    model.insert(same, (key, value));
    None
}

fn apply(dict: &Dict, model: &mut Model, op: Op) -> Result<(), TestCaseError> {
    match op {
        Op::Insert(key, value) => {
            prop_assert_eq!(dict.insert(&key.1, &value)?, put(model, key, value));
        }
        Op::Set(key, value) => {
            dict.set(&key.1, &value)?;
            put(model, key, value);
        }
        Op::Remove((same, key)) => {
            let expected = model.shift_remove(&same).map(|(_, value)| value);
            prop_assert_eq!(dict.remove(&key)?, expected);
        }
        Op::Get((same, key)) => {
            let expected = model.get(&same).map(|(_, value)| value.clone());
            prop_assert_eq!(dict.contains_key(&key)?, expected.is_some());
            prop_assert_eq!(dict.get(&key)?, expected);
        }
        Op::GetOrInsert(key, value) => {
            let expected = match model.get(&key.0) {
                Some((_, old)) => old.clone(),
                None => value.clone(),
            };
            prop_assert_eq!(dict.get_or_insert(&key.1, &value)?, expected);
            model.entry(key.0).or_insert((key.1, value));
        }
        Op::CompareExchange(key, value) => {
            let old = model.get(&key.0).map(|(_, old)| old.clone());
            prop_assert!(!dict.compare_exchange(&key.1, Some(&"never there".into()), 1)?);
            prop_assert!(dict.compare_exchange(&key.1, old.as_ref(), &value)?);
            put(model, key, value);
        }
        Op::Add(key, delta) => match model.get(&key.0) {
            Some((_, old)) if !matches!(old, Value::Int(_) | Value::BigInt(_)) => {
                prop_assert!(dict.add(&key.1, delta).is_err());
            }
            old => {
                let old = old.map_or(Value::Int(0), |(_, old)| old.clone());
                let sum = old.add(&delta.into())?;
                prop_assert_eq!(dict.add(&key.1, delta)?, sum.clone());
                put(model, key, sum);
            }
        },
        Op::PopItem => {
            prop_assert_eq!(dict.pop_item()?, model.pop().map(|(_, entry)| entry));
        }
        Op::PopFirst => {
            prop_assert_eq!(dict.pop_first()?, model.shift_remove_index(0).map(|(_, entry)| entry));
        }
        Op::Update(entries) => {
            dict.update(entries.iter().map(|((_, key), value)| (key, value)))?;
            for (key, value) in entries {
                put(model, key, value);
            }
        }
        Op::ReplaceAll(entries) => {
            dict.replace_all(entries.iter().map(|((_, key), value)| (key, value)))?;
            model.clear();
            for (key, value) in entries {
                put(model, key, value);
            }
        }
        Op::Clear => {
            dict.clear()?;
            model.clear();
        }
    }
    Ok(())
}

#[derive(Clone, Debug)]
enum SetOp {
    Add(Key),
    Remove(Key),
    Contains(Key),
    Pop,
    Update(Vec<Key>),
    Intersect(Vec<Key>),
    Subtract(Vec<Key>),
    Toggle(Vec<Key>),
    Clear,
}

fn set_op() -> impl Strategy<Value = SetOp> {
    let keys = || prop::collection::vec(key(), 0..60);
    prop_oneof![
        8 => key().prop_map(SetOp::Add),
        6 => key().prop_map(SetOp::Remove),
        4 => key().prop_map(SetOp::Contains),
        3 => Just(SetOp::Pop),
        3 => keys().prop_map(SetOp::Update),
        1 => keys().prop_map(SetOp::Intersect),
        2 => keys().prop_map(SetOp::Subtract),
        2 => keys().prop_map(SetOp::Toggle),
        1 => Just(SetOp::Clear),
    ]
}

fn apply_to_set(set: &Set, model: &mut IndexSet<Same>, op: SetOp) -> Result<(), TestCaseError> {
    let values = |keys: &[Key]| keys.iter().map(|(_, key)| key.clone()).collect::<Vec<_>>();
    match op {
        SetOp::Add((same, key)) => prop_assert_eq!(set.add(&key)?, model.insert(same)),
        SetOp::Remove((same, key)) => prop_assert_eq!(set.remove(&key)?, model.shift_remove(&same)),
        SetOp::Contains((same, key)) => {
            prop_assert_eq!(set.contains(&key)?, model.contains(&same));
        }
        SetOp::Pop => prop_assert_eq!(set.pop()?.is_some(), model.pop().is_some()),
        SetOp::Update(keys) => {
            set.update(values(&keys))?;
            model.extend(keys.into_iter().map(|(same, _)| same));
        }
        SetOp::Intersect(keys) => {
            set.intersection_update(values(&keys))?;
            model.retain(|same| keys.iter().any(|(other, _)| other == same));
        }
        SetOp::Subtract(keys) => {
            set.difference_update(values(&keys))?;
            model.retain(|same| keys.iter().all(|(other, _)| other != same));
        }
        SetOp::Toggle(keys) => {
            set.symmetric_difference_update(values(&keys))?;
            let others: IndexSet<Same> = keys.into_iter().map(|(same, _)| same).collect();
            *model = &*model ^ &others;
        }
        SetOp::Clear => {
            set.clear()?;
            model.clear();
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn dict_equals_index_map(ops in prop::collection::vec(op(), 1..120)) {
        let segment = Segment::create_anonymous(SegmentOptions::new().size(64 << 20))?;
        let dict = segment.dict([("", 0_i64); 0])?;
        segment.root().set("dict", &dict)?;
        let mut model = Model::new();
        for op in ops {
            apply(&dict, &mut model, op)?;
            prop_assert_eq!(dict.len()?, model.len());
            let entries: Vec<_> = model.values().cloned().collect();
            prop_assert_eq!(dict.to_vec()?, entries);
        }
        let iterated: Result<Vec<_>, Error> = dict.iter().collect();
        prop_assert_eq!(iterated?, model.values().cloned().collect::<Vec<_>>());
        for (key, value) in model.values() {
            let found = dict.get(key)?;
            prop_assert_eq!(found.as_ref(), Some(value));
        }
        let (last, _) = dict.previous_keys(dict.last_cursor()?, 1)?;
        prop_assert_eq!(last.first(), model.last().map(|(_, (key, _))| key));
        let report = segment.check()?;
        prop_assert!(report.is_sound(), "{:#?}", report.findings);
        dict.clear()?;
        let report = segment.check()?;
        prop_assert!(report.is_sound(), "{:#?}", report.findings);
        prop_assert!(report.blocks < 20, "{} blocks are left", report.blocks);
    }

    #[test]
    fn set_equals_index_set(ops in prop::collection::vec(set_op(), 1..120)) {
        let segment = Segment::create_anonymous(SegmentOptions::new().size(64 << 20))?;
        let set = segment.set(["x"; 0])?;
        segment.root().set("set", &set)?;
        let mut model = IndexSet::new();
        for op in ops {
            apply_to_set(&set, &mut model, op)?;
            prop_assert_eq!(set.len()?, model.len());
        }
        let iterated: Result<Vec<_>, Error> = set.iter().collect();
        prop_assert_eq!(iterated?.len(), model.len());
        let report = segment.check()?;
        prop_assert!(report.is_sound(), "{:#?}", report.findings);
        set.clear()?;
        prop_assert!(segment.check()?.blocks < 20);
    }
}
