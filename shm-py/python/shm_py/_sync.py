"""The async twins of what waits: coroutines that try again when it may be of use.

A coroutine tries on its loop's own thread, so that what it takes belongs to that thread, and there
is no await between the try that succeeds and the caller: cancellation leaves nothing held. While
any coroutine waits, one helper thread of the process looks at what they wait for, once for each
primitive however many wait for it, and tells the loops. A release in the same process tells them at
once; one in another process is seen within a millisecond.

Turns: a coroutine stands in the same line as threads and processes do. Locks, semaphores and
read-write locks: first come first served among the coroutines of a process, which compete with
everybody else. A reentrant lock and the sides of a read-write lock belong to the loop's thread as far
as others see; among the coroutines of the loop they belong to the task that took them.
"""

import asyncio
import collections
import os
import threading
from typing import Any, Callable, Deque, Dict, Hashable, List, Optional, Tuple

from .errors import BrokenBarrierError, DeadlockError, LockTimeout

__all__: List[str] = []

# Seconds between two looks; looks after which everybody tries, because somebody may have died;
# looks with nothing to look at after which the thread ends.
_LOOK = 0.0005
_THOROUGH = 20
_LINGER = 2000
# What the keys of a read-write lock begin with.
_SIDES = ("read", "write")


class _Waiter:
    """One coroutine that waits."""

    __slots__ = ("again", "future", "loop", "told")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: Optional["asyncio.Future[None]"] = None
        self.again = False
        self.told = False

    def poke(self) -> None:
        """Try again; on the loop's thread."""
        self.again = True
        if self.future is not None and not self.future.done():
            self.future.set_result(None)

    def tell(self) -> None:
        """Try again; from any thread, and once until it does."""
        if self.told:
            return
        self.told = True
        try:
            self.loop.call_soon_threadsafe(self.poke)
        except RuntimeError:
            pass  # The loop was closed; whoever closes a loop cancels what waits there.


class _Line:
    """Those who wait for one primitive."""

    __slots__ = ("everybody", "probe", "waiters")

    def __init__(self, probe: Callable[[], bool], everybody: bool) -> None:
        self.probe = probe
        self.everybody = everybody
        self.waiters: Deque[_Waiter] = collections.deque()

    def tell(self) -> None:
        """Tell whose turn it is to try."""
        if self.everybody:
            for waiter in self.waiters:
                waiter.tell()
        elif self.waiters:
            self.waiters[0].tell()


