"""Waiting for changes of an object, and of what lies at a path."""

import multiprocessing
import threading
import time

import pytest

import shm_py

DEADLINE = 60
PROCESSES = multiprocessing.get_context("spawn")


def answer(items):
    while not items.wait_changed(0.05) and len(items) == 0:
        pass
    items.append("answer")


def later(change):
    thread = threading.Thread(target=change)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "make, change",
    [
        (lambda seg: seg.list([1]), lambda x: x.append(2)),
        (lambda seg: seg.dict(a=1), lambda x: x.update(a=2)),
        (lambda seg: seg.set([1]), lambda x: x.symmetric_difference_update({2})),
        (lambda seg: seg.bytearray(b"a"), lambda x: x.extend(b"b")),
    ],
)
def test_every_kind_of_object_tells_of_its_change(seg, make, change):
    shared = make(seg)
    assert shared.wait_changed(0.01) is False
    stop = threading.Event()

    def change_until_seen():
        while not stop.is_set():
            change(shared)
            time.sleep(0.001)

    thread = later(change_until_seen)
    assert shared.wait_changed(DEADLINE) is True
    stop.set()
    thread.join()


def test_another_process_wakes_and_is_woken(seg):
    items = seg.list()
    process = PROCESSES.Process(target=answer, args=(items,))
    process.start()
    watch = seg.watch(items)
    items.append("question")
    assert watch.wait(DEADLINE)
    while len(items) < 2:
        assert watch.wait(DEADLINE)
    assert items == ["question", "answer"]
    process.join(DEADLINE)


def test_a_path_tells_of_its_end_alone(seg):
    seg.root["book"] = {"bids": [1, 2], "n": 0}
    watch = seg.watch("book/n")
    seg.root["other"] = 1
    seg.root["book"]["bids"].append(3)
    assert not watch.wait(0.01)
    seg.root["book"]["n"] = 7
    assert watch.wait(DEADLINE) and watch.value == 7
    seg.root["book"] = {"n": 8}
    assert watch.poll() and watch.value == 8
    del seg.root["book"]
    assert watch.poll() and watch.value is None


def test_a_path_may_be_keys_and_indices(seg):
    seg.root["book"] = {1: [{"x": 0}]}
    watch = seg.watch(("book", 1, 0, "x"))
    seg.root["book"][1][0]["x"] = 5
    assert watch.wait(DEADLINE) and watch.value == 5


def test_iterating_goes_from_change_to_change(seg):
    watch = seg.watch("n")
    seg.root["n"] = 1
    assert next(iter(watch)) == 1
    thread = later(lambda: seg.root.update(n=2))
    assert next(watch) == 2
    thread.join()


def test_only_shared_objects_and_paths_are_watched(seg):
    with pytest.raises(TypeError, match="watch a shared object"):
        seg.watch(5)
    with shm_py.create(size="1MiB") as stranger, pytest.raises(TypeError, match="another segment"):
        seg.watch(stranger.root)


def test_a_closed_segment_ends_the_watch():
    seg = shm_py.create(size="1MiB")
    watch = seg.watch(seg.root)
    seg.close()
    with pytest.raises(shm_py.Closed):
        watch.wait(1)
