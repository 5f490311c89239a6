//! One segment as this process sees it: its words, its regions, its file.
//!
//! Handle. Everything above reads and writes the segment through [`Memory::word`] (data pages) and
//! [`Memory::meta`] (header, slots, directory), both bounds-checked against what is known to be
//! backed by the file, so that no offset found in the segment can leave it. The committed end grows
//! monotonically; a process learns of growth when an offset lies beyond what it knew.

use std::cell::Cell;
use std::sync::RwLock;

use crate::cell::Offset;
use crate::error::{Error, Result};
use crate::layout::{CACHE_BYTES, Geometry, LOG_BYTES, PAGE_BYTES, STRIPES, header};
use crate::primitive::{AtomicBool, AtomicU64, Ordering};
use crate::spares::Spares;
use crate::sys::file::SegmentFile;
use crate::sys::mapping::Mapping;

mod backing;
mod holes;

/// The words of the writer lock's stripes.
pub(crate) type Stripes = [[AtomicU64; 8]; STRIPES];

/// Handle. The mapped words of an attached segment.
#[derive(Debug)]
pub(crate) struct Memory {
    map: Mapping,
    /// Where the regions lie.
    pub(crate) geometry: Geometry,
    /// With the lock of the own slot; gone once closed. Never freed, because a fork holds its guard
    /// across the call.
    pub(crate) file: &'static RwLock<Option<SegmentFile>>,
    /// What users call the segment.
    pub(crate) name: String,
    /// Mapped without write permission.
    pub(crate) readonly: bool,
    /// Key of the hash of text and bytes.
    pub(crate) hash_key: [u64; 2],
    /// Nobody begins anything here any more, but for the thread that closes. Set under the writer lock, so
    /// that whoever looks once it has that or a stripe of it comes before or is refused. Never freed, so
    /// that sessions have it at hand.
    closed: &'static AtomicBool,
    /// Some thread closes, or has closed.
    is_closing: AtomicBool,
    /// The mapping is gone, or about to go.
    detached: AtomicBool,
    /// A dead participant was met, or memory grew: look for dead processes when convenient.
    pub(crate) reap_due: AtomicBool,
    /// Cycles may have become garbage, or memory is short: collect when convenient.
    pub(crate) collect_due: AtomicBool,
    /// Own process slot + 1; 0 while there is none.
    pub(crate) own_process: AtomicU64,
    /// Threads of this process that have, or had and did not give back, words of it at hand, one of which
    /// the kernel knows: see `session`.
    pub(crate) sessions: AtomicU64,
}

static SPARE_FILES: Spares<RwLock<Option<SegmentFile>>> = Spares::new();
static SPARE_FLAGS: Spares<AtomicBool> = Spares::new();

thread_local! {
    /// The address of the [`Memory`] that the calling thread is closing; 0 none.
    static CLOSES: Cell<usize> = const { Cell::new(0) };
}

/// Handle. The calling thread may still work in a segment that it has closed to others.
pub(crate) struct Closer(());

impl Drop for Closer {
    fn drop(&mut self) {
        CLOSES.set(0);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let file = self.file.try_write().ok();
        // Before the file, which shows to others that this is mapped, and stays for as long as it is.
        let was_given_back = file.as_ref().is_some_and(|file| file.is_none());
        let is_given_back = was_given_back || self.map.detach().is_ok();
        // Sessions that have it at hand are of this attachment, which no handle is left of.
        SPARE_FLAGS.give(self.closed);
        if let Some(mut file) = file.filter(|_| is_given_back) {
            *file = None;
            drop(file);
            SPARE_FILES.give(self.file);
        }
        if is_given_back && self.sessions.load(Ordering::Relaxed) == 0 {
            self.map.recycle();
        }
    }
}

impl Memory {
    pub(crate) fn new(
        map: Mapping,
        geometry: Geometry,
        file: SegmentFile,
        name: String,
        readonly: bool,
        hash_key: [u64; 2],
    ) -> Self {
        let closed = SPARE_FLAGS.take();
        closed.store(false, Ordering::Relaxed);
        let open = SPARE_FILES.take();
        *open.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(file);
        Memory {
            map,
            geometry,
            file: open,
            name,
            readonly,
            hash_key,
            closed,
            is_closing: AtomicBool::new(false),
            detached: AtomicBool::new(false),
            reap_due: AtomicBool::new(false),
            collect_due: AtomicBool::new(false),
            own_process: AtomicU64::new(0),
            sessions: AtomicU64::new(0),
        }
    }

    /// Bytes that this process reaches by huge pages; 0 where the kernel does not tell.
    pub(crate) fn huge_bytes(&self) -> u64 {
        self.map.huge_bytes().unwrap_or(0)
    }

