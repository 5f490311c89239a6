//! The number that a value stands for, exactly: what equality, order and hash across types go by.
//!
//! An integer is that integer, a number that is exactly a float is that float, any other is a ratio in
//! lowest terms: one form for one number, whichever type it comes from. A decimal with more than
//! [`DIGITS`] digits, zeros of its exponent included, is not written out: it is equal to decimals only.

use std::cmp::Ordering;

use num_bigint::{BigInt, BigUint, Sign};

use super::decimal::{Form, magnitude, order_digits};
use super::{Decimal, Extended, Fraction};
use crate::hash::{self, Integral};
use crate::value::Value;

/// Most digits of a decimal that is compared with other types.
const DIGITS: u64 = 4096;
/// Bits of a decimal digit, from above.
const BITS_OF_DIGIT: f64 = std::f64::consts::LOG2_10;

/// One form for one number.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Number {
    /// An integer.
    Int(BigInt),
    /// A float that is no integer; infinite ones too.
    Float(f64),
    /// Neither: numerator and denominator in lowest terms.
    Ratio(BigInt, BigInt),
    /// A decimal that is not written out: sign, digits without zeros at either end, exponent.
    Digits(bool, String, i64),
}

impl Number {
    /// The number of an int, a float, a decimal or a fraction; `None` for NaN and all else.
    pub(super) fn of(value: &Value) -> Option<Number> {
        match value {
            Value::Float(float) => Number::of_float(*float),
            Value::Extended(part) => match &**part {
                Extended::Decimal(decimal) => Number::of_decimal(decimal),
                Extended::Fraction(fraction) => Some(Number::of_fraction(fraction)),
                _ => None,
            },
            int if int.is_integer() => Some(Number::Int(int.big_value())),
            _ => None,
        }
    }

    fn of_float(float: f64) -> Option<Number> {
        if float.is_nan() {
            return None;
        }
        Some(match hash::integral(float) {
            Some(Integral::Small(small)) => Number::Int(small.into()),
            Some(Integral::Big(large)) => Number::Int(large),
            None => Number::Float(float),
        })
    }

    pub(super) fn of_fraction(fraction: &Fraction) -> Number {
        Number::of_ratio(fraction.numerator().clone(), fraction.denominator().clone())
    }

    pub(super) fn of_decimal(decimal: &Decimal) -> Option<Number> {
        let (negative, digits, exponent) = match decimal.form() {
            Form::Finite { negative, digits, exponent } => (negative, digits, exponent),
            Form::Infinite { negative } => {
                return Some(Number::Float(if negative {
                    f64::NEG_INFINITY
                } else {
                    f64::INFINITY
                }));
            }
            Form::Quiet | Form::Signaling => return None,
        };
        if digits.is_empty() {
            return Some(Number::Int(0.into()));
        }
        if (digits.len() as u64).saturating_add(exponent.unsigned_abs()) > DIGITS {
            return Some(Number::Digits(negative, digits, exponent));
        }
        let power = power_of_ten(exponent.unsigned_abs());
        let coefficient = signed(negative, &digits);
        if exponent >= 0 {
            return Some(Number::Int(coefficient * power));
        }
        // Without zeros behind them, the digits have twos or fives in common with the power, not both.
        let (mut above, mut below) = (coefficient, power);
        let places = exponent.unsigned_abs();
        let twos = above.trailing_zeros().unwrap_or(0).min(places);
        above >>= twos;
        below >>= twos;
        for _ in 0..places {
            if &above % 5_u32 != 0.into() {
                break;
            }
            above /= 5_u32;
            below /= 5_u32;
        }
        Some(Number::of_ratio(above, below))
    }

    /// The number of a ratio in lowest terms.
    fn of_ratio(above: BigInt, below: BigInt) -> Number {
        if below == 1.into() {
            return Number::Int(above);
        }
        exact_float(&above, &below).map_or(Number::Ratio(above, below), Number::Float)
    }

    /// Numerator and denominator of a finite one that is written out.
    fn ratio(&self) -> Option<(BigInt, BigInt)> {
        match self {
            Number::Int(int) => Some((int.clone(), 1.into())),
            Number::Float(float) if float.is_finite() => Some(ratio_of_float(*float)),
            Number::Ratio(above, below) => Some((above.clone(), below.clone())),
            _ => None,
        }
    }

    fn is_negative(&self) -> bool {
        match self {
            Number::Int(int) | Number::Ratio(int, _) => int.sign() == Sign::Minus,
            Number::Float(float) => *float < 0.0,
            Number::Digits(negative, ..) => *negative,
        }
    }

