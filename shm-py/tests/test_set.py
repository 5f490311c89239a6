"""`Set` and `ByteArray` behave as their built-ins."""

import collections.abc
import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shm_py

MEMBERS = st.one_of(
    st.integers(-6, 6), st.floats(allow_nan=False), st.text(max_size=9), st.none(), st.booleans()
)
SETS = st.sets(MEMBERS, max_size=8)


@given(SETS, SETS)
@settings(max_examples=150, deadline=None)
def test_operators_are_those_of_set(a, b):
    with shm_py.create(size="1MiB") as seg:
        s, t = seg.set(a), seg.set(b)
        for name in ("__or__", "__and__", "__sub__", "__xor__"):
            expected = getattr(a, name)(b)
            assert getattr(s, name)(b) == expected == getattr(s, name)(t)
            assert type(getattr(s, name)(t)) is set
        assert b - s == b - a and b | s == b | a
        assert (s <= t, s < t, s >= t, s > t, s == t) == (a <= b, a < b, a >= b, a > b, a == b)
        assert (a <= t, b == t) == (a <= b, True)
        assert s.isdisjoint(t) == a.isdisjoint(b)
        assert s.issubset(t) == a.issubset(b) and s.issuperset(list(b)) == a.issuperset(b)
        for name in ("__ior__", "__iand__", "__isub__", "__ixor__"):
            model, shared = set(a), seg.set(a)
            getattr(model, name)(b)
            getattr(shared, name)(t)
            assert shared == model
        for name in ("update", "intersection_update", "difference_update"):
            model, shared = set(a), seg.set(a)
            getattr(model, name)(list(b), [1])
            getattr(shared, name)(list(b), [1])
            assert shared == model
        assert len(s) == len(a) and set(s) == a


def test_members_are_added_and_removed(seg):
    s = seg.set()
    for member in (1, "a", (1, 2), None, frozenset({1}), 10**30, "long text beyond a cell"):
        s.add(member)
        s.add(member)
        assert member in s
    assert len(s) == 7
    assert 1.0 in s and True in s and {1} in s and seg.set([1]) in s
    s.discard(5)
    s.remove(1.0)
    assert 1 not in s
    with pytest.raises(KeyError) as caught:
        s.remove(1)
    assert caught.value.args == (1,)
    with pytest.raises(TypeError, match="unhashable"):
        s.add([])
    with pytest.raises(TypeError, match="unhashable"):
        [] in s
    assert object() not in s
    while s:
        assert s.pop() is not Ellipsis
    with pytest.raises(KeyError):
        s.pop()


def test_operators_want_sets_and_methods_take_iterables(seg):
    s = seg.set("ab")
    for act in (
        lambda: s | ["c"],
        lambda: s < ["c"],
    ):
        with pytest.raises(TypeError):
            act()
    with pytest.raises(TypeError):
        s |= ["c"]
    assert s.union(["c"], "d") == set("abcd")
    assert s | {"x": 1}.keys() == set("abx")
    same = s
    s |= {"c"}
    assert s is same and s == set("abc")


def test_size_change_while_iterating_raises(seg):
    s = seg.set(range(100))
    with pytest.raises(RuntimeError, match="changed size during iteration"):
        for member in s:
            s.add(member + 1000)


def test_set_protocols(seg):
    s = seg.set([1])
    assert isinstance(s, collections.abc.MutableSet) and not isinstance(s, set)
    assert type(copy.copy(s)) is set and copy.deepcopy(s) == {1} and s.to_py() == {1}
    assert repr(s) == "Set({1})"
    with pytest.raises(TypeError):
        hash(s)


def change_bytes(target):
    target.append(100)
    target.extend(b"efg")
    target.extend([1, 2])
    target.insert(1, 0)
    target[0] = 65
    target[2:4] = b"XYZ"
    target[::3] = b"...."[: len(target[::3])]
    del target[1]
    del target[-2:]
    target.reverse()
    taken = target.pop(), target.pop(0)
    target += b"!"
    target *= 2
    return taken, bytes(target)


def test_bytearray_is_changed_in_place(seg, other):
    seg.root["b"] = bytearray(b"abc")
    b, same = seg.root["b"], other.root["b"]
    model = bytearray(b"abc")
    assert change_bytes(b) == change_bytes(model)
    assert b == model == same and bytes(same) == bytes(model)
    b.remove(b[0])
    for error, act in [
        (ValueError, lambda: b.append(256)),
        (ValueError, lambda: b.__setitem__(0, -1)),
        (TypeError, lambda: b.append("a")),
        (IndexError, lambda: b[1000]),
        (ValueError, lambda: seg.bytearray(b"a").remove(5)),
        (IndexError, lambda: seg.bytearray().pop()),
    ]:
        with pytest.raises(error):
            act()


@given(st.binary(max_size=20), st.binary(min_size=1, max_size=3), st.integers(-5, 5))
@settings(max_examples=80, deadline=None)
def test_bytearray_reads_as_the_built_in(content, part, n):
    with shm_py.create(size="1MiB") as seg:
        model, b = bytearray(content), seg.bytearray(content)
        assert b == model == b and b == content and content == b
        assert (b < part, b >= part) == (model < part, model >= part)
        assert list(b) == list(model) and len(b) == len(model)
        assert b[n:] == model[n:] and b[::-1] == model[::-1]
        assert b + part == model + part and part + b == part + bytes(model)
        assert b * 2 == model * 2 == 2 * b
        assert (part in b) == (part in model)
        assert b.find(part) == model.find(part) and b.count(part) == model.count(part)
        assert b.split(part) == model.split(part) and b.hex() == model.hex()
        assert b.replace(part, b"-") == model.replace(part, b"-")
        assert b.upper() == model.upper() and b.strip(part) == model.strip(part)
        assert b.partition(part) == model.partition(part)
        assert b.to_py() == model and type(b.to_py()) is bytearray
        assert b.find(seg.bytearray(part)) == model.find(part)


def test_bytearray_has_every_method_of_the_built_in(seg):
    missing = {name for name in dir(bytearray) if not hasattr(shm_py.ByteArray, name)}
    assert missing <= {"__alloc__", "__buffer__", "__release_buffer__", "resize", "take_bytes"}
    assert repr(seg.bytearray(b"ab")) == "ByteArray(b'ab')"
    assert isinstance(seg.bytearray(), collections.abc.MutableSequence)


def test_types_have_every_method_of_their_built_in():
    for ours, theirs in ((shm_py.List, list), (shm_py.Dict, dict), (shm_py.Set, set)):
        assert {name for name in dir(theirs) if not hasattr(ours, name)} <= {"__getstate__"}


def test_bytearray_refuses_what_the_built_in_refuses(seg):
    for act in (
        lambda b: b.extend(5),
        lambda b: b.__setitem__(slice(0, 1), 5),
        lambda b: b.__iadd__(5),
        lambda b: b.extend(-1),
        lambda b: b.extend("ab"),
        lambda b: iter([1]) + b,
        lambda b: 5 % b,
    ):
        for kind in (bytearray, seg.bytearray):
            b = kind(b"abcd")
            with pytest.raises(TypeError):
                act(b)
            assert b == b"abcd"
    numpy = pytest.importorskip("numpy")
    for kind in (bytearray, seg.bytearray):
        b = kind(b"abcd")
        b[::2] = b""
        assert b == b"bd" and list(reversed(b)) == [100, 98]
        b.extend(numpy.array([1], "u1"))
        b[:0] = memoryview(b"x")
        assert b == b"xbd\x01"
