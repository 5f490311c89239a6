"""Arrays: made, seen by numpy where they are, changed in place."""

import gc
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import shm_py

SIMPLE = "? i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 f8 c8 c16".split()
OTHERS = ["S5", "U3", "M8[ns]", "m8[s]", ">f8", "V7", [("x", "f8"), ("name", "S4")], np.longdouble]
ALIGNED = np.dtype([("a", "i1"), ("b", "f8"), ("c", "(2,3)u2")], align=True)


def some_of(dtype, shape):
    """An array with different elements."""
    made = np.zeros(shape, dtype)
    if made.dtype == np.longdouble:
        made += 1.5
        return made
    bytes_of = made.reshape(-1).view("u1")
    bytes_of[:] = np.arange(len(bytes_of)) % 7 + 48
    if made.dtype.kind == "b":
        bytes_of[:] %= 2
    if made.dtype.kind == "U":
        made[...] = "ab"
    return made


@pytest.mark.parametrize("dtype", [*SIMPLE, *OTHERS, ALIGNED], ids=str)
@pytest.mark.parametrize("shape", [(), (5,), (0,), (2, 3), (3, 0, 2), (2, 1, 4)], ids=str)
def test_every_dtype_and_shape_comes_back(seg, other, dtype, shape):
    source = some_of(dtype, shape)
    zeros = seg.array(shape, dtype)
    assert (zeros.shape, zeros.dtype, zeros.size) == (source.shape, source.dtype, source.size)
    assert zeros[...].tobytes() == b"\0" * source.nbytes
    seg.root["x"] = source
    for found in (seg.root["x"], other.root["x"]):
        view = np.asarray(found)
        assert (view.dtype, view.shape) == (source.dtype, source.shape)
        assert view.tobytes() == source.tobytes()
        assert view.flags.writeable and view.flags.aligned and view.flags.c_contiguous
        assert (found.ndim, found.itemsize, found.nbytes) == (source.ndim, source.itemsize, source.nbytes)
        assert repr(found.tolist()) == repr(source.tolist())
        del view
    assert seg.check().sound


def test_what_says_a_dtype(seg):
    same = {
        "f8": "f8 <f8 float float64 d".split() + [float, np.float64, np.dtype("f8"), shm_py.f64, None],
        "i8": ["i8", "int", int, "q", np.int64, shm_py.i64, "long"],
        "u1": ["u1", "B", np.uint8, "uint8", "|u1", shm_py.u8],
        "i1": ["i1", "b", shm_py.i8],
        "f2": ["f2", "e", np.half],
        "i2": [shm_py.i16, "short", "h"],
        "f4": [shm_py.f32, np.float32, "single"],
        "?": ["?", bool, "bool", "b1", np.bool_],
        "c16": [complex, "D", "complex", "c16"],
    }
    for dtype, ways in same.items():
        for way in ways:
            assert seg.array(2, way).dtype == np.dtype(dtype), way
    assert seg.array((2, 3), ("f4", (4,))).shape == (2, 3, 4)
    for wrong in (object, "O", [("a", "f8"), ("b", object)], np.dtypes.StringDType()):
        with pytest.raises(shm_py.UnsupportedType):
            seg.array(3, wrong)
    for wrong in (shm_py.i128, "nonsense"):
        with pytest.raises(TypeError):
            seg.array(3, wrong)
    with pytest.raises(ValueError, match="0 bytes"):
        seg.array(3, "S")


def test_shapes_that_cannot_be(seg):
    before = seg.check().blocks
    for wrong, error in [
        (-1, ValueError),
        ((2, -3), ValueError),
        ((2.5,), TypeError),
        ((1,) * 65, ValueError),
        (1 << 60, ValueError),
        (1 << 70, ValueError),
        ((1 << 40, 1 << 40), ValueError),
        (1 << 30, shm_py.SegmentFull),
    ]:
        with pytest.raises(error):
            seg.array(wrong)
    assert seg.check().blocks == before


def test_elements_are_python_numbers(seg):
    for dtype, value in [("i2", -5), ("u8", 2**64 - 1), ("f4", 1.5), ("?", True), ("c8", 1 - 2j), ("f2", 0.5)]:
        items = seg.array((2, 3), dtype)
        items[1, 2] = value
        assert items[1, 2] == items[-1, -1] == value and type(items[1, 2]) is type(value)
        assert items[np.int64(1), np.uint8(2)] == value
        assert items[0, 2] == items[1, 1] == 0
    halves = seg.array(3, "f2")
    halves[...] = [6.1e-5, 5.96e-8, -np.inf]
    assert [halves[0], halves[1], halves[2]] == halves[...].tolist()
    numbers = seg.array(4, "i1")
    for key in (4, -5, (4,), 2**70):
        with pytest.raises(IndexError):
            numbers[key]
        with pytest.raises(IndexError):
            numbers[key] = 1
    for wrong in (128, -129, 2**70):
        with pytest.raises(OverflowError):
            numbers[0] = wrong
    with pytest.raises((TypeError, ValueError)):
        numbers[0] = "x"
    with pytest.raises(OverflowError):
        seg.array(1, "u1")[0] = -1
    # As numpy stores it.
    numbers[0] = 2.7
    numbers[1] = np.float32(3)
    numbers[2] = True
    assert numbers.tolist() == [2, 3, 1, 0]
    one = seg.array((), "f8")
    one[()] = 2.5
    assert one[()] == one.item() == float(one) == 2.5
    with pytest.raises(TypeError):
        len(one)


