"""Instances of plain classes and dataclasses are changed in place, and are what they are in Python."""

import abc
import collections
import copy
import dataclasses
import enum
import functools
import gc
import multiprocessing
import pickle
import socket
import subprocess
import sys
import threading
import types
import typing

import pytest

import shm_py

# Python 3.12+ warns of fork in a process with threads; these tests have none that matter.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@dataclasses.dataclass(order=True)
class Point:
    x: int
    y: int = 5
    tags: list = dataclasses.field(default_factory=list)

    count = 0

    def norm(self):
        return self.x**2 + self.y**2

    @property
    def double(self):
        return 2 * self.x

    @double.setter
    def double(self, value):
        self.x = value // 2

    @classmethod
    def origin(cls):
        return cls(0, 0)

    @staticmethod
    def name():
        return "point"

    @functools.cached_property
    def slow(self):
        return self.norm() * 10

    def grow(self):
        self.x += 1
        return self


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: int
    inner: Point


class Slots:
    __slots__ = ("a", "__b", "unset")

    def __init__(self, a, b):
        self.a, self.__b = a, b

    def both(self):
        return self.a, self.__b


class Base(abc.ABC):
    @abc.abstractmethod
    def area(self): ...

    def twice(self):
        return 2 * self.area()


_T = typing.TypeVar("_T")


class Square(Base, typing.Generic[_T]):
    made = []

    def __init__(self, side):
        Square.made.append(side)
        self.side = side

    def area(self):
        return self.side**2

    def twice(self):
        return super().twice() + 1

    def __getattr__(self, name):
        if name.startswith("virtual"):
            return f"{name} of {self.side}"
        raise AttributeError(name)


class Bag:
    """Has special methods."""

    def __init__(self, *items):
        self.items = list(items)

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        return iter(self.items)

    def __getitem__(self, index):
        return self.items[index]

    def __contains__(self, item):
        return item == 42 or item in self.items

    def __call__(self, more):
        return len(self.items) + more

    def __add__(self, other):
        return Bag(*self, *other)

    def __radd__(self, other):
        return "radd"

    def __iadd__(self, other):
        self.items.extend(other)
        return self

    def __enter__(self):
        self.open = True
        return self

    def __exit__(self, *exception):
        self.open = False

    def __eq__(self, other):
        return list(self) == list(other)

    def __repr__(self):
        return f"Bag of {len(self)}"

    def __bool__(self):
        return False


class Checked:
    """Looks at what is assigned."""

    def __init__(self, n):
        self.n = n

    def __setattr__(self, name, value):
        if not isinstance(value, int):
            raise TypeError(f"{name} is an int")
        super().__setattr__(name, value * 2)

    def __delattr__(self, name):
        raise AttributeError("it stays")


class Outer:
    class Inner:
        def __init__(self):
            self.here = True


class Named:
    """With attributes that are named as methods of `Object`."""

    def __init__(self):
        self.to_py, self.add, self.lock = 1, 2, 3


@dataclasses.dataclass(frozen=True)
class WithSlots:
    __slots__ = ("x", "y")
    x: int
    y: str


def test_attributes_are_changed_in_place(seg, other):
    seg.root["p"] = Point(1, 2)
    mine, theirs = seg.root["p"], other.root["p"]
    mine.x += 1
    mine.tags.append("new")
    assert (theirs.x, theirs.y, theirs.tags) == (2, 2, ["new"])
    theirs.other = {"any": "thing"}
    assert mine.other == {"any": "thing"} and mine.other is mine.other
    del mine.other
    with pytest.raises(AttributeError, match="'Point' object has no attribute 'other'"):
        theirs.other
    with pytest.raises(AttributeError):
        del theirs.other
    assert seg.root["p"] is mine and pickle.loads(pickle.dumps(mine)) is mine
    assert mine.add("x", 5) == 7 and theirs.compare_exchange("x", 7, 1) and mine.x == 1
    assert not mine.compare_exchange("x", 7, 2)
    with pytest.raises(AttributeError):
        mine.add("nothing")
    assert mine == theirs and vars(mine) == {"x": 1, "y": 2, "tags": ["new"]}


