//! Sleeping on the low half of a word until another process changes it.
//!
//! Shared futexes (no PRIVATE flag), because the sleepers are in other processes. Spurious returns
//! are allowed: callers look at the word again. Sleeping on two words at once takes `futex_waitv`
//! (Linux 5.16); where it is missing or forbidden, [`wait_either`] sleeps on the first one alone.

use std::time::Duration;

use super::clock;
use crate::primitive::{AtomicBool, AtomicU64, Ordering};

/// Set in a process that once asked for `futex_waitv` in vain.
static NO_WAITV: AtomicBool = AtomicBool::new(false);

/// The kernel's `struct futex_waitv`.
#[repr(C)]
struct Waiter {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

/// A 32-bit word that other processes share (`FUTEX2_SIZE_U32`, and not `FUTEX2_PRIVATE`).
const SHARED_U32: u32 = 2;

impl Waiter {
    fn on(word: &AtomicU64, expected: u32) -> Self {
        let address = std::ptr::from_ref(word) as u64;
        Waiter { value: u64::from(expected), address, flags: SHARED_U32, reserved: 0 }
    }
}

/// Whether this kernel was not found to lack [`wait_either`].
pub(crate) fn can_wait_for_either() -> bool {
    !NO_WAITV.load(Ordering::Relaxed)
}

/// Sleeps while the low halves of both words are what is expected, at most for `timeout`.
pub(crate) fn wait_either(one: (&AtomicU64, u32), other: (&AtomicU64, u32), timeout: Duration) {
    if NO_WAITV.load(Ordering::Relaxed) {
        return wait(one.0, one.1, timeout);
    }
    let waiters = [Waiter::on(one.0, one.1), Waiter::on(other.0, other.1)];
    let until = clock::after(timeout);
    // SAFETY: the addresses are those of the little-endian low halves of two live words; `waiters`
    // and `until` outlive the call.
    let status = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waiters.as_ptr(),
            waiters.len(),
            0,
            std::ptr::from_ref(&until),
            libc::CLOCK_MONOTONIC,
        )
    };
    if status == -1 {
        let reason = std::io::Error::last_os_error().raw_os_error();
        // An old kernel; a sandbox that does not know the call.
        if matches!(reason, Some(libc::ENOSYS | libc::EPERM | libc::EINVAL)) {
            NO_WAITV.store(true, Ordering::Relaxed);
        }
    }
}

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
    let end = clock::after(timeout);
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Instant;

    use super::*;
    use crate::sys::life::{self, RobustList};

    /// Far longer than a wake takes, so that a sleeper whom nobody wakes is told from one that is.
    const LONG: Duration = Duration::from_secs(20);

    /// Whether the sleep ended before its time, or this kernel cannot do better.
    fn was_woken(one: &AtomicU64, other: (&AtomicU64, u32)) -> bool {
        let started = Instant::now();
        while one.load(Ordering::Relaxed) == 0 && other.0.load(Ordering::Relaxed) as u32 == other.1
        {
            if started.elapsed() > LONG || NO_WAITV.load(Ordering::Relaxed) {
                return NO_WAITV.load(Ordering::Relaxed);
            }
            wait_either((one, 0), other, LONG);
        }
        started.elapsed() < LONG
    }

    #[test]
    fn a_sleeper_on_two_words_is_woken_by_either() {
        for which in 0..2 {
            let words = [AtomicU64::new(0), AtomicU64::new(0)];
            thread::scope(|scope| {
                let sleeper = scope.spawn(|| was_woken(&words[0], (&words[1], 0)));
                thread::yield_now();
                words[which].store(1, Ordering::SeqCst);
                while !sleeper.is_finished() {
                    wake(&words[which], 1);
                    thread::yield_now();
                }
                assert!(sleeper.join().unwrap(), "word {which} woke nobody");
            });
        }
    }

    #[test]
    fn a_sleeper_is_woken_when_the_thread_dies_that_it_watches() {
        for _ in 0..20 {
            let (lock, life) = (AtomicU64::new(0), AtomicU64::new(0));
            let (tell, told) = mpsc::channel();
            thread::scope(|scope| {
                scope.spawn(|| {
                    RobustList::of_this_thread().arm(&life);
                    let id = life::thread_id() | life::WAITERS;
                    life.store(u64::from(id), Ordering::SeqCst);
                    tell.send(id).unwrap();
                    // For the other to fall asleep; should it not, it must see the mark.
                    let told_at = Instant::now();
                    while told_at.elapsed() < Duration::from_millis(1) {
                        thread::yield_now();
                    }
                });
                let id = told.recv().unwrap();
                assert!(was_woken(&lock, (&life, id)), "the kernel woke nobody");
            });
            assert_eq!(life.load(Ordering::SeqCst) as u32, life::DIED | life::WAITERS);
        }
    }
}
