//! The bytes and cells of a typed struct in the segment: reading them, and replacing them at once.
//!
//! A struct is an object whose word `w0` refers to its payload and whose word `w1` refers to its
//! schema's entry (uncounted: entries stay). The payload:
//!
//! ```text
//! 0              number of cells c
//! 8              c cells, counted: what the dynamic fields hold
//! 8 + 8c, up to 16   plain bytes: all other fields, in C layout
//! ```
//!
//! What belongs to a struct alone (a `Vec`, a map) is an object of its own that one cell refers to. A
//! read of the struct looks at its sequence too, so that all of it is of one moment.
//!
//! Readers take part in no lock: they look `w0` up anew in each validated read, because a large
//! store builds a new payload and swaps that one word. A small store changes words in place: one
//! word without any log, several with it. Either way a kill leaves the old or the new struct.

use crate::cell::{Cell, Offset};
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::layout::object;
use crate::primitive::Ordering;
use crate::quick::{Poke, word};
use crate::schema::{Layout, Place};
use crate::trash;
use crate::tx::Tx;
use crate::value::Batch;

mod image;
mod reader;

pub(crate) use image::Part;
pub use image::{Image, Sink};
pub(crate) use reader::{Owned, unknown_variant};
pub use reader::{Reader, Source};

/// Most words that a store changes in place.
const WORDS_IN_PLACE: usize = 48;
/// Most cells that a store replaces in place.
const CELLS_IN_PLACE: usize = 12;

/// Where the plain bytes of a struct with this many cells start.
pub(crate) const fn plain_start(cells: usize) -> usize {
    (8 + 8 * cells).next_multiple_of(16)
}

/// Bytes of the payload of a struct.
pub(crate) const fn payload_bytes(layout: Layout) -> usize {
    plain_start(layout.cells) + layout.size.next_multiple_of(8)
}

/// A part of an image that must stay as it is.
#[derive(Clone, Copy, Debug)]
pub struct Fixed<'n> {
    name: &'n str,
    /// Where it starts in the image.
    pub(crate) place: Place,
    /// How far it goes.
    pub(crate) layout: Layout,
}

impl<'n> Fixed<'n> {
    /// The field of this name.
    #[must_use]
    pub const fn new(name: &'n str, place: Place, layout: Layout) -> Self {
        Fixed { name, place, layout }
    }

    /// Whether bits belong to it that differ in a word, which starts at a byte of the payload as the image
    /// does.
    pub(crate) fn is_hit(&self, image_at: usize, word_at: usize, difference: u64) -> bool {
        let start = image_at + self.place.plain;
        let end = start + self.layout.size;
        (0..8).any(|index| {
            (difference >> (8 * index)) & 0xFF != 0 && (start..end).contains(&(word_at + index))
        })
    }

    /// That somebody wants to change it.
    #[cold]
    pub(crate) fn refuse(&self, schema: &str) -> Error {
        Error::WrongType {
            what: format!(
                "field {:?} of {schema:?} is read-only: it is written when the struct is made",
                self.name
            ),
        }
    }
}

/// What an image is put onto.
pub(crate) struct Target<'t> {
    pub(crate) object: &'t Object,
    /// Where the image goes, in the payload.
    pub(crate) at: Place,
    /// The struct's name, for messages.
    pub(crate) schema: &'t str,
    /// Parts that must stay as they are.
    pub(crate) fixed: &'t [Fixed<'t>],
    /// What the image was made of, if it was made of what is there.
    pub(crate) seen: Option<&'t Seen>,
}

/// What a place held at one moment.
pub(crate) struct Seen {
    sequence: u64,
    /// The words with plain bytes. A writer that was killed between its one store and the new
    /// sequence number shows here only.
    words: Vec<u64>,
    /// Objects that belong to the struct.
    pub(crate) owned: Vec<Owned>,
}

