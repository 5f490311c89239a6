"""Iterators over containers give what these hold when they give it, whoever changes them meanwhile."""

import collections
import decimal
import multiprocessing
import operator

import pytest

import shm_py

PROCESSES = multiprocessing.get_context("spawn")
ROUNDS = 300
# Of every way that a value is stored: in its cell, in a block, of its own type, a shared object.
KINDS = [None, True, 7, 2**40, 2**90, 1.5, "short", "a text of its own block", "é" * 200, "\ud800", b"x", b"y" * 300]
KINDS += [(1, "two", (3,)), frozenset({1, 2}), decimal.Decimal("1.50"), 3j, [1], {"a": 1}, {2}]
WAYS = {
    "keys": (iter, lambda key, item: key),
    "values": (lambda d: iter(d.values()), lambda key, item: item),
    "items": (lambda d: iter(d.items()), lambda key, item: (key, item)),
}


def plain(value):
    return value.to_py() if hasattr(value, "to_py") else value


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 200])
def test_dicts_of_every_length_with_gaps(seg, way, count):
    make, part = WAYS[way]
    usual = {f"key {i}": KINDS[i % len(KINDS)] for i in range(count)}
    shared = seg.dict(usual)
    for key in list(usual)[1::3]:
        del usual[key], shared[key]
    expected = [part(key, item) for key, item in usual.items()]
    given = list(make(shared))
    assert [tuple(map(plain, one)) if way == "items" else plain(one) for one in given] == expected
    backwards = list(reversed(shared) if way == "keys" else reversed(getattr(shared, way)()))
    assert [tuple(map(plain, one)) if way == "items" else plain(one) for one in backwards] == expected[::-1]
    iterator = make(shared)
    for left in range(len(usual), 0, -1):
        assert operator.length_hint(iterator) == left
        next(iterator)
    assert next(iterator, "end") == "end"
    assert operator.length_hint(iterator) == 0


def test_sets_of_every_kind_of_member(seg):
    members = {i for i in range(100)} | {f"text {i} of its own" for i in range(100)} | {(1, 2), 2**90, b"b" * 50}
    shared = seg.set(members)
    assert set(shared) == members
    iterator = iter(shared)
    assert operator.length_hint(iterator) == len(members)
    assert len(list(iterator)) == len(members)
    assert operator.length_hint(iterator) == 0


def test_shared_children_are_the_same_objects(seg):
    shared = seg.dict({i: [i] for i in range(100)})
    known = [shared[i] for i in range(100)]
    assert all(a is b for a, b in zip(shared.values(), known))
    assert [key for key, item in shared.items() if item is known[key]] == list(range(100))


def test_the_end_stays_the_end(seg):
    shared, members = seg.dict({1: 1}), seg.set({1})
    for iterator, add in ((iter(shared), lambda: shared.update({2: 2})), (iter(members), lambda: members.add(2))):
        assert list(iterator) == [1]
        add()
        assert next(iterator, "end") == "end"


def test_growth_behind_the_last_entry_is_an_error(seg):
    shared, members = seg.dict({1: 1}), seg.set({1})
    for iterator, add in ((iter(shared), lambda: shared.update({2: 2})), (iter(members), lambda: members.add(2))):
        assert next(iterator) == 1
        add()
        with pytest.raises(RuntimeError, match="changed size during iteration"):
            next(iterator)


def test_values_that_change_ahead_are_seen(seg, other):
    shared = seg.root["d"] = seg.dict({i: 0 for i in range(150)})
    same = other.root["d"]
    for key, item in shared.items():
        assert item == (f"set to {key} by the other" if key else 0)
        if key < 149:
            same[key + 1] = f"set to {key + 1} by the other"


def test_a_transaction_sees_its_own_changes(seg):
    usual_list, usual_dict = [1] + [0] * 150, {i: int(i == 0) for i in range(150)}
    shared_list, shared_dict = seg.list([0] * 151), seg.dict(dict.fromkeys(range(150), 0))

    def spread(items, table):
        for i, x in enumerate(items):
            if i + 1 < len(items):
                items[i + 1] = x + 1
        for key, item in table.items():
            if key + 1 in table:
                table[key + 1] = item + 1

    spread(usual_list, usual_dict)
    with seg.transaction():
        # From here on both are open.
        shared_list[0], shared_dict[0] = 1, 1
        spread(shared_list, shared_dict)
        assert list(shared_list) == usual_list
        assert dict(shared_dict.items()) == usual_dict
        iterator = iter(shared_dict)
        next(iterator)
        shared_dict["new"] = 1
        with pytest.raises(RuntimeError, match="changed size during iteration"):
            next(iterator)
        del shared_dict["new"]
        members = seg.set({1, 2, 3})
        members.add(4)
        assert set(members) == {1, 2, 3, 4}
    assert (shared_list.to_py(), shared_dict.to_py()) == (usual_list, usual_dict)


def rewrite(table, rounds, ready):
    ready.wait()
    for number in range(rounds):
        for key in range(100):
            table[key] = [f"{key} " * (number % 40 + 1), number, [key], {"n": number}, "é" * 300][(key + number) % 5]


def test_a_writer_beside_an_iterator(seg):
    table = seg.dict(dict.fromkeys(range(100), 0))
    ready = PROCESSES.Event()
    writer = PROCESSES.Process(target=rewrite, args=(table, ROUNDS, ready))
    writer.start()
    ready.set()
    while writer.is_alive():
        for key, item in table.items():
            item = plain(item)
            if isinstance(item, str):
                assert item == "é" * 300 or set(item.split()) == {str(key)}
            elif isinstance(item, list):
                assert item == [key]
            elif isinstance(item, dict):
                assert list(item) == ["n"]
            else:
                assert 0 <= item < ROUNDS
    writer.join()
    assert writer.exitcode == 0
    assert seg.check().sound


@pytest.mark.parametrize("count", [0, 1, 64, 300])
def test_whole_copies_of_flat_and_mixed_containers(seg, count):
    flat = ["short", "a text of its own block", "é" * 100, 7, 1.5, None, True, b"x", 2**40]
    for kinds in (flat, [*flat, "x" * 1000], KINDS):
        values = [kinds[i % len(kinds)] for i in range(count)]
        assert seg.list(values).to_py() == values
        table = {f"a key with a number: {i}": value for i, value in enumerate(values)}
        shared = seg.dict(table)
        for copy in (shared.to_py(), dict(shared), dict(shared.items())):
            assert {key: plain(item) for key, item in copy.items()} == table
            assert list(copy) == list(table)
        hashable = {value for value in values if not isinstance(value, (list, dict, set))}
        assert seg.set(hashable).to_py() == hashable
        with seg.transaction():
            shared["new"] = "in the open"
            assert shared.to_py() == {**table, "new": "in the open"}


def test_a_transaction_sees_its_own_changes_of_a_deque(seg):
    seg.root["d"] = collections.deque([0] * 150)
    shared = seg.root["d"]
    with seg.transaction():
        shared[0] = 1
        for i, x in enumerate(shared):
            if i < 149:
                shared[i + 1] = x + 1
    assert list(shared) == list(range(1, 151))
