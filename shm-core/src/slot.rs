//! A typed struct's place in the segment, as the handles that the derive makes use it.
//!
//! Handle. A slot is a pinned object and how far into its payload the struct starts: 0 for a
//! struct of its own, more for one that is a field of another. Every method here is one operation:
//! a validated read, or one store or transaction under the writer lock.

use std::sync::Arc;

use crate::cell::{Cell, Kind};
use crate::error::Result;
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::object;
use crate::near::{Near, Poke};
use crate::payload::{self, Fixed, Image, Owned, Reader, Seen, Target, plain_start};
use crate::plain::{Frame, Read, Words, bits_of, copy_patiently, is_plain, put, with_room};
use crate::primitive::{AtomicU64, Ordering};
use crate::quick::{Store, word};
use crate::record::Record;
use crate::schema::{Layout, Place, Schema};
use crate::shared::{Integer, Mode, Shared, Struct};
use crate::sys::pair::Room;
use crate::view::{self, Found, View, narrow, widen};

mod viewed;

/// How often a read of several objects starts again before it keeps writers out.
const LOOKS: usize = 64;

/// Handle. Where a typed struct lies: an object, and how far into its payload.
#[derive(Clone)]
pub struct Slot {
    /// Shared with the handles of structs inside, so that making those costs no look-up of the pin.
    object: Arc<Object>,
    base: Place,
    /// Whether it is the object's outermost struct, not one inside of it.
    whole: bool,
    /// Where things are, if the struct has another schema than the handle.
    view: Option<Arc<View>>,
    /// The words from the struct's first byte on; nowhere if there is a view.
    near: Near,
}

impl Slot {
    /// The struct that an object is, with this many cells.
    pub(crate) fn whole(object: Object, cells: usize) -> Self {
        let base = Place { cells: 0, plain: plain_start(cells) };
        let near = Near::of(object.heap(), object.at(), base.plain / 8);
        Slot { object: Arc::new(object), base, whole: true, view: None, near }
    }

    /// A new object with a copy of this image, of a schema that is registered at `entry`.
    pub(crate) fn create(heap: &Heap, entry: Cell, layout: Layout, image: &Image) -> Result<Self> {
        let batch = image.batch(heap)?;
        let object = Object::create(heap, Kind::Record, |tx, at| {
            let payload = payload::build(tx, layout, image, &batch)?;
            tx.fill(at + object::W0, payload)?;
            tx.fill(at + object::W1, entry.0)
        })?;
        Ok(Slot::whole(object, layout.cells))
    }

    pub(crate) fn object(&self) -> &Object {
        &self.object
    }

    pub(crate) fn base(&self) -> Place {
        self.base
    }

    /// Whether it is the object's outermost struct.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// The same struct, for a type that has this layout.
    pub(crate) fn viewed(&self, view: View, layout: Layout) -> Slot {
        let base = view::base_of(layout);
        Slot { base, view: Some(Arc::new(view)), near: Near::nowhere(), ..self.clone() }
    }

    /// Where a part of some room is in the payload.
    fn place_of(&self, place: Place, layout: Layout) -> Result<Found> {
        let at = self.base.part(place);
        self.view.as_ref().map_or(Ok(Found::At(at)), |view| view.part(at, layout))
    }

    /// Which cell of the payload holds a dynamic field.
    pub(crate) fn cell_of(&self, place: Place) -> Result<usize> {
        match self.place_of(place, Layout::CELL)? {
            Found::At(place) => Ok(place.cells),
            // A cell is of the same type, or it is not found at all.
            _ => Err(self.object.heap().corrupt("a dynamic field has no cell")),
        }
    }

    /// A struct at this place of the payload.
    pub(crate) fn at_base(&self, base: Place) -> Slot {
        let near = match (base.plain / 8).checked_sub(self.base.plain / 8) {
            Some(words) => self.near.from(words),
            None => Near::nowhere(),
        };
        Slot { object: Arc::clone(&self.object), base, whole: false, view: self.view.clone(), near }
    }

    /// Which of the near words a part starts in, and at which byte of it.
    #[inline]
    fn near_place(&self, place: Place, align: usize) -> (usize, usize) {
        if align >= 8 {
            // Then the struct's first byte is a word's first byte too.
            return (place.plain / 8, 0);
        }
        let at = (self.base.plain & 7) + place.plain;
        (at / 8, at & 7)
    }

    /// A struct inside of this one.
    #[must_use]
    pub fn part(&self, place: Place) -> Slot {
        self.at_base(self.base.part(place))
    }

