//! Equality and order of values, as Python has them.
//!
//! Containers compare by content, from a snapshot of each; what cannot be read (a closed segment)
//! is equal to nothing. Where there is no place to pin what they hold, they are compared without pins
//! (`handle::borrowed`). Two relations: `==` of Python, in which NaN equals nothing, and the
//! equality of keys ([`Value::same_key`]), in which NaN equals itself so that it can be found.

use std::cmp::Ordering;

use crate::error::{Error, Result};
use crate::handle::{Object, borrowed};
use crate::hash::{self, DEPTH_LIMIT, Integral};
use crate::value::Value;
use crate::value::extended::relation;

/// Key for grouping members by hash inside of this process.
const LOCAL_KEY: [u64; 2] = [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344];

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        equal(self, other, false, 0)
            || (borrowed::fell_short() && borrowed::without_pins(|| equal(self, other, false, 0)))
    }
}

macro_rules! equal_to_plain {
    ($($plain:ty),*) => {$(
        impl PartialEq<$plain> for Value {
            #[allow(clippy::cmp_owned, reason = "values are compared with values")]
            fn eq(&self, other: &$plain) -> bool {
                *self == Value::from(*other)
            }
        }
    )*};
}
equal_to_plain!(i32, i64, u64, f64, bool);

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        self.as_text_bytes() == Some(other.as_bytes())
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, other: &&str) -> bool {
        self.as_text_bytes() == Some(other.as_bytes())
    }
}

impl PartialEq<String> for Value {
    fn eq(&self, other: &String) -> bool {
        self.as_text_bytes() == Some(other.as_bytes())
    }
}

impl Value {
    /// Equality of keys: like `==`, and NaN equals NaN.
    pub(crate) fn same_key(&self, other: &Value) -> bool {
        equal(self, other, true, 0)
    }

    /// Order, as `<` of Python; `None` where there is none (NaN).
    ///
    /// # Errors
    /// `WrongType` for two types that Python does not order.
    pub fn try_cmp(&self, other: &Value) -> Result<Option<Ordering>> {
        borrowed::with_or_without_pins(|| order(self, other, 0))
    }
}

/// What a look at the content of two containers finds; `None` if one cannot be read.
fn contents<T>(a: &Object, b: &Object, mut look: impl FnMut() -> Result<T>) -> Option<T> {
    borrowed::read(borrowed::while_unchanged(a, || borrowed::while_unchanged(b, &mut look)))
}

pub(super) fn equal(a: &Value, b: &Value, nan: bool, depth: usize) -> bool {
    if depth > DEPTH_LIMIT {
        return false;
    }
    match (a, b) {
        (Value::None, Value::None) => true,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => same_float(*a, *b, nan),
        (Value::Float(float), int) | (int, Value::Float(float)) if int.is_integer() => {
            match hash::integral(*float) {
                Some(Integral::Small(small)) => int.as_int() == Some(small),
                Some(Integral::Big(large)) => int.big_value() == large,
                None => false,
            }
        }
        (Value::BigInt(a), Value::BigInt(b)) => a == b,
        (a, b) if a.is_integer() && b.is_integer() => a.big_value() == b.big_value(),
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::Tuple(a), Value::Tuple(b)) => equal_items(a, b, nan, depth),
        (Value::FrozenSet(a), Value::FrozenSet(b)) => equal_members(a, b, depth),
        (Value::List(a), Value::List(b)) => {
            let look = || Ok(equal_items(&a.to_vec()?, &b.to_vec()?, nan, depth));
            a.same(b) || contents(a.object(), b.object(), look) == Some(true)
        }
        (Value::Dict(a), Value::Dict(b)) => {
            let look = || Ok(equal_entries(&a.to_vec()?, &b.to_vec()?, nan, depth));
            a.same(b) || contents(a.object(), b.object(), look) == Some(true)
        }
        (Value::Set(a), Value::Set(b)) => {
            a.same(b)
                || matches!((a.to_vec(), b.to_vec()), (Ok(a), Ok(b)) if equal_members(&a, &b, depth))
        }
        (Value::Set(set), Value::FrozenSet(b)) | (Value::FrozenSet(b), Value::Set(set)) => {
            set.to_vec().is_ok_and(|a| equal_members(&a, b, depth))
        }
        (Value::ByteArray(a), Value::ByteArray(b)) => {
            a.same(b) || matches!((a.to_vec(), b.to_vec()), (Ok(a), Ok(b)) if a == b)
        }
        (Value::ByteArray(array), Value::Bytes(b)) | (Value::Bytes(b), Value::ByteArray(array)) => {
            array.to_vec().is_ok_and(|a| a == *b)
        }
        (Value::Record(a), Value::Record(b)) => a == b,
        (Value::Array(a), Value::Array(b)) => a == b,
        (Value::Extended(_), _) | (_, Value::Extended(_)) => relation::equal(a, b, nan, depth),
        (a, b) => match (a.as_text_bytes(), b.as_text_bytes()) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
    }
}

