"""Queues, leases and topics, between threads and processes, also killed ones."""

import multiprocessing
import os
import pickle
import queue
import signal
import threading
import time

import pytest

import shm_py

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

PROCESSES = multiprocessing.get_context("spawn")
DEADLINE = 60


def produce(jobs, first, count):
    for number in range(first, first + count):
        jobs.put({"n": number, "nested": {"list": [number, str(number)]}}, timeout=DEADLINE)


def consume(jobs, results):
    while True:
        try:
            job = jobs.get(timeout=DEADLINE)
        except shm_py.QueueClosed:
            return
        assert job["nested"]["list"] == [job["n"], str(job["n"])]
        results.add(str(job["n"]), 1)


def lease_and_hang(jobs, ready):
    lease = jobs.get_lease(timeout=DEADLINE)
    ready.put(lease.value)
    time.sleep(DEADLINE)


def wait_until(condition):
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_objects_come_out_in_order_and_are_the_ones_put_in(seg):
    jobs = seg.queue("jobs")
    shared = seg.list([1])
    for item in (1, "two", {"three": 3}, shared):
        jobs.put(item)
    assert (jobs.qsize(), jobs.empty(), jobs.full()) == (4, False, False)
    assert jobs.get() == 1
    assert jobs.get_nowait() == "two"
    assert jobs.get(timeout=1) == {"three": 3}
    assert jobs.get(block=False) is shared
    with pytest.raises(queue.Empty):
        jobs.get(timeout=0.01)
    with pytest.raises(ValueError, match="'timeout' must be a non-negative number"):
        jobs.get(timeout=-1)
    with pytest.raises(shm_py.Empty):
        jobs.get_nowait()


def test_a_bounded_queue_is_full_and_another_bound_is_refused(seg):
    jobs = seg.queue("jobs", maxsize=2)
    jobs.put(1)
    jobs.put(2)
    assert jobs.full()
    with pytest.raises(queue.Full):
        jobs.put_nowait(3)
    with pytest.raises(shm_py.Full, match="holds its 2 items"):
        jobs.put(3, timeout=0.01)
    with pytest.raises(ValueError, match="takes 2 items"):
        seg.queue("jobs", maxsize=3)
    assert seg.queue("jobs").maxsize == 2


def test_what_cannot_be_shared_leaves_the_queue_as_it_was(seg):
    jobs = seg.queue("jobs")
    with pytest.raises(shm_py.UnsupportedType, match="item"):
        jobs.put({"x": object()})
    assert jobs.empty()


def test_waiting_gives_the_gil_away(seg):
    jobs = seg.queue("jobs")
    got = []
    thread = threading.Thread(target=lambda: got.append(jobs.get(timeout=DEADLINE)))
    thread.start()
    jobs.put("x")
    thread.join(DEADLINE)
    assert got == ["x"]


def test_ctrl_c_ends_a_wait(seg):
    jobs = seg.queue("jobs")
    main = threading.main_thread().ident
    timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        jobs.get(timeout=DEADLINE)
    timer.join()


def test_a_closed_queue_gives_what_it_has_and_wakes_who_waits(seg):
    jobs = seg.queue("jobs")
    jobs.put(1)
    raised = []

    def wait():
        jobs.get(timeout=DEADLINE)
        try:
            jobs.get(timeout=DEADLINE)
        except shm_py.QueueClosed as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    wait_until(jobs.empty)
    jobs.close()
    thread.join(DEADLINE)
    assert len(raised) == 1 and jobs.closed
    with pytest.raises(shm_py.QueueClosed, match="jobs"):
        jobs.put(2)
    if hasattr(queue, "ShutDown"):
        assert issubclass(shm_py.QueueClosed, queue.ShutDown)


def test_queues_travel_by_pickle(seg):
    jobs = seg.queue("jobs", 5)
    same = pickle.loads(pickle.dumps(jobs))
    same.put("x")
    assert (jobs.get(), same.name, same.maxsize) == ("x", "jobs", 5)


def test_processes_lose_nothing_and_double_nothing(seg):
    jobs, results = seg.queue("jobs", maxsize=8), seg.dict()
    producers = [PROCESSES.Process(target=produce, args=(jobs, n * 200, 200)) for n in range(2)]
    consumers = [PROCESSES.Process(target=consume, args=(jobs, results)) for _ in range(2)]
    for number in range(400):
        results[str(number)] = 0
    for process in producers + consumers:
        process.start()
    for process in producers:
        process.join(DEADLINE)
    jobs.close()
    for process in consumers:
        process.join(DEADLINE)
        assert process.exitcode == 0
    assert results == {str(number): 1 for number in range(400)}


def test_what_a_killed_consumer_had_taken_comes_back(seg):
    jobs, ready = seg.queue("jobs"), seg.queue("ready")
    for number in range(3):
        jobs.put({"job": number})
    process = PROCESSES.Process(target=lease_and_hang, args=(jobs, ready))
    process.start()
    assert ready.get(timeout=DEADLINE) == {"job": 0}
    assert (jobs.qsize(), jobs.leased()) == (2, 1)
    os.kill(process.pid, signal.SIGKILL)
    process.join(DEADLINE)
    wait_until(lambda: jobs.reclaim() or jobs.leased() == 0)
    assert [jobs.get(timeout=DEADLINE)["job"] for _ in range(3)] == [0, 1, 2]


def test_a_lease_is_acknowledged_by_its_block_unless_it_raises(seg):
    jobs = seg.queue("jobs")
    jobs.put("job")
    with pytest.raises(ZeroDivisionError), jobs.get_lease() as job:
        assert (job, jobs.qsize()) == ("job", 0)
        1 / 0
    assert jobs.qsize() == 1
    with jobs.get_lease(timeout=1) as job:
        assert jobs.leased() == 1
    assert (jobs.qsize(), jobs.leased()) == (0, 0)
    jobs.put("job")
    lease = jobs.get_lease()
    lease.ack()
    assert lease.settled
    with pytest.raises(KeyError, match="settled"):
        lease.give_back()


def test_every_subscriber_sees_every_message(seg, other):
    topic = seg.topic("prices", keep=3)
    fast, slow = topic.subscribe(), other.topic("prices", keep=3).subscribe()
    for price in range(5):
        topic.publish(price)
        assert fast.get() == price
    assert (slow.pending(), [slow.get() for _ in range(3)], slow.lost) == (3, [2, 3, 4], 2)
    with pytest.raises(shm_py.Empty):
        slow.get(timeout=0.01)
    assert topic.subscribe(replay=True).pending() == 3
    assert pickle.loads(pickle.dumps(topic)).keep == 3
