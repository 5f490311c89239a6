//! Named primitives in the segment: locks, turns, semaphores, events, conditions, barriers.
//!
//! Handle. A primitive is a block of words under a name, found and made through `Segment`. Its state
//! is changed by compare-exchange or by an operation of the heap, never half of each, so a kill at
//! any instruction leaves something that whoever waits can judge: a word that is held names its
//! owner. The uncontended ways take no writer lock and make no system call.
//!
//! ```text
//! names["lock/NAME"] -> bytearray, never resized; from the first multiple of 64 in its block:
//!  0 tag        kind 8 | parameter: parties, permits
//!  8 owner      token of the holder (lock, rlock, rwlock's writer); 0 free
//! 16 heir       token of the first sleeper in the line; bit 31: hand the lock to it
//! 24 depth      of an rlock, the holder's
//! 32 event      somebody sleeps; count of news
//! 40 value      semaphore: permits that nobody owns; event: generation, flag; barrier: state
//! 48 history    barrier: which of the last 64 generations were broken, a bit each
//! 64 line       PLACES words, see `line`
//! .. table      tokens of permits, readers or arrivals
//! ```
//!
//! The lock of a container is such a block too, of 32 places, referred to by the object's lock word
//! (see `container`).
//!
//! Floors: `line`; `wait` and `deadlock`; `lock`; the others; `held`, which tells of all of them. What a primitive guards is the
//! user's business: exclusion, not atomicity. A holder that died left its last *operation* whole.

mod barrier;
mod condition;
mod container;
mod deadlock;
mod event;
mod held;
mod line;
mod lock;
mod rlock;
mod rwlock;
mod semaphore;
mod turn;
mod wait;

pub use barrier::Barrier;
pub use condition::{Condition, ConditionLock};
pub(crate) use container::open_gate;
pub use event::Event;
pub(crate) use held::locks;
pub use held::{HolderStats, LockStats};
pub use lock::{Lock, LockGuard};
pub use rlock::{RLock, RLockGuard};
pub use rwlock::{ReadGuard, RwLock, WriteGuard};
pub use semaphore::{Permit, Semaphore};
pub use turn::{Standing, Turn, TurnGuard};

use crate::bytearray::ByteArray;
use crate::cell::Offset;
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::gate::{self, OWNER};
use crate::heap::Heap;
use crate::layout::object;
use crate::peers::ThreadClaim;
use crate::primitive::{AtomicU64, Ordering};
use crate::session::Session;
use crate::value::Value;
use line::Line;

const HEIR: Offset = 16;
const DEPTH: Offset = 24;
const EVENT: Offset = 32;
const VALUE: Offset = 40;
const HISTORY: Offset = 48;
const LINE: Offset = 64;
/// Places of a line; more waiters than that wait for a place first.
const PLACES: u64 = 256;
/// The same for the lock of an object, which is to be small.
const FEW_PLACES: u64 = 32;
const TABLE: Offset = LINE + PLACES * 8;
/// Most words of a table.
const TABLE_LIMIT: u64 = 65_536;

/// What a primitive is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Form {
    Turn = 1,
    Lock = 2,
    RLock = 3,
    RwLock = 4,
    Semaphore = 5,
    Event = 6,
    Barrier = 7,
    Condition = 8,
    Object = 9,
}

impl Form {
    fn of(tag: u64) -> Option<Form> {
        Some(match tag & 0xFF {
            1 => Form::Turn,
            2 => Form::Lock,
            3 => Form::RLock,
            4 => Form::RwLock,
            5 => Form::Semaphore,
            6 => Form::Event,
            7 => Form::Barrier,
            8 => Form::Condition,
            9 => Form::Object,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Form::Turn => "turn",
            Form::Lock => "lock",
            Form::RLock => "rlock",
            Form::RwLock => "rwlock",
            Form::Semaphore => "semaphore",
            Form::Event => "event",
            Form::Barrier => "barrier",
            Form::Condition => "condition",
            Form::Object => "lock of",
        }
    }

    /// What statistics call it.
    fn kind(self) -> &'static str {
        match self {
            Form::RwLock => "rwlock.write",
            Form::Object => "container",
            other => other.word(),
        }
    }

    /// Places of its line.
    fn places(self) -> u64 {
        if self == Form::Object { FEW_PLACES } else { PLACES }
    }
}

/// Handle. What all primitives are made of.
#[derive(Clone)]
pub(crate) struct Primitive {
    /// Keeps the block.
    block: ByteArray,
    /// Where the words start.
    at: Offset,
    form: Form,
    name: String,
    table: u64,
    /// The words, table included: never moved, mapped until the process ends.
    words: &'static [AtomicU64],
    line: Line<'static>,
}

/// The block of a primitive: where its words start.
fn start(heap: &Heap, block: &ByteArray) -> Result<Offset> {
    Ok(gate::words_at(heap.load(block.object().at() + object::W0)?))
}

/// How errors name it.
fn title(form: Form, name: &str) -> String {
    if form == Form::Object {
        return format!("{} {name}", form.word());
    }
    format!("{} {name:?}", form.word())
}

