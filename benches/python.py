"""shm_py against the built-ins and the standard library's ways of sharing: `make bench`.

All times are ns per operation net of an empty loop, in this thread's processor time (a Manager's server
works elsewhere, so its rows are wall-clock time). Competitors run in turn, round by round, and a ratio is
the median of the rounds' ratios to the built-in: absolute times drift, ratios do not.
"""

import array
import multiprocessing
import multiprocessing.shared_memory
import os
import statistics
import subprocess
import sys
import time
import timeit

import numpy
import shm_py

ROUNDS, COUNT = 9, 10_000


PEERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "target/peers/release/shm-peers")


class Plain:
    def __init__(self):
        self.x = 1.5


class Slots:
    __slots__ = ("x", "hits")

    def __init__(self):
        self.x = 1.5
        self.hits = 0


def per_operation(statement, names, slow, indices):
    """Seconds per execution of `statement`, with `i` running over indices; net of the loop."""
    clock = time.perf_counter if slow else time.thread_time

    def seconds(body, number):
        timer = timeit.Timer(f"for i in indices:\n {body}", timer=clock, globals={**names, "indices": indices})
        return timer.timeit(number) / number / len(indices)

    number = max(1, int(10e-3 / len(indices) / seconds(statement, 1)))
    return seconds(statement, number) - seconds("pass", 1 + 20_000 // len(indices))


# Each of 10,000 once per pass: objects for ints must be made. HOT: 200 of them, again and again.
INDICES = [i * 37 % COUNT for i in range(COUNT)]
HOT = INDICES[:200]
KEYS = [f"key number {i}" for i in range(COUNT)]


def compare(title, statement, first, *others, per=1, indices=INDICES):
    """Prints one row: the built-in `first`, then each other's ratio to it. Each is (label, names[, statement])."""
    everyone = [first, *others]
    rounds = [[] for _ in everyone]
    for _ in range(ROUNDS):
        for entry, times in zip(everyone, rounds):
            label, names, *own = entry
            body = own[0] if own else statement
            few = indices[:50] if label == "Manager" or per > 1 else indices
            times.append(per_operation(body, names, label == "Manager", few))
    base = statistics.median(rounds[0]) / per * 1e9
    cells = [f"{first[0]} {base:.1f} ns"]
    for entry, times in zip(others, rounds[1:]):
        ratio = statistics.median(time / plain for time, plain in zip(times, rounds[0]))
        cells.append(f"{entry[0]} {ratio:.2f}x" if ratio < 100 else f"{entry[0]} {ratio:.0f}x")
    print(f"| {title} | {' | '.join(cells[:2])} | {', '.join(cells[2:])} |", flush=True)


def attributes(point):
    """Attributes of a struct that Rust made, against those of an object with `__slots__`."""
    slots, shared = ("__slots__", {"x": Slots()}), ("shm_py", {"x": point})
    plain = ("object", {"x": Plain()})
    compare("attribute: read float", "x.x", slots, shared, plain)
    compare("attribute: write float", "x.x = 2.5", slots, shared, plain)
    compare("attribute: read int", "x.hits", slots, shared)
    compare("attribute: write int", "x.hits = i", slots, shared)
    compare("attribute: `x.hits += 1`", "x.hits += 1", slots, shared)


@shm_py.struct(name="bench.Samples")
class Samples:
    samples: list[float]


def vectors(seg):
    """A `Vec<f64>` of a struct as a numpy array, against numpy's own."""
    seg.root["samples"] = Samples(samples=[float(number) for number in range(COUNT)])
    own = ("numpy", {"x": numpy.arange(COUNT, dtype=float)})
    shared = ("shm_py", {"x": seg.root["samples"].samples.numpy()})
    compare("`Vec<f64>` by numpy: `x[i]`", "x[i]", own, shared)
    compare("`Vec<f64>` by numpy: `x[i] = 2.5`", "x[i] = 2.5", own, shared)
    compare("`Vec<f64>` by numpy: `x[:] *= 1.0`, per number", "x[:] *= 1.0", own, shared, per=COUNT)


def arrays(seg):
    """An `Array` against numpy over `multiprocessing.shared_memory`: by views, and element by element."""
    block = multiprocessing.shared_memory.SharedMemory(create=True, size=8 * COUNT)
    plain = numpy.ndarray((COUNT,), "f8", buffer=block.buf)
    plain[:] = numpy.arange(COUNT)
    seg.root["array"] = plain
    items = seg.root["array"]
    view = items[...]
    own, shared = ("shared_memory", {"x": plain}), ("shm_py", {"x": view})
    compare("`Array[...]`: `x[i]`", "x[i]", own, shared)
    compare("`Array[...]`: `x[:] *= 1.0`, per number", "x[:] *= 1.0", own, shared, per=COUNT)
    compare("`Array[...]`: `x.sum()`, per number", "x.sum()", own, shared, per=COUNT)
    itself = ("shm_py", {"x": items})
    compare("`Array`: `x[i]`", "x[i]", own, itself, ("array.array", {"x": array.array("d", plain)}))
    compare("`Array`: `x[i] = 2.5`", "x[i] = 2.5", own, itself, ("array.array", {"x": array.array("d", plain)}))
    compare("`Array`: `x[...]`, a view", "x[...]", own, itself)
    compare("`Array`: `x += 0`, per number", "x.__iadd__(0)", own, itself, per=COUNT)
    for size in (1 << 20, 1 << 28):
        started = time.perf_counter()
        seg.array(size, "u1")
        fresh = time.perf_counter() - started
        started = time.perf_counter()
        seg.array(size, "u1")
        used = time.perf_counter() - started
        print(f"| zeros of {size >> 20} MiB, fresh / used before | {fresh * 1e6:.0f} us | {used * 1e6:.0f} us | |")
    del plain, view, own, shared, itself
    block.close()
    block.unlink()


def main():
    if "--arrays" in sys.argv[1:]:
        with shm_py.create(size="1GiB") as seg:
            arrays(seg)
        return
    if "--structs" in sys.argv[1:]:
        with shm_py.create(size="16MiB") as seg:
            subprocess.run([os.environ.get("SHM_PEERS", PEERS), seg.name], check=True)
            attributes(seg.root["point"])
            vectors(seg)
        return
    seg = shm_py.create(size="1GiB")
    manager = multiprocessing.Manager()
    numbers = list(range(COUNT))
    words = [f"word {i}" for i in numbers]
    shared_numbers, shared_words = seg.list(numbers), seg.list(words)
    shareable = multiprocessing.shared_memory.ShareableList(numbers)
    shareable_words = multiprocessing.shared_memory.ShareableList(words)
    subprocess.run([os.environ.get("SHM_PEERS", PEERS), seg.name], check=True)  # leaves a Rust struct at root["point"]

    def lists(*labels):
        all_ = {
            "list": numbers,
            "shm_py": shared_numbers,
            "array.array": array.array("q", numbers),
            "ShareableList": shareable,
            "Manager": manager.list(numbers),
        }
        return [(label, {"x": all_[label]}) for label in all_ if not labels or label in labels]

    ints = dict(zip(numbers, numbers))
    texts = dict(zip(KEYS, numbers))

    def dicts(plain, names=None):
        all_ = {"dict": plain, "shm_py": seg.dict(plain), "Manager": manager.dict(plain)}
        return [(label, {"x": x, "keys": KEYS, **(names or {})}) for label, x in all_.items()]

    nested = {"a": {"b": numbers[:10]}}
    both = ("list", "shm_py", "Manager")
    print("| operation | built-in | shm_py | others |\n|---|---|---|---|")
    compare("list: get int", "x[i]", *lists())
    compare("list: get int, 200 of them again and again", "x[i]", *lists("list", "shm_py", "array.array"), indices=HOT)
    compare("list: set int", "x[i] = i", *lists())
    compare("list: `x[i] += 1`", "x[i] += 1", *lists())
    compare("list: atomic add", "x[i] += 1", lists("list")[0], ("shm_py", {"x": shared_numbers}, "x.add(i, 1)"))
    compare(
        "list: get text", "x[i]", ("list", {"x": words}), ("shm_py", {"x": shared_words}),
        ("ShareableList", {"x": shareable_words}), ("Manager", {"x": manager.list(words)}),
    )
    compare("list: append + pop", "x.append(i); x.pop()", *lists(*both))
    whole = "for _ in x: pass"
    compare("list: iterate, per int", whole, *lists("list", "shm_py", "array.array"), per=COUNT)
    compare("list: slice of 100, per int", "x[100:200]", *lists(*both), per=100)
    compare("dict: get int key", "x[i]", *dicts(ints))
    compare("dict: get int key, 200 of them", "x[i]", *dicts(ints)[:2], indices=HOT)
    compare("dict: get text key", "x[keys[i]]", *dicts(texts))
    compare("dict: set int key", "x[i] = i", *dicts(ints))
    compare("dict: set text key", "x[keys[i]] = i", *dicts(texts))
    compare("dict: insert + delete", "x[-i] = i; del x[-i]", *dicts({0: 0}))
    entries = "for key, item in x.items(): pass"
    compare("dict: iterate items, int keys, per entry", entries, *dicts(ints)[:2], per=COUNT)
    compare("dict: iterate items, text keys, per entry", entries, *dicts(texts)[:2], per=COUNT)
    members = ("set", {"x": set(numbers)}), ("shm_py", {"x": seg.set(numbers)})
    compare("set: iterate, per int", whole, *members, per=COUNT)
    compare("nested read `x['a']['b'][3]`", "x['a']['b'][3]", *dicts(nested))
    attributes(seg.root["point"])
    vectors(seg)
    arrays(seg)
    shareable.shm.unlink()
    shareable_words.shm.unlink()
    manager.shutdown()
    seg.close()


if __name__ == "__main__":
    main()
