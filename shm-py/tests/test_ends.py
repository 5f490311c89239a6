"""What names a place or a few items while another process changes the container all the time."""

import collections
import multiprocessing

import pytest

import shm_py

ROUNDS = 10_000


def churn(seg, ready, stop):
    """Lengthens and shortens everything, at the front, and changes it, until it is told to stop."""
    root = seg.root
    items, last, data, big = root["items"], root["last"], root["data"], root["big"]
    entries, members = root["entries"], root["members"]
    ready.set()
    turn = 0
    while not stop.is_set():
        for _ in range(50):
            turn += 1
            items.insert(0, turn)
            del items[0]
            last.appendleft(turn)
            last.popleft()
            data.insert(0, 1)
            del data[0]
            big[0] = turn
            entries["new"] = turn
            del entries["new"]
            members.add("new")
            members.discard("new")


@pytest.fixture
def busy(seg):
    root = seg.root
    root["items"] = [0, 1, 2, "before", "last"]
    root["last"] = collections.deque([0, 1, "before", "last"])
    root["data"] = bytearray(b"abc\x07\x09")
    root["big"] = list(range(20_000))
    root["entries"] = {number: number for number in range(100)}
    root["members"] = set(range(100))
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Event(), context.Event()
    process = context.Process(target=churn, args=(seg, ready, stop))
    process.start()
    assert ready.wait(60)
    yield root
    stop.set()
    process.join(60)
    assert process.exitcode == 0


def test_an_index_from_the_end_is_of_the_operations_own_moment(busy):
    items, last, data = busy["items"], busy["last"], busy["data"]
    for _ in range(ROUNDS):
        assert items[-1] == "last" and items[-2] == "before"
        assert last[-1] == "last" and last[-2] == "before"
        assert data[-1] == 9 and data[-2] == 7
        items[-1] = "last"
        last[-1] = "last"
        data[-1] = 9
        assert items.compare_exchange(-2, "before", "before")
        assert items.index("last", -1) >= 4
        assert items.pop(-2) == "before"
        items.insert(-1, "before")
        del last[-2]
        last.insert(-1, "before")
        assert data.pop(-2) == 7
        data.insert(-1, 7)
        data.append(5)
        assert data.pop() == 5
    assert items[-2:] == ["before", "last"]


def test_an_item_is_removed_from_a_list_that_changes_all_the_time(busy):
    big = busy["big"]
    for _ in range(100):
        big.append("here")
        big.remove("here")
    assert "here" not in big
    with pytest.raises(ValueError):
        big.remove("here")


def test_a_repr_does_not_fail_while_others_change_the_size(busy):
    for _ in range(ROUNDS):
        assert repr(busy["entries"]).startswith("Dict({")
        assert repr(busy["members"]).startswith("Set({")
    assert repr(busy).startswith("Dict({'items': [")


def test_numbers_are_added_from_the_end(seg):
    items = seg.list([1, 2.5, 10**30])
    assert items.add(-1) == 10**30 + 1 and items.add(-2, 1) == 3.5 and items.add(-3, 4) == 5
    for wrong in (lambda: items.add(-4), lambda: items[-4], lambda: items.pop(-4)):
        with pytest.raises(IndexError, match="-4 out of range for length 3"):
            wrong()
    with pytest.raises(IndexError, match="-4 out of range"):
        items[-4] = 1
    with pytest.raises(shm_py.UnsupportedType) as caught:
        items[-1] = object()
    assert caught.value.path == "list[-1]" and items == [5, 3.5, 10**30 + 1]
