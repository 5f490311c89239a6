//! Freeing one object by hand, whoever still refers to it.
//!
//! Its content goes at once, as that of an object that dies: handed to a fresh object which is buried
//! after the commit. The header stays while cells refer to it or handles pin it, marked as freed
//! (`layout::FREED` in its first word) and with a sequence that stays odd: the short ways of readers
//! and writers do not go there, and the long ones read the first word, so every later use is
//! `Closed`, in every process, and never sees what the memory holds by then. With the last reference
//! and handle the header goes like any other.
//!
//! Elements of an array are read and stored where they are, by whoever has a handle or a view, without a
//! look at the sequence. So its block does not go at once if anybody else pins it: the header's first word
//! keeps it beside the mark, and who lets go of the last pin frees it.

use crate::cell::{Kind, Offset};
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::{FREED, header, object};
use crate::ndarray::Array;
use crate::object as objects;
use crate::pins;
use crate::primitive::{Ordering, fence};
use crate::trash;

/// Takes an object's content away, now and for all.
pub(crate) fn free(heap: &Heap, object: &Object) -> Result<()> {
    let (at, kind) = (object.at(), object.kind());
    if kind == Kind::Array {
        mark_array(heap, at)?;
        return give_back(heap, at, 1).map(drop);
    }
    if !matches!(kind, Kind::List | Kind::Dict | Kind::Set | Kind::ByteArray | Kind::Record) {
        return Err(Error::InvalidArgument {
            what: format!("a {} is not freed by hand", kind.name()),
        });
    }
    heap.write(|tx| {
        for own in [header::ROOT, header::NAMES, header::SCHEMAS, header::MESSAGES] {
            if heap.header_cell(own)? == object.cell() {
                return Err(Error::InvalidArgument {
                    what: format!("{:?} needs this {}: clear it instead", heap.name(), kind.name()),
                });
            }
        }
        tx.check_gate(at)?;
        let block = tx.block(at)?;
        if block != 0 {
            let words = [block, tx.load(at + object::W1)?, tx.load(at + object::W2)?];
            trash::block(tx, kind, words)?;
        }
        let sequence = tx.load(at + object::SEQ)?;
        // Logged as a word like any other: unlike an opened object's it does not become even again.
        // Another version than before, so that who waits for a change looks again.
        tx.set(at + object::SEQ, sequence.wrapping_add(2) | 1)?;
        tx.set(at + object::W0, FREED)?;
        if kind == Kind::Record {
            // A struct's second word names its schema, which handles that are yet to come need.
            return Ok(());
        }
        tx.set(at + object::W1, 0)?;
        tx.set(at + object::W2, 0)
    })
}

/// Takes an array's elements away from all who ask its handle.
fn mark_array(heap: &Heap, at: Offset) -> Result<()> {
    heap.write(|tx| {
        tx.check_gate(at)?;
        let block = tx.block(at)?;
        let sequence = tx.load(at + object::SEQ)?;
        // As above.
        tx.set(at + object::SEQ, sequence.wrapping_add(2) | 1)?;
        tx.set(at + object::W0, block | FREED)
    })
}

/// Frees the block of an array that was freed, if no other process pins it and this one has at most so many
/// handles, which nobody uses just now. In a transaction it stays, as undoing may bring it back. Whether
/// it is gone.
fn give_back(heap: &Heap, at: Offset, handles: u64) -> Result<bool> {
    if heap.in_transaction() {
        return Ok(false);
    }
    heap.write(|tx| {
        let memory = tx.journal.memory();
        let Some(block) = objects::kept_block(memory, at)? else { return Ok(true) };
        // SeqCst: pairs with the fence in `Own::pin`. Who pins it from now on sees the mark.
        fence(Ordering::SeqCst);
        let (idle, own) = {
            let own = heap.own();
            (own.handles_of(at) <= handles, own.claim.map(|claim| claim.slot))
        };
        if !idle || pins::is_pinned_beside(memory, at, own)? {
            return Ok(false);
        }
        objects::free_kept(&mut tx.journal, at, block)?;
        Ok(true)
    })
}

impl Array {
    /// After [`Segment::free`](crate::Segment::free): gives the memory back now if only so many handles of
    /// this process are left, of which the caller knows that no other thread uses them, and none of
    /// other processes. Else it goes with the last of them. Whether it is gone.
    ///
    /// # Errors
    /// `LockTimeout`, `ReadOnly`.
    pub fn give_back(&self, handles: u64) -> Result<bool> {
        give_back(self.heap(), self.object().at(), handles)
    }
}
