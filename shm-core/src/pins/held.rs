//! What a process pins, in its own memory: how many handles each object has, and where in the shared table
//! it stands.
//!
//! Handle. An open-addressing hash table of offsets, at most half full and at least a sixteenth, whose entries
//! move up when one goes: so whoever makes or ends a handle looks at one place, as a rule, and whoever
//! goes through all of them at few more than there are, however many there once were. The shared table says
//! the same to others and is not read for it: what others may write is nothing to count by.

use crate::cell::Offset;

/// No object lies at this offset: the entry is empty.
const EMPTY: Offset = 0;
const FEWEST: usize = 32;

/// A pinned object's handles.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pin {
    pub(super) handles: u64,
    /// In the shared table.
    pub(super) index: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    at: Offset,
    pin: Pin,
}

/// Handle. The pins of a process by offset.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// None or a power of two, at least twice as many as there are pins.
    entries: Vec<Entry>,
    count: usize,
}

/// Where an offset stands, or would stand. Good until the next change.
pub(super) enum Place {
    Taken(usize),
    Free(usize),
}

impl Held {
    /// How many objects are pinned.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.count
    }

    fn mask(&self) -> usize {
        self.entries.len().wrapping_sub(1)
    }

    /// Where the probe for an offset starts.
    #[inline]
    fn start(&self, at: Offset) -> usize {
        super::spread(at) as usize & self.mask()
    }

    /// Where an offset stands; there is room for it if it is new.
    #[inline]
    pub(super) fn place(&mut self, at: Offset) -> Place {
        if self.count * 2 >= self.entries.len() {
            self.resize();
        }
        let mut index = self.start(at);
        loop {
            match self.entries.get(index) {
                Some(entry) if entry.at == at => return Place::Taken(index),
                Some(entry) if entry.at != EMPTY => index = (index + 1) & self.mask(),
                _ => return Place::Free(index),
            }
        }
    }

    /// Where an offset stands, if it does.
    #[inline]
    pub(super) fn find(&self, at: Offset) -> Option<usize> {
        let mut index = self.start(at);
        loop {
            match self.entries.get(index) {
                Some(entry) if entry.at == at => return Some(index),
                Some(entry) if entry.at != EMPTY => index = (index + 1) & self.mask(),
                _ => return None,
            }
        }
    }

    #[inline]
    pub(super) fn get(&self, at: Offset) -> Option<&Pin> {
        self.entries.get(self.find(at)?).map(|entry| &entry.pin)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: Offset) -> Option<&mut Pin> {
        let place = self.find(at)?;
        self.at_mut(place)
    }

    /// The pin at a place.
    #[inline]
    pub(super) fn at_mut(&mut self, place: usize) -> Option<&mut Pin> {
        self.entries.get_mut(place).map(|entry| &mut entry.pin)
    }

    /// Adds an offset where [`Held::place`] said that it would stand.
    #[inline]
    pub(super) fn insert(&mut self, place: usize, at: Offset, pin: Pin) {
        if let Some(entry) = self.entries.get_mut(place) {
            *entry = Entry { at, pin };
            self.count += 1;
        }
    }

    /// Removes the pin at a place. Those behind it that would rather stand there move up, so that each
    /// probe ends at the first empty entry.
    #[inline]
    pub(super) fn remove(&mut self, place: usize) {
        let mask = self.mask();
        let (mut hole, mut index) = (place, place);
        loop {
            index = (index + 1) & mask;
            let Some(entry) = self.entries.get(index).copied() else { return };
            if entry.at == EMPTY {
                break;
            }
            // Its probe comes by the hole, unless it starts behind it.
            let distance = index.wrapping_sub(self.start(entry.at)) & mask;
            if distance >= index.wrapping_sub(hole) & mask {
                if let Some(empty) = self.entries.get_mut(hole) {
                    *empty = entry;
                }
                hole = index;
            }
        }
        if let Some(entry) = self.entries.get_mut(hole) {
            *entry = Entry::default();
            self.count -= 1;
        }
        if self.count * 16 < self.entries.len() && self.entries.len() > FEWEST {
            self.resize();
        }
    }

    /// All of them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Offset, &mut Pin)> {
        let taken = self.entries.iter_mut().filter(|entry| entry.at != EMPTY);
        taken.map(|entry| (entry.at, &mut entry.pin))
    }

    /// Moves all to a table of a good size for them.
    #[cold]
    fn resize(&mut self) {
        let room = (self.count * 4).next_power_of_two().max(FEWEST);
        let former = std::mem::replace(&mut self.entries, vec![Entry::default(); room]);
        for entry in former.into_iter().filter(|entry| entry.at != EMPTY) {
            let mut index = self.start(entry.at);
            while self.entries.get(index).is_some_and(|other| other.at != EMPTY) {
                index = (index + 1) & self.mask();
            }
            if let Some(empty) = self.entries.get_mut(index) {
                *empty = entry;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_million_random_changes_agree_with_a_hash_map() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut held, mut model) = (Held::default(), HashMap::new());
        for step in 0..1_000_000_u64 {
            // Few offsets at first, so that most steps meet one that is there; then many.
            let at = 64 * random.u64(1..if step < 500_000 { 40 } else { 4_000 });
            match held.place(at) {
                Place::Taken(place) => {
                    assert_eq!(held.at_mut(place).map(|pin| pin.handles), model.remove(&at));
                    held.remove(place);
                }
                Place::Free(place) => {
                    held.insert(place, at, Pin { handles: step, index: 0 });
                    assert_eq!(model.insert(at, step), None);
                }
            }
            assert_eq!(held.len(), model.len());
            assert!(held.entries.len() <= FEWEST.max(16 * held.len()));
        }
        let all: HashMap<_, _> = held.iter_mut().map(|(at, pin)| (at, pin.handles)).collect();
        assert_eq!(all, model);
        for at in (1..4_000).map(|number| number * 64) {
            assert_eq!(held.get(at).map(|pin| pin.handles), model.get(&at).copied());
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_was_ever_put() {
        assert!(Held::default().find(64).is_none());
    }
}
