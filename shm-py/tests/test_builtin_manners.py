"""What the built-ins do at the edges: arguments of odd types, their names, iterators, empty reprs."""

import collections
import operator

import pytest

import shm_py


class Refuses:
    """Its `__index__` has an error of its own."""

    def __index__(self):
        raise KeyError("mine")


def test_an_error_of_an_index_is_not_hidden(seg):
    for items in (seg.list([1]), seg.deque([1]), seg.bytearray(b"a")):
        for use in (
            lambda: items[Refuses()],
            lambda: operator.setitem(items, Refuses(), 1),
            lambda: operator.delitem(items, Refuses()),
            lambda: items.insert(Refuses(), 1),
        ):
            with pytest.raises(KeyError, match="mine"):
                use()


def test_an_index_that_fits_nowhere_is_an_overflow(seg):
    for items in (seg.list([1]), seg.deque([1]), seg.bytearray(b"a")):
        for far in (2**63, -(2**70)):
            with pytest.raises(OverflowError):
                items.insert(far, 1)
            with pytest.raises(IndexError):
                items[far]
    for items in (seg.list([1]), seg.bytearray(b"a")):
        with pytest.raises(OverflowError):
            items.pop(2**70)


def test_none_is_an_argument_and_not_a_missing_one(seg):
    for make in (seg.list, seg.set, seg.bytearray):
        with pytest.raises(TypeError):
            make(None)
        assert len(make()) == 0
    with pytest.raises(TypeError):
        seg.list([1]).pop(None)


def test_a_bytearray_is_concatenated_with_bytes_only(seg):
    data = seg.bytearray(b"a")
    for wrong in ([1], (1,), range(2), {1: 2}, "a"):
        with pytest.raises(TypeError):
            data += wrong
    data += memoryview(b"b")
    data += seg.bytearray(b"c")
    assert data == b"abc" and b"-" + data == b"-abc"
    plain = [0]
    plain += data
    assert plain == [0, 97, 98, 99]


def test_an_ordered_dict_takes_the_names_of_the_originals_arguments(seg):
    items = seg.ordereddict(a=1, b=2, c=3)
    assert items.pop("z", default=5) == 5 and items.pop(key="b") == 2
    assert items.setdefault("d", default=4) == items.setdefault(key="d", default=9) == 4
    with pytest.raises(KeyError):
        items.pop("z")
    items.move_to_end("a", last=1)
    items.move_to_end("d", last=0)
    assert list(items) == ["d", "c", "a"] and items.popitem(last=0) == ("d", 4)


def test_fromkeys_gives_the_original_of_the_kind(seg):
    assert seg.ordereddict().fromkeys("ab", value=1) == collections.OrderedDict(a=1, b=1)
    assert type(shm_py.OrderedDict.fromkeys("ab")) is collections.OrderedDict
    assert type(seg.defaultdict(list).fromkeys("ab")) is collections.defaultdict
    assert type(seg.dict().fromkeys("ab")) is dict


def test_a_deque_that_changes_ends_the_way_back_too(seg):
    items = seg.deque([1, 2, 3])
    assert list(reversed(items)) == [3, 2, 1]
    back = reversed(items)
    assert next(back) == 3 and operator.length_hint(back) == 2
    items.append(4)
    with pytest.raises(RuntimeError, match="deque mutated during iteration"):
        next(back)
    assert list(back) == []


def test_a_set_says_how_many_are_to_come(seg):
    members = iter(seg.set("abc"))
    assert operator.length_hint(members) == 3
    next(members)
    assert operator.length_hint(members) == 2
    assert len(list(members)) == 2 and operator.length_hint(members) == 0


def test_empty_sets_and_bytearrays_are_told_from_dicts_and_bytes(seg):
    assert repr(seg.set()) == "Set()"
    inner = seg.list([set(), frozenset(), {}, bytearray(b"x"), b"x"])
    assert repr(inner) == "List([set(), frozenset(), {}, bytearray(b'x'), b'x'])"
    inner = seg.list([collections.deque([1]), collections.deque([], 2)])
    assert repr(inner) == "List([deque([1]), deque([], maxlen=2)])"


def test_a_list_is_ordered_as_itself(seg):
    items = seg.list([float("nan"), 1])
    assert items == items and items <= items and items >= items and not items < items


def test_a_container_is_its_own_operand_whatever_is_in_it(seg):
    nan = float("nan")
    members = seg.set([nan, 1])
    assert members == members and members <= members and members.issuperset(members)
    assert members - members == members ^ members == set() and len(members | members) == 2
    assert len(members & members) == len(members.union(members)) == 2
    for items in (seg.deque([nan]), seg.ordereddict({nan: nan}), seg.defaultdict(list, {1: nan})):
        assert items == items and not items != items


