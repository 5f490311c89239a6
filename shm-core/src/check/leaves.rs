//! What immutable blocks promise: one form for one value, all of it inside of the block.
//!
//! A value that fits into a cell is never stored as a block; text is WTF-8; the padding is zero, so
//! that whole words can be compared; an integer has no leading zero limb; a frozenset is sorted by
//! hash and holds nothing twice.

use crate::alloc;
use crate::cell::{Cell, INLINE_BYTES, INT_MAX, INT_MIN, Kind, Ref};
use crate::error::Result;
use crate::hash::{self, DEPTH_LIMIT};
use crate::layout::{LEAF_DATA, leaf};
use crate::leaf as leaves;
use crate::object::Meta;
use crate::primitive::Ordering;
use crate::queue::is_message;
use crate::value::{Value, is_wtf8};

use super::paths::Step;
use super::walk::Walk;

impl Walk<'_> {
    pub(super) fn leaf(&mut self, leaf: Ref) -> Result<()> {
        let Ref { kind, at, .. } = leaf;
        let size = alloc::size_of_block(self.memory, at)?;
        let room = size.saturating_sub(LEAF_DATA);
        let (len, hash) = if size < LEAF_DATA {
            (u64::MAX, 0)
        } else {
            (self.memory.load(at + leaf::LEN)?, self.memory.load(at + leaf::HASH)?)
        };
        let unit = match kind {
            Kind::Str | Kind::Bytes | Kind::Float | Kind::Packed => 1,
            _ => 8,
        };
        if len > room / unit {
            self.say(|walk| {
                let about = walk.about(at);
                format!("{about}: its length {len} is beyond the {} of its block", room / unit)
            });
            return Ok(());
        }
        let class = alloc::class_of_block(self.memory, at).filter(|_| !kind.is_cells());
        let said = Meta(self.memory.load(at + leaf::META)?).leaf_class();
        if said != class {
            self.say(|walk| {
                let name =
                    |class: Option<u8>| class.map_or("none".to_owned(), |class| class.to_string());
                let (about, said, class) = (walk.about(at), name(said), name(class));
                format!("{about}: it says that its size class is {said}, not {class}")
            });
        }
        if hash > u64::from(kind == Kind::BigInt) {
            self.say(|walk| format!("{}: its third word is {hash:#x}", walk.about(at)));
        }
        match kind {
            Kind::Str | Kind::Bytes => self.text(leaf, len)?,
            Kind::BigInt => self.int(leaf, len, hash == 1)?,
            Kind::Packed => {
                if !is_message(self.heap, leaf)? {
                    self.say(|walk| format!("{}: it holds no parts of a message", walk.about(at)));
                }
            }
            Kind::Float => {
                let value = f64::from_bits(self.memory.load(at + LEAF_DATA)?);
                if len != 8 || Cell::float(value).is_some() {
                    self.say(|walk| {
                        let about = walk.about(at);
                        format!("{about}: {value} of {len} bytes is no float that takes a block")
                    });
                }
            }
            Kind::Tuple => {
                if len == 0 {
                    self.say(|walk| format!("{}: an empty tuple takes no block", walk.about(at)));
                }
                self.cells(at + LEAF_DATA, len, at, |index, _| Step::Item(index))?;
            }
            Kind::Extended => {
                self.cells(at + LEAF_DATA, len, at, |index, _| Step::Item(index))?;
                self.extended(leaf)?;
            }
            _ => {
                self.cells(at + LEAF_DATA, len, at, |_, member| Step::Member(member))?;
                self.order(leaf, len)?;
            }
        }
        Ok(())
    }

    fn text(&mut self, leaf: Ref, len: u64) -> Result<()> {
        let Ref { kind, at, .. } = leaf;
        if len <= INLINE_BYTES as u64 {
            self.say(|walk| {
                format!("{}: its {len} bytes fit into a cell and take a block", walk.about(at))
            });
            return Ok(());
        }
        let words = self.memory.words(at + LEAF_DATA, len.div_ceil(8))?;
        let last = words.last().map_or(0, |word| word.load(Ordering::Relaxed));
        if !len.is_multiple_of(8) && last >> (8 * (len % 8)) != 0 {
            self.say(|walk| {
                format!("{}: its padding is not zero: last word {last:#x}", walk.about(at))
            });
        }
        if kind == Kind::Str && !is_wtf8(&leaves::bytes::load(self.heap, leaf)?) {
            self.say(|walk| format!("{}: its {len} bytes are no WTF-8", walk.about(at)));
        }
        Ok(())
    }

    fn int(&mut self, leaf: Ref, limbs: u64, negative: bool) -> Result<()> {
        let at = leaf.at;
        let words = self.memory.words(at + LEAF_DATA, limbs)?;
        let top = words.last().map_or(0, |word| word.load(Ordering::Relaxed));
        let beyond = if negative { INT_MIN.unsigned_abs() } else { INT_MAX as u64 };
        if top == 0 || (limbs == 1 && top <= beyond) {
            self.say(|walk| {
                let about = walk.about(at);
                format!("{about}: an int of {limbs} limbs, the highest {top:#x}, is not normalised")
            });
        }
        Ok(())
    }

    /// Whether the parts make a value.
    fn extended(&mut self, leaf: Ref) -> Result<()> {
        let cell = Cell::reference(leaf.kind, leaf.at, 0);
        // A slice of shared objects is right whatever they are; what parts share is bounded.
        if !matches!(self.is_frozen(cell, 0)?, Frozen::Yes) {
            return Ok(());
        }
        if let Err(error) = Value::decode(self.heap, cell) {
            let error = super::walk::without_name(&error);
            self.say(|walk| format!("{}: {error}", walk.about(leaf.at)));
        }
        Ok(())
    }

    fn order(&mut self, set: Ref, len: u64) -> Result<()> {
        let mut before: Option<(u64, Value)> = None;
        for index in 0..len {
            let member = Cell(self.memory.load(set.at + LEAF_DATA + index * 8)?);
            let Some(value) = self.key_value(member, set.at)? else { continue };
            let hash = hash::value(self.memory.hash_key, &value)?;
            if let Some((other, other_value)) = &before
                && (*other > hash || (*other == hash && other_value.same_key(&value)))
            {
                let other = *other;
                self.say(|walk| {
                    let about = walk.about(set.at);
                    format!("{about}: member {index} with hash {hash:#x} comes after {other:#x}")
                });
            }
            before = Some((hash, value));
        }
        Ok(())
    }

    /// A key or member as a value. `None` if it is none that can be hashed, which is a finding, or if
    /// keys share so many parts that they cannot all be looked at.
    pub(super) fn key_value(&mut self, key: Cell, owner: u64) -> Result<Option<Value>> {
        match self.is_frozen(key, 0)? {
            Frozen::Yes => Value::decode(self.heap, key).map(Some),
            Frozen::TooMuch => Ok(None),
            Frozen::No => {
                self.say(|walk| {
                    let about = walk.about(owner);
                    format!("{about}: key {} cannot be hashed", walk.show(key))
                });
                Ok(None)
            }
        }
    }

    fn is_frozen(&mut self, cell: Cell, depth: usize) -> Result<Frozen> {
        let Some(reference) = cell.as_ref() else {
            let value = !matches!(cell, Cell::UNSET | Cell::TOMBSTONE) && cell.view().is_some();
            return Ok(if value { Frozen::Yes } else { Frozen::No });
        };
        if reference.kind.is_object() || depth > DEPTH_LIMIT {
            return Ok(Frozen::No);
        }
        let len = leaves::length(self.heap, reference)?;
        let nested = reference.kind.is_cells();
        let wide = nested || reference.kind == Kind::BigInt;
        let words = if wide { len } else { len.div_ceil(8) };
        match self.budget.checked_sub(words + 1) {
            Some(rest) => self.budget = rest,
            None => return Ok(Frozen::TooMuch),
        }
        if nested {
            for index in 0..len {
                let item = Cell(self.memory.load(reference.at + LEAF_DATA + index * 8)?);
                match self.is_frozen(item, depth + 1)? {
                    Frozen::Yes => {}
                    other => return Ok(other),
                }
            }
        }
        Ok(Frozen::Yes)
    }
}

enum Frozen {
    Yes,
    No,
    /// The budget is used up.
    TooMuch,
}
