"""What is no plain instance of a class that can be found is refused, and leaves nothing behind."""

import collections
import copy
import enum
import functools
import gc
import socket
import sys
import threading
import types

import pytest
from object_types import Point

import shm_py


class Holder:
    def __init__(self, value):
        self.value = value


class Sub(dict):
    pass


class Reduced:
    def __reduce__(self):
        return Reduced, ()


class Stateful:
    def __getstate__(self):
        return 1


class Dying:
    def __del__(self):
        pass


class Color(enum.Enum):
    RED = 1


Pair = collections.namedtuple("Pair", "x y")


def refused():
    class Local:
        pass

    with socket.socket() as sock:
        yield sock, "socket"
    yield Local(), "defined in a function"
    yield Sub(), "convert it with dict"
    yield Pair(1, 2), "convert it with tuple"
    yield Reduced(), "__reduce__"
    yield Stateful(), "__getstate__"
    yield Dying(), "__del__"
    yield Point, "type"
    yield types, "module"
    yield len, "builtin_function"
    yield refused, "function"
    yield (n for n in ()), "generator"
    yield threading.Lock(), "lock"
    yield ValueError(), "ValueError"
    yield object(), "object"
    yield functools.partial(len), "partial"
    yield types.SimpleNamespace(), "SimpleNamespace"
    yield iter([]), "list_iterator"


def test_what_is_no_plain_instance_is_refused_with_its_path(seg):
    seg.root["keep"] = 1
    before = seg.check().blocks
    for value, words in refused():
        with pytest.raises(shm_py.UnsupportedType, match=words) as caught:
            seg.root["x"] = [Holder({"deep": value})]
        assert caught.value.path == "root['x'][0].value['deep']"
        with pytest.raises(shm_py.UnsupportedType, match=words):
            seg.root["x"] = value
    with pytest.raises(shm_py.UnsupportedType, match="cannot share <class '_?thread.lock'>"):
        seg.root["x"] = threading.Event()
    with pytest.raises(shm_py.UnsupportedType) as caught:
        seg.root["h"] = Holder(1)
        seg.root["h"].value = {"a": object()}
    assert caught.value.path == "Holder.value['a']"
    del seg.root["h"]
    gc.collect()
    assert seg.root.to_py() == {"keep": 1} and seg.check().blocks == before


def test_an_instance_that_contains_itself_is_refused(seg):
    loop = Point(1)
    loop.tags.append({"again": loop})
    with pytest.raises(shm_py.UnsupportedType, match="contains itself") as caught:
        seg.root["x"] = loop
    assert caught.value.path == "root['x'].tags[0]['again']"


class Meta(type):
    def __hash__(cls):
        raise AssertionError("asked for its hash")

    def __getattribute__(cls, name):
        raise AssertionError(f"asked for {name}")


def test_a_class_whose_metaclass_answers_is_left_alone(seg):
    from shm_py import _objects

    odd = type.__call__(Meta, "Odd", (), {"__module__": __name__, "__qualname__": "Odd"})
    module = sys.modules[__name__]
    module.Odd = odd
    try:
        assert _objects.resolve(f"{__name__}:Odd") == (_objects._Unknown, None)
        assert _objects.describe(object.__new__(odd)) is None
    finally:
        del module.Odd


def test_a_class_that_is_no_longer_there_is_refused(seg):
    module = types.ModuleType("made_for_a_test")
    exec("class Thing:\n  def __init__(self): self.a = 1\n  def act(self): return self.a + 1", vars(module))
    thing = module.Thing()
    with pytest.raises(shm_py.UnsupportedType, match="not what made_for_a_test.Thing is here"):
        seg.root["t"] = thing
    sys.modules[module.__name__] = module
    try:
        seg.root["t"] = thing
        assert seg.root["t"].act() == 2
    finally:
        del sys.modules[module.__name__]
    # The proxy lives and knows its class; a new one does not, until the class is there again.
    gc.collect()
    with shm_py.attach(seg.name) as other:
        t = other.root["t"]
        assert t.a == 1 and type(t).__name__ == "Object" and not isinstance(t, module.Thing)
        t.a = 5
        assert repr(t) == "Thing(a=5)"
        with pytest.raises(AttributeError, match="'made_for_a_test:Thing'.*import made_for_a_test"):
            t.act()
        with pytest.raises(TypeError, match="import made_for_a_test"):
            t.to_py()
        with pytest.raises(TypeError, match="import made_for_a_test"):
            copy.copy(t)
        sys.modules[module.__name__] = module
        try:
            assert t.act() == 6 and isinstance(t, module.Thing) and type(t.to_py()) is module.Thing
        finally:
            del sys.modules[module.__name__]
