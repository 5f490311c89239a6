//! The cells of an extended value: from the value to its parts, and back.
//!
//! The first cell is the code of the type. `docs/format.md` has the table.

use num_bigint::BigInt;

use crate::value::Value;

use super::{
    Date, DateTime, Decimal, EnumMember, Extended, Fraction, NumpyScalar, Pickled, Range, Time,
    TimeDelta, Zone,
};

const COMPLEX: i64 = 1;
const DATE: i64 = 2;
const TIME: i64 = 3;
const DATETIME: i64 = 4;
const TIMEDELTA: i64 = 5;
const ZONE: i64 = 6;
const DECIMAL: i64 = 7;
const FRACTION: i64 = 8;
const UUID: i64 = 9;
const RANGE: i64 = 10;
const SLICE: i64 = 11;
const ENUM: i64 = 12;
const NUMPY: i64 = 13;
const PICKLED: i64 = 14;

impl Extended {
    /// The code of its type: the first cell.
    #[must_use]
    pub fn code(&self) -> i64 {
        match self {
            Extended::Complex(..) => COMPLEX,
            Extended::Date(_) => DATE,
            Extended::Time(_) => TIME,
            Extended::DateTime(_) => DATETIME,
            Extended::TimeDelta(_) => TIMEDELTA,
            Extended::Zone(_) => ZONE,
            Extended::Decimal(_) => DECIMAL,
            Extended::Fraction(_) => FRACTION,
            Extended::Uuid(..) => UUID,
            Extended::Range(_) => RANGE,
            Extended::Slice(_) => SLICE,
            Extended::Enum(_) => ENUM,
            Extended::Numpy(_) => NUMPY,
            Extended::Pickled(_) => PICKLED,
        }
    }

    /// Its code and its parts, as they are stored.
    #[must_use]
    pub fn to_parts(&self) -> Vec<Value> {
        let mut parts = vec![Value::Int(self.code())];
        match self {
            Extended::Complex(re, im) => parts.extend([(*re).into(), (*im).into()]),
            Extended::Date(date) => parts.push(date.packed().into()),
            Extended::Time(time) => time_parts(time, &mut parts),
            Extended::DateTime(moment) => {
                parts.push(moment.date.packed().into());
                time_parts(&moment.time, &mut parts);
            }
            Extended::TimeDelta(delta) => parts.extend([delta.days.into(), delta.micros.into()]),
            Extended::Zone(zone) => zone_parts(zone, &mut parts),
            Extended::Decimal(number) => parts.push(number.as_str().into()),
            Extended::Fraction(number) => {
                let both = [number.numerator(), number.denominator()];
                parts.extend(both.map(|part| Value::from(part.clone())));
            }
            Extended::Uuid(bytes, safe) => parts.extend([bytes.into(), (*safe).into()]),
            Extended::Range(range) => {
                let all = [&range.start, &range.stop, &range.step];
                parts.extend(all.map(|part| Value::from(part.clone())));
            }
            Extended::Slice(all) => parts.extend(all.iter().cloned()),
            Extended::Enum(member) => {
                let EnumMember { class, name, value, is_value } = member;
                let name = name.as_deref().into();
                parts.extend([class.into(), name, value.clone(), (*is_value).into()]);
            }
            Extended::Numpy(scalar) => {
                parts.extend([(&scalar.dtype).into(), scalar.value.clone()]);
            }
            Extended::Pickled(Pickled { class, data }) => {
                parts.extend([class.into(), data.as_slice().into()]);
            }
        }
        parts
    }

    /// The value of a code and parts; `None` if they make none.
    #[must_use]
    pub fn from_parts(parts: Vec<Value>) -> Option<Extended> {
        let mut parts = parts.into_iter();
        let Value::Int(code) = parts.next()? else { return None };
        let rest: Vec<Value> = parts.collect();
        let made = Self::of(code, &rest)?;
        made.is_valid().then_some(made)
    }