def test_indexing_is_that_of_numpy(seg):
    model = np.arange(24.0).reshape(2, 3, 4)
    items = seg.array(model)
    keys = [
        ...,
        1,
        -1,
        slice(None),
        (slice(None), 1),
        (..., slice(None, None, -2)),
        (1, slice(0, 2), 3),
        None,
        [1, 0],
        model > 5,
        (0, [0, 2]),
        True,
        np.array([1]),
    ]
    for key in keys:
        assert np.array_equal(items[key], model[key]), key
    assert np.shares_memory(items[1], items[...]) and np.shares_memory(items[:, 1], items[...])
    for number, key in enumerate(keys[1:-2]):
        items[key] = model[key] = -number
        assert np.array_equal(items, model), key
    items[0, 1] = model[0, 1] = [1, 2, 3, 4]
    assert np.array_equal(items, model)
    for wrong in (7, (0, 0, 0, 0), "x", 1.5):
        with pytest.raises(IndexError):
            items[wrong]


def test_operators_return_plain_arrays(seg):
    model = np.arange(1, 7).reshape(2, 3)
    items = seg.array(model)
    for name in "add sub mul truediv floordiv mod pow lshift rshift and_ or_ xor".split():
        function = getattr(operator, name)
        for other in (2, model, model[0], items):
            plain = np.asarray(other)
            for got, expected in [
                (function(items, other), function(model, plain)),
                (function(other, items), function(plain, model)),
            ]:
                assert type(got) is np.ndarray and np.array_equal(got, expected), name
    for name in "eq ne lt le gt ge".split():
        got = getattr(operator, name)(items, 3)
        assert type(got) is np.ndarray and np.array_equal(got, getattr(operator, name)(model, 3))
    assert np.array_equal(items == items, model == model)
    assert np.array_equal(items @ np.ones(3), model @ np.ones(3))
    assert np.array_equal(np.ones(2) @ items, np.ones(2) @ model)
    assert np.array_equal(-items, -model) and np.array_equal(~items, ~model)
    assert np.array_equal(abs(+items), model) and np.array_equal(divmod(items, 2), divmod(model, 2))
    assert np.array_equal(np.sqrt(items), np.sqrt(model)) and np.concatenate([items, items]).shape == (4, 3)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(items)
    assert not seg.array(1) and seg.array([5]) and int(seg.array([5])) == 5
    with pytest.raises(TypeError):
        hash(items)


def test_in_place_operators_change_the_shared_elements(seg, other):
    model = np.arange(1.0, 7.0)
    seg.root["x"] = model
    items, elsewhere = seg.root["x"], other.root["x"]
    for name in "iadd isub imul itruediv ifloordiv ipow imod".split():
        function, before = getattr(operator, name), items
        items = function(items, 2)
        model = function(model, 2)
        assert items is before and np.array_equal(elsewhere, model), name
    items += items
    model += model
    assert np.array_equal(elsewhere, model)
    whole = seg.array([1, 2])
    with pytest.raises(TypeError):
        whole += 0.5
    assert whole.tolist() == [1, 2]
    items.fill(7)
    assert (elsewhere[...] == 7).all()


def test_methods_of_numpy_work_on_the_elements(seg):
    items = seg.array([3.0, 1.0, 2.0])
    assert (items.sum(), items.mean(), items.max()) == (6.0, 2.0, 3.0)
    items.sort()
    assert list(items) == [1.0, 2.0, 3.0] and 2.0 in items and 9 not in items
    assert items.reshape(3, 1).shape == (3, 1) and items.T.shape == (3,)
    assert items.astype("i4").dtype == "i4" and type(items.copy()) is np.ndarray
    rows = list(seg.array(np.arange(6).reshape(2, 3)))
    assert [row.tolist() for row in rows] == [[0, 1, 2], [3, 4, 5]]
    for name in ("nonsense", "_private", "__array_ufunc__"):
        with pytest.raises(AttributeError):
            getattr(items, name)
    with pytest.raises(AttributeError):
        items.nonsense = 1


