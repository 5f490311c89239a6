"""Values of the standard library's types, numpy's and enums: back equal and of the same type, anywhere."""

import copy
import datetime
import enum
import math
import uuid
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any

import extended_types as kinds
import numpy as np
import pytest

import shm_py

UTC = datetime.timezone.utc
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30), "east")
ODD = datetime.timezone(-datetime.timedelta(hours=3, microseconds=7))
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
#: An hour that comes twice, and one that never does.
TWICE = datetime.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
NEVER = datetime.datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN)

VALUES = [
    1j,
    complex(-0.0, math.inf),
    complex(1e300, 5e-324),
    datetime.date.min,
    datetime.date.max,
    datetime.date(2024, 2, 29),
    datetime.time.min,
    datetime.time.max,
    datetime.time(1, 2, 3, 4, UTC, fold=1),
    datetime.time(1, tzinfo=EAST),
    datetime.time(1, tzinfo=BERLIN),
    datetime.time(1, tzinfo=zoneinfo.ZoneInfo("UTC")),
    datetime.datetime.min,
    datetime.datetime.max,
    datetime.datetime(2026, 11, 29, 11, 20, 1, 5),
    datetime.datetime(2026, 11, 29, tzinfo=UTC),
    datetime.datetime(1, 1, 1, tzinfo=EAST),
    datetime.datetime(9999, 12, 31, tzinfo=ODD),
    datetime.datetime.min.replace(tzinfo=BERLIN),
    datetime.datetime.max.replace(tzinfo=BERLIN),
    TWICE,
    TWICE.replace(fold=1),
    NEVER,
    datetime.timedelta.min,
    datetime.timedelta.max,
    datetime.timedelta(microseconds=-1),
    UTC,
    EAST,
    ODD,
    datetime.timezone(datetime.timedelta(0), "Zulu"),
    BERLIN,
    *map(Decimal, "0 -0 0E+5 -0E-7 1 1.10 -1E+3 1E-999999 Infinity -Infinity".split()),
    Decimal("1E+999999999"),
    Decimal(2) ** -70,
    Decimal("9" * 5000),
    Fraction(0),
    Fraction(-1, 3),
    Fraction(10**400, 7),
    Fraction(0.1),
    uuid.UUID(int=0),
    uuid.uuid4(),
    uuid.uuid1(),
    range(0),
    range(10),
    range(5, -5, -2),
    range(-(10**30), 10**30, 10**15),
    slice(None),
    slice(1, -1, 2),
    slice("a", (1.5, None), Decimal(1)),
    kinds.Color.RED,
    kinds.Color.CRIMSON,
    kinds.Color.GREEN,
    kinds.Color.MIXED,
    kinds.Level.TEN,
    kinds.Word.LONG,
    kinds.Ratio.HALF,
    kinds.Tag.A,
    kinds.Day.FIRST,
    kinds.Way.NORTH,
    kinds.Way.BOTH,
    kinds.Way.NORTH | kinds.Way.SOUTH,
    kinds.Way(0),
    kinds.Bits.LOW | kinds.Bits.HIGH,
    kinds.Bits(64),
    kinds.Outer.Inner.DEEP,
    kinds.Labelled.A,
    np.bool_(True),
    np.int8(-128),
    np.uint8(255),
    np.int16(-5),
    np.uint16(65535),
    np.int32(-(2**31)),
    np.uint32(2**32 - 1),
    np.int64(-(2**63)),
    np.uint64(2**64 - 1),
    np.longlong(3),
    np.ulonglong(2**64 - 1),
    np.float16(0.1),
    np.float32(0.1),
    np.float32(3.4e38),
    np.float64(-0.0),
    np.float64(0.1),
    np.longdouble(0.1),
    np.longdouble(-1) / 3,
    np.finfo(np.longdouble).max,
    np.finfo(np.longdouble).tiny / 8,
    np.longdouble("-inf"),
    np.complex64(1 + 2j),
    np.complex128(complex(0.1, -math.inf)),
    np.str_("a text that is longer"),
    np.bytes_(b"raw"),
    np.datetime64("2026-11-29"),
    np.datetime64("2026-11-29T11:20:01.123456789"),
    np.datetime64(5, "25s"),
    np.datetime64("2026"),
    np.timedelta64(-5, "ms"),
    np.timedelta64(7),
    np.timedelta64(3, "Y"),
]


def hashable(value):
    try:
        hash(value)
    except (TypeError, ValueError):  # slices before 3.12; spans of numpy without a unit
        return False
    return True


KEYS = [value for value in VALUES if hashable(value)]


