"""Two processes take turns at one list: the program with which this kind of library was first shown.

The first process sends a message, a list of a str, an int, a tuple and a dict. Both then count its second
item up, 2,000 times a turn, 1,000 turns each. Nobody else acts in a turn, so no increment is lost.
"""

import multiprocessing
import time

import shm_py

TURNS, STEPS = 1_000, 2_000


def take_turns(seg, shared_data):
    for _ in range(TURNS):
        with seg.turn():
            for _ in range(STEPS):
                shared_data[1] += 1


def consumer(name):
    with shm_py.attach(name, timeout=10) as seg:
        shared_data = seg.take_message(timeout=10)  # the list itself, not a copy
        assert shared_data[3]["key"] == [1, 2.5, None]
        take_turns(seg, shared_data)
        seg.put_message("done")


def main():
    with shm_py.create(size="200MiB") as seg:
        other = multiprocessing.get_context("spawn").Process(target=consumer, args=(seg.name,))
        other.start()
        shared_data = seg.list(["some text", 0, (1, "two", 3.0), {"key": [1, 2.5, None]}])
        seg.put_message(shared_data)
        while seg.has_messages() and other.is_alive():  # until the other one has come
            time.sleep(0.001)
        started = time.perf_counter()
        take_turns(seg, shared_data)
        assert seg.take_message(timeout=60) == "done"
        seconds = time.perf_counter() - started
        other.join()
        expected = 2 * TURNS * STEPS
        assert shared_data[1] == expected, shared_data
        print(f"{expected} increments in {2 * TURNS} turns of two processes: {seconds:.2f} s")


if __name__ == "__main__":
    main()
