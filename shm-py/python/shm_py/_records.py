"""The records that `Segment.peers`, `check()`, `stats()` and `segments()` return."""

from typing import List, NamedTuple, Optional

__all__ = [
    "HolderStats",
    "KindStats",
    "LockStats",
    "Peer",
    "PinStats",
    "Report",
    "SegmentInfo",
    "SizeStats",
    "Stats",
]


class Peer(NamedTuple):
    """A process that is, or was, attached to a segment."""

    pid: int
    name: str
    alive: bool
    #: Seconds since the epoch, as `time.time()` counts.
    attached_at: float


class SegmentInfo(NamedTuple):
    """A segment that exists on this machine."""

    name: str
    #: The ceiling in bytes.
    size: int
    #: Bytes taken now.
    used: int
    peers: List[Peer]

    @property
    def live(self) -> int:
        """How many live processes are attached."""
        return sum(peer.alive for peer in self.peers)

    @property
    def dead(self) -> int:
        """How many processes died attached and have not been cleared away."""
        return sum(not peer.alive for peer in self.peers)


class Report(NamedTuple):
    """What a look at every object of a segment found."""

    #: What is wrong and where, in words: "root['book'][3] (str 0x24a1c0): has count 2, ...".
    findings: List[str]
    #: Mutable objects that are reachable.
    objects: int
    #: Immutable blocks that are reachable.
    leaves: int
    #: Mutable objects that only garbage refers to: what `Segment.gc()` would free.
    garbage: int
    #: Blocks that are taken, and their bytes.
    blocks: int
    bytes: int

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


class SizeStats(NamedTuple):
    """Blocks of one size."""

    #: Bytes of a block; 0 stands for all that are whole pages.
    bytes: int
    #: Pages that are cut into such blocks.
    pages: int
    taken: int
    free: int
    #: Free blocks that threads keep at hand.
    cached: int


class KindStats(NamedTuple):
    """Objects of one kind."""

    #: "list", "dict", ...; "leaf" for text, bytes, tuples and all else that never changes, "pin table" for
    #: what processes note their handles in.
    kind: str
    number: int
    #: Of header and content, not of what they refer to.
    bytes: int


class PinStats(NamedTuple):
    """What one process holds handles of."""

    pid: int
    name: str
    objects: int


class HolderStats(NamedTuple):
    """Who holds a lock."""

    #: 0 once its place in the segment is another's or nobody's.
    pid: int
    name: str
    #: Whether it lives: the process of a permit, the thread of anything else. From the dead the next one takes it.
    alive: bool
    #: The depth of an rlock or of a reader, the permits of a process.
    times: int


class LockStats(NamedTuple):
    """A lock that somebody holds, or anything with a name that a thread sleeps for."""

    #: "lock", "rlock", "rwlock.read", "rwlock.write", "semaphore", "turn", "event", "condition", "barrier";
    #: "container" (`obj.lock()`); "writer lock", which each write has for its moment and a transaction for its block.
    kind: str
    #: Of a container, where it is ("root['jobs'][3]"), or else its kind and offset.
    name: str
    holders: List[HolderStats]
    #: Ids of the processes that sleep until they get it; who waits for the writer lock is not known.
    waiting: List[int]


class Stats(NamedTuple):
    """Numbers of a segment: a look without a lock."""

    #: Bytes taken from the file system.
    used: int
    #: The ceiling in bytes.
    size: int
    #: Bytes of the blocks that are taken.
    taken: int
    #: Bytes that this process reaches by huge pages, where the file system gives them.
    huge: int
    #: Bytes of free blocks that threads keep at hand.
    cached: int
    #: Pages of 64 KiB that nobody has, the runs in which they lie, the pages of the longest run.
    free_pages: int
    free_runs: int
    longest_free_run: int
    #: Free pages besides whose memory the file system has back.
    holes: int
    #: By size, smallest first.
    sizes: List[SizeStats]
    kinds: List[KindStats]
    pins: List[PinStats]
    #: What is held or waited for; since when is stored nowhere.
    locks: List[LockStats]
    #: Collections since the creation, and how long writers waited for one, in seconds.
    collections: int
    last_pause: float
    longest_pause: float
    #: Times that the writer lock was taken from a dead owner.
    deaths: int
    #: Operations rolled back or finished for a dead owner.
    recoveries: int
    #: Seconds since the lock was last taken from a dead owner and all was put in order, if it ever was.
    last_recovery: Optional[float]