    fn of(code: i64, parts: &[Value]) -> Option<Extended> {
        Some(match (code, parts) {
            (COMPLEX, [Value::Float(re), Value::Float(im)]) => Extended::Complex(*re, *im),
            (DATE, [Value::Int(date)]) => Extended::Date(Date::unpacked(*date)?),
            (TIME, parts) => Extended::Time(time(parts)?),
            (DATETIME, [Value::Int(date), parts @ ..]) => {
                Extended::DateTime(DateTime { date: Date::unpacked(*date)?, time: time(parts)? })
            }
            (TIMEDELTA, [Value::Int(days), Value::Int(micros)]) => {
                Extended::TimeDelta(TimeDelta { days: *days, micros: *micros })
            }
            (ZONE, parts) => Extended::Zone(zone(parts)?),
            (DECIMAL, [Value::Str(text)]) => Extended::Decimal(Decimal::from_stored(text.clone())?),
            (FRACTION, [numerator, denominator]) => {
                Extended::Fraction(Fraction::from_stored(numerator, denominator)?)
            }
            (UUID, [Value::Bytes(bytes), safe @ (Value::None | Value::Bool(_))]) => {
                Extended::Uuid(bytes.as_slice().try_into().ok()?, safe.as_bool())
            }
            (RANGE, [start, stop, step]) => Extended::Range(Range {
                start: integer(start)?,
                stop: integer(stop)?,
                step: integer(step)?,
            }),
            (SLICE, [start, stop, step]) => {
                Extended::Slice([start.clone(), stop.clone(), step.clone()])
            }
            (ENUM, [Value::Str(class), name, value, Value::Bool(is_value)]) => {
                Extended::Enum(EnumMember {
                    class: class.clone(),
                    name: optional_text(name)?,
                    value: value.clone(),
                    is_value: *is_value,
                })
            }
            (NUMPY, [Value::Str(dtype), value]) => {
                Extended::Numpy(NumpyScalar { dtype: dtype.clone(), value: value.clone() })
            }
            (PICKLED, [Value::Str(class), Value::Bytes(data)]) => {
                Extended::Pickled(Pickled { class: class.clone(), data: data.clone() })
            }
            _ => return None,
        })
    }
}

fn integer(value: &Value) -> Option<BigInt> {
    matches!(value, Value::Int(_) | Value::BigInt(_)).then(|| value.big_value())
}

#[allow(clippy::option_option, reason = "no text is not what is no optional text")]
fn optional_text(value: &Value) -> Option<Option<String>> {
    match value {
        Value::None => Some(None),
        Value::Str(text) => Some(Some(text.clone())),
        _ => None,
    }
}

fn time_parts(time: &Time, parts: &mut Vec<Value>) {
    parts.extend([time.micros.into(), time.fold.into()]);
    if let Some(zone) = &time.zone {
        zone_parts(zone, parts);
    }
}

fn time(parts: &[Value]) -> Option<Time> {
    let [Value::Int(micros), Value::Bool(fold), rest @ ..] = parts else { return None };
    let zone = if rest.is_empty() { None } else { Some(zone(rest)?) };
    Some(Time { micros: *micros, fold: *fold, zone })
}

fn zone_parts(zone: &Zone, parts: &mut Vec<Value>) {
    match zone {
        Zone::Fixed { offset, name } => parts.extend([(*offset).into(), name.as_deref().into()]),
        Zone::Named { key, offsets: None } => parts.push(key.into()),
        Zone::Named { key, offsets: Some([earlier, later]) } => {
            parts.extend([key.into(), (*earlier).into(), (*later).into()]);
        }
    }
}

fn zone(parts: &[Value]) -> Option<Zone> {
    Some(match parts {
        [Value::Int(offset), name] => Zone::Fixed { offset: *offset, name: optional_text(name)? },
        [Value::Str(key)] => Zone::Named { key: key.clone(), offsets: None },
        [Value::Str(key), Value::Int(earlier), Value::Int(later)] => {
            Zone::Named { key: key.clone(), offsets: Some([*earlier, *later]) }
        }
        _ => return None,
    })
}
