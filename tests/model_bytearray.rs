//! Random operations on a shared bytearray give what they give on a `Vec`.

use proptest::prelude::*;
use shm::{ByteArray, Segment, SegmentOptions};

#[derive(Clone, Debug)]
enum Op {
    Push(u8),
    Pop,
    Set(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Extend(Vec<u8>),
    Splice(usize, usize, Vec<u8>),
    DeleteEvery(i64),
    Reverse,
    Repeat(usize),
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..50);
    prop_oneof![
        4 => any::<u8>().prop_map(Op::Push),
        4 => Just(Op::Pop),
        3 => (0_usize..200, any::<u8>()).prop_map(|(at, byte)| Op::Set(at, byte)),
        3 => (0_usize..200, any::<u8>()).prop_map(|(at, byte)| Op::Insert(at, byte)),
        3 => (0_usize..200).prop_map(Op::Remove),
        3 => bytes().prop_map(Op::Extend),
        4 => (0_usize..200, 0_usize..60, bytes())
            .prop_map(|(at, removed, bytes)| Op::Splice(at, removed, bytes)),
        1 => (2_i64..5).prop_map(Op::DeleteEvery),
        1 => Just(Op::Reverse),
        1 => (0_usize..4).prop_map(Op::Repeat),
        1 => Just(Op::Clear),
    ]
}

fn apply(array: &ByteArray, model: &mut Vec<u8>, op: Op) -> Result<(), TestCaseError> {
    match op {
        Op::Push(byte) => {
            array.push(byte)?;
            model.push(byte);
        }
        Op::Pop => prop_assert_eq!(array.pop()?, model.pop()),
        Op::Set(at, byte) => match model.get_mut(at) {
            Some(there) => {
                array.set(at, byte)?;
                *there = byte;
            }
            None => prop_assert!(array.set(at, byte).is_err()),
        },
        Op::Insert(at, byte) => {
            array.insert(at, byte)?;
            model.insert(at.min(model.len()), byte);
        }
        Op::Remove(at) if at < model.len() => prop_assert_eq!(array.remove(at)?, model.remove(at)),
        Op::Remove(at) => prop_assert!(array.remove(at).is_err()),
        Op::Extend(bytes) => {
            array.extend(&bytes)?;
            model.extend(bytes);
        }
        Op::Splice(at, removed, bytes) => {
            let at = at.min(model.len());
            let end = (at + removed).min(model.len());
            array.set_slice(Some(at as i64), Some(end as i64), None, &bytes)?;
            model.splice(at..end, bytes);
        }
        Op::DeleteEvery(step) => {
            array.del_slice(None, None, Some(step))?;
            let mut at = 0;
            model.retain(|_| {
                at += 1;
                (at - 1) % step != 0
            });
        }
        Op::Reverse => {
            array.reverse()?;
            model.reverse();
        }
        Op::Repeat(count) => {
            array.repeat(count)?;
            *model = model.repeat(count);
        }
        Op::Clear => {
            array.clear()?;
            model.clear();
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 3 / 8, ..ProptestConfig::default() })]

    #[test]
    fn bytearray_equals_vec(ops in prop::collection::vec(op(), 1..80)) {
        let segment = Segment::create_anonymous(SegmentOptions::new().size(64 << 20))?;
        let array = segment.bytearray(b"start")?;
        let mut model = b"start".to_vec();
        for op in ops {
            apply(&array, &mut model, op)?;
            if model.len() > 10_000 {
                array.clear()?;
                model.clear();
            }
            prop_assert_eq!(array.to_vec()?, model.clone());
            prop_assert_eq!(array.len()?, model.len());
            prop_assert_eq!(array.get(model.len() / 2)?, model.get(model.len() / 2).copied());
        }
        let report = segment.check()?;
        prop_assert!(report.is_sound(), "{:#?}", report.findings);
    }
}
