//! The one place that names atomics: std's, or loom's under `cfg(loom)`.
//!
//! Every shared word is an `AtomicU64`; the only 32-bit atomics are futex words, which the kernel
//! wants at that width and which nobody accesses at another one.

#[cfg(not(loom))]
#[allow(
    clippy::disallowed_types,
    reason = "this module is where the disallowed names are allowed"
)]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
