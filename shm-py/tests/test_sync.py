"""Locks, turns and the like: threading's behaviour, between processes, under death, in asyncio."""

import asyncio
import multiprocessing
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings

import pytest

import shm_py

LONG = 30


def run(code, seg, *arguments, wait=True):
    """A process that runs `code` with `seg` attached."""
    head = "import sys, os, time, signal, shm_py\nseg = shm_py.attach(sys.argv[1])\n"
    command = [sys.executable, "-c", head + code, seg.name, *map(str, arguments)]
    process = subprocess.Popen(command)
    if wait:
        process.wait()
    return process


def eventually(holds):
    end = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


DIE = "\nos.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize("kind", ["lock", "rlock", "turn", "semaphore"])
def test_a_dead_holder_warns_the_next_one_once(seg, kind):
    run(f"seg.{kind}('x').acquire()" + DIE, seg)
    lock = getattr(seg, kind)("x", on_owner_died="warn")
    with pytest.warns(shm_py.OwnerDiedWarning, match="died inside"):
        lock.acquire(timeout=LONG)
    assert lock.owner_died
    lock.release()
    lock.acquire(timeout=LONG)
    assert not lock.owner_died
    lock.release()


@pytest.mark.parametrize("kind", ["lock", "rlock", "turn", "semaphore"])
def test_a_dead_holder_is_an_exception_where_that_was_asked_for(seg, kind):
    run(f"seg.{kind}('x').acquire()" + DIE, seg)
    lock = getattr(seg, kind)("x", on_owner_died="raise")
    with pytest.raises(shm_py.OwnerDied):
        with lock:
            raise AssertionError("not reached")
    with lock:
        assert not lock.owner_died


def test_a_warning_that_is_an_error_leaves_nothing_held(seg):
    run("seg.lock('x').acquire()" + DIE, seg)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(shm_py.OwnerDiedWarning):
            seg.lock("x").acquire()
    assert not seg.lock("x").locked()


@pytest.mark.parametrize("side", ["read", "write"])
def test_a_dead_writer_is_noticed_by_both_sides(seg, side):
    run("seg.rwlock('x').write().acquire()" + DIE, seg)
    lock = seg.rwlock("x")
    with pytest.warns(shm_py.OwnerDiedWarning):
        assert getattr(lock, side)().acquire(timeout=LONG)


def test_a_timeout_of_with_names_the_holder(seg):
    code = "seg.lock('x').acquire(); seg.root['held'] = 1\nwhile 'held' in seg.root: time.sleep(.001)"
    process = run(code, seg, wait=False)
    try:
        eventually(lambda: "held" in seg.root)
        with pytest.raises(shm_py.LockTimeout) as caught:
            with seg.lock("x", timeout=0.02):
                raise AssertionError("not reached")
        assert caught.value.holder_pid == process.pid
        assert caught.value.holder_name
        assert caught.value.held_for >= 0.02
        assert not seg.lock("x").acquire(False)
        assert not seg.lock("x").acquire(timeout=0.01)
    finally:
        del seg.root["held"]
        process.wait()


def test_a_cycle_of_waiters_is_a_deadlock_error_with_the_chain(seg):
    code = """
with seg.lock("two"):
    seg.root["two"] = 1
    try:
        with seg.lock("one"):
            pass
    except shm_py.DeadlockError as error:
        seg.root["chain"] = str(error)
"""
    with seg.lock("one"):
        process = run(code, seg, wait=False)
        eventually(lambda: "two" in seg.root)
        try:
            with seg.lock("two"):
                pass
        except shm_py.DeadlockError as error:
            seg.root["chain"] = str(error)
    process.wait()
    chain = seg.root["chain"]
    assert "waits for lock" in chain and "which waits for lock" in chain


def test_readers_share_and_writers_do_not(seg):
    lock = seg.rwlock("x")
    with lock.read(), lock.read():
        pass
    taken = []
    with lock.read():
        thread = threading.Thread(target=lambda: taken.append(lock.read().acquire(False)))
        thread.start()
        thread.join()
        thread = threading.Thread(target=lambda: taken.append(lock.write().acquire(False)))
        thread.start()
        thread.join()
    assert taken == [True, False]


