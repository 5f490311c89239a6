//! Random operations on a shared list give what they give on a `Vec`, and leave the segment sound.

use proptest::prelude::*;
use shm::{Error, List, Segment, SegmentOptions, Value};

#[derive(Clone, Debug)]
enum Op {
    Push(Value),
    PushFront(Value),
    Pop,
    PopFront,
    Insert(usize, Value),
    Remove(usize),
    Set(usize, Value),
    Add(usize, i64),
    CompareExchange(usize, Value),
    Swap(usize, usize),
    Extend(Vec<Value>),
    Truncate(usize),
    SetSlice(Option<i64>, Option<i64>, Option<i64>, Vec<Value>),
    DelSlice(Option<i64>, Option<i64>, Option<i64>),
    Reverse,
    Repeat(usize),
    Sort,
    RemoveValue(Value),
    Clear,
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-5_i64..5).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<i128>().prop_map(Value::from),
        1 => (-1e80_f64..1e80).prop_map(Value::from),
        1 => Just(Value::None),
        1 => any::<bool>().prop_map(Value::from),
        2 => "[a-z]{0,7}".prop_map(Value::from),
        2 => "[a-z]{8,40}".prop_map(Value::from),
        1 => prop::collection::vec(any::<u8>(), 0..30).prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(2, 60, 30, |inner| {
        prop::collection::vec(inner, 0..30).prop_map(Value::Tuple)
    })
}

fn bound() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![Just(None), (-100_i64..100).prop_map(Some)]
}

fn step() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![3 => Just(None), 1 => prop_oneof![-4_i64..0, 1_i64..4].prop_map(Some)]
}

fn op() -> impl Strategy<Value = Op> {
    let values = || prop::collection::vec(leaf(), 0..80);
    prop_oneof![
        6 => value().prop_map(Op::Push),
        3 => value().prop_map(Op::PushFront),
        3 => Just(Op::Pop),
        3 => Just(Op::PopFront),
        4 => (0_usize..300, value()).prop_map(|(at, value)| Op::Insert(at, value)),
        3 => (0_usize..300).prop_map(Op::Remove),
        4 => (0_usize..300, value()).prop_map(|(at, value)| Op::Set(at, value)),
        1 => (0_usize..300, any::<i64>()).prop_map(|(at, delta)| Op::Add(at, delta)),
        1 => (0_usize..300, value()).prop_map(|(at, value)| Op::CompareExchange(at, value)),
        1 => (0_usize..300, 0_usize..300).prop_map(|(a, b)| Op::Swap(a, b)),
        3 => values().prop_map(Op::Extend),
        1 => (0_usize..200).prop_map(Op::Truncate),
        4 => (bound(), bound(), step(), values())
            .prop_map(|(start, stop, step, values)| Op::SetSlice(start, stop, step, values)),
        2 => (bound(), bound(), step())
            .prop_map(|(start, stop, step)| Op::DelSlice(start, stop, step)),
        1 => Just(Op::Reverse),
        1 => (0_usize..4).prop_map(Op::Repeat),
        1 => Just(Op::Sort),
        1 => leaf().prop_map(Op::RemoveValue),
        1 => Just(Op::Clear),
    ]
}

/// The positions of a slice, as Python's reference computes them.
fn positions(start: Option<i64>, stop: Option<i64>, step: Option<i64>, len: usize) -> Vec<usize> {
    let (len, step) = (len as i64, step.unwrap_or(1));
    let clamp = |bound: Option<i64>, default: i64| match bound {
        None => default,
        Some(bound) if bound < 0 => (bound + len).max(if step < 0 { -1 } else { 0 }),
        Some(bound) => bound.min(if step < 0 { len - 1 } else { len }),
    };
    let mut at = clamp(start, if step < 0 { len - 1 } else { 0 });
    let end = clamp(stop, if step < 0 { -1 } else { len });
    let mut out = Vec::new();
    while if step < 0 { at > end } else { at < end } {
        out.push(at as usize);
        at += step;
    }
    out
}

