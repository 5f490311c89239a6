"""Ends of interpreters and of workers: nothing hangs, nothing is lost, nothing stays behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest

import shm_py

METHODS = ["spawn", "fork", "forkserver"]

# Python 3.12+ warns of fork in a process with threads; these tests have none that matter.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def eventually(holds, what):
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within 30 s"
        time.sleep(0.002)


def living(seg):
    return sorted(peer.pid for peer in seg.peers if peer.alive)


def assert_clean(seg):
    """Only this process is left, and nothing lies about that nobody holds."""
    eventually(lambda: living(seg) == [os.getpid()], "the others are gone")
    # Attaching empties the slots of the dead.
    shm_py.attach(seg.name).close()
    report = seg.check()
    assert report.findings == [] and report.garbage == 0
    assert len(seg.peers) == 1


def run(code, *arguments, timeout=60):
    """A program of its own; what it printed, and how it ended."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def count_up(items):
    items.add(0, 1)
    return os.getpid()


def killed_once(items, victim):
    """Kills its own process, in the middle of its use of the segment, the first time."""
    if items.add(0, 1) == victim:
        items.append("text that its process leaves behind")
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def hold_turn(seg, ready, release):
    with seg.turn():
        ready.set()
        release.wait(60)


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_worker_of_a_pool_is_replaced_and_cleaned_up_after(seg, method):
    context = multiprocessing.get_context(method)
    items = seg.list([0])
    with context.Pool(2) as pool:
        first = {pool.apply(count_up, (items,)) for _ in range(4)}
        # The task of the killed worker never comes back; the others do.
        lost = pool.apply_async(killed_once, (items, items[0] + 1))
        eventually(lambda: len(items) == 2, "the worker came to its end")
        after = [pool.apply_async(count_up, (items,)) for _ in range(20)]
        pids = {job.get(60) for job in after}
        assert not lost.ready() and pids and first
    assert items[0] == 25
    del items
    assert_clean(seg)


@pytest.mark.parametrize("method", METHODS)
def test_an_executor_with_a_killed_worker_breaks_and_the_segment_does_not(seg, method):
    context = multiprocessing.get_context(method)
    items = seg.list([0])
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        with pytest.raises(BrokenProcessPool):
            executor.submit(killed_once, items, 1).result(60)
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        jobs = [executor.submit(count_up, items) for _ in range(10)]
        assert os.getpid() not in {job.result(60) for job in jobs}
    assert items.to_py() == [11, "text that its process leaves behind"]
    del items
    assert_clean(seg)


def test_a_stopped_holder_of_a_turn_is_named_and_waited_for(seg):
    context = multiprocessing.get_context("fork")
    ready, release = context.Event(), context.Event()
    worker = context.Process(target=hold_turn, args=(seg, ready, release))
    worker.start()
    assert ready.wait(60)
    os.kill(worker.pid, signal.SIGSTOP)
    for _ in range(2):
        with pytest.raises(shm_py.LockTimeout) as caught:
            seg.turn().acquire(timeout=0.05)
        assert caught.value.holder_pid == worker.pid and str(worker.pid) in str(caught.value)
    os.kill(worker.pid, signal.SIGCONT)
    release.set()
    seg.turn().acquire(timeout=30)
    seg.turn().release()
    worker.join(60)
    assert worker.exitcode == 0
    assert_clean(seg)


def test_a_daemon_that_closes_all_descriptors_goes_on(seg, tmp_path):
    held = seg.list(["only the daemon holds it"])
    foreign = tmp_path / "foreign"
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        code = 1
        try:
            end = os.dup2(writer, 2000)
            os.closerange(3, 1000)
            files = [open(foreign, "ab+") for _ in range(8)]
            seg.root["daemon"] = os.getpid()
            eventually(lambda: "go" in seg.root, "the parent lets it go on")
            assert held[0] == "only the daemon holds it"
            seg.root["big"] = [f"text number {n}" for n in range(50_000)]
            child = os.fork()
            if child == 0:
                seg.root["grandchild"] = list(range(1000))
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            seg.close()
            for file in files:
                file.write(b"x")
                file.flush()
            assert foreign.stat().st_size == len(files)
            code = 0
            os.write(end, b"done")
        finally:
            os._exit(code)
    os.close(writer)
    assert os.waitpid(middle, 0)[1] == 0
    eventually(lambda: "daemon" in seg.root, "the daemon is there")
    del held
    assert seg.root["daemon"] in living(seg)
    shm_py.attach(seg.name).close()
    assert seg.root["daemon"] in living(seg)
    seg.root["go"] = True
    assert os.read(reader, 10) == b"done"
    os.close(reader)
    assert len(seg.root["big"]) == 50_000 and len(seg.root["grandchild"]) == 1000
    seg.root.clear()
    assert_clean(seg)