    /// Which one is smaller. `None`: too large, and too near to each other, to be told apart.
    pub(super) fn order(&self, other: &Number) -> Option<Ordering> {
        if self == other {
            return Some(Ordering::Equal);
        }
        if self.is_negative() != other.is_negative() {
            return Some(if self.is_negative() { Ordering::Less } else { Ordering::Greater });
        }
        let turned = |order: Ordering| if self.is_negative() { order.reverse() } else { order };
        match (self, other) {
            (Number::Float(float), _) if float.is_infinite() => Some(turned(Ordering::Greater)),
            (_, Number::Float(float)) if float.is_infinite() => Some(turned(Ordering::Less)),
            (Number::Digits(_, one, e), Number::Digits(_, two, f)) => {
                Some(turned(order_digits((one, *e), (two, *f))))
            }
            (Number::Digits(_, digits, exponent), other) => {
                order_with_digits(digits, *exponent, other).map(turned)
            }
            (one, Number::Digits(_, digits, exponent)) => {
                order_with_digits(digits, *exponent, one).map(|order| turned(order.reverse()))
            }
            (one, two) => {
                let ((a, b), (c, d)) = (one.ratio()?, two.ratio()?);
                // A product has as many bits as its factors together, or one less.
                let (left, right) = (a.bits() + d.bits(), c.bits() + b.bits());
                if left.abs_diff(right) > 1 && a.bits() > 0 && c.bits() > 0 {
                    return Some(turned(left.cmp(&right)));
                }
                Some((a * d).cmp(&(c * b)))
            }
        }
    }
}

/// A decimal that is not written out against another number, both without their signs.
fn order_with_digits(digits: &str, exponent: i64, other: &Number) -> Option<Ordering> {
    let (above, below) = other.ratio()?;
    if above.sign() == Sign::NoSign {
        return Some(Ordering::Greater);
    }
    let (above, below) = (above.magnitude(), below.magnitude());
    #[allow(clippy::cast_precision_loss, reason = "what is this near is calculated exactly")]
    let bits = above.bits() as f64 - below.bits() as f64;
    #[allow(clippy::cast_precision_loss, reason = "as above")]
    let mine = magnitude(digits, exponent) as f64 * BITS_OF_DIGIT;
    // The first digit, and the first bit of either, leave less than 8 bits open.
    if (mine - bits).abs() > 8.0 + mine.abs() * 1e-9 {
        return mine.partial_cmp(&bits);
    }
    if exponent.unsigned_abs() > super::DECIMAL_TEXT as u64 * 2 {
        return None;
    }
    let coefficient = signed(false, digits).magnitude().clone();
    let power = power_of_ten(exponent.unsigned_abs()).magnitude().clone();
    Some(if exponent >= 0 {
        (coefficient * power * below).cmp(above)
    } else {
        (coefficient * below).cmp(&(above * power))
    })
}

fn power_of_ten(exponent: u64) -> BigInt {
    BigInt::from(10_u32).pow(exponent as u32)
}

fn signed(negative: bool, digits: &str) -> BigInt {
    let magnitude = BigUint::parse_bytes(digits.as_bytes(), 10).unwrap_or_default();
    BigInt::from_biguint(if negative { Sign::Minus } else { Sign::Plus }, magnitude)
}

/// The float that a ratio in lowest terms is exactly; its denominator is not 1.
#[allow(clippy::cast_precision_loss, reason = "of at most 53 bits, which is checked")]
fn exact_float(above: &BigInt, below: &BigInt) -> Option<f64> {
    const SMALLEST: u64 = 1074;
    let shift = below.trailing_zeros()?;
    if below.bits() != shift + 1 || shift > SMALLEST || above.bits() > 53 {
        return None;
    }
    let whole = above.magnitude().iter_u64_digits().next()? as f64;
    // Two steps: a power that is subnormal has the last bit only.
    let float = if shift > 1000 {
        whole * power_of_two(-1000) * power_of_two(1000 - shift as i32)
    } else {
        whole * power_of_two(-(shift as i32))
    };
    Some(if above.sign() == Sign::Minus { -float } else { float })
}

/// A power of two from 2^-1022 to 2^1023.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// The ratio that a finite float is; in lowest terms but for the twos.
fn ratio_of_float(float: f64) -> (BigInt, BigInt) {
    let bits = float.abs().to_bits();
    let (stored, exponent) = (bits & ((1 << 52) - 1), (bits >> 52) as i64);
    let mantissa = if exponent == 0 { stored } else { stored | (1 << 52) };
    let shift = exponent.max(1) - 1075;
    let (above, below) = (BigInt::from(mantissa), BigInt::from(1));
    let (above, below) = if shift >= 0 {
        (above << shift.unsigned_abs(), below)
    } else {
        (above, below << shift.unsigned_abs())
    };
    (if float < 0.0 { -above } else { above }, below)
}
