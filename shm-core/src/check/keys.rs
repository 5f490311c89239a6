//! What a dict or set promises: each entry is found by its hash, through the index, once.
//!
//! The index is read once, slot by slot, and it is noted for each entry whether a probe from its
//! hash reaches it (no empty slot in between) with the right tag. So the time is that of one pass,
//! also over an index without an empty slot. Slots that lead nowhere are no fault: a killed writer
//! leaves them, and they match nothing.

use crate::cell::{Cell, Kind, Offset, Ref};
use crate::dict::keys::{KEY, VALUE, capacity};
use crate::error::Result;
use crate::flavour::DictFlavour;
use crate::hash;
use crate::layout::{keys, object};
use crate::primitive::Ordering;
use crate::value::Value;

use super::paths::Step;
use super::walk::Walk;

/// Keys of one hash that are compared with each other: more than a few need somebody who aims.
const MOST_ALIKE: usize = 64;

/// A live entry.
struct Live {
    hash: u64,
    index: u64,
    key: Cell,
}

/// The block's words, once they fit it and each other.
struct Shape {
    block: Offset,
    entries: Offset,
    log2: u32,
    wide: bool,
    appended: u64,
    used: u64,
    stride: u64,
}

impl Walk<'_> {
    pub(super) fn table(&mut self, owner: Ref) -> Result<()> {
        let at = owner.at;
        let hint = self.memory.load(at + object::W2)?;
        if owner.kind == Kind::Dict {
            let word = self.memory.load(at + object::W3)?;
            let known = match DictFlavour::of_word(word) {
                Some(DictFlavour::Typed(typed)) => self.is_map(typed),
                known => known.is_some(),
            };
            self.flavour(at, word, known);
        }
        let Some(shape) = self.shape(owner)? else { return Ok(()) };
        let mut live = Vec::new();
        for index in 0..shape.appended {
            let entry = shape.entries + index * shape.stride * 8;
            let key = Cell(self.memory.load(entry + KEY)?);
            let dict = owner.kind == Kind::Dict;
            let value = if dict { Cell(self.memory.load(entry + VALUE)?) } else { Cell::UNSET };
            if key == Cell::TOMBSTONE {
                if value != Cell::UNSET {
                    self.say(|walk| {
                        let about = walk.about(at);
                        format!("{about}: deleted entry {index} has value {:#x}", value.0)
                    });
                }
                continue;
            }
            if index < hint {
                self.say(|walk| {
                    let (about, key) = (walk.about(at), walk.show(key));
                    format!("{about}: entry {index} ({key}) lives, none below {hint} should")
                });
            }
            if dict {
                self.cell(key, at, Step::Key(key));
                self.cell(value, at, Step::Value(key));
            } else {
                self.cell(key, at, Step::Member(key));
            }
            live.push(Live { hash: self.memory.load(entry)?, index, key });
        }
        if live.len() as u64 != shape.used || hint > shape.appended {
            let found = live.len();
            self.say(|walk| {
                let about = walk.about(at);
                let Shape { appended, used, .. } = shape;
                format!(
                    "{about}: {found} live entries, its counts say {used} of {appended}, from \
                     {hint} on"
                )
            });
        }
        self.hashes(at, &live);
        self.index(at, &shape, &live)?;
        self.twins(at, live);
        Ok(())
    }

    fn shape(&mut self, owner: Ref) -> Result<Option<Shape>> {
        let at = owner.at;
        let block = self.memory.load(at + object::W0)?;
        if block == 0 {
            return Ok(None);
        }
        let Some(size) = self.part(block, at)? else { return Ok(None) };
        let counts = self.memory.load(block + keys::COUNTS)?;
        let shape = if size < 24 { 0 } else { self.memory.load(block + keys::SHAPE)? };
        let (log2, width) = ((shape & 0xFF) as u32, (shape >> 8) & 0xFF);
        let (appended, used) = (counts & 0xFFFF_FFFF, counts >> 32);
        let shaped = matches!((log2, width), (3..=23, 4) | (3..=32, 8));
        let stride = if owner.kind == Kind::Dict { 3 } else { 2 };
        let start = if shaped { keys::entries_at(shape) } else { u64::MAX };
        let fits = size.saturating_sub(start) / (stride * 8);
        let room = keys::capacity(shape);
        if !shaped || start > size || room > fits || appended > room || room > capacity(log2) {
            self.say(|walk| {
                let about = walk.about(at);
                format!(
                    "{about}: {appended} entries, room for {room} by shape {shape:#x}, the block \
                     of {size} bytes holds {fits}"
                )
            });
            return Ok(None);
        }
        let entries = block + start;
        let wide = width == 8;
        Ok(Some(Shape { block, entries, log2, wide, appended, used, stride }))
    }

    /// Whether the stored hashes are those of the keys.
    fn hashes(&mut self, at: Offset, live: &[Live]) {
        for entry in live {
            let real = match self.key_value(entry.key, at) {
                Ok(Some(value)) => hash::value(self.memory.hash_key, &value),
                Ok(None) => continue,
                // Said where the key itself was looked at.
                Err(error) => Err(error),
            };
            match real {
                Ok(real) if real == entry.hash => {}
                Ok(real) => self.say(|walk| {
                    let (about, key) = (walk.about(at), walk.show(entry.key));
                    let (index, hash) = (entry.index, entry.hash);
                    format!("{about}: entry {index} ({key}) has hash {hash:#x}, not {real:#x}")
                }),
                Err(error) => self.say(|walk| {
                    let (about, key) = (walk.about(at), walk.show(entry.key));
                    format!("{about}: key {key} has no hash: {}", super::walk::without_name(&error))
                }),
            }
        }
    }

    /// Whether each entry is reached by a probe.
    fn index(&mut self, at: Offset, shape: &Shape, live: &[Live]) -> Result<()> {
        let slots = 1_u64 << shape.log2;
        let (per_word, empty_tag) = if shape.wide { (1, 40) } else { (2, 24) };
        let words = self.memory.words(shape.block + keys::INDEX, slots / per_word)?;
        let value = |slot: u64| {
            let word =
                words.get((slot / per_word) as usize).map_or(0, |w| w.load(Ordering::Relaxed));
            if shape.wide { word } else { (word >> ((slot & 1) * 32)) & 0xFFFF_FFFF }
        };
        let deleted = if shape.wide { u64::MAX } else { 0xFFFF_FFFF };
        let position_mask = (1_u64 << empty_tag) - 1;
        let mut hashes = vec![None; shape.appended as usize];
        for entry in live {
            if let Some(known) = hashes.get_mut(entry.index as usize) {
                *known = Some(entry.hash);
            }
        }
        // Slots without a gap before the one that is looked at; all of them if there is no gap.
        let first = (0..slots).find(|slot| value(*slot) == 0);
        let mut run = if first.is_some() { 0 } else { slots };
        for step in 0..slots {
            let slot = (first.unwrap_or(0) + step) & (slots - 1);
            let found = value(slot);
            if found == 0 {
                run = 0;
                continue;
            }
            let before = run;
            run += 1;
            if found == deleted {
                continue;
            }
            let Some(index) = (found & position_mask).checked_sub(1) else { continue };
            if index >= capacity(shape.log2) {
                self.say(|walk| {
                    let (about, most) = (walk.about(at), capacity(shape.log2));
                    format!("{about}: slot {slot} leads to entry {index}, there can be {most}")
                });
            }
            let Some(known) = hashes.get_mut(index as usize) else { continue };
            if let Some(hash) = *known {
                let tag = if shape.wide { hash >> 40 } else { hash >> 56 };
                let distance = slot.wrapping_sub(hash) & (slots - 1);
                if tag == found >> empty_tag && distance <= before {
                    *known = None;
                }
            }
        }
        for entry in live {
            if hashes.get(entry.index as usize).is_some_and(Option::is_some) {
                self.say(|walk| {
                    let (about, key) = (walk.about(at), walk.show(entry.key));
                    let (index, hash) = (entry.index, entry.hash);
                    format!(
                        "{about}: entry {index} ({key}) is not found through the index by its hash \
                         {hash:#x}"
                    )
                });
            }
        }
        Ok(())
    }

    /// Whether no two keys are equal.
    fn twins(&mut self, at: Offset, mut live: Vec<Live>) {
        live.sort_unstable_by_key(|entry| (entry.hash, entry.index));
        for alike in live.chunk_by(|one, other| one.hash == other.hash) {
            if alike.len() == 1 {
                continue;
            }
            let mut known: Vec<(u64, Value)> = Vec::new();
            for entry in alike.iter().take(MOST_ALIKE) {
                let Ok(Some(value)) = self.key_value(entry.key, at) else { continue };
                if let Some((first, _)) = known.iter().find(|(_, other)| other.same_key(&value)) {
                    let first = *first;
                    self.say(|walk| {
                        let (about, key) = (walk.about(at), walk.show(entry.key));
                        format!(
                            "{about}: entries {first} and {} have equal keys {key}",
                            entry.index
                        )
                    });
                }
                known.push((entry.index, value));
            }
        }
    }
}
