//! Leases: an item that is taken on probation, and comes back unless it is acknowledged.
//!
//! Taking a lease moves the item from the queue to a list beside it, with a number and the name of
//! the process that has it, in one operation. `ack` drops it there. Given back, or found with a dead
//! owner, it moves to the queue's front again, so what a killed consumer had taken is delivered once
//! more: at least once. The dead are looked for when a queue runs empty and now and then while it
//! does not, by whoever takes from it.
//!
//! A queue that has filled its segment can be emptied so: its list of leases has room for some from the
//! beginning, ending one takes no memory, and a message that cannot be built stays packed in the lease.
//! One that cannot go back to its queue for want of room is nobody's until it can.
//!
//! ```text
//! list of leases   number, owner (process incarnation:32 | slot + 1:16; 0 nobody's), item, and so on
//! ```

use std::time::{Duration, Instant};

use super::message::{self, Message};
use super::{Queue, taken_as_it_is};
use crate::cell::{Cell, Offset};
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::layout::{process, process_state};
use crate::list::{Items, List, drop_cells_at, push_cell_in_front};
use crate::primitive::{AtomicU64, Ordering};
use crate::tx::Tx;
use crate::value::Value;

/// Cells of one lease.
const CELLS: u64 = 3;
/// Leases that there is room for from the beginning.
const ALWAYS: usize = 32;
/// How often a process asks whether the owners of leases live.
const EVERY: Duration = Duration::from_millis(20);

/// Handle. An item that was taken and not yet acknowledged; dropped, it goes back to the front.
///
/// ```
/// use std::time::Duration;
/// use shm_core::{Segment, SegmentOptions, Value};
/// # fn main() -> Result<(), shm_core::Error> {
/// let seg = Segment::create_anonymous(SegmentOptions::new().size(1 << 20))?;
/// let queue = seg.queue("jobs", 0)?;
/// queue.put("job", None)?;
/// drop(queue.get_lease(None)?);
/// let lease = queue.get_lease(Some(Duration::ZERO))?;
/// assert_eq!(*lease.value(), Value::from("job"));
/// lease.ack()?;
/// assert!(queue.is_empty()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a lease that is dropped gives its item back"]
pub struct Lease {
    queue: Queue,
    number: i64,
    value: Value,
    message: Option<Message>,
    settled: bool,
}

/// How a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// There was none that was meant.
    NotFound,
    /// It is settled.
    Settled,
    /// There is no room for its item in the queue: it is nobody's until there is.
    Waits,
}

impl Lease {
    /// The item.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The item as [`Queue::get_lease_unbuilt`] left it.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    /// The same lease, of what was made of its message.
    pub(crate) fn built(mut self, value: Value) -> Self {
        self.value = value;
        self.message = None;
        self
    }

    /// The work is done: the item does not come back.
    ///
    /// # Errors
    /// `KeyNotFound` if the lease is settled already, or was taken away from a process that was
    /// found dead.
    pub fn ack(mut self) -> Result<()> {
        self.settle(false)
    }

    /// Gives the item back to the front of the queue.
    ///
    /// # Errors
    /// As [`Lease::ack`].
    pub fn give_back(mut self) -> Result<()> {
        self.settle(true)
    }

    /// One of both, for bindings that own the lease by reference. Only the first time counts.
    pub fn settle(&mut self, back: bool) -> Result<()> {
        if self.settled {
            return Err(gone(&self.queue.name, self.number));
        }
        self.settled = true;
        let number = self.number;
        match self.queue.end_lease(|found, _| found == number, back)? {
            Ended::NotFound => Err(gone(&self.queue.name, number)),
            Ended::Settled | Ended::Waits => Ok(()),
        }
    }

    /// Whether it was acknowledged or given back through this handle.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.settled {
            // A drop cannot fail: what cannot be given back now comes back when this process ends.
            let _ = self.settle(true);
        }
    }
}

