//! Fields of a user's own plain type, stored as its bytes: `#[shared(as_bytes)]`.
//!
//! What may be stored so is said by zerocopy's traits: every bit pattern is a value, and no byte is
//! padding. The schema has `[u8; N]`; other programs see the bytes and nothing else.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::error::Result;
use crate::payload::{Image, Sink, Source};
use crate::schema::{Layout, Place, Scalar, TypeInfo};
use crate::slot::Slot;

/// The functions of [`Shared`](crate::Shared) for a type that is stored as its bytes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored as its bytes",
    label = "not every bit pattern is one, or some bytes are padding",
    note = "use a type that derives zerocopy's `FromBytes`, `IntoBytes` and `Immutable`; or no `as_bytes`, and `#[derive(Shared)]` on the type"
)]
pub trait AsBytes: Sized {
    /// The room that it takes.
    const LAYOUT: Layout;
    /// Its description in a schema.
    const TYPE: &'static TypeInfo;

    /// Puts it into an image.
    fn encode(value: &Self, image: &mut impl Sink, at: Place);

    /// Reads it as a part of its struct.
    ///
    /// # Errors
    /// Never; the signature is that of all types.
    fn take(reader: &impl Source, at: Place) -> Result<Self>;

    /// A copy of a field.
    ///
    /// # Errors
    /// If the segment is closed or corrupt.
    fn read(slot: &Slot, place: Place) -> Result<Self> {
        let at = slot.base().part(place);
        slot.look(|reader| Self::take(reader, at))
    }

    /// The getter of a field.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn get(slot: &Slot, place: Place) -> Result<Self> {
        Self::read(slot, place)
    }

    /// The setter of a field.
    ///
    /// # Errors
    /// If the segment is closed, full, corrupt or read-only.
    fn set(slot: &Slot, place: Place, value: &Self) -> Result<()> {
        let mut image = Image::new(Self::LAYOUT);
        Self::encode(value, &mut image, Place::START);
        slot.put(place, &image)
    }
}

// A type that lacks one of these is told what it is for, in one error.
#[diagnostic::do_not_recommend]
impl<T: FromBytes + IntoBytes + Immutable> AsBytes for T {
    const LAYOUT: Layout = Layout::number(1).array(size_of::<T>());
    const TYPE: &'static TypeInfo = &TypeInfo::Array(&TypeInfo::Scalar(Scalar::U8), size_of::<T>());

    fn encode(value: &T, image: &mut impl Sink, at: Place) {
        for (index, byte) in value.as_bytes().iter().enumerate() {
            image.bits(at.plain + index, 1, u128::from(*byte));
        }
    }

    fn take(reader: &impl Source, at: Place) -> Result<T> {
        let mut value = T::new_zeroed();
        for (index, byte) in value.as_mut_bytes().iter_mut().enumerate() {
            *byte = reader.bits(at.plain + index, 1) as u8;
        }
        Ok(value)
    }
}
