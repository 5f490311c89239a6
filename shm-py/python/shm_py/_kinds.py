"""The methods of `Deque`, `DefaultDict`, `OrderedDict` and `Counter` that read, or make something new.

Each works on a copy of the original type from `collections`, in which shared members stay shared; so it
gives what the original gives in this version of Python. And the methods of `Segment` that make them.
"""

import collections
import functools
import operator
from typing import Any, Callable, Optional

from . import _native
from ._native import Counter, DefaultDict, Deque, Dict, List, OrderedDict, Segment

_ORIGINALS = {
    DefaultDict: collections.defaultdict,
    OrderedDict: collections.OrderedDict,
    Counter: collections.Counter,
}


def _plain(value: Any) -> Any:
    """The operand of an operator: shared ones as originals."""
    return value.copy() if isinstance(value, (List, Dict)) else value


def _operand(own: Any, self: Any, other: Any) -> Any:
    # The same members where it is its own operand: two copies of NaN would be none.
    return own if other is self else _plain(other)


def _reading(shared: type, original: type, name: str) -> None:
    function = getattr(original, name)

    @functools.wraps(function)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        own = self.copy()
        return function(own, *(_operand(own, self, arg) for arg in args), **kwargs)

    method.__qualname__ = f"{shared.__name__}.{name}"
    method.__module__ = __name__
    setattr(shared, name, method)


def _comparing(shared: type, operation: Callable[[Any, Any], Any], name: str) -> None:
    # By the operator, for a counter leaves it to the other dict.
    def method(self: Any, other: Any, /) -> Any:
        own = self.copy()
        return operation(own, _operand(own, self, other))

    method.__name__ = name
    method.__qualname__ = f"{shared.__name__}.{name}"
    setattr(shared, name, method)


def _reflected(shared: type, operation: Callable[[Any, Any], Any], name: str) -> None:
    def method(self: Any, other: Any, /) -> Any:
        if not isinstance(other, (dict, Dict)):
            return NotImplemented
        return operation(_plain(other), self.copy())

    method.__name__ = name
    method.__qualname__ = f"{shared.__name__}.{name}"
    setattr(shared, name, method)


for _shared, _original in _ORIGINALS.items():
    _comparing(_shared, operator.eq, "__eq__")
    _comparing(_shared, operator.ne, "__ne__")
    _reading(_shared, _original, "__or__")
    _reflected(_shared, operator.or_, "__ror__")
    setattr(_shared, "__copy__", lambda self: self.copy())

_COUNTER = (
    "most_common elements total __add__ __sub__ __and__ __pos__ __neg__ __lt__ __le__ __gt__ __ge__"
).split()
for _name in _COUNTER:
    # The order of counters and `total` came with Python 3.10.
    if hasattr(collections.Counter, _name):
        _reading(Counter, collections.Counter, _name)
if not hasattr(collections.Counter, "total"):
    setattr(Counter, "total", lambda self: sum(self.values()))

for _operation in (operator.add, operator.sub, operator.and_):
    _reflected(Counter, _operation, f"__r{_operation.__name__.strip('_')}__")


def _replace(self: Any, change: Callable[[Any], Any]) -> None:
    """Put what `change` makes of a copy in place of all counts, again if they change meanwhile."""
    while True:
        version, own = self._version(), self.copy()
        if self._replace_all(change(own), version):
            return


def _add(self: Any, counts: Any) -> None:
    try:
        self._add_all(counts)
    except TypeError:
        # There are counts that only Python can add, as decimals; or it says why it cannot.
        _replace(self, lambda own: own.update(counts) or own)


def update(self: Counter[Any], iterable: Any = None, /, **kwds: int) -> None:
    """Add counts: of the elements of an iterable, or from a mapping, in one step."""
    counts: Any = collections.Counter()
    counts.update(_plain(iterable), **kwds)
    _add(self, counts)


def subtract(self: Counter[Any], iterable: Any = None, /, **kwds: int) -> None:
    """Subtract counts, in one step; they may become negative."""
    counts: Any = collections.Counter()
    counts.subtract(_plain(iterable), **kwds)
    _add(self, counts)


def _in_place(name: str) -> Callable[[Any, Any], Any]:
    operation = getattr(operator, name)

    def method(self: Any, other: Any) -> Any:
        other = _plain(other)
        _replace(self, lambda own: operation(own, other))
        return self

    method.__name__ = name
    method.__qualname__ = f"Counter.{name}"
    return method


setattr(Counter, "update", update)
setattr(Counter, "subtract", subtract)
for _name in ("__iadd__", "__isub__", "__iand__", "__ior__"):
    setattr(Counter, _name, _in_place(_name))


_NOTHING: Any = object()


def _pop(self: Any, key: Any, default: Any = _NOTHING) -> Any:
    """Remove `key` and return its value, or `default`; `KeyError` without one."""
    return Dict.pop(self, key) if default is _NOTHING else Dict.pop(self, key, default)


def _setdefault(self: Any, key: Any, default: Any = None) -> Any:
    """The value for `key`; if there is none, `default` is inserted and returned, in one step."""
    return Dict.setdefault(self, key, default)


# The original takes its arguments by name too.
for _name, _method in (("pop", _pop), ("setdefault", _setdefault)):
    _method.__name__, _method.__qualname__ = _name, f"OrderedDict.{_name}"
    setattr(OrderedDict, _name, _method)


def _ordered_from(iterable: Any, value: Any = None) -> Any:
    """A `collections.OrderedDict` with these keys and one value."""
    return collections.OrderedDict.fromkeys(iterable, value)


def _default_from(iterable: Any, value: Any = None, /) -> Any:
    """A `collections.defaultdict` with these keys and one value."""
    return collections.defaultdict.fromkeys(iterable, value)


setattr(OrderedDict, "fromkeys", staticmethod(_ordered_from))
setattr(DefaultDict, "fromkeys", staticmethod(_default_from))


def _fromkeys(iterable: Any, v: Any = None) -> Any:
    raise NotImplementedError("Counter.fromkeys() is undefined.  Use Counter(iterable) instead.")


setattr(Counter, "fromkeys", staticmethod(_fromkeys))


def deque(self: Segment, iterable: Any = (), maxlen: Optional[int] = None) -> Any:
    """A new shared deque, with the arguments of `collections.deque`."""
    return self._share(collections.deque(iterable, maxlen))


def defaultdict(self: Segment, default_factory: Any = None, /, *args: Any, **kwargs: Any) -> Any:
    """A new shared defaultdict, with the arguments of `collections.defaultdict`."""
    return self._share(collections.defaultdict(default_factory, *args, **kwargs))


def ordereddict(self: Segment, /, *args: Any, **kwargs: Any) -> Any:
    """A new shared ordered dict, with the arguments of `collections.OrderedDict`."""
    return self._share(collections.OrderedDict(*args, **kwargs))


def counter(self: Segment, iterable: Any = None, /, **kwds: int) -> Any:
    """A new shared counter, with the arguments of `collections.Counter`."""
    return self._share(collections.Counter(iterable, **kwds))


for _function in (deque, defaultdict, ordereddict, counter):
    setattr(_native.Segment, _function.__name__, _function)
