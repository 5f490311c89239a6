//! Addition, as `+=` in Python: what `add` of the containers does to what is stored.

use num_bigint::BigInt;

use crate::error::{Error, Result};
use crate::value::Value;
use crate::value::wtf8::joined;

impl Value {
    /// The sum of two numbers, or two texts, bytes or tuples one after the other.
    ///
    /// # Errors
    /// `WrongType` for types that Python does not add; `InvalidArgument` for an int too large for
    /// the float that it is added to.
    pub fn add(&self, other: &Value) -> Result<Value> {
        if let (Some(a), Some(b)) = (self.as_int(), other.as_int()) {
            let sum = a.checked_add(b);
            return Ok(sum.map_or_else(|| Value::from(i128::from(a) + i128::from(b)), Value::Int));
        }
        match (self, other) {
            (Value::Float(a), Value::Float(b)) => Ok(Value::Float(a + b)),
            (Value::Float(a), b) if b.is_integer() => Ok(Value::Float(a + b.float_value()?)),
            (a, Value::Float(b)) if a.is_integer() => Ok(Value::Float(a.float_value()? + b)),
            (a, b) if a.is_integer() && b.is_integer() => {
                Ok(Value::from(a.big_value() + b.big_value()))
            }
            (Value::Str(a), Value::Str(b)) => Ok(Value::Str(format!("{a}{b}"))),
            (Value::Bytes(a), Value::Bytes(b)) => Ok(Value::Bytes([a.as_slice(), b].concat())),
            (Value::Tuple(a), Value::Tuple(b)) => Ok(Value::Tuple([a.as_slice(), b].concat())),
            (a, b) => match (a.as_text_bytes(), b.as_text_bytes()) {
                (Some(a), Some(b)) => Ok(Value::from_wtf8(joined(a, b))),
                _ => Err(Error::WrongType {
                    what: format!("cannot add {} and {}", a.type_name(), b.type_name()),
                }),
            },
        }
    }

    pub(crate) fn is_integer(&self) -> bool {
        matches!(self, Value::Int(_) | Value::BigInt(_) | Value::Bool(_))
    }

    /// The integer as a big one; 0 for what is none.
    pub(crate) fn big_value(&self) -> BigInt {
        match self {
            Value::BigInt(number) => number.clone(),
            other => BigInt::from(other.as_int().unwrap_or_default()),
        }
    }

    /// The nearest float to an integer, ties to even.
    #[allow(clippy::cast_precision_loss, reason = "rounding to nearest is what is wanted")]
    fn float_value(&self) -> Result<f64> {
        let Value::BigInt(number) = self else {
            return Ok(self.as_int().unwrap_or_default() as f64);
        };
        let magnitude = number.magnitude();
        let bits = magnitude.bits();
        let shift = bits.saturating_sub(64);
        let top = magnitude >> shift;
        // A set lowest bit stands for everything below: with 11 bits to spare it decides ties.
        let sticky = u64::from(magnitude.trailing_zeros().unwrap_or(0) < shift);
        let leading = top.iter_u64_digits().next().unwrap_or_default() | sticky;
        let exponent = i32::try_from(shift).unwrap_or(i32::MAX);
        let float = if exponent > 1023 { f64::INFINITY } else { 2_f64.powi(exponent) };
        let float = leading as f64 * float;
        if float.is_infinite() {
            return Err(Error::InvalidArgument {
                what: "int too large to convert to float".into(),
            });
        }
        Ok(if number.sign() == num_bigint::Sign::Minus { -float } else { float })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(a: impl Into<Value>, b: impl Into<Value>) -> Value {
        a.into().add(&b.into()).unwrap()
    }

    #[test]
    fn sums_are_pythons() {
        assert_eq!(sum(1, 2), Value::Int(3));
        assert_eq!(sum(i64::MAX, 1), Value::from(1_u64 << 63));
        assert!(matches!(sum(u64::MAX, -(1_i64 << 62)), Value::BigInt(_)));
        assert!(matches!(sum(u64::MAX, i64::MIN), Value::Int(_)));
        assert_eq!(sum(1, 0.5), Value::Float(1.5));
        assert_eq!(sum(true, true), Value::Int(2));
        assert_eq!(sum("a", "b"), Value::from("ab"));
        assert!(Value::from(1).add(&Value::from("x")).is_err());
    }

    #[test]
    fn big_ints_round_to_the_nearest_float() {
        let number = Value::from((BigInt::from(1) << 80) + 1);
        assert_eq!(number.add(&0.0.into()).unwrap(), Value::Float(2_f64.powi(80)));
        let tie = Value::from((BigInt::from((1_u64 << 53) + 1) << 30) + 1);
        let up = (2_f64.powi(53) + 2.0) * 2_f64.powi(30);
        assert_eq!(tie.add(&0.0.into()).unwrap().as_float(), Some(up));
        let huge = Value::from(BigInt::from(1) << 2000);
        assert!(huge.add(&0.0.into()).is_err());
    }
}