impl Seen {
    /// The plain bytes, if they start at a word.
    pub(crate) fn bytes(&self, size: usize) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).take(size).collect()
    }

    /// Call inside of a validated read.
    pub(crate) fn look(
        reader: &Reader<'_>,
        at: Offset,
        place: Place,
        layout: Layout,
    ) -> Result<Self> {
        let words = (place.plain & !7..place.plain + layout.size).step_by(8);
        Ok(Seen {
            sequence: reader.heap().load(at + object::SEQ)?,
            words: words.map(|at| reader.load(at)).collect(),
            owned: Vec::new(),
        })
    }
}

impl Target<'_> {
    /// Replaces what is there; `false` if it is no longer what was seen.
    pub(crate) fn put(&self, image: &Image) -> Result<bool> {
        let heap = self.object.heap();
        if image.cells.is_empty() && self.fixed.is_empty() && self.poke(image) {
            return Ok(true);
        }
        let changed = match self.seen {
            Some(seen) => match self.changed(image, seen)? {
                Some(changed) => changed,
                None => return Ok(false),
            },
            None => (0..image.cells.len()).collect(),
        };
        if let Some(field) = self.fixed.iter().find(|fixed| {
            let cells = fixed.place.cells..fixed.place.cells + fixed.layout.cells;
            changed.iter().any(|index| cells.contains(index))
        }) {
            return Err(field.refuse(self.schema));
        }
        let entry = Cell(heap.load(self.object.at() + object::W1)?);
        let batch = image.batch(heap, entry, self.at, changed.iter().copied())?;
        heap.write(|tx| self.apply(tx, image, &changed, &batch))
    }

    /// Replaces one word of plain bytes, if that is all and nothing is unusual.
    fn poke(&self, image: &Image) -> bool {
        let done = self.object.heap().poke(self.object.at(), |memory, header| {
            if self.seen.is_some_and(|seen| {
                seen.sequence != word(header, object::SEQ) || !seen.owned.is_empty()
            }) {
                return None;
            }
            let payload = word(header, object::W0);
            let mut store = None;
            for (index, (offset, mask, value)) in image.words(self.at.plain).enumerate() {
                let word = memory.peek(payload.wrapping_add(offset as u64))?;
                let old = word.load(Ordering::Relaxed);
                if self.seen.is_some_and(|seen| seen.words.get(index) != Some(&old)) {
                    return None;
                }
                let value = (old & !mask) | value;
                if value != old && store.replace(Poke::store(word, value, ())).is_some() {
                    return None;
                }
            }
            store
        });
        done.is_some()
    }

    /// The cells that differ from what is stored; `None` if that is no longer what was seen.
    fn changed(&self, image: &Image, seen: &Seen) -> Result<Option<Vec<usize>>> {
        if image.cells.is_empty() {
            // `apply` compares the rest, under the lock.
            return Ok(Some(Vec::new()));
        }
        let at = self.object.at();
        self.object.heap().read(at, |heap| {
            if heap.load(at + object::SEQ)? != seen.sequence {
                return Ok(None);
            }
            let reader = Reader::open(heap, at, None);
            let mut changed = Vec::new();
            for (index, value) in image.cells.iter().enumerate() {
                if !value.is_in(&reader, self.at.cells + index)? {
                    changed.push(index);
                }
            }
            reader.finish()?;
            Ok(Some(changed))
        })
    }

    fn apply(
        &self,
        tx: &mut Tx<'_>,
        image: &Image,
        changed: &[usize],
        batch: &Batch,
    ) -> Result<bool> {
        let at = self.object.at();
        if let Some(seen) = self.seen
            && tx.load(at + object::SEQ)? != seen.sequence
        {
            return Ok(false);
        }
        for (inside, sequence) in self.seen.iter().flat_map(|seen| &seen.owned) {
            if tx.load(inside + object::SEQ)? != *sequence {
                return Ok(false);
            }
        }
        let payload = tx.block(at)?;
        let place = |offset: usize| payload.wrapping_add(offset as u64);
        let mut different = 0;
        let mut last = (0, 0);
        for (index, (offset, mask, value)) in image.words(self.at.plain).enumerate() {
            let old = tx.load(place(offset))?;
            if self.seen.is_some_and(|seen| seen.words.get(index) != Some(&old)) {
                return Ok(false);
            }
            let new = (old & !mask) | value;
            if new != old {
                self.check_fixed(offset, old ^ new)?;
                different += 1;
                last = (offset, new);
            }
        }
        if different == 0 && changed.is_empty() {
            return Ok(true);
        }
        if different == 1 && changed.is_empty() {
            tx.set_only(at, place(last.0), last.1)?;
            return Ok(true);
        }
        tx.open(at)?;
        let cells: Vec<(usize, Cell)> = if changed.is_empty() {
            Vec::new()
        } else {
            let places = changed.iter().map(|index| 8 + 8 * (self.at.cells + index));
            places.zip(batch.take(tx)?).collect()
        };
        if different > WORDS_IN_PLACE || cells.len() > CELLS_IN_PLACE {
            replace_payload(tx, at, payload, image.words(self.at.plain), &cells)?;
            return Ok(true);
        }
        for (offset, mask, value) in image.words(self.at.plain) {
            let old = tx.load(place(offset))?;
            let new = (old & !mask) | value;
            if new != old {
                tx.set(place(offset), new)?;
            }
        }
        for (offset, cell) in cells {
            let old = Cell(tx.load(place(offset))?);
            tx.set(place(offset), cell.0)?;
            tx.dec(old)?;
        }
        Ok(true)
    }

    /// An error if bits that differ belong to a part that must stay.
    fn check_fixed(&self, offset: usize, difference: u64) -> Result<()> {
        match self.fixed.iter().find(|fixed| fixed.is_hit(self.at.plain, offset, difference)) {
            Some(fixed) => Err(fixed.refuse(self.schema)),
            None => Ok(()),
        }
    }
}

