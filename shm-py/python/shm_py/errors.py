"""The exceptions of shm_py: `ShmError` is the base, and each is the matching built-in too.

So `except FileNotFoundError` keeps working where the code was written for files or for
`multiprocessing.shared_memory`, and `except ShmError` catches whatever this package reports.
The attributes carry the numbers of the message.
"""

import errno
import queue
import threading
from typing import Any

__all__ = [
    "BrokenBarrierError",
    "Closed",
    "DeadlockError",
    "Empty",
    "FormatMismatch",
    "Full",
    "LockTimeout",
    "NoMessages",
    "OwnerDied",
    "OwnerDiedWarning",
    "QueueClosed",
    "ReadOnly",
    "SchemaMismatch",
    "SegmentCorrupt",
    "SegmentExists",
    "SegmentFull",
    "SegmentNotFound",
    "ShmError",
    "TooDeep",
    "TooManyParticipants",
    "UnsupportedType",
]


class ShmError(Exception):
    """Base of everything that shm_py itself reports."""


class SegmentExists(ShmError, FileExistsError):
    """`create` met a segment of this name."""

    name: str = ""
    errno = errno.EEXIST


class SegmentNotFound(ShmError, FileNotFoundError):
    """`attach` found nothing under this name, or `restore` no snapshot."""

    name: str = ""
    errno = errno.ENOENT


class SegmentFull(ShmError, MemoryError):
    """Neither the segment's ceiling nor the file system has room; nothing was changed."""

    name: str = ""
    wanted: int = 0
    used: int = 0
    size: int = 0


class SegmentCorrupt(ShmError, OSError):
    """The content of the segment breaks a rule of its format."""

    name: str = ""


class FormatMismatch(ShmError, OSError):
    """The file is no segment, or one of a format that this build cannot read."""

    name: str = ""


class SchemaMismatch(ShmError, TypeError):
    """A stored struct has other fields than the ones asked for."""

    name: str = ""
    differences: str = ""


class UnsupportedType(ShmError, TypeError):
    """A value of this type cannot be shared; `path` says where it sits in the nested value."""

    path: str = ""
    type_name: str = ""


class Closed(ShmError, ValueError):
    """The segment was closed in this process, or the object is gone."""


class ReadOnly(ShmError, TypeError):
    """A write through a read-only attachment."""

    name: str = ""


class LockTimeout(ShmError, TimeoutError):
    """A lock was not free in time; its holder lives."""

    holder_pid: int = 0
    holder_name: str = ""
    held_for: float = 0.0


class DeadlockError(ShmError, RuntimeError):
    """Waiters wait for each other; the message tells who waits for what, held by whom."""


class OwnerDied(ShmError, RuntimeError):
    """The holder died inside, and the lock was made with `on_owner_died="raise"`.

    The lock is free again when this is raised; the next one to take it is not told.
    """


class OwnerDiedWarning(RuntimeWarning):
    """The holder before died inside: every operation of it is whole, its last task may not be."""


class BrokenBarrierError(ShmError, threading.BrokenBarrierError):
    """The barrier was aborted, reset, timed out, or one of those who waited died."""


class NoMessages(ShmError, queue.Empty):
    """`take_message` found nothing until its timeout."""

    name: str = ""


class Full(ShmError, queue.Full):
    """A bounded queue had no room until the timeout."""

    name: str = ""


class Empty(ShmError, queue.Empty):
    """A queue or a topic had nothing to take until the timeout."""

    name: str = ""


# From Python 3.13 on, what the queues of the standard library raise after shutdown().
_ShutDown: Any = getattr(queue, "ShutDown", RuntimeError)


class QueueClosed(ShmError, _ShutDown):  # type: ignore[misc]
    """Nothing can be put into a queue that was closed, and it has nothing left to take."""

    name: str = ""


class TooDeep(ShmError, RecursionError):
    """Values nested deeper than the limit; nothing was changed."""

    limit: int = 0


class TooManyParticipants(ShmError, OSError):
    """All process or thread slots of the segment are taken by live participants."""

    name: str = ""
    slots: int = 0
