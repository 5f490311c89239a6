"""Proxies come and go by the million: which one stands for what, and that nothing outlives its last handle."""

import collections
import os
import random
import weakref

import shm_py


def test_more_children_are_held_than_there_was_room_for(seg: shm_py.Segment) -> None:
    # Each is pinned by a quick read; the table of pins grows on the way, several times.
    seg.root["rows"] = [{"n": number} for number in range(1000)]
    seg.root["named"] = {f"row {number}": [number] for number in range(1000)}
    rows, named = seg.root["rows"], seg.root["named"]
    held = [rows[number] for number in range(1000)]
    also = [named[f"row {number}"] for number in range(1000)]
    assert [row["n"] for row in held] == list(range(1000))
    assert [row[0] for row in also] == list(range(1000))
    assert all(rows[number] is held[number] for number in range(1000))


def test_random_handles_are_the_same_while_they_live(seg: shm_py.Segment) -> None:
    chance = random.Random(5)
    seg.root["rows"] = [[{"n": outer * 10 + inner} for inner in range(10)] for outer in range(10)]
    rows = seg.root["rows"]
    held: dict[tuple[int, int], shm_py.Dict] = {}
    for _ in range(20_000):
        outer, inner = chance.randrange(10), chance.randrange(10)
        row = rows[outer][inner]
        assert isinstance(row, shm_py.Dict)
        assert row["n"] == outer * 10 + inner
        if (outer, inner) in held:
            assert row is held[outer, inner]
            if chance.random() < 0.5:
                del held[outer, inner]
        elif chance.random() < 0.5:
            held[outer, inner] = row


def test_weak_references_end_with_their_proxy(seg: shm_py.Segment) -> None:
    seg.root["a"] = {"n": 1}
    seg.root["b"] = {"n": 2}
    for kind in ([1], {1}, {"n": 1}):
        seg.root["c"] = kind
        child, gone = seg.root["c"], []
        reference = weakref.ref(child, lambda _, gone=gone: gone.append(seg.root["c"] == kind))
        assert reference() is child
        del child
        assert reference() is None
        # The callback read the same object, by a proxy of its own.
        assert gone == [True]
        # Whoever has that memory now has no such reference.
        again = seg.root["c"]
        assert weakref.getweakrefcount(again) == 0


def numbers(seg: shm_py.Segment) -> dict[str, int]:
    """How many blocks of each kind there are."""
    return {kind.kind: kind.number for kind in seg.stats().kinds if kind.kind != "pin table"}


def test_what_nothing_refers_to_is_given_back_with_the_last_handle(seg: shm_py.Segment) -> None:
    before = numbers(seg)
    seg.root["x"] = [[b"." * 4000] for _ in range(100)]
    full = numbers(seg)
    children = [seg.root["x"][number] for number in range(100)]
    del seg.root["x"]
    assert [child[0] for child in children] == [b"." * 4000] * 100
    assert numbers(seg)["list"] == full["list"] - 1
    assert seg.check().findings == []
    while children:
        children.pop()
        assert numbers(seg)["list"] == before["list"] + len(children)
    assert numbers(seg) == before


def test_a_child_process_has_the_handles_and_makes_its_own(seg: shm_py.Segment) -> None:
    seg.root["rows"] = [{"n": number} for number in range(100)]
    rows = seg.root["rows"]
    held = [rows[number] for number in range(50)]
    child = os.fork()
    if child == 0:
        fine = [rows[number]["n"] for number in range(100)] == list(range(100))
        fine = fine and all(rows[number] is held[number] for number in range(50))
        os._exit(0 if fine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert all(rows[number] is held[number] for number in range(50))


def test_a_subclass_in_between_is_no_shell(seg: shm_py.Segment) -> None:
    seg.root["kinds"] = [collections.deque([1]), [1], collections.OrderedDict(a=1), {"a": 1}, collections.Counter("a")]
    kinds = seg.root["kinds"]
    for _ in range(200):
        names = [type(kinds[number]).__name__ for number in range(5)]
        assert names == ["Deque", "List", "OrderedDict", "Dict", "Counter"]
