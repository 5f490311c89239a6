"""Structs declared in Python, and those that Rust's derive makes, seen from Python."""

import copy
import enum
import functools
import pickle
import subprocess
import sys
from typing import Annotated, Any, List, Optional, Tuple

import pytest

import shm_py
from shm_py import _native

SCHEMA = (
    "plant.Sensor{id!:u64,mode:Mode:u8{Off=0,On=3},state:plant.State:u8{Idle=0,"
    "Running=1{rpm:u32,load:f64},Failed=2{_0:str}},samples:[f64],"
    "levels:[Level{price:f64,size:u32}],names:[str],counts:map(str,u64),"
    "pair:(u8,str),maybe:?(bool,[u16;2]),spare:?[i16],span:duration,link:?&plant.Sensor}"
)
VALUES = [
    7,
    "Off",
    ("Running", 900, 0.5),
    [1.0, 2.0],
    [(101.5, 3), (101.25, 4)],
    ["a", "b"],
    {"k": 1},
    (1, "x"),
    None,
    None,
    5,
    None,
]


@pytest.fixture
def sensor(seg):
    seg.root["s"] = _native._make_struct(seg, SCHEMA, VALUES)
    return seg.root["s"]


def test_enums_are_members_and_named_tuples(sensor, other):
    assert isinstance(sensor.mode, enum.Enum)
    assert (sensor.mode.name, sensor.mode.value) == ("Off", 0)
    sensor.mode = type(sensor.mode).On
    assert other.root["s"].mode is type(sensor.mode).On
    sensor.mode = "Off"
    assert sensor.mode.name == "Off"
    state = sensor.state
    assert (state.tag, state.rpm, state.load) == ("Running", 900, 0.5)
    sensor.state = state._replace(rpm=5)
    assert sensor.state == ("Running", 5, 0.5)
    sensor.state = "Idle"
    assert sensor.state == ("Idle",) and sensor.state.tag == "Idle"
    with pytest.raises(ValueError, match="one of Idle, Running, Failed"):
        sensor.state = "Nope"
    with pytest.raises(ValueError, match="2 values for Running"):
        sensor.state = ("Running", 1)


def test_vectors_are_mutable_sequences(sensor, other):
    samples, model = sensor.samples, [1.0, 2.0]
    assert isinstance(samples, shm_py.Vec) and samples == model
    for at in range(1000):
        samples.append(at)
        model.append(float(at))
    samples.extend([0.5, 0.25])
    model.extend([0.5, 0.25])
    samples[3] = 9
    samples[-1] = -9
    model[3], model[-1] = 9.0, -9.0
    samples.insert(1, 7)
    model.insert(1, 7.0)
    del samples[0], model[0]
    del samples[10:20], model[10:20]
    del samples[::3], model[::3]
    samples[5:7] = [1, 2, 3]
    model[5:7] = [1.0, 2.0, 3.0]
    samples[::2] = [0] * len(model[::2])
    model[::2] = [0.0] * len(model[::2])
    assert samples.pop() == model.pop()
    assert samples[2:9:2] == model[2:9:2] and samples.index(24.0) == model.index(24.0)
    assert list(other.root["s"].samples) == model == samples.to_py()
    for wrong in (lambda: samples[len(model)], lambda: samples.__setitem__(-len(model) - 1, 0)):
        with pytest.raises(IndexError):
            wrong()
    with pytest.raises(TypeError):
        samples.append("x")
    samples.clear()
    assert len(samples) == 0 and not samples and repr(samples) == "Vec([])"
    sensor.levels.append((5.0, 6))
    assert sensor.levels[2] == (5.0, 6)
    sensor.names.append("c")
    assert sensor.names == ["a", "b", "c"]
    assert sensor.spare is None
    sensor.spare = [1, -1]
    assert sensor.spare == [1, -1]