def test_the_class_is_that_of_the_instance(seg):
    p = seg.root["p"] = Point(3, 4)
    p = seg.root["p"]
    assert isinstance(p, Point) and p.__class__ is Point and isinstance(p, shm_py.Object)
    assert p.norm() == 25 and p.double == 6 and p.count == 0 and p.name() == "point"
    assert p.origin() == Point(0, 0) and type(p.origin()) is Point
    p.double = 10
    assert p.x == 5 and p.grow() is p and p.x == 6
    Point.count = 9
    try:
        assert p.count == 9
    finally:
        Point.count = 0
    assert p.slow == (36 + 16) * 10 and p.__dict__["slow"] == p.slow
    p.norm = None
    assert p.norm is None
    del p.norm
    assert p.norm() == 52
    assert {"x", "tags", "norm", "double"} <= set(dir(p))
    assert p.__doc__ == Point.__doc__ and type(p).__name__ == "Point"


def test_dataclasses_work(seg):
    seg.root["p"] = Point(1, 2, ["t"])
    p = seg.root["p"]
    assert [field.name for field in dataclasses.fields(p)] == ["x", "y", "tags"]
    assert dataclasses.is_dataclass(p)
    assert dataclasses.asdict(p) == {"x": 1, "y": 2, "tags": ["t"]}
    assert dataclasses.astuple(p) == (1, 2, ["t"])
    replaced = dataclasses.replace(p, x=10)
    assert type(replaced) is Point and replaced == Point(10, 2, ["t"])
    assert p == Point(1, 2, ["t"]) and Point(1, 2, ["t"]) == p and p != Point(1, 3, ["t"])
    assert p < Point(2, 0) and Point(0, 0) < p
    assert repr(p) == "Point(x=1, y=2, tags=List(['t']))"
    with pytest.raises(TypeError, match="unhashable"):
        hash(p)
    if sys.version_info >= (3, 10):
        space = {"Point": Point}
        exec("def kind(v):\n match v:\n  case Point(x, y): return x, y\n  case Point(x=1): return 1", space)
        assert space["kind"](p) == (1, 2)


def test_copies_are_true_instances(seg):
    inner = Point(1, 2, [[1]])
    seg.root["a"] = {"p": inner, "again": inner, "frozen": Frozen(7, inner)}
    shared = seg.root["a"]
    assert shared["p"] is shared["again"] and shared["frozen"].inner is shared["p"]
    Square.made.clear()
    seg.root["s"] = Square(3)
    for copied in (shared.to_py(), copy.deepcopy(shared)):
        assert type(copied["p"]) is Point and copied["p"] == inner
        assert copied["p"] is copied["again"] is copied["frozen"].inner
        assert type(copied["frozen"]) is Frozen and type(copied["p"].tags[0]) is list
    shallow = copy.copy(shared["p"])
    assert type(shallow) is Point and shallow.tags is shared["p"].tags
    assert seg.root["s"].to_py().side == 3 and Square.made == [3]
    slots = Slots(1, [2])
    seg.root["slots"] = slots
    copied = seg.root["slots"].to_py()
    assert type(copied) is Slots and copied.both() == (1, [2]) and not hasattr(copied, "unset")


def test_what_contains_itself_is_copied(seg):
    seg.root["p"] = Point(1)
    seg.root["p"].tags.append(seg.root["p"])
    copied = seg.root["p"].to_py()
    assert copied.tags[0] is copied
    assert shm_py.Object.__repr__(seg.root["p"]).startswith("Point(x=1, y=5, tags=[Point(")
    seg.root["p"].tags.clear()


def test_frozen_ones_stay_frozen(seg):
    seg.root["f"], seg.root["w"] = Frozen(1, Point(2)), WithSlots(1, "a")
    f, w = seg.root["f"], seg.root["w"]
    for shared in (f, w):
        for act in (
            lambda: setattr(shared, "x", 2),
            lambda: delattr(shared, "x"),
            lambda: shared.add("x"),
            lambda: shared.compare_exchange("x", 1, 2),
        ):
            with pytest.raises(dataclasses.FrozenInstanceError):
                act()
        assert shared.x == 1
    f.inner.x += 1
    assert f.inner.x == 3 and f == Frozen(1, Point(3))
    assert w == WithSlots(1, "a") and hash(w) == hash(WithSlots(1, "a")) and w in {w: 1}
    assert type(w.to_py()) is WithSlots and w.to_py() == WithSlots(1, "a")


