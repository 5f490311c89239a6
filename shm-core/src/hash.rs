//! The hash of keys and members: the same in every process, keyed by the segment.
//!
//! Values that are equal as keys hash alike: `1`, `1.0` and `True` through the integer they stand
//! for, text and bytes through SipHash-1-3, tuples by combining, frozensets in any order. The key
//! is random per segment, so whoever supplies the data cannot aim at collisions; whoever can read
//! the segment can. The functions are part of the format: stored entries keep their hashes.

use num_bigint::BigInt;
use siphasher::sip::SipHasher13;

use crate::cell::{Cell, View};
use crate::error::{Error, Result};
use crate::value::{Value, hashed};

/// The two words that key every hash of one segment.
pub(crate) type HashKey = [u64; 2];

/// Deepest nesting of tuples and frozensets in a value.
pub(crate) const DEPTH_LIMIT: usize = 200;

const NONE: u64 = 0x9AE1_6A3B_2F90_404F;
const NOT_A_NUMBER: u64 = 0xC3A5_C85C_97CB_3127;
const FLOAT: u64 = 0x8648_DBBB_1F2E_5A97;
const TUPLE: u64 = 0xD6D0_3C8A_59B2_E6C5;
const FROZENSET: u64 = 0xA076_1D64_78BD_642F;
const EXTENDED: u64 = 0x5851_F42D_4C95_7F2D;
const ODD: u64 = 0xE703_7ED1_A0B4_28DB;

/// Multiplies to 128 bits and folds the halves.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    (wide as u64) ^ ((wide >> 64) as u64)
}

#[inline]
fn mix(key: HashKey, word: u64) -> u64 {
    // Two rounds: one alone maps the word that equals the key, and its neighbours, to small values.
    fold(fold(word ^ key[0], key[1] | 1) ^ ODD, key[0] | 1)
}

/// Hash of an integer that fits into 64 bits.
#[inline]
pub(crate) fn int(key: HashKey, value: i64) -> u64 {
    mix(key, value as u64)
}

/// Hash of text and of bytes.
#[inline]
pub(crate) fn bytes(key: HashKey, bytes: &[u8]) -> u64 {
    SipHasher13::new_with_keys(key[0], key[1]).hash(bytes)
}

