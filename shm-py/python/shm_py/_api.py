"""`create`, `attach`, `open`, `restore` and `unlink`, and the sizes they take."""

import os
import re
from typing import Any, Dict, Iterable, Optional, Union

from . import _native
from ._native import Segment

__all__ = ["attach", "create", "open", "restore", "unlink"]

_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_BINARY = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", re.IGNORECASE)

_Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


def _bytes(size: Union[int, str]) -> int:
    """The number of bytes that a size means.

    >>> _bytes("64MiB"), _bytes("1.5 kB"), _bytes(4096)
    (67108864, 1500, 4096)
    """
    if isinstance(size, str):
        match = _SIZE.fullmatch(size)
        if match is None:
            raise ValueError(f"size {size!r} is not like 65536, '64MiB' or '1GB'")
        number, unit, binary = match.groups()
        units = _BINARY if binary else _UNITS
        size = int(float(number) * units[unit.upper()])
    elif isinstance(size, bool) or not hasattr(size, "__index__"):
        raise TypeError(f"size is an int or a str like '64MiB', not {type(size).__name__}")
    size = size.__index__()
    if not 0 < size < 1 << 63:
        raise ValueError(f"size {size} is not between 1 and 2**63 - 1 bytes")
    return size


def _reach(
    way: str,
    name: Optional[str],
    size: Union[int, str],
    path: Optional[_Path],
    mode: int,
    lifetime: Optional[str],
    readonly: bool,
    timeout: Optional[float],
    allow_pickle: Optional[Iterable[type]],
) -> Segment:
    _check(name, mode, lifetime)
    return _native._reach(
        way,
        name,
        _bytes(size),
        _file(path),
        mode,
        lifetime,
        readonly,
        timeout,
        _allowed(allow_pickle),
    )


def _check(name: Any, mode: Any, lifetime: Any) -> None:
    """Errors that name the argument."""
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name is a str, not {type(name).__name__}")
    if isinstance(mode, bool) or not hasattr(mode, "__index__"):
        raise TypeError(f"mode is an int like 0o600, not {type(mode).__name__}")
    if not 0 <= mode.__index__() <= 0o777:
        raise ValueError(f"mode {mode.__index__()} is not between 0 and 0o777, the bits of rwxrwxrwx")
    if lifetime is not None and not isinstance(lifetime, str):
        raise TypeError(f"lifetime is 'last', 'creator' or 'manual', not {type(lifetime).__name__}")


def _allowed(classes: Optional[Iterable[type]]) -> Optional[Dict[type, str]]:
    """The classes of `allow_pickle`, by the names under which they are stored."""
    if classes is None:
        return None
    from . import _pickles

    return _pickles.allowed(classes)


def _file(path: Optional[_Path]) -> Optional[str]:
    return None if path is None else os.path.abspath(os.fsdecode(path))


def create(
    name: Optional[str] = None,
    size: Union[int, str] = "1GiB",
    *,
    path: Optional[_Path] = None,
    mode: int = 0o600,
    lifetime: Optional[str] = None,
    readonly: bool = False,
    timeout: Optional[float] = None,
    allow_pickle: Optional[Iterable[type]] = None,
) -> Segment:
    """Create a segment; `SegmentExists` if there is one of this name.

    Without a name, one is made up: `seg.name` tells it. `size` is the ceiling; memory is taken as
    it is used. `lifetime` says when the segment goes away by itself: "last" (with its last process),
    "creator" (with this process) or "manual" (when it is unlinked). With `path`, a regular file is
    used; it outlives its processes and a reboot, for then the lifetime is "manual" unless you give
    one. Of a name it is "last".

    `allow_pickle={Point, ...}`: instances of exactly these classes are stored by value, as pickles that
    may name nothing else. Only who opens the segment with the class in its own `allow_pickle` reads them.

    >>> with create(size="1MiB") as seg:
    ...     seg.root["answer"] = {"n": 42}
    ...     seg.root["answer"]["n"]
    42
    """
    return _reach(
        "create", name, size, path, mode, lifetime, readonly, timeout, allow_pickle
    )


def attach(
    name: Optional[str] = None,
    size: Union[int, str] = "1GiB",
    *,
    path: Optional[_Path] = None,
    mode: int = 0o600,
    lifetime: Optional[str] = None,
    readonly: bool = False,
    timeout: Optional[float] = None,
    allow_pickle: Optional[Iterable[type]] = None,
) -> Segment:
    """Attach to a segment; `SegmentNotFound` if there is none within `timeout` seconds.

    With `readonly`, the memory is mapped so that writing is impossible: every write raises
    `ReadOnly`. `size`, `mode` and `lifetime` are those of the creator.

    >>> with create(size="1MiB") as seg, attach(seg.name, timeout=5) as same:
    ...     seg.root["n"] = 1
    ...     same.root["n"]
    1
    """
    return _reach(
        "attach", name, size, path, mode, lifetime, readonly, timeout, allow_pickle
    )


def open(
    name: Optional[str] = None,
    size: Union[int, str] = "1GiB",
    *,
    path: Optional[_Path] = None,
    mode: int = 0o600,
    lifetime: Optional[str] = None,
    readonly: bool = False,
    timeout: Optional[float] = None,
    allow_pickle: Optional[Iterable[type]] = None,
) -> Segment:
    """Attach to a segment, or create it if there is none: any process may be the first.

    `size`, `mode` and `lifetime` are those of whoever creates it. A name goes with the last process,
    and the next one starts afresh; a file (`path`) stays and is there next time.

    >>> with create(size="1MiB") as seg, open(seg.name) as same:
    ...     same.name == seg.name
    True
    """
    return _reach(
        "open", name, size, path, mode, lifetime, readonly, timeout, allow_pickle
    )


def restore(
    snapshot: Optional[_Path] = None,
    name: Optional[str] = None,
    *,
    path: Optional[_Path] = None,
    mode: int = 0o600,
    lifetime: Optional[str] = None,
    allow_pickle: Optional[Iterable[type]] = None,
) -> Segment:
    """Make a segment of a snapshot, under a name that must be free.

    Without a name and a path, a name is made up; a `path` without a snapshot is the snapshot's. The ceiling is that of the snapshot's segment.
    What processes held then is given back, as after their death. `SegmentCorrupt` if the snapshot
    is damaged, `FormatMismatch` if it is none or of another version.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory, create(size="1MiB") as seg:
    ...     seg.root["n"] = 1
    ...     size = seg.snapshot(directory + "/n.snapshot")
    ...     seg.root["n"] = 2
    ...     with restore(directory + "/n.snapshot") as former:
    ...         former.root["n"], seg.root["n"]
    (1, 2)
    """
    _check(name, mode, lifetime)
    if snapshot is None:
        # `restore(path=...)`: the only path is the snapshot's.
        snapshot, path = path, None
    if snapshot is None:
        raise TypeError("restore() needs the path of a snapshot")
    where = _file(path)
    if name is None:
        name = "" if where is not None else f"shm-{os.getpid()}-{os.urandom(8).hex()}"
    allowed = _allowed(allow_pickle)
    return _native._restore(os.fsdecode(snapshot), name, where, mode, lifetime, allowed)


def unlink(name: Optional[str] = None, *, path: Optional[_Path] = None) -> None:
    """Remove the name or the file of a segment; attached processes keep their memory until they close.

    What is no segment is left alone (`FormatMismatch`).

    >>> with create(size="1MiB") as seg:
    ...     unlink(seg.name)
    ...     seg.root["n"] = 1
    """
    if name is None and path is None:
        raise ValueError("unlink() needs a name or a path")
    _native._unlink(name, _file(path))
