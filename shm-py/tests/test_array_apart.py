"""Arrays in other processes, in small segments, and where numpy is not installed."""

import hashlib
import io
import multiprocessing
import os
import struct
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import shm_py

METHODS = ["spawn", "fork", "forkserver"]

# Python 3.12+ warns of fork in a process with threads; these tests have none that matter.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

# What a program sees in whose environment there is no numpy.
WITHOUT = "import sys; sys.modules['numpy'] = None; import shm_py, pytest\n"


def double(items):
    view = items[...]
    view *= 2
    items[0, 0] = -1
    return os.getpid(), float(view.sum())


def wait_and_add(items, go, done):
    view = np.asarray(items)
    done.set()
    go.wait(60)
    view += 1
    done.set()


@pytest.mark.parametrize("method", METHODS)
def test_other_processes_change_the_same_elements(seg, method):
    items = seg.array(np.arange(6.0).reshape(2, 3))
    view = items[...]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        pid, total = pool.submit(double, items).result(timeout=60)
    assert pid != os.getpid() and total == 29.0
    assert view.tolist() == [[-1.0, 2.0, 4.0], [6.0, 8.0, 10.0]]


@pytest.mark.parametrize("method", METHODS)
def test_a_view_in_another_process_keeps_the_memory(seg, method):
    context = multiprocessing.get_context(method)
    seg.root["x"] = np.zeros(1000)
    go, done = context.Event(), context.Event()
    worker = context.Process(target=wait_and_add, args=(seg.root["x"], go, done))
    worker.start()
    assert done.wait(60)
    done.clear()
    seg.free(seg.root["x"])
    del seg.root["x"]
    others = [seg.array(1000) for _ in range(20)]
    go.set()
    assert done.wait(60)
    worker.join(60)
    assert worker.exitcode == 0
    assert not any(other[...].any() for other in others)
    assert seg.check().sound


