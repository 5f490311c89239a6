"""What fields of `@shm_py.struct` may be annotated with, and what is said of the rest."""

import enum
import sys
from typing import Annotated, Any, Dict, List, Optional, Tuple, Union

import pytest

import shm_py


class Side(enum.Enum):
    BUY = 1
    SELL = 2


@shm_py.struct(name="test.Point")
class Point:
    x: shm_py.f64
    y: shm_py.f64


def declare(annotation, **options):
    declared = type("Declared", (), {"__annotations__": {"field": annotation}})
    return shm_py.struct(**options)(declared).__shm_schema__


def either(one, other):
    """`one | other`, where there is that."""
    return one | other if sys.version_info >= (3, 10) else Union[one, other]


def test_a_bar_is_an_option():
    assert declare(either(str, None)) == declare(Optional[str]) == "Declared{field:?str}"
    assert declare(either(None, Side)) == declare(Optional[Side])
    assert declare(either(Point, None)) == declare(Optional[Point])
    assert declare(either(shm_py.u8, None)) == "Declared{field:?u8}"
    with pytest.raises(TypeError, match="Declared.field: .* is no type of a shared field"):
        declare(either(str, int))


def test_dicts_are_maps(seg, other):
    @shm_py.struct(name="test.Stock")
    class Stock:
        counts: Dict[str, shm_py.u32]
        names: Dict[int, str]

    assert Stock.__shm_schema__ == "test.Stock{counts:map(str,u32),names:map(i64,str)}"
    seg.root["stock"] = Stock({"nuts": 3}, {1: "one"})
    stock = other.root["stock"]
    stock.counts["bolts"] = 4
    assert seg.root["stock"].load() == Stock({"nuts": 3, "bolts": 4}, {1: "one"})
    with pytest.raises(TypeError, match='"counts" of "test.Stock" is map.* takes an int, not str'):
        stock.counts = {"nuts": "three"}
    with pytest.raises(TypeError, match='"counts" of "test.Stock" is map.* takes a dict, not tuple'):
        stock.counts = (("nuts", 3),)


@pytest.mark.parametrize("annotation", [object, list, List, dict, Dict, tuple, bytes, Tuple[int, ...], Dict[str, bytes]])
def test_other_types_are_refused_by_class_and_field(annotation):
    with pytest.raises(TypeError, match="Declared.field: .* is no type of a shared field: use shm_py.f64"):
        declare(annotation)


@pytest.mark.parametrize(
    "annotation", [Dict[str, List[float]], Dict[float, str], Dict[str, Dict[str, int]], Dict[str, Optional[str]]]
)
def test_maps_that_rust_cannot_have_are_refused(annotation):
    expected = 'Declared is no shared struct: map.* in "field" of "Declared" has no form.* the keys of a map are ints'
    with pytest.raises(ValueError, match=expected):
        declare(annotation)


def test_schemas_that_are_none_are_refused_by_class():
    with pytest.raises(ValueError, match="Declared is no shared struct: schema text has"):
        declare(Annotated[Any, shm_py.kind("[f64")])
    for name in ("two words", "", "name!", "a{b}", "@3"):
        with pytest.raises(ValueError, match="is not like 'Level' or 'plant.Level'"):
            declare(int, name=name)
    assert declare(int, name="plant.Pair<u8,?str>") == "plant.Pair<u8,?str>{field:i64}"


def test_a_copy_of_a_struct_that_is_not_declared_here_is_stored_as_one_and_equal_to_it(seg):
    from shm_py import _native

    seg.root["p"] = _native._make_struct(seg, "test.Nowhere{a:f64,b:str,c:[str]}", [1.5, "two", ["x"]])
    shared = seg.root["p"]
    copy = shared.load()
    assert copy == shared and shared == copy
    seg.root["q"] = copy
    assert seg.root["q"] == copy and seg.root["q"].schema() == shared.schema()
    copy.a = 2.5
    assert copy != shared
    seg.root["q"] = copy
    assert (seg.root["q"].a, shared.a) == (2.5, 1.5)


def test_an_update_is_about_the_fields_that_it_changes(seg):
    @shm_py.struct(name="test.Names")
    class Names:
        count: shm_py.i64
        ratio: shm_py.f64
        names: List[str]

    seg.root["n"] = Names(1, 0.5, ["a"])
    shared = seg.root["n"]
    with pytest.raises(TypeError, match='"names" of "test.Names" is .* an item takes str, not int'):
        shared.names.append(3)
    shared.names.append("b")
    with shared.update() as changed:
        changed.count = 2
    with shared.update() as changed:
        changed.count, changed.ratio = 3, 1.5
    assert (shared.count, shared.ratio, shared.names) == (3, 1.5, ["a", "b"])
    with pytest.raises(TypeError, match='"ratio" of "test.Names" is f64 and takes a float, not str'):
        with shared.update() as changed:
            changed.count, changed.ratio = 4, "x"
    assert (shared.count, shared.ratio) == (3, 1.5)


def test_links_take_shared_structs(seg):
    from shm_py import _native

    seg.root["a"] = _native._make_struct(seg, "test.Chain{n:i64,next:?&test.Chain}", [1, None])
    chain = seg.root["a"]
    for value in (5, chain.load()):
        with pytest.raises(TypeError, match='takes a shared "test.Chain", not'):
            chain.next = value


def test_enums_are_members_wherever_they_are(seg, other):
    @shm_py.struct(name="test.Sides")
    class Sides:
        one: Side
        many: List[Side]
        pair: Tuple[Side, shm_py.i64]
        three: Annotated[Any, shm_py.kind("[Side:u8{BUY=1,SELL=2};3]")]
        maybe: Optional[Tuple[Side, Side]] = None

    made = Sides(Side.BUY, [Side.SELL, Side.BUY], (Side.SELL, 7), (Side.BUY, Side.SELL, Side.BUY))
    seg.root["s"] = made
    mine, there = seg.root["s"], other.root["s"]
    assert mine.load() == made and mine == made
    assert there.many == [Side.SELL, Side.BUY] and there.many[0] is Side.SELL and list(there.many) == made.many
    assert (there.pair, there.three, there.maybe) == (made.pair, made.three, None)
    mine.many.append("SELL")
    mine.many[1:2] = [Side.SELL]
    mine.pair, mine.maybe = ("BUY", 8), (Side.BUY, Side.SELL)
    assert there.many.to_py() == [Side.SELL] * 3 and there.many.index(Side.SELL) == 0
    assert (there.pair, there.maybe) == ((Side.BUY, 8), (Side.BUY, Side.SELL))
    with mine.update() as changed:
        changed.many.append(Side.BUY)
        changed.three = changed.three[::-1]
    assert there.many == [Side.SELL] * 3 + [Side.BUY] and repr(there.many[3:]) == "[<Side.BUY: 1>]"


def test_enums_with_data_are_named_tuples_wherever_they_are(seg):
    from shm_py import _native

    state = "State:u8{Idle=0,Running=1{rpm:u32}}"
    values = [("Idle", ("Running", 5)), [("Running", 6)], "Idle"]
    shared = _native._make_struct(seg, f"test.States{{two:[{state};2],many:[{state}],one:{state}}}", values)
    assert [state.tag for state in shared.two] == ["Idle", "Running"] and shared.two[1].rpm == 5
    assert shared.many[0].rpm == 6 and shared.many == [("Running", 6)] and shared.one.tag == "Idle"
    shared.two = shared.two[::-1]
    shared.many.extend(shared.two)
    assert [state.tag for state in shared.many] == ["Running", "Running", "Idle"]
