"""Plain classes and dataclasses that tests share: at the top level of a module, where every process finds them."""

import abc
import dataclasses
import functools
import typing


@dataclasses.dataclass(order=True)
class Point:
    x: int
    y: int = 5
    tags: list = dataclasses.field(default_factory=list)

    count = 0

    def norm(self):
        return self.x**2 + self.y**2

    @property
    def double(self):
        return 2 * self.x

    @double.setter
    def double(self, value):
        self.x = value // 2

    @classmethod
    def origin(cls):
        return cls(0, 0)

    @staticmethod
    def name():
        return "point"

    @functools.cached_property
    def slow(self):
        return self.norm() * 10

    def grow(self):
        self.x += 1
        return self


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: int
    inner: Point


class Slots:
    __slots__ = ("a", "__b", "unset")

    def __init__(self, a, b):
        self.a, self.__b = a, b

    def both(self):
        return self.a, self.__b


class Base(abc.ABC):
    @abc.abstractmethod
    def area(self): ...

    def twice(self):
        return 2 * self.area()


_T = typing.TypeVar("_T")


class Square(Base, typing.Generic[_T]):
    made = []

    def __init__(self, side):
        Square.made.append(side)
        self.side = side

    def area(self):
        return self.side**2

    def twice(self):
        return super().twice() + 1

    def __getattr__(self, name):
        if name.startswith("virtual"):
            return f"{name} of {self.side}"
        raise AttributeError(name)


class Bag:
    """Has special methods."""

    def __init__(self, *items):
        self.items = list(items)

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        return iter(self.items)

    def __getitem__(self, index):
        return self.items[index]

    def __contains__(self, item):
        return item == 42 or item in self.items

    def __call__(self, more):
        return len(self.items) + more

    def __add__(self, other):
        return Bag(*self, *other)

    def __radd__(self, other):
        return "radd"

    def __iadd__(self, other):
        self.items.extend(other)
        return self

    def __enter__(self):
        self.open = True
        return self

    def __exit__(self, *exception):
        self.open = False

    def __eq__(self, other):
        return list(self) == list(other)

    def __repr__(self):
        return f"Bag of {len(self)}"

    def __bool__(self):
        return False


class Checked:
    """Looks at what is assigned."""

    def __init__(self, n):
        self.n = n

    def __setattr__(self, name, value):
        if not isinstance(value, int):
            raise TypeError(f"{name} is an int")
        super().__setattr__(name, value * 2)

    def __delattr__(self, name):
        raise AttributeError("it stays")


class Outer:
    class Inner:
        def __init__(self):
            self.here = True


class Named:
    """With attributes that are named as methods of `Object`."""

    def __init__(self):
        self.to_py, self.add, self.lock = 1, 2, 3


@dataclasses.dataclass(frozen=True)
class WithSlots:
    __slots__ = ("x", "y")
    x: int
    y: str


class Showy:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def __repr__(self):
        return f"Showy({self.__dict__})"
