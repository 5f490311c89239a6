"""Segments: made, found, closed, unlinked; and what is no segment."""

import gc
import os
import pickle
import threading
import time
import weakref

import pytest

import shm_py


def unique():
    return f"test-{os.getpid()}-{time.monotonic_ns()}"


def test_create_attach_open():
    name = unique()
    with pytest.raises(FileNotFoundError):
        shm_py.attach(name)
    with shm_py.create(name, size="1MiB") as seg:
        assert seg.name == name and not seg.closed and not seg.readonly
        assert seg.size >= 1 << 20 and 0 <= seg.used <= seg.size
        with pytest.raises(shm_py.SegmentExists) as caught:
            shm_py.create(name)
        assert isinstance(caught.value, FileExistsError) and caught.value.name == name
        with shm_py.open(name) as same, shm_py.attach(name) as third:
            same.root["x"] = 1
            assert third.root["x"] == 1
            assert repr(seg) == f'<Segment "{name}">'
        assert repr(same) == f'<Segment "{name}" closed>'
    with pytest.raises(shm_py.SegmentNotFound) as caught:
        shm_py.attach(name)
    assert caught.value.name == name


def test_attach_waits_for_the_creator_for_a_while():
    started = time.monotonic()
    with pytest.raises(shm_py.SegmentNotFound):
        shm_py.attach(unique(), timeout=0.05)
    assert 0.04 < time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("size", "expected"),
    [(1 << 20, 1 << 20), ("1MiB", 1 << 20), ("2 mib", 2 << 20), ("1MB", 10**6), ("1.5MiB", 3 << 19)],
)
def test_sizes_are_ints_or_strings(size, expected):
    with shm_py.create(size=size) as seg:
        assert expected <= seg.size <= expected + (1 << 20)


@pytest.mark.parametrize("size", ["", "MiB", "1XB", "-1", 0, -5, "1e6", 1 << 70])
def test_bad_sizes_are_value_errors(size):
    with pytest.raises(ValueError, match="size"):
        shm_py.create(size=size)


def test_bad_arguments_are_refused():
    for act in (
        lambda: shm_py.create(size=1.5),
        lambda: shm_py.create(5),
        lambda: shm_py.create(size=True),
    ):
        with pytest.raises(TypeError):
            act()
    for act in (
        lambda: shm_py.create(lifetime="never"),
        lambda: shm_py.attach(),
        lambda: shm_py.open(),
        lambda: shm_py.attach("x", timeout=float("nan")),
        lambda: shm_py.create("a/b"),
        lambda: shm_py.create(""),
    ):
        with pytest.raises(ValueError):
            act()


def test_close_ends_every_handle(seg):
    root = seg.root
    root["x"] = {"y": [1]}
    child, messages = root["x"], seg.turn()
    iterator = iter(root)
    seg.close()
    seg.close()
    assert seg.closed
    for act in (
        lambda: root["x"],
        lambda: root.__setitem__("x", 1),
        lambda: len(child),
        lambda: child["y"],
        lambda: next(iterator),
        lambda: seg.root,
        lambda: seg.list(),
        lambda: seg.has_messages(),
        lambda: messages.acquire(),
        lambda: seg.peers,
        lambda: seg.schemas(),
    ):
        with pytest.raises(shm_py.Closed) as caught:
            act()
        assert isinstance(caught.value, ValueError)
    assert "closed" in repr(seg)


def test_readonly_attachment_reads_and_refuses_writes(seg):
    seg.root["x"] = {"l": [1, [2]], "s": {1}, "b": bytearray(b"a")}
    with shm_py.attach(seg.name, readonly=True) as view:
        assert view.readonly
        x = view.root["x"]
        assert x == {"l": [1, [2]], "s": {1}, "b": bytearray(b"a")}
        assert x["l"][1][0] == 2 and x.to_py() == seg.root["x"].to_py()
        for act in (
            lambda: x.__setitem__("new", 1),
            lambda: x["l"].append(1),
            lambda: x["l"].__setitem__(0, 5),
            lambda: x["s"].add(5),
            lambda: x["b"].append(5),
            lambda: x["l"].clear(),
            lambda: view.list([1]),
            lambda: view.put_message(1),
        ):
            with pytest.raises(shm_py.ReadOnly) as caught:
                act()
            assert isinstance(caught.value, TypeError)
        seg.root["x"]["l"][0] = 7
        assert x["l"][0] == 7


def test_path_makes_a_regular_file_that_stays(tmp_path):
    file = tmp_path / "state.shm"
    with shm_py.open(path=file, size="1MiB") as seg:
        seg.root["x"] = [1, 2]
        assert os.fspath(seg.path) == os.fspath(file) and file.exists()
    with shm_py.open(path=os.fspath(file)) as seg:
        assert seg.root["x"] == [1, 2]
        again = pickle.loads(pickle.dumps(seg.root["x"]))
        assert again is seg.root["x"]
    assert file.exists()
    shm_py.unlink(path=file)
    assert not file.exists()
    with pytest.raises(shm_py.SegmentNotFound):
        shm_py.unlink(path=file)
    with pytest.raises(ValueError, match="a name or a path"):
        shm_py.unlink()


