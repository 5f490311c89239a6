//! Which thread this is, at the price of one load.
//!
//! The thread pointer is the address of what the C library keeps for the calling thread: never 0, and
//! no two living threads' are equal. A thread that starts after another one's end may have the same.

/// The calling thread's pointer.
#[inline]
#[must_use]
pub(crate) fn pointer() -> usize {
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    {
        let pointer: usize;
        // SAFETY: the ABI keeps the thread pointer in the word that it points to, at fs:0, for each thread
        // to read; nothing is stored, and no flag changes.
        unsafe {
            std::arch::asm!(
                "mov {}, fs:0",
                out(reg) pointer,
                options(nostack, preserves_flags, readonly, pure)
            );
        }
        pointer
    }
    #[cfg(target_arch = "aarch64")]
    {
        let pointer: usize;
        // SAFETY: reads a register that each thread may read.
        unsafe {
            std::arch::asm!(
                "mrs {}, tpidr_el0",
                out(reg) pointer,
                options(nostack, nomem, preserves_flags, pure)
            );
        }
        pointer
    }
    #[cfg(not(any(
        all(target_arch = "x86_64", target_pointer_width = "64"),
        target_arch = "aarch64"
    )))]
    {
        thread_local!(static HERE: u8 = const { 0 });
        HERE.with(|here| std::ptr::from_ref(here).addr())
    }
}

#[cfg(test)]
mod tests {
    use super::pointer;

    #[test]
    fn threads_that_live_have_pointers_of_their_own() {
        let here = pointer();
        assert_ne!(here, 0);
        assert_eq!(here, pointer());
        assert_ne!(here, std::thread::spawn(pointer).join().expect("it does nothing else"));
    }
}
