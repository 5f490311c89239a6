"""`Deque`, `DefaultDict`, `OrderedDict` and `Counter` behave as their originals of `collections`."""

import collections
import collections.abc
import decimal
import fractions
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shm_py

ITEMS = st.one_of(st.integers(-3, 3), st.text(max_size=12), st.lists(st.integers(0, 2), max_size=2))
KEYS = st.one_of(st.integers(0, 5), st.text("ab", max_size=2), st.sampled_from([1.0, True, "a long key"]))


def plain(value):
    """What both sides of a comparison are compared as."""
    if isinstance(value, (shm_py.List, shm_py.Dict, shm_py.Set, shm_py.ByteArray)):
        return value.to_py()
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if isinstance(value, collections.abc.Iterator):
        return list(map(plain, value))
    if isinstance(value, collections.deque):
        return collections.deque(map(plain, value), value.maxlen)
    return value


def outcome(act, target):
    """What an operation gives, errors by type."""
    try:
        return plain(act(target))
    except (IndexError, KeyError, ValueError, TypeError, NotImplementedError) as error:
        for kind in (IndexError, KeyError, ValueError, TypeError, NotImplementedError):
            if isinstance(error, kind):
                return kind


def check(model, acts, views):
    """Runs operations on an original and on the shared one, which several attachments see."""
    for number, act in enumerate(acts):
        shared = views[number % len(views)]
        expected, found = outcome(act, model), outcome(act, shared)
        assert type(found) is type(expected) and found == expected
        copied = shared.to_py()
        assert type(copied) is type(model) and copied == model
        assert list(copied) == list(model) and len(shared) == len(model)
        assert shared == model and model == shared and not shared != model


def call(name, *arguments):
    def act(target):
        return getattr(target, name)(*arguments)

    return act


DEQUE_ACTS = st.one_of(
    st.builds(lambda x: call("append", x), ITEMS),
    st.builds(lambda x: call("appendleft", x), ITEMS),
    st.sampled_from([call("pop"), call("popleft"), call("reverse"), call("clear"), call("copy")]),
    st.builds(lambda xs: call("extend", xs), st.lists(ITEMS, max_size=9)),
    st.builds(lambda xs: call("extendleft", xs), st.lists(ITEMS, max_size=9)),
    st.builds(lambda n: call("rotate", n), st.integers(-12, 12)),
    st.builds(lambda i, x: call("insert", i, x), st.integers(-9, 9), ITEMS),
    st.builds(lambda x: call("remove", x), ITEMS),
    st.builds(lambda x: call("count", x), ITEMS),
    st.builds(lambda x, i, j: call("index", x, i, j), ITEMS, st.integers(-9, 9), st.integers(-9, 9)),
    st.builds(lambda i: call("__getitem__", i), st.integers(-9, 9)),
    st.builds(lambda i: call("__delitem__", i), st.integers(-9, 9)),
    st.builds(lambda i, x: call("__setitem__", i, x), st.integers(-9, 9), ITEMS),
    st.builds(lambda x: lambda d: x in d, ITEMS),
    st.builds(lambda n: lambda d: d * n, st.integers(-1, 3)),
    st.builds(lambda n: lambda d: n * d, st.integers(-1, 3)),
    st.builds(lambda xs: lambda d: d + collections.deque(xs), st.lists(ITEMS, max_size=3)),
    st.builds(lambda xs: lambda d: collections.deque(xs) + d, st.lists(ITEMS, max_size=3)),
    st.builds(lambda xs: lambda d: d < collections.deque(xs), st.lists(st.integers(), max_size=3)),
    st.sampled_from([reversed, iter, len, bool, lambda d: d[::2], lambda d: d.maxlen, lambda d: d + [1]]),
)


@given(st.lists(ITEMS, max_size=9), st.none() | st.integers(0, 6), st.lists(DEQUE_ACTS, max_size=25))
@settings(max_examples=150)
def test_a_deque_is_a_deque(first, maxlen, acts):
    with shm_py.create(size="4MiB") as seg, shm_py.attach(seg.name) as other:
        model = collections.deque(first, maxlen)
        seg.root["x"] = collections.deque(first, maxlen)
        check(model, acts, [seg.root["x"], other.root["x"]])
        assert seg.check().findings == []


def test_a_deque_in_place_operators(seg):
    for maxlen in (None, 0, 1, 4, 7):
        shared, model = seg.deque([1, 2, 3], maxlen), collections.deque([1, 2, 3], maxlen)
        same = shared
        for change in (3, 0, 2, 1, -1):
            shared += [4, 5]
            model += [4, 5]
            shared *= change
            model *= change
            assert same is shared and shared == model


