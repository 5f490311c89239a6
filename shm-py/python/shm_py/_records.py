"""The records that `Segment.peers`, `Segment.check()` and `segments()` return."""

from typing import List, NamedTuple

__all__ = ["Peer", "Report", "SegmentInfo"]


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
    #: Bytes taken so far.
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
