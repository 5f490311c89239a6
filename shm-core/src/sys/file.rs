//! The file behind a segment: made nameless, named in one step, grown before it is used.
//!
//! Guarantees: no half-made segment is ever visible under its name ([`SegmentFile::publish`] links
//! a finished file and fails if the name is taken); a range that [`SegmentFile::reserve`] returned
//! for can be touched without SIGBUS until it is punched out; a file is removed only while the name still means that file; a
//! descriptor that somebody else closed in this process (`closerange` in a daemon) is noticed, and
//! its number, which may mean another file by now, is neither used nor closed. Each open file
//! description is told by its position, which nothing here moves after it was set. The lock of a slot
//! is never taken on the description that is mapped, which forked children share: see [`SlotLock`].

use std::ffi::CString;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::primitive::{AtomicU64, Ordering};
use crate::sys::presence::Presence;
use crate::sys::process::generation_word;

/// First byte of the range whose locks tell which process slots are alive: beyond any content.
pub(crate) const LOCKS_AT: i64 = 1 << 62;

/// Handle. An open segment file.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    /// Closed on drop, if the number still means it.
    file: ManuallyDrop<File>,
    path: PathBuf,
    readonly: bool,
    device: u64,
    inode: u64,
    position: i64,
    /// The lock of this process's slot.
    pub(crate) held: Option<SlotLock>,
    /// That the segment is mapped here.
    pub(crate) presence: Option<Presence>,
}

impl Drop for SegmentFile {
    fn drop(&mut self) {
        if self.is_ours() {
            // SAFETY: `file` is not used after this.
            unsafe { ManuallyDrop::drop(&mut self.file) };
        }
    }
}

impl SegmentFile {
    /// Takes over a description that was just opened, and marks it.
    fn new(file: File, path: PathBuf, readonly: bool) -> io::Result<Self> {
        let meta = file.metadata()?;
        Ok(Self::mark(file, &meta, path, readonly))
    }

    fn mark(file: File, meta: &Metadata, path: PathBuf, readonly: bool) -> Self {
        // Small enough for the files of every file system, and unlike what a reader leaves behind; where
        // the counter lies tells this library's marks from those of another copy of it in this process.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let place = (&raw const COUNT).addr() as u64 % (1 << 42);
        let mark = (1 << 40) + (place | 1) + 2 * COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the descriptor is open; no argument is a pointer.
        let position = unsafe { libc::lseek(file.as_raw_fd(), mark as i64, libc::SEEK_SET) };
        SegmentFile {
            file: ManuallyDrop::new(file),
            path,
            readonly,
            device: meta.dev(),
            inode: meta.ino(),
            // Where the mark is refused, the position stays at the start.
            position: position.max(0),
            held: None,
            presence: None,
        }
    }

    /// Whether the descriptor still means the description that was opened.
    pub(crate) fn is_ours(&self) -> bool {
        // SAFETY: a number that is no descriptor is an error; no argument is a pointer.
        let position = unsafe { libc::lseek(self.file.as_raw_fd(), 0, libc::SEEK_CUR) };
        // A mark is no other description's; whose was refused is known by its file.
        position == self.position
            && (position != 0
                || self.file.metadata().is_ok_and(|meta| self.is_file(meta.dev(), meta.ino())))
    }

    fn is_file(&self, device: u64, inode: u64) -> bool {
        self.device == device && self.inode == inode
    }

