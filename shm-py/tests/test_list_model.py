"""Random slices and operations on a `List` give what they give on a built-in list."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import shm_py

ELEMENTS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=12),
    st.binary(max_size=12),
    st.tuples(st.integers(), st.text(max_size=3)),
)

BOUND = st.one_of(st.none(), st.integers(-12, 12))


@given(st.lists(ELEMENTS, max_size=10), BOUND, BOUND, st.sampled_from([None, 1, 2, -1, -3]))
@settings(max_examples=200, deadline=None)
def test_slices_are_those_of_list(start_items, start, stop, step):
    part = slice(start, stop, step)
    with shm_py.create(size="1MiB") as seg:
        model, items = list(start_items), seg.list(start_items)
        assert items[part] == model[part]
        new = ["n"] * len(model[part])
        model[part] = new
        items[part] = new
        assert items == model
        del model[part]
        del items[part]
        assert items == model


class ListMachine(RuleBasedStateMachine):
    """Random operations through two attachments, against a list."""

    def __init__(self):
        super().__init__()
        self.seg = shm_py.create(size="8MiB")
        self.twin = shm_py.attach(self.seg.name)
        self.seg.root["x"] = []
        self.views = [self.seg.root["x"], self.twin.root["x"]]
        self.model = []
        self.turn = 0

    @property
    def items(self):
        self.turn ^= 1
        return self.views[self.turn]

    def both(self, act):
        outcomes = []
        for target in (self.model, self.items):
            try:
                outcomes.append(act(target))
            except (IndexError, ValueError) as error:
                outcomes.append(type(error))
        assert outcomes[0] == outcomes[1]

    @rule(value=ELEMENTS)
    def append(self, value):
        self.both(lambda x: x.append(value))

    @rule(index=st.integers(-8, 8), value=ELEMENTS)
    def insert(self, index, value):
        self.both(lambda x: x.insert(index, value))

    @rule(index=st.integers(-8, 8), value=ELEMENTS)
    def assign(self, index, value):
        self.both(lambda x: x.__setitem__(index, value))

    @rule(index=st.integers(-8, 8))
    def delete(self, index):
        self.both(lambda x: x.__delitem__(index))

    @rule(index=st.integers(-8, 8))
    def pop(self, index):
        self.both(lambda x: x.pop(index))

    @rule()
    def pop_last(self):
        self.both(lambda x: x.pop())

    @rule(values=st.lists(ELEMENTS, max_size=6))
    def extend(self, values):
        self.both(lambda x: x.extend(values))

    @rule(values=st.lists(ELEMENTS, max_size=6), start=BOUND, stop=BOUND)
    def assign_slice(self, values, start, stop):
        self.both(lambda x: x.__setitem__(slice(start, stop), values))

    @rule(value=ELEMENTS)
    def remove(self, value):
        self.both(lambda x: x.remove(value))

    @rule(value=ELEMENTS)
    def look_up(self, value):
        self.both(lambda x: (value in x, x.count(value)))
        self.both(lambda x: x.index(value))

    @rule()
    def reverse(self):
        self.both(lambda x: x.reverse())

    @rule(reverse=st.booleans())
    def sort(self, reverse):
        self.both(lambda x: x.sort(key=repr, reverse=reverse))

    @rule(count=st.integers(-1, 2))
    def repeat(self, count):
        if len(self.model) < 200:
            self.model *= count
            items = self.items
            items *= count

    @rule()
    def clear(self):
        self.both(lambda x: x.clear())

    @invariant()
    def equal(self):
        for view in self.views:
            assert view == self.model
            assert list(view) == self.model
            assert list(reversed(view)) == self.model[::-1]
            assert len(view) == len(self.model)
            assert [type(item) for item in view] == [type(item) for item in self.model]

    def teardown(self):
        assert self.seg.check().findings == []
        self.twin.close()
        self.seg.close()


TestListMachine = ListMachine.TestCase
TestListMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