    /// Runs a decoder on the payload, as it is at one moment.
    #[inline]
    pub(crate) fn look<T>(&self, decode: impl FnMut(&Reader<'_>) -> Result<T>) -> Result<T> {
        self.look_at(0, decode)
    }

    /// As [`look`](Self::look), where what is read ends after so many bytes of the payload.
    #[inline]
    fn look_at<T>(
        &self,
        bytes: usize,
        mut decode: impl FnMut(&Reader<'_>) -> Result<T>,
    ) -> Result<T> {
        let (heap, at) = (self.object.heap(), self.object.at());
        let quick = heap.glance(at, |_, header| {
            let reader = Reader::of_header(heap, header, self.view.as_deref(), bytes);
            let found = decode(&reader).ok()?;
            reader.finish().ok()?;
            reader.is_settled().then_some(found)
        });
        if let Some(found) = quick {
            return Ok(found);
        }
        self.look_inside(decode).map(|(found, _)| found)
    }

    /// As [`look`](Self::look); also tells which objects inside were read.
    pub(crate) fn look_inside<T>(
        &self,
        mut decode: impl FnMut(&Reader<'_>) -> Result<T>,
    ) -> Result<(T, Vec<Owned>)> {
        let (heap, at) = (self.object.heap(), self.object.at());
        for _ in 0..LOOKS {
            let found = heap.read(at, |heap| {
                let reader = Reader::open(heap, at, self.view.as_deref());
                let found = decode(&reader)?;
                reader.finish()?;
                Ok(reader.is_settled().then(|| (found, reader.into_owned())))
            })?;
            if let Some(found) = found {
                return Ok(found);
            }
        }
        // Writers never leave it alone, so keep them out. A read-only attachment cannot.
        let mut locked = |heap: &Heap| {
            let reader = Reader::open(heap, at, self.view.as_deref());
            let found = decode(&reader)?;
            reader.finish()?;
            Ok((found, reader.into_owned()))
        };
        if heap.holds_lock() { locked(heap) } else { heap.write(|tx| locked(tx.heap())) }
    }

    /// A copy of a field.
    #[inline]
    pub fn read<T: Shared>(&self, place: Place) -> Result<T> {
        if const { is_plain::<T>() } {
            return with_room!(T::LAYOUT, |N| self.read_plain::<T, N>(place));
        }
        self.read_any(place)
    }

    #[inline]
    fn read_plain<T: Shared, const N: usize>(&self, place: Place) -> Result<T> {
        let (first, shift) = self.near_place(place, T::LAYOUT.align);
        let heap = self.object.heap();
        let (mut room, mut anywhere) = (Room::<N>::new(), [0; N]);
        let near = if shift == 0 {
            let end = first + T::LAYOUT.size.div_ceil(8);
            let room = &mut room;
            self.near.glance(|words, _| Some(room.fill(words.get(first..end)?)))
        } else {
            self.near
                .glance(|words, _| {
                    anywhere = Words::copy(words.get(first..)?, T::LAYOUT, shift)?.0;
                    Some(())
                })
                .map(|()| &anywhere)
        };
        let words = if let Some(words) = near {
            words
        } else {
            anywhere = self.words_anywhere::<T, N>(place)?.0;
            &anywhere
        };
        let source = Read { heap, words };
        T::Mode::result(T::decode(&source, Place::START))
    }

    #[cold]
    #[inline(never)]
    fn words_anywhere<T: Shared, const N: usize>(&self, place: Place) -> Result<Words<N>> {
        if self.view.is_some() {
            return Ok(Words::of(&self.read_any::<T>(place)?));
        }
        let plain = self.base.plain + place.plain;
        copy_patiently(&self.object, plain, T::LAYOUT).map(|(_, words)| words)
    }

    /// As [`read`](Self::read), whatever the type and the circumstances.
    #[inline(never)]
    fn read_any<T: Shared>(&self, place: Place) -> Result<T> {
        let at = self.base.part(place);
        // In a struct of another schema, places are not those of the payload.
        let bytes = if self.view.is_some() { 0 } else { at.plain + T::LAYOUT.size };
        self.look_at(bytes, |reader| T::Mode::result(T::decode(reader, at)))
    }

    /// The field as its bits are right now, whatever else is wrong.
    pub(crate) fn peek<T: Shared>(&self, place: Place) -> <T::Mode as Mode>::Out<T> {
        let reader = Reader::open(self.object.heap(), self.object.at(), self.view.as_deref());
        T::decode(&reader, self.base.part(place))
    }

    /// Replaces a field.
    pub fn write<T: Shared>(&self, place: Place, value: &T) -> Result<()> {
        if const { is_plain::<T>() } && self.view.is_none() {
            return with_room!(T::LAYOUT, |N| self.write_plain::<T, N>(place, value));
        }
        let mut image = Image::new(T::LAYOUT);
        value.encode(&mut image, Place::START);
        self.put(place, &image)
    }

    #[inline]
    fn write_plain<T: Shared, const N: usize>(&self, place: Place, value: &T) -> Result<()> {
        let (first, shift) = self.near_place(place, T::LAYOUT.align);
        let frame = Frame::of::<T>(shift);
        let new = Words::<N>::of(value).framed(frame);
        match self.overwrite(first, frame, &new, |_, _| true) {
            Some(()) => Ok(()),
            None => put(&self.object, self.base.plain + place.plain, frame, &new.0, None).map(drop),
        }
    }

    /// Replaces a value that starts in a near word, if nothing is unusual. `may` gets its words and the
    /// sequence, under the writer lock.
    #[inline]
    fn overwrite<const N: usize>(
        &self,
        first: usize,
        frame: Frame,
        new: &Words<N>,
        may: impl FnOnce(&[AtomicU64], u64) -> bool,
    ) -> Option<()> {
        let range = first..first + frame.count();
        self.near.overwrite(self.object.heap(), range, |words, sequence| {
            may(words, sequence).then(|| new.over(words, frame))
        })
    }

    /// Replaces what is at a place.
    pub(crate) fn put(&self, place: Place, image: &Image) -> Result<()> {
        match self.place_of(place, image.layout())? {
            Found::At(at) => self.target(at, "", &[], None).put(image).map(drop),
            // Numbers have their own way, through `change_bits`.
            _ => Err(self.object.heap().corrupt("a field has no place")),
        }
    }

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

    /// Whether the struct was stored without what would be here.
    #[inline]
    #[must_use]
    pub fn lacks(&self, place: Place) -> bool {
        self.view.as_ref().is_some_and(|view| view.lacks(self.base.part(place)))
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
                let narrowed = |old| narrow(change(widen(old, from, to))?, from, to);
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
            Some(Store { word, value, result })
        });
        if let Some(old) = done {
            return Ok(u128::from(old));
        }
        self.object.heap().write(|tx| {
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
        self.object.heap().write(|tx| {
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

    /// A copy of the struct.
    #[inline]
    pub fn load<T: Struct>(&self) -> Result<T> {
        self.read(Place::START)
    }

    /// Replaces the struct.
    pub fn store<T: Struct>(&self, value: &T) -> Result<()> {
        if const { is_plain::<T>() } && self.view.is_none() {
            if const { T::FIXED.is_empty() } {
                return self.write(Place::START, value);
            }
            let done = with_room!(T::LAYOUT, |N| self.store_writable::<T, N>(value));
            if done.is_some() {
                return Ok(());
            }
        }
        self.store_any(value)
    }

    /// Replaces a struct whose read-only fields stay, if nothing is unusual.
    #[inline]
    fn store_writable<T: Struct, const N: usize>(&self, value: &T) -> Option<()> {
        let (first, shift) = self.near_place(Place::START, T::LAYOUT.align);
        let frame = Frame::of::<T>(shift);
        let fixed = Words(const { bits_of::<N>(T::FIXED) }).framed(frame);
        let new = Words::<N>::of(value).framed(frame);
        self.overwrite(first, frame, &new, |now, _| new.is_in(now, frame, &fixed.0))
    }

    fn store_any<T: Struct>(&self, value: &T) -> Result<()> {
        if let Some(view) = &self.view {
            return self.store_viewed(view, value);
        }
        let mut image = Image::new(T::LAYOUT);
        value.encode(&mut image, Place::START);
        let mut attempt = 0;
        loop {
            // Knowing what is there, unchanged text keeps its block.
            let seen = if T::LAYOUT.cells > 0 {
                Some(self.look(|reader| self.seen(reader, Place::START, T::LAYOUT))?)
            } else {
                None
            };
            if self.target(self.base, T::NAME.name, T::FIXED, seen.as_ref()).put(&image)? {
                return Ok(());
            }
            back_off(&mut attempt);
        }
    }

    /// Changes a private copy and replaces the struct by it, again if another writer came first.
    #[inline]
    pub fn update<T: Struct, R>(&self, change: impl FnMut(&mut T) -> R) -> Result<R> {
        if const { is_plain::<T>() } && self.view.is_none() {
            return with_room!(T::LAYOUT, |N| self.update_plain::<T, R, N>(change));
        }
        self.update_any(change)
    }

    #[inline]
    fn update_plain<T: Struct, R, const N: usize>(
        &self,
        mut change: impl FnMut(&mut T) -> R,
    ) -> Result<R> {
        let heap = self.object.heap();
        let (_, shift) = self.near_place(Place::START, T::LAYOUT.align);
        let mut attempt = 0;
        loop {
            let near = self.near.glance(|words, sequence| {
                Some((sequence, Words::<N>::copy(words, T::LAYOUT, shift)?))
            });
            let (sequence, words) = match near {
                Some(seen) => seen,
                None => copy_patiently(&self.object, self.base.plain, T::LAYOUT)?,
            };
            let source = Read { heap, words: &words.0 };
            let mut value = T::Mode::result(T::decode(&source, Place::START))?;
            let result = change(&mut value);
            let new = Words::<N>::of(&value);
            if const { !T::FIXED.is_empty() }
                && let Some((at, change)) =
                    new.differs_in(&words, const { &bits_of::<N>(T::FIXED) })
                && let Some(fixed) = T::FIXED.iter().find(|one| one.is_hit(0, 8 * at, change))
            {
                return Err(fixed.refuse(T::NAME.name));
            }
            let change = if shift == 0 { new.change_of(&words, T::LAYOUT) } else { None };
            let done = match change {
                Some(change) => self.near.poke(heap, |now, at| {
                    let same = at == sequence;
                    same.then(|| words.poke_change(now, T::LAYOUT, change)).flatten()
                }),
                None => None,
            };
            if done.is_some() || self.replace::<T, N>(sequence, &words, new)? {
                return Ok(result);
            }
            back_off(&mut attempt);
        }
    }

    /// Replaces a struct if it is still the old one; whether it was.
    #[inline(never)]
    fn replace<T: Struct, const N: usize>(
        &self,
        sequence: u64,
        old: &Words<N>,
        new: Words<N>,
    ) -> Result<bool> {
        let (first, shift) = self.near_place(Place::START, T::LAYOUT.align);
        let frame = Frame::of::<T>(shift);
        let (old, new) = (old.framed(frame), new.framed(frame));
        let same = |now: &[AtomicU64], at| at == sequence && old.is_in(now, frame, &[u64::MAX; N]);
        match self.overwrite(first, frame, &new, same) {
            Some(()) => Ok(true),
            None => put(&self.object, self.base.plain, frame, &new.0, Some((sequence, &old.0))),
        }
    }

    fn update_any<T: Struct, R>(&self, mut change: impl FnMut(&mut T) -> R) -> Result<R> {
        if let Some(view) = &self.view {
            return self.update_viewed(view, change);
        }
        let mut attempt = 0;
        loop {
            let decode = |reader: &Reader<'_>| {
                let seen = self.seen(reader, Place::START, T::LAYOUT)?;
                Ok((seen, T::Mode::result(T::decode(reader, self.base))?))
            };
            let (seen, mut value) = if T::LAYOUT.cells == 0 {
                self.look_at(self.base.plain + T::LAYOUT.size, decode)?
            } else {
                let ((mut seen, value), owned) = self.look_inside(decode)?;
                seen.owned = owned;
                (seen, value)
            };
            let result = change(&mut value);
            let mut image = Image::new(T::LAYOUT);
            value.encode(&mut image, Place::START);
            if self.target(self.base, T::NAME.name, T::FIXED, Some(&seen)).put(&image)? {
                return Ok(result);
            }
            back_off(&mut attempt);
        }
    }

    /// What a field holds, to be sure later that it still does. Call inside of [`Slot::look`].
    pub(crate) fn seen(&self, reader: &Reader<'_>, place: Place, layout: Layout) -> Result<Seen> {
        Seen::look(reader, self.object.at(), self.base.part(place), layout)
    }

    pub(crate) fn target<'t>(
        &'t self,
        at: Place,
        schema: &'t str,
        fixed: &'t [Fixed<'t>],
        seen: Option<&'t Seen>,
    ) -> Target<'t> {
        Target { object: &self.object, at, schema, fixed, seen }
    }

    /// The same struct, seen through its schema.
    #[must_use]
    pub fn record<T: Struct>(&self) -> Record {
        if let Some(view) = &self.view {
            let base = match view.part(self.base, T::LAYOUT) {
                Ok(Found::At(base)) if !self.whole => base,
                _ => view::base_of(view.stored().layout()),
            };
            let near = Near::of(self.object.heap(), self.object.at(), base.plain / 8);
            let slot = Slot { base, view: None, near, ..self.clone() };
            let schema = if self.whole { Arc::clone(view.stored()) } else { T::INFO.schema() };
            return Record::new(slot, schema);
        }
        Record::new(self.clone(), T::INFO.schema())
    }
}

/// The bits of a word that a scalar of at most 8 bytes takes.
#[inline]
const fn mask(size: usize) -> u64 {
    if size >= 8 { u64::MAX } else { (1 << (size * 8)) - 1 }
}

/// The read-only fields of a schema.
pub(crate) fn fixed_fields(schema: &Schema) -> Vec<Fixed<'_>> {
    let readonly = schema.fields().iter().filter(|field| field.readonly());
    readonly.map(|field| Fixed::new(field.name(), field.place(), field.layout())).collect()
}

/// Lets other writers finish: each of them got something done.
pub(crate) fn back_off(attempt: &mut u32) {
    *attempt = attempt.saturating_add(1);
    if *attempt > 4 {
        std::thread::yield_now();
    }
}