#[allow(clippy::float_cmp, reason = "equality of values is exact")]
pub(super) fn same_float(a: f64, b: f64, nan: bool) -> bool {
    a == b || (nan && a.is_nan() && b.is_nan())
}

pub(super) fn equal_items(a: &[Value], b: &[Value], nan: bool, depth: usize) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b, nan, depth + 1))
}

/// Members by hash, each hash once per member; nothing if one has no hash.
fn by_hash(members: &[Value]) -> Option<Vec<(u64, &Value)>> {
    let mut out = Vec::with_capacity(members.len());
    for member in members {
        out.push((hash::value(LOCAL_KEY, member).ok()?, member));
    }
    out.sort_by_key(|(hash, _)| *hash);
    Some(out)
}

/// The position of a key among hashed ones.
fn find(sorted: &[(u64, &Value)], key: &Value, depth: usize) -> Option<usize> {
    let hash = hash::value(LOCAL_KEY, key).ok()?;
    let first = sorted.partition_point(|(other, _)| *other < hash);
    let tail = sorted.get(first..)?.iter();
    let candidates = tail.take_while(|(other, _)| *other == hash).enumerate();
    for (offset, (_, other)) in candidates {
        if equal(key, other, true, depth + 1) {
            return Some(first + offset);
        }
    }
    None
}

fn equal_members(a: &[Value], b: &[Value], depth: usize) -> bool {
    let (Some(sorted_a), Some(sorted_b)) = (by_hash(a), by_hash(b)) else { return false };
    // A frozenset that was never stored may name a member twice: compare both ways.
    a.iter().all(|member| find(&sorted_b, member, depth).is_some())
        && b.iter().all(|member| find(&sorted_a, member, depth).is_some())
}

fn equal_entries(a: &[(Value, Value)], b: &[(Value, Value)], nan: bool, depth: usize) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut sorted = Vec::with_capacity(b.len());
    for (key, value) in b {
        let Ok(hash) = hash::value(LOCAL_KEY, key) else { return false };
        sorted.push((hash, key, value));
    }
    sorted.sort_by_key(|(hash, _, _)| *hash);
    a.iter().all(|(key, value)| {
        let Ok(hash) = hash::value(LOCAL_KEY, key) else { return false };
        let first = sorted.partition_point(|(other, _, _)| *other < hash);
        let tail = sorted.get(first..).unwrap_or_default();
        tail.iter().take_while(|(other, _, _)| *other == hash).any(|(_, other_key, other)| {
            equal(key, other_key, true, depth + 1) && equal(value, other, nan, depth + 1)
        })
    })
}

