//! Equal values hash alike, order is Python's, and parts that make no value are refused.

use num_bigint::BigInt;
use proptest::prelude::*;

use super::*;
use crate::cell::Kind;
use crate::leaf::sequence;
use crate::list::List;
use crate::scratch::heap;
use crate::{check, hash};
use std::cmp::Ordering;

const KEY: hash::HashKey = [0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210];

fn decimal(text: &str) -> Value {
    Decimal::parse(text).unwrap().into()
}

fn fraction(above: i64, below: i64) -> Value {
    Fraction::new(above, below).unwrap().into()
}

fn numpy(dtype: &str, value: impl Into<Value>) -> Value {
    NumpyScalar { dtype: dtype.into(), value: value.into() }.into()
}

fn member(class: &str, name: &str, value: impl Into<Value>, is_value: bool) -> Value {
    let name = Some(name.to_owned());
    EnumMember { class: class.into(), name, value: value.into(), is_value }.into()
}

fn hashed(value: &Value) -> u64 {
    hash::value(KEY, value).unwrap()
}

fn moment(hour: i64, zone: impl Into<Option<Zone>>) -> Value {
    let date = Date { year: 2026, month: 3, day: 29 };
    let time = Time { micros: hour * 3_600_000_000, fold: false, zone: zone.into() };
    DateTime { date, time }.into()
}

fn east(hours: i64) -> Zone {
    Zone::Fixed { offset: hours * 3_600_000_000, name: None }
}

fn berlin(earlier: i64, later: i64) -> Zone {
    let offsets = Some([earlier * 3_600_000_000, later * 3_600_000_000]);
    Zone::Named { key: "Europe/Berlin".into(), offsets }
}

/// Values that are all equal, group by group; those of different groups are not.
fn groups() -> Vec<Vec<Value>> {
    let ten_to_thirty: BigInt = BigInt::from(10).pow(30);
    vec![
        vec![
            1.into(),
            1.0.into(),
            true.into(),
            decimal("1"),
            decimal("1.00"),
            decimal("10E-1"),
            fraction(3, 3),
            Extended::Complex(1.0, -0.0).into(),
            numpy("l", 1),
            numpy("?", true),
            numpy("f", 1.0),
            numpy("D", Extended::Complex(1.0, 0.0)),
            member("m:Color", "RED", 1, true),
            member("m:Color", "ONE", numpy("b", 1), true),
        ],
        vec![0.into(), (-0.0).into(), decimal("-0E+9"), fraction(0, -7), numpy("d", -0.0)],
        vec![0.5.into(), decimal("0.50"), fraction(-1, -2), numpy("e", 0.5)],
        vec![decimal("0.1"), fraction(1, 10), decimal("10E-2")],
        vec![0.1.into(), numpy("d", 0.1), fraction(3_602_879_701_896_397, 1 << 55)],
        vec![f64::INFINITY.into(), decimal("Infinity"), decimal("inf")],
        vec![f64::NEG_INFINITY.into(), decimal("-Infinity")],
        vec![ten_to_thirty.into(), decimal("1E+30"), decimal("1000E+27")],
        vec![5e-324.into(), Fraction::new(1, BigInt::from(1) << 1074).unwrap().into()],
        vec![decimal("1E+999999999"), decimal("10E+999999998")],
        vec![decimal("1E-999999999")],
        vec![decimal("-1E+999999999")],
        vec![Extended::Complex(1.0, 2.0).into(), numpy("F", Extended::Complex(1.0, 2.0))],
        vec!["red".into(), member("m:Text", "RED", "red", true), numpy("U", "red")],
        vec![member("m:Color", "RED", 1, false), member("m:Color", "RED", Value::None, false)],
        vec![member("m:Color", "BLUE", 1, false)],
        vec![member("m:Other", "RED", 1, false)],
        vec![Date { year: 2026, month: 11, day: 29 }.into()],
        vec![moment(5, None)],
        vec![moment(5, east(0)), moment(7, east(2)), moment(2, east(-3)), moment(6, berlin(1, 1))],
        // Clocks are changed: equal in its own zone only.
        vec![moment(5, berlin(1, 2)), moment(5, berlin(1, 2))],
        vec![TimeDelta::new(1, -1).into(), TimeDelta::new(0, 86_399_999_999).into()],
        vec![Zone::utc().into(), Zone::Fixed { offset: 0, name: Some("x".into()) }.into()],
        vec![Zone::Named { key: "UTC".into(), offsets: None }.into()],
        vec![Extended::Uuid([7; 16], None).into(), Extended::Uuid([7; 16], Some(true)).into()],
        vec![
            Range { start: 0.into(), stop: 3.into(), step: 2.into() }.into(),
            Range { start: 0.into(), stop: 4.into(), step: 2.into() }.into(),
        ],
        vec![
            Range { start: 0.into(), stop: 0.into(), step: 2.into() }.into(),
            Range { start: 5.into(), stop: 1.into(), step: 1.into() }.into(),
        ],
        vec![Extended::Slice([1.into(), decimal("2"), Value::None]).into()]
            .into_iter()
            .chain([Extended::Slice([1.0.into(), 2.into(), Value::None]).into()])
            .collect(),
        vec![numpy("M8[D]", 365), numpy("M8[s]", 365 * 86_400), numpy("M8[Y]", 1)],
        vec![numpy("M8[M]", 14), numpy("M8[D]", 365 + 31 + 28)],
        vec![numpy("m8[D]", 365), numpy("m8[12h]", 730)],
        vec![numpy("m8[Y]", 1), numpy("m8[M]", 12)],
        vec![decimal("NaN")],
        vec![f64::NAN.into(), numpy("d", f64::NAN)],
        vec![Extended::Complex(f64::NAN, 0.0).into()],
        vec![numpy("M8[s]", i64::MIN), numpy("M8", i64::MIN)],
    ]
}

