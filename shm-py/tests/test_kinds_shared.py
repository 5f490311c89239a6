"""Deques, ordered dicts and the like do what all shared objects do."""

import collections
import collections.abc
import copy
import multiprocessing
import pickle
import sys
import threading

import pytest

import shm_py

# Python 3.12+ warns of fork in a process with threads; these tests have none that matter.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

ALL = [
    collections.deque([1, [2], "x"], maxlen=4),
    collections.defaultdict(set, {"a": [1]}),
    collections.OrderedDict([("b", 1), ("a", [2])]),
    collections.Counter("hello"),
]

NAMES = ["Deque", "DefaultDict", "OrderedDict", "Counter"]


@pytest.mark.parametrize("original, name", list(zip(ALL, NAMES)))
def test_all_kinds_are_shared_objects(seg, other, original, name):
    seg.root["x"] = {"deep": [original]}
    shared = seg.root["x"]["deep"][0]
    assert type(shared) is getattr(shm_py, name) and seg.root["x"]["deep"][0] is shared
    theirs = other.root["x"]["deep"][0]
    assert type(theirs) is type(shared) and theirs is not shared and theirs == shared
    assert pickle.loads(pickle.dumps(shared)) is shared
    for copied in (shared.to_py(), copy.deepcopy(shared), seg.root.to_py()["x"]["deep"][0]):
        assert type(copied) is type(original) and copied == original
    for shallow in (shared.copy(), copy.copy(shared)):
        assert type(shallow) is type(original) and shallow == original
    watch = seg.watch(shared)
    with theirs.lock():
        if name == "Deque":
            theirs.append(1)
        else:
            theirs["new"] = 1
    assert watch.poll() and not shared.wait_changed(timeout=0)
    before = shared.to_py()
    with pytest.raises(ZeroDivisionError), seg.transaction():
        shared.clear()
        1 / 0
    assert shared == before and name in repr(shared)
    # Storing it again stores the same one; one of another segment is refused.
    seg.root["again"] = shared
    assert seg.root["again"] is shared
    with shm_py.create(size="1MiB") as foreign, pytest.raises(ValueError, match="to_py"):
        foreign.root["x"] = shared
    assert seg.check().findings == []
    seg.free(shared)
    with pytest.raises(shm_py.Closed):
        len(shared)


def test_what_changes_much_waits_for_the_lock_and_joins_transactions(seg, other):
    seg.root["c"], seg.root["d"] = collections.Counter(a=1), collections.deque([1, 2], 3)
    c, d = seg.root["c"], seg.root["d"]
    acts = [
        lambda: c.update("ab"),
        lambda: c.update({n: 1 for n in range(100)}),
        lambda: c.__isub__(collections.Counter(range(100))),
        lambda: d.__imul__(2),
    ]
    done = []

    def work():
        theirs = [other.root["c"], other.root["d"]]
        theirs[0].update("ab")
        theirs[0].update({n: 1 for n in range(100)})
        theirs[0] -= collections.Counter(range(100))
        theirs[1] *= 2
        done.append(True)

    with c.lock(), d.lock():
        worker = threading.Thread(target=work)
        worker.start()
        # Whoever holds it writes meanwhile, and the other one waits.
        for act in acts:
            act()
        assert c == collections.Counter(a=2, b=1) and list(d) == [2, 1, 2] and not done
    worker.join()
    assert done and c == collections.Counter(a=3, b=2) and list(d) == [2, 1, 2]
    with pytest.raises(ZeroDivisionError), seg.transaction():
        for act in acts:
            act()
        assert c["a"] == 4
        1 / 0
    assert c == collections.Counter(a=3, b=2)
    with seg.transaction():
        for act in acts:
            act()
    assert c == collections.Counter(a=4, b=3)


def test_kinds_are_registered_as_what_they_are(seg):
    assert isinstance(seg.deque(), collections.abc.MutableSequence)
    for mapping in (seg.counter(), seg.defaultdict(), seg.ordereddict()):
        assert isinstance(mapping, collections.abc.MutableMapping)
    if sys.version_info >= (3, 10):
        space = {}
        exec(
            "def kind(value):\n match value:\n  case [first, *_]: return first\n  case {'a': found}: return found",
            space,
        )
        assert space["kind"](seg.deque([5, 6])) == 5
        assert space["kind"](seg.ordereddict(a=7)) == 7


def test_dicts_of_all_kinds_are_compared_as_mappings(seg):
    kinds = (dict, collections.Counter, collections.OrderedDict, lambda it: collections.defaultdict(int, it))
    for left in kinds:
        for right in kinds:
            plain = left({"a": 1}), right({"a": 1})
            seg.root["left"], seg.root["right"] = plain
            shared = seg.root["left"], seg.root["right"]
            for one, two in ((shared[0], plain[1]), (plain[0], shared[1]), shared):
                assert one == two and not one != two
    # Since 3.10 a count of 0 is as one that is not there.
    usual, less = collections.Counter(a=1, b=0), collections.Counter(a=1)
    assert (seg.counter(usual) == less) == (usual == less)
    assert seg.counter(usual) != {"a": 1}


def test_a_deque_that_contains_itself_is_copied(seg):
    shared = seg.deque([1])
    shared.append(shared)
    copied = shared.to_py()
    assert copied[1] is copied and repr(shared).startswith("Deque([1, deque([1, ")
    shared.clear()


def test_kinds_and_messages(seg):
    for original in ALL:
        seg.put_message(original)
        seg.queue("q").put([original])
        assert seg.take_message() == original
        assert seg.queue("q").get()[0].to_py() == original
    assert seg.list([1]) != seg.deque([1]) and seg.deque([1]) != [1]


def test_readonly_attachments_read_and_do_not_write(seg):
    seg.root["d"], seg.root["c"] = collections.deque([1]), collections.Counter("a")
    seg.root["m"] = collections.defaultdict(list)
    with shm_py.attach(seg.name, readonly=True) as reader:
        assert reader.root["d"] == collections.deque([1]) and reader.root["c"]["a"] == 1
        for act in (
            lambda: reader.root["d"].append(2),
            lambda: reader.root["d"].rotate(),
            lambda: reader.root["c"].update("a"),
            lambda: reader.root["m"]["missing"],
        ):
            with pytest.raises(shm_py.ReadOnly):
                act()


def append_missing(seg, barrier, number):
    for key in range(50):
        barrier.wait()
        seg.root["groups"][key].append(number)
        seg.root["counts"].update({key: 1, "all": 1})
        seg.root["last"].append(number)


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_two_processes_find_one_value_for_a_missing_key(seg, method):
    context = multiprocessing.get_context(method)
    seg.root["groups"] = collections.defaultdict(list)
    seg.root["counts"], seg.root["last"] = collections.Counter(), collections.deque(maxlen=3)
    barrier = context.Barrier(2)
    workers = [context.Process(target=append_missing, args=(seg, barrier, n)) for n in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    groups = seg.root["groups"]
    assert len(groups) == 50 and all(sorted(groups[key]) == [1, 2] for key in range(50))
    assert seg.root["counts"]["all"] == 100 and seg.root["counts"][7] == 2
    assert len(seg.root["last"]) == 3
