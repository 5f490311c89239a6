//! Values of plain bytes alone, copied out of a payload and into it without memory of the heap.
//!
//! Process-local. Numbers, arrays and structs of them and the like are up to [`MOST`] words on the
//! stack: read under one look at the sequence, taken apart afterwards, put back word by word. How
//! many words is known to the compiler, which keeps what it can in registers. Larger ones, and those
//! with cells, are [`crate::payload`]'s.

use crate::cell::Offset;
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::object;
use crate::payload::{Fixed, Image, Reader, Sink, Source, unknown_variant};
use crate::primitive::{AtomicU64, Ordering};
use crate::quick::Poke;
use crate::schema::{Layout, Place};
use crate::shared::Shared;

/// Most words of a value that is copied at once; a store changes so many in place.
pub(crate) const MOST: usize = 48;

/// Whether values of a type are copied here.
pub(crate) const fn is_plain<T: Shared>() -> bool {
    T::LAYOUT.cells == 0 && T::LAYOUT.size > 0 && T::LAYOUT.size.div_ceil(8) <= MOST
}

/// Calls a function with room for a plain value of a type, wherever in a word it starts: for 1, 2, 4, 8,
/// 16 or all words.
macro_rules! with_room {
    ($layout:expr, |$room:ident| $call:expr) => {{
        const fn words(layout: $crate::schema::Layout) -> usize {
            let last_start = if layout.align < 8 { 8 - layout.align } else { 0 };
            (last_start + layout.size).div_ceil(8)
        }
        match const { words($layout) } {
            0..=1 => {
                const $room: usize = 1;
                $call
            }
            2 => {
                const $room: usize = 2;
                $call
            }
            3..=4 => {
                const $room: usize = 4;
                $call
            }
            5..=8 => {
                const $room: usize = 8;
                $call
            }
            9..=16 => {
                const $room: usize = 16;
                $call
            }
            _ => {
                const $room: usize = $crate::plain::MOST + 1;
                $call
            }
        }
    }};
}
pub(crate) use with_room;

/// Which bits of a value's words belong to parts that must stay as they are.
pub(crate) const fn bits_of<const N: usize>(fixed: &[Fixed<'_>]) -> [u64; N] {
    let mut bits = [0; N];
    let mut at = 0;
    while at < fixed.len() {
        let mut byte = fixed[at].place.plain;
        // Of the rooms of all sizes the compiler looks at too small ones as well.
        while byte < fixed[at].place.plain + fixed[at].layout.size && byte / 8 < N {
            bits[byte / 8] |= 0xFF << (8 * (byte % 8));
            byte += 1;
        }
        at += 1;
    }
    bits
}

/// How a value lies in the words of a payload, from some byte of the first one on.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    layout: Layout,
    shift: usize,
}

impl Frame {
    /// Of a type's value that starts at this byte, which is one that the type may start at.
    #[inline]
    pub(crate) fn of<T: Shared>(shift: usize) -> Self {
        Frame { layout: T::LAYOUT, shift: if T::LAYOUT.align >= 8 { 0 } else { shift } }
    }

    /// How many words it lies in.
    #[inline]
    pub(crate) fn count(self) -> usize {
        (self.shift + self.layout.size).div_ceil(8)
    }

    /// Which bits of a word are the value's.
    #[inline]
    fn mask(self, index: usize) -> u64 {
        let first = if index == 0 { u64::MAX << (8 * self.shift) } else { u64::MAX };
        let bytes = (self.shift + self.layout.size).saturating_sub(index * 8);
        first & if bytes >= 8 { u64::MAX } else { (1 << (bytes * 8)) - 1 }
    }
}

/// The words of a value, its first byte the first word's lowest.
#[derive(Clone, Copy)]
pub(crate) struct Words<const N: usize>(pub(crate) [u64; N]);

/// The words of a value that is being read, and the segment, for errors.
pub(crate) struct Read<'h, const N: usize> {
    pub(crate) heap: &'h Heap,
    pub(crate) words: &'h [u64; N],
}

/// How many words a value takes.
const fn count(layout: Layout) -> usize {
    layout.size.div_ceil(8)
}

