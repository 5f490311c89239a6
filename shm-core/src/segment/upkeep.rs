//! Memory of a segment: what it is used for, what can be given back, what is wrong.

use crate::check::{self, Report};
use crate::error::{Error, Result};
use crate::free;
use crate::gc::{self, Audit, Collected};
use crate::give_back;
use crate::recovery;
use crate::segment::Segment;
use crate::stats::{self, Stats};
use crate::value::Value;

impl Segment {
    /// Releases what dead processes held; how many there were.
    pub fn reap(&self) -> Result<u64> {
        recovery::reap_processes(&self.heap)
    }

    /// What its memory is used for, who pins, who holds which lock, what was collected and recovered. A look without a
    /// lock, which waits for nobody, in the time of reading the page directory and two words of each object.
    ///
    /// ```
    /// use shm_core::{Segment, SegmentOptions};
    /// let seg = Segment::create_anonymous(SegmentOptions::new())?;
    /// let job = seg.lock("job")?;
    /// let _held = job.acquire(None)?;
    /// for lock in seg.stats()?.locks {
    ///     for holder in lock.holders {
    ///         println!("{} {:?}: pid {}, alive: {}", lock.kind, lock.name, holder.pid, holder.alive);
    ///     }
    /// }
    /// # Ok::<(), shm_core::Error>(())
    /// ```
    pub fn stats(&self) -> Result<Stats> {
        self.heap.0.memory.check_open()?;
        stats::stats(&self.heap)
    }

    /// Frees objects that only each other refer to; all others are freed as they fall. It looks for them
    /// while others read and write; then writers wait (10 to 30 ms per million objects, 30 to 40 per
    /// million of garbage), readers do not. What becomes garbage meanwhile may stay until the next time.
    /// Runs by itself now and then, and when memory is short.
    ///
    /// On request, what is free then goes back to the file system, from 1 MiB in a row on, if nobody else is
    /// attached: the file ends earlier, or has holes, which are filled again when memory is needed and nobody else
    /// is attached either; otherwise it grows behind its end.
    ///
    /// # Errors
    /// `ReadOnly`, `LockTimeout`; `SegmentCorrupt` if references contradict each other.
    pub fn gc(&self) -> Result<Collected> {
        self.heap.0.memory.check_open()?;
        let collected = gc::collect(&self.heap)?;
        Ok(Collected { given_back: give_back::after_collection(&self.heap), ..collected })
    }

    /// Frees a list, dict, set, bytearray, struct or array now, whoever refers to it: its content is given
    /// back, and every later use of a handle of it, in any process, is `Closed`. Its children live on
    /// where others refer to them. The elements of an array stay for as long as another handle of it is
    /// left anywhere, through which somebody may be storing just now.
    ///
    /// ```
    /// use shm_core::{Error, Segment, SegmentOptions, Value};
    /// let seg = Segment::create_anonymous(SegmentOptions::new())?;
    /// let list = seg.list_of([1, 2, 3])?;
    /// seg.root().insert("list", &list)?;
    /// seg.free(&Value::from(&list))?;
    /// assert!(matches!(list.len(), Err(Error::Closed { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for the root, for what the segment itself uses and for a value that is no
    /// object; `Closed` if it was freed before.
    pub fn free(&self, value: &Value) -> Result<()> {
        match value.object()? {
            Some(object) if object.heap().is_same(&self.heap) => free::free(&self.heap, object),
            Some(_) => Err(Error::InvalidArgument {
                what: format!("this {} is of another segment", value.type_name()),
            }),
            None => Err(Error::InvalidArgument {
                what: format!(
                    "only shared objects can be freed, not {}: a value goes with what holds it",
                    value.type_name()
                ),
            }),
        }
    }

    /// Makes counts, bitmaps and page lists exact while nobody writes, and frees what nothing refers
    /// to. For a segment in which [`Segment::check`] finds such things wrong: no kill leads to that,
    /// damage from outside does. Content that contradicts itself is left and named.
    ///
    /// # Errors
    /// `ReadOnly`, `LockTimeout`.
    pub fn audit(&self) -> Result<Audit> {
        self.heap.0.memory.check_open()?;
        gc::audit(&self.heap)
    }

    /// Walks the whole segment while nobody writes and says what is wrong.
    pub fn check(&self) -> Result<Report> {
        self.heap.0.memory.check_open()?;
        check::check(&self.heap)
    }
}
