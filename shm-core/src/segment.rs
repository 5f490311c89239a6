//! The segment: where everything begins for a user.
//!
//! Handle. A clone is the same attachment; when the last clone and the last object handle of this
//! process are gone, or on [`Segment::close`], the attachment ends.

mod make;
mod named;
mod upkeep;

use std::path::Path;
use std::time::Duration;

use crate::attach::{self, Place};
use crate::changes::Changes;
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::header;
use crate::leave;
use crate::list::List;
use crate::options::SegmentOptions;
use crate::peers::Peer;
use crate::primitive::Ordering;
use crate::queue::Queue;
use crate::shared::Struct;
use crate::snapshot;
use crate::sys::process;
use crate::transaction::{RawTransaction, Transaction};
use crate::value::Value;

/// Handle. One shared-memory segment, attached.
///
/// ```
/// use shm_core::{Segment, SegmentOptions};
/// let seg = Segment::create_anonymous(SegmentOptions::new().size(1 << 20))?;
/// seg.root().insert("n", 1_i64)?;
/// assert_eq!(seg.root().add("n", 2_i64)?, 3_i64);
/// # Ok::<(), shm_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Segment {
    heap: Heap,
}

#[allow(clippy::needless_pass_by_value, reason = "options and values are handed over")]
impl Segment {
    /// Creates a segment.
    ///
    /// # Errors
    /// `SegmentExists` if a live one has the name; `SegmentFull` if the file system has no room.
    pub fn create(name: &str, options: SegmentOptions) -> Result<Self> {
        let place = Place::new(Some(name), options.path.as_deref())?;
        attach::create(&place, &options, make_roots).map(Self::over)
    }

    /// Creates a segment under a made-up name, which [`Segment::name`] tells.
    pub fn create_anonymous(options: SegmentOptions) -> Result<Self> {
        Self::create(&made_up_name()?, options)
    }

    /// Creates a segment that only this process has, and its forks: it has no file, so nobody can attach to
    /// it, and no file system is too full for it. Of the options it takes the sizes and the lock timeout.
    ///
    /// ```
    /// use shm_core::{Error, Segment, SegmentOptions};
    /// let seg = Segment::create_private(SegmentOptions::new().size(1 << 20))?;
    /// seg.root().insert("n", 1_i64)?;
    /// let found = Segment::attach(seg.name(), SegmentOptions::new());
    /// assert!(matches!(found, Err(Error::SegmentNotFound { .. })));
    /// # Ok::<(), shm_core::Error>(())
    /// ```
    pub fn create_private(options: SegmentOptions) -> Result<Self> {
        attach::create_private(&made_up_name()?, &options, make_roots).map(Self::over)
    }

    /// Attaches to a segment, waiting for its creator if the options have a timeout.
    ///
    /// # Errors
    /// `SegmentNotFound`; `FormatMismatch` if the file is none or of another version;
    /// `SegmentCorrupt` if its header contradicts itself or the file was truncated.
    pub fn attach(name: &str, options: SegmentOptions) -> Result<Self> {
        let place = Place::new(Some(name), options.path.as_deref())?;
        attach::attach(&place, &options).map(Self::over)
    }

    /// Attaches or creates, free of races between any number of processes.
    pub fn open(name: &str, options: SegmentOptions) -> Result<Self> {
        let place = Place::new(Some(name), options.path.as_deref())?;
        attach::open(&place, &options, make_roots).map(Self::over)
    }

