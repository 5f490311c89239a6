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
