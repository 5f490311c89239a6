"""Counts the words of Python's standard library: one Rust process, three Python processes, one segment.

One of the Python processes is killed in the middle. The others take its files over, and in the end the
counts equal those of collections.Counter in a single process. Run it with `make demo`.

Why it is exact whoever is killed when: a worker adds the words of some files, and the marks that these
files are counted, by ONE update of one dict. Such an operation happens wholly or not at all.
"""

import collections
import multiprocessing
import os
import pathlib
import re
import signal
import subprocess
import sys
import sysconfig
import time

import shm_py

HERE = pathlib.Path(__file__).resolve().parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
WORD = re.compile(r"[a-z_]\w*")
DONE, AT_ONCE, WORKERS = -1, 8, 3


def words_of(path):
    return WORD.findall(pathlib.Path(path).read_text(encoding="utf-8", errors="replace").lower())


def claim(seg, owner):
    """Numbers of files that nobody works on, now ours; those of dead workers too. None: all is done."""
    me, mine, states = os.getpid(), [], owner.to_py()
    alive = {peer.pid for peer in seg.peers if peer.alive}
    for i, who in enumerate(states):
        if who != DONE and who not in alive and owner.compare_exchange(i, who, me):
            mine.append(i)
            if len(mine) == AT_ONCE:
                break
    return mine or (None if all(who == DONE for who in states) else [])


def work(seg, number):
    """A worker: claims files, counts them privately, adds the sum. `seg` was pickled to get here."""
    files, owner, counts = seg.root["files"], seg.root["owner"], seg.root["counts"]
    while (mine := claim(seg, owner)) is not None:
        found = {i: collections.Counter(words_of(files[i])) for i in mine}
        if found:
            with seg.turn("merge"):  # one at a time; if the one dies, the next one goes on
                fresh = [i for i in found if i not in counts]  # a dead owner may have got this far
                total = sum((found[i] for i in fresh), collections.Counter())
                new = {word: counts.get(word, 0) + n for word, n in total.items()}
                counts.update({**new, **{i: number for i in fresh}})
        else:
            time.sleep(0.005)  # others work on the rest; they may die
        for i in mine:
            owner[i] = DONE


def bar(progress, end=""):
    if end or sys.stdout.isatty():
        width, name = int(40 * progress.share), os.path.basename(progress.latest)
        line = f"[{'#' * width}{'.' * (40 - width)}] {progress.done}/{progress.files} {name[:24]:24}"
        print(f"\r{line}", end=end, flush=True)


def main():
    name, stdlib = f"word-count-{os.getpid()}", sysconfig.get_paths()["stdlib"]
    command = [TARGET / "release/examples/word_count", name, stdlib]
    rust = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    seg = shm_py.attach(name, timeout=30)
    seg.take_message(timeout=30)  # Rust says that everything is in place
    progress, owner, counts = seg.root["progress"], seg.root["owner"], seg.root["counts"]
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=work, args=(seg, n)) for n in range(1, WORKERS + 1)]
    for worker in workers:
        worker.start()
    pid, left = workers[1].pid, None
    while not progress.finished and rust.poll() is None:
        time.sleep(0.02)
        bar(progress)
        if left is None and progress.share >= 0.4 and pid in owner:
            os.kill(pid, signal.SIGKILL)
            left = [i for i, who in enumerate(owner) if who == pid]
            bar(progress, end="\n")
            print(f"killed worker 2 (pid {pid}) with {len(left)} files in work")
    bar(progress, end="\n")
    print(rust.communicate()[0], end="")
    if rust.returncode != 0 or left is None:
        sys.exit("FAILED: the Rust process failed, or worker 2 was done before it could be killed")
    for worker in workers:
        worker.join()
    print(f"the {len(left)} files of the killed one: by worker {sorted({counts[i] for i in left})}")

    expected = collections.Counter()
    for path in seg.root["files"]:
        expected.update(words_of(path))
    counted = {word: n for word, n in counts.items() if isinstance(word, str)}
    if counted != expected:
        sys.exit(f"FAILED: {len(counted)} words counted, {len(expected)} expected, or other numbers")
    print(f"Equal to collections.Counter in one process: {len(counted)} words, {sum(counted.values())} in all.")


if __name__ == "__main__":
    main()
