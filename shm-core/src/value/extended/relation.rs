//! Equality, order and hash of extended values, as Python has them.
//!
//! Some values stand for another one, by which they are equal, ordered and hashed: a member of an
//! `IntEnum` for its number, a numpy scalar for the number or text that it is, a complex number without
//! an imaginary part for its real one. Numbers are equal by what they are exactly, whatever the type.
//! Where Python compares by identity (members of other enums) it is the class and the name.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::decimal::Form;
use super::numpy::Ticks;
use super::rational::Number;
use super::{Extended, Zone};
use crate::error::{Error, Result};
use crate::hash::{self, DEPTH_LIMIT, HashKey};
use crate::value::{Value, compare};

/// The value that it stands for: nothing that stands for another one again. `None`: nested too deep.
fn stood_for(value: &Value, complex: bool) -> Option<Cow<'_, Value>> {
    let mut value = value;
    for _ in 0..=DEPTH_LIMIT {
        let Value::Extended(part) = value else { return Some(Cow::Borrowed(value)) };
        value = match &**part {
            Extended::Complex(re, im) if complex && *im == 0.0 && !re.is_nan() => {
                return Some(Cow::Owned(Value::Float(*re)));
            }
            part => match part.as_value() {
                Some(inner) => inner,
                None => return Some(Cow::Borrowed(value)),
            },
        };
    }
    None
}

/// Whether two values are equal of which one at least is an extended one.
pub(in crate::value) fn equal(a: &Value, b: &Value, nan: bool, depth: usize) -> bool {
    let (Some(a), Some(b)) = (stood_for(a, true), stood_for(b, true)) else { return false };
    match (&*a, &*b) {
        (Value::Extended(one), Value::Extended(two)) => same(one, two, nan, depth),
        (Value::Extended(part), other) | (other, Value::Extended(part)) => {
            is_number(part) && matches_number(Number::of(&Value::Extended(part.clone())), other)
        }
        (a, b) => compare::equal(a, b, nan, depth + 1),
    }
}

fn is_number(part: &Extended) -> bool {
    matches!(part, Extended::Decimal(_) | Extended::Fraction(_))
}

fn number(part: &Extended) -> Option<Number> {
    match part {
        Extended::Decimal(decimal) => Number::of_decimal(decimal),
        Extended::Fraction(fraction) => Some(Number::of_fraction(fraction)),
        _ => None,
    }
}

fn matches_number(number: Option<Number>, other: &Value) -> bool {
    number.is_some_and(|number| Number::of(other).is_some_and(|other| number == other))
}

/// Whether two extended values are equal that stand for themselves.
fn same(one: &Extended, two: &Extended, nan: bool, depth: usize) -> bool {
    match (one, two) {
        (Extended::Complex(a, b), Extended::Complex(c, d)) => {
            compare::same_float(*a, *c, nan) && compare::same_float(*b, *d, nan)
        }
        (Extended::Decimal(a), Extended::Decimal(b)) if a.form() == Form::Quiet => nan && a == b,
        (one, two) if is_number(one) && is_number(two) => {
            matches!((number(one), number(two)), (Some(one), Some(two)) if one == two)
        }
        (Extended::Date(a), Extended::Date(b)) => a == b,
        (Extended::Time(a), Extended::Time(b)) => a.equals(b),
        (Extended::DateTime(a), Extended::DateTime(b)) => a.equals(b),
        (Extended::TimeDelta(a), Extended::TimeDelta(b)) => a == b,
        (Extended::Zone(a), Extended::Zone(b)) => match (a, b) {
            (Zone::Fixed { offset: a, .. }, Zone::Fixed { offset: b, .. }) => a == b,
            (Zone::Named { key: a, .. }, Zone::Named { key: b, .. }) => a == b,
            _ => false,
        },
        (Extended::Uuid(a, _), Extended::Uuid(b, _)) => a == b,
        (Extended::Range(a), Extended::Range(b)) => a.essence() == b.essence(),
        (Extended::Slice(a), Extended::Slice(b)) => compare::equal_items(a, b, nan, depth),
        (Extended::Enum(a), Extended::Enum(b)) => {
            a.class == b.class
                && a.name == b.name
                && (a.name.is_some() || compare::equal(&a.value, &b.value, nan, depth + 1))
        }
        (Extended::Numpy(a), Extended::Numpy(b)) => {
            a.is_moment() == b.is_moment()
                && match (a.ticks(), b.ticks()) {
                    (Some(Ticks::None), Some(Ticks::None)) => nan,
                    (Some(a), Some(b)) => a == b,
                    _ => false,
                }
        }
        (Extended::Pickled(a), Extended::Pickled(b)) => a == b,
        _ => false,
    }
}

