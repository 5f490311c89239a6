//! Reads neighbouring words of the mapping two at a time.
//!
//! What the compiler may not do with two atomic loads. A copy of a struct that is made of loads of 16
//! bytes is half as long, and whoever copies it on does not wait for eight-byte stores to be put
//! together. Each word by itself is read as a relaxed load reads it; nothing is promised about the
//! two: callers look at a sequence. Used where the processor is known to read aligned 16 bytes so:
//! on x86-64, as its makers document for those with AVX.

use crate::primitive::AtomicU64;

/// Handle. Words that can be read two at a time.
pub(crate) struct Pairs<'w> {
    /// Invariant: (1) starts at a multiple of 16.
    pairs: &'w [[AtomicU64; 2]],
    /// The last of an odd number of words.
    pub(crate) last: Option<&'w AtomicU64>,
}

impl<'w> Pairs<'w> {
    /// `None` if these words are read faster or more safely one by one.
    #[inline]
    pub(crate) fn of(words: &'w [AtomicU64]) -> Option<Self> {
        if !cfg!(target_arch = "x86_64") || !words.as_ptr().addr().is_multiple_of(16) {
            return None;
        }
        let (pairs, last) = words.as_chunks::<2>();
        Some(Pairs { pairs, last: last.first() })
    }

    /// The words two by two, each pair read when it is asked for.
    #[inline]
    pub(crate) fn read(&self) -> impl Iterator<Item = [u64; 2]> + use<'w> {
        self.pairs.iter().map(read)
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn read(words: &[AtomicU64; 2]) -> [u64; 2] {
    let both: std::arch::x86_64::__m128i;
    // SAFETY: reads the 16 bytes of `words`, which are mapped, at a multiple of 16 by (1). Others may
    // write them meanwhile: the instruction reads what is there, as two relaxed loads do.
    unsafe {
        std::arch::asm!(
            "movdqa {both}, [{at}]",
            both = out(xmm_reg) both,
            at = in(reg) words.as_ptr(),
            options(nostack, preserves_flags),
        );
    }
    // SAFETY: both types are 16 bytes of which any are a value.
    unsafe { std::mem::transmute(both) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn read(words: &[AtomicU64; 2]) -> [u64; 2] {
    words.each_ref().map(|word| word.load(crate::primitive::Ordering::Relaxed))
}