def test_slots_are_attributes(seg):
    seg.root["s"] = Slots(1, 2)
    s = seg.root["s"]
    assert s.both() == (1, 2)
    s.a = [5]
    assert s.both() == ([5], 2) and s._Slots__b == 2
    with pytest.raises(AttributeError, match="unset"):
        s.unset
    s.unset = 1
    assert s.unset == 1
    with pytest.raises(AttributeError, match="'Slots' object has no attribute 'new'"):
        s.new = 1
    if sys.version_info >= (3, 10):
        made = dataclasses.make_dataclass("Made", ["x"], slots=True, frozen=True)
        made.__module__, globals()["Made"] = __name__, made
        seg.root["m"] = made(3)
        assert seg.root["m"].x == 3 and seg.root["m"].to_py() == made(3) == seg.root["m"]


def test_inheritance_works(seg):
    seg.root["s"] = Square(3)
    s = seg.root["s"]
    assert isinstance(s, Base) and isinstance(s, Square) and s.twice() == 19
    assert s.virtual_thing == "virtual_thing of 3"
    with pytest.raises(AttributeError, match="^real$"):
        s.real


def test_special_methods_work(seg):
    seg.root["b"] = Bag(1, 2)
    b = seg.root["b"]
    assert len(b) == 2 and list(b) == [1, 2] and b[1] == 2 and 42 in b and 3 not in b
    assert b(5) == 7 and b + [3] == Bag(1, 2, 3) and [0] + b == "radd" and not b
    same = b
    b += [9]
    assert same is b and list(b) == [1, 2, 9]
    with b as entered:
        assert entered is b and b.open
    assert not b.open and b == Bag(1, 2, 9) and b == [1, 2, 9] and repr(b) == "Bag of 3"
    with pytest.raises(TypeError, match="unhashable"):
        hash(b)


def test_a_setattr_of_the_class_is_asked(seg, other):
    seg.root["c"] = Checked(1)
    c = seg.root["c"]
    assert c.n == 2
    c.n = 5
    assert other.root["c"].n == 10
    with pytest.raises(TypeError, match="n is an int"):
        c.n = "x"
    with pytest.raises(AttributeError, match="it stays"):
        del c.n
    assert c.n == 10


def test_attributes_hide_methods(seg):
    seg.root["n"] = Named()
    n = seg.root["n"]
    assert (n.to_py, n.add, n.lock) == (1, 2, 3)
    assert shm_py.Object.to_py(n).add == 2
    seg.root["i"] = Outer.Inner()
    assert seg.root["i"].here and type(seg.root["i"].to_py()) is Outer.Inner


def test_the_dict_of_an_object_is_live(seg):
    seg.root["p"] = Point(1, 2)
    p = seg.root["p"]
    attributes = p.__dict__
    attributes["z"] = 3
    assert p.z == 3 and dict(attributes) == {"x": 1, "y": 2, "tags": [], "z": 3}
    attributes.update(x=7)
    assert attributes.pop("z") == 3 and not hasattr(p, "z") and p.x == 7
    assert len(attributes) == 3 and list(attributes) == ["x", "y", "tags"]
    for name in ("z", 5, None):
        with pytest.raises(KeyError):
            attributes[name]
    for name in ("__class__", "__dict__"):
        with pytest.raises(AttributeError):
            setattr(p, name, {})


def test_shared_objects_do_what_shared_objects_do(seg, other):
    seg.root["p"] = Point(1, 2)
    p, theirs = seg.root["p"], other.root["p"]
    watch = seg.watch(p)
    with theirs.lock():
        theirs.x = 5
    assert watch.poll() and not p.wait_changed(timeout=0)
    with pytest.raises(ZeroDivisionError), seg.transaction():
        p.x, p.new = 6, 7
        1 / 0
    assert p.x == 5 and not hasattr(p, "new")
    seg.put_message(Point(3))
    assert seg.take_message() == Point(3, 5, [])
    seg.root["list"] = [p, Point(9)]
    assert seg.root["list"][0] is p and Point(9) in seg.root["list"]
    assert repr(seg.root["list"]) == "List([Point(x=5, y=2, tags=[]), Point(x=9, y=5, tags=[])])"
    with shm_py.create(size="1MiB") as foreign, pytest.raises(ValueError, match="to_py"):
        foreign.root["p"] = p
    assert seg.check().findings == []
    seg.free(p)
    with pytest.raises(shm_py.Closed):
        p.x
    with pytest.raises(shm_py.Closed):
        theirs.x = 1


