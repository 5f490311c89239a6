//! What an operation lacked when it failed, and memory that is taken before it runs again.
//!
//! Taking memory from the file system takes 0.4 ms for each MiB, in which others are to write. So an
//! operation that needs pages and can be run again fails, gives the lock back, takes the memory, and runs
//! again. Killed in between, the file is longer than need be, as after any growth that was killed.

use super::Heap;
use crate::alloc::growth;
use crate::alone;
use crate::cell::Offset;
use crate::error::{Error, Result};
use crate::journal::Wanted;
use crate::memory::Memory;

/// What an operation failed for the want of, if it can have it and run again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lacks {
    /// An object that somebody else holds.
    pub(super) object: Option<Offset>,
    /// So many pages; `None`: it does not wait for them, but takes memory under the lock.
    pub(super) pages: Option<Wanted>,
}

impl Lacks {
    /// Of an operation that can be run again.
    pub(super) fn patient() -> Self {
        Lacks { object: None, pages: Some(Wanted::default()) }
    }
}

impl Heap {
    /// Takes memory for pages that an operation lacks. `false`: another thread is at it, or gives memory
    /// back.
    ///
    /// # Errors
    /// `SegmentFull`, and as any operation.
    pub(super) fn take_pages(&self, wanted: Wanted) -> Result<bool> {
        let memory: &Memory = &self.0.memory;
        // What is not published could be cut off again.
        let Some(_as_long) = alone::try_now() else { return Ok(false) };
        if memory.holes()? > 0 {
            match self.attempt(&mut |_| growth::fill(memory, wanted), &mut Lacks::default()) {
                // Behind the end less may be lacking.
                Ok(false) | Err(Error::SegmentFull { .. }) => {}
                filled => return filled,
            }
        }
        let pages = memory.pages()?;
        let count = growth::reserve(memory, pages, wanted.more)?;
        self.attempt(&mut |_| growth::publish(memory, pages, count), &mut Lacks::default())?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use crate::journal::Wanted;
    use crate::options::SegmentOptions;
    use crate::segment::Segment;
    use crate::sys::file::SegmentFile;

    #[test]
    fn memory_is_taken_while_another_thread_writes() {
        let segment = Segment::create_anonymous(SegmentOptions::new().size(64 << 20)).unwrap();
        let heap = segment.heap();
        let memory = &heap.0.memory;
        let (pages, length) =
            (memory.pages().unwrap(), || memory.with_file("size", SegmentFile::len).unwrap());
        let before = length();
        let (inside, is_inside) = channel();
        let (done, is_done) = channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                heap.write(|_| {
                    inside.send(()).unwrap();
                    is_done.recv().unwrap();
                    Ok(())
                })
                .unwrap();
            });
            is_inside.recv().unwrap();
            let grower = scope.spawn(|| {
                // Another test may hold what keeps files as they are.
                while !heap.take_pages(Wanted { count: 100, more: 100 }).unwrap() {}
            });
            while length() == before {
                assert!(!grower.is_finished(), "it took no memory");
                std::thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(memory.pages().unwrap(), pages, "nobody has them before the lock is free");
            done.send(()).unwrap();
        });
        assert!(memory.pages().unwrap() >= pages + 100);
        assert!(segment.check().unwrap().is_sound());
    }

    #[test]
    fn what_needs_pages_has_them_and_is_done_once() {
        let segment = Segment::create_anonymous(SegmentOptions::new().size(64 << 20)).unwrap();
        let list = segment.list([]).unwrap();
        for number in 0..30_u8 {
            list.push(vec![number; 1 << 20]).unwrap();
        }
        assert_eq!(list.len().unwrap(), 30);
        for number in 0..30_u8 {
            let item = list.get(usize::from(number)).unwrap();
            assert_eq!(item, Some(vec![number; 1 << 20].into()));
        }
        assert!(segment.check().unwrap().is_sound());
    }
}
