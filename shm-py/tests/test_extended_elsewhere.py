"""Values of the standard library's types, numpy's and enums in processes with other hashes and other modules."""

import datetime
import math
import os
import pathlib
import subprocess
import sys
import uuid
import zoneinfo
from decimal import Decimal
from fractions import Fraction

import extended_types as kinds
import numpy as np
import pytest

UTC = datetime.timezone.utc
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30), "east")
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")

MIXED = [
    1,
    1.5,
    True,
    2**70,
    0.1,
    math.inf,
    "red",
    Decimal("0.1"),
    Decimal("1.50"),
    Decimal("1E+4000"),
    Decimal("1E+999999999"),
    Fraction(1, 10),
    Fraction(3, 2),
    2 + 0j,
    1 + 2j,
    np.float32(0.1),
    np.uint8(200),
    kinds.Level.TEN,
    kinds.Color.GREEN,
    kinds.Word.RED,
    datetime.datetime(2026, 1, 1, 12, tzinfo=UTC),
    datetime.datetime(2026, 1, 1, 12, tzinfo=BERLIN),
    datetime.time(5, tzinfo=EAST),
    datetime.timedelta(1),
    UTC,
    uuid.UUID(int=7),
    range(0, 10, 3),
    np.datetime64("2026-01-01"),
]

#: Finds by keys that are equal and of other types; prints what is not found.
FINDER = """
import datetime, sys, uuid, zoneinfo
from decimal import Decimal
from fractions import Fraction
import numpy as np
import shm_py, extended_types as kinds
utc = datetime.timezone.utc
east = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
equal = [
    Decimal(1), Fraction(3, 2), np.int8(1), Decimal(2**70), np.float64(0.1), Decimal("Infinity"),
    kinds.Word.RED, Fraction(1, 10), 1.5, 10**4000, Decimal("10E+999999998"), Decimal("0.10"), Decimal("1.5"),
    2, np.complex128(1 + 2j), float(np.float32(0.1)), 200.0, Decimal(10), kinds.Color.GREEN, "red",
    datetime.datetime(2026, 1, 1, 17, 30, tzinfo=east), datetime.datetime(2026, 1, 1, 11, tzinfo=utc),
    datetime.time(5, tzinfo=east),
    datetime.timedelta(hours=24), datetime.timezone(datetime.timedelta(0), "Zulu"), uuid.UUID(int=7),
    range(0, 12, 3), np.datetime64("2026-01-01T00:00"),
]
with shm_py.attach(sys.argv[1]) as seg:
    for name in ("dict", "set"):
        held = seg.root[name]
        print([value for value in equal if value not in held])
    seg.root["dict"][Decimal("123.25")] = "new"
    seg.root["set"].add(datetime.date(2026, 1, 1))
"""


def run(code, *arguments, seed="1"):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=pathlib.Path(__file__).parent,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("seed", ["0", "12345"])
def test_other_processes_find_keys_by_equal_values_of_any_type(seg, seed):
    seg.root["dict"] = {value: index for index, value in enumerate(MIXED)}
    seg.root["set"] = set(MIXED)
    assert len(seg.root["dict"]) == len({value: 0 for value in MIXED})
    assert run(FINDER, seg.name, seed=seed).split("\n")[:2] == ["[]", "[]"]
    assert seg.root["dict"][Fraction(493, 4)] == "new" and 123.25 in seg.root["dict"]
    assert datetime.date(2026, 1, 1) in seg.root["set"]


def test_an_enum_whose_module_is_not_imported_is_no_reason_to_import_it(seg):
    seg.root["x"] = [kinds.Color.RED]
    code = """
import sys, shm_py
with shm_py.attach(sys.argv[1]) as seg:
    for act in (lambda: seg.root["x"][0], lambda: seg.root.to_py(), lambda: list(seg.root["x"])):
        try:
            act()
        except shm_py.UnsupportedType as error:
            print(error)
    assert repr(seg.root) == "Dict({'x': [<extended_types.Color.RED>]})"
    assert "extended_types" not in sys.modules
    import extended_types
    assert seg.root["x"][0] is extended_types.Color.RED
"""
    said = run(code, seg.name)
    assert said.count("extended_types.Color") == 3
    assert said.count("import extended_types first") == 3


def test_the_main_module_of_a_spawned_child_is_main(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        """
import enum, multiprocessing, shm_py
class Color(enum.Enum):
    RED = 1
    BLUE = 2
class Point:
    x = 0
def work(name):
    assert Color.__module__ == "__mp_main__"
    with shm_py.attach(name, allow_pickle={Point}) as seg:
        assert seg.root["red"] is Color.RED and seg.root["point"].x == 5
        seg.root["blue"] = Color.BLUE
        seg.root["back"] = seg.root["point"]
if __name__ == "__main__":
    with shm_py.create(size="1MiB", allow_pickle=[Point]) as seg:
        point = Point()
        point.x = 5
        seg.root["red"], seg.root["point"] = Color.RED, point
        child = multiprocessing.get_context("spawn").Process(target=work, args=(seg.name,))
        child.start()
        child.join()
        assert child.exitcode == 0
        assert seg.root["blue"] is Color.BLUE
        assert type(seg.root["back"]) is Point and seg.root["back"].x == 5
"""
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_numpy_is_not_imported_by_us(seg):
    seg.root["x"] = [Decimal(1), kinds.Color.RED]
    code = """
import sys, shm_py, extended_types
with shm_py.attach(sys.argv[1]) as seg:
    list(seg.root["x"])
    seg.root["y"] = [range(3), 1j]
    assert "numpy" not in sys.modules
    seg.root["z"] = 1
"""
    run(code, seg.name)
