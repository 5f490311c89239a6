//! Scalar fields: read, set, added to and exchanged, each by one load or one store where that is possible.

use super::Slot;
use crate::error::Result;
use crate::layout::object;
use crate::primitive::Ordering;
use crate::quick::{Poke, Stored, word};
use crate::schema::{Layout, Place};
use crate::session::AtHand;
use crate::shared::Integer;
use crate::view::{Found, widen};

impl Slot {
    /// A scalar field of at most 8 bytes, if nothing is unusual.
    #[inline]
    pub(crate) fn quick_bits(&self, place: Place, size: usize) -> Option<u64> {
        let (first, shift) = self.near_place(place, size);
        self.near.glance(|words, _| {
            let word = words.get(first)?.load(Ordering::Relaxed);
            Some((word >> (shift * 8)) & mask(size))
        })
    }

    /// A word of the struct, from that on in which it starts, if nothing is unusual.
    #[inline]
    pub(crate) fn quick_word(&self, index: usize) -> Option<u64> {
        self.near.glance(|words, _| Some(words.get(index)?.load(Ordering::Relaxed)))
    }

    /// Replaces the bits of a word of the struct that are in a mask, if nothing is unusual.
    #[inline]
    pub(crate) fn quick_store(&self, index: usize, mask: u64, bits: u64) -> Option<()> {
        self.near.poke(self.object.heap(), |words, _| {
            let word = words.get(index)?;
            let value = (word.load(Ordering::Relaxed) & !mask) | (bits & mask);
            Some(Poke { store: Some((word, value)), result: () })
        })
    }

    /// As [`quick_store`](Self::quick_store), by who has the thread's session at hand.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "the hot path of each setter")]
    pub(crate) fn set_at_hand(&self, hand: &AtHand, index: usize, mask: u64, bits: u64) -> Stored {
        self.near.set(hand, index, mask, bits)
    }

    /// Wakes those who wait after that.
    pub(crate) fn wake(&self) {
        self.near.wake(self.object.heap());
    }

    /// As [`change_bits`](Self::change_bits), for at most 8 bytes, if nothing is unusual.
    #[inline]
    fn quick_change(
        &self,
        place: Place,
        size: usize,
        change: impl Fn(u128) -> Result<u128>,
    ) -> Option<u64> {
        let (first, shift) = self.near_place(place, size);
        let (shift, mask) = (shift * 8, mask(size));
        self.near.poke(self.object.heap(), |words, _| {
            let word = words.get(first)?;
            let now = word.load(Ordering::Relaxed);
            let old = (now >> shift) & mask;
            let new = change(u128::from(old)).ok()? as u64 & mask;
            let store = Some((word, (now & !(mask << shift)) | (new << shift)));
            Some(Poke { store, result: old })
        })
    }

    /// Replaces a field of plain bits.
    #[inline]
    pub(crate) fn write_bits(&self, place: Place, size: usize, bits: u128) -> Result<()> {
        self.change_bits(place, size, |_| Ok(bits)).map(drop)
    }

    /// Replaces plain bits by what `change` makes of them, under the lock; returns what they were.
    #[inline]
    pub(crate) fn change_bits(
        &self,
        place: Place,
        size: usize,
        change: impl Fn(u128) -> Result<u128>,
    ) -> Result<u128> {
        if size <= 8
            && let Some(old) = self.quick_change(place, size, &change)
        {
            return Ok(u128::from(old));
        }
        self.change_anywhere(place, size, change)
    }

    /// As [`change_bits`](Self::change_bits), whatever the circumstances.
    #[cold]
    #[inline(never)]
    fn change_anywhere(
        &self,
        place: Place,
        size: usize,
        change: impl Fn(u128) -> Result<u128>,
    ) -> Result<u128> {
        if self.view.is_some() {
            return self.change_viewed(place, size, change);
        }
        self.change_stored(self.base.plain + place.plain, size, change)
    }

