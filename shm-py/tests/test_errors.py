"""What errors say and carry: which argument, which object, the numbers, and what to do."""

import errno
import multiprocessing
import os
import threading

import pytest

import shm_py


class Number(int):
    """It would come back as an int."""


def test_errors_of_files_have_the_number_of_the_system(seg):
    with pytest.raises(FileExistsError) as caught:
        shm_py.create(seg.name)
    assert caught.value.errno == errno.EEXIST and str(caught.value).startswith("segment ")
    with pytest.raises(FileNotFoundError) as caught:
        shm_py.attach(seg.name + "-not")
    assert caught.value.errno == errno.ENOENT and str(caught.value).startswith("no segment ")


def test_a_wait_for_a_creator_says_how_long_it_was(seg):
    name = seg.name + "-not"
    with pytest.raises(shm_py.SegmentNotFound, match="within 0.05 s") as caught:
        shm_py.attach(name, timeout=0.05)
    assert caught.value.name == name


@pytest.mark.parametrize(
    "wrong, error, says",
    [
        ({"mode": "600"}, TypeError, "mode is an int like 0o600, not str"),
        ({"mode": True}, TypeError, "mode is an int"),
        ({"mode": -1}, ValueError, "mode -1 is not between"),
        ({"mode": 0o100600}, ValueError, "mode 33152 is not between"),
        ({"lifetime": 5}, TypeError, "lifetime is 'last', 'creator' or 'manual', not int"),
        ({"lifetime": "x"}, ValueError, "lifetime is 'last'"),
        ({"size": None}, TypeError, "size is an int"),
        ({"name": 5}, TypeError, "name is a str"),
    ],
)
def test_errors_name_the_argument(wrong, error, says):
    with pytest.raises(error, match=says):
        shm_py.create(**wrong)


def test_a_path_may_be_bytes(tmp_path):
    file = tmp_path / "here.shm"
    with shm_py.open(path=os.fsencode(file), size="1MiB") as segment:
        assert os.fspath(segment.path) == os.fspath(file) and file.exists()


def test_a_refused_type_is_named_apart_from_the_advice(seg):
    with pytest.raises(shm_py.UnsupportedType, match=r"convert it with int\(") as caught:
        seg.root["x"] = [Number(1)]
    assert caught.value.type_name == repr(Number) and caught.value.path == "root['x'][0]"


def test_a_wrong_type_in_a_struct_lists_the_fields(seg):
    @shm_py.struct
    class Level:
        price: shm_py.f64
        size: shm_py.i64
        tag: str

    seg.root["level"] = Level(1.5, 2, "a")
    level = seg.root["level"]
    for name, wrong in (("price", "a"), ("size", 1.5), ("tag", 7)):
        with pytest.raises(TypeError, match="its fields are price, size, tag"):
            setattr(level, name, wrong)
    assert level == Level(1.5, 2, "a") and Level(1.5, 2, "a") == level
    assert level != Level(1.5, 3, "a") and Level(1.5, 3, "a") != level
    assert level != 5 and not level == {"price": 1.5, "size": 2, "tag": "a"}


def test_another_bound_of_a_queue_says_what_to_do(seg):
    seg.queue("jobs", maxsize=2)
    with pytest.raises(ValueError, match="takes 2 items .* not 5: use that, or another name"):
        seg.queue("jobs", maxsize=5)


def test_views_are_named_when_they_keep_a_segment_open():
    numpy = pytest.importorskip("numpy")
    segment = shm_py.create(size="1MiB")
    segment.root["grid"] = numpy.zeros((3, 4))
    segment.root["row"] = numpy.zeros(7, "i4")
    views = [segment.root["grid"][...], memoryview(segment.root["row"]), segment.root["grid"][1]]
    with pytest.raises(BufferError) as caught:
        segment.close()
    assert "3 living views" in str(caught.value)
    assert "2 of Array((3, 4), float64)" in str(caught.value)
    assert "1 of Array((7,), int32)" in str(caught.value)
    assert not segment.closed and len(views) == 3
    del views
    segment.close()


def test_an_error_in_the_block_is_not_hidden_by_views():
    numpy = pytest.importorskip("numpy")
    with pytest.raises(KeyError, match="mine") as caught:
        with shm_py.create(size="1MiB") as segment:
            segment.root["a"] = numpy.zeros(3)
            view = segment.root["a"][...]
            raise KeyError("mine")
    assert not segment.closed and len(view) == 3
    del view, caught
    segment.close()


def read_until(seg, ready, stop):
    with seg.rwlock("book").read():
        ready.set()
        stop.wait(60)


def test_a_writer_that_waits_for_a_reader_is_told_who_reads(seg):
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Event(), context.Event()
    reader = context.Process(target=read_until, args=(seg, ready, stop))
    reader.start()
    assert ready.wait(60)
    with pytest.raises(shm_py.LockTimeout) as caught:
        with seg.rwlock("book").write(timeout=0.05):
            pass
    stop.set()
    reader.join()
    assert caught.value.holder_pid == reader.pid and caught.value.held_for >= 0.05
    assert f"at least by pid {reader.pid}" in str(caught.value)


def test_permits_that_others_have_are_nobodys_process(seg):
    permits = seg.semaphore("permits", 1)
    permits.acquire()
    with pytest.raises(shm_py.LockTimeout, match="others hold it") as caught:
        with seg.semaphore("permits", 1, timeout=0.01):
            pass
    assert caught.value.holder_pid == 0 and "pid 0" not in str(caught.value)


def test_the_names_of_the_contract_are_arguments(seg, tmp_path):
    assert seg.semaphore("s", n=2).value == 2
    assert seg.bounded_semaphore("bs", n=3).value == 3
    barrier = seg.barrier("b", n=2)
    other = threading.Thread(target=barrier.wait)
    other.start()
    assert barrier.parties == 2 and barrier.wait(60) in (0, 1)
    other.join()
    with pytest.raises(TypeError, match="number of parties"):
        seg.barrier("none")
    seg.put_message(obj=[1])
    message = seg.take_message(timeout=0)
    seg.free(obj=message)
    seg.root["n"] = 1
    seg.snapshot(path=tmp_path / "snapshot")
    with shm_py.restore(path=tmp_path / "snapshot", name=seg.name + "-2") as back:
        assert back.name == seg.name + "-2" and back.root["n"] == 1
    with pytest.raises(TypeError, match="path of a snapshot"):
        shm_py.restore(name="x")
    with pytest.raises(shm_py.SegmentNotFound):
        shm_py.unlink(name=seg.name + "-2")


def test_there_is_a_version():
    assert shm_py.__version__.count(".") >= 2
