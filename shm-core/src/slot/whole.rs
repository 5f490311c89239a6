//! A struct as a whole: copied out, replaced, changed in a private copy; plain ones on the stack, others by images.

use super::{Slot, back_off};
use crate::error::{Error, Result};
use crate::payload::{Image, Reader};
use crate::plain::{Frame, Read, Words, bits_of, copy_patiently, is_plain, put, with_room};
use crate::primitive::AtomicU64;
use crate::schema::Place;
use crate::shared::{Mode, Struct};
use crate::transaction::Transaction;

/// How often an update is tried beside other writers.
const PATIENCE: u32 = 64;

impl Slot {
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
    pub fn update<T: Struct, R>(&self, mut change: impl FnMut(&mut T) -> R) -> Result<R> {
        match self.try_update(&mut change, PATIENCE)? {
            Some(result) => Ok(result),
            None => self.update_alone(change),
        }
    }

    /// Others came first too often: once more, while nobody else writes. If the struct changes even then,
    /// `change` itself changes it, and what would become of its copy nobody could tell.
    #[cold]
    #[inline(never)]
    fn update_alone<T: Struct, R>(&self, change: impl FnMut(&mut T) -> R) -> Result<R> {
        let heap = self.object.heap();
        let alone = Transaction::begin(heap, Some(heap.0.lock_timeout))?;
        let Some(result) = self.try_update(change, 1)? else {
            return Err(Error::InvalidArgument {
                what: format!(
                    "the closure of update changes the {:?} through a handle: use the copy that it is given",
                    T::NAME.name
                ),
            });
        };
        alone.commit()?;
        Ok(result)
    }

    /// As [`Slot::update`], at most so many times; `None` if others came first each time.
    #[inline]
    pub(super) fn try_update<T: Struct, R>(
        &self,
        change: impl FnMut(&mut T) -> R,
        patience: u32,
    ) -> Result<Option<R>> {
        if const { is_plain::<T>() } && self.view.is_none() {
            return with_room!(T::LAYOUT, |N| self.update_plain::<T, R, N>(change, patience));
        }
        self.update_any(change, patience)
    }

    #[inline]
    fn update_plain<T: Struct, R, const N: usize>(
        &self,
        mut change: impl FnMut(&mut T) -> R,
        patience: u32,
    ) -> Result<Option<R>> {
        let heap = self.object.heap();
        let (_, shift) = self.near_place(Place::START, T::LAYOUT.align);
        let mut attempt = 0;
        while attempt < patience {
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
                return Ok(Some(result));
            }
            back_off(&mut attempt);
        }
        Ok(None)
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

    fn update_any<T: Struct, R>(
        &self,
        mut change: impl FnMut(&mut T) -> R,
        patience: u32,
    ) -> Result<Option<R>> {
        if let Some(view) = &self.view {
            return self.update_viewed(view, change, patience);
        }
        let mut attempt = 0;
        while attempt < patience {
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
                return Ok(Some(result));
            }
            back_off(&mut attempt);
        }
        Ok(None)
    }
}
