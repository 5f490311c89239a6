"""`Struct`: fields are attributes, typed by the schema that the segment stores."""

import copy
import pickle

import pytest

import shm_py
from shm_py import _native

SCHEMA = "plant.Sensor{id:u64,temp:f64,on:bool,pos:[f32;3],label:str,cal:?plant.Cal{a:f64},extra:dict}"


@pytest.fixture
def sensor(seg):
    seg.root["s"] = _native._make_struct(
        seg, SCHEMA, [7, 20.5, True, (1.0, 2.0, 3.0), "north", None, {"k": [1]}]
    )
    return seg.root["s"]


def test_fields_are_attributes(sensor, other):
    same = other.root["s"]
    assert (sensor.id, sensor.temp, sensor.on, sensor.pos) == (7, 20.5, True, (1.0, 2.0, 3.0))
    assert sensor.label == "north" and sensor.cal is None and sensor.extra == {"k": [1]}
    sensor.temp += 0.5
    sensor.id = 2**64 - 1
    sensor.on = False
    sensor.label = "a much longer label than fits"
    sensor.extra["k"].append(2)
    assert same.temp == 21.0 and same.id == 2**64 - 1 and same.on is False
    assert same.label == "a much longer label than fits"
    assert same.extra == {"k": [1, 2]}
    assert sensor.schema()[0] == "plant.Sensor"
    assert sensor.schema()[1]["temp"] == "f64"
    assert type(sensor.id) is int and type(sensor.on) is bool


def test_unknown_fields_are_attribute_errors_that_list_the_fields(sensor):
    for act in (
        lambda: sensor.nope,
        lambda: setattr(sensor, "nope", 1),
        lambda: sensor.add("nope"),
        lambda: sensor.compare_exchange("nope", 1, 2),
        lambda: delattr(sensor, "nope"),
    ):
        with pytest.raises(AttributeError, match="nope.*id, temp, on, pos, label, cal, extra"):
            act()
    assert not hasattr(sensor, "nope")
    assert getattr(sensor, "nope", 5) == 5
    with pytest.raises(TypeError, match="deleted"):
        del sensor.id


def test_wrong_types_are_type_errors_that_name_the_field(sensor):
    for field, value in {"id": "x", "temp": "hot", "label": 5, "on": 3.5, "extra": [1]}.items():
        with pytest.raises(TypeError, match=field):
            setattr(sensor, field, value)
    for value in (-1, 2**64):
        with pytest.raises(ValueError, match="id"):
            sensor.id = value
    assert sensor.id == 7


def test_add_and_compare_exchange(sensor):
    assert sensor.add("id", 3) == 10
    assert sensor.add("temp", 1.5) == 22.0
    assert sensor.add("id") == 11
    assert sensor.compare_exchange("id", 11, 1) and not sensor.compare_exchange("id", 11, 2)
    with pytest.raises(ValueError):
        sensor.add("id", -5)
    assert sensor.id == 1


def test_struct_protocols(seg, sensor):
    assert seg.root["s"] is sensor
    assert {"id", "temp", "to_py", "add"} <= set(dir(sensor))
    assert sensor.to_py() == {
        "id": 7, "temp": 20.5, "on": True, "pos": (1.0, 2.0, 3.0), "label": "north",
        "cal": None, "extra": {"k": [1]},
    }
    assert copy.deepcopy(sensor) == sensor.to_py()
    assert type(copy.deepcopy(sensor)["extra"]) is dict
    assert copy.copy(sensor)["extra"] is sensor.extra
    assert repr(sensor).startswith("Struct plant.Sensor(id=7, temp=20.5, on=True")
    assert pickle.loads(pickle.dumps(sensor)) is sensor
    assert sensor == seg.root["s"] and sensor != 5
    with pytest.raises(TypeError):
        hash(sensor)
    assert "plant.Sensor" in repr(seg.root)


def test_nested_structs_are_parts_of_the_outer_one(seg):
    nested = "plant.Cal{a:f64,n:str}"
    outer = _native._make_struct(
        seg, f"plant.Outer{{id:u64,fixed:{nested},cal:?{nested},v:value}}", [1, (2.5, "x"), None, 0]
    )
    outer.cal = (1.5, "name")
    outer.cal.a = 2.25
    outer.fixed.n = "a text that needs a block of its own"
    outer.v = [1, {"z": 2}]
    assert (outer.cal.a, outer.cal.n, outer.fixed.a) == (2.25, "name", 2.5)
    assert outer.to_py() == {
        "id": 1,
        "fixed": {"a": 2.5, "n": "a text that needs a block of its own"},
        "cal": {"a": 2.25, "n": "name"},
        "v": [1, {"z": 2}],
    }
    for act in (
        lambda: pickle.dumps(outer.cal),
        lambda: seg.root.__setitem__("x", outer.cal),
    ):
        with pytest.raises(ValueError, match="part of another struct"):
            act()
    with pytest.raises(shm_py.UnsupportedType, match="plant.Outer.v: cannot share"):
        outer.v = object()
    outer.cal = None
    assert outer.cal is None


