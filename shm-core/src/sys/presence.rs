//! Who maps the segment: a lock of the file that all of them share, and that one alone can have.
//!
//! Everybody who maps a segment holds a byte of its file shared, from before the first look at its data
//! pages until nothing of it is mapped any more. Who gets it exclusively is alone in the world, and
//! nobody comes while it is kept so. That the lock lives exactly as long as the mapping is not left to
//! anybody's care:
//!
//! * It belongs to an open file description of its own, which nothing keeps but a page of it that is
//!   mapped beside the segment. Any death and any exec ends that with the rest of the memory; closing
//!   descriptors does not.
//! * Unlike the page of a slot's lock, it is inherited by forks, as the segment is: a child holds the same
//!   lock for as long as it lives, whether it has a slot, or runs handlers, or not.
//! * So a process cannot tell its children's hold from its own by asking. It finds out by letting go: it
//!   drops its page for another one, of a description that nobody shares, and whatever is still held then
//!   is held by others.
//!
//! A read-only attachment never gives memory back, so it does without a page: its lock belongs to the
//! description that is mapped itself. So does that of a process that cannot open the file again.

use std::io;
use std::os::fd::AsRawFd;

use super::file::{LOCKS_AT, SegmentFile};

/// The byte: in front of those of the process slots.
const AT: i64 = LOCKS_AT - 1;
/// Bytes of a page that keeps a description.
const PAGE: usize = 4096;

/// Handle. A hold on the byte, shared, kept until the segment is not mapped any more.
#[derive(Debug)]
pub(crate) enum Presence {
    /// By a page of a description of its own.
    Own(#[allow(dead_code, reason = "held until it is dropped")] Page),
    /// By the description that is mapped.
    Mapped,
}

/// Handle. A page that nobody touches and that keeps an open file description.
///
/// Invariant: (1) mapped in this process, whether it or a parent did it, and nobody else unmaps it.
#[derive(Debug)]
pub(crate) struct Page(usize);

impl Page {
    fn of(file: &SegmentFile) -> io::Result<Self> {
        let (none, shared, fd) = (libc::PROT_NONE, libc::MAP_SHARED, file.as_file().as_raw_fd());
        // SAFETY: a fresh mapping at an address of the kernel's choice; nobody may touch it.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, none, shared, fd, 0) };
        if page == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the page is the one just mapped. Failing is no matter.
        unsafe { libc::madvise(page, PAGE, libc::MADV_DONTDUMP) };
        Ok(Page(page.expose_provenance()))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let page = std::ptr::with_exposed_provenance_mut(self.0);
        // SAFETY: (1) the page is this process's, and nothing points into it.
        unsafe { libc::munmap(page, PAGE) };
    }
}

/// Handle. Nobody else maps the segment, and nobody begins to, until this is dropped.
#[derive(Debug)]
pub(crate) struct Alone(SegmentFile);

impl Drop for Alone {
    fn drop(&mut self) {
        // Nobody can be in the way of that: the lock only gets weaker.
        let _ = self.0.lock_byte(AT, libc::F_RDLCK);
    }
}

impl SegmentFile {
    /// Joins those who map the segment; `false` while somebody is alone there.
    pub(crate) fn join(&mut self) -> io::Result<bool> {
        if !self.is_readonly()
            && let Ok(file) = self.reopen()
            && let Ok(page) = Page::of(&file)
        {
            let joined = file.lock_byte(AT, libc::F_RDLCK)?;
            self.presence = joined.then_some(Presence::Own(page));
            return Ok(joined);
        }
        let joined = self.lock_byte(AT, libc::F_RDLCK)?;
        self.presence = joined.then_some(Presence::Mapped);
        Ok(joined)
    }

    /// Finds out whether this process's hold is the only one, and keeps others away if it is. The caller
    /// holds the segment's writer lock, so nobody else is at this point.
    pub(crate) fn join_alone(&mut self) -> io::Result<Option<Alone>> {
        if !matches!(self.presence, Some(Presence::Own(_))) {
            return Ok(None);
        }
        let file = self.reopen()?;
        let page = Page::of(&file)?;
        if !file.lock_byte(AT, libc::F_RDLCK)? {
            return Ok(None);
        }
        // The former page goes, and with it the former lock, unless a child has it too.
        self.presence = Some(Presence::Own(page));
        // Refused, the lock stays what it is.
        Ok(file.lock_byte(AT, libc::F_WRLCK)?.then(|| Alone(file)))
    }
}
