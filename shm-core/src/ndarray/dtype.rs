//! What the elements of an array are: numbers of fixed width, or what numpy's text says.
//!
//! The codes are part of the format. An element of a type that has no code of its own (text of fixed
//! width, times, records of fields) is bytes to this crate; the text that describes it is stored as it
//! was given, and a reader of it believes nothing that does not fit the stored size.

use crate::error::{Error, Result};

/// Longest text of a type, in bytes.
pub(super) const TEXT_LIMIT: usize = 16 << 10;
/// Code of a type that is described by text.
pub(super) const DESCRIBED: u8 = 0;

macro_rules! types {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $size:literal, $text:literal;)*) => {
        /// The type of an array's elements.
        ///
        /// ```
        /// use shm_core::DType;
        /// assert_eq!(DType::F64.size(), 8);
        /// assert_eq!(DType::C64.name(), "complex64");
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum DType {
            $($(#[$doc])* $name,)*
            /// Any other type without references: bytes, described by text. What the text means is
            /// the business of whoever wrote it (Python writes numpy's description).
            Described {
                /// The description.
                text: String,
                /// Bytes of an element.
                size: u32,
            },
        }

        impl DType {
            /// Bytes of an element.
            #[must_use]
            pub fn size(&self) -> u64 {
                match self {
                    $(DType::$name => $size,)*
                    DType::Described { size, .. } => u64::from(*size),
                }
            }

            /// What numpy calls it; the description of any other.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(DType::$name => $text,)*
                    DType::Described { text, .. } => text,
                }
            }

            /// Its number in the format; 0 for one that is described.
            #[must_use]
            pub fn code(&self) -> u8 {
                match self {
                    $(DType::$name => $code,)*
                    DType::Described { .. } => DESCRIBED,
                }
            }

            /// The type of a number.
            #[must_use]
            pub fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(DType::$name),)*
                    _ => None,
                }
            }
        }
    };
}

types! {
    /// A byte that is 0 or not.
    Bool = 1, 1, "bool";
    /// A signed byte.
    I8 = 2, 1, "int8";
    /// A byte.
    U8 = 3, 1, "uint8";
    /// 16 bits, signed.
    I16 = 4, 2, "int16";
    /// 16 bits.
    U16 = 5, 2, "uint16";
    /// 32 bits, signed.
    I32 = 6, 4, "int32";
    /// 32 bits.
    U32 = 7, 4, "uint32";
    /// 64 bits, signed.
    I64 = 8, 8, "int64";
    /// 64 bits.
    U64 = 9, 8, "uint64";
    /// IEEE 754, 16 bits. Rust has no such type: see `Array::read_bytes`.
    F16 = 10, 2, "float16";
    /// IEEE 754, 32 bits.
    F32 = 11, 4, "float32";
    /// IEEE 754, 64 bits.
    F64 = 12, 8, "float64";
    /// A complex number of two `f32`.
    C64 = 13, 8, "complex64";
    /// A complex number of two `f64`.
    C128 = 14, 16, "complex128";
}

impl DType {
    /// A type that is described by text.
    ///
    /// # Errors
    /// `InvalidArgument` for elements of 0 bytes and for a text of more than 16 KiB.
    pub fn described(text: impl Into<String>, size: u32) -> Result<Self> {
        let text = text.into();
        if size == 0 {
            let what = format!("elements of 0 bytes ({text:.40}): give the type a width");
            return Err(Error::InvalidArgument { what });
        }
        if text.len() > TEXT_LIMIT {
            let what = format!(
                "the description of a dtype has {} bytes: {TEXT_LIMIT} at most",
                text.len()
            );
            return Err(Error::InvalidArgument { what });
        }
        Ok(DType::Described { text, size })
    }
}

/// A Rust type that an array's elements can be. Complex numbers are pairs, real part first.
pub trait Element: Copy + sealed::Sealed + Send + Sync + 'static {
    /// Which type it is.
    #[doc(hidden)]
    const DTYPE: DType;
    /// Bytes of it: 1, 2, 4, 8 or 16.
    #[doc(hidden)]
    const SIZE: u64;
    /// Its bits, in the low end of the first word; the second one is of the widest type only.
    #[doc(hidden)]
    fn to_bits(self) -> [u64; 2];
    /// From such bits.
    #[doc(hidden)]
    fn of_bits(bits: [u64; 2]) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($type:ty as $dtype:ident, $size:literal: |$value:ident| $bits:expr, |$word:ident| $back:expr;)*) => {$(
        impl sealed::Sealed for $type {}

        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
            const SIZE: u64 = $size;

            #[inline]
            fn to_bits(self) -> [u64; 2] {
                let $value = self;
                $bits
            }

            #[inline]
            fn of_bits($word: [u64; 2]) -> Self {
                $back
            }
        }
    )*};
}

elements! {
    bool as Bool, 1: |value| [u64::from(value), 0], |word| word[0] & 0xFF != 0;
    i8 as I8, 1: |value| [u64::from(value as u8), 0], |word| word[0] as i8;
    u8 as U8, 1: |value| [u64::from(value), 0], |word| word[0] as u8;
    i16 as I16, 2: |value| [u64::from(value as u16), 0], |word| word[0] as i16;
    u16 as U16, 2: |value| [u64::from(value), 0], |word| word[0] as u16;
    i32 as I32, 4: |value| [u64::from(value as u32), 0], |word| word[0] as i32;
    u32 as U32, 4: |value| [u64::from(value), 0], |word| word[0] as u32;
    i64 as I64, 8: |value| [value as u64, 0], |word| word[0] as i64;
    u64 as U64, 8: |value| [value, 0], |word| word[0];
    f32 as F32, 4: |value| [u64::from(value.to_bits()), 0], |word| f32::from_bits(word[0] as u32);
    f64 as F64, 8: |value| [value.to_bits(), 0], |word| f64::from_bits(word[0]);
    [f32; 2] as C64, 8:
        |value| [u64::from(value[0].to_bits()) | (u64::from(value[1].to_bits()) << 32), 0],
        |word| [f32::from_bits(word[0] as u32), f32::from_bits((word[0] >> 32) as u32)];
    [f64; 2] as C128, 16:
        |value| [value[0].to_bits(), value[1].to_bits()],
        |word| [f64::from_bits(word[0]), f64::from_bits(word[1])];
}
