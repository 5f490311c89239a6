//! `Fraction`: a ratio of two integers in lowest terms.

use num_bigint::{BigInt, Sign};

use crate::error::{Error, Result};
use crate::value::Value;

use super::NUMBER_BITS;

/// `fractions.Fraction`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fraction {
    numerator: BigInt,
    denominator: BigInt,
}

impl Fraction {
    /// The ratio of two integers.
    ///
    /// # Errors
    /// `InvalidArgument` for a denominator of 0, and for integers of more than 65536 bits.
    pub fn new(numerator: impl Into<BigInt>, denominator: impl Into<BigInt>) -> Result<Self> {
        let (numerator, denominator) = (numerator.into(), denominator.into());
        let bits = numerator.bits().max(denominator.bits());
        if denominator.sign() == Sign::NoSign || bits > NUMBER_BITS {
            return Err(Error::InvalidArgument {
                what: format!(
                    "no fraction of integers of {bits} bits: the denominator is not 0, and both \
                     have at most {NUMBER_BITS}"
                ),
            });
        }
        let common = common_divisor(&numerator, &denominator);
        let sign = if denominator.sign() == Sign::Minus { -common } else { common };
        Ok(Fraction { numerator: numerator / &sign, denominator: denominator / sign })
    }

    /// What was stored; only Python or [`Fraction::new`] store one, in lowest terms.
    pub(super) fn from_stored(numerator: &Value, denominator: &Value) -> Option<Self> {
        if !numerator.is_integer() || !denominator.is_integer() {
            return None;
        }
        let (numerator, denominator) = (numerator.big_value(), denominator.big_value());
        let small = numerator.bits().max(denominator.bits()) <= NUMBER_BITS;
        (small && denominator.sign() == Sign::Plus).then_some(Fraction { numerator, denominator })
    }

    /// What is above the line.
    #[must_use]
    pub fn numerator(&self) -> &BigInt {
        &self.numerator
    }

    /// What is below the line; positive.
    #[must_use]
    pub fn denominator(&self) -> &BigInt {
        &self.denominator
    }
}

/// The greatest common divisor, positive.
fn common_divisor(one: &BigInt, two: &BigInt) -> BigInt {
    let (mut a, mut b) = (one.magnitude().clone(), two.magnitude().clone());
    while b.bits() > 0 {
        (a, b) = (b.clone(), a % b);
    }
    a.into()
}
