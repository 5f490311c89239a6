//! What can go wrong, in words: every error says what, which one, the numbers and what to do.
//!
//! One enum for the whole library, so that a caller in either language matches on one list. The
//! variants keep their values; `Io` keeps its source. Nothing here allocates in the happy path.

use std::time::Duration;

/// The result of every fallible call of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that a call of this library can report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `create` met a live segment of this name.
    #[error("segment {name:?} exists: attach to it, open it, or choose another name")]
    SegmentExists {
        /// The name (or path) that was asked for.
        name: String,
    },
    /// `attach` found nothing under this name.
    #[error(
        "no segment {name:?}: create it first, use open(), or wait for its creator with timeout="
    )]
    SegmentNotFound {
        /// The name (or path) that was asked for.
        name: String,
    },
    /// `restore` found no file.
    #[error("no snapshot {path:?}: give the path of a file that snapshot() wrote")]
    SnapshotNotFound {
        /// The path that was given.
        path: String,
    },
    /// Neither the segment's ceiling nor the file system has room; nothing was changed.
    #[error("cannot allocate {wanted} bytes in {name:?}: {used} of {size} bytes used; {advice}")]
    SegmentFull {
        /// The segment's name.
        name: String,
        /// Bytes that were asked for.
        wanted: u64,
        /// Bytes taken from the file system so far.
        used: u64,
        /// The ceiling that the segment was created with.
        size: u64,
        /// What to do about it.
        advice: String,
    },
    /// The content of the segment breaks a rule of the format.
    #[error("segment {name:?} is corrupt: {what}")]
    SegmentCorrupt {
        /// The segment's name.
        name: String,
        /// The rule that is broken, and where.
        what: String,
    },
    /// The file is no segment, or one of a format that this build cannot read.
    #[error("segment {name:?} {what}")]
    FormatMismatch {
        /// The segment's name.
        name: String,
        /// What was found, what this build reads, and what to do.
        what: String,
    },
    /// The stored schema and the asked-for type have other fields.
    #[error(
        "schema {name:?} differs: {differences}; declare what the segment has (`shm schema` prints it), or make the structs anew"
    )]
    SchemaMismatch {
        /// The schema's stable name.
        name: String,
        /// Field by field, stored against asked for.
        differences: String,
    },
    /// A value of this type cannot be stored.
    #[error("{path}: cannot share {type_name}")]
    UnsupportedType {
        /// Where in the nested value, as in `root['book'][3]`.
        path: String,
        /// The offending type.
        type_name: String,
    },
    /// A value of the wrong type for this operation, field or key.
    #[error("{what}")]
    WrongType {
        /// What was expected, and what was given.
        what: String,
    },
    /// A record has no such field.
    #[error("{schema:?} has no field {field:?}; its fields are {fields}")]
    UnknownField {
        /// The schema's stable name.
        schema: String,
        /// The field that was asked for.
        field: String,
        /// The fields there are.
        fields: String,
    },
    /// A key or member that is mutable and so has no hash.
    #[error("unhashable type: {type_name}; keys and members are immutable values")]
    Unhashable {
        /// The type of the key.
        type_name: &'static str,
    },
    /// An index outside of the sequence.
    #[error("{what} index {index} out of range for length {len}")]
    IndexOutOfRange {
        /// The kind of sequence.
        what: &'static str,
        /// The index as given.
        index: i64,
        /// The length at that moment.
        len: u64,
    },
    /// No such key, or nothing to take.
    #[error("{what}")]
    KeyNotFound {
        /// The key, bounded, or what was empty.
        what: String,
    },
    /// An argument outside of its range.
    #[error("{what}")]
    InvalidArgument {
        /// Which argument, its value, and what is allowed.
        what: String,
    },
    /// Values nested deeper than the limit.
    #[error("nested deeper than {limit} levels: flatten the value or build it in place")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// The container changed during the operation in a way that makes its result meaningless.
    #[error("{what} changed during {during}")]
    Changed {
        /// The kind of container.
        what: &'static str,
        /// The operation, such as `iteration` or `sort`.
        during: &'static str,
    },
    /// The handle's segment was closed in this process, or its object was freed.
    #[error("{what} is closed: attach again or look the object up again")]
    Closed {
        /// The segment or object.
        what: String,
    },
    /// A write through a read-only attachment.
    #[error("segment {name:?} was attached read-only: attach without readonly to write")]
    ReadOnly {
        /// The segment's name.
        name: String,
    },
    /// A lock was not free in time; its holder lives.
    #[error("{what} not acquired: {}; raise the timeout or look at {}",
        held(*holder_pid, holder_name, *held_for),
        if *holder_pid == 0 { "who has it" } else { "that process" })]
    LockTimeout {
        /// Which lock.
        what: String,
        /// The holder's process id; one of those who read, if it is held for reading; 0 if it is
        /// held by no single process (the permits of a semaphore, those missing at a barrier).
        holder_pid: u32,
        /// The holder's process name.
        holder_name: String,
        /// How long this thread saw it held.
        held_for: Duration,
    },
    /// Waiters wait for each other: none of them can ever go on.
    #[error("deadlock: {chain}; take locks in one order everywhere, or one lock for both")]
    Deadlock {
        /// Who waits for what, held by whom, in words.
        chain: String,
    },
    /// Something is given back that the caller does not hold.
    #[error("{what}: acquire it first, and release it once")]
    NotHeld {
        /// What is not held, and by whom.
        what: String,
    },
    /// A barrier that was broken: by abort, a reset, a timeout, or the death of a waiter.
    #[error("{what} is broken: {why}; reset() makes it usable again")]
    BrokenBarrier {
        /// Which barrier.
        what: String,
        /// What broke it.
        why: &'static str,
    },
    /// `take_message` found the queue empty until its timeout.
    #[error("no message in {name:?}{}", within(*waited))]
    NoMessages {
        /// The segment's name.
        name: String,
        /// How long the call waited.
        waited: Duration,
    },
    /// A bounded queue stayed full until the timeout.
    #[error("queue {name:?} holds its {maxsize} items{}: take some, or raise maxsize", within(*waited))]
    QueueFull {
        /// The queue's name.
        name: String,
        /// How many items it takes.
        maxsize: u64,
        /// How long the call waited.
        waited: Duration,
    },
    /// A queue or topic had nothing to take until the timeout.
    #[error("nothing to take from {name:?}{}", within(*waited))]
    QueueEmpty {
        /// The queue's name.
        name: String,
        /// How long the call waited.
        waited: Duration,
    },
    /// Putting into a queue that was closed, or taking from one that is also empty.
    #[error("queue {name:?} is closed: nothing more can be put into it, nothing is left to take")]
    QueueClosed {
        /// The queue's name.
        name: String,
    },
    /// All process or thread slots are taken by live participants.
    #[error(
        "segment {name:?} has all of its {slots} {kind} slots in use by live ones: create it with more"
    )]
    TooManyParticipants {
        /// The segment's name.
        name: String,
        /// `process` or `thread`.
        kind: &'static str,
        /// How many there are.
        slots: u64,
    },
    /// The operating system refused.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried, and on which file.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The wait was ended by the caller's interrupt check (a signal in Python).
    #[error("interrupted while waiting for {what}")]
    Interrupted {
        /// What was waited for.
        what: &'static str,
    },
}

/// Who holds a lock, as far as one thread saw.
fn held(pid: u32, name: &str, held_for: Duration) -> String {
    match (pid, held_for.is_zero()) {
        (0, true) => "others hold it".to_owned(),
        (0, false) => format!("others hold it, {held_for:.1?} at least"),
        (_, true) => format!("held by pid {pid} ({name:?}), which is alive"),
        (_, false) => {
            format!("held for {held_for:.1?} at least by pid {pid} ({name:?}), which is alive")
        }
    }
}

/// How long somebody waited, if at all.
fn within(waited: Duration) -> String {
    // Who did not wait looked once.
    if waited.as_millis() == 0 { String::new() } else { format!(" within {waited:.1?}") }
}

impl Error {
    /// An `Io` error from the calling thread's `errno`.
    pub(crate) fn last_os(what: impl Into<String>) -> Self {
        Error::Io { what: what.into(), source: std::io::Error::last_os_error() }
    }
}
