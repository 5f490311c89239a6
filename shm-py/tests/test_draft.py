"""Built-in containers that go in and come out in one operation hold what was put, as do all others."""

import datetime
import math
import random
from decimal import Decimal
from fractions import Fraction

import pytest

import shm_py

MOMENT = datetime.datetime(2026, 11, 29, 12, 30, 1, 5, datetime.timezone.utc)

CASES = [
    {},
    [],
    {"a": []},
    [{}, [], set()],
    {"id": 1, "text": "longer than a cell", "float": -0.0, "none": None, "yes": True},
    {"who": {"name": "x", "account": 7}, "tags": ["a", "b"], "set": {1, 2, "three"}},
    {1: "int key", -5: [1.5, 2**40, 2**61, -(2**63)]},
    {"bytes": b"", "more": b"longer than seven bytes", "lone": "\ud800", "lone long": "\ud800" * 9},
    {(1, 2): "a tuple key", True: "a bool key"},
    [(1, [2]), {"deep": [[[[["end"]]]]]}],
    {"big": 2**70, "frozen": frozenset({1})},
    [list(range(100)), {str(n): n for n in range(200)}],
    {"ë" * 30: "ë" * 30},
    {"at": MOMENT, "price": Decimal("101.250"), "span": datetime.timedelta(1, 2, 3), "z": 1j},
    [MOMENT.date(), MOMENT.replace(tzinfo=None), MOMENT.timetz(), {MOMENT: {Decimal(1), 2, 3j}}],
    {1: "one", Decimal(2): "two", 1j: datetime.date.min, datetime.time.max: Decimal("-0")},
    {"zone": MOMENT.astimezone(datetime.timezone(datetime.timedelta(hours=1))), "half": Fraction(1, 2)},
]


def same(a, b):
    """Equal, and of the same types at every depth."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        keys = list(a) == list(b) and [type(k) for k in a] == [type(k) for k in b]
        return keys and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return math.copysign(1, a) == math.copysign(1, b) and a == b
    return a == b


@pytest.mark.parametrize("value", CASES, ids=[str(n) for n in range(len(CASES))])
def test_what_goes_in_comes_out(seg, value):
    queue = seg.queue("q")
    queue.put(value)
    taken = queue.get()
    assert taken == value and same(taken.to_py(), value)
    seg.root["x"] = value
    assert same(seg.root["x"].to_py(), value)
    shared = seg.list()
    shared.append(value)
    assert same(shared.to_py(), [value])
    seg.put_message(value)
    assert same(seg.take_message().to_py(), value)
    del taken, shared
    seg.root.clear()
    assert seg.check().sound


def test_random_values_come_out_as_they_went_in(seg):
    dice = random.Random(3)

    def value(depth):
        kind = dice.randrange(9 if depth else 6)
        if kind == 0:
            return dice.randrange(-(2**65), 2**65)
        if kind == 1:
            return dice.random() * 10.0 ** dice.randrange(-300, 300)
        if kind == 2:
            return dice.choice([None, True, False])
        if kind == 3:
            return "".join(dice.choices("abcë€", k=dice.randrange(20)))
        if kind == 4:
            return dice.randbytes(dice.randrange(20))
        if kind == 5:
            return ()
        if kind == 6:
            return [value(depth - 1) for _ in range(dice.randrange(6))]
        return {f"{n}-{dice.random()}": value(depth - 1) for n in range(dice.randrange(6))}

    for _ in range(500):
        given = [value(3)]
        seg.root["x"] = given
        assert same(seg.root["x"].to_py(), given)


def test_an_object_that_occurs_twice_is_shared_once(seg):
    inner = [1]
    seg.root["x"] = {"a": inner, "b": inner}
    x = seg.root["x"]
    assert x["a"] is x["b"]
    copied = x.to_py()
    assert copied["a"] is copied["b"]
    circle = []
    circle.append(circle)
    with pytest.raises(shm_py.UnsupportedType, match="contains itself"):
        seg.root["y"] = circle
    assert "y" not in seg.root


def test_what_cannot_be_shared_is_named_and_nothing_changes(seg):
    queue = seg.queue("q")
    with pytest.raises(shm_py.UnsupportedType, match=r"item\['x'\]\[1\]: cannot share"):
        queue.put({"x": [1, object()]})
    assert queue.qsize() == 0
    with pytest.raises(shm_py.UnsupportedType, match=r"root\['k'\]\['x'\]"):
        seg.root["k"] = {"x": object()}
    with pytest.raises(shm_py.UnsupportedType, match=r"list\[-1\]\[0\]"):
        seg.list().append([object()])


@pytest.mark.parametrize("size", [0, 7, 8, 4095, 4096, 4097, 1 << 20, (1 << 20) + 3])
def test_bytes_of_every_size_pass_a_queue(seg, size):
    content = bytes(n * 7 & 255 for n in range(size))
    queue = seg.queue("q")
    for _ in range(3):
        queue.put(content)
        taken = queue.get()
        assert type(taken) is bytes and taken == content
    seg.root["x"] = content
    assert seg.root["x"] == content
