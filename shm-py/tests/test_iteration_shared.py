"""Iterators and copies that others meet half-way: threads that take from one iterator, handlers of signals, what
cannot be read."""

import collections
import enum
import fractions
import mmap
import multiprocessing
import signal
import struct
import sys
import threading
import types

import pytest

import shm_py

PROCESSES = multiprocessing.get_context("spawn")
WAIT = 60
CONTAINERS = {
    "list": lambda seg: seg.list(range(200)),
    "dict": lambda seg: seg.dict({i: i for i in range(200)}),
    "set": lambda seg: seg.set(range(200)),
}


class Handled(Exception):
    """Raised by the handler of a signal."""


def in_another_process(function, *args):
    """What may hang or crash goes by itself."""
    process = PROCESSES.Process(target=function, args=args)
    process.start()
    process.join(WAIT)
    process.kill()
    process.join()
    assert process.exitcode == 0


class Writer:
    """Keeps a container half-changed in a transaction of another thread, until the block is left."""

    def __init__(self, seg, shared):
        self.ready, self.done = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.change, args=(seg, shared))

    def change(self, seg, shared):
        with seg.transaction():
            if isinstance(shared, shm_py.Set):
                shared.add(-1)
            else:
                shared[5] = "changed"
            self.ready.set()
            self.done.wait(WAIT)

    def __enter__(self):
        self.thread.start()
        self.ready.wait(WAIT)
        return self

    def __exit__(self, *exception):
        self.done.set()
        self.thread.join()


def wait_in_two_threads():
    with shm_py.create(size="4MiB") as seg:
        shared = CONTAINERS["dict"](seg)
        iterator, given = iter(shared), []
        with Writer(seg, shared) as writer:
            waiting = threading.Semaphore(0)

            def take():
                waiting.release()
                given.append(next(iterator))

            threads = [threading.Thread(target=take) for _ in range(2)]
            for thread in threads:
                thread.start()
            for _ in threads:
                waiting.acquire()
            writer.done.set()
            for thread in threads:
                thread.join()
        assert sorted(given) == [0, 1]
        assert next(iterator) == 2


def test_two_threads_wait_for_one_iterator(seg):
    for _ in range(3):
        in_another_process(wait_in_two_threads)


def take_in_a_handler():
    with shm_py.create(size="4MiB") as seg:
        shared = CONTAINERS["dict"](seg)
        iterator, given = iter(shared), []
        with Writer(seg, shared) as writer:

            def handle(*_):
                # The transaction goes on until this has begun to wait.
                threading.Timer(0.1, writer.done.set).start()
                given.append(next(iterator))

            signal.signal(signal.SIGALRM, handle)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            given.append(next(iterator))
        assert sorted(given) == [0, 1]


def test_a_handler_takes_from_the_iterator_that_it_interrupts(seg):
    in_another_process(take_in_a_handler)


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize("copy", ["to_py", "copy"])
def test_a_copy_that_waits_ends_by_what_a_handler_raises(seg, kind, copy):
    def handle(*_):
        raise Handled

    shared = CONTAINERS[kind](seg)
    former = signal.signal(signal.SIGALRM, handle)
    try:
        with Writer(seg, shared):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(Handled):
                getattr(shared, copy)()
    finally:
        signal.signal(signal.SIGALRM, former)
    assert len(getattr(shared, copy)()) == len(shared)


SHARES = {
    "keys": (dict, iter),
    "values": (dict, lambda shared: iter(shared.values())),
    "items": (dict, lambda shared: iter(shared.items())),
    "members": (set, iter),
    "elements": (list, iter),
    "deque": (collections.deque, iter),
    "deque backwards": (collections.deque, reversed),
}


@pytest.mark.parametrize("way", SHARES)
def test_threads_that_share_an_iterator_are_given_each_entry_once(seg, way):
    make, start = SHARES[way]
    # What Python code makes of a cell lets other threads run.
    numbers = [fractions.Fraction(i, 7) for i in range(2000)]
    usual = make(zip(numbers, numbers) if make is dict else numbers)
    seg.root["shared"] = usual
    iterator, given = start(seg.root["shared"]), []
    threads = [threading.Thread(target=lambda: given.extend(iterator)) for _ in range(4)]
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(former)
    assert collections.Counter(given) == collections.Counter(start(usual))


@pytest.fixture
def colour(monkeypatch):
    module = types.ModuleType("colours")
    module.Colour = enum.Enum("Colour", ["RED"], module="colours")
    monkeypatch.setitem(sys.modules, "colours", module)
    yield module.Colour.RED


@pytest.mark.parametrize("way", ["values", "items", "list"])
def test_an_entry_that_is_nothing_here_is_passed(seg, monkeypatch, colour, way):
    shared = seg.list([1, colour, 3]) if way == "list" else seg.dict({1: 1, 2: colour, 3: 3})
    monkeypatch.delitem(sys.modules, "colours")
    iterator = iter(shared if way == "list" else getattr(shared, way)())
    assert next(iterator) in (1, (1, 1))
    with pytest.raises(shm_py.UnsupportedType):
        next(iterator)
    assert list(iterator) in ([3], [(3, 3)])


def copy_of_any_length(path, kind):
    """A length that no segment has room for."""
    seg = shm_py.create(path=path, size="16MiB")
    shared = CONTAINERS[kind](seg)
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as words:
        # Number of cells above, where they start or how many entries there were below.
        at = words.find(struct.pack("<II", 0 if kind == "list" else 200, 200))
        while at % 8 != 0:
            at = words.find(struct.pack("<II", 0 if kind == "list" else 200, 200), at + 1)
        usual, words[at + 4 : at + 8] = words[at + 4 : at + 8], struct.pack("<I", 2**32 - 16)
        assert len(shared) == 2**32 - 16
        for copy in (shared.to_py, shared.copy):
            with pytest.raises(shm_py.SegmentCorrupt):
                copy()
        words[at + 4 : at + 8] = usual
    seg.close()


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_length_that_cannot_be_is_an_error(tmp_path, kind):
    in_another_process(copy_of_any_length, str(tmp_path / "segment"), kind)