def test_a_deque_says_what_a_deque_says(seg):
    shared = seg.deque("ab", maxlen=2)
    assert repr(shared) == "Deque(['a', 'b'], maxlen=2)" and repr(seg.deque()) == "Deque([])"
    for act, kind, words in (
        (lambda d: d.insert(0, 1), IndexError, "deque already at its maximum size"),
        (lambda d: d[2], IndexError, "deque index out of range"),
        (lambda d: d["x"], TypeError, "sequence index must be integer, not 'str'"),
        (lambda d: d.remove(9), ValueError, "deque.remove\\(x\\): x not in deque"),
        (lambda d: d.index(9), ValueError, "9 is not in deque"),
        (lambda d: (d.clear(), d.pop()), IndexError, "pop from an empty deque"),
        (lambda d: d.popleft(), IndexError, "pop from an empty deque"),
        (lambda d: setattr(d, "maxlen", 3), AttributeError, "maxlen"),
        (hash, TypeError, "unhashable"),
    ):
        with pytest.raises(kind, match=words):
            act(shared)


def test_a_deque_that_changes_ends_its_iteration(seg):
    for change in (
        lambda d: d.append(1),
        lambda d: d.popleft(),
        lambda d: (d.append(1), d.popleft()),
        lambda d: d.rotate(),
        lambda d: d.insert(1, 5),
        lambda d: d.clear(),
    ):
        shared = seg.deque([1, 2, 3])
        items = iter(shared)
        assert next(items) == 1 and items.__length_hint__() == 2
        change(shared)
        with pytest.raises(RuntimeError, match="deque mutated during iteration"):
            next(items)
        assert list(items) == []
    shared = seg.deque([1, 2, 3])
    items = iter(shared)
    next(items)
    shared[2] = 7
    assert list(items) == [2, 7]


DICT_ACTS = [
    st.builds(lambda k, x: call("__setitem__", k, x), KEYS, ITEMS),
    st.builds(lambda k: call("__delitem__", k), KEYS),
    st.builds(lambda k: call("get", k, 7), KEYS),
    st.builds(lambda k: call("pop", k, 7), KEYS),
    st.builds(lambda k: call("__getitem__", k), KEYS),
    st.builds(lambda k: lambda d: k in d, KEYS),
    st.builds(lambda k, x: call("setdefault", k, x), KEYS, ITEMS),
    st.builds(lambda xs: call("update", xs), st.dictionaries(KEYS, ITEMS, max_size=3)),
    st.sampled_from([reversed, iter, len, bool, call("copy"), lambda d: list(d.items())]),
    st.builds(lambda xs: lambda d: d | xs, st.dictionaries(KEYS, ITEMS, max_size=3)),
    st.builds(lambda xs: lambda d: xs | d, st.dictionaries(KEYS, ITEMS, max_size=3)),
]
ORDERED_ACTS = st.one_of(
    *DICT_ACTS,
    st.builds(lambda k, last: lambda d: d.move_to_end(k, last=last), KEYS, st.booleans()),
    st.builds(lambda last: lambda d: d.popitem(last=last), st.booleans()),
    st.builds(
        lambda xs: lambda d: d == collections.OrderedDict(xs),
        st.dictionaries(KEYS, ITEMS, max_size=3),
    ),
    st.builds(lambda xs: lambda d: d == dict(reversed(list(d.items()))), KEYS),
    st.builds(lambda _: lambda d: d == collections.OrderedDict(reversed(list(d.items()))), KEYS),
)


@given(st.dictionaries(KEYS, ITEMS, max_size=5), st.lists(ORDERED_ACTS, max_size=25))
@settings(max_examples=150)
def test_an_ordered_dict_is_an_ordered_dict(first, acts):
    with shm_py.create(size="4MiB") as seg, shm_py.attach(seg.name) as other:
        model = collections.OrderedDict(first)
        for key in list(first)[:1]:
            # The dict inside of an OrderedDict keeps the former order.
            model.move_to_end(key)
        seg.root["x"] = model.copy()
        check(model, acts, [seg.root["x"], other.root["x"]])
        assert seg.check().findings == []


def test_shared_ordered_dicts_compare_in_order(seg):
    one, other = seg.ordereddict(a=1, b=2), seg.ordereddict(b=2, a=1)
    assert one != other and one == {"b": 2, "a": 1} and one == seg.dict(b=2, a=1)
    other.move_to_end("b")
    assert one == other and repr(other) == "OrderedDict({'a': 1, 'b': 2})"


FACTORIES = [list, dict, set, int, float, str, bytes, tuple, bool, bytearray, frozenset, None]


@given(st.sampled_from(FACTORIES), st.lists(st.one_of(*DICT_ACTS), max_size=25))
@settings(max_examples=150)
def test_a_defaultdict_is_a_defaultdict(factory, acts):
    with shm_py.create(size="4MiB") as seg, shm_py.attach(seg.name) as other:
        model = collections.defaultdict(factory, {"a": 1})
        seg.root["x"] = model.copy()
        assert seg.root["x"].default_factory is factory
        check(model, acts, [seg.root["x"], other.root["x"]])
        assert seg.root["x"].to_py().default_factory is factory
        assert seg.check().findings == []