def test_readonly_attachments_read_and_do_not_write(seg):
    seg.root["p"] = Point(1, 2)
    with shm_py.attach(seg.name, readonly=True) as reader:
        p = reader.root["p"]
        assert p.x == 1 and p.norm() == 5 and p == Point(1, 2)
        for act in (lambda: setattr(p, "x", 2), lambda: p.add("x"), lambda: delattr(p, "x")):
            with pytest.raises(shm_py.ReadOnly):
                act()


def test_instances_are_no_keys(seg):
    d = seg.dict({1: 2})
    frozen, seen = WithSlots(1, "a"), seg.check().blocks
    assert frozen not in d and d.get(frozen) is None and (1, frozen) not in d
    for act in (
        lambda: d.__setitem__(frozen, 1),
        lambda: seg.set([frozen]),
        lambda: d.__setitem__("x", {frozen: 1}),
        lambda: d.__setitem__((1, frozen), 1),
    ):
        with pytest.raises(shm_py.UnsupportedType, match="WithSlots"):
            act()
    assert seg.check().blocks == seen
    seg.root["w"] = frozen
    assert seg.root["w"] not in d


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


LOADS_NOTHING = """
import sys, shm_py
seg = shm_py.attach(sys.argv[1])
before = set(sys.modules)
for name in seg.root:
    found = seg.root[name]
    assert isinstance(found, shm_py.Object), name
    assert found.a == 1
    repr(found), dir(found), found == found, hash(found), isinstance(found, int)
    try:
        found.method
    except AttributeError as error:
        assert "import" in str(error)
assert not {name for name in set(sys.modules) - before if not name.startswith("shm_py")}
"""


def test_a_name_in_a_segment_loads_and_runs_nothing(seg):
    from shm_py import _objects

    class Loads(types.ModuleType):
        def __getattribute__(self, name):
            raise AssertionError(f"{name} was asked for")

    sys.modules["loads_for_a_test"] = Loads("loads_for_a_test")
    try:
        for name in (
            "loads_for_a_test:Thing",
            "os:system",
            "subprocess:Popen",
            "builtins:dict",
            "builtins:object",
            "socket:socket",
            "enum:Enum",
            "sys:modules",
            "this:s",
            "antigravity:x",
            "a:b:c",
            "",
            ":",
            "x" * 10000,
        ):
            assert _objects.resolve(name) == (_objects._Unknown, None), name
            with pytest.raises(TypeError, match="cannot be copied out"):
                _objects.blank(name)
    finally:
        del sys.modules["loads_for_a_test"]
    for name in ("this", "antigravity", "test_objects"):
        module = types.ModuleType(name)
        exec("class Thing:\n  def __init__(self): self.a = 1", vars(module))
        former = sys.modules.get(name)
        sys.modules[name] = module
        try:
            seg.root[name] = module.Thing()
        finally:
            del sys.modules[name]
            if former is not None:
                sys.modules[name] = former
    code = [sys.executable, "-c", LOADS_NOTHING, seg.name]
    result = subprocess.run(code, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def move(seg, n):
    for _ in range(n):
        seg.root["p"].add("x")
        with seg.root["p"].lock():
            seg.root["p"].grow()
    assert isinstance(seg.root["p"], Point)
    seg.root["new"] = Frozen(n, Point(1))


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_other_processes_have_the_class(seg, method):
    context = multiprocessing.get_context(method)
    seg.root["p"] = Point(0)
    workers = [context.Process(target=move, args=(seg, 100)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert seg.root["p"].x == 400 and seg.root["new"] == Frozen(100, Point(1))


MAIN = """
import multiprocessing, sys, shm_py

class Here:
    def __init__(self, n):
        self.n = n

    def more(self):
        self.n += 1

def work(seg):
    seg.root["here"].more()
    assert isinstance(seg.root["here"], Here) and Here.__module__ == "__mp_main__"
    seg.root["there"] = Here(7)
    assert type(seg.root["there"].to_py()) is Here

if __name__ == "__main__":
    with shm_py.create(size="1MiB") as seg:
        seg.root["here"] = Here(1)
        worker = multiprocessing.get_context("spawn").Process(target=work, args=(seg,))
        worker.start()
        worker.join()
        assert worker.exitcode == 0 and seg.root["here"].n == 2
        assert type(seg.root["there"].to_py()) is Here and seg.root["there"].n == 7
"""


def test_classes_of_the_main_module_are_found_in_spawned_children(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(MAIN)
    result = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_object_is_made_by_storing(seg):
    with pytest.raises(TypeError, match="made by storing an instance"):
        shm_py.Object(1)
