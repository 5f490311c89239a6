"""`obj.lock()`: other writers wait, readers do not; threads, processes, coroutines, deaths."""

import asyncio
import os
import subprocess
import sys
import threading

import pytest

import shm_py

LONG = 30


def run(code, seg, wait=True):
    head = "import sys, os, signal, shm_py\nseg = shm_py.attach(sys.argv[1])\n"
    process = subprocess.Popen([sys.executable, "-c", head + code, seg.name])
    if wait:
        process.wait()
    return process


@shm_py.struct
class Level:
    price: shm_py.f64
    size: shm_py.i64


WRITES = [
    (lambda seg: seg.list([1]), lambda x: x.append(2)),
    (lambda seg: seg.dict({"a": 1}), lambda x: x.update(b=2)),
    (lambda seg: seg.set([1]), lambda x: x.add(2)),
    (lambda seg: seg.bytearray(b"1"), lambda x: x.extend(b"2")),
]


@pytest.mark.parametrize("make, write", WRITES)
def test_other_threads_write_once_it_is_given_back(seg, make, write):
    shared = make(seg)
    done = threading.Event()

    def other():
        write(shared)
        done.set()

    with shared.lock():
        with shared.lock():
            thread = threading.Thread(target=other)
            thread.start()
        assert not done.wait(0.02)
        assert len(shared) == 1
    assert done.wait(LONG)
    thread.join()
    assert len(shared) == 2
    assert not shared.lock().locked()


def test_a_struct_is_held_too(seg):
    seg.root["level"] = Level(price=1.0, size=2)
    level = seg.root["level"]
    thread = threading.Thread(target=lambda: setattr(level, "size", 5))
    with level.lock():
        thread.start()
        level.size += 1
        assert level.size == 3
    thread.join()
    assert level.size == 5


def test_processes_lose_no_update(seg):
    seg.root["d"] = {"n": 0}
    reads = "d = seg.root['d']\nfor _ in range(500):\n    with d.lock(): d['n'] = d['n'] + 1"
    adds = "d = seg.root['d']\nfor _ in range(500): d.add('n', 1)"
    for process in [run(code, seg, wait=False) for code in (reads, adds, reads)]:
        assert process.wait() == 0
    assert seg.root["d"]["n"] == 1500


def test_a_dead_holder_is_told_of_and_stops_nobody(seg):
    seg.root["d"] = {"n": 0}
    run("d = seg.root['d']; d.lock().acquire(); os.kill(os.getpid(), signal.SIGKILL)", seg)
    d = seg.root["d"]
    d["n"] = 1
    with pytest.warns(shm_py.OwnerDiedWarning, match="lock of dict"):
        with d.lock():
            pass
    with d.lock() as _:
        pass


def test_a_timeout_names_the_holder(seg):
    d = seg.dict({})
    with d.lock():
        raised = []

        def other():
            try:
                with d.lock(timeout=0.01):
                    pass
            except shm_py.LockTimeout as error:
                raised.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert raised[0].holder_pid == os.getpid()
    assert str(raised[0]).startswith("lock of dict 0x")


def test_what_is_no_shared_object_has_no_lock():
    with pytest.raises(TypeError, match="lock a shared object, not dict"):
        shm_py._native._lock({}, None, "warn")


@pytest.mark.parametrize("lock_of", [lambda seg: seg.dict({}).lock, lambda seg: lambda: seg.rlock("r")])
def test_tasks_exclude_each_other_and_may_enter_again(seg, lock_of):
    lock = lock_of(seg)
    seen = []

    async def work(number):
        for _ in range(5):
            async with lock():
                async with lock():
                    seen.append(number)
                    await asyncio.sleep(0)
                    seen.append(number)
            await asyncio.sleep(0)

    async def main():
        await asyncio.wait_for(asyncio.gather(*map(work, range(4))), LONG)

    asyncio.run(main())
    assert len(seen) == 40
    assert all(seen[i] == seen[i + 1] for i in range(0, 40, 2))
    assert not lock().locked()


def test_a_cancelled_wait_holds_nothing(seg):
    lock = seg.rlock("r")

    async def main():
        assert await lock.acquire_async()

        async def other():
            async with lock:
                raise AssertionError("not reached")

        task = asyncio.ensure_future(other())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not await asyncio.ensure_future(lock.acquire_async(timeout=0.01))
        lock.release()
        assert not lock.locked()
        async with lock:
            pass

    asyncio.run(main())
    assert not lock.locked()


def test_tasks_meet_at_a_barrier_with_threads(seg):
    barrier = seg.barrier("b", 4)
    thread = threading.Thread(target=barrier.wait)
    thread.start()

    async def main():
        waits = [barrier.wait_async(timeout=LONG) for _ in range(3)]
        return await asyncio.gather(*waits)

    numbers = asyncio.run(main())
    thread.join()
    assert len(set(numbers)) == 3 and set(numbers) <= {0, 1, 2, 3}
    assert barrier.n_waiting == 0 and not barrier.broken


def test_a_task_that_gives_up_breaks_the_barrier_for_all(seg):
    barrier = seg.barrier("b", 3)

    async def main():
        patient = asyncio.ensure_future(barrier.wait_async())
        with pytest.raises(shm_py.BrokenBarrierError):
            await barrier.wait_async(timeout=0.01)
        with pytest.raises(shm_py.BrokenBarrierError):
            await asyncio.wait_for(patient, LONG)
        barrier.reset()
        cancelled = asyncio.ensure_future(barrier.wait_async())
        await asyncio.sleep(0.01)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert barrier.broken

    asyncio.run(main())


def test_the_action_of_a_barrier_runs_before_any_task_goes_on(seg):
    done = []
    barrier = seg.barrier("b", 2, action=lambda: done.append(1))

    async def one():
        await barrier.wait_async(timeout=LONG)
        assert done == [1]

    async def main():
        await asyncio.gather(one(), one())

    asyncio.run(main())
