"""The shared memory of Cengal, as a thin layer: its programs run with the import line changed.

>>> from shm_py.cengal import SharedMemory, wait_my_turn
>>> creator = SharedMemory("seeds-of-shm", create=True, size=1 << 20)
>>> with wait_my_turn(creator):
...     data = creator.put_message([1, 0])
>>> consumer = SharedMemory("seeds-of-shm", create=False)
>>> creator.wait_consumer_ready() and consumer.wait_for_messages()
True
>>> with wait_my_turn(consumer):
...     same = consumer.take_message()
...     same[1] += 1
>>> data[1]
1
>>> consumer.close(); creator.close()

Names and meanings are Cengal's; what is different is better: any number of consumers, turns in the
order of coming, waits that sleep, data that is whole whoever is killed. The arguments that tuned its
busy waiting and its memory are taken and ignored. The turn is needed only for what must happen in
one piece: each single operation is atomic by itself.
"""

from __future__ import annotations

import os
import time
from enum import IntEnum
from types import TracebackType
from typing import Any, Optional, Tuple, Type, Union

import shm_py

__all__ = [
    "GetInLine",
    "NoMessagesInQueueError",
    "OperationTimedOutError",
    "QueueType",
    "SharedMemory",
    "SharedMemoryError",
    "WaitMyTurn",
    "WaitMyTurnWhenHasMessages",
    "await_my_turn",
    "get_in_line",
    "wait_my_turn",
    "wait_my_turn_when_has_messages",
]

_Number = Union[int, float]

# Where this layer keeps who is ready.
_STATE = "cengal"


class SharedMemoryError(Exception):
    """Base of what Cengal's shared memory raises."""


class NoMessagesInQueueError(SharedMemoryError):
    """`take_message` or `read_message` found no message."""


class OperationTimedOutError(SharedMemoryError):
    """A time limit passed."""


class QueueType(IntEnum):
    """Which message comes first."""

    fifo = 0
    lifo = 1


