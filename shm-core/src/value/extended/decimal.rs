//! `Decimal`: digits and an exponent of ten, as the text that Python writes.
//!
//! The text is kept: it says how many digits there are (`1.10` is not `1.1`), and Python reads it back.

use std::cmp::Ordering;

use crate::error::{Error, Result};

use super::DECIMAL_TEXT;

/// Beyond this an exponent is an error in Python too.
const MOST_EXPONENT: i64 = 2_000_000_000_000_000_000;

/// `decimal.Decimal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    text: String,
}

/// A decimal taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `±digits × 10^exponent`, with no zeros in front of and behind the digits; 0 has none.
    Finite { negative: bool, digits: String, exponent: i64 },
    /// `Infinity`.
    Infinite { negative: bool },
    /// `NaN`.
    Quiet,
    /// `sNaN`.
    Signaling,
}

impl Decimal {
    /// The decimal that a text says: `"12.50"`, `"-1E+3"`, `"Infinity"`, `"NaN"`.
    ///
    /// # Errors
    /// `InvalidArgument` for any other text, and for one of more than 65536 characters.
    pub fn parse(text: &str) -> Result<Self> {
        let made = Decimal { text: text.to_owned() };
        if made.try_form().is_some() {
            return Ok(made);
        }
        let shown: String = text.chars().take(40).collect();
        Err(Error::InvalidArgument {
            what: format!(
                "{shown:?} of {} bytes is no decimal of at most {DECIMAL_TEXT}",
                text.len()
            ),
        })
    }

    pub(super) fn from_stored(text: String) -> Option<Self> {
        let made = Decimal { text };
        made.try_form().is_some().then_some(made)
    }

    /// The text, as Python writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it is.
    pub(super) fn form(&self) -> Form {
        self.try_form().unwrap_or(Form::Signaling)
    }

    fn try_form(&self) -> Option<Form> {
        if self.text.len() > DECIMAL_TEXT || !self.text.is_ascii() {
            return None;
        }
        let unsigned = self.text.strip_prefix(['+', '-']).unwrap_or(&self.text);
        let negative = self.text.starts_with('-');
        let lower = unsigned.to_ascii_lowercase();
        if matches!(lower.as_str(), "inf" | "infinity") {
            return Some(Form::Infinite { negative });
        }
        for (name, form) in [("nan", Form::Quiet), ("snan", Form::Signaling)] {
            if let Some(payload) = lower.strip_prefix(name) {
                return payload.bytes().all(|byte| byte.is_ascii_digit()).then_some(form);
            }
        }
        let (mantissa, exponent) = match lower.split_once('e') {
            Some((mantissa, exponent)) => (mantissa, whole(exponent)?),
            None => (lower.as_str(), 0),
        };
        let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [before, behind].concat();
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let exponent = exponent - behind.len() as i64;
        let digits = all.trim_start_matches('0');
        let stripped = digits.trim_end_matches('0');
        Some(Form::Finite {
            negative,
            digits: stripped.to_owned(),
            exponent: if stripped.is_empty() {
                0
            } else {
                exponent + (digits.len() - stripped.len()) as i64
            },
        })
    }
}

/// A whole number with a sign, small enough to be calculated with.
fn whole(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = text.strip_prefix('+').unwrap_or(text).parse().ok()?;
    (-MOST_EXPONENT..=MOST_EXPONENT).contains(&number).then_some(number)
}

/// The exponent of the first digit.
pub(super) fn magnitude(digits: &str, exponent: i64) -> i64 {
    exponent.saturating_add(digits.len() as i64 - 1)
}

/// Which of two positive decimals is smaller, digit by digit.
pub(super) fn order_digits(one: (&str, i64), two: (&str, i64)) -> Ordering {
    // Without zeros behind them, the shorter of two that begin alike is the smaller one.
    magnitude(one.0, one.1).cmp(&magnitude(two.0, two.1)).then_with(|| one.0.cmp(two.0))
}
