//! Where fields lie: room (cells and bytes), places, and the plan of a struct.
//!
//! All of it is computed by the compiler for derived structs and at run time, checked, for stored
//! schemas; the rules are in the head of [`super`].

/// Most bytes that a struct may have: as many as a bytearray. A schema may come from a segment that
/// somebody else wrote, and an image of its struct must not be more than a process can have.
const MOST_BYTES: usize = 1 << 32;
/// Most cells that a struct may have.
const MOST_CELLS: usize = 1 << 26;

/// The room that a value takes inside of a struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How many cells.
    pub cells: usize,
    /// How many plain bytes, a multiple of `align`.
    pub size: usize,
    /// Alignment of the plain bytes: 1, 2, 4, 8 or 16.
    pub align: usize,
}

/// A place inside of a struct: how many cells and how many plain bytes lie before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of its first cell.
    pub cells: usize,
    /// Offset of its first plain byte.
    pub plain: usize,
}

/// Where the fields of a struct lie.
#[derive(Clone, Copy, Debug)]
pub struct Plan<const N: usize> {
    /// Where each field lies.
    pub places: [Place; N],
    /// The room that all take together.
    pub layout: Layout,
}

impl Layout {
    /// No room.
    pub const EMPTY: Layout = Layout { cells: 0, size: 0, align: 1 };
    /// One cell.
    pub const CELL: Layout = Layout { cells: 1, size: 0, align: 1 };

    /// A number of this many bytes.
    #[must_use]
    pub const fn number(size: usize) -> Self {
        Layout { cells: 0, size, align: size }
    }

    /// Room for `len` of them; `None` if that is more than a struct may have.
    #[must_use]
    pub const fn checked_array(self, len: usize) -> Option<Self> {
        match (self.cells.checked_mul(len), self.size.checked_mul(len)) {
            (Some(cells), Some(size)) if cells <= MOST_CELLS && size <= MOST_BYTES => {
                Some(Layout { cells, size, align: self.align })
            }
            _ => None,
        }
    }

    /// Room for one or none; with a niche, its cell tells which.
    #[must_use]
    pub const fn checked_option(self, niche: bool) -> Option<Self> {
        if niche {
            return Some(self);
        }
        match Layout::number(1).checked_then(self) {
            Some((_, whole)) => Some(whole.padded()),
            None => None,
        }
    }

    /// Where `next` lies behind it, and the room for both.
    #[must_use]
    pub const fn checked_then(self, next: Layout) -> Option<(Place, Layout)> {
        // Each part is at most the limit, so the sums cannot overflow.
        let plain = self.size.next_multiple_of(next.align);
        let (cells, size) = (self.cells + next.cells, plain + next.size);
        if cells > MOST_CELLS || size > MOST_BYTES {
            return None;
        }
        let align = if next.align > self.align { next.align } else { self.align };
        Some((Place { cells: self.cells, plain }, Layout { cells, size, align }))
    }

    /// Room for either of two, which start at the same place.
    #[must_use]
    pub const fn either(self, other: Layout) -> Self {
        let cells = if self.cells > other.cells { self.cells } else { other.cells };
        let size = if self.size > other.size { self.size } else { other.size };
        let align = if self.align > other.align { self.align } else { other.align };
        Layout { cells, size, align }
    }

    /// With the size rounded up to the alignment.
    #[must_use]
    pub const fn padded(self) -> Self {
        Layout { size: self.size.next_multiple_of(self.align), ..self }
    }

    /// Like [`checked_array`](Self::checked_array), for the compiler.
    ///
    /// # Panics
    /// At compile time, if it is beyond any segment.
    #[must_use]
    pub const fn array(self, len: usize) -> Self {
        match self.checked_array(len) {
            Some(layout) => layout,
            None => panic!("this array is larger than any segment; use `List`"),
        }
    }

    /// Like [`checked_option`](Self::checked_option), for the compiler.
    ///
    /// # Panics
    /// At compile time, if it is beyond any segment.
    #[must_use]
    pub const fn option(self, niche: bool) -> Self {
        match self.checked_option(niche) {
            Some(layout) => layout,
            None => panic!("this option is larger than any segment; use `List`"),
        }
    }

    /// Where the value of an option lies behind its byte.
    #[must_use]
    pub(crate) const fn option_value(self, niche: bool) -> Place {
        Place { cells: 0, plain: if niche { 0 } else { self.align } }
    }
}

impl Place {
    /// The start of a struct.
    pub const START: Place = Place { cells: 0, plain: 0 };

    /// A place inside of the value that is here.
    #[inline]
    #[must_use]
    pub const fn part(self, inner: Place) -> Place {
        Place { cells: self.cells + inner.cells, plain: self.plain + inner.plain }
    }

    /// The place of an element of the array that is here.
    #[inline]
    #[must_use]
    pub const fn element(self, element: Layout, index: usize) -> Place {
        Place {
            cells: self.cells + element.cells * index,
            plain: self.plain + element.size * index,
        }
    }
}

impl<const N: usize> Plan<N> {
    /// Lays fields out one after the other.
    ///
    /// # Panics
    /// At compile time, if they are larger than any segment.
    #[must_use]
    pub const fn new(fields: [Layout; N]) -> Self {
        let plan = Plan::after(Layout::EMPTY, fields);
        Plan { layout: plan.layout.padded(), ..plan }
    }

    /// Lays fields out behind what is there, such as the number of an enum's variant.
    ///
    /// # Panics
    /// At compile time, if they are larger than any segment.
    #[must_use]
    pub const fn after(head: Layout, fields: [Layout; N]) -> Self {
        let mut places = [Place::START; N];
        let mut layout = head;
        let mut at = 0;
        while at < N {
            match layout.checked_then(fields[at]) {
                Some((place, whole)) => {
                    places[at] = place;
                    layout = whole;
                }
                None => panic!("this struct is larger than any segment; use `List` for its arrays"),
            }
            at += 1;
        }
        Plan { places, layout }
    }
}