/// Builds a payload with these changes and puts it in the place of the old one.
fn replace_payload(
    tx: &mut Tx<'_>,
    at: Offset,
    payload: Offset,
    words: impl Iterator<Item = (usize, u64, u64)>,
    cells: &[(usize, Cell)],
) -> Result<()> {
    let bytes = tx.block_size(payload)?;
    let fresh = tx.alloc(bytes)?;
    let count = (bytes / 8) as usize;
    let heap = tx.heap();
    for (new, old) in heap.words(fresh, count)?.iter().zip(heap.words(payload, count)?) {
        new.store(old.load(Ordering::Relaxed), Ordering::Relaxed);
    }
    let inside = |offset: usize| {
        if (offset as u64) < bytes {
            Ok(fresh + offset as u64)
        } else {
            Err(heap.corrupt(format!("the payload at {payload:#x} is too short")))
        }
    };
    let mut removed = Vec::with_capacity(cells.len());
    for (offset, cell) in cells {
        let place = inside(*offset)?;
        removed.push(Cell(heap.load(place)?));
        tx.fill(place, cell.0)?;
    }
    for (offset, mask, value) in words {
        let place = inside(offset)?;
        tx.fill(place, (heap.load(place)? & !mask) | value)?;
    }
    tx.set(at + object::W0, fresh)?;
    trash::cells(tx, &removed)?;
    tx.free_after(payload)
}

/// Builds the payload of a new struct; its cells take the batch over.
pub(crate) fn build(
    tx: &mut Tx<'_>,
    layout: Layout,
    image: &Image,
    batch: &Batch,
) -> Result<Offset> {
    let payload = tx.alloc(payload_bytes(layout) as u64)?;
    let cells = batch.take(tx)?;
    tx.fill(payload, layout.cells as u64)?;
    for (index, cell) in cells.iter().enumerate() {
        tx.fill(payload + 8 + 8 * index as u64, cell.0)?;
    }
    let start = plain_start(layout.cells);
    for (offset, _, value) in image.words(start) {
        tx.fill(payload + offset as u64, value)?;
    }
    Ok(payload)
}