@pytest.mark.parametrize("lifetime", ["last", "creator"])
def test_a_file_goes_like_a_name_if_it_is_asked_to(tmp_path, lifetime):
    file = tmp_path / "state.shm"
    with shm_py.create(path=file, size="1MiB", lifetime=lifetime):
        with shm_py.open(path=file, lifetime="manual"):
            assert file.exists(), "its creator has decided"
    assert not file.exists()


def test_unlink_removes_the_name_and_not_the_memory():
    name = unique()
    with shm_py.create(name, size="1MiB") as seg:
        seg.unlink()
        seg.root["x"] = 1
        assert seg.root["x"] == 1
        with shm_py.create(name, size="1MiB") as other:
            assert "x" not in other.root
    with shm_py.create(name, size="1MiB", lifetime="manual"):
        pass
    assert name in [info.name for info in shm_py.segments()]
    shm_py.unlink(name)
    assert name not in [info.name for info in shm_py.segments()]
    with pytest.raises(shm_py.SegmentNotFound):
        shm_py.unlink(name)


@pytest.mark.parametrize("by_path", [False, True])
def test_unlink_may_come_after_close(tmp_path, by_path):
    place = {"path": tmp_path / "state.shm"} if by_path else {"name": unique()}
    with shm_py.create(**place, size="1MiB", lifetime="manual") as seg:
        pass
    with shm_py.attach(**place, readonly=True) as reader:
        pass
    with pytest.raises(shm_py.ReadOnly):
        reader.unlink()
    seg.unlink()
    with pytest.raises(shm_py.SegmentNotFound):
        shm_py.attach(**place)
    with shm_py.create(**place, size="1MiB", lifetime="last") as other:
        seg.unlink()
        assert shm_py.attach(**place).root == other.root, "the name is another segment's by now"
    other.unlink()


def test_segments_tells_who_is_attached(seg):
    info = next(info for info in shm_py.segments() if info.name == seg.name)
    assert info.live == 1 and info.dead == 0 and info.size == seg.size
    [peer] = seg.peers
    assert peer.pid == os.getpid() and peer.alive
    assert abs(peer.attached_at - time.time()) < 60
    assert isinstance(shm_py.prune(), list)


def test_what_is_no_segment_is_a_format_mismatch(tmp_path):
    file = tmp_path / "foreign"
    for content in (b"", b"\0" * 100, b"\0" * 8192, os.urandom(8192), b"text" * 5000):
        file.write_bytes(content)
        for reach in (shm_py.attach, shm_py.open):
            with pytest.raises(shm_py.FormatMismatch) as caught:
                reach(path=file)
            assert isinstance(caught.value, OSError)
        assert file.read_bytes() == content


