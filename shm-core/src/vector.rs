//! `Vec` fields of typed structs: any number of values of one type.
//!
//! ```text
//! plain elements     a bytearray of its own: the elements in C layout, at the start of its block
//! other elements     a list of its own: one cell for each element
//! ```
//!
//! A vector belongs to its struct. Plain elements are appended in place while there is room; the
//! bytes of one bytearray never move: growing makes another one of more room, which the struct then
//! refers to. So a view of the bytes (numpy's) stays valid memory for as long as it is kept, and
//! shows the vector until it grows. Every method is one atomic operation.

use std::fmt;
use std::marker::PhantomData;

use crate::bytearray::Span;
use crate::cell::Offset;
use crate::error::Result;
use crate::heap::Heap;
use crate::layout::object;
use crate::list::List;
use crate::schema::Place;
use crate::shared::{Shared, mistyped};
use crate::slot::Slot;
use crate::tx::Tx;
use crate::value::Value;

mod bytes;
mod elements;

pub(crate) use bytes::{Bytes, Next, bytes_in, edit, overwrite, splice};
use elements::{Form, dense, form, items, owned, read};
pub(crate) use elements::{decode, fault, part};

/// How many elements an iterator reads at a time.
const CHUNK: usize = 256;

/// Handle. A `Vec` field of a typed struct, changed in place.
///
/// Plain elements (numbers, and structs of them) are dense: Python sees them as a numpy array.
pub struct VecRef<T> {
    slot: Slot,
    place: Place,
    of: PhantomData<fn() -> T>,
}

impl<T: Shared> VecRef<T> {
    pub(crate) fn new(slot: Slot, place: Place) -> Self {
        VecRef { slot, place, of: PhantomData }
    }

    /// Runs a reader on the object that the vector is in now.
    fn look<R>(&self, mut f: impl FnMut(&Heap, Offset) -> Result<R>) -> Result<R> {
        let at = self.slot.base().part(self.place);
        self.slot.look(|reader| {
            let reference = owned::<T>(reader, at)?;
            reader
                .inside(reference.at, |heap| f(heap, reference.at))
                .map_err(|error| reader.named(at.cells, error))
        })
    }

    /// How many elements it has.
    ///
    /// # Errors
    /// If the segment is closed or corrupt; so for all methods.
    #[allow(clippy::len_without_is_empty, reason = "is_empty is below, fallible like everything")]
    pub fn len(&self) -> Result<usize> {
        let size = if matches!(form::<T>(), Form::Dense) { T::LAYOUT.size } else { 1 };
        self.look(|heap, at| Ok((heap.load(at + object::W1)? >> 32) as usize / size))
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The element at an index, or `None` beyond the end.
    pub fn get(&self, index: usize) -> Result<Option<T>> {
        Ok(self.look(|heap, at| read(heap, at, index, 1))?.pop())
    }

    /// Elements from an index on, at most `limit`, as of one moment.
    pub fn chunk(&self, start: usize, limit: usize) -> Result<Vec<T>> {
        self.look(|heap, at| read(heap, at, start, limit))
    }

    /// All elements, as of one moment.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        self.chunk(0, usize::MAX)
    }