def test_what_a_killed_viewer_held_is_given_back(seg):
    code = (
        "import shm_py, sys, os, signal\n"
        "items = shm_py.attach(sys.argv[1]).root['x']\n"
        "view = memoryview(items)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    seg.root["x"] = seg.array(100_000)
    command = [sys.executable, "-c", code, seg.name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as viewer:
        assert viewer.stdout.readline() == "ready\n"
        taken = seg.stats().taken
        seg.free(seg.root["x"])
        assert seg.stats().taken == taken
        viewer.communicate("go\n")
    with shm_py.attach(seg.name):
        pass  # Whoever attaches clears away what the dead held.
    assert seg.stats().taken < taken - 800_000
    assert seg.check().sound


def test_a_full_segment_refuses_arrays_and_keeps_what_it_has():
    with shm_py.create(size="1MiB") as seg:
        kept = []
        with pytest.raises(shm_py.SegmentFull):
            while True:
                kept.append(seg.array(np.full(1000, len(kept))))
        assert len(kept) > 50
        with pytest.raises(shm_py.SegmentFull):
            seg.root["x"] = [1, np.zeros(10_000)]
        assert "x" not in seg.root
        assert all((items[...] == number).all() for number, items in enumerate(kept))
        kept[0][0] = 5
        kept.clear()
        seg.root["x"] = [1, np.zeros(10_000)]
        assert seg.root["x"][1][...].sum() == 0
        assert seg.check().sound


def test_memory_that_was_used_before_is_zero():
    with shm_py.create(size="16MiB") as seg:
        for size in (3, 100, 5_000, 40_000, 600_000):
            seg.array(size).fill(7)
            assert not seg.array(size)[...].any()


def test_views_outlive_the_attachment_variable():
    view = shm_py.create(size="1MiB").array(np.arange(3))[...]
    assert view.tolist() == [0, 1, 2]


def test_a_bytearray_has_a_buffer_of_the_moment(seg, other):
    shared = seg.bytearray(b"hello")
    seg.root["b"] = shared
    view = memoryview(shared)
    other.root["b"].extend(b" world")
    assert bytes(view) == b"hello" and view.readonly and view.format == "B"
    assert bytes(shared) == bytearray(shared) == b"hello world"
    assert hashlib.sha256(shared).digest() == hashlib.sha256(b"hello world").digest()
    assert b"-".join([shared, shared]) == b"hello world-hello world"
    file = io.BytesIO()
    assert file.write(shared) == 11 and file.getvalue() == b"hello world"
    assert struct.unpack_from("<H", shared, 1) == (0x6C65,)
    assert np.frombuffer(shared, "u1").tolist() == list(b"hello world")
    assert bytes(memoryview(seg.bytearray())) == b""
    with pytest.raises(TypeError):
        view[0] = 1
    get = pytest.importorskip("ctypes").pythonapi.PyObject_GetBuffer
    import ctypes

    with pytest.raises(BufferError, match="slice"):
        get(ctypes.py_object(shared), ctypes.create_string_buffer(256), 1)
    # A copy is no view of the segment: it may be closed.
    shared.clear()
    seg.close()
    assert bytes(view) == b"hello"


def run_without_numpy(code):
    result = subprocess.run([sys.executable, "-c", WITHOUT + code], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_without_numpy_numbers_work_by_index_and_memoryview():
    run_without_numpy(
        """
with shm_py.create(size="1MiB") as seg:
    items = seg.array((2, 3))
    items[1, 2] = 2.5
    items[0, -1] = 3
    assert items[1, 2] == 2.5 and items.dtype == "float64" and items.shape == (2, 3)
    assert items.tolist() == items.to_py() == [[0, 0, 3], [0, 0, 2.5]]
    assert items[1].tolist() == [0, 0, 2.5] and [row.tolist() for row in items] == items.tolist()
    items[0][1] = 7
    assert items[0, 1] == items[...][0, 1] == 7.0 and memoryview(items).format == "d"
    items.fill(4)
    items[...] = 5
    assert items.tolist() == [[5] * 3] * 2
    for wrong in ((2, 0), (0, 3), -3):
        with pytest.raises(IndexError):
            items[wrong]
    line = seg.array(4, "i2")
    line[:2] = seg.array([1, 2], "i2")
    assert list(line) == [1, 2, 0, 0] and line[1:3].tolist() == [2, 0] and 2 in line and 5 not in line
    line[:] = 9
    assert list(line) == [9] * 4 and repr(line) == "Array([9, 9, 9, 9], shape=(4,), dtype='int16')"
    with pytest.raises(OverflowError):
        line[0] = 1 << 15
    with pytest.raises(TypeError):
        line[0] = 1.5
    for dtype in ("?", "i1", "u1", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "c8", "c16", bool, int, complex):
        one = seg.array((), dtype)
        one[()] = 1
        assert one[()] == one.item() == 1 and bool(one)
    halves = seg.array(2, "e")
    halves[0], halves[1] = 0.1, -2.0
    assert abs(halves[0] - 0.1) < 1e-4 and halves[1] == -2.0
    assert seg.array([1, 2]).dtype == "int64" and seg.array([1, 2.5]).tolist() == [1.0, 2.5]
    assert seg.array([True]).dtype == "bool" and seg.array([1j]).dtype == "complex128"
    import array
    seg.root["x"] = [array.array("f", [1, 2])]
    assert seg.root["x"].to_py() == [[1.0, 2.0]] and seg.root["x"][0].dtype == "float32"
    assert seg.array(memoryview(b"ab")).tolist() == [97, 98]
    with pytest.raises(shm_py.UnsupportedType):
        seg.root["x"] = array.array("u", "ab")
    assert items.__array_interface__["typestr"] == "<f8"
    for use in (lambda: items + 1, lambda: items == 1, lambda: items.__array__()):
        with pytest.raises(ImportError, match="takes numpy"):
            use()
    with pytest.raises(AttributeError):
        items.sum
    with pytest.raises(TypeError, match="takes numpy"):
        seg.array(3, "M8[s]")
    with pytest.raises(TypeError, match="takes numpy"):
        seg.array([[1], [2]])
    del halves, one
"""
    )


def test_without_numpy_described_elements_say_so(seg):
    seg.root["x"] = np.zeros(3, "M8[s]")
    run_without_numpy(
        f"""
with shm_py.attach({seg.name!r}) as seg:
    items = seg.root["x"]
    assert items.shape == (3,) and items.dtype == "'<M8[s]'" and "3 more" in repr(items)
    with pytest.raises(BufferError, match="numpy"):
        items[0]
"""
    )


def test_numpy_is_not_imported_before_it_is_needed():
    code = """
import sys, shm_py
with shm_py.create(size="1MiB") as seg:
    seg.root["x"] = seg.array(3)
    seg.root["x"][1] = 2
    assert seg.root["x"][1] == 2.0 and repr(seg.root["x"]) and memoryview(seg.root["x"])
    seg.root["y"] = {"deep": [1, (2, 3)], "set": {1}}
    try:
        seg.root["z"] = object()
    except shm_py.UnsupportedType:
        pass
assert "numpy" not in sys.modules
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