NUMBERS = "plant.Numbers{a:u8,b:i8,c:u16,d:i16,e:u32,f:i32,g:u64,h:i64,i:f32,j:f64,k:bool,fixed!:i64}"


def test_numbers_of_every_width_are_read_written_and_bounded(seg, other):
    inner = "plant.Inner{x:i8,y:u16}"
    values = [1, -1, 2, -2, 3, -3, 4, -4, 0.5, 0.25, True, 9]
    seg.root["n"] = numbers = _native._make_struct(seg, NUMBERS, values)
    seg.root["o"] = outer = _native._make_struct(seg, f"plant.O{{p:u8,q:{inner},r:u8}}", [1, (2, 3), 4])
    there = other.root["n"]
    for name, bits in zip("abcdefgh", (8, 8, 16, 16, 32, 32, 64, 64)):
        low, high = (0, 2**bits - 1) if name in "aceg" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        for value in (low, high, 0, 1, high // 3, low):
            setattr(numbers, name, value)
            assert getattr(there, name) == value and type(getattr(there, name)) is int
            # A name that was built at run time is found as well.
            assert getattr(there, "".join(["", name])) == value
        for wrong in (low - 1, high + 1, 2**200):
            with pytest.raises(ValueError, match=name):
                setattr(numbers, name, wrong)
        with pytest.raises(TypeError, match=name):
            setattr(numbers, name, 1.5)
        assert getattr(numbers, name) == low
    for value in (0.0, -0.0, 1.5, float("inf"), 1e300, 5e-324):
        numbers.j = value
        assert repr(there.j) == repr(value)
    numbers.j = float("nan")
    assert there.j != there.j
    numbers.j, numbers.i = 3, 0.1
    assert there.j == 3.0 and type(there.j) is float and there.i == pytest.approx(0.1, rel=1e-6)
    numbers.k = False
    assert there.k is False
    with pytest.raises(TypeError, match="fixed.*read-only"):
        numbers.fixed = 1
    assert numbers.fixed == 9
    outer.q.x, outer.q.y = -128, 65535
    assert (outer.p, outer.q.x, outer.q.y, outer.r) == (1, -128, 65535, 4)


def test_what_was_read_lately_is_the_value_that_is_there(seg, other):
    kinds = ("u8", "i8", "bool", "f32", "i64", "f64", "u64")
    names = [f"field_{at}" for at in range(70)]
    fields = ",".join(f"{name}:{kinds[at % 7]}" for at, name in enumerate(names))

    def values(start):
        numbers = ((start + at) % 100 for at in range(70))
        return [(int, int, bool, float, int, float, int)[at % 7](n) for at, n in enumerate(numbers)]

    def check(struct, expected):
        for _ in range(4):
            found = [getattr(struct, name) for name in names]
            assert found == expected and [type(v) for v in found] == [type(v) for v in expected]

    structs = [_native._make_struct(seg, f"plant.Many{{{fields}}}", values(start)) for start in range(3)]
    seg.root["many"] = structs
    there = other.root["many"]
    for start, mine in enumerate(structs):
        check(mine, values(start))
        check(there[start], values(start))
    for start, mine in enumerate(structs):
        for name, value in zip(names, values(start + 50)):
            setattr(there[start], name, value)
        check(mine, values(start + 50))
    structs[0].field_5, structs[1].field_5 = 0.0, -0.0
    for _ in range(4):
        assert [repr(one.field_5) for one in structs[:2]] == ["0.0", "-0.0"]


def test_attributes_of_a_closed_or_read_only_segment_are_errors(seg, other):
    seg.root["n"] = _native._make_struct(seg, NUMBERS, [0] * 8 + [0.5, 0.5, True, 1])
    reader = shm_py.attach(seg.name, readonly=True)
    seen, closed = reader.root["n"], other.root["n"]
    assert seen.g == 0
    with pytest.raises(shm_py.ReadOnly):
        seen.g = 1
    closed.g = 5
    assert seen.g == 5
    other.close()
    for act in (lambda: closed.g, lambda: setattr(closed, "g", 1)):
        with pytest.raises(shm_py.Closed):
            act()
    reader.close()
