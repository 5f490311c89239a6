"""Lists, dicts and vectors that are fields of structs: what they take, and what their elements are."""

import copy
import pickle
from typing import Annotated, Any, Dict, List, Optional

import pytest

import shm_py


@shm_py.struct(name="parts.Point")
class Point:
    x: shm_py.f64
    y: shm_py.i32


@shm_py.struct(name="parts.Segment")
class Segment:
    start: Point
    end: Point
    of: Annotated[Any, shm_py.kind("[u8;2]")]


@shm_py.struct(name="parts.Plan")
class Plan:
    names: List[str]
    spare: List[Optional[str]]
    ages: Dict[str, shm_py.u8]
    grid: List[List[str]]
    rows: List[List[shm_py.f64]]
    points: List[Point]
    lines: List[Segment]
    paths: List[List[Point]]
    links: Annotated[Any, shm_py.kind("[&parts.Point]")]
    any: List[Any]


def plan(**fields):
    whole = dict(
        names=["a"], spare=[None], ages={"x": 1}, grid=[["q"]], rows=[[1.5]], points=[Point(1, 2)],
        lines=[Segment(Point(1, 2), Point(3, 4), (5, 6))], paths=[[Point(7, 8)]], links=[], any=[1],
    )  # fmt: skip
    return Plan(**{**whole, **fields})


@pytest.fixture
def shared(seg):
    seg.root["plan"] = plan()
    return seg.root["plan"]


def test_what_is_loaded_equals_what_was_stored(shared):
    assert shared.load() == plan()
    assert shared == plan()


WRONG = [
    lambda names: names.append(3),
    lambda names: names.append(["a"]),
    lambda names: names.append("\ud800"),
    lambda names: names.insert(0, 2.5),
    lambda names: names.extend(["b", None]),
    lambda names: names.__setitem__(0, 3),
    lambda names: names.__setitem__(-1, {"a": 1}),
    lambda names: names.__setitem__(slice(None), [1]),
    lambda names: names.__setitem__(slice(None, None, 2), (b"bytes",)),
    lambda names: names.__iadd__([3]),
    lambda names: names.add(0, 3),
    lambda names: names.compare_exchange(0, "a", 3),
]


@pytest.mark.parametrize("change", WRONG)
def test_a_list_takes_what_the_field_takes(shared, other, change):
    for names in (shared.names, other.root["plan"].names):
        with pytest.raises((TypeError, ValueError)) as raised:
            change(names)
        said = str(raised.value)
        if "cannot add" not in said:
            assert '"names" of "parts.Plan" is [str]: ' in said and "takes " in said
    assert shared.load() == plan()


def test_right_items_go_in_every_way(shared, other):
    names = other.root["plan"].names
    names.append("a text that is longer than a cell")
    names.insert(0, "b")
    names.extend(("c", "d"))
    names[0] = "B"
    names[-1:] = ["e", "f"]
    names += ["g"]
    assert names.compare_exchange(1, "a", "A")
    names.sort()
    names.reverse()
    names *= 2
    expected = sorted(["B", "A", "a text that is longer than a cell", "c", "e", "f", "g"])[::-1] * 2
    assert shared.names == expected == shared.load().names
    shared.names += ["h"]
    assert shared.names[-1] == "h"


def test_errors_say_which_item_of_which_field(shared):
    with pytest.raises(TypeError, match=r'^field "names" of "parts.Plan" is \[str\]: an item takes str, not int$'):
        shared.names.append(3)
    with pytest.raises(TypeError, match=r'"names" of "parts.Plan" is \[str\]: item 1 takes str, not int$'):
        shared.names = ["a", 3]
    with pytest.raises(ValueError, match=r'is map\(str,u8\): the value of "y" takes 0 to 255, not 256$'):
        shared.ages["y"] = 256
    with pytest.raises(TypeError, match=r"is \[\[str\]\]: item 1 of an item takes str, not int$"):
        shared.grid.append(["a", 1])
    with pytest.raises(TypeError, match=r"is \[\[str\]\]: an item of \[str\] in it takes str, not int$"):
        shared.grid[0].append(1)
    with pytest.raises(ValueError, match='"y" of "parts.Point", in item 1 of field "points" of "parts.Plan", is i32'):
        shared.points = [Point(1, 2), (1, 2**31)]
    with pytest.raises(TypeError, match='"y" of "parts.Point", in field "end" of "parts.Segment", in an item of field'):
        shared.lines.append(((1, 2), (3, "4"), (5, 6)))
    with pytest.raises(TypeError, match='"parts.Point", in item 0 of field "points" of "parts.Plan", has 2 fields'):
        shared.points = [(1,)]
    with pytest.raises(TypeError, match='takes a shared "parts.Point", not str'):
        shared.links.append("x")


