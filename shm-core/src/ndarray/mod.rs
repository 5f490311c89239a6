//! The shared array: numbers of one type in any number of dimensions, as numpy has them.
//!
//! The elements lie in one block that never moves, in C order. So they can be looked at where they are:
//! by a numpy array of Python, or one by one through this handle. That is outside of all that protects
//! other containers: an element is one word or a part of one (a `complex128` two), which is read and
//! stored whole; nothing else about several of them is atomic, and no sequence tells that they changed.
//! What concerns the array as an object (making, storing, freeing it) is as with every other one.
//!
//! Whoever has a handle pins the object, and its block goes with it and no sooner. An array that is
//! freed by hand is `Closed` at once; where others have handles, which may be in the middle of a store,
//! the block stays until the last of them is gone (`free`). One that a transaction made goes when that is
//! undone, so stores into it go through operations until it has ended, and no address is given away.

mod access;
mod dtype;
mod form;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use dtype::{DType, Element};
use form::Form;

use crate::cell::{Kind, Offset};
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::{FREED, PAGE_BYTES, header, object};
use crate::memory::Memory;
use crate::primitive::{AtomicBool, AtomicU64, Ordering};
use crate::sys::copy;
use crate::transaction;

const W0: usize = (object::W0 / 8) as usize;
/// A block that no array has.
const NO_BLOCK: Offset = Offset::MAX;

/// Handle. An array of numbers in shared memory.
///
/// The elements are changed in place by every process, each of them as a whole; the number of elements
/// never changes. Indices count elements, the last dimension fastest.
///
/// ```
/// # fn main() -> Result<(), shm_core::Error> {
/// # let seg = shm_core::Segment::create_anonymous(shm_core::SegmentOptions::new().size(1 << 20))?;
/// let grid = seg.array::<f64>(&[3, 4])?;
/// seg.root().insert("grid", &grid)?;
/// grid.set(grid.index(&[1, 2])?, 2.5)?;
/// assert_eq!(grid.get::<f64>(6)?, 2.5);
/// assert_eq!(grid.shape(), [3, 4]);
///
/// grid.write(0, &[1.0, 2.0])?;
/// assert_eq!(grid.to_vec::<f64>()?[..3], [1.0, 2.0, 0.0]);
/// assert!(grid.get::<i32>(0).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Array {
    object: Object,
    header: &'static [AtomicU64; 8],
    /// What the header's first word is while the elements are here.
    block: Offset,
    words: &'static [AtomicU64],
    about: Arc<About>,
}

/// What all clones of a handle share.
struct About {
    form: Form,
    /// The handle was made inside of a transaction: the array may be gone when that ends.
    unsettled: AtomicBool,
}

crate::handle::identity!(Array, "array");

impl Array {
    /// A new array of zeros.
    pub(crate) fn zeros(heap: &Heap, dtype: DType, shape: &[u64]) -> Result<Self> {
        let (array, written) = Self::create(heap, dtype, shape)?;
        let written = array.words.len().min(written.div_ceil(8) as usize);
        copy::zero(array.words.get(..written).unwrap_or_default());
        Ok(array)
    }

    /// A new array of these bytes.
    ///
    /// # Errors
    /// `InvalidArgument` if they are not as many as its elements take.
    pub(crate) fn of_bytes(
        heap: &Heap,
        dtype: DType,
        shape: &[u64],
        content: &[u8],
    ) -> Result<Self> {
        let form = Form::new(dtype, shape)?;
        if form.bytes != content.len() as u64 {
            return Err(Error::InvalidArgument {
                what: format!(
                    "{} bytes for an array of {shape:?} elements of {} bytes",
                    content.len(),
                    form.dtype.size()
                ),
            });
        }
        let (array, _) = Self::create(heap, form.dtype, shape)?;
        copy::into(array.words, content);
        Ok(array)
    }

