"""The async twins of what waits: one helper thread in a process sleeps for all coroutines.

The thread sleeps in the kernel until something that is waited for changes, and tells the event
loops. It starts with the first wait and ends when nothing has been waited for in a while. What a
coroutine takes it takes in its own step of its loop, after it was woken: a coroutine that is
cancelled while it waits has taken nothing, and hands a wake that came too late to the next in line.
"""

import asyncio
import os
import queue as queues
import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple, Type

from . import _native
from .errors import Empty, Full

_Loop = asyncio.AbstractEventLoop

# How long the thread stays when there is nothing to wait for, in seconds.
_IDLE = 1.0


class _Hub:
    """The helper thread of one process, and what it tells whom."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.waiters = _native._Waiters()
        self.lock = threading.Lock()
        self.told: Dict[int, Tuple[_Loop, Callable[[], None]]] = {}
        self.next = 1
        self.thread: Optional[threading.Thread] = None

    def tell(self, loop: _Loop, target: Any, version: int, tell: Callable[[], None]) -> int:
        """Calls `tell` in the loop once `target` is not as it was at `version`."""
        with self.lock:
            number = self.next
            self.next += 1
            self.told[number] = (loop, tell)
            self.waiters.add(number, target, version)
            if self.thread is None:
                self.thread = threading.Thread(target=self.run, name="shm_py-aio", daemon=True)
                self.thread.start()
        return number

    def forget(self, number: int) -> None:
        """Takes that back."""
        with self.lock:
            self.told.pop(number, None)
        self.waiters.remove(number)

    def run(self) -> None:
        """What the thread does."""
        while True:
            numbers = self.waiters.wait(_IDLE)
            with self.lock:
                due = [self.told.pop(number, None) for number in numbers]
                if not numbers and not self.told:
                    self.thread = None
                    return
            calls: Dict[_Loop, List[Callable[[], None]]] = {}
            for entry in due:
                if entry is not None:
                    calls.setdefault(entry[0], []).append(entry[1])
            for loop, tells in calls.items():
                try:
                    loop.call_soon_threadsafe(_all, tells)
                except RuntimeError:
                    pass  # The loop was closed: nobody waits there any more.


def _all(calls: List[Callable[[], None]]) -> None:
    for call in calls:
        call()


_hub = _Hub()


def _the_hub() -> _Hub:
    global _hub
    if _hub.pid != os.getpid():
        # Forked: the thread, and whoever waited, stayed with the parent.
        _hub = _Hub()
        _lines.clear()
    return _hub


class _Line:
    """The coroutines of one loop that wait for one target, first come first served."""

    def __init__(self, loop: _Loop, key: Any, target: Any) -> None:
        self.loop = loop
        self.key = key
        self.target = target
        self.waiting: Deque["asyncio.Future[None]"] = deque()
        self.number: Optional[int] = None

    def watch(self, version: int) -> None:
        if self.number is None:
            self.number = _the_hub().tell(self.loop, self.target, version, self.news)

    def news(self) -> None:
        """Something changed: the first in line looks, and wakes the next if it found something."""
        self.number = None
        self.wake()

    def wake(self) -> None:
        while self.waiting:
            future = self.waiting.popleft()
            if not future.done():
                future.set_result(None)
                return

    def leave(self, future: "asyncio.Future[None]") -> None:
        """A coroutine that waits no more; one that was woken in vain wakes the next."""
        if future in self.waiting:
            self.waiting.remove(future)
        else:
            self.wake()
        if not self.waiting:
            _lines.pop(self.key, None)
            if self.number is not None:
                _the_hub().forget(self.number)
                self.number = None


_lines: Dict[Any, _Line] = {}


def _end(loop: _Loop, timeout: Optional[float]) -> Optional[float]:
    """When a wait is over, by the loop's clock."""
    if timeout is not None and timeout != timeout:
        raise ValueError("timeout is not a number")
    return None if timeout is None else loop.time() + timeout


async def _reached(loop: _Loop, future: "asyncio.Future[None]", end: Optional[float]) -> bool:
    """Whether the future is done before the end; one that is not is cancelled."""
    try:
        await asyncio.wait_for(future, None if end is None else max(0.0, end - loop.time()))
    except asyncio.TimeoutError:
        return False
    return True


async def _until(
    kind: str,
    target: Any,
    attempt: Callable[[], Any],
    vain: Type[Exception],
    timeout: Optional[float],
) -> Any:
    """Tries until the attempt does not raise `vain`, in the order of coming; then it may raise that."""
    loop = asyncio.get_running_loop()
    end = _end(loop, timeout)
    _the_hub()
    key = (loop, kind, target._key)
    first = True
    while True:
        line = _lines.get(key)
        version = target._version()
        # Who comes later does not overtake who waits.
        if line is None or not line.waiting or not first:
            done = True
            try:
                return attempt()
            except vain:
                done = False
            finally:
                line = _lines.get(key)
                if done and line is not None:
                    # There may be more than this one thing; what went wrong does so for others.
                    line.wake()
        if line is None:
            line = _lines[key] = _Line(loop, key, target)
        future: "asyncio.Future[None]" = loop.create_future()
        if first:
            line.waiting.append(future)
        else:
            line.waiting.appendleft(future)
        first = False
        line.watch(version)
        try:
            in_time = await _reached(loop, future, end)
        except asyncio.CancelledError:
            line.leave(future)
            raise
        if not in_time:
            try:
                return attempt()
            finally:
                line.leave(future)
        _lines.setdefault(key, line)


async def put(queue: Any, item: Any, timeout: Optional[float]) -> None:
    """`Queue.put_async`."""
    # Copied in once, not at every attempt.
    shared = queue._share(item)
    await _until("put", queue, lambda: queue.put_nowait(shared), Full, timeout)


async def get(queue: Any, timeout: Optional[float]) -> Any:
    """`Queue.get_async`, and `Segment.take_message_async` with the queue of messages."""
    return await _until("get", queue, queue.get_nowait, queues.Empty, timeout)


async def get_lease(queue: Any, timeout: Optional[float]) -> Any:
    """`Queue.get_lease_async`."""
    return await _until("get", queue, lambda: queue.get_lease(False), Empty, timeout)


async def _news(target: Any, version: int, end: Optional[float] = None) -> bool:
    """Until a subscription is not at `version` any more, or a watch has news; whether before the end."""
    loop = asyncio.get_running_loop()
    future: "asyncio.Future[None]" = loop.create_future()

    def tell() -> None:
        if not future.done():
            future.set_result(None)

    hub = _the_hub()
    number = hub.tell(loop, target, version, tell)
    try:
        return await _reached(loop, future, end)
    finally:
        hub.forget(number)


async def next_message(subscription: Any, timeout: Optional[float] = None) -> Any:
    """`Subscription.get_async`."""
    end = _end(asyncio.get_running_loop(), timeout)
    while True:
        version = subscription._version()
        try:
            return subscription.get(False)
        except Empty:
            if not await _news(subscription, version, end):
                raise


async def next_change(watch: Any) -> Any:
    """The value after the next change of a watch."""
    while not watch.poll():
        await _news(watch, 0)
    return watch.value


async def wait_changed(watch: Any, timeout: Optional[float]) -> bool:
    """`wait_changed` for coroutines: a watch that was made when it was called."""
    end = _end(asyncio.get_running_loop(), timeout)
    while not watch.poll():
        if not await _news(watch, 0, end):
            return bool(watch.poll())
    return True
