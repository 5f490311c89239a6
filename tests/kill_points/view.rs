//! The traced segment's file as it is now: it may appear, grow, be replaced and vanish.
//!
//! As any process that maps it, the view has zeros in the place of holes: to look at one by way of the file would
//! fill it. And whatever is not said to be a hole must have memory at every moment.

#![allow(unsafe_code, reason = "a map of the traced segment")]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use shm::layout::page_kind::HOLE;
use shm::layout::{MAGIC, PAGE_BYTES, header, page};

use crate::operation;

/// A read-only map of whatever the path means.
pub(crate) struct View {
    path: PathBuf,
    /// Inode and length of what is mapped.
    known: Option<(u64, u64)>,
    start: *const u8,
    len: usize,
    /// Pages in whose place there are zeros.
    covered: Vec<u64>,
    /// All in front of this file's pages was looked at, so it has memory.
    seen: Option<u64>,
}

impl View {
    pub(crate) fn new(path: &Path) -> Self {
        View {
            path: path.to_owned(),
            known: None,
            start: std::ptr::null(),
            len: 0,
            covered: Vec::new(),
            seen: None,
        }
    }

    /// The file's content, while its only writer is stopped.
    pub(crate) fn content(&mut self) -> Result<Option<&[u8]>, String> {
        let meta = std::fs::metadata(&self.path).ok();
        let now = meta.as_ref().map(|found| (found.ino(), found.len()));
        if now != self.known {
            self.unmap();
            if let Some((_, len)) = now {
                self.map(len as usize)?;
            }
            self.known = now;
        }
        if self.known.is_none() {
            return Ok(None);
        }
        self.cover_holes(meta.map_or(0, |found| found.blocks() * 512))?;
        self.touch_front();
        Ok(Some(self.bytes()))
    }

    /// Looks at all that lies in front of the pages, which takes memory for it.
    fn touch_front(&mut self) {
        let inode = self.known.map(|(inode, _)| inode);
        if self.seen != inode {
            let front = self.bytes().iter().take(operation::geometry().data_at as usize);
            for byte in front.step_by(512) {
                std::hint::black_box(*byte);
            }
            self.seen = inode;
        }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for `len` bytes; the only writer is stopped while the slice is used.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    fn word(&self, at: u64) -> u64 {
        let word = self.bytes().get(at as usize..).and_then(|bytes| bytes.first_chunk());
        word.map_or(0, |word| u64::from_le_bytes(*word))
    }

    /// Puts zeros into the place of holes, and the file where there are none any more. The file has so many bytes of memory.
    fn cover_holes(&mut self, memory: u64) -> Result<(), String> {
        let geometry = operation::geometry();
        if self.word(0) != MAGIC || (self.len as u64) < geometry.data_at {
            return Ok(());
        }
        let pages = self.word(header::COMMITTED).saturating_sub(geometry.data_at) / PAGE_BYTES;
        let holes: Vec<u64> = (0..pages)
            .filter(|page| self.word(geometry.entry_at(*page) + page::WHAT) & 0xFF == HOLE)
            .collect();
        let is_seen = self.known.is_some_and(|(inode, _)| self.seen == Some(inode));
        let front = if is_seen { geometry.data_at } else { 0 };
        let needed = front + (pages - holes.len() as u64) * PAGE_BYTES;
        if memory < needed {
            return Err(format!(
                "the file has {memory} bytes of memory, its front and the pages that are no holes need \
                 {needed}"
            ));
        }
        if holes.len() as u64 > self.word(header::HOLES) {
            return Err(format!("the header does not know of all of the {} holes", holes.len()));
        }
        if holes != self.covered {
            let file = File::open(&self.path).map_err(|error| error.to_string())?;
            self.place(&self.covered, libc::MAP_SHARED, file.as_raw_fd())?;
            self.place(&holes, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)?;
            self.covered = holes;
        }
        Ok(())
    }

    /// Maps pages anew.
    fn place(&self, pages: &[u64], flags: libc::c_int, fd: libc::c_int) -> Result<(), String> {
        for at in pages.iter().map(|page| operation::geometry().page_at(*page)) {
            if at + PAGE_BYTES > self.len as u64 {
                continue;
            }
            // SAFETY: replaces a page inside of the map by readable memory.
            let placed = unsafe {
                libc::mmap(
                    self.start.cast_mut().wrapping_add(at as usize).cast(),
                    PAGE_BYTES as usize,
                    libc::PROT_READ,
                    flags | libc::MAP_FIXED,
                    fd,
                    at as libc::off_t,
                )
            };
            if placed == libc::MAP_FAILED {
                return Err(format!("map: {}", std::io::Error::last_os_error()));
            }
        }
        Ok(())
    }

    fn map(&mut self, len: usize) -> Result<(), String> {
        let file = File::open(&self.path).map_err(|error| error.to_string())?;
        // SAFETY: a fresh read-only mapping of `len` bytes of an open file.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(format!("map: {}", std::io::Error::last_os_error()));
        }
        (self.start, self.len) = (start.cast(), len);
        Ok(())
    }

    fn unmap(&mut self) {
        if self.len != 0 {
            // SAFETY: maps exactly this range, of which no slice is left.
            unsafe { libc::munmap(self.start.cast_mut().cast(), self.len) };
        }
        (self.start, self.len) = (std::ptr::null(), 0);
        self.covered.clear();
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.unmap();
    }
}
