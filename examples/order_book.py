"""An order book: Rust feeds it (`order_book.rs`), the strategies here watch it and trade.

Each strategy is a process. It reads the whole book as of one moment, and places an order by
exchanging one word, so that two strategies never have the same one. Build the feed first, with
`cargo build --release --example order_book`.
"""

import multiprocessing
import pathlib
import subprocess
import sys
import time

import shm_py

FEED = pathlib.Path(__file__).parent.parent / "target/release/examples/order_book"
STRATEGIES = 3
ORDERS = 50


def wait(condition):
    deadline = time.monotonic() + 60
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.0005)
    return found


def strategy(name, number):
    """Buys when the spread is what it likes; `number` tells its orders from others'."""
    with shm_py.attach(name) as seg:
        book = seg.root["book"]
        for _ in range(ORDERS):
            seen = book.load()
            assert seen.bids[0].price < seen.asks[0].price
            assert all(a.price > b.price for a, b in zip(seen.bids, seen.bids[1:]))
            wait(lambda: book.compare_exchange("order", 0, number))


def main():
    with shm_py.create(size="64MiB") as seg:
        feed = subprocess.Popen([FEED, seg.name])
        book = wait(lambda: seg.root.get("book"))
        context = multiprocessing.get_context("spawn")
        workers = [
            context.Process(target=strategy, args=(seg.name, number + 1))
            for number in range(STRATEGIES)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        wait(lambda: len(book.fills) == STRATEGIES * ORDERS)
        book.closed = True
        assert feed.wait(10) == 0
        fills = book.fills.to_py()
        counts = {number + 1: fills.count(number + 1) for number in range(STRATEGIES)}
        print(f"{book.symbol}: {book.version} versions, fills of each strategy: {counts}")
        assert set(counts.values()) == {ORDERS}


if __name__ == "__main__":
    if not FEED.exists():
        sys.exit(f"{FEED} is not built: cargo build --release --example order_book")
    main()
