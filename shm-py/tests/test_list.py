"""`List` behaves as the built-in list, and shares what it holds."""

import bisect
import collections.abc
import copy
import operator

import pytest

import shm_py


def test_indices_count_from_either_end(seg):
    items = seg.list("abc")
    assert [items[i] for i in (0, 2, -1, -3)] == ["a", "c", "c", "a"]
    for index in (3, -4, 10**30, -(10**30)):
        with pytest.raises(IndexError):
            items[index]
        with pytest.raises(IndexError):
            items[index] = 1
        with pytest.raises(IndexError):
            del items[index]
    with pytest.raises(TypeError, match="list indices must be integers or slices, not str"):
        items["0"]


def test_index_objects_are_indices(seg):
    class Two:
        def __index__(self):
            return 2

    items = seg.list(range(5))
    assert items[Two()] == 2
    assert items[True] == 1
    assert items[: Two()] == [0, 1]


def test_integers_of_every_size_come_back(seg):
    numbers = [0, -1, 2**61 - 1, 2**61, -(2**61), -(2**61) - 1, 2**63, -(2**63), 2**64, 10**50]
    items = seg.list(numbers)
    assert [items[i] for i in range(len(numbers))] == numbers
    assert list(items) == numbers
    for index, number in enumerate(numbers):
        items[index] = -number
    assert items == [-number for number in numbers]


def test_slice_assignment_changes_the_length(seg):
    items = seg.list(range(6))
    items[1:3] = "wxyz"
    assert items == [0, "w", "x", "y", "z", 3, 4, 5]
    items[:] = items[::-1]
    assert items == [5, 4, 3, "z", "y", "x", "w", 0]
    with pytest.raises(ValueError):
        items[::2] = [1]
    with pytest.raises(ValueError):
        items[::0]
    with pytest.raises(TypeError):
        items[1:2] = 5


def test_operators_give_built_in_lists(seg):
    items = seg.list([1, 2])
    for result, expected in [
        (items + [3], [1, 2, 3]),
        ([0] + items, [0, 1, 2]),
        (items + items, [1, 2, 1, 2]),
        (items * 2, [1, 2, 1, 2]),
        (2 * items, [1, 2, 1, 2]),
        (items.copy(), [1, 2]),
        (items[:], [1, 2]),
    ]:
        assert type(result) is list
        assert result == expected
    with pytest.raises(TypeError):
        items + (3,)
    with pytest.raises(TypeError):
        items * 1.5


def test_in_place_operators_change_the_shared_list(seg):
    items = same = seg.list([1])
    items += (2, 3)
    items *= 2
    assert items is same
    assert items == [1, 2, 3, 1, 2, 3]
    items += items
    assert len(items) == 12
    with pytest.raises(TypeError):
        items += 5


def test_comparisons_work_both_ways(seg):
    items = seg.list([1, [2, 3]])
    assert items == [1, [2, 3]] and [1, [2, 3]] == items
    assert items != [1] and [1] != items
    assert items > [1] and [1] < items
    assert items <= seg.list([1, [2, 3]])
    assert items != (1, [2, 3])
    assert items != 5
    with pytest.raises(TypeError):
        items < 5


def test_sort_is_stable_and_takes_key_and_reverse(seg):
    words = ["pear", "fig", "apple", "kiwi", "date"]
    items = seg.list(words)
    items.sort(key=len)
    assert items == sorted(words, key=len)
    items.sort(key=len, reverse=True)
    assert items == sorted(sorted(words, key=len), key=len, reverse=True)
    items.sort()
    assert items == sorted(words)
    with pytest.raises(TypeError):
        items.sort(len)


def test_failed_sort_leaves_the_list_as_it_was(seg):
    items = seg.list([3, "a", 1])
    with pytest.raises(TypeError):
        items.sort()
    assert items == [3, "a", 1]


def test_sort_notices_a_change_meanwhile(seg, other):
    seg.root["x"] = [3, 1, 2]
    items, same = seg.root["x"], other.root["x"]

    def key(value):
        same.append(0)
        return value

    with pytest.raises(ValueError, match="modified during sort"):
        items.sort(key=key)
    assert items == [3, 1, 2, 0, 0, 0]


def test_shared_elements_keep_their_identity(seg):
    items = seg.list([[1], [2]])
    items.sort(key=lambda x: -x[0])
    assert items == [[2], [1]]
    assert items[0] is items[0]
    inner = items[1]
    items.reverse()
    assert items[0] is inner
    assert items.index(inner) == 0


def test_lookups_use_python_equality(seg):
    class Anything:
        def __eq__(self, other):
            return True

        __hash__ = None

    items = seg.list([0, [1], "x"])
    assert Anything() in items
    assert items.index(Anything()) == 0
    assert [1] in items
    assert items.count([1]) == 1
    assert False in items and 0.0 in items
    items.remove([1])
    assert items == [0, "x"]
    with pytest.raises(ValueError, match=r"list.remove\(x\): x not in list"):
        items.remove("y")
    with pytest.raises(ValueError):
        items.index("y")
    with pytest.raises(IndexError, match="pop from empty list"):
        seg.list().pop()


