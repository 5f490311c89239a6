//! The traced segment's file as it is now: it may appear, grow, be replaced and vanish.

#![allow(unsafe_code, reason = "a map of the traced segment")]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A read-only map of whatever the path means.
pub(crate) struct View {
    path: PathBuf,
    /// Inode and length of what is mapped.
    known: Option<(u64, u64)>,
    start: *const u8,
    len: usize,
}

impl View {
    pub(crate) fn new(path: &Path) -> Self {
        View { path: path.to_owned(), known: None, start: std::ptr::null(), len: 0 }
    }

    /// The file's content, while its only writer is stopped.
    pub(crate) fn content(&mut self) -> Result<Option<&[u8]>, String> {
        let now = std::fs::metadata(&self.path).ok().map(|found| (found.ino(), found.len()));
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
        // SAFETY: mapped for `len` bytes; the only writer is stopped while the slice is used.
        Ok(Some(unsafe { std::slice::from_raw_parts(self.start, self.len) }))
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
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.unmap();
    }
}