def test_lists_and_deques_are_not_added(seg):
    for items in (seg.list([1]), [1]):
        for wrong in (seg.deque([1]), collections.deque([1])):
            with pytest.raises(TypeError):
                items + wrong
            with pytest.raises(TypeError):
                wrong + items


def test_a_dict_merged_with_one_of_another_kind_is_of_that_kind(seg):
    ordered, counts = collections.OrderedDict(b=2), seg.dict(a=1)
    for merged in (counts | ordered, ordered | counts):
        assert type(merged) is collections.OrderedDict and merged == {"a": 1, "b": 2}
    merged = counts | seg.dict(b=2)
    assert type(merged) is dict and merged == {"a": 1, "b": 2}


def test_a_look_into_the_items_of_a_defaultdict_makes_nothing(seg):
    items = seg.defaultdict(list, a=[]).items()
    assert ("a", []) in items and ("b", []) not in items
    assert items.isdisjoint([("b", [])]) and len(items) == 1
    assert ("b", 0) not in seg.counter("a").items()


def test_a_set_is_as_it_was_if_an_operand_is_none(seg):
    members = seg.set("abc")
    for wrong in (None, [[]]):
        with pytest.raises(TypeError):
            members.intersection_update("ab", wrong)
    assert members == {"a", "b", "c"}
    members.intersection_update()
    members.intersection_update("abx", {"b": 1, "x": 2}, seg.set("by"))
    assert members == {"b"}


@pytest.mark.parametrize("key", [None, (), (1, 2), "x"])
def test_a_key_error_carries_the_key(seg, key):
    for look in (
        lambda: seg.set().remove(key),
        lambda: seg.dict()[key],
        lambda: seg.dict().pop(key),
        lambda: seg.ordereddict().move_to_end(key),
    ):
        with pytest.raises(KeyError) as caught:
            look()
        assert caught.value.args == (key,)


def test_an_index_of_another_type_is_told_what_it_is_for(seg):
    items, more = seg.list([1]), seg.bytearray(b"a")
    for wrong, says in (
        (lambda: items[1.0], "list indices must be integers or slices, not float"),
        (lambda: items["a":], "slice indices must be integers or None or have an __index__ method"),
        (lambda: items.index(1, 1.0), "slice indices must be integers or have"),
        (lambda: items.insert(1.0, 1), "'float' object cannot be interpreted as an integer"),
        (lambda: items.pop(1.0), "'float' object cannot be interpreted as an integer"),
        (lambda: operator.imul(items, 1.0), "can't multiply sequence by non-int of type 'float'"),
        (lambda: operator.imul(more, "a"), "can't multiply sequence by non-int of type 'str'"),
    ):
        with pytest.raises(TypeError, match=says):
            wrong()


def test_numbers_of_numpy_are_added(seg):
    numpy = pytest.importorskip("numpy")
    counts = seg.dict(n=1, x=0.5)
    assert counts.add("n", numpy.int64(2)) == 3 and type(counts["n"]) is int
    assert counts.add("x", numpy.float64(0.5)) == 1.0
    assert counts.add("x", numpy.float32(0.25)) == 1.25 and type(counts["x"]) is float
    assert counts.add("n", True) == 4
    for wrong in (numpy.complex64(1), "1", None, numpy.zeros(2)):
        with pytest.raises(TypeError):
            counts.add("n", wrong)


def test_an_int_that_is_no_float_overflows(seg):
    counts = seg.dict(n=10**400)
    with pytest.raises(OverflowError, match="int too large to convert to float"):
        counts.add("n", 0.5)
    assert counts["n"] == 10**400


def test_a_comparison_takes_its_values_by_name(seg):
    assert seg.dict(n=1).compare_exchange("n", old=1, new=2)
    assert seg.list([1]).compare_exchange(0, old=1, new=2)


def test_what_is_closed_still_has_a_repr():
    segment = shm_py.create(size="1MiB")
    root = segment.root
    root["c"] = collections.Counter("a")
    root["d"] = collections.defaultdict(list)
    root["q"] = collections.deque()
    root["o"] = collections.OrderedDict()
    shared = [root, segment.list(), segment.set(), segment.bytearray(), segment.array(2)]
    shared += [root[key] for key in "cdqo"]
    shared += [segment.lock("l"), segment.rlock("l"), segment.semaphore("l"), segment.event("l")]
    shared += [segment.barrier("l", 1), segment.queue("l"), segment.turn(), segment.topic("l")]
    freed = segment.list([1])
    segment.free(freed)
    assert repr(freed) == "<List closed>"
    segment.close()
    for one in shared:
        assert type(one).__name__ in repr(one)
    assert repr(root) == "<Dict closed>"