def test_iteration_sees_changes_as_list_does(seg):
    for length in (3, 100):
        model, items = list(range(length)), seg.list(range(length))
        seen = []
        for target in (model, items):
            out = []
            for index, value in enumerate(target):
                if index + 1 < len(target):
                    target[index + 1] = value + 1
                if index == 1:
                    target.append(7)
                out.append(value)
            seen.append(out)
        assert seen[0] == seen[1]


def test_iterator_that_ended_stays_ended(seg):
    items = seg.list([1])
    iterator = iter(items)
    assert iterator.__length_hint__() == 1
    assert list(iterator) == [1]
    items.append(2)
    assert list(iterator) == []
    assert next(reversed(items)) == 2


def test_add_is_atomic_and_returns_the_sum(seg):
    items = seg.list([1, 1.5, 2**62])
    assert items.add(0, 4) == 5
    assert items.add(0) == 6
    assert items.add(-2, 0.25) == 1.75
    assert items.add(2, 2**62) == 2**63
    assert items == [6, 1.75, 2**63]
    with pytest.raises(IndexError):
        items.add(3, 1)
    with pytest.raises(TypeError):
        seg.list(["a"]).add(0, 1)


def test_compare_exchange_swaps_only_what_is_equal(seg):
    items = seg.list([1, "a"])
    assert items.compare_exchange(0, 1, 2)
    assert not items.compare_exchange(0, 1, 3)
    assert items.compare_exchange(-1, "a", [1])
    assert items == [2, [1]]


def test_copies_are_built_in(seg):
    items = seg.list([1, {"a": [2]}, (3, [4])])
    plain = [1, {"a": [2]}, (3, [4])]
    for deep in (items.to_py(), copy.deepcopy(items)):
        assert deep == plain
        assert type(deep) is list and type(deep[1]) is dict and type(deep[1]["a"]) is list
        assert type(deep[2][1]) is list
    shallow = copy.copy(items)
    assert type(shallow) is list
    assert shallow[1] is items[1]


def test_it_is_a_mutable_sequence(seg):
    items = seg.list([1, 2])
    assert isinstance(items, collections.abc.MutableSequence)
    assert not isinstance(items, list)
    assert shm_py.List[int].__origin__ is shm_py.List
    with pytest.raises(TypeError):
        hash(items)
    with pytest.raises(TypeError):
        shm_py.List()


def test_repr_is_bounded(seg):
    assert repr(seg.list([1, "a", [2], (3,), {"k": None}])) == (
        "List([1, 'a', [2], (3,), {'k': None}])"
    )
    assert repr(seg.list(range(1000))).endswith("18, 19, ... 980 more])")
    assert len(repr(seg.list([["x" * 10_000] * 50] * 50))) < 6000
    items = seg.list()
    items.append(items)
    assert repr(items).startswith("List([[[[")


def test_a_list_that_contains_itself_can_be_freed_and_copied(seg):
    items = seg.list([1])
    items.append(items)
    assert items[1] is items
    plain = items.to_py()
    assert plain[1] is plain
    items.pop()


def test_methods_take_the_arguments_of_list(seg):
    items = seg.list([3, 1, 2])
    items.sort(reverse=1)
    assert items == [3, 2, 1]
    assert items.index(2, -(10**30), 10**30) == [3, 2, 1].index(2, -(10**30), 10**30) == 1
    assert items.index(3, -3) == 0
    for wrong in (lambda: items.index(1, 5), lambda: items.index(3, 1), lambda: items.index(1, 0, -1)):
        with pytest.raises(ValueError, match="is not in list"):
            wrong()
    for wrong in (lambda: items.pop(None), lambda: items.add(0, None), lambda: items.index(1, None)):
        with pytest.raises(TypeError):
            wrong()
    assert items == [3, 2, 1]
    nan = float("nan")
    assert seg.list([nan]).index(nan) == [nan].index(nan) == 0


def test_it_is_a_sequence_for_extension_modules(seg):
    numpy = pytest.importorskip("numpy")
    items = seg.list([1, 3, 5])
    bisect.insort(items, 4)
    assert items == [1, 3, 4, 5] and bisect.bisect_left(items, 3) == 1
    assert operator.concat(items, [6]) == [1, 3, 4, 5, 6]
    assert numpy.array(items).tolist() == [1, 3, 4, 5]
    assert numpy.asarray(seg.list([[1.0, 2.0], [3.0, 4.0]])).shape == (2, 2)
    assert numpy.arange(9)[items].tolist() == [1, 3, 4, 5]
    assert numpy.mean(items) == 3.25
    assert numpy.array(seg.bytearray(b"ab")).tolist() == [97, 98]
