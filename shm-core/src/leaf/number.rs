//! Integers beyond 62 bits and floats that do not fit into a cell.
//!
//! A big integer is its sign (in the hash word) and its magnitude in 64-bit limbs, lowest first. An
//! integer that fits into a cell is never stored as a leaf, so an integer has one form only.

use num_bigint::{BigInt, Sign};

use crate::cell::{Cell, Kind, Ref};
use crate::error::Result;
use crate::heap::Heap;
use crate::layout;
use crate::leaf;
use crate::primitive::Ordering;
use crate::tx::Tx;
use crate::value::Value;

/// Most limbs of an integer: 64 MiB of digits.
const LIMB_LIMIT: u64 = 1 << 23;

/// Stores an integer of 64 bits and returns a cell that owns one count.
#[inline]
pub(crate) fn store_int(tx: &mut Tx<'_>, value: i64) -> Result<Cell> {
    match Cell::int(value) {
        Some(cell) => Ok(cell),
        None => store_limbs(tx, value < 0, &[value.unsigned_abs()]),
    }
}

/// Stores an integer of any size and returns a cell that owns one count.
pub(crate) fn store_big(tx: &mut Tx<'_>, value: &BigInt) -> Result<Cell> {
    if let Ok(small) = i64::try_from(value) {
        return store_int(tx, small);
    }
    let (sign, limbs) = value.to_u64_digits();
    store_limbs(tx, sign == Sign::Minus, &limbs)
}

fn store_limbs(tx: &mut Tx<'_>, negative: bool, limbs: &[u64]) -> Result<Cell> {
    let count = limbs.len() as u64;
    if count > LIMB_LIMIT {
        return Err(crate::error::Error::InvalidArgument {
            what: format!("an int of {count} 64-bit digits is too large: at most {LIMB_LIMIT}"),
        });
    }
    let cell = leaf::create(tx, Kind::BigInt, count, u64::from(negative), count * 8)?;
    if let Some(reference) = cell.as_ref() {
        let words = tx.heap().words(leaf::data(reference.at), limbs.len())?;
        for (word, limb) in words.iter().zip(limbs) {
            word.store(*limb, Ordering::Relaxed);
        }
    }
    Ok(cell)
}

/// The integer of a leaf, in its smallest form.
pub(crate) fn load_big(heap: &Heap, reference: Ref) -> Result<Value> {
    let count = leaf::length(heap, reference)?;
    let negative = heap.load(reference.at + layout::leaf::HASH)? == 1;
    if count == 0 || count > LIMB_LIMIT {
        return Err(heap.corrupt(format!("int of {count} limbs at {:#x}", reference.at)));
    }
    let words = heap.words(leaf::data(reference.at), count as usize)?;
    let mut digits = Vec::with_capacity(words.len() * 2);
    for word in words {
        let limb = word.load(Ordering::Relaxed);
        digits.push(limb as u32);
        digits.push((limb >> 32) as u32);
    }
    let sign = if negative { Sign::Minus } else { Sign::Plus };
    Ok(Value::from(BigInt::from_slice(sign, &digits)))
}

/// Stores a float and returns a cell that owns one count.
#[inline]
pub(crate) fn store_float(tx: &mut Tx<'_>, value: f64) -> Result<Cell> {
    if let Some(cell) = Cell::float(value) {
        return Ok(cell);
    }
    let cell = leaf::create(tx, Kind::Float, 8, 0, 8)?;
    if let Some(reference) = cell.as_ref() {
        tx.fill(leaf::data(reference.at), value.to_bits())?;
    }
    Ok(cell)
}

/// The float of a leaf.
pub(crate) fn load_float(heap: &Heap, reference: Ref) -> Result<f64> {
    leaf::length(heap, reference)?;
    Ok(f64::from_bits(heap.load(leaf::data(reference.at))?))
}
