//! Numbers, `bool`, `char` and times as fields: each is some bits at some byte.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::Result;
use crate::payload::{Sink, Source};
use crate::schema::{Layout, Place, Scalar, TypeInfo};
use crate::slot::Slot;

use super::{Bare, Mode, Shared};

/// A scalar as bits.
pub trait Bits: Copy {
    /// Which scalar it is.
    const SCALAR: Scalar;
    /// Its bits.
    fn to_bits(self) -> u128;
    /// The value of these bits; any are one.
    fn from_bits(bits: u128) -> Self;
}

/// An integer field.
pub trait Integer: Shared + Bits {
    /// The sum, wrapping around.
    #[must_use]
    fn wrapping_add(self, other: Self) -> Self;
}

macro_rules! integers {
    ($($int:ident as $unsigned:ident $scalar:ident),* $(,)?) => {$(
        impl Bits for $int {
            const SCALAR: Scalar = Scalar::$scalar;

            #[inline]
            #[allow(clippy::cast_lossless, reason = "the same text for all widths")]
            fn to_bits(self) -> u128 {
                self as $unsigned as u128
            }

            #[inline]
            fn from_bits(bits: u128) -> Self {
                bits as $unsigned as $int
            }
        }

        impl Integer for $int {
            #[inline]
            fn wrapping_add(self, other: Self) -> Self {
                <$int>::wrapping_add(self, other)
            }
        }
    )*};
}
integers!(
    i8 as u8 I8, i16 as u16 I16, i32 as u32 I32, i64 as u64 I64, i128 as u128 I128,
    u8 as u8 U8, u16 as u16 U16, u32 as u32 U32, u64 as u64 U64, u128 as u128 U128,
);

impl Bits for bool {
    const SCALAR: Scalar = Scalar::Bool;

    #[inline]
    fn to_bits(self) -> u128 {
        u128::from(self)
    }

    #[inline]
    fn from_bits(bits: u128) -> Self {
        bits != 0
    }
}

impl Bits for char {
    const SCALAR: Scalar = Scalar::Char;

    #[inline]
    fn to_bits(self) -> u128 {
        u128::from(u32::from(self))
    }

    #[inline]
    fn from_bits(bits: u128) -> Self {
        char::from_u32(bits as u32).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

impl Bits for f32 {
    const SCALAR: Scalar = Scalar::F32;

    #[inline]
    fn to_bits(self) -> u128 {
        u128::from(f32::to_bits(self))
    }

    #[inline]
    fn from_bits(bits: u128) -> Self {
        f32::from_bits(bits as u32)
    }
}

impl Bits for f64 {
    const SCALAR: Scalar = Scalar::F64;

    #[inline]
    fn to_bits(self) -> u128 {
        u128::from(f64::to_bits(self))
    }

    #[inline]
    fn from_bits(bits: u128) -> Self {
        f64::from_bits(bits as u64)
    }
}

impl Bits for Duration {
    const SCALAR: Scalar = Scalar::Duration;

    #[inline]
    fn to_bits(self) -> u128 {
        self.as_nanos()
    }

    /// More seconds than a span can have are its most.
    #[inline]
    fn from_bits(bits: u128) -> Self {
        u64::try_from(bits / NANOS)
            .map_or(Duration::MAX, |seconds| Duration::new(seconds, (bits % NANOS) as u32))
    }
}

impl Bits for SystemTime {
    const SCALAR: Scalar = Scalar::Time;

    #[inline]
    fn to_bits(self) -> u128 {
        match self.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_nanos(),
            Err(before) => before.duration().as_nanos().wrapping_neg(),
        }
    }

    /// A moment that this system cannot express is the start of 1970.
    #[inline]
    fn from_bits(bits: u128) -> Self {
        let nanos = bits as i128;
        let away = Duration::from_bits(nanos.unsigned_abs());
        let moment =
            if nanos < 0 { UNIX_EPOCH.checked_sub(away) } else { UNIX_EPOCH.checked_add(away) };
        moment.unwrap_or(UNIX_EPOCH)
    }
}

/// Nanoseconds of a second.
const NANOS: u128 = 1_000_000_000;

macro_rules! scalars {
    ($($scalar:ident),*) => {$(
        impl Shared for $scalar {
            type Get = $scalar;
            type Mode = Bare;
            const LAYOUT: Layout = Layout::number(<$scalar as Bits>::SCALAR.size());
            const TYPE: &'static TypeInfo = &TypeInfo::Scalar(<$scalar as Bits>::SCALAR);

            #[inline]
            fn get(slot: &Slot, place: Place) -> Self {
                let size = Self::LAYOUT.size;
                if size <= 8
                    && let Some(bits) = slot.quick_bits(place, size)
                {
                    return Bits::from_bits(u128::from(bits));
                }
                Bare::get(slot, place)
            }

            #[inline]
            fn set(slot: &Slot, place: Place, value: &Self) -> Result<()> {
                slot.write_bits(place, Self::LAYOUT.size, Bits::to_bits(*value))
            }

            #[inline]
            fn encode(&self, image: &mut impl Sink, at: Place) {
                image.bits(at.plain, Self::LAYOUT.size, Bits::to_bits(*self));
            }

            #[inline]
            fn decode(reader: &impl Source, at: Place) -> Self {
                Bits::from_bits(reader.bits(at.plain, Self::LAYOUT.size))
            }
        }
    )*};
}
scalars!(
    Duration, SystemTime, bool, char, i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f32, f64
);