    /// Reads one element after the other, a few at a time; ends at the present end.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { vector: self, next: 0, ready: Vec::new().into_iter() }
    }

    /// Appends an element.
    ///
    /// # Errors
    /// `SegmentFull`; then nothing has changed.
    #[allow(clippy::needless_pass_by_value, reason = "as Vec::push")]
    pub fn push(&self, value: T) -> Result<()> {
        self.extend(std::slice::from_ref(&value))
    }

    /// Appends elements, all or none.
    ///
    /// # Errors
    /// `SegmentFull`; then nothing has changed.
    pub fn extend(&self, values: &[T]) -> Result<()> {
        match form::<T>() {
            Form::Dense => self.splice(usize::MAX, usize::MAX, &dense(values)),
            Form::Cells => {
                let list = self.list()?;
                list.extend_as_is(items(&list, values)?)
            }
        }
    }

    /// Replaces the element at an index.
    ///
    /// # Errors
    /// `IndexOutOfRange` at and beyond the end.
    #[allow(clippy::needless_pass_by_value, reason = "as an assignment")]
    pub fn set(&self, index: usize, value: T) -> Result<()> {
        if matches!(form::<T>(), Form::Cells) {
            let list = self.list()?;
            let new = items(&list, std::slice::from_ref(&value))?.pop().unwrap_or_default();
            return list.set_as_is(crate::list::Place::Front(index), new);
        }
        let content = dense(std::slice::from_ref(&value));
        let start = index.saturating_mul(content.len());
        let cell = self.slot.cell_of(self.place)?;
        overwrite(self.slot.object(), cell, start, &content)
    }

    /// Takes the last element.
    pub fn pop(&self) -> Result<Option<T>> {
        if matches!(form::<T>(), Form::Cells) {
            let list = self.list()?;
            let Some(last) = self.chunk(self.len()?.saturating_sub(1), 1)?.pop() else {
                return Ok(None);
            };
            list.pop()?;
            return Ok(Some(last));
        }
        let found = self.dense(|tx, at, span| {
            let Some(len) = span.len.checked_sub(T::LAYOUT.size as u64) else {
                return Ok(Next::Done(None));
            };
            let last = read(tx.heap(), at, len as usize / T::LAYOUT.size, 1)?.pop();
            tx.set_only(at, at + object::W1, Span::word(0, len))?;
            Ok(Next::Done(last))
        })?;
        Ok(found.flatten())
    }

    /// Drops all elements from an index on.
    pub fn truncate(&self, len: usize) -> Result<()> {
        if matches!(form::<T>(), Form::Cells) {
            return self.list()?.del_slice(Some(len as i64), None, None);
        }
        self.splice(len.saturating_mul(T::LAYOUT.size), usize::MAX, &[])
    }

    /// Drops all elements.
    pub fn clear(&self) -> Result<()> {
        self.truncate(0)
    }

    /// Replaces all elements.
    ///
    /// # Errors
    /// `SegmentFull`; then nothing has changed.
    pub fn replace(&self, values: &[T]) -> Result<()> {
        if matches!(form::<T>(), Form::Cells) {
            let list = self.list()?;
            return list.set_slice_as_is(None, None, None, items(&list, values)?);
        }
        self.splice(0, usize::MAX, &dense(values))
    }

    /// The list of elements that are not plain.
    fn list(&self) -> Result<List> {
        let at = self.slot.base().part(self.place);
        self.slot.look(|reader| match reader.value(at.cells)? {
            Value::List(list) => Ok(list),
            other => Err(reader.named(at.cells, mistyped("vector", &other))),
        })
    }

    fn splice(&self, start: usize, stop: usize, content: &[u8]) -> Result<()> {
        splice(self.slot.object(), self.slot.cell_of(self.place)?, start, stop, content)
    }

    /// Changes a dense vector in one operation.
    fn dense<R>(
        &self,
        change: impl FnMut(&mut Tx<'_>, Offset, Span) -> Result<Next<R>>,
    ) -> Result<Option<R>> {
        let cell = self.slot.cell_of(self.place)?;
        edit(self.slot.object(), cell, change)
    }
}

impl<T> Clone for VecRef<T> {
    fn clone(&self) -> Self {
        VecRef { slot: self.slot.clone(), place: self.place, of: PhantomData }
    }
}

impl<T: Shared + fmt::Debug> fmt::Debug for VecRef<T> {
    /// Shows at most the first 32 elements.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.len(), self.chunk(0, 32)) {
            (Ok(len), Ok(shown)) => {
                let mut list = f.debug_list();
                list.entries(&shown);
                if len > shown.len() { list.finish_non_exhaustive() } else { list.finish() }
            }
            (Err(error), _) | (_, Err(error)) => write!(f, "<{error}>"),
        }
    }
}

/// Handle. Reads the elements of a vector, a few at a time.
pub struct Iter<'v, T> {
    vector: &'v VecRef<T>,
    next: usize,
    ready: std::vec::IntoIter<T>,
}

impl<T: Shared> Iterator for Iter<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if let Some(value) = self.ready.next() {
            return Some(Ok(value));
        }
        match self.vector.chunk(self.next, CHUNK) {
            Ok(chunk) => {
                self.next += chunk.len();
                self.ready = chunk.into_iter();
                self.ready.next().map(Ok)
            }
            Err(error) => Some(Err(error)),
        }
    }
}

impl<'v, T: Shared> IntoIterator for &'v VecRef<T> {
    type Item = Result<T>;
    type IntoIter = Iter<'v, T>;

    fn into_iter(self) -> Iter<'v, T> {
        self.iter()
    }
}
