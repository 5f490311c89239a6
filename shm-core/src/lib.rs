//! The runtime of shm: one segment, a crash-safe heap, shared values and containers.
//!
//! Floors, bottom up; a module uses only floors below it:
//!
//! | floor | modules |
//! |---|---|
//! | 0 | `primitive`, `error`, `sys` (all `unsafe`), `options` |
//! | 1 | `layout`, `cell`, `memory` |
//! | 2 | `peers`, `lock`, `journal`, `session` |
//! | 3 | `alloc` |
//! | 4 | `object`, `pins`, `tx`, `recovery`, `heap`, `handle`, `fork`, `attach` |
//! | 5 | `hash`, `leaf`, `fingerprint`, `schema` |
//! | 6 | `list`, `dict`, `set`, `bytearray`, `record`, `turn` |
//! | 7 | `check` |
//! | 8 | `segment`, `value`, `shared`, `__private` |

mod alloc;
mod attach;
pub mod cell;
mod error;
mod fork;
mod handle;
mod heap;
mod journal;
pub mod layout;
mod lock;
mod memory;
mod object;
mod options;
mod peers;
mod pins;
mod primitive;
mod recovery;
mod session;
mod sys;
mod tx;

pub use error::{Error, Result};
pub use heap::Heap;
pub use lock::{WaitHook, set_wait_hook};
pub use options::{Lifetime, SegmentOptions};
pub use peers::Peer;
