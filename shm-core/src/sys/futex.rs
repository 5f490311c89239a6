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

/// Wakes up to `count` sleepers on the low half of `word`.
pub(crate) fn wake(word: &AtomicU64, count: i32) {
    let address = std::ptr::from_ref(word).cast::<u32>();
    // SAFETY: `address` is the low half of a live word; FUTEX_WAKE reads no other argument.
    unsafe {
        libc::syscall(libc::SYS_futex, address, libc::FUTEX_WAKE, count);
    }
}