    /// Makes a segment of a snapshot, under a name that must be free. Its ceiling is that of the snapshot's
    /// segment. What processes held then is given back, as after their death.
    ///
    /// # Errors
    /// `SegmentExists`; `SnapshotNotFound` if there is no file; `FormatMismatch` if the file is no snapshot of
    /// this format; `SegmentCorrupt` if it is damaged; `SegmentFull` if the file system has no room.
    ///
    /// ```
    /// use shm_core::{Segment, SegmentOptions, Value};
    /// let seg = Segment::create_anonymous(SegmentOptions::new())?;
    /// seg.root().set("n", 1)?;
    /// let path = std::env::temp_dir().join(format!("{}.snapshot", seg.name()));
    /// seg.snapshot(&path)?;
    /// seg.root().set("n", 2)?;
    /// let name = format!("{}-restored", seg.name());
    /// let restored = Segment::restore(&path, &name, SegmentOptions::new())?;
    /// assert_eq!(restored.root().get("n")?, Some(Value::Int(1)));
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), shm_core::Error>(())
    /// ```
    pub fn restore(
        snapshot: impl AsRef<Path>,
        name: &str,
        options: SegmentOptions,
    ) -> Result<Self> {
        let place = Place::new(Some(name), options.path.as_deref())?;
        snapshot::restore(snapshot.as_ref(), &place, &options).map(Self::over)
    }

    /// Writes all of the segment, as of one moment between two operations, to a file, which replaces a former
    /// snapshot; its bytes, of which those of empty pages take no room. Writers wait for it, readers do not. [`Segment::restore`] is the way back.
    ///
    /// # Errors
    /// `InvalidArgument` within a transaction, or if something else has the path; `Io` if the
    /// file cannot be written. Nothing has changed then.
    pub fn snapshot(&self, path: impl AsRef<Path>) -> Result<u64> {
        snapshot::save(&self.heap, path.as_ref())
    }

    fn over(heap: Heap) -> Self {
        crate::sync::open_gate();
        Segment { heap }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.heap.name()
    }

    /// The ceiling in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.heap.0.memory.size()
    }

    /// Bytes taken from the file system for objects now.
    pub fn used(&self) -> Result<u64> {
        self.heap.0.memory.check_open()?;
        self.heap.0.memory.used()
    }

    /// The dict that names everything else.
    ///
    /// # Panics
    /// If the segment was closed or its header is corrupt; [`Segment::try_root`] says so instead.
    #[must_use]
    pub fn root(&self) -> Dict {
        match self.try_root() {
            Ok(root) => root,
            Err(error) => panic!("no root: {error}"),
        }
    }

    /// The dict that names everything else.
    pub fn try_root(&self) -> Result<Dict> {
        self.dict_at(header::ROOT)
    }

    fn object_at(&self, at: u64) -> Result<Object> {
        self.heap.0.memory.check_open()?;
        match self.heap.header_cell(at)?.as_ref() {
            Some(reference) => Object::pin(&self.heap, reference),
            None => Err(self.heap.corrupt(format!("header word {at} is no reference"))),
        }
    }

    fn dict_at(&self, at: u64) -> Result<Dict> {
        self.object_at(at).map(Dict::from_object)
    }

    /// Every attached process.
    pub fn peers(&self) -> Result<Vec<Peer>> {
        self.heap.0.memory.check_open()?;
        let own = self.heap.0.memory.own_process.load(Ordering::Relaxed);
        self.heap.0.memory.peers(own.checked_sub(1))
    }

    /// Ends this process's attachment; every handle of it is `Closed` from now on.
    pub fn close(&self) -> Result<()> {
        leave::close(&self.heap)
    }

    /// Removes the name; attached processes go on until they close. Whether it still was its name.
    pub fn unlink(&self) -> Result<bool> {
        leave::unlink(&self.heap)
    }

    /// Whether it was closed in this process.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.heap.0.memory.is_closed()
    }

    /// Whether it was attached read-only.
    #[must_use]
    pub fn is_readonly(&self) -> bool {
        self.heap.0.memory.readonly
    }

    /// The attachment, for what is built on top.
    #[must_use]
    pub fn heap(&self) -> &Heap {
        &self.heap
    }

    /// All schemas that structs in the segment have, oldest first.
    ///
    /// # Errors
    /// If the segment is closed or corrupt.
    pub fn schemas(&self) -> Result<Vec<std::sync::Arc<crate::schema::Schema>>> {
        self.heap.0.memory.check_open()?;
        crate::schema::Schema::all_stored(self.heap())
    }

    /// A new shared struct; its schema is stored on first use.
    pub fn alloc<T: Struct>(&self, value: T) -> Result<T::Ref> {
        crate::record::alloc(&self.heap, &value)
    }

    /// The object that an `id` of a handle names, if it still is that object.
    ///
    /// # Errors
    /// `Closed` if it is gone.
    pub fn object(&self, id: u64) -> Result<Value> {
        let object = Object::by_id(&self.heap, id)?;
        Value::decode(&self.heap, object.cell())
    }

    /// Runs `f` as a transaction: everything that this thread changes in the segment happens at once
    /// or not at all. An error or a panic of `f` undoes it, [`Transaction::rollback`] too, and so does
    /// a kill. Others who write, or read what was changed, wait until it ends.
    ///
    /// ```
    /// use shm_core::{Error, Segment, SegmentOptions};
    /// # fn main() -> Result<(), Error> {
    /// let seg = Segment::create_anonymous(SegmentOptions::new().size(1 << 20))?;
    /// let (from, to) = (seg.dict([("money", 100)])?, seg.dict([("money", 0)])?);
    /// seg.transaction(|_| {
    ///     from.add("money", -30)?;
    ///     to.add("money", 30)
    /// })?;
    /// let failed: Result<(), Error> = seg.transaction(|_| {
    ///     from.add("money", -30)?;
    ///     Err(Error::InvalidArgument { what: "no such account".to_owned() })
    /// });
    /// assert!(failed.is_err());
    /// assert_eq!(from.get("money")?, Some(70.into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of `f`; `LockTimeout` of the segment's timeout, naming who holds the lock.
    pub fn transaction<T>(&self, f: impl FnOnce(&Transaction) -> Result<T>) -> Result<T> {
        let transaction = self.begin(Some(self.heap.0.lock_timeout))?;
        let value = f(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Begins a transaction that the caller commits; dropped, it is undone. Waits for others at most
    /// for `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// `LockTimeout` naming who holds the lock.
    pub fn begin(&self, timeout: Option<Duration>) -> Result<Transaction> {
        Transaction::begin(&self.heap, timeout)
    }

    /// As [`Segment::begin`], for bindings of languages whose types know no threads.
    pub fn begin_raw(&self, timeout: Option<Duration>) -> Result<RawTransaction> {
        RawTransaction::begin(&self.heap, timeout)
    }

    /// Watches a shared object for changes from now on.
    ///
    /// # Errors
    /// `WrongType` if it is no shared object.
    pub fn watch(&self, object: &Value) -> Result<Changes> {
        Changes::new(object.clone(), Vec::new())
    }

    /// Watches what lies at a path from the root: keys of dicts and indices of lists.
    pub fn watch_path(&self, path: impl IntoIterator<Item = Value>) -> Result<Changes> {
        Changes::new(self.try_root()?.into(), path.into_iter().collect())
    }

    /// The segment's own queue.
    pub fn messages(&self) -> Result<Queue> {
        let items = self.object_at(header::MESSAGES).map(List::from_object)?;
        Ok(Queue::over("messages", items, None))
    }

    /// Puts an object into the segment's queue of messages.
    pub fn put_message(&self, value: impl Into<Value>) -> Result<()> {
        self.messages()?.put(value, None)
    }

    /// Takes the oldest message, waiting at most for `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// `NoMessages` if there was none in time.
    pub fn take_message(&self, timeout: Option<Duration>) -> Result<Value> {
        self.messages()?.get(timeout)
    }

    /// Whether a message waits.
    pub fn has_messages(&self) -> Result<bool> {
        Ok(!self.messages()?.is_empty()?)
    }

    /// The file behind it, if it is still attached.
    #[must_use]
    pub fn path(&self) -> Option<std::path::PathBuf> {
        self.heap.0.memory.with_file("name", |file| Ok(file.path().to_owned())).ok()
    }
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<Segment {:?}>", self.name())
    }
}

/// A name that nobody has.
fn made_up_name() -> Result<String> {
    let [word] = process::random_words::<1>()
        .map_err(|source| Error::Io { what: "read random bytes".to_owned(), source })?;
    Ok(format!("shm-{}-{word:016x}", std::process::id()))
}

fn make_roots(heap: &Heap) -> Result<()> {
    let root = Dict::new::<Value, Value>(heap, [])?;
    let names = Dict::new::<Value, Value>(heap, [])?;
    let messages = List::new::<Value>(heap, [])?;
    heap.write(|tx| {
        let cells = [
            (header::ROOT, root.object().cell()),
            (header::NAMES, names.object().cell()),
            (header::MESSAGES, messages.object().cell()),
        ];
        for (at, cell) in cells {
            tx.inc(cell)?;
            tx.set_header(at, cell.0)?;
        }
        Ok(())
    })
}