def test_protocols_of_arrays(seg):
    items = seg.array(np.arange(6, dtype="i4").reshape(2, 3))
    with memoryview(items) as view:
        assert (view.format, view.shape, view.strides, view.itemsize) == ("i", (2, 3), (12, 4), 4)
        assert not view.readonly and view.c_contiguous and view.tolist() == items.tolist()
        view[1, 2] = 50
    assert items[1, 2] == 50
    interface = items.__array_interface__
    assert (interface["shape"], interface["typestr"], interface["version"]) == ((2, 3), "<i4", 3)

    class Other:
        __array_interface__ = interface

    assert np.array_equal(np.asarray(Other()), items)
    assert items.__dlpack_device__() == (1, 0)
    exchanged = np.from_dlpack(items)
    assert np.shares_memory(exchanged, items[...])
    # Before numpy 2.1, what it takes in so is read-only to it.
    assert exchanged.flags.writeable == (np.lib.NumpyVersion(np.__version__) >= "2.1.0")
    assert np.asarray(items, dtype="f8").dtype == "f8" and np.array(items).base is None
    with pytest.raises(ValueError):
        items.__array__("f8", copy=False)
    assert np.shares_memory(items.__array__(copy=False), items[...])
    assert not np.shares_memory(items.__array__(copy=True), items[...])
    del exchanged, interface, Other
    assert bytes(seg.array(b"abc")) == b"abc" and seg.array(memoryview(b"abc")).dtype == "u1"
    gc.collect()


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, int])
def test_every_way_to_numpy_gives_the_type_that_it_was(seg, dtype):
    items = seg.array(3, dtype)
    for found in (items[...], np.asarray(items), np.asarray(memoryview(items)), np.from_dlpack(items)):
        assert found.dtype.type is np.dtype(dtype).type


def test_arrays_are_gone_through_both_ways(seg):
    assert list(reversed(seg.array([1, 2, 3]))) == [3, 2, 1]
    assert [row.tolist() for row in reversed(seg.array([[1, 2], [3, 4]]))] == [[3, 4], [1, 2]]


def test_buffers_of_other_orders_are_refused(seg):
    items = seg.array((2, 3))
    ctypes = pytest.importorskip("ctypes")
    get = ctypes.pythonapi.PyObject_GetBuffer

    class Buffer(ctypes.Structure):
        _fields_ = [("buf", ctypes.c_void_p), ("obj", ctypes.py_object), ("rest", ctypes.c_byte * 64)]

    for flags, fits in [(0, True), (0x58, False), (0x38, True), (0x98, True)]:
        view = Buffer()
        if fits:
            assert get(ctypes.py_object(items), ctypes.byref(view), flags) == 0
            ctypes.pythonapi.PyBuffer_Release(ctypes.byref(view))
        else:
            with pytest.raises(BufferError, match="C order"):
                get(ctypes.py_object(items), ctypes.byref(view), flags)


def test_what_is_no_plain_array_is_refused(seg):
    class Mine(np.ndarray):
        pass

    refused = [
        np.ones((1, 1)).view(np.matrix),
        np.ma.masked_array([1, 2], [True, False]),
        np.zeros(2).view(Mine),
        np.zeros(2, [("x", "f8")]).view(np.recarray),
        np.array([object()]),
        type("ndarray", (), {})(),
    ]
    for value in refused:
        with pytest.raises(shm_py.UnsupportedType, match=r"root\['x'\]\[0\]"):
            seg.root["x"] = [value]
    assert "x" not in seg.root
    with pytest.raises(shm_py.UnsupportedType, match="mask would be lost"):
        seg.array(refused[1])
    assert seg.array(refused[0]).shape == (1, 1)


def test_array_likes_are_copied(seg):
    assert seg.array([1, 2, 3]).dtype == "i8" and seg.array([[1.5], [2]]).shape == (2, 1)
    assert seg.array(np.float32(5), "f8").shape == () and seg.array(range(3)).tolist() == [0, 1, 2]
    source = seg.array([1, 2, 3])
    twin = seg.array(source, "f4")
    twin[0] = 7
    assert twin.dtype == "f4" and source.tolist() == [1, 2, 3]
    with pytest.raises(shm_py.UnsupportedType):
        seg.array([object()])


def test_reprs_are_short(seg):
    assert repr(seg.array(2, "u1")) == "Array([0, 0], shape=(2,), dtype='uint8')"
    assert repr(seg.array((2, 0))) == "Array([], shape=(2, 0), dtype='float64')"
    assert repr(seg.array((3, 40), "i4")).endswith("... 100 more], shape=(3, 40), dtype='int32')")
    for dtype in ["S100000", "U9", [("x", "f8")]]:
        assert len(repr(seg.array(50, dtype))) < 2100
    assert "1970" in repr(seg.array(2, "M8[s]"))


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9), st.integers(-100, 100)), max_size=20))
def test_slices_are_those_of_numpy(changes):
    with shm_py.create(size="1MiB") as seg:
        model = np.arange(8)
        items = seg.array(model)
        for start, stop, value in changes:
            items[start:stop] += value
            model[start:stop] += value
            items[stop::-2] = value
            model[stop::-2] = value
        assert items.tolist() == model.tolist()


def test_a_described_type_that_lies_is_corrupt(seg):
    import shm_py._native as native

    for text, size in [("'O'", 8), ("'<f8'", 4), ("nonsense(", 8), ("[('x', '<f8'), ('y', '|O')]", 16), ("9", 8)]:
        items = native._new_array(seg, [2], 0, size, text)
        for use in (lambda: items.dtype, lambda: items[...], lambda: items[0], lambda: items.tolist()):
            with pytest.raises(shm_py.SegmentCorrupt):
                use()
