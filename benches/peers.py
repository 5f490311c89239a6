"""Python processes that work together: shm_py against other libraries, in turn in one run.

`.venv/bin/python -m pip install -r benches/requirements.txt`, then `.venv/bin/python benches/peers.py`, with
`seed`, `counter` or `queue` for one of the tables. What is not installed, or fails, is said so and left out.
Every contender does the same in as many processes; each final value is checked. docs/bench.md has figures.
"""

import importlib
import multiprocessing
import multiprocessing.resource_tracker
import os
import pickle
import statistics
import sys
import time
import warnings

import shm_py
from messages import MIB, PickleRing, message

DEADLINE = 60
PROCESSES = multiprocessing.get_context("fork")

TURNS, STEPS = 1_000, 2_000
COUNTS, FEW_COUNTS = 200_000, 10_000
MESSAGES, FEW_MESSAGES = 100_000, 500


class Failed(Exception):
    """A contender did not end, or not with the right value."""


def run(worker, start, spans):
    """One process: a worker sets up, yields, works, yields, and returns or yields what it then sees."""
    steps = worker()
    next(steps)
    start.wait(DEADLINE)
    began = time.perf_counter()
    next(steps)
    ended = time.perf_counter()
    start.wait(DEADLINE)
    spans.put((began, ended, next(steps, None)))


def together(workers, expected):
    """Seconds from the first beginning to the last end; one of the workers sees the expected value."""
    start, spans = PROCESSES.Barrier(len(workers)), PROCESSES.SimpleQueue()
    processes = [PROCESSES.Process(target=run, args=(worker, start, spans)) for worker in workers]
    for process in processes:
        process.start()
    end = time.monotonic() + DEADLINE
    for process in processes:
        process.join(max(0, end - time.monotonic()))
    if any(process.exitcode != 0 for process in processes):
        for process in processes:
            process.kill()
            process.join()
        raise Failed("a process did not end, or with an error")
    began, ended, values = zip(*(spans.get() for _ in processes))
    seen = [value for value in values if value is not None]
    if seen != [expected]:
        raise Failed(f"{seen[0]:,} instead of {expected:,}")
    return max(ended) - min(began)


