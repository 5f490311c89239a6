"""Queues between two processes against multiprocessing.Pipe and a ring of pickles, and many awaits.

Run by hand: `.venv/bin/python benches/messages.py`. Everything of a table is measured in one run, in
turns, because absolute times drift. docs/bench.md has the figures.
"""

import asyncio
import multiprocessing
import pickle
import struct
import threading
import time
from multiprocessing import shared_memory

import shm_py

ROUNDS = 4
MESSAGES = 20_000
PAYLOADS = 100
MIB = 1 << 20

PROCESSES = multiprocessing.get_context("fork")


def message(number):
    """A nested dict of ten items."""
    return {
        "id": number,
        "kind": "order",
        "price": 101.5,
        "size": number & 255,
        "live": True,
        "side": "buy",
        "tags": ["a", "b"],
        "who": {"name": "x", "account": 7},
    }


class PickleRing:
    """One producer, one consumer: pickles in a ring of shared memory; both spin."""

    def __init__(self, size=16 * MIB):
        self.memory = shared_memory.SharedMemory(create=True, size=size + 16)
        self.size = size
        self.ends = self.memory.buf[:16].cast("Q")
        self.data = self.memory.buf[16:]

    def put(self, item):
        content = pickle.dumps(item, 5)
        needed = len(content) + 4
        ends, size = self.ends, self.size
        tail = ends[1]
        at = tail % size
        if at + needed > size:
            struct.pack_into("<i", self.data, at, -1) if at + 4 <= size else None
            tail += size - at
            at = 0
        while tail + needed - ends[0] > size:
            time.sleep(0)
        struct.pack_into("<i", self.data, at, len(content))
        self.data[at + 4 : at + needed] = content
        ends[1] = tail + needed

    def get(self):
        ends, size = self.ends, self.size
        head = ends[0]
        while ends[1] == head:
            time.sleep(0)
        at = head % size
        length = struct.unpack_from("<i", self.data, at)[0] if at + 4 <= size else -1
        if length < 0:
            head += size - at
            at = 0
            length = struct.unpack_from("<i", self.data, at)[0]
        item = pickle.loads(self.data[at + 4 : at + 4 + length])
        ends[0] = head + 4 + length
        return item

    def close(self):
        self.ends.release()
        self.data.release()
        self.memory.close()
        self.memory.unlink()


def consume(get, count, done):
    for _ in range(count):
        get()["id"]
    done.set()


def consume_bytes(get, count, done):
    total = 0
    for _ in range(count):
        total += len(get())
    assert total == count * MIB
    done.set()


def rate(put, get, make, count, consumer):
    """Messages a second from one process to another."""
    done = PROCESSES.Event()
    process = PROCESSES.Process(target=consumer, args=(get, count, done))
    process.start()
    items = [make(number) for number in range(count)] if count > 1000 else [make(0)] * count
    started = time.perf_counter()
    for item in items:
        put(item)
    done.wait()
    elapsed = time.perf_counter() - started
    process.join()
    return count / elapsed


def table(title, ways, make, count, consumer, unit=1.0):
    best = {name: 0.0 for name, _, _ in ways}
    for _ in range(ROUNDS):
        for name, put, get in ways:
            best[name] = max(best[name], rate(put, get, make, count, consumer))
    print(title)
    first = next(iter(best.values()))
    for name, value in best.items():
        print(f"  {name:<28} {value * unit:>14,.1f}   {first / value:5.2f}x")


def memcpy_rate():
    """What one copy into shared memory and one out of it would allow."""
    memory = shared_memory.SharedMemory(create=True, size=64 * MIB)
    content, best = bytes(MIB), 0.0
    slots = [memory.buf[at * MIB : (at + 1) * MIB] for at in range(64)]
    for _ in range(ROUNDS):
        for slot in slots:
            slot[:] = content
        started = time.perf_counter()
        for slot in slots:
            slot[:] = content
        for slot in slots:
            bytes(slot)
        best = max(best, 64 / (time.perf_counter() - started))
    for slot in slots:
        slot.release()
    memory.close()
    memory.unlink()
    return best


async def many_awaits(seg, count):
    queues = [seg.queue(f"await{number}") for number in range(100)]
    tasks = [asyncio.ensure_future(queues[n % 100].get_async()) for n in range(count)]
    await asyncio.sleep(0.1)
    threads = threading.active_count() - 1
    started = time.perf_counter()
    for number in range(count):
        queues[number % 100].put(number)
    await asyncio.gather(*tasks)
    return threads, count / (time.perf_counter() - started)


def echo(there, back, count):
    for _ in range(count):
        back.put(there.get())


def latency(seg):
    """Round trips of a small message whose receivers sleep, in microseconds."""
    there, back = seg.queue("there"), seg.queue("back")
    count, times = 1500, []
    process = PROCESSES.Process(target=echo, args=(there, back, count))
    process.start()

    async def trips():
        for _ in range(count // 2):
            await asyncio.sleep(0.0005)
            started = time.perf_counter()
            there.put(1)
            await back.get_async()
            times.append(time.perf_counter() - started)

    blocking = []
    for _ in range(count - count // 2):
        time.sleep(0.0005)
        started = time.perf_counter()
        there.put(1)
        back.get()
        blocking.append(time.perf_counter() - started)
    asyncio.run(trips())
    process.join()
    for name, values in (("blocking", blocking), ("await", times)):
        values.sort()
        middle, late = values[len(values) // 2], values[len(values) * 99 // 100]
        print(f"  {name:<28} median {middle * 1e6:7.1f} us   99 % {late * 1e6:7.1f} us")


def main():
    seg = shm_py.create(size="1GiB")
    jobs, few = seg.queue("jobs", maxsize=1000), seg.queue("few", maxsize=4)
    receive, send = PROCESSES.Pipe(duplex=False)
    ring = PickleRing()
    ways = [
        ("shm_py Queue", jobs.put, jobs.get),
        ("ring of pickles", ring.put, ring.get),
        ("multiprocessing.Pipe", send.send, receive.recv),
    ]
    table("nested dict of ten items, messages/s", ways, message, MESSAGES, consume)
    table(
        "1 MiB of bytes, GiB/s",
        # Bounded, as a pipe is, so that the same pages are used again.
        [("shm_py Queue", few.put, few.get), *ways[1:]],
        lambda _: bytes(MIB),
        PAYLOADS,
        consume_bytes,
        1 / 1024,
    )
    print(f"  one memcpy in and one out     {memcpy_rate() / 1024:13,.1f}   (in one process, in turn)")
    print("wake-up: a message there and back between processes that sleep")
    latency(seg)
    threads, rate_ = asyncio.run(many_awaits(seg, 10_000))
    print(f"10,000 awaits: {threads} extra thread, {rate_:,.0f} messages/s")
    ring.close()
    seg.close()


if __name__ == "__main__":
    main()
