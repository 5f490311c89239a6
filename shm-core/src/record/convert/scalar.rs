//! Numbers, bools, characters and times: their bits as a value, and a value as their bits.

use std::fmt::LowerExp;
use std::ops::Neg;
use std::str::FromStr;

use num_bigint::BigInt;

use crate::error::Result;
use crate::schema::{Field, Scalar, Schema};
use crate::value::Value;

use super::which::At;

/// Nanoseconds of a second.
const NANOS: i128 = 1_000_000_000;

pub(in crate::record) fn scalar_value(scalar: Scalar, bits: u128) -> Value {
    match scalar {
        Scalar::Bool => Value::Bool(bits != 0),
        Scalar::Char => {
            Value::from(char::from_u32(bits as u32).unwrap_or(char::REPLACEMENT_CHARACTER))
        }
        Scalar::I8 => Value::from(bits as u8 as i8),
        Scalar::I16 => Value::from(bits as u16 as i16),
        Scalar::I32 => Value::from(bits as u32 as i32),
        Scalar::I64 => Value::from(bits as u64 as i64),
        Scalar::I128 | Scalar::Time => Value::from(bits as i128),
        Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 | Scalar::U128 | Scalar::Duration => {
            Value::from(bits)
        }
        Scalar::F32 => Value::from(f32::from_bits(bits as u32)),
        Scalar::F64 => Value::from(f64::from_bits(bits as u64)),
    }
}

/// The bits of one scalar field.
pub(in crate::record) fn scalar_bits(
    schema: &Schema,
    field: &Field,
    scalar: Scalar,
    value: &Value,
) -> Result<u128> {
    bits_of(&At::of(schema, field), scalar, value)
}

#[allow(clippy::cast_precision_loss, reason = "an int is rounded as Python's float() does")]
pub(super) fn bits_of(which: &At<'_>, scalar: Scalar, value: &Value) -> Result<u128> {
    match (scalar, value) {
        // A numpy scalar, a member of an IntEnum: the number that it is.
        (_, Value::Extended(part)) if part.as_value().is_some() => {
            bits_of(which, scalar, part.as_value().unwrap_or(value))
        }
        (Scalar::Bool, Value::Bool(flag)) => Ok(u128::from(*flag)),
        (Scalar::Char, Value::Str(text)) => {
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(one), None) => Ok(u128::from(u32::from(one))),
                _ => Err(which.out_of_range("one character", &format!("{text:?}"))),
            }
        }
        (Scalar::F64, Value::Float(number)) => Ok(u128::from(number.to_bits())),
        (Scalar::F64, Value::Int(number)) => Ok(u128::from((*number as f64).to_bits())),
        (Scalar::F32, Value::Float(number)) => Ok(u128::from((*number as f32).to_bits())),
        (Scalar::F32, Value::Int(number)) => Ok(u128::from((*number as f32).to_bits())),
        (Scalar::F64, Value::BigInt(number)) => {
            float_bits(which, number, f64::MAX).map(|number| u128::from(number.to_bits()))
        }
        (Scalar::F32, Value::BigInt(number)) => {
            float_bits(which, number, f32::MAX).map(|number| u128::from(number.to_bits()))
        }
        (Scalar::Bool, other) => Err(which.wrong_type("a bool", other)),
        (Scalar::Char, other) => Err(which.wrong_type("a str of one character", other)),
        (Scalar::F32 | Scalar::F64, other) => Err(which.wrong_type("a float", other)),
        (_, Value::Int(number)) => {
            let number = i128::from(*number);
            let (low, high) = range(scalar);
            if number < low || (number > 0 && number.unsigned_abs() > high) {
                return Err(which.out_of_range(&format!("{low} to {high}"), &number));
            }
            Ok(number as u128)
        }
        (_, Value::BigInt(number)) => integer_bits(which, scalar, number),
        (_, other) => Err(which.wrong_type("an int", other)),
    }
}

/// The float next to a large int.
fn float_bits<F>(which: &At<'_>, number: &BigInt, largest: F) -> Result<F>
where
    F: FromStr + PartialOrd + Neg<Output = F> + Copy + LowerExp,
{
    let range = format!("{:e} to {largest:e}", -largest);
    // Beyond any float; and its digits would take long.
    if number.bits() > 1024 {
        return Err(which.out_of_range(&range, &format!("an int of {} bits", number.bits())));
    }
    // By its digits, which are rounded as Python's float() does.
    match number.to_string().parse() {
        Ok(float) if -largest <= float && float <= largest => Ok(float),
        _ => Err(which.out_of_range(&range, number)),
    }
}

fn integer_bits(which: &At<'_>, scalar: Scalar, number: &BigInt) -> Result<u128> {
    let (low, high) = range(scalar);
    if *number < BigInt::from(low) || *number > BigInt::from(high) {
        return Err(which.out_of_range(&format!("{low} to {high}"), number));
    }
    let signed = i128::try_from(number).map(|number| number as u128);
    signed
        .or_else(|_| u128::try_from(number))
        .map_err(|_| which.out_of_range(&format!("{low} to {high}"), number))
}

/// The smallest and the largest number that a scalar takes; times count nanoseconds.
fn range(scalar: Scalar) -> (i128, u128) {
    match scalar {
        Scalar::Time => (i128::from(i64::MIN) * NANOS, i64::MAX as u128 * NANOS as u128),
        Scalar::Duration => (0, u128::from(u64::MAX) * NANOS as u128),
        other => other.range().unwrap_or((0, 0)),
    }
}
