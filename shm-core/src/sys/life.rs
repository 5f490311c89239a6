//! The life word: how a thread's death is known within 0.1 ms, whatever its memory.
//!
//! The kernel walks a dying thread's robust-futex list before it tears the address space down. Its
//! head has one extra pointer, `list_op_pending`; a futex word that this pointer names and that
//! holds the thread's id is marked `FUTEX_OWNER_DIED` (`0x4000_0000`) at exit, exec, thread end and
//! SIGKILL. We use glibc's head and only that pointer: no list node lies in shared memory, so a
//! hostile peer gets no write primitive. glibc's own robust mutexes reset the pointer, hence every
//! operation arms it again (one private store).

use crate::primitive::AtomicU64;

/// The mark that the kernel leaves in the life word of a dead thread.
pub(crate) const DIED: u32 = 0x4000_0000;
/// Set by others who sleep on the life word: the kernel then wakes one of them with the mark.
pub(crate) const WAITERS: u32 = 0x8000_0000;
/// The bits of the thread's id; 0 in the word of a dead thread.
pub(crate) const ID: u32 = 0x3FFF_FFFF;

/// The C library's `struct robust_list_head`.
#[repr(C)]
struct RobustHead {
    list: usize,
    futex_offset: isize,
    pending: usize,
}

/// Handle. The calling thread's robust head; valid in the thread that asked for it only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RobustList {
    /// Invariant: (1) null, or the calling thread's registered head, which lives as long as it.
    head: *mut RobustHead,
}

impl RobustList {
    /// No head: deaths are seen by the process checks alone.
    pub(crate) const NONE: RobustList = RobustList { head: std::ptr::null_mut() };

    /// The head that the C library registered for the calling thread.
    #[must_use]
    pub(crate) fn of_this_thread() -> Self {
        let mut head: *mut RobustHead = std::ptr::null_mut();
        let mut len: libc::size_t = 0;
        // SAFETY: both out-pointers are live locals; thread id 0 asks for the calling thread.
        let status = unsafe {
            libc::syscall(
                libc::SYS_get_robust_list,
                0,
                std::ptr::from_mut(&mut head),
                std::ptr::from_mut(&mut len),
            )
        };
        if status != 0 || len != size_of::<RobustHead>() {
            return Self::NONE;
        }
        RobustList { head }
    }

    /// Names the word that the kernel marks when the calling thread dies.
    pub(crate) fn arm(self, life: &AtomicU64) {
        self.name(life).arm();
    }

    /// What naming this word takes. The head's offset never changes: the C library registers a head
    /// once in a thread's life.
    pub(crate) fn name(self, life: &AtomicU64) -> Named {
        let address = std::ptr::from_ref(life) as isize;
        if self.head.is_null() {
            return Named { head: self, pending: 0 };
        }
        // SAFETY: (1) the head is this thread's; only this thread and the kernel use it.
        let offset = unsafe { (*self.head).futex_offset };
        Named { head: self, pending: (address - offset) as usize }
    }

    /// Names nothing any more.
    pub(crate) fn disarm(self) {
        if self.head.is_null() {
            return;
        }
        // SAFETY: (1) the head is this thread's and lives.
        let pending = unsafe { &raw mut (*self.head).pending };
        // SAFETY: (1) `pending` is a field of the live head.
        unsafe { pending.write_volatile(0) };
    }
}

/// Handle. A life word, ready to be named to the kernel again; valid in one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    head: RobustList,
    /// What the head's pointer is for this word.
    pending: usize,
}

impl Named {
    /// No word.
    pub(crate) const NONE: Named = Named { head: RobustList::NONE, pending: 0 };

    /// Names the word that the kernel marks when the calling thread dies: one private store.
    #[inline]
    pub(crate) fn arm(self) {
        let head = self.head.head;
        if head.is_null() {
            return;
        }
        // SAFETY: (1) of the head: it is this thread's; only this thread and the kernel use it.
        let pending = unsafe { &raw mut (*head).pending };
        // SAFETY: (1) `pending` is a field of the live head; volatile, because the kernel reads it
        // behind the compiler's back.
        unsafe { pending.write_volatile(self.pending) };
    }

    /// Names nothing any more.
    pub(crate) fn disarm(self) {
        self.head.disarm();
    }
}

/// The calling thread's id, as the kernel compares it.
#[must_use]
pub(crate) fn thread_id() -> u32 {
    // SAFETY: gettid has no arguments and cannot fail.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}