/// Hash of the text or bytes in a cell: [`bytes`] of its content, which is the only block.
#[inline]
pub(crate) fn short(key: HashKey, cell: Cell) -> u64 {
    // SipHash-1-3: the last block has the length in its top byte and the rest from the bottom up.
    let len = (cell.0 >> 3) & 0b111;
    let block = (cell.0 >> 8) | (len << 56);
    let mut state = [
        key[0] ^ 0x736F_6D65_7073_6575,
        key[1] ^ 0x646F_7261_6E64_6F6D,
        key[0] ^ 0x6C79_6765_6E65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    state[3] ^= block;
    state = sip_round(state);
    state[0] ^= block;
    state[2] ^= 0xFF;
    state = sip_round(sip_round(sip_round(state)));
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

/// Hash of the value that lives in a cell.
pub(crate) fn cell(key: HashKey, cell: Cell) -> Result<u64> {
    match cell.view() {
        Some(View::Int(number)) => Ok(int(key, number)),
        Some(View::Str(_) | View::Bytes(_)) => Ok(short(key, cell)),
        _ => value(key, &Value::of_immediate(cell).unwrap_or_default()),
    }
}

#[inline]
fn sip_round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

/// Hash of an integer of any size.
pub(crate) fn big(key: HashKey, value: &BigInt) -> u64 {
    match i64::try_from(value) {
        Ok(small) => int(key, small),
        Err(_) => bytes(key, &value.to_signed_bytes_le()),
    }
}

/// Hash of a float: that of the integer it equals, if there is one.
pub(crate) fn float(key: HashKey, value: f64) -> u64 {
    if value.is_nan() {
        return mix(key, NOT_A_NUMBER);
    }
    match integral(value) {
        Some(Integral::Small(small)) => int(key, small),
        Some(Integral::Big(large)) => big(key, &large),
        None => mix(key, value.to_bits() ^ FLOAT),
    }
}

/// The integer that a float equals.
pub(crate) enum Integral {
    /// Fits into 64 bits.
    Small(i64),
    /// Does not.
    Big(BigInt),
}

/// The integer that a float equals, if there is one.
#[inline]
pub(crate) fn integral(value: f64) -> Option<Integral> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if value.fract() != 0.0 || !value.is_finite() {
        return None;
    }
    if (-LIMIT..LIMIT).contains(&value) {
        return Some(Integral::Small(value as i64));
    }
    // Beyond 2^63 the exponent is at least 11 more than the mantissa's width: shift left only.
    let bits = value.to_bits();
    let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
    let shift = ((bits >> 52) & 0x7FF).saturating_sub(1075);
    let magnitude = BigInt::from(mantissa) << shift;
    Some(Integral::Big(if value < 0.0 { -magnitude } else { magnitude }))
}

/// Hash of an extended value by what equal ones have in common, and a code of its type; 0: a ratio.
pub(crate) fn words(key: HashKey, code: i64, words: &[u64]) -> u64 {
    let mut hash = mix(key, EXTENDED ^ code as u64);
    for word in words {
        hash = fold(hash.rotate_left(5) ^ mix(key, *word), ODD) ^ key[1];
    }
    hash
}

/// Hash of any immutable value; `Unhashable` for mutable ones.
pub(crate) fn value(key: HashKey, value: &Value) -> Result<u64> {
    nested(key, value, 0)
}

pub(crate) fn nested(key: HashKey, value: &Value, depth: usize) -> Result<u64> {
    if depth > DEPTH_LIMIT {
        return Err(Error::TooDeep { limit: DEPTH_LIMIT });
    }
    Ok(match value {
        Value::None => mix(key, NONE),
        Value::Bool(flag) => int(key, i64::from(*flag)),
        Value::Int(number) => int(key, *number),
        Value::BigInt(number) => big(key, number),
        Value::Float(number) => float(key, *number),
        Value::Str(text) => bytes(key, text.as_bytes()),
        Value::Wtf8(text) => bytes(key, text),
        Value::Bytes(content) => bytes(key, content),
        Value::Tuple(items) => {
            let mut hash = mix(key, TUPLE ^ items.len() as u64);
            for item in items {
                hash = fold(hash.rotate_left(5) ^ nested(key, item, depth + 1)?, ODD) ^ key[1];
            }
            hash
        }
        Value::FrozenSet(items) => {
            // Equal members must count once, so the set of member hashes is what is combined.
            let mut hashes = Vec::with_capacity(items.len());
            for item in items {
                hashes.push(nested(key, item, depth + 1)?);
            }
            hashes.sort_unstable();
            hashes.dedup();
            let sum = hashes.iter().fold(0_u64, |sum, hash| sum.wrapping_add(mix(key, *hash)));
            mix(key, sum ^ FROZENSET)
        }
        Value::Extended(part) => hashed(key, part, depth)?,
        Value::List(_)
        | Value::Dict(_)
        | Value::Set(_)
        | Value::ByteArray(_)
        | Value::Record(_)
        | Value::Array(_)
        | Value::Draft(_) => return Err(Error::Unhashable { type_name: value.type_name() }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: HashKey = [0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210];

    #[test]
    fn numbers_that_are_equal_hash_alike() {
        assert_eq!(int(KEY, 1), float(KEY, 1.0));
        assert_eq!(value(KEY, &Value::Bool(true)).unwrap(), int(KEY, 1));
        assert_eq!(float(KEY, -0.0), int(KEY, 0));
        assert_eq!(big(KEY, &BigInt::from(-7)), int(KEY, -7));
        let power = BigInt::from(1) << 80;
        assert_eq!(float(KEY, 2.0_f64.powi(80)), big(KEY, &power));
        assert_eq!(float(KEY, -(2.0_f64.powi(80))), big(KEY, &-power));
        assert_ne!(float(KEY, 1.5), float(KEY, 2.5));
    }

    #[test]
    fn short_text_hashes_as_any_text() {
        for text in ["", "a", "abc", "\u{e9}", "1234567"] {
            let cell = Cell::short_str(text.as_bytes()).unwrap();
            assert_eq!(short(KEY, cell), bytes(KEY, text.as_bytes()), "{text:?}");
            let cell = Cell::short_bytes(text.as_bytes()).unwrap();
            assert_eq!(short(KEY, cell), bytes(KEY, text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn frozenset_hash_has_no_order() {
        let one = Value::FrozenSet(vec![1.into(), "a".into(), 2.5.into()]);
        let two = Value::FrozenSet(vec![2.5.into(), 1.into(), "a".into()]);
        assert_eq!(value(KEY, &one).unwrap(), value(KEY, &two).unwrap());
        let tuple = Value::Tuple(vec![1.into(), 2.into()]);
        let other = Value::Tuple(vec![2.into(), 1.into()]);
        assert_ne!(value(KEY, &tuple).unwrap(), value(KEY, &other).unwrap());
    }

    #[test]
    fn consecutive_integers_spread() {
        let mut low = std::collections::HashSet::new();
        for number in 0..4096 {
            low.insert(int(KEY, number) & 4095);
        }
        assert!(low.len() > 2300, "{} of 4096 low parts", low.len());
    }
}
