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

Values are copied and come back equal and of the same type: numbers, text, bytes, tuples, frozensets, and
those of datetime, zoneinfo, decimal, fractions, uuid, complex, range, slice, enum and numpy's scalars.

>>> from decimal import Decimal
>>> from fractions import Fraction
>>> with create(size="1MiB") as seg:
...     seg.root["prices"] = {Decimal("0.5"): "half"}
...     seg.root["prices"][0.5], seg.root["prices"][Fraction(1, 2)]
('half', 'half')
"""

import atexit
import collections.abc
import os

from ._api import attach, create, open, restore, unlink
from ._native import (
    Array,
    Barrier,
    ByteArray,
    Condition,
    Counter,
    DefaultDict,
    Deque,
    Dict,
    Event,
    Lease,
    List,
    Lock,
    Object,
    OrderedDict,
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
    __version__ as __version__,
    _close_all,
    _settle,
    prune,
    segments,
)
from ._records import Peer, Report, SegmentInfo
from ._structs import (
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
from ._vectors import Vec
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
from . import _kinds as _kinds  # adds the reading methods of collections' classes to theirs
from . import _watch as _watch  # adds wait_changed to every shared object

__all__ = [
    "Array",
    "Barrier",
    "BrokenBarrierError",
    "ByteArray",
    "Closed",
    "Condition",
    "Counter",
    "DeadlockError",
    "DefaultDict",
    "Deque",
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
    "Object",
    "OrderedDict",
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
    "restore",
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
# The kinds of dicts first, for what a class has been registered for is not said of it again, and up to
# Python 3.10 `match` asks the class itself.
for _class in (Counter, DefaultDict, OrderedDict, Dict):
    collections.abc.MutableMapping.register(_class)
collections.abc.MutableSet.register(Set)
collections.abc.MutableSequence.register(ByteArray)

# The interpreter does not drop every object at exit: say goodbye to the other processes.
atexit.register(_close_all)
os.register_at_fork(before=_settle)
