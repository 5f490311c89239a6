//! Elements of an array as Python numbers, Python numbers as elements, and the letters that buffers have for them.

use std::ffi::CStr;

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyComplex, PyFloat, PyInt};
use shm_core::DType;

use super::SharedArray;
use crate::error::OrRaise;

impl SharedArray {
    /// The format of the elements in the words of `struct`, if they have one.
    pub(super) fn format(&self) -> Option<&'static CStr> {
        Some(match self.core().dtype() {
            DType::Bool => c"?",
            DType::I8 => c"b",
            DType::U8 => c"B",
            DType::I16 => c"h",
            DType::U16 => c"H",
            DType::I32 => c"i",
            DType::U32 => c"I",
            // Of C's two the one that is numpy's int64.
            DType::I64 => c"l",
            DType::U64 => c"L",
            DType::F16 => c"e",
            DType::F32 => c"f",
            DType::F64 => c"d",
            DType::C64 => c"Zf",
            DType::C128 => c"Zd",
            _ => return None,
        })
    }

    /// The bits of a Python number, if it is one that every array of the type takes.
    pub(super) fn bits(&self, value: &Bound<'_, PyAny>) -> PyResult<Option<[u64; 2]>> {
        let dtype = self.core().dtype();
        let is_int = value.is_exact_instance_of::<PyInt>();
        let is_real = is_int || value.is_instance_of::<PyFloat>();
        Ok(match dtype {
            DType::Bool if is_int || value.is_exact_instance_of::<PyBool>() => {
                Some([u64::from(value.is_truthy()?), 0])
            }
            DType::I8 | DType::I16 | DType::I32 | DType::I64 if is_int => {
                let shift = 64 - dtype.size() as u32 * 8;
                let number = value.extract::<i64>().ok();
                let number = number.filter(|number| (number << shift) >> shift == *number);
                Some([number.ok_or_else(|| out_of_bounds(value, dtype))? as u64, 0])
            }
            DType::U8 | DType::U16 | DType::U32 | DType::U64 if is_int => {
                let most = u64::MAX >> (64 - dtype.size() * 8);
                let number = value.extract::<u64>().ok().filter(|number| *number <= most);
                Some([number.ok_or_else(|| out_of_bounds(value, dtype))?, 0])
            }
            #[allow(clippy::cast_possible_truncation, reason = "as numpy stores it")]
            DType::F32 if is_real => {
                Some([u64::from((value.extract::<f64>()? as f32).to_bits()), 0])
            }
            DType::F64 if is_real => Some([value.extract::<f64>()?.to_bits(), 0]),
            DType::C64 | DType::C128 if is_real || value.is_exact_instance_of::<PyComplex>() => {
                let real: f64 = value.getattr("real")?.extract()?;
                let imaginary: f64 = value.getattr("imag")?.extract()?;
                Some(if *dtype == DType::C128 {
                    [real.to_bits(), imaginary.to_bits()]
                } else {
                    #[allow(clippy::cast_possible_truncation, reason = "as numpy stores it")]
                    let parts = [real as f32, imaginary as f32].map(f32::to_bits).map(u64::from);
                    [parts[0] | (parts[1] << 32), 0]
                })
            }
            _ => None,
        })
    }

    /// The Python number of an element, if it is one.
    pub(super) fn number<'py>(
        &self,
        py: Python<'py>,
        place: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let dtype = self.core().dtype();
        if matches!(dtype, DType::Described { .. }) {
            return Ok(None);
        }
        let bits = self.core().bits(place).or_raise()?;
        let low = bits[0];
        let float = |number: f64| PyFloat::new(py, number).into_any();
        let half = |word: u64| f64::from(f32::from_bits(word as u32));
        Ok(Some(match dtype {
            DType::Bool => PyBool::new(py, low != 0).to_owned().into_any(),
            DType::I8 => (low as i8).into_pyobject(py)?.into_any(),
            DType::I16 => (low as i16).into_pyobject(py)?.into_any(),
            DType::I32 => (low as i32).into_pyobject(py)?.into_any(),
            DType::I64 => (low as i64).into_pyobject(py)?.into_any(),
            DType::F16 => float(from_half(low as u16)),
            DType::F32 => float(half(low)),
            DType::F64 => float(f64::from_bits(low)),
            DType::C64 => PyComplex::from_doubles(py, half(low), half(low >> 32)).into_any(),
            DType::C128 => {
                PyComplex::from_doubles(py, f64::from_bits(low), f64::from_bits(bits[1])).into_any()
            }
            _ => low.into_pyobject(py)?.into_any(),
        }))
    }
}

fn out_of_bounds(value: &Bound<'_, PyAny>, dtype: &DType) -> PyErr {
    PyOverflowError::new_err(format!("Python integer {value} out of bounds for {}", dtype.name()))
}

/// A float of 16 bits.
fn from_half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from((bits >> 10) & 0x1F), f64::from(bits & 0x3FF));
    sign * match exponent {
        0 => fraction * 2.0_f64.powi(-24),
        0x1F if fraction == 0.0 => f64::INFINITY,
        0x1F => f64::NAN,
        _ => (1024.0 + fraction) * 2.0_f64.powi(exponent - 25),
    }
}