def test_a_semaphore_keeps_its_number_and_bounded_ones_do_not_grow(seg):
    with pytest.raises(ValueError, match="exists with 2"):
        seg.semaphore("x", 2) and seg.semaphore("x", 3)
    bounded = seg.bounded_semaphore("y", 1)
    with pytest.raises(ValueError, match="too many times"):
        bounded.release()
    with bounded:
        assert bounded.value == 0
        with pytest.raises(ValueError, match="too many times"):
            bounded.release(2)
        assert bounded.value == 0
    with pytest.raises(ValueError):
        seg.semaphore("z", -1)
    plain = seg.semaphore("p", 0)
    plain.release(2**62)
    assert plain.value == 2**62 and plain.acquire()
    with pytest.raises(ValueError, match="at most 9223372036854775807"):
        plain.release(2**63 - 1)


def handles(seg):
    yield seg.lock("a", timeout=0.01, on_owner_died="raise")
    yield seg.rlock("b")
    yield seg.rwlock("c")
    yield seg.rwlock("c", on_owner_died="ignore").write(timeout=0.01)
    yield seg.semaphore("d", 3)
    yield seg.bounded_semaphore("e", 2)
    yield seg.event("f")
    yield seg.condition("g")
    yield seg.condition("h", seg.lock("a"))
    yield seg.barrier("i", 2, time.sleep, timeout=5)
    yield seg.turn("j", timeout=0.01)


def test_handles_are_pickled_as_what_the_segment_is_asked_for(seg):
    for handle in handles(seg):
        again = pickle.loads(pickle.dumps(handle))
        assert type(again) is type(handle) and repr(again) == repr(handle)
    lock, again = seg.lock("a", on_owner_died="raise"), pickle.loads(pickle.dumps(seg.lock("a")))
    with lock:
        assert not again.acquire(False)
        timed = pickle.loads(pickle.dumps(seg.lock("a", timeout=0.01)))
        with pytest.raises(shm_py.LockTimeout):
            timed.__enter__()
    bounded = pickle.loads(pickle.dumps(seg.bounded_semaphore("e", 2)))
    with pytest.raises(ValueError, match="too many times"):
        bounded.release()
    condition = pickle.loads(pickle.dumps(seg.condition("g")))
    with seg.condition("g"):
        condition.notify()
    run("seg.lock('a').acquire()" + DIE, seg)
    with pytest.raises(shm_py.OwnerDied):
        pickle.loads(pickle.dumps(lock)).acquire()
    with pytest.raises(TypeError, match="pickle the object and take its lock"):
        pickle.dumps(seg.list().lock())


def count_under(lock, items, n):
    for _ in range(n):
        with lock:
            items[0] = items[0] + 1


def test_a_lock_is_an_argument_of_a_spawned_process(seg):
    context = multiprocessing.get_context("spawn")
    items = seg.list([0])
    arguments = (seg.lock("counter"), items, 200)
    workers = [context.Process(target=count_under, args=arguments) for _ in range(2)]
    for worker in workers:
        worker.start()
    count_under(*arguments)
    for worker in workers:
        worker.join()
    assert items == [600]


@pytest.mark.parametrize(
    "wait",
    [
        "seg.lock('x').acquire()",
        "seg.rlock('x').acquire()",
        "seg.turn('x').acquire()",
        "seg.event('x').wait()",
        "seg.semaphore('x', 0).acquire()",
        "seg.rwlock('x').read().acquire()",
        "seg.rwlock('x').write().acquire()",
        "c = seg.condition('x'); c.acquire(); c.wait()",
        "seg.barrier('x', 2).wait()",
    ],
)
def test_keyboard_interrupt_ends_every_wait(seg, wait):
    held = [seg.lock("x"), seg.rlock("x"), seg.turn("x"), seg.rwlock("x").write()]
    for lock in held:
        lock.acquire()
    seg.semaphore("x", 0)
    code = f"""
seg.root["waits"] = 1
try:
    {wait}
except KeyboardInterrupt:
    seg.root["interrupted"] = 1
"""
    process = run(code, seg, wait=False)
    eventually(lambda: "waits" in seg.root)
    # It says so just before: interrupts come until one of them meets the wait.
    while process.poll() is None:
        time.sleep(0.05)
        if "interrupted" not in seg.root:
            process.send_signal(signal.SIGINT)
    assert seg.root["interrupted"] == 1
    for lock in held:
        lock.release()
    for lock in held:
        assert lock.acquire(timeout=LONG) in (True, None)
        lock.release()