def test_a_dict_takes_what_the_field_takes(shared, other):
    ages = other.root["plan"].ages
    for change in (
        lambda: ages.__setitem__("x", -1),
        lambda: ages.__setitem__(1, 1),
        lambda: ages.update({"y": 1, "z": "one"}),
        lambda: ages.update(y=300),
        lambda: ages.setdefault("y", 1.5),
        lambda: ages.add("x", 255),
        lambda: ages.add("y", -1),
        lambda: ages.compare_exchange("x", 1, 256),
        lambda: ages.__ior__({"y": None}),
        lambda: ages.__setitem__("y", [1]),
    ):
        with pytest.raises((TypeError, ValueError), match="is map"):
            change()
    assert shared.load() == plan()
    ages["y"] = 2
    ages.update(z=3)
    ages |= {"w": 4}
    assert (ages.add("x", 254), ages.setdefault("v", 5)) == (255, 5)
    assert shared.load().ages == {"x": 255, "y": 2, "z": 3, "w": 4, "v": 5}


def test_the_type_goes_with_the_list(seg, shared):
    seg.root["names"] = shared.names
    shared.names = ["b"]
    for names in (seg.root["names"], shared.names):
        with pytest.raises(TypeError, match="an item takes str"):
            names.append(1)
    # What is any value stays so, and copies are of the user alone.
    shared.any.append("anything")
    plain = shared.names.copy()
    plain.append(1)
    with seg.transaction():
        shared.names.append("c")
        with pytest.raises(TypeError):
            shared.names.append(1)
    assert shared.names == ["b", "c"]
    assert seg.check().sound


def test_vectors_inside_of_lists_are_read_as_what_they_are(seg, shared):
    assert shared.rows[0] == (1.5,) and shared.rows == [(1.5,)]
    shared.rows.append([2, 2.5])
    shared.rows[0] = ()
    assert [list(row) for row in shared.rows] == [[], [2.0, 2.5]]
    assert shared.load().rows == [[], [2.0, 2.5]] == shared.rows.to_py()
    assert repr(shared.rows) == "List([(), (2.0, 2.5)])"
    assert shared.paths[0][0].y == 8
    shared.paths.append([Point(9, 10), (11, 12)])
    assert shared.load().paths == [[Point(7, 8)], [Point(9, 10), Point(11, 12)]]
    with pytest.raises(TypeError, match="item 1 of an item takes a float, not str"):
        shared.rows.append([1.0, "x"])
    assert seg.check().sound


def test_elements_that_are_structs_have_names(shared):
    point = shared.points[0]
    assert (point.x, point.y) == (1.0, 2) == point
    assert point == Point(1, 2) and Point(1, 2) == point and point != Point(1, 3)
    assert shared.points == [Point(1, 2)] and list(shared.points) == [Point(1, 2)]
    assert repr(point) == "Point(x=1.0, y=2)" and hash(point) == hash((1.0, 2))
    line = shared.lines[0]
    assert (line.start.x, line.end.y, line.of) == (1.0, 4, (5, 6))
    assert repr(shared.lines) == (
        "Vec([Segment(start=Point(x=1.0, y=2), end=Point(x=3.0, y=4), of=(5, 6))])"
    )
    assert point._replace(y=5) == (1.0, 5) and point._asdict() == {"x": 1.0, "y": 2}
    assert pickle.loads(pickle.dumps(point)) == point == copy.deepcopy(point)
    with pytest.raises(AttributeError, match='"Point" has no field "z"; its fields are x, y'):
        point.z
    with pytest.raises(AttributeError, match="its fields are x, y"):
        point._replace(z=1)


def test_elements_are_copies_that_are_assigned_as_a_whole(seg, shared):
    with pytest.raises(AttributeError, match=r"is a copy of an element: assign the element, as in vector\[i\] = "):
        shared.points[0].x = 5
    with pytest.raises(AttributeError, match="has no field"):
        shared.points[0].z = 5
    shared.points[0] = shared.points[0]._replace(x=5)
    assert shared.points[0] == Point(5, 2)
    with shared.update() as copied:
        copied.points[0].y = 7
        copied.lines[0].end.x = 8
    assert shared.points[0] == Point(5, 7) and shared.lines[0].end.x == 8.0
    # An element that is stored is a struct of its own.
    seg.root["point"] = shared.points[0]
    seg.root["point"].x = 6
    assert seg.root["point"] == Point(6, 7) and shared.points[0].x == 5.0


def test_a_vector_of_links_is_copied_with_what_stays_shared(seg, shared):
    seg.root["point"] = Point(1, 2)
    shared.links.append(seg.root["point"])
    loaded = shared.load()
    assert loaded.links[0] is seg.root["point"]
    with shared.update() as copied:
        copied.links.append(copied.links[0])
    assert len(shared.links) == 2
    assert shared.load().links[1] is seg.root["point"]