pub(super) fn order(a: &Value, b: &Value, depth: usize) -> Result<Option<Ordering>> {
    if depth > DEPTH_LIMIT {
        return Err(Error::TooDeep { limit: DEPTH_LIMIT });
    }
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Ok(Some(a.cmp(b))),
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        (int, Value::Float(float)) if int.is_integer() => Ok(order_int_float(int, *float)),
        (Value::Float(float), int) if int.is_integer() => {
            Ok(order_int_float(int, *float).map(Ordering::reverse))
        }
        (a, b) if a.is_integer() && b.is_integer() => Ok(Some(a.big_value().cmp(&b.big_value()))),
        (Value::Bytes(a), Value::Bytes(b)) => Ok(Some(a.cmp(b))),
        (Value::Tuple(a), Value::Tuple(b)) => order_items(a, b, depth),
        (Value::List(a), Value::List(b)) => borrowed::while_unchanged(a.object(), || {
            let look = || order_items(&a.to_vec()?, &b.to_vec()?, depth);
            borrowed::while_unchanged(b.object(), look)
        }),
        (Value::ByteArray(a), Value::ByteArray(b)) => Ok(Some(a.to_vec()?.cmp(&b.to_vec()?))),
        (Value::ByteArray(a), Value::Bytes(b)) => Ok(Some(a.to_vec()?.cmp(b))),
        (Value::Bytes(a), Value::ByteArray(b)) => Ok(Some(a.cmp(&b.to_vec()?))),
        (Value::Extended(_), _) | (_, Value::Extended(_)) => relation::order(a, b, depth),
        (a, b) => match (a.as_text_bytes(), b.as_text_bytes()) {
            (Some(a), Some(b)) => Ok(Some(order_text(a, b))),
            _ => Err(Error::WrongType {
                what: format!("no order between {} and {}", a.type_name(), b.type_name()),
            }),
        },
    }
}

/// UTF-8 sorts as its code points do, and so does WTF-8.
fn order_text(a: &[u8], b: &[u8]) -> Ordering {
    a.cmp(b)
}

fn order_int_float(int: &Value, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    if float.is_infinite() {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    let whole = match hash::integral(float.trunc())? {
        Integral::Small(small) => small.into(),
        Integral::Big(large) => large,
    };
    let fraction = 0.0_f64.partial_cmp(&float.fract())?;
    Some(int.big_value().cmp(&whole).then(fraction))
}

pub(super) fn order_items(a: &[Value], b: &[Value], depth: usize) -> Result<Option<Ordering>> {
    for (a, b) in a.iter().zip(b) {
        let same = equal(a, b, true, depth + 1)
            || (borrowed::fell_short() && borrowed::without_pins(|| equal(a, b, true, depth + 1)));
        if !same {
            return order(a, b, depth + 1);
        }
    }
    Ok(Some(a.len().cmp(&b.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;

    #[test]
    fn numbers_compare_across_types() {
        assert_eq!(Value::from(1), Value::from(1.0));
        assert_eq!(Value::from(true), Value::from(1));
        assert_eq!(Value::from(BigInt::from(1) << 70), Value::from(2_f64.powi(70)));
        assert_ne!(Value::from(i64::MAX), Value::from(2_f64.powi(63)));
        assert_ne!(Value::from(1), Value::from("1"));
        assert_ne!(Value::from(f64::NAN), Value::from(f64::NAN));
        assert!(Value::from(f64::NAN).same_key(&Value::from(f64::NAN)));
    }

    #[test]
    fn order_is_pythons() {
        let less = |a: Value, b: Value| a.try_cmp(&b).unwrap() == Some(Ordering::Less);
        assert!(less(1.into(), 1.5.into()));
        assert!(less((-2).into(), (-1.5).into()));
        assert!(less((1, 2).into(), (1, 3).into()));
        assert!(less("a".into(), "b".into()));
        assert!(less(5.into(), u64::MAX.into()));
        assert!(less(Value::from(i64::MAX), f64::INFINITY.into()));
        assert!(Value::from(1).try_cmp(&"a".into()).is_err());
        assert_eq!(Value::from(1).try_cmp(&f64::NAN.into()).unwrap(), None);
    }

    #[test]
    fn frozensets_have_no_order() {
        let one = Value::FrozenSet(vec![1.into(), "a".into()]);
        let two = Value::FrozenSet(vec!["a".into(), true.into()]);
        assert_eq!(one, two);
        assert_ne!(one, Value::FrozenSet(vec![1.into()]));
    }
}
