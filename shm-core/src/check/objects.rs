//! What each object promises of its own words: sequence, lock, block, length and room.
//!
//! Called by the walk for each object and leaf once. What lies in tables, leaves and structs is looked
//! at in `keys`, `leaves` and `records`. A length counts only once it fits into its block, and a block
//! only once it is nobody else's.

use crate::cell::{Cell, Kind, Offset, Ref};
use crate::error::Result;
use crate::flavour::ListFlavour;
use crate::layout::{FREED, header, object};
use crate::object::{self as objects, Meta};
use crate::primitive::Ordering;

use super::paths::Step;
use super::walk::{Walk, without_name};

impl Walk<'_> {
    pub(super) fn children(&mut self, owner: Ref) -> Result<()> {
        let at = owner.at;
        let meta = Meta(self.memory.load(at)?);
        if owner.kind.is_object() {
            self.lock(at)?;
        }
        if meta.is_buried() {
            return self.remains(owner);
        }
        if !owner.kind.is_object() {
            return self.leaf(owner);
        }
        let first = self.memory.load(at + object::W0)?;
        if first & FREED != 0 {
            // An array that somebody may be looking at keeps its block.
            if first != FREED {
                self.part(first & !0xF, at)?;
            }
            return Ok(());
        }
        let sequence = self.memory.load(at + object::SEQ)?;
        if sequence & 1 == 1 && !self.memory.readonly {
            self.say(|walk| {
                format!("{}: its sequence {sequence} is odd between operations", walk.about(at))
            });
        }
        match owner.kind {
            Kind::List => self.list(at),
            Kind::Dict | Kind::Set => self.table(owner),
            Kind::ByteArray => self.bytearray(at),
            Kind::Record => self.record(at),
            Kind::Array => self.array(at),
            _ => {
                self.say(|walk| format!("{}: no value is of this kind", walk.about(at)));
                Ok(())
            }
        }
    }

    /// The lock of an object, if anybody has asked for it.
    fn lock(&mut self, at: Offset) -> Result<()> {
        let lock = Cell(self.memory.load(at + object::LOCK)?);
        if lock == Cell::UNSET {
            return Ok(());
        }
        if lock.as_ref().is_none_or(|found| found.kind != Kind::ByteArray) {
            self.say(|walk| format!("{}: its lock {:#x} is no lock", walk.about(at), lock.0));
            return Ok(());
        }
        self.cell(lock, at, Step::Lock);
        Ok(())
    }

    fn list(&mut self, at: Offset) -> Result<()> {
        if !self.is_internal(at) {
            let word = self.memory.load(at + object::W3)?;
            let known = match ListFlavour::of_word(word) {
                Some(ListFlavour::Typed(typed)) => self.is_vector(typed),
                known => known.is_some(),
            };
            self.flavour(at, word, known);
        }
        let Some((items, start, len)) = self.span(at, 8)? else { return Ok(()) };
        self.cells(items + start * 8, len, at, |index, _| Step::Item(index))
    }

    /// Whether it is a list of messages, of a queue or a topic, whose last word is their own.
    fn is_internal(&self, at: Offset) -> bool {
        let names = self.header(header::NAMES).map(|cell| Cell(cell).as_ref());
        self.found.get(&at).is_some_and(|found| match found.step {
            Step::Header(_) => true,
            _ => matches!(names, Ok(Some(names)) if names.at == found.from),
        })
    }

    /// Says so if the word that tells what a container is besides means nothing.
    pub(super) fn flavour(&mut self, at: Offset, word: u64, known: bool) {
        if !known {
            self.say(|walk| format!("{}: no flavour is {word:#x}", walk.about(at)));
        }
    }

    fn bytearray(&mut self, at: Offset) -> Result<()> {
        self.span(at, 1).map(|_| ())
    }

    fn array(&mut self, at: Offset) -> Result<()> {
        let block = self.memory.load(at + object::W0)?;
        if block == 0 {
            // Made by a transaction that was undone; nothing but handles refers to it.
            if self.found.get(&at).is_some_and(|found| found.count > 0) {
                self.say(|walk| format!("{}: it has no block", walk.about(at)));
            }
            return Ok(());
        }
        if self.part(block, at)?.is_none() {
            return Ok(());
        }
        // What it says of its shape is looked at as by everybody who uses it.
        if let Err(error) = crate::ndarray::examine(self.heap, at, block) {
            self.say(|walk| format!("{}: {}", walk.about(at), without_name(&error)));
        }
        Ok(())
    }

    /// The block, start and length of a list or bytearray, if they agree with each other.
    fn span(&mut self, at: Offset, unit: u64) -> Result<Option<(Offset, u64, u64)>> {
        let load = |offset: Offset| self.memory.load(at + offset);
        let (block, span, room) = (load(object::W0)?, load(object::W1)?, load(object::W2)?);
        let (start, len) = (span & 0xFFFF_FFFF, span >> 32);
        if block == 0 {
            if len != 0 {
                self.say(|walk| format!("{}: {len} items and no block", walk.about(at)));
            }
            return Ok(None);
        }
        let Some(size) = self.part(block, at)? else { return Ok(None) };
        if start + len > room || room > size / unit {
            self.say(|walk| {
                let about = walk.about(at);
                format!(
                    "{about}: {start}+{len} items in room for {room}, the block holds {}",
                    size / unit
                )
            });
            return Ok(None);
        }
        Ok(Some((block, start, len)))
    }

    /// What a dead object or tuple still holds.
    fn remains(&mut self, dead: Ref) -> Result<()> {
        let from_the_living = self.found.get(&dead.at).is_some_and(|found| match found.step {
            Step::Dead => false,
            _ => !self.is_dead(found.from),
        });
        if from_the_living {
            self.say(|walk| format!("{}: is marked as dead", walk.about(dead.at)));
        }
        let Some(held) = objects::remains(self.memory, dead)? else { return Ok(()) };
        if held.block != dead.at && self.part(held.block, dead.at)?.is_none() {
            return Ok(());
        }
        for index in 0..held.count {
            let first = held.first + index * held.stride * 8;
            for word in self.memory.words(first, held.cells)? {
                let cell = Cell(word.load(Ordering::Relaxed));
                // Deleted entries hold no value.
                if !cell.is_immediate() {
                    self.cell(cell, dead.at, Step::Item(index));
                }
            }
        }
        Ok(())
    }

    fn is_dead(&self, at: Offset) -> bool {
        at != 0 && self.memory.load(at).is_ok_and(|meta| Meta(meta).is_buried())
    }
}
