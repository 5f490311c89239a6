"""`Dict` behaves as the built-in dict, in every process."""

import collections.abc
import copy

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import shm_py

KEYS = st.one_of(
    st.integers(-4, 4),
    st.integers(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.sampled_from([0.0, -0.0, 1.0, 2.0]),
    st.text(max_size=10),
    st.binary(max_size=10),
    st.none(),
    st.tuples(st.integers(0, 2), st.text(max_size=2)),
    st.frozensets(st.integers(0, 3), max_size=3),
)
VALUES = st.one_of(KEYS, st.lists(st.integers(), max_size=3))


def test_keys_obey_python_equality(seg):
    d = seg.dict({1: "a"})
    assert d[1.0] == d[True] == "a"
    d[True] = "b"
    assert d == {1: "b"}
    assert [type(key) for key in d] == [int]
    d["ключ"] = d["\ud800"] = d[(1, (2.0, "x"))] = d[frozenset({1, 2})] = 7
    assert d["ключ"] == d["\ud800"] == d[(True, (2, "x"))] == d[frozenset({2.0, 1})] == 7
    d[10**40] = 8
    assert d[1e40] == 8 if 1e40 == 10**40 else 1e40 not in d
    assert d[10**40] == 8


def test_missing_keys_raise_key_error_with_the_key(seg):
    d = seg.dict()
    for key in ("x", 5, (1, 2), None, 2.5):
        with pytest.raises(KeyError) as caught:
            d[key]
        assert caught.value.args == (key,)
        with pytest.raises(KeyError):
            del d[key]
        assert key not in d
        assert d.get(key) is None
        assert d.get(key, 7) == 7
        assert d.pop(key, 8) == 8
        with pytest.raises(KeyError):
            d.pop(key)


def test_unhashable_keys_are_type_errors(seg):
    d = seg.dict()
    for key in ([], {}, set(), (1, []), seg.list()):
        for act in (
            lambda: d[key],
            lambda: d.__setitem__(key, 1),
            lambda: key in d,
            lambda: d.get(key),
            lambda: d.pop(key, None),
        ):
            with pytest.raises(TypeError, match="unhashable"):
                act()
    assert len(d) == 0


def test_any_hashable_object_can_be_looked_up(seg):
    d = seg.dict({1: "a"})
    assert object() not in d
    assert d.get(object()) is None
    with pytest.raises(KeyError):
        d[object()]
    with pytest.raises(shm_py.UnsupportedType, match="object"):
        d[object()] = 1


class DictMachine(RuleBasedStateMachine):
    """Random operations through two attachments, against a dict."""

    def __init__(self):
        super().__init__()
        self.seg = shm_py.create(size="8MiB")
        self.twin = shm_py.attach(self.seg.name)
        self.seg.root["x"] = {}
        self.views = [self.seg.root["x"], self.twin.root["x"]]
        self.model = {}
        self.turn = 0

    @property
    def shared(self):
        self.turn ^= 1
        return self.views[self.turn]

    def both(self, act):
        outcomes = []
        for target in (self.model, self.shared):
            try:
                outcomes.append(act(target))
            except KeyError as error:
                outcomes.append(type(error))
        assert outcomes[0] == outcomes[1]

    @rule(key=KEYS, value=VALUES)
    def assign(self, key, value):
        self.both(lambda d: d.__setitem__(key, value))

    @rule(key=KEYS)
    def delete(self, key):
        self.both(lambda d: d.__delitem__(key))

    @rule(key=KEYS)
    def look_up(self, key):
        self.both(lambda d: (d.get(key), key in d))
        self.both(lambda d: d[key])

    @rule(key=KEYS)
    def pop(self, key):
        self.both(lambda d: d.pop(key))

    @rule(key=KEYS, value=VALUES)
    def setdefault(self, key, value):
        self.both(lambda d: d.setdefault(key, value))

    @rule()
    def popitem(self):
        self.both(lambda d: d.popitem())

    @rule(entries=st.dictionaries(KEYS, VALUES, max_size=5))
    def update(self, entries):
        self.both(lambda d: d.update(entries))

    @rule(entries=st.dictionaries(KEYS, VALUES, max_size=5))
    def merge(self, entries):
        self.both(lambda d: d.__or__(entries))

    @rule()
    def clear(self):
        self.both(lambda d: d.clear())

    @invariant()
    def equal(self):
        for view in self.views:
            assert view == self.model
            assert self.model == view
            assert list(view) == list(self.model)
            assert list(reversed(view)) == list(reversed(list(self.model)))
            assert list(view.values()) == list(self.model.values())
            assert list(view.items()) == list(self.model.items())
            assert len(view) == len(self.model)

    def teardown(self):
        assert self.seg.check().findings == []
        self.twin.close()
        self.seg.close()


TestDictMachine = DictMachine.TestCase
TestDictMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_views_are_live_and_have_set_operations(seg):
    d = seg.dict(a=1, b=2)
    keys, values, items = d.keys(), d.values(), d.items()
    d["c"] = 3
    assert list(keys) == ["a", "b", "c"] and len(keys) == 3
    assert list(values) == [1, 2, 3]
    assert list(items) == [("a", 1), ("b", 2), ("c", 3)]
    assert keys & {"a", "z"} == {"a"}
    assert keys | {"z"} == {"a", "b", "c", "z"}
    assert keys - {"a"} == {"b", "c"}
    assert keys ^ {"a", "z"} == {"b", "c", "z"}
    assert {"a", "z"} & keys == {"a"}
    assert keys == {"a", "b", "c"} and keys >= {"a"} and keys.isdisjoint({"q"})
    assert items & {("a", 1), ("a", 2)} == {("a", 1)}
    assert ("a", 1) in items and ("a", 2) not in items and 3 in values
    assert list(reversed(keys)) == ["c", "b", "a"]
    assert list(reversed(values)) == [3, 2, 1]
    assert list(reversed(items)) == [("c", 3), ("b", 2), ("a", 1)]
    assert isinstance(keys, collections.abc.KeysView)
    assert isinstance(values, collections.abc.ValuesView)
    assert isinstance(items, collections.abc.ItemsView)
    assert repr(keys) == "KeysView(['a', 'b', 'c'])"
    assert keys.mapping["a"] == 1


def test_size_change_while_iterating_raises(seg, other):
    seg.root["d"] = {i: i for i in range(200)}
    d, same = seg.root["d"], other.root["d"]
    for make in (iter, reversed, lambda d: iter(d.values()), lambda d: iter(d.items())):
        iterator = make(d)
        next(iterator)
        same["new"] = 1
        with pytest.raises(RuntimeError, match="changed size during iteration"):
            list(iterator)
        del same["new"]
    for key in d:
        d[key] = -key
    assert d[199] == -199


def test_operators_give_built_in_dicts(seg):
    d = seg.dict(a=1)
    for result, expected in [
        (d | {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 0, "b": 2} | d, {"a": 1, "b": 2}),
        (d | seg.dict(a=5), {"a": 5}),
        (d.copy(), {"a": 1}),
        (d.fromkeys("xy", 0), {"x": 0, "y": 0}),
    ]:
        assert type(result) is dict
        assert result == expected
    same = d
    d |= [("b", 2)]
    d |= {"c": 3}
    assert d is same and d == {"a": 1, "b": 2, "c": 3}
    with pytest.raises(TypeError):
        d | 5
    with pytest.raises(TypeError):
        d < d


def test_update_takes_what_dict_takes(seg):
    d = seg.dict([("a", 1)], b=2)
    d.update([("c", 3)], d=4)
    d.update({"e": 5})
    d.update(seg.dict(f=6))
    assert d == dict(a=1, b=2, c=3, d=4, e=5, f=6)
    with pytest.raises(TypeError):
        d.update(5)
    with pytest.raises(ValueError):
        d.update(["abc"])
    with pytest.raises(TypeError):
        d.update({}, {})


def test_setdefault_shares_the_default(seg):
    d = seg.dict()
    d.setdefault("x", []).append(1)
    d.setdefault("x", []).append(2)
    assert d == {"x": [1, 2]}
    assert d.setdefault("n") is None


def test_children_keep_their_identity(seg, other):
    seg.root["x"] = {"y": [1]}
    assert seg.root["x"] is seg.root["x"]
    assert seg.root["x"]["y"] is seg.root["x"]["y"]
    assert seg.root is seg.root
    assert other.root["x"] is not seg.root["x"]
    assert other.root["x"] == seg.root["x"]
    seg.root["z"] = seg.root["x"]
    assert seg.root["z"] is seg.root["x"]
    seg.root["z"]["y"].append(2)
    assert other.root["x"]["y"] == [1, 2]


def test_add_and_compare_exchange(seg):
    d = seg.dict(n=1)
    assert d.add("n", 2) == 3
    assert d.add("new") == 1
    assert d.add("f", 0.5) == 0.5
    assert d.add(7, 10**30) == 10**30
    assert d.compare_exchange("n", 3, "three")
    assert not d.compare_exchange("n", 3, 4)
    assert not d.compare_exchange("absent", None, 4)
    assert d == {"n": "three", "new": 1, "f": 0.5, 7: 10**30}
    with pytest.raises(TypeError):
        d.add("n", [])


def test_copies_are_built_in(seg):
    d = seg.dict(a={"b": [1]}, s={1})
    for deep in (d.to_py(), copy.deepcopy(d)):
        assert deep == {"a": {"b": [1]}, "s": {1}}
        assert type(deep) is dict and type(deep["a"]) is dict and type(deep["s"]) is set
    assert copy.copy(d)["a"] is d["a"]


def test_it_is_a_mutable_mapping(seg):
    d = seg.dict(a=1)
    assert isinstance(d, collections.abc.MutableMapping)
    assert not isinstance(d, dict)
    assert dict(d) == {"a": 1}
    assert {**d} == {"a": 1}
    assert shm_py.Dict[str, int].__origin__ is shm_py.Dict
    with pytest.raises(TypeError):
        hash(d)


def test_repr_is_bounded(seg):
    assert repr(seg.dict(a=1, b=[2])) == "Dict({'a': 1, 'b': [2]})"
    assert repr(seg.dict({i: i for i in range(100)})).endswith("19: 19, ... 80 more})")


def test_popitem_is_last_in_first_out(seg):
    d = seg.dict([(1, "a"), (2, "b")])
    assert d.popitem() == (2, "b")
    assert d.popitem() == (1, "a")
    with pytest.raises(KeyError, match="empty"):
        d.popitem()


def test_items_hold_pairs_only(seg):
    for items in (seg.dict(a=1).items(), {"a": 1}.items()):
        assert ("a", 1) in items and ("a", 2) not in items and ("b", 1) not in items
        for other in (5, None, "ab", ("a",), ("a", 1, 2), ["a", 1]):
            assert other not in items
        assert items.isdisjoint([5, "ab"])
        with pytest.raises(TypeError):
            ([], 1) in items


def test_add_wants_a_number(seg):
    seg.root["n"] = 1
    with pytest.raises(TypeError, match="takes an int or a float, not NoneType"):
        seg.root.add("n", None)
    assert seg.root.add("n") == 2
