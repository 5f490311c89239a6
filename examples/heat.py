"""A hot plate: four processes compute the temperatures of one shared numpy array, each its own rows.

    python examples/heat.py

The array is in the segment once. Each process has a view of it, so a step of the computation is numpy's
and moves no data between processes; a barrier keeps the steps together. What is computed equals what one
process computes alone.
"""

import multiprocessing

import numpy
import shm_py

SIZE, STEPS, PROCESSES = 64, 100, 4


def step(old, new, rows):
    """One step of some rows: each inner cell becomes the mean of its four neighbours."""
    new[rows, 1:-1] = (
        old[rows.start - 1 : rows.stop - 1, 1:-1]
        + old[rows.start + 1 : rows.stop + 1, 1:-1]
        + old[rows, :-2]
        + old[rows, 2:]
    ) / 4


def work(seg, number):
    """A process: its share of the inner rows, step by step with the others."""
    plates = [seg.root["plates"][index] for index in range(2)]
    together = seg.barrier("step", PROCESSES)
    share = (SIZE - 2) // PROCESSES + 1
    start = 1 + number * share
    rows = slice(start, min(start + share, SIZE - 1))
    for count in range(STEPS):
        step(plates[count % 2], plates[(count + 1) % 2], rows)
        together.wait(60)


def main():
    seg = shm_py.create(size="16MiB")
    plates = numpy.zeros((2, SIZE, SIZE))
    plates[:, 0] = 100.0  # the hot edge
    seg.root["plates"] = plates  # copied in, once

    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(seg, number)) for number in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0

    for count in range(STEPS):
        step(plates[count % 2], plates[(count + 1) % 2], slice(1, SIZE - 1))
    shared = seg.root["plates"]
    assert (shared == plates).all()
    print(f"after {STEPS} steps the middle has {shared[STEPS % 2, SIZE // 2, SIZE // 2]:.4f} degrees")
    print(f"{shared.nbytes} bytes of numbers, in {PROCESSES} processes and once in memory")

    del shared
    seg.close()


if __name__ == "__main__":
    main()
