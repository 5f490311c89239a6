"""Handles travel to other processes, by every start method; dead processes harm nobody."""

import multiprocessing
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shm_py

METHODS = ["spawn", "fork", "forkserver"]
ELEMENTS = st.one_of(st.integers(), st.text(max_size=9), st.floats(allow_nan=False), st.none())

# Python 3.12+ warns of fork in a process with threads; these tests have none that matter.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def append_all(items, values):
    for value in values:
        items.append(value)


def describe(items):
    return os.getpid(), type(items).__name__, items.to_py()


def add_many(counts, items, n):
    for _ in range(n):
        counts.add("n", 1)
        items.add(0, 1)


def take_turns(seg, n):
    turn = seg.turn()
    for _ in range(n):
        with turn:
            seg.root["n"] = seg.root["n"] + 1


def serve(seg, n):
    for _ in range(n):
        message = seg.take_message(timeout=30)
        message["answer"] = message["question"] * 2
        message["done"] = True


def hold_turn(seg, ready):
    with seg.turn():
        ready.set()
        time.sleep(60)


def write_forever(seg, ready):
    ready.set()
    while True:
        seg.root["a"].append(1)
        seg.root["b"] = list(range(20))
        seg.root["a"].pop()


def interpret(requests, answers, seg):
    """Executes operations on request, in another process."""
    while True:
        request = requests.get()
        if request is None:
            return
        name, arguments = request
        items = seg.root["x"]
        try:
            result = getattr(items, name)(*arguments)
        except (IndexError, ValueError, KeyError) as error:
            result = type(error)
        answers.put((result, items.to_py()))


@pytest.mark.parametrize("method", METHODS)
def test_handles_are_process_arguments(seg, method):
    context = multiprocessing.get_context(method)
    items = seg.list()
    seg.root["keep"] = {"items": items}
    process = context.Process(target=append_all, args=(items, [1, "two", [3]]))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert items == [1, "two", [3]]
    assert seg.root["keep"]["items"] is items


@pytest.mark.parametrize("method", METHODS)
def test_handles_travel_through_a_pool(seg, method):
    context = multiprocessing.get_context(method)
    values = [seg.list([i, {"a": i}]) for i in range(8)]
    with context.Pool(2) as pool:
        found = pool.map(describe, values)
    assert [plain for _, _, plain in found] == [[i, {"a": i}] for i in range(8)]
    assert {kind for _, kind, _ in found} == {"List"}
    assert os.getpid() not in {pid for pid, _, _ in found}


def test_handles_travel_through_an_executor(seg):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        jobs = [executor.submit(describe, seg.dict(n=i)) for i in range(4)]
        assert [job.result(60)[2] for job in jobs] == [{"n": i} for i in range(4)]


