"""True interprocess shared memory: nested Python objects in one crash-safe segment.

>>> import shm_py
>>> seg = shm_py.create(size="16MiB")
>>> root = seg.root
>>> root["book"] = {"bids": [(101.5, 3)], "n": 0, "who": {"a", "b"}}
>>> root["book"]["bids"].append((101.25, 7))
>>> root["book"].add("n", 1)
1
>>> len(root["book"]["bids"])
2
>>> seg.close()

Built-in objects are copied in, once, at any depth; from then on they are changed in place, and
every process sees each change at once. Every operation happens wholly or not at all, whichever
process is killed at whichever instruction.
"""

import atexit
import collections.abc

from ._api import attach, create, open
from ._native import (
    Array,
    Barrier,
    ByteArray,
    Condition,
    Dict,
    Event,
    Lease,
    List,
    Lock,
    Queue,
    RLock,
    RWLock,
    Segment,
    Semaphore,
    Set,
    Struct,
    Subscription,
    Topic,
    Transaction,
    Turn,
    Watch,
    _close_all,
    prune,
    segments,
    unlink,
)
from ._records import Peer, Report, SegmentInfo
from ._structs import (
    Vec,
    char,
    duration,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    i128,
    kind,
    readonly,
    schema_source,
    struct,
    time,
    u8,
    u16,
    u32,
    u64,
    u128,
)
from .errors import (
    BrokenBarrierError,
    Closed,
    DeadlockError,
    Empty,
    FormatMismatch,
    Full,
    LockTimeout,
    NoMessages,
    OwnerDied,
    OwnerDiedWarning,
    QueueClosed,
    ReadOnly,
    SchemaMismatch,
    SegmentCorrupt,
    SegmentExists,
    SegmentFull,
    SegmentNotFound,
    ShmError,
    TooDeep,
    TooManyParticipants,
    UnsupportedType,
)
from . import _array_methods as _array_methods  # adds what numpy has to Array
from . import _bytes as _bytes  # adds the reading methods of bytearray to ByteArray
from . import _watch as _watch  # adds wait_changed to every shared object

__all__ = [
    "Array",
    "Barrier",
    "BrokenBarrierError",
    "ByteArray",
    "Closed",
    "Condition",
    "DeadlockError",
    "Dict",
    "Empty",
    "Event",
    "FormatMismatch",
    "Full",
    "Lease",
    "List",
    "Lock",
    "LockTimeout",
    "NoMessages",
    "OwnerDied",
    "OwnerDiedWarning",
    "Peer",
    "Queue",
    "QueueClosed",
    "RLock",
    "RWLock",
    "ReadOnly",
    "Report",
    "SchemaMismatch",
    "Segment",
    "SegmentCorrupt",
    "SegmentExists",
    "SegmentFull",
    "SegmentInfo",
    "SegmentNotFound",
    "Semaphore",
    "Set",
    "ShmError",
    "Struct",
    "Subscription",
    "TooDeep",
    "TooManyParticipants",
    "Topic",
    "Transaction",
    "Turn",
    "UnsupportedType",
    "Vec",
    "Watch",
    "attach",
    "char",
    "create",
    "duration",
    "f32",
    "f64",
    "i128",
    "i16",
    "i32",
    "i64",
    "i8",
    "kind",
    "open",
    "prune",
    "readonly",
    "schema_source",
    "segments",
    "struct",
    "time",
    "u128",
    "u16",
    "u32",
    "u64",
    "u8",
    "unlink",
]

# On 3.10+ this also makes them match sequence and mapping patterns.
collections.abc.MutableSequence.register(List)
collections.abc.MutableMapping.register(Dict)
collections.abc.MutableSet.register(Set)
collections.abc.MutableSequence.register(ByteArray)

# The interpreter does not drop every object at exit: say goodbye to the other processes.
atexit.register(_close_all)
