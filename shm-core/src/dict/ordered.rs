//! Moving an entry to one end of the order: what an ordered dict does besides a dict.
//!
//! To the end, the entry is deleted and appended again, with the counts that its cells have; that
//! takes a place of the block, so a block of as many entries is copied only every so often. To the
//! front, all entries go to a fresh block.

use crate::cell::Cell;
use crate::dict::Dict;
use crate::dict::entries;
use crate::dict::fresh::{self, Entry, Fresh};
use crate::dict::keys::{DICT, KEY, Table, VALUE};
use crate::error::Result;
use crate::value::Key;

impl Dict {
    /// Moves the entry of a key behind all others or, if not `last`, before them; whether it is there.
    pub fn move_to_end<'k>(&self, key: impl Into<Key<'k>>, last: bool) -> Result<bool> {
        let key = key.into();
        let probe = key.probe(self.heap().hash_key())?;
        let at = self.at();
        self.heap().write_in(at, |tx| {
            let heap = tx.heap();
            let Some(table) = Table::<DICT>::of(heap, at)? else { return Ok(false) };
            let Some(found) = table.find(heap, &probe)? else { return Ok(false) };
            let load = |offset| heap.load(found.entry + offset);
            let entry = Entry { hash: load(0)?, key: Cell(load(KEY)?), value: Cell(load(VALUE)?) };
            if last {
                if found.index + 1 == table.count {
                    tx.check_gate(at)?;
                    return Ok(true);
                }
                entries::delete(tx, at, table, found)?;
                entries::append::<DICT>(tx, at, entry)?;
                return Ok(true);
            }
            let mut live = fresh::live(heap, table, 0, table.count)?.peekable();
            if live.peek().is_some_and(|(index, _)| *index == found.index) {
                tx.check_gate(at)?;
                return Ok(true);
            }
            let mut block = Fresh::<DICT>::new(tx, table.used)?;
            block.push(heap, entry)?;
            for (index, other) in live {
                if index != found.index {
                    block.push(heap, other)?;
                }
            }
            block.publish(tx, at, Some(table))?;
            tx.free_after(table.at)?;
            Ok(true)
        })
    }
}