def test_memory_of_vectors_outlives_growth(sensor, seg):
    view = memoryview(sensor.samples._core.bytes()).cast("d")
    assert list(view) == [1.0, 2.0]
    view[0] = 5.0
    assert sensor.samples[0] == 5.0
    sensor.samples.extend([0.0] * 10_000)
    view[1] = 6.0
    assert list(view) == [5.0, 6.0] and sensor.samples[1] == 2.0
    with pytest.raises(BufferError, match="1 living view .*1 of vectors in structs"):
        seg.close()
    view.release()
    sensor.samples.clear()
    assert bytes(sensor.samples._core.bytes()) == b""


def test_numpy_sees_vectors_without_a_copy(sensor):
    import numpy

    array = sensor.samples.numpy()
    array[:] *= 2
    assert sensor.samples == [2.0, 4.0]
    levels = numpy.asarray(sensor.levels)
    assert levels.dtype.names == ("price", "size")
    levels["price"] += 1
    assert sensor.levels[0] == (102.5, 3)
    sensor.samples.extend(numpy.arange(3))
    assert sensor.samples == [2.0, 4.0, 0.0, 1.0, 2.0]
    sensor.samples = numpy.ones(2)
    assert sensor.samples == [1.0, 1.0]
    del array, levels


def test_load_gives_a_dataclass_and_update_is_all_or_nothing(sensor, other):
    copied = sensor.load()
    assert (copied.id, copied.samples, copied.counts) == (7, [1.0, 2.0], {"k": 1})
    assert copied.state.rpm == 900 and type(copied).__name__ == "Sensor"
    with sensor.update() as s:
        s.samples.append(3.0)
        s.pair = (2, "y")
        s.state = "Idle"
        other.root["s"].span = 99
    assert (sensor.samples, sensor.pair, sensor.state.tag) == ([1.0, 2.0, 3.0], (2, "y"), "Idle")
    assert sensor.span == 99
    with pytest.raises(RuntimeError), sensor.update() as s:
        s.span = 1
        raise RuntimeError
    with pytest.raises(ValueError, match="span"), sensor.update() as s:
        s.pair = (3, "z")
        s.span = -1
    assert sensor.pair == (2, "y") and sensor.span == 99
    with pytest.raises(TypeError, match="read-only"), sensor.update() as s:
        s.id = 8


def test_links_are_structs_of_that_name(sensor, seg):
    sensor.link = sensor
    assert sensor.link == sensor
    with pytest.raises(TypeError, match="takes a \"plant.Sensor\""):
        sensor.link = _native._make_struct(seg, "Other{a:u8}", [1])
    sensor.link = None


class Side(enum.IntEnum):
    BID = 1
    ASK = 2


@shm_py.struct
class Inner:
    weight: shm_py.f32
    flag: bool = False


@shm_py.struct(name="test.Order", version=2)
class Order:
    """An order."""

    id: Annotated[shm_py.u64, shm_py.readonly]
    price: shm_py.f64
    side: Side
    tag: str
    inner: Inner
    many: List[shm_py.i32]
    pair: Tuple[shm_py.u8, str]
    raw: Annotated[Any, shm_py.kind("[u8;4]")]
    spare: Optional[Inner] = None
    any: Any = None


def test_declared_structs_have_the_schema_of_rust():
    assert Order.__shm_schema__ == (
        "test.Order@2{id!:u64,price:f64,side:Side:u8{BID=1,ASK=2},tag:str,"
        "inner:Inner{weight:f32,flag:bool},many:[i32],pair:(u8,str),raw:[u8;4],"
        "spare:?Inner{weight:f32,flag:bool},any:value}"
    )
    # What tests/derive_shapes.rs has for the Rust struct of the same fields.
    text = "Level{price:f64,size:i64,tag:str}"

    @shm_py.struct
    class Level:
        price: shm_py.f64
        size: shm_py.i64
        tag: str

    assert (Level.__shm_schema__, Level.__shm_fingerprint__) == (text, 0xB4E4_E0A8_6C67_168F)