def same(a, b):
    """Equal, of one type, and looking alike: -0.0, fold and the digits of a decimal too."""
    return type(a) is type(b) and a == b and repr(a) == repr(b)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_in_any_place(seg, other, value):
    seg.root["x"] = value
    assert same(other.root["x"], value)
    for nested in ([value], {"a": value}, (value, 1), ((value,), [value, {"deep": value}])):
        seg.root["x"] = nested
        assert seg.root["x"] == nested and nested == seg.root["x"]
        assert repr(seg.root.to_py()["x"]) == repr(nested)
        assert repr(copy.deepcopy(seg.root)) == repr({"x": nested})
    items = seg.list(["first", value, value])
    assert [type(item) for item in items] == [str, type(value), type(value)]
    assert items.index(value) == 1 and items.count(value) == 2 and value in items
    items.remove(value)
    assert items == ["first", value]
    items[0] = value
    items.append(value)
    assert items.pop() == value and same(items[0], value)
    assert repr(value)[:70] in repr(items)
    seg.put_message({"value": value})
    assert same(other.take_message(timeout=0)["value"], value)
    queue = seg.queue("q")
    queue.put(value)
    assert same(queue.get_nowait(), value)


@pytest.mark.parametrize("value", KEYS, ids=repr)
def test_a_value_is_a_key_and_a_member(seg, other, value):
    seg.root[value] = 1
    assert other.root[value] == 1 and value in other.root
    assert same(next(iter(other.root)), value)
    seg.root[value] += 1
    assert dict(seg.root.items()) == {value: 2} and len(seg.root) == 1
    assert seg.root.pop(value) == 2 and value not in seg.root
    members = seg.set([value, value, "x"])
    assert len(members) == 2 and value in members
    assert members == {value, "x"} and {value, "x"} == members
    members.discard(value)
    assert members == {"x"}
    seg.root["f"] = frozenset([value, (value,)])
    assert seg.root["f"] == frozenset([value, (value,)])
    seg.root["d"] = {(value, 1): value}
    assert same(seg.root["d"][(value, 1)], value)


def test_nan_is_found_and_equals_nothing(seg):
    for nan in (
        Decimal("NaN"),
        Decimal("-NaN123"),
        np.float32("nan"),
        np.datetime64("NaT"),
        np.timedelta64("NaT", "s"),
        complex(math.nan, 1),
    ):
        seg.root["x"] = nan
        found = seg.root["x"]
        assert type(found) is type(nan) and found != nan and str(found) == str(nan)
        members = seg.set([nan, nan])
        assert len(members) == 1 and nan in members
    seg.root["x"] = [Decimal("sNaN")]
    assert str(seg.root["x"][0]) == "sNaN"
    with pytest.raises(TypeError, match="sNaN|signaling"):
        seg.root[Decimal("sNaN")] = 1
    assert dict(seg.root.items()).keys() == {"x"}


def test_what_is_made_once_is_that_again(seg):
    for single in (UTC, BERLIN, kinds.Color.RED, kinds.Way.NORTH | kinds.Way.SOUTH):
        seg.root["x"] = single
        assert seg.root["x"] is single
    stamp = uuid.UUID(int=5, is_safe=uuid.SafeUUID.unsafe)
    seg.root["x"] = stamp
    assert seg.root["x"].is_safe is uuid.SafeUUID.unsafe


def test_values_of_structs_take_them(seg):
    @shm_py.struct
    class Order:
        price: shm_py.f64
        count: shm_py.i32
        side: str
        extra: Any

    seg.root["o"] = Order(np.float64(1.5), kinds.Level.TEN, kinds.Word.RED, Decimal("1.10"))
    order = seg.root["o"]
    assert (order.price, order.count, order.side) == (1.5, 10, "red")
    assert type(order.price) is float and type(order.count) is int and type(order.side) is str
    assert same(order.extra, Decimal("1.10"))
    order.extra = BERLIN
    order.price = np.float32(0.5)
    assert order.extra is BERLIN and order.price == 0.5
    with pytest.raises(TypeError):
        order.price = Decimal(1)


def test_sorting_and_order_are_pythons(seg):
    for items in (
        [Decimal("1.5"), 1, Fraction(7, 5), 1.25, np.int64(3), kinds.Level.ONE, True],
        [datetime.datetime(2026, 1, day, tzinfo=UTC) for day in (3, 1, 2)],
        [np.datetime64("2026-01-02"), np.datetime64("2025-01-02T05")],
        [uuid.UUID(int=number) for number in (3, 1, 2)],
        [slice(2), slice(1)],
    ):
        shared = seg.list(items)
        shared.sort()
        assert [repr(item) for item in shared] == [repr(item) for item in sorted(items)]
        assert (shared < items) == (sorted(items) < items)
    for items in ([1j, 2j], [kinds.Color.RED, kinds.Color.GREEN], [range(2), range(1)]):
        with pytest.raises(TypeError):
            seg.list(items).sort()