#[test]
fn equal_values_hash_alike_and_others_differ() {
    let groups = groups();
    for (index, group) in groups.iter().enumerate() {
        for one in group {
            for two in group {
                assert!(one.same_key(two), "{one:?} {two:?}");
                assert_eq!(hashed(one), hashed(two), "{one:?} {two:?}");
            }
            for two in groups.iter().skip(index + 1).flatten() {
                assert!(!one.same_key(two) && !two.same_key(one), "{one:?} {two:?}");
                assert_ne!(hashed(one), hashed(two), "{one:?} {two:?}");
            }
        }
    }
}

#[test]
fn values_come_back_as_they_were_and_pass_the_check() {
    let heap = heap(4 << 20);
    let list = List::new(&heap, [0; 0]).unwrap();
    for value in groups().into_iter().flatten() {
        list.push(&value).unwrap();
        let found = list.get(list.len().unwrap() - 1).unwrap().unwrap();
        assert!(found.same_key(&value), "{value:?} {found:?}");
        assert_eq!(format!("{found:?}"), format!("{value:?}"));
    }
    assert_eq!(check::check(&heap).unwrap().findings, Vec::<String>::new());
    // Heavier than one operation: stored step by step.
    let all: Vec<Value> = groups().into_iter().flatten().collect();
    list.push(Value::Tuple(all.clone())).unwrap();
    let wide = Value::Tuple(all.iter().skip(20).cloned().collect());
    list.push(Extended::Slice([Value::None, wide, Value::None])).unwrap();
    assert_eq!(check::check(&heap).unwrap().findings, Vec::<String>::new());
    list.clear().unwrap();
    let report = check::check(&heap).unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
}

#[test]
fn nan_is_equal_to_nothing_and_found_as_a_key() {
    for nan in [
        decimal("NaN"),
        Extended::Complex(f64::NAN, 1.0).into(),
        numpy("m8", i64::MIN),
        numpy("f", f64::NAN),
    ] {
        assert_ne!(nan, nan);
        assert!(nan.same_key(&nan));
    }
    assert!(hash::value(KEY, &decimal("sNaN")).is_err());
    let pickled = Pickled { class: "m:C".into(), data: vec![1] };
    assert!(hash::value(KEY, &pickled.into()).is_err());
}

