//! The bytes of a dense vector, whatever its elements are: where they lie, and the operations that change them.
//!
//! Each change is one operation on the struct's cell. Bytes are appended in place while there is room;
//! otherwise the cell comes to refer to another bytearray, so those who look at the old bytes still may.

use crate::bytearray::{Span, append_in_place, block_with};
use crate::cell::{Cell, Kind, Offset};
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::layout::object;
use crate::object::Meta;
use crate::payload::Reader;
use crate::schema::Place;
use crate::tx::Tx;

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

/// What a change of a dense vector comes to.
pub(crate) enum Next<R> {
    /// It is done.
    Done(R),
    /// The vector is to have these bytes, in a new object.
    Bytes(Vec<u8>),
}

/// Changes the dense vector in a cell of a struct, in one operation.
pub(crate) fn edit<R>(
    owner: &Object,
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
    owner: &Object,
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
pub(crate) fn overwrite(owner: &Object, cell: usize, start: usize, content: &[u8]) -> Result<()> {
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
