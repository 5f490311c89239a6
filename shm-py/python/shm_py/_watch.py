"""`wait_changed`, `wait_changed_async` and `lock` of every shared object."""

from typing import Any, Optional

from . import _native
from ._native import Array, ByteArray, Dict, List, Object, Set, Struct


def wait_changed(self: Any, timeout: Optional[float] = None) -> bool:
    """Wait until another process or thread changes this object; whether it has in time."""
    return _native._wait_changed(self, timeout)


def wait_changed_async(self: Any, timeout: Optional[float] = None) -> Any:
    """`wait_changed` for coroutines: what changes after the call is news."""
    from . import _aio  # only now: asyncio is a third of what an import of shm_py would take

    return _aio.wait_changed(_native._watch(self), timeout)


def lock(
    self: Any, timeout: Optional[float] = None, *, on_owner_died: str = "warn"
) -> _native.RLock:
    """The lock of this object: `with obj.lock():` keeps all other writers out of it."""
    return _native._lock(self, timeout, on_owner_died)


for _class in (Array, ByteArray, Dict, List, Object, Set, Struct):
    setattr(_class, "wait_changed", wait_changed)
    setattr(_class, "wait_changed_async", wait_changed_async)
    setattr(_class, "lock", lock)
