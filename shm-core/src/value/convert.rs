//! Conversions between Rust's types and [`Value`].

use std::borrow::Cow;

use num_bigint::BigInt;

use crate::bytearray::ByteArray;
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::list::List;
use crate::ndarray::Array;
use crate::record::Record;
use crate::set::Set;
use crate::value::Value;

macro_rules! from_small_ints {
    ($($int:ty),*) => {$(
        impl From<$int> for Value {
            #[inline]
            fn from(value: $int) -> Self {
                Value::Int(i64::from(value))
            }
        }
    )*};
}
from_small_ints!(i8, i16, i32, i64, u8, u16, u32);

macro_rules! from_large_ints {
    ($($int:ty),*) => {$(
        impl From<$int> for Value {
            #[inline]
            fn from(value: $int) -> Self {
                i64::try_from(value).map_or_else(|_| Value::BigInt(BigInt::from(value)), Value::Int)
            }
        }
    )*};
}
from_large_ints!(u64, usize, isize, u128, i128);

impl From<BigInt> for Value {
    fn from(value: BigInt) -> Self {
        i64::try_from(&value).map_or_else(|_| Value::BigInt(value), Value::Int)
    }
}

impl From<bool> for Value {
    #[inline]
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<f64> for Value {
    #[inline]
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<f32> for Value {
    #[inline]
    fn from(value: f32) -> Self {
        Value::Float(f64::from(value))
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Value::None
    }
}

impl From<char> for Value {
    fn from(value: char) -> Self {
        Value::Str(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Str(value.to_owned())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Value::Str(value.clone())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Str(value)
    }
}

impl From<Cow<'_, str>> for Value {
    fn from(value: Cow<'_, str>) -> Self {
        Value::Str(value.into_owned())
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Value::Bytes(value.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Value::Bytes(value.to_vec())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Value::Bytes(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::None, Into::into)
    }
}

impl From<&Value> for Value {
    fn from(value: &Value) -> Self {
        value.clone()
    }
}

macro_rules! from_handles {
    ($($handle:ident),*) => {$(
        impl From<$handle> for Value {
            fn from(value: $handle) -> Self {
                Value::$handle(value)
            }
        }

        impl From<&$handle> for Value {
            fn from(value: &$handle) -> Self {
                Value::$handle(value.clone())
            }
        }

        impl TryFrom<Value> for $handle {
            type Error = Error;

            fn try_from(value: Value) -> Result<Self> {
                match value {
                    Value::$handle(handle) => Ok(handle),
                    other => Err(wrong(Value::expected_name(stringify!($handle)), &other)),
                }
            }
        }
    )*};
}
from_handles!(List, Dict, Set, ByteArray, Record, Array);

macro_rules! from_tuples {
    ($(($($name:ident $field:tt),+)),*) => {$(
        impl<$($name: Into<Value>),+> From<($($name,)+)> for Value {
            fn from(value: ($($name,)+)) -> Self {
                Value::Tuple(vec![$(value.$field.into()),+])
            }
        }
    )*};
}
from_tuples!(
    (A 0),
    (A 0, B 1),
    (A 0, B 1, C 2),
    (A 0, B 1, C 2, D 3),
    (A 0, B 1, C 2, D 3, E 4),
    (A 0, B 1, C 2, D 3, E 4, F 5)
);

#[cold]
fn wrong(expected: &str, got: &Value) -> Error {
    Error::WrongType { what: format!("expected {expected}, got {}", got.type_name()) }
}

impl Value {
    fn expected_name(handle: &str) -> &str {
        match handle {
            "List" => "list",
            "Dict" => "dict",
            "Set" => "set",
            "ByteArray" => "bytearray",
            "Array" => "array",
            _ => "struct",
        }
    }
}

macro_rules! into_ints {
    ($($int:ty),*) => {$(
        impl TryFrom<Value> for $int {
            type Error = Error;

            fn try_from(value: Value) -> Result<Self> {
                let fits = match &value {
                    Value::Bool(flag) => <$int>::try_from(i64::from(*flag)).ok(),
                    Value::Int(number) => <$int>::try_from(*number).ok(),
                    Value::BigInt(number) => <$int>::try_from(number).ok(),
                    other => return Err(wrong("int", other)),
                };
                fits.ok_or_else(|| Error::InvalidArgument {
                    what: format!("int out of range for {}", stringify!($int)),
                })
            }
        }
    )*};
}
into_ints!(i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, usize, isize);

impl TryFrom<Value> for bool {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self> {
        value.as_bool().ok_or_else(|| wrong("bool", &value))
    }
}

impl TryFrom<Value> for f64 {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self> {
        value.as_float().ok_or_else(|| wrong("float", &value))
    }
}

impl TryFrom<Value> for String {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self> {
        match value {
            Value::Str(text) => Ok(text),
            other => Err(wrong("str", &other)),
        }
    }
}

impl TryFrom<Value> for Vec<u8> {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self> {
        match value {
            Value::Bytes(content) => Ok(content),
            other => Err(wrong("bytes", &other)),
        }
    }
}

impl TryFrom<Value> for Vec<Value> {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self> {
        match value {
            Value::Tuple(items) => Ok(items),
            Value::List(list) => list.to_vec(),
            other => Err(wrong("tuple or list", &other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsigned_beyond_63_bits_become_big() {
        assert!(matches!(Value::from(u64::MAX), Value::BigInt(_)));
        assert!(matches!(Value::from(5_u64), Value::Int(5)));
        assert_eq!(u64::try_from(Value::from(u64::MAX)).unwrap(), u64::MAX);
        assert!(i64::try_from(Value::from(u64::MAX)).is_err());
    }

    #[test]
    fn text_of_any_kind_is_a_value_and_equals_one() {
        let owned = String::from("ü");
        let value = Value::from(Cow::Borrowed("ü"));
        assert!(value == owned && value == *"ü" && value == "ü");
        assert_eq!(value, Value::from(&owned));
        assert!(value != String::new() && Value::from(1) != owned);
    }

    #[test]
    fn wrong_types_name_both_types() {
        let message = String::try_from(Value::from(1)).unwrap_err().to_string();
        assert_eq!(message, "expected str, got int");
    }
}
