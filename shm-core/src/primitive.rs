//! The one place that names atomics, so that a model checker's can be put in their place.
//!
//! Every shared word is an `AtomicU64`. Futexes are the low halves of such words; only the kernel
//! looks at them at another width.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// Between a claim and a look at another's claim, both of which are `SeqCst`: nothing more is needed. A
/// model checker that does not order such accesses puts a fence here.
#[inline]
pub(crate) fn after_claim() {}