def test_truncated_file_is_refused(tmp_path):
    file = tmp_path / "cut"
    with shm_py.create(path=file, size="4MiB") as seg:
        seg.root["x"] = ["y" * 1000] * 100
    whole = file.stat().st_size
    os.truncate(file, whole // 2)
    with pytest.raises((shm_py.SegmentCorrupt, shm_py.FormatMismatch)):
        shm_py.attach(path=file)


def test_a_missing_directory_is_the_systems_error(tmp_path):
    with pytest.raises(OSError):
        shm_py.create(path=tmp_path / "no" / "such" / "dir", size="1MiB")


def test_the_last_to_close_removes_the_segment():
    name = unique()
    first = shm_py.create(name, size="1MiB")
    second = shm_py.attach(name)
    first.close()
    assert name in [info.name for info in shm_py.segments()]
    second.close()
    assert name not in [info.name for info in shm_py.segments()]


def test_handles_keep_the_attachment_and_can_be_weakly_referenced():
    name = unique()
    root = shm_py.create(name, size="1MiB").root
    gc.collect()
    root["x"] = [1]
    ref = weakref.ref(root["x"])
    assert ref() is None
    child = root["x"]
    ref = weakref.ref(child)
    assert ref() is child
    del child
    assert ref() is None
    del root
    gc.collect()
    assert name not in [info.name for info in shm_py.segments()]


def test_resurrection_by_a_weakref_callback_makes_a_new_proxy(seg):
    seg.root["x"] = [1]
    seen = []
    child = seg.root["x"]
    ref = weakref.ref(child, lambda _: seen.append(seg.root["x"]))
    del child
    assert ref() is None
    assert seen[0] == [1] and seg.root["x"] is seen[0]


def test_messages_are_first_in_first_out(seg, other):
    assert not seg.has_messages()
    with pytest.raises(shm_py.NoMessages):
        seg.take_message(timeout=0)
    with pytest.raises(shm_py.NoMessages):
        seg.take_message(timeout=0.02)
    for message in ("one", ["two", (2, {"n": 2})], None):
        seg.put_message(message)
    assert other.has_messages()
    assert other.take_message() == "one"
    taken = other.take_message(1)
    assert taken == ["two", (2, {"n": 2})]
    taken.append("mine")
    assert other.take_message(timeout=5) is None
    import queue

    with pytest.raises(queue.Empty):
        seg.take_message(0)


def test_turn_is_exclusive_among_threads_too(seg):
    import threading

    seg.root["n"] = 0

    def work():
        for _ in range(50):
            with seg.turn("t"):
                seg.root["n"] = seg.root["n"] + 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seg.root["n"] == 150
    turn = seg.turn("t")
    assert turn.name == "t" and not turn.locked()
    with turn:
        assert turn.locked()
        with pytest.raises(ValueError, match="already held"):
            turn.acquire()
        caught = []

        def other():
            try:
                seg.turn("t").acquire(timeout=0.05)
            except shm_py.LockTimeout as error:
                caught.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        [error] = caught
        assert isinstance(error, TimeoutError) and error.holder_pid == os.getpid()
        assert error.held_for > 0
    with pytest.raises(ValueError, match="not held"):
        turn.release()


def test_errors_are_their_built_ins_too():
    import queue

    for name, base in {
        "SegmentExists": FileExistsError,
        "SegmentNotFound": FileNotFoundError,
        "SegmentFull": MemoryError,
        "SegmentCorrupt": OSError,
        "FormatMismatch": OSError,
        "SchemaMismatch": TypeError,
        "UnsupportedType": TypeError,
        "Closed": ValueError,
        "ReadOnly": TypeError,
        "LockTimeout": TimeoutError,
        "NoMessages": queue.Empty,
    }.items():
        error = getattr(shm_py, name)
        assert issubclass(error, shm_py.ShmError) and issubclass(error, base)
        assert str(error("text")) == "text"
    assert set(shm_py.__all__) == {n for n in dir(shm_py) if n in shm_py.__all__}

def test_a_freed_object_is_closed_for_everybody(seg):
    seg.root["x"] = {"a": [1, 2, 3], "b": {4}}
    items, members = seg.root["x"]["a"], seg.root["x"]["b"]
    seg.free(items)
    for use in (len, list, repr_of_first, lambda x: x.append(1)):
        with pytest.raises(shm_py.Closed):
            use(items)
    with pytest.raises(shm_py.Closed):
        list(seg.root["x"]["a"])
    assert members == {4}
    with pytest.raises(ValueError, match="root|needs this dict"):
        seg.free(seg.root)
    with pytest.raises(ValueError, match="only shared objects can be freed, not int"):
        seg.free(5)
    assert seg.check().findings == []


def repr_of_first(items):
    return repr(items[0])


def test_a_freed_object_is_not_stored_and_seen_as_freed(seg):
    seg.root["x"] = {"a": [1, 2, 3], "n": 1}
    items = seg.root["x"]["a"]
    watch = seg.watch(items)
    waiting = threading.Thread(target=lambda: pytest.raises(shm_py.Closed, watch.wait, 30))
    waiting.start()
    seg.free(items)
    waiting.join()
    assert repr(seg.root) == "Dict({'x': {'a': <freed>, 'n': 1}})"
    for use in (
        lambda: seg.root.__setitem__("again", items),
        lambda: seg.list([items]),
        lambda: seg.root.__setitem__("again", {"deep": (items,)}),
        lambda: seg.put_message(items),
        lambda: seg.queue("q").put(items),
        lambda: seg.watch(items).poll(),
    ):
        with pytest.raises(shm_py.Closed):
            use()
    assert "again" not in seg.root and not seg.has_messages()


def test_two_attachments_of_one_process_share_objects(seg, other):
    mine = seg.list([1])
    other.root["x"] = {"deep": [mine]}
    assert seg.root["x"]["deep"][0] is mine
    other.root["x"]["deep"][0].append(2)
    assert mine == [1, 2]
    seg.root["y"] = other.root["x"]
    assert seg.root["y"] is seg.root["x"]


def test_stats_say_what_the_memory_is_used_for(seg):
    before = seg.stats()
    seg.root["x"] = [["a text of its own block"] * 3 for _ in range(100)]
    held = seg.root["x"][0]
    stats = seg.stats()
    kinds = {kind.kind: kind for kind in stats.kinds}
    assert kinds["list"].number - {kind.kind: kind for kind in before.kinds}["list"].number == 101
    assert sum(size.taken * size.bytes for size in stats.sizes) == stats.taken
    assert before.taken < stats.taken <= stats.used <= stats.size
    (pins,) = [pins for pins in stats.pins if pins.pid == os.getpid()]
    assert pins.objects >= 1
    del held, seg.root["x"]
    assert seg.gc() >= 0
    after = seg.stats()
    assert after.collections == before.collections + 1
    assert 0 < after.last_pause <= after.longest_pause
    assert after.taken < stats.taken


def test_a_bytearray_takes_the_arguments_of_the_built_in(seg):
    assert seg.bytearray("x", "utf8") == bytearray("x", "utf8")
    assert seg.bytearray("é", encoding="ascii", errors="replace") == b"?"
    assert seg.bytearray(source=3) == bytearray(3)
    for arguments in [("é", "ascii"), (b"x", "utf8"), ("x",), ("x", "no such encoding")]:
        with pytest.raises((TypeError, ValueError, LookupError)) as ours:
            seg.bytearray(*arguments)
        with pytest.raises(type(ours.value)):
            bytearray(*arguments)