#[test]
fn order_is_pythons() {
    let rising = [
        decimal("-Infinity"),
        decimal("-1E+999999999"),
        (-(1_i64 << 60)).into(),
        fraction(-1, 3),
        decimal("-1E-999999999"),
        0.into(),
        decimal("1E-999999999"),
        5e-324.into(),
        decimal("0.1"),
        0.1.into(),
        fraction(1, 3),
        numpy("f", 0.5),
        member("m:Color", "RED", 1, true),
        decimal(&format!("1.{}1", "0".repeat(5000))),
        fraction(4, 3),
        decimal("1E+30"),
        1e300.into(),
        decimal("1E+999999999"),
        decimal("1.1E+999999999"),
        f64::INFINITY.into(),
    ];
    for (index, one) in rising.iter().enumerate() {
        assert_eq!(one.try_cmp(one).unwrap(), Some(Ordering::Equal));
        for two in &rising[index + 1..] {
            assert_eq!(one.try_cmp(two).unwrap(), Some(Ordering::Less), "{one:?} {two:?}");
            assert_eq!(two.try_cmp(one).unwrap(), Some(Ordering::Greater), "{one:?} {two:?}");
        }
    }
    assert_eq!(decimal("NaN").try_cmp(&1.into()).unwrap(), None);
    let less = |a: &Value, b: &Value| a.try_cmp(b).unwrap() == Some(Ordering::Less);
    assert!(less(&moment(5, None), &moment(6, None)));
    assert!(less(&moment(6, east(2)), &moment(5, east(0))));
    assert!(less(&moment(5, berlin(2, 2)), &moment(6, berlin(1, 1))));
    assert!(less(&TimeDelta::new(0, -1).into(), &TimeDelta::new(0, 0).into()));
    assert!(less(&numpy("M8[D]", 1), &numpy("M8[h]", 25)));
    for (one, two) in [
        (moment(5, None), moment(5, east(0))),
        (Extended::Complex(1.0, 0.0).into(), 2.into()),
        (member("m:Color", "RED", 1, false), member("m:Color", "BLUE", 2, false)),
        (decimal("1"), "1".into()),
        (Zone::utc().into(), Zone::utc().into()),
        (Date { year: 1, month: 1, day: 1 }.into(), moment(1, None)),
    ] {
        assert!(one.try_cmp(&two).is_err(), "{one:?} {two:?}");
    }
}

/// `number × 10^exponent` in every type that has it, and the ratio.
fn forms(number: i64, exponent: i32) -> (Vec<Value>, (BigInt, BigInt)) {
    let power = BigInt::from(10).pow(exponent.unsigned_abs());
    let (above, below) =
        if exponent >= 0 { (power * number, 1.into()) } else { (number.into(), power) };
    let mut forms = vec![
        decimal(&format!("{number}E{exponent}")),
        Fraction::new(above.clone(), below.clone()).unwrap().into(),
    ];
    if exponent >= 0 {
        forms.push(above.clone().into());
        forms.push(member("m:Color", "N", above.clone(), true));
    }
    #[allow(clippy::cast_precision_loss, reason = "few digits")]
    if exponent.abs() < 12 {
        let float = number as f64 * 2_f64.powi(exponent);
        let two = BigInt::from(2).pow(exponent.unsigned_abs());
        let (a, b) = if exponent >= 0 { (two * number, 1.into()) } else { (number.into(), two) };
        let same = Value::from(Fraction::new(a, b).unwrap());
        assert_eq!(Value::from(float), same);
        assert_eq!(hashed(&float.into()), hashed(&same));
    }
    (forms, (above, below))
}

proptest! {
    #[test]
    fn numbers_order_as_the_ratios_that_they_are(
        (a, e) in (-1000_i64..1000, -30_i32..30),
        (b, f) in (-1000_i64..1000, -30_i32..30),
        near in any::<bool>(),
    ) {
        let (b, f) = if near { (a * 10 + b % 2, e - 1) } else { (b, f) };
        let ((ones, (n, d)), (twos, (m, c))) = (forms(a, e), forms(b, f));
        let expected = (n * c).cmp(&(m * d));
        for one in &ones {
            for two in &twos {
                prop_assert_eq!(one.try_cmp(two).unwrap(), Some(expected));
                prop_assert_eq!(one == two, expected == Ordering::Equal);
                if expected == Ordering::Equal {
                    prop_assert_eq!(hashed(one), hashed(two));
                }
            }
        }
    }

    #[test]
    fn floats_are_the_ratios_that_they_are(float in any::<f64>(), other in any::<f64>()) {
        prop_assume!(float.is_finite() && other.is_finite());
        // As Python writes it: every digit there is.
        let text = format!("{float:.1074}");
        let exact = decimal(&text);
        prop_assert_eq!(exact.try_cmp(&other.into()).unwrap(), float.partial_cmp(&other));
        prop_assert_eq!(&exact, &Value::from(float));
        prop_assert_eq!(hashed(&exact), hashed(&float.into()));
    }
}

