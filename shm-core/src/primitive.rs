//! The one place that names atomics, so that a model checker's can be put in their place.
//!
//! Every shared word is an `AtomicU64`. Futexes are the low halves of such words; only the kernel
//! looks at them at another width.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
