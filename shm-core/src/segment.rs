//! The segment: where everything begins for a user.
//!
//! Handle. A clone is the same attachment; when the last clone and the last object handle of this
//! process are gone, or on [`Segment::close`], the attachment ends.

use std::time::Duration;

use crate::attach::{self, Place};
use crate::bytearray::ByteArray;
use crate::check::{self, Report};
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::header;
use crate::leave;
use crate::list::List;
use crate::messages;
use crate::options::SegmentOptions;
use crate::peers::Peer;
use crate::primitive::Ordering;
use crate::recovery;
use crate::set::Set;
use crate::shared::Struct;
use crate::sys::process;
use crate::turn::Turn;
use crate::value::{Key, Value};

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

/// Numbers of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes taken from the file system for objects.
    pub used: u64,
    /// The ceiling in bytes.
    pub size: u64,
    /// Times that the writer lock was taken from a dead owner.
    pub deaths: u64,
    /// Operations that were rolled back or finished for a dead owner.
    pub recoveries: u64,
}

#[allow(clippy::needless_pass_by_value, reason = "options and values are handed over")]
impl Segment {
    /// Creates a segment.
    ///
    /// # Errors
    /// `SegmentExists` if a live one has the name; `SegmentFull` if the file system has no room.
    pub fn create(name: &str, options: SegmentOptions) -> Result<Self> {
        let place = Place::new(Some(name), options.path.as_deref())?;
        Ok(Segment { heap: attach::create(&place, &options, make_roots)? })
    }

    /// Creates a segment under a made-up name, which [`Segment::name`] tells.
    pub fn create_anonymous(options: SegmentOptions) -> Result<Self> {
        let [word] = process::random_words::<1>()
            .map_err(|source| Error::Io { what: "read random bytes".to_owned(), source })?;
        Self::create(&format!("shm-{}-{word:016x}", std::process::id()), options)
    }

    /// Attaches to a segment, waiting for its creator if the options have a timeout.
    ///
    /// # Errors
    /// `SegmentNotFound`; `FormatMismatch` if the file is none or of another version;
    /// `SegmentCorrupt` if its header contradicts itself or the file was truncated.
    pub fn attach(name: &str, options: SegmentOptions) -> Result<Self> {
        let place = Place::new(Some(name), options.path.as_deref())?;
        Ok(Segment { heap: attach::attach(&place, &options)? })
    }

    /// Attaches or creates, free of races between any number of processes.
    pub fn open(name: &str, options: SegmentOptions) -> Result<Self> {
        let place = Place::new(Some(name), options.path.as_deref())?;
        Ok(Segment { heap: attach::open(&place, &options, make_roots)? })
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

    /// Bytes taken from the file system for objects so far.
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

    fn messages(&self) -> Result<List> {
        self.object_at(header::MESSAGES).map(List::from_object)
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

    /// A new shared list.
    pub fn list<T: Into<Value>>(&self, items: impl IntoIterator<Item = T>) -> Result<List> {
        List::new(&self.heap, items)
    }

    /// A new shared dict.
    pub fn dict<'k, K: Into<Key<'k>>, V: Into<Value>>(
        &self,
        items: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Dict> {
        Dict::new(&self.heap, items)
    }

    /// A new shared set.
    pub fn set<'k, K: Into<Key<'k>>>(&self, items: impl IntoIterator<Item = K>) -> Result<Set> {
        Set::new(&self.heap, items)
    }

    /// A new shared bytearray.
    pub fn bytearray(&self, bytes: &[u8]) -> Result<ByteArray> {
        ByteArray::new(&self.heap, bytes)
    }

    /// All schemas that structs in the segment have, oldest first.
    ///
    /// # Errors
    /// If the segment is closed or corrupt.
    pub fn schemas(&self) -> Result<Vec<std::sync::Arc<crate::schema::Schema>>> {
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

    /// A named turn, made on first use.
    pub fn turn(&self, name: &str) -> Result<Turn> {
        let names = self.dict_at(header::NAMES)?;
        let key = format!("turn/{name}");
        match names.get_str(&key)? {
            Some(Value::List(tickets)) => Ok(Turn::new(name, tickets)),
            Some(_) => Err(self.heap.corrupt(format!("{key:?} is no turn"))),
            None => match names.get_or_insert(key.as_str(), self.list::<Value>([])?)? {
                Value::List(tickets) => Ok(Turn::new(name, tickets)),
                _ => Err(self.heap.corrupt(format!("{key:?} is no turn"))),
            },
        }
    }

    /// Puts an object into the segment's queue of messages.
    pub fn put_message(&self, value: impl Into<Value>) -> Result<()> {
        messages::put(&self.heap, &self.messages()?, value.into())
    }

    /// Takes the oldest message, waiting at most for `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// `NoMessages` if there was none in time.
    pub fn take_message(&self, timeout: Option<Duration>) -> Result<Value> {
        messages::take(&self.heap, &self.messages()?, timeout)
    }

    /// Whether a message waits.
    pub fn has_messages(&self) -> Result<bool> {
        Ok(!self.messages()?.is_empty()?)
    }

    /// Releases what dead processes held; how many there were.
    pub fn reap(&self) -> Result<u64> {
        recovery::reap_processes(&self.heap)
    }

    /// What the segment counted since its creation.
    pub fn stats(&self) -> Result<Stats> {
        self.heap.0.memory.check_open()?;
        let word = |at| -> Result<u64> { Ok(self.heap.0.memory.meta(at)?.load(Ordering::Relaxed)) };
        Ok(Stats {
            used: self.used()?,
            size: self.size(),
            deaths: word(header::DEATHS)?,
            recoveries: word(header::RECOVERIES)?,
        })
    }

    /// The file behind it, if it is still attached.
    #[must_use]
    pub fn path(&self) -> Option<std::path::PathBuf> {
        self.heap.0.memory.with_file("name", |file| Ok(file.path().to_owned())).ok()
    }

    /// Walks the whole segment while nobody writes and says what is wrong.
    pub fn check(&self) -> Result<Report> {
        self.heap.0.memory.check_open()?;
        check::check(&self.heap)
    }
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<Segment {:?}>", self.name())
    }
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
