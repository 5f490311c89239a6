//! The everyday ones of these values: complex, dates and times without a zone or in UTC, decimals.
//!
//! Both ways run no Python code, so a draft may take them too. What is not as usual (another zone, a
//! decimal that is not the interpreter's own) is `None`: `_values.py` knows it.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyComplex, PyDate, PyDateAccess, PyDateTime, PyDelta, PyDeltaAccess, PyDict, PyTime,
    PyTimeAccess, PyType, PyTzInfo, PyTzInfoAccess,
};
use shm_core::extended::{Date, DateTime, Decimal, Time, TimeDelta, Zone};
use shm_core::{Extended, Value};

/// `sys.modules`.
static MODULES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// Makes ready what would run Python code later.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let modules = py.import("sys")?.getattr("modules")?.cast_into::<PyDict>()?;
    let _ = MODULES.set(py, modules.unbind());
    PyTzInfo::utc(py).map(drop)
}

/// `decimal.Decimal`, once it is imported and is the one written in C.
static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();

fn decimal(py: Python<'_>) -> Option<&Bound<'_, PyType>> {
    if let Some(known) = DECIMAL.get(py) {
        return Some(known.bind(py));
    }
    let module = MODULES.get(py)?.bind(py).get_item("_decimal").ok()??;
    let class = module.getattr("Decimal").ok()?.cast_into::<PyType>().ok()?;
    Some(DECIMAL.get_or_init(py, || class.unbind()).bind(py))
}

/// The value of an object, if it is one of these.
pub(crate) fn pack(object: &Bound<'_, PyAny>) -> Option<Value> {
    let py = object.py();
    if let Ok(moment) = object.cast_exact::<PyDateTime>() {
        let time = time(py, moment, moment.get_tzinfo())?;
        return Some(DateTime { date: date(moment), time }.into());
    }
    if let Ok(day) = object.cast_exact::<PyDate>() {
        return Some(date(day).into());
    }
    if let Ok(span) = object.cast_exact::<PyDelta>() {
        let seconds = i64::from(span.get_seconds());
        let micros = seconds * 1_000_000 + i64::from(span.get_microseconds());
        return Some(TimeDelta { days: span.get_days().into(), micros }.into());
    }
    if let Ok(of_day) = object.cast_exact::<PyTime>() {
        return Some(time(py, of_day, of_day.get_tzinfo())?.into());
    }
    if let Ok(number) = object.cast_exact::<PyComplex>() {
        return Some(Extended::Complex(number.real(), number.imag()).into());
    }
    if object.get_type().is(decimal(py)?) {
        return Some(Decimal::parse(object.str().ok()?.to_str().ok()?).ok()?.into());
    }
    None
}

fn date(of: &impl PyDateAccess) -> Date {
    Date { year: of.get_year() as u16, month: of.get_month(), day: of.get_day() }
}

fn time(py: Python<'_>, of: &impl PyTimeAccess, zone: Option<Bound<'_, PyTzInfo>>) -> Option<Time> {
    let zone = match zone {
        None => None,
        Some(zone) if zone.is(PyTzInfo::utc(py).ok()?) => Some(Zone::utc()),
        Some(_) => return None,
    };
    let minutes = i64::from(of.get_hour()) * 60 + i64::from(of.get_minute());
    let seconds = minutes * 60 + i64::from(of.get_second());
    let micros = seconds * 1_000_000 + i64::from(of.get_microsecond());
    Some(Time { micros, fold: of.get_fold(), zone })
}

/// The object of a value, if it is one of these.
pub(super) fn make<'py>(py: Python<'py>, value: &Extended) -> Option<PyResult<Bound<'py, PyAny>>> {
    Some(match value {
        Extended::Complex(real, imaginary) => {
            Ok(PyComplex::from_doubles(py, *real, *imaginary).into_any())
        }
        Extended::Date(date) => {
            PyDate::new(py, date.year.into(), date.month, date.day).map(Bound::into_any)
        }
        Extended::TimeDelta(span) => {
            let (seconds, micros) = (span.micros / 1_000_000, span.micros % 1_000_000);
            PyDelta::new(py, span.days as i32, seconds as i32, micros as i32, false)
                .map(Bound::into_any)
        }
        Extended::Time(of_day) => {
            let (zone, [hour, minute, second], micro) =
                (zone(py, of_day)?, clock(of_day), micro(of_day));
            PyTime::new_with_fold(py, hour, minute, second, micro, zone.as_ref(), of_day.fold)
                .map(Bound::into_any)
        }
        Extended::DateTime(DateTime { date, time: of_day }) => {
            let (zone, [hour, minute, second], micro) =
                (zone(py, of_day)?, clock(of_day), micro(of_day));
            let (year, month, day, fold) = (date.year.into(), date.month, date.day, of_day.fold);
            PyDateTime::new_with_fold(
                py,
                year,
                month,
                day,
                hour,
                minute,
                second,
                micro,
                zone.as_ref(),
                fold,
            )
            .map(Bound::into_any)
        }
        Extended::Decimal(number) => decimal(py)?.call1((number.as_str(),)),
        _ => return None,
    })
}

/// The zone of a time: none or UTC.
#[allow(clippy::option_option, reason = "another zone is not no zone")]
fn zone<'py>(py: Python<'py>, of_day: &Time) -> Option<Option<Bound<'py, PyTzInfo>>> {
    match of_day.zone {
        None => Some(None),
        Some(Zone::Fixed { offset: 0, name: None }) => {
            Some(Some(PyTzInfo::utc(py).ok()?.to_owned()))
        }
        Some(_) => None,
    }
}

/// Hours, minutes and seconds.
fn clock(of_day: &Time) -> [u8; 3] {
    let seconds = of_day.micros / 1_000_000;
    [seconds / 3600, seconds / 60 % 60, seconds % 60].map(|part| part as u8)
}

fn micro(of_day: &Time) -> u32 {
    (of_day.micros % 1_000_000) as u32
}
