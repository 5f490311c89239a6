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

use crate::bytearray::{Span, append_in_place, block_with};
use crate::cell::{Cell, Kind, Offset, Ref};
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::layout::object;
use crate::list::List;
use crate::object::Meta;
use crate::payload::{Image, Part, Reader};
use crate::schema::{Layout, Place};
use crate::shared::{Shared, assert_no_fault, mistyped};
use crate::slot::Slot;
use crate::tx::Tx;
use crate::value::Value;

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

/// How the elements of a type are stored.
enum Form {
    Dense,
    Cells,
}

/// The form for a type.
const fn form<T: Shared>() -> Form {
    // Of types with parameters only this tells.
    const { assert_no_fault(fault::<T>()) };
    if T::LAYOUT.cells == 0 { Form::Dense } else { Form::Cells }
}

/// Why a type cannot be in a vector.
pub(crate) const fn fault<T: Shared>() -> Option<&'static str> {
    if T::LAYOUT.cells > 1 || (T::LAYOUT.cells == 1 && T::LAYOUT.size > 0) {
        return Some(
            "the elements of a `Vec` must be plain (numbers, and structs and enums of them) or have one \
             dynamic part; use `Vec<Link<..>>` for others",
        );
    }
    if T::LAYOUT.cells == 0 && T::LAYOUT.size == 0 {
        return Some("the elements of a `Vec` must have a size; use a number of them");
    }
    T::FAULT
}

/// The image of a whole vector.
pub(crate) fn part<T: Shared>(values: &[T]) -> Part {
    match form::<T>() {
        Form::Dense => Part::Dense(dense(values)),
        Form::Cells => Part::Items(values.iter().map(item).collect()),
    }
}

/// The bytes of plain elements.
fn dense<T: Shared>(values: &[T]) -> Vec<u8> {
    let mut image = Image::new(Layout { size: T::LAYOUT.size * values.len(), ..T::LAYOUT });
    for (index, value) in values.iter().enumerate() {
        value.encode(&mut image, Place::START.element(T::LAYOUT, index));
    }
    image.into_parts().0
}

/// The cell of an element.
fn item<T: Shared>(value: &T) -> Part {
    let mut image = Image::new(T::LAYOUT);
    value.encode(&mut image, Place::START);
    image.into_parts().1.pop().unwrap_or(Part::Value(Value::None))
}

/// Reads a whole vector as a part of its struct.
pub(crate) fn decode<T: Shared>(reader: &Reader<'_>, at: Place) -> Result<Vec<T>> {
    let reference = owned::<T>(reader, at)?;
    reader.inside(reference.at, |heap| read(heap, reference.at, 0, usize::MAX))
}

/// The object that a vector is in.
fn owned<T: Shared>(reader: &Reader<'_>, at: Place) -> Result<Ref> {
    let kind = match form::<T>() {
        Form::Dense => Kind::ByteArray,
        Form::Cells => Kind::List,
    };
    let cell = reader.cell(at.cells);
    match cell.as_ref() {
        Some(reference) if reference.kind == kind => {
            reader.heap().check_reference(reference)?;
            Ok(reference)
        }
        _ => Err(mistyped("vector", &reader.value(at.cells)?)),
    }
}

/// Where the bytes of a dense vector are.
#[derive(Clone, Copy)]
pub(crate) struct Bytes {
    /// The object.
    pub(crate) at: Offset,
    /// Its block.
    pub(crate) block: Offset,
    /// How many bytes.
    pub(crate) len: usize,
}

/// The bytes of the dense vector in a cell, if there is one.
pub(crate) fn bytes_in(reader: &Reader<'_>, at: Place) -> Result<Option<Bytes>> {
    let found = reader.cell(at.cells).as_ref().filter(|found| found.kind == Kind::ByteArray);
    let Some(reference) = found else { return Ok(None) };
    reader.heap().check_reference(reference)?;
    reader.inside(reference.at, |heap| {
        let span = Span::load(heap, reference.at)?;
        if span.start != 0 {
            return Err(heap.corrupt(format!("the vector at {:#x} starts inside", reference.at)));
        }
        Ok(Some(Bytes { at: reference.at, block: span.block, len: span.len as usize }))
    })
}

