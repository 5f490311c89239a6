"""A full /dev/shm, as small as Docker's or smaller: an error each time, and everything goes on.

The programs run in a mount namespace of their own, with a tmpfs of a few MiB over /dev/shm.
"""

import os
import subprocess
import sys
import textwrap

import pytest

import shm_py

# Whoever is not root becomes it in a user namespace.
SMALL = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWUSER, REC, PRIVATE = 0x20000, 0x10000000, 0x4000, 1 << 18
def done(status):
    if status != 0:
        raise OSError(ctypes.get_errno(), "no mount namespace: be root, or allow user namespaces")
done(libc.unshare(NEWNS | (0 if os.geteuid() == 0 else NEWUSER)))
done(libc.mount(b"none", b"/", None, REC | PRIVATE, None))
done(libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", 0, b"size=8m"))
import shm_py
def fill(operation, start=0):
    for number in range(start, 10_000_000):
        try:
            operation(number)
        except shm_py.SegmentFull as error:
            assert error.wanted > 0 and "8 MiB in all" in str(error) and "--shm-size" in str(error)
            return number
"""


def run_small(program):
    """Runs a program where /dev/shm has 8 MiB."""
    command = [sys.executable, "-W", "error", "-c", SMALL + textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("item", ['{"id": number, "tags": [number]}', "[number, [number]]"])
def test_all_messages_can_be_taken_and_kept_when_nothing_more_fits(item):
    run_small(f"""
        seg = shm_py.create()
        jobs = seg.queue("jobs")
        put = fill(lambda number: jobs.put({item}))
        # The last pages too.
        filler = seg.list()
        for size in (200, 24, 1):
            fill(lambda _: filler.append("x" * size))
        fill(lambda _: filler.append(seg.list()))
        taken = [jobs.get_nowait() for _ in range(put)]
        assert put > 10_000 and jobs.empty()
        assert all(job.to_py() == {item} for number, job in enumerate(taken))
        # They are shared objects like any other.
        last = taken[-1]["tags"] if isinstance(taken[-1], shm_py.Dict) else taken[-1][1]
        last += [{{"new": [1]}}]
        last[-1]["new"].append(2)
        assert last.to_py() == [put - 1, {{"new": [1, 2]}}]
        filler.clear()
        seg.root["first"] = taken[0].to_py()
        assert seg.check().sound
    """)


def test_messages_of_a_full_segment_share_a_place():
    with shm_py.create(size="4MiB") as seg:
        jobs, filler = seg.queue("jobs"), seg.list()
        for number in range(400):
            jobs.put({"id": number, "more": [number]})
        for size in (1 << 16, 1 << 10, 200, 64, 24, 1):
            with pytest.raises(shm_py.SegmentFull):
                while True:
                    filler.append("x" * size)
        with pytest.raises(shm_py.SegmentFull):
            keep = []
            while True:
                keep.append(seg.list())
        before = len(os.listdir("/proc/self/fd"))
        taken = [jobs.get() for _ in range(400)]
        assert [job["id"] for job in taken] == list(range(400))
        assert [job["more"][0] for job in taken] == list(range(400))
        assert len(os.listdir("/proc/self/fd")) <= before + 4
        names = {segment.name for segment in shm_py.segments()}
        # It goes with the last of them.
        del taken
        assert len({segment.name for segment in shm_py.segments()}) < len(names)


def test_each_operation_that_finds_no_room_leaves_all_as_it_was_and_there_is_room_again():
    run_small("""
        import collections, dataclasses, typing
        @shm_py.struct
        class Sample:
            number: shm_py.i64
            text: str
            values: typing.List[shm_py.f64]
        @dataclasses.dataclass
        class Point:
            x: int
            y: str
        TEXT = "a text of a length that takes a block of its own"
        seg = shm_py.create()
        kept = {"list": [TEXT, 1, {"deep": (1, TEXT)}], "text": TEXT}
        seg.root["kept"] = kept
        topic = seg.topic("topic", keep=65_535)
        reader = topic.subscribe()

        def extend(target):
            return lambda number: target.extend([TEXT + str(number)] * 100)
        def put_aside(number):
            with seg.transaction():
                target[number] = TEXT
                target[TEXT + str(number)] = [number]
        def content():
            return [a.tolist() for a in target] if name == "arrays" else target.to_py()
        def tune(number):
            with target.update() as sample:
                sample.number, sample.values, sample.text = number, [1.5] * 4000 * number, TEXT

        cases = {
            "list": ([], lambda: lambda number: target.append(TEXT + str(number))),
            "slices": ([1, 2], lambda: lambda number: target.__setitem__(slice(1, 1), [TEXT] * 100)),
            "nested": ([], lambda: lambda number: target.append({"a": [number, TEXT]})),
            "dict": ({}, lambda: lambda number: target.__setitem__(TEXT + str(number), number)),
            "update": ({}, lambda: lambda number: target.update({(number, i): i for i in range(99)})),
            "set": (set(), lambda: lambda number: target.add((number, TEXT))),
            "bytes": (bytearray(), lambda: lambda number: target.extend(bytes(9_999))),
            "deque": (collections.deque(), lambda: lambda number: target.appendleft(TEXT + str(number))),
            "default": (collections.defaultdict(list), lambda: lambda number: target[number].append(1)),
            "ordered": (collections.OrderedDict(), lambda: lambda number: target.__setitem__(number, TEXT)),
            "counter": (collections.Counter(), lambda: lambda number: target.update([(number, i) for i in range(99)])),
            "objects": ([], lambda: lambda number: target.append(Point(number, TEXT))),
            "structs": ([], lambda: lambda number: target.append(Sample(number, TEXT, [0.5] * 9))),
            "struct": (Sample(0, "", []), lambda: tune),
            "vector": (Sample(0, "", []), lambda: lambda number: target.values.extend([float(number)] * 999)),
            "arrays": ([], lambda: lambda number: target.append(seg.array((99,), "f4"))),
            "transactions": ({}, lambda: put_aside),
            "topic": ([], lambda: lambda number: topic.publish({"number": number, "text": TEXT * 9})),
        }
        for name, (value, make) in cases.items():
            seg.root["target"] = value
            target = seg.root["target"]
            operation = make()
            count = fill(operation)
            assert count > 2, name
            before = content()
            # And so it stays, for whatever does not fit.
            assert fill(operation, count) == count, name
            for large in ("x" * 9_000_000, [TEXT * 1000] * 200, {i: TEXT * 100 for i in range(2000)}):
                try:
                    seg.root["large"] = large
                except shm_py.SegmentFull:
                    pass
                else:
                    raise AssertionError(name)
            assert content() == before and "large" not in seg.root, name
            assert seg.root["kept"].to_py() == kept, name
            report = seg.check()
            assert report.sound, (name, report)
            seg.snapshot("/tmp/shm-full-%d" % os.getpid())
            os.remove("/tmp/shm-full-%d" % os.getpid())
            del target, seg.root["target"]
            if name == "topic":
                # It keeps what was read.
                assert [reader.get(timeout=0)["number"] for _ in range(count)] == list(range(count))
                continue
            seg.gc()
            assert fill(lambda number: seg.root.__setitem__(number, TEXT)) > 1000, name
            for number in [key for key in seg.root if type(key) is int]:
                del seg.root[number]
        assert seg.check().sound and seg.root.to_py() == {"kept": kept}
    """)


def test_a_queue_that_fills_its_segment_is_emptied_by_leases():
    run_small("""
        seg = shm_py.create()
        jobs, filler = seg.queue("jobs"), seg.list()
        put = fill(lambda number: jobs.put({"id": number, "tags": [number]}))
        for size in (200, 24):
            fill(lambda _: filler.append("x" * size))
        fill(lambda _: filler.append(seg.list()))
        held = []
        for number in range(put):
            lease = jobs.get_lease(timeout=0)
            assert lease.value["id"] == number and lease.value["tags"] == [number]
            if number % 7:
                lease.ack()
            else:
                held.append(lease)
                if len(held) == 20:
                    while held:
                        held.pop(len(held) // 2).ack()
        try:
            with jobs.get_lease(timeout=0) if not jobs.empty() else held.pop() as last:
                raise KeyError(last["id"])
        except KeyError as error:
            # It comes back.
            assert jobs.get_nowait()["id"] == error.args[0]
        for lease in held:
            lease.ack()
        assert jobs.empty() and jobs.leased() == 0 and put > 10_000
        assert seg.check().sound
    """)


def test_whatever_only_removes_needs_no_room_and_who_comes_can_do_it():
    with shm_py.create(size="4MiB") as seg:
        numbers = list(range(2_000))
        text = "a text of a length that takes a block of its own"
        seg.root["ints"], seg.root["data"] = numbers, bytearray(range(250))
        seg.root["texts"] = [text + str(number) for number in numbers]
        seg.root["dict"] = {text + str(number): number for number in numbers}
        seg.root["set"] = {text + str(number) for number in numbers}
        filler = seg.root["filler"] = seg.list()
        filler = seg.root["filler"]
        for size in (1 << 16, 1 << 13, 1 << 12, 1 << 11, 1 << 10, 500, 200, 100, 64, 24):
            with pytest.raises(shm_py.SegmentFull):
                while True:
                    filler.append("x" * size)
        with pytest.raises(shm_py.SegmentFull):
            while True:
                filler.append(seg.list())
        with shm_py.attach(seg.name) as other:
            ints, data, texts = (other.root[name] for name in ("ints", "data", "texts"))
            model = list(numbers)
            for change in (
                lambda items: items.pop(1000),
                lambda items: items.remove(700),
                lambda items: items.__delitem__(slice(None, None, 3)),
                lambda items: items.__delitem__(slice(100, 900)),
                lambda items: items.__delitem__(-3),
            ):
                change(model), change(ints)
                assert ints.to_py() == model
            del data[3:200:2], data[5:20]
            expected = bytearray(range(250))
            del expected[3:200:2], expected[5:20]
            assert data.to_py() == expected
            del texts[10:1500], texts[::2]
            assert texts.to_py() == [text + str(n) for n in (*range(10), *range(1500, 2000))][1::2]
            other.root["dict"].clear()
            other.root["set"].clear()
            assert other.check().sound
            del ints, data, texts
        assert seg.root["dict"].to_py() == {} and seg.root["set"].to_py() == set()
        seg.root["filler"].clear()
        assert seg.check().sound


def test_equality_never_lies_where_nothing_more_can_be_pinned():
    with shm_py.create(size="4MiB") as seg:
        one, same, other, many = seg.list(), seg.list(), seg.list(), seg.list()
        for number in range(40):
            for items, last in ((one, 0), (same, 0), (other, number == 30)):
                items.append([number, [int(last)]])
        for number in range(200):
            many.append([number])
        filler = seg.list()
        for size in (1 << 16, 1 << 13, 1 << 12, 1 << 11, 1 << 10, 500, 200, 100, 64, 24):
            with pytest.raises(shm_py.SegmentFull):
                while True:
                    filler.append("x" * size)
        held = []
        with pytest.raises(shm_py.SegmentFull):
            for number in range(200):
                held.append(many[number])
        for equal, pair in ((True, (one, same)), (False, (one, other))):
            try:
                assert (pair[0] == pair[1]) is equal
                assert (pair[0] != pair[1]) is not equal
            except shm_py.SegmentFull:
                pass