class SharedMemory:
    """A segment as its creator or a consumer sees it."""

    def __init__(
        self,
        name: str,
        create: bool = False,
        size: Optional[int] = None,
        queue_type: QueueType = QueueType.fifo,
        zero_mem: bool = True,
        consumer_id: Optional[int] = None,
        creator_destroy_timeout: float = 5.0,
        unlink_old: bool = True,
        max_consumers_num: Optional[int] = 1,
        wait_for_consumers_num: Optional[int] = None,
        **_ignored: Any,
    ) -> None:
        self._name = name.strip("/")
        self._create = bool(create)
        self._asked_size = size
        self._queue_type = queue_type
        self._consumer_id = consumer_id
        self._destroy_timeout = creator_destroy_timeout
        self._wait_for = wait_for_consumers_num
        self._segment: Optional[shm_py.Segment] = None
        self._held = False
        self._marked = False
        if self._create:
            if unlink_old:
                self.unlink_by_name(self._name)
            self._segment = shm_py.create(self._name, size or 64 << 20)
            self._segment.root[_STATE] = {"creator": os.getpid(), "consumers": {}}
            self._turn = self._segment.turn("cengal")
        else:
            try:
                self._attach(0)
            except shm_py.SegmentNotFound:
                pass  # Attached with the first use: the creator may come later.

    @staticmethod
    def unlink_by_name(shared_memory_name: str) -> None:
        """Remove the segment of this name, if there is one."""
        try:
            shm_py.unlink(shared_memory_name.strip("/"))
        except shm_py.SegmentNotFound:
            pass

    def _attach(self, timeout: Optional[_Number]) -> shm_py.Segment:
        if self._segment is None:
            forever = 1e9
            segment = shm_py.attach(self._name, timeout=forever if timeout is None else timeout)
            end = _end(timeout)
            while _STATE not in segment.root:
                if _over(end):
                    segment.close()
                    raise shm_py.SegmentNotFound(f"{self._name!r} is being created")
                segment.root.wait_changed(0.01)
            self._segment = segment
            self._turn = segment.turn("cengal")
        if not self._marked and not self._create:
            # Attached is ready: there is nothing else to prepare.
            self.set_consumer_ready()
        return self._segment

    @property
    def segment(self) -> shm_py.Segment:
        """The segment itself, for all that Cengal had no name for."""
        return self._attach(None)

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def size(self) -> int:
        """The ceiling in bytes."""
        return self.segment.size

    @property
    def create(self) -> bool:
        """Whether this is the creator."""
        return self._create

    @property
    def consumer_id(self) -> Optional[int]:
        """The number of this consumer; -1 is the first one, as in Cengal."""
        return self._consumer_id

    # Who is there.

    def init_consumer(
        self, time_limit: Optional[_Number] = None, periodic_sleep_time: Optional[_Number] = None
    ) -> bool:
        """Attach and say so, waiting for the creator; whether it came in time."""
        try:
            self._attach(time_limit)
        except shm_py.SegmentNotFound:
            return False
        return True

    def _consumers(self) -> Any:
        return self.segment.root[_STATE]["consumers"]

    def set_creator_ready(self) -> None:
        """The creator is ready from the start."""

    def set_consumer_ready(self) -> None:
        """Tell the creator that this consumer is there."""
        if self._segment is None:
            self._attach(None)
            return
        self._marked = True
        consumers = self._segment.root[_STATE]["consumers"]
        if self._consumer_id is None:
            number = -1
            while consumers.setdefault(number, os.getpid()) != os.getpid():
                number += 1
            self._consumer_id = number
        consumers[self._consumer_id] = os.getpid()

    def close_consumer(self) -> None:
        """Tell the creator that this consumer goes."""
        if self._segment is not None and not self._segment.closed and self._marked:
            self._consumers().pop(self._consumer_id, None)
            self._marked = False

    def ready_consumers_num(self) -> int:
        """How many consumers are there."""
        return len(self._consumers())

    def wait_creator_ready(
        self, time_limit: Optional[_Number] = None, periodic_sleep_time: Optional[_Number] = None
    ) -> bool:
        """Wait for the creator; whether it came in time."""
        return self._create or self.init_consumer(time_limit)

    wait_shared_memory_ready = wait_creator_ready

    def _wait_for_consumers(self, least: int, most: int, limit: Optional[_Number]) -> bool:
        consumers, end = self._consumers(), _end(limit)
        while not least <= len(consumers) <= most:
            if _over(end):
                return False
            # What comes between the look and the wait is found by the next look.
            consumers.wait_changed(0.01)
        return True

    def wait_consumer_ready(
        self, time_limit: Optional[_Number] = None, periodic_sleep_time: Optional[_Number] = None
    ) -> bool:
        """Wait for a consumer, or as many as the constructor was told; whether they came in time."""
        return self._wait_for_consumers(self._wait_for or 1, 1 << 62, time_limit)

    wait_additional_consumers_ready = wait_consumer_ready

    def wait_consumer_closed(
        self, time_limit: Optional[_Number] = None, periodic_sleep_time: Optional[_Number] = None
    ) -> bool:
        """Wait until every consumer has gone; whether they have in time."""
        end = _end(time_limit)
        while not self._wait_for_consumers(0, 0, 0):
            alive = {peer.pid for peer in self.segment.peers if peer.alive}
            for number, pid in list(self._consumers().items()):
                if pid not in alive:
                    self._consumers().pop(number, None)
            if self._wait_for_consumers(0, 0, 0.05):
                break
            if _over(end):
                return False
        return True

    wait_additional_consumers_closed = wait_consumer_closed

    # Messages.

    def _order(self, queue_type: Optional[QueueType]) -> QueueType:
        return self._queue_type if queue_type is None else queue_type

    def map_object(self, obj: Any) -> Any:
        """Copy an object into the segment and return the shared one."""
        return self.segment._share(obj)

    def put_message(self, obj: Any) -> Any:
        """Append an object to the messages and return the shared one."""
        shared = self.map_object(obj)
        self.segment.put_message(shared)
        return shared

    def has_messages(self) -> bool:
        """Whether there is a message to take."""
        return self.segment.has_messages()

    def take_message(self, queue_type: Optional[QueueType] = None) -> Any:
        """Take a message; `NoMessagesInQueueError` if there is none."""
        try:
            if self._order(queue_type) == QueueType.lifo:
                return self.segment._take_newest_message()
            return self.segment.take_message(0)
        except shm_py.NoMessages:
            raise NoMessagesInQueueError(f"no messages in {self._name!r}") from None

    def pop_message(self, default: Any = None, queue_type: Optional[QueueType] = None) -> Any:
        """Take a message, or return `default` if there is none."""
        try:
            return self.take_message(queue_type)
        except NoMessagesInQueueError:
            return default

    def read_message(self, queue_type: Optional[QueueType] = None) -> Any:
        """The message that would be taken; it stays."""
        try:
            return self.segment._peek_message(self._order(queue_type) == QueueType.lifo)
        except shm_py.NoMessages:
            raise NoMessagesInQueueError(f"no messages in {self._name!r}") from None

    def get_message(self, default: Any = None, queue_type: Optional[QueueType] = None) -> Any:
        """As `read_message`, or `default` if there is none."""
        try:
            return self.read_message(queue_type)
        except NoMessagesInQueueError:
            return default

    def wait_for_messages(
        self, time_limit: Optional[_Number] = None, periodic_sleep_time: Optional[_Number] = None
    ) -> bool:
        """Wait until there is a message; whether there is one in time."""
        end = _end(time_limit)
        if not self.init_consumer(time_limit):
            return False
        segment = self.segment
        while not segment.has_messages():
            left = None if end is None else max(0.0, end - time.monotonic())
            if not segment._wait_for_message(left):
                return False
        return True

    # Turns.

    def is_in_line(self) -> bool:
        """Whether this process has the turn."""
        return self._held

    def get_in_line(self) -> bool:
        """Take the turn if it is free; whether it was."""
        return self.wait_my_turn(0)

    def wait_my_turn(
        self, time_limit: Optional[_Number] = None, periodic_sleep_time: Optional[_Number] = None
    ) -> bool:
        """Wait for the turn; whether it came in time. Having it already is having it."""
        if self._held:
            return True
        self._attach(time_limit)
        try:
            self._turn.acquire(timeout=time_limit)
        except shm_py.LockTimeout:
            return False
        self._held = True
        return True

    def release(self) -> None:
        """Pass the turn on."""
        if self._held:
            self._held = False
            self._turn.release()

    # The end.

    def close(self) -> None:
        """Detach; the creator first waits for its consumers to go, and takes the name along."""
        segment = self._segment
        if segment is None or segment.closed:
            return
        self.release()
        if self._create:
            self.wait_consumer_closed(self._destroy_timeout)
            segment.unlink()
        else:
            self.close_consumer()
        segment.close()

    proper_close = close

    def __enter__(self) -> SharedMemory:
        if self._create:
            if self._wait_for:
                self.wait_consumer_ready()
        else:
            self.init_consumer()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __reduce__(self) -> Tuple[Any, ...]:
        # Whoever gets it in another process is a consumer.
        return (SharedMemory, (self._name, False))