def test_declared_structs_are_stored_and_loaded(seg, other):
    order = Order(1, 2.5, Side.ASK, "t", Inner(0.5), [1, 2], (3, "x"), (1, 2, 3, 4))
    seg.root["o"] = order
    shared = other.root["o"]
    assert shared.side is Side.ASK and shared.inner.weight == 0.5 and shared.spare is None
    assert shared.load() == order and type(shared.load()) is Order
    shared.price += 1
    shared.spare = Inner(1.5, True)
    shared.side = Side.BID
    shared.any = {"k": [1]}
    assert (shared.price, shared.spare.weight, shared.any) == (3.5, 1.5, {"k": [1]})
    with pytest.raises(TypeError, match="read-only"):
        shared.id = 2
    again = pickle.loads(pickle.dumps(shared))
    assert again == shared
    assert copy.deepcopy(shared)["price"] == 3.5
    seg.root["list"] = [order, order]
    assert seg.root["list"][1].tag == "t"


def test_wrong_declarations_say_what_to_use():
    with pytest.raises(TypeError, match="takes a class, not int"):
        shm_py.struct(5)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="no type of a shared field: use shm_py.f64"):

        @shm_py.struct
        class Wrong:
            a: complex

    with pytest.raises(ValueError, match="where a type is expected"):

        @shm_py.struct
        class Odd:
            a: Annotated[Any, shm_py.kind("nope")]


def test_schemas_are_data_and_source(seg, sensor):
    assert seg.schemas() == {("plant.Sensor", 0): SCHEMA}
    source = shm_py.schema_source(seg, "python")
    scope: Any = {}
    exec(source, scope)
    assert scope["Sensor"].__shm_schema__ == SCHEMA
    assert "pub struct Sensor {" in shm_py.schema_source(seg, "rust")
    assert "static_assert(" in shm_py.schema_source(seg, "c")
    with pytest.raises(ValueError, match="rust, python or c"):
        shm_py.schema_source(seg, "go")


def test_copies_of_structs_with_structs_inside_are_copies_and_of_one_moment(seg):
    schema = "t.Book{version:u64,low:[t.Level{price:f64};2],high:t.Level{price:f64}}"
    seg.root["book"] = _native._make_struct(seg, schema, [0, [(0.0,), (0.0,)], (0.0,)])
    book = seg.root["book"]
    kept = book.load()
    code = (
        "book = seg.root['book']\n"
        "for n in range(1, 10**9):\n"
        "    with book.update() as b:\n"
        "        b.low, b.high = [(float(n),)] * 2, (float(n),)\n"
        "    if 'stop' in seg.root: break\n"
    )
    head = "import sys, shm_py\nseg = shm_py.attach(sys.argv[1])\n"
    writer = subprocess.Popen([sys.executable, "-c", head + code, seg.name])
    while book.high.price == 0:
        assert writer.poll() is None
    for _ in range(2000):
        seen = book.load()
        assert [level.price for level in seen.low] == [seen.high.price] * 2
        seen = book.to_py()
        assert [level["price"] for level in seen["low"]] == [seen["high"]["price"]] * 2
    seg.root["stop"] = True
    assert writer.wait(30) == 0
    assert [level.price for level in kept.low] == [0.0, 0.0]


@shm_py.struct
class Half:
    low: shm_py.u32
    key: shm_py.u16
    flag: bool
    high: shm_py.i32


@shm_py.struct
class Halves:
    id: shm_py.u32
    first: Half
    second: Half
    last: shm_py.u16