    /// A new array whose bytes `fill` writes, some at a time, from the byte that it is given on.
    pub(crate) fn filled<E: From<Error>>(
        heap: &Heap,
        dtype: DType,
        shape: &[u64],
        mut fill: impl FnMut(usize, &mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        /// A multiple of all widths.
        const CHUNK: usize = 64 << 10;
        let (array, _) = Self::create(heap, dtype, shape)?;
        let mut chunk = vec![0; array.nbytes().min(CHUNK)];
        for start in (0..array.nbytes()).step_by(CHUNK) {
            let count = chunk.len().min(array.nbytes() - start);
            let bytes = chunk.get_mut(..count).unwrap_or_default();
            fill(start, bytes)?;
            copy::into(array.words.get(start / 8..).unwrap_or_default(), bytes);
        }
        Ok(array)
    }

    /// A new array that nobody knows, and how many of its bytes, the first ones, are arbitrary: the
    /// others are zero. Filled by the caller without the lock, since it may be long.
    fn create(heap: &Heap, dtype: DType, shape: &[u64]) -> Result<(Self, u64)> {
        let form = Form::new(dtype, shape)?;
        let mut written = 0;
        let object = Object::create(heap, Kind::Array, |tx, at| {
            let memory = tx.journal.memory();
            // Read before pages are taken, which moves it.
            let untouched = memory.meta(header::UNTOUCHED)?.load(Ordering::Relaxed);
            let first = form.store(tx, at)?;
            written = written_bytes(memory, untouched, first, form.bytes);
            Ok(())
        })?;
        Ok((Self::from_object(object)?, written))
    }

    /// The handle of an array that is pinned. One that was freed by hand has no elements and no shape.
    pub(crate) fn from_object(object: Object) -> Result<Self> {
        let (heap, at) = (object.heap(), object.at());
        let memory: &Memory = &heap.0.memory;
        let beyond = || memory.corrupt(format!("array at {at:#x} is not inside of the data pages"));
        memory.words(at, 8)?;
        let header = memory.lasting_words(at, 8).and_then(<[_]>::first_chunk).ok_or_else(beyond)?;
        let block = header[W0].load(Ordering::Relaxed);
        let unsettled = AtomicBool::new(heap.in_transaction());
        if block & FREED != 0 || block == 0 {
            let form = Form { dtype: DType::U8, shape: Vec::new(), len: 0, bytes: 0 };
            let about = Arc::new(About { form, unsettled });
            return Ok(Array { object, header, block: NO_BLOCK, words: &[], about });
        }
        let (form, first) = Form::load(heap, at, block)?;
        let count = form.bytes.div_ceil(8);
        memory.words(first, count)?;
        let words = match memory.lasting_words(first, count) {
            Some(words) if words.len() as u64 == count => words,
            _ => return Err(beyond()),
        };
        Ok(Array { object, header, block, words, about: Arc::new(About { form, unsettled }) })
    }

    fn form(&self) -> &Form {
        &self.about.form
    }

    /// How many elements there are in each dimension. Never changes.
    #[must_use]
    pub fn shape(&self) -> &[u64] {
        &self.form().shape
    }

    /// What the elements are. Never changes.
    #[must_use]
    pub fn dtype(&self) -> &DType {
        &self.form().dtype
    }

    /// How many elements there are in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.form().len as usize
    }