#[cold]
fn gone(name: &str, number: i64) -> Error {
    Error::KeyNotFound {
        what: format!(
            "lease {number} of queue {name:?} is settled: its item was done or came back"
        ),
    }
}

/// A number that no lease of this segment had: leases are numbered by process and moment.
fn fresh_number(owner: i64) -> i64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    // 61 bits, so that it is an immediate cell: 29 of who, 32 of how many.
    ((owner & 0x1FFF_FFFF) << 32) | (count & 0xFFFF_FFFF) as i64
}

impl Queue {
    /// An empty list of leases, with room for some.
    pub(crate) fn fresh_leases(heap: &Heap) -> Result<List> {
        let leases = List::empty(heap)?;
        leases.reserve(ALWAYS * CELLS as usize)?;
        Ok(leases)
    }

    /// As [`Queue::get_lease`]; but a message for which the segment has no room is left as it is: see
    /// [`Lease::message`].
    ///
    /// # Errors
    /// As [`Queue::get_lease`].
    pub fn get_lease_unbuilt(&self, timeout: Option<Duration>) -> Result<Lease> {
        let Some(leases) = &self.leases else {
            let what = "messages are taken for good: use a named queue for leases".to_owned();
            return Err(Error::InvalidArgument { what });
        };
        let leases_at = leases.object().at();
        // The slot exists once this process has written.
        self.heap().session()?;
        let owner = owner(self.heap())?;
        let number = fresh_number(owner);
        let words = [Cell::int(number), Cell::int(owner)];
        let [Some(number_cell), Some(owner_cell)] = words else {
            return Err(self.heap().corrupt("a lease does not fit into a cell"));
        };
        let keep = |tx: &mut Tx<'_>, cell| {
            List::append_cells(tx, leases_at, &[number_cell, owner_cell, cell])
        };
        let built = |tx: &mut Tx<'_>, cell| {
            let cell = message::built(tx, cell)?;
            let value = Value::decode(tx.heap(), cell)?;
            keep(tx, cell)?;
            Ok((value, None))
        };
        let unbuilt = |tx: &mut Tx<'_>, cell| {
            let item = taken_as_it_is(tx, cell)?;
            keep(tx, cell)?;
            Ok(item)
        };
        let attempt = || self.take_first_if_room(built, unbuilt);
        let (value, message) =
            self.wait_for(timeout, attempt, || Ok(true), |waited| self.empty(waited))?;
        Ok(Lease { queue: self.clone(), number, value, message, settled: false })
    }

    /// How many items are taken and not acknowledged.
    pub fn leased(&self) -> Result<usize> {
        match &self.leases {
            Some(leases) => Ok(leases.len()? / CELLS as usize),
            None => Ok(0),
        }
    }

    pub(super) fn has_leases(&self) -> Result<bool> {
        Ok(self.leased()? > 0)
    }

    /// Ends the last lease for which `is_it(number, owner)` holds.
    fn end_lease(&self, is_it: impl Fn(i64, i64) -> bool, back: bool) -> Result<Ended> {
        let Some(leases) = &self.leases else { return Ok(Ended::NotFound) };
        let (items_at, leases_at) = (self.at(), leases.object().at());
        self.heap().write(|tx| {
            let Some((index, item)) = find(tx, leases_at, &is_it)? else {
                return Ok(Ended::NotFound);
            };
            if back {
                match push_cell_in_front(tx, items_at, item) {
                    Err(Error::SegmentFull { .. }) => return disown(tx, leases_at, index),
                    pushed => pushed?,
                }
                drop_cells_at(tx, leases_at, index, CELLS)?;
            } else {
                drop_cells_at(tx, leases_at, index, CELLS)?;
                tx.dec(item)?;
                // Whoever waits for the end of a closed queue looks again.
                tx.open(items_at)?;
            }
            Ok(Ended::Settled)
        })
    }

    /// Gives back what dead processes had taken; how many items that were.
    pub fn reclaim(&self) -> Result<u64> {
        let Some(leases) = &self.leases else { return Ok(0) };
        let at = leases.object().at();
        let cells = self.heap().read(at, |heap| Items::load(heap, at)?.cells(heap))?;
        let mut dead: Vec<i64> = Vec::new();
        for lease in cells.chunks_exact(CELLS as usize) {
            if let Some(owner) = lease.get(1).and_then(|owner| owner.as_int())
                && !dead.contains(&owner)
                && is_dead(self.heap(), owner)?
            {
                dead.push(owner);
            }
        }
        let mut count = 0;
        while !dead.is_empty()
            && self.end_lease(|_, owner| dead.contains(&owner), true)? == Ended::Settled
        {
            count += 1;
        }
        Ok(count)
    }

    pub(super) fn reclaim_now_and_then(&self) -> Result<()> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        if !self.has_leases()? {
            return Ok(());
        }
        let now = process_clock();
        let last = LAST.load(Ordering::Relaxed);
        if now.wrapping_sub(last) >= EVERY.as_nanos() as u64 || self.is_empty()? {
            LAST.store(now, Ordering::Relaxed);
            self.reclaim()?;
        }
        Ok(())
    }
}

