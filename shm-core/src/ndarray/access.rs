//! Reading and storing elements, one or many.
//!
//! An element of up to 8 bytes lies in one word: it is read by one load, and stored by one store, or by a
//! compare-exchange of the word where others share it. Neighbours are never lost to each other. Copies
//! of many go word by word or by one machine instruction (`sys::copy`): each element in them is whole,
//! all of them together are of no one moment.
//!
//! Inside of a transaction stores are logged, so that undoing it undoes them; not so in an array
//! that the transaction made itself, which goes as a whole.

use super::{Array, Element, out_of_range};
use crate::error::{Error, Result};
use crate::primitive::{AtomicU64, Ordering};
use crate::sys::copy;

/// Words that one operation of a transaction logs at most.
const LOGGED_AT_ONCE: usize = 64;
/// Bytes that are copied at a time.
const CHUNK: usize = 4096;

/// The way that a store takes.
enum Way {
    /// Nobody can take the elements away.
    Direct,
    /// As an operation, which sees that they are there.
    Checked,
    /// As a part of the running transaction.
    Logged,
}

impl Array {
    /// The element at a place.
    ///
    /// # Errors
    /// `IndexOutOfRange`; `WrongType` if the elements are of another type; as [`Array::check`].
    #[inline]
    pub fn get<T: Element>(&self, place: usize) -> Result<T> {
        self.expect::<T>()?;
        self.bits(place).map(T::of_bits)
    }

    /// Stores an element.
    ///
    /// # Errors
    /// As [`Array::get`]; `ReadOnly`.
    #[inline]
    pub fn set<T: Element>(&self, place: usize, value: T) -> Result<()> {
        self.expect::<T>()?;
        self.set_bits(place, value.to_bits())
    }

    /// The bits of an element of at most 16 bytes, in the low end of the first word.
    ///
    /// # Errors
    /// `IndexOutOfRange`; `WrongType` if elements are of more bytes or none that divide a word; as
    /// [`Array::check`].
    #[inline]
    pub fn bits(&self, place: usize) -> Result<[u64; 2]> {
        let (index, shift, mask) = self.place(place)?;
        self.check()?;
        let load =
            |index: usize| self.words.get(index).map_or(0, |word| word.load(Ordering::Acquire));
        Ok(match mask {
            Some(mask) => [(load(index) >> shift) & mask, 0],
            None => [load(index), load(index + 1)],
        })
    }

    /// Stores such bits.
    ///
    /// # Errors
    /// As [`Array::bits`]; `ReadOnly`.
    #[inline]
    pub fn set_bits(&self, place: usize, bits: [u64; 2]) -> Result<()> {
        let (index, shift, mask) = self.place(place)?;
        if let Some(mask) = mask {
            return self.store(index, mask << shift, (bits[0] & mask) << shift);
        }
        self.store(index, u64::MAX, bits[0])?;
        self.store(index + 1, u64::MAX, bits[1])
    }

    /// The word of an element, how far it is shifted there, and its mask; no mask: it is two words.
    #[inline]
    fn place(&self, place: usize) -> Result<(usize, u32, Option<u64>)> {
        let form = self.form();
        if place as u64 >= form.len {
            self.check()?;
            return Err(out_of_range(place, form.len));
        }
        let size = form.dtype.size();
        let at = place as u64 * size;
        let (index, shift) = ((at / 8) as usize, (at % 8) as u32 * 8);
        match size {
            16 => Ok((index, 0, None)),
            1 | 2 | 4 | 8 => Ok((index, shift, Some(u64::MAX >> (64 - size * 8)))),
            _ => Err(Error::WrongType {
                what: format!("an element of {size} bytes is no number: use read_bytes"),
            }),
        }
    }

    fn way(&self) -> Result<Way> {
        let heap = self.heap();
        if heap.0.memory.readonly {
            return Err(Error::ReadOnly { name: heap.name().to_owned() });
        }
        self.check()?;
        if self.is_of_transaction()? {
            return Ok(Way::Checked);
        }
        Ok(if heap.in_transaction() { Way::Logged } else { Way::Direct })
    }

    /// Stores those bits of a word that are in the mask.
    #[inline]
    fn store(&self, index: usize, mask: u64, bits: u64) -> Result<()> {
        match self.way()? {
            Way::Direct => {
                if let Some(word) = self.words.get(index) {
                    put(word, mask, bits);
                }
                Ok(())
            }
            way => self.store_in_operation(&way, index, &[(mask, bits)]),
        }
    }

