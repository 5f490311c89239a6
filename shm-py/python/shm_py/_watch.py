"""`wait_changed` and `wait_changed_async` of every shared object."""

from typing import Any, Optional

from . import _aio, _native
from ._native import ByteArray, Dict, List, Set, Struct


def wait_changed(self: Any, timeout: Optional[float] = None) -> bool:
    """Wait until another process or thread changes this object; whether it has in time."""
    return _native._wait_changed(self, timeout)


def wait_changed_async(self: Any) -> Any:
    """`wait_changed` for coroutines: what changes after the call is news."""
    return _aio.wait_changed(_native._watch(self))


for _class in (ByteArray, Dict, List, Set, Struct):
    setattr(_class, "wait_changed", wait_changed)
    setattr(_class, "wait_changed_async", wait_changed_async)
