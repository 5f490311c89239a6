//! Words that a test shares with its forks, beside any segment.
#![allow(unsafe_code, reason = "a mapping of its own")]

use std::sync::atomic::AtomicU64;

/// Zeroed, and mapped until the process ends.
pub(crate) fn shared() -> &'static [AtomicU64; 8] {
    // SAFETY: a fresh mapping at an address of the kernel's choice.
    let page = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(page, libc::MAP_FAILED);
    // SAFETY: mapped, zeroed, aligned, never unmapped, used as atomics only.
    unsafe { &*page.cast() }
}