    #[cold]
    fn store_in_operation(&self, way: &Way, index: usize, parts: &[(u64, u64)]) -> Result<()> {
        let words = self.words.get(index..).unwrap_or_default();
        self.heap().write(|tx| {
            self.check()?;
            for (word, (mask, bits)) in words.iter().zip(parts) {
                if matches!(way, Way::Checked) {
                    put(word, *mask, *bits);
                } else {
                    let at = self.heap().0.memory.offset_of(word);
                    tx.set(at, (word.load(Ordering::Relaxed) & !mask) | bits)?;
                }
            }
            Ok(())
        })
    }

    fn expect<T: Element>(&self) -> Result<()> {
        if *self.dtype() == T::DTYPE { Ok(()) } else { Err(self.another::<T>()) }
    }

    #[cold]
    fn another<T: Element>(&self) -> Error {
        if let Err(error) = self.check() {
            return error;
        }
        let (there, asked) = (self.dtype().name(), T::DTYPE);
        Error::WrongType { what: format!("the array is of {there:.60}, not of {}", asked.name()) }
    }

    /// Sees that so many bytes from a place on are inside.
    fn range(&self, start: usize, count: usize) -> Result<()> {
        let bytes = self.form().bytes;
        let end = (start as u64).checked_add(count as u64);
        if end.is_some_and(|end| end <= bytes) {
            return Ok(());
        }
        self.check()?;
        Err(out_of_range(start.saturating_add(count), bytes))
    }

    /// Copies bytes out, from a byte on.
    ///
    /// # Errors
    /// `IndexOutOfRange`; as [`Array::check`].
    pub fn read_bytes(&self, start: usize, out: &mut [u8]) -> Result<()> {
        self.range(start, out.len())?;
        self.check()?;
        let mut at = start;
        for chunk in out.chunks_mut(CHUNK) {
            let words = self.words.get(at / 8..).unwrap_or_default();
            let found = copy::to_vec(words, at % 8, chunk.len());
            for (byte, value) in chunk.iter_mut().zip(found) {
                *byte = value;
            }
            at += chunk.len();
        }
        Ok(())
    }

    /// Copies bytes in, from a byte on.
    ///
    /// # Errors
    /// `IndexOutOfRange`; as [`Array::check`]; `ReadOnly`.
    pub fn write_bytes(&self, start: usize, content: &[u8]) -> Result<()> {
        self.range(start, content.len())?;
        match self.way()? {
            Way::Direct => self.put_bytes(start, content),
            Way::Checked => {
                return self.heap().write(|_| {
                    self.check()?;
                    self.put_bytes(start, content);
                    Ok(())
                });
            }
            Way::Logged => {
                let parts: Vec<(u64, u64)> = words_of(start, content).collect();
                for (number, parts) in parts.chunks(LOGGED_AT_ONCE).enumerate() {
                    let index = start / 8 + number * LOGGED_AT_ONCE;
                    self.store_in_operation(&Way::Logged, index, parts)?;
                }
            }
        }
        Ok(())
    }

    fn put_bytes(&self, start: usize, content: &[u8]) {
        let lead = ((8 - start % 8) % 8).min(content.len());
        let (front, rest) = content.split_at(lead);
        let (middle, end) = rest.split_at(rest.len() / 8 * 8);
        let first = start.div_ceil(8);
        let middle_words = self.words.get(first..first + middle.len() / 8).unwrap_or_default();
        copy::into(middle_words, middle);
        for (at, part) in [(start, front), (start + lead + middle.len(), end)] {
            for ((mask, bits), word) in
                words_of(at, part).zip(self.words.get(at / 8..).unwrap_or_default())
            {
                put(word, mask, bits);
            }
        }
    }

    /// Copies elements out, from a place on.
    ///
    /// # Errors
    /// `IndexOutOfRange`; `WrongType` if the elements are of another type; as [`Array::check`].
    pub fn read<T: Element>(&self, start: usize, out: &mut [T]) -> Result<()> {
        self.expect::<T>()?;
        let size = T::SIZE as usize;
        let mut at = self.bytes_from(start, out.len(), size)?;
        for elements in out.chunks_mut(CHUNK / size) {
            let mut bytes = vec![0; elements.len() * size];
            self.read_bytes(at, &mut bytes)?;
            at += bytes.len();
            for (element, bytes) in elements.iter_mut().zip(bytes.chunks_exact(size)) {
                *element = T::of_bits(bits_of(bytes));
            }
        }
        Ok(())
    }

