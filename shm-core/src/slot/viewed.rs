//! Changing a struct as a whole that another version of the program stored.
//!
//! What the type has is put where the stored schema has it, numbers narrowed if they fit; what only the
//! stored struct has stays as it is; what only the type has cannot be stored, so it must keep its
//! default. All of it in one operation, on what was read or not at all.

use super::{Slot, back_off, fixed_fields};
use crate::error::Result;
use crate::near::Near;
use crate::payload::{Image, Seen};
use crate::schema::Place;
use crate::shared::{Mode as _, Struct};
use crate::view::{self, Found, View};

/// A value taken apart.
fn image_of<T: Struct>(value: &T) -> Image {
    let mut image = Image::new(T::LAYOUT);
    value.encode(&mut image, Place::START);
    image
}

impl Slot {
    /// As [`Slot::update`].
    pub(super) fn update_viewed<T: Struct, R>(
        &self,
        view: &View,
        mut change: impl FnMut(&mut T) -> R,
        patience: u32,
    ) -> Result<Option<R>> {
        if let Some(part) = self.part_of_viewed::<T>(view)? {
            return part.try_update(change, patience);
        }
        let change = |value: &mut T| {
            let result = change(value);
            (image_of(value), result)
        };
        self.replace_viewed(view, change, patience)
    }

    /// As [`Slot::store`].
    pub(super) fn store_viewed<T: Struct>(&self, view: &View, value: &T) -> Result<()> {
        if let Some(part) = self.part_of_viewed::<T>(view)? {
            return part.store(value);
        }
        let change = |_: &mut T| (image_of(value), ());
        // Without a closure of the user it comes to an end.
        while self.replace_viewed(view, change, u32::MAX)?.is_none() {}
        Ok(())
    }

    /// A struct inside has the same schema on both sides: it is at another place only.
    fn part_of_viewed<T: Struct>(&self, view: &View) -> Result<Option<Slot>> {
        if self.whole {
            return Ok(None);
        }
        match view.part(self.base, T::LAYOUT)? {
            Found::At(base) => {
                let near = Near::of(self.object.heap(), self.object.at(), base.plain / 8);
                Ok(Some(Slot { base, view: None, near, ..self.clone() }))
            }
            _ => Err(self.object.heap().corrupt("a struct inside of a struct has no place")),
        }
    }

    fn replace_viewed<T: Struct, R>(
        &self,
        view: &View,
        mut change: impl FnMut(&mut T) -> (Image, R),
        patience: u32,
    ) -> Result<Option<R>> {
        let stored = view.stored();
        let base = view::base_of(stored.layout());
        let fixed = fixed_fields(stored);
        let mut attempt = 0;
        while attempt < patience {
            let ((mut seen, mut value), owned) = self.look_inside(|reader| {
                let seen = Seen::look(reader, self.object.at(), base, stored.layout())?;
                Ok((seen, T::Mode::result(T::decode(reader, self.base))?))
            })?;
            seen.owned = owned;
            let before = image_of(&value);
            let (after, result) = change(&mut value);
            let image = view.project(&before, after, seen.bytes(stored.layout().size))?;
            if self.target(base, stored.name(), &fixed, Some(&seen)).put(&image)? {
                return Ok(Some(result));
            }
            back_off(&mut attempt);
        }
        Ok(None)
    }
}