/// Which bits of a value's word are the value's.
#[inline]
const fn mask(layout: Layout, index: usize) -> u64 {
    let bytes = layout.size.saturating_sub(index * 8);
    if bytes >= 8 { u64::MAX } else { (1 << (bytes * 8)) - 1 }
}

impl<const N: usize> Words<N> {
    /// Copies a value out of words; it starts at a byte of the first one. Each word by itself, for a value
    /// that the caller may just have changed: the processor makes a load of two words wait until a
    /// store of one of them has left for the cache.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "where the layout is a constant it is a few instructions"
    )]
    pub(crate) fn copy(words: &[AtomicU64], layout: Layout, shift: usize) -> Option<Self> {
        if shift > 0 {
            return Self::copy_shifted(words, layout, shift);
        }
        let mut copy = [0; N];
        for (copy, word) in copy.iter_mut().zip(words.get(..count(layout))?) {
            *copy = word.load(Ordering::Relaxed);
        }
        Some(Words(copy))
    }

    #[inline(never)]
    fn copy_shifted(words: &[AtomicU64], layout: Layout, shift: usize) -> Option<Self> {
        let mut copy = [0; N];
        let words = words.get(..(shift + layout.size).div_ceil(8))?;
        for (index, copy) in copy.iter_mut().take(count(layout)).enumerate() {
            let word =
                |at| words.get(at).map_or(0, |word: &AtomicU64| word.load(Ordering::Relaxed));
            *copy = (word(index) >> (8 * shift)) | (word(index + 1) << (64 - 8 * shift));
        }
        Some(Words(copy))
    }

    /// The words of a value.
    #[inline]
    pub(crate) fn of<T: Shared>(value: &T) -> Self {
        let mut words = Words([0; N]);
        value.encode(&mut words, Place::START);
        words
    }

    /// As it lies in a payload. There is room for that (see [`with_room`]).
    #[inline]
    pub(crate) fn framed(self, frame: Frame) -> Self {
        if frame.shift == 0 {
            return self;
        }
        let (up, mut below) = (8 * frame.shift, 0);
        Words(self.0.map(|word| {
            let framed = (word << up) | below;
            below = word >> (64 - up);
            framed
        }))
    }

    /// What words become when this framed value is put into them.
    #[inline]
    pub(crate) fn over(&self, words: &[AtomicU64], frame: Frame) -> [u64; N] {
        let mut all = self.0;
        for ((index, new), word) in all.iter_mut().enumerate().zip(words) {
            let mask = frame.mask(index);
            if mask != u64::MAX {
                *new = (word.load(Ordering::Relaxed) & !mask) | (*new & mask);
            }
        }
        all
    }

    /// Whether words hold this framed value, in as far as it is in `bits`.
    #[inline]
    pub(crate) fn is_in(&self, words: &[AtomicU64], frame: Frame, bits: &[u64; N]) -> bool {
        words.iter().zip(&self.0).zip(bits).enumerate().all(|(index, ((word, new), bits))| {
            (word.load(Ordering::Relaxed) ^ new) & frame.mask(index) & bits == 0
        })
    }

    /// The first word in which it differs from another value in any of these bits.
    #[inline]
    pub(crate) fn differs_in(&self, other: &Self, bits: &[u64; N]) -> Option<(usize, u64)> {
        let words = self.0.iter().zip(&other.0).zip(bits);
        let mut changes = words.map(|((new, old), bits)| (new ^ old) & bits).enumerate();
        changes.find(|(_, change)| *change != 0)
    }

    /// Which word differs from another value's, and in which bits: `Some((0, 0))` if none does, `None` if more
    /// than one.
    #[inline]
    pub(crate) fn change_of(&self, old: &Self, layout: Layout) -> Option<(usize, u64)> {
        let mut found = (0, 0);
        for index in 0..count(layout) {
            let change = (old.word(index) ^ self.word(index)) & mask(layout, index);
            if change != 0 {
                if found.1 != 0 {
                    return None;
                }
                found = (index, change);
            }
        }
        Some(found)
    }

    /// Changes bits of one word, if the words hold this value.
    #[inline]
    pub(crate) fn poke_change(
        &self,
        words: &'static [AtomicU64],
        layout: Layout,
        (index, change): (usize, u64),
    ) -> Option<Poke<'static, ()>> {
        for (at, word) in words.get(..count(layout))?.iter().enumerate() {
            if (word.load(Ordering::Relaxed) ^ self.word(at)) & mask(layout, at) != 0 {
                return None;
            }
        }
        let word = words.get(index)?;
        let store = (change != 0).then(|| (word, word.load(Ordering::Relaxed) ^ change));
        Some(Poke { store, result: () })
    }

    #[inline]
    fn word(&self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or(0)
    }
}

