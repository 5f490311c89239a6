//! Copies words of the mapping two at a time.
//!
//! What the compiler may not do with atomic loads. A copy that is made of loads and stores of 16 bytes is
//! half as long, and whoever copies it on does not wait for eight-byte stores to be put together.
//! Each word by itself is read as a relaxed load reads it; nothing is promised about several:
//! callers look at a sequence. Used where the processor is known to read aligned 16 bytes so: on
//! x86-64, as its makers document for those with AVX.

use std::mem::MaybeUninit;

use crate::primitive::{AtomicU64, Ordering};

/// Room for a copy of words, without a value at first.
pub(crate) struct Room<const N: usize>(MaybeUninit<[u64; N]>);

impl<const N: usize> Room<N> {
    /// Without a value.
    #[inline]
    pub(crate) fn new() -> Self {
        Room(MaybeUninit::uninit())
    }

    /// The words, at most `N`; zeros behind them.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "where the count is a constant it is a few instructions"
    )]
    pub(crate) fn fill(&mut self, words: &[AtomicU64]) -> &[u64; N] {
        let words = words.get(..N).unwrap_or(words);
        let room = self.0.as_mut_ptr().cast::<u64>();
        let quick = cfg!(target_arch = "x86_64") && words.as_ptr().addr().is_multiple_of(16);
        let (pairs, _) = words.as_chunks::<2>();
        let mut done = 0;
        if quick {
            for pair in pairs {
                // SAFETY: `done` is less than the number of words, so at most `N`.
                let place = unsafe { room.add(done) };
                // SAFETY: (1) the words start at a multiple of 16, so each pair does; (2) the pair
                // lies in the room, as there are at most `N` words.
                unsafe { copy(pair, place) };
                done += 2;
            }
        }
        for word in words.iter().skip(done) {
            // SAFETY: as above.
            let place = unsafe { room.add(done) };
            // SAFETY: `place` is in the room, which is aligned for words.
            unsafe { place.write(word.load(Ordering::Relaxed)) };
            done += 1;
        }
        while done < N {
            // SAFETY: `done` is below `N`.
            let place = unsafe { room.add(done) };
            // SAFETY: `place` is in the room.
            unsafe { place.write(0) };
            done += 1;
        }
        // SAFETY: all `N` words have been written.
        unsafe { self.0.assume_init_ref() }
    }
}

/// Copies two words.
///
/// # Safety
/// 1. `words` starts at a multiple of 16.
/// 2. 16 bytes may be written at `place`.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn copy(words: &[AtomicU64; 2], place: *mut u64) {
    // SAFETY: reads the 16 bytes of `words`, which are mapped, at a multiple of 16 by (1), and writes
    // 16 bytes as (2) allows. Others may write the words meanwhile: the instruction reads what is
    // there, as two relaxed loads do.
    unsafe {
        std::arch::asm!(
            "movdqa {both}, [{from}]",
            "movdqu [{to}], {both}",
            both = out(xmm_reg) _,
            from = in(reg) words.as_ptr(),
            to = in(reg) place,
            options(nostack, preserves_flags),
        );
    }
}

/// Copies two words.
///
/// # Safety
/// 1. 16 bytes may be written at `place`.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
unsafe fn copy(words: &[AtomicU64; 2], place: *mut u64) {
    // SAFETY: (1).
    unsafe {
        place.cast::<[u64; 2]>().write(words.each_ref().map(|word| word.load(Ordering::Relaxed)))
    };
}
