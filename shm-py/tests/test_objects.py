"""Instances of plain classes and dataclasses are changed in place, and are what they are in Python."""

import copy
import dataclasses
import pickle
import sys

import pytest
from object_types import Bag, Base, Checked, Frozen, Named, Outer, Point, Showy, Slots, Square, WithSlots

import shm_py


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


def test_object_is_made_by_storing(seg):
    with pytest.raises(TypeError, match="made by storing an instance"):
        shm_py.Object(1)


def test_a_class_may_show_its_dict(seg):
    seg.root["showy"] = Showy(a=1, b=[2])
    assert repr(seg.root["showy"]) == "Showy(Attributes({'a': 1, 'b': List([2])}))"
    seg.root["showy"] = Showy(**{f"n{n}": n for n in range(100)})
    assert repr(vars(seg.root["showy"])).endswith("'n19': 19, ... 80 more})")