/// The order of two values of which one at least is an extended one.
pub(in crate::value) fn order(a: &Value, b: &Value, depth: usize) -> Result<Option<Ordering>> {
    let (Some(a), Some(b)) = (stood_for(a, false), stood_for(b, false)) else {
        return Err(Error::TooDeep { limit: DEPTH_LIMIT });
    };
    let refused = || Error::WrongType {
        what: format!("no order between {} and {}", a.type_name(), b.type_name()),
    };
    let (one, two) = match (&*a, &*b) {
        (Value::Extended(one), Value::Extended(two)) => (one, two),
        (Value::Extended(part), other) | (other, Value::Extended(part)) => {
            let float = matches!(other, Value::Float(_));
            if !is_number(part) || !(float || other.is_integer()) {
                return Err(refused());
            }
            return Ok(order_numbers(&a, &b));
        }
        (a, b) => return compare::order(a, b, depth + 1),
    };
    Ok(match (&**one, &**two) {
        (one, two) if is_number(one) && is_number(two) => order_numbers(&a, &b),
        (Extended::Date(a), Extended::Date(b)) => Some(a.cmp(b)),
        (Extended::Time(a), Extended::Time(b)) => Some(a.order(b).ok_or_else(refused)?),
        (Extended::DateTime(a), Extended::DateTime(b)) => Some(a.order(b).ok_or_else(refused)?),
        (Extended::TimeDelta(a), Extended::TimeDelta(b)) => Some(a.cmp(b)),
        (Extended::Uuid(a, _), Extended::Uuid(b, _)) => Some(a.cmp(b)),
        (Extended::Slice(a), Extended::Slice(b)) => compare::order_items(a, b, depth)?,
        (Extended::Numpy(a), Extended::Numpy(b)) if a.is_moment() == b.is_moment() => {
            match (a.ticks(), b.ticks()) {
                (Some(Ticks::None), Some(_)) | (Some(_), Some(Ticks::None)) => None,
                (Some(Ticks::Attoseconds(a)), Some(Ticks::Attoseconds(b)))
                | (Some(Ticks::Months(a)), Some(Ticks::Months(b))) => Some(a.cmp(&b)),
                (Some(Ticks::Units(a)), Some(Ticks::Units(b))) => Some(a.cmp(&b)),
                _ => return Err(refused()),
            }
        }
        _ => return Err(refused()),
    })
}

fn order_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    Number::of(a)?.order(&Number::of(b)?)
}

/// The hash of an extended value.
pub(crate) fn hashed(key: HashKey, part: &Extended, depth: usize) -> Result<u64> {
    if let Some(inner) = part.as_value() {
        return hash::nested(key, inner, depth + 1);
    }
    let parts = |words: &[u64]| hash::words(key, part.code(), words);
    Ok(match part {
        Extended::Complex(re, im) if *im == 0.0 && !re.is_nan() => hash::float(key, *re),
        Extended::Complex(re, im) => parts(&[hash::float(key, *re), hash::float(key, *im)]),
        Extended::Decimal(decimal) => match (decimal.form(), number(part)) {
            (Form::Signaling, _) => {
                return Err(Error::Unhashable { type_name: "signaling NaN" });
            }
            (_, Some(number)) => hash_number(key, part, &number),
            (_, None) => parts(&[hash::bytes(key, decimal.as_str().as_bytes())]),
        },
        Extended::Fraction(fraction) => hash_number(key, part, &Number::of_fraction(fraction)),
        Extended::Date(date) => parts(&[date.packed() as u64]),
        Extended::Time(time) => parts(&words_of(time.instant())),
        Extended::DateTime(moment) => parts(&words_of(moment.instant())),
        Extended::TimeDelta(delta) => parts(&[delta.days as u64, delta.micros as u64]),
        Extended::Zone(Zone::Fixed { offset, .. }) => parts(&[*offset as u64]),
        Extended::Zone(Zone::Named { key: name, .. }) => {
            parts(&[hash::bytes(key, name.as_bytes())])
        }
        Extended::Uuid(bytes, _) => parts(&[hash::bytes(key, bytes)]),
        Extended::Range(range) => {
            let (length, start, step) = range.essence();
            let of =
                |part: Option<&num_bigint::BigInt>| part.map_or(0, |part| hash::big(key, part));
            parts(&[hash::big(key, &length), of(start), of(step)])
        }
        Extended::Slice(all) => {
            let mut words = [0; 3];
            for (word, part) in words.iter_mut().zip(all) {
                *word = hash::nested(key, part, depth + 1)?;
            }
            parts(&words)
        }
        Extended::Enum(member) => {
            let class = hash::bytes(key, member.class.as_bytes());
            match &member.name {
                Some(name) => parts(&[class, hash::bytes(key, name.as_bytes())]),
                None => parts(&[class, hash::nested(key, &member.value, depth + 1)?]),
            }
        }
        Extended::Numpy(scalar) => {
            let (sort, ticks) = match scalar.ticks() {
                Some(Ticks::Attoseconds(ticks)) => (1, hash::big(key, &ticks)),
                Some(Ticks::Months(ticks)) => (2, hash::big(key, &ticks)),
                Some(Ticks::Units(ticks)) => (3, ticks as u64),
                Some(Ticks::None) | None => (4, 0),
            };
            parts(&[u64::from(scalar.is_moment()), sort, ticks])
        }
        Extended::Pickled(_) => return Err(Error::Unhashable { type_name: part.type_name() }),
    })
}

/// Whether aware, and the microseconds.
fn words_of((aware, micros): (bool, i64)) -> [u64; 2] {
    [u64::from(aware), micros as u64]
}

fn hash_number(key: HashKey, part: &Extended, number: &Number) -> u64 {
    match number {
        Number::Int(int) => hash::big(key, int),
        Number::Float(float) => hash::float(key, *float),
        Number::Ratio(above, below) => {
            let words = [hash::big(key, above), hash::big(key, below)];
            hash::words(key, 0, &words)
        }
        Number::Digits(negative, digits, exponent) => {
            let digits = hash::bytes(key, digits.as_bytes());
            hash::words(key, part.code(), &[u64::from(*negative), digits, *exponent as u64])
        }
    }
}