class _Helper:
    """The helper thread of a process and what it looks at."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.mutex = threading.Lock()
        self.lines: Dict[Hashable, _Line] = {}
        self.thread: Optional[threading.Thread] = None

    def add(
        self,
        key: Hashable,
        probe: Callable[[], bool],
        everybody: bool,
        waiter: _Waiter,
    ) -> None:
        with self.mutex:
            line = self.lines.get(key)
            if line is None:
                line = self.lines[key] = _Line(probe, everybody)
            line.waiters.append(waiter)
            if self.thread is None:
                self.thread = threading.Thread(
                    target=self.run, name="shm_py waits", daemon=True
                )
                self.thread.start()

    def remove(self, key: Hashable, waiter: _Waiter) -> None:
        with self.mutex:
            line = self.lines.get(key)
            if line is None:
                return
            if line.waiters and line.waiters[0] is waiter:
                line.waiters.popleft()
            else:
                line.waiters.remove(waiter)
            if not line.waiters:
                del self.lines[key]
            else:
                # The one behind may have waited for this one only.
                line.tell()

    def kick(self, key: Hashable) -> None:
        """Something was given back in this process."""
        with self.mutex:
            line = self.lines.get(key)
            if line is not None:
                line.tell()

    def run(self) -> None:
        """Look, until there has been nothing to look at for a while."""
        pause = threading.Event()
        looks = idle = 0
        while True:
            pause.wait(_LOOK)
            looks += 1
            with self.mutex:
                idle = 0 if self.lines else idle + 1
                if idle > _LINGER:
                    self.thread = None
                    return
                for line in self.lines.values():
                    if looks % _THOROUGH == 0 or _may_succeed(line.probe):
                        line.tell()


def _may_succeed(probe: Callable[[], bool]) -> bool:
    try:
        return probe()
    except Exception:
        return True  # The try will raise it where it is awaited.


_helper = _Helper()


def _the_helper() -> _Helper:
    global _helper
    if _helper.pid != os.getpid():
        # A forked child: its parent's thread and loops are not its own.
        _helper = _Helper()
    return _helper


async def _until(
    key: Hashable,
    probe: Callable[[], bool],
    attempt: Callable[[], Any],
    timeout: Optional[float],
    everybody: bool = False,
) -> Any:
    """The first true value of `attempt()`; false when `timeout` seconds have passed."""
    result = attempt()
    if result or (timeout is not None and timeout <= 0):
        return result
    loop = asyncio.get_running_loop()
    waiter = _Waiter(loop)
    alarm = None if timeout is None else loop.call_later(timeout, waiter.poke)
    end = None if timeout is None else loop.time() + timeout
    helper = _the_helper()
    helper.add(key, probe, everybody, waiter)
    try:
        while True:
            if not waiter.again:
                waiter.future = loop.create_future()
                await waiter.future
            waiter.again = waiter.told = False
            result = attempt()
            if result or (end is not None and loop.time() >= end):
                return result
    finally:
        if alarm is not None:
            alarm.cancel()
        helper.remove(key, waiter)


def _told(holder: Any, timeout: Optional[float]) -> LockTimeout:
    return LockTimeout(f"{holder!r} not acquired within {timeout} seconds")


async def acquire(lock: Any, timeout: Optional[float]) -> bool:
    """`lock.acquire_async(timeout)`."""

    def attempt() -> bool:
        try:
            return bool(lock.acquire(False))
        except DeadlockError:
            # The thread has the other side of a read-write lock: another task gives it back.
            if (lock._key[1:], asyncio.current_task()) in _inside:
                raise
            return False

    return bool(await _until(lock._key, lock._ready, attempt, timeout))


# The tasks that are within `async with` of a lock, once for each time.
_inside: List[Tuple[Hashable, Optional["asyncio.Task[Any]"]]] = []


async def enter(lock: Any, timeout: Optional[float]) -> bool:
    """`async with lock`."""
    if not await acquire(lock, timeout):
        raise _told(lock, timeout)
    if lock._key[0] in _SIDES:
        _inside.append((lock._key[1:], asyncio.current_task()))
    return True


async def leave(lock: Any) -> None:
    """The end of `async with`: the next coroutine is told at once."""
    lock.release()
    if lock._key[0] in _SIDES:
        own = (lock._key[1:], asyncio.current_task())
        # An asynchronous generator may be ended by another task than it was begun by.
        _inside.remove(own if own in _inside else next(it for it in _inside if it[0] == own[0]))
        for side in _SIDES:
            _the_helper().kick((side, *lock._key[1:]))
        return
    if lock._key[0] == "rlock" and not lock._recursion_count():
        _tasks.pop((lock._key, threading.get_ident()), None)
    _the_helper().kick(lock._key)


# Which task of a thread has a reentrant lock, and how often the thread had it before.
_tasks: Dict[Hashable, Tuple[Optional["asyncio.Task[Any]"], int]] = {}


async def acquire_reentrant(lock: Any, timeout: Optional[float]) -> bool:
    """`rlock.acquire_async(timeout)`."""
    key = (lock._key, threading.get_ident())

    def attempt() -> bool:
        task = asyncio.current_task()
        depth = lock._recursion_count()
        held = _tasks.get(key)
        if held is not None and depth <= held[1]:
            # Given back since.
            del _tasks[key]
            held = None
        if held is not None and held[0] is not task:
            return False
        if not lock.acquire(False):
            return False
        if held is None:
            _tasks[key] = (task, depth)
        return True

    return bool(await _until(lock._key, lock._ready, attempt, timeout))


async def enter_reentrant(lock: Any, timeout: Optional[float]) -> bool:
    """`async with rlock`."""
    if not await acquire_reentrant(lock, timeout):
        raise _told(lock, timeout)
    return True


async def take_turn(turn: Any, timeout: Optional[float]) -> Any:
    """`turn.acquire_async(timeout)` and `async with turn`."""
    place = turn._stand()
    looks = 0

    def attempt() -> bool:
        nonlocal looks
        looks += 1
        return bool(turn._poll(place, looks % 4 == 3))

    taken = False
    try:
        taken = await _until(turn._key, lambda: True, attempt, timeout, True)
    finally:
        if not taken:
            turn._give_up(place)
    if not taken:
        raise _told(turn, timeout)
    return turn


async def wait_event(event: Any, timeout: Optional[float]) -> bool:
    """`event.wait_async(timeout)`."""
    before = event._times_set

    def came() -> bool:
        return bool(event.is_set() or event._times_set != before)

    key: Tuple[Any, ...] = (*event._key, before)
    return bool(await _until(key, came, came, timeout, True))


async def wait_barrier(barrier: Any, timeout: Optional[float]) -> int:
    """`barrier.wait_async(timeout)`; one that is cancelled breaks the barrier, as a timeout does."""
    loop = asyncio.get_running_loop()
    end = None if timeout is None else loop.time() + timeout
    gone = False
    try:
        # Nothing while the last one of an older round runs its action.
        arrival = await _until(barrier._key, lambda: True, barrier._arrive, timeout, True)
        if arrival:
            index, round_ = arrival
            key = (*barrier._key, round_)
            if index + 1 == barrier.parties:
                barrier._pass(round_)
                gone = True
                _the_helper().kick(key)
                return int(index)
            left = None if end is None else max(0.0, end - loop.time())
            came = lambda: bool(barrier._poll(round_))  # noqa: E731
            if await _until(key, came, came, left, True):
                gone = True
                return int(index)
    except BrokenBarrierError:
        gone = True
        raise
    finally:
        if not gone:
            barrier.abort()
    raise BrokenBarrierError(f"{barrier!r}: not all came within {timeout} seconds")


async def wait_condition(condition: Any, timeout: Optional[float]) -> bool:
    """`condition.wait_async(timeout)`: as `wait`, also when cancelled the lock is held after it."""
    condition._require_plain()
    ticket = condition._join()
    condition.release()
    helper_key = (*condition._key, ticket)

    def notified() -> bool:
        return bool(condition._notified(ticket))

    _the_helper().kick(condition._key)
    came = False
    try:
        came = bool(await _until(helper_key, notified, notified, timeout))
    finally:
        if not came:
            came = not condition._leave(ticket)
        await _again(condition)
    return came


async def _again(condition: Any) -> None:
    """Takes the lock back whatever happens; a cancellation is raised once it is held."""
    cancelled: Optional[asyncio.CancelledError] = None
    while True:
        try:
            if await acquire(condition, None):
                break
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
