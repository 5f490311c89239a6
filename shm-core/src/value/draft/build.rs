//! Building what a draft lists, under the writer lock: exact blocks, filled before anybody sees them.

use crate::cell::{Cell, Kind, Offset};
use crate::dict::fresh::{Entry, Fresh};
use crate::dict::keys;
use crate::error::Result;
use crate::layout::object;
use crate::list;
use crate::tx::Tx;

use super::{Draft, Node};

impl Draft {
    /// Stores it; the cell owns one count.
    pub(crate) fn store(&self, tx: &mut Tx<'_>) -> Result<Cell> {
        let mut cells: Vec<Cell> = Vec::with_capacity(self.open.capacity());
        let mut hashes: Vec<u64> = Vec::with_capacity(self.open.capacity());
        for (node, hash) in self.nodes.iter().zip(&self.hashes) {
            let cell = match *node {
                Node::Cell(cell) => cell,
                Node::Leaf(kind, start, len) => {
                    let content = self.content.get(start..start + len).unwrap_or_default();
                    crate::leaf::bytes::store(tx, kind, content)?
                }
                Node::Value(index) => match self.values.get(index) {
                    Some(value) => value.store(tx)?,
                    None => Cell::NONE,
                },
                Node::Container(kind, parts) => {
                    let first = cells.len().saturating_sub(parts);
                    let part = cells.get(first..).unwrap_or_default();
                    let cell = build(tx, kind, part, hashes.get(first..).unwrap_or_default())?;
                    cells.truncate(first);
                    hashes.truncate(first);
                    cell
                }
            };
            cells.push(cell);
            hashes.push(*hash);
        }
        match (cells.pop(), cells.is_empty()) {
            (Some(cell), true) => Ok(cell),
            _ => Err(crate::Error::InvalidArgument {
                what: "a draft is not one container: end it with list, dict or set".to_owned(),
            }),
        }
    }
}

/// One container of these cells, whose counts it takes over.
fn build(tx: &mut Tx<'_>, kind: Kind, parts: &[Cell], hashes: &[u64]) -> Result<Cell> {
    let at = tx.alloc_object(kind)?;
    match kind {
        _ if parts.is_empty() => {}
        Kind::List => {
            let (block, cap) = list::fresh_block(tx, parts.len() as u64, true)?;
            list::fill_cells(tx.heap(), block, parts)?;
            tx.fill(at + object::W0, block)?;
            tx.fill(at + object::W1, list::span(0, parts.len() as u64))?;
            tx.fill(at + object::W2, cap)?;
        }
        Kind::Set => {
            let mut fresh = Fresh::<{ keys::SET }>::new(tx, parts.len() as u64)?;
            let entries = parts.iter().zip(hashes);
            fresh.fill(
                tx.heap(),
                entries.map(|(key, hash)| Entry { hash: *hash, key: *key, value: Cell::UNSET }),
            )?;
            fresh.begin(tx, at)?;
        }
        _ => {
            let mut fresh = Fresh::<{ keys::DICT }>::new(tx, parts.len() as u64 / 2)?;
            let entries = parts.chunks_exact(2).zip(hashes.chunks_exact(2));
            fresh.fill(
                tx.heap(),
                entries.map(|(pair, hashes)| Entry {
                    hash: hashes.first().copied().unwrap_or_default(),
                    key: pair.first().copied().unwrap_or(Cell::UNSET),
                    value: pair.last().copied().unwrap_or(Cell::UNSET),
                }),
            )?;
            fresh.begin(tx, at)?;
        }
    }
    reference(tx, kind, at)
}

/// The first reference to a fresh object: its count is filled in like the rest of its header.
fn reference(tx: &mut Tx<'_>, kind: Kind, at: Offset) -> Result<Cell> {
    let meta = crate::object::Meta(tx.load(at + object::META)?);
    tx.fill(at + object::META, meta.0 + 1)?;
    Ok(Cell::reference(kind, at, meta.generation() as u8))
}