    /// The word at an offset in the data pages.
    #[inline]
    pub(crate) fn word(&self, at: Offset) -> Result<&AtomicU64> {
        match self.map.data_word(at) {
            Some(word) => Ok(word),
            None => self.word_beyond(at),
        }
    }

    #[cold]
    fn word_beyond(&self, at: Offset) -> Result<&AtomicU64> {
        self.refresh()?;
        self.map
            .data_word(at)
            .ok_or_else(|| self.corrupt(format!("offset {at:#x} is no word of the data pages")))
    }

    /// `count` words from an offset in the data pages.
    #[inline]
    pub(crate) fn words(&self, at: Offset, count: u64) -> Result<&[AtomicU64]> {
        match self.map.data_words(at, count) {
            Some(words) => Ok(words),
            None => self.words_beyond(at, count),
        }
    }

    #[cold]
    fn words_beyond(&self, at: Offset, count: u64) -> Result<&[AtomicU64]> {
        self.refresh()?;
        if let Some(words) = self.map.data_words(at, count) {
            return Ok(words);
        }
        Err(self.corrupt(format!("{count} words at {at:#x} are not inside of the data pages")))
    }

    /// The word at an offset in the data pages that are known to be backed: for fast paths, which
    /// take `None` for "go the slow way".
    #[inline]
    pub(crate) fn peek(&self, at: Offset) -> Option<&AtomicU64> {
        self.map.data_word(at)
    }

    /// Where a word lies.
    #[inline]
    pub(crate) fn offset_of(&self, word: &AtomicU64) -> Offset {
        self.map.offset_of(word)
    }

    /// As [`Memory::peek`], several words.
    #[inline]
    pub(crate) fn peek_words(&self, at: Offset, count: u64) -> Option<&[AtomicU64]> {
        self.map.data_words(at, count)
    }

