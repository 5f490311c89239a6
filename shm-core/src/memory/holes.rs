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
        self.with_file_alone("cover holes of", |_| self.map.cover(bytes_of(pages)))
    }

    /// Gives the memory of pages back to the file system. They are marked as holes, the caller holds the
    /// writer lock, and nobody else maps the segment.
    pub(crate) fn punch(&self, pages: &Range<u64>) -> Result<()> {
        self.with_file_alone("punch holes into", |file| {
            // First, because threads of this process may be on their way to what was there.
            self.map.cover(bytes_of(pages))?;
            file.punch(self.geometry.page_at(pages.start), (pages.end - pages.start) * PAGE_BYTES)
        })
    }

    /// Takes memory for holes. As for [`Memory::punch`], and they are marked as holes until this is done.
    ///
    /// # Errors
    /// `SegmentFull`: the file system has no more.
    pub(crate) fn fill(&self, pages: &Range<u64>) -> Result<()> {
        self.with_file("grow", |file| {
            let bytes = (pages.end - pages.start) * PAGE_BYTES;
            file.reserve(self.geometry.page_at(pages.start), bytes)
        })?;
        self.with_file_alone("grow", |file| self.map.uncover(file.as_file(), bytes_of(pages)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::channel;

    use crate::options::SegmentOptions;
    use crate::segment::Segment;

    /// Whether a thread of this process sleeps.
    fn sleeps(thread: &Path) -> bool {
        let stat = std::fs::read_to_string(Path::new("/proc").join(thread).join("stat"));
        stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" S")))
    }

    #[test]
    fn holes_come_when_no_thread_is_about_to_map_the_file_in_their_place() {
        let segment = Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap();
        let memory = &segment.heap().0.memory;
        let (inside, is_inside) = channel();
        let (done, is_done) = channel();
        let (name, named) = channel();
        std::thread::scope(|scope| {
            // Whoever fails here lets it go on.
            let done = done;
            // As one who learns of a new end.
            scope.spawn(move || {
                let wait = |_: &_| {
                    inside.send(()).unwrap();
                    is_done.recv().unwrap();
                    Ok(())
                };
                memory.with_file("look at", wait).unwrap();
            });
            is_inside.recv().unwrap();
            let last = memory.geometry.pages();
            let puncher = scope.spawn(move || {
                name.send(std::fs::read_link("/proc/thread-self").unwrap()).unwrap();
                memory.punch(&(last - 4..last)).unwrap();
            });
            let thread = named.recv().unwrap();
            while !sleeps(&thread) {
                assert!(!puncher.is_finished(), "it did not wait");
                std::thread::yield_now();
            }
            done.send(()).unwrap();
        });
    }
}
