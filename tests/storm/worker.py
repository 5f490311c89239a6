"""The Python workers of the storm: they work on the ledger of `main.rs` until they are killed.

    worker.py SEGMENT BOARD work PAGE SEED     one worker
    worker.py SEGMENT BOARD nursery            forks workers, as told on standard input

To add an operation, write a function and decorate it with `@operation`; one that finds a violation
raises, which ends the worker and fails the storm. What must hold at rest is in `census.rs`.
"""

import contextlib
import ctypes
import os
import random
import signal
import struct
import sys
import time

import shm_py

EACH = 1000
PATIENCE = 20
PAGE, WRITES, LINES_AT, LINE, LINES = 4096, 15, 256, 64, 60  # see board.rs

OPERATIONS = []


def operation(weight, writes=True):
    """Enters a function of a desk in the table; how often it is chosen, and whether it writes."""

    def enter(function):
        OPERATIONS.append((function.__name__.replace("_", " "), weight, writes, function))
        return function

    return enter


def check(holds, what):
    if not holds:
        raise AssertionError(what)


class Desk:
    """The handles that a worker works with; a forked one inherits them."""

    def __init__(self, seg):
        self.seg = seg
        root = self.root = seg.root
        self.accounts, self.names, self.pairs = root["list"], root["dict"], root["pairs"]
        self.swaps, self.members, self.uniform = root["swaps"], root["members"], root["uniform"]
        self.scratch, self.bulk, self.nested = root["scratch"], root["bulk"], root["nested"]
        self.mirror_dict, self.mirror_list = root["mirror dict"], root["mirror list"]
        self.bytes = root["bytes"]
        self.seen = 0


@operation(3)
def transfer_in_the_list(desk):
    turn = desk.seg.turn("list")
    turn.acquire(PATIENCE)
    at, amount = random.randrange(len(desk.accounts) - 8), random.randrange(1, 100)
    part = desk.accounts[at : at + 8]
    part[0] -= amount
    part[7] += amount
    desk.accounts[at : at + 8] = part
    turn.release()


@operation(3)
def transfer_in_the_dict(desk):
    turn = desk.seg.turn("dict")
    turn.acquire(PATIENCE)
    at, amount = random.randrange(len(desk.names)), random.randrange(1, 100)
    one, other = f"account {at}", f"account {(at + 1) % len(desk.names)}"
    desk.names.update({one: desk.names[one] - amount, other: desk.names[other] + amount})
    turn.release()


@operation(3)
def transfer_in_a_pair(desk):
    at, amount = random.randrange(len(desk.pairs)), random.randrange(1, 100)
    old = desk.pairs[at]
    check(sum(old) == 2 * EACH, f"{old} does not add up")
    desk.pairs.compare_exchange(at, old, (old[0] - amount, old[1] + amount))


def finish_intent(desk):
    intent = desk.root["mirror intent"]
    if intent is not None:
        key, value = intent
        desk.mirror_dict[key] = value
        desk.mirror_list[key] = value
        desk.root["mirror intent"] = None
    one, other = desk.mirror_dict.to_py(), desk.mirror_list.to_py()
    check([one[key] for key in sorted(one)] == other, f"{one} and {other} are no mirrors")


@operation(2)
def change_the_mirrored(desk):
    turn = desk.seg.turn("mirror")
    turn.acquire(PATIENCE)
    desk.root["mirror inside"] = os.getpid()
    finish_intent(desk)
    desk.root["mirror intent"] = (random.randrange(len(desk.mirror_list)), random.getrandbits(50))
    finish_intent(desk)
    inside = desk.root["mirror inside"]
    check(inside == os.getpid(), f"{inside} is in my turn")
    turn.release()