def peer(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


# The program with which this kind of library was first shown: two processes, turn by turn.


def in_turns(turn, data):
    for _ in range(TURNS):
        with turn():
            for _ in range(STEPS):
                data[1] += 1


def seed_shm():
    with shm_py.create(size="16MiB") as seg:
        seg.root["data"] = ["some text", 0]

        def worker(last):
            with shm_py.attach(seg.name) as own:
                data = own.root["data"]
                yield
                in_turns(own.turn, data)
                yield
                if last:
                    yield data[1]

        return rate_of_seed([lambda: worker(False), lambda: worker(True)])


def seed_cengal(module):
    """The same source for Cengal and for the layer with its names."""
    module = peer(module)
    name = f"seed-{os.getpid()}"

    def creator():
        manager = module.SharedMemory(name, create=True, size=16 * MIB)
        manager.wait_consumer_ready()
        with module.wait_my_turn(manager):
            data = manager.put_message(["some text", 0])
        yield
        in_turns(lambda: module.wait_my_turn(manager), data)
        yield
        total = data[1]
        manager.close()
        yield total

    def consumer():
        manager = module.SharedMemory(name, create=False)
        manager.init_consumer()
        manager.wait_for_messages()
        with module.wait_my_turn(manager):
            data = manager.take_message()
        yield
        in_turns(lambda: module.wait_my_turn(manager), data)
        yield
        manager.close_consumer()

    return rate_of_seed([creator, consumer])


def seed_raw():
    array, lock = PROCESSES.RawArray("q", 2), PROCESSES.Lock()

    def worker(last):
        yield
        in_turns(lambda: lock, array)
        yield
        if last:
            yield array[1]

    return rate_of_seed([lambda: worker(False), lambda: worker(True)])


def rate_of_seed(workers):
    total = 2 * TURNS * STEPS
    return total / together(workers, total)


# One counter that every process counts up.


def count_shm(parties, locked):
    with shm_py.create(size="16MiB") as seg:
        seg.root["data"] = [0, 0]

        def worker(last):
            with shm_py.attach(seg.name) as own:
                data, lock = own.root["data"], own.lock("x")
                yield
                if locked:
                    for _ in range(COUNTS):
                        with lock:
                            data[1] += 1
                else:
                    for _ in range(COUNTS):
                        data.add(1, 1)
                yield
                if last:
                    yield data[1]

        return rate_of_count(worker, parties, COUNTS)


def count_raw(parties):
    array, lock = PROCESSES.RawArray("q", 2), PROCESSES.Lock()

    def worker(last):
        yield
        for _ in range(COUNTS):
            with lock:
                array[1] += 1
        yield
        if last:
            yield array[1]

    return rate_of_count(worker, parties, COUNTS)


def count_ultra(parties):
    """Few counts: its other processes sleep while one holds the lock."""
    ultra_dict = peer("UltraDict").UltraDict
    name = f"ultra{os.getpid()}"
    shared = ultra_dict(name=name, create=True, shared_lock=True, x=0)

    def worker(last):
        own = ultra_dict(name=name, shared_lock=True, auto_unlink=False)
        yield
        for _ in range(FEW_COUNTS):
            with own.lock:
                own["x"] += 1
        yield
        if last:
            yield own["x"]

    try:
        return rate_of_count(worker, parties, FEW_COUNTS)
    finally:
        shared.close()
        shared.unlink()


def rate_of_count(worker, parties, counts):
    workers = [lambda last=number == 0: worker(last) for number in range(parties)]
    return parties * counts / together(workers, parties * counts)


# Nested dicts of ten items from one process to another, which reads one item of each.


def pass_on(put, get, count):
    def producer():
        items = [message(number) for number in range(count)]
        yield
        for item in items:
            put(item)
        yield

    def consumer():
        total = 0
        yield
        for _ in range(count):
            total += get()["id"]
        yield
        yield total

    return count / together([producer, consumer], count * (count - 1) // 2)


def queue_shm(maxsize=0):
    with shm_py.create(size="512MiB") as seg:
        queue = seg.queue("q", maxsize)
        return pass_on(queue.put, queue.get, MESSAGES)


def queue_pipe():
    receiver, sender = PROCESSES.Pipe(duplex=False)
    return pass_on(sender.send, receiver.recv, MESSAGES)


def queue_ring():
    ring = PickleRing()
    try:
        return pass_on(ring.put, ring.get, MESSAGES)
    finally:
        ring.close()


def queue_membridge():
    memory = peer("membridge").SharedMemory
    name = f"/ring{os.getpid()}"
    ring = memory.create(name, 16 * MIB + 24).spsc()

    def put(item):
        content = pickle.dumps(item, 5)
        while not ring.push(content):
            time.sleep(0)

    def get():
        while (content := ring.pop()) is None:
            time.sleep(0)
        return pickle.loads(content)

    try:
        return pass_on(put, get, MESSAGES)
    finally:
        memory.remove(name)


def queue_cengal():
    """Few messages: it keeps the memory of those that were taken."""
    module = peer("cengal.hardware.memory.shared_memory")
    name = f"queue-{os.getpid()}"

    def producer():
        manager = module.SharedMemory(name, create=True, size=64 * MIB)
        manager.wait_consumer_ready()
        items = [message(number) for number in range(FEW_MESSAGES)]
        yield
        for item in items:
            with module.wait_my_turn(manager):
                manager.put_message(item)
        yield
        manager.close()

    def consumer():
        manager = module.SharedMemory(name, create=False)
        manager.init_consumer()
        total = 0
        yield
        for _ in range(FEW_MESSAGES):
            with module.wait_my_turn_when_has_messages(manager):
                total += manager.take_message()["id"]
        yield
        manager.close_consumer()
        yield total

    return FEW_MESSAGES / together([producer, consumer], FEW_MESSAGES * (FEW_MESSAGES - 1) // 2)


def table(title, contenders, rounds):
    """Contenders in turn, round by round; ratios are medians of the rounds' ratios of the first to the others."""
    rates = {name: [] for name, _ in contenders}
    failed = {}
    for _ in range(rounds):
        for name, contender in contenders:
            if name in failed:
                continue
            try:
                rates[name].append(contender())
            except ImportError as error:
                failed[name] = f"not installed ({error})"
            except Failed as error:
                failed[name] = f"failed in round {len(rates[name]) + 1}: {error}"
    print(f"| {title} | median of {rounds} | lowest to highest | the first has |\n|---|---|---|---|")
    first = rates[contenders[0][0]]
    for name, _ in contenders:
        if name in failed:
            print(f"| {name} | {failed[name]} | | |")
            continue
        own = rates[name]
        ratios = sorted(one / two for one, two in zip(first, own))
        print(
            f"| {name} | {statistics.median(own):,.0f} | {min(own):,.0f} to {max(own):,.0f} "
            f"| {statistics.median(ratios):.2f}x ({ratios[0]:.2f} to {ratios[-1]:.2f}) |"
        )
    print(flush=True)


def main():
    # One for all: each process that is forked would start its own.
    multiprocessing.resource_tracker.ensure_running()
    chosen = sys.argv[1:] or ["seed", "counter", "queue"]
    if "seed" in chosen:
        cengal = "cengal.hardware.memory.shared_memory"
        contenders = [
            ("shm_py", seed_shm),
            ("shm_py.cengal", lambda: seed_cengal("shm_py.cengal")),
            ("RawArray with a lock", seed_raw),
            ("Cengal", lambda: seed_cengal(cengal)),
        ]
        table(f"2 processes, {TURNS:,} turns of {STEPS:,} `x[1] += 1` each: increments a second", contenders, 5)
    if "counter" in chosen:
        for parties in (2, 4):
            contenders = [
                ("shm_py, `with lock`", lambda: count_shm(parties, True)),
                ("shm_py, `add`", lambda: count_shm(parties, False)),
                ("multiprocessing.Lock and RawArray", lambda: count_raw(parties)),
                ("UltraDict with its lock", lambda: count_ultra(parties)),
            ]
            table(f"{parties} processes count {COUNTS:,} each: counts a second", contenders, 7)
    if "queue" in chosen:
        contenders = [
            ("shm_py Queue", queue_shm),
            ("shm_py Queue of at most 1,000", lambda: queue_shm(1_000)),
            ("ring of pickles, both spin", queue_ring),
            ("membridge's ring, of pickles, both spin", queue_membridge),
            ("multiprocessing.Pipe", queue_pipe),
            ("Cengal", queue_cengal),
        ]
        table("nested dicts of ten items: messages a second", contenders, 7)


if __name__ == "__main__":
    main()
