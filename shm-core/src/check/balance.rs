//! The balance after the walk: what nothing refers to, counts that are wrong, blocks that nobody has.
//!
//! It begins when all that is reachable was found. The dead and the garbage are walked too, so that
//! what they hold is theirs; only then is each count compared with the cells that were seen, and each
//! block that is taken with those that belong to something.

use crate::alloc;
use crate::cell::Cell;
use crate::error::Result;
use crate::layout::{header, object};
use crate::object::{self as objects, Meta, meta_of};

use super::paths::Step;
use super::walk::{Found, Walk, without_name};

impl Walk<'_> {
    /// What waits to be taken apart: nothing, unless this attachment cannot do it.
    pub(super) fn dead(&mut self) -> Result<()> {
        let mut next = Cell(self.header(header::GRAVEYARD)?);
        if next.0 != 0 && !self.memory.readonly {
            self.say(|_| format!("the graveyard ({:#x}) cannot be emptied", next.0));
        }
        while let Some(reference) = next.as_ref() {
            if self.found.contains_key(&reference.at) {
                self.say(|walk| format!("{}: lies in the graveyard", walk.about(reference.at)));
                break;
            }
            if let Err(error) = self.validate(reference) {
                self.say(|_| format!("graveyard: {}", without_name(&error)));
                break;
            }
            let found = Found { reference, count: 0, from: 0, step: Step::Dead };
            self.found.insert(reference.at, found);
            self.pending.push_back(reference);
            next = Cell(self.memory.load(objects::link_at(reference))?);
        }
        // Only now: what the dead refer to may be dead too, and was found as such above.
        self.follow();
        Ok(())
    }

    /// Objects with a count that only each other refer to.
    pub(super) fn garbage(&mut self) -> Result<()> {
        let mut headers = Vec::new();
        alloc::for_each_block(self.memory, |at, _| {
            if alloc::is_header(self.memory, at) && !self.found.contains_key(&at) {
                headers.push(at);
            }
            Ok(())
        })?;
        let before = self.count(true);
        for at in headers {
            if self.found.contains_key(&at) {
                continue;
            }
            let meta = Meta(self.memory.load(at + object::META)?);
            if meta.count() == 0 {
                self.say(|_| {
                    format!("object {at:#x} is taken, but nothing refers to it or pins it")
                });
            }
            self.unreferenced(at, Step::Garbage)?;
            self.follow();
        }
        self.report.garbage = self.count(true) - before;
        Ok(())
    }

    pub(super) fn compare_counts(&mut self) {
        let mut wrong = Vec::new();
        for (at, found) in &self.found {
            match meta_of(self.memory, found.reference) {
                Ok(meta) if meta.count() == found.count => {}
                Ok(meta) => wrong.push((*at, meta.count(), found.count)),
                // Said when it was reached.
                Err(_) => {}
            }
        }
        wrong.sort_unstable();
        for (at, count, found) in wrong {
            self.say(|walk| {
                format!("{}: has count {count}, {found} cells refer to it", walk.about(at))
            });
        }
    }

    pub(super) fn blocks(&mut self) -> Result<()> {
        let mut lost = Vec::new();
        let (mut blocks, mut bytes) = (0, 0);
        alloc::for_each_block(self.memory, |at, cut| {
            if self.cached.contains_key(&at) {
                return Ok(());
            }
            blocks += 1;
            bytes += cut.size;
            match (self.found.contains_key(&at), self.parts.get(&at)) {
                (true, None) | (false, Some(_)) => {}
                (false, None) => lost.push((at, cut.size, None)),
                (true, Some(owner)) => lost.push((at, cut.size, Some(*owner))),
            }
            Ok(())
        })?;
        self.report.blocks = blocks;
        self.report.bytes = bytes;
        for (at, size, owner) in lost {
            self.say(|walk| match owner {
                None => format!("block {at:#x} of {size} bytes is taken, but belongs to nothing"),
                Some(owner) => format!(
                    "{}: its block {at:#x} is at the same time {}",
                    walk.about(owner),
                    walk.about(at)
                ),
            });
        }
        Ok(())
    }
}
