//! The clock that all processes of a machine share: it never goes back, and starts at boot.

use std::time::Duration;

/// The time since boot, sleep of the machine excluded (`CLOCK_MONOTONIC`).
pub(crate) fn now() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a live local; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    Duration::new(now.tv_sec.cast_unsigned(), now.tv_nsec as u32)
}

/// The same clock in so much time, as the kernel takes it.
pub(crate) fn after(time: Duration) -> libc::timespec {
    let end = now().saturating_add(time);
    libc::timespec {
        tv_sec: libc::time_t::try_from(end.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: end.subsec_nanos().into(),
    }
}