def _end(limit: Optional[_Number]) -> Optional[float]:
    return None if limit is None else time.monotonic() + limit


def _over(end: Optional[float]) -> bool:
    return end is not None and time.monotonic() >= end


class WaitMyTurn:
    """`with wait_my_turn(manager):` runs the block alone among all processes."""

    def __init__(
        self,
        shared_memory: SharedMemory,
        time_limit: Optional[_Number] = None,
        periodic_sleep_time: Optional[_Number] = None,
    ) -> None:
        self.shared_memory = shared_memory
        self.time_limit = time_limit
        self._had = False

    def __enter__(self) -> SharedMemory:
        self._had = self.shared_memory.is_in_line()
        if not self._had and not self.shared_memory.wait_my_turn(self.time_limit):
            raise OperationTimedOutError(f"no turn within {self.time_limit} s")
        return self.shared_memory

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if not self._had:
            self.shared_memory.release()


class WaitMyTurnWhenHasMessages(WaitMyTurn):
    """As `wait_my_turn`, and there is a message when the block starts."""

    def __enter__(self) -> SharedMemory:
        end = _end(self.time_limit)
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not self.shared_memory.wait_for_messages(left):
                raise OperationTimedOutError(f"no message within {self.time_limit} s")
            super().__enter__()
            if self.shared_memory.has_messages():
                return self.shared_memory
            super().__exit__(None, None, None)


class GetInLine(WaitMyTurn):
    """Takes the turn if it is free: `with get_in_line(manager) as got:`."""

    def __enter__(self) -> bool:  # type: ignore[override]
        self._had = self.shared_memory.is_in_line()
        return self._had or self.shared_memory.get_in_line()


class await_my_turn(WaitMyTurn):
    """`async with await_my_turn(manager):` lets other coroutines run while it waits."""

    async def __aenter__(self) -> SharedMemory:
        import asyncio

        self._had = self.shared_memory.is_in_line()
        end, pause = _end(self.time_limit), 0.0
        while not self._had and not self.shared_memory.get_in_line():
            if _over(end):
                raise OperationTimedOutError(f"no turn within {self.time_limit} s")
            await asyncio.sleep(pause)
            pause = min(0.005, pause * 2 + 0.0001)
        return self.shared_memory

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.__exit__(kind, value, traceback)


wait_my_turn = WaitMyTurn
wait_my_turn_when_has_messages = WaitMyTurnWhenHasMessages
get_in_line = GetInLine
