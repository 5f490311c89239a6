//! Sleeping on the low half of a word until another process changes it.
//!
//! Shared futexes (no PRIVATE flag), because the sleepers are in other processes. Spurious returns
//! are allowed: callers look at the word again.

use std::time::Duration;

use crate::primitive::AtomicU64;

/// Sleeps while the low 32 bits of `word` are `expected`, at most for `timeout`.
pub(crate) fn wait(word: &AtomicU64, expected: u32, timeout: Duration) {
    let time = libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(timeout.subsec_nanos()),
    };
    let address = std::ptr::from_ref(word).cast::<u32>();
    let null = std::ptr::null::<u32>();
    // SAFETY: `address` is the little-endian low half of a live word; `time` outlives the call.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            address,
            libc::FUTEX_WAIT,
            expected,
            std::ptr::from_ref(&time),
            null,
            0,
        );
    }
}

/// Most words of [`wait_any`].
pub(crate) const MOST_WORDS: usize = 128;

/// Sleeps while the low 32 bits of each word are what is expected of it, at most for `timeout`.
/// Only the first [`MOST_WORDS`] are looked at. On a kernel before 5.16 this sleeps on the first
/// word alone, shortly.
pub(crate) fn wait_any(words: &[(&AtomicU64, u32)], timeout: Duration) {
    /// The kernel's `struct futex_waitv`.
    #[repr(C)]
    struct Waiter {
        value: u64,
        address: u64,
        flags: u32,
        reserved: u32,
    }
    /// The kernel's name for words of 32 bits.
    const SIZE_U32: u32 = 2;

    let waiters: Vec<Waiter> = words
        .iter()
        .take(MOST_WORDS)
        .map(|(word, expected)| Waiter {
            value: u64::from(*expected),
            address: std::ptr::from_ref::<AtomicU64>(word).addr() as u64,
            flags: SIZE_U32,
            reserved: 0,
        })
        .collect();
    let mut end = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `end` is a live local.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut end) };
    let nanos = end.tv_nsec + libc::c_long::from(timeout.subsec_nanos());
    end.tv_sec += timeout.as_secs() as libc::time_t + nanos / 1_000_000_000;
    end.tv_nsec = nanos % 1_000_000_000;
    // SAFETY: `waiters` names live words and outlives the call, as `end` does.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waiters.as_ptr(),
            waiters.len(),
            0,
            std::ptr::from_ref(&end),
            libc::CLOCK_MONOTONIC,
        )
    };
    if result < 0
        && std::io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS)
        && let Some((word, expected)) = words.first()
    {
        wait(word, *expected, timeout.min(Duration::from_millis(1)));
    }
}

/// Wakes up to `count` sleepers on the low half of `word`.
pub(crate) fn wake(word: &AtomicU64, count: i32) {
    let address = std::ptr::from_ref(word).cast::<u32>();
    // SAFETY: `address` is the low half of a live word; FUTEX_WAKE reads no other argument.
    unsafe {
        libc::syscall(libc::SYS_futex, address, libc::FUTEX_WAKE, count);
    }
}