@operation(3)
def toggle_two_members(desk):
    number = 2 * random.randrange(len(desk.members))
    desk.members.symmetric_difference_update({number, number + 1})
    members = desk.members.to_py()
    check(sorted(m // 2 for m in members) == list(range(len(members))), f"members: {members}")


def any_record(desk):
    return desk.root[f"record {random.randrange(4)}"]


@operation(4)
def change_a_record(desk):
    record = any_record(desk)
    left = random.randrange(1000)
    choice = random.randrange(3)
    if choice == 0:
        note = f"the left half is {left}" if left % 2 == 0 else None
        record.split = (left, EACH - left, note)
    elif choice == 1:
        record.version += 1
    else:
        check(record.add("version", 1) >= 1, "a version went below 1")


@operation(2, writes=False)
def look_at_a_record(desk):
    copy = any_record(desk).to_py()
    plus, split = copy["plus"], copy["split"]
    note = f"the left half is {split['left']}" if split["left"] % 2 == 0 else None
    holds = (
        copy["minus"] == -plus
        and copy["text"] == f"the account stands at {plus}"
        and set(copy["many"]) == {plus}
        and split["left"] + split["right"] == EACH
        and split["note"] == note
    )
    check(holds, f"the fields of {copy} disagree")


@operation(3)
def relay_a_message(desk):
    try:
        message = desk.seg.take_message(timeout=0)
    except shm_py.NoMessages:
        return
    number = message[0]
    holds = message[1] == f"this is message number {number}" and message[2]["n"] == number
    check(holds, f"the parts of message {message} disagree")
    desk.seg.put_message(message if random.random() < 0.5 else message.to_py())


@operation(3)
def push_and_pop(desk):
    desk.scratch.append((1, "a text that comes and goes", b"1" * 300))
    if len(desk.scratch) > 50:
        item = desk.scratch.pop(0)
        check(len(item) == 3, f"{item} was in the scratch list")


@operation(2)
def nest_objects(desk):
    amount = random.randrange(100)
    desk.nested[f"entry {random.randrange(20)}"] = {"inner": ["deep inside", amount], "n": amount}


@operation(1)
def drop_what_is_nested(desk):
    desk.nested.pop(f"entry {random.randrange(20)}", None)


@operation(2, writes=False)
def look_at_what_is_nested(desk):
    entry = desk.nested.get(f"entry {random.randrange(20)}")
    if entry is not None:
        check(entry["inner"][1] == entry["n"], f"the nested {entry} disagrees")


@operation(1)
def fill_the_bytearray(desk):
    desk.bytes[:] = bytes([random.randrange(256)]) * random.randrange(1000, 9000)
    check(len(set(desk.bytes.to_py())) == 1, "the bytes are not all equal")


@operation(3)
def replace_the_bulk(desk):
    text = f"a text of the bulk, number {random.randrange(100)}"
    desk.bulk[:] = [text] * 400
    bulk = desk.bulk.to_py()
    check(len(bulk) == 400 and len(set(bulk)) == 1, f"the bulk of {len(bulk)} texts is mixed")


@operation(3)
def set_all_keys(desk):
    desk.uniform.update(dict.fromkeys(desk.uniform.to_py(), random.randrange(100)))
    check(len(set(desk.uniform.to_py().values())) == 1, "the keys have several values")


@operation(2)
def count(desk):
    now = desk.root.add("operations", 1)
    check(now > desk.seen, f"the count went from {desk.seen} to {now}")
    desk.seen = now


@operation(1, writes=False)
def audit(desk):
    for name, numbers in (("list", desk.accounts.to_py()), ("dict", desk.names.to_py().values())):
        check(sum(numbers) == len(numbers) * EACH, f"the {name} sums to {sum(numbers)}")
    texts = desk.swaps.to_py()
    check(len(set(texts)) == len(texts), f"swapped texts were lost: {texts}")
    number, blob = desk.root["blob"]
    check(blob == bytes([number]) * len(blob), f"the blob is not all {number}")


def work(desk, board, page, seed):
    random.seed(seed)
    pid = os.getpid()
    names, weights, writes, functions = zip(*OPERATIONS)
    choices = range(len(OPERATIONS))
    begun = 0
    completed = int.from_bytes(os.pread(board, 8, page * PAGE), "little")
    while True:
        for choice in random.choices(choices, weights, k=16):
            line = f"{time.time_ns() // 1000:016} {pid:7} {begun:7} {names[choice]}"
            line = line.ljust(LINE)[:LINE].encode()
            os.pwrite(board, line, page * PAGE + LINES_AT + LINE * (begun % LINES))
            begun += 1
            began = time.monotonic_ns()
            functions[choice](desk)
            if writes[choice]:
                write = struct.pack("<QQ", began, time.monotonic_ns())
                os.pwrite(board, write, page * PAGE + 8 + 16 * (completed % WRITES))
                completed += 1
                os.pwrite(board, completed.to_bytes(8, "little"), page * PAGE)
            time.sleep(random.uniform(0.0002, 0.003))  # see desk.rs


def settle():
    """Dies with the parent, at the workers' priority (see worker.rs) where that is allowed."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def nursery(desk, board):
    for line in sys.stdin:
        what, *numbers = line.split()
        if what == "fork":
            pid = os.fork()
            if pid == 0:
                settle()
                try:
                    work(desk, board, *map(int, numbers))
                finally:
                    sys.excepthook(*sys.exc_info())
                    sys.stderr.flush()
                    os._exit(1)
            print(pid, flush=True)
        else:
            print(os.waitpid(int(numbers[0]), 0)[1], flush=True)
    desk.seg.close()


def main():
    settle()
    desk = Desk(shm_py.attach(sys.argv[1]))
    board = os.open(sys.argv[2], os.O_RDWR)
    if sys.argv[3] == "nursery":
        nursery(desk, board)
    else:
        work(desk, board, int(sys.argv[4]), int(sys.argv[5]))


main()
