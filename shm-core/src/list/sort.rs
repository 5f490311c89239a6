//! Sorting: compare without any lock, then store the new order if nobody changed the list.
//!
//! The sort is a stable merge sort that survives any comparison function, also an inconsistent or
//! a failing one. Only the order is stored: the cells stay the same, so nothing is counted anew.

use std::cmp::Ordering;

use crate::error::{Error, Result};
use crate::layout::object;
use crate::list::bulk::rearrange;
use crate::list::items::Items;
use crate::list::{List, decode_all};
use crate::value::Value;

impl List {
    /// The items, and the version that they are of; see [`List::permute_if_unchanged`].
    pub fn snapshot_with_version(&self) -> Result<(u64, Vec<Value>)> {
        let at = self.at();
        self.heap().read(at, |heap| {
            let version = heap.load(at + object::SEQ)?;
            Ok((version, decode_all(heap, &Items::load(heap, at)?.cells(heap)?)?))
        })
    }

    /// Reorders the items if the list is still of that version: item `order[i]` moves to position
    /// `i`. Tells whether it did.
    ///
    /// # Errors
    /// `InvalidArgument` if `order` does not name each position once.
    pub fn permute_if_unchanged(&self, version: u64, order: &[usize]) -> Result<bool> {
        let mut seen = vec![false; order.len()];
        for position in order {
            match seen.get_mut(*position) {
                Some(flag) if !*flag => *flag = true,
                _ => {
                    return Err(Error::InvalidArgument {
                        what: format!("the order names position {position} wrongly"),
                    });
                }
            }
        }
        let at = self.at();
        self.heap().write(|tx| {
            let items = Items::load(tx.heap(), at)?;
            if tx.load(at + object::SEQ)? != version || items.len != order.len() as u64 {
                return Ok(false);
            }
            let cells = items.cells(tx.heap())?;
            let sorted: Vec<_> =
                order.iter().filter_map(|from| cells.get(*from).copied()).collect();
            rearrange(tx, at, items, &sorted)?;
            Ok(true)
        })
    }

    /// Replaces all items if the list is still of that version; tells whether it did.
    pub fn store_if_unchanged(&self, version: u64, mut values: Vec<Value>) -> Result<bool> {
        let at = self.at();
        self.accept_all(&mut values)?;
        let batch = crate::value::Batch::new(self.heap(), values)?;
        self.heap().write(|tx| {
            if tx.load(at + object::SEQ)? != version {
                return Ok(false);
            }
            let old = Items::load(tx.heap(), at)?;
            let cells = batch.take(tx)?;
            let len = cells.len() as u64;
            let (block, cap) = crate::list::items::fresh(tx, len, true)?;
            crate::list::items::fill(tx.heap(), block, &cells)?;
            crate::list::items::swap_in(tx, at, Items { block, start: 0, len, cap })?;
            crate::list::bulk::discard(tx, old)?;
            Ok(true)
        })
    }

    /// Sorts by Python's `<`, stably.
    ///
    /// # Errors
    /// `WrongType` if two items have no order; `Changed` if the list changed meanwhile.
    pub fn sort(&self) -> Result<()> {
        self.sort_by(|a, b| Ok(a.try_cmp(b)?.unwrap_or(Ordering::Equal)))
    }

    /// Sorts by a comparison function, stably; the function runs without any lock.
    ///
    /// # Errors
    /// The function's first error; `Changed` if the list changed meanwhile. Then the list is as it
    /// was.
    pub fn sort_by(
        &self,
        mut compare: impl FnMut(&Value, &Value) -> Result<Ordering>,
    ) -> Result<()> {
        let (version, values) = self.snapshot_with_version()?;
        let order = merge_sort(values.len(), |a, b| match (values.get(a), values.get(b)) {
            (Some(a), Some(b)) => compare(a, b),
            _ => Ok(Ordering::Equal),
        })?;
        if self.permute_if_unchanged(version, &order)? {
            return Ok(());
        }
        Err(Error::Changed { what: "list", during: "sort" })
    }
}

/// The stable order of positions; `compare` is asked about two positions.
fn merge_sort(
    len: usize,
    mut compare: impl FnMut(usize, usize) -> Result<Ordering>,
) -> Result<Vec<usize>> {
    let mut order: Vec<usize> = (0..len).collect();
    let mut merged = Vec::with_capacity(len);
    let mut width = 1;
    while width < len {
        merged.clear();
        for pair in order.chunks(width.saturating_mul(2)) {
            let (left, right) = pair.split_at(width.min(pair.len()));
            let mut left = left.iter().copied().peekable();
            let mut right = right.iter().copied().peekable();
            while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
                let next = if compare(*b, *a)? == Ordering::Less { &mut right } else { &mut left };
                merged.extend(next.next());
            }
            merged.extend(left);
            merged.extend(right);
        }
        std::mem::swap(&mut order, &mut merged);
        width = width.saturating_mul(2);
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn merge_sort_is_the_stable_sort(keys in prop::collection::vec(0..10_u8, 0..100)) {
            let order = merge_sort(keys.len(), |a, b| Ok(keys[a].cmp(&keys[b]))).unwrap();
            let mut expected: Vec<usize> = (0..keys.len()).collect();
            expected.sort_by_key(|position| keys[*position]);
            prop_assert_eq!(order, expected);
        }

        #[test]
        fn nonsense_comparison_still_gives_a_permutation(len in 0..200_usize, mut seed: u64) {
            let mut order = merge_sort(len, |_, _| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                Ok(if seed >> 63 == 1 { Ordering::Less } else { Ordering::Greater })
            }).unwrap();
            order.sort_unstable();
            prop_assert_eq!(order, (0..len).collect::<Vec<_>>());
        }
    }
}
