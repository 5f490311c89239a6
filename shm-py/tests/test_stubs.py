"""The stubs and docstrings hold what they promise."""

import doctest
import pathlib
import subprocess
import sys

import shm_py
from shm_py import _api

STUBS = pathlib.Path(shm_py.__file__).with_name("_native.pyi")


def test_stubs_are_those_of_the_module(tmp_path):
    allowed = pathlib.Path(__file__).with_name("stubtest.allow")
    command = [sys.executable, "-m", "mypy.stubtest", "shm_py"]
    command += ["--allowlist", str(allowed), "--ignore-unused-allowlist"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_package_passes_mypy_strict(tmp_path):
    command = [sys.executable, "-m", "mypy", "--strict", "-p", "shm_py"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


USER = """
import shm_py

@shm_py.struct
class Level:
    price: shm_py.f64
    size: shm_py.i64
    tag: str = "bid"

@shm_py.struct(name="market.Trade", version=2)
class Trade:
    price: shm_py.f64

level = Level(101.5, 3)
level.price += 1
level.tag.upper()
Trade(price=1.0)
Level()  # wrong
level.prise  # wrong
Trade(1.0, 2)  # wrong
"""


def test_type_checkers_know_the_fields_of_a_declared_struct(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    command = [sys.executable, "-m", "mypy", "--strict", "user.py"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    wrong = {number for number, line in enumerate(USER.split("\n"), 1) if "# wrong" in line}
    told = {int(line.split(":")[1]) for line in result.stdout.splitlines() if ": error:" in line}
    assert told == wrong, result.stdout + result.stderr


def test_examples_in_docstrings_work():
    for module in (shm_py, _api):
        failed, tried = doctest.testmod(module)
        assert tried > 0 and failed == 0


def test_examples_in_the_stubs_work():
    parser = doctest.DocTestParser()
    # Each docstring is an example of its own: the stubs are never imported.
    blocks = STUBS.read_text().split('"""')[1::2]
    runner = doctest.DocTestRunner()
    for number, block in enumerate(blocks):
        test = parser.get_doctest(block, {}, f"example {number}", str(STUBS), 0)
        if test.examples:
            runner.run(test)
    assert runner.summarize().attempted > 5 and runner.summarize().failed == 0
