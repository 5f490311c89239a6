//! A typed struct's place in the segment, as the handles that the derive makes use it.
//!
//! Handle. A slot is a pinned object and how far into its payload the struct starts: 0 for a
//! struct of its own, more for one that is a field of another. Every method here is one operation:
//! a validated read, or one store or transaction under the writer lock.

use std::sync::Arc;

use crate::cell::{Cell, Kind};
use crate::confined;
use crate::error::Result;
use crate::handle::Object;
use crate::heap::Heap;
use crate::journal::Journal;
use crate::layout::object;
use crate::near::Near;
use crate::payload::{self, Fixed, Image, Owned, Reader, Seen, Target, plain_start};
use crate::plain::{Frame, Read, Words, copy_patiently, is_plain, put, with_room};
use crate::primitive::AtomicU64;
use crate::record::Record;
use crate::schema::{Layout, Place, Schema};
use crate::shared::{Mode, Shared, Struct};
use crate::sys::pair::Room;
use crate::view::{self, Found, View};

mod bits;
mod viewed;
mod whole;

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
        let start = Place { cells: 0, plain: plain_start(layout.cells) };
        let batch = image.batch(heap, entry, start, 0..layout.cells)?;
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
        if heap.holds_lock() || confined::may_look_at(heap, at) {
            locked(heap)
        } else if confined::is_inside() {
            Err(Journal::want_more())
        } else {
            heap.write(|tx| locked(tx.heap()))
        }
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

    /// Whether the struct was stored without what would be here.
    #[inline]
    #[must_use]
    pub fn lacks(&self, place: Place) -> bool {
        self.view.as_ref().is_some_and(|view| view.lacks(self.base.part(place)))
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
