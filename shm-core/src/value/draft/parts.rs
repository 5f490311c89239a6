//! A draft part by part: what it lists, and one made again of such a list. So messages carry drafts.

use crate::cell::{Cell, INLINE_BYTES, Kind};
use crate::error::Result;
use crate::hash;
use crate::value::{Value, is_wtf8};

use super::{Draft, Node};

/// One part of a draft or of a copy.
#[derive(Clone, Copy, Debug)]
pub enum Part<'d> {
    /// A value that lives in its cell.
    Cell(Cell),
    /// Text as WTF-8.
    Text(&'d [u8]),
    /// Bytes.
    Bytes(&'d [u8]),
    /// Any other value.
    Value(&'d Value),
    /// A list of the last so many parts.
    List(usize),
    /// A set of the last so many parts.
    Set(usize),
    /// A dict of the last so many pairs of parts.
    Dict(usize),
}

impl Draft {
    /// Adds a part that was one of a draft before: `is_key` if it may be a key or member. Whether it
    /// can be one here.
    pub(crate) fn part(&mut self, part: Part<'_>, is_key: bool) -> Result<bool> {
        let kind = match part {
            Part::Cell(cell) => {
                let hash = if is_key { hash::cell(self.hash_key, cell)? } else { 0 };
                self.push(Node::Cell(cell), hash);
                return Ok(true);
            }
            Part::Text(text) if !is_wtf8(text) => return Ok(false),
            Part::Text(_) => Kind::Str,
            Part::Bytes(_) => Kind::Bytes,
            Part::Value(value) => {
                self.value(value.clone())?;
                return Ok(true);
            }
            Part::List(items) => return Ok(self.list(items)),
            Part::Set(members) => return Ok(self.are_keys(members, 1) && self.set(members)),
            Part::Dict(entries) => return Ok(self.are_keys(entries, 2) && self.dict(entries)),
        };
        let (Part::Text(content) | Part::Bytes(content)) = part else { return Ok(false) };
        if content.len() <= INLINE_BYTES {
            return Ok(false);
        }
        let hash = if is_key { hash::bytes(self.hash_key, content) } else { 0 };
        self.leaf(kind, content, hash);
        Ok(true)
    }

    /// Whether the last so many parts, each `stride`th of them, were added as keys.
    fn are_keys(&self, keys: usize, stride: usize) -> bool {
        let first = self.open.len().checked_sub(keys.saturating_mul(stride));
        let Some(open) = first.and_then(|first| self.open.get(first..)) else { return false };
        open.iter().step_by(stride).all(|number| {
            let hash = self.hashes.get(*number as usize);
            hash.is_some_and(|hash| *hash != 0)
        })
    }

    /// Its parts, children before their container, and whether each was added as a key.
    pub(crate) fn parts_and_keys(&self) -> impl Iterator<Item = (Part<'_>, bool)> {
        self.parts().zip(self.hashes.iter().map(|hash| *hash != 0))
    }

    /// Its parts, children before their container.
    pub(in crate::value) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.nodes.iter().map(|node| match *node {
            Node::Cell(cell) => Part::Cell(cell),
            Node::Leaf(kind, start, length) => {
                let content = self.content.get(start..start + length).unwrap_or_default();
                if kind == Kind::Str { Part::Text(content) } else { Part::Bytes(content) }
            }
            Node::Value(index) => {
                self.values.get(index).map_or(Part::Cell(Cell::NONE), Part::Value)
            }
            Node::Container(Kind::List, parts) => Part::List(parts),
            Node::Container(Kind::Set, parts) => Part::Set(parts),
            Node::Container(_, parts) => Part::Dict(parts / 2),
        })
    }
}
