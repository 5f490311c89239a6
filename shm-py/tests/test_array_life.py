"""Arrays as shared objects: stored, viewed, copied, freed, in transactions."""

import array as built_in_array
import copy
import pickle
import weakref

import numpy as np
import pytest

import shm_py


def test_arrays_are_values(seg, other):
    source = np.arange(6.0)
    seg.root["a"] = {"list": [source, source, {"x": np.asfortranarray(source.reshape(2, 3))}]}
    first, second, inner = other.root["a"]["list"]
    assert type(first) is shm_py.Array and first is second
    assert first is other.root["a"]["list"][1]
    assert inner["x"].tolist() == source.reshape(2, 3).tolist()
    source[0] = 99
    assert first[0] == 0.0
    seg.root["a"]["list"].append(source[::-2])
    assert other.root["a"]["list"][3].tolist() == [5.0, 3.0, 1.0]
    seg.put_message(np.arange(3))
    assert other.take_message().tolist() == [0, 1, 2]
    seg.root["b"] = built_in_array.array("h", [1, -2, 3])
    assert seg.root["b"].dtype == "i2" and seg.root["b"].tolist() == [1, -2, 3]
    copied = seg.root["a"].to_py()
    assert type(copied["list"][0]) is np.ndarray and np.array_equal(copied["list"][0], np.arange(6.0))
    seg.root["keep"] = first.tolist()
    assert "Array((6,), float64)" in repr(seg.root["a"])


def test_copies_are_plain_and_pickles_are_the_array(seg):
    items = seg.array(np.arange(3))
    for made in (copy.copy(items), copy.deepcopy(items), items.to_py(), copy.deepcopy({"x": items})["x"]):
        assert type(made) is np.ndarray and made.tolist() == [0, 1, 2]
        made[0] = 9
    assert items[0] == 0
    assert pickle.loads(pickle.dumps(items)) is items
    reference = weakref.ref(seg.array(3))
    assert reference() is None and weakref.ref(items)() is items


def test_a_view_keeps_the_segment_open(seg):
    for take in (memoryview, np.asarray, lambda items: items[1:], lambda items: items._bytes()):
        view = take(seg.array(np.arange(3)))
        with pytest.raises(BufferError, match=r"1 living view \(.*1 of Array\(\(3,\), int64\)"):
            seg.close()
        assert bytes(view)
        del view
    seg.close()


def test_an_array_with_views_is_not_freed(seg):
    items = seg.root["x"] = seg.array(1000)
    items = seg.root["x"]
    view = items[...]
    with pytest.raises(BufferError, match="1 living views"):
        seg.free(items)
    view[0] = 1
    assert items[0] == 1.0
    del view
    taken = seg.stats().taken
    seg.free(items)
    for use in (
        lambda: items[0],
        lambda: items[...],
        lambda: items.shape,
        lambda: memoryview(items),
        lambda: items.__array_interface__,
        lambda: np.asarray(items),
        lambda: items.notify(),
        lambda: items.__setitem__(0, 1),
        lambda: seg.root.__setitem__("y", items),
        lambda: seg.root["x"][0],
    ):
        with pytest.raises(shm_py.Closed):
            use()
    assert "<freed>" in repr(seg.root)
    # Somebody may have kept the address: it goes with the last reference.
    assert seg.stats().taken == taken
    del items, use
    assert seg.stats().taken < taken - 8000


def test_an_array_that_nobody_saw_is_freed_at_once(seg):
    seg.root["x"] = seg.array(1000)
    items = seg.root["x"]
    items[5] = 1.5
    taken = seg.stats().taken
    seg.free(items)
    assert seg.stats().taken < taken - 8000
    with pytest.raises(shm_py.Closed):
        items[5]


def test_memory_stays_while_another_attachment_looks(seg, other):
    seg.root["x"] = np.arange(1000.0)
    view = other.root["x"][...]
    seg.free(seg.root["x"])
    del seg.root["x"]
    for _ in range(20):
        seg.array(1000).fill(7)
    assert view.tolist() == list(range(1000))
    view[:] = 5
    del view
    assert seg.check().sound


def test_the_buffer_of_a_bystander_is_safe(seg):
    # numpy keeps the object and an address here, and no buffer.
    seg.root["x"] = seg.array(np.arange(4.0))
    items = seg.root["x"]
    alias = np.ndarray((4,), "f8", buffer=items)
    seg.free(items)
    del items
    fresh = [seg.array(4) for _ in range(50)]
    alias[:] = 9.0
    assert all(not one[...].any() for one in fresh)


def test_readers_have_views_that_only_read(seg):
    seg.root["x"] = np.arange(3)
    with shm_py.attach(seg.name, readonly=True) as reader:
        items = reader.root["x"]
        assert items[1] == 1 and items.sum() == 3 and items.to_py().flags.writeable
        view = items[...]
        assert not view.flags.writeable and memoryview(items).readonly
        with pytest.raises(shm_py.ReadOnly):
            items[0] = 1
        with pytest.raises(shm_py.ReadOnly):
            reader.array(3)
        for store in (lambda: items.fill(1), lambda: items.__setitem__(..., 1), lambda: view.sort()):
            with pytest.raises(ValueError, match="read-only"):
                store()
        with pytest.raises(ValueError, match="read-only"):
            items += 1
        seg.root["x"][0] = 9
        assert view[0] == 9
        del view


def test_transactions_undo_arrays_and_single_elements(seg, other):
    items = seg.array(np.arange(3))
    seg.root["x"] = items
    fresh = None
    with pytest.raises(KeyError):
        with seg.transaction():
            items[0] = 9
            seg.root["new"] = np.arange(4.0)
            fresh = seg.root["new"]
            fresh[1] = 5.5
            assert fresh[0] == 0.0 and fresh[1] == 5.5 and items[0] == 9
            with pytest.raises(BufferError, match="transaction"):
                fresh[...]
            items[...]
            raise KeyError
    assert items[0] == 0 and "new" not in seg.root
    for use in (lambda: fresh[0], lambda: fresh[...], lambda: seg.root.__setitem__("y", fresh)):
        with pytest.raises(shm_py.Closed):
            use()
    with seg.transaction():
        seg.root["new"] = seg.array(np.arange(4.0))
        items[0] = 7
        fresh = seg.root["new"]
    assert fresh[...].sum() == 6.0 and other.root["x"][0] == 7
    assert other.root["new"].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_changes_are_told_on_request(seg, other):
    seg.root["x"] = np.arange(3)
    watch = other.watch("x")
    items = seg.root["x"]
    items[0] = 5
    items += 1
    assert not watch.poll()
    items.notify()
    assert watch.poll() and watch.value[0] == 6
    with items.lock(), items.lock():
        items[0] = 7
    assert not items.wait_changed(timeout=0)
