//! The file behind the words: how much of the segment it backs, who else maps it, and its descriptor, which may be lost.

use std::time::{Duration, Instant};

use super::Memory;
use crate::error::{Error, Result};
use crate::layout::{CACHE_BYTES, PAGE_BYTES, header};
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};
use crate::sys::file::{SegmentFile, SlotLock};
use crate::sys::presence::Alone;

/// Pause between tries to join while somebody gives memory back.
const JOIN_PAUSE: Duration = Duration::from_millis(1);

impl Memory {
    /// Learns what the file backs by now. The header's word is not trusted beyond the file's end.
    pub(crate) fn refresh(&self) -> Result<()> {
        self.check_open()?;
        let committed = self.meta(header::COMMITTED)?;
        // All of it with the file in hand, so that nobody shortens it in between.
        self.with_file("size", |file| {
            let end = committed.load(Ordering::Acquire).min(file.len()?);
            let end = end.min(self.geometry.max_size);
            let span = end.saturating_sub(self.geometry.data_at) / PAGE_BYTES * PAGE_BYTES;
            self.map.unmask(file.as_file(), span)?;
            self.map.extend_backed(span);
            Ok(())
        })?;
        if self.is_detached() {
            self.map.forget_backed();
        }
        Ok(())
    }

    /// Learns what the file backs, once it is mapped. Fails if the content goes further.
    pub(crate) fn learn_end(&self) -> Result<()> {
        let end = self.check_length()?.min(self.geometry.max_size);
        self.map.extend_backed(end.saturating_sub(self.geometry.data_at) / PAGE_BYTES * PAGE_BYTES);
        Ok(())
    }

    /// Where the content ends; fails if that is behind the file's end. By way of the file, as nothing is
    /// known yet.
    pub(crate) fn check_length(&self) -> Result<u64> {
        let committed = |file: &SegmentFile| -> std::io::Result<u64> {
            let mut word = [0; 8];
            file.read_at(header::COMMITTED, &mut word)?;
            Ok(u64::from_le_bytes(word))
        };
        let (end, len) = self.with_file("read", |file| {
            let mut end = committed(file)?;
            loop {
                // In this order: a file grows before the word does. The other way round it shrinks, which
                // shows in another word then.
                let len = file.len()?;
                if end <= len {
                    return Ok((end, len));
                }
                let before = std::mem::replace(&mut end, committed(file)?);
                if end == before {
                    return Ok((end, len));
                }
            }
        })?;
        if end <= len && end >= self.geometry.data_at {
            return Ok(end);
        }
        Err(Error::SegmentCorrupt {
            name: self.name.clone(),
            what: format!(
                "the file has {len} bytes, its content needs {end}: it was truncated; recreate it"
            ),
        })
    }

    /// Gives what lies behind so many bytes of data pages back to the file system. The caller holds the
    /// writer lock, and nobody else maps the segment. Each step leaves what a kill in the middle of a
    /// growth leaves: a file that is longer than need be.
    pub(crate) fn shorten(&self, bytes: u64) -> Result<()> {
        let committed = self.meta(header::COMMITTED)?;
        let end = self.geometry.data_at + bytes;
        self.with_file_alone("shorten", |file| {
            if seeded::is(Bug::TruncatedFirst) {
                file.shorten(end)?;
            }
            committed.store(end, Ordering::Release);
            if seeded::is(Bug::FreshTooEarly) {
                let _ = self.note_fresh(bytes);
            }
            // Before the file is shorter: threads of this process may be on their way to a page behind.
            self.map.mask(bytes)?;
            file.shorten(end)
        })?;
        // Only now: what comes there next is new. Killed before, it is taken for old.
        self.note_fresh(bytes)
    }

    /// What lies behind so many bytes of data pages was never used.
    fn note_fresh(&self, bytes: u64) -> Result<()> {
        let untouched = self.meta(header::UNTOUCHED)?;
        let pages = bytes / PAGE_BYTES;
        if untouched.load(Ordering::Relaxed) > pages {
            untouched.store(pages, Ordering::Release);
        }
        Ok(())
    }