#[allow(clippy::too_many_lines, reason = "one arm per operation")]
fn apply(list: &List, model: &mut Vec<Value>, op: Op) -> Result<(), TestCaseError> {
    match op {
        Op::Push(value) => {
            list.push(&value)?;
            model.push(value);
        }
        Op::PushFront(value) => {
            list.push_front(&value)?;
            model.insert(0, value);
        }
        Op::Pop => prop_assert_eq!(list.pop()?, model.pop()),
        Op::PopFront => {
            let expected = (!model.is_empty()).then(|| model.remove(0));
            prop_assert_eq!(list.pop_front()?, expected);
        }
        Op::Insert(at, value) => {
            list.insert(at, &value)?;
            model.insert(at.min(model.len()), value);
        }
        Op::Remove(at) if at < model.len() => {
            prop_assert_eq!(list.remove(at)?, model.remove(at));
        }
        Op::Remove(at) => {
            let refused = matches!(list.remove(at), Err(Error::IndexOutOfRange { .. }));
            prop_assert!(refused);
        }
        Op::Set(at, value) if at < model.len() => {
            list.set(at, &value)?;
            model[at] = value;
        }
        Op::Set(at, value) => {
            let refused = matches!(list.set(at, value), Err(Error::IndexOutOfRange { .. }));
            prop_assert!(refused);
        }
        Op::Add(at, delta) => {
            if let Some(old) = model.get_mut(at) {
                match old.add(&delta.into()) {
                    Ok(sum) => {
                        prop_assert_eq!(list.add(at, delta)?, sum.clone());
                        *old = sum;
                    }
                    Err(_) => prop_assert!(list.add(at, delta).is_err()),
                }
            }
        }
        Op::CompareExchange(at, value) => {
            if at < model.len() {
                prop_assert!(!list.compare_exchange(at, &"never there".into(), 1)?);
                prop_assert!(list.compare_exchange(at, &model[at], &value)?);
                model[at] = value;
            }
        }
        Op::Swap(a, b) => {
            if a < model.len() && b < model.len() {
                list.swap(a, b)?;
                model.swap(a, b);
            }
        }
        Op::Extend(values) => {
            list.extend(values.clone())?;
            model.extend(values);
        }
        Op::Truncate(len) => {
            list.truncate(len)?;
            model.truncate(len);
        }
        Op::SetSlice(start, stop, None | Some(1), values) => {
            list.set_slice(start, stop, None, values.clone())?;
            let places = positions(start, stop, None, model.len());
            let first = match places.first() {
                Some(first) => *first,
                None => positions(start, None, None, model.len())
                    .first()
                    .copied()
                    .unwrap_or(model.len()),
            };
            model.splice(first..first + places.len(), values);
        }
        Op::SetSlice(start, stop, step, mut values) => {
            let places = positions(start, stop, step, model.len());
            if values.len() < places.len() {
                prop_assert!(list.set_slice(start, stop, step, values).is_err());
                return Ok(());
            }
            values.truncate(places.len());
            list.set_slice(start, stop, step, values.clone())?;
            for (at, value) in places.into_iter().zip(values) {
                model[at] = value;
            }
        }
        Op::DelSlice(start, stop, step) => {
            list.del_slice(start, stop, step)?;
            let places = positions(start, stop, step, model.len());
            let mut at = 0;
            model.retain(|_| {
                at += 1;
                !places.contains(&(at - 1))
            });
        }
        Op::Reverse => {
            list.reverse()?;
            model.reverse();
        }
        Op::Repeat(count) => {
            if model.len() * count < 1000 {
                list.repeat(count)?;
                *model = std::iter::repeat_n(model.clone(), count).flatten().collect();
            }
        }
        Op::Sort => {
            let key = |value: &Value| value.as_int();
            list.sort_by(|a, b| Ok(key(a).cmp(&key(b))))?;
            model.sort_by_key(key);
        }
        Op::RemoveValue(value) => {
            let place = model.iter().position(|item| *item == value);
            prop_assert_eq!(list.index_of(&value, 0, usize::MAX)?, place);
            prop_assert_eq!(list.remove_value(&value)?, place.is_some());
            if let Some(at) = place {
                model.remove(at);
            }
        }
        Op::Clear => {
            list.clear()?;
            model.clear();
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 3 / 8, ..ProptestConfig::default() })]

    #[test]
    fn list_equals_vec(ops in prop::collection::vec(op(), 1..60), probe in (bound(), bound(), step())) {
        let segment = Segment::create_anonymous(SegmentOptions::new().size(64 << 20))?;
        let list = segment.list_of([0_i64; 0])?;
        segment.root().set("list", &list)?;
        let mut model = Vec::new();
        for op in ops {
            apply(&list, &mut model, op)?;
            prop_assert_eq!(list.len()?, model.len());
            prop_assert_eq!(&list.to_vec()?, &model);
        }
        let iterated: Result<Vec<Value>, Error> = list.iter().collect();
        prop_assert_eq!(&iterated?, &model);
        let (start, stop, step) = probe;
        let expected: Vec<Value> =
            positions(start, stop, step, model.len()).into_iter().map(|at| model[at].clone()).collect();
        prop_assert_eq!(list.slice(start, stop, step)?, expected);
        for (at, item) in model.iter().enumerate() {
            let found = list.get(at)?;
            prop_assert_eq!(found.as_ref(), Some(item));
        }
        let report = segment.check()?;
        prop_assert!(report.is_sound(), "{:#?}", report.findings);
        list.clear()?;
        let report = segment.check()?;
        prop_assert!(report.is_sound(), "{:#?}", report.findings);
        prop_assert!(report.blocks < 20, "{} blocks are left", report.blocks);
    }
}