def test_a_struct_that_starts_inside_of_a_word_has_its_own_fields(seg, other):
    one = {"low": 1, "key": 2, "flag": True, "high": -3}
    seg.root["h"] = Halves(id=7, first=Half(**one), second=Half(**one), last=9)
    mine, there = seg.root["h"], other.root["h"]
    expected = {"id": 7, "first": dict(one), "second": dict(one), "last": 9}
    changes = [("low", 2**32 - 1), ("key", 65535), ("flag", False), ("high", -(2**31)), ("low", 0), ("high", 5)]
    for part in ("first", "second"):
        for name, value in changes:
            setattr(getattr(mine, part), name, value)
            expected[part][name] = value
            assert getattr(getattr(there, part), name) == value
            assert there.to_py() == expected
        for name, value in [("low", 2**32), ("low", -1), ("key", 65536), ("high", 2**31)]:
            with pytest.raises((OverflowError, ValueError)):
                setattr(getattr(mine, part), name, value)
    assert there.to_py() == expected


def test_an_update_refuses_what_is_no_field(seg):
    @shm_py.struct
    class Place:
        x: shm_py.f64
        y: shm_py.f64

        @functools.cached_property
        def norm(self):
            return self.x + self.y

    seg.root["p"] = Place(1.0, 2.0)
    place = seg.root["p"]
    with pytest.raises(AttributeError, match='"Place" has no field "z"; its fields are x, y'):
        with place.update() as changed:
            changed.x = 5.0
            changed.z = 1.0
    assert place.load() == Place(1.0, 2.0)
    with place.update() as changed:
        changed.x += changed.norm
    assert place.load() == Place(4.0, 2.0)


def test_structs_that_refer_to_each_other_are_copied_out(seg):
    @shm_py.struct
    class Node:
        n: shm_py.i64
        next: Annotated[Any, shm_py.kind("?&Node")] = None

    seg.root["a"] = Node(1)
    a = seg.root["a"]
    a.next = a
    copied = a.to_py()
    assert copied["n"] == 1 and copied["next"] is copied
    whole = seg.root.to_py()
    assert whole["a"]["next"] is whole["a"]
    a.next = None


def test_structs_larger_than_a_bytearray_may_be_are_refused(seg):
    for size in (2**29 + 1, 10**11):
        with pytest.raises(ValueError, match="too large: look at"):

            @shm_py.struct
            class Huge:
                x: Annotated[Any, shm_py.kind(f"[f64;{size}]")]


KEYWORDS = "t.Order{class:str,from!:u64,ok:u8,__hidden:u8,None:u8}"


def test_fields_may_be_named_as_keywords(seg):
    seg.root["order"] = _native._make_struct(seg, KEYWORDS, ["a", 1, 2, 3, 4])
    order = seg.root["order"]
    setattr(order, "class", "b")
    copied = order.load()
    assert repr(copied) == "Order(class='b', from=1, ok=2, __hidden=3, None=4)"
    assert copied == order.load() and copied != seg
    copied.ok = 5
    assert copied != order.load()
    with pytest.raises(TypeError, match="unhashable"):
        hash(copied)
    with order.update() as changed:
        setattr(changed, "class", "c")
        changed.ok = 9
    assert (getattr(order, "class"), order.ok) == ("c", 9)
    assert copy.deepcopy(copied) == copied


def test_the_source_declares_fields_that_are_named_as_keywords(seg):
    seg.root["order"] = _native._make_struct(seg, KEYWORDS, ["a", 1, 2, 3, 4])
    seg.root["only"] = _native._make_struct(seg, "t.Only{while:u8}", [1])
    scope: Any = {}
    exec(shm_py.schema_source(seg, "python"), scope)
    declared = scope["Order"]
    assert declared.__shm_schema__ == KEYWORDS
    assert scope["Only"].__shm_schema__ == "t.Only{while:u8}"
    seg.root["new"] = declared("x", ok=1, __hidden=2, **{"from": 3, "None": 4})
    assert seg.root["new"].load() == declared("x", 3, 1, 2, 4)
    for values, named in [((1, 2, 3, 4, 5, 6), {}), ((1,), {}), ((1,), {"nope": 1}), ((1,), {"class": 1})]:
        with pytest.raises(TypeError):
            declared(*values, **named)
