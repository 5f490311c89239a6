//! Freeing one object by hand, whoever still refers to it.
//!
//! Its content goes at once, as that of an object that dies: handed to a fresh object which is buried
//! after the commit. The header stays while cells refer to it or handles pin it, marked as freed
//! (`layout::FREED` in its first word) and with a sequence that stays odd: the short ways of readers
//! and writers do not go there, and the long ones read the first word, so every later use is
//! `Closed`, in every process, and never sees what the memory holds by then. With the last reference
//! and handle the header goes like any other.

use crate::cell::Kind;
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::{FREED, header, object};
use crate::trash;

/// Takes an object's content away, now and for all.
pub(crate) fn free(heap: &Heap, object: &Object) -> Result<()> {
    let (at, kind) = (object.at(), object.kind());
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
