//! The only floor with `unsafe`: the mapping and the system calls, each behind a safe contract.
//!
//! Nothing here knows the format of a segment beyond "words"; nothing above this module may use
//! `unsafe`. Linux only: robust futexes, OFD locks and fallocate are what the promises rest on.

#![allow(unsafe_code, reason = "this floor wraps the kernel and the mapping for all others")]

pub(crate) mod clock;
pub(crate) mod copy;
pub(crate) mod file;
pub(crate) mod futex;
pub(crate) mod life;
pub(crate) mod mapping;
pub(crate) mod pair;
pub(crate) mod presence;
pub(crate) mod proc;
pub(crate) mod process;
pub(crate) mod thread;
