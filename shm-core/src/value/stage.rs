//! Values that are too heavy for one operation, stored step by step where only this process looks.
//!
//! An operation logs a bounded number of words. A tuple of a thousand strings, or a thousand
//! strings to append at once, is therefore first stored into a scratch list that is pinned by this
//! process and referred to by nothing: a few values per operation, tuples built from what lies on
//! top of it. The operation proper then takes the cells over, with all their counts, by setting
//! the scratch list's length to 0. An error or a kill half-way leaves the scratch list unpinned,
//! which frees it with all that it holds.

use crate::cell::{Cell, Kind};
use crate::error::Result;
use crate::heap::Heap;
use crate::leaf::sequence;
use crate::list::List;
use crate::tx::Tx;
use crate::value::Value;

/// Most log entries that values may take in one operation, beside the operation's own.
pub(crate) const BUDGET: usize = 48;

/// One value, ready for one operation.
pub(crate) enum Staged {
    /// Light enough to be stored by the operation.
    Value(Value),
    /// Already stored, as the only item of a scratch list.
    Scratch(List),
}

impl Value {
    /// Makes it ready for one operation.
    #[inline]
    pub(crate) fn prepare(self, heap: &Heap) -> Result<Staged> {
        // A draft is never too heavy: it has a bound of its own.
        if self.immediate().is_some()
            || self.weigh(heap)? <= BUDGET
            || matches!(self, Value::Draft(_))
        {
            return Ok(Staged::Value(self));
        }
        let scratch = List::empty(heap)?;
        Stack { list: &scratch }.push(heap, &self)?;
        Ok(Staged::Scratch(scratch))
    }
}

impl Staged {
    /// The cell that holds the whole value, if one does.
    #[inline]
    pub(crate) fn immediate(&self) -> Option<Cell> {
        match self {
            Staged::Value(value) => value.immediate(),
            Staged::Scratch(_) => None,
        }
    }

    /// Stores the value: the cell owns one count.
    #[inline]
    pub(crate) fn take(&self, tx: &mut Tx<'_>) -> Result<Cell> {
        match self {
            Staged::Value(value) => value.store(tx),
            Staged::Scratch(list) => {
                let cells = list.take_cells(tx)?;
                cells
                    .first()
                    .copied()
                    .ok_or_else(|| tx.heap().corrupt("a scratch list was emptied"))
            }
        }
    }
}

/// Several values, ready for one operation.
pub(crate) enum Batch {
    /// Light enough to be stored by the operation.
    Values(Vec<Value>),
    /// Already stored, in a scratch list.
    Scratch(List, usize),
}

impl Batch {
    /// Makes values ready for one operation.
    pub(crate) fn new(heap: &Heap, values: Vec<Value>) -> Result<Self> {
        if weigh(heap, &values)? <= BUDGET {
            return Ok(Batch::Values(values));
        }
        let scratch = List::empty(heap)?;
        scratch.reserve(values.len())?;
        Stack { list: &scratch }.push_all(heap, values.iter())?;
        Ok(Batch::Scratch(scratch, values.len()))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Batch::Values(values) => values.len(),
            Batch::Scratch(_, len) => *len,
        }
    }

    /// Stores the values: the cells own one count each.
    pub(crate) fn take(&self, tx: &mut Tx<'_>) -> Result<Vec<Cell>> {
        match self {
            Batch::Values(values) => {
                let mut cells = Vec::with_capacity(values.len());
                for value in values {
                    cells.push(value.store(tx)?);
                }
                Ok(cells)
            }
            Batch::Scratch(list, len) => {
                let cells = list.take_cells(tx)?;
                if cells.len() == *len {
                    Ok(cells)
                } else {
                    Err(tx.heap().corrupt("a scratch list was changed"))
                }
            }
        }
    }
}

/// What values weigh together.
fn weigh(heap: &Heap, values: &[Value]) -> Result<usize> {
    let mut weight = 0;
    for value in values {
        weight += value.weigh(heap)?;
    }
    Ok(weight)
}

/// Appends values to a list that only this process knows, in as many operations as it takes.
pub(crate) fn fill(list: &List, values: &[Value]) -> Result<()> {
    let heap = list.heap();
    weigh(heap, values)?;
    Stack { list }.push_all(heap, values.iter())
}

/// A scratch list used as a stack.
struct Stack<'l> {
    list: &'l List,
}

impl Stack<'_> {
    fn push(&self, heap: &Heap, value: &Value) -> Result<()> {
        self.push_all(heap, std::iter::once(value))
    }

    /// Pushes values, as many per operation as the budget allows.
    fn push_all<'v>(&self, heap: &Heap, values: impl Iterator<Item = &'v Value>) -> Result<()> {
        let mut group: Vec<&Value> = Vec::new();
        let mut weight = 0;
        for value in values {
            let more = value.weigh(heap)?;
            if weight + more > BUDGET && !group.is_empty() {
                self.flush(&mut group)?;
                weight = 0;
            }
            if let Value::Draft(_) = value {
                self.flush(&mut group)?;
                group.push(value);
                self.flush(&mut group)?;
                weight = 0;
                continue;
            }
            if more > BUDGET {
                self.push_heavy(heap, value)?;
            } else {
                group.push(value);
                weight += more;
            }
        }
        self.flush(&mut group)
    }

    fn flush(&self, group: &mut Vec<&Value>) -> Result<()> {
        if group.is_empty() {
            return Ok(());
        }
        let at = self.list.object().at();
        self.list.object().heap().write(|tx| {
            let mut cells = Vec::with_capacity(group.len());
            for value in group.iter() {
                cells.push(value.store(tx)?);
            }
            List::append_cells(tx, at, &cells)
        })?;
        group.clear();
        Ok(())
    }

    /// What has parts: first its items, then the leaf that takes them over.
    fn push_heavy(&self, heap: &Heap, value: &Value) -> Result<()> {
        let (kind, count) = match value {
            Value::Tuple(items) => {
                self.push_all(heap, items.iter())?;
                (Kind::Tuple, items.len())
            }
            Value::FrozenSet(items) => {
                let members = sequence::members(heap.hash_key(), items)?;
                let count = members.len();
                self.push_all(heap, members.into_iter())?;
                (Kind::FrozenSet, count)
            }
            Value::Extended(value) => {
                let parts = value.to_parts();
                self.push_all(heap, parts.iter())?;
                (Kind::Extended, parts.len())
            }
            // Nothing else weighs more than an allocation.
            _ => return Ok(()),
        };
        let at = self.list.object().at();
        heap.write(|tx| List::collapse(tx, at, count, |tx, cells| sequence::store(tx, kind, cells)))
    }
}
