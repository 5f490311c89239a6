"""Snapshots: the whole segment in a file, and back."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

import shm_py
from shm_py import __main__ as command

PROCESSES = multiprocessing.get_context("spawn")
DEADLINE = 60


def test_there_and_back(seg, tmp_path):
    seg.root["book"] = {"bids": [(101.5, 3)], "who": {"a", "b"}}
    held = seg.list([1])
    size = seg.snapshot(tmp_path / "one")
    assert (tmp_path / "one").stat().st_size == size
    seg.root["book"]["bids"].clear()
    with shm_py.restore(str(tmp_path / "one")) as former:
        assert former.name != seg.name
        assert former.root.to_py() == {"book": {"bids": [(101.5, 3)], "who": {"a", "b"}}}
        assert former.check().findings == []
        assert [peer.pid for peer in former.peers] == [os.getpid()]
        former.root["book"]["bids"].append(1)
        former.snapshot(tmp_path / "one")
    assert seg.root["book"]["bids"] == []
    assert held == [1]
    with shm_py.restore(tmp_path / "one", "by-name-" + seg.name) as again:
        assert again.name == "by-name-" + seg.name
        assert again.root["book"]["bids"][1] == 1
        with pytest.raises(shm_py.SegmentExists):
            shm_py.restore(tmp_path / "one", again.name)


def test_restored_to_a_file(seg, tmp_path):
    seg.root["n"] = 1
    seg.snapshot(tmp_path / "one")
    with shm_py.restore(tmp_path / "one", path=tmp_path / "here") as there:
        there.root["n"] += 1
    with shm_py.attach(path=tmp_path / "here") as there:
        assert there.root["n"] == 2
        there.unlink()


def test_errors_name_the_file(seg, tmp_path):
    (tmp_path / "letter").write_text("dear reader")
    with pytest.raises(ValueError, match="letter exists and is no snapshot"):
        seg.snapshot(tmp_path / "letter")
    with pytest.raises(shm_py.FormatMismatch, match="letter"):
        shm_py.restore(tmp_path / "letter")
    with pytest.raises(FileNotFoundError, match="no snapshot .*nothing.: give the path"):
        shm_py.restore(tmp_path / "nothing")
    with pytest.raises(OSError, match="missing"):
        seg.snapshot(tmp_path / "missing" / "one")
    seg.snapshot(tmp_path / "one")
    content = bytearray((tmp_path / "one").read_bytes())
    content[-100_000] ^= 1
    (tmp_path / "one").write_bytes(content)
    with pytest.raises(shm_py.SegmentCorrupt, match="damaged"):
        shm_py.restore(tmp_path / "one")
    with pytest.raises(TypeError):
        shm_py.restore(tmp_path / "one", 5)
    with shm_py.attach(seg.name, readonly=True) as reader:
        with pytest.raises(shm_py.ReadOnly):
            reader.snapshot(tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letter", "one"]


def keep_writing(name, started):
    with shm_py.attach(name) as seg:
        pair = seg.root["pair"]
        for number in range(1, 10**9):
            with seg.transaction():
                pair[0] = number
                pair[1] = [str(number)] * (number % 40)
                pair[2] = number
            if number == 20:
                started.put(1)


def keep_saving(name, path, started):
    with shm_py.attach(name) as seg:
        while True:
            seg.snapshot(path)
            started.put(1)


def test_of_one_moment_while_others_write_and_are_killed(seg, tmp_path):
    seg.root["pair"] = [0, [], 0]
    seg.root["weight"] = seg.bytearray(bytes(range(256)) * 4000)
    started = seg.queue("started")
    writer = PROCESSES.Process(target=keep_writing, args=(seg.name, started), daemon=True)
    writer.start()
    started.get(timeout=DEADLINE)
    for round in range(8):
        saver = PROCESSES.Process(
            target=keep_saving, args=(seg.name, tmp_path / "one", started), daemon=True
        )
        saver.start()
        for _ in range(round + 1):
            started.get(timeout=DEADLINE)
        os.kill(saver.pid, signal.SIGKILL)
        saver.join()
        with shm_py.restore(tmp_path / "one") as former:
            pair = former.root["pair"]
            assert pair[0] == pair[2] > 0
            assert pair[1] == [str(pair[0])] * (pair[0] % 40)
            assert former.check().findings == []
        while not started.empty():
            started.get()
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()


def test_from_the_shell(seg, tmp_path, capsys):
    seg.root["n"] = 7
    file = str(tmp_path / "one")
    assert command.main(["snapshot", seg.name, file]) == 0
    assert file in capsys.readouterr().out
    name = seg.name + "-shell"
    shell = [sys.executable, "-m", "shm_py", "restore", file, name]
    assert name in subprocess.run(shell, check=True, capture_output=True, text=True).stdout
    with shm_py.attach(name) as former:
        assert former.root["n"] == 7
        former.unlink()
    assert command.main(["restore", str(tmp_path / "no"), name]) == 1
    assert "no" in capsys.readouterr().err
