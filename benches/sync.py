"""What working together costs from Python; `python benches/sync.py` after `make module`.

Rates of two or four processes, each with what the standard library offers in the same run; and how
long a coroutine sleeps on after another process has set its event. docs/bench.md has figures.
"""

import asyncio
import multiprocessing
import statistics
import time

import shm_py

TRIPS = 100_000
STEPS = 100_000
ROUNDS = 5
WAKES = 200


def turns(name, trips):
    with shm_py.attach(name) as seg:
        turn = seg.turn("x")
        both = seg.barrier("both", 2)
        both.wait()
        for _ in range(trips):
            with turn:
                pass


def seed(name, rounds, increments):
    with shm_py.attach(name) as seg:
        turn, shared = seg.turn("x"), seg.root["data"]
        seg.barrier("all", 3).wait()
        for _ in range(rounds):
            with turn:
                for _ in range(increments):
                    shared[1] += 1


def raw_seed(array, lock, start, rounds, increments):
    start.wait()
    for _ in range(rounds):
        with lock:
            for _ in range(increments):
                array[1] += 1


def count(name, steps, parties):
    with shm_py.attach(name) as seg:
        lock, shared = seg.lock("x"), seg.root["data"]
        seg.barrier("all", parties + 1).wait()
        for _ in range(steps):
            with lock:
                shared[1] += 1


def raw_count(array, lock, start, steps):
    start.wait()
    for _ in range(steps):
        with lock:
            array[1] += 1


def add(name, steps, parties):
    with shm_py.attach(name) as seg:
        shared = seg.root["data"]
        seg.barrier("all", parties + 1).wait()
        for _ in range(steps):
            shared.add(1, 1)


def setter(name, wakes):
    with shm_py.attach(name) as seg:
        ask, answer, stamps = seg.event("ask"), seg.event("answer"), seg.root["stamps"]
        for _ in range(wakes):
            ask.wait()
            ask.clear()
            time.sleep(0.002)
            stamps.append(time.monotonic_ns())
            answer.set()


def timed(targets, barrier):
    """Seconds that processes take from the barrier, where they wait for this one, to the end."""
    processes = [multiprocessing.Process(target=target, args=args) for target, args in targets]
    for process in processes:
        process.start()
    while barrier.n_waiting < len(processes):
        time.sleep(0.001)
    started = time.perf_counter()
    barrier.wait()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    return time.perf_counter() - started


def in_turns():
    with shm_py.create(size="16MiB") as seg:
        other = multiprocessing.Process(target=turns, args=(seg.name, TRIPS))
        other.start()
        turn, both = seg.turn("x"), seg.barrier("both", 2)
        both.wait()
        started = time.perf_counter()
        for _ in range(TRIPS):
            with turn:
                pass
        took = time.perf_counter() - started
        other.join()
    print(f"turn, two processes: {TRIPS / took / 1e6:.2f} million round trips a second")


def the_seed():
    rounds, increments = 500, 2000
    total = 2 * rounds * increments

    def ours():
        with shm_py.create(size="16MiB") as seg:
            seg.root["data"] = [0, 0]
            took = timed([(seed, (seg.name, rounds, increments))] * 2, seg.barrier("all", 3))
            assert seg.root["data"][1] == total
        return total / took / 1e6

    def theirs():
        array, lock = multiprocessing.RawArray("q", 2), multiprocessing.Lock()
        start = multiprocessing.Barrier(3)
        took = timed([(raw_seed, (array, lock, start, rounds, increments))] * 2, start)
        assert array[1] == total
        return total / took / 1e6

    report("the seed's workload, 2 processes", ours, theirs, "RawArray with a lock")


def counters():
    for parties in (2, 4):
        total = parties * STEPS

        def ours(target):
            with shm_py.create(size="16MiB") as seg:
                seg.root["data"] = [0, 0]
                workers = [(target, (seg.name, STEPS, parties))] * parties
                took = timed(workers, seg.barrier("all", parties + 1))
                assert seg.root["data"][1] == total
            return total / took / 1e6

        def theirs():
            array, lock = multiprocessing.RawArray("q", 2), multiprocessing.Lock()
            start = multiprocessing.Barrier(parties + 1)
            took = timed([(raw_count, (array, lock, start, STEPS))] * parties, start)
            assert array[1] == total
            return total / took / 1e6

        name = f"counter, {parties} processes"
        report(f"{name}, with lock", lambda: ours(count), theirs, "multiprocessing.Lock")
        print(f"{name}, add: {statistics.median(ours(add) for _ in range(ROUNDS)):.2f} million a second")


def report(what, ours, theirs, peer):
    """Medians of rounds in turn, and the median of the rounds' ratios, and all ratios."""
    rounds = [(ours(), theirs()) for _ in range(ROUNDS)]
    own, other = (statistics.median(side) for side in zip(*rounds))
    ratios = sorted(one / two for one, two in rounds)
    print(
        f"{what}: {own:.2f} million a second, {peer} {other:.2f}: "
        f"{statistics.median(ratios):.2f}x (rounds {', '.join(f'{ratio:.2f}' for ratio in ratios)})"
    )


async def wake_ups():
    with shm_py.create(size="16MiB") as seg:
        seg.root["stamps"] = []
        other = multiprocessing.Process(target=setter, args=(seg.name, WAKES))
        other.start()
        ask, answer, stamps = seg.event("ask"), seg.event("answer"), seg.root["stamps"]
        late = []
        for number in range(WAKES):
            waiting = asyncio.ensure_future(answer.wait_async())
            await asyncio.sleep(0)
            ask.set()
            await waiting
            late.append((time.monotonic_ns() - stamps[number]) / 1e3)
            answer.clear()
        other.join()
    late.sort()
    print(
        f"a coroutine wakes {statistics.median(late):.0f} us after another process has set its "
        f"event (median of {WAKES}), p99 {late[WAKES * 99 // 100]:.0f} us"
    )


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    in_turns()
    the_seed()
    counters()
    asyncio.run(wake_ups())
