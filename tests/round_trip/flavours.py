"""Reads deques, ordered dicts and objects that Rust made, and writes some of its own."""

import collections
import copy
import dataclasses
import sys

import shm_py

sys.modules["flavours"] = sys.modules["__main__"]


@dataclasses.dataclass
class Point:
    x: int
    y: str

    def both(self):
        return self.x, self.y


seg = shm_py.attach(sys.argv[1])
root = seg.root
assert root["deque"].to_py() == collections.deque([2, 3, 4], 3) and root["deque"].maxlen == 3
long = root["too long"]
assert len(long) == 5 and long.to_py() == collections.deque([3, 4], 2) and list(long) == [0, 1, 2, 3, 4]
long.append(5)
assert list(long) == [4, 5]
assert root["ordered"] == collections.OrderedDict(b=1, a=2)
assert root["counter"]["x"] == 3 and root["counter"]["nothing"] == 0
root["sets"]["new"].add(1)
point = root["object"]
assert isinstance(point, Point) and point.both() == (1, "two") and point.to_py() == Point(1, "two")

for name, found in root["odd"].items():
    assert type(found).__name__ == "Object" and found.x == 1, name
    found.x += 1
    assert repr(found).endswith("x=2)"), repr(found)
    assert found == found and hash(found) == hash(found) and dict(vars(found)) == {"x": 2}
    for act in (lambda: found.method(), lambda: found.to_py(), lambda: copy.copy(found)):
        try:
            act()
        except (AttributeError, TypeError):
            pass
        else:
            raise AssertionError(name)

root["theirs"] = collections.deque([1], 4)
root["their ints"] = collections.defaultdict(int)
root["their point"] = Point(7, "z")
root["their point"].x += 1