#[test]
fn parts_that_make_no_value_are_damage() {
    let heap = heap(1 << 20);
    let list = List::new(&heap, [0; 1]).unwrap();
    let big: BigInt = BigInt::from(1) << 70_000;
    let wrong: Vec<Vec<Value>> = vec![
        vec![],
        vec![0.into()],
        vec![99.into(), 1.into()],
        vec!["x".into()],
        vec![1.into(), 1.into(), 2.into()],
        vec![2.into(), 20_260_230.into()],
        vec![2.into(), i64::MIN.into()],
        vec![3.into(), DATE_LIMIT.into(), false.into()],
        vec![3.into(), 0.into(), false.into(), "".into()],
        vec![3.into(), 0.into(), false.into(), DATE_LIMIT.into(), Value::None],
        vec![4.into(), 20_260_101.into(), (-1).into(), false.into()],
        vec![5.into(), i64::MAX.into(), 0.into()],
        vec![6.into(), "Europe/Berlin".into(), 1.into()],
        vec![7.into(), "1.2.3".into()],
        vec![7.into(), "1E+99999999999999999999".into()],
        vec![7.into(), "9".repeat(70_000).into()],
        vec![8.into(), 1.into(), 0.into()],
        vec![8.into(), big.clone().into(), 3.into()],
        vec![9.into(), "123".into(), Value::None],
        vec![10.into(), 0.into(), 1.into(), 0.into()],
        vec![10.into(), 0.into(), big.into(), 1.into()],
        vec![11.into(), 0.into()],
        vec![12.into(), "no class".into(), "A".into(), 1.into(), false.into()],
        vec![13.into(), "b".into(), 300.into()],
        vec![13.into(), "O".into(), 1.into()],
        vec![13.into(), "M8[x]".into(), 1.into()],
        vec![13.into(), "M8[0s]".into(), 1.into()],
        vec![13.into(), "M8[\u{e9}s]".into(), 1.into()],
        vec![14.into(), ":".into(), vec![0_u8].into()],
    ];
    let blocks = check::check(&heap).unwrap().blocks;
    for parts in wrong {
        assert!(Extended::from_parts(parts.clone()).is_none(), "{parts:?}");
        // Put where a value was, as somebody who writes nonsense would.
        list.set(0, Value::Tuple(parts.clone())).unwrap();
        heap.write(|tx| {
            let cells = parts.iter().map(|part| part.store(tx)).collect::<Result<Vec<_>>>()?;
            let cell = sequence::store(tx, Kind::Extended, &cells)?;
            let word = tx.load(list.object().at() + crate::layout::object::W0)?;
            let old = crate::cell::Cell(tx.load(word)?);
            tx.open(list.object().at())?;
            tx.set(word, cell.0)?;
            tx.dec(old)
        })
        .unwrap();
        assert!(list.get(0).is_err(), "{parts:?}");
        let findings = check::check(&heap).unwrap().findings;
        assert_eq!(findings.len(), 1, "{parts:?}: {findings:?}");
        list.set(0, 0).unwrap();
        assert_eq!(check::check(&heap).unwrap().blocks, blocks);
    }
}

/// More microseconds than a day has.
const DATE_LIMIT: i64 = 86_400_000_000;

#[test]
fn values_that_could_not_be_read_back_are_refused() {
    let heap = heap(1 << 20);
    let list = List::new(&heap, [0; 0]).unwrap();
    for value in [
        Value::from(Date { year: 2026, month: 2, day: 29 }),
        TimeDelta { days: 1 << 40, micros: 0 }.into(),
        Range { start: 0.into(), stop: 1.into(), step: 0.into() }.into(),
        numpy("O", 1),
        Zone::Fixed { offset: DATE_LIMIT, name: None }.into(),
    ] {
        assert!(list.push(&value).is_err(), "{value:?}");
    }
    assert!(Decimal::parse("1,5").is_err());
    assert!(Fraction::new(1, 0).is_err());
    let (third, parts) = (Fraction::new(-2, 6).unwrap(), (BigInt::from(-1), BigInt::from(3)));
    assert_eq!((third.numerator().clone(), third.denominator().clone()), parts);
}

#[test]
fn moments_are_counted_from_1970() {
    let Value::Extended(value) = moment(0, east(0)) else { panic!() };
    let Extended::DateTime(moment) = *value else { panic!() };
    assert_eq!(moment.unix_micros(), Some(1_774_742_400_000_000));
    for (year, month, day, days) in
        [(1970, 1, 1, 0), (2000, 3, 1, 11_017), (1, 1, 1, -719_162), (9999, 12, 31, 2_932_896)]
    {
        assert_eq!(Date { year, month, day }.days(), days);
    }
}
