"""Programs of Cengal's shared memory run with their import line changed."""

import multiprocessing
import os
import signal
import threading

import pytest

from shm_py.cengal import (
    NoMessagesInQueueError,
    QueueType,
    SharedMemory,
    get_in_line,
    wait_my_turn,
    wait_my_turn_when_has_messages,
)

DEADLINE = 60
PROCESSES = multiprocessing.get_context("spawn")
TURNS = 50
STEPS = 20


@pytest.fixture
def name():
    return f"cengal-{os.getpid()}"


@pytest.fixture
def creator(name):
    with SharedMemory(name, create=True, size=16 * 1024**2) as manager:
        manager._destroy_timeout = 0
        yield manager


def take_turns(manager, data):
    for _ in range(TURNS):
        with wait_my_turn(manager):
            for _ in range(STEPS):
                data[1] += 1


def consumer_program(name):
    manager = SharedMemory(name, False)
    manager.wait_for_messages()
    with wait_my_turn(manager):
        data = manager.take_message()
    take_turns(manager, data)
    manager.close()


def wait_for_the_creator(name):
    manager = SharedMemory(name, False)
    assert manager.wait_creator_ready(DEADLINE)
    with wait_my_turn_when_has_messages(manager, DEADLINE):
        manager.take_message()["seen"] = True
    manager.close()


def hold_the_turn(name, ready):
    manager = SharedMemory(name, False)
    manager.wait_my_turn()
    ready.set()
    signal.pause()


def test_the_seeds_program_counts_exactly(creator, name):
    process = PROCESSES.Process(target=consumer_program, args=(name,))
    process.start()
    assert creator.wait_consumer_ready(DEADLINE)
    with wait_my_turn(creator):
        data = creator.put_message([0, 0, "text"])
    take_turns(creator, data)
    process.join(DEADLINE)
    assert process.exitcode == 0
    assert data == [0, 2 * TURNS * STEPS, "text"]
    assert creator.wait_consumer_closed(DEADLINE)


def test_a_consumer_may_come_before_its_creator(name):
    process = PROCESSES.Process(target=wait_for_the_creator, args=(name,))
    process.start()
    creator = SharedMemory(name, create=True, size=1 << 20)
    data = creator.put_message({"seen": False})
    process.join(DEADLINE)
    assert process.exitcode == 0 and data["seen"] is True
    creator.close()


def test_messages_come_in_either_order_and_may_stay(creator):
    for number in range(4):
        assert creator.put_message(number) == number
    assert creator.has_messages()
    assert creator.read_message() == 0
    assert creator.get_message(queue_type=QueueType.lifo) == 3
    assert creator.take_message(QueueType.lifo) == 3
    assert [creator.take_message() for _ in range(3)] == [0, 1, 2]
    assert creator.pop_message("none") == creator.get_message("none") == "none"
    with pytest.raises(NoMessagesInQueueError):
        creator.take_message()
    assert creator.wait_for_messages(0.01) is False


def test_what_is_put_is_the_object_that_is_taken(creator, name):
    consumer = SharedMemory(name)
    put = creator.put_message({"list": [1, {"x"}]})
    taken = consumer.take_message()
    taken["list"].append(2)
    assert put == {"list": [1, {"x"}, 2]}
    consumer.close()


def test_a_turn_within_a_turn_is_the_same_turn(creator):
    with wait_my_turn(creator):
        with wait_my_turn(creator):
            assert creator.is_in_line()
        assert creator.is_in_line()
    assert not creator.is_in_line()


def test_a_turn_is_tried_and_timed(creator, name):
    other = SharedMemory(name)
    results = []

    def attempt():
        with get_in_line(other) as got:
            results.append(got)
        results.append(other.wait_my_turn(0.01))

    with wait_my_turn(creator):
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join(DEADLINE)
    assert results == [False, False]
    other.close()


def test_the_turn_of_a_killed_process_is_passed_over(creator, name):
    ready = PROCESSES.Event()
    process = PROCESSES.Process(target=hold_the_turn, args=(name, ready))
    process.start()
    assert ready.wait(DEADLINE)
    os.kill(process.pid, signal.SIGKILL)
    process.join(DEADLINE)
    assert creator.wait_my_turn(DEADLINE)
    creator.release()


def test_a_second_creator_replaces_what_is_left(name):
    first = SharedMemory(name, create=True, size=1 << 20)
    first.put_message(1)
    second = SharedMemory(name, create=True, size=1 << 20)
    assert not second.has_messages()
    second.close()
    first.segment.close()
