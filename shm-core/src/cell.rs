//! The 8-byte tagged word that holds one value or a reference to one.
//!
//! A cell is one word, so a reader sees the old or the new value and a kill leaves one of the
//! two. Small values live in the cell itself; others are a reference to a block. Cells are copied
//! freely: counting what a `REF` cell refers to is the business of `object`.
//!
//! ```text
//! low bits   content
//! ....01     int62: value = word >> 2, arithmetic
//! ....10     flonum: sign, 1 bit that stands for the exponent's top 3 (011 or 100), 60 low bits
//! ...000     REF: bits 4-47 offset / 16, in place; 48-55 type code; 56-63 generation
//! ...100     special: bits 3-7 say which (None, False, True, 0.0, ...)
//! ...011     str of at most 7 bytes: bits 3-5 length, bytes 1-7 UTF-8 (or surrogate-free WTF-8)
//! ...111     bytes of at most 7 bytes, same form
//! word 0     unset
//! ```

mod kind;

pub use kind::{FIRST_OBJECT, Kind};

/// A byte offset from the start of the segment.
pub type Offset = u64;

/// Longest str or bytes that fits into a cell.
pub const INLINE_BYTES: usize = 7;
/// Largest integer that fits into a cell.
pub const INT_MAX: i64 = (1 << 61) - 1;
/// Smallest integer that fits into a cell.
pub const INT_MIN: i64 = -(1 << 61);

const OFFSET_MASK: u64 = 0x0000_FFFF_FFFF_FFF0;

/// One tagged word. Equality is identity of the word, not of the value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cell(pub u64);

/// A cell taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum View {
    /// Never written.
    Unset,
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of at most 62 bits.
    Int(i64),
    /// A float.
    Float(f64),
    /// A str of at most 7 bytes.
    Str(Inline),
    /// A bytes of at most 7 bytes.
    Bytes(Inline),
    /// The empty tuple.
    EmptyTuple,
    /// A deleted entry.
    Tombstone,
    /// A block elsewhere.
    Ref(Ref),
}

/// The bytes of a short str or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inline {
    bytes: [u8; 8],
    len: u8,
}

impl Inline {
    /// The content.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        // Byte 0 is the tag; `len` is at most 7 by construction.
        self.bytes.get(1..=usize::from(self.len)).unwrap_or_default()
    }
}

/// A reference taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ref {
    /// What it refers to.
    pub kind: Kind,
    /// Where that starts.
    pub at: Offset,
    /// Low 8 bits of the block's generation; 0 for leaves.
    pub generation: u8,
}

impl Cell {
    /// Never written.
    pub const UNSET: Cell = Cell(0);
    /// `None`.
    pub const NONE: Cell = Cell::special(0);
    /// `False`.
    pub const FALSE: Cell = Cell::special(1);
    /// `True`.
    pub const TRUE: Cell = Cell::special(2);
    /// `0.0`, whose exponent does not fit into a flonum.
    pub const ZERO: Cell = Cell::special(3);
    /// `()`.
    pub const EMPTY_TUPLE: Cell = Cell::special(4);
    /// A deleted entry.
    pub const TOMBSTONE: Cell = Cell::special(5);

    const fn special(code: u64) -> Cell {
        Cell((code << 3) | 0b100)
    }

    /// An integer, if it has at most 62 bits.
    #[inline]
    #[must_use]
    pub fn int(value: i64) -> Option<Cell> {
        ((INT_MIN..=INT_MAX).contains(&value)).then_some(Cell(((value as u64) << 2) | 0b01))
    }

    /// A bool.
    #[inline]
    #[must_use]
    pub fn bool(value: bool) -> Cell {
        if value { Cell::TRUE } else { Cell::FALSE }
    }

    /// A float, if it is 0.0 or its exponent is near enough to 0 (about 1e-77 to 1e77).
    #[inline]
    #[must_use]
    pub fn float(value: f64) -> Option<Cell> {
        let bits = value.to_bits();
        if bits == 0 {
            return Some(Cell::ZERO);
        }
        let exponent_top = (bits >> 60) & 0b111;
        if exponent_top != 3 && exponent_top != 4 {
            return None;
        }
        let payload = ((bits >> 63) << 61) | ((exponent_top - 3) << 60) | (bits & ((1 << 60) - 1));
        Some(Cell((payload << 2) | 0b10))
    }

    /// A str of at most 7 bytes.
    #[inline]
    #[must_use]
    pub fn short_str(text: &[u8]) -> Option<Cell> {
        Self::inline(text, 0b011)
    }

    /// A bytes of at most 7 bytes.
    #[inline]
    #[must_use]
    pub fn short_bytes(bytes: &[u8]) -> Option<Cell> {
        Self::inline(bytes, 0b111)
    }

