"""What can be shared comes back equal and of the same type; what cannot changes nothing."""

import collections
import decimal
import enum
import math
import socket
from collections import OrderedDict, UserString, namedtuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shm_py

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(),
    st.text(alphabet=st.characters(), max_size=4),
    st.binary(),
)
HASHABLE = st.recursive(
    SCALARS,
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(HASHABLE, inner, max_size=4),
        st.sets(HASHABLE, max_size=4),
        st.binary(max_size=5).map(bytearray),
    ),
    max_leaves=15,
)


def same(a, b):
    """Equality that also compares types, at any depth."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, float):
        return math.copysign(1, a) == math.copysign(1, b) and a == b
    return a == b


@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_values_come_back_equal_and_of_the_same_type(value):
    with shm_py.create(size="4MiB") as seg, shm_py.attach(seg.name) as other:
        seg.root["x"] = value
        found = other.root["x"]
        assert found == value and value == found
        plain = found.to_py() if hasattr(found, "to_py") else seg.root.to_py()["x"]
        assert same(plain, value)
        assert seg.check().findings == []


def test_special_floats_come_back(seg):
    for number in (0.0, -0.0, math.inf, -math.inf, 5e-324, 1.7e308, 1e-77, -1e77):
        seg.root["x"] = number
        assert same(seg.root["x"], number)
        assert seg.list([number])[0] == number
    seg.root["x"] = math.nan
    assert math.isnan(seg.root["x"])


def test_lone_surrogates_come_back(seg):
    for text in ("\ud800", "a\udfff\U0001f600", "\x00", "é" * 3, "é" * 4, "x" * 7, "x" * 8):
        seg.root["x"] = {text: [text]}
        assert seg.root["x"] == {text: [text]}
        assert seg.root["x"][text][0] == text


def unsupported():
    Point = namedtuple("Point", "x y")
    with socket.socket() as sock:
        yield sock, "socket"
    yield object(), "object"
    yield lambda: 1, "function"
    yield Point(1, 2), "Point"
    yield type("Sorted", (OrderedDict,), {})(a=1), "Sorted"
    yield type("Text", (UserString,), {})("a"), "Text"
    yield enum.IntEnum("Color", "RED").RED, "Color"
    yield type("Text", (str,), {})("a"), "Text"
    yield type("Money", (decimal.Decimal,), {})(1), "Money"
    yield (number for number in ()), "generator"
    yield memoryview(b"a"), "memoryview"


def test_unsupported_types_are_named_with_their_path_and_change_nothing(seg):
    seg.root["keep"] = [1]
    before = seg.root.to_py()
    blocks = seg.check().blocks
    for value, name in unsupported():
        with pytest.raises(shm_py.UnsupportedType, match=name) as caught:
            seg.root["book"] = {"x": [1, "two", (3,), {"deep": value}], "y": 5}
        error = caught.value
        assert error.path == "root['book']['x'][3]['deep']"
        assert name in error.type_name
        assert str(error).startswith("root['book']['x'][3]['deep']: cannot share <")
        assert isinstance(error, TypeError) and isinstance(error, shm_py.ShmError)
        for act in (
            lambda: seg.root["keep"].append([value]),
            lambda: seg.root["keep"].extend([1, value]),
            lambda: seg.root["keep"].__setitem__(slice(0, 1), [value]),
            lambda: seg.root.update(a=1, b=value),
            lambda: seg.root.setdefault("new", [value]),
            lambda: seg.list([value]),
            lambda: seg.dict(a={"b": value}),
            lambda: seg.put_message([value]),
        ):
            with pytest.raises(shm_py.UnsupportedType):
                act()
    assert seg.root.to_py() == before
    assert not seg.has_messages()
    assert seg.check().blocks == blocks


def test_paths_are_those_of_the_container(seg):
    thing = object()
    for act, path in [
        (lambda: seg.list([1, [thing]]), "list[1][0]"),
        (lambda: seg.list([0]).__setitem__(0, {"a": thing}), "list[0]['a']"),
        (lambda: seg.dict(a=(1, thing)), "dict['a'][1]"),
        (lambda: seg.put_message({"m": thing}), "message['m']"),
        (lambda: seg.root.__setitem__((1, thing), 0), "root key (1, <object object at 0x"),
    ]:
        with pytest.raises(shm_py.UnsupportedType) as caught:
            act()
        assert caught.value.path.startswith(path)


class Node:
    def __init__(self, after):
        self.after = after


#: One more level around what is there.
AROUND = {
    "list": lambda inner: [inner],
    "dict": lambda inner: {"k": inner},
    "object": Node,
    "deque": lambda inner: collections.deque([inner]),
    "bounded deque": lambda inner: collections.deque([inner], maxlen=3),
    "ordered dict": lambda inner: collections.OrderedDict(k=inner),
    "defaultdict": lambda inner: collections.defaultdict(list, k=inner),
    "all in turn": None,
}


@pytest.mark.parametrize("kind", AROUND)
def test_containers_nest_at_any_depth(seg, kind):
    depth = 3000
    turns = [around for around in AROUND.values() if around]
    value = ["leaf", ("t", [1])]
    for level in range(depth):
        value = (AROUND[kind] or turns[level % len(turns)])(value)
    seg.root["x"] = value
    seg.queue("q").put(value)

    def inner(found):
        if isinstance(found, Node):
            return found.after
        return found["k"] if isinstance(found, (dict, shm_py.Dict)) else found[0]

    for copied in (seg.root["x"], seg.root["x"].to_py(), seg.queue("q").get(), value):
        for _ in range(depth):
            copied = inner(copied)
        assert copied[0] == "leaf" and copied[1] == ("t", [1])
        copied[0] = "leaf"
    value = copied = None
    del seg.root["x"]
    seg.gc()


def test_an_error_in_the_depth_leaves_nothing_behind(seg):
    value = [object()]
    for _ in range(1000):
        value = [value]
    before = seg.check().blocks
    with pytest.raises(shm_py.UnsupportedType, match=r"^root\['x'\].*cannot share <class 'object'>$"):
        seg.root["x"] = value
    assert "x" not in seg.root and seg.check().blocks == before


def test_what_occurs_twice_in_the_depth_is_shared_once(seg):
    twice = [1]
    value = [twice, twice]
    for _ in range(500):
        value = [value, twice]
    seg.root["x"] = value
    found = seg.root["x"]
    for _ in range(500):
        found = found[0]
    assert found[0] is found[1] is seg.root["x"][1]
    plain = seg.root["x"].to_py()
    inner = plain
    for _ in range(500):
        inner = inner[0]
    assert inner[0] is inner[1] is plain[1]


def test_nesting_of_tuples_deeper_than_the_limit_is_refused(seg):
    deep = ()
    for _ in range(5000):
        deep = (deep,)
    before = seg.check().blocks
    for act in (lambda: seg.root.__setitem__("x", deep), lambda: seg.list([deep])):
        with pytest.raises(shm_py.TooDeep, match="nested deeper than 200") as caught:
            act()
        assert isinstance(caught.value, RecursionError)
    assert "x" not in seg.root and seg.check().blocks == before
    shallow = []
    for _ in range(150):
        shallow = [shallow]
    seg.root["x"] = shallow
    assert seg.root["x"] == shallow


def test_an_object_that_contains_itself_is_refused(seg):
    loop = [1]
    loop.append({"again": loop})
    with pytest.raises(shm_py.UnsupportedType, match="contains itself") as caught:
        seg.root["x"] = loop
    assert caught.value.path == "root['x'][1]['again']"


def test_an_object_that_occurs_twice_is_shared_once(seg):
    child = [1]
    seg.root["x"] = {"a": child, "b": (child,)}
    assert seg.root["x"]["a"] is seg.root["x"]["b"][0]


def test_objects_of_another_segment_are_refused(seg):
    with shm_py.create(size="1MiB") as foreign:
        theirs = foreign.list([1])
        with pytest.raises(ValueError, match="to_py"):
            seg.root["x"] = theirs
        seg.root["x"] = theirs.to_py()
    assert seg.root.to_py() == {"x": [1]}


def test_freed_objects_give_their_memory_back(seg):
    seg.root["x"] = 0
    before = seg.check().blocks
    for _ in range(3):
        seg.root["x"] = {"a": [list(range(100))] * 3, "b": {"long text " * 3, (1, b"x" * 50)}}
        inner = seg.root["x"]["a"]
        seg.root["x"] = 0
        assert inner[0][99] == 99
        del inner
        assert seg.check().blocks == before


def test_filling_a_segment_is_segment_full_and_keeps_what_was_written():
    acts = {
        "append": lambda seg, i: seg.root["l"].append("x" * 2000),
        "assign": lambda seg, i: seg.root.__setitem__(i, b"y" * 3000),
        "nested": lambda seg, i: seg.root.__setitem__(i, {"a": [i] * 50, "b": {i}}),
        "extend": lambda seg, i: seg.root["l"].extend([i] * 1000),
        "bytes": lambda seg, i: seg.root["b"].extend(b"z" * 5000),
        "message": lambda seg, i: seg.put_message(["m" * 1000]),
    }
    for act in acts.values():
        with shm_py.create(size="8MiB") as seg:
            seg.root["l"], seg.root["b"] = [], bytearray()
            with pytest.raises(shm_py.SegmentFull) as caught:
                for index in range(1_000_000):
                    before = len(seg.root), len(seg.root["l"]), len(seg.root["b"])
                    act(seg, index)
            error = caught.value
            assert isinstance(error, MemoryError)
            assert error.name == seg.name and error.wanted > 0 and error.size == seg.size
            assert (len(seg.root), len(seg.root["l"]), len(seg.root["b"])) == before
            assert seg.check().findings == []
            seg.root.clear()
            while seg.has_messages():
                assert seg.take_message(timeout=0) == ["m" * 1000]
            seg.root["again"] = [1, 2]
            assert seg.root["again"] == [1, 2]
