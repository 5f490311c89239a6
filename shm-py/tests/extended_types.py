"""Types that tests share by value: at the top level of a module, where every process finds them."""

import dataclasses
import datetime
import enum
from typing import Any


class Color(enum.Enum):
    RED = 1
    GREEN = "g"
    MIXED = [1, 2]
    CRIMSON = 1


class Level(enum.IntEnum):
    ONE = 1
    TEN = 10


class Word(str, enum.Enum):
    RED = "red"
    LONG = "a word that is longer than a cell"


class Ratio(float, enum.Enum):
    HALF = 0.5


class Tag(bytes, enum.Enum):
    A = b"a"


class Day(datetime.date, enum.Enum):
    FIRST = 2026, 1, 1


class Way(enum.Flag):
    NORTH = 1
    EAST = 2
    BOTH = 3
    SOUTH = 4


class Bits(enum.IntFlag):
    LOW = 1
    HIGH = 8


class Outer:
    class Inner(enum.Enum):
        DEEP = 0


class Labelled(enum.Enum):
    """Members whose value is not what they were made from."""

    A = (1, "first")

    def __init__(self, number: int, label: str) -> None:
        self.label = label


@dataclasses.dataclass
class Point:
    x: int
    y: Any = None


@dataclasses.dataclass
class Other:
    z: int = 0


class Reducer:
    """Its pickle calls a function."""

    def __reduce__(self) -> Any:
        return print, ("called",)
