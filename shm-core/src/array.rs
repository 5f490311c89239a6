//! Array fields of typed structs, element by element.
//!
//! Handle. The getter of an array field returns all of it; through this handle one element is read or
//! changed without the others, which is one store where it is a number. Every method is one atomic
//! operation. An array has its place in its struct: nothing here takes memory of the segment.

use std::fmt;
use std::marker::PhantomData;

use crate::error::{Error, Result};
use crate::schema::Place;
use crate::shared::{Integer, Shared};
use crate::slot::Slot;

/// Handle. An array field of a typed struct, whose elements are read and changed one by one.
///
/// ```no_run
/// # use shm_core::{ArrayRef, Result};
/// # fn show(levels: &ArrayRef<u32, 8>) -> Result<()> {
/// levels.set(2, 7)?;
/// assert_eq!(levels.fetch_add(2, 1)?, 7);
/// assert_eq!(levels.get(2)?, 8);
/// # Ok(()) }
/// ```
pub struct ArrayRef<T, const N: usize> {
    slot: Slot,
    place: Place,
    of: PhantomData<fn() -> T>,
}

impl<T, const N: usize> ArrayRef<T, N> {
    /// The array at a place of a struct.
    #[doc(hidden)]
    #[must_use]
    pub fn new(slot: &Slot, place: Place) -> Self {
        ArrayRef { slot: slot.clone(), place, of: PhantomData }
    }

    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        N
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        N == 0
    }
}

impl<T: Shared, const N: usize> ArrayRef<T, N> {
    #[inline]
    fn place(&self, index: usize) -> Result<Place> {
        if index < N {
            return Ok(self.place.element(T::LAYOUT, index));
        }
        let number = i64::try_from(index).unwrap_or(i64::MAX);
        Err(Error::IndexOutOfRange { what: "array", index: number, len: N as u64 })
    }

    /// A copy of an element.
    ///
    /// # Errors
    /// `IndexOutOfRange`; if the segment is closed or corrupt, or a stopped writer holds the struct.
    #[inline]
    pub fn get(&self, index: usize) -> Result<T> {
        T::read(&self.slot, self.place(index)?)
    }

    /// What the getter of a field of the element's type returns: the handle of a struct.
    ///
    /// # Errors
    /// `IndexOutOfRange`.
    #[inline]
    pub fn at(&self, index: usize) -> Result<T::Get> {
        Ok(T::get(&self.slot, self.place(index)?))
    }

    /// Sets an element.
    ///
    /// # Errors
    /// `IndexOutOfRange`; if the segment is closed, full, corrupt or read-only; then nothing has
    /// changed.
    #[inline]
    #[allow(clippy::needless_pass_by_value, reason = "as the setters of fields do")]
    pub fn set(&self, index: usize, value: T) -> Result<()> {
        T::set(&self.slot, self.place(index)?, &value)
    }

    /// A copy of all elements, as they were at one moment.
    ///
    /// # Errors
    /// If the segment is closed or corrupt, or a stopped writer holds the struct.
    pub fn load(&self) -> Result<[T; N]> {
        <[T; N]>::read(&self.slot, self.place)
    }

    /// Replaces all elements at once.
    ///
    /// # Errors
    /// If the segment is closed, full, corrupt or read-only; then nothing has changed.
    pub fn store(&self, values: &[T; N]) -> Result<()> {
        <[T; N]>::set(&self.slot, self.place, values)
    }
}

impl<T: Integer, const N: usize> ArrayRef<T, N> {
    /// Adds to an element, wrapping around, and returns what it was.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    #[inline]
    pub fn fetch_add(&self, index: usize, delta: T) -> Result<T> {
        self.slot.fetch_add(self.place(index)?, delta)
    }

    /// Sets an element and returns what it was.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    #[inline]
    pub fn swap(&self, index: usize, value: T) -> Result<T> {
        self.slot.swap(self.place(index)?, value)
    }

    /// Sets an element if it is `old`; whether it was.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    #[inline]
    pub fn compare_exchange(&self, index: usize, old: T, new: T) -> Result<bool> {
        self.slot.compare_exchange(self.place(index)?, old, new)
    }
}

impl<T, const M: usize, const N: usize> ArrayRef<[T; M], N>
where
    T: Shared,
{
    /// The elements of an element that is an array itself.
    ///
    /// # Errors
    /// `IndexOutOfRange`.
    pub fn items(&self, index: usize) -> Result<ArrayRef<T, M>> {
        Ok(ArrayRef::new(&self.slot, self.place(index)?))
    }
}

impl<T, const N: usize> Clone for ArrayRef<T, N> {
    fn clone(&self) -> Self {
        ArrayRef::new(&self.slot, self.place)
    }
}

impl<T: Shared + fmt::Debug, const N: usize> fmt::Debug for ArrayRef<T, N> {
    /// Shows at most the first 32 elements.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.load() {
            Ok(all) => {
                let mut list = f.debug_list();
                list.entries(all.iter().take(32));
                if N <= 32 { list.finish() } else { list.finish_non_exhaustive() }
            }
            Err(error) => write!(f, "<{error}>"),
        }
    }
}
