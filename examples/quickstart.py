"""The first ten minutes: a tree of objects that two processes change in place.

The parent stores built-in objects; they are copied in once. From then on both processes hold the
same objects: no pickling, no messages, no copies. What cannot be shared is named with its path,
and nothing changes. A process that is killed leaves whole containers behind.
"""

import multiprocessing

import shm_py


def trade(book):
    # The argument is the shared object itself: it travelled as (segment, id).
    book["bids"].append((101.25, 7))
    book["bids"].sort(reverse=True)
    book["volume"]["EUR"] = 1_000_000
    for _ in range(1_000):
        book.add("trades", 1)  # atomic +=
    book["traders"] |= {"bob"}


def main():
    with shm_py.create(size="64MiB") as seg:
        root = seg.root
        root["book"] = {
            "bids": [(101.0, 3), (101.5, 3)],
            "trades": 0,
            "volume": {},
            "traders": {"alice"},
        }
        book = root["book"]

        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=trade, args=(book,)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

        assert book["trades"] == 2_000
        assert book["bids"][0] == (101.5, 3) and len(book["bids"]) == 4
        assert book["traders"] == {"alice", "bob"}
        assert root["book"] is book and "volume" in book and book | {} == book
        print(book)

        # Built-in copies, of any depth, when you want them.
        plain = book.to_py()
        assert type(plain["volume"]) is dict and plain == book

        # Mistakes are told, with their place, and change nothing.
        try:
            root["bad"] = {"x": [1, 2, print]}
        except shm_py.UnsupportedType as error:
            print(f"refused: {error}")
        assert "bad" not in root

        # Who is here, and whether all is well.
        print(f"{seg!r}: {seg.used} bytes used, sound: {seg.check().sound}")
        print(*(f"pid {peer.pid} ({peer.name})" for peer in seg.peers))


if __name__ == "__main__":
    main()