@pytest.mark.parametrize("method", METHODS)
def test_add_loses_nothing(seg, method):
    context = multiprocessing.get_context(method)
    counts, items = seg.dict(), seg.list([0])
    workers = [context.Process(target=add_many, args=(counts, items, 2000)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    assert counts["n"] == 6000 and items[0] == 6000


@pytest.mark.parametrize("method", METHODS)
def test_turns_are_exclusive(seg, method):
    context = multiprocessing.get_context(method)
    seg.root["n"] = 0
    workers = [context.Process(target=take_turns, args=(seg, 200)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    assert seg.root["n"] == 600


def test_messages_are_shared_objects(seg):
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=serve, args=(seg, 3))
    worker.start()
    questions = [seg.dict(question=i) for i in range(3)]
    for question in questions:
        seg.put_message(question)
    worker.join(60)
    assert worker.exitcode == 0
    assert [question["answer"] for question in questions] == [0, 2, 4]


def test_a_dead_holder_of_a_turn_is_passed_over(seg):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    worker = context.Process(target=hold_turn, args=(seg, ready))
    worker.start()
    assert ready.wait(60)
    with pytest.raises(shm_py.LockTimeout) as caught:
        seg.turn().acquire(timeout=0.05)
    assert caught.value.holder_pid == worker.pid
    os.kill(worker.pid, signal.SIGKILL)
    started = time.monotonic()
    with seg.turn():
        pass
    assert time.monotonic() - started < 5
    worker.join(60)


def test_killed_writers_leave_whole_containers(seg):
    context = multiprocessing.get_context("fork")
    seg.root["a"], seg.root["b"] = [0], list(range(20))
    for round_number in range(12):
        ready = context.Event()
        worker = context.Process(target=write_forever, args=(seg, ready))
        worker.start()
        assert ready.wait(60)
        time.sleep(0.001 * (round_number % 5))
        os.kill(worker.pid, signal.SIGKILL)
        seg.root["mine"] = round_number
        worker.join(60)
        items = seg.root["a"].to_py()
        assert items[0] == 0 and set(items[1:]) <= {1}
        assert seg.root["b"] == list(range(20))
        assert seg.root["mine"] == round_number
    del items
    assert seg.check().findings == []


def test_dead_peers_are_noticed(seg):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    worker = context.Process(target=write_forever, args=(seg, ready))
    seg.root["a"], seg.root["b"] = [0], []
    worker.start()
    assert ready.wait(60)
    assert worker.pid in [peer.pid for peer in seg.peers if peer.alive]
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(60)
    assert worker.pid not in [peer.pid for peer in seg.peers if peer.alive]


def test_pickles_name_the_segment_and_the_object(seg):
    seg.root["x"] = {"y": [1]}
    data = pickle.dumps((seg, seg.root["x"]))
    assert len(data) < 300
    again, x = pickle.loads(data)
    assert again.name == seg.name
    assert x is seg.root["x"]
    code = f"import pickle; seg, x = pickle.loads({data!r}); x['y'].append(2); print(x)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "Dict({'y': [1, 2]})\n" and out.stderr == ""
    assert seg.root["x"] == {"y": [1, 2]}


def test_pickles_meet_the_attachment_that_is_open(seg):
    seg.root["x"] = [1]
    data = pickle.dumps(seg.root["x"])
    with shm_py.attach(seg.name):
        pass
    x = seg.root["x"]
    assert pickle.loads(data) is x
    with shm_py.attach(seg.name, readonly=True) as reader:
        assert pickle.loads(pickle.dumps(reader.root["x"])) is reader.root["x"]
        assert pickle.loads(data) is x
    # Nothing else keeps the segment: it goes with this attachment.
    seg.close()
    with pytest.raises(shm_py.SegmentNotFound):
        shm_py.attach(seg.name)


def test_pickle_of_a_gone_object_or_segment_is_an_error(seg):
    name = seg.name
    seg.root["x"] = [1]
    child = pickle.dumps(seg.root)
    seg.close()
    with pytest.raises(shm_py.SegmentNotFound):
        pickle.loads(child)
    with shm_py.create(name, size="1MiB"), pytest.raises(shm_py.SegmentNotFound):
        pickle.loads(child)


def test_interrupt_ends_a_wait(seg):
    code = (
        "import sys, shm_py\n"
        f"seg = shm_py.attach({seg.name!r})\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        "    seg.take_message()\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    end = time.monotonic() + 30
    while pathlib.Path(f"/proc/{process.pid}/stat").read_text().split()[2] != "S":
        assert time.monotonic() < end
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert out == "interrupted\n" and process.returncode == 0


def test_a_waiting_thread_lets_others_run(seg):
    import threading

    taken = []
    thread = threading.Thread(target=lambda: taken.append(seg.take_message(timeout=30)))
    thread.start()
    progress = 0
    deadline = time.monotonic() + 0.05
    while time.monotonic() < deadline:
        progress += 1
    seg.put_message("done")
    thread.join(30)
    assert taken == ["done"] and progress > 100


def test_hash_seed_does_not_matter(seg):
    seg.root.update({"word": 1, ("a", 1): 2, b"bytes": 3, "a longer key than a cell": 4})
    code = (
        "import shm_py\n"
        f"root = shm_py.attach({seg.name!r}).root\n"
        "print(root['word'], root[('a', 1)], root[b'bytes'], root['a longer key than a cell'])\n"
        "root['new'] = 5\n"
    )
    for seed in ("0", "1", "random"):
        environment = dict(os.environ, PYTHONHASHSEED=seed)
        out = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert out.stdout == "1 2 3 4\n"
    assert seg.root["new"] == 5


@pytest.fixture(scope="module")
def peer():
    """Another process that does what it is asked to with `seg.root["x"]`."""
    context = multiprocessing.get_context("spawn")
    seg = shm_py.create(size="32MiB")
    seg.root["x"] = []
    requests, answers = context.Queue(), context.Queue()
    process = context.Process(target=interpret, args=(requests, answers, seg))
    process.start()

    def ask(name, *arguments):
        requests.put((name, arguments))
        return answers.get(timeout=60)

    yield seg, ask
    requests.put(None)
    process.join(60)
    assert process.exitcode == 0
    assert seg.check().findings == []
    seg.close()


OPERATIONS = st.one_of(
    st.tuples(st.just("append"), ELEMENTS),
    st.tuples(st.just("insert"), st.integers(-5, 5), ELEMENTS),
    st.tuples(st.just("pop"), st.integers(-5, 5)),
    st.tuples(st.just("extend"), st.lists(ELEMENTS, max_size=4)),
    st.tuples(st.just("remove"), ELEMENTS),
    st.tuples(st.just("reverse")),
    st.tuples(st.just("clear")),
    st.tuples(st.just("__setitem__"), st.integers(-5, 5), ELEMENTS),
    st.tuples(st.just("__delitem__"), st.integers(-5, 5)),
)


@given(operations=st.lists(st.tuples(st.booleans(), OPERATIONS), max_size=15))
@settings(max_examples=25, deadline=None)
def test_two_processes_see_one_list(peer, operations):
    seg, ask = peer
    seg.root["x"] = []
    items, model = seg.root["x"], []
    for there, (name, *arguments) in operations:
        try:
            expected = getattr(model, name)(*arguments)
        except (IndexError, ValueError) as error:
            expected = type(error)
        if there:
            result, seen = ask(name, *arguments)
            assert seen == model
        else:
            try:
                result = getattr(items, name)(*arguments)
            except (IndexError, ValueError) as error:
                result = type(error)
        assert result == expected
        assert items == model


def test_a_fork_keeps_no_thread_from_ending_its_transaction(seg):
    seg.root["kept"] = {"n": 1}
    kept, ready, forked, went_on = seg.root["kept"], threading.Event(), threading.Event(), []

    def change():
        with seg.transaction():
            seg.root["x"] = 1
            ready.set()
            went_on.append(forked.wait(5))

    thread = threading.Thread(target=change)
    thread.start()
    assert ready.wait(60)
    pid = os.fork()
    if pid == 0:
        try:
            # Waits until the transaction has ended.
            kept.add("n", 1)
            os._exit(0 if seg.root["x"] == 1 else 2)
        finally:
            os._exit(1)
    forked.set()
    thread.join()
    assert os.waitpid(pid, 0)[1] == 0
    assert went_on == [True]
    assert kept["n"] == 2


# In a process of its own, so that its threads are these alone.
FORKS_BESIDE_A_TRANSACTION = """if True:
    import os, subprocess, sys, threading, time, shm_py

    seg = shm_py.attach(sys.argv[1])
    kept = seg.root["kept"]
    other = subprocess.Popen(
        [sys.executable, "-c", sys.argv[2], seg.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout.readline() == b"inside\\n"
    forks = threading.Event()

    def end_it():
        forks.wait()
        other.stdin.close()

    threading.Thread(target=end_it).start()
    reader, writer = os.pipe()
    forks.set()
    # The other one's transaction ends when the thread runs, and that needs the GIL.
    pid = os.fork()
    if pid == 0:
        os.read(reader, 1)
        os._exit(0 if kept["n"] == 1 else 1)
    try:
        # It has its place before it does anything there, as soon as it runs at all.
        until = time.monotonic() + 60
        while not (alive := [peer.alive for peer in seg.peers if peer.pid == pid]):
            assert time.monotonic() < until
            time.sleep(0.001)
        print(alive)
    finally:
        os.write(writer, b"x")
    print(os.waitpid(pid, 0)[1], other.wait())
"""
TRANSACTION = """if True:
    import sys, shm_py

    seg = shm_py.attach(sys.argv[1])
    with seg.transaction():
        seg.root["x"] = 1
        print("inside", flush=True)
        sys.stdin.read()
"""


def test_a_fork_waits_for_the_transaction_of_another_process_without_the_gil(seg):
    seg.root["kept"] = {"n": 1}
    done = subprocess.run(
        [sys.executable, "-c", FORKS_BESIDE_A_TRANSACTION, seg.name, TRANSACTION],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.stderr) == ("[True]\n0 0\n", "")
    assert seg.check().sound
