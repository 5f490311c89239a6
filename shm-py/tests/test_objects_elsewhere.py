"""Instances in processes that have their class, and in those that have not."""

import multiprocessing
import subprocess
import sys
import types

import pytest
from object_types import Frozen, Point

# Python 3.12+ warns of fork in a process with threads; these tests have none that matter.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

LOADS_NOTHING = """
import sys, shm_py
seg = shm_py.attach(sys.argv[1])
before = set(sys.modules)
for name in seg.root:
    found = seg.root[name]
    assert isinstance(found, shm_py.Object), name
    assert found.a == 1
    repr(found), dir(found), found == found, hash(found), isinstance(found, int)
    try:
        found.method
    except AttributeError as error:
        assert "import" in str(error)
assert not {name for name in set(sys.modules) - before if not name.startswith("shm_py")}
"""


def test_a_name_in_a_segment_loads_and_runs_nothing(seg):
    from shm_py import _objects

    class Loads(types.ModuleType):
        def __getattribute__(self, name):
            raise AssertionError(f"{name} was asked for")

    sys.modules["loads_for_a_test"] = Loads("loads_for_a_test")
    try:
        for name in (
            "loads_for_a_test:Thing",
            "os:system",
            "subprocess:Popen",
            "builtins:dict",
            "builtins:object",
            "socket:socket",
            "enum:Enum",
            "sys:modules",
            "this:s",
            "antigravity:x",
            "a:b:c",
            "",
            ":",
            "x" * 10000,
        ):
            assert _objects.resolve(name) == (_objects._Unknown, None), name
            with pytest.raises(TypeError, match="cannot be copied out"):
                _objects.blank(name)
    finally:
        del sys.modules["loads_for_a_test"]
    for name in ("this", "antigravity", "test_objects_elsewhere"):
        module = types.ModuleType(name)
        exec("class Thing:\n  def __init__(self): self.a = 1", vars(module))
        former = sys.modules.get(name)
        sys.modules[name] = module
        try:
            seg.root[name] = module.Thing()
        finally:
            del sys.modules[name]
            if former is not None:
                sys.modules[name] = former
    code = [sys.executable, "-c", LOADS_NOTHING, seg.name]
    result = subprocess.run(code, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def move(seg, n):
    for _ in range(n):
        seg.root["p"].add("x")
        with seg.root["p"].lock():
            seg.root["p"].grow()
    assert isinstance(seg.root["p"], Point)
    seg.root["new"] = Frozen(n, Point(1))


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_other_processes_have_the_class(seg, method):
    context = multiprocessing.get_context(method)
    seg.root["p"] = Point(0)
    workers = [context.Process(target=move, args=(seg, 100)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert seg.root["p"].x == 400 and seg.root["new"] == Frozen(100, Point(1))


MAIN = """
import multiprocessing, sys, shm_py

class Here:
    def __init__(self, n):
        self.n = n

    def more(self):
        self.n += 1

def work(seg):
    seg.root["here"].more()
    assert isinstance(seg.root["here"], Here) and Here.__module__ == "__mp_main__"
    seg.root["there"] = Here(7)
    assert type(seg.root["there"].to_py()) is Here

if __name__ == "__main__":
    with shm_py.create(size="1MiB") as seg:
        seg.root["here"] = Here(1)
        worker = multiprocessing.get_context("spawn").Process(target=work, args=(seg,))
        worker.start()
        worker.join()
        assert worker.exitcode == 0 and seg.root["here"].n == 2
        assert type(seg.root["there"].to_py()) is Here and seg.root["there"].n == 7
"""


def test_classes_of_the_main_module_are_found_in_spawned_children(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(MAIN)
    result = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
