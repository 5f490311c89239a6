//! Size classes: which blocks a page is cut into, and where its bitmap lies.
//!
//! Classes are multiples of 16 up to 128 bytes, then four per doubling up to 32 KiB (at most 25 %
//! waste); larger blocks are runs of whole pages. A page of at most 64 blocks keeps its bitmap in
//! its directory entry and is all blocks; others start with the bitmap and room for the
//! collector's mark bitmap.

use crate::layout::{CACHE_CLASSES, PAGE_BYTES};

/// How many size classes there are.
#[cfg(test)]
pub(crate) const CLASSES: u8 = 40;
/// The list head of pages of object headers.
pub(crate) const HEADERS: u8 = 63;
/// Blocks of 512 bytes: the smallest tables of pins are that large.
pub(crate) const PIN_TABLES: u8 = 15;
/// Largest block that a class holds.
pub(crate) const LARGEST: u64 = 32 * 1024;

/// The smallest class whose blocks have at least `bytes`; `None` asks for whole pages.
#[inline]
pub(crate) const fn class_of(bytes: u64) -> Option<u8> {
    if bytes <= 128 {
        return Some(bytes.saturating_sub(1) as u8 / 16);
    }
    if bytes > LARGEST {
        return None;
    }
    // In (2^k, 2^(k+1)] the classes are 2^k * {5, 6, 7, 8} / 4.
    let k = (bytes - 1).ilog2() as u64;
    let quarter = (bytes - 1 - (1 << k)) >> (k - 2);
    Some((8 + (k - 7) * 4 + quarter) as u8)
}

/// The same for classes of which blocks are cached, by a table.
#[inline]
pub(crate) fn small_class_of(bytes: u64) -> Option<u8> {
    SMALL_CLASSES.get(bytes.div_ceil(16) as usize).copied()
}

/// By the bytes' multiple of 16.
static SMALL_CLASSES: [u8; 33] = {
    let mut classes = [0; 33];
    let mut sixteens = 1;
    while sixteens < 33 {
        classes[sixteens] = match class_of(sixteens as u64 * 16) {
            Some(class) => class,
            None => u8::MAX,
        };
        sixteens += 1;
    }
    assert!(classes[32] as usize + 1 == CACHE_CLASSES);
    classes
};

/// Bytes of a class's blocks.
#[cfg(test)]
pub(crate) fn size_of(class: u8) -> u64 {
    let class = u64::from(class);
    if class == u64::from(HEADERS) {
        64
    } else if class < 8 {
        (class + 1) * 16
    } else {
        let k = 7 + (class - 8) / 4;
        (1 << k) + (((class - 8) % 4 + 1) << (k - 2))
    }
}

/// How a page of a class is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Bytes of a block.
    pub(crate) size: u64,
    /// Blocks of the page.
    pub(crate) blocks: u64,
    /// Where the first one starts, from the page's start.
    pub(crate) first: u64,
    /// 2^32 / size, rounded up: a division of offsets in a page is a multiplication by it.
    reciprocal: u64,
}

impl Cut {
    /// The cut of a class's pages.
    #[inline]
    pub(crate) fn of(class: u8) -> Self {
        CUTS.get(usize::from(class)).copied().unwrap_or(NO_CLASS)
    }

    const fn compute(size: u64) -> Self {
        let reciprocal = (1_u64 << 32).div_ceil(size);
        if PAGE_BYTES / size <= 64 {
            return Cut { size, blocks: PAGE_BYTES / size, first: 0, reciprocal };
        }
        // Two bitmaps in front, each rounded up to a cache line.
        let mut blocks = PAGE_BYTES / size;
        loop {
            let first = (blocks.div_ceil(64) * 8).next_multiple_of(64) * 2;
            if first + blocks * size <= PAGE_BYTES {
                return Cut { size, blocks, first, reciprocal };
            }
            blocks -= 1;
        }
    }

    /// Which block starts at so many bytes from the page's start.
    #[inline]
    pub(crate) fn place_of(self, inside: u64) -> Option<u64> {
        let inside = inside.wrapping_sub(self.first);
        if inside >= PAGE_BYTES {
            return None;
        }
        // Exact: the error of the reciprocal is below 1 / 2^32, the product of it and the offset in a
        // page below 1 / size.
        let index = (inside * self.reciprocal) >> 32;
        (index < self.blocks && index * self.size == inside).then_some(index)
    }

    /// A run of pages, which is one block.
    pub(crate) const fn whole(size: u64) -> Self {
        Cut { size, blocks: 1, first: 0, reciprocal: 0 }
    }

    /// Words of the bitmap.
    #[inline]
    pub(crate) fn bitmap_words(self) -> u64 {
        self.blocks.div_ceil(64)
    }

    /// Whether the bitmap lies in the directory entry.
    #[inline]
    pub(crate) fn is_inline(self) -> bool {
        self.first == 0
    }

    /// The bits that stand for blocks, in one word of the bitmap.
    #[inline]
    pub(crate) fn valid_bits(self, word: u64) -> u64 {
        let rest = self.blocks - (word * 64).min(self.blocks);
        if rest >= 64 { u64::MAX } else { (1 << rest) - 1 }
    }
}

/// The cut of a class that there is not.
const NO_CLASS: Cut = Cut { size: 64, blocks: 0, first: 0, reciprocal: 0 };

/// By class.
static CUTS: [Cut; 64] = {
    let mut cuts = [NO_CLASS; 64];
    let mut class = 0;
    while class < 40 {
        let size = if class < 8 {
            (class as u64 + 1) * 16
        } else {
            let k = 7 + (class as u64 - 8) / 4;
            (1 << k) + (((class as u64 - 8) % 4 + 1) << (k - 2))
        };
        cuts[class] = Cut::compute(size);
        class += 1;
    }
    cuts[HEADERS as usize] = Cut::compute(64);
    cuts
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_gets_the_smallest_class_that_holds_it() {
        for bytes in 1..=LARGEST {
            let class = class_of(bytes).unwrap();
            assert!(class < CLASSES);
            assert!(size_of(class) >= bytes, "{bytes}");
            assert!(class == 0 || size_of(class - 1) < bytes, "{bytes}");
            let small = usize::from(class) < CACHE_CLASSES;
            assert_eq!(small_class_of(bytes), small.then_some(class), "{bytes}");
        }
        assert_eq!(class_of(LARGEST + 1), None);
    }

    #[test]
    fn places_are_those_that_division_finds() {
        for class in (0..CLASSES).chain([HEADERS]) {
            let cut = Cut::of(class);
            for inside in (0..PAGE_BYTES + 64).chain([u64::MAX, u64::MAX - 15]) {
                let at = inside.wrapping_sub(cut.first);
                let exact = at.is_multiple_of(cut.size).then_some(at / cut.size);
                assert_eq!(cut.place_of(inside), exact.filter(|index| *index < cut.blocks));
            }
        }
    }

    #[test]
    fn cuts_fit_into_a_page() {
        for class in (0..CLASSES).chain([HEADERS]) {
            let cut = Cut::of(class);
            assert_eq!(cut.size, size_of(class));
            assert!(cut.blocks >= 2);
            assert!(cut.first + cut.blocks * cut.size <= PAGE_BYTES);
            assert!(cut.first.is_multiple_of(16) && cut.size.is_multiple_of(16));
            assert!(cut.is_inline() == (cut.blocks <= 64));
        }
    }
}