impl Primitive {
    /// The primitive of this form and name, made on first use with `parameter` and a table of
    /// `table` words.
    pub(crate) fn named(
        heap: &Heap,
        names: &Dict,
        form: Form,
        name: &str,
        parameter: u64,
        table: u64,
    ) -> Result<Self> {
        if table > TABLE_LIMIT {
            return Err(Error::InvalidArgument {
                what: format!("{} {name:?} of {table}: at most {TABLE_LIMIT}", form.word()),
            });
        }
        let key = format!("{}/{name}", form.word());
        let known = if let Some(known) = names.get_str(&key)? {
            known
        } else {
            let fresh = Self::make(heap, form, parameter, table)?;
            names.get_or_insert(key.as_str(), Value::ByteArray(fresh))?
        };
        let Value::ByteArray(block) = known else {
            return Err(heap.corrupt(format!("{key:?} is no {}", form.word())));
        };
        Self::of_block(block, form, name.to_owned(), parameter, table)
    }

    /// The primitive in a block that something else refers to.
    pub(crate) fn over(block: ByteArray, form: Form, parameter: u64, name: String) -> Result<Self> {
        Self::of_block(block, form, name, parameter, 0)
    }

    fn of_block(
        block: ByteArray,
        form: Form,
        name: String,
        parameter: u64,
        table: u64,
    ) -> Result<Self> {
        let heap = &block.heap().clone();
        let at = start(heap, &block)?;
        let len = block.len()? as u64;
        // The words are within the block wherever it starts: it is 56 bytes longer than they are.
        let tag = heap.load(at)?;
        let known = tag >> 8;
        let same = Form::of(tag) == Some(form);
        if same && known != parameter {
            let what = title(form, &name);
            return Err(Error::InvalidArgument {
                what: format!(
                    "{what} exists with {known}, not {parameter}: use that, or another name"
                ),
            });
        }
        let count = LINE / 8 + form.places() + table;
        heap.words(at, count as usize)?;
        // They have just been found to be backed, and stay so.
        let words = heap.0.memory.lasting_words(at, count).unwrap_or_default();
        let places =
            words.get((LINE / 8) as usize..).and_then(|rest| rest.get(..form.places() as usize));
        match places.and_then(Line::new) {
            Some(line) if same && len >= Self::bytes(form, table) => {
                Ok(Primitive { block, at, form, name, table, words, line })
            }
            _ => Err(heap.corrupt(format!("{} has other words", title(form, &name)))),
        }
    }

    fn bytes(form: Form, table: u64) -> u64 {
        LINE + form.places() * 8 + table * 8 + 56
    }

    fn make(heap: &Heap, form: Form, parameter: u64, table: u64) -> Result<ByteArray> {
        let block = ByteArray::new(heap, &vec![0; Self::bytes(form, table) as usize])?;
        let at = start(heap, &block)?;
        // Nobody else knows the block yet: publishing its name is what releases these stores.
        heap.word(at)?.store(form as u64 | (parameter << 8), Ordering::Release);
        heap.word(at + LINE)?.store(line::OPEN, Ordering::Release);
        Ok(block)
    }

    #[inline]
    fn heap(&self) -> &Heap {
        self.block.heap()
    }

    /// Some of the words, unless the segment was closed.
    #[inline]
    fn part(&self, from: Offset, count: u64) -> Result<&'static [AtomicU64]> {
        self.heap().0.memory.check_open()?;
        let from = (from / 8) as usize;
        match self.words.get(from..from + count as usize) {
            Some(words) => Ok(words),
            None => Err(self.too_short()),
        }
    }

    #[cold]
    fn too_short(&self) -> Error {
        self.heap().corrupt(format!("{self} has too few words"))
    }

    #[inline]
    fn word(&self, field: Offset) -> Result<&'static AtomicU64> {
        match self.part(field, 1)? {
            [word] => Ok(word),
            _ => Err(self.too_short()),
        }
    }

    fn table(&self) -> Result<&'static [AtomicU64]> {
        self.part(TABLE, self.table)
    }

    /// The calling thread, as a word that is held names it. Fails on a read-only attachment.
    #[inline]
    fn me(&self) -> Result<ThreadClaim> {
        let inner = &self.heap().0;
        if !inner.memory.readonly
            && !inner.memory.is_closed()
            && let Some(armed) = Session::armed(inner.id)
        {
            return Ok(armed.claim);
        }
        self.find_me()
    }

    #[cold]
    fn find_me(&self) -> Result<ThreadClaim> {
        let memory = &self.heap().0.memory;
        if memory.readonly {
            return Err(Error::ReadOnly { name: memory.name.clone() });
        }
        memory.check_open()?;
        Ok(self.heap().session()?.claim)
    }

    fn not_held(&self, by: &str) -> Error {
        Error::NotHeld { what: format!("{self} is not held by {by}") }
    }
}

impl std::fmt::Display for Primitive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&title(self.form, &self.name))
    }
}

impl std::fmt::Debug for Primitive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{self} in {:?}>", self.heap().name())
    }
}

#[cfg(test)]
mod tests;
