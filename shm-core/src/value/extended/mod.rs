//! Values that Python has in its standard library: complex, dates, decimals, fractions and the like.
//!
//! One kind of leaf holds them all: a tuple of cells whose first is an int that says which type, the
//! others are its parts (`docs/format.md` lists them). So everything that walks cells knows them
//! already, and here is only what the parts mean. What is read is validated: parts that make no value
//! are damage, never a panic. Whoever stores one has the same rules.
//!
//! Equality, order and hash are Python's, for keys too: `Decimal(1) == 1`, `Decimal("0.5") == 0.5 ==
//! Fraction(1, 2)`, aware times by their instant (`relation`).

mod decimal;
mod enumeration;
mod fraction;
mod moment;
mod numpy;
mod parts;
mod range;
mod rational;
pub(super) mod relation;
mod zone;

pub use decimal::Decimal;
pub use enumeration::{EnumMember, Pickled};
pub use fraction::Fraction;
pub use moment::{Date, DateTime, Time, TimeDelta};
pub use numpy::NumpyScalar;
pub use range::Range;
pub use zone::{Offsets, Zone};

use crate::error::{Error, Result};
use crate::value::Value;

/// Longest number among the parts, in bits: what is done with them takes bounded time.
pub(crate) const NUMBER_BITS: u64 = 1 << 16;
/// Longest text of a decimal.
pub(crate) const DECIMAL_TEXT: usize = 1 << 16;

/// A value of a type that Python's standard library (or numpy) has.
///
/// ```
/// use shm_core::extended::{Decimal, TimeDelta};
/// use shm_core::{Extended, Value};
///
/// let price = Value::from(Extended::Decimal(Decimal::parse("0.5")?));
/// assert_eq!(price, Value::from(0.5));
/// let day = TimeDelta::new(0, 86_400_000_000);
/// assert_eq!((day.days, day.micros), (1, 0));
/// # Ok::<(), shm_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Extended {
    /// `complex`: real and imaginary part.
    Complex(f64, f64),
    /// `datetime.date`.
    Date(Date),
    /// `datetime.time`.
    Time(Time),
    /// `datetime.datetime`.
    DateTime(DateTime),
    /// `datetime.timedelta`.
    TimeDelta(TimeDelta),
    /// `datetime.timezone` or `zoneinfo.ZoneInfo`.
    Zone(Zone),
    /// `decimal.Decimal`.
    Decimal(Decimal),
    /// `fractions.Fraction`.
    Fraction(Fraction),
    /// `uuid.UUID`: its bytes, and what its `is_safe` says.
    Uuid([u8; 16], Option<bool>),
    /// `range`.
    Range(Range),
    /// `slice`: start, stop and step.
    Slice([Value; 3]),
    /// A member of an `Enum`.
    Enum(EnumMember),
    /// A numpy scalar.
    Numpy(NumpyScalar),
    /// An instance of a class that `allow_pickle` names.
    Pickled(Pickled),
}

impl Extended {
    /// The name of its type, as Python says it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Extended::Complex(..) => "complex",
            Extended::Date(_) => "datetime.date",
            Extended::Time(_) => "datetime.time",
            Extended::DateTime(_) => "datetime.datetime",
            Extended::TimeDelta(_) => "datetime.timedelta",
            Extended::Zone(Zone::Fixed { .. }) => "datetime.timezone",
            Extended::Zone(Zone::Named { .. }) => "zoneinfo.ZoneInfo",
            Extended::Decimal(_) => "decimal.Decimal",
            Extended::Fraction(_) => "fractions.Fraction",
            Extended::Uuid(..) => "uuid.UUID",
            Extended::Range(_) => "range",
            Extended::Slice(_) => "slice",
            Extended::Enum(_) => "enum member",
            Extended::Numpy(_) => "numpy scalar",
            Extended::Pickled(_) => "pickled object",
        }
    }

    /// The value that it stands for and is equal to: of a member of an `IntEnum`, `StrEnum` or `IntFlag`,
    /// and of a numpy number or text.
    #[must_use]
    pub fn as_value(&self) -> Option<&Value> {
        match self {
            Extended::Enum(member) if member.is_value => Some(&member.value),
            Extended::Numpy(scalar) if scalar.is_value() => Some(&scalar.value),
            _ => None,
        }
    }

    /// Fails unless it is one that is read back.
    pub(crate) fn validate(&self) -> Result<()> {
        if self.is_valid() {
            return Ok(());
        }
        Err(Error::InvalidArgument {
            what: format!("a {} has parts that make no value: {}", self.type_name(), self.cut()),
        })
    }

    /// As much of it as an error shows.
    fn cut(&self) -> String {
        format!("{self:?}").chars().take(100).collect()
    }

    fn is_valid(&self) -> bool {
        match self {
            Extended::Complex(..)
            | Extended::Uuid(..)
            | Extended::Slice(_)
            | Extended::Fraction(_)
            | Extended::Decimal(_) => true,
            Extended::Date(date) => date.is_valid(),
            Extended::Time(time) => time.is_valid(),
            Extended::DateTime(moment) => moment.date.is_valid() && moment.time.is_valid(),
            Extended::TimeDelta(delta) => delta.is_valid(),
            Extended::Zone(zone) => zone.is_valid(),
            Extended::Range(range) => range.is_valid(),
            Extended::Enum(member) => member.is_valid(),
            Extended::Numpy(scalar) => scalar.is_valid(),
            Extended::Pickled(pickled) => enumeration::is_class(&pickled.class),
        }
    }
}

impl From<Extended> for Value {
    fn from(value: Extended) -> Self {
        Value::Extended(Box::new(value))
    }
}

macro_rules! from_parts {
    ($($type:ident => $variant:ident),*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Extended::$variant(value).into()
            }
        }
    )*};
}
from_parts!(
    Date => Date, Time => Time, DateTime => DateTime, TimeDelta => TimeDelta, Zone => Zone,
    Decimal => Decimal, Fraction => Fraction, Range => Range, EnumMember => Enum,
    NumpyScalar => Numpy, Pickled => Pickled
);

#[cfg(test)]
mod tests;
