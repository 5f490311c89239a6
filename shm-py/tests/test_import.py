"""What an import of shm_py brings, and what it leaves until it is needed."""

import subprocess
import sys

LATER = "asyncio ast concurrent.futures dataclasses hashlib inspect numpy pickle secrets socket ssl subprocess"

SHOW = f"""
import sys
import shm_py
class Point:
    def __init__(self):
        self.x = 1
with shm_py.create(size="1MiB") as seg:
    seg.root["n"] = [1, {{"a": 2.5}}]
    assert seg.root["n"].to_py() == [1, {{"a": 2.5}}]
    seg.root["p"] = Point()
    assert seg.root["p"].x == 1
    print(*(name for name in {LATER!r}.split() if name in sys.modules))
"""


def test_what_takes_long_to_import_is_imported_where_it_is_needed():
    # -I: neither the user's site nor PYTHONPATH bring anything; numpy may be asked for by nobody else.
    ran = subprocess.run([sys.executable, "-I", "-c", SHOW], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
