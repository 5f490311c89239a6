"""`with` on locks and the like: the methods that it calls behave as built-in ones do."""

import copy
import gc
import inspect
import pickle
import sys
import threading
import weakref

import pytest

import shm_py


@pytest.fixture
def seg():
    with shm_py.create(size="4MiB") as seg:
        yield seg


def kinds(seg):
    rw = seg.rwlock("rw")
    return [seg.lock("l"), seg.rlock("r"), seg.semaphore("s", 2), seg.turn("t"), rw.read(), rw.write()]


def test_blocks_enter_and_leave(seg):
    lock = seg.lock("l")
    for _ in range(3):
        with lock as taken:
            assert taken is True
            assert lock.locked()
        assert not lock.locked()
    with seg.turn("t") as turn:
        assert isinstance(turn, shm_py.Turn)
    for item in kinds(seg):
        with item:
            pass


def test_an_exception_leaves_the_block_and_passes(seg):
    lock = seg.lock("l")
    with pytest.raises(ZeroDivisionError), lock:
        1 / 0
    assert not lock.locked()


def test_the_block_keeps_what_nobody_else_has(seg):
    with seg.lock("l"):
        gc.collect()
        assert seg.lock("l").locked()
    assert not seg.lock("l").locked()


def test_a_bound_method_takes_weak_references(seg):
    for item in kinds(seg):
        for name in ("__enter__", "__exit__"):
            bound = getattr(item, name)
            seen = []
            weak = weakref.ref(bound, seen.append)
            assert weak() is bound and weakref.getweakrefcount(bound) == 1
            del bound
            assert weak() is None and seen == [weak]
        # The memory of the one that went is another one's.
        assert weakref.getweakrefcount(item.__enter__) == 0


def test_a_block_leaves_no_reference_behind(seg):
    lock = seg.lock("l")
    before = sys.getrefcount(lock)
    for _ in range(100):
        with lock:
            pass
    bound = [lock.__enter__ for _ in range(100)]
    assert sys.getrefcount(lock) == before + 100
    del bound
    assert sys.getrefcount(lock) == before
    known = weakref.ref(lock)
    del lock
    assert known() is None


def test_methods_look_like_built_in_ones(seg):
    for item in kinds(seg):
        for name in ("__enter__", "__exit__"):
            method, usual = getattr(type(item), name), type(item).__reduce__
            assert inspect.ismethoddescriptor(method)
            assert method.__name__ == name
            assert method.__objclass__ is type(item)
            assert repr(method).startswith(f"<method {name!r} of ")
            bound = getattr(item, name)
            assert inspect.isbuiltin(bound)
            assert bound.__name__ == name
            assert bound.__self__ is item
            assert repr(bound).startswith(f"<built-in method {name} of ")
            assert type(method) is not type(usual), "the block of a lock is not quick"
        assert list(inspect.signature(item.__enter__).parameters) == []
        assert len(inspect.signature(type(item).__exit__).parameters) == 4


def test_bound_methods_are_equal_and_hash_alike(seg):
    lock, other = seg.lock("l"), seg.lock("other")
    assert lock.__enter__ == lock.__enter__
    assert lock.__enter__ != other.__enter__
    assert lock.__enter__ != lock.__exit__
    assert lock.__enter__ != 1
    assert len({lock.__enter__, lock.__enter__, lock.__exit__}) == 2


def test_they_can_be_called_by_hand(seg):
    lock = seg.lock("l")
    enter, leave = lock.__enter__, lock.__exit__
    assert enter() is True
    assert leave(None, None, None) is None
    assert type(lock).__enter__(lock) is True
    type(lock).__exit__(lock, None, None, None)
    assert enter(*(), **{}) is True
    lock.__exit__()
    assert not lock.locked()
    twin = pickle.loads(pickle.dumps(enter))
    assert twin() is True
    lock.release()
    assert copy.copy(enter)() is True
    lock.release()


def test_wrong_calls_are_type_errors(seg):
    lock = seg.lock("l")
    with pytest.raises(TypeError, match=r"takes no arguments \(1 given\)"):
        lock.__enter__(1)
    with pytest.raises(TypeError, match="takes no keyword arguments"):
        lock.__enter__(x=1)
    with pytest.raises(TypeError):
        lock.__exit__(1, 2, 3, 4)
    with pytest.raises(TypeError):
        lock.__exit__(x=1)
    with pytest.raises(TypeError):
        type(lock).__enter__()
    with pytest.raises(TypeError):
        type(lock).__enter__(seg.rlock("r"))
    with pytest.raises(TypeError, match="doesn't apply to"):
        type(lock).__enter__.__get__(3)
    assert type(lock).__enter__.__get__(None, type(lock)) is not None
    with pytest.raises(AttributeError):
        lock.__enter__.no_such_thing
    assert not lock.locked()


def test_many_threads_bind_at_once(seg):
    lock, counts = seg.lock("l"), [0]

    def work():
        for _ in range(5_000):
            with lock:
                counts[0] += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [20_000]