/// Elements from an index on, at most `limit`. Call inside of a validated read of the object.
fn read<T: Shared>(heap: &Heap, at: Offset, start: usize, limit: usize) -> Result<Vec<T>> {
    let (reader, len, first) = match form::<T>() {
        Form::Dense => {
            let span = Span::load(heap, at)?;
            if span.start != 0 {
                return Err(heap.corrupt(format!("the vector at {at:#x} starts inside its block")));
            }
            (Reader::at(heap, span.block), span.len as usize / T::LAYOUT.size, 0)
        }
        Form::Cells => {
            let span = heap.load(at + object::W1)?;
            let (first, len) = ((span & 0xFFFF_FFFF) as usize, (span >> 32) as usize);
            // A payload's first cell is its second word.
            let block = heap.load(at + object::W0)?.wrapping_sub(8);
            (Reader::at(heap, block), len, first)
        }
    };
    let count = len.saturating_sub(start).min(limit);
    // A length that is not so comes from a torn read, or the segment is corrupt.
    let mut values = Vec::new();
    let base = Place { cells: first, plain: 0 };
    for index in start..start + count {
        values.push(T::take(&reader, base.element(T::LAYOUT, index))?);
        if index % CHUNK == 0 {
            reader.finish()?;
        }
    }
    reader.finish()?;
    Ok(values)
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
            reader.inside(reference.at, |heap| f(heap, reference.at))
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
                let parts = values.iter().map(|value| item(value).value(list.heap()));
                list.extend(parts.collect::<Result<Vec<Value>>>()?)
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
            return list.set(index, item(&value).value(list.heap())?);
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
            let parts = values.iter().map(|value| item(value).value(list.heap()));
            return list.set_slice(None, None, None, parts.collect::<Result<Vec<Value>>>()?);
        }
        self.splice(0, usize::MAX, &dense(values))
    }

    /// The list of elements that are not plain.
    fn list(&self) -> Result<List> {
        let at = self.slot.base().part(self.place);
        self.slot.look(|reader| match reader.value(at.cells)? {
            Value::List(list) => Ok(list),
            other => Err(mistyped("vector", &other)),
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

/// What a change of a dense vector comes to.
pub(crate) enum Next<R> {
    /// It is done.
    Done(R),
    /// The vector is to have these bytes, in a new object.
    Bytes(Vec<u8>),
}

/// Changes the dense vector in a cell of a struct, in one operation.
pub(crate) fn edit<R>(
    owner: &crate::handle::Object,
    cell: usize,
    mut change: impl FnMut(&mut Tx<'_>, Offset, Span) -> Result<Next<R>>,
) -> Result<Option<R>> {
    let at = owner.at();
    owner.heap().write(|tx| {
        let word = tx.block(at)?.wrapping_add(8 + 8 * cell as u64);
        let old = Cell(tx.load(word)?);
        let Some(reference) = old.as_ref().filter(|found| found.kind == Kind::ByteArray) else {
            return Err(tx.heap().corrupt(format!("the cell {:#x} is no vector", old.0)));
        };
        tx.heap().check_reference(reference)?;
        let span = Span::load(tx.heap(), reference.at)?;
        if span.start != 0 {
            return Err(tx.heap().corrupt("a vector starts inside its block"));
        }
        match change(tx, reference.at, span)? {
            Next::Done(result) => Ok(Some(result)),
            Next::Bytes(bytes) => {
                let fresh = create(tx, &bytes)?;
                tx.open(at)?;
                tx.set(word, fresh.0)?;
                tx.dec(old)?;
                Ok(None)
            }
        }
    })
}

/// Replaces bytes `start..stop` of the dense vector in a cell of a struct, in one operation. Bytes
/// beyond the end are none: `start` and `stop` are cut there.
pub(crate) fn splice(
    owner: &crate::handle::Object,
    cell: usize,
    start: usize,
    stop: usize,
    content: &[u8],
) -> Result<()> {
    edit(owner, cell, |tx, at, span| {
        let len = span.len as usize;
        let (start, stop) = (start.min(len), stop.min(len));
        if start >= stop && content.is_empty() {
            return Ok(Next::Done(()));
        }
        if start == len && span.len + content.len() as u64 <= span.cap {
            append_in_place(tx, span, content)?;
            tx.set_only(at, at + object::W1, Span::word(0, span.len + content.len() as u64))?;
            return Ok(Next::Done(()));
        }
        if stop == len && content.is_empty() {
            tx.set_only(at, at + object::W1, Span::word(0, start as u64))?;
            return Ok(Next::Done(()));
        }
        let mut bytes = span.bytes(tx.heap())?;
        bytes.splice(start..stop, content.iter().copied());
        Ok(Next::Bytes(bytes))
    })
    .map(drop)
}

/// Replaces the element that starts at a byte of the dense vector in a cell of a struct.
pub(crate) fn overwrite(
    owner: &crate::handle::Object,
    cell: usize,
    start: usize,
    content: &[u8],
) -> Result<()> {
    edit(owner, cell, |tx, at, span| {
        let size = content.len().max(1);
        if start.saturating_add(size) as u64 > span.len {
            let index = i64::try_from(start / size).unwrap_or(i64::MAX);
            return Err(Error::IndexOutOfRange {
                what: "vector",
                index,
                len: span.len / size as u64,
            });
        }
        if start % 8 + content.len() <= 8 {
            let place = span.block.wrapping_add((start & !7) as u64);
            let mut bytes = tx.load(place)?.to_le_bytes();
            for (byte, new) in bytes.iter_mut().skip(start % 8).zip(content) {
                *byte = *new;
            }
            tx.set_only(at, place, u64::from_le_bytes(bytes))?;
            return Ok(Next::Done(()));
        }
        let mut bytes = span.bytes(tx.heap())?;
        bytes.splice(start..start + content.len(), content.iter().copied());
        Ok(Next::Bytes(bytes))
    })
    .map(drop)
}

/// A new bytearray with room to grow; the cell owns its one count.
fn create(tx: &mut Tx<'_>, content: &[u8]) -> Result<Cell> {
    let at = tx.alloc_object(Kind::ByteArray)?;
    if !content.is_empty() {
        let (block, cap) = block_with(tx, content, false)?;
        tx.fill(at + object::W0, block)?;
        tx.fill(at + object::W1, Span::word(0, content.len() as u64))?;
        tx.fill(at + object::W2, cap)?;
    }
    let generation = Meta(tx.load(at + object::META)?).generation();
    let cell = Cell::reference(Kind::ByteArray, at, generation as u8);
    tx.inc(cell)?;
    Ok(cell)
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
