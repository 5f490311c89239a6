"""Web workers share flags, counters and a warm cache, without a server beside them.

Any worker may be the first: `open` creates the segment or attaches to it. Each request asks the
shared rate limit, reads a flag that anybody may switch, and fills a cache that all workers see.
One worker is killed in the middle of its work; the others do not notice.
"""

import multiprocessing
import os
import signal
import time

import shm_py

NAME = f"rate-limit-example-{os.getpid()}"
LIMIT = 20_000


def allowed(root, client):
    """At most LIMIT requests of a client, counted over all workers."""
    return root["requests"].add(client, 1) <= LIMIT


def render(root, page):
    cached = root["cache"].get(page)
    if cached is None:
        cached = root["cache"].setdefault(page, f"<h1>{page}</h1>" * 10)
    return cached


def worker(name, started, served):
    with shm_py.open(name, size="32MiB") as seg:
        root = seg.root
        for key in ("requests", "cache", "flags"):
            root.setdefault(key, {})  # whoever comes first
        started.release()
        while not root["flags"].get("go"):
            time.sleep(0.001)
        pages = 0
        while not root["flags"].get("stop"):
            if allowed(root, "10.0.0.1"):
                assert render(root, f"page {pages % 20}").startswith("<h1>")
                pages += 1
        served.put(pages)


def wait_for_requests(root, count):
    deadline = time.monotonic() + 60
    while root["requests"].get("10.0.0.1", 0) < count:
        assert time.monotonic() < deadline
        time.sleep(0.0005)


def main():
    context = multiprocessing.get_context("spawn")
    started, served = context.Semaphore(0), context.Queue()
    workers = [
        context.Process(target=worker, args=(NAME, started, served)) for _ in range(3)
    ]
    with shm_py.open(NAME, size="32MiB") as seg:
        for process in workers:
            process.start()
        for _ in workers:
            started.acquire()
        root = seg.root
        root["flags"]["go"] = True
        wait_for_requests(root, LIMIT // 4)
        victim = workers.pop()
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        wait_for_requests(root, LIMIT + 1)
        root["flags"]["stop"] = True
        pages = sum(served.get(timeout=30) for _ in workers)
        for process in workers:
            process.join()

        # The victim's pages are in the count of requests and in nobody's sum.
        assert 0 < pages <= LIMIT < root["requests"]["10.0.0.1"]
        assert len(root["cache"]) <= 20 and seg.check().sound
        print(f"{pages} pages by two workers, at most {LIMIT} in all; one worker was killed")
        print(f"{len(root['cache'])} pages in the shared cache, {seg.used} bytes used")


if __name__ == "__main__":
    main()