    #[inline]
    fn inline(bytes: &[u8], tag: u64) -> Option<Cell> {
        let len = bytes.len() as u64;
        // Two loads that may overlap: a copy of so few bytes through memory takes longer than a look-up.
        let content = if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            let [first, last] = [first, last].map(|bytes| u64::from(u32::from_le_bytes(*bytes)));
            if len > 7 {
                return None;
            }
            first | (last << ((len - 4) * 8))
        } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last()) {
            u64::from(u16::from_le_bytes(*first)) | (u64::from(*last) << ((len - 1) * 8))
        } else {
            bytes.first().map_or(0, |byte| u64::from(*byte))
        };
        Some(Cell((content << 8) | (len << 3) | tag))
    }

    /// A reference to a block; `at` is a multiple of 16 below 2^48.
    #[inline]
    #[must_use]
    pub fn reference(kind: Kind, at: Offset, generation: u8) -> Cell {
        debug_assert_eq!(at & !OFFSET_MASK, 0);
        Cell((at & OFFSET_MASK) | ((kind as u64) << 48) | (u64::from(generation) << 56))
    }

    /// The integer, if it is one.
    #[inline]
    #[must_use]
    pub fn as_int(self) -> Option<i64> {
        (self.0 & 0b11 == 0b01).then_some((self.0 as i64) >> 2)
    }

    /// The float, if it is one that lives in the cell.
    #[inline]
    #[must_use]
    pub fn as_float(self) -> Option<f64> {
        if self.0 & 0b11 == 0b10 {
            let payload = self.0 >> 2;
            let exponent_top = ((payload >> 60) & 1) + 3;
            let bits = ((payload >> 61) << 63) | (exponent_top << 60) | (payload & ((1 << 60) - 1));
            return Some(f64::from_bits(bits));
        }
        (self == Cell::ZERO).then_some(0.0)
    }

    /// Whether the cell itself holds the whole value, so that nothing is counted.
    #[inline]
    #[must_use]
    pub fn is_immediate(self) -> bool {
        self.0 & 0b111 != 0 || self.0 == 0
    }

    /// The reference, if it is a well-formed one.
    #[inline]
    #[must_use]
    pub fn as_ref(self) -> Option<Ref> {
        if self.is_immediate() {
            return None;
        }
        Some(Ref {
            kind: Kind::from_code((self.0 >> 48) as u8)?,
            at: self.0 & OFFSET_MASK,
            generation: (self.0 >> 56) as u8,
        })
    }

    /// Where a reference leads to; anything for a cell that is none.
    #[inline]
    pub(crate) fn target(self) -> Offset {
        self.0 & OFFSET_MASK
    }

    /// Type code and place of a leaf, if the cell refers to one.
    #[inline]
    pub(crate) fn as_leaf(self) -> Option<(u64, Offset)> {
        // The generation, on top of the code, is 0.
        let code = self.0 >> 48;
        let is_leaf = code < u64::from(FIRST_OBJECT) && self.0 & 0xF == 0;
        is_leaf.then_some((code, self.0 & OFFSET_MASK))
    }

    /// The cell taken apart; `None` for a word that no writer of this format makes.
    #[inline]
    #[must_use]
    pub fn view(self) -> Option<View> {
        if let Some(value) = self.as_int() {
            return Some(View::Int(value));
        }
        if let Some(value) = self.as_float() {
            return Some(View::Float(value));
        }
        Some(match self.0 & 0b111 {
            0b000 if self.0 == 0 => View::Unset,
            0b000 => View::Ref(self.as_ref()?),
            0b011 => View::Str(self.inline_bytes()),
            0b111 => View::Bytes(self.inline_bytes()),
            _ => match self {
                Cell::NONE => View::None,
                Cell::FALSE => View::Bool(false),
                Cell::TRUE => View::Bool(true),
                Cell::EMPTY_TUPLE => View::EmptyTuple,
                Cell::TOMBSTONE => View::Tombstone,
                _ => return None,
            },
        })
    }

    fn inline_bytes(self) -> Inline {
        Inline { bytes: self.0.to_le_bytes(), len: ((self.0 >> 3) & 0b111) as u8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_of_62_bits_round_trip(value in INT_MIN..=INT_MAX) {
            prop_assert_eq!(Cell::int(value).unwrap().view(), Some(View::Int(value)));
        }

        #[test]
        fn floats_round_trip_or_refuse(value in any::<f64>()) {
            if let Some(cell) = Cell::float(value) {
                prop_assert_eq!(cell.as_float().unwrap().to_bits(), value.to_bits());
            }
        }

        #[test]
        fn short_text_round_trips(text in "[a-zé]{0,4}") {
            if let Some(cell) = Cell::short_str(text.as_bytes()) {
                let Some(View::Str(inline)) = cell.view() else { panic!("not a str: {cell:?}") };
                prop_assert_eq!(inline.as_slice(), text.as_bytes());
            } else {
                prop_assert!(text.len() > INLINE_BYTES);
            }
        }

        #[test]
        fn any_word_can_be_taken_apart(word in any::<u64>()) {
            let _ = Cell(word).view();
        }
    }

    #[test]
    fn everyday_floats_need_no_block() {
        for value in [0.0, 1.0, -1.5, 1e76, -1e76, 1e-76, std::f64::consts::PI] {
            assert_eq!(Cell::float(value).and_then(Cell::as_float), Some(value));
        }
        assert_eq!(Cell::float(-0.0), None);
        assert_eq!(Cell::float(f64::NAN), None);
    }

    #[test]
    fn integers_beyond_62_bits_are_refused() {
        assert_eq!(Cell::int(INT_MAX + 1), None);
        assert_eq!(Cell::int(INT_MIN - 1), None);
    }

    #[test]
    fn references_round_trip() {
        let cell = Cell::reference(Kind::Dict, 0x1234_5670, 0xAB);
        assert_eq!(
            cell.as_ref(),
            Some(Ref { kind: Kind::Dict, at: 0x1234_5670, generation: 0xAB })
        );
        assert!(!cell.is_immediate());
    }
}
