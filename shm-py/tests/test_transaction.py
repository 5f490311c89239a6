"""Transactions: all or nothing, also when the block raises or the process is killed."""

import multiprocessing
import os
import signal
import threading
import time

import pytest

import shm_py

DEADLINE = 60
PROCESSES = multiprocessing.get_context("spawn")


def half_a_transfer(seg, ready):
    with seg.transaction():
        seg.root["a"]["money"] -= 30
        seg.root["a"]["log"].append("a text that takes a block of its own")
        seg.root["new"] = {"x": [1, 2, 3]}
        ready.set()
        time.sleep(DEADLINE)


def transfer_many(seg, count):
    for _ in range(count):
        with seg.transaction():
            seg.root["a"]["money"] -= 1
            seg.root["b"]["money"] += 1


@pytest.fixture
def accounts(seg):
    seg.root["a"] = {"money": 100, "log": []}
    seg.root["b"] = {"money": 0, "log": []}
    return seg


def test_a_block_happens_as_a_whole(accounts):
    a, b = accounts.root["a"], accounts.root["b"]
    with accounts.transaction():
        a["money"] -= 30
        b["money"] += 30
        b["log"].append({"from": "a", "money": 30})
        assert (a["money"], b["log"][0]["money"]) == (70, 30)
    assert (a["money"], b["money"], b["log"]) == (70, 30, [{"from": "a", "money": 30}])


def test_an_exception_undoes_everything(accounts):
    before = accounts.root.to_py()
    with pytest.raises(ZeroDivisionError), accounts.transaction():
        accounts.root["a"]["money"] -= 30
        accounts.root["b"]["log"].extend(["x" * 50] * 100)
        accounts.root["c"] = {"new": [1, 2, {3}]}
        accounts.root["a"]["log"].append(1)
        del accounts.root["b"]
        accounts.queue("jobs").put("job")
        1 / 0
    assert accounts.root == before
    assert accounts.queue("jobs").empty()


def test_rollback_undoes_and_the_block_goes_on(accounts):
    with accounts.transaction() as transaction:
        accounts.root["a"]["money"] = 0
        transaction.rollback()
        assert accounts.root["a"]["money"] == 100
        accounts.root["b"]["money"] = 1
    assert (accounts.root["a"]["money"], accounts.root["b"]["money"]) == (100, 1)


def test_an_inner_block_is_undone_alone(accounts):
    with accounts.transaction():
        accounts.root["a"]["money"] = 1
        with pytest.raises(ZeroDivisionError), accounts.transaction():
            accounts.root["a"]["money"] = 2
            1 / 0
        assert accounts.root["a"]["money"] == 1
    assert accounts.root["a"]["money"] == 1


def test_what_was_made_and_undone_is_empty(seg):
    made = None
    with pytest.raises(ZeroDivisionError), seg.transaction():
        made = seg.list([1, 2, 3])
        seg.root["made"] = made
        1 / 0
    assert made == [] and "made" not in seg.root
    made.append(1)
    assert made == [1]


def test_a_killed_process_leaves_what_was_before(accounts):
    before = accounts.root.to_py()
    ready = PROCESSES.Event()
    process = PROCESSES.Process(target=half_a_transfer, args=(accounts, ready))
    process.start()
    assert ready.wait(DEADLINE)
    os.kill(process.pid, signal.SIGKILL)
    assert accounts.root.to_py() == before
    process.join(DEADLINE)


def test_processes_never_see_the_middle(accounts):
    processes = [PROCESSES.Process(target=transfer_many, args=(accounts, 200)) for _ in range(2)]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        with accounts.transaction():
            assert accounts.root["a"]["money"] + accounts.root["b"]["money"] == 100
    for process in processes:
        process.join(DEADLINE)
        assert process.exitcode == 0
    assert accounts.root["b"]["money"] == 400


def test_others_are_told_who_makes_them_wait(accounts):
    raised = []

    def other():
        try:
            with accounts.transaction(timeout=0.05):
                pass
        except shm_py.LockTimeout as error:
            raised.append(error)

    with accounts.transaction():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(DEADLINE)
    assert [error.holder_pid for error in raised] == [os.getpid()]


def test_waiting_for_others_inside_is_refused(accounts):
    with accounts.transaction():
        with pytest.raises(ValueError, match="inside of a transaction"):
            accounts.queue("jobs").get(timeout=1)
        with pytest.raises(ValueError, match="inside of a transaction"):
            accounts.check()
        with pytest.raises(ValueError, match="inside of a transaction"):
            accounts.close()


def test_a_transaction_is_entered_once(seg):
    transaction = seg.transaction()
    with transaction, pytest.raises(RuntimeError, match="runs already"):
        transaction.__enter__()
    with pytest.raises(RuntimeError, match="does not run"):
        transaction.rollback()
    with transaction:
        seg.root["n"] = 1
    assert seg.root["n"] == 1
