"""Setting a struct's numbers: the shortest way is taken by threads, segments, forks and waiters in turn."""

import os
import threading

import pytest

import shm_py

# Python 3.12+ warns of fork in a process with threads; this test has none that matter.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

DEADLINE = 60
INTS = [0, 1, -1, 2**30 - 1, 2**30, -(2**30), 2**31, 2**62, -(2**62), 2**63 - 1, -(2**63)]


@shm_py.struct(name="test.Numbers")
class Numbers:
    whole: shm_py.i64 = 0
    natural: shm_py.u64 = 0
    real: shm_py.f64 = 0.0
    half: shm_py.f32 = 0.0
    small: shm_py.i16 = 0
    byte: shm_py.u8 = 0
    flag: bool = False


@pytest.fixture
def numbers(seg):
    seg.root["n"] = Numbers()
    return seg.root["n"]


def test_numbers_of_every_size_again_and_again(numbers, other):
    same = other.root["n"]
    for _ in range(3):
        for number in INTS:
            numbers.whole = number
            assert (numbers.whole, same.whole) == (number, number)
            if number >= 0:
                numbers.natural = number
                assert (numbers.natural, same.natural) == (number, number)
        numbers.natural = 2**64 - 1
        assert same.natural == 2**64 - 1
        for number in (1.5, -0.0, 1e300, float("inf")):
            numbers.real = number
            assert (numbers.real, same.real) == (number, number)


def test_what_lies_in_one_word_stays_apart(numbers, other):
    same = other.root["n"]
    for number in (7, -7, 0, 300, -300):
        numbers.small = number
        numbers.byte = number % 256
        numbers.half = float(number)
        numbers.flag = number > 0
        seen = (same.small, same.byte, same.half, same.flag, same.whole, same.real)
        assert seen == (number, number % 256, float(number), number > 0, 0, 0.0)


def test_what_does_not_fit_is_refused_and_changes_nothing(numbers):
    numbers.whole = numbers.natural = 5
    for name, value in [("natural", -1), ("natural", 2**64), ("whole", 2**63), ("whole", 1.0), ("whole", "1")]:
        with pytest.raises((TypeError, ValueError, OverflowError), match=name):
            setattr(numbers, name, value)
    assert (numbers.whole, numbers.natural) == (5, 5)


def test_large_ints_are_floats_in_fields_of_floats(numbers):
    for number in (2**63, 2**70 + 1, -(2**64) - 3, 10**300, int(1.7976931348623157e308)):
        numbers.real = number
        assert numbers.real == float(number)
    numbers.half = 2**100 + 1
    assert numbers.half == 2.0**100
    before = (numbers.real, numbers.half)
    for name, number in [("real", 10**400), ("real", -(2**1024)), ("real", 10**5000), ("half", 2**128)]:
        with pytest.raises(ValueError, match=f'"{name}" of "test.Numbers" is f.. and takes -.*e.* to .*e.*, not'):
            setattr(numbers, name, number)
    assert (numbers.real, numbers.half) == before


def test_threads_that_come_and_go_take_turns(numbers, other):
    same = other.root["n"]
    for number in range(50):
        thread = threading.Thread(target=lambda: setattr(numbers, "whole", number))
        thread.start()
        thread.join()
        # In the thread's memory, pointer included, the next one starts.
        assert same.whole == number
        numbers.real = number + 0.5
        assert same.real == number + 0.5


def test_threads_at_once_lose_no_store(numbers):
    go = threading.Barrier(4)
    lost = []

    def count(name):
        go.wait(DEADLINE)
        for number in range(20_000):
            setattr(numbers, name, number)
            if getattr(numbers, name) != number:
                lost.append((name, number))

    threads = [threading.Thread(target=count, args=(name,)) for name in ("whole", "natural", "small")]
    for thread in threads:
        thread.start()
    go.wait(DEADLINE)
    for number in range(20_000):
        numbers.real = float(number)
        if numbers.real != number:
            lost.append(("real", number))
    for thread in threads:
        thread.join()
    assert lost == []


def test_segments_in_turn(numbers):
    with shm_py.create(size="16MiB") as second:
        second.root["n"] = Numbers()
        others = second.root["n"]
        for number in range(100):
            numbers.whole = number
            others.whole = -number
            assert (numbers.whole, others.whole) == (number, -number)
        assert second.check().findings == []
    with pytest.raises(shm_py.Closed):
        others.whole = 1
    numbers.whole = 3
    assert numbers.whole == 3


def test_a_forked_process_has_a_session_of_its_own(seg, numbers, other):
    numbers.whole = 1
    pid = os.fork()
    if pid == 0:
        try:
            numbers.whole = 2
            numbers.real = 2.5
            os._exit(0 if len({peer.pid for peer in seg.peers}) == 2 else 3)
        finally:
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (numbers.whole, other.root["n"].real) == (2, 2.5)
    numbers.whole = 3
    assert other.root["n"].whole == 3


def test_who_waits_for_the_struct_is_woken(seg, numbers):
    woken = []

    def wait():
        for number in range(1, 6):
            while seg.root["n"].whole < number:
                if not numbers.wait_changed(DEADLINE):
                    return
            woken.append(number)
            said.set()

    said = threading.Event()
    waiter = threading.Thread(target=wait)
    waiter.start()
    for number in range(1, 6):
        said.clear()
        numbers.whole = number
        assert said.wait(DEADLINE)
    waiter.join()
    assert woken == [1, 2, 3, 4, 5]


def test_stores_wait_for_whole_operations_of_others(seg, numbers, other):
    entered, done = threading.Event(), []

    def hold():
        with other.transaction():
            other.root["n"].whole = 10
            entered.set()
            # The other one stores in vain until this ends.
            done.append(len(done))
            other.root["n"].whole = other.root["n"].whole + 1

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(DEADLINE)
    numbers.whole = 20
    holder.join()
    assert numbers.whole in (11, 20) and done == [0]


def test_a_store_within_a_transaction_is_undone_with_it(seg, numbers):
    numbers.whole = 1
    with pytest.raises(ZeroDivisionError):
        with seg.transaction():
            numbers.whole = 2
            numbers.real = 2.0
            assert numbers.whole == 2
            1 / 0
    assert (numbers.whole, numbers.real) == (1, 0.0)


def test_a_struct_that_another_thread_holds_is_waited_for(numbers, other):
    held, release = threading.Event(), threading.Event()
    numbers.whole = 1

    def hold():
        same = other.root["n"]
        with same.lock():
            held.set()
            release.wait(DEADLINE)
            same.whole = 5

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(DEADLINE)
    timer = threading.Timer(0.05, release.set)
    timer.start()
    numbers.whole = 7
    assert release.is_set() and numbers.whole == 7
    holder.join()
    timer.join()