def test_a_fork_amid_threads_that_write_does_not_hang(seg):
    import threading

    done = threading.Event()

    def write(number):
        while not done.is_set():
            seg.root[f"thread {number}"] = [number]
            seg.list([1, 2, 3]).append(4)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(30):
            child = os.fork()
            if child == 0:
                signal.alarm(30)
                seg.root["child"] = [number]
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
    assert seg.root["child"] == [29]
    assert_clean(seg)


ENDS = {
    "return": ("pass", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "exception": ("raise SystemExit(4)", 4),
    "atexit": ("atexit.register(lambda: print(seg.closed, flush=True))", 0),
    "earlier atexit": ("seg.root['n'] = 1", 0),
    "held turn": ("seg.turn().acquire()", 0),
    "held views": ("kept = [seg.root, seg.list([1]), iter(seg.list([1, 2]))]", 0),
    "cycle": ("kept = [seg]; kept.append(kept)", 0),
    "thread": ("threading.Thread(target=lambda: seg.root.update(n=1)).start()", 0),
    "daemon thread": (
        "threading.Thread(target=lambda: [seg.root.update(n=i) for i in iter(int, 1)],"
        " daemon=True).start()",
        0,
    ),
    "waiting daemon thread": (
        "threading.Thread(target=seg.take_message, daemon=True).start(); time.sleep(0.05)",
        0,
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_interpreter_ends_in_order_and_takes_the_name_along(end):
    statement, code = ENDS[end]
    name = f"shm-py-end-{os.getpid()}"
    program = f"""
        import atexit, sys, threading, time
        import shm_py
        seg = shm_py.create({name!r}, size="8MiB")
        {statement}
    """
    outcome = run(program)
    assert outcome.returncode == code, outcome.stderr
    # A daemon thread that is at work when the attachment closes may say so; nobody else.
    if end != "daemon thread":
        assert outcome.stderr == ""
    assert not os.path.exists(f"/dev/shm/{name}")


@pytest.mark.parametrize("end", ["os._exit(5)", "os.abort()", "os.kill(os.getpid(), 9)"])
def test_an_interpreter_that_ends_at_once_leaves_a_name_that_is_free(end):
    name = f"shm-py-end-{os.getpid()}"
    outcome = run(f"""
        import os, resource, shm_py
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        seg = shm_py.create({name!r}, size="8MiB")
        seg.root["old"] = [1]
        seg.turn().acquire()
        {end}
    """)
    assert outcome.returncode in (5, -signal.SIGABRT, -signal.SIGKILL)
    with shm_py.create(name, size="8MiB") as seg:
        assert dict(seg.root) == {}
    assert not os.path.exists(f"/dev/shm/{name}")


def test_an_uncaught_exception_is_the_only_traceback(seg):
    outcome = run(
        "import sys, shm_py; seg = shm_py.attach(sys.argv[1]); seg.root['n'] = 1; 1 / 0", seg.name
    )
    assert outcome.returncode == 1
    assert outcome.stderr.count("Traceback") == 1
    assert outcome.stderr.strip().endswith("ZeroDivisionError: division by zero")
    assert_clean(seg)


def test_an_interrupt_in_the_middle_of_work_ends_it_between_two_operations(seg):
    seg.root["a"], seg.root["b"] = [0] * 50, 0
    program = """
        import sys, shm_py
        seg = shm_py.attach(sys.argv[1])
        try:
            print("ready", flush=True)
            while True:
                seg.root["a"] = list(range(50))
                seg.root.add("b", 1)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), seg.name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        before = seg.root["b"]
        eventually(lambda: seg.root["b"] > before, "it works")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (out, err, process.returncode) == ("interrupted\n", "", 0)
        assert seg.root["a"] == list(range(50))
    assert_clean(seg)


def test_exec_leaves_the_segment_at_once(seg):
    child = os.fork()
    if child == 0:
        try:
            seg.turn().acquire()
            kept = seg.list(["only the old program holds it"])
            assert len(kept) == 1
            os.execv("/bin/sleep", ["sleep", "1000"])
        finally:
            os._exit(1)
    try:
        with open(f"/proc/{child}/comm") as comm:
            eventually(lambda: comm.seek(0) == 0 and comm.read() == "sleep\n", "it became another")
        seg.turn().acquire(timeout=30)
        seg.turn().release()
        eventually(lambda: living(seg) == [os.getpid()], "the old program has left")
        assert not any(
            seg.name in os.readlink(f"/proc/{child}/fd/{fd}") for fd in os.listdir(f"/proc/{child}/fd")
        )
        assert_clean(seg)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
