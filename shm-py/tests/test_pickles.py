"""Pickled instances: of the classes that were allowed, and of nothing else."""

import pickle
from fractions import Fraction

import extended_types as kinds
import pytest

import shm_py


def test_pickles_are_of_the_allowed_classes_only(seg):
    with shm_py.attach(seg.name, allow_pickle={kinds.Point}) as mine:
        point = kinds.Point(1, [2, {"a": (3, b"x")}])
        mine.root["p"] = {"deep": [point, (point,)]}
        found = mine.root["p"]["deep"][0]
        assert found == point and type(found) is kinds.Point and found is not point
        assert mine.root["p"].to_py() == {"deep": [point, (point,)]}
        mine.put_message(point)
        assert mine.take_message() == point
        point.y = kinds.Point(5)
        mine.root["q"] = point
        assert mine.root["q"] == point
        blocks = seg.check().blocks
        for inner in (kinds.Other(), {"x": kinds.Reducer()}, Fraction(1, 2), print, kinds.Other):
            with pytest.raises(shm_py.UnsupportedType, match="allow_pickle does not name"):
                mine.root["r"] = [kinds.Point(1, inner)]
        with pytest.raises(TypeError, match="unhashable"):
            mine.root[point] = 1
        assert seg.check().blocks == blocks
        # Without the class, or with another one, nothing is read.
        for reader in (seg, shm_py.attach(seg.name, allow_pickle={kinds.Other})):
            with pytest.raises(shm_py.UnsupportedType, match="allow_pickle={extended_types.Point}"):
                _ = reader.root["q"]
            assert "<pickled extended_types.Point>" in repr(reader.root)
        reader.close()


def test_a_pickle_names_nothing_but_the_allowed_classes(seg, capsys):
    class Evil:
        def __reduce__(self):
            return print, ("called",)

    from shm_py import _pickles

    classes = _pickles.allowed({kinds.Point})
    for data in (pickle.dumps(Evil()), pickle.dumps(kinds.Other()), pickle.dumps(print)):
        with pytest.raises(shm_py.UnsupportedType, match="allow_pickle does not name"):
            _pickles.make(classes, "extended_types:Point", data)
    with pytest.raises(shm_py.UnsupportedType, match="holds a"):
        _pickles.make(classes, "extended_types:Point", pickle.dumps([1]))
    assert capsys.readouterr().out == ""


def test_allow_pickle_takes_classes():
    for wrong, error in (
        (kinds.Point, TypeError),
        ("Point", TypeError),
        ([kinds.Point(1)], TypeError),
        ({type("Local", (), {})}, ValueError),
    ):
        with pytest.raises(error, match="allow_pickle"):
            shm_py.create(size="1MiB", allow_pickle=wrong)
    with shm_py.open(size="1MiB", name="allow-nothing", allow_pickle=()) as seg:
        assert seg.root == {}
