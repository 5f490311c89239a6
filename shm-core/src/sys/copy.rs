//! Copies between private bytes and mapped words: whole ones at once, not word by word.
//!
//! Mapped words may change while they are read, so they are no bytes to the language, and a loop over
//! relaxed atomic loads moves 8 bytes a turn: the compiler does not widen it. Long copies are one machine
//! instruction instead, which the language does not look into, as it does not look into what another
//! process does; what was read is believed once a sequence says so, as with every other read. It
//! reads and writes in ascending order of addresses, whole words of a width of its own choice; who
//! writes with it does so where nobody looks yet. Short ones, and other processors, take the loop.

use std::mem::MaybeUninit;

use crate::primitive::{AtomicU64, Ordering};

/// From so many words on it pays.
const LONG: usize = 64;

/// Copies words out; as many as there is room for.
pub(crate) fn out_of(words: &[AtomicU64], room: &mut [MaybeUninit<u8>]) {
    let whole = words.len().min(room.len() / 8);
    if whole >= LONG && long_out(words, room, whole) {
        let left = room.get_mut(whole * 8..).unwrap_or_default();
        return words_out(words.get(whole..).unwrap_or_default(), left);
    }
    words_out(words, room);
}

fn words_out(words: &[AtomicU64], room: &mut [MaybeUninit<u8>]) {
    for (bytes, word) in room.chunks_mut(8).zip(words) {
        for (byte, value) in bytes.iter_mut().zip(word.load(Ordering::Relaxed).to_le_bytes()) {
            byte.write(value);
        }
    }
}

/// The first `length` bytes of some words, from byte `skip` on; fewer if there are fewer.
pub(crate) fn to_vec(words: &[AtomicU64], skip: usize, length: usize) -> Vec<u8> {
    let length = length.min((words.len() * 8).saturating_sub(skip));
    if length == 0 {
        return Vec::new();
    }
    let mut content: Vec<u8> = Vec::with_capacity(skip + length);
    let room = content.spare_capacity_mut().get_mut(..skip + length).unwrap_or_default();
    out_of(words, room);
    // SAFETY: `out_of` has written as many bytes as the room had, because the words are as many.
    unsafe { content.set_len(skip + length) };
    if skip != 0 {
        content.drain(..skip);
    }
    content
}

/// Copies bytes into words that nobody looks at, the last one padded with zeros.
pub(crate) fn into(words: &[AtomicU64], content: &[u8]) {
    let whole = words.len().min(content.len() / 8);
    let done = if whole >= LONG && long_in(words, content, whole) { whole } else { 0 };
    let left = content.get(done * 8..).unwrap_or_default();
    for (word, bytes) in words.get(done..).unwrap_or_default().iter().zip(left.chunks(8)) {
        let mut padded = [0_u8; 8];
        for (byte, value) in padded.iter_mut().zip(bytes) {
            *byte = *value;
        }
        word.store(u64::from_le_bytes(padded), Ordering::Relaxed);
    }
}

/// Makes words zero that nobody looks at.
pub(crate) fn zero(words: &[AtomicU64]) {
    if words.len() >= LONG && long_zero(words) {
        return;
    }
    for word in words {
        word.store(0, Ordering::Relaxed);
    }
}

#[cfg(target_arch = "x86_64")]
fn long_out(words: &[AtomicU64], room: &mut [MaybeUninit<u8>], whole: usize) -> bool {
    debug_assert!(whole <= words.len() && whole * 8 <= room.len());
    // SAFETY: both sides have `whole` words, mapped as long as the borrows last; the room is this
    // caller's alone. The direction flag is clear, as everywhere.
    unsafe { move_bytes(words.as_ptr().cast(), room.as_mut_ptr().cast(), whole * 8) };
    true
}

#[cfg(target_arch = "x86_64")]
fn long_in(words: &[AtomicU64], content: &[u8], whole: usize) -> bool {
    debug_assert!(whole <= words.len() && whole * 8 <= content.len());
    // SAFETY: both sides have `whole` words, mapped as long as the borrows last; atomics may be
    // written through a shared borrow. The direction flag is clear, as everywhere.
    unsafe { move_bytes(content.as_ptr(), words.as_ptr().cast_mut().cast(), whole * 8) };
    true
}

#[cfg(target_arch = "x86_64")]
fn long_zero(words: &[AtomicU64]) -> bool {
    let (to, count): (*mut u8, usize) = (words.as_ptr().cast_mut().cast(), words.len() * 8);
    // SAFETY: the words are mapped as long as the borrow lasts; atomics may be written through a
    // shared borrow. The direction flag is clear, as everywhere.
    unsafe {
        std::arch::asm!(
            "rep stosb",
            inout("rcx") count => _,
            inout("rdi") to => _,
            in("al") 0_u8,
            options(nostack, preserves_flags)
        );
    }
    true
}

/// # Safety
/// 1. `from` can be read and `to` written for `count` bytes, and they do not overlap.
#[cfg(target_arch = "x86_64")]
unsafe fn move_bytes(from: *const u8, to: *mut u8, count: usize) {
    // SAFETY: (1) is the caller's.
    unsafe {
        std::arch::asm!(
            "rep movsb",
            inout("rcx") count => _,
            inout("rsi") from => _,
            inout("rdi") to => _,
            options(nostack, preserves_flags)
        );
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn long_out(_: &[AtomicU64], _: &mut [MaybeUninit<u8>], _: usize) -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn long_zero(_: &[AtomicU64]) -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn long_in(_: &[AtomicU64], _: &[u8], _: usize) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_every_length_are_exact_and_padded() {
        let content: Vec<u8> = (0..2_000_u32).map(|number| (number * 7 + 1) as u8).collect();
        for length in (0..40).chain(500..530).chain(1_990..=2_000) {
            let words: Vec<AtomicU64> = (0..251).map(|_| AtomicU64::new(u64::MAX)).collect();
            into(&words, &content[..length]);
            assert_eq!(to_vec(&words, 0, length), content[..length]);
            let padded = to_vec(&words, 0, length.next_multiple_of(8));
            assert!(padded[length..].iter().all(|byte| *byte == 0), "{length}");
            // Nothing beyond is touched.
            let beyond = words.iter().skip(length.div_ceil(8));
            assert!(beyond.into_iter().all(|word| word.load(Ordering::Relaxed) == u64::MAX));
            let skip = length.min(3);
            assert_eq!(to_vec(&words, skip, length - skip), content[skip..length]);
        }
    }

    #[test]
    fn zeroing_touches_nothing_beyond() {
        for length in (0..20).chain(60..70).chain([250]) {
            let words: Vec<AtomicU64> = (0..251).map(|_| AtomicU64::new(u64::MAX)).collect();
            zero(&words[..length]);
            for (index, word) in words.iter().enumerate() {
                let expected = if index < length { 0 } else { u64::MAX };
                assert_eq!(word.load(Ordering::Relaxed), expected, "{index} of {length}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_not_copied() {
        let words = [AtomicU64::new(u64::from_le_bytes(*b"12345678"))];
        assert_eq!(to_vec(&words, 0, 100), b"12345678");
        assert_eq!(to_vec(&words, 9, 100), b"");
        into(&words, b"abcdefghijkl");
        assert_eq!(to_vec(&words, 0, 8), b"abcdefgh");
    }
}