/// Makes a lease nobody's, as that of a dead process: whoever takes next gives it back first, if it can.
fn disown(tx: &mut Tx<'_>, leases_at: Offset, index: u64) -> Result<Ended> {
    let owner_at = Items::load(tx.heap(), leases_at)?.at(index + 1);
    let nobody = Cell::int(0).unwrap_or(Cell::UNSET);
    if tx.load(owner_at)? != nobody.0 {
        tx.open(leases_at)?;
        tx.set(owner_at, nobody.0)?;
    }
    Ok(Ended::Waits)
}

/// Nanoseconds since this process first asked.
fn process_clock() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64 + EVERY.as_nanos() as u64
}

/// The last lease that is meant: its index in the list and its item. From the end, so that what
/// comes back to the front keeps its order.
fn find(
    tx: &Tx<'_>,
    leases_at: Offset,
    is_it: &impl Fn(i64, i64) -> bool,
) -> Result<Option<(u64, Cell)>> {
    let cells = Items::load(tx.heap(), leases_at)?.cells(tx.heap())?;
    let found = cells.chunks_exact(CELLS as usize).enumerate().rev().find(|(_, lease)| {
        matches!(lease, [number, owner, _]
            if is_it(number.as_int().unwrap_or(-1), owner.as_int().unwrap_or(-1)))
    });
    Ok(found.and_then(|(index, lease)| Some((index as u64 * CELLS, *lease.last()?))))
}

/// This process in a cell.
fn owner(heap: &Heap) -> Result<i64> {
    let memory = &heap.0.memory;
    let Some(slot) = memory.own_process.load(Ordering::Relaxed).checked_sub(1) else {
        return Err(Error::ReadOnly { name: heap.name().to_owned() });
    };
    let at = memory.geometry.process_at(slot) + process::INCARNATION;
    let incarnation = memory.meta(at)?.load(Ordering::Acquire) & 0xFFFF_FFFF;
    Ok(((incarnation << 16) | (slot + 1)) as i64)
}

/// Whether the process that this names has no use for its leases any more.
fn is_dead(heap: &Heap, owner: i64) -> Result<bool> {
    let memory = &heap.0.memory;
    let Some(slot) = (owner as u64 & 0xFFFF).checked_sub(1) else { return Ok(true) };
    if slot >= memory.geometry.processes {
        return Ok(true);
    }
    let at = memory.geometry.process_at(slot);
    let incarnation = memory.meta(at + process::INCARNATION)?.load(Ordering::Acquire);
    let state = memory.meta(at + process::STATE)?.load(Ordering::Acquire);
    if incarnation & 0xFFFF_FFFF != owner as u64 >> 16 || state & 0xFFFF_FFFF == process_state::FREE
    {
        return Ok(true);
    }
    let own = memory.own_process.load(Ordering::Relaxed) == slot + 1;
    Ok(!own && memory.process_is_dead(slot)?)
}
