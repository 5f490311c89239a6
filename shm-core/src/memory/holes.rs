//! Holes: pages in front of the end whose memory the file system has back.
//!
//! A look at one by way of the file would take memory again, and end the process where there is none. So
//! each process that maps the segment has zeros of its own in the place of each hole, and holes come
//! and go only while nobody else maps it (see `sys::presence`). Which pages are holes is told by the directory
//! (`alloc::holes`).

use std::ops::Range;

use super::Memory;
use crate::error::Result;
use crate::layout::{PAGE_BYTES, header};
use crate::primitive::Ordering;

/// Bytes of data pages.
fn bytes_of(pages: &Range<u64>) -> Range<u64> {
    pages.start * PAGE_BYTES..pages.end * PAGE_BYTES
}

impl Memory {
    /// How many pages are holes, or somewhat more.
    pub(crate) fn holes(&self) -> Result<u64> {
        Ok(self.meta(header::HOLES)?.load(Ordering::Relaxed))
    }

    /// Puts zeros into the place of holes, in this process. Whoever joins does so before the first look at
    /// the data pages.
    pub(crate) fn cover(&self, pages: &Range<u64>) -> Result<()> {
        self.with_file("cover holes of", |_| self.map.cover(bytes_of(pages)))
    }

    /// Gives the memory of pages back to the file system. They are marked as holes, the caller holds the
    /// writer lock, and nobody else maps the segment.
    pub(crate) fn punch(&self, pages: &Range<u64>) -> Result<()> {
        // First, because threads of this process may be on their way to what was there.
        self.cover(pages)?;
        self.with_file("punch holes into", |file| {
            file.punch(self.geometry.page_at(pages.start), (pages.end - pages.start) * PAGE_BYTES)
        })
    }

    /// Takes memory for holes. As for [`Memory::punch`], and they are marked as holes until this is done.
    ///
    /// # Errors
    /// `SegmentFull`: the file system has no more.
    pub(crate) fn fill(&self, pages: &Range<u64>) -> Result<()> {
        self.with_file("grow", |file| {
            file.reserve(
                self.geometry.page_at(pages.start),
                (pages.end - pages.start) * PAGE_BYTES,
            )?;
            self.map.uncover(file.as_file(), bytes_of(pages))
        })
    }
}