    /// Copies elements in, from a place on.
    ///
    /// # Errors
    /// As [`Array::read`]; `ReadOnly`.
    pub fn write<T: Element>(&self, start: usize, elements: &[T]) -> Result<()> {
        self.expect::<T>()?;
        let size = T::SIZE as usize;
        let mut at = self.bytes_from(start, elements.len(), size)?;
        for elements in elements.chunks(CHUNK / size) {
            let mut bytes = Vec::with_capacity(elements.len() * size);
            for element in elements {
                let [low, high] = element.to_bits();
                let whole = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
                bytes.extend_from_slice(whole.get(..size).unwrap_or_default());
            }
            self.write_bytes(at, &bytes)?;
            at += bytes.len();
        }
        Ok(())
    }

    /// A copy of all elements.
    ///
    /// # Errors
    /// As [`Array::read`].
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        self.expect::<T>()?;
        self.check()?;
        let mut all = vec![T::of_bits([0, 0]); self.len()];
        self.read(0, &mut all)?;
        Ok(all)
    }

    /// Stores one value into all elements.
    ///
    /// # Errors
    /// As [`Array::write`].
    pub fn fill<T: Element>(&self, value: T) -> Result<()> {
        self.expect::<T>()?;
        let some = vec![value; self.len().min(CHUNK / T::SIZE as usize)];
        let mut place = 0;
        while place < self.len() {
            let count = some.len().min(self.len() - place);
            self.write(place, some.get(..count).unwrap_or_default())?;
            place += count;
        }
        Ok(())
    }

    /// The byte of a place, if so many elements are there.
    fn bytes_from(&self, start: usize, count: usize, size: usize) -> Result<usize> {
        let len = self.form().len;
        let end = (start as u64).checked_add(count as u64);
        if end.is_some_and(|end| end <= len) {
            return Ok(start * size);
        }
        self.check()?;
        Err(out_of_range(start.saturating_add(count), len))
    }

    /// Whether all elements have the bits of those of an array of the same shape and type.
    pub(super) fn has_bits_of(&self, other: &Array) -> bool {
        let pairs = || self.words.iter().zip(other.words);
        let same = |(one, two): (&AtomicU64, &AtomicU64)| {
            one.load(Ordering::Relaxed) == two.load(Ordering::Relaxed)
        };
        // What lies behind the last element means nothing.
        let whole = self.nbytes() / 8;
        let rest = self.nbytes() % 8;
        pairs().take(whole).all(same)
            && (rest == 0
                || pairs().nth(whole).is_none_or(|(one, two)| {
                    let differs = one.load(Ordering::Relaxed) ^ two.load(Ordering::Relaxed);
                    differs << (64 - rest * 8) == 0
                }))
    }
}

/// Changes those bits of a word that are in the mask.
#[inline]
fn put(word: &AtomicU64, mask: u64, bits: u64) {
    if mask == u64::MAX {
        // Release: what was stored before it is seen by whoever sees it.
        return word.store(bits, Ordering::Release);
    }
    let mut old = word.load(Ordering::Relaxed);
    // Others may store into their part meanwhile, each time once.
    while let Err(now) =
        word.compare_exchange_weak(old, (old & !mask) | bits, Ordering::Release, Ordering::Relaxed)
    {
        old = now;
    }
}

/// Bytes at a place as the masks and bits of whole words.
fn words_of(start: usize, content: &[u8]) -> impl Iterator<Item = (u64, u64)> {
    let lead = start % 8;
    let count = if content.is_empty() { 0 } else { (lead + content.len()).div_ceil(8) };
    (0..count).map(move |word| {
        let (mut mask, mut bits) = (0, 0);
        for byte in 0..8 {
            let value = (word * 8 + byte).checked_sub(lead).and_then(|at| content.get(at));
            if let Some(value) = value {
                mask |= 0xFF << (byte * 8);
                bits |= u64::from(*value) << (byte * 8);
            }
        }
        (mask, bits)
    })
}

/// The bits of at most 16 bytes.
fn bits_of(bytes: &[u8]) -> [u64; 2] {
    let mut whole = [0; 16];
    for (to, from) in whole.iter_mut().zip(bytes) {
        *to = *from;
    }
    let whole = u128::from_le_bytes(whole);
    [whole as u64, (whole >> 64) as u64]
}
