//! Fields of a user's own plain type, stored as its bytes: `#[shared(as_bytes)]`.
//!
//! What may be stored so is said by zerocopy's traits: every bit pattern is a value, and no byte is
//! padding. The schema has `[u8; N]`; other programs see the bytes and nothing else.

use std::marker::PhantomData;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::error::Result;
use crate::payload::{Image, Sink, Source};
use crate::schema::{Layout, Place, Scalar, TypeInfo};
use crate::slot::Slot;

/// The functions of [`Shared`](crate::Shared) for a type that is stored as its bytes.
pub struct AsBytes<T>(PhantomData<T>);

impl<T: FromBytes + IntoBytes + Immutable> AsBytes<T> {
    /// The room that it takes.
    pub const LAYOUT: Layout = Layout::number(1).array(size_of::<T>());
    /// Its description in a schema.
    pub const TYPE: &'static TypeInfo =
        &TypeInfo::Array(&TypeInfo::Scalar(Scalar::U8), size_of::<T>());

    /// Puts it into an image.
    pub fn encode(value: &T, image: &mut impl Sink, at: Place) {
        for (index, byte) in value.as_bytes().iter().enumerate() {
            image.bits(at.plain + index, 1, u128::from(*byte));
        }
    }

    /// Reads it as a part of its struct.
    ///
    /// # Errors
    /// Never; the signature is that of all types.
    pub fn take(reader: &impl Source, at: Place) -> Result<T> {
        let mut value = T::new_zeroed();
        let bytes: Vec<u8> =
            (0..size_of::<T>()).map(|i| reader.bits(at.plain + i, 1) as u8).collect();
        if let Ok(found) = T::read_from_bytes(&bytes) {
            value = found;
        }
        Ok(value)
    }

    /// A copy of a field.
    ///
    /// # Errors
    /// If the segment is closed or corrupt.
    pub fn read(slot: &Slot, place: Place) -> Result<T> {
        let at = slot.base().part(place);
        slot.look(|reader| Self::take(reader, at))
    }

    /// The getter of a field.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn get(slot: &Slot, place: Place) -> Result<T> {
        Self::read(slot, place)
    }

    /// The setter of a field.
    ///
    /// # Errors
    /// If the segment is closed, full, corrupt or read-only.
    pub fn set(slot: &Slot, place: Place, value: &T) -> Result<()> {
        let mut image = Image::new(Self::LAYOUT);
        Self::encode(value, &mut image, Place::START);
        slot.put(place, &image)
    }
}