    /// The words of the data pages from an offset on, at most so many, as far as they are known to be
    /// backed. They are never unmapped, and read as zeros once the segment is closed.
    pub(crate) fn lasting_words(&self, at: Offset, most: u64) -> Option<&'static [AtomicU64]> {
        let start = at.wrapping_sub(self.geometry.data_at);
        let rest = self.map.backed().checked_sub(start).filter(|rest| *rest > 0)?;
        self.map.data_words(at, most.min(rest / 8))
    }

    /// Words of the header regions, which stay there until the process exits.
    #[inline]
    pub(crate) fn lasting_meta(&self, at: Offset, count: u64) -> Option<&'static [AtomicU64]> {
        self.map.front_words(at, count)
    }

    /// As [`Memory::meta`], for fast paths.
    #[inline]
    pub(crate) fn peek_meta(&self, at: Offset) -> Option<&AtomicU64> {
        self.map.front_word(at)
    }

    /// The writer lock's words: owner, waiters, next; and the word of what is watched.
    #[inline]
    pub(crate) fn lock_words(&self) -> Option<&'static [AtomicU64; 4]> {
        self.map.front_words(header::LOCK_OWNER, 4)?.first_chunk()
    }

    /// The words of the writer lock's stripes, a line each: holder, waiters.
    #[inline]
    pub(crate) fn stripes(&self) -> Option<&'static Stripes> {
        const WORDS: u64 = (size_of::<Stripes>() / 8) as u64;
        self.map.front_words(header::STRIPES, WORDS)?.as_chunks().0.first_chunk()
    }

    /// The value of a data word.
    #[inline]
    pub(crate) fn load(&self, at: Offset) -> Result<u64> {
        Ok(self.word(at)?.load(Ordering::Relaxed))
    }

    /// A word of the header, of a slot, or of a directory entry that is in use.
    #[inline]
    pub(crate) fn meta(&self, at: Offset) -> Result<&AtomicU64> {
        match self.peek_meta(at) {
            Some(word) => Ok(word),
            None => Err(self.no_meta(at)),
        }
    }

    #[cold]
    fn no_meta(&self, at: Offset) -> Error {
        self.corrupt(format!("offset {at:#x} is no word of the header regions"))
    }

    /// A run of words in the header regions.
    #[inline]
    pub(crate) fn meta_words(&self, at: Offset, count: u64) -> Result<&[AtomicU64]> {
        self.map.front_words(at, count).ok_or_else(|| self.no_meta(at))
    }

    /// Any word that a log may name: header, slots, the directory of committed pages, data.
    #[inline]
    pub(crate) fn any_word(&self, at: Offset) -> Result<&AtomicU64> {
        if at >= self.geometry.data_at { self.word(at) } else { self.logged_meta(at) }
    }

    fn logged_meta(&self, at: Offset) -> Result<&AtomicU64> {
        let directory = self.geometry.directory_at;
        let logs = self.geometry.logs_at;
        if at < logs || (at >= directory && at < self.geometry.entry_at(self.pages()?)) {
            return self.meta(at);
        }
        // Caches change by the log, those of threads that were there: others may have no memory.
        let area = LOG_BYTES + CACHE_BYTES;
        let (slot, inside) = ((at - logs) / area, (at - logs) % area);
        if at < directory && inside >= LOG_BYTES && slot < self.backed_slots()? {
            return self.meta(at);
        }
        Err(self.corrupt(format!("a log names offset {at:#x}, which is never logged")))
    }

    /// Thread slots whose log and cache have memory.
    fn backed_slots(&self) -> Result<u64> {
        let high = self.meta(header::THREAD_HIGH)?.load(Ordering::Acquire);
        Ok(high.min(self.geometry.threads))
    }

    /// The number of the data page that an offset lies in, and where in it, if that page is known to be
    /// backed.
    #[inline]
    pub(crate) fn peek_page(&self, at: Offset) -> Option<(u64, u64)> {
        let inside = at.wrapping_sub(self.geometry.data_at);
        (inside < self.map.backed()).then_some((inside / PAGE_BYTES, inside % PAGE_BYTES))
    }

    /// How many data pages are backed.
    pub(crate) fn pages(&self) -> Result<u64> {
        let committed = self.meta(header::COMMITTED)?.load(Ordering::Acquire);
        let bytes = committed.saturating_sub(self.geometry.data_at);
        if bytes > self.map.backed() {
            self.refresh()?;
        }
        Ok(self.map.backed().min(bytes) / PAGE_BYTES)
    }

    /// Bytes of data pages taken from the file system.
    pub(crate) fn used(&self) -> Result<u64> {
        Ok(self.span()?.saturating_sub(self.holes()?.saturating_mul(PAGE_BYTES)))
    }

    /// Bytes of data pages in front of the end, holes among them.
    pub(crate) fn span(&self) -> Result<u64> {
        let committed = self.meta(header::COMMITTED)?.load(Ordering::Acquire);
        Ok(committed.saturating_sub(self.geometry.data_at))
    }

    /// The ceiling in bytes of data pages.
    pub(crate) fn size(&self) -> u64 {
        self.geometry.ceiling * PAGE_BYTES
    }

    /// Fails once the segment was closed in this process.
    #[inline]
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Relaxed) { self.check_closer() } else { Ok(()) }
    }

    #[cold]
    fn check_closer(&self) -> Result<()> {
        if self.is_closed_here() { Ok(()) } else { Err(self.closed_error()) }
    }

    fn is_closed_here(&self) -> bool {
        CLOSES.get() == std::ptr::from_ref(self).addr()
    }

    /// Whether it was closed in this process, or is being closed.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// What [`Memory::is_closed`] looks at.
    #[inline]
    pub(crate) fn closed_flag(&self) -> &'static AtomicBool {
        self.closed
    }

    /// Whether nothing that is done here reaches the segment any more.
    pub(crate) fn is_detached(&self) -> bool {
        self.detached.load(Ordering::Relaxed)
    }

    /// The calling thread is to close it; `false` if another one does or did.
    pub(crate) fn begin_to_close(&self) -> bool {
        !self.is_closing.swap(true, Ordering::Relaxed)
    }

    /// Whether some thread closes it, or did.
    pub(crate) fn has_closer(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed) || self.is_closed()
    }

    /// In a forked child: a thread of the parent that was about to close it is not there.
    pub(crate) fn forget_closer(&self) {
        self.is_closing.store(self.is_closed(), Ordering::Relaxed);
    }

    /// Refuses all operations of other threads from now on; the caller holds the writer lock.
    pub(crate) fn close_to_others(&self) -> Closer {
        CLOSES.set(std::ptr::from_ref(self).addr());
        self.closed.store(true, Ordering::SeqCst);
        Closer(())
    }

    /// From now on every access fails; the memory is given back.
    pub(crate) fn detach(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
        self.closed.store(true, Ordering::SeqCst);
        self.detached.store(true, Ordering::SeqCst);
        self.map.forget_backed();
        // First, so that no thread that learns of a new end maps the file again.
        let mut file = self.file.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.map.detach().is_ok() {
            *file = None;
        } else if let Some(file) = file.as_mut() {
            // The slot is free. That the segment is mapped here shows to others until it is tried again, on drop.
            file.held = None;
        }
    }

    pub(crate) fn closed_error(&self) -> Error {
        Error::Closed { what: format!("segment {:?}", self.name) }
    }

    /// An error that says what is wrong with the content.
    #[cold]
    pub(crate) fn corrupt(&self, what: impl Into<String>) -> Error {
        if self.is_closed() && !self.is_closed_here() {
            return self.closed_error();
        }
        Error::SegmentCorrupt { name: self.name.clone(), what: what.into() }
    }
}