def test_four_processes_count_exactly_under_with(seg):
    seg.root["n"] = [0]
    code = """
lock, n = seg.lock("x"), seg.root["n"]
for _ in range(3000):
    with lock:
        n[0] = n[0] + 1
"""
    processes = [run(code, seg, wait=False) for _ in range(4)]
    for process in processes:
        assert process.wait() == 0
    assert seg.root["n"][0] == 12000


# asyncio


@pytest.mark.parametrize("kind", ["lock", "turn", "semaphore"])
def test_coroutines_exclude_each_other(seg, kind):
    lock = getattr(seg, kind)("x")
    inside = most = 0

    async def work():
        nonlocal inside, most
        async with lock:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    async def main():
        await asyncio.gather(*(work() for _ in range(50)))

    asyncio.run(main())
    assert most == 1 and not inside


@pytest.mark.parametrize("kind", ["lock", "turn", "semaphore"])
def test_cancelled_waits_leave_nothing_held(seg, kind):
    lock = getattr(seg, kind)("x")

    async def main():
        await lock.acquire_async()
        waits = [asyncio.ensure_future(lock.acquire_async()) for _ in range(20)]
        await asyncio.sleep(0.005)
        for wait in waits:
            wait.cancel()
        results = await asyncio.gather(*waits, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        lock.release()

    asyncio.run(main())
    # Free again: for this thread and for any other.
    lock.acquire(timeout=LONG)
    lock.release()


def test_a_coroutine_waits_for_another_process_and_its_death(seg):
    async def main():
        process = run("seg.turn('x').acquire(); seg.root['held'] = 1; time.sleep(60)", seg, wait=False)
        while "held" not in seg.root:
            await asyncio.sleep(0.001)
        with pytest.raises(shm_py.LockTimeout):
            await seg.turn("x").acquire_async(timeout=0.02)
        wait = asyncio.ensure_future(seg.turn("x").acquire_async())
        await asyncio.sleep(0.01)
        assert not wait.done()
        process.kill()
        turn = await asyncio.wait_for(wait, LONG)
        assert turn.owner_died
        turn.release()
        process.wait()

    asyncio.run(main())


def test_ten_thousand_awaits_take_one_thread(seg):
    event = seg.event("x")
    before = threading.active_count()

    async def main():
        waits = [asyncio.ensure_future(event.wait_async()) for _ in range(10_000)]
        await asyncio.sleep(0.01)
        assert threading.active_count() <= before + 1
        run("seg.event('x').set()", seg)
        assert all(await asyncio.wait_for(asyncio.gather(*waits), LONG))
        assert threading.active_count() <= before + 1

    asyncio.run(main())


def test_an_event_wait_times_out_in_a_coroutine(seg):
    assert asyncio.run(seg.event("x").wait_async(timeout=0.01)) is False


def test_coroutines_wait_for_a_condition(seg):
    condition = seg.condition("x", lock=seg.lock("y"))
    came = []

    async def wait(number):
        async with condition:
            assert await condition.wait_async()
            came.append(number)

    async def main():
        waits = []
        for number in range(3):
            waits.append(asyncio.ensure_future(wait(number)))
            await asyncio.sleep(0.002)
        async with condition:
            condition.notify(1)
        await waits[0]
        async with condition:
            condition.notify_all()
        await asyncio.gather(*waits)

    asyncio.run(main())
    assert came[0] == 0 and sorted(came) == [0, 1, 2]
    with pytest.raises(RuntimeError, match="reentrant"):
        seg.condition("z").acquire_async()


def test_numbers_below_zero_are_taken_or_refused_as_by_the_standard_library(seg):
    for make in (seg.barrier, seg.semaphore, seg.bounded_semaphore, seg.topic):
        with pytest.raises(ValueError, match="must be >= 0, not -1"):
            make("x", -1)
    assert seg.queue("any number", -1).maxsize == 0
    condition = seg.condition("y")
    with condition:
        condition.notify(-1)
