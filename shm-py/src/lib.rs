//! The native module `shm_py._native`: Python on top of the shared-memory core.
//!
//! Thin on purpose: what an operation means, and that it happens wholly or not at all, is the
//! core's business. Floors, lowest first:
//!
//! - `error`, `wait`: exceptions, waiting without the GIL;
//! - `slots`: the raw slots that make indexing fast, and the map of living proxies. The only
//!   `unsafe` code is here;
//! - `home`, `values`, `convert`, `common`: an attachment, values in and out, what the types share;
//! - `kinds`: deques, ordered dicts and the like on top of lists and dicts, instances of classes;
//! - `list`, `dict`, `set`, `bytearray`, `array`, `record`, `vector`, `queue`, `topic`, `watch`, `transaction`: one file per shared
//!   type; `message`: a dict that was taken from a queue and is not built yet; `sync`: turns, locks and the like;
//! - `segment`: the attachment as users see it; `reach`: the ways to one.
//!
//! Nothing Python-visible (allocation, comparison, signals) runs inside an operation of the core,
//! so a thread that waits for the GIL never holds a lock of the segment.

#[allow(unsafe_code, reason = "the functions of the buffer protocol, which `slots` fills")]
mod array;
#[allow(unsafe_code, reason = "the functions of the buffer protocol, which `slots` fills")]
mod bytearray;
mod common;
mod convert;
mod dict;
mod draft;
mod elsewhere;
mod error;
mod home;
mod kinds;
mod list;
mod message;
mod queue;
mod reach;
mod record;
mod segment;
mod set;
#[allow(unsafe_code, reason = "slots are C functions on raw objects: the hot paths of indexing")]
mod slots;
mod sync;
mod topic;
mod transaction;
mod values;
mod vector;
mod wait;
mod watch;

use pyo3::prelude::*;

/// The module; public names are re-exported by `shm_py/__init__.py`.
#[pymodule(gil_used = true)]
mod _native {
    #[pymodule_export]
    use crate::array::{SharedArray, new_array};
    #[pymodule_export]
    use crate::bytearray::{ByteArrayIterator, SharedByteArray};
    #[pymodule_export]
    use crate::dict::{DictIterator, SharedDict};
    #[pymodule_export]
    use crate::kinds::{
        DequeIterator, DequeReverseIterator, SharedCounter, SharedDefaultDict, SharedDeque,
        SharedObject, SharedOrderedDict,
    };
    #[pymodule_export]
    use crate::list::{ListIterator, ListReverseIterator, SharedList};
    #[pymodule_export]
    use crate::message::settle_all;
    #[pymodule_export]
    use crate::queue::{Lease, Queue};
    #[pymodule_export]
    use crate::reach::{close_all, prune, reach, reattach, rebuild, restore, segments, unlink};
    #[pymodule_export]
    use crate::record::SharedStruct;
    #[pymodule_export]
    use crate::segment::{SharedSegment, canonical, make_struct, schema_source};
    #[pymodule_export]
    use crate::set::{SetIterator, SharedSet};
    #[pymodule_export]
    use crate::slots::buffer::{ArrayBytes, VecBytes};
    #[pymodule_export]
    use crate::sync::{
        Barrier, Condition, Event, Lock, RLock, RwLock, RwLockSide, Semaphore, Turn, lock_of_object,
    };
    #[pymodule_export]
    use crate::topic::{Subscription, Topic};
    #[pymodule_export]
    use crate::transaction::Transaction;
    #[pymodule_export]
    use crate::vector::SharedVec;
    #[pymodule_export]
    use crate::watch::{Waiters, Watch, wait_changed, watch};

    use pyo3::types::PyModuleMethods;

    use super::{Bound, PyModule, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::values::quick::install(module.py())?;
        crate::slots::install(module.py())
    }
}
