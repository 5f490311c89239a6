"""Cycles are collected, what is held stays, and the report says where something is."""

import gc
import os

import pytest

import shm_py

LONG = "a text that takes a block of its own"


def test_cycles_are_collected(seg):
    seg.root["kept"] = {"a": [LONG]}
    seg.gc()
    before = seg.check()
    ring = seg.list([LONG])
    ring.append({"ring": ring, "pair": (ring, LONG)})
    assert seg.gc() == 0
    del ring
    gc.collect()
    report = seg.check()
    assert report.sound and report.garbage == 2
    assert seg.gc() == report.bytes - before.bytes > 0
    assert seg.check() == before
    assert seg.gc() == 0
    assert seg.root["kept"]["a"] == [LONG]


def test_what_a_handle_holds_stays(seg, other):
    ring = seg.list([1])
    ring.append(seg.list([ring]))
    seg.root["x"] = ring
    inner = other.root["x"][1]
    del seg.root["x"], ring
    gc.collect()
    assert seg.gc() == 0
    assert inner[0][0] == 1 and inner[0][1] is inner
    del inner
    gc.collect()
    assert other.gc() > 0
    assert seg.check().sound and seg.check().garbage == 0


def test_full_segments_are_collected_by_themselves():
    with shm_py.create(size="4MiB") as seg:
        for _ in range(60):
            ring = seg.list([bytes(300_000)])
            ring.append(ring)
            del ring
        assert seg.check().sound


def test_report_counts_what_is_there(seg):
    seg.root["book"] = {"bids": [1, LONG]}
    report = seg.check()
    assert report.findings == [] and report.sound
    assert report.objects == 5 and report.leaves == 1 and report.garbage == 0
    assert report.blocks > 0 and report.bytes > 0


def test_readonly_attachments_check_and_do_not_collect(seg):
    with shm_py.attach(seg.name, readonly=True) as reader:
        assert reader.check().sound
        with pytest.raises(shm_py.ReadOnly):
            reader.gc()


def test_memory_goes_back_to_the_system_when_nobody_else_is_attached():
    with shm_py.create(size="64MiB") as seg:
        seg.root["kept"] = ["a", {"b": LONG}]
        seg.root["large"] = [bytes([n]) * (1 << 20) for n in range(16)]
        path = f"/dev/shm/{seg.name}"
        used, taken = seg.used, os.stat(path).st_blocks
        assert used > 16 << 20 and taken * 512 > 16 << 20
        del seg.root["large"]
        with shm_py.attach(seg.name) as other:
            seg.gc()
            assert seg.used == used and other.used == used
        seg.gc()
        assert seg.used < 2 << 20
        assert (taken - os.stat(path).st_blocks) * 512 > 14 << 20
        assert seg.root["kept"] == ["a", {"b": LONG}]
        seg.root["again"] = [bytes([n]) * (1 << 20) for n in range(16)]
        assert seg.root["again"][15][-1] == 15
        assert seg.check().sound
