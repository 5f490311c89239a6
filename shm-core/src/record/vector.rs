//! Dense vectors of typed structs, seen through the stored schema: what Python uses.
//!
//! Handle. As [`VecRef`](crate::VecRef), with values in the place of types: each method is one
//! atomic operation, and values are checked before anything changes.

use crate::bytearray::ByteArray;
use crate::cell::Kind;
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::payload::Reader;
use crate::record::{Record, convert};
use crate::schema::{FieldType, Layout, Place};
use crate::value::Value;
use crate::vector::{self, bytes_in};

/// Handle. A vector of plain elements that is a field of a struct.
#[derive(Clone)]
pub struct Vector {
    record: Record,
    index: usize,
    element: FieldType,
    layout: Layout,
}

impl Record {
    /// The vector that a field is, if it is one of plain elements that is there.
    ///
    /// # Errors
    /// `IndexOutOfRange`; `Closed`, `SegmentCorrupt`.
    pub fn vector_at(&self, index: usize) -> Result<Option<Vector>> {
        let ty = self.field(index)?.ty();
        let element = match ty {
            FieldType::Vec(element) => element,
            FieldType::Option(inner) => match &**inner {
                FieldType::Vec(element) => element,
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let layout = convert::layout_of(element)?;
        if layout.cells > 0 || layout.size == 0 {
            return Ok(None);
        }
        let (record, element) = (self.clone(), (**element).clone());
        let vector = Vector { record, index, element, layout };
        let there = vector.look(|_, found| Ok(found.is_some()))?;
        Ok(there.then_some(vector))
    }
}

impl Vector {
    /// Its elements' type.
    #[must_use]
    pub fn element(&self) -> &FieldType {
        &self.element
    }

    /// Bytes of an element.
    #[must_use]
    pub fn element_size(&self) -> usize {
        self.layout.size
    }

    fn place(&self) -> Result<Place> {
        Ok(self.record.slot().base().part(self.record.field(self.index)?.place()))
    }

    fn look<T>(
        &self,
        mut f: impl FnMut(&Reader<'_>, Option<vector::Bytes>) -> Result<T>,
    ) -> Result<T> {
        let at = self.place()?;
        self.record.slot().look(|reader| f(reader, bytes_in(reader, at)?))
    }

    fn missing(&self) -> Error {
        Error::InvalidArgument {
            what: format!("field {} of {:?} is None", self.index, self.record.schema().name()),
        }
    }

    /// How many elements it has.
    ///
    /// # Errors
    /// `Closed`, `SegmentCorrupt`, or if the field has become none; so for all methods.
    #[allow(clippy::len_without_is_empty, reason = "is_empty is below, fallible like everything")]
    pub fn len(&self) -> Result<usize> {
        self.look(|_, found| found.map(|span| span.len / self.layout.size).ok_or(self.missing()))
    }

    /// Whether it has none.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Elements from an index on, at most `limit`, as of one moment.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    pub fn chunk(&self, start: usize, limit: usize) -> Result<Vec<Value>> {
        self.look(|reader, found| {
            let span = found.ok_or(self.missing())?;
            convert::elements(reader, &self.element, &span, start, limit)
        })
    }

    /// Replaces elements `start..stop` by others.
    ///
    /// # Errors
    /// `WrongType` or `InvalidArgument` for a value that is none of the type, `SegmentFull`; then
    /// nothing has changed.
    pub fn splice(&self, start: usize, stop: usize, values: &[Value]) -> Result<()> {
        self.splice_bytes(start, stop, &self.bytes_of(values)?)
    }

    /// As [`splice`](Self::splice), with the bytes of the elements.
    ///
    /// # Errors
    /// As [`splice`](Self::splice).
    pub fn splice_bytes(&self, start: usize, stop: usize, bytes: &[u8]) -> Result<()> {
        self.record.writable(self.index)?;
        if !bytes.len().is_multiple_of(self.layout.size) {
            return Err(Error::InvalidArgument {
                what: format!("{} bytes are no elements of {}", bytes.len(), self.layout.size),
            });
        }
        let cell = self.place()?.cells;
        let stop = stop.max(start).saturating_mul(self.layout.size);
        let start = start.saturating_mul(self.layout.size);
        vector::splice(self.record.slot().object(), cell, start, stop, bytes)
    }

    /// Replaces the element at an index.
    ///
    /// # Errors
    /// `IndexOutOfRange` at and beyond the end; as [`splice`](Self::splice).
    pub fn set(&self, index: usize, value: &Value) -> Result<()> {
        self.record.writable(self.index)?;
        let bytes = self.bytes_of(std::slice::from_ref(value))?;
        let start = index.saturating_mul(self.layout.size);
        vector::overwrite(self.record.slot().object(), self.place()?.cells, start, &bytes)
    }

    /// The bytes of elements.
    fn bytes_of(&self, values: &[Value]) -> Result<Vec<u8>> {
        let field = self.record.field(self.index)?;
        convert::dense(self.record.schema(), field, &self.element, values)
    }

    /// The bytearray that holds the elements until the vector grows: what a view of them pins.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    pub fn storage(&self) -> Result<ByteArray> {
        let at = self.place()?;
        self.record.slot().look(|reader| match reader.value(at.cells)? {
            Value::ByteArray(array) => Ok(array),
            _ => Err(self.missing()),
        })
    }
}

impl ByteArray {
    /// Where its bytes are in this process, and how many. They stay there for as long as this handle
    /// of a vector's storage is kept; reading them is not atomic.
    ///
    /// # Errors
    /// `Closed`, `SegmentCorrupt`.
    pub fn address(&self) -> Result<(*const u8, usize)> {
        debug_assert_eq!(self.object().kind(), Kind::ByteArray);
        let at = self.object().at();
        self.heap().read(at, |heap: &Heap| {
            let span = crate::bytearray::Span::load(heap, at)?;
            if span.len == 0 {
                return Ok((std::ptr::null(), 0));
            }
            let words = heap.words(span.block, (span.start + span.len).div_ceil(8) as usize)?;
            Ok((words.as_ptr().cast::<u8>().wrapping_add(span.start as usize), span.len as usize))
        })
    }
}