    /// Whether there are none: a dimension is 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.form().len == 0
    }

    /// Bytes of all elements.
    #[must_use]
    pub fn nbytes(&self) -> usize {
        self.form().bytes as usize
    }

    /// The place of an element among all.
    ///
    /// # Errors
    /// `IndexOutOfRange`; `InvalidArgument` if there are not as many indices as dimensions.
    pub fn index(&self, indices: &[usize]) -> Result<usize> {
        let shape = self.shape();
        if indices.len() != shape.len() {
            let what = format!("{} indices for an array of {shape:?}", indices.len());
            return Err(Error::InvalidArgument { what });
        }
        let mut place = 0;
        for (index, extent) in indices.iter().zip(shape) {
            if *index as u64 >= *extent {
                return Err(out_of_range(*index, *extent));
            }
            place = place * *extent as usize + *index;
        }
        Ok(place)
    }

    /// Fails unless the elements are there.
    ///
    /// # Errors
    /// `Closed` once the array was freed by hand, the transaction that made it undone, or the segment
    /// closed in this process.
    #[inline]
    pub fn check(&self) -> Result<()> {
        if self.header[W0].load(Ordering::Acquire) == self.block { Ok(()) } else { self.gone() }
    }

    #[cold]
    fn gone(&self) -> Result<()> {
        let heap = self.heap();
        heap.0.memory.check_open()?;
        // Waits for a transaction that may free it, or not.
        heap.read(self.at(), |heap| heap.block(self.at()))?;
        if self.header[W0].load(Ordering::Acquire) == self.block {
            return Ok(());
        }
        let what =
            format!("array {:#x} of {:?}, whose transaction was undone", self.at(), heap.name());
        Err(Error::Closed { what })
    }

    /// Whether the running transaction of the calling thread made it.
    fn is_of_transaction(&self) -> Result<bool> {
        if !self.about.unsettled.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let heap = self.heap();
        if heap.in_transaction() {
            if transaction::has_made(heap.0.id, self.at()) {
                return Ok(true);
            }
        } else if !heap.0.memory.readonly {
            // Another thread's may be running, and has the lock.
            heap.write(|_| Ok(()))?;
        }
        self.check()?;
        self.about.unsettled.store(false, Ordering::Relaxed);
        Ok(false)
    }

    /// Where the elements are in this process. They stay there for as long as a handle is kept; what is
    /// read there and stored is not checked by anything, and atomic as far as the processor has it.
    ///
    /// # Errors
    /// As [`Array::check`]; `InvalidArgument` inside of the transaction that made the array, as undoing
    /// it takes the memory away.
    pub fn address(&self) -> Result<*const u8> {
        self.check()?;
        if self.is_of_transaction()? {
            return Err(Error::InvalidArgument {
                what: "an array that the running transaction made has no address until it ends"
                    .to_owned(),
            });
        }
        Ok(self.words.as_ptr().cast())
    }

    /// Tells everybody who waits for a change of this array that it has changed. Stores into elements do
    /// not.
    ///
    /// # Errors
    /// As [`Array::check`]; `ReadOnly`.
    pub fn notify(&self) -> Result<()> {
        let at = self.at();
        self.heap().write(|tx| {
            tx.block(at)?;
            tx.open(at)
        })
    }
}

/// Sees that what an array says of itself fits the block.
pub(crate) fn examine(heap: &Heap, at: Offset, block: Offset) -> Result<()> {
    Form::load(heap, at, block).map(drop)
}

/// How many bytes from `first` on may hold anything but zeros: what lies in pages that were taken before.
fn written_bytes(memory: &Memory, untouched: u64, first: Offset, bytes: u64) -> u64 {
    let page = first.wrapping_sub(memory.geometry.data_at) / PAGE_BYTES;
    let fresh = untouched.saturating_sub(page);
    let inside = first.wrapping_sub(memory.geometry.data_at) % PAGE_BYTES;
    fresh.saturating_mul(PAGE_BYTES).saturating_sub(inside).min(bytes)
}

#[cold]
fn out_of_range(index: usize, len: u64) -> Error {
    Error::IndexOutOfRange { what: "array", index: i64::try_from(index).unwrap_or(i64::MAX), len }
}

impl PartialEq for Array {
    /// Whether they are one array, or have elements of the same type, shape and bits.
    fn eq(&self, other: &Self) -> bool {
        if self.same(other) {
            return true;
        }
        let alike = self.dtype() == other.dtype() && self.shape() == other.shape();
        alike && self.check().is_ok() && other.check().is_ok() && self.has_bits_of(other)
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.check().is_err() {
            return out.write_str("Array(closed)");
        }
        write!(out, "Array({:.40}, {:?})", self.dtype().name(), self.shape())
    }
}
