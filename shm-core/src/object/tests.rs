//! Whatever order objects of all sizes die in, an operation has room for it in the log, and all of it
//! comes back.

use proptest::prelude::*;

use crate::options::SegmentOptions;
use crate::segment::Segment;
use crate::value::Value;

/// A list of texts, lists and dicts whose blocks are of many classes.
fn part(seg: &Segment, seed: usize) -> Value {
    let text = |bytes: usize| Value::from("t".repeat(8 + bytes % 500));
    let numbers = |count: usize| (0..count % 60).map(|n| n as i64);
    let of_kind = |kind: usize, seed: usize| match kind % 4 {
        0 => text(seed * 37),
        1 => Value::from(seg.list_of(numbers(seed)).unwrap()),
        2 => Value::from(seg.dict(numbers(seed / 3).map(|n| (n, n))).unwrap()),
        _ => Value::from(seg.list_of([text(seed * 11), text(seed * 5)]).unwrap()),
    };
    Value::from(seg.list_of((0..seed % 9).map(|n| of_kind(seed + n, seed * 7 + n * 13))).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 10))]

    /// Blocks of each class are spread over many pages and die in any order, by a handle that goes, by
    /// another value in their place, and with the container that they are in.
    #[test]
    fn what_dies_comes_back(seed in any::<u32>(), ways in proptest::collection::vec(0..3_u8, 64)) {
        let seg = Segment::create_anonymous(SegmentOptions::new().size(32 << 20)).unwrap();
        let all = seg.list([]).unwrap();
        seg.root().set("all", &all).unwrap();
        let before = seg.stats().unwrap().taken;
        let count = 600;
        for number in 0..count {
            all.push(part(&seg, number)).unwrap();
        }
        // Any order: multiples of an odd number, modulo a prime.
        let prime = 601;
        let step = 1 + seed as usize % 599;
        for (number, way) in (1..prime).zip(ways.iter().cycle()) {
            let index = number * step % prime - 1;
            match way {
                0 => all.set(index, 0).unwrap(),
                1 => {
                    let handle = all.get(index).unwrap();
                    all.set(index, 0).unwrap();
                    drop(handle);
                }
                _ => all.set(index, part(&seg, index + 1)).unwrap(),
            }
        }
        let report = seg.check().unwrap();
        prop_assert!(report.is_sound(), "{:#?}", report.findings);
        prop_assert_eq!(report.garbage, 0);
        all.clear().unwrap();
        let report = seg.check().unwrap();
        prop_assert!(report.is_sound(), "{:#?}", report.findings);
        // The list's own block may stay larger.
        let after = seg.stats().unwrap().taken;
        prop_assert!(after <= before + 16 * count as u64, "{before} bytes taken, then {after}");
    }
}
