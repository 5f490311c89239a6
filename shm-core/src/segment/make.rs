//! New shared containers and arrays of a segment; what no handle and no other object refers to is freed.

use super::Segment;
use crate::bytearray::ByteArray;
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::list::List;
use crate::ndarray::{Array, DType, Element};
use crate::set::Set;
use crate::value::{Key, Value};

impl Segment {
    /// A new shared list of values, each of any type: `seg.list([1.into(), "two".into(), 3.5.into()])`.
    pub fn list(&self, items: impl IntoIterator<Item = Value>) -> Result<List> {
        List::new(&self.heap, items)
    }

    /// A new shared list of items of one type: `seg.list_of([1, 2, 3])`.
    pub fn list_of<T: Into<Value>>(&self, items: impl IntoIterator<Item = T>) -> Result<List> {
        List::new(&self.heap, items)
    }

    /// A new shared dict.
    pub fn dict<'k, K: Into<Key<'k>>, V: Into<Value>>(
        &self,
        items: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Dict> {
        Dict::new(&self.heap, items)
    }

    /// A new shared set.
    pub fn set<'k, K: Into<Key<'k>>>(&self, items: impl IntoIterator<Item = K>) -> Result<Set> {
        Set::new(&self.heap, items)
    }

    /// A new shared bytearray.
    pub fn bytearray(&self, bytes: &[u8]) -> Result<ByteArray> {
        ByteArray::new(&self.heap, bytes)
    }

    /// A new shared array of zeros: `seg.array::<f64>(&[3, 4])`.
    ///
    /// # Errors
    /// `SegmentFull`; `InvalidArgument` for more than 64 dimensions, and for more bytes than any segment
    /// has.
    pub fn array<T: Element>(&self, shape: &[usize]) -> Result<Array> {
        let shape: Vec<u64> = shape.iter().map(|extent| *extent as u64).collect();
        self.array_of(T::DTYPE, &shape)
    }

    /// A new shared array of zeros, of a type that is known at run time.
    ///
    /// # Errors
    /// As [`Segment::array`].
    pub fn array_of(&self, dtype: DType, shape: &[u64]) -> Result<Array> {
        Array::zeros(&self.heap, dtype, shape)
    }

    /// A new shared array whose elements are these bytes.
    ///
    /// # Errors
    /// As [`Segment::array`]; `InvalidArgument` if the bytes are not as many.
    pub fn array_from(&self, dtype: DType, shape: &[u64], content: &[u8]) -> Result<Array> {
        Array::of_bytes(&self.heap, dtype, shape, content)
    }

    /// As [`Segment::array_from`], of bytes that `fill` writes into a buffer, some at a time, from the byte
    /// that it is given on. An error of it is returned, and nothing is left.
    ///
    /// # Errors
    /// As [`Segment::array`].
    pub fn array_filled<E: From<Error>>(
        &self,
        dtype: DType,
        shape: &[u64],
        fill: impl FnMut(usize, &mut [u8]) -> Result<(), E>,
    ) -> Result<Array, E> {
        Array::filled(&self.heap, dtype, shape, fill)
    }
}
