//! The runtime of shm: one segment, a crash-safe heap, shared values and containers.
//!
//! Floors, bottom up; a module uses only floors below it:
//!
//! | floor | modules |
//! |---|---|
//! | 0 | `primitive`, `error`, `options`, `sys` (all `unsafe`), `spares`, `seeded` (bugs for the tests) |
//! | 1 | `cell`, `layout`, `memory` |
//! | 2 | `alone`, `peers`, `backoff`, `lock`, `event`, `watch`, `journal`, `session` |
//! | 3 | `alloc` |
//! | 4 | `object`, `pins`, `gate`, `tx`, `confined`, `recovery`, `heap`, `transaction`, `quick`, `near`, `handle`, `fork`, `leave`, `gc` (it knows cells and blocks only), `give_back` |
//! | 5 | `hash`, `leaf`, `trash`, `free`, `fingerprint`, `schema` |
//! | 6 | `value` with its containers `list`, `dict` (`flavour`: what these are besides), `set`, `bytearray`, `ndarray`, `record` (`slot`, `payload`, `plain`, `view`) |
//! | 7 | `sync`, `queue` (with leases and topics), `changes`, `fast`, `check`, `stats` |
//! | 8 | `attach`, `registry`, `snapshot`, `segment`, `elsewhere`, `futures`, `shared`, `vector`, `array`, `link`, `as_bytes`, `__private` |

pub mod __private;
mod alloc;
mod alone;
mod array;
mod as_bytes;
mod attach;
mod backoff;
mod bytearray;
pub mod cell;
mod changes;
mod check;
mod confined;
pub mod dict;
mod elsewhere;
mod error;
mod event;
mod fast;
mod fingerprint;
mod flavour;
mod fork;
mod free;
#[cfg(feature = "futures")]
mod futures;
mod gate;
mod gc;
mod give_back;
mod handle;
mod hash;
mod heap;
#[cfg(test)]
mod hostile;
mod journal;
pub mod layout;
mod leaf;
mod leave;
mod link;
pub mod list;
mod lock;
mod memory;
mod ndarray;
mod near;
mod object;
mod options;
mod payload;
mod peers;
mod pins;
mod plain;
mod primitive;
mod queue;
mod quick;
mod record;
mod recovery;
mod registry;
mod schema;
#[cfg(test)]
mod scratch;
mod seeded;
mod segment;
mod session;
pub mod set;
mod shared;
mod slot;
mod snapshot;
mod spares;
mod stats;
mod sync;
mod sys;
mod transaction;
mod trash;
mod tx;
mod value;
mod vector;
mod view;
mod watch;

pub use array::ArrayRef;
pub use bytearray::ByteArray;
pub use changes::{Changes, Waiter, Waiters};
pub use check::Report;
pub use dict::{Cursor, Dict};
pub use error::{Error, Result};
pub use fast::{AsOf, Batch, New, Seen, Stored, TEXT_LIMIT};
pub use flavour::{DictFlavour, Factory, ListFlavour, Typed};
pub use fork::before_fork;
#[cfg(feature = "futures")]
pub use futures::AsyncTurn;
pub use gc::{Audit, Collected};
pub use heap::Heap;
pub use link::Link;
pub use list::List;
pub use lock::{WaitHook, set_wait_hook};
pub use ndarray::{Array, DType, Element};
pub use options::{Lifetime, SegmentOptions};
pub use peers::Peer;
pub use queue::{Incoming, Lease, Message, Queue, Subscription, Taken, Topic};
pub use record::{Record, Vector};
pub use registry::{SegmentInfo, close_all, prune, segments, unlink, unlink_path};
pub use schema::{
    Declared, Field, FieldType, Language, Scalar, Schema, Variant, Variants,
    source as schema_source,
};
#[cfg(shm_seeded_bugs)]
pub use seeded::Bug;
pub use segment::Segment;
pub use session::AtHand;
pub use set::Set;
pub use shared::{Item, Shared, Struct};
pub use stats::{KindStats, PinStats, SizeStats, Stats};
pub use sync::{
    Barrier, Condition, ConditionLock, Event, HolderStats, Lock, LockGuard, LockStats, Permit,
    RLock, RLockGuard, ReadGuard, RwLock, Semaphore, Standing, Turn, TurnGuard, WriteGuard,
};
pub use transaction::{RawTransaction, Transaction};
pub use value::{Copied, Draft, Extended, Key, Part, Value, extended};
pub use vector::VecRef;
