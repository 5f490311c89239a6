//! The file behind a segment: made nameless, named in one step, grown before it is used.
//!
//! Guarantees: no half-made segment is ever visible under its name ([`SegmentFile::publish`] links
//! a finished file and fails if the name is taken); a range that [`SegmentFile::reserve`] returned
//! for can be touched without SIGBUS; a file is removed only while the name still means that file.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// First byte of the range whose locks tell which process slots are alive: beyond any content.
const LOCKS_AT: i64 = 1 << 62;

/// Handle. An open segment file.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    file: File,
    path: PathBuf,
}

impl SegmentFile {
    /// A file without a name in the directory of `path`.
    pub(crate) fn create_unnamed(path: &Path, mode: u32) -> Result<Self> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .mode(mode)
            .custom_flags(libc::O_TMPFILE | libc::O_CLOEXEC)
            .open(directory)
            .map_err(|source| Error::Io {
                what: format!("create a file in {}", directory.display()),
                source,
            })?;
        // The process's umask must not take away what the caller granted.
        // SAFETY: the descriptor is open.
        if unsafe { libc::fchmod(file.as_raw_fd(), mode) } != 0 {
            return Err(Error::last_os(format!("set the mode of {}", path.display())));
        }
        Ok(SegmentFile { file, path: path.to_owned() })
    }

    /// Opens what the name means now.
    pub(crate) fn open(path: &Path, readonly: bool) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(!readonly)
            .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(SegmentFile { file, path: path.to_owned() })
    }

    /// A second, independent open file description of the same file, whether it has a name or not.
    pub(crate) fn reopen(&self) -> io::Result<Self> {
        let link = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let file = OpenOptions::new().read(true).write(true).open(link)?;
        Ok(SegmentFile { file, path: self.path.clone() })
    }

    /// Gives the file its name; `AlreadyExists` if there is one of that name.
    pub(crate) fn publish(&self) -> io::Result<()> {
        let from = CString::new(format!("/proc/self/fd/{}", self.file.as_raw_fd()))?;
        let to = CString::new(self.path.as_os_str().as_bytes())?;
        // SAFETY: both strings are NUL-terminated and live.
        let status = unsafe {
            libc::linkat(
                libc::AT_FDCWD,
                from.as_ptr(),
                libc::AT_FDCWD,
                to.as_ptr(),
                libc::AT_SYMLINK_FOLLOW,
            )
        };
        if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Takes memory for a range, extending the file; the range reads as zeros where it was new.
    pub(crate) fn reserve(&self, at: u64, bytes: u64) -> io::Result<()> {
        loop {
            // SAFETY: the descriptor is open; the kernel checks the range.
            let status = unsafe {
                libc::fallocate(self.file.as_raw_fd(), 0, at as libc::off_t, bytes as libc::off_t)
            };
            if status == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// Copies the first bytes of the file.
    pub(crate) fn read_start(&self, bytes: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, 0)
    }

    /// Bytes of the file.
    pub(crate) fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Removes the name if it still means this file; whether it did.
    pub(crate) fn unlink(&self) -> io::Result<bool> {
        let mine = self.file.metadata()?;
        match std::fs::symlink_metadata(&self.path) {
            Ok(named) if named.ino() == mine.ino() && named.dev() == mine.dev() => {
                std::fs::remove_file(&self.path).map(|()| true)
            }
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Locks the byte of a process slot for this open file description; whether it was free.
    pub(crate) fn lock_slot(&self, slot: u64) -> io::Result<bool> {
        let mut request = slot_lock(slot, libc::F_WRLCK);
        // SAFETY: `request` is a live flock structure with l_pid 0, as OFD locks demand.
        let status = unsafe {
            libc::fcntl(self.file.as_raw_fd(), libc::F_OFD_SETLK, std::ptr::from_mut(&mut request))
        };
        if status == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EACCES) => Ok(false),
            _ => Err(error),
        }
    }

    /// Gives the byte of a process slot back.
    pub(crate) fn unlock_slot(&self, slot: u64) {
        let mut request = slot_lock(slot, libc::F_UNLCK);
        // SAFETY: as in `lock_slot`. Unlocking what is not locked does nothing.
        unsafe {
            libc::fcntl(self.file.as_raw_fd(), libc::F_OFD_SETLK, std::ptr::from_mut(&mut request));
        }
    }

    /// Whether some other open file description holds the byte of a process slot.
    pub(crate) fn slot_is_locked(&self, slot: u64) -> io::Result<bool> {
        let mut request = slot_lock(slot, libc::F_WRLCK);
        // SAFETY: as in `lock_slot`.
        let status = unsafe {
            libc::fcntl(self.file.as_raw_fd(), libc::F_OFD_GETLK, std::ptr::from_mut(&mut request))
        };
        if status != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(libc::c_int::from(request.l_type) != libc::F_UNLCK)
    }

    /// What the file system has: total bytes and free bytes.
    #[must_use]
    pub(crate) fn file_system(&self) -> Option<(u64, u64)> {
        // SAFETY: an all-zero statvfs is a valid value of plain integers.
        let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open and `stat` is live.
        let status = unsafe { libc::fstatvfs(self.file.as_raw_fd(), &raw mut stat) };
        (status == 0).then(|| (stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize))
    }

    /// The file, for mapping it.
    #[must_use]
    pub(crate) fn as_file(&self) -> &File {
        &self.file
    }

    /// Where it is, or was, named.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn slot_lock(slot: u64, kind: libc::c_int) -> libc::flock {
    // SAFETY: an all-zero flock is a valid value of plain integers.
    let mut request: libc::flock = unsafe { std::mem::zeroed() };
    request.l_type = kind as libc::c_short;
    request.l_whence = libc::SEEK_SET as libc::c_short;
    request.l_start = LOCKS_AT + slot as i64;
    request.l_len = 1;
    request
}