    /// Calls `f` with the file; `what` says in the infinitive what for.
    pub(crate) fn with_file<T>(
        &self,
        what: &str,
        f: impl FnOnce(&SegmentFile) -> std::io::Result<T>,
    ) -> Result<T> {
        let guard = self.file.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let file = guard.as_ref().ok_or_else(|| self.closed_error())?;
        if file.is_ours() {
            return f(file).map_err(|source| self.refused(file, what, source));
        }
        drop(guard);
        self.reopen(what)?;
        let guard = self.file.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let file = guard.as_ref().ok_or_else(|| self.closed_error())?;
        f(file).map_err(|source| self.refused(file, what, source))
    }

    /// As [`Memory::with_file`], while no thread of this process learns of an end, and maps the file anew where it
    /// believes that there are zeros. The caller is alone, or has not handed the segment out yet.
    pub(super) fn with_file_alone<T>(
        &self,
        what: &str,
        f: impl FnOnce(&SegmentFile) -> std::io::Result<T>,
    ) -> Result<T> {
        let guard = self.file.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let file = guard.as_ref().ok_or_else(|| self.closed_error())?;
        f(file).map_err(|source| self.refused(file, what, source))
    }

    /// Keeps the byte lock of the own slot, until it is closed.
    pub(crate) fn hold(&self, lock: SlotLock) {
        let mut guard = self.file.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(file) = guard.as_mut() {
            file.held = Some(lock.settle());
        }
    }

    /// Shows that the segment is mapped here; before the first look at its data pages. Whoever gives
    /// memory back just now is waited for.
    pub(crate) fn join(&self, timeout: Duration) -> Result<()> {
        let started = Instant::now();
        loop {
            let mut guard = self.file.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            let file = guard.as_mut().ok_or_else(|| self.closed_error())?;
            let joined = file.join().map_err(|source| self.refused(file, "join", source))?;
            drop(guard);
            if joined {
                return Ok(());
            }
            if started.elapsed() >= timeout {
                return Err(self.lock_timeout(started.elapsed()));
            }
            crate::lock::pause(JOIN_PAUSE)?;
        }
    }

    /// Keeps everybody else away, if nobody else maps the segment: no other process, no other attachment
    /// of this one. The caller holds the writer lock. Anything unusual is `None`.
    pub(crate) fn alone(&self) -> Option<Alone> {
        let mut guard = self.file.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let file = guard.as_mut().filter(|file| file.is_ours())?;
        file.join_alone().ok().flatten()
    }

    /// Opens the file again, after this process lost its descriptor.
    #[cold]
    fn reopen(&self, what: &str) -> Result<()> {
        let mut guard = self.file.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let lost = guard.as_mut().ok_or_else(|| self.closed_error())?;
        if lost.is_ours() {
            return Ok(());
        }
        let mut fresh =
            lost.open_again(&self.map.link()).map_err(|source| self.refused(lost, what, source))?;
        fresh.held = lost.held.take();
        fresh.presence = lost.presence.take();
        *guard = Some(fresh);
        Ok(())
    }

    /// The system's refusal in words.
    fn refused(&self, file: &SegmentFile, what: &str, source: std::io::Error) -> Error {
        if !matches!(source.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG)) {
            return Error::Io { what: format!("{what} segment {:?}", self.name), source };
        }
        let directory = file.path().parent().unwrap_or(file.path()).display().to_string();
        let advice = match file.file_system() {
            Some((total, free)) => format!(
                "{directory} has {} MiB in all and {} KiB free: enlarge it (docker run \
                 --shm-size=1g, or mount -o remount,size=), free memory there, or give a path= \
                 elsewhere",
                total >> 20,
                free >> 10
            ),
            None => format!("{directory} is full"),
        };
        Error::SegmentFull {
            name: self.name.clone(),
            wanted: PAGE_BYTES,
            // By the file's length: the header may be what there is no room for.
            used: file.len().unwrap_or(0).saturating_sub(self.geometry.data_at),
            size: self.size(),
            advice,
        }
    }

    /// A copy of the cache of a thread slot, by way of the file: the mapping may have no memory there.
    pub(crate) fn read_cache(&self, slot: u64) -> Result<Vec<u64>> {
        let (at, mut bytes) = (self.geometry.cache_at(slot), vec![0; CACHE_BYTES as usize]);
        if self.with_file("read", |file| file.read_at(at, &mut bytes)).is_ok() {
            let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
            return Ok(bytes.as_chunks().0.iter().map(word).collect());
        }
        // Of those who lost the file and may not open it again.
        let words = self.meta_words(at, CACHE_BYTES / 8)?;
        Ok(words.iter().map(|word| word.load(Ordering::Relaxed)).collect())
    }
}