    /// The same file anew, after its descriptor was lost: by its name, or by the link of a mapping.
    pub(crate) fn open_again(&self, link: &Path) -> io::Result<Self> {
        if let Some(named) = self.open_by_name() {
            return Ok(named);
        }
        match self.follow(link) {
            Ok(found) if self.is_file(found.device, found.inode) => Ok(found),
            _ => Err(io::Error::other(
                "this process closed the segment's file descriptor (closerange?) and the file has \
                 no name any more by which it could be opened again: leave the descriptors of \
                 others open, or close the segment before and attach after",
            )),
        }
    }

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
        Self::new(file, path.to_owned(), false)
            .map_err(|source| Error::Io { what: format!("look at {}", path.display()), source })
    }

    /// A file of memory alone: in no directory, and of no file system that could be full. The name is for
    /// those who look at the process.
    pub(crate) fn create_in_memory(name: &str) -> Result<Self> {
        let label = CString::new(name).unwrap_or_default();
        // SAFETY: the label is NUL-terminated and lives.
        let number = unsafe { libc::memfd_create(label.as_ptr(), libc::MFD_CLOEXEC) };
        if number < 0 {
            return Err(Error::last_os("create a file in memory"));
        }
        // SAFETY: the descriptor was just made and is nobody else's.
        let file = unsafe { File::from_raw_fd(number) };
        // No file has this path.
        Self::new(file, Path::new("/memfd").join(name), false)
            .map_err(|source| Error::Io { what: "look at a file in memory".to_owned(), source })
    }

    /// Opens what the name means now.
    pub(crate) fn open(path: &Path, readonly: bool) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(!readonly)
            .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Self::mark(file, &meta, path.to_owned(), readonly))
    }

    /// The same file by its name, where that still means it.
    fn open_by_name(&self) -> Option<Self> {
        let named = Self::open(&self.path, self.readonly).ok()?;
        self.is_file(named.device, named.inode).then_some(named)
    }

    fn follow(&self, link: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(!self.readonly).open(link)?;
        Self::new(file, self.path.clone(), self.readonly)
    }

    /// A second, independent open file description of the same file, whether it has a name or not.
    pub(crate) fn reopen(&self) -> io::Result<Self> {
        // By its name where it has one: half the time.
        if let Some(named) = self.open_by_name() {
            return Ok(named);
        }
        let link = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let fresh = self.follow(link.as_ref())?;
        if self.is_file(fresh.device, fresh.inode) {
            return Ok(fresh);
        }
        Err(io::Error::other("the segment's file descriptor means another file by now"))
    }

    /// Gives the file its name; `AlreadyExists` if there is one of that name.
    pub(crate) fn publish(&self) -> io::Result<()> {
        self.link(&self.path)
    }

    /// Gives the file its name, taking it from the file that has it.
    pub(crate) fn replace(&self) -> io::Result<()> {
        let mut passing = self.path.clone().into_os_string();
        passing.push(format!(".{}-{}", std::process::id(), self.position));
        self.link(passing.as_ref())?;
        let renamed = std::fs::rename(&passing, &self.path);
        if renamed.is_err() {
            let _ = std::fs::remove_file(&passing);
        }
        renamed
    }

    fn link(&self, path: &Path) -> io::Result<()> {
        let from = CString::new(format!("/proc/self/fd/{}", self.file.as_raw_fd()))?;
        let to = CString::new(path.as_os_str().as_bytes())?;
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
        self.allocate(0, at, bytes)
    }

    /// Gives the memory of a range back to the file system; it reads as zeros then.
    pub(crate) fn punch(&self, at: u64, bytes: u64) -> io::Result<()> {
        self.allocate(libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE, at, bytes)
    }

    fn allocate(&self, mode: libc::c_int, at: u64, bytes: u64) -> io::Result<()> {
        loop {
            // SAFETY: the descriptor is open; the kernel checks the range.
            let status = unsafe {
                let file = self.file.as_raw_fd();
                libc::fallocate(file, mode, at as libc::off_t, bytes as libc::off_t)
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

    /// Ends the file after so many bytes and gives what lay behind back to the file system.
    pub(crate) fn shorten(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }

    /// Copies the first bytes of the file.
    pub(crate) fn read_start(&self, bytes: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&*self.file, bytes, 0)
    }

    /// Copies bytes of the file.
    pub(crate) fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&*self.file, bytes, at)
    }

    /// Writes bytes of the file.
    pub(crate) fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&*self.file, bytes, at)
    }

    /// Returns once what was written has reached the disk, where there is one.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Bytes of the file.
    pub(crate) fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Removes the name if it still means this file; whether it did.
    pub(crate) fn unlink(&self) -> io::Result<bool> {
        match std::fs::symlink_metadata(&self.path) {
            Ok(named) if self.is_file(named.dev(), named.ino()) => {
                std::fs::remove_file(&self.path).map(|()| true)
            }
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Locks the byte of a process slot; `None` if somebody has it.
    pub(crate) fn lock_slot(&self, slot: u64) -> io::Result<Option<SlotLock>> {
        let file = self.reopen()?;
        let locked = file.lock_byte(LOCKS_AT + slot as i64, libc::F_WRLCK)?;
        Ok(locked.then(|| SlotLock { file: Some(Box::new(file)), anchor: None }))
    }

    /// Takes a lock of a byte for this open file description, or turns the one that it has into it;
    /// `false` if others have one that forbids it, then nothing has changed.
    pub(crate) fn lock_byte(&self, at: i64, kind: libc::c_int) -> io::Result<bool> {
        let mut request = byte_lock(at, kind);
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

    /// Whether some other open file description holds the byte of a process slot.
    pub(crate) fn slot_is_locked(&self, slot: u64) -> io::Result<bool> {
        let mut request = byte_lock(LOCKS_AT + slot as i64, libc::F_WRLCK);
        // SAFETY: as in `lock_byte`.
        let status = unsafe {
            libc::fcntl(self.file.as_raw_fd(), libc::F_OFD_GETLK, std::ptr::from_mut(&mut request))
        };
        if status != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(libc::c_int::from(request.l_type) != libc::F_UNLCK)
    }

    /// Whether it was opened for reading only.
    pub(crate) fn is_readonly(&self) -> bool {
        self.readonly
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

/// Handle. Holds the byte of a process slot, on an open file description of its own.
///
/// Once settled, what keeps that description is not a descriptor but a page of it that is mapped and
/// not inherited by forks: so the lock lives exactly as long as the program that took it. Closing
/// descriptors by number does not end it, a child does not prolong it, an exec or any death ends it.
#[derive(Debug)]
pub(crate) struct SlotLock {
    file: Option<Box<SegmentFile>>,
    anchor: Option<Anchor>,
}

/// Invariant: (1) `page` was mapped by the process of a line of forks that `generation` tells, which
/// does not unmap it otherwise; no other process has it.
#[derive(Debug)]
struct Anchor {
    page: usize,
    generation: u64,
}

/// Bytes of an anchor.
const ANCHOR: usize = 4096;

impl SlotLock {
    /// Trades the descriptor for an anchor; if there is none to be had, the descriptor stays.
    pub(crate) fn settle(mut self) -> Self {
        let Some(file) = &self.file else { return self };
        let shared = libc::MAP_SHARED;
        let none = libc::PROT_NONE;
        let fd = file.file.as_raw_fd();
        // SAFETY: a fresh mapping at an address of the kernel's choice; nobody may touch it.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), ANCHOR, none, shared, fd, 0) };
        if page == libc::MAP_FAILED {
            return self;
        }
        let generation = generation_word().load(Ordering::Relaxed);
        // SAFETY: the page is the one just mapped. Failing is no matter.
        unsafe { libc::madvise(page, ANCHOR, libc::MADV_DONTDUMP) };
        self.anchor = Some(Anchor { page: page.expose_provenance(), generation });
        // SAFETY: the page is the one just mapped.
        if unsafe { libc::madvise(page, ANCHOR, libc::MADV_DONTFORK) } == 0 {
            self.file = None;
        } else {
            self.anchor = None;
        }
        self
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        if self.generation == generation_word().load(Ordering::Relaxed) {
            let page = std::ptr::with_exposed_provenance_mut(self.page);
            // SAFETY: (1) the page is this process's, and nothing points into it.
            unsafe { libc::munmap(page, ANCHOR) };
        }
    }
}

fn byte_lock(at: i64, kind: libc::c_int) -> libc::flock {
    // SAFETY: an all-zero flock is a valid value of plain integers.
    let mut request: libc::flock = unsafe { std::mem::zeroed() };
    request.l_type = kind as libc::c_short;
    request.l_whence = libc::SEEK_SET as libc::c_short;
    request.l_start = at;
    request.l_len = 1;
    request
}
