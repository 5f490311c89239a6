"""A Python worker of the storm: works on the ledger of `main.rs` until it is killed."""

import random
import sys
import time

import shm_py

ACCOUNTS, NAMES, PAIRS, SWAPS = 64, 32, 16, 40


def work(seg):
    root = seg.root
    accounts, names, pairs = root["list"], root["dict"], root["pairs"]
    swaps, scratch, nested = root["swaps"], root["scratch"], root["nested"]
    while True:
        amount = random.randrange(1, 100)
        choice = random.randrange(7)
        if choice == 0:
            with seg.turn("list"):
                at = random.randrange(ACCOUNTS - 8)
                part = list(accounts[at : at + 8])
                part[0] -= amount
                part[7] += amount
                accounts[at : at + 8] = part
        elif choice == 1:
            with seg.turn("dict"):
                at = random.randrange(NAMES)
                one, other = f"account {at}", f"account {(at + 1) % NAMES}"
                names.update({one: names[one] - amount, other: names[other] + amount})
        elif choice in (2, 3):
            at = random.randrange(PAIRS)
            old = pairs[at]
            pairs.compare_exchange(at, old, (old[0] - amount, old[1] + amount))
        elif choice == 4:
            scratch.append((amount, "a text that comes and goes", b"1" * 300))
            if len(scratch) > 50:
                scratch.pop(0)
        elif choice == 5:
            nested[f"entry {random.randrange(20)}"] = {"inner": ["deep inside", amount], "n": {amount}}
        else:
            nested.pop(f"entry {random.randrange(20)}", None)
        root.add("operations", 1)
        if random.randrange(8) == 0:
            time.sleep(0.0005)  # see worker.rs


work(shm_py.attach(sys.argv[1]))