def test_what_cannot_be_stored_says_what_to_do(seg):
    class Nowhere(tuple):
        pass

    class Zone(datetime.tzinfo):
        def utcoffset(self, at):
            return datetime.timedelta(0)

        def dst(self, at):
            return None

    local = enum.Enum("local", "A")
    blocks = seg.check().blocks
    for value, words in (
        (datetime.datetime(2026, 1, 1, tzinfo=Zone()), "use datetime.timezone or zoneinfo"),
        (datetime.time(1, tzinfo=Zone()), "use datetime.timezone or zoneinfo"),
        (local.A, "define it at the top level of a module"),
        (Fraction(1, 1 << 70_000), "65536 bits"),
        (Decimal("1" * 70_000), "65536 bits or digits"),
        (np.clongdouble(1), "convert it with complex"),
        (np.void(b"abc"), "numpy.void"),
        (slice([1], object()), "object"),
        (type("Sub", (datetime.date,), {})(2026, 1, 1), "Sub"),
        (Nowhere(), "Nowhere"),
    ):
        with pytest.raises(shm_py.UnsupportedType, match=words):
            seg.root["x"] = {"deep": [value]}
        with pytest.raises(shm_py.UnsupportedType) as caught:
            seg.put_message((value,))
        assert caught.value.path.startswith("message[0]")
    assert seg.check().blocks == blocks and len(seg.root) == 0


def test_a_key_that_cannot_be_stored_is_not_there(seg):
    assert enum.Enum("local", "A").A not in seg.root
    assert seg.root.get(kinds.Point) is None


def test_an_enum_that_changed_says_so(seg, monkeypatch):
    seg.root["x"] = kinds.Color.GREEN
    monkeypatch.delitem(kinds.Color._member_map_, "GREEN")
    with pytest.raises(shm_py.UnsupportedType, match="no member 'GREEN'"):
        _ = seg.root["x"]
    monkeypatch.undo()
    monkeypatch.setattr(kinds, "Color", kinds.Point)
    with pytest.raises(shm_py.UnsupportedType, match="no such enum"):
        _ = seg.root["x"]


def test_the_time_of_a_change_of_clocks_comes_back(seg):
    seg.root["x"] = [TWICE, TWICE.replace(fold=1), NEVER]
    assert [moment.utcoffset() for moment in seg.root["x"]] == [
        moment.utcoffset() for moment in (TWICE, TWICE.replace(fold=1), NEVER)
    ]
    # Equal in their own zone, and to nothing in another one.
    members = seg.set([TWICE, TWICE.replace(fold=1), TWICE.astimezone(UTC)])
    assert len(members) == len({TWICE, TWICE.replace(fold=1), TWICE.astimezone(UTC)}) == 2


def test_a_zone_that_is_not_known_says_so(seg, monkeypatch):
    seg.root["x"] = TWICE

    def unknown(key):
        raise zoneinfo.ZoneInfoNotFoundError(key)

    for key in ("No/Such", "Europe", "..", "../x", "/etc/passwd", "a\0b", "\ud7ff", "x" * 5000):
        with pytest.raises(shm_py.UnsupportedType, match="is not known here"):
            shm_py._values.MAKERS[6](key)
    monkeypatch.setattr(zoneinfo, "ZoneInfo", unknown)
    with pytest.raises(shm_py.UnsupportedType, match="'Europe/Berlin' is not known here"):
        _ = seg.root["x"]


def test_they_are_freed_with_what_held_them(seg):
    seg.root["x"] = 0
    before = seg.check().blocks
    for _ in range(3):
        seg.root["x"] = {"all": list(VALUES), "keys": {key: key for key in KEYS}}
        assert seg.check().findings == []
        seg.root["x"] = slice(seg.list([1]), {"a": [Decimal("1.000000001")]}, None)
        assert seg.root["x"].start == [1]
        assert seg.root.to_py()["x"].stop == {"a": [Decimal("1.000000001")]}
        seg.gc()
        assert seg.root["x"].start == [1]
        seg.root["x"] = 0
        assert seg.check().blocks == before


def test_a_class_that_is_refused_is_not_kept(seg):
    from shm_py import _values

    class Sub(list):
        pass

    for refused in (Sub(), Sub(), object(), object()):
        with pytest.raises(shm_py.UnsupportedType):
            seg.root["x"] = refused
    assert Sub not in _values.PACKERS
    # What the interpreter has for ever is.
    assert _values.PACKERS[object] is None
    seg.root["x"] = Fraction(1, 2)
    assert Fraction in _values.PACKERS