def test_the_factory_can_be_changed(seg, other):
    seg.root["x"] = collections.defaultdict(list)
    seg.root["x"].default_factory = int
    theirs = other.root["x"]
    assert theirs.default_factory is int and theirs["n"] == 0
    theirs["n"] += 2
    theirs.default_factory = None
    with pytest.raises(KeyError):
        seg.root["x"]["m"]
    assert seg.root["x"] == {"n": 2} and repr(theirs) == "DefaultDict(None, {'n': 2})"
    with pytest.raises(TypeError, match="use None, list, dict"):
        theirs.default_factory = lambda: 1


def test_other_factories_are_refused(seg):
    for factory in (lambda: 0, collections.Counter, object):
        with pytest.raises(shm_py.UnsupportedType, match="default_factory .* use None, list, dict"):
            seg.root["x"] = [collections.defaultdict(factory)]
    assert "x" not in seg.root


COUNTS = st.dictionaries(KEYS, st.integers(-3, 3), max_size=4)
COUNTER_ACTS = st.one_of(
    st.builds(lambda k: call("__getitem__", k), KEYS),
    st.builds(lambda k: call("__delitem__", k), KEYS),
    st.builds(lambda k, n: call("__setitem__", k, n), KEYS, st.integers(-3, 3)),
    st.builds(lambda k: lambda c: k in c, KEYS),
    st.builds(lambda xs: call("update", xs), COUNTS | st.lists(KEYS, max_size=5)),
    st.builds(lambda xs: call("subtract", xs), COUNTS | st.lists(KEYS, max_size=5)),
    st.builds(lambda n: call("most_common", n), st.none() | st.integers(0, 3)),
    st.sampled_from([call("elements"), call("total"), call("copy"), lambda c: +c, lambda c: -c]),
    st.builds(lambda xs: lambda c: c + collections.Counter(xs), COUNTS),
    st.builds(lambda xs: lambda c: c - collections.Counter(xs), COUNTS),
    st.builds(lambda xs: lambda c: c & collections.Counter(xs), COUNTS),
    st.builds(lambda xs: lambda c: c | collections.Counter(xs), COUNTS),
    st.builds(lambda xs: lambda c: collections.Counter(xs) + c, COUNTS),
    st.builds(lambda xs: lambda c: collections.Counter(xs) - c, COUNTS),
    st.builds(lambda xs: lambda c: collections.Counter(xs) & c, COUNTS),
    st.builds(lambda xs: lambda c: collections.Counter(xs) | c, COUNTS),
    st.builds(lambda xs: lambda c: c <= collections.Counter(xs), COUNTS),
    st.builds(lambda xs: lambda c: c.__iadd__(collections.Counter(xs)) and None, COUNTS),
    st.builds(lambda xs: lambda c: c.__isub__(collections.Counter(xs)) and None, COUNTS),
    st.builds(lambda xs: lambda c: c.__iand__(collections.Counter(xs)) and None, COUNTS),
    st.builds(lambda xs: lambda c: c.__ior__(collections.Counter(xs)) and None, COUNTS),
)


@given(st.lists(KEYS, max_size=6), st.lists(COUNTER_ACTS, max_size=25))
@settings(max_examples=200)
def test_a_counter_is_a_counter(first, acts):
    with shm_py.create(size="4MiB") as seg, shm_py.attach(seg.name) as other:
        if sys.version_info < (3, 10):
            acts = []
        model = collections.Counter(first)
        seg.root["x"] = collections.Counter(first)
        views = [seg.root["x"], other.root["x"]]
        for number, act in enumerate(acts):
            shared = views[number % 2]
            expected, found = outcome(act, model), outcome(act, shared)
            assert type(found) is type(expected) and found == expected
            # The order of what came in one step may differ from counting one by one.
            copied = shared.to_py()
            assert type(copied) is collections.Counter and dict(copied) == dict(model)
        assert seg.check().findings == []


def test_a_counter_counts_many_keys_at_once(seg):
    counter = seg.counter(a=1)
    counter.update({key: 1 for key in range(1000)}, b=2)
    assert counter["b"] == 2 and len(counter) == 1002 and counter["nothing"] == 0
    assert "nothing" not in counter
    with pytest.raises(TypeError):
        counter.update({"a": 5, "c": "text", 0: 1})
    assert counter["a"] == 1 and counter[0] == 1 and "c" not in counter
    with pytest.raises(NotImplementedError):
        counter.fromkeys("ab")
    assert repr(seg.counter("aab")) == "Counter({'a': 2, 'b': 1})"


def test_counts_of_other_numbers_are_added_too(seg):
    counter = seg.counter(a=decimal.Decimal("0.5"))
    counter.update(a=1, b=fractions.Fraction(1, 2))
    counter.subtract(a=decimal.Decimal(1))
    assert counter == {"a": decimal.Decimal("0.5"), "b": fractions.Fraction(1, 2)}
    with pytest.raises(TypeError, match="unsupported operand type"):
        counter.update(a=None)
