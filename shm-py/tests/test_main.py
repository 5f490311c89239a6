"""The command `shm`."""

import os
import subprocess
import sys

import pytest

import shm_py
from shm_py import __main__ as command
from shm_py._records import HolderStats, LockStats


@shm_py.struct
class Probe:
    """A sensor's last value."""

    id: shm_py.u32
    value: float


@pytest.mark.parametrize("lang", ["rust", "python", "c"])
def test_schema_is_printed_as_source(seg, capsys, lang):
    seg.root["probe"] = Probe(id=7, value=1.5)
    assert command.main(["schema", seg.name, "--lang", lang]) == 0
    printed = capsys.readouterr().out
    assert printed == shm_py.schema_source(seg, lang)
    assert "Probe" in printed


def test_schema_of_a_file(tmp_path, capsys):
    path = tmp_path / "here"
    with shm_py.create(path=path, size="8MiB") as seg:
        seg.root["probe"] = Probe(id=7, value=1.5)
        assert command.main(["schema", "--path", str(path)]) == 0
        assert capsys.readouterr().out == shm_py.schema_source(seg)


def test_every_command_takes_a_path(tmp_path, capsys):
    path, image = str(tmp_path / "here"), str(tmp_path / "image")
    shm_py.create(path=path, size="8MiB").close()
    for line in (
        ["check", path],
        ["snapshot", path, image],
        ["snapshot", "--path", path, image],
        ["unlink", path],
        ["restore", image, path],
        ["schema", path],
        ["unlink", "--path", path],
        ["restore", image, "--path", path],
    ):
        assert command.main(line) == 0, line
    with shm_py.attach(path=path) as seg:
        assert capsys.readouterr().out.endswith(f"{seg.used} bytes in segment {path!r}\n")


def test_a_segment_that_is_not_there_is_named(capsys):
    assert command.main(["schema", "not-there"]) == 1
    assert "not-there" in capsys.readouterr().err


def test_runs_as_a_module(seg):
    seg.root["probe"] = Probe(id=7, value=1.5)
    done = subprocess.run(
        [sys.executable, "-m", "shm_py", "schema", seg.name], capture_output=True, text=True, check=True
    )
    assert done.stdout == shm_py.schema_source(seg)
    help_ = subprocess.run(
        [sys.executable, "-m", "shm_py"], capture_output=True, text=True, check=False
    )
    assert help_.returncode == 2 and "usage: shm" in help_.stderr


def test_segments_are_listed_looked_at_and_removed(capsys):
    name = f"listed-{os.getpid()}"
    with shm_py.create(name, size="8MiB", lifetime="manual") as seg:
        seg.root["x"] = [1]
        assert command.main(["list"]) == 0
        printed = capsys.readouterr().out
        assert f"{name}: {seg.used} of {seg.size} bytes, 1 live, 0 dead" in printed
        assert f"    {os.getpid()} " in printed
        assert command.main(["check", name]) == 0
        assert capsys.readouterr().out.startswith("0 findings in ")
        assert command.main(["stats", name]) == 0
        printed = capsys.readouterr().out
        assert f"used {seg.used}\n" in printed and "\nlist: 2, " in printed
        assert f"\npid {os.getpid()} (" in printed
    assert command.main(["prune"]) == 0
    assert name not in capsys.readouterr().out, "a manual one stays"
    assert command.main(["unlink", name]) == 0
    for gone in (["unlink", name], ["check", name]):
        assert command.main(gone) == 1
    assert name in capsys.readouterr().err
    assert command.main(["unlink", "a/b"]) == 1


def test_who_holds_which_lock_is_seen_from_outside(capsys):
    code = """if True:
        import os, sys, shm_py
        seg = shm_py.attach(sys.argv[1])
        seg.lock("job").acquire()
        tree = seg.rlock("tree")
        tree.acquire(), tree.acquire()
        seg.root["jobs"][0].lock().acquire()
        with seg.transaction():
            seg.root["changed"] = 1
            print("held", flush=True)
            sys.stdin.read()
    """
    with shm_py.create(size="8MiB") as seg:
        seg.root["jobs"] = [{"id": 1}]
        worker = subprocess.Popen(
            [sys.executable, "-c", code, seg.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert worker.stdin and worker.stdout
        with worker.stdin, worker.stdout:
            assert worker.stdout.readline() == "held\n"
            # The root is being changed: who reads it would wait until the transaction ends.
            assert command.main(["stats", seg.name]) == 0
            worker.kill()
            worker.wait()
        by = f": held by pid {worker.pid} ("
        lines = capsys.readouterr().out.splitlines()
        for lock, times in (
            ("writer lock", ""),
            ("lock 'job'", ""),
            ("rlock 'tree'", " 2 times"),
            ("container root['jobs'][0]", ""),
        ):
            assert [line for line in lines if line.startswith(lock + by) and line.endswith(")" + times)]
        assert command.main(["stats", seg.name]) == 0
        (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("lock "))
        assert line.startswith("lock 'job'" + by) and line.endswith("), dead")
        (lock,) = (lock for lock in seg.stats().locks if lock.kind == "rlock")
        assert lock == ("rlock", "tree", [(worker.pid, lock.holders[0].name, False, 2)], [])
        assert isinstance(lock, LockStats) and isinstance(lock.holders[0], HolderStats)


def test_what_the_dead_left_is_pruned(capsys):
    name = f"dead-{os.getpid()}"
    code = "import os, sys, shm_py; s = shm_py.create(sys.argv[1], size='1MiB'); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, name])
    assert command.main(["prune"]) == 0
    assert f"removed {name}" in capsys.readouterr().out.splitlines()
