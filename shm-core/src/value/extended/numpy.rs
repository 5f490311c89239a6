//! Scalars of numpy: a dtype, and the value that numpy's `item()` gives.
//!
//! Moments and spans of numpy are a number of units; they compare by what they mean.

use num_bigint::BigInt;

use super::moment::days_from_civil;
use crate::value::{Extended, Value};

/// A numpy scalar.
#[derive(Clone, Debug)]
pub struct NumpyScalar {
    /// Its dtype: a type character such as `d` or `l`, or `M8[us]`, `m8[D]`.
    pub dtype: String,
    /// A bool, int, float, complex, str or bytes; of a `longdouble` that is no float a fraction; of a
    /// moment or a span how many units.
    pub value: Value,
}

/// Units of moments and spans; of those from `W` on, how many seconds or what part of one.
const UNITS: [&str; 13] = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"];
/// "Not a time".
const NOT_A_TIME: i64 = i64::MIN;

/// What a moment or a span is, for comparing it with others of its sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ticks {
    /// No time at all.
    None,
    /// Attoseconds, of a moment since 1970.
    Attoseconds(BigInt),
    /// Months, of a span.
    Months(BigInt),
    /// Units of nothing.
    Units(i64),
}

impl NumpyScalar {
    /// Whether it is a number or text that its value is equal to.
    pub(super) fn is_value(&self) -> bool {
        self.dtype.len() == 1
    }

    /// Whether it is a moment (`datetime64`) or a span (`timedelta64`).
    pub(super) fn is_moment(&self) -> bool {
        self.dtype.starts_with('M')
    }

    pub(super) fn is_valid(&self) -> bool {
        let within = |low: i64, high: i64| {
            let number = if let Value::Int(number) = self.value { Some(number) } else { None };
            number.is_some_and(|number| (low..=high).contains(&number))
        };
        let part = self.value.as_extended();
        match self.dtype.as_str() {
            "?" => matches!(self.value, Value::Bool(_)),
            "b" => within(i8::MIN.into(), i8::MAX.into()),
            "B" => within(0, u8::MAX.into()),
            "h" => within(i16::MIN.into(), i16::MAX.into()),
            "H" => within(0, u16::MAX.into()),
            "i" => within(i32::MIN.into(), i32::MAX.into()),
            "I" => within(0, u32::MAX.into()),
            "l" | "q" => within(i64::MIN, i64::MAX),
            "L" | "Q" => {
                self.value.is_integer()
                    && self.value.as_bool().is_none()
                    && u64::try_from(self.value.big_value()).is_ok()
            }
            "e" | "f" | "d" => matches!(self.value, Value::Float(_)),
            "g" => {
                matches!(self.value, Value::Float(_)) || matches!(part, Some(Extended::Fraction(_)))
            }
            "F" | "D" => matches!(part, Some(Extended::Complex(..))),
            "U" => self.value.as_text_bytes().is_some(),
            "S" => self.value.as_bytes().is_some(),
            _ => self.unit().is_some() && within(i64::MIN, i64::MAX),
        }
    }

    /// How many of which unit one tick of a moment or a span is; no unit: `None` in the second place.
    fn unit(&self) -> Option<(u32, Option<usize>)> {
        let rest = self.dtype.strip_prefix("M8").or_else(|| self.dtype.strip_prefix("m8"))?;
        if rest.is_empty() {
            return Some((1, None));
        }
        let inner = rest.strip_prefix('[')?.strip_suffix(']')?;
        let name = inner.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let count = match inner.len() - name.len() {
            0 => 1,
            digits => inner.get(..digits)?.parse().ok().filter(|count| *count > 0)?,
        };
        let unit = UNITS.iter().position(|unit| *unit == name)?;
        i32::try_from(count).is_ok().then_some((count, Some(unit)))
    }

    /// What it compares by, if it is a moment or a span.
    pub(super) fn ticks(&self) -> Option<Ticks> {
        let (count, unit) = self.unit()?;
        let number = self.value.as_int()?;
        if number == NOT_A_TIME {
            return Some(Ticks::None);
        }
        let Some(unit) = unit else { return Some(Ticks::Units(number)) };
        let many = BigInt::from(number) * count;
        if unit < 2 {
            let months = if unit == 0 { many * 12 } else { many };
            return Some(if self.is_moment() {
                Ticks::Attoseconds(days_of_months(&months) * attoseconds(3))
            } else {
                Ticks::Months(months)
            });
        }
        Some(Ticks::Attoseconds(many * attoseconds(unit)))
    }
}

/// Attoseconds of a unit.
fn attoseconds(unit: usize) -> BigInt {
    const SECOND: u64 = 1_000_000_000_000_000_000;
    let seconds = |many: u64| BigInt::from(SECOND) * many;
    match unit {
        2 => seconds(7 * 86_400),
        3 => seconds(86_400),
        4 => seconds(3600),
        5 => seconds(60),
        _ => (6..unit).fold(seconds(1), |part, _| part / 1000_u32),
    }
}

/// The day on which the months since 1970 begin that are so many from there.
fn days_of_months(months: &BigInt) -> BigInt {
    // 400 years are 4800 months and 146097 days, whichever.
    let eras = months / 4800_u32;
    let rest = i64::try_from(months - &eras * 4800_u32).unwrap_or(0);
    let days = days_from_civil(1970 + rest.div_euclid(12), 1 + rest.rem_euclid(12), 1);
    eras * 146_097_u32 + days
}