/// Stores a value at a byte of an object's payload, as one operation; `false` if `old` and its sequence are
/// given and no longer there.
#[cold]
#[inline(never)]
pub(crate) fn put(
    target: &Object,
    plain: usize,
    frame: Frame,
    new: &[u64],
    old: Option<(u64, &[u64])>,
) -> Result<bool> {
    let at = target.at();
    target.heap().write(|tx| {
        if let Some((sequence, _)) = old
            && tx.load(at + object::SEQ)? != sequence
        {
            return Ok(false);
        }
        let payload = tx.block(at)?.wrapping_add((plain & !7) as u64);
        let (mut changes, mut last) = (0, (0, 0));
        let place = |index: usize| payload.wrapping_add(8 * index as u64);
        for (index, new) in new.iter().take(frame.count()).enumerate() {
            let (now, mask) = (tx.load(place(index))?, frame.mask(index));
            // A writer that was killed between its one store and the new sequence shows here only.
            if let Some((_, old)) = old
                && old.get(index).is_none_or(|old| (now ^ old) & mask != 0)
            {
                return Ok(false);
            }
            let change = (now ^ new) & mask;
            if change != 0 {
                changes += 1;
                last = (place(index), now ^ change);
            }
        }
        if changes == 1 {
            tx.set_only(at, last.0, last.1)?;
        } else if changes > 1 {
            tx.open(at)?;
            for (index, new) in new.iter().take(frame.count()).enumerate() {
                let now = tx.load(place(index))?;
                let change = (now ^ new) & frame.mask(index);
                if change != 0 {
                    tx.set(place(index), now ^ change)?;
                }
            }
        }
        Ok(true)
    })
}

/// Copies a value out of an object's payload as it is at one moment, with the sequence then.
pub(crate) fn copy_patiently<const N: usize>(
    target: &Object,
    plain: usize,
    layout: Layout,
) -> Result<(u64, Words<N>)> {
    let at: Offset = target.at();
    target.heap().read(at, |heap| {
        let sequence = heap.load(at + object::SEQ)?;
        let first = heap.block(at)?.wrapping_add((plain & !7) as u64);
        let words = heap.words(first, ((plain & 7) + layout.size).div_ceil(8))?;
        let copy = Words::copy(words, layout, plain & 7);
        Ok((sequence, copy.ok_or_else(|| heap.corrupt("a payload ends inside of a value"))?))
    })
}

impl<const N: usize> Source for Read<'_, N> {
    #[inline]
    fn bits(&self, plain: usize, size: usize) -> u128 {
        let word = |at: usize| self.words.get(at).copied().unwrap_or(0);
        let low = word(plain / 8);
        if size <= 8 {
            let mask = if size == 8 { u64::MAX } else { (1 << (size * 8)) - 1 };
            return u128::from((low >> ((plain & 7) * 8)) & mask);
        }
        (u128::from(word(plain / 8 + 1)) << 64) | u128::from(low)
    }

    fn unknown_variant(&self, name: &str, value: i128) -> Error {
        unknown_variant(self.heap, name, value)
    }

    fn reader(&self) -> Result<&Reader<'_>> {
        Err(self.heap.corrupt("a plain value has no cells"))
    }
}

impl<const N: usize> Sink for Words<N> {
    #[inline]
    fn bits(&mut self, plain: usize, size: usize, bits: u128) {
        let Some(low) = self.0.get_mut(plain / 8) else { return };
        if size > 8 {
            *low = bits as u64;
            if let Some(high) = self.0.get_mut(plain / 8 + 1) {
                *high = (bits >> 64) as u64;
            }
            return;
        }
        let shift = (plain & 7) * 8;
        let mask = if size == 8 { u64::MAX } else { ((1 << (size * 8)) - 1) << shift };
        *low = (*low & !mask) | (((bits as u64) << shift) & mask);
    }

    fn image(&mut self) -> Option<&mut Image> {
        None
    }
}