    /// As [`change_bits`](Self::change_bits), in a struct of another schema.
    fn change_viewed(
        &self,
        place: Place,
        size: usize,
        change: impl Fn(u128) -> Result<u128>,
    ) -> Result<u128> {
        match self.place_of(place, Layout::number(size))? {
            Found::Narrow(at, from, to) => {
                let Some(view) = &self.view else {
                    return Err(self.object.heap().corrupt("a narrower field without a view"));
                };
                let plain = self.base.part(place).plain;
                let narrowed = |old| view.narrow_at(plain, change(widen(old, from, to))?, from, to);
                Ok(widen(self.change_stored(at.plain, from.size(), narrowed)?, from, to))
            }
            Found::At(at) => self.change_stored(at.plain, size, change),
            Found::Lacking => Err(self.object.heap().corrupt("a field has no place")),
        }
    }

    fn change_stored(
        &self,
        plain: usize,
        size: usize,
        change: impl Fn(u128) -> Result<u128>,
    ) -> Result<u128> {
        if size > 8 {
            return self.change_wide(plain, change);
        }
        let shift = (plain & 7) * 8;
        let changed = |word: u64| -> Result<(u64, u64)> {
            let old = (word >> shift) & mask(size);
            let new = change(u128::from(old))? as u64 & mask(size);
            Ok((old, (word & !(mask(size) << shift)) | (new << shift)))
        };
        let at = self.object.at();
        let done = self.object.heap().poke(at, |memory, header| {
            let payload = word(header, object::W0);
            let word = memory.peek(payload.wrapping_add((plain & !7) as u64))?;
            let (result, value) = changed(word.load(Ordering::Relaxed)).ok()?;
            Some(Poke::store(word, value, result))
        });
        if let Some(old) = done {
            return Ok(u128::from(old));
        }
        self.object.heap().write_in(at, |tx| {
            let payload = tx.block(at)?;
            let place = payload.wrapping_add((plain & !7) as u64);
            let (old, new) = changed(tx.load(place)?)?;
            tx.set_only(at, place, new)?;
            Ok(u128::from(old))
        })
    }

    /// As [`change_bits`](Self::change_bits), for 16 bytes.
    fn change_wide(&self, plain: usize, change: impl Fn(u128) -> Result<u128>) -> Result<u128> {
        let at = self.object.at();
        let plain = plain & !7;
        self.object.heap().write_in(at, |tx| {
            let low = tx.block(at)?.wrapping_add(plain as u64);
            let high = low.wrapping_add(8);
            let old = (u128::from(tx.load(high)?) << 64) | u128::from(tx.load(low)?);
            let new = change(old)?;
            tx.open(at)?;
            tx.set(low, new as u64)?;
            tx.set(high, (new >> 64) as u64)?;
            Ok(old)
        })
    }

    /// Adds to an integer field, wrapping around; returns what it was.
    #[inline]
    pub fn fetch_add<T: Integer>(&self, place: Place, delta: T) -> Result<T> {
        let add = |bits| Ok(T::from_bits(bits).wrapping_add(delta).to_bits());
        self.change_bits(place, T::SCALAR.size(), add).map(T::from_bits)
    }

    /// Replaces an integer field; returns what it was.
    #[inline]
    pub fn swap<T: Integer>(&self, place: Place, value: T) -> Result<T> {
        self.change_bits(place, T::SCALAR.size(), |_| Ok(value.to_bits())).map(T::from_bits)
    }

    /// Replaces an integer field if it is `old`; whether it was.
    #[inline]
    pub fn compare_exchange<T: Integer>(&self, place: Place, old: T, new: T) -> Result<bool> {
        let (old, new) = (old.to_bits(), new.to_bits());
        let change = |now| Ok(if now == old { new } else { now });
        self.change_bits(place, T::SCALAR.size(), change).map(|found| found == old)
    }
}

/// The bits of a word that a scalar of at most 8 bytes takes.
#[inline]
const fn mask(size: usize) -> u64 {
    if size >= 8 { u64::MAX } else { (1 << (size * 8)) - 1 }
}
