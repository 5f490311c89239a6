"""The methods with a quick function in front: the same answers and errors as those behind."""

import inspect
import threading

import pytest

import shm_py


@pytest.fixture
def seg():
    with shm_py.create(size="16MiB") as made:
        yield made


def test_numbers_and_everything_else(seg):
    values = [0, -1, 2**31, 2**70, 1.5, float("nan"), None, True, "x", "a longer text than a cell has", b"y", (1, 2), [1]]
    shared, own = seg.list(), []
    for value in values:
        shared.append(value)
        own.append(value)
    assert repr(shared.to_py()) == repr(own)
    while own:
        assert repr(shared.pop().to_py() if own[-1] == [1] else shared.pop()) == repr(own.pop())
    with pytest.raises(IndexError, match="pop from empty list"):
        shared.pop()


def test_add_to_items(seg):
    shared = seg.list([1, 2.5, 2**61 - 1, "a"])
    assert shared.add(0) == 2 and shared.add(0, 5) == 7 and shared.add(0, -8) == -1
    assert shared.add(-4, 2) == 1
    assert shared.add(1) == 3.5 and shared.add(0, 0.5) == 1.5
    assert shared.add(2, 10) == 2**61 + 9 and shared.add(2, 2**64) == 2**61 + 9 + 2**64
    with pytest.raises(TypeError):
        shared.add(3)
    with pytest.raises(IndexError):
        shared.add(4)
    assert shared.to_py() == [1.5, 3.5, 2**61 + 9 + 2**64, "a"]


def test_add_to_values_and_get(seg):
    shared = seg.dict({"n": 1, 7: 2})
    assert shared.add("n") == 2 and shared.add(7, 40) == 42 and shared.add("new", 3) == 3
    assert shared.add(True, 1) == 1  # a key of its own, as True == 1 is not there
    assert shared.get("n") == 2 and shared.get("nobody") is None and shared.get("nobody", 5) == 5
    assert shared.get(1) == 1 and shared.get(1.0) == 1
    with pytest.raises(TypeError, match="unhashable"):
        shared.get([])


def test_members(seg):
    shared = seg.set([1])
    for member in (1, True, 1.0, 2, "a", "a longer text than a cell has", (1, 2), None, 2**70, 2, "a"):
        shared.add(member)
    assert shared == {1, 2, "a", "a longer text than a cell has", (1, 2), None, 2**70}
    with pytest.raises(TypeError, match="unhashable"):
        shared.add([])


@pytest.mark.parametrize("kind", ["list", "dict", "set"])
def test_wrong_calls_say_so(seg, kind):
    shared = {"list": seg.list([1]), "dict": seg.dict({0: 1}), "set": seg.set([1])}[kind]
    for call in (lambda: shared.add(), lambda: shared.add(0, 1, 2), lambda: shared.add(0, delta=1)):
        with pytest.raises(TypeError, match="argument"):
            call()
    assert len(shared) == 1 and (kind == "set" or shared[0] == 1)
    with pytest.raises(TypeError):
        type(shared).add(object(), 0)


def test_documentation_stays(seg):
    for method in (shm_py.List.append, shm_py.List.pop, shm_py.List.add, shm_py.Dict.add, shm_py.Dict.get, shm_py.Set.add):
        assert method.__doc__ and "/" in str(inspect.signature(method)), method
        assert method.__qualname__.endswith("." + method.__name__)
    assert str(inspect.signature(shm_py.List.pop)) == "(self, index=-1, /)"


def test_a_read_only_segment_refuses(seg):
    seg.root["all"] = {"list": [1], "set": {1}, "dict": {"n": 1}}
    with shm_py.attach(seg.name, readonly=True) as reader:
        found = reader.root["all"]
        for change in (
            lambda: found["list"].append(2),
            lambda: found["list"].pop(),
            lambda: found["list"].add(0),
            lambda: found["list"].__setitem__(0, 5),
            lambda: found["dict"].add("n"),
            lambda: found["dict"].__setitem__("n", 5),
            lambda: found["set"].add(1),
            lambda: found["set"].add(2),
        ):
            with pytest.raises(shm_py.ReadOnly):
                change()
        assert found["dict"].get("n") == 1
    assert seg.root["all"].to_py() == {"list": [1], "set": {1}, "dict": {"n": 1}}


def test_two_segments_and_threads_in_turns(seg):
    """The session that is at hand is another thread's, or in another segment, at each step."""
    with shm_py.create(size="16MiB") as other:
        places = [where.dict({"n": 0, "items": [0], "members": set()}) for where in (seg, other)]

        def work(number):
            for step in range(500):
                for place in places:
                    place.add("n")
                    place["items"].add(0)
                    place["items"].append(step)
                    place["members"].add(number * 1000 + step)
                    place[number] = step

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for place in places:
            assert place["n"] == 2000 and place["items"][0] == 2000
            assert len(place["items"]) == 2001 and len(place["members"]) == 2000
            assert [place[number] for number in range(4)] == [499] * 4


def test_changes_wake_who_waits(seg):
    shared = seg.list([0])
    seen = threading.Event()

    def wait():
        if shared.wait_changed(timeout=10):
            seen.set()

    thread = threading.Thread(target=wait)
    thread.start()
    while thread.is_alive():
        shared.append(1)
    assert seen.is_set()


def test_an_object_that_somebody_locked_waits(seg):
    """A transaction of another thread has the list: what is quick goes the way that waits."""
    shared = seg.list([0])
    inside, go_on = threading.Event(), threading.Event()

    def hold():
        with seg.transaction():
            shared.append(1)
            inside.set()
            go_on.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(10)
    threading.Timer(0.2, go_on.set).start()
    shared.append(2)
    thread.join()
    assert shared.to_py() == [0, 1, 2]
